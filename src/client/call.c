#include "client/call.h"

#include <stdlib.h>

#include "base/mem.h"
#include "client/outcome.h"
#include "wire/path.h"
#include "wire/records.h"

/* A path below the chroot; `scratch` holds it where it had to be put together. */
struct place {
    struct slice path;
    struct buf scratch;
};

static bool place_find(const struct call_scope *s, const char *path, bool sequential,
                       struct place *ret)
{
    *ret = (struct place){0};
    if (path == NULL || path_check(slice_str(path), sequential) != NULL)
        return false;

    ret->path = slice_str(path);
    if (s->chroot.len == 0)
        return true;
    /* A sequential child of the chroot keeps its slash, or it would become the chroot's sibling. */
    bool is_root = ret->path.len == 1 && !sequential;
    buf_put_slice(&ret->scratch, s->chroot);
    if (!is_root)
        buf_put_slice(&ret->scratch, ret->path);
    ret->path = buf_slice(&ret->scratch);
    return true;
}

static void place_leave(struct place *p)
{
    buf_deinit(&p->scratch);
}

static uint8_t *call_room(struct call *c)
{
    return (uint8_t *)(c + 1);
}

/* A frame whose bytes are known lies behind the call, in one piece of memory with it, and cannot
 * grow out of it; one of `bytes` 0 has memory of its own. bytes_max 0: no maximum. */
static struct call *call_begin_sized(int32_t op, size_t bytes_max, size_t bytes)
{
    bool is_inside = bytes > 0 && (bytes_max == 0 || bytes <= bytes_max + 4);
    struct call *c = mem_alloc(sizeof(*c) + (is_inside ? bytes : 0));
    *c = (struct call){.note.kind = NOTE_ANSWER, .op = op};
    list_init(&c->note.list);
    buf_init(&c->frame, bytes_max != 0 ? bytes_max + 4 : 0);
    if (is_inside)
        c->frame = (struct buf){.ptr = call_room(c), .cap = bytes, .bytes_max = bytes};
    buf_put_i32(&c->frame, 0);
    buf_put_i32(&c->frame, 0);
    buf_put_i32(&c->frame, op);
    return c;
}

static struct call *call_begin(int32_t op, size_t bytes_max)
{
    return call_begin_sized(op, bytes_max, 0);
}

/* Fills in the length, and finds the path that the body begins with. */
static int call_end(struct call *c, size_t path_bytes, struct call **ret)
{
    if (!buf_ok(&c->frame)) {
        call_free(c);
        return CAUCUS_TOOBIG;
    }
    store_be32(c->frame.ptr, (uint32_t)(c->frame.len - 4));
    c->path = buf_part(&c->frame, CALL_BODY_AT + 4, path_bytes);
    *ret = c;
    return 0;
}

static struct rec_vec acl_vec(const struct caucus_acl *acl, size_t count, struct buf *raw)
{
    static const struct caucus_acl open = {CAUCUS_PERM_ALL, "world", "anyone"};
    if (count == 0) {
        acl = &open;
        count = 1;
    }
    for (size_t i = 0; i < count; i++) {
        buf_put_i32(raw, acl[i].perms);
        rec_put_slice(raw, slice_str(acl[i].scheme));
        rec_put_slice(raw, slice_str(acl[i].id));
    }
    return (struct rec_vec){(int32_t)count, buf_slice(raw)};
}

