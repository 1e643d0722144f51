#include "datadir/state.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "wire/zk.h"

enum {
    SNAPSHOT_SLICE_BYTES = 64 * 1024
};

/* Sessions are a map from id to timeout, in the pointer itself. */
static void *pack_timeout(int32_t timeout_ms)
{
    return (void *)(uintptr_t)((uint64_t)(uint32_t)timeout_ms | 1ULL << 32); /* never NULL */
}

static int32_t unpack_timeout(const void *value)
{
    return (int32_t)(uint32_t)(uintptr_t)value;
}

void datadir_state_init(struct datadir_state *s, const struct tree_options *options)
{
    *s = (struct datadir_state){.options = *options};
    s->tree = tree_create(options);
    map_init(&s->sessions, options->hash_seed);
}

void datadir_state_deinit(struct datadir_state *s)
{
    if (s->loader != NULL)
        snapshot_loader_free(s->loader);
    tree_free(s->tree);
    map_deinit(&s->sessions);
    tree_effects_deinit(&s->fx);
}

static void note_mismatch(struct datadir_state *s, int64_t zxid)
{
    if (s->digest_mismatches++ > 0)
        return;
    s->mismatch_zxid = zxid;
    s->mismatch_digest = tree_digest(s->tree);
}

/* ---- the snapshot ---- */

int datadir_state_begin(void *state, int64_t zxid, struct err *err)
{
    struct datadir_state *s = state;
    (void)err;
    if (s->loader != NULL)
        snapshot_loader_free(s->loader);
    tree_free(s->tree);
    s->tree = tree_create(&s->options);
    s->loader = snapshot_loader_create(s->tree);
    s->zxid = zxid;
    return 0;
}

int datadir_state_feed(void *state, struct slice chunk, size_t *ret_used, bool *ret_done,
                       struct err *err)
{
    struct datadir_state *s = state;
    return snapshot_loader_feed(s->loader, chunk, ret_used, ret_done, err);
}

void datadir_state_end(void *state, const struct snap_tail *tail)
{
    struct datadir_state *s = state;
    const struct snapshot_session *list;
    size_t count = snapshot_loader_sessions(s->loader, &list);
    for (size_t i = 0; i < count; i++)
        map_put(&s->sessions, (uint64_t)list[i].id, pack_timeout(list[i].timeout_ms));
    snapshot_loader_free(s->loader);
    s->loader = NULL;

    s->tail = *tail;
    if (s->zxid_from_tail)
        s->zxid = tail->has_last_zxid ? tail->last_zxid : tail->digest_zxid;
    tree_set_last_zxid(s->tree, s->zxid);
    struct tree_digest_entry expected = {tail->digest_zxid, tail->digest_version, tail->digest};
    if (tail->has_digest && !tree_expect_digest(s->tree, &expected))
        note_mismatch(s, s->zxid);
    tree_setup_quota(s->tree);
}

/* ---- the transactions after it ---- */

static int note_session(struct datadir_state *s, const struct txn_entry *e, struct err *err)
{
    if (e->hdr.type == ZK_OP_CREATE_SESSION) {
        struct rec_create_session_txn txn;
        struct dec d = dec_of(e->body);
        if (!rec_get_create_session_txn(&d, &txn))
            return err_set(err, ERR_CORRUPT, "transaction %" PRIx64 ": session without a timeout",
                           (uint64_t)e->hdr.zxid);
        map_put(&s->sessions, (uint64_t)e->hdr.client_id, pack_timeout(txn.time_out));
    } else if (e->hdr.type == ZK_OP_CLOSE_SESSION) {
        map_remove(&s->sessions, (uint64_t)e->hdr.client_id);
    }
    return 0;
}

int datadir_state_apply(struct datadir_state *s, int64_t zxid, struct slice bytes, struct err *err)
{
    struct txn_entry e = {0};
    int rc = txn_split(bytes, &e);
    if (rc == 0)
        rc = tree_apply(s->tree, &e.hdr, e.body, e.has_digest ? &e.digest : NULL, &s->fx);
    if (rc < 0)
        return err_set(err, rc, "transaction %" PRIx64 " of type %d (%zu bytes) cannot be decoded",
                       (uint64_t)zxid, (int)e.hdr.type, bytes.len);
    if (s->fx.digest_mismatch)
        note_mismatch(s, zxid);
    return note_session(s, &e, err);
}

/* ---- the result ---- */

size_t datadir_state_sessions(const struct datadir_state *s, struct snapshot_session **ret)
{
    struct snapshot_session *list = mem_alloc(s->sessions.count * sizeof *list);
    size_t count = 0;
    for (size_t i = 0; i < s->sessions.cap; i++) {
        const struct map_slot *slot = &s->sessions.slots[i];
        if (slot->value != NULL)
            list[count++] =
                (struct snapshot_session){(int64_t)slot->key, unpack_timeout(slot->value)};
    }
    *ret = list;
    return count;
}

int datadir_write_snapshot(struct files *fs, const char *dir, struct tree *tree,
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
