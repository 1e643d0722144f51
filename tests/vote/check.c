/* check.c: the invariants of docs/ELECTION.md, judged from outside: by what stands in the
 * coordination service, on the disks, and by what voters were told. */
#include <inttypes.h>

#include "world.h"

static struct hash chain_of(const struct blob *batch)
{
    struct hash h;
    memcpy(h.bytes, batch->bytes.ptr + batch->bytes.len - SHA256_BYTES, SHA256_BYTES);
    return h;
}

/* ---- the model's own count ---- */

static void fold(const struct committed *c, uint64_t count, struct tally *ret)
{
    int32_t choice[WORLD_VOTERS_MAX];
    memset(choice, -1, sizeof choice);
    tally_init(ret, WORLD_CANDIDATES, 2);
    for (uint64_t i = 0; i < count; i++)
        choice[c->records[i].voter] = c->records[i].candidate;
    for (uint32_t v = 0; v < WORLD_VOTERS_MAX; v++) {
        if (choice[v] < 0)
            continue;
        ret->votes[(v % 2) * WORLD_CANDIDATES + (uint32_t)choice[v]]++;
        ret->voters++;
    }
}

/* I8. */
static void add_record(struct world *w, const struct record *r)
{
    struct committed *c = &w->committed;
    int32_t voter = world_voter_of(&r->voter);
    uint16_t request = (uint16_t)load_be64(r->request.bytes + 8);
    if (voter < 0 || r->index != c->count) {
        world_violate(w, "record %" PRIu64 " is of nobody, or not the next", r->index);
        return;
    }
    if (c->count == WORLD_VOTES_MAX) {
        w->full = true;
        return;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->records[i].voter == voter && c->records[i].request == request)
            world_violate(w, "I8: request %u is counted twice", request);
    }
    for (uint32_t i = 0; i < w->vote_count; i++) {
        const struct vote *v = &w->votes[i];
        if (v->request == request && v->told_closed && v->round == c->round)
            world_violate(w, "request %u is counted after its voter was told it never would be",
                          request);
    }
    c->records[c->count].voter = (uint8_t)voter;
    uint8_t bytes[RECORD_BYTES];
    record_encode(r, bytes);
    c->leaves[c->count] = merkle_leaf(slice_of(bytes, sizeof bytes));
    c->records[c->count].candidate = (uint8_t)r->candidate;
    c->records[c->count++].request = request;
}

/* The batch with this chain, on any disk or on its way there, or on one that is gone. */
static bool find_batch(const struct world *w, const struct commit *c, const struct hash *chain,
                       struct batch *ret)
{
    const struct blob *log[WORLD_BATCHES_MAX + WORLD_QUEUE_MAX];
    uint64_t round;
    for (uint32_t r = 0; r < w->options.replicas; r++) {
        uint32_t count = world_log(&w->replicas[r], log, &round);
        for (uint32_t i = count; i > 0 && round == c->round; i--) {
            struct hash h = chain_of(log[i - 1]);
            if (hash_eq(&h, chain))
                return batch_read(log[i - 1]->bytes, ret) == BATCH_VALID;
        }
    }
    for (uint32_t i = 0; i < w->gone_count; i++) {
        struct hash h = chain_of(w->gone[i]);
        if (hash_eq(&h, chain))
            return batch_read(w->gone[i]->bytes, ret) == BATCH_VALID;
    }
    return false;
}

/* The new batches, backwards from the one that Commit names. */
static void read_batches(struct world *w, const struct commit *before, const struct commit *c)
{
    struct batch batches[WORLD_BATCHES_MAX];
    uint32_t count = 0;
    struct hash chain = c->chain;
    uint64_t index = c->index;
    while (index > w->committed.count && count < WORLD_BATCHES_MAX) {
        if (!find_batch(w, c, &chain, &batches[count]) || batch_end(&batches[count]) != index) {
            world_violate(w, "I2: nobody has what Commit names");
            return;
        }
        chain = batches[count].before;
        index = batches[count++].first;
    }
    if (c->round == before->round && !hash_eq(&chain, &before->chain))
        world_violate(w, "I1: Commit names a log that does not go on from the one before");
    while (count-- > 0) {
        const struct batch *b = &batches[count];
        for (uint32_t k = 0; k < b->count; k++) {
            struct record r = record_decode(batch_record(b, k).ptr);
            add_record(w, &r);
        }
        w->committed.chains[w->committed.count] = b->chain;
        w->committed.at_boundary[w->committed.count] = true;
    }
}

