/* audit.c: AuditHelper, AuditEvent. */
#include "server/audit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "wire/records.h"
#include "wire/zk.h"

/* A request whose transaction is not committed yet: a copy of its record, and who asked. */
struct pending {
    struct list link;
    int32_t cxid, op;
    size_t user_len, ip_len, record_len;
    uint8_t bytes[]; /* user, ip, record */
};

struct asker {
    struct list pending; /* in the order of requests, which is that of their commits */
    size_t count, bytes;
};

struct audit {
    struct map askers; /* session id -> struct asker * */
    audit_write *write;
    void *arg;
    struct buf line, text;
    char user[];
};

struct audit *audit_create(const char *user, uint64_t seed, audit_write *write, void *arg)
{
    size_t len = strlen(user) + 1;
    struct audit *a = mem_calloc(1, sizeof *a + len);
    map_init(&a->askers, seed);
    a->write = write;
    a->arg = arg;
    memcpy(a->user, user, len);
    return a;
}

static void pending_drop(struct asker *k, struct pending *p)
{
    k->count--;
    k->bytes -= p->user_len + p->ip_len + p->record_len;
    list_remove(&p->link);
    free(p);
}

static void asker_free(struct asker *k)
{
    if (k == NULL)
        return;
    for (struct list *at = k->pending.next, *next; at != &k->pending; at = next) {
        next = at->next;
        free(list_entry(at, struct pending, link));
    }
    free(k);
}

/* All that came before `end`, which is one of its own or the list's head. */
static void drop_before(struct asker *k, const struct list *end)
{
    for (struct list *at = k->pending.next, *next; at != end; at = next) {
        next = at->next;
        pending_drop(k, list_entry(at, struct pending, link));
    }
}

void audit_free(struct audit *a)
{
    if (a == NULL)
        return;
    size_t at = 0;
    for (struct asker *k; (k = map_next(&a->askers, &at)) != NULL;)
        asker_free(k);
    map_deinit(&a->askers);
    buf_deinit(&a->line);
    buf_deinit(&a->text);
    free(a);
}

/* ---- lines ---- */

static void put_field(struct buf *line, const char *key, struct slice value)
{
    if (slice_is_null(value))
        return;
    buf_printf(line, "%s%s=", line->len > 0 ? "\t" : "", key);
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i];
        if (c < ' ' || c == 0x7f)
            buf_printf(line, "\\u%04x", c);
        else
            buf_put_u8(line, c);
    }
}

struct event {
    int64_t session_id; /* 0 = none */
    struct slice user, ip, znode, acl;
    const char *operation, *znode_type; /* znode_type NULL = none */
    const char *result;
};

static void write_event(struct audit *a, const struct event *e)
{
    char session[24];
    struct buf *line = &a->line;
    buf_clear(line);
    snprintf(session, sizeof session, "0x%llx", (unsigned long long)e->session_id);
    if (e->session_id != 0)
        put_field(line, "session", slice_str(session));
    put_field(line, "user", e->user);
    put_field(line, "ip", e->ip);
    put_field(line, "operation", slice_str(e->operation));
    put_field(line, "znode", e->znode);
    if (e->znode_type != NULL)
        put_field(line, "znode_type", slice_str(e->znode_type));
    put_field(line, "acl", e->acl);
    put_field(line, "result", slice_str(e->result));
    a->write(a->arg, strcmp(e->result, "failure") == 0, buf_slice(line));
}

void audit_server(struct audit *a, const char *operation, const char *result)
{
    write_event(
        a, &(struct event){.user = slice_str(a->user), .operation = operation, .result = result});
}

/* ---- what a request says ---- */

static bool is_audited(int32_t op)
{
    switch (op) {
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
    case ZK_OP_CREATE_CONTAINER:
    case ZK_OP_CREATE_TTL:
    case ZK_OP_DELETE:
    case ZK_OP_DELETE_CONTAINER:
    case ZK_OP_SET_DATA:
    case ZK_OP_SET_ACL:
    case ZK_OP_MULTI:
    case ZK_OP_RECONFIG:
        return true;
    default:
        return false;
    }
}

