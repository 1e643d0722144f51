/* dump_json.c: records of the files as lines of JSON: everything that is in them. */
#include "cli/acl_text.h"
#include "cli/dump_record.h"
#include "cli/json.h"
#include "wire/zk.h"

static void put_acl(struct json *j, struct rec_vec acl)
{
    struct dec d = dec_of(acl.raw);
    cli_json_list(j, "acl");
    for (int32_t i = 0; i < acl.count; i++) {
        struct rec_acl a;
        char perms[6];
        if (!rec_get_acl(&d, &a))
            break;
        acl_text_perms(a.perms, perms);
        cli_json_object(j, NULL);
        cli_json_slice(j, "scheme", a.id.scheme);
        cli_json_slice(j, "id", a.id.id);
        cli_json_text(j, "perms", perms);
        cli_json_object_end(j);
    }
    cli_json_list_end(j);
}

static void put_paths(struct json *j, struct rec_vec paths)
{
    struct dec d = dec_of(paths.raw);
    cli_json_list(j, "paths");
    for (int32_t i = 0; i < paths.count && !d.bad; i++)
        cli_json_slice(j, NULL, dec_ustring(&d));
    cli_json_list_end(j);
}

static void put_created(struct json *j, const struct datadir_change *c)
{
    cli_json_data(j, c->data.ptr, c->data.len);
    put_acl(j, c->acl);
    cli_json_flag(j, "ephemeral", c->ephemeral);
    cli_json_number(j, "parent_cversion", c->version);
    if (c->type == ZK_OP_CREATE_TTL)
        cli_json_number(j, "ttl_ms", c->ttl_ms);
}

static void put_change(struct json *j, const struct datadir_change *c)
{
    if (c->path.len > 0)
        cli_json_slice(j, "path", c->path);
    switch (c->type) {
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
    case ZK_OP_CREATE_CONTAINER:
    case ZK_OP_CREATE_TTL:
        put_created(j, c);
        break;
    case ZK_OP_SET_DATA:
    case ZK_OP_RECONFIG:
        cli_json_data(j, c->data.ptr, c->data.len);
        cli_json_number(j, "version", c->version);
        break;
    case ZK_OP_SET_ACL:
        put_acl(j, c->acl);
        cli_json_number(j, "version", c->version);
        break;
    case ZK_OP_CREATE_SESSION:
        cli_json_number(j, "timeout_ms", c->timeout_ms);
        break;
    case ZK_OP_CLOSE_SESSION:
        if (c->paths.count >= 0)
            put_paths(j, c->paths);
        break;
    case ZK_OP_ERROR:
        cli_json_number(j, "error", c->error);
        cli_json_text(j, "error_name", zk_err_name(c->error));
        break;
    default:
        break;
    }
}

static void put_parts(struct json *j, struct rec_vec parts)
{
    struct dec d = dec_of(parts.raw);
    struct datadir_change part;
    cli_json_list(j, "parts");
    for (int32_t i = 0; i < parts.count && datadir_next_part(&d, &part); i++) {
        cli_json_object(j, NULL);
        cli_json_text(j, "type", zk_op_name(part.type));
        put_change(j, &part);
        cli_json_object_end(j);
    }
    cli_json_list_end(j);
}

static void begin(struct json *j, const char *file, const char *record)
{
    cli_json_begin(j);
    cli_json_text(j, "file", file);
    cli_json_text(j, "record", record);
}

void dump_txn_json(const char *file, const struct datadir_txn *txn)
{
    struct json j;
    begin(&j, file, "txn");
    cli_json_number(&j, "offset", txn->offset);
    cli_json_id(&j, "zxid", txn->header.zxid);
    cli_json_number(&j, "time_ms", txn->header.time);
    cli_json_id(&j, "session", txn->header.client_id);
    cli_json_number(&j, "cxid", txn->header.cxid);
    cli_json_number(&j, "type_number", txn->header.type);
    cli_json_flag(&j, "decoded", txn->decoded);
    if (txn->decoded) {
        cli_json_text(&j, "type", zk_op_name(txn->header.type));
        put_change(&j, &txn->change);
    }
    if (txn->change.type == ZK_OP_MULTI)
        put_parts(&j, txn->change.parts);
    if (txn->has_digest) {
        cli_json_number(&j, "digest_version", txn->digest.version);
        cli_json_id(&j, "digest", txn->digest.tree_digest);
    }
    cli_json_end(&j);
}

void dump_session_json(const char *file, const struct datadir_session *s)
{
    struct json j;
    begin(&j, file, "session");
    cli_json_id(&j, "session", s->id);
    cli_json_number(&j, "timeout_ms", s->timeout_ms);
    cli_json_end(&j);
}

void dump_node_json(const char *file, const struct datadir_node *n)
{
    struct json j;
    begin(&j, file, "node");
    cli_json_slice(&j, "path", n->path);
    cli_json_data(&j, n->data.ptr, n->data.len);
    put_acl(&j, n->acl);
    cli_json_text(&j, "kind", n->kind);
    if (n->ttl_ms > 0)
        cli_json_number(&j, "ttl_ms", n->ttl_ms);
    cli_json_id(&j, "czxid", n->stat.czxid);
    cli_json_id(&j, "mzxid", n->stat.mzxid);
    cli_json_id(&j, "pzxid", n->stat.pzxid);
    cli_json_number(&j, "ctime_ms", n->stat.ctime);
    cli_json_number(&j, "mtime_ms", n->stat.mtime);
    cli_json_number(&j, "version", n->stat.version);
    cli_json_number(&j, "cversion", n->stat.cversion);
    cli_json_number(&j, "aversion", n->stat.aversion);
    cli_json_id(&j, "ephemeral_owner", n->stat.ephemeral_owner);
    cli_json_end(&j);
}