static bool acl_is_whole(const struct caucus_acl *acl, size_t count)
{
    if (count > 0 && acl == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        if (acl[i].scheme == NULL || acl[i].id == NULL)
            return false;
    return count <= INT32_MAX;
}

static bool data_is_whole(const void *data, size_t bytes)
{
    return (data != NULL || bytes == 0) && bytes <= INT32_MAX;
}

static bool mode_is_sequential(enum caucus_create_mode mode)
{
    return mode == CAUCUS_PERSISTENT_SEQUENTIAL || mode == CAUCUS_EPHEMERAL_SEQUENTIAL ||
           mode == CAUCUS_PERSISTENT_SEQUENTIAL_TTL;
}

static bool mode_has_ttl(enum caucus_create_mode mode)
{
    return mode == CAUCUS_PERSISTENT_TTL || mode == CAUCUS_PERSISTENT_SEQUENTIAL_TTL;
}

/* create2 tells the new node's stat; containers and TTL nodes have operations of their own. */
static int32_t create_op(enum caucus_create_mode mode)
{
    if (mode_has_ttl(mode))
        return ZK_OP_CREATE_TTL;
    return mode == CAUCUS_CONTAINER ? ZK_OP_CREATE_CONTAINER : ZK_OP_CREATE2;
}

static bool options_are_whole(const struct caucus_create_options *o)
{
    return (int)o->mode >= CAUCUS_PERSISTENT && o->mode <= CAUCUS_PERSISTENT_SEQUENTIAL_TTL &&
           acl_is_whole(o->acl, o->acl_count) &&
           (!mode_has_ttl(o->mode) || (o->ttl_ms > 0 && o->ttl_ms <= ZK_TTL_MS_MAX));
}

static void put_create(struct buf *b, struct slice path, struct slice data,
                       const struct caucus_create_options *o)
{
    struct buf raw = {0};
    struct rec_vec acl = acl_vec(o->acl, o->acl_count, &raw);
    if (mode_has_ttl(o->mode))
        rec_put_create_ttl_request(
            b, &(struct rec_create_ttl_request){path, data, acl, (int32_t)o->mode, o->ttl_ms});
    else
        rec_put_create_request(b, &(struct rec_create_request){path, data, acl, (int32_t)o->mode});
    buf_deinit(&raw);
}

static const struct caucus_create_options options_none;

int call_create(const struct call_scope *s, const char *path, const void *data, size_t data_bytes,
                const struct caucus_create_options *options, struct call **ret)
{
    const struct caucus_create_options *o = options != NULL ? options : &options_none;
    struct place at;
    if (!data_is_whole(data, data_bytes) || !options_are_whole(o) ||
        !place_find(s, path, mode_is_sequential(o->mode), &at))
        return CAUCUS_BADARGUMENTS;

    struct call *c = call_begin(create_op(o->mode), s->request_bytes_max);
    put_create(&c->frame, at.path, slice_of(data, data_bytes), o);
    int rc = call_end(c, at.path.len, ret);
    place_leave(&at);
    return rc;
}

int call_delete(const struct call_scope *s, const char *path, int32_t version, struct call **ret)
{
    struct place at;
    if (!place_find(s, path, false, &at))
        return CAUCUS_BADARGUMENTS;

    struct call *c = call_begin(ZK_OP_DELETE, s->request_bytes_max);
    rec_put_delete_request(&c->frame, &(struct rec_delete_request){at.path, version});
    int rc = call_end(c, at.path.len, ret);
    place_leave(&at);
    return rc;
}

/* exists, getData, getChildren and getChildren2 ask with the same two fields. */
static int read_at(struct slice path, int32_t op, size_t bytes_max, caucus_watch_fn *watch,
                   void *watch_context, struct call **ret)
{
    struct call *c = call_begin_sized(op, bytes_max, CALL_BODY_AT + 4 + path.len + 1);
    rec_put_exists_request(&c->frame, &(struct rec_exists_request){path, watch != NULL});
    c->watch = watch;
    c->watch_context = watch_context;
    return call_end(c, path.len, ret);
}

int call_read(const struct call_scope *s, int32_t op, const char *path, caucus_watch_fn *watch,
              void *watch_context, struct call **ret)
{
    struct place at;
    if (!place_find(s, path, false, &at))
        return CAUCUS_BADARGUMENTS;
    int rc = read_at(at.path, op, s->request_bytes_max, watch, watch_context, ret);
    place_leave(&at);
    return rc;
}

int call_get_config(const struct call_scope *s, caucus_watch_fn *watch, void *watch_context,
                    struct call **ret)
{
    return read_at(slice_str("/zookeeper/config"), ZK_OP_GET_DATA, s->request_bytes_max, watch,
                   watch_context, ret);
}

int call_set(const struct call_scope *s, const char *path, const void *data, size_t data_bytes,
             int32_t version, struct call **ret)
{
    struct place at;
    if (!data_is_whole(data, data_bytes) || !place_find(s, path, false, &at))
        return CAUCUS_BADARGUMENTS;

    size_t bytes = CALL_BODY_AT + 4 + at.path.len + 4 + data_bytes + 4;
    struct call *c = call_begin_sized(ZK_OP_SET_DATA, s->request_bytes_max, bytes);
    rec_put_set_data_request(
        &c->frame, &(struct rec_set_data_request){at.path, slice_of(data, data_bytes), version});
    int rc = call_end(c, at.path.len, ret);
    place_leave(&at);
    return rc;
}

int call_path(const struct call_scope *s, int32_t op, const char *path, struct call **ret)
{
    struct place at;
    if (!place_find(s, path, false, &at))
        return CAUCUS_BADARGUMENTS;

    struct call *c = call_begin(op, s->request_bytes_max);
    rec_put_slice(&c->frame, at.path);
    int rc = call_end(c, at.path.len, ret);
    place_leave(&at);
    return rc;
}

int call_set_acl(const struct call_scope *s, const char *path, const struct caucus_acl *acl,
                 size_t acl_count, int32_t aversion, struct call **ret)
{
    struct place at;
    if (acl_count == 0 || !acl_is_whole(acl, acl_count) || !place_find(s, path, false, &at))
        return CAUCUS_BADARGUMENTS;

    struct buf raw = {0};
    struct call *c = call_begin(ZK_OP_SET_ACL, s->request_bytes_max);
    struct rec_vec list = acl_vec(acl, acl_count, &raw);
    rec_put_set_acl_request(&c->frame, &(struct rec_set_acl_request){at.path, list, aversion});
    int rc = call_end(c, at.path.len, ret);
    buf_deinit(&raw);
    place_leave(&at);
    return rc;
}

/* The prefix is text, not a path: "/lock-" is one. Below a chroot "/a" all of them begin with
 * "/a/". */
int call_ephemerals(const struct call_scope *s, const char *prefix, struct call **ret)
{
    if (prefix == NULL || (prefix[0] != '/' && prefix[0] != '\0'))
        return CAUCUS_BADARGUMENTS;
    struct buf full = {0};
    buf_put_slice(&full, s->chroot);
    buf_put_slice(&full, prefix[0] != '\0' ? slice_str(prefix) : slice_str("/"));

    struct call *c = call_begin(ZK_OP_GET_EPHEMERALS, s->request_bytes_max);
    rec_put_slice(&c->frame, buf_slice(&full));
    int rc = call_end(c, full.len, ret);
    buf_deinit(&full);
    return rc;
}

/* Plain create and not create2, though that would tell the stat: a leader of 3.8.4 or later logs a
 * create2 as one, and a follower before that, which knows none within a multi, passes over the
 * whole transaction and says that it succeeded. */
static int32_t part_op(const struct caucus_op *op)
{
    if (op->type != CAUCUS_OP_CREATE)
        return (int32_t)op->type;
    int32_t create = create_op(op->options.mode);
    return create == ZK_OP_CREATE2 ? ZK_OP_CREATE : create;
}

static bool part_put(struct buf *b, const struct call_scope *s, const struct caucus_op *op)
{
    bool creates = op->type == CAUCUS_OP_CREATE;
    struct place at;
    if (!data_is_whole(op->data, op->data_bytes) || (creates && !options_are_whole(&op->options)) ||
        !place_find(s, op->path, creates && mode_is_sequential(op->options.mode), &at))
        return false;

    struct slice data = slice_of(op->data, op->data_bytes);
    rec_put_multi_header(b, &(struct rec_multi_header){part_op(op), false, -1});
    switch (op->type) {
    case CAUCUS_OP_CREATE:
        put_create(b, at.path, data, &op->options);
        break;
    case CAUCUS_OP_DELETE:
    case CAUCUS_OP_CHECK:
        rec_put_delete_request(b, &(struct rec_delete_request){at.path, op->version});
        break;
    case CAUCUS_OP_SET:
        rec_put_set_data_request(b, &(struct rec_set_data_request){at.path, data, op->version});
        break;
    case CAUCUS_OP_GET:
    case CAUCUS_OP_GET_CHILDREN:
        rec_put_exists_request(b, &(struct rec_exists_request){at.path, false});
        break;
    }
    place_leave(&at);
    return true;
}

static bool part_fits(int32_t op, enum caucus_op_type part)
{
    if (part == CAUCUS_OP_GET || part == CAUCUS_OP_GET_CHILDREN)
        return op == ZK_OP_MULTI_READ;
    return op == ZK_OP_MULTI && (part == CAUCUS_OP_CREATE || part == CAUCUS_OP_DELETE ||
                                 part == CAUCUS_OP_SET || part == CAUCUS_OP_CHECK);
}

int call_multi(const struct call_scope *s, int32_t op, const struct caucus_op *ops, size_t count,
               struct call **ret)
{
    if ((ops == NULL && count > 0) || count > INT32_MAX)
        return CAUCUS_BADARGUMENTS;

    struct call *c = call_begin(op, s->request_bytes_max);
    c->part_count = count;
    for (size_t i = 0; i < count; i++) {
        if (!part_fits(op, ops[i].type) || !part_put(&c->frame, s, &ops[i])) {
            call_free(c);
            return CAUCUS_BADARGUMENTS;
        }
    }
    rec_put_multi_header(&c->frame, &(struct rec_multi_header){-1, true, -1});
    return call_end(c, 0, ret);
}

int call_add_watch(const struct call_scope *s, const char *path, enum caucus_add_watch_mode mode,
                   caucus_watch_fn *watch, void *watch_context, struct call **ret)
{
    struct place at;
    if (watch == NULL ||
        (mode != CAUCUS_WATCH_PERSISTENT && mode != CAUCUS_WATCH_PERSISTENT_RECURSIVE) ||
        !place_find(s, path, false, &at))
        return CAUCUS_BADARGUMENTS;

    struct call *c = call_begin(ZK_OP_ADD_WATCH, s->request_bytes_max);
    rec_put_add_watch_request(&c->frame, &(struct rec_add_watch_request){at.path, (int32_t)mode});
    c->watch = watch;
    c->watch_context = watch_context;
    c->watch_mode = (int32_t)mode;
    int rc = call_end(c, at.path.len, ret);
    place_leave(&at);
    return rc;
}

int call_remove_watches(const struct call_scope *s, const char *path, enum caucus_watch_kind kind,
                        caucus_watch_fn *watch, void *watch_context, bool local, struct call **ret)
{
    struct place at;
    if ((int)kind < CAUCUS_KIND_CHILDREN || kind > CAUCUS_KIND_PERSISTENT_RECURSIVE ||
        !place_find(s, path, false, &at))
        return CAUCUS_BADARGUMENTS;

    struct call *c = call_begin(ZK_OP_REMOVE_WATCHES, s->request_bytes_max);
    rec_put_remove_watches_request(&c->frame,
                                   &(struct rec_remove_watches_request){at.path, (int32_t)kind});
    c->watch = watch;
    c->watch_context = watch_context;
    c->watch_kind = kind;
    c->local = local;
    int rc = call_end(c, at.path.len, ret);
    place_leave(&at);
    return rc;
}

void call_only_check(struct call *c)
{
    store_be32(c->frame.ptr + 8, ZK_OP_CHECK_WATCHES);
}

int call_who_am_i(const struct call_scope *s, struct call **ret)
{
    return call_end(call_begin(ZK_OP_WHO_AM_I, s->request_bytes_max), 0, ret);
}

static struct slice slice_or_null(const char *text)
{
    return text != NULL ? slice_str(text) : (struct slice){0};
}

int call_reconfig(const struct call_scope *s, const char *joining, const char *leaving,
                  const char *members, int64_t config_version, struct call **ret)
{
    struct call *c = call_begin(ZK_OP_RECONFIG, s->request_bytes_max);
    rec_put_reconfig_request(
        &c->frame, &(struct rec_reconfig_request){slice_or_null(joining), slice_or_null(leaving),
                                                  slice_or_null(members), config_version});
    return call_end(c, 0, ret);
}

int call_auth(const struct call_scope *s, const char *scheme, const void *auth, size_t auth_bytes,
              struct call **ret)
{
    if (scheme == NULL || !data_is_whole(auth, auth_bytes))
        return CAUCUS_BADARGUMENTS;
    struct call *c = call_begin(ZK_OP_AUTH, s->request_bytes_max);
    rec_put_auth_packet(
        &c->frame, &(struct rec_auth_packet){0, slice_str(scheme), slice_of(auth, auth_bytes)});
    if (buf_ok(&c->frame))
        store_be32(c->frame.ptr + CALL_XID_AT, (uint32_t)ZK_XID_AUTH);
    return call_end(c, 0, ret);
}

struct call *call_close_session(void)
{
    struct call *c = NULL;
    call_end(call_begin(ZK_OP_CLOSE_SESSION, 0), 0, &c);
    return c;
}

void call_free(struct call *c)
{
    if (c == NULL)
        return;
    caucus_result_free(c->result);
    if (c->frame.ptr != call_room(c))
        buf_deinit(&c->frame);
    free(c);
}

struct slice chroot_strip(struct slice chroot, struct slice path)
{
    if (chroot.len == 0 || !slice_starts_with(path, chroot))
        return path;
    if (path.len == chroot.len)
        return slice_str("/");
    return path.ptr[chroot.len] == '/' ? slice_from(path, chroot.len) : path;
}
