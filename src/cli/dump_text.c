/* dump_text.c: records of the files as lines for people. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/acl_text.h"
#include "cli/dump_record.h"
#include "cli/print.h"
#include "wire/zk.h"

enum {
    EXCERPT_BYTES = 64
};

static void print_text(struct slice text)
{
    print_line_text(text.ptr, text.len);
}

static void print_slice_data(struct slice data)
{
    printf("  data=");
    if (slice_is_null(data))
        printf("null");
    else
        print_excerpt(data.ptr, data.len, EXCERPT_BYTES);
}

static void print_acl(struct rec_vec acl)
{
    struct dec d = dec_of(acl.raw);
    printf("  acl=");
    for (int32_t i = 0; i < acl.count; i++) {
        struct rec_acl a;
        char perms[6];
        if (!rec_get_acl(&d, &a))
            break;
        acl_text_perms(a.perms, perms);
        if (i > 0)
            putchar(',');
        print_text(a.id.scheme);
        putchar(':');
        print_text(a.id.id);
        printf(":%s", perms);
    }
}

static bool is_create(int32_t type)
{
    return type == ZK_OP_CREATE || type == ZK_OP_CREATE2 || type == ZK_OP_CREATE_CONTAINER ||
           type == ZK_OP_CREATE_TTL;
}

static bool has_data(int32_t type)
{
    return is_create(type) || type == ZK_OP_SET_DATA || type == ZK_OP_RECONFIG;
}

static void print_paths(struct rec_vec paths)
{
    struct dec d = dec_of(paths.raw);
    for (int32_t i = 0; i < paths.count && !d.bad; i++) {
        printf("  ");
        print_text(dec_ustring(&d));
    }
}

static void print_change(const struct datadir_change *c)
{
    printf("  %s", zk_op_name(c->type));
    if (c->path.len > 0) {
        printf("  ");
        print_text(c->path);
    }
    if (has_data(c->type))
        print_slice_data(c->data);
    if (is_create(c->type) || c->type == ZK_OP_SET_ACL)
        print_acl(c->acl);
    if (c->ephemeral)
        printf("  ephemeral");
    if (c->type == ZK_OP_CREATE_TTL)
        printf("  ttl=%" PRId64 "ms", c->ttl_ms);
    if (is_create(c->type))
        printf("  cversion=%d", c->version);
    if (c->type == ZK_OP_SET_DATA || c->type == ZK_OP_SET_ACL || c->type == ZK_OP_RECONFIG)
        printf("  version=%d", c->version);
    if (c->type == ZK_OP_CREATE_SESSION)
        printf("  timeout=%dms", c->timeout_ms);
    if (c->type == ZK_OP_ERROR)
        printf("  %s (%d)", zk_err_name(c->error), c->error);
    if (c->type == ZK_OP_CLOSE_SESSION)
        print_paths(c->paths);
}

void dump_txn_text(const struct datadir_txn *txn)
{
    char when[TIME_TEXT_BYTES];
    time_text(txn->header.time, when);
    printf("0x%" PRIx64 "  %s  session=0x%" PRIx64 "  cxid=%d", (uint64_t)txn->header.zxid, when,
           (uint64_t)txn->header.client_id, txn->header.cxid);
    if (txn->decoded)
        print_change(&txn->change);
    else
        printf("  type %d, which cannot be decoded (%zu bytes)", txn->header.type, txn->bytes);
    if (txn->has_digest)
        printf("  digest=0x%" PRIx64, (uint64_t)txn->digest.tree_digest);
    putchar('\n');

    struct dec d = dec_of(txn->change.parts.raw);
    struct datadir_change part;
    for (int32_t i = 0; i < txn->change.parts.count && datadir_next_part(&d, &part); i++) {
        printf("   ");
        print_change(&part);
        putchar('\n');
    }
}

void dump_session_text(const struct datadir_session *s)
{
    printf("session  0x%" PRIx64 "  timeout=%dms\n", (uint64_t)s->id, s->timeout_ms);
}

void dump_node_text(const struct datadir_node *n)
{
    char created[TIME_TEXT_BYTES], changed[TIME_TEXT_BYTES];
    time_text(n->stat.ctime, created);
    time_text(n->stat.mtime, changed);
    printf("node  ");
    print_text(n->path);
    print_slice_data(n->data);
    print_acl(n->acl);
    printf("  %s", n->kind);
    if (n->ttl_ms > 0)
        printf(" %" PRId64 "ms", n->ttl_ms);
    else if (n->kind[0] == 'e')
        printf(" of 0x%" PRIx64, (uint64_t)n->stat.ephemeral_owner);
    printf("  czxid=0x%" PRIx64 " mzxid=0x%" PRIx64 " pzxid=0x%" PRIx64, (uint64_t)n->stat.czxid,
           (uint64_t)n->stat.mzxid, (uint64_t)n->stat.pzxid);
    printf("  version=%d cversion=%d aversion=%d  ctime=%s mtime=%s\n", n->stat.version,
           n->stat.cversion, n->stat.aversion, created, changed);
}
