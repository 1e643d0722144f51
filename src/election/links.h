/* links.h: the servers of an election to each other: one TCP connection for each pair, for all that
 * they have to say.
 *
 *   frame   length u32, of what follows | type u8 | body
 *   HELLO   "CVLK" | version u32 | hash of the definition 32 | incarnation 16 | life u64
 *           | name u8 n, n bytes | name of whom it is for u8 n, n bytes
 *   REFUSED text: why, before the connection is closed
 *   PING    nothing, now and then; who says nothing at all for dead_ms is gone, as a process that
 * is stopped is, whose connections its kernel keeps others  the owner's Integers are big-endian. Of
 * two servers the one whose name sorts first dials, and says HELLO first; the other answers with
 * its own, and the link is up. A server without replicas dials everybody, as nobody knows its
 * address. What does not fit (another election, another incarnation than is known, a name it cannot
 * have) is refused and logged.
 *
 * While a link is up it keeps order and loses nothing; after on_down nothing of it arrives any
 * more. A second connection of the same server takes the place of the first: the server was
 * restarted and the end of the first has not been noticed.
 *
 * Bounds: a frame has at most LINK_FRAME_BYTES_MAX; what waits to be sent CONN_LINK_OUT_BYTES_MAX,
 * then the link is cut; connections that have not said HELLO are few, and have LINK_HELLO_MS.
 * One thread, the loop's; nothing is called from inside a call. */
#ifndef CAUCUS_ELECTION_LINKS_H
#define CAUCUS_ELECTION_LINKS_H

#include "base/err.h"
#include "election/coordination.h"
#include "io/conn.h"

enum {
    LINK_FRAME_BYTES_MAX = 4 << 20,
    LINK_HELLO_BYTES_MAX = 1024,
    LINK_HELLO_MS = 5000,
    LINK_GREETING_MAX = 64, /* connections without a HELLO */
    LINK_GATHER_BYTES = 64 << 10,
    LINK_PEERS_MAX = 4096,
    LINK_PINGS = 4, /* while it is silent for dead_ms */
};

enum link_frame {
    LINK_HELLO = 1,
    LINK_REFUSED,
    LINK_PING,       /* nothing: it lives. No answer, as the other side sends its own */
    LINK_OWN_FRAMES, /* the owner's are from here on */
};

struct links;
struct link;

struct links_options {
    struct loop *loop;
    const char *host; /* to listen on; NULL = everywhere */
    int port;         /* 0 = any */
    int64_t dead_ms;  /* a peer that is silent that long is gone */
    bool dials_all;   /* nobody is told our address */
    char name[SERVER_NAME_BYTES_MAX];
    uint8_t incarnation[INCARNATION_BYTES];
    struct hash config;
    uint64_t life; /* by chance, of this process */
    /* Mutual TLS: a server's, that wants certificates, and a client's that has one. Each server's
     * names it: CN is its name. Both NULL: plain TCP, for networks that are trusted. */
    struct tls_context *accept_tls, *dial_tls;

    /* NULL: welcome. Otherwise what is wrong. */
    const char *(*objection)(void *arg, const char *name,
                             const uint8_t incarnation[INCARNATION_BYTES]);
    void (*on_up)(void *arg, struct link *l);
    void (*on_down)(void *arg, struct link *l); /* the last of it */
    void (*on_frame)(void *arg, struct link *l, uint8_t type, struct slice body);
    void *arg;
};

int links_open(const struct links_options *options, struct links **ret, struct err *err);
/* Links end without on_down. */
void links_close(struct links *k);
int links_port(const struct links *k);

/* A server is there, at HOST:PORT; if it is ours to dial, it is dialled until it answers. */
void links_know(struct links *k, const char *name, const char *address);
struct link *links_find(const struct links *k, const char *name); /* NULL: not up */
struct link *links_numbered(const struct links *k, uint64_t number);
/* Those that are up: *at begins at 0; NULL: no more. */
struct link *links_next(const struct links *k, size_t *at);

const char *link_name(const struct link *l);
uint64_t link_number(const struct link *l); /* never used again */
uint64_t link_life(const struct link *l);   /* as its HELLO says: of the process */
/* Where it is reached; false: not known. */
bool link_address(const struct link *l, const char **ret_host, int *ret_port);
size_t link_unsent(const struct link *l);
/* a and b are one body. Leaves with links_flush, or before. */
void link_send(struct link *l, uint8_t type, struct slice a, struct slice b);
/* What it said makes no sense. on_down comes. */
void link_cut(struct link *l, const char *why);
void links_flush(struct links *k);

#endif
