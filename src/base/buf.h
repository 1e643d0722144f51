/* buf.h: a byte buffer that grows up to a maximum.
 *
 * Owns its memory; buf_deinit releases it. A zeroed struct buf is an empty buffer without a
 * maximum. Writing past the maximum sets `overflow` and drops the bytes: check it (or
 * buf_ok) once at the end instead of after each put. Integers are written big-endian, as jute
 * and ZooKeeper's files have them. */
#ifndef CAUCUS_BASE_BUF_H
#define CAUCUS_BASE_BUF_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

struct buf {
    uint8_t *ptr;
    size_t len;
    size_t cap;
    size_t bytes_max; /* 0 = no maximum */
    bool overflow;
};

void buf_init(struct buf *b, size_t bytes_max);
void buf_deinit(struct buf *b);
bool buf_grow(struct buf *b, size_t more); /* the slow path of buf_reserve */

/* Empties it and keeps the memory. */
static inline void buf_clear(struct buf *b)
{
    b->len = 0;
    b->overflow = false;
}

static inline bool buf_ok(const struct buf *b)
{
    return !b->overflow;
}

static inline struct slice buf_slice(const struct buf *b)
{
    return slice_of(b->ptr, b->len);
}

/* `len` bytes from index `at` on. Nothing is a part too, even of a buffer that has no memory yet.
 */
static inline struct slice buf_part(const struct buf *b, size_t at, size_t len)
{
    return len > 0 ? slice_of(b->ptr + at, len) : slice_str("");
}

/* Room for `more` bytes at ptr + len; false (and overflow set) past the maximum. */
static inline bool buf_reserve(struct buf *b, size_t more)
{
    return b->cap - b->len >= more || buf_grow(b, more);
}

static inline void store_be32(uint8_t *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}

static inline void store_be64(uint8_t *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}

static inline uint32_t load_be32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}

static inline uint64_t load_be64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}

static inline void buf_put(struct buf *b, const void *bytes, size_t len)
{
    if (len > 0 && buf_reserve(b, len)) {
        memcpy(b->ptr + b->len, bytes, len);
        b->len += len;
    }
}

static inline void buf_put_slice(struct buf *b, struct slice s)
{
    buf_put(b, s.ptr, s.len);
}

static inline void buf_put_u8(struct buf *b, uint8_t v)
{
    if (buf_reserve(b, 1))
        b->ptr[b->len++] = v;
}

static inline void buf_put_i32(struct buf *b, int32_t v)
{
    if (buf_reserve(b, 4)) {
        store_be32(b->ptr + b->len, (uint32_t)v);
        b->len += 4;
    }
}

static inline void buf_put_i64(struct buf *b, int64_t v)
{
    if (buf_reserve(b, 8)) {
        store_be64(b->ptr + b->len, (uint64_t)v);
        b->len += 8;
    }
}

/* printf into the buffer, without the terminating zero. */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
