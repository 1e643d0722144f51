/* sha256.h: SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104).
 *
 * Ours, because the pure core may not call a cryptographic library; a test compares the two. With
 * the processor's SHA instructions where it has them. Not written to run in constant time beyond
 * what the algorithm does by itself: no table and no branch depends on the data. */
#ifndef CAUCUS_BASE_SHA256_H
#define CAUCUS_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum {
    SHA256_BYTES = 32,
    SHA256_BLOCK_BYTES = 64,
};

struct sha256 {
    uint32_t state[8];
    uint64_t bytes; /* taken so far */
    uint8_t block[SHA256_BLOCK_BYTES];
};

void sha256_begin(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *bytes, size_t len);
void sha256_end(struct sha256 *h, uint8_t ret[SHA256_BYTES]);

/* All at once. */
void sha256_of(const void *bytes, size_t len, uint8_t ret[SHA256_BYTES]);

/* A key made ready: each code then costs two blocks less. */
struct hmac_key {
    struct sha256 inner, outer;
};
void hmac_key_init(struct hmac_key *k, const void *key, size_t len);
void hmac_of(const struct hmac_key *k, const void *bytes, size_t len, uint8_t ret[SHA256_BYTES]);

#endif