/* ---- I2: copies ---- */

bool check_disk_holds(const struct disk *d, const struct commit *c)
{
    if (d->round != c->round)
        return c->index == 0;
    for (uint32_t i = 0; i < d->batch_count; i++) {
        struct hash chain = chain_of(d->batches[i]);
        if (d->ends[i] == c->index && hash_eq(&chain, &c->chain))
            return true;
    }
    return c->index == 0;
}

static uint32_t holders_of(const struct world *w, const struct commit *c)
{
    uint32_t holders = 0;
    for (uint32_t i = 0; i < w->options.replicas; i++) {
        if (check_disk_holds(&w->replicas[i].disk, c))
            holders |= UINT32_C(1) << i;
    }
    return holders;
}

/* Who has it keeps it: as many as there were, but for disks that are gone. */
static void check_copies(struct world *w)
{
    const struct commit *c = &w->coord.commit;
    uint32_t holders = holders_of(w, c);
    if ((w->holders & ~holders) != 0)
        world_violate(w, "I2: a disk lost some of the %" PRIu64 " records that are committed",
                      c->index);
    w->holders = holders;
}

static void forget_disk(struct request *r, uint32_t replica)
{
    uint32_t bit = UINT32_C(1) << replica;
    r->gone |= r->held & bit;
    r->held &= ~bit;
}

/* Of a disk that is no more, what somebody may be about to commit is kept by the model. */
void check_wiped(struct world *w, uint32_t replica)
{
    const struct disk *d = &w->replicas[replica].disk;
    w->holders &= ~(UINT32_C(1) << replica);
    for (uint32_t i = 0; i < w->options.replicas; i++) {
        forget_disk(&w->replicas[i].asked, replica);
        forget_disk(&w->replicas[i].ghost, replica);
    }
    for (uint32_t i = 0; i < d->batch_count && d->round == w->committed.round; i++) {
        if (d->ends[i] <= w->committed.count)
            continue;
        if (w->gone_count == WORLD_BATCHES_MAX) {
            w->full = true;
            return;
        }
        w->gone[w->gone_count++] = d->batches[i];
    }
}

/* ---- what is asked for ---- */

void check_asked(struct world *w, uint32_t replica, struct request *r)
{
    const struct replica *by = &w->replicas[replica];
    const struct commit *c = &r->what.commit;
    bool is_admission = r->what.type == COORD_ADMIT;
    if (r->what.type != COORD_COMMIT && r->what.type != COORD_TAKEOVER && !is_admission)
        return;
    r->held = holders_of(w, c);
    if (r->what.type != COORD_COMMIT && (r->held >> replica & 1) == 0)
        world_violate(w, "I5: who is to lead, or to keep, does not have what is committed");
    if (is_admission && (!by->admitting || by->admit_version != r->what.commit_version ||
                         by->admit_kept != c->index))
        world_violate(w, "a loss is to be admitted that is not the one that people have seen");
}

/* ---- what is written ---- */

static void check_count_in(struct world *w, const struct commit *c)
{
    const struct committed *known = &w->committed;
    struct tally want;
    fold(known, c->index, &want);
    if (!tally_eq(&want, &c->tally))
        world_violate(w, "I4: the tally in Commit is not the fold of its records");
    struct merkle tree = {0};
    uint64_t batches = 0;
    for (uint64_t i = 0; i < c->index; i++) {
        merkle_push(&tree, &known->leaves[i]);
        batches += known->at_boundary[i + 1];
    }
    struct hash root = merkle_root(&tree);
    if (!hash_eq(&root, &c->root))
        world_violate(w, "I9: the root in Commit is not that of its records");
    if (c->batches != batches ||
        c->bytes != c->index * RECORD_BYTES + batches * (BATCH_HEADING_BYTES + SHA256_BYTES))
        world_violate(w, "Commit names %" PRIu64 " batches, there are %" PRIu64, c->batches,
                      batches);
}

