/* fle.c: what the owner calls, what is sent, and the answers of a server that has a leader
 * (WorkerReceiver, QuorumPeer.updateElectionVote). */
#include "fle/fle.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "fle/fle_internal.h"

static void forget_answer(struct fle *f, int64_t sid)
{
    bool valid = sid >= 0 && sid < FLE_SIDS;
    f->answered[valid ? sid : FLE_SIDS].at_ns = INT64_MIN;
}

static void take_config(struct fle *f, const struct quorum *config)
{
    struct quorum *copy = quorum_copy(config);
    quorum_free(f->config);
    f->config = copy;
    buf_clear(&f->config_text);
    quorum_format(f->config, &f->config_text);
    if (f->next != NULL && f->next->version <= f->config->version) {
        quorum_free(f->next);
        f->next = NULL;
    }
}

struct fle *fle_create(const struct fle_options *options, const struct fle_host *host,
                       const struct quorum *config)
{
    struct fle *f = mem_calloc(1, sizeof *f);
    f->options = *options;
    if (f->options.notification_ms_min < 1)
        f->options.notification_ms_min = 1;
    if (f->options.notification_ms_max < f->options.notification_ms_min)
        f->options.notification_ms_max = f->options.notification_ms_min;
    f->host = *host;
    f->state = FLE_LOOKING;
    f->mine.zxid = -1;
    f->vote = (struct fle_vote){INT64_MIN, INT64_MIN, 0, INT64_MIN};
    f->notify_at_ns = f->finalize_at_ns = INT64_MAX;
    for (int64_t sid = 0; sid <= FLE_SIDS; sid++)
        forget_answer(f, sid);
    take_config(f, config);
    return f;
}

void fle_free(struct fle *f)
{
    if (f == NULL)
        return;
    quorum_free(f->config);
    quorum_free(f->next);
    buf_deinit(&f->config_text);
    buf_deinit(&f->message);
    free(f);
}

static bool is_looking(const struct fle *f)
{
    return f->started && f->state == FLE_LOOKING;
}

void fle_set_config(struct fle *f, const struct quorum *config)
{
    bool other_members = !quorum_same_members(f->config, config);
    take_config(f, config);
    if (is_looking(f) && other_members)
        fle_start_round(f);
}

void fle_set_next_config(struct fle *f, const struct quorum *next)
{
    bool newer = next != NULL && next->version > f->config->version;
    struct quorum *copy = newer ? quorum_copy(next) : NULL;
    quorum_free(f->next);
    f->next = copy;
    if (is_looking(f))
        fle_start_round(f);
}

void fle_set_oracle(struct fle *f, bool says)
{
    f->oracle_says = says;
    if (is_looking(f))
        fle_consider(f);
}

/* ---- what is sent ---- */

static struct slice our_notification(struct fle *f)
{
    buf_clear(&f->message);
    fle_notification_put(&f->message, f->state, &f->vote, buf_slice(&f->config_text));
    return buf_slice(&f->message);
}

void fle_tell(struct fle *f, int64_t sid)
{
    if (sid != f->options.sid && sid_set_has(&f->channels, sid))
        f->host.send(f->host.arg, sid, our_notification(f));
}

void fle_tell_voters(struct fle *f)
{
    for (int64_t sid = 0; sid < FLE_SIDS; sid++)
        if (sid_set_has(&f->channels, sid) && fle_is_voter(f, sid))
            fle_tell(f, sid);
}

static bool vote_eq(const struct fle_vote *a, const struct fle_vote *b)
{
    return a->leader == b->leader && a->zxid == b->zxid && a->round == b->round &&
           a->peer_epoch == b->peer_epoch;
}

/* Answers somebody who looks, unless he has the same answer to the same question already: where two
 * servers do not take each other for voters, each answer would be answered. */
static void answer(struct fle *f, int64_t from, const struct fle_vote *question)
{
    struct fle_answered *last = &f->answered[from >= 0 && from < FLE_SIDS ? from : FLE_SIDS];
    int64_t pause_ns = f->options.notification_ms_min * 1000000 / 2;
    if (last->from == from && last->at_ns != INT64_MIN && f->now_ns - last->at_ns < pause_ns &&
        vote_eq(&last->question, question) && vote_eq(&last->answer, &f->vote))
        return;
    *last = (struct fle_answered){from, f->now_ns, *question, f->vote};
    f->host.send(f->host.arg, from, our_notification(f));
}

/* ---- what comes in ---- */

static void look_at_config(struct fle *f, struct slice text)
{
    struct quorum *theirs;
    if (!f->options.reconfig_enabled || !is_looking(f) || slice_is_null(text) ||
        slice_eq(text, buf_slice(&f->config_text)) || quorum_parse(text, &theirs, NULL) < 0)
        return; /* a text that cannot be read: the vote beside it is one all the same */
    bool newer = theirs->version > f->config->version;
    quorum_free(theirs);
    if (newer)
        f->host.newer_config(f->host.arg, text);
}

