/* A snapshot stream from anywhere, in chunks of any size: refused with a reason, or a whole tree.
 * The chunks make no difference, and what was loaded is written and loads as the same. */
#include "fuzz.h"
#include "tree/snapshot.h"
#include "tree_verify.h"

struct loaded {
    struct tree *t;
    struct snapshot_loader *l;
    int rc;
    bool done;
    size_t used; /* of the stream */
};

/* As a reader of files does it: what was not used comes again with more behind it. */
static struct loaded load(struct slice stream, size_t piece)
{
    struct tree_options options = {
        .hash_seed = 3, .digest_enabled = true, .extended_types_enabled = true};
    struct loaded ret = {.t = tree_create(&options)};
    ret.l = snapshot_loader_create(ret.t);
    size_t until = 0;
    while (ret.rc == 0 && !ret.done && (until < stream.len || until == 0)) {
        until = stream.len - until > piece ? until + piece : stream.len;
        size_t used = 0;
        struct err err = {""};
        struct slice chunk = slice_of(stream.ptr + ret.used, until - ret.used);
        ret.rc = snapshot_loader_feed(ret.l, chunk, &used, &ret.done, &err);
        FUZZ_CHECK(ret.rc == 0 || (ret.rc == ERR_CORRUPT && err.text[0] != 0), "a reason is given");
        if (ret.rc == 0) {
            FUZZ_CHECK(used <= chunk.len, "no more is used than was there");
            ret.used += used;
        }
        if (stream.len == 0)
            break;
    }
    return ret;
}

static void unload(struct loaded *ret)
{
    snapshot_loader_free(ret->l);
    tree_free(ret->t);
}

static void write_again(struct loaded *from, size_t slice_bytes, struct buf *out)
{
    const struct snapshot_session *sessions;
    size_t count = snapshot_loader_sessions(from->l, &sessions);
    snapshot_begin(from->t, sessions, count, out);
    while (!snapshot_slice(from->t, slice_bytes, out))
        ;
}

static void check_same_sessions(const struct loaded *a, const struct loaded *b)
{
    const struct snapshot_session *x, *y;
    size_t count = snapshot_loader_sessions(a->l, &x);
    FUZZ_CHECK(snapshot_loader_sessions(b->l, &y) == count, "as many sessions");
    for (size_t i = 0; i < count; i++)
        FUZZ_CHECK(x[i].id == y[i].id && x[i].timeout_ms == y[i].timeout_ms, "the same sessions");
}

static void round_trip(struct loaded *first, size_t piece)
{
    FUZZ_CHECK_NULL(tree_verify(first->t, false));
    struct buf a = {0}, b = {0};
    write_again(first, piece, &a);
    struct loaded second = load(buf_slice(&a), a.len);
    FUZZ_CHECK(second.rc == 0 && second.done && second.used == a.len, "what we write we can load");
    FUZZ_CHECK_NULL(tree_verify(second.t, false));
    FUZZ_CHECK_NULL(tree_differ(first->t, second.t));
    check_same_sessions(first, &second);

    write_again(&second, 1000, &b);
    struct loaded third = load(buf_slice(&b), piece);
    FUZZ_CHECK(third.done, "and once more");
    FUZZ_CHECK_NULL(tree_differ(second.t, third.t));
    unload(&third);
    unload(&second);
    buf_deinit(&a);
    buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fz f = fz_of(data, size);
    size_t piece = 1 + fz_u8(&f);
    struct slice stream = fz_rest(&f);

    struct loaded whole = load(stream, stream.len);
    struct loaded pieces = load(stream, piece);
    FUZZ_CHECK(whole.rc == pieces.rc && whole.done == pieces.done, "chunks make no difference");
    FUZZ_CHECK(whole.rc < 0 || whole.used == pieces.used, "nor to where it ends");
    if (whole.done) {
        FUZZ_CHECK_NULL(tree_differ(whole.t, pieces.t));
        round_trip(&whole, piece);
    }
    unload(&whole);
    unload(&pieces);
    return 0;
}
