#include "tls/note.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/sha256.h"

enum {
    KEY_HASH_BYTES = 4,
    SIGNED_BYTES = KEY_HASH_BYTES + SIGNATURE_BYTES,
    ALGORITHM_ED25519 = 1,
    TEXT_BYTES_MAX = 96, /* base64 of SIGNED_BYTES, and more */
};

static const char dash[] = "\xe2\x80\x94 "; /* U+2014, and a blank */

void base64_put(struct slice bytes, struct buf *ret)
{
    /* A multiple of three at a time. */
    while (bytes.len > 0) {
        uint8_t text[TEXT_BYTES_MAX + 1];
        size_t n = bytes.len < TEXT_BYTES_MAX / 4 * 3 ? bytes.len : TEXT_BYTES_MAX / 4 * 3;
        int len = EVP_EncodeBlock(text, bytes.ptr, (int)n);
        buf_put(ret, text, (size_t)len);
        bytes = slice_from(bytes, n);
    }
}

bool base64_take(struct slice text, uint8_t *ret, size_t len)
{
    uint8_t bytes[TEXT_BYTES_MAX];
    if (text.len != (len + 2) / 3 * 4 || text.len > TEXT_BYTES_MAX)
        return false;
    /* It takes "=" for zeros, and blanks for nothing. */
    for (size_t i = 0; i < text.len; i++) {
        bool padding = i >= text.len - (3 - len % 3) % 3;
        if ((text.ptr[i] == '=') != padding || text.ptr[i] <= ' ')
            return false;
    }
    if (EVP_DecodeBlock(bytes, text.ptr, (int)text.len) < (int)len)
        return false;
    memcpy(ret, bytes, len);
    return true;
}

static void hash_key(const uint8_t public_key[SIGN_PUBLIC_BYTES], const char *name,
                     uint8_t ret[KEY_HASH_BYTES])
{
    uint8_t hash[SHA256_BYTES], line_end = '\n', algorithm = ALGORITHM_ED25519;
    struct sha256 s;
    sha256_begin(&s);
    sha256_add(&s, name, strlen(name));
    sha256_add(&s, &line_end, 1);
    sha256_add(&s, &algorithm, 1);
    sha256_add(&s, public_key, SIGN_PUBLIC_BYTES);
    sha256_end(&s, hash);
    memcpy(ret, hash, KEY_HASH_BYTES);
}

void note_sign(const struct sign_key *k, const char *name, struct slice text, struct buf *ret)
{
    uint8_t public_key[SIGN_PUBLIC_BYTES], bytes[SIGNED_BYTES];
    sign_key_public(k, public_key);
    hash_key(public_key, name, bytes);
    sign_make(k, text, bytes + KEY_HASH_BYTES);
    buf_put_slice(ret, text);
    buf_printf(ret, "\n%s%s ", dash, name);
    base64_put(slice_of(bytes, sizeof bytes), ret);
    buf_put_u8(ret, '\n');
}

static bool starts_with(struct slice s, const void *bytes, size_t len)
{
    return s.len >= len && memcmp(s.ptr, bytes, len) == 0;
}

/* Of a line of signatures, without its end. */
static bool is_signature(const uint8_t public_key[SIGN_PUBLIC_BYTES], const char *name,
                         struct slice text, struct slice line)
{
    uint8_t wanted[KEY_HASH_BYTES], bytes[SIGNED_BYTES];
    size_t name_len = strlen(name);
    if (!starts_with(line, dash, sizeof dash - 1))
        return false;
    line = slice_from(line, sizeof dash - 1);
    if (!starts_with(line, name, name_len) || line.len <= name_len || line.ptr[name_len] != ' ' ||
        !base64_take(slice_from(line, name_len + 1), bytes, sizeof bytes))
        return false;
    hash_key(public_key, name, wanted);
    return memcmp(bytes, wanted, KEY_HASH_BYTES) == 0 &&
           sign_check(public_key, text, bytes + KEY_HASH_BYTES);
}

bool note_check(const uint8_t public_key[SIGN_PUBLIC_BYTES], const char *name, struct slice note,
                struct slice *ret_text)
{
    const uint8_t *gap = note.len > 0 ? memmem(note.ptr, note.len, "\n\n", 2) : NULL;
    if (gap == NULL)
        return false;
    *ret_text = slice_of(note.ptr, (size_t)(gap - note.ptr) + 1);
    struct slice rest = slice_from(note, ret_text->len + 1);
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
        if (end == NULL)
            return false;
        struct slice line = slice_of(rest.ptr, (size_t)(end - rest.ptr));
        if (is_signature(public_key, name, *ret_text, line))
            return true;
        rest = slice_from(rest, line.len + 1);
    }
    return false;
}
