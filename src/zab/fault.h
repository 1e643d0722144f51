/* fault.h: known bugs of this protocol in ZooKeeper, planted on demand.
 *
 * A simulator that finds no bug proves nothing until it has been seen to find some. Compiled with
 * -DCAUCUS_PLANT each of these can be switched on (zab_plant); otherwise zab_fault is constant
 * false and the compiler drops the branch. */
#ifndef CAUCUS_ZAB_FAULT_H
#define CAUCUS_ZAB_FAULT_H

#include <stdbool.h>
#include <stdint.h>

enum zab_fault {
    /* ZOOKEEPER-3911: the proposals of a synchronization go to disk only at UPTODATE, behind the
     * ACK of NEWLEADER. A crash of all forgets what the leader thought a quorum had. */
    ZAB_FAULT_3911 = 1 << 0,
    /* ZOOKEEPER-4394: at NEWLEADER a learner applies what it has, committed or not. */
    ZAB_FAULT_4394 = 1 << 1,
    /* ZOOKEEPER-4643: currentEpoch is written before the leader's history is on disk. A crash
     * between them leaves a server that claims the new epoch with the old log: it wins the next
     * election and truncates what is committed. */
    ZAB_FAULT_4643 = 1 << 2,
    /* ZOOKEEPER-4646: the ACK of NEWLEADER leaves while the history is on its way to the disk. */
    ZAB_FAULT_4646 = 1 << 3,
    /* ZOOKEEPER-4685: ACKs of proposals overtake the ACK of NEWLEADER, and the leader takes the
     * first ACK of a learner for the one of NEWLEADER, whatever it acknowledges. (In ZooKeeper the
     * leader gives up; taken at its word, as here, a quorum is counted that does not exist.) */
    ZAB_FAULT_4685 = 1 << 4,
    /* ZOOKEEPER-4785: what a learner acknowledged on an earlier link is still counted after it came
     * back and was truncated to what is committed. (There the write to disk and the ACK race within
     * the learner; here they are ordered, and what is left of the race is the reconnect.) */
    ZAB_FAULT_4785 = 1 << 5,
    /* ZOOKEEPER-4882: a learner that lost the end of its log to a passing disk error, and lived on,
     * claims the zxid it has in memory: the log keeps a hole. */
    ZAB_FAULT_4882 = 1 << 6,
    /* ZOOKEEPER-4925: what came by synchronization is missing from the window of recent
     * transactions: a former follower serves a DIFF with a hole. */
    ZAB_FAULT_4925 = 1 << 7,
};

struct zab;

#ifdef CAUCUS_PLANT
void zab_plant(struct zab *z, uint32_t mask);
bool zab_fault(const struct zab *z, enum zab_fault fault);
#else
static inline bool zab_fault(const struct zab *z, enum zab_fault fault)
{
    (void)z;
    (void)fault;
    return false;
}
#endif

#endif
