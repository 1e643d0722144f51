/* fuzz.h: what the fuzz targets share: the entry, a check, and a reader that turns bytes into
 * decisions.
 *
 * A structure-aware target does not hope that random bytes are a valid request: it reads its input
 * as a list of decisions (which operation, which path, which number) and makes the request from
 * them. Where the input ends, every decision is 0. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold for every input. */
#define FUZZ_CHECK(condition, text)                                                                \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, text, #condition);             \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* For functions that answer with NULL or with what is wrong. */
#define FUZZ_CHECK_NULL(expression)                                                                \
    do {                                                                                           \
        const char *wrong_ = (expression);                                                         \
        if (wrong_ != NULL) {                                                                      \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, wrong_, #expression);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct fz {
    const uint8_t *at, *end;
};

static inline struct fz fz_of(const uint8_t *data, size_t size)
{
    return (struct fz){data, data + size};
}

static inline bool fz_more(const struct fz *f)
{
    return f->at < f->end;
}

static inline uint8_t fz_u8(struct fz *f)
{
    return fz_more(f) ? *f->at++ : 0;
}

static inline uint32_t fz_below(struct fz *f, uint32_t bound)
{
    return fz_u8(f) % bound;
}

static inline bool fz_one_in(struct fz *f, uint32_t n)
{
    return fz_u8(f) % n == n - 1;
}

static inline uint32_t fz_u16(struct fz *f)
{
    uint32_t high = fz_u8(f);
    return high << 8 | fz_u8(f);
}

/* Numbers as they matter: small ones, and those at which something turns. */
int64_t fz_i64(struct fz *f);
int32_t fz_i32(struct fz *f);

/* Some of the input's own bytes; null and large ones (zeros) come up too. */
struct slice fz_blob(struct fz *f);
/* Everything that is left. */
struct slice fz_rest(struct fz *f);

#endif
