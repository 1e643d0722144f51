/* snap_format.h: constants shared by the writer and the reader of snapshot files; internal to io.
 */
#ifndef CAUCUS_IO_SNAP_FORMAT_H
#define CAUCUS_IO_SNAP_FORMAT_H

#include <stdint.h>

enum {
    SNAP_HEADER_BYTES = 16, /* "ZKSN", version 2, dbid -1 */
    SNAP_SEAL_BYTES = 13,   /* Adler32 as int64, then the string "/" */
    SNAP_DIGEST_BYTES = 20, /* ZxidDigest: zxid, version, digest */
    SNAP_DIGEST_VERSION = 2,

    /* SnappyOutputStream of snappy-java: a header, then blocks of int32 length + raw snappy. */
    SNAPPY_HEADER_BYTES = 16,
    SNAPPY_BLOCK_BYTES = 32 << 10,
    SNAPPY_BLOCK_BYTES_MAX = 64 << 20, /* accepted when reading */
};

static const uint8_t SNAP_HEADER[SNAP_HEADER_BYTES] = {
    'Z', 'K', 'S', 'N', 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};

/* Magic, version 1, readable from version 1 on. */
static const uint8_t SNAPPY_HEADER[SNAPPY_HEADER_BYTES] = {
    0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1,
};

#endif
