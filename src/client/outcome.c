#include "client/outcome.h"

#include <stdlib.h>

#include "base/mem.h"
#include "wire/records.h"

/* Memory that is freed at once: chunks in a chain, the result at the start of the first. */
struct chunk {
    struct chunk *next;
};

struct outcome {
    struct chunk *chunks;
    uint8_t *at;
    size_t left;
    struct caucus_result result;
};

enum {
    CHUNK_BYTES_MIN = 512
};

static struct outcome *outcome_new(size_t bytes)
{
    struct outcome *o = mem_alloc(sizeof(*o) + bytes);
    memset(o, 0, sizeof(*o));
    o->at = (uint8_t *)(o + 1);
    o->left = bytes;
    return o;
}

static void *take_bytes(struct outcome *o, size_t bytes)
{
    if (bytes > o->left) {
        size_t size = bytes > CHUNK_BYTES_MIN ? bytes : CHUNK_BYTES_MIN;
        struct chunk *c = mem_alloc(sizeof(*c) + size);
        c->next = o->chunks;
        o->chunks = c;
        o->at = (uint8_t *)(c + 1);
        o->left = size;
    }
    void *p = o->at;
    o->at += bytes;
    o->left -= bytes;
    return p;
}

static void *take_items(struct outcome *o, size_t count, size_t bytes)
{
    size_t skew = (8 - (uintptr_t)o->at % 8) % 8;
    if (skew <= o->left)
        take_bytes(o, skew);
    else
        o->left = 0;
    return take_bytes(o, count * bytes);
}

/* With a zero behind. */
static const char *take_text(struct outcome *o, struct slice s)
{
    char *p = take_bytes(o, s.len + 1);
    if (s.len > 0)
        memcpy(p, s.ptr, s.len);
    p[s.len] = '\0';
    return p;
}

void caucus_result_free(struct caucus_result *r)
{
    if (r == NULL)
        return;
    struct outcome *o = list_entry(r, struct outcome, result);
    for (struct chunk *c = o->chunks, *next; c != NULL; c = next) {
        next = c->next;
        free(c);
    }
    free(o);
}

struct caucus_result *outcome_of(int rc, int64_t zxid)
{
    struct outcome *o = outcome_new(0);
    o->result.rc = rc;
    o->result.zxid = zxid;
    return &o->result;
}

static const struct caucus_stat *take_stat(struct outcome *o, const struct rec_stat *s)
{
    struct caucus_stat *stat = take_items(o, 1, sizeof(*stat));
    *stat = (struct caucus_stat){
        .czxid = s->czxid,
        .mzxid = s->mzxid,
        .ctime_ms = s->ctime,
        .mtime_ms = s->mtime,
        .version = s->version,
        .cversion = s->cversion,
        .aversion = s->aversion,
        .ephemeral_owner = s->ephemeral_owner,
        .data_length = s->data_length,
        .num_children = s->num_children,
        .pzxid = s->pzxid,
    };
    return stat;
}

static bool get_stat(struct outcome *o, struct dec *d, const struct caucus_stat **ret)
{
    struct rec_stat stat;
    if (!rec_get_stat(d, &stat))
        return false;
    *ret = take_stat(o, &stat);
    return true;
}

static bool get_data(struct outcome *o, struct dec *d, const void **ret, size_t *ret_bytes)
{
    struct slice data = dec_buffer(d);
    if (d->bad)
        return false;
    *ret = slice_is_null(data) ? NULL : take_text(o, data);
    *ret_bytes = data.len;
    return true;
}

static bool get_names(struct outcome *o, struct dec *d, struct slice chroot,
                      const char *const **ret, size_t *ret_count)
{
    struct rec_vec v = rec_get_vec_ustring(d);
    if (d->bad)
        return false;
    size_t count = v.count > 0 ? (size_t)v.count : 0;
    const char **names = take_items(o, count, sizeof(*names));
    struct dec items = dec_of(v.raw);
    for (size_t i = 0; i < count; i++)
        names[i] = take_text(o, chroot_strip(chroot, dec_ustring(&items)));
    *ret = names;
    *ret_count = count;
    return true;
}

