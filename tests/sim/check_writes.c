/* check_writes.c: writes are linearizable, each is done once, and the answer is true.
 *
 * That a request is committed once, and a session's requests in their order, the history sees
 * (history_commit). */
#include "tree/apply.h"
#include "wire/zk.h"
#include "world.h"

void check_write_sent(struct world *w, struct sim_request *r)
{
    r->floor = w->acked_zxid;
    r->acks = w->acks.count;
}

/* What the client was told of the znode. */
static void check_stat(struct world *w, struct sim_client *c, struct slice path, int64_t zxid,
                       const struct rec_stat *stat)
{
    const struct state *s = model_at(&w->history, model_find(&w->history, path), zxid);
    if (s == NULL || !s->exists || s->version != stat->version || s->mzxid != stat->mzxid ||
        s->czxid != stat->czxid)
        world_violate(w, "client %d: %.*s at %s has version %d, mzxid %s, which it never had",
                      c->index, (int)path.len, (const char *)path.ptr, zxid_text(zxid).text,
                      stat->version, zxid_text(stat->mzxid).text);
}

static void check_result(struct world *w, struct sim_client *c, const struct sim_request *r,
                         int64_t zxid, struct dec body)
{
    struct rec_set_data_response set;
    struct rec_create2_response made;
    char path[32];
    if (r->op == ZK_OP_SET_DATA) {
        path_text(r->path, path);
        if (rec_get_set_data_response(&body, &set))
            check_stat(w, c, slice_str(path), zxid, &set.stat);
        else
            world_violate(w, "client %d: malformed setData response", c->index);
    } else if (r->op == ZK_OP_CREATE2) {
        if (!rec_get_create2_response(&body, &made))
            world_violate(w, "client %d: malformed create2 response", c->index);
        else if (made.stat.czxid != zxid || made.stat.ephemeral_owner != c->session_id)
            world_violate(w, "client %d: its ephemeral %.*s is not its own", c->index,
                          (int)made.path.len, (const char *)made.path.ptr);
        else
            check_stat(w, c, made.path, zxid, &made.stat);
    }
}

static int32_t error_of(struct world *w, int64_t zxid, int32_t op)
{
    struct txn_entry e;
    struct rec_error_txn txn;
    if (txn_split(history_entry_bytes(&w->history, zxid), &e) != 0)
        return 0;
    struct dec d = dec_of(e.body);
    if (e.hdr.type == ZK_OP_ERROR && rec_get_error_txn(&d, &txn))
        return txn.err;
    (void)op;
    return 0;
}

void check_write_answered(struct world *w, struct sim_client *c, const struct sim_request *r,
                          const struct rec_reply_header *h, struct dec body)
{
    uint64_t key = model_request_key(c->session_id, r->xid);
    uint64_t committed = 0;
    bool done = numbers_get(&w->history.by_request, key, &committed);
    int64_t zxid = (int64_t)committed;
    if (!done) {
        if (h->err == 0)
            world_violate(w, "client %d: %s %d is acknowledged and not committed", c->index,
                          zk_op_name(r->op), r->xid);
        return;
    }
    int32_t err = error_of(w, zxid, r->op);
    if (err != h->err)
        world_violate(w, "client %d: %s %d is answered %d; what was committed says %d", c->index,
                      zk_op_name(r->op), r->xid, h->err, err);
    if (h->zxid != zxid)
        world_violate(w, "client %d: %s %d is answered with zxid %s; it is %s", c->index,
                      zk_op_name(r->op), r->xid, zxid_text(h->zxid).text, zxid_text(zxid).text);
    if (zxid <= r->floor)
        world_violate(w, "client %d: %s %d became %s, after %s had been acknowledged", c->index,
                      zk_op_name(r->op), r->xid, zxid_text(zxid).text, zxid_text(r->floor).text);
    if (h->err == 0)
        check_result(w, c, r, zxid, body);
    if (zxid > w->acked_zxid)
        w->acked_zxid = zxid;
    zxids_push(&w->acks, zxid);
}
