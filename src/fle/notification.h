/* notification.h: the one message of leader election (FastLeaderElection.buildMsg and
 * WorkerReceiver of 3.9.5), without the length that stands in front of it on the wire.
 *
 *   offset  bytes
 *        0  4      state of the sender: enum fle_state
 *        4  8      leader it votes for
 *       12  8      zxid of that leader
 *       20  8      round (electionEpoch) of the sender
 *       28  8      peer epoch of that leader
 *       36  4      version of this format: 2, of older servers 1
 *       40  4      length of the configuration   (version > 1)
 *       44  n      its text                      (version > 1)
 *
 * Two older forms are told apart by their size: 28 bytes end before the peer epoch, which is then
 * the epoch of the zxid; of 40 bytes the version does not count. What stands behind the text is
 * passed over. */
#ifndef CAUCUS_FLE_NOTIFICATION_H
#define CAUCUS_FLE_NOTIFICATION_H

#include "base/buf.h"
#include "fle/fle.h"

struct fle_notification {
    enum fle_state state;
    struct fle_vote vote;
    int32_t version;     /* 0 = one of the older forms */
    struct slice config; /* null = none; borrowed */
};

/* False if it is no notification. */
bool fle_notification_parse(struct slice payload, struct fle_notification *ret);
void fle_notification_put(struct buf *out, enum fle_state state, const struct fle_vote *vote,
                          struct slice config);

#endif
