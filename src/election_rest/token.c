#include "election_rest/token.h"

enum {
    TOKEN_VERSION = 1,
    BYTES_MAX = 16 + STATES_MAX * 10,
    NUMBER_BYTES_MAX = 10,
};

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void put_number(struct buf *b, uint64_t number)
{
    for (; number > 127; number >>= 7)
        buf_put_u8(b, (uint8_t)(number | 128));
    buf_put_u8(b, (uint8_t)number);
}

static void put_base64(struct buf *out, struct slice bytes)
{
    uint32_t bits = 0, count = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | bytes.ptr[i];
        for (count += 8; count >= 6; count -= 6)
            buf_put_u8(out, (uint8_t)digits[bits >> (count - 6) & 63]);
    }
    if (count > 0)
        buf_put_u8(out, (uint8_t)digits[bits << (6 - count) & 63]);
}

void token_write(const struct token *t, struct buf *out)
{
    struct buf bytes = {0};
    buf_put_u8(&bytes, TOKEN_VERSION);
    put_number(&bytes, t->round);
    put_number(&bytes, t->phase);
    put_number(&bytes, t->shown);
    put_number(&bytes, t->states);
    for (uint32_t i = 0; i < t->states; i++)
        put_number(&bytes, t->seen[i]);
    put_base64(out, buf_slice(&bytes));
    buf_deinit(&bytes);
}

static bool get_base64(struct slice text, uint8_t *ret, size_t *ret_len)
{
    uint32_t bits = 0, count = 0;
    size_t len = 0;
    if (text.len > (size_t)BYTES_MAX * 4 / 3)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = text.ptr[i] != 0 ? strchr(digits, text.ptr[i]) : NULL;
        if (digit == NULL)
            return false;
        bits = bits << 6 | (uint32_t)(digit - digits);
        count += 6;
        if (count >= 8) {
            count -= 8;
            ret[len++] = (uint8_t)(bits >> count);
        }
    }
    *ret_len = len;
    return count < 6 && (bits & ((1u << count) - 1)) == 0;
}

static bool get_number(struct slice *from, uint64_t max, uint64_t *ret)
{
    uint64_t number = 0;
    for (size_t i = 0; i < from->len && i < NUMBER_BYTES_MAX; i++) {
        uint64_t part = from->ptr[i] & 127;
        if (i == NUMBER_BYTES_MAX - 1 && part > 1)
            return false;
        number |= part << (7 * i);
        if (from->ptr[i] < 128) {
            *from = slice_from(*from, i + 1);
            *ret = number;
            return number <= max && (i == 0 || part != 0); /* one form for each number */
        }
    }
    return false;
}

bool token_read(struct slice text, struct token *ret)
{
    uint8_t bytes[BYTES_MAX];
    size_t len;
    uint64_t phase, shown, states;
    struct token t = {0};
    if (!get_base64(text, bytes, &len) || len == 0 || bytes[0] != TOKEN_VERSION)
        return false;
    struct slice at = slice_of(bytes + 1, len - 1);
    if (!get_number(&at, UINT64_MAX, &t.round) || !get_number(&at, PHASE_COUNT - 1, &phase) ||
        !get_number(&at, 1, &shown) || !get_number(&at, STATES_MAX, &states))
        return false;
    t.phase = (enum phase)phase;
    t.shown = shown == 1;
    t.states = (uint32_t)states;
    for (uint32_t i = 0; i < t.states; i++) {
        if (!get_number(&at, UINT64_MAX, &t.seen[i]))
            return false;
    }
    if (at.len != 0)
        return false;
    *ret = t;
    return true;
}

bool token_is_of(const struct token *t, const struct election_info *e, const struct global *now)
{
    return t->shown && t->states == e->state_count && t->round == now->round &&
           t->phase == now->phase;
}