static void check_open(struct world *w, const struct commit *c)
{
    const struct global *g = &w->coord.global;
    if (g->phase != PHASE_OPEN && g->phase != PHASE_CLOSING)
        world_violate(w, "I7: votes are counted while the election is not open");
    if (c->round != g->round)
        world_violate(w, "I7: votes are counted in a round that is over");
}

static void begin_round(struct world *w, const struct commit *c)
{
    memset(&w->committed, 0, sizeof w->committed);
    memset(w->lost, 0, sizeof w->lost);
    memset(w->aside, 0, sizeof w->aside);
    memset(w->gone, 0, sizeof w->gone);
    w->lost_count = w->aside_count = w->gone_count = 0;
    w->committed.round = c->round;
    w->committed.chains[0] = c->chain;
    w->committed.at_boundary[0] = true;
    if (c->index != 0)
        world_violate(w, "I1: a round does not begin at 0");
}

/* What was told of votes that are given up does not hold any more: their voters may ask again. */
static void give_up(struct world *w, const struct commit *c)
{
    struct committed *now = &w->committed;
    w->lost[w->lost_count] = *now;
    w->lost[w->lost_count++].given_up_by = c->epoch;
    for (uint32_t i = 0; i < w->vote_count; i++) {
        struct vote *v = &w->votes[i];
        if (v->told_committed && v->round == c->round && v->index >= c->index) {
            v->told_committed = false;
            v->lost = true;
        }
    }
    now->count = (uint32_t)c->index;
    memset(now->at_boundary + c->index + 1, 0, sizeof now->at_boundary - c->index - 1);
}

static void check_loss(struct world *w, const struct commit *before, const struct commit *c)
{
    const struct committed *known = &w->committed;
    check_open(w, c);
    if (c->round != before->round || c->epoch != before->epoch + 1 || c->index >= before->index ||
        c->seat != 0 || c->sealed || c->loss_count != before->loss_count + 1 ||
        memcmp(c->losses, before->losses, before->loss_count * sizeof *c->losses) != 0) {
        world_violate(w, "what is admitted is no loss, or not one");
        return;
    }
    const struct loss *l = &c->losses[c->loss_count - 1];
    if (l->epoch != c->epoch || l->from != before->index || l->to != c->index ||
        l->batches != c->batches || !hash_eq(&l->chain, &c->chain))
        world_violate(w, "the loss is not what Commit goes back by");
    if (!known->at_boundary[c->index] || !hash_eq(&known->chains[c->index], &c->chain))
        world_violate(w, "I1: Commit goes back to what never was committed");
    check_count_in(w, c);
    if (w->violation[0] == 0)
        give_up(w, c);
}

static void check_goes_on(struct world *w, const struct commit *before, const struct commit *c)
{
    const struct global *g = &w->coord.global;
    if (c->round != g->round && c->round != before->round)
        world_violate(w, "I1: a commit of round %" PRIu64, c->round);
    if (c->round == before->round && (c->epoch < before->epoch || c->index < before->index ||
                                      c->bytes < before->bytes || c->batches < before->batches))
        world_violate(w, "I1: Commit goes back");
    if (c->round > before->round && c->epoch <= before->epoch)
        world_violate(w, "I1: a round without an epoch of its own");
    if (c->loss_count != (c->round == before->round ? before->loss_count : 0) ||
        memcmp(c->losses, before->losses, c->loss_count * sizeof *c->losses) != 0)
        world_violate(w, "losses come, or go, without a word");
    if (c->round > before->round)
        begin_round(w, c);
    if (c->index > before->index || c->round > before->round)
        check_open(w, c);
    if (c->epoch > before->epoch && c->round == before->round &&
        !hash_eq(&c->chain, &before->chain))
        world_violate(w, "I5: a takeover changes what is committed");
    read_batches(w, before, c);
    if (w->violation[0] == 0 && !w->full)
        check_count_in(w, c);
}

