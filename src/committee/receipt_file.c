#include "committee/receipt_file.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json_in.h"

/* Members are told one by one; what `take` does not want it skips. */
typedef bool member_fn(void *arg, const char *name, struct json_in *in);

static bool walk(struct json_in *in, member_fn *take, void *arg)
{
    struct buf name = {0};
    bool fine = true;
    for (bool more = json_in_object(in); more && fine; more = fine && json_in_next(in)) {
        buf_clear(&name);
        fine = json_in_name(in, &name);
        buf_put_u8(&name, 0);
        fine = fine && take(arg, (const char *)name.ptr, in);
    }
    buf_deinit(&name);
    return fine && !in->failed;
}

static bool skip(struct json_in *in)
{
    struct slice passed_over;
    return json_in_skip(in, &passed_over);
}

static bool take_text(struct json_in *in, char *ret, size_t room)
{
    struct buf text = {0};
    bool fine = json_in_text(in, &text) && text.len < room;
    if (fine)
        snprintf(ret, room, "%.*s", (int)text.len, text.len > 0 ? (const char *)text.ptr : "");
    buf_deinit(&text);
    return fine;
}

static bool take_hex(struct json_in *in, uint8_t *ret, size_t len)
{
    struct buf text = {0};
    bool fine = json_in_text(in, &text) && text.len == 2 * len &&
                hex_read((const char *)text.ptr, len, ret);
    buf_deinit(&text);
    return fine;
}

static bool take_number(struct json_in *in, uint64_t *ret)
{
    int64_t n = 0;
    bool fine = json_in_number(in, 0, INT64_MAX, &n);
    *ret = (uint64_t)n;
    return fine;
}

/* ---- receipts ---- */

enum {
    HAS_STATE = 1,
    HAS_ROUND = 2,
    HAS_EPOCH = 4,
    HAS_INDEX = 8,
    HAS_REVISION = 16,
    HAS_LEAF = 32,
    HAS_VERSION = 64,
    HAS_SIZE = 128,
    HAS_ROOT = 256,
    HAS_ALL = 511,
};

struct reading {
    struct receipt_file *ret;
    unsigned has;
    char wrong[64];
};

static bool take_receipt(void *arg, const char *name, struct json_in *in)
{
    struct reading *g = arg;
    struct receipt *r = &g->ret->receipt;
    uint64_t revision = 0;
    bool fine = true;
    snprintf(g->wrong, sizeof g->wrong, "%s", name);
    if (strcmp(name, "receipt") == 0)
        return walk(in, take_receipt, arg);
    if (strcmp(name, "state") == 0)
        fine = take_text(in, g->ret->state, sizeof g->ret->state), g->has |= HAS_STATE;
    else if (strcmp(name, "round") == 0)
        fine = take_number(in, &r->round), g->has |= HAS_ROUND;
    else if (strcmp(name, "epoch") == 0)
        fine = take_number(in, &r->epoch), g->has |= HAS_EPOCH;
    else if (strcmp(name, "index") == 0)
        fine = take_number(in, &r->index), g->has |= HAS_INDEX;
    else if (strcmp(name, "revision") == 0)
        fine = take_number(in, &revision) && revision <= UINT8_MAX, g->has |= HAS_REVISION;
    else if (strcmp(name, "leaf") == 0)
        fine = take_hex(in, r->leaf.bytes, SHA256_BYTES), g->has |= HAS_LEAF;
    else if (strcmp(name, "commit_version") == 0)
        fine = take_number(in, &r->commit_version), g->has |= HAS_VERSION;
    else if (strcmp(name, "tree_size") == 0)
        fine = take_number(in, &r->tree_size), g->has |= HAS_SIZE;
    else if (strcmp(name, "root") == 0)
        fine = take_hex(in, r->root.bytes, SHA256_BYTES), g->has |= HAS_ROOT;
    else if (strcmp(name, "signature") == 0)
        fine = g->ret->is_signed = take_hex(in, g->ret->signature, SIGNATURE_BYTES);
    else
        fine = skip(in);
    if (strcmp(name, "revision") == 0)
        r->revision = (uint8_t)revision;
    return fine;
}

int receipt_file_read(struct slice text, struct receipt_file *ret, struct err *err)
{
    struct reading g = {.ret = ret};
    struct json_in in;
    *ret = (struct receipt_file){.is_signed = false};
    json_in_init(&in, text);
    if (!walk(&in, take_receipt, &g) || !json_in_is_over(&in))
        return err_set(err, ERR_INVALID, "no receipt%s%s", g.wrong[0] != 0 ? ": see " : "",
                       g.wrong);
    if (g.has != HAS_ALL)
        return err_set(err, ERR_INVALID, "no receipt: members are missing");
    if (ret->receipt.index >= ret->receipt.tree_size)
        return err_set(err, ERR_INVALID, "no receipt: its index is not in its tree");
    return 0;
}

/* ---- proofs ---- */

static bool take_proof(void *arg, const char *name, struct json_in *in)
{
    struct proof_file *p = arg;
    if (strcmp(name, "root") == 0)
        return take_hex(in, p->root.bytes, SHA256_BYTES);
    if (strcmp(name, "path") != 0)
        return skip(in);
    bool fine = true;
    for (bool more = json_in_list(in); more && fine; more = fine && json_in_list_next(in))
        fine = p->count < MERKLE_PROOF_MAX && take_hex(in, p->path[p->count++].bytes, SHA256_BYTES);
    return fine;
}

bool proof_file_read(struct slice text, struct proof_file *ret)
{
    struct json_in in;
    *ret = (struct proof_file){.count = 0};
    json_in_init(&in, text);
    return walk(&in, take_proof, ret) && json_in_is_over(&in);
}

/* ---- who signs ---- */

static bool take_signer(void *arg, const char *name, struct json_in *in)
{
    struct signer *s = arg;
    if (strcmp(name, "id") == 0)
        return take_text(in, s->election, sizeof s->election);
    if (strcmp(name, "signer") == 0)
        return s->known = take_hex(in, s->key, SIGN_PUBLIC_BYTES);
    return skip(in);
}

bool signer_read(struct slice text, struct signer *ret)
{
    struct json_in in;
    *ret = (struct signer){.known = false};
    json_in_init(&in, text);
    return walk(&in, take_signer, ret) && ret->known && ret->election[0] != 0;
}

bool signer_read_hex(const char *text, struct signer *ret)
{
    return ret->known = strlen(text) == (size_t)2 * SIGN_PUBLIC_BYTES &&
                        hex_read(text, SIGN_PUBLIC_BYTES, ret->key);
}
