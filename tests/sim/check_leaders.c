/* check_leaders.c: an epoch has one leader, and that one has all that was committed. */
#include "world.h"

void check_established(struct world *w, struct server *v, int64_t epoch)
{
    struct history *h = &w->history;
    uint64_t other;
    if (numbers_get(&h->leaders, (uint64_t)epoch, &other)) {
        world_violate(w, "epoch %lld is established by server %d, after server %d",
                      (long long)epoch, v->index + 1, (int)other + 1);
        return;
    }
    numbers_put(&h->leaders, (uint64_t)epoch, (uint64_t)v->index);
    int64_t tip = history_real(h, server_tip(v));
    numbers_put(&h->epoch_bases, (uint64_t)epoch, (uint64_t)tip);
    int64_t head = history_head(h);
    world_trace(w, v->index, "has established epoch %lld at %s", (long long)epoch,
                zxid_text(tip).text);
    /* One that slept while others took over may still hear from its quorum of that time: it serves
     * what was committed then, and can commit nothing. */
    if (zxid_epoch(head) > epoch)
        return;
    if (zxid_epoch(head) == epoch)
        world_violate(w, "epoch %lld begins and %s is committed", (long long)epoch,
                      zxid_text(head).text);
    if (head > 0 && !history_descends(h, tip, head))
        world_violate(w, "server %d leads epoch %lld from %s and lacks %s, which is committed",
                      v->index + 1, (long long)epoch, zxid_text(tip).text, zxid_text(head).text);
}

/* Two may try the same epoch; only one can be established. */
void check_leading(struct world *w, struct server *v, int64_t epoch)
{
    struct history *h = &w->history;
    uint64_t tip = (uint64_t)history_real(h, server_tip(v)), other;
    if (numbers_get(&h->epoch_tips, (uint64_t)epoch, &other) && other != tip)
        tip = 0;
    numbers_put(&h->epoch_tips, (uint64_t)epoch, tip);
}

/* currentEpoch says: all that the leader of this epoch had is here. A server that says so too early
 * wins an election that it must lose (ZOOKEEPER-4643). */
void check_epoch_written(struct world *w, struct server *v, int64_t epoch)
{
    const struct history *h = &w->history;
    uint64_t tip;
    if (!numbers_get(&h->epoch_tips, (uint64_t)epoch, &tip) || tip == 0)
        return;
    if (!disk_holds(w, &v->disk, (int64_t)tip))
        world_violate(w, "server %d has epoch %lld on its disk, and not %s, with which it begins",
                      v->index + 1, (long long)epoch, zxid_text((int64_t)tip).text);
}

static bool serves(const struct server *v)
{
    return node_serving(v->node) && !node_read_only(v->node);
}

void check_stepped(struct world *w, struct server *v, enum node_event_type cause)
{
    const struct tree *t = node_tree(v->node);
    int64_t zxid = tree_last_zxid(t);
    bool serving = serves(v);
    enum node_role role = node_role(v->node);
    if (role == NODE_LEADING && serving && !(v->serving && v->role == NODE_LEADING)) {
        w->stats.epochs++;
        v->established_ns = w->now_ns;
        check_established(w, v, zab_current_epoch(node_zab(v->node)));
    }
    if ((role == NODE_FOLLOWING || role == NODE_OBSERVING) && !serving && !v->serving)
        check_waits(w, v, cause, v->checked_zxid, zxid);
    if (zxid != v->checked_zxid)
        check_digest(w, v, zxid, tree_digest(t));
    /* It may have lost its role in the step in which it committed and answered. */
    if ((serving || v->serving) && (zxid != v->checked_zxid || !v->serving))
        check_applied(w, v, zxid);
    if (serving != v->serving)
        disturbed(w); /* what it had heard of sessions and not told yet is forgotten */
    v->checked_zxid = zxid;
    v->serving = serving;
    v->role = role;
}