static bool get_path(struct outcome *o, struct dec *d, struct slice chroot, const char **ret)
{
    struct slice path = dec_ustring(d);
    if (d->bad)
        return false;
    *ret = take_text(o, chroot_strip(chroot, path));
    return true;
}

static bool get_acl(struct outcome *o, struct dec *d)
{
    struct rec_vec v = rec_get_vec_acl(d);
    if (d->bad)
        return false;
    size_t count = v.count > 0 ? (size_t)v.count : 0;
    struct caucus_acl *acl = take_items(o, count, sizeof(*acl));
    struct dec items = dec_of(v.raw);
    for (size_t i = 0; i < count; i++) {
        struct rec_acl item = {0}; /* the elements were walked once: they cannot fail */
        rec_get_acl(&items, &item);
        acl[i].perms = item.perms;
        acl[i].scheme = take_text(o, item.id.scheme);
        acl[i].id = take_text(o, item.id.id);
    }
    o->result.acl = acl;
    o->result.acl_count = count;
    return true;
}

static bool get_identities(struct outcome *o, struct dec *d)
{
    struct rec_vec v = rec_get_vec_client_info(d);
    if (d->bad)
        return false;
    size_t count = v.count > 0 ? (size_t)v.count : 0;
    struct caucus_identity *ids = take_items(o, count, sizeof(*ids));
    struct dec items = dec_of(v.raw);
    for (size_t i = 0; i < count; i++) {
        struct rec_client_info item = {0};
        rec_get_client_info(&items, &item);
        ids[i].scheme = take_text(o, item.auth_scheme);
        ids[i].user = take_text(o, item.user);
    }
    o->result.identities = ids;
    o->result.identity_count = count;
    return true;
}

/* One part of a multi's answer. Its kind is what the server says: servers before 3.8.4 answer all
 * kinds of create as create. */
static bool get_part(struct outcome *o, struct dec *d, struct slice chroot,
                     const struct rec_multi_header *h, struct caucus_op_result *r)
{
    r->rc = h->err;
    switch (h->type) {
    case ZK_OP_CREATE:
        r->type = CAUCUS_OP_CREATE;
        return get_path(o, d, chroot, &r->path);
    case ZK_OP_CREATE2:
    case ZK_OP_CREATE_TTL:
    case ZK_OP_CREATE_CONTAINER:
        r->type = CAUCUS_OP_CREATE;
        return get_path(o, d, chroot, &r->path) && get_stat(o, d, &r->stat);
    case ZK_OP_DELETE:
        r->type = CAUCUS_OP_DELETE;
        return true;
    case ZK_OP_CHECK:
        r->type = CAUCUS_OP_CHECK;
        return true;
    case ZK_OP_SET_DATA:
        r->type = CAUCUS_OP_SET;
        return get_stat(o, d, &r->stat);
    case ZK_OP_GET_DATA:
        r->type = CAUCUS_OP_GET;
        return get_data(o, d, &r->data, &r->data_bytes) && get_stat(o, d, &r->stat);
    case ZK_OP_GET_CHILDREN:
        r->type = CAUCUS_OP_GET_CHILDREN;
        return get_names(o, d, slice_str(""), &r->names, &r->name_count);
    case ZK_OP_ERROR:
        r->rc = dec_i32(d);
        return !d->bad;
    default:
        return false;
    }
}

/* What an error leaves out is what was asked: the kinds of the parts stand in the request. */
static void name_part(struct caucus_op_result *r, int32_t op)
{
    if (r->type != 0)
        return;
    bool creates = op == ZK_OP_CREATE_TTL || op == ZK_OP_CREATE_CONTAINER;
    r->type = creates ? CAUCUS_OP_CREATE : (enum caucus_op_type)op;
}

