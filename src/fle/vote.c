/* vote.c: the order of votes, their equality, and who is a quorum (Vote, totalOrderPredicate,
 * getVoteTracker, checkLeader). */
#include "fle/fle_internal.h"

bool fle_is_quorum(const struct fle *f, const struct sid_set *set, bool oracle_says)
{
    return quorum_has(f->config, set, oracle_says) &&
           (f->next == NULL || quorum_has(f->next, set, oracle_says));
}

bool fle_is_voter(const struct fle *f, int64_t sid)
{
    return quorum_is_voter(f->config, sid) || (f->next != NULL && quorum_is_voter(f->next, sid));
}

static bool can_lead(const struct fle *f, int64_t sid)
{
    if (quorum_is_voter(f->config, sid) || f->next == NULL)
        return quorum_weight(f->config, sid) > 0;
    return quorum_weight(f->next, sid) > 0;
}

/* The larger epoch, then the larger zxid, then the larger number. A server without weight is
 * nobody's candidate; where it is its own, as ZooKeeper has it, whoever has weight is better. */
bool fle_better(const struct fle *f, const struct fle_vote *candidate,
                const struct fle_vote *current)
{
    if (!can_lead(f, candidate->leader))
        return false;
    if (!can_lead(f, current->leader))
        return true;
    if (candidate->peer_epoch != current->peer_epoch)
        return candidate->peer_epoch > current->peer_epoch;
    if (candidate->zxid != current->zxid)
        return candidate->zxid > current->zxid;
    return candidate->leader > current->leader;
}

/* While one of the two is LOOKING, everything counts. Servers that have a leader may have come to
 * him in different rounds, with what was then his zxid: of theirs, leader and epoch count, and the
 * epoch only if both know it by the same rules (ZOOKEEPER-1732, ZOOKEEPER-1805). */
bool fle_same_vote(const struct fle_ballot *a, const struct fle_ballot *b)
{
    if (a->vote.leader != b->vote.leader)
        return false;
    if (a->state == FLE_LOOKING || b->state == FLE_LOOKING)
        return a->vote.zxid == b->vote.zxid && a->vote.round == b->vote.round &&
               a->vote.peer_epoch == b->vote.peer_epoch;
    return (a->version > 0) != (b->version > 0) || a->vote.peer_epoch == b->vote.peer_epoch;
}

static struct sid_set who_agrees(const struct fle_ballots *ballots, const struct fle_ballot *b)
{
    struct sid_set agree = {0};
    for (int64_t sid = 0; sid < FLE_SIDS; sid++)
        if (ballots->of[sid].cast && fle_same_vote(&ballots->of[sid], b))
            sid_set_add(&agree, sid);
    return agree;
}

bool fle_has_quorum(const struct fle *f, const struct fle_ballots *ballots,
                    const struct fle_ballot *b, bool oracle_says)
{
    struct sid_set agree = who_agrees(ballots, b);
    return fle_is_quorum(f, &agree, oracle_says);
}

bool fle_has_followers(const struct fle *f, const struct fle_ballot *b, bool oracle_says)
{
    struct sid_set agree = who_agrees(&f->settled, b);
    return quorum_has(f->config, &agree, oracle_says);
}

/* Otherwise all would go on electing one that has died. If it is ourselves, we lead only in the
 * round they speak of. */
bool fle_leader_agrees(const struct fle *f, int64_t leader, int64_t round)
{
    if (leader == f->options.sid)
        return round == f->round;
    const struct fle_ballot *b = &f->settled.of[leader];
    return b->cast && b->state == FLE_LEADING;
}