/* CreateMode's name in small letters; NULL = there is no such mode. */
static const char *mode_name(int32_t flags)
{
    static const char *const names[] = {
        [ZK_CREATE_PERSISTENT] = "persistent",
        [ZK_CREATE_EPHEMERAL] = "ephemeral",
        [ZK_CREATE_PERSISTENT_SEQUENTIAL] = "persistent_sequential",
        [ZK_CREATE_EPHEMERAL_SEQUENTIAL] = "ephemeral_sequential",
        [ZK_CREATE_CONTAINER] = "container",
        [ZK_CREATE_TTL] = "persistent_with_ttl",
        [ZK_CREATE_TTL_SEQUENTIAL] = "persistent_sequential_with_ttl",
    };
    bool known = flags >= 0 && (size_t)flags < sizeof names / sizeof *names;
    return known ? names[flags] : NULL;
}

/* Name by name: "user:hash" is user to the digest provider, "super" and addresses are themselves
 * (AuthenticationProvider.getUserName). */
static void put_users(struct identities who, struct buf *out)
{
    for (size_t i = 0; i < who.count; i++) {
        struct slice name = who.items[i].id;
        const uint8_t *colon = slice_eq_str(who.items[i].scheme, "digest") && name.len > 0
                                   ? memchr(name.ptr, ':', name.len)
                                   : NULL;
        if (colon != NULL)
            name.len = (size_t)(colon - name.ptr);
        if (name.len == 0 || slice_eq_str(who.items[i].scheme, "super"))
            continue;
        if (out->len > 0)
            buf_put_u8(out, ',');
        buf_put_slice(out, name);
    }
}

/* ZKUtil.aclToString: one behind the other without anything between them. */
static void put_acl(struct rec_vec acl, struct buf *out)
{
    static const struct {
        int32_t bit;
        char letter;
    } perms[] = {{ZK_PERM_CREATE, 'c'},
                 {ZK_PERM_DELETE, 'd'},
                 {ZK_PERM_READ, 'r'},
                 {ZK_PERM_WRITE, 'w'},
                 {ZK_PERM_ADMIN, 'a'}};
    struct dec d = dec_of(acl.raw);
    struct rec_acl one;
    for (int32_t i = 0; i < acl.count && rec_get_acl(&d, &one); i++) {
        buf_put_slice(out, one.id.scheme);
        buf_put_u8(out, ':');
        buf_put_slice(out, one.id.id);
        buf_put_u8(out, ':');
        for (size_t p = 0; p < sizeof perms / sizeof *perms; p++) {
            if (one.perms & perms[p].bit)
                buf_put_u8(out, (uint8_t)perms[p].letter);
        }
    }
}

void audit_request(struct audit *a, const struct node_client_view *client, struct slice frame)
{
    struct dec d = dec_of(frame);
    struct rec_request_header head;
    if (!rec_get_request_header(&d, &head) || !is_audited(head.type) || client->session_id == 0)
        return;
    struct asker *k = map_get(&a->askers, (uint64_t)client->session_id);
    if (k == NULL) {
        k = mem_calloc(1, sizeof *k);
        list_init(&k->pending);
        map_put(&a->askers, (uint64_t)client->session_id, k);
    }

    struct slice record = dec_rest(&d);
    buf_clear(&a->text);
    put_users(client->who, &a->text);
    struct pending *p = mem_alloc(sizeof *p + a->text.len + client->address.len + record.len);
    *p = (struct pending){.cxid = head.xid,
                          .op = head.type,
                          .user_len = a->text.len,
                          .ip_len = client->address.len,
                          .record_len = record.len};
    uint8_t *to = p->bytes;
    if (p->user_len > 0)
        memcpy(to, a->text.ptr, p->user_len);
    if (p->ip_len > 0)
        memcpy(to + p->user_len, client->address.ptr, p->ip_len);
    if (p->record_len > 0)
        memcpy(to + p->user_len + p->ip_len, record.ptr, p->record_len);
    list_append(&k->pending, &p->link);
    k->count++;
    k->bytes += p->user_len + p->ip_len + p->record_len;
    for (struct list *at = k->pending.next, *next;
         at != &p->link && (k->count > AUDIT_PENDING_MAX || k->bytes > AUDIT_PENDING_BYTES_MAX);
         at = next) {
        next = at->next;
        pending_drop(k, list_entry(at, struct pending, link));
    }
}

