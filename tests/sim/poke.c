/* poke.c: what cannot be brought about from outside in a lifetime: an epoch whose numbers are
 * nearly used up. The only place that knows the inside of a node. */
#include "node/node_internal.h"
#include "world.h"

void world_shorten_epoch(struct node *n, uint32_t left)
{
    int64_t epoch = zxid_epoch(n->last_proposed_zxid);
    if (zxid_counter(n->last_proposed_zxid) == 0)
        n->last_proposed_zxid = zxid_make(epoch, ZXID_COUNTER_MAX - 1 - left);
}
