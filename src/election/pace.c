/* pace.c: for how long the votes of a state are collected into a batch.
 *
 * Each batch costs a write of Commit, and what is shared among its votes. All states of the nation
 * at the full gap (`commit_gap_ms`) are what an ensemble on the same machine can take: 51 in 20 ms,
 * 2,550 writes a second. While only some of them take votes, each may write more often for the
 * same: down to half of the gap, below which the disks set the pace. */
#include "election/service_internal.h"

enum {
    LOOK_MS = 100,
    STATES_AT_FULL_GAP = 50,
};

int64_t pace_full_gap_ns(const struct service *s)
{
    int64_t ms = s->options.commit_gap_ms > 0 ? s->options.commit_gap_ms : 20;
    return ms * 1000000;
}

int64_t pace_gap_ns(int64_t full_gap_ns, uint32_t busy)
{
    int64_t gap_ns = full_gap_ns * busy / STATES_AT_FULL_GAP;
    if (gap_ns < full_gap_ns / 2)
        return full_gap_ns / 2;
    return gap_ns < full_gap_ns ? gap_ns : full_gap_ns;
}

void pace_init(struct service *s)
{
    s->pace.gap_ns = pace_gap_ns(pace_full_gap_ns(s), 0);
}

/* Batches set the pace: once enough have one on disk nothing more is waited for, unless batches are
 * full before their time. */
void pace_tell(struct replica *r)
{
    int64_t gap_ns = r->service->pace.gap_ns;
    shard_set_pace(r->shard, gap_ns, gap_ns / 2);
}

/* States whose Commit went on since the last look. */
static uint32_t count_busy(struct service *s)
{
    uint32_t busy = 0;
    for (uint32_t i = 0; i < s->definition->info.state_count; i++) {
        uint64_t index = coordination_state(s->coordination, (int)i)->commit.index;
        busy += index != s->pace.seen[i];
        s->pace.seen[i] = index;
    }
    return busy;
}

/* Nothing waits for it, so it needs no deadline: who takes votes has many turns. */
void pace_turn(struct service *s)
{
    int64_t now_ns = service_now_ns(s);
    if (s->coordination == NULL || now_ns < s->pace.at_ns)
        return;
    s->pace.at_ns = now_ns + (int64_t)LOOK_MS * 1000000;
    int64_t gap_ns = pace_gap_ns(pace_full_gap_ns(s), count_busy(s));
    if (gap_ns == s->pace.gap_ns)
        return;
    s->pace.gap_ns = gap_ns;
    for (uint32_t i = 0; i < s->definition->info.state_count; i++) {
        if (s->replicas[i] != NULL && s->replicas[i]->shard != NULL)
            pace_tell(s->replicas[i]);
    }
}
