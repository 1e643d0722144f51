#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "vote/shard_internal.h"

void log_init(struct shard_log *l, uint64_t round, const struct hash *genesis)
{
    memset(l, 0, sizeof *l);
    l->round = round;
    l->base.chain = *genesis;
}

static void free_entries(struct shard_log *l, size_t from)
{
    for (size_t i = from; i < l->count; i++) {
        if (l->entries[i].bytes != NULL)
            l->bytes -= l->entries[i].len;
        free(l->entries[i].bytes);
    }
    l->count = from;
    if (l->bare > from)
        l->bare = from;
}

void log_deinit(struct shard_log *l)
{
    free_entries(l, 0);
    free(l->entries);
    memset(l, 0, sizeof *l);
}

const struct shard_mark *log_tip(const struct shard_log *l)
{
    return l->count > 0 ? &l->entries[l->count - 1].mark : &l->base;
}

/* The first entry that ends behind `index`, or count. */
size_t log_entry_of(const struct shard_log *l, uint64_t index)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (l->entries[mid].mark.end > index)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

size_t log_entry_at(const struct shard_log *l, uint64_t index)
{
    size_t i = log_entry_of(l, index);
    return i < l->count && l->entries[i].first == index ? i : l->count;
}

const struct shard_mark *log_mark(const struct shard_log *l, uint64_t index)
{
    if (index == l->base.end)
        return &l->base;
    size_t i = index > 0 ? log_entry_of(l, index - 1) : l->count;
    return i < l->count && l->entries[i].mark.end == index ? &l->entries[i].mark : NULL;
}

static void add_entry(struct shard_log *l, const struct entry *e)
{
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->entries = mem_realloc(l->entries, l->cap * sizeof *l->entries);
    }
    l->entries[l->count++] = *e;
}

void log_append(struct shard *s, struct shard_effects *fx, const struct batch *b)
{
    struct shard_log *l = &s->log;
    invariant(b->round == l->round && b->first == log_tip(l)->end);
    invariant(hash_eq(&b->before, &log_tip(l)->chain));
    invariant(b->epoch >= log_tip(l)->epoch);

    struct entry e = {
        .mark = {batch_end(b), b->epoch, b->chain},
        .first = b->first,
        .ticket = shard_persist(s, fx, SHARD_PERSIST_APPEND, b->first, b->bytes),
        .bytes = mem_dup(b->bytes.ptr, b->bytes.len),
        .len = b->bytes.len,
    };
    add_entry(l, &e);
    l->bytes += e.len;
}

void log_truncate(struct shard *s, struct shard_effects *fx, uint64_t index)
{
    /* I6: what Commit is known to name stays. */
    invariant(index >= s->committed || shard_fault(s, SHARD_FAULT_CUT_ON_READ));
    size_t i = log_entry_at(&s->log, index);
    if (i == s->log.count)
        return;
    free_entries(&s->log, i);
    if (s->fetched > index)
        s->fetched = index;
    shard_persist(s, fx, SHARD_PERSIST_TRUNCATE, index, slice_str(""));
}

bool log_can_go_back(const struct shard_log *l, const struct loss *loss)
{
    const struct shard_mark *mark = log_mark(l, loss->to);
    return loss->to < l->base.end || (mark != NULL && hash_eq(&mark->chain, &loss->chain));
}

void log_go_back(struct shard *s, struct shard_effects *fx, const struct loss *loss)
{
    struct shard_log *l = &s->log;
    invariant(log_can_go_back(l, loss));
    free_entries(l, log_entry_of(l, loss->to));
    if (loss->to < l->base.end) { /* not remembered; the file has it */
        l->base = (struct shard_mark){.end = loss->to, .chain = loss->chain};
        l->base_batches = loss->batches;
    }
    shard_persist(s, fx, SHARD_PERSIST_TRUNCATE, loss->to, slice_str(""));
}

uint64_t log_batches(const struct shard_log *l, uint64_t index)
{
    return l->base_batches + (index > l->base.end ? log_entry_of(l, index - 1) + 1 : 0);
}

