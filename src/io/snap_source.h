/* snap_source.h: a snapshot file as a stream of plain bytes, whatever it is compressed with.
 * Internal to io. One owner thread. */
#ifndef CAUCUS_IO_SNAP_SOURCE_H
#define CAUCUS_IO_SNAP_SOURCE_H

#include <zlib.h>

#include "base/buf.h"
#include "io/file.h"
#include "io/names.h"

struct snap_source {
    struct files *fs;
    int fd;
    int64_t at; /* in the file */
    enum snap_method method;
    struct buf raw; /* compressed bytes read and not yet used: from raw_used on */
    size_t raw_used;
    z_stream gzip;
    bool gzip_open, gzip_ended;
    struct buf block; /* a snappy block, from block_used on */
    size_t block_used;
};

int snap_source_open(struct snap_source *s, struct files *fs, const char *path,
                     enum snap_method method, struct err *err);
void snap_source_close(struct snap_source *s);
/* Up to `len` bytes, at least one; 0 = the end; ERR_CORRUPT or ERR_IO. */
int64_t snap_source_read(struct snap_source *s, uint8_t *ret, size_t len, struct err *err);

#endif