void check_commit_written(struct world *w, const struct commit *before, const struct request *r)
{
    const struct commit *c = &r->what.commit;
    if (r->what.type == COORD_ADMIT)
        check_loss(w, before, c);
    else
        check_goes_on(w, before, c);
    w->holders =
        c->round == before->round && c->index == before->index ? w->holders | r->held : r->held;
    /* A disk that went between asking and writing is nobody's fault. */
    uint32_t copies = (uint32_t)__builtin_popcount(holders_of(w, c) | r->gone);
    if (c->index > before->index && copies < w->options.copies_min)
        world_violate(w, "I2: %" PRIu64 " records are committed and on %u disks only", c->index,
                      copies);
    check_copies(w);
}

static bool is_aside(const struct world *w, uint32_t replica, const struct blob *batch)
{
    for (uint32_t i = 0; i < w->aside_count; i++) {
        if (w->aside[i].member == replica && w->aside[i].batch == batch)
            return true;
    }
    return false;
}

static bool is_given_up(const struct world *w, uint64_t end, const struct hash *chain)
{
    for (uint32_t i = 0; i < w->lost_count; i++) {
        const struct committed *c = &w->lost[i];
        if (end <= c->count && c->at_boundary[end] && hash_eq(&c->chains[end], chain))
            return true;
    }
    return false;
}

/* I6: nobody forgets what is committed, nor what he knew to be, unless it was given up and he has
 * put it aside. */
static void check_forgotten(struct world *w, uint32_t replica, const struct blob *batch,
                            const struct batch *b)
{
    const struct replica *r = &w->replicas[replica];
    uint64_t end = batch_end(b);
    if (end <= w->committed.count && w->committed.at_boundary[end] &&
        hash_eq(&w->committed.chains[end], &b->chain))
        world_violate(w, "I6: replica %u forgets committed record %" PRIu64, replica, end - 1);
    if (is_given_up(w, end, &b->chain) && !is_aside(w, replica, batch))
        world_violate(w,
                      "replica %u cuts record %" PRIu64 ", which was given up, and keeps no copy",
                      replica, end - 1);
    if (r->was_round == b->round && end <= r->was_committed && !is_aside(w, replica, batch))
        world_violate(w, "I6: replica %u forgets record %" PRIu64 " which it knew to be committed",
                      replica, end - 1);
}

void check_aside(struct world *w, uint32_t replica)
{
    const struct blob *log[WORLD_BATCHES_MAX + WORLD_QUEUE_MAX];
    uint64_t round;
    struct batch b;
    struct shard_status s = shard_status(w->replicas[replica].shard);
    const struct commit *c = &w->coord.commit;
    bool admitted = false;
    for (uint32_t i = 0; i < c->loss_count; i++)
        admitted = admitted ||
                   (c->losses[i].epoch == s.superseded_by && c->losses[i].to == s.superseded_from);
    /* A round may have begun that it has not read of. */
    if (!admitted && s.round == c->round)
        world_violate(w, "replica %u is superseded by no loss", replica);
    uint32_t count = world_log(&w->replicas[replica], log, &round);
    for (uint32_t i = 0; i < count && round == w->committed.round; i++) {
        if (batch_read(log[i]->bytes, &b) != BATCH_VALID || batch_end(&b) <= s.superseded_from)
            continue;
        if (w->aside_count == WORLD_BATCHES_MAX) {
            w->full = true;
            return;
        }
        w->aside[w->aside_count].member = replica;
        w->aside[w->aside_count++].batch = log[i];
    }
}

