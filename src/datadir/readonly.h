/* readonly.h: files as they are, for recovery that must not change them.
 *
 * Recovery cuts torn tails and removes what was never finished. Seen through this, it believes that
 * it did: what would change a file does nothing and succeeds. Internal to datadir. */
#ifndef CAUCUS_DATADIR_READONLY_H
#define CAUCUS_DATADIR_READONLY_H

#include "io/file.h"

struct readonly {
    struct files fs;
    struct files *under;
    int64_t snapshots_to; /* newer ones are not listed */
};

/* Returns the view, which lives as long as `r`. */
struct files *readonly_init(struct readonly *r, struct files *under, int64_t snapshots_to);

#endif
