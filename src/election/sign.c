/* sign.c: signatures of receipts and of heads of logs, all by the election's one key. */
#include <inttypes.h>
#include <stdio.h>

#include "base/hex.h"
#include "election/service_internal.h"
#include "election/sign.h"
#include "tls/note.h"

void receipt_text(const struct election_info *e, int state, const struct receipt *r,
                  struct buf *ret)
{
    char leaf[2 * SHA256_BYTES + 1], root[2 * SHA256_BYTES + 1];
    hex_write(r->leaf.bytes, SHA256_BYTES, leaf);
    hex_write(r->root.bytes, SHA256_BYTES, root);
    buf_printf(ret, "caucus receipt 1\n%s\n%s\n%" PRIu64 "\n%" PRIu64 "\n%" PRIu64 "\n%u\n%s\n",
               e->id, e->states[state].names.code, r->round, r->epoch, r->index, r->revision, leaf);
    buf_printf(ret, "%" PRIu64 "\n%" PRIu64 "\n%s\n", r->commit_version, r->tree_size, root);
}

void service_sign_receipt(const struct service *s, int state, const struct receipt *r,
                          uint8_t ret[SIGNATURE_BYTES_OF_RECEIPT])
{
    struct buf text = {0};
    receipt_text(&s->definition->info, state, r, &text);
    sign_make(s->definition->signer, buf_slice(&text), ret);
    buf_deinit(&text);
}

void head_name(const char *election, char ret[HEAD_NAME_BYTES])
{
    size_t at = (size_t)snprintf(ret, HEAD_NAME_BYTES, "caucus/");
    for (; *election != 0 && at + 1 < HEAD_NAME_BYTES; election++) {
        unsigned char c = (unsigned char)*election;
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                     c == '-' || c == '_' || c == '.';
        ret[at++] = plain ? (char)c : '_';
    }
    ret[at] = 0;
}

void head_text(const char *election, const char *state, uint64_t round, uint64_t size,
               const struct hash *root, struct buf *ret)
{
    char name[HEAD_NAME_BYTES];
    head_name(election, name);
    buf_printf(ret, "%s/%s/%" PRIu64 "\n%" PRIu64 "\n", name, state, round, size);
    base64_put(slice_of(root->bytes, SHA256_BYTES), ret);
    buf_put_u8(ret, '\n');
}

void service_sign_head(const struct service *s, int state, const struct log_head *h,
                       struct buf *ret)
{
    const struct election_info *e = &s->definition->info;
    char name[HEAD_NAME_BYTES];
    struct buf text = {0};
    head_name(e->id, name);
    head_text(e->id, e->states[state].names.code, h->round, h->size, &h->root, &text);
    note_sign(s->definition->signer, name, buf_slice(&text), ret);
    buf_deinit(&text);
}
