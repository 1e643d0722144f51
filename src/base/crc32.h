/* crc32.h: CRC-32 (ISO-HDLC: polynomial 0xEDB88320, as zlib and java.util.zip.CRC32).
 * Used for ZooKeeper's tree digest in the pure core, which may not call zlib. */
#ifndef CAUCUS_BASE_CRC32_H
#define CAUCUS_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 to begin) over the bytes. */
uint32_t crc32_update(uint32_t crc, const void *bytes, size_t len);

#endif