/* I6, and that an epoch has one history. */
void check_persist(struct world *w, uint32_t replica, const struct shard_persist *p,
                   struct slice bytes)
{
    const struct blob *log[WORLD_BATCHES_MAX + WORLD_QUEUE_MAX];
    uint64_t round;
    struct batch b, other;
    if (p->type == SHARD_PERSIST_TRUNCATE) {
        uint32_t count = world_log(&w->replicas[replica], log, &round);
        for (uint32_t i = 0; i < count && round == w->committed.round; i++) {
            if (batch_read(log[i]->bytes, &b) == BATCH_VALID && batch_end(&b) > p->value)
                check_forgotten(w, replica, log[i], &b);
        }
    }
    if (p->type != SHARD_PERSIST_APPEND || batch_read(bytes, &b) != BATCH_VALID)
        return;
    for (uint32_t r = 0; r < w->options.replicas; r++) {
        uint32_t count = world_log(&w->replicas[r], log, &round);
        for (uint32_t i = 0; i < count; i++) {
            if (round != b.round || batch_read(log[i]->bytes, &other) != BATCH_VALID)
                continue;
            if (other.epoch == b.epoch && other.first == b.first &&
                !hash_eq(&other.chain, &b.chain))
                world_violate(w, "epoch %" PRIu64 " has two histories", b.epoch);
        }
    }
}

/* ---- what voters are told ---- */

/* What was committed, as far as a replica can know: to one that has not read of a loss what it was
 * before. */
static const struct committed *history_of(const struct world *w, const struct replica *r)
{
    struct shard_status s = shard_status(r->shard);
    uint64_t known = s.epoch;
    if (r->disk.seen_round == w->committed.round && r->disk.seen_epoch > known)
        known = r->disk.seen_epoch;
    for (uint32_t i = 0; i < w->lost_count; i++) {
        if (w->lost[i].given_up_by > known)
            return &w->lost[i];
    }
    return &w->committed;
}

static bool is_record_of(const struct committed *c, uint64_t index, const struct vote *v)
{
    return index < c->count && c->records[index].voter == v->voter &&
           c->records[index].request == v->request && c->records[index].candidate == v->candidate;
}

static void check_receipt(struct world *w, uint32_t replica, struct vote *v,
                          const struct receipt *r)
{
    const struct committed *c = history_of(w, &w->replicas[replica]);
    if (r->round != v->round && r->round != c->round)
        world_violate(w, "a receipt of another round");
    if (r->round != c->round) {
        v->told_committed = true;
        v->index = r->index;
        return;
    }
    if (r->index >= c->count) {
        world_violate(w, "I3: voter %u is told that %" PRIu64 " is committed, and it is not",
                      v->voter, r->index);
        return;
    }
    if (!is_record_of(c, r->index, v))
        world_violate(w, "I3: the receipt of voter %u is for somebody else's record", v->voter);
    if (!is_record_of(&w->committed, r->index, v)) {
        v->lost = true; /* by a loss that the replica has not read of */
        return;
    }
    v->told_committed = true;
    v->index = r->index;
    if (v->told_closed)
        world_violate(w, "voter %u is told both", v->voter);
}

static void check_closed(struct world *w, struct vote *v)
{
    const struct committed *c = &w->committed;
    v->told_closed = true;
    if (v->told_committed)
        world_violate(w, "voter %u is told both", v->voter);
    for (uint32_t i = 0; i < c->count && c->round == v->round; i++) {
        if (c->records[i].voter == v->voter && c->records[i].request == v->request)
            world_violate(w, "voter %u is told that a vote does not count that does", v->voter);
    }
}

void check_answer(struct world *w, uint32_t replica, const struct answer *a)
{
    struct vote *v = &w->votes[a->client - 1];
    w->answers++;
    w->last_answer = *a;
    switch (a->type) {
    case ANSWER_COMMITTED:
    case ANSWER_DUPLICATE:
        check_receipt(w, replica, v, &a->receipt);
        return;
    case ANSWER_CLOSED:
        if (a->receipt.round == v->round)
            check_closed(w, v);
        return;
    case ANSWER_NO_VOTER:
    case ANSWER_NO_CANDIDATE:
    case ANSWER_CONFLICT:
    case ANSWER_REVISION:
    case ANSWER_TOO_MANY:
        v->settled = true;
        return;
    case ANSWER_NOT_STARTED:
    case ANSWER_CLOSING:
    case ANSWER_BUSY:
    case ANSWER_NOT_LEADER:
    case ANSWER_UNAVAILABLE:
    case ANSWER_UNKNOWN_RETRY:
        return;
    case ANSWER_ROUND_OVER:
    case ANSWER_TYPE_END:
        world_violate(w, "a ballot of any round is told that its round is over");
        return;
    }
}

