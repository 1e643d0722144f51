/* net.h: the network: streams of bytes between servers, and between clients and servers.
 *
 * A stream is what TCP is: each direction delivers bytes in order, late, in pieces, or the stream
 * breaks. Who learns of a break, and when, is drawn: at once, late, or not before it sends
 * something and is told that nobody is there (half-open). While a direction is cut its bytes wait
 * (they are sent again after the healing) unless the stream was broken by the cut.
 *
 * Election channels are streams between each two servers that connect by themselves whenever they
 * can. Streams of clients and election channels carry whole frames; quorum links bare bytes,
 * chopped anywhere. */
#ifndef CAUCUS_SIM_NET_H
#define CAUCUS_SIM_NET_H

#include "base/buf.h"
#include "queue.h"

struct world;

enum {
    SERVERS_MAX = 7,
    CLIENTS_MAX = 9, /* the last one appears when all faults are over */
    ENDPOINTS_MAX = SERVERS_MAX + CLIENTS_MAX,
    CUTS_MAX = 6,
};

enum stream_kind {
    STREAM_QUORUM,
    STREAM_OBSERVERS, /* a quorum link too, on the port for observers */
    STREAM_ELECTION,
    STREAM_CLIENT,
};

static inline bool stream_is_link(enum stream_kind kind)
{
    return kind == STREAM_QUORUM || kind == STREAM_OBSERVERS;
}

enum end_state {
    END_NONE, /* not there yet */
    END_OPENING,
    END_OPEN,
    END_CLOSED,
};

struct net_end {
    int who; /* a server, or SERVERS_MAX + client */
    enum end_state state;
    uint64_t number; /* by which its owner knows it */
    bool wants_room;
    bool deaf;   /* its owner does not read */
    bool doomed; /* a notice is on its way */
};

struct net_pipe { /* from the end of the same index to the other */
    struct buf bytes;
    size_t start; /* of what is not delivered, in bytes */
    uint64_t sent, delivered, arrived;
    bool finished; /* the sender has closed; what was sent still arrives */
    bool stalled;
    int64_t last_ns;
};

struct net_stream {
    bool used;
    uint64_t generation;
    enum stream_kind kind;
    struct net_end ends[2]; /* 0 connected to 1 */
    struct net_pipe pipes[2];
    bool broken;
    /* For traces: packets of a quorum link are told apart. */
    struct buf parsed[2];
    bool opaque[2]; /* a snapshot goes by */
};

struct net_cut {
    bool active;
    uint32_t to[ENDPOINTS_MAX]; /* from -> set of to */
};

struct net {
    struct net_stream *streams;
    size_t stream_count;
    struct net_cut cuts[CUTS_MAX];
    uint32_t blocked[ENDPOINTS_MAX]; /* from -> set of to, of all cuts together */
    int64_t delay_ns[ENDPOINTS_MAX];
    bool pair_wanted[SERVERS_MAX][SERVERS_MAX];
    struct buf scratch;
    uint64_t breaks, connects;
};

void net_init(struct world *w);
void net_deinit(struct world *w);

/* `number` is the owner's; the answer is NODE_LINK_OPEN or _CLOSED, client_connected or _dropped.
 * Returns the stream. */
uint64_t net_connect(struct world *w, enum stream_kind kind, int from, uint64_t number, int to);
void net_send(struct world *w, int who, uint64_t number, struct slice bytes);
void net_close(struct world *w, int who, uint64_t number);
void net_want_room(struct world *w, int who, uint64_t number);
void net_pause(struct world *w, int who, uint64_t number, bool pause);
/* Frames for server `to` on the channel from `from`: lost if there is none. */
void net_send_vote(struct world *w, int from, int to, struct slice bytes);
/* The process is gone. `silent`: with its machine, nobody is told. */
void net_owner_gone(struct world *w, int who, bool silent);
void net_owner_started(struct world *w, int who);

void net_cut(struct world *w, int slot, const struct net_cut *cut);
void net_heal(struct world *w, int slot);
bool net_blocked(const struct world *w, int from, int to);
/* Some stream breaks, as connections do. */
void net_break_some(struct world *w);
/* A learner's link to its leader breaks, if it has one. */
void net_break_from(struct world *w, int learner);
/* The quorum links between two servers break, and both are told. */
void net_break_between(struct world *w, int a, int b);
/* Is there a quorum link between them that works, as far as both know? */
bool net_linked(const struct world *w, int a, int b);

void net_event(struct world *w, const struct event *e);
/* Which server (or -1) must be running for this event to happen now. */
int net_event_server(const struct world *w, const struct event *e);

#endif
