#include "base/crc32.h"

#include <string.h>

#include "base/crc32_tables.h"

static uint64_t load_le64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

/* What the eight bytes of `word` do when `behind` * 8 more bytes of the same step follow them. */
static uint32_t step8(uint64_t word, int behind)
{
    const uint32_t(*t)[256] = crc32_tables + behind * 8;
    return t[7][word & 0xff] ^ t[6][word >> 8 & 0xff] ^ t[5][word >> 16 & 0xff] ^
           t[4][word >> 24 & 0xff] ^ t[3][word >> 32 & 0xff] ^ t[2][word >> 40 & 0xff] ^
           t[1][word >> 48 & 0xff] ^ t[0][word >> 56];
}

/* `state` is the checksum without the inversions at both ends. Sixteen bytes per step, each looked
 * up by itself, so that the lookups do not wait for each other. */
static uint32_t by_tables(uint32_t state, const uint8_t *p, size_t len)
{
    for (; len >= 16; p += 16, len -= 16)
        state = step8(load_le64(p) ^ state, 1) ^ step8(load_le64(p + 8), 0);
    if (len >= 8) {
        state = step8(load_le64(p) ^ state, 0);
        p += 8;
        len -= 8;
    }
    while (len-- > 0)
        state = crc32_tables[0][(state ^ *p++) & 0xff] ^ state >> 8;
    return state;
}

#if defined(__x86_64__)

#include <immintrin.h>

#define CRC32_TARGET __attribute__((target("pclmul,sse2")))

static inline CRC32_TARGET __m128i load128(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* `x` moved on past as many bytes as `constants` stand for, and `next` added. */
static inline CRC32_TARGET __m128i fold(__m128i x, __m128i constants, __m128i next)
{
    __m128i low = _mm_clmulepi64_si128(x, constants, 0x00);
    __m128i high = _mm_clmulepi64_si128(x, constants, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* The remainder of 16 bytes that nothing follows: 8 bytes, 4, and the last division by two
 * multiplications (Barrett). */
static CRC32_TARGET uint32_t reduce(__m128i x, __m128i by16)
{
    const __m128i by4 = _mm_set_epi64x(0, CRC32_FOLD_4_BYTES);
    const __m128i barrett = _mm_set_epi64x(CRC32_BARRETT_QUOTIENT, CRC32_BARRETT_POLYNOMIAL);
    const __m128i low32 = _mm_set_epi32(0, 0, 0, -1);
    x = _mm_xor_si128(_mm_srli_si128(x, 8), _mm_clmulepi64_si128(x, by16, 0x10));
    x = _mm_xor_si128(_mm_srli_si128(x, 4),
                      _mm_clmulepi64_si128(_mm_and_si128(x, low32), by4, 0x00));
    __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(x, low32), barrett, 0x10);
    quotient = _mm_and_si128(quotient, low32);
    x = _mm_xor_si128(x, _mm_clmulepi64_si128(quotient, barrett, 0x00));
    return (uint32_t)_mm_cvtsi128_si32(_mm_srli_si128(x, 4));
}

/* Carry-less multiplication (V. Gopal et al., Fast CRC Computation for Generic Polynomials Using
 * PCLMULQDQ, Intel 2009): 64 bytes are folded into the next 64 until fewer are left, the four
 * quarters into one, this into the next 16 bytes. Less than 16 at the end are left to the tables.
 * len >= 16. */
static CRC32_TARGET uint32_t by_folding(uint32_t state, const uint8_t *p, size_t len)
{
    const __m128i by64 = _mm_set_epi64x(CRC32_FOLD_64_BYTES_HIGH, CRC32_FOLD_64_BYTES_LOW);
    const __m128i by16 = _mm_set_epi64x(CRC32_FOLD_16_BYTES_HIGH, CRC32_FOLD_16_BYTES_LOW);
    __m128i x0 = _mm_xor_si128(load128(p), _mm_cvtsi32_si128((int)state));
    p += 16;
    len -= 16;
    if (len >= 48) {
        __m128i x1 = load128(p), x2 = load128(p + 16), x3 = load128(p + 32);
        for (p += 48, len -= 48; len >= 64; p += 64, len -= 64) {
            x0 = fold(x0, by64, load128(p));
            x1 = fold(x1, by64, load128(p + 16));
            x2 = fold(x2, by64, load128(p + 32));
            x3 = fold(x3, by64, load128(p + 48));
        }
        x0 = fold(fold(fold(x0, by16, x1), by16, x2), by16, x3);
    }
    for (; len >= 16; p += 16, len -= 16)
        x0 = fold(x0, by16, load128(p));
    return by_tables(reduce(x0, by16), p, len);
}

static uint32_t update(uint32_t state, const uint8_t *p, size_t len)
{
    if (len >= 16 && __builtin_cpu_supports("pclmul"))
        return by_folding(state, p, len);
    return by_tables(state, p, len);
}

#else

static uint32_t update(uint32_t state, const uint8_t *p, size_t len)
{
    return by_tables(state, p, len);
}

#endif

uint32_t crc32_update(uint32_t crc, const void *bytes, size_t len)
{
    return ~update(~crc, bytes, len);
}
