#include "server/recovery.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "datadir/state.h"
#include "io/log.h"
#include "io/loop.h"

enum {
    NS_PER_MS = 1000000,
    PROGRESS_EVERY = 1024, /* items between two looks at the clock */
    RECENT_BYTES_MAX = 64 << 20,
};

/* The newest transactions. Twice as many as wanted, then the older half goes: each is moved once.
 */
struct recent {
    size_t count_max;
    struct buf bytes;
    size_t *offsets; /* of entries, ascending */
    size_t count, cap;
    int64_t last_zxid;
};

/* What one recovery collects. */
struct state {
    struct datadir_state data;
    int64_t started_ns, snapshot_done_ns;
    int64_t told_ns;
    uint64_t txns;
    struct recent recent;
};

static void state_init(struct state *s, const struct tree_options *options)
{
    *s = (struct state){0};
    datadir_state_init(&s->data, options);
    s->started_ns = s->told_ns = loop_clock_ns();
}

static void state_deinit(struct state *s)
{
    datadir_state_deinit(&s->data);
    buf_deinit(&s->recent.bytes);
    free(s->recent.offsets);
}

/* A line per second while a long load goes on. */
static void tell_progress(struct state *s, const char *what)
{
    int64_t now = loop_clock_ns();
    if (now - s->told_ns < 1000000000)
        return;
    s->told_ns = now;
    struct log_line l;
    log_begin(&l, LOG_INFO, "loading");
    log_text(&l, "from", what);
    log_hex(&l, "zxid", tree_last_zxid(s->data.tree));
    log_int(&l, "znodes", (int64_t)tree_node_count(s->data.tree));
    log_int(&l, "txns", (int64_t)s->txns);
    log_int(&l, "elapsed_ms", (now - s->started_ns) / NS_PER_MS);
    log_end(&l);
}

/* The first that differs: every later one follows from it. */
static void tell_digest_mismatch(const struct state *s)
{
    struct log_line l;
    log_begin(&l, LOG_ERROR, "digest_mismatch");
    log_hex(&l, "zxid", s->data.mismatch_zxid);
    log_hex(&l, "digest", (int64_t)s->data.mismatch_digest);
    log_end(&l);
}

/* ---- the snapshot ---- */

static int on_snapshot_begin(void *arg, int64_t zxid, struct err *err)
{
    struct state *s = arg;
    return datadir_state_begin(&s->data, zxid, err);
}

static int on_snapshot_bytes(void *arg, struct slice chunk, size_t *ret_used, bool *ret_done,
                             struct err *err)
{
    struct state *s = arg;
    tell_progress(s, "snapshot");
    return datadir_state_feed(&s->data, chunk, ret_used, ret_done, err);
}

static void on_snapshot_end(void *arg, const struct snap_tail *tail)
{
    struct state *s = arg;
    bool told = s->data.digest_mismatches > 0;
    datadir_state_end(&s->data, tail);
    if (s->data.digest_mismatches > 0 && !told)
        tell_digest_mismatch(s);
    s->snapshot_done_ns = loop_clock_ns();
}

static struct snap_sink snapshot_sink(struct state *s)
{
    return (struct snap_sink){
        .arg = s,
        .begin = on_snapshot_begin,
        .feed = on_snapshot_bytes,
        .end = on_snapshot_end,
    };
}

/* ---- the transactions after it ---- */

static void forget_recent(struct recent *r)
{
    buf_clear(&r->bytes);
    r->count = 0;
}

static void forget_older(struct recent *r)
{
    size_t gone = r->count - r->count_max;
    size_t from = r->offsets[gone];
    memmove(r->bytes.ptr, r->bytes.ptr + from, r->bytes.len - from);
    r->bytes.len -= from;
    r->count = r->count_max;
    for (size_t i = 0; i < r->count; i++)
        r->offsets[i] = r->offsets[gone + i] - from;
}

static void remember(struct recent *r, int64_t zxid, struct slice entry)
{
    if (r->count_max == 0)
        return;
    bool next = zxid == r->last_zxid + 1 || (uint32_t)zxid == 1; /* or a new epoch */
    if (!next || r->bytes.len > RECENT_BYTES_MAX)
        forget_recent(r);
    if (r->count == r->cap) {
        r->cap = r->cap > 0 ? r->cap * 2 : 64;
        r->offsets = mem_realloc(r->offsets, r->cap * sizeof *r->offsets);
    }
    r->offsets[r->count++] = r->bytes.len;
    buf_put_i32(&r->bytes, (int32_t)entry.len);
    buf_put_slice(&r->bytes, entry);
    r->last_zxid = zxid;
    if (r->count == 2 * r->count_max)
        forget_older(r);
}

static void take_recent(struct recent *r, struct recovery *ret)
{
    if (r->count > r->count_max)
        forget_older(r);
    ret->recent = r->bytes;
    r->bytes = (struct buf){0};
}