/* ---- what became of it ---- */

struct part {
    int32_t type, err;
    struct slice path;
};

static bool next_part(struct dec *d, struct part *ret)
{
    if (dec_left(d) == 0)
        return false;
    ret->type = dec_i32(d);
    ret->err = dec_i32(d);
    ret->path = dec_ustring(d);
    return !d->bad;
}

static struct event event_of(const struct pending *p, int64_t session_id)
{
    const uint8_t *at = p->bytes;
    return (struct event){
        .session_id = session_id,
        .user = p->user_len > 0 ? slice_of(at, p->user_len) : slice_of(NULL, 0),
        .ip = slice_of(at + p->user_len, p->ip_len),
        .result = "success",
    };
}

static struct slice record_of(const struct pending *p)
{
    return slice_of(p->bytes + p->user_len + p->ip_len, p->record_len);
}

/* Of one operation. False: its request cannot be read, which ZooKeeper answers with no line. */
static bool describe(struct audit *a, const struct pending *p, struct event *e)
{
    struct dec d = dec_of(record_of(p));
    switch (p->op) {
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
    case ZK_OP_CREATE_CONTAINER: {
        struct rec_create_request r;
        if (!rec_get_create_request(&d, &r))
            return false;
        e->operation = "create";
        e->znode_type = mode_name(r.flags);
        e->znode = r.path;
        return e->znode_type != NULL;
    }
    case ZK_OP_CREATE_TTL: {
        struct rec_create_ttl_request r;
        if (!rec_get_create_ttl_request(&d, &r))
            return false;
        e->operation = "create";
        e->znode_type = mode_name(r.flags);
        e->znode = r.path;
        return e->znode_type != NULL;
    }
    case ZK_OP_DELETE:
    case ZK_OP_DELETE_CONTAINER:
        e->operation = "delete";
        e->znode = dec_ustring(&d);
        return !d.bad;
    case ZK_OP_SET_DATA:
        e->operation = "setData";
        e->znode = dec_ustring(&d);
        return !d.bad;
    case ZK_OP_SET_ACL: {
        struct rec_set_acl_request r;
        if (!rec_get_set_acl_request(&d, &r))
            return false;
        e->operation = "setAcl";
        e->znode = r.path;
        buf_clear(&a->text);
        put_acl(r.acl, &a->text);
        e->acl = a->text.len > 0 ? buf_slice(&a->text) : slice_of("", 0);
        return true;
    }
    case ZK_OP_RECONFIG:
        e->operation = "reconfig";
        e->znode = slice_of(NULL, 0);
        return true;
    default:
        e->operation = "multiOperation";
        e->znode = slice_of(NULL, 0);
        return true;
    }
}

/* The mode in which a multi was to create this path; NULL = it says of none (so those of
 * sequential znodes, which are called otherwise by now). */
