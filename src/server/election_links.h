/* election_links.h: one channel to every other server's election port (QuorumCnxManager).
 *
 * Between two servers one connection lives: the one that the server with the larger number has
 * made. A server with a smaller number connects too, says who it is, and is connected back.
 * Messages are frames of an int32 length and at most 512 KiB. For each channel one message waits,
 * the newest.
 *
 * Connecting to every server of the configurations is tried for as long as there is no channel,
 * soon at first, each second later; a peer that comes up connects by itself. (ZooKeeper tries when
 * it has something to say, and says the last thing again on a new connection, however old; here
 * whoever votes hears of the channel and says what is true then.) Names are looked up anew each
 * time, off the loop; what cannot be resolved or reached concerns nobody else. One owner thread,
 * the loop's. */
#ifndef CAUCUS_SERVER_ELECTION_LINKS_H
#define CAUCUS_SERVER_ELECTION_LINKS_H

#include "base/slice.h"
#include "server/peer_port.h"
#include "wire/quorum.h"

enum {
    ELECTION_MESSAGE_BYTES_MAX = 512 * 1024,
    ELECTION_STRANGERS_MAX = 64, /* connections that have not said who they are */
    ELECTION_RETRY_MS_MIN = 20,
    ELECTION_RETRY_MS_MAX = 1000,
};

struct election_links_options {
    struct loop *loop;
    int64_t sid; /* ours */
    bool multi_address;
    bool all_addresses; /* quorumListenOnAllIPs */
    int bind_retries;
    int64_t connect_timeout_ms; /* cnxTimeout */
    int64_t hello_timeout_ms;   /* for the first message of whoever connects */
    int64_t dead_ms;            /* a cut peer is noticed after about that long */
    /* From the loop, never from inside a function below. A channel that is replaced by a newer one
     * is down and up again. Down comes first for a server that the first attempt did not reach. */
    void (*on_channel)(void *arg, int64_t sid, bool up);
    void (*on_message)(void *arg, int64_t sid, struct slice payload);
    void (*on_port_failed)(void *arg, const char *reason);
    void *arg;
};

struct election_links;

struct election_links *election_links_create(const struct election_links_options *options);
void election_links_free(struct election_links *e); /* NULL is fine */

/* Who is where: the active configuration and the proposed one (NULL = none). Listens at our own
 * addresses in the active one. Both are copied. */
void election_links_set_config(struct election_links *e, const struct quorum *active,
                               const struct quorum *seen);
/* Takes the place of a message that still waits; lost if there is no channel. */
void election_links_send(struct election_links *e, int64_t sid, struct slice payload);
bool election_links_up(const struct election_links *e, int64_t sid);

#endif