/* Who looks, as far as we know, with which vote. We may come to look ourselves, and it would not be
 * said again; or we may have a better answer later. */
static void remember(struct fle *f, int64_t from, const struct fle_notification *n)
{
    if (from >= 0 && from < FLE_SIDS)
        f->asked.of[from] =
            (struct fle_ballot){n->state == FLE_LOOKING, n->state, n->version, n->vote};
}

static void on_notification(struct fle *f, int64_t from, const struct fle_notification *n)
{
    bool looks = n->state == FLE_LOOKING;
    if (!fle_is_voter(f, from)) {
        if (looks)
            answer(f, from, &n->vote);
    } else if (is_looking(f)) {
        if (looks && n->vote.round < f->round && fle_is_voter(f, f->options.sid))
            answer(f, from, &n->vote);
        fle_looking_message(f, from, n);
    } else {
        fle_support_message(f, from, n);
        if (looks)
            answer(f, from, &n->vote);
    }
}

void fle_message(struct fle *f, int64_t from, struct slice payload, int64_t now_ns)
{
    struct fle_notification n;
    f->now_ns = now_ns;
    if (from == f->options.sid || !fle_notification_parse(payload, &n)) {
        f->dropped++;
        return;
    }
    look_at_config(f, n.config);
    remember(f, from, &n);
    if (f->started)
        on_notification(f, from, &n);
}

/* What it said counts no more: it may have died, or changed its mind where we could not hear it. If
 * it lives, it says it again as soon as there is a channel. (ZooKeeper counts such a vote on.) */
static void forget_peer(struct fle *f, int64_t sid)
{
    forget_answer(f, sid);
    f->ballots.of[sid].cast = f->settled.of[sid].cast = f->asked.of[sid].cast = false;
}

/* Nobody who hears no more of the server it wants for a leader goes on electing it: who hears it
 * yet will say so in the new round. */
static void channel_down(struct fle *f, int64_t sid)
{
    bool was_up = sid_set_has(&f->channels, sid);
    sid_set_remove(&f->channels, sid);
    if (is_looking(f) && was_up && f->vote.leader == sid)
        fle_start_round(f);
    else if (is_looking(f))
        fle_consider(f);
    else
        fle_lose_support(f, sid);
}

/* We tell our vote also as one who has a leader, until there is an epoch: others may count on us
 * for theirs. */
static void channel_up(struct fle *f, int64_t sid)
{
    sid_set_add(&f->channels, sid);
    if (f->started && !f->established && fle_is_voter(f, sid))
        fle_tell(f, sid);
    if (is_looking(f))
        fle_consider(f);
}

void fle_channel(struct fle *f, int64_t sid, bool up, int64_t now_ns)
{
    f->now_ns = now_ns;
    if (sid < 0 || sid >= FLE_SIDS || sid == f->options.sid) {
        forget_answer(f, sid);
        return;
    }
    forget_peer(f, sid);
    sid_set_add(&f->tried, sid);
    if (up)
        channel_up(f, sid);
    else
        channel_down(f, sid);
}

/* ---- the life of an election ---- */

void fle_look(struct fle *f, struct fle_vote mine, int64_t now_ns)
{
    f->now_ns = now_ns;
    f->mine = mine;
    f->patient = f->patient || (f->elected && !f->established);
    f->started = true;
    f->established = false;
    fle_start_round(f);
}

void fle_tick(struct fle *f, int64_t now_ns)
{
    f->now_ns = now_ns;
    if (is_looking(f))
        fle_looking_tick(f);
}

int64_t fle_deadline_ns(const struct fle *f)
{
    if (!is_looking(f))
        return INT64_MAX;
    return f->notify_at_ns < f->finalize_at_ns ? f->notify_at_ns : f->finalize_at_ns;
}

bool fle_decided(const struct fle *f, struct fle_vote *ret)
{
    if (f->decided)
        *ret = f->vote;
    return f->decided;
}

void fle_settle(struct fle *f, enum fle_state state, int64_t leader)
{
    invariant(f->started && state != FLE_LOOKING);
    f->elected = f->elected && f->vote.leader == leader;
    f->decided = false;
    f->state = state;
    f->vote.leader = leader;
}

/* Those who look, as far as we know, have an answer with the old epoch, or none: perhaps not enough
 * of one kind. */
void fle_update_epoch(struct fle *f, int64_t new_epoch)
{
    invariant(f->started && f->state != FLE_LOOKING);
    f->established = true;
    f->patient = false;
    f->vote.peer_epoch = new_epoch;
    for (int64_t sid = 0; sid < FLE_SIDS; sid++)
        if (f->asked.of[sid].cast)
            fle_tell(f, sid);
}

enum fle_state fle_state(const struct fle *f)
{
    return f->state;
}

void fle_current_vote(const struct fle *f, struct fle_vote *ret)
{
    *ret = f->vote;
}

int64_t fle_round(const struct fle *f)
{
    return f->round;
}

uint64_t fle_dropped(const struct fle *f)
{
    return f->dropped;
}