static int on_txn(void *arg, int64_t zxid, struct slice bytes, struct err *err)
{
    struct state *s = arg;
    if (s->txns++ % PROGRESS_EVERY == 0)
        tell_progress(s, "log");

    bool told = s->data.digest_mismatches > 0;
    int rc = datadir_state_apply(&s->data, zxid, bytes, err);
    if (rc < 0)
        return rc;
    if (s->data.digest_mismatches > 0 && !told)
        tell_digest_mismatch(s);
    remember(&s->recent, zxid, bytes);
    return 0;
}

/* ---- the result ---- */

static void tell_findings(const struct recover_result *r)
{
    struct log_line l;
    if (r->snapshots_refused > 0) {
        log_begin(&l, LOG_WARN, "snapshot_refused");
        log_int(&l, "count", r->snapshots_refused);
        log_text(&l, "reason", r->snapshot_err.text);
        log_end(&l);
    }
    if (r->cut) {
        log_begin(&l, LOG_WARN, "torn_tail_cut");
        log_hex(&l, "log", r->cut_file_zxid);
        log_int(&l, "offset", r->cut_offset);
        log_int(&l, "bytes", r->cut_bytes);
        log_end(&l);
    }
    if (r->gap_count > 0) {
        log_begin(&l, LOG_WARN, "zxid_gap");
        log_int(&l, "count", (int64_t)r->gap_count);
        log_hex(&l, "after", r->gap_after_zxid);
        log_end(&l);
    }
    if (r->repeat_count > 0) {
        log_begin(&l, LOG_WARN, "txns_repeated");
        log_int(&l, "count", (int64_t)r->repeat_count);
        log_end(&l);
    }
    if (r->untrusted) {
        log_begin(&l, LOG_WARN, "empty_database");
        log_text(&l, "reason", "db.autocreate=false and no file 'initialize': data may be missing");
        log_end(&l);
    }
}

static void take_result(struct state *s, struct recovery *ret)
{
    int64_t now = loop_clock_ns();
    if (s->snapshot_done_ns == 0)
        s->snapshot_done_ns = s->started_ns;
    ret->tree = s->data.tree;
    ret->digest_mismatches = s->data.digest_mismatches;
    ret->snapshot_ms = (s->snapshot_done_ns - s->started_ns) / NS_PER_MS;
    ret->txns_ms = (now - s->snapshot_done_ns) / NS_PER_MS;
    ret->session_count = datadir_state_sessions(&s->data, &ret->sessions);
    take_recent(&s->recent, ret);
    s->data.tree = NULL;
}

/* snapshot.0, so that a later start can tell a new database from a lost one. */
static int write_first_snapshot(struct files *fs, const char *data_dir, struct tree *tree,
                                const struct snapfile_options *options, struct err *err)
{
    char dir[FILE_PATH_MAX];
    int rc = file_path(dir, data_dir, NAME_VERSION_DIR, err);
    return rc == 0 ? datadir_write_snapshot(fs, dir, tree, NULL, 0, options, err) : rc;
}

int recovery_run(struct files *fs, const struct recovery_options *options, struct recovery *ret,
                 struct err *err)
{
    *ret = (struct recovery){0};
    struct state s;
    state_init(&s, &options->tree);
    s.recent.count_max = options->recent_count;
    struct recover_sink sink = {.snapshot = snapshot_sink(&s), .txn = on_txn, .arg = &s};
    int rc = recover(fs, &options->files, &sink, &ret->files, err);
    if (rc == 0 && ret->files.untrusted)
        tree_set_last_zxid(s.data.tree, -1);
    if (rc == 0 && ret->files.empty && !ret->files.untrusted)
        rc =
            write_first_snapshot(fs, options->files.snap_dir, s.data.tree, &options->snapshot, err);
    if (rc == 0) {
        tell_findings(&ret->files);
        take_result(&s, ret);
    }
    state_deinit(&s);
    return rc;
}

int recovery_load_snapshot(struct files *fs, const char *path, const struct tree_options *options,
                           struct recovery *ret, struct err *err)
{
    *ret = (struct recovery){0};
    struct state s;
    state_init(&s, options);
    s.data.zxid_from_tail = true;
    struct snap_sink sink = snapshot_sink(&s);
    struct snap_tail tail;
    int rc = snapfile_load(fs, path, 0, &sink, &tail, err);
    if (rc == 0) {
        ret->files.snapshot_zxid = ret->files.last_zxid = s.data.zxid;
        take_result(&s, ret);
    }
    state_deinit(&s);
    return rc;
}

void recovery_deinit(struct recovery *r)
{
    free(r->sessions);
    buf_deinit(&r->recent);
    tree_free(r->tree);
    *r = (struct recovery){0};
}
