/* shard_loss.c: what is committed and on no disk that is left is given up, by word of people.
 *
 * One who has a part of it (the keeper) writes Commit as it was at the end of that part, in an
 * epoch in which nobody leads, with what is given up beside it. Everything else goes on as it
 * always does: whoever has what Commit names takes a LiveNode, the first of them leads.
 *
 * The others' promises hold: nobody cuts what he saw committed, as somebody leads who has other
 * batches there. Only one who was away, and reads that a loss was admitted after what he had seen,
 * goes back, and only when what he has is in a file elsewhere (SHARD_SET_ASIDE). */
#include "base/assert.h"
#include "vote/shard_internal.h"

static bool is_of_this_epoch(const struct shard *s, const struct entry *e)
{
    return e->mark.epoch == s->commit.epoch || shard_fault(s, SHARD_FAULT_KEPT_END);
}

bool shard_kept(const struct shard *s, uint64_t *ret_index, struct hash *ret_chain)
{
    const struct shard_log *l = &s->log;
    if (!s->known || s->failed != NULL || s->superseded || s->commit.round == 0 ||
        l->round != s->commit.round || log_durable(s) < s->committed)
        return false;
    const struct shard_mark *kept = log_mark(l, s->committed);
    /* Who took a batch of the leader of this epoch had his whole log before it. */
    for (size_t i = l->count; i > 0 && is_of_this_epoch(s, &l->entries[i - 1]); i--) {
        const struct entry *e = &l->entries[i - 1];
        if (e->ticket > s->ticket_durable || e->mark.end > s->commit.index)
            continue;
        if (e->mark.end > s->committed)
            kept = &e->mark;
        break;
    }
    *ret_index = kept->end;
    *ret_chain = kept->chain;
    return true;
}

bool shard_is_superseded(const struct shard *s)
{
    return s->superseded;
}

/* Whoever has a LiveNode had what Commit named when he took it, and may have what it names now. */
static bool somebody_may_have_it(const struct shard *s)
{
    for (size_t i = 0; i < s->view.live_count; i++) {
        uint32_t m = s->view.live[i].member;
        if (m >= s->options.members || (s->admit_lacking >> m & 1) == 0)
            return true;
    }
    return false;
}

static bool is_as_said(const struct shard *s)
{
    uint64_t kept;
    struct hash chain;
    bool is_blind = shard_fault(s, SHARD_FAULT_BLIND_ADMIT);
    return (is_blind || s->admit_version == s->view.commit_version) && view_is_ours(s) &&
           view_is_open(s) && s->commit.round == s->view.global.round &&
           (is_blind || !somebody_may_have_it(s)) && s->commit.loss_count < LOSSES_MAX &&
           s->commit.epoch < UINT32_MAX && shard_kept(s, &kept, &chain) && kept == s->admit_kept &&
           kept < s->commit.index;
}

static bool propose(struct shard *s)
{
    struct commit *c = &s->proposal;
    if (!count_propose(s, s->admit_kept, c))
        return false;
    c->epoch = s->commit.epoch + 1;
    c->leader = s->options.self;
    c->seat = 0;
    c->sealed = false;
    c->losses[c->loss_count++] = (struct loss){
        .epoch = c->epoch,
        .from = s->commit.index,
        .to = c->index,
        .batches = c->batches,
        .chain = c->chain,
    };
    return true;
}

bool loss_is_proposed(struct shard *s, struct shard_effects *fx)
{
    if (!is_as_said(s)) {
        s->admitting = false;
        fx->admitted = ADMIT_REFUSED;
        return false;
    }
    return count_is_current(s) && propose(s);
}

uint64_t loss_newest(const struct shard *s)
{
    const struct commit *c = &s->commit;
    return c->round == s->log.round && c->loss_count > 0 ? c->losses[c->loss_count - 1].epoch : 0;
}

/* Whoever writes behind a loss has read of it: of the batches there only those of earlier epochs
 * may be what was given up, and epochs rise. */
static bool may_have(const struct shard *s, const struct loss *l)
{
    size_t i = log_entry_of(&s->log, l->to);
    return i < s->log.count && s->log.entries[i].mark.epoch < l->epoch &&
           l->epoch > s->aside_epoch && !shard_fault(s, SHARD_FAULT_TAIL_GOES);
}

void loss_look(struct shard *s)
{
    const struct commit *c = &s->commit;
    s->superseded = s->goes_back = false;
    if (shard_fault(s, SHARD_FAULT_OVERLOOK_LOSS))
        return;
    for (uint32_t i = 0; i < c->loss_count && c->round == s->log.round; i++) {
        const struct loss *l = &c->losses[i];
        if (l->epoch <= s->seen_epoch)
            continue;
        bool missed = s->committed > l->to;
        /* What it does not know to be committed may have been, and be what was given up. */
        bool may_have_it = may_have(s, l);
        if (missed && (!s->goes_back || l->to < s->back_to.to)) {
            s->goes_back = true;
            s->back_to = *l;
        }
        if ((missed || may_have_it) && (!s->superseded || l->to < s->superseder.to)) {
            s->superseded = true;
            s->superseder = *l;
        }
    }
}

static void go_back(struct shard *s, struct shard_effects *fx)
{
    /* Before anything is noted: a log that does not end where the notes say cannot be opened. */
    if (!log_can_go_back(&s->log, &s->back_to)) {
        shard_fail(s, "the log was another one already before the loss that Commit admits");
        return;
    }
    s->committed = s->back_to.to;
    /* First what is known to be committed, then the cut: a log without it would be damaged. */
    view_note_seen(s, fx);
    log_go_back(s, fx, &s->back_to);
    count_reset(s);
}

void loss_set_aside(struct shard *s, struct shard_effects *fx)
{
    if (!s->superseded)
        return;
    s->superseded = false;
    s->aside_epoch = loss_newest(s);
    /* Nobody was heard meanwhile: what was sent is missing, and who leads must be greeted. */
    s->fetched = s->streamed_epoch = 0;
    s->fetching = false;
    s->greeted = -1;
    if (s->goes_back)
        go_back(s, fx);
    s->stale = true;
}
