/* Requests of clients become transactions; these are committed later, in any rhythm, from their
 * bytes alone. The digest each was given is the tree's once it is applied; a follower that replays
 * the log has the same tree. */
#include "gen.h"
#include "tree/apply.h"
#include "tree/prep.h"
#include "tree_verify.h"
#include "wire/zk.h"

enum {
    OUTSTANDING_MAX = 64
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
    } outstanding[OUTSTANDING_MAX];
    size_t count;
    int64_t zxid, now_ms;
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
    struct slice entry = slice_of(w->log.ptr + w->outstanding[0].at, w->outstanding[0].len);
    FUZZ_CHECK(txn_split(entry, &e) == 0, "our own entry can be taken apart");
    FUZZ_CHECK(e.hdr.zxid == w->outstanding[0].zxid, "it has its zxid");
    FUZZ_CHECK(e.has_digest == (w->options.digest_enabled && e.hdr.type != ZK_OP_ERROR),
               "everything but an error carries a digest");
    apply(w, w->leader, &e);
    prep_committed(w->prep, e.hdr.zxid);
    FUZZ_CHECK_NULL(tree_verify(w->leader, true));
    apply(w, w->follower, &e);

    w->count--;
    memmove(w->outstanding, w->outstanding + 1, w->count * sizeof w->outstanding[0]);
    if (w->count == 0) {
        FUZZ_CHECK(prep_outstanding(w->prep) == 0, "nothing is outstanding without a proposal");
        buf_clear(&w->log);
    }
}

static void request(struct world *w, struct fz *f)
{
    int32_t op = fz_one_in(f, 32) ? gen_op(f) : gen_write_op(f);
    if (fz_one_in(f, 32))
        op = ZK_OP_CREATE_SESSION;
    buf_clear(&w->record);
    gen_put_request(f, op, &w->record);
    gen_spoil(f, &w->record, 0);
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
    prep_request(w->prep, &req, &w->log, &ret);
    if (ret.outcome == PREP_NO_TXN) {
        FUZZ_CHECK(w->log.len == at && ret.err != 0, "no transaction, no bytes, an error");
        return;
    }
    FUZZ_CHECK(ret.txn_at > at && ret.txn_at + ret.txn_len <= w->log.len, "the body stands in it");
    w->zxid++;
    w->outstanding[w->count].at = at;
    w->outstanding[w->count].len = w->log.len - at;
    w->outstanding[w->count++].zxid = w->zxid;
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
    w.prep = prep_create(w.leader, &options, 11);

    while (fz_more(&f)) {
        uint8_t what = fz_u8(&f);
        if (what < 0xb0 && w.count < OUTSTANDING_MAX)
            request(&w, &f);
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
    tree_free(w.leader);
    tree_free(w.follower);
    return 0;
}
