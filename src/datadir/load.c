/* load.c: a state, from one snapshot or from a whole folder. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "datadir/look.h"
#include "datadir/readonly.h"
#include "datadir/state.h"
#include "io/names.h"
#include "io/recover.h"

static struct datadir_state *state_new(void)
{
    /* TTLs are shown wherever they may be: on a server without them no session has such an id. */
    struct tree_options options = {.digest_enabled = true, .extended_types_enabled = true};
    if (getrandom(&options.hash_seed, sizeof options.hash_seed, 0) !=
        sizeof options.hash_seed) /* an unseeded table is slower under attack, no more */
        options.hash_seed = 1;
    struct datadir_state *s = mem_alloc(sizeof *s);
    datadir_state_init(s, &options);
    return s;
}

void datadir_free(struct datadir_state *s)
{
    if (s == NULL)
        return;
    datadir_state_deinit(s);
    free(s);
}

static void match(const struct datadir_state *s, bool any_digest, struct datadir_found *ret)
{
    ret->match_zxid = ret->zxid;
    if (s->digest_mismatches > 0) {
        ret->match = DATADIR_DIFFERS;
        ret->match_zxid = s->mismatch_zxid;
    } else if (s->tail.has_digest && s->tail.digest_zxid > ret->zxid) {
        ret->match = DATADIR_LATER;
        ret->match_zxid = s->tail.digest_zxid;
    } else {
        ret->match = any_digest ? DATADIR_SAME : DATADIR_NO_DIGEST;
    }
}

static void describe(const struct datadir_state *s, bool any_digest, struct datadir_found *ret)
{
    ret->zxid = tree_last_zxid(s->tree);
    ret->digest = tree_digest(s->tree);
    ret->sessions = s->sessions.count;
    ret->nodes = tree_node_count(s->tree);
    ret->ephemerals = tree_ephemeral_count(s->tree);
    ret->data_bytes = tree_approximate_data_bytes(s->tree);
    match(s, any_digest, ret);
}

static bool has_digest(const struct snap_tail *tail)
{
    return tail->has_digest && tail->digest_version == TREE_DIGEST_VERSION && tail->digest_zxid > 0;
}

static struct snap_sink sink_of(struct datadir_state *s)
{
    return (struct snap_sink){.arg = s,
                              .begin = datadir_state_begin,
                              .feed = datadir_state_feed,
                              .end = datadir_state_end};
}

int datadir_load_snapshot(const struct datadir_file *file, struct datadir_state **ret,
                          struct datadir_found *ret_found, struct err *err)
{
    struct datadir_state *s = state_new();
    s->zxid_from_tail = file->zxid < 0;
    struct snap_sink sink = sink_of(s);
    struct snap_tail tail;
    int rc = snapfile_load(files_posix(), file->path, file->zxid, &sink, &tail, err);
    if (rc < 0) {
        datadir_free(s);
        return rc;
    }
    int64_t file_zxid = s->zxid;
    *ret_found = (struct datadir_found){.snapshot_zxid = file_zxid};
    if (has_digest(&tail) && tail.digest_zxid > file_zxid && tail.digest == tree_digest(s->tree)) {
        tree_set_last_zxid(s->tree, tail.digest_zxid);
        s->tail.digest_zxid = 0; /* it was compared */
    }
    /* One of an earlier zxid says something only if nothing was changed since. */
    bool compared =
        has_digest(&tail) && (tail.digest_zxid >= file_zxid || tail.digest == tree_digest(s->tree));
    describe(s, compared, ret_found);
    *ret = s;
    return 0;
}

/* ---- a folder ---- */

struct replay {
    struct datadir_state *state;
    int64_t until; /* -1: to the end */
    bool passed;   /* there is a transaction behind it */
    uint64_t txns;
    uint64_t digests; /* compared */
};

static int on_txn(void *arg, int64_t zxid, struct slice bytes, struct err *err)
{
    struct replay *r = arg;
    if (r->until >= 0 && zxid > r->until) {
        r->passed = true;
        return ERR_BUSY; /* any error ends the reading */
    }
    r->txns++;
    struct txn_entry e;
    if (txn_split(bytes, &e) == 0 && e.has_digest && e.digest.version == TREE_DIGEST_VERSION)
        r->digests++;
    return datadir_state_apply(r->state, zxid, bytes, err);
}

