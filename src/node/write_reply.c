/* write_reply.c: what a client hears of its write (FinalRequestProcessor.processRequest). */
#include "node/node_internal.h"

/* The parts of a multi as its reply has them (MultiResponse): a failed transaction still answers
 * err 0, its errors stand in the parts (facts A.0 item 7). */
static void put_multi_part(const struct tree_result *part, struct buf *out)
{
    struct rec_multi_header head = {.type = part->type, .done = false, .err = part->err};
    switch (part->type) {
    case ZK_OP_CREATE:
        rec_put_multi_header(out, &head);
        rec_put_create_response(out, &(struct rec_create_response){.path = part->path});
        break;
    case ZK_OP_CREATE2:
    case ZK_OP_CREATE_TTL:
    case ZK_OP_CREATE_CONTAINER:
        head.type = ZK_OP_CREATE2;
        rec_put_multi_header(out, &head);
        rec_put_create2_response(
            out, &(struct rec_create2_response){.path = part->path, .stat = part->stat});
        break;
    case ZK_OP_SET_DATA:
        rec_put_multi_header(out, &head);
        rec_put_set_data_response(out, &(struct rec_set_data_response){.stat = part->stat});
        break;
    case ZK_OP_ERROR:
        rec_put_multi_header(out, &head);
        rec_put_error_response(out, &(struct rec_error_response){.err = part->err});
        break;
    case ZK_OP_DELETE_CONTAINER:
        head.type = ZK_OP_DELETE;
        rec_put_multi_header(out, &head);
        break;
    default: /* delete, check: a header alone */
        rec_put_multi_header(out, &head);
        break;
    }
}

static void put_multi(const struct tree_effects *fx, struct buf *out)
{
    for (size_t i = 0; i < fx->sub_count; i++)
        put_multi_part(&fx->subs[i], out);
    rec_put_multi_header(out, &(struct rec_multi_header){.type = -1, .done = true, .err = -1});
}

/* No answer to a request but to a connection: ZooKeeper cuts it. */
static bool session_has_moved(const struct tree_effects *fx)
{
    if (fx->result.err == 0)
        return false;
    for (size_t i = 0; i < fx->sub_count; i++) {
        if (fx->subs[i].err == ZK_SESSIONMOVED)
            return true;
    }
    return fx->result.err == ZK_SESSIONMOVED;
}

/* The configuration that the reconfig has just entered. */
static void put_reconfig(struct node *n, const struct tree_result *r, struct buf *out)
{
    const struct znode *z = tree_find(n->tree, r->path);
    struct rec_get_data_response rsp = {.stat = r->stat};
    if (z != NULL)
        rsp.data = znode_data(z);
    rec_put_get_data_response(out, &rsp);
}

void reply_to_write(struct node *n, struct client *c, const struct fifo_entry *e,
                    struct effects *fx)
{
    const struct tree_result *r = &n->tree_fx.result;
    if (session_has_moved(&n->tree_fx)) {
        client_close(c, "session moved to another server", fx);
        return;
    }
    size_t begun = reply_begin(fx, e->xid, tree_last_zxid(n->tree), r->err);
    struct buf *out = &fx->send_bytes;

    /* An error txn carries no record; only a multi answers in parts although it failed. */
    if (r->type == ZK_OP_MULTI) {
        put_multi(&n->tree_fx, out);
        store_be32(out->ptr + begun + 16, 0);
    } else if (r->err == 0) {
        switch (e->op) {
        case ZK_OP_CREATE:
            rec_put_create_response(out, &(struct rec_create_response){.path = r->path});
            break;
        case ZK_OP_CREATE2:
        case ZK_OP_CREATE_TTL:
        case ZK_OP_CREATE_CONTAINER:
            rec_put_create2_response(
                out, &(struct rec_create2_response){.path = r->path, .stat = r->stat});
            break;
        case ZK_OP_SET_DATA:
            rec_put_set_data_response(out, &(struct rec_set_data_response){.stat = r->stat});
            break;
        case ZK_OP_RECONFIG:
            put_reconfig(n, r, out);
            break;
        case ZK_OP_SET_ACL:
            rec_put_set_acl_response(out, &(struct rec_set_acl_response){.stat = r->stat});
            break;
        default: /* delete, deleteContainer, closeSession: a header alone */
            break;
        }
    }
    reply_end(n, c, begun, fx);
}