static struct log_heading heading_of(const struct shard *s, uint64_t round)
{
    struct log_heading h = {.round = round, .config = s->options.config, .roll = s->roll_hash};
    memcpy(h.state, s->options.state, sizeof h.state);
    return h;
}

struct hash log_genesis_of(const struct shard *s, uint64_t round)
{
    struct log_heading h = heading_of(s, round);
    return log_genesis(&h);
}

void log_begin_round(struct shard *s, struct shard_effects *fx, uint64_t round)
{
    struct log_heading h = heading_of(s, round);
    struct hash genesis = log_genesis(&h);
    uint8_t bytes[LOG_HEADING_BYTES];
    log_heading_encode(&h, bytes);
    log_deinit(&s->log);
    log_init(&s->log, round, &genesis);
    shard_persist(s, fx, SHARD_PERSIST_ROUND, round, slice_of(bytes, sizeof bytes));
    s->committed = s->fetched = 0;
    count_reset(s);
}

uint64_t log_durable(const struct shard *s)
{
    size_t i = s->log.count;
    while (i > 0 && s->log.entries[i - 1].ticket > s->ticket_durable)
        i--;
    return i > 0 ? s->log.entries[i - 1].mark.end : s->log.base.end;
}

static size_t place_in_batch(uint64_t index, uint64_t first)
{
    return BATCH_HEADING_BYTES + (size_t)(index - first) * RECORD_BYTES;
}

struct slice log_run(const struct shard *s, uint64_t index)
{
    const struct shard_log *l = &s->log;
    uint64_t end = log_tip(l)->end;
    if (index >= end) {
        size_t at = place_in_batch(index, end);
        invariant(at + RECORD_BYTES <= s->open.len);
        return slice_from(buf_slice(&s->open), at);
    }
    if (index < l->base.end)
        return slice_of(NULL, 0);
    const struct entry *e = &l->entries[log_entry_of(l, index)];
    if (e->bytes == NULL)
        return slice_of(NULL, 0);
    return slice_from(slice_of(e->bytes, e->len - SHA256_BYTES), place_in_batch(index, e->first));
}

bool log_record(struct shard *s, uint64_t index, uint8_t ret[RECORD_BYTES])
{
    struct slice run = log_run(s, index);
    if (run.len > 0) {
        memcpy(ret, run.ptr, RECORD_BYTES);
        return true;
    }
    if (!s->options.read(s->options.arg, index, ret)) {
        shard_fail(s, "a record of the log cannot be read");
        return false;
    }
    return true;
}

/* The oldest first, and nothing that is not on disk. What a leader has not seen committed others
 * may still lack. */
static void forget_bytes(struct shard *s)
{
    struct shard_log *l = &s->log;
    while (l->bytes > s->options.bounds.bytes && l->bare < l->count) {
        struct entry *e = &l->entries[l->bare];
        if (e->ticket > s->ticket_durable || (s->leading && e->mark.end > s->committed))
            return;
        l->bytes -= e->len;
        free(e->bytes);
        e->bytes = NULL;
        l->bare++;
    }
}

void log_forget(struct shard *s)
{
    struct shard_log *l = &s->log;
    size_t kept = s->options.bounds.entries;
    forget_bytes(s);
    if (l->count < 2 * kept)
        return;
    size_t gone = 0;
    while (gone + kept < l->count && l->entries[gone].mark.end <= s->count.tree.size &&
           l->entries[gone].ticket <= s->ticket_durable)
        gone++;
    if (gone < kept)
        return;
    l->base = l->entries[gone - 1].mark;
    l->base_batches += gone;
    for (size_t i = 0; i < gone; i++) {
        if (l->entries[i].bytes != NULL)
            l->bytes -= l->entries[i].len;
        free(l->entries[i].bytes);
    }
    l->count -= gone;
    l->bare = l->bare > gone ? l->bare - gone : 0;
    memmove(l->entries, l->entries + gone, l->count * sizeof *l->entries);
}