static void take_findings(const struct recover_result *from, struct datadir_found *ret)
{
    ret->snapshots_refused = from->snapshots_refused;
    snprintf(ret->refused, sizeof ret->refused, "%.*s", (int)sizeof ret->refused - 1,
             from->snapshot_err.text);
    ret->torn = from->cut;
    ret->torn_log = from->cut_file_zxid;
    ret->torn_offset = from->cut_offset;
    ret->gaps = from->gap_count;
    ret->gap_after = from->gap_after_zxid;
}

/* The last zxid that a snapshot may have something of. */
static int64_t snapshot_reach(const struct datadir_state *s)
{
    int64_t reach = s->zxid;
    if (s->tail.has_digest && s->tail.digest_zxid > reach)
        reach = s->tail.digest_zxid;
    if (s->tail.has_last_zxid && s->tail.last_zxid > reach)
        reach = s->tail.last_zxid;
    return reach;
}

enum {
    TRY_OLDER = 1
};

/* 0, an error, or TRY_OLDER: the snapshot may have something of a later zxid than is wanted. */
static int load_once(const struct recover_options *options, int64_t until, int64_t snapshots_to,
                     struct datadir_state *s, struct datadir_found *found, struct err *err)
{
    struct readonly view;
    struct files *fs = readonly_init(&view, files_posix(), snapshots_to);
    struct replay r = {.state = s, .until = until};
    struct recover_sink sink = {.snapshot = sink_of(s), .txn = on_txn, .arg = &r};
    struct recover_result result = {.snapshot_zxid = -1};
    int rc = recover(fs, options, &sink, &result, err);
    if (rc < 0 && !r.passed)
        return rc;
    /* Stopped behind `until`, recover() told nothing of what it had found before. */
    if (rc == 0 && result.snapshot_zxid < 0)
        return err_set(err, ERR_NOTFOUND, "no snapshot in '%s'%s", options->snap_dir,
                       until >= 0 ? " is old enough" : "");
    if (until >= 0 && snapshot_reach(s) > until)
        return TRY_OLDER;

    *found = (struct datadir_found){.snapshot_zxid = s->zxid, .txns = r.txns};
    take_findings(&result, found);
    describe(s, r.digests > 0 || has_digest(&s->tail), found);
    if (until >= 0 && !r.passed && found->zxid < until)
        return err_set(err, ERR_NOTFOUND, "the files in '%s' end with zxid 0x%" PRIx64,
                       options->log_dir, (uint64_t)found->zxid);
    return 0;
}

/* The folder that has version-2 in it. */
static int data_dir(const char *path, char ret[FILE_PATH_MAX], struct err *err)
{
    struct files *fs = files_posix();
    struct file_stat st;
    char inner[FILE_PATH_MAX];
    int rc = file_path(inner, path, NAME_VERSION_DIR, err);
    if (rc < 0)
        return rc;
    if (fs->stat(fs, inner, &st) == 0 && st.is_dir) {
        snprintf(ret, FILE_PATH_MAX, "%s", path);
        return 0;
    }
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    size_t own = strlen(NAME_VERSION_DIR);
    bool is_inner = len >= own && memcmp(path + len - own, NAME_VERSION_DIR, own) == 0 &&
                    (len == own || path[len - own - 1] == '/');
    if (!is_inner || fs->stat(fs, path, &st) != 0 || !st.is_dir)
        return err_set(err, ERR_NOTFOUND, "'%s' has no folder " NAME_VERSION_DIR, path);
    return file_path(ret, path, "..", err);
}

bool datadir_is_data_dir(const char *path)
{
    char dir[FILE_PATH_MAX];
    return data_dir(path, dir, NULL) == 0;
}

int datadir_load(const struct datadir_where *where, struct datadir_state **ret,
                 struct datadir_found *ret_found, struct err *err)
{
    char snap_dir[FILE_PATH_MAX], log_dir[FILE_PATH_MAX];
    const char *log_path = where->log_dir != NULL ? where->log_dir : where->snap_dir;
    int rc = data_dir(where->snap_dir, snap_dir, err);
    if (rc == 0)
        rc = data_dir(log_path, log_dir, err);
    if (rc < 0)
        return rc;

    struct recover_options options = {
        .snap_dir = snap_dir, .log_dir = log_dir, .no_auto_create = true, .no_dir_create = true};
    int64_t snapshots_to = where->until >= 0 ? where->until : INT64_MAX;
    do {
        struct datadir_state *s = state_new();
        rc = load_once(&options, where->until, snapshots_to, s, ret_found, err);
        if (rc == 0) {
            *ret = s;
            return 0;
        }
        snapshots_to = s->zxid - 1;
        datadir_free(s);
    } while (rc == TRY_OLDER);
    return rc;
}
