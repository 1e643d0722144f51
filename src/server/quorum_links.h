/* quorum_links.h: connections on the quorum port and the port for observers, by number: bytes in
 * both directions, without meaning.
 *
 * Inbound ones get our numbers, rising from 1; outgoing ones have those of the caller. What is sent
 * in one turn of the loop leaves together, when quorum_links_flush is called at its end. Nothing is
 * called back from inside of a function; on_closed comes exactly once for each link that the owner
 * has not closed itself. One owner thread, the loop's. */
#ifndef CAUCUS_SERVER_QUORUM_LINKS_H
#define CAUCUS_SERVER_QUORUM_LINKS_H

#include "base/slice.h"
#include "io/connect.h"
#include "server/peer_port.h"

enum {
    QUORUM_LINKS_MAX = 1024,           /* inbound; more are turned away */
    QUORUM_LINK_GATHER_BYTES = 1 << 18 /* leaves without waiting for the end of the turn */
};

enum quorum_link_side {
    QUORUM_LINK_OURS,     /* we connected */
    QUORUM_LINK_LEARNER,  /* on the quorum port */
    QUORUM_LINK_OBSERVER, /* on the port for observers */
};

struct quorum_links_options {
    struct loop *loop;
    bool all_addresses;
    int bind_retries;
    int64_t connect_timeout_ms;
    int64_t dead_ms; /* a cut peer is noticed after about that long */
    void (*on_open)(void *arg, uint64_t link, enum quorum_link_side side);
    void (*on_bytes)(void *arg, uint64_t link, struct slice bytes);
    void (*on_closed)(void *arg, uint64_t link);
    void (*on_room)(void *arg, uint64_t link);
    void (*on_port_failed)(void *arg, const char *reason);
    void *arg;
};

struct quorum_links;

struct quorum_links *quorum_links_create(const struct quorum_links_options *options);
void quorum_links_listen(struct quorum_links *q, const struct connect_target *addresses,
                         size_t count);
void quorum_links_listen_observers(struct quorum_links *q, const struct connect_target *addresses,
                                   size_t count);
void quorum_links_stop_listening(struct quorum_links *q);
void quorum_links_free(struct quorum_links *q); /* cuts off what is left */

/* Answered by on_open or on_closed. */
void quorum_links_connect(struct quorum_links *q, uint64_t link,
                          const struct connect_target *targets, size_t count);
/* A number that is not (or no longer) there is passed over, here and below. */
void quorum_links_send(struct quorum_links *q, uint64_t link, struct slice bytes);
void quorum_links_close(struct quorum_links *q, uint64_t link); /* after what was sent */
void quorum_links_want_room(struct quorum_links *q, uint64_t link);
bool quorum_links_has(const struct quorum_links *q, uint64_t link);
void quorum_links_flush(struct quorum_links *q);
/* Back-pressure: nothing is read from one, because its owner wants so; from all, because the disk
 * is behind. */
void quorum_links_pause(struct quorum_links *q, uint64_t link, bool pause);
void quorum_links_pause_all(struct quorum_links *q, bool pause);

struct quorum_link_view {
    char address[LISTEN_ADDRESS_BYTES]; /* of the other end; "" = unknown */
    int port;                           /* likewise */
    int64_t since_ns;                   /* 0 = unknown */
    size_t unsent;
};
void quorum_links_view(const struct quorum_links *q, uint64_t link, struct quorum_link_view *ret);
/* Closed ones whose last bytes are still on their way. */
size_t quorum_links_count(const struct quorum_links *q);

#endif
