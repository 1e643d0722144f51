/* standing.h: how this server stands in its ensemble, in ZooKeeper's words: what four letter words,
 * HTTP commands and metrics say of it (ServerStats, QuorumPeer.getDetailedPeerState, dumpConf).
 *
 * Core thread; nothing is kept. */
#ifndef CAUCUS_SERVER_STANDING_H
#define CAUCUS_SERVER_STANDING_H

#include "server/server_info.h"

/* Always sets *ret; alone and without a node alike. */
void standing_read(const struct server_info *info, struct server_ensemble *ret);

/* Whether requests of clients are answered (ZooKeeperServer.isRunning). */
bool standing_serves(const struct server_info *info);

/* NULL = a client that wants to write may come; else why not, in a few words. */
const char *standing_not_ready(const struct server_info *info);

/* One of those that lead, follow or observe, and serve: ZooKeeper has another kind of server for
 * each of these, and none of them while it looks for a leader. */
bool standing_in_quorum(const struct server_ensemble *e);
bool standing_serves_observers(
    const struct server_ensemble *e);                 /* a follower with a port for them */
bool standing_leads(const struct server_ensemble *e); /* and serves */

/* "standalone", "leader", "follower", "observer", "read-only"; "leaderelection" = it does not serve
 * (QuorumStats). */
const char *standing_mode(const struct server_ensemble *e);

/* "leading - broadcast", "following - synchronization - diff", "looking". */
void standing_peer_state(const struct server_ensemble *e, struct buf *out);

/* The lines of `conf` that a server of an ensemble adds to a lone one's. */
void standing_conf(const struct server_ensemble *e, struct buf *out);

#endif
