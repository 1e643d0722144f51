/* check_log.c: one history, and nothing of it is ever lost. */
#include <stdlib.h>

#include "base/hash.h"
#include "tree/apply.h"
#include "wire/zk.h"
#include "world.h"

static void check_proposal(struct world *w, struct server *v, struct entry *e)
{
    e->proposed_ns = w->now_ns;
    enum node_role role = v->node != NULL ? node_role(v->node) : NODE_ALONE;
    if (role != NODE_ALONE && role != NODE_LEADING && v->role != NODE_LEADING)
        world_violate(w, "server %d logs %s, which no leader ever proposed", v->index + 1,
                      zxid_text(e->zxid).text);
    struct txn_entry parts;
    if (txn_split(history_entry_bytes(&w->history, e->zxid), &parts) != 0) {
        world_violate(w, "server %d proposes %s, which cannot be decoded", v->index + 1,
                      zxid_text(e->zxid).text);
        return;
    }
    world_trace(w, v->index, "proposes %s: %s of session %llx, xid %d", zxid_text(e->zxid).text,
                zk_op_name(parts.hdr.type), (unsigned long long)parts.hdr.client_id,
                parts.hdr.cxid);
    if (parts.hdr.type == ZK_OP_CLOSE_SESSION) {
        numbers_put(&w->closing, (uint64_t)parts.hdr.client_id, 1);
        if (parts.hdr.cxid == 0)
            check_closing(w, v, parts.hdr.client_id);
    }
}

void check_appended(struct world *w, struct server *v, int64_t zxid, struct slice bytes)
{
    struct history *h = &w->history;
    int64_t prev = history_real(h, server_tip(v));
    if (zxid <= prev) {
        world_violate(w, "server %d logs %s behind %s", v->index + 1, zxid_text(zxid).text,
                      zxid_text(prev).text);
        return;
    }
    struct entry *e = history_find(h, zxid);
    if (e == NULL) {
        e = history_add(h, zxid, prev, bytes);
        check_proposal(w, v, e);
    } else if (e->hash != hash_slice(bytes, 0)) {
        world_violate(w, "server %d logs another transaction as %s than was logged before",
                      v->index + 1, zxid_text(zxid).text);
    } else if (e->prev != prev) {
        world_violate(w, "server %d logs %s behind %s; elsewhere it stands behind %s", v->index + 1,
                      zxid_text(zxid).text, zxid_text(prev).text, zxid_text(e->prev).text);
    }
    zxids_push(&v->log, zxid);
}

void check_persist(struct world *w, struct server *v, const struct persist_effect *p,
                   struct slice bytes)
{
    switch (p->type) {
    case PERSIST_APPEND:
        check_appended(w, v, p->zxid, bytes);
        break;
    case PERSIST_INSTALL_END:
        v->base = p->zxid;
        v->log.count = 0;
        break;
    default:
        break;
    }
}

void check_held_by_quorum(struct world *w, int64_t zxid, const char *when)
{
    struct sid_set holders = {{0}};
    int held = 0;
    for (int i = 0; i < w->server_count; i++) {
        if (disk_holds(w, &w->servers[i].disk, zxid)) {
            sid_set_add(&holders, i + 1);
            held++;
        }
    }
    const struct quorum *q = w->history.config;
    if (q != NULL ? !quorum_has(q, &holders, false) : held == 0)
        world_violate(w, "%s is committed and %s only %d disks hold it: not a quorum",
                      zxid_text(zxid).text, when, held);
}

/* A reconfiguration needs a quorum of the old members as well as one of the new ones. */
static void commit(struct world *w, struct server *v, struct entry *e)
{
    struct history *h = &w->history;
    if (e->prev != history_head(h)) {
        world_violate(w, "server %d applies %s behind %s; committed was %s", v->index + 1,
                      zxid_text(e->zxid).text, zxid_text(e->prev).text,
                      zxid_text(history_head(h)).text);
        return;
    }
    e->rank = h->committed_count + 1;
    check_held_by_quorum(w, e->zxid, "when it is applied");
    int64_t version = h->config != NULL ? h->config->version : 0;
    const char *wrong = history_commit(h, e);
    if (wrong != NULL)
        world_violate(w, "%s, applied by server %d, %s", zxid_text(e->zxid).text, v->index + 1,
                      wrong);
    if (h->config != NULL && h->config->version != version) {
        world_trace(w, v->index, "the configuration is %llx now",
                    (unsigned long long)h->config->version);
        check_held_by_quorum(w, e->zxid, "when the new configuration begins");
    }
    w->stats.committed++;
}

/* Its history says what comes before `upto`; the oldest that is not committed yet comes first. */
static void commit_upto(struct world *w, struct server *v, int64_t upto)
{
    struct history *h = &w->history;
    struct zxids tail = {0};
    for (const struct entry *e = history_find(h, upto); e != NULL && e->rank == 0;
         e = history_find(h, e->prev))
        zxids_push(&tail, e->zxid);
    while (tail.count > 0 && w->violation[0] == 0)
        commit(w, v, history_find(h, tail.items[--tail.count]));
    free(tail.items);
}

void check_applied(struct world *w, struct server *v, int64_t tree_zxid)
{
    struct history *h = &w->history;
    int64_t upto = history_real(h, tree_zxid);
    if (upto <= history_head(h)) {
        const struct entry *e = history_find(h, upto);
        if (upto > 0 && (e == NULL || e->rank == 0))
            world_violate(w, "server %d serves %s, which is not committed", v->index + 1,
                          zxid_text(upto).text);
        return;
    }
    if (!zxids_have(&v->log, upto) && !history_descends(h, v->base, upto)) {
        world_violate(w, "server %d serves %s, which is not in its log", v->index + 1,
                      zxid_text(upto).text);
        return;
    }
    commit_upto(w, v, upto);
}

void check_waits(struct world *w, struct server *v, enum node_event_type cause, int64_t before,
                 int64_t after)
{
    bool replaced = cause == NODE_TRUNCATED || cause == NODE_INSTALLED;
    if (!replaced && before >= 0 && after > before)
        world_violate(w, "server %d applies %s, behind %s, before its leader serves", v->index + 1,
                      zxid_text(after).text, zxid_text(before).text);
}

void check_disk_shrunk(struct world *w, struct server *v)
{
    server_take_stock(v);
    if (history_head(&w->history) > 0)
        check_held_by_quorum(w, history_head(&w->history), "after a disk was changed");
}

/* A server that stands alone gives lost numbers again. */
void check_crashed(struct world *w, struct server *v)
{
    if (!w->profile.alone)
        return;
    for (size_t i = 0; i < v->log.count; i++) {
        int64_t zxid = v->log.items[i];
        const struct entry *e = history_find(&w->history, zxid);
        if (e == NULL || disk_holds(w, &v->disk, zxid))
            continue;
        if (e->rank > 0)
            world_violate(w, "%s was applied and is not on the disk after a crash",
                          zxid_text(zxid).text);
        history_forget(&w->history, zxid);
    }
}

void check_started(struct world *w, struct server *v)
{
    const struct tree *t = node_tree(v->node);
    check_digest(w, v, tree_last_zxid(t), tree_digest(t));
}
