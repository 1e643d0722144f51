/* looking.c: a server that has no leader (FastLeaderElection.lookForLeader). */
#include <string.h>

#include "base/assert.h"
#include "fle/fle_internal.h"

static int64_t ms_to_ns(int64_t ms)
{
    return ms * 1000000;
}

static bool is_me(const struct fle *f, int64_t sid)
{
    return sid == f->options.sid;
}

static void cast(struct fle_ballots *ballots, int64_t sid, enum fle_state state, int32_t version,
                 const struct fle_vote *vote)
{
    invariant(sid >= 0 && sid < FLE_SIDS);
    ballots->of[sid] = (struct fle_ballot){true, state, version, *vote};
}

/* Our vote in this round, and what we tell everybody. */
static void propose(struct fle *f, const struct fle_vote *vote)
{
    f->vote = *vote;
    f->vote.round = f->round;
    f->finalize_at_ns = INT64_MAX; /* a quorum for another vote is none for this one */
    if (fle_is_voter(f, f->options.sid))
        cast(&f->ballots, f->options.sid, FLE_LOOKING, 0, &f->vote);
    fle_tell_voters(f);
}

static void begin_round(struct fle *f, int64_t round, const struct fle_vote *vote)
{
    f->round = round;
    memset(&f->ballots, 0, sizeof f->ballots);
    propose(f, vote);
}

static struct fle_vote initial_vote(const struct fle *f)
{
    struct fle_vote nobody = {INT64_MIN, INT64_MIN, 0, INT64_MIN};
    struct fle_vote mine = f->mine;
    mine.leader = f->options.sid;
    return quorum_is_voter(f->config, f->options.sid) ? mine : nobody;
}

/* Our log may have gone: then we must not help anybody to become leader (zxid -1). */
static bool may_vote(const struct fle *f)
{
    return initial_vote(f).zxid != -1;
}

void fle_start_round(struct fle *f)
{
    struct fle_vote vote = initial_vote(f);
    f->state = FLE_LOOKING;
    f->decided = f->elected = false;
    memset(&f->settled, 0, sizeof f->settled);
    f->notify_ms = f->options.notification_ms_min;
    f->notify_at_ns = f->now_ns + ms_to_ns(f->notify_ms);
    /* A peer may have said any round: the next one is a number all the same. */
    begin_round(f, (int64_t)((uint64_t)f->round + 1), &vote);
    fle_consider(f);
    for (int64_t sid = 0; sid < FLE_SIDS && f->state == FLE_LOOKING; sid++) {
        const struct fle_ballot *b = &f->asked.of[sid];
        if (b->cast && fle_is_voter(f, sid))
            fle_looking_message(f, sid, &(struct fle_notification){FLE_LOOKING, b->vote, 0, {0}});
    }
}

/* The end of the election. Those who asked hear it now. Voters of this round who agree will come as
 * far by themselves; if one does not, because it does not hear the others, it hears of the epoch.
 */
static void decide(struct fle *f, const struct fle_vote *vote)
{
    f->round = vote->round;
    f->vote = *vote;
    f->decided = true;
    fle_count_support(f);
    f->finalize_at_ns = f->notify_at_ns = INT64_MAX;
    f->state = is_me(f, vote->leader)                       ? FLE_LEADING
               : quorum_is_voter(f->config, f->options.sid) ? FLE_FOLLOWING
                                                            : FLE_OBSERVING;
    const struct fle_ballot decision = {true, FLE_LOOKING, 0, *vote};
    for (int64_t sid = 0; sid < FLE_SIDS; sid++) {
        const struct fle_ballot *b = &f->ballots.of[sid];
        if (f->asked.of[sid].cast && !(b->cast && fle_same_vote(b, &decision)))
            fle_tell(f, sid);
    }
}

/* Whether we know the vote of every voter that we may hear, and it is ours. One without weight
 * cannot bring a better vote that nobody else has.
 * Where not all hear each other, two that decide at once on what they hear could undo each other's
 * work for ever: when a decision has failed, those whom we cannot hear count as well, since others
 * may bring us their votes. */
