/* epochs.h: acceptedEpoch and currentEpoch beside the snapshots (QuorumPeer.loadDataBase).
 *
 * acceptedEpoch: the newest epoch this server has promised to a leader; currentEpoch: the one whose
 * history it has taken over. Each a file with a decimal number, replaced as a whole (metafile.h).
 */
#ifndef CAUCUS_IO_EPOCHS_H
#define CAUCUS_IO_EPOCHS_H

#include "io/file.h"

struct epochs {
    int64_t accepted, current;
};

/* As the files have them, after the state was recovered up to `last_zxid`. A file that is missing
 * is made with the epoch of that zxid. If the zxid is of a later epoch than currentEpoch:
 *
 * - currentEpoch.tmp says so too: its writer had come as far as the renaming; it counts.
 * - acceptedEpoch is not older: the power failed while a leader of an epoch that this server had
 *   accepted gave it its history. What it has is a beginning of that history, and contains all that
 *   this server had acknowledged; it may stand for it under the old current epoch. (QuorumPeer
 *   refuses to start here, ZOOKEEPER-2354 and others.)
 * - otherwise the files contradict each other: ERR_CORRUPT, as for an acceptedEpoch older than
 *   currentEpoch and for a file that holds no number. */
int epochs_load(struct files *fs, const char *dir, int64_t last_zxid, struct epochs *ret,
                struct err *err);
int epochs_write_accepted(struct files *fs, const char *dir, int64_t epoch, struct err *err);
int epochs_write_current(struct files *fs, const char *dir, int64_t epoch, struct err *err);

#endif
