/* crc32_bitwise.h: CRC-32 by the definition, a bit at a time, to compare others with. */
#ifndef CAUCUS_TESTS_CRC32_BITWISE_H
#define CAUCUS_TESTS_CRC32_BITWISE_H

#include <stddef.h>
#include <stdint.h>

static inline uint32_t crc32_bitwise(const uint8_t *p, size_t len)
{
    uint32_t crc = 0xffffffff;
    while (len-- > 0) {
        crc ^= *p++;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

#endif