static const char *mode_in_multi(struct slice multi, struct slice path)
{
    struct dec d = dec_of(multi);
    struct rec_multi_header head;
    const char *mode = NULL;
    while (rec_get_multi_header(&d, &head) && !head.done) {
        struct rec_create_request create;
        struct rec_create_ttl_request ttl;
        struct rec_set_data_request set;
        struct rec_delete_request del;
        struct rec_check_version_request check;
        bool whole;
        switch (head.type) {
        case ZK_OP_CREATE:
        case ZK_OP_CREATE2:
        case ZK_OP_CREATE_CONTAINER:
            whole = rec_get_create_request(&d, &create);
            if (whole && slice_eq(create.path, path))
                mode = mode_name(create.flags);
            break;
        case ZK_OP_CREATE_TTL:
            whole = rec_get_create_ttl_request(&d, &ttl);
            break;
        case ZK_OP_SET_DATA:
            whole = rec_get_set_data_request(&d, &set);
            break;
        case ZK_OP_DELETE:
            whole = rec_get_delete_request(&d, &del);
            break;
        default:
            whole = rec_get_check_version_request(&d, &check);
            break;
        }
        if (!whole)
            return mode;
    }
    return mode;
}

static const char *part_operation(int32_t type)
{
    switch (type) {
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
    case ZK_OP_CREATE_TTL:
    case ZK_OP_CREATE_CONTAINER:
        return "create";
    case ZK_OP_DELETE:
    case ZK_OP_DELETE_CONTAINER:
        return "delete";
    case ZK_OP_SET_DATA:
        return "setData";
    default:
        return NULL; /* setACL is none of a multi's; check changes nothing */
    }
}

static void tell_multi(struct audit *a, const struct pending *p, const struct audit_commit *c)
{
    struct event e = event_of(p, c->session_id);
    bool failed = false;
    struct dec d = dec_of(c->parts);
    for (struct part part; next_part(&d, &part);) {
        failed |= part.type == ZK_OP_ERROR;
        e.operation = part_operation(part.type);
        if (e.operation == NULL)
            continue;
        e.znode = part.path;
        e.znode_type =
            strcmp(e.operation, "create") == 0 ? mode_in_multi(record_of(p), part.path) : NULL;
        write_event(a, &e);
    }
    if (failed) {
        e = event_of(p, c->session_id);
        e.operation = "multiOperation";
        e.result = "failure";
        write_event(a, &e);
    }
}

static void tell_one(struct audit *a, const struct pending *p, const struct audit_commit *c)
{
    struct event e = event_of(p, c->session_id);
    if (!describe(a, p, &e))
        return;
    struct dec d = dec_of(c->parts);
    struct part part;
    bool known = next_part(&d, &part);
    if (c->type == ZK_OP_ERROR || !known || part.err != 0)
        e.result = "failure";
    else
        e.znode = part.path; /* with its number, if it is sequential */
    write_event(a, &e);
}

/* By the server's own account: nobody asked for it. */
static void tell_ephemerals(struct audit *a, const struct audit_commit *c)
{
    struct dec d = dec_of(c->parts);
    for (struct part part; next_part(&d, &part);)
        write_event(a, &(struct event){
                           .session_id = c->session_id,
                           .user = slice_str(a->user),
                           .operation = "ephemeralZNodeDeletionOnSessionCloseOrExpire",
                           .znode = part.path,
                           .result = "success",
                       });
}

void audit_commit(struct audit *a, const struct audit_commit *c)
{
    if (c->type == ZK_OP_CLOSE_SESSION) {
        tell_ephemerals(a, c);
        asker_free(map_remove(&a->askers, (uint64_t)c->session_id));
        return;
    }
    struct asker *k = map_get(&a->askers, (uint64_t)c->session_id);
    if (k == NULL)
        return;
    /* What stands before it was answered without a transaction. If it is not there at all, it was
     * made by another server, which tells. */
    struct list *at = k->pending.next;
    while (at != &k->pending && list_entry(at, struct pending, link)->cxid != c->cxid)
        at = at->next;
    if (at == &k->pending)
        return;
    drop_before(k, at);
    struct pending *p = list_entry(at, struct pending, link);
    if (p->op == ZK_OP_MULTI && c->type == ZK_OP_MULTI)
        tell_multi(a, p, c);
    else
        tell_one(a, p, c);
    pending_drop(k, p);
}
