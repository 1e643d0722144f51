/* snappy_library.h: libsnappy, loaded when a snapshot needs it and not before.
 *
 * It brings the C++ run-time along, a megabyte of resident memory that a server without Snappy
 * snapshots should not pay. Any thread. */
#ifndef CAUCUS_IO_SNAPPY_LIBRARY_H
#define CAUCUS_IO_SNAPPY_LIBRARY_H

#include <snappy-c.h>

#include "base/err.h"

struct snappy_library {
    __typeof__(snappy_compress) *compress;
    __typeof__(snappy_uncompress) *uncompress;
    __typeof__(snappy_max_compressed_length) *max_compressed_length;
    __typeof__(snappy_uncompressed_length) *uncompressed_length;
};

/* NULL, with the reason in err, when it is not installed. */
const struct snappy_library *snappy_library(struct err *err);

#endif
