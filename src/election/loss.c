#include "election/loss.h"

#include <inttypes.h>

#include "base/hex.h"
#include "tls/sign.h"

static const char name_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/* strchr would find the zero, too. */
static bool is_of(struct slice text, const char *letters, size_t len_max)
{
    for (size_t i = 0; i < text.len; i++) {
        if (memchr(letters, text.ptr[i], strlen(letters)) == NULL)
            return false;
    }
    return text.len > 0 && text.len <= len_max;
}

bool approver_name_is_sound(struct slice name)
{
    return is_of(name, name_letters, APPROVER_NAME_BYTES_MAX - 1);
}

/* ---- writing ---- */

static void put_hash(struct buf *b, const char *name, const struct hash *h)
{
    char text[2 * SHA256_BYTES + 1];
    hex_write(h->bytes, SHA256_BYTES, text);
    buf_printf(b, "%s %s\n", name, text);
}

void loss_notice_text(const struct loss_notice *n, struct buf *ret)
{
    buf_printf(ret, "caucus loss 1\nelection %s\n", n->election);
    put_hash(ret, "config", &n->config);
    buf_printf(ret, "state %s\nround %" PRIu64 "\nversion %" PRIu64 "\nepoch %" PRIu64 "\n",
               n->state, n->round, n->version, n->epoch);
    buf_printf(ret, "committed %" PRIu64 "\n", n->committed);
    put_hash(ret, "chain", &n->chain);
    buf_printf(ret, "kept %" PRIu64 "\n", n->kept);
    put_hash(ret, "kept_chain", &n->kept_chain);
    buf_printf(ret, "keeper %s\nmissing", n->keeper);
    for (uint32_t i = 0; i < n->missing_count; i++)
        buf_printf(ret, " %s", n->missing[i]);
    buf_put_u8(ret, '\n');
}

void loss_approve(const struct sign_key *key, const char *name, struct slice notice,
                  struct buf *ret)
{
    uint8_t signature[SIGNATURE_BYTES];
    char text[2 * SIGNATURE_BYTES + 1];
    sign_make(key, notice, signature);
    hex_write(signature, sizeof signature, text);
    buf_printf(ret, "approval %s %s\n", name, text);
}

/* ---- reading: line by line, and each says what it wants ---- */

struct reader {
    struct slice rest;
    unsigned line; /* the one that was taken last, from 1 */
    struct err *err;
};

static int wrong(const struct reader *r, const char *wanted)
{
    return err_set(r->err, ERR_INVALID, "line %u: %s is wanted", r->line, wanted);
}

/* Whatever stands on it. */
static int take_line(struct reader *r, const char *wanted, struct slice *ret)
{
    const uint8_t *end = r->rest.len > 0 ? memchr(r->rest.ptr, '\n', r->rest.len) : NULL;
    r->line++;
    if (end == NULL)
        return wrong(r, wanted);
    *ret = slice_of(r->rest.ptr, (size_t)(end - r->rest.ptr));
    r->rest = slice_from(r->rest, ret->len + 1);
    return 0;
}

/* What stands behind the line's name and a blank. */
static int take(struct reader *r, const char *name, const char *wanted, struct slice *ret)
{
    size_t len = strlen(name);
    int rc = take_line(r, wanted, ret);
    if (rc < 0)
        return rc;
    if (!slice_starts_with(*ret, slice_str(name)) || ret->len < len + 2 || ret->ptr[len] != ' ')
        return wrong(r, wanted);
    *ret = slice_from(*ret, len + 1);
    return 0;
}

static void copy_text(struct slice text, char *ret)
{
    memcpy(ret, text.ptr, text.len);
    ret[text.len] = 0;
}

static int take_text(struct reader *r, const char *name, const char *wanted, const char *letters,
                     size_t room, char *ret)
{
    struct slice text;
    int rc = take(r, name, wanted, &text);
    if (rc < 0)
        return rc;
    if (!is_of(text, letters, room - 1))
        return wrong(r, wanted);
    copy_text(text, ret);
    return 0;
}

static int take_election(struct reader *r, char ret[LOSS_ELECTION_BYTES_MAX])
{
    static const char wanted[] = "'election ID'";
    struct slice text;
    int rc = take(r, "election", wanted, &text);
    if (rc < 0)
        return rc;
    if (text.len >= LOSS_ELECTION_BYTES_MAX || memchr(text.ptr, 0, text.len) != NULL)
        return wrong(r, wanted);
    copy_text(text, ret);
    return 0;
}

