/* check_reads.c: a session never goes back, and sees what was there.
 *
 * An answer says at which zxid it is true; so it must be what the model has for exactly that zxid.
 */
#include "base/hash.h"
#include "wire/zk.h"
#include "world.h"

void check_zxid_seen(struct world *w, struct sim_client *c, int64_t zxid)
{
    if (zxid < c->last_zxid)
        world_violate(w, "client %d: its session goes back from %s to %s (server %d)", c->index,
                      zxid_text(c->last_zxid).text, zxid_text(zxid).text, c->server + 1);
    if (history_real(&w->history, zxid) > history_head(&w->history))
        world_violate(w, "client %d: is shown %s; committed is %s", c->index, zxid_text(zxid).text,
                      zxid_text(history_head(&w->history)).text);
    c->last_zxid = zxid;
}

static void differs(struct world *w, struct sim_client *c, const struct sim_request *r,
                    int64_t zxid, const char *what)
{
    char path[32];
    path_text(r->path, path);
    world_violate(w, "client %d: %s %s at %s (server %d): %s", c->index, zk_op_name(r->op), path,
                  zxid_text(zxid).text, c->server + 1, what);
}

static bool same_stat(const struct state *s, const struct rec_stat *stat)
{
    return s->version == stat->version && s->czxid == stat->czxid && s->mzxid == stat->mzxid &&
           s->pzxid == stat->pzxid && s->owner == stat->ephemeral_owner &&
           s->children == stat->num_children;
}

static void check_data(struct world *w, struct sim_client *c, const struct sim_request *r,
                       const struct state *s, int64_t zxid, struct dec body)
{
    struct rec_get_data_response data;
    struct rec_exists_response exists;
    if (r->op == ZK_OP_GET_DATA) {
        if (!rec_get_get_data_response(&body, &data))
            differs(w, c, r, zxid, "malformed");
        else if (hash_slice(data.data, 1) != s->data_hash)
            differs(w, c, r, zxid, "other data than was written");
        else if (!same_stat(s, &data.stat))
            differs(w, c, r, zxid, "another Stat than it has");
    } else if (!rec_get_exists_response(&body, &exists)) {
        differs(w, c, r, zxid, "malformed");
    } else if (!same_stat(s, &exists.stat)) {
        differs(w, c, r, zxid, "another Stat than it has");
    }
}

static void check_children(struct world *w, struct sim_client *c, const struct sim_request *r,
                           const struct state *s, int64_t zxid, struct dec body)
{
    struct rec_get_children2_response rsp;
    if (!rec_get_get_children2_response(&body, &rsp)) {
        differs(w, c, r, zxid, "malformed");
        return;
    }
    uint64_t names = 0;
    struct dec d = dec_of(rsp.children.raw);
    for (int32_t i = 0; i < rsp.children.count; i++)
        names += model_name_hash(dec_ustring(&d));
    if (rsp.children.count != s->children || names != s->names)
        differs(w, c, r, zxid, "other children than it has");
    else if (!same_stat(s, &rsp.stat))
        differs(w, c, r, zxid, "another Stat than it has");
}

void check_read_answered(struct world *w, struct sim_client *c, const struct sim_request *r,
                         const struct rec_reply_header *h, struct dec body)
{
    char path[32];
    path_text(r->path, path);
    const struct state *s =
        model_at(&w->history, model_find(&w->history, slice_str(path)), h->zxid);
    bool exists = s != NULL && s->exists;
    if (h->err != 0 && h->err != ZK_NONODE)
        return;
    if (exists != (h->err == 0))
        differs(w, c, r, h->zxid,
                exists ? "is there, and is not found" : "is found, and is not there");
    else if (exists && r->op == ZK_OP_GET_CHILDREN2)
        check_children(w, c, r, s, h->zxid, body);
    else if (exists)
        check_data(w, c, r, s, h->zxid, body);
    if (r->watch && (exists || r->op == ZK_OP_EXISTS))
        check_watch_set(c, r->path, r->op == ZK_OP_GET_CHILDREN2 ? ON_CHILDREN : ON_DATA, h->zxid);
}

/* Everything acknowledged before a sync was asked for is seen behind it. A leader that has been
 * replaced and does not know it yet may answer from its own epoch, as ZooKeeper's does: what later
 * epochs acknowledged is not asked of it. */
void check_sync_answered(struct world *w, struct sim_client *c, const struct sim_request *r,
                         const struct rec_reply_header *h)
{
    if (h->err != 0)
        return;
    int64_t floor = 0;
    for (size_t i = 0; i < r->acks; i++) {
        int64_t acked = w->acks.items[i];
        if (zxid_epoch(acked) <= zxid_epoch(h->zxid) && acked > floor)
            floor = acked;
    }
    if (h->zxid < floor)
        world_violate(w, "client %d: a sync is answered at %s; %s had been acknowledged before",
                      c->index, zxid_text(h->zxid).text, zxid_text(floor).text);
}
