/* Requests of clients become transactions; these are committed later, in any rhythm, from their
 * bytes alone. The digest each was given is the tree's once it is applied; a follower that replays
 * the log has the same tree. */
#include "gen.h"
#include "tree/apply.h"
#include "tree/prep.h"
#include "tree_verify.h"
#include "wire/zk.h"

enum {
    OUTSTANDING_MAX = 2048
};

struct world {
    struct tree_options options;
    struct tree *leader, *follower;
    struct prep *prep;
    struct tree_effects fx;
    struct buf record, log;
    struct {
        size_t at, len;
        int64_t zxid;
    } * outstanding; /* a ring of OUTSTANDING_MAX */
    size_t first, count;
    int64_t zxid, now_ms;
    int bulks;
};

static void apply(struct world *w, struct tree *t, const struct txn_entry *e)
{
    int rc = tree_apply(t, &e->hdr, e->body, e->has_digest ? &e->digest : NULL, &w->fx);
    FUZZ_CHECK(rc == 0, "our own transaction can be applied");
    FUZZ_CHECK(!w->fx.digest_mismatch, "with the digest it was given");
}

static void commit_one(struct world *w)
{
    if (w->count == 0)
        return;
    struct txn_entry e;
    size_t at = w->first;
    struct slice entry = slice_of(w->log.ptr + w->outstanding[at].at, w->outstanding[at].len);
    FUZZ_CHECK(txn_split(entry, &e) == 0, "our own entry can be taken apart");
    FUZZ_CHECK(e.hdr.zxid == w->outstanding[at].zxid, "it has its zxid");
    FUZZ_CHECK(e.has_digest == (w->options.digest_enabled && e.hdr.type != ZK_OP_ERROR),
               "everything but an error carries a digest");
    apply(w, w->leader, &e);
    prep_committed(w->prep, e.hdr.zxid);
    if (tree_node_count(w->leader) < 100 || e.hdr.zxid % 64 == 0)
        FUZZ_CHECK_NULL(tree_verify(w->leader, true));
    apply(w, w->follower, &e);

    w->first = (w->first + 1) % OUTSTANDING_MAX;
    w->count--;
    if (w->count == 0) {
        FUZZ_CHECK(prep_outstanding(w->prep) == 0, "nothing is outstanding without a proposal");
        buf_clear(&w->log);
    }
}

/* What stands in the record. */
static void prep(struct world *w, struct fz *f, int32_t op)
{
    struct prep_request req = {
        .session_id = gen_session(f),
        .op = op,
        .record = buf_slice(&w->record),
        .who = gen_identities(f),
        .session_err = fz_one_in(f, 64) ? ZK_SESSIONEXPIRED : 0,
        .global_session_err = fz_one_in(f, 64) ? ZK_EPHEMERALONLOCALSESSION : 0,
        .session_timeout_ms = 4000,
        .zxid = w->zxid + 1,
        .now_ms = ++w->now_ms,
    };
    size_t at = w->log.len;
    struct prep_result ret;
    int32_t foreseen = prep_foresee(w->prep, op, req.record, req.who);
    bool certain = prep_outstanding(w->prep) == 0;
    prep_request(w->prep, &req, &w->log, &ret);
    FUZZ_CHECK(foreseen == 0 || !certain || ret.err != 0, "what is foreseen to fail fails");
    if (ret.outcome == PREP_NO_TXN) {
        FUZZ_CHECK(w->log.len == at && ret.err != 0, "no transaction, no bytes, an error");
        return;
    }
    FUZZ_CHECK(ret.txn_at > at && ret.txn_at + ret.txn_len <= w->log.len, "the body stands in it");
    w->zxid++;
    size_t last = (w->first + w->count++) % OUTSTANDING_MAX;
    w->outstanding[last].at = at;
    w->outstanding[last].len = w->log.len - at;
    w->outstanding[last].zxid = w->zxid;
}

static void request(struct world *w, struct fz *f)
{
    int32_t op = fz_one_in(f, 32) ? gen_op(f) : gen_write_op(f);
    if (fz_one_in(f, 32))
        op = ZK_OP_CREATE_SESSION;
    buf_clear(&w->record);
    gen_put_request(f, op, &w->record);
    gen_spoil(f, &w->record, 0);
    prep(w, f, op);
}

/* More changes outstanding than a handful: the tables of prep grow. */
static void request_many(struct world *w, struct fz *f)
{
    uint32_t from = fz_u8(f) * 4u, count = fz_u8(f) * 4u;
    for (uint32_t i = from; i < from + count && w->count < OUTSTANDING_MAX; i++) {
        buf_clear(&w->record);
        gen_put_numbered_create(i, &w->record);
        w->record.len -= 5; /* in the place of ephemeral and cversion: flags */
        buf_put_i32(&w->record, 0);
        struct fz nothing = {0};
        prep(w, &nothing, ZK_OP_CREATE2);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fz f = fz_of(data, size);
    uint8_t flags = fz_u8(&f);
    struct world w = {.options = {.hash_seed = 3,
                                  .digest_enabled = (flags & 7) != 7,
                                  .extended_types_enabled = flags & 8,
                                  .emulate_353_ttl = flags & 16},
                      .now_ms = 1700000000000};
    struct prep_options options = {.skip_acl = (flags & 7) == 6,
                                   .enforce_quota = flags & 32,
                                   .close_session_txn_enabled = flags & 64,
                                   .reconfig_enabled = flags & 128};
    w.leader = tree_create(&w.options);
    w.follower = tree_create(&w.options);
    w.outstanding = calloc(OUTSTANDING_MAX, sizeof *w.outstanding);
    if ((flags & 3) != 3) {
        gen_populate(w.leader);
        gen_populate(w.follower);
        w.zxid = GEN_POPULATED_ZXID;
    }
    w.prep = prep_create(w.leader, &options, 11);

    while (fz_more(&f)) {
        uint8_t what = fz_u8(&f);
        if (what < 0xb0 && w.count < OUTSTANDING_MAX)
            request(&w, &f);
        else if (what == 0xb0 && w.bulks++ < 1)
            request_many(&w, &f);
        else
            commit_one(&w);
    }
    while (w.count > 0)
        commit_one(&w);

    prep_free(w.prep);
    FUZZ_CHECK_NULL(tree_verify(w.leader, false));
    FUZZ_CHECK_NULL(tree_verify(w.follower, false));
    FUZZ_CHECK_NULL(tree_differ(w.leader, w.follower));
    tree_effects_deinit(&w.fx);
    buf_deinit(&w.record);
    buf_deinit(&w.log);
    free(w.outstanding);
    tree_free(w.leader);
    tree_free(w.follower);
    return 0;
}
