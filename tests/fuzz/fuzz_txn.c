/* Transactions of any kind, in any order, malformed ones among them: the tree stays whole after
 * each. Meanwhile snapshots are taken in slices: each is the tree as it was when it began. */
#include "gen.h"
#include "tree/apply.h"
#include "tree/snapshot.h"
#include "tree_verify.h"
#include "wire/zk.h"

struct world {
    struct tree_options options;
    struct tree *t;
    struct tree_effects fx;
    int64_t zxid;
    struct buf txn;
    struct buf snapshot;      /* being taken */
    struct tree *snapshot_of; /* what it must become */
    uint64_t snapshot_digest;
    int64_t snapshot_zxid;
    int bulks;
};

static struct tree *load(const struct world *w, struct slice stream)
{
    struct tree *t = tree_create(&w->options);
    struct snapshot_loader *l = snapshot_loader_create(t);
    size_t used = 0;
    bool done = false;
    struct err err = {""};
    int rc = snapshot_loader_feed(l, stream, &used, &done, &err);
    if (rc < 0)
        fprintf(stderr, "%s\n", err.text);
    FUZZ_CHECK(rc == 0 && done && used == stream.len, "our own snapshot can be loaded");
    snapshot_loader_free(l);
    FUZZ_CHECK_NULL(tree_verify(t, false));
    return t;
}

static void snapshot_start(struct world *w)
{
    buf_clear(&w->snapshot);
    snapshot_begin(w->t, NULL, 0, &w->snapshot);
    while (!snapshot_slice(w->t, 1000, &w->snapshot))
        ;
    w->snapshot_of = load(w, buf_slice(&w->snapshot));

    buf_clear(&w->snapshot);
    snapshot_begin(w->t, NULL, 0, &w->snapshot);
    w->snapshot_digest = snapshot_digest(w->t);
    w->snapshot_zxid = snapshot_zxid(w->t);
    FUZZ_CHECK(w->snapshot_digest == tree_digest(w->t), "the digest of this moment");
}

static void snapshot_go_on(struct world *w, struct fz *f)
{
    FUZZ_CHECK(snapshot_zxid(w->t) == w->snapshot_zxid, "a snapshot keeps its zxid");
    if (!snapshot_slice(w->t, fz_u8(f), &w->snapshot))
        return;
    struct tree *loaded = load(w, buf_slice(&w->snapshot));
    if (w->options.digest_enabled)
        FUZZ_CHECK(tree_digest(loaded) == w->snapshot_digest, "the digest it promised");
    FUZZ_CHECK(tree_node_count(loaded) == tree_node_count(w->snapshot_of), "as many nodes");
    FUZZ_CHECK_NULL(tree_differ_unordered(w->snapshot_of, loaded));
    tree_free(loaded);
    tree_free(w->snapshot_of);
    w->snapshot_of = NULL;
}

static void snapshot_drop(struct world *w)
{
    snapshot_abort(w->t);
    tree_free(w->snapshot_of);
    w->snapshot_of = NULL;
}

static void touch(struct slice s)
{
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < s.len; i++)
        sum = (uint8_t)(sum + s.ptr[i]);
}

static void check_effects(const struct world *w)
{
    touch(w->fx.result.path);
    for (size_t i = 0; i < w->fx.sub_count; i++)
        touch(w->fx.subs[i].path);
    for (size_t i = 0; i < w->fx.change_count; i++) {
        const struct tree_change *c = &w->fx.changes[i];
        FUZZ_CHECK(c->path.len > 1 || c->type == TREE_DATA_CHANGED, "a change has a path");
        touch(c->path);
        touch(tree_acl_get(w->t, c->acl_id).raw);
        touch(tree_acl_get(w->t, c->parent_acl_id).raw);
    }
}

