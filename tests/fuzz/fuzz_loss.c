/* Notices of a loss with approvals: what is read is written as it was; a signature made for it is
 * found to be right, and of nothing else. */
#include "election/loss.h"
#include "fuzz.h"
#include "tls/sign.h"

static const struct election_info nation = {.approvers = {{.name = "a"}}, .approver_count = 1};

/* Whatever stands behind the notice is as well formed as what is written here. */
static void check_approved(struct slice notice)
{
    static const uint8_t secret[SIGN_KEY_BYTES] = {1};
    struct election_info e = nation;
    struct sign_key *key = sign_key_make(secret);
    struct buf document = {0};
    struct loss_notice n;
    struct slice part;
    sign_key_public(key, e.approvers[0].key);
    e.approvals_min = 1;
    buf_put_slice(&document, notice);
    FUZZ_CHECK(loss_check_approvals(&e, buf_slice(&document), NULL) < 0, "nobody has signed");
    loss_approve(key, "a", notice, &document);
    FUZZ_CHECK(loss_read(buf_slice(&document), &n, &part, NULL) == 0 && slice_eq(part, notice),
               "an approval is no part of the notice");
    FUZZ_CHECK(loss_names_approver(buf_slice(&document), "a"), "it is there");
    FUZZ_CHECK(loss_check_approvals(&e, buf_slice(&document), NULL) == 0, "it is signed");
    buf_deinit(&document);
    sign_key_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice document = slice_of(data, size), notice;
    struct loss_notice n;
    struct err err = {""};
    struct buf again = {0};
    if (loss_read(document, &n, &notice, &err) < 0) {
        FUZZ_CHECK(err.text[0] != 0, "refused with a reason");
        return 0;
    }
    FUZZ_CHECK(n.kept < n.committed && n.missing_count <= SHARD_MEMBERS_MAX, "within bounds");
    loss_notice_text(&n, &again);
    FUZZ_CHECK(slice_starts_with(document, notice) && slice_eq(buf_slice(&again), notice),
               "there is one way to write it");
    buf_deinit(&again);
    FUZZ_CHECK(loss_check_approvals(&nation, document, NULL) < 0, "nobody may approve");
    check_approved(notice);
    return 0;
}
