#include "base/assert.h"
#include "vote/shard_internal.h"

bool view_is_ours(const struct shard *s)
{
    return s->view.global.round == 0 || hash_eq(&s->view.global.config, &s->options.config);
}

bool view_is_open(const struct shard *s)
{
    return s->view.global.phase == PHASE_OPEN || s->view.global.phase == PHASE_CLOSING;
}

static const struct live *oldest(const struct shard *s)
{
    const struct live *first = NULL;
    for (size_t i = 0; i < s->view.live_count; i++) {
        if (first == NULL || s->view.live[i].seat < first->seat)
            first = &s->view.live[i];
    }
    return first;
}

bool view_is_first(const struct shard *s)
{
    const struct live *first = oldest(s);
    return first != NULL && s->view.own_seat != 0 && first->seat == s->view.own_seat;
}

bool view_has_others(const struct shard *s)
{
    for (size_t i = 0; i < s->view.live_count; i++) {
        if (s->view.live[i].member != s->options.self)
            return true;
    }
    return false;
}

bool view_is_next(const struct shard *s, uint32_t member)
{
    const struct live *next = NULL;
    for (size_t i = 0; i < s->view.live_count; i++) {
        const struct live *l = &s->view.live[i];
        if (l->seat > s->view.own_seat && (next == NULL || l->seat < next->seat))
            next = l;
    }
    return s->view.own_seat != 0 && next != NULL && next->member == member;
}

int32_t view_leader(const struct shard *s)
{
    if (!s->known || s->commit.epoch == 0 || s->commit.leader >= s->options.members)
        return -1;
    return (int32_t)s->commit.leader;
}

/* The state has not begun the nation's round, or there was none. */
bool view_begins(const struct shard *s)
{
    return s->commit.round == 0 || s->commit.round < s->view.global.round;
}

/* A replica may take a LiveNode, and lead, only with the log that Commit names. Of an earlier round
 * nothing is needed: its seal stands before the next one begins. */
bool view_is_caught_up(const struct shard *s)
{
    if (shard_fault(s, SHARD_FAULT_NO_PREFIX))
        return s->view.global.round == s->commit.round || view_is_ours(s);
    if (!view_is_ours(s))
        return false;
    if (view_begins(s))
        return !s->disputed;
    return s->log.round == s->commit.round && s->committed == s->commit.index && !s->superseded &&
           log_durable(s) >= s->committed && count_is_current(s);
}

/* That it goes back behind what was seen. */
static bool admits_that(const struct shard *s, const struct commit *c)
{
    const struct loss *newest = c->loss_count > 0 ? &c->losses[c->loss_count - 1] : NULL;
    return newest != NULL && newest->epoch > s->seen_epoch;
}

/* Every read is synced, so an older state than one that was seen is a loss. */
static bool went_back(const struct shard *s, const struct coord_view *view)
{
    const struct commit *c = view->commit;
    if (s->known && (view->commit_version < s->view.commit_version ||
                     view->global_version < s->view.global_version))
        return true;
    if (c->round != s->seen_round)
        return c->round < s->seen_round;
    return c->epoch < s->seen_epoch || (c->index < s->seen_index && !admits_that(s, c));
}

void view_note_seen(struct shard *s, struct shard_effects *fx)
{
    if (s->seen_round == s->commit.round && s->seen_index == s->committed &&
        s->seen_epoch == s->commit.epoch)
        return;
    s->seen_round = s->commit.round;
    s->seen_epoch = s->commit.epoch;
    s->seen_index = s->committed;
    shard_persist(s, fx, SHARD_PERSIST_SEEN, s->seen_index, slice_str(""));
}