static void apply(struct world *w, struct fz *f)
{
    uint8_t step = fz_u8(f);
    struct rec_txn_header hdr = {
        .client_id = gen_session(f),
        .zxid = step < 0xf0   ? w->zxid + 1
                : step < 0xf8 ? w->zxid
                              : fz_i64(f),
        .time = 1700000000000 + step,
        .type = gen_txn_type(f),
    };
    buf_clear(&w->txn);
    gen_put_txn(f, hdr.type, &w->txn);
    gen_spoil(f, &w->txn, 0);
    struct rec_txn_digest digest = {.version = 2, .tree_digest = (int64_t)tree_digest(w->t)};

    uint64_t nodes = tree_node_count(w->t), before = tree_digest(w->t);
    int rc = tree_apply(w->t, &hdr, buf_slice(&w->txn), step & 1 ? &digest : NULL, &w->fx);
    FUZZ_CHECK(rc == 0 || rc == ERR_CORRUPT, "applied or refused");
    if (rc < 0) {
        FUZZ_CHECK(nodes == tree_node_count(w->t) && before == tree_digest(w->t),
                   "a refused transaction changes nothing");
        return;
    }
    if (hdr.zxid > w->zxid)
        w->zxid = hdr.zxid;
    if (w->zxid > INT64_MAX - 1000)
        w->zxid = 0;
    check_effects(w);
}

static void ignore_path(void *arg, struct slice path)
{
    (void)arg;
    touch(path);
}

/* Many nodes made or removed at once: tables grow and shrink. */
static void apply_many(struct world *w, struct fz *f)
{
    uint32_t from = fz_u8(f) * 4u, count = fz_u8(f) * 4u;
    bool removes = fz_u8(f) & 1;
    for (uint32_t i = from; i < from + count; i++) {
        struct rec_txn_header hdr = {.zxid = ++w->zxid, .type = ZK_OP_CREATE};
        buf_clear(&w->txn);
        gen_put_numbered_create(i, &w->txn);
        if (removes)
            hdr.type = ZK_OP_DELETE; /* whose record is the path alone */
        int rc = tree_apply(w->t, &hdr, buf_slice(&w->txn), NULL, &w->fx);
        FUZZ_CHECK(rc == 0, "applied");
    }
}

static void step(struct world *w, struct fz *f)
{
    uint8_t what = fz_u8(f);
    if (what < 0xd0) {
        apply(w, f);
    } else if (what < 0xe8) {
        if (w->snapshot_of == NULL)
            snapshot_start(w);
        else
            snapshot_go_on(w, f);
    } else if (what < 0xea) {
        snapshot_drop(w);
    } else if (what == 0xea) {
        if (w->bulks++ < 2)
            apply_many(w, f);
    } else if (what < 0xf0) {
        tree_kill_session(w->t, gen_session(f), w->zxid, &w->fx);
        check_effects(w);
    } else if (what < 0xf4) {
        tree_reapable(w->t, fz_i64(f), fz_u8(f), 1 + fz_u8(f), ignore_path, NULL);
    } else if (what < 0xf8) {
        struct tree_digest_entry expected = {
            .zxid = w->zxid + fz_u8(f), .version = 2, .digest = tree_digest(w->t)};
        tree_expect_digest(w->t, &expected);
    } else {
        tree_setup_quota(w->t);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fz f = fz_of(data, size);
    uint8_t flags = fz_u8(&f);
    struct world w = {.options = {.hash_seed = 3,
                                  .digest_enabled = (flags & 7) != 7,
                                  .extended_types_enabled = flags & 8,
                                  .emulate_353_ttl = flags & 16}};
    w.t = tree_create(&w.options);
    if (flags & 32) {
        gen_populate(w.t);
        w.zxid = GEN_POPULATED_ZXID;
    }
    for (int steps = 0; fz_more(&f); steps++) {
        step(&w, &f);
        if (tree_node_count(w.t) < 200 || steps % 16 == 0)
            FUZZ_CHECK_NULL(tree_verify(w.t, false));
    }
    FUZZ_CHECK_NULL(tree_verify(w.t, false));
    snapshot_drop(&w);
    tree_effects_deinit(&w.fx);
    buf_deinit(&w.txn);
    buf_deinit(&w.snapshot);
    tree_free(w.t);
    return 0;
}
