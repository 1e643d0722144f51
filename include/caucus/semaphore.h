/* semaphore.h: a lock that several hold, up to a number that all agree on.
 *
 * Each attempt is a lease, and a lease is a struct caucus_lock: await, token and release are those
 * of lock.h, and so is what ends it. The number of leases is the data of the semaphore's node, as
 * text: the first one writes it, and whoever comes with another number fails
 * (CAUCUS_LOCK_FAILED, CAUCUS_BADARGUMENTS) when it is his turn. To change it, write another one
 * and begin the attempts anew that give a number: leases that are held stay, and attempts whose
 * turn comes afterwards go by it. The number is forgotten with the node, a container: when nobody
 * has held or waited for a while.
 *
 *   PATH           "3"
 *   PATH/locks     a queue of mutexes: its first may take a lease
 *   PATH/leases    a node for each lease; the first of the queue waits until there are few enough
 *
 * so that the end of a lease wakes one of those who wait, however many they are, and who came first
 * is served first. Nodes are those of Curator's InterProcessSemaphoreV2, which shares the leases
 * with ours if it is given the same number. kazoo's Semaphore has another layout: on the same path
 * it counts other things, and both are wrong.
 *
 * A lease's token tells it apart from all others, and no more: the holder of a smaller one may hold
 * it as rightly as that of a greater one, so that what several use at a time cannot refuse by
 * comparing. caucus_election_list of "PATH/leases" lists the leases. */
#ifndef CAUCUS_CAUCUS_SEMAPHORE_H
#define CAUCUS_CAUCUS_SEMAPHORE_H

#include "caucus/lock.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Begins to wait for a lease. `leases` 0: whatever number the node has (CAUCUS_BADARGUMENTS, told
 * with FAILED, if it has none). options: kind, names and only_if_free have to be 0, since a queue
 * in which somebody stands may move at once. Errors: as caucus_lock_acquire; CAUCUS_BADARGUMENTS
 * also for less than 0. */
CAUCUS_API int caucus_semaphore_acquire(struct caucus *c, const char *path, int32_t leases,
                                        const struct caucus_lock_options *options,
                                        struct caucus_lock **ret);

#ifdef __cplusplus
}
#endif

#endif
