/* slice.h: borrowed bytes.
 *
 * A slice points into memory somebody else owns; whoever hands one over says how long it
 * stays valid. ptr may be NULL where len is 0. Jute's null string (length -1) is a slice with
 * ptr == NULL, an empty string has ptr != NULL: slice_is_null tells them apart. */
#ifndef CAUCUS_BASE_SLICE_H
#define CAUCUS_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *ptr;
    size_t len;
};

static inline struct slice slice_of(const void *ptr, size_t len)
{
    return (struct slice){ptr, len};
}

static inline struct slice slice_str(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static inline bool slice_is_null(struct slice s)
{
    return s.ptr == NULL;
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_eq_str(struct slice a, const char *text)
{
    return slice_eq(a, slice_str(text));
}

static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

/* The bytes from index `from` (<= len) on. */
static inline struct slice slice_from(struct slice s, size_t from)
{
    /* Adding 0 to NULL is undefined in C. */
    return from == 0 ? s : (struct slice){s.ptr + from, s.len - from};
}

#endif