/* ---- after each action ---- */

/* I4, I9: nobody shows what is not committed, and all show the same. */
static void check_count(struct world *w, uint32_t a)
{
    struct replica *r = &w->replicas[a];
    struct shard_status s = shard_status(r->shard);
    const struct committed *c = history_of(w, r);
    r->was_round = s.round;
    r->was_committed = s.committed;
    if (s.round != c->round || s.superseded_by != 0)
        return;
    if (s.counted > c->count || s.committed > c->count) {
        world_violate(w, "I4: replica %u counts %" PRIu64 " records, committed are %u", a,
                      s.counted, c->count);
        return;
    }
    if (s.counted == r->was_counted)
        return;
    r->was_counted = s.counted;
    struct tally want;
    fold(c, s.counted, &want);
    if (!tally_eq(&want, s.tally))
        world_violate(w, "I9: replica %u has another tally at %" PRIu64, a, s.counted);
}

void check_world(struct world *w)
{
    check_copies(w);
    for (uint32_t i = 0; i < w->options.replicas; i++) {
        if (w->replicas[i].up)
            check_count(w, i);
    }
}

/* ---- when all is well again ---- */

/* A recount from what is on the disk gives what Commit says. */
static void check_recount(struct world *w, uint32_t a)
{
    const struct disk *d = &w->replicas[a].disk;
    const struct commit *c = &w->coord.commit;
    struct voters roll = {0};
    for (uint32_t i = 0; i < w->options.voters; i++) {
        struct pseudonym p = world_pseudonym(i);
        voters_add(&roll, &p, (uint8_t)(i % 2), 0);
    }
    voters_sort(&roll);
    voters_reset(&roll);
    struct log_heading h = {.round = d->round, .state = "NY", .roll = voters_hash(&roll)};
    struct recount r;
    struct err err = {""};
    recount_init(&r, &h, &roll, WORLD_CANDIDATES, 2);
    for (uint32_t i = 0; i < d->batch_count && d->ends[i] <= c->index; i++) {
        struct batch b;
        if (batch_read(d->batches[i]->bytes, &b) != BATCH_VALID || recount_batch(&r, &b, &err) < 0)
            world_violate(w, "recount of replica %u: %s", a, err.text);
    }
    struct hash root = merkle_root(&r.count.tree);
    if (r.count.tree.size != c->index || !hash_eq(&r.chain, &c->chain) ||
        !hash_eq(&root, &c->root) || !tally_eq(&r.count.tally, &c->tally))
        world_violate(w, "a recount of replica %u is not what Commit says", a);
    voters_deinit(&roll);
}

void check_settled(struct world *w)
{
    const struct coord *c = &w->coord;
    uint32_t leaders = 0;
    /* A round that is over cannot be mended, and need not be. */
    if (c->global.phase == PHASE_CLOSED && world_out_of_reach(w))
        return;
    for (uint32_t i = 0; i < w->options.replicas; i++) {
        if (!w->replicas[i].up)
            continue;
        struct shard_status s = shard_status(w->replicas[i].shard);
        leaders += s.leading;
        if (s.superseded_by != 0)
            world_violate(w, "replica %u is superseded and does not go on", i);
        if (c->commit.round == c->global.round &&
            (s.round != c->commit.round || s.counted != c->commit.index))
            world_violate(w,
                          "replica %u does not catch up: it has %" PRIu64 ", counts %" PRIu64
                          " of %" PRIu64 " in round %" PRIu64,
                          i, s.last, s.counted, c->commit.index, s.round);
        if (s.round == c->commit.round)
            check_recount(w, i);
    }
    bool open = c->global.phase == PHASE_OPEN || c->global.phase == PHASE_CLOSING;
    if (leaders != (open ? 1 : 0))
        world_violate(w, "%u leaders when all is well", leaders);
    if (c->global.phase == PHASE_CLOSING && !c->commit.sealed)
        world_violate(w, "the state does not finish");
    if (c->global.phase == PHASE_CLOSED && !c->has_seal)
        world_violate(w, "the round is not sealed");
}
