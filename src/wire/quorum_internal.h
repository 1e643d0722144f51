/* quorum_internal.h: pieces of text, for the files of quorum.h. */
#ifndef CAUCUS_WIRE_QUORUM_INTERNAL_H
#define CAUCUS_WIRE_QUORUM_INTERNAL_H

#include "base/slice.h"

static inline bool text_is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\f' || c == '\r' || c == '\n';
}

static inline struct slice text_trim(struct slice s)
{
    while (s.len > 0 && text_is_space(s.ptr[0]))
        s = slice_from(s, 1);
    while (s.len > 0 && text_is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* Takes what stands before the next `separator` off *rest, and the separator; without one,
 * everything. */
static inline struct slice text_cut(struct slice *rest, char separator)
{
    const uint8_t *at = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
    struct slice head = *rest;
    if (at == NULL) {
        *rest = slice_from(*rest, rest->len);
    } else {
        head.len = (size_t)(at - rest->ptr);
        *rest = slice_from(*rest, head.len + 1);
    }
    return head;
}

/* Without the separators at the end: Java's split leaves out empty parts there. */
static inline struct slice text_without_tail(struct slice s, char separator)
{
    while (s.len > 0 && s.ptr[s.len - 1] == (uint8_t)separator)
        s.len--;
    return s;
}

/* A number from 0 to `max` in base 10 or 16; nothing before it and nothing behind. */
static inline bool text_number(struct slice s, int base, int64_t max, int64_t *ret)
{
    int64_t value = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : 99;
        if (digit >= base || value > (max - digit) / base)
            return false;
        value = value * base + digit;
    }
    if (s.len == 0)
        return false;
    *ret = value;
    return true;
}

#endif