static bool all_agree(const struct fle *f, const struct fle_ballot *ours)
{
    const struct quorum *configs[] = {f->config, f->next};
    for (size_t c = 0; c < 2 && configs[c] != NULL; c++)
        for (size_t i = 0; i < configs[c]->server_count; i++) {
            int64_t sid = configs[c]->servers[i].sid;
            const struct fle_ballot *b = &f->ballots.of[sid], *s = &f->settled.of[sid];
            bool hearable =
                f->patient || sid_set_has(&f->channels, sid) || !sid_set_has(&f->tried, sid);
            bool agrees = (b->cast && fle_same_vote(b, ours)) ||
                          (s->cast && s->vote.leader == ours->vote.leader);
            if (quorum_weight(configs[c], sid) > 0 && hearable && !agrees)
                return false;
        }
    return true;
}

void fle_consider(struct fle *f)
{
    if (f->state != FLE_LOOKING)
        return;
    const struct fle_ballot ours = {true, FLE_LOOKING, 0, f->vote};
    if (!may_vote(f) || !fle_has_quorum(f, &f->ballots, &ours, f->oracle_says)) {
        f->finalize_at_ns = INT64_MAX;
        return;
    }
    if (f->finalize_at_ns == INT64_MAX)
        f->finalize_at_ns = f->now_ns + ms_to_ns(f->options.finalize_wait_ms);
    /* What an oracle made a quorum says nothing about those we have not heard. */
    bool early = all_agree(f, &ours) && fle_has_quorum(f, &f->ballots, &ours, false);
    if (early || f->now_ns >= f->finalize_at_ns)
        decide(f, &ours.vote);
}

/* Another one that looks. One that had a leader when we told it our vote did not count that. */
static void on_proposal(struct fle *f, int64_t from, const struct fle_notification *n)
{
    bool had_leader = f->settled.of[from].cast;
    f->settled.of[from].cast = false;
    if (!may_vote(f) || n->vote.zxid == -1 || n->vote.round < f->round)
        return;
    if (n->vote.round > f->round) {
        struct fle_vote mine = initial_vote(f);
        begin_round(f, n->vote.round, fle_better(f, &n->vote, &mine) ? &n->vote : &mine);
    } else if (fle_better(f, &n->vote, &f->vote)) {
        propose(f, &n->vote);
    } else if (had_leader) {
        fle_tell(f, from);
    }
    cast(&f->ballots, from, FLE_LOOKING, 0, &n->vote);
    fle_consider(f);
}

/* One that follows or leads. We join what a quorum has joined before us: in this round, where the
 * votes of those who look count as well, or in whatever round that was. The vote by which one came
 * to its leader stays: what it says now may have the new epoch already. */
static void on_settled(struct fle *f, int64_t from, const struct fle_notification *n)
{
    const struct fle_ballot theirs = {true, n->state, n->version, n->vote};
    const struct fle_ballot *before = &f->ballots.of[from];
    cast(&f->settled, from, n->state, n->version, &n->vote);
    if (n->vote.round == f->round && !(before->cast && before->vote.leader == n->vote.leader))
        cast(&f->ballots, from, n->state, 0, &n->vote);
    bool enough =
        (n->vote.round == f->round && fle_has_quorum(f, &f->ballots, &theirs, f->oracle_says)) ||
        fle_has_followers(f, &theirs, f->oracle_says);
    if (enough && fle_leader_agrees(f, n->vote.leader, n->vote.round)) {
        decide(f, &n->vote);
        return;
    }
    /* The oracle allows one of two servers to lead alone: if not us, then the one that leads. */
    if (n->state == FLE_LEADING && n->vote.leader == from && f->config->oracle &&
        f->config->voter_count == 2 && !f->oracle_says)
        decide(f, &n->vote);
    else
        fle_consider(f);
}

void fle_looking_message(struct fle *f, int64_t from, const struct fle_notification *n)
{
    if (!fle_is_voter(f, n->vote.leader))
        return;
    switch (n->state) {
    case FLE_LOOKING:
        on_proposal(f, from, n);
        break;
    case FLE_FOLLOWING:
    case FLE_LEADING:
        on_settled(f, from, n);
        break;
    case FLE_OBSERVING:
        break; /* says nothing about a leader that voters do not say */
    }
}

void fle_looking_tick(struct fle *f)
{
    if (f->now_ns >= f->notify_at_ns) {
        fle_tell_voters(f);
        f->notify_ms = f->notify_ms * 2 < f->options.notification_ms_max
                           ? f->notify_ms * 2
                           : f->options.notification_ms_max;
        f->notify_at_ns = f->now_ns + ms_to_ns(f->notify_ms);
    }
    fle_consider(f);
}
