#include "election/credential.h"

#include <inttypes.h>
#include <string.h>

enum {
    PLAIN_BYTES_MAX = CREDENTIAL_BYTES_MAX * 3 / 4,
};

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void put_base64(struct buf *b, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i < 3 ? len - i : 3;
        uint32_t v = (uint32_t)p[i] << 16;
        v |= left > 1 ? (uint32_t)p[i + 1] << 8 : 0;
        v |= left > 2 ? p[i + 2] : 0;
        for (size_t k = 0; k <= left; k++)
            buf_put_u8(b, (uint8_t)digits[v >> (18 - 6 * k) & 63]);
    }
}

static int digit_value(uint8_t c)
{
    const char *at = c != 0 ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* 0: it is none. */
static size_t take_base64(struct slice text, uint8_t ret[PLAIN_BYTES_MAX + 3])
{
    uint32_t v = 0;
    size_t len = 0, bits = 0;
    if (text.len == 0 || text.len > CREDENTIAL_BYTES_MAX || text.len % 4 == 1)
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_value(text.ptr[i]);
        if (digit < 0)
            return 0;
        v = v << 6 | (uint32_t)digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            ret[len++] = (uint8_t)(v >> bits);
        }
    }
    return (v & ((1U << bits) - 1)) == 0 ? len : 0; /* one text for one credential */
}

void credential_make(const struct hmac_key *key, const char *state, struct slice voter,
                     uint64_t round, int64_t expires_s, struct buf *ret)
{
    struct buf plain = {0};
    uint8_t mac[SHA256_BYTES];
    buf_printf(&plain, "%s|", state);
    buf_put_slice(&plain, voter);
    buf_printf(&plain, "|%" PRIu64 "|%" PRId64 "|", round, expires_s);
    hmac_of(key, plain.ptr, plain.len, mac);
    buf_put(&plain, mac, CREDENTIAL_MAC_BYTES);
    put_base64(ret, plain.ptr, plain.len);
    buf_deinit(&plain);
}

static bool same_mac(const uint8_t *a, const uint8_t *b)
{
    uint8_t differs = 0;
    for (size_t i = 0; i < CREDENTIAL_MAC_BYTES; i++)
        differs |= a[i] ^ b[i];
    return differs == 0;
}

/* Up to the next "|". */
static bool take_part(struct slice *bytes, struct slice *ret)
{
    const uint8_t *bar = bytes->len > 0 ? memchr(bytes->ptr, '|', bytes->len) : NULL;
    if (bar == NULL)
        return false;
    *ret = slice_of(bytes->ptr, (size_t)(bar - bytes->ptr));
    *bytes = slice_from(*bytes, ret->len + 1);
    return true;
}

static bool take_number(struct slice *bytes, uint64_t *ret)
{
    struct slice part;
    uint64_t v = 0;
    if (!take_part(bytes, &part) || part.len == 0 || part.len > 18)
        return false;
    for (size_t i = 0; i < part.len; i++) {
        if (part.ptr[i] < '0' || part.ptr[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(part.ptr[i] - '0');
    }
    *ret = v;
    return true;
}

enum credential_verdict credential_check(const struct hmac_key *key, const char *state,
                                         struct slice voter, uint64_t round, int64_t now_s,
                                         struct slice text)
{
    uint8_t plain[PLAIN_BYTES_MAX + 3], mac[SHA256_BYTES];
    struct slice of_state, of_voter;
    uint64_t of_round, expires;
    size_t len = take_base64(text, plain);
    if (len <= CREDENTIAL_MAC_BYTES)
        return CREDENTIAL_WRONG;
    struct slice signed_part = slice_of(plain, len - CREDENTIAL_MAC_BYTES), rest = signed_part;
    if (!take_part(&rest, &of_state) || !take_part(&rest, &of_voter) ||
        !take_number(&rest, &of_round) || !take_number(&rest, &expires) || rest.len != 0)
        return CREDENTIAL_WRONG;
    /* Of another state, it is by another key, which this one cannot tell from a forged one. */
    if (!slice_eq_str(of_state, state))
        return CREDENTIAL_OF_OTHERS;
    hmac_of(key, signed_part.ptr, signed_part.len, mac);
    if (!same_mac(mac, plain + signed_part.len))
        return CREDENTIAL_WRONG;
    if ((expires != 0 && now_s >= (int64_t)expires) || (of_round != 0 && of_round != round))
        return CREDENTIAL_WRONG;
    return slice_eq(of_voter, voter) ? CREDENTIAL_VALID : CREDENTIAL_OF_OTHERS;
}
