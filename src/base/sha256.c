#include "base/sha256.h"

#include <string.h>

#include "base/buf.h"

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int by)
{
    return x >> by | x << (32 - by);
}

static void blocks_by_rounds(uint32_t state[8], const uint8_t *p, size_t blocks)
{
    for (; blocks > 0; blocks--, p += SHA256_BLOCK_BYTES) {
        uint32_t w[64];
        for (int i = 0; i < 16; i++)
            w[i] = load_be32(p + i * 4);
        for (int i = 16; i < 64; i++) {
            uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
            uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
            w[i] = w[i - 16] + s0 + w[i - 7] + s1;
        }

        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
        for (int i = 0; i < 64; i++) {
            uint32_t t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                          ((e & f) ^ (~e & g)) + round_constants[i] + w[i];
            uint32_t t2 =
                (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
            h = g, g = f, f = e, e = d + t1;
            d = c, c = b, b = a, a = t1 + t2;
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d;
        state[4] += e, state[5] += f, state[6] += g, state[7] += h;
    }
}

#if defined(__x86_64__) && !defined(SHA256_PORTABLE)

#include <immintrin.h>

#define SHA_TARGET __attribute__((target("sha,sse4.1,ssse3")))

/* Its loops are written out: w stays in registers, which halves the time of a block. */
#ifdef __clang__
#define SHA_UNROLL _Pragma("unroll")
#else
#define SHA_UNROLL _Pragma("GCC unroll 16")
#endif

/* The instructions keep the state as (a, b, e, f) and (c, d, g, h) and do two rounds at a time; the
 * message schedule goes around in four registers of four words. */
static SHA_TARGET void blocks_by_instructions(uint32_t state[8], const uint8_t *p, size_t blocks)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)state);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(state + 4));
    low = _mm_shuffle_epi32(low, 0xb1);
    high = _mm_shuffle_epi32(high, 0x1b);
    __m128i abef = _mm_alignr_epi8(low, high, 8);
    __m128i cdgh = _mm_blend_epi16(high, low, 0xf0);

    for (; blocks > 0; blocks--, p += SHA256_BLOCK_BYTES) {
        __m128i abef_before = abef, cdgh_before = cdgh, w[4];
        SHA_UNROLL
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + i * 16)),
                                    swap);
        SHA_UNROLL
        for (int i = 0; i < 16; i++) {
            __m128i now = w[i & 3];
            __m128i sum = _mm_add_epi32(
                now, _mm_loadu_si128((const __m128i *)(const void *)(round_constants + i * 4)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
            if (i < 12) { /* the words that are wanted four groups later take this one's place */
                __m128i next = _mm_sha256msg1_epu32(now, w[(i + 1) & 3]);
                next = _mm_add_epi32(next, _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4));
                w[i & 3] = _mm_sha256msg2_epu32(next, w[(i + 3) & 3]);
            }
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }

    low = _mm_shuffle_epi32(abef, 0x1b);
    high = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(low, high, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(high, low, 8));
}

/* clang 14 cannot ask for "sha"; every processor with VPCLMULQDQ has it. */
#ifdef __clang__
#define SHA_FEATURE "vpclmulqdq"
#else
#define SHA_FEATURE "sha"
#endif

static void blocks_of(uint32_t state[8], const uint8_t *p, size_t blocks)
{
    if (__builtin_cpu_supports(SHA_FEATURE))
        blocks_by_instructions(state, p, blocks);
    else
        blocks_by_rounds(state, p, blocks);
}

#else

static void blocks_of(uint32_t state[8], const uint8_t *p, size_t blocks)
{
    blocks_by_rounds(state, p, blocks);
}

#endif

void sha256_begin(struct sha256 *h)
{
    static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memset(h, 0, sizeof *h);
    memcpy(h->state, first, sizeof first);
}

void sha256_add(struct sha256 *h, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    size_t held = h->bytes % SHA256_BLOCK_BYTES;
    h->bytes += len;

    if (held > 0) {
        size_t room = SHA256_BLOCK_BYTES - held;
        size_t part = len < room ? len : room;
        if (part > 0)
            memcpy(h->block + held, p, part);
        if (part < room)
            return;
        blocks_of(h->state, h->block, 1);
        p += part;
        len -= part;
    }
    if (len >= SHA256_BLOCK_BYTES)
        blocks_of(h->state, p, len / SHA256_BLOCK_BYTES);
    if (len % SHA256_BLOCK_BYTES > 0)
        memcpy(h->block, p + len / SHA256_BLOCK_BYTES * SHA256_BLOCK_BYTES,
               len % SHA256_BLOCK_BYTES);
}

void sha256_end(struct sha256 *h, uint8_t ret[SHA256_BYTES])
{
    uint8_t tail[2 * SHA256_BLOCK_BYTES] = {0};
    size_t held = h->bytes % SHA256_BLOCK_BYTES;
    size_t blocks = held + 9 <= SHA256_BLOCK_BYTES ? 1 : 2;
    memcpy(tail, h->block, held);
    tail[held] = 0x80;
    store_be64(tail + blocks * SHA256_BLOCK_BYTES - 8, h->bytes * 8);
    blocks_of(h->state, tail, blocks);
    for (int i = 0; i < 8; i++)
        store_be32(ret + i * 4, h->state[i]);
}

void sha256_of(const void *bytes, size_t len, uint8_t ret[SHA256_BYTES])
{
    struct sha256 h;
    sha256_begin(&h);
    sha256_add(&h, bytes, len);
    sha256_end(&h, ret);
}

void hmac_key_init(struct hmac_key *k, const void *key, size_t len)
{
    uint8_t pad[SHA256_BLOCK_BYTES] = {0};
    if (len > sizeof pad)
        sha256_of(key, len, pad);
    else if (len > 0)
        memcpy(pad, key, len);

    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36;
    sha256_begin(&k->inner);
    sha256_add(&k->inner, pad, sizeof pad);
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    sha256_begin(&k->outer);
    sha256_add(&k->outer, pad, sizeof pad);
}

void hmac_of(const struct hmac_key *k, const void *bytes, size_t len, uint8_t ret[SHA256_BYTES])
{
    uint8_t inner[SHA256_BYTES];
    struct sha256 h = k->inner;
    sha256_add(&h, bytes, len);
    sha256_end(&h, inner);
    h = k->outer;
    sha256_add(&h, inner, sizeof inner);
    sha256_end(&h, ret);
}
