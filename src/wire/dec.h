/* dec.h: reads jute's encoding from bytes it trusts in nothing (BinaryInputArchive).
 *
 * Zero-copy: what it returns points into the input and lives as long as that. Nothing is read past
 * the end. `bad` is sticky: a truncation or a length below -1 sets it and moves to the end, so that
 * every later read fails as well; look at it once, after the last read. What a failed read returns
 * is zero and means nothing.
 *
 *   int32, int64   big-endian                     boolean   one byte, anything but 0 is true
 *   string, buffer int32 length, bytes; -1 null   vector    int32 count, elements; -1 null
 *
 * Bytes left over at the end are nobody's fault, as in ZooKeeper. */
#ifndef CAUCUS_WIRE_DEC_H
#define CAUCUS_WIRE_DEC_H

#include "base/buf.h"
#include "base/slice.h"

struct dec {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

static inline struct dec dec_of(struct slice bytes)
{
    const uint8_t *at = bytes.ptr != NULL ? bytes.ptr : (const uint8_t *)"";
    return (struct dec){at, at + bytes.len, false};
}

static inline size_t dec_left(const struct dec *d)
{
    return (size_t)(d->end - d->at);
}

/* What has not been read yet. */
static inline struct slice dec_rest(const struct dec *d)
{
    return slice_of(d->at, dec_left(d));
}

static inline void dec_fail(struct dec *d)
{
    d->bad = true;
    d->at = d->end;
}

/* The next `bytes` bytes, or NULL and bad. */
static inline const uint8_t *dec_take(struct dec *d, size_t bytes)
{
    if (dec_left(d) < bytes || d->bad) {
        dec_fail(d);
        return NULL;
    }
    const uint8_t *p = d->at;
    d->at += bytes;
    return p;
}

static inline int32_t dec_i32(struct dec *d)
{
    const uint8_t *p = dec_take(d, 4);
    return p != NULL ? (int32_t)load_be32(p) : 0;
}

static inline int64_t dec_i64(struct dec *d)
{
    const uint8_t *p = dec_take(d, 8);
    return p != NULL ? (int64_t)load_be64(p) : 0;
}

static inline bool dec_bool(struct dec *d)
{
    const uint8_t *p = dec_take(d, 1);
    return p != NULL && *p != 0;
}

/* Null is a slice with ptr NULL; empty is not. */
static inline struct slice dec_buffer(struct dec *d)
{
    int32_t len = dec_i32(d);
    if (len >= 0) {
        const uint8_t *p = dec_take(d, (size_t)len);
        return p != NULL ? slice_of(p, (size_t)len) : (struct slice){0};
    }
    if (len != -1)
        dec_fail(d);
    return (struct slice){0};
}

/* The bytes as they came: whoever shows them as text checks that they are UTF-8. */
static inline struct slice dec_ustring(struct dec *d)
{
    return dec_buffer(d);
}

#endif
