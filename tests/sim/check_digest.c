/* check_digest.c: equal digests at equal zxids, on whichever server and after whatever recovery. */
#include "world.h"

void check_digest(struct world *w, struct server *v, int64_t tree_zxid, uint64_t digest)
{
    struct history *h = &w->history;
    int64_t zxid = history_real(h, tree_zxid);
    if (zxid_counter(zxid) == 0)
        return; /* an empty tree, or an epoch that is not established yet */
    uint64_t known;
    if (!numbers_get(&h->digests, (uint64_t)zxid, &known)) {
        numbers_put(&h->digests, (uint64_t)zxid, digest);
        return;
    }
    if (known != digest)
        world_violate(w, "server %d has digest %llx at %s; it was %llx", v->index + 1,
                      (unsigned long long)digest, zxid_text(zxid).text, (unsigned long long)known);
}
