/* records.h: ZooKeeper's records as structs, their decoders and encoders.
 *
 * The records themselves are generated (records_gen.h) from schema/records.schema:
 *
 *   struct rec_<name>                              a field per field; text and bytes are slices
 *   bool rec_get_<name>(struct dec *, struct *)    false and dec.bad when malformed; *ret is then
 * unspecified void rec_put_<name>(struct buf *, const *)     appends; past the buffer's maximum it
 * drops (buf_ok)
 *
 * Memory: a decoded record borrows from the input. A vector stays encoded: `raw` is the bytes of
 * `count` elements that were walked once and found well-formed, so that reading them again cannot
 * fail:
 *
 *   struct dec d = dec_of(v.raw);
 *   for (int32_t i = 0; i < v.count; i++)
 *       rec_get_acl(&d, &acl);        (dec_ustring for vectors of strings)
 *
 * A count of -1 is a null vector. A count below that reads as an empty one, as jute has it. A
 * vector that claims more elements than its bytes could hold is refused before the first is looked
 * at. */
#ifndef CAUCUS_WIRE_RECORDS_H
#define CAUCUS_WIRE_RECORDS_H

#include "base/buf.h"
#include "base/slice.h"
#include "wire/dec.h"

struct rec_vec {
    int32_t count;
    struct slice raw;
};

/* For what is written without a record around it: one string or buffer, null as -1. */
static inline void rec_put_slice(struct buf *b, struct slice s)
{
    buf_put_i32(b, slice_is_null(s) ? -1 : (int32_t)s.len);
    buf_put_slice(b, s);
}

/* Stores: p has room; the end of what was written is returned. Used by the generated code. */
static inline uint8_t *rec_store_i32(uint8_t *p, int32_t v)
{
    store_be32(p, (uint32_t)v);
    return p + 4;
}

static inline uint8_t *rec_store_i64(uint8_t *p, int64_t v)
{
    store_be64(p, (uint64_t)v);
    return p + 8;
}

static inline uint8_t *rec_store_bool(uint8_t *p, bool v)
{
    *p = v;
    return p + 1;
}

static inline uint8_t *rec_store_bytes(uint8_t *p, struct slice s)
{
    if (s.len > 0)
        memcpy(p, s.ptr, s.len);
    return p + s.len;
}

static inline uint8_t *rec_store_slice(uint8_t *p, struct slice s)
{
    return rec_store_bytes(rec_store_i32(p, slice_is_null(s) ? -1 : (int32_t)s.len), s);
}

static inline uint8_t *rec_store_vec(uint8_t *p, struct rec_vec v)
{
    return rec_store_bytes(rec_store_i32(p, v.count), v.raw);
}

/* The start of a vector whose elements take at least `element_bytes_min` each. False when there is
 * nothing to walk: null, empty, or more than the bytes could hold. */
static inline bool rec_vec_begin(struct dec *d, size_t element_bytes_min, struct rec_vec *ret)
{
    int32_t count = dec_i32(d);
    if (count == -1) {
        *ret = (struct rec_vec){.count = -1};
        return false;
    }
    *ret = (struct rec_vec){.raw = {d->at, 0}};
    if (count <= 0)
        return false;
    if ((size_t)count > dec_left(d) / element_bytes_min) {
        dec_fail(d);
        return false;
    }
    ret->count = count;
    return true;
}

static inline void rec_vec_end(const struct dec *d, struct rec_vec *ret)
{
    if (d->bad)
        *ret = (struct rec_vec){.raw = {d->at, 0}};
    else
        ret->raw.len = (size_t)(d->at - ret->raw.ptr);
}

#include "wire/records_gen.h"

#endif
