/* blob.h: bytes that are kept once and named by a pointer, for as long as the process lives or
 * until blob_forget_all: worlds are copied by the thousand, and what they hold is the same. */
#ifndef CAUCUS_VOTE_BLOB_H
#define CAUCUS_VOTE_BLOB_H

#include "base/slice.h"

struct blob {
    uint64_t hash; /* of the bytes */
    struct slice bytes;
    struct blob *next;
};

const struct blob *blob_of(struct slice bytes);
void blob_forget_all(void);

#endif