static int take_hash(struct reader *r, const char *name, const char *wanted, struct hash *ret)
{
    struct slice text;
    int rc = take(r, name, wanted, &text);
    if (rc < 0)
        return rc;
    return text.len == 2 * SHA256_BYTES &&
                   hex_read((const char *)text.ptr, SHA256_BYTES, ret->bytes)
               ? 0
               : wrong(r, wanted);
}

static bool read_number(struct slice text, uint64_t *ret)
{
    *ret = 0;
    if (text.len > 1 && text.ptr[0] == '0')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || __builtin_mul_overflow(*ret, 10u, ret) ||
            __builtin_add_overflow(*ret, (uint64_t)(text.ptr[i] - '0'), ret))
            return false;
    }
    return text.len > 0;
}

static int take_number(struct reader *r, const char *name, const char *wanted, uint64_t *ret)
{
    struct slice text;
    int rc = take(r, name, wanted, &text);
    if (rc < 0)
        return rc;
    return read_number(text, ret) ? 0 : wrong(r, wanted);
}

static bool is_missing(const struct loss_notice *n, const char *server)
{
    for (uint32_t i = 0; i < n->missing_count; i++) {
        if (strcmp(n->missing[i], server) == 0)
            return true;
    }
    return false;
}

/* Names, each with a blank in front. */
static bool read_missing(struct slice text, struct loss_notice *n)
{
    while (text.len > 0) {
        char name[SERVER_NAME_BYTES_MAX];
        if (text.ptr[0] != ' ' || n->missing_count == SHARD_MEMBERS_MAX)
            return false;
        text = slice_from(text, 1);
        const uint8_t *blank = text.len > 0 ? memchr(text.ptr, ' ', text.len) : NULL;
        size_t len = blank != NULL ? (size_t)(blank - text.ptr) : text.len;
        if (!is_of(slice_of(text.ptr, len), name_letters, sizeof name - 1))
            return false;
        copy_text(slice_of(text.ptr, len), name);
        if (is_missing(n, name) || strcmp(n->keeper, name) == 0)
            return false;
        memcpy(n->missing[n->missing_count++], name, len + 1);
        text = slice_from(text, len);
    }
    return true;
}

static int take_missing(struct reader *r, struct loss_notice *n)
{
    static const char wanted[] = "'missing NAME...', other servers than the keeper, once each,";
    struct slice text;
    int rc = take_line(r, wanted, &text);
    if (rc < 0)
        return rc;
    size_t len = strlen("missing");
    return slice_starts_with(text, slice_str("missing")) && read_missing(slice_from(text, len), n)
               ? 0
               : wrong(r, wanted);
}

static int take_kept(struct reader *r, struct loss_notice *n)
{
    int rc = take_number(r, "kept", "'kept N'", &n->kept);
    return rc == 0 && n->kept >= n->committed ? wrong(r, "'kept N', less than committed,") : rc;
}

static int take_heading(struct reader *r)
{
    static const char wanted[] = "'caucus loss 1'";
    struct slice text;
    int rc = take_line(r, wanted, &text);
    return rc == 0 && !slice_eq_str(text, "caucus loss 1") ? wrong(r, wanted) : rc;
}

static int take_notice(struct reader *r, struct loss_notice *n)
{
    static const char code_letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    int rc = take_heading(r);
    if (rc == 0)
        rc = take_election(r, n->election);
    if (rc == 0)
        rc = take_hash(r, "config", "'config HEX'", &n->config);
    if (rc == 0)
        rc = take_text(r, "state", "'state CODE'", code_letters, sizeof n->state, n->state);
    if (rc == 0)
        rc = take_number(r, "round", "'round N'", &n->round);
    if (rc == 0)
        rc = take_number(r, "version", "'version N'", &n->version);
    if (rc == 0)
        rc = take_number(r, "epoch", "'epoch N'", &n->epoch);
    if (rc == 0)
        rc = take_number(r, "committed", "'committed N'", &n->committed);
    if (rc == 0)
        rc = take_hash(r, "chain", "'chain HEX'", &n->chain);
    if (rc == 0)
        rc = take_kept(r, n);
    if (rc == 0)
        rc = take_hash(r, "kept_chain", "'kept_chain HEX'", &n->kept_chain);
    if (rc == 0)
        rc = take_text(r, "keeper", "'keeper NAME'", name_letters, sizeof n->keeper, n->keeper);
    return rc == 0 ? take_missing(r, n) : rc;
}

/* ---- approvals ---- */

