#include "base/utf8.h"

size_t utf8_length(const char *text, size_t bytes)
{
    const unsigned char *p = (const unsigned char *)text;
    if (p[0] < 0x80)
        return 1;
    size_t len = p[0] >= 0xc2 && p[0] < 0xe0   ? 2
                 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                               : 0;
    if (len == 0 || len > bytes)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    /* Longer than need be, surrogates, beyond U+10FFFF. */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
        return 0;
    return len;
}

bool utf8_is_valid(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        size_t len = utf8_length(text + i, bytes - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

void utf8_put(struct buf *out, uint32_t code)
{
    if (code < 0x80) {
        buf_put_u8(out, (uint8_t)code);
        return;
    }
    if (code < 0x800) {
        buf_put_u8(out, (uint8_t)(0xc0 | code >> 6));
    } else if (code < 0x10000) {
        buf_put_u8(out, (uint8_t)(0xe0 | code >> 12));
        buf_put_u8(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
    } else {
        buf_put_u8(out, (uint8_t)(0xf0 | code >> 18));
        buf_put_u8(out, (uint8_t)(0x80 | (code >> 12 & 0x3f)));
        buf_put_u8(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
    }
    buf_put_u8(out, (uint8_t)(0x80 | (code & 0x3f)));
}