void view_verify(struct shard *s, struct shard_effects *fx)
{
    const struct commit *c = &s->commit;
    if (!s->known || c->round == 0 || c->round != s->log.round ||
        log_tip(&s->log)->end < c->index || c->index < s->committed || s->superseded)
        return;
    if (c->tally.candidates != s->options.candidates ||
        c->tally.districts != s->options.districts) {
        shard_fail(s, "Commit is of another ballot");
        return;
    }
    const struct shard_mark *mark = log_mark(&s->log, c->index);
    bool same = mark != NULL && hash_eq(&mark->chain, &c->chain);
    if (c->index == s->committed && !same) {
        shard_fail(s, "Commit names another log than before");
        return;
    }
    if (same) {
        s->committed = c->index;
        s->fetching = false;
        view_note_seen(s, fx);
        return;
    }
    /* Commit names another log: somewhere behind `committed` ours parts from it. Where, only one
     * who has the other can tell; up to there it is committed as well, and has to stay. */
    if (s->diverged_version != s->view.commit_version) {
        s->diverged_version = s->view.commit_version;
        s->fetched = s->streamed_epoch = 0;
    }
}

static bool is_ours(const struct shard *s, const struct commit *c)
{
    if (c->leader != s->options.self || c->epoch == 0)
        return false;
    if (shard_fault(s, SHARD_FAULT_OLD_SEAT) && s->attempted == 0)
        return s->committed == c->index && s->log.round == c->round;
    return c->seat == s->view.own_seat && c->seat == s->attempted_seat && c->epoch == s->attempted;
}

void view_commit(struct shard *s, struct shard_effects *fx, const struct commit *c,
                 uint64_t version)
{
    s->commit = *c;
    s->view.commit_version = version;
    if (c->epoch > s->promised)
        s->promised = c->epoch;
    if (s->leading && !is_ours(s, c))
        lead_end(s, fx, ANSWER_UNKNOWN_RETRY);
    if (c->round > s->log.round && c->round == s->view.global.round && view_is_ours(s)) {
        invariant(!s->leading);
        log_begin_round(s, fx, c->round);
    }
    loss_look(s);
    if (shard_fault(s, SHARD_FAULT_NO_ASIDE))
        loss_set_aside(s, fx);
    if (shard_fault(s, SHARD_FAULT_CUT_ON_READ) && !s->leading && c->round == s->log.round)
        log_truncate(s, fx, c->index);
    view_verify(s, fx);
    count_committed(s);
    if (s->leading)
        lead_committed(s, fx, s->committed);
    else if (is_ours(s, c) && view_is_open(s) && c->round == s->view.global.round)
        lead_begin(s, fx);
}

/* Nobody speaks as a leader before his takeover is in Commit, and this read was asked for after
 * whoever spoke last: an epoch beyond it is a lie. What was promised to it, and written, was to
 * nobody, and would shut out all who lead truly. */
static void forget_lies(struct shard *s, struct shard_effects *fx, uint64_t epoch)
{
    if (s->stale || s->leading || s->promised <= epoch)
        return;
    size_t i = s->log.count;
    while (i > 0 && s->log.entries[i - 1].mark.epoch > epoch)
        i--;
    if (i < s->log.count)
        log_truncate(s, fx, s->log.entries[i].first);
    s->promised = epoch;
    s->streamed_epoch = 0;
    s->greeted = -1;
    if (s->promised_to >= 0)
        fx->drop_peers |= UINT32_C(1) << s->promised_to;
    s->promised_to = -1;
}

void view_read(struct shard *s, struct shard_effects *fx, const struct coord_view *view)
{
    if (went_back(s, view)) {
        shard_fail(s, "the coordination service has forgotten what it said");
        return;
    }
    forget_lies(s, fx, view->commit->epoch);
    s->view = *view;
    s->view.commit = NULL;
    s->known = true;
    uint64_t counted = s->count.tree.size;
    view_commit(s, fx, view->commit, view->commit_version);
    if (s->failed == NULL && s->count.tree.size == counted)
        count_compare(s); /* nothing was counted, so that nothing was compared */

    /* Read before Commit: what is not in there now never will be. */
    bool over = s->view.global.phase == PHASE_CLOSED || s->view.global.round != s->log.round;
    if (s->leading && over)
        lead_end(s, fx, ANSWER_CLOSED);
}