struct approval {
    char name[APPROVER_NAME_BYTES_MAX];
    uint8_t signature[SIGNATURE_BYTES];
};

static int take_approval(struct reader *r, struct approval *ret)
{
    static const char wanted[] = "'approval NAME HEX'";
    struct slice text;
    int rc = take(r, "approval", wanted, &text);
    if (rc < 0)
        return rc;
    const uint8_t *blank = memchr(text.ptr, ' ', text.len);
    struct slice name = slice_of(text.ptr, blank != NULL ? (size_t)(blank - text.ptr) : 0);
    if (!approver_name_is_sound(name) || text.len != name.len + 1 + 2 * SIGNATURE_BYTES ||
        !hex_read((const char *)blank + 1, SIGNATURE_BYTES, ret->signature))
        return wrong(r, wanted);
    copy_text(name, ret->name);
    return 0;
}

int loss_read(struct slice document, struct loss_notice *ret, struct slice *ret_notice,
              struct err *err)
{
    struct reader r = {.rest = document, .err = err};
    memset(ret, 0, sizeof *ret);
    if (document.len > LOSS_DOCUMENT_BYTES_MAX)
        return err_set(err, ERR_INVALID, "more than %d bytes", LOSS_DOCUMENT_BYTES_MAX);
    int rc = take_notice(&r, ret);
    if (rc < 0)
        return rc;
    *ret_notice = slice_of(document.ptr, document.len - r.rest.len);
    for (int count = 0; rc == 0 && r.rest.len > 0; count++) {
        struct approval a;
        rc = take_approval(&r, &a);
        if (rc == 0 && count == APPROVERS_MAX)
            rc =
                err_set(err, ERR_INVALID, "line %u: more than %d approvals", r.line, APPROVERS_MAX);
    }
    return rc;
}

/* Behind the notice, of a document that was read. */
static struct reader approvals_of(struct slice document, struct slice notice, struct err *err)
{
    struct reader r = {.rest = slice_from(document, notice.len), .err = err};
    for (size_t i = 0; i < notice.len; i++)
        r.line += notice.ptr[i] == '\n';
    return r;
}

static int find_approver(const struct election_info *e, const char *name)
{
    for (uint32_t i = 0; i < e->approver_count; i++) {
        if (strcmp(e->approvers[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

static int check_approval(const struct election_info *e, struct slice notice,
                          const struct reader *r, const struct approval *a, uint32_t *approved)
{
    int at = find_approver(e, a->name);
    if (at < 0)
        return err_set(r->err, ERR_INVALID, "line %u: the definition names no approver '%s'",
                       r->line, a->name);
    if ((*approved >> at & 1) != 0)
        return err_set(r->err, ERR_INVALID, "line %u: a second approval of '%s'", r->line, a->name);
    if (!sign_check(e->approvers[at].key, notice, a->signature))
        return err_set(r->err, ERR_INVALID,
                       "line %u: this is not signed by the key of '%s', or another notice is",
                       r->line, a->name);
    *approved |= UINT32_C(1) << at;
    return 0;
}

int loss_check_approvals(const struct election_info *e, struct slice document, struct err *err)
{
    struct loss_notice n;
    struct slice notice;
    uint32_t approved = 0; /* bit per approver */
    if (e->approvals_min == 0)
        return err_set(err, ERR_INVALID, "the definition names nobody who may approve");
    int rc = loss_read(document, &n, &notice, err);
    if (rc < 0)
        return rc;
    struct reader r = approvals_of(document, notice, err);
    while (rc == 0 && r.rest.len > 0) {
        struct approval a;
        rc = take_approval(&r, &a);
        if (rc == 0)
            rc = check_approval(e, notice, &r, &a, &approved);
    }
    uint32_t count = (uint32_t)__builtin_popcount(approved);
    if (rc == 0 && count < e->approvals_min)
        rc = err_set(err, ERR_INVALID, "%" PRIu32 " approval%s needed, %" PRIu32 " %s there",
                     e->approvals_min, e->approvals_min == 1 ? " is" : "s are", count,
                     count == 1 ? "is" : "are");
    return rc;
}

bool loss_names_approver(struct slice document, const char *name)
{
    struct loss_notice n;
    struct slice notice;
    struct approval a;
    if (loss_read(document, &n, &notice, NULL) < 0)
        return false;
    struct reader r = approvals_of(document, notice, NULL);
    while (r.rest.len > 0 && take_approval(&r, &a) == 0) {
        if (strcmp(a.name, name) == 0)
            return true;
    }
    return false;
}
