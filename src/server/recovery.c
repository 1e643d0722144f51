#include "server/recovery.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "io/loop.h"
#include "server/log.h"
#include "tree/apply.h"
#include "wire/zk.h"

enum {
    NS_PER_MS = 1000000,
    PROGRESS_EVERY = 1024, /* items between two looks at the clock */
    SNAPSHOT_SLICE_BYTES = 64 * 1024,
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

/* What one recovery collects. Sessions are a map from id to timeout, in the pointer itself. */
struct state {
    const struct tree_options *options;
    struct tree *tree;
    struct snapshot_loader *loader;
    int64_t zxid; /* of the snapshot: from its name, or, for a file without one, from its tail */
    bool zxid_from_tail;
    struct map sessions;
    struct tree_effects fx;
    uint64_t digest_mismatches;
    int64_t started_ns, snapshot_done_ns;
    int64_t told_ns;
    uint64_t txns;
    struct recent recent;
};

static void *pack_timeout(int32_t timeout_ms)
{
    return (void *)(uintptr_t)((uint64_t)(uint32_t)timeout_ms | 1ULL << 32); /* never NULL */
}

static int32_t unpack_timeout(const void *value)
{
    return (int32_t)(uint32_t)(uintptr_t)value;
}

static void state_init(struct state *s, const struct tree_options *options)
{
    *s = (struct state){.options = options};
    s->tree = tree_create(options);
    s->started_ns = s->told_ns = loop_clock_ns();
    map_init(&s->sessions, options->hash_seed);
}

static void state_deinit(struct state *s)
{
    if (s->loader != NULL)
        snapshot_loader_free(s->loader);
    tree_free(s->tree);
    map_deinit(&s->sessions);
    buf_deinit(&s->recent.bytes);
    free(s->recent.offsets);
    tree_effects_deinit(&s->fx);
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
    log_hex(&l, "zxid", tree_last_zxid(s->tree));
    log_int(&l, "znodes", (int64_t)tree_node_count(s->tree));
    log_int(&l, "txns", (int64_t)s->txns);
    log_int(&l, "elapsed_ms", (now - s->started_ns) / NS_PER_MS);
    log_end(&l);
}

/* ---- the snapshot ---- */

static int on_snapshot_begin(void *arg, int64_t zxid, struct err *err)
{
    struct state *s = arg;
    (void)err;
    if (s->loader != NULL)
        snapshot_loader_free(s->loader);
    tree_free(s->tree);
    s->tree = tree_create(s->options);
    s->loader = snapshot_loader_create(s->tree);
    s->zxid = zxid;
    return 0;
}

static int on_snapshot_bytes(void *arg, struct slice chunk, size_t *ret_used, bool *ret_done,
                             struct err *err)
{
    struct state *s = arg;
    tell_progress(s, "snapshot");
    return snapshot_loader_feed(s->loader, chunk, ret_used, ret_done, err);
}

static void tell_digest_mismatch(struct state *s, int64_t zxid)
{
    if (s->digest_mismatches++ > 0)
        return; /* every later one follows from the first */
    struct log_line l;
    log_begin(&l, LOG_ERROR, "digest_mismatch");
    log_hex(&l, "zxid", zxid);
    log_hex(&l, "digest", (int64_t)tree_digest(s->tree));
    log_end(&l);
}

/* The file is whole: its sessions count, its digest will be compared when its zxid is reached. */
static void on_snapshot_end(void *arg, const struct snap_tail *tail)
{
    struct state *s = arg;
    const struct snapshot_session *list;
    size_t count = snapshot_loader_sessions(s->loader, &list);
    for (size_t i = 0; i < count; i++)
        map_put(&s->sessions, (uint64_t)list[i].id, pack_timeout(list[i].timeout_ms));
    snapshot_loader_free(s->loader);
    s->loader = NULL;

    if (s->zxid_from_tail)
        s->zxid = tail->has_last_zxid ? tail->last_zxid : tail->digest_zxid;
    tree_set_last_zxid(s->tree, s->zxid);
    struct tree_digest_entry expected = {tail->digest_zxid, tail->digest_version, tail->digest};
    if (tail->has_digest && !tree_expect_digest(s->tree, &expected))
        tell_digest_mismatch(s, s->zxid);
    tree_setup_quota(s->tree);
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

    struct txn_entry e;
    int rc = txn_split(bytes, &e);
    if (rc == 0)
        rc = tree_apply(s->tree, &e.hdr, e.body, e.has_digest ? &e.digest : NULL, &s->fx);
    if (rc < 0)
        return err_set(err, rc, "transaction %" PRIx64 " of type %d (%zu bytes) cannot be decoded",
                       (uint64_t)zxid, (int)e.hdr.type, bytes.len);
    if (s->fx.digest_mismatch)
        tell_digest_mismatch(s, zxid);
    remember(&s->recent, zxid, bytes);

    if (e.hdr.type == ZK_OP_CREATE_SESSION) {
        struct rec_create_session_txn txn;
        struct dec d = dec_of(e.body);
        if (!rec_get_create_session_txn(&d, &txn))
            return err_set(err, ERR_CORRUPT, "transaction %" PRIx64 ": session without a timeout",
                           (uint64_t)zxid);
        map_put(&s->sessions, (uint64_t)e.hdr.client_id, pack_timeout(txn.time_out));
    } else if (e.hdr.type == ZK_OP_CLOSE_SESSION) {
        map_remove(&s->sessions, (uint64_t)e.hdr.client_id);
    }
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

static void take_sessions(struct state *s, struct recovery *ret)
{
    ret->sessions = mem_alloc(s->sessions.count * sizeof *ret->sessions);
    for (size_t i = 0; i < s->sessions.cap; i++) {
        const struct map_slot *slot = &s->sessions.slots[i];
        if (slot->value != NULL)
            ret->sessions[ret->session_count++] =
                (struct snapshot_session){(int64_t)slot->key, unpack_timeout(slot->value)};
    }
}

static void take_result(struct state *s, struct recovery *ret)
{
    int64_t now = loop_clock_ns();
    if (s->snapshot_done_ns == 0)
        s->snapshot_done_ns = s->started_ns;
    ret->tree = s->tree;
    ret->digest_mismatches = s->digest_mismatches;
    ret->snapshot_ms = (s->snapshot_done_ns - s->started_ns) / NS_PER_MS;
    ret->txns_ms = (now - s->snapshot_done_ns) / NS_PER_MS;
    take_sessions(s, ret);
    take_recent(&s->recent, ret);
    s->tree = NULL;
}

int recovery_write_snapshot(struct files *fs, const char *dir, struct tree *tree,
                            const struct snapshot_session *sessions, size_t session_count,
                            const struct snapfile_options *options, struct err *err)
{
    struct snapfile *file = NULL;
    int rc = snapfile_create(fs, dir, tree_last_zxid(tree), options, &file, err);
    if (rc < 0)
        return rc;

    struct buf body = {0};
    snapshot_begin(tree, sessions, session_count, &body);
    uint64_t digest = snapshot_digest(tree);
    for (bool done = false; !done && rc == 0;) {
        done = snapshot_slice(tree, SNAPSHOT_SLICE_BYTES, &body);
        rc = snapfile_write(file, buf_slice(&body), err);
        buf_clear(&body);
    }
    buf_deinit(&body);
    int64_t bytes;
    if (rc == 0)
        return snapfile_publish(file, digest, &bytes, err);
    if (snapshot_active(tree))
        snapshot_abort(tree);
    snapfile_discard(file);
    return rc;
}

/* snapshot.0, so that a later start can tell a new database from a lost one. */
static int write_first_snapshot(struct files *fs, const char *data_dir, struct tree *tree,
                                const struct snapfile_options *options, struct err *err)
{
    char dir[FILE_PATH_MAX];
    int rc = file_path(dir, data_dir, NAME_VERSION_DIR, err);
    return rc == 0 ? recovery_write_snapshot(fs, dir, tree, NULL, 0, options, err) : rc;
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
        tree_set_last_zxid(s.tree, -1);
    if (rc == 0 && ret->files.empty && !ret->files.untrusted)
        rc = write_first_snapshot(fs, options->files.snap_dir, s.tree, &options->snapshot, err);
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
    s.zxid_from_tail = true;
    struct snap_sink sink = snapshot_sink(&s);
    struct snap_tail tail;
    int rc = snapfile_load(fs, path, 0, &sink, &tail, err);
    if (rc == 0) {
        ret->files.snapshot_zxid = ret->files.last_zxid = s.zxid;
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
