/* snapshots.c: when a snapshot is taken, and its slices (SyncRequestProcessor.shouldSnapshot). */
#include <stdlib.h>

#include "base/mem.h"
#include "node/effects_internal.h"
#include "node/node_internal.h"

uint64_t node_random_below(struct node *n, uint64_t bound)
{
    n->prng ^= n->prng >> 12;
    n->prng ^= n->prng << 25;
    n->prng ^= n->prng >> 27;
    return bound ? (n->prng * 0x2545f4914f6cdd1dULL) % bound : 0;
}

/* Half of the limit and a random part of the other half, so that the servers of an ensemble do not
 * all take theirs at once. */
void snapshot_plan(struct node *n)
{
    uint64_t half = n->options.snap_count / 2;
    n->snapshot_after_txns = half + node_random_below(n, half);
    uint64_t half_bytes = n->options.snap_size_bytes / 2;
    n->snapshot_after_bytes = half_bytes + node_random_below(n, half_bytes);
    n->txns_since_snapshot = n->bytes_since_snapshot = 0;
}

struct snapshot_session *snapshot_sessions(struct node *n, size_t *ret_count)
{
    size_t all;
    struct session **sorted = session_sorted(n->sessions, &all);
    struct snapshot_session *list = mem_alloc(all * sizeof *list);
    size_t count = 0;
    for (size_t i = 0; i < all; i++) {
        if (sorted[i]->committed)
            list[count++] = (struct snapshot_session){sorted[i]->id, sorted[i]->timeout_ms};
    }
    free(sorted);
    *ret_count = count;
    return list;
}

static void begin(struct node *n, struct effects *fx)
{
    size_t count;
    struct snapshot_session *sessions = snapshot_sessions(n, &count);
    size_t at = fx->persist_bytes.len;
    snapshot_begin(n->tree, sessions, count, &fx->persist_bytes);
    free(sessions);

    n->snapshot_active = true;
    n->snapshot_wanted = false;
    n->snapshot_zxid = snapshot_zxid(n->tree);
    fx_persist(fx, (struct persist_effect){.type = PERSIST_SNAPSHOT_BEGIN,
                                           .zxid = snapshot_zxid(n->tree),
                                           .digest = snapshot_digest(n->tree),
                                           .at = at,
                                           .len = fx->persist_bytes.len - at});
    fx_trace(fx, (struct trace_effect){.type = TRACE_SNAPSHOT_BEGIN,
                                       .zxid = snapshot_zxid(n->tree),
                                       .value = (int64_t)tree_node_count(n->tree)});
}

/* About how large a snapshot would be: paths and data, and the fixed part of each node's record. */
static uint64_t snapshot_bytes_estimate(const struct node *n)
{
    enum {
        NODE_FIXED_BYTES = 76
    };
    return tree_approximate_data_bytes(n->tree) + NODE_FIXED_BYTES * tree_node_count(n->tree);
}

/* One automatic snapshot a second, and a few more in a burst. At half a million writes a second
 * snapCount is reached five times a second; each snapshot and each new log file holds up the log
 * for milliseconds, and what they save at the next start, the replay of less than a second's
 * writes, is less than a second. */
static bool snapshot_too_soon(struct node *n)
{
    static const int64_t GAP_NS = 1000000000;
    enum {
        BURST = 8
    };
    if (n->snapshot_paced_ns < n->now_ns)
        n->snapshot_paced_ns = n->now_ns;
    if (n->snapshot_paced_ns - n->now_ns >= BURST * GAP_NS)
        return true;
    n->snapshot_paced_ns += GAP_NS;
    return false;
}

/* One walk at a time, and that of a learner goes first: an ensemble waits for it. What a server
 * holds that does not serve may still have to be taken back. */
static bool may_begin(const struct node *n)
{
    if (n->snapshot_active)
        return false;
    const struct ensemble *e = n->ensemble;
    return e == NULL || (e->serving && !e->read_only && !e->walking && !e->walk_wanted);
}

/* Due by the count of transactions, but not before the log is half as large as a snapshot would be:
 * otherwise a large tree that is written to fast is written to disk over and over (filling a
 * million znodes wrote 1.2 GB of snapshots). Recovery stays short: it replays at most that much. A
 * limit that was set in bytes is kept to the letter. */
void snapshot_consider(struct node *n, size_t txn_bytes, struct effects *fx)
{
    enum {
        ENTRY_OVERHEAD_BYTES = 57
    }; /* frame, header and digest around a txn in the log */
    n->txns_since_snapshot++;
    n->bytes_since_snapshot += txn_bytes + ENTRY_OVERHEAD_BYTES;
    bool by_count = n->txns_since_snapshot > n->snapshot_after_txns &&
                    n->bytes_since_snapshot >= snapshot_bytes_estimate(n) / 2;
    bool by_bytes =
        n->options.snap_size_bytes > 0 && n->bytes_since_snapshot > n->snapshot_after_bytes;
    if (!by_bytes && (!by_count || snapshot_too_soon(n)))
        return;

    snapshot_plan(n);
    fx_persist(fx, (struct persist_effect){.type = PERSIST_ROLL});
    /* Too busy to take another while one is under way: the log still begins a new file. */
    if (may_begin(n))
        begin(n, fx);
}

void on_snapshot_request(struct node *n, struct effects *fx)
{
    if (!may_begin(n)) {
        n->snapshot_wanted = true;
        return;
    }
    snapshot_plan(n);
    fx_persist(fx, (struct persist_effect){.type = PERSIST_ROLL});
    begin(n, fx);
}

/* The tree is walked for a file, not for a learner. */
static bool walk_is_ours(const struct node *n)
{
    return snapshot_active(n->tree) && (n->ensemble == NULL || !n->ensemble->walking);
}

void on_snapshot_pull(struct node *n, size_t bytes_max, struct effects *fx)
{
    if (!n->snapshot_active || !walk_is_ours(n))
        return;
    int64_t zxid = snapshot_zxid(n->tree);
    uint64_t digest = snapshot_digest(n->tree);
    size_t at = fx->persist_bytes.len;
    bool done = snapshot_slice(n->tree, bytes_max, &fx->persist_bytes);
    fx_persist(fx,
               (struct persist_effect){.type = done ? PERSIST_SNAPSHOT_END : PERSIST_SNAPSHOT_CHUNK,
                                       .zxid = zxid,
                                       .digest = digest,
                                       .at = at,
                                       .len = fx->persist_bytes.len - at});
}

void snapshot_give_up(struct node *n, struct effects *fx)
{
    if (n->snapshot_active)
        fx_persist(fx, (struct persist_effect){.type = PERSIST_SNAPSHOT_ABORT});
    if (walk_is_ours(n))
        snapshot_abort(n->tree);
    n->snapshot_active = n->snapshot_wanted = false;
}

void snapshot_catch_up(struct node *n, struct effects *fx)
{
    if (n->snapshot_wanted && may_begin(n))
        on_snapshot_request(n, fx);
}

void on_snapshot_done(struct node *n, const struct node_event *ev, struct effects *fx)
{
    if (!n->snapshot_active || ev->snapshot_done.zxid != n->snapshot_zxid)
        return; /* of a state that was replaced meanwhile */
    if (walk_is_ours(n))
        snapshot_abort(n->tree);
    n->snapshot_active = false;
    fx_trace(fx, (struct trace_effect){.type = ev->snapshot_done.failed ? TRACE_SNAPSHOT_FAILED
                                                                        : TRACE_SNAPSHOT_DONE,
                                       .zxid = ev->snapshot_done.zxid});
    snapshot_catch_up(n, fx);
}
