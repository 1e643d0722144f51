/* support.c: between a decision and its epoch.
 *
 * Who decides early may decide what the others do not: A and B agree on B, and before B has heard
 * A it hears C, who is better. A learns that from B's next vote, and need not wait until it has
 * failed to follow B. And who dies before there is an epoch was needed for it, perhaps: a leader
 * without a quorum keeps away those who look, because it says that it leads. */
#include "fle/fle_internal.h"

void fle_count_support(struct fle *f)
{
    f->elected = true;
    f->leader_denies = false; /* we may know it only from others, where we cannot hear it */
    f->supporters = (struct sid_set){0};
    sid_set_add(&f->supporters, f->options.sid);
    for (int64_t sid = 0; sid < FLE_SIDS; sid++) {
        const struct fle_ballot *b = &f->ballots.of[sid], *s = &f->settled.of[sid];
        if ((b->cast && b->vote.leader == f->vote.leader && b->vote.round == f->vote.round) ||
            (s->cast && s->vote.leader == f->vote.leader))
            sid_set_add(&f->supporters, sid);
    }
}

void fle_support_message(struct fle *f, int64_t from, const struct fle_notification *n)
{
    if (n->state == FLE_OBSERVING)
        return;
    /* Who looks in another round has given up, or begun again. It will come back only to a leader
     * that has a quorum without it. */
    bool gone = n->state == FLE_LOOKING && n->vote.round != f->vote.round;
    if (n->vote.leader != f->vote.leader || gone) {
        fle_lose_support(f, from);
        return;
    }
    sid_set_add(&f->supporters, from);
    if (from == f->vote.leader)
        f->leader_denies = false;
}

void fle_lose_support(struct fle *f, int64_t sid)
{
    sid_set_remove(&f->supporters, sid);
    if (sid == f->vote.leader)
        f->leader_denies = true;
}

bool fle_doubts(const struct fle *f)
{
    if (!f->elected || f->established || f->state == FLE_LOOKING)
        return false;
    return f->leader_denies || !quorum_has(f->config, &f->supporters, f->oracle_says);
}