/* Passes over a part of our own request. */
static int32_t asked_part(struct dec *asked)
{
    struct rec_multi_header h;
    if (!rec_get_multi_header(asked, &h))
        return 0;
    struct rec_create_request create;
    struct rec_create_ttl_request ttl;
    struct rec_set_data_request set;
    struct rec_delete_request delete;
    struct rec_exists_request read;
    if (h.type == ZK_OP_CREATE || h.type == ZK_OP_CREATE_CONTAINER)
        rec_get_create_request(asked, &create);
    else if (h.type == ZK_OP_CREATE_TTL)
        rec_get_create_ttl_request(asked, &ttl);
    else if (h.type == ZK_OP_SET_DATA)
        rec_get_set_data_request(asked, &set);
    else if (h.type == ZK_OP_DELETE || h.type == ZK_OP_CHECK)
        rec_get_delete_request(asked, &delete);
    else
        rec_get_exists_request(asked, &read);
    return h.type;
}

static bool get_multi(struct outcome *o, const struct call *c, struct dec *d, struct slice chroot)
{
    struct caucus_op_result *results = take_items(o, c->part_count, sizeof(*results));
    memset(results, 0, c->part_count * sizeof(*results));
    struct dec asked = dec_of(slice_from(buf_slice(&c->frame), CALL_BODY_AT));
    size_t count = 0;
    for (;;) {
        struct rec_multi_header h;
        if (!rec_get_multi_header(d, &h))
            return false;
        if (h.done)
            break;
        if (count == c->part_count || !get_part(o, d, chroot, &h, &results[count]))
            return false;
        name_part(&results[count++], asked_part(&asked));
    }
    o->result.results = results;
    o->result.result_count = count;

    /* The reply's header says 0 even of a multi that failed. */
    for (size_t i = 0; c->op == ZK_OP_MULTI && i < count && o->result.rc == 0; i++)
        if (results[i].rc != 0)
            o->result.rc = results[i].rc;
    return true;
}

static bool get_record(struct outcome *o, const struct call *c, struct slice chroot, struct dec *d)
{
    struct caucus_result *r = &o->result;
    switch (c->op) {
    case ZK_OP_CREATE2:
    case ZK_OP_CREATE_TTL:
    case ZK_OP_CREATE_CONTAINER:
        return get_path(o, d, chroot, &r->path) && get_stat(o, d, &r->stat);
    case ZK_OP_EXISTS:
    case ZK_OP_SET_DATA:
    case ZK_OP_SET_ACL:
        return get_stat(o, d, &r->stat);
    case ZK_OP_GET_DATA:
    case ZK_OP_RECONFIG:
        return get_data(o, d, &r->data, &r->data_bytes) && get_stat(o, d, &r->stat);
    case ZK_OP_GET_CHILDREN:
        return get_names(o, d, slice_str(""), &r->names, &r->name_count);
    case ZK_OP_GET_CHILDREN2:
        return get_names(o, d, slice_str(""), &r->names, &r->name_count) &&
               get_stat(o, d, &r->stat);
    case ZK_OP_GET_EPHEMERALS:
        return get_names(o, d, chroot, &r->names, &r->name_count);
    case ZK_OP_GET_ACL:
        return get_acl(o, d) && get_stat(o, d, &r->stat);
    case ZK_OP_SYNC:
        return get_path(o, d, chroot, &r->path);
    case ZK_OP_GET_ALL_CHILDREN_NUMBER:
        r->number = dec_i32(d);
        return !d->bad;
    case ZK_OP_WHO_AM_I:
        return get_identities(o, d);
    case ZK_OP_ADD_WATCH:
        r->rc = dec_i32(d);
        return !d->bad;
    case ZK_OP_MULTI:
    case ZK_OP_MULTI_READ:
        return get_multi(o, c, d, chroot);
    default: /* delete, removeWatches, auth, closeSession: nothing follows */
        return true;
    }
}

bool outcome_read(const struct call *c, struct slice chroot, int64_t zxid, struct dec *body,
                  struct caucus_result **ret)
{
    struct outcome *o = outcome_new(dec_left(body) + sizeof(struct caucus_stat) + 16);
    o->result.zxid = zxid;
    bool whole = get_record(o, c, chroot, body);
    if (whole) {
        *ret = &o->result;
        return true;
    }
    caucus_result_free(&o->result);
    *ret = outcome_of(CAUCUS_MARSHALLINGERROR, zxid);
    return false;
}
