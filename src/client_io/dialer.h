/* dialer.h: one outgoing connection: name, addresses, socket, and TLS if it is wanted.
 *
 * Addresses are tried one after the other, beginning with a different one each time; how long that
 * may take is the caller's business. Non-blocking; lives in the caller's epoll set under a tag. One
 * owner at a time. */
#ifndef CAUCUS_CLIENT_IO_DIALER_H
#define CAUCUS_CLIENT_IO_DIALER_H

#include "base/slice.h"
#include "client/hosts.h"
#include "client_io/lookup.h"
#include "tls/link.h"

enum {
    DIALER_REASON_BYTES = 192
};

enum dialer_state {
    DIALER_IDLE,
    DIALER_LOOKUP,
    DIALER_CONNECTING,
    DIALER_SECURING, /* TLS handshake */
    DIALER_OPEN,
};

enum dialer_news {
    DIALER_NOTHING,
    DIALER_CONNECTED,
    DIALER_FAILED, /* `error` says why; it is idle again */
};

struct dialer {
    int epoll_fd;
    uint32_t tag;
    enum dialer_state state;
    const struct host *host;
    struct lookup *
        *lookup; /* the host's; stays when the dialer leaves, so that each has at most one */
    struct tls_context *tls_context; /* borrowed; NULL: plain TCP */
    struct tls_link *tls;            /* of this connection; NULL: none */
    int fd;
    int lent_fd; /* somebody waits for it: it is not closed before he gives it back. -1: nobody */
    bool wants_write;
    bool is_mute;
    bool is_deaf;     /* epoll does not know fd any more */
    uint32_t listens; /* the events of fd that epoll tells */
    struct addresses addresses;
    size_t at; /* index of the address that is tried */
    size_t untried;
    char error[HOST_NAME_BYTES_MAX + DIALER_REASON_BYTES + 16];
};

/* `tls` NULL: plain TCP. Borrowed. */
void dialer_init(struct dialer *d, int epoll_fd, uint32_t tag, struct tls_context *tls);
enum dialer_news dialer_start(struct dialer *d, const struct host *host, struct lookup **lookup,
                              uint64_t pick);
/* Its descriptor is ready, or may be. */
enum dialer_news dialer_step(struct dialer *d);
void dialer_stop(struct dialer *d);
/* As engine_disown. A number that stands in the dialer is one of an open descriptor at any moment
 * at which the process may fork. */
void dialer_disown(struct dialer *d);

/* Of an open one. Bytes moved; 0: none now; -1: the connection ended. Reading stops the dialer
 * then, and `error` says how; writing does not: what the other end said before may still be read.
 */
ptrdiff_t dialer_read(struct dialer *d, void *bytes, size_t len);
ptrdiff_t dialer_write(struct dialer *d, struct slice bytes);
/* To be woken when it can be written to. */
void dialer_want_write(struct dialer *d, bool wanted);

/* Of an open one, for a thread that waits for its descriptor and owns nothing else meanwhile. Until
 * it is given back it stays open, though the connection may end: waiting for it ends then, too. One
 * at a time. */
int dialer_lend(struct dialer *d);
bool dialer_is_lent(const struct dialer *d); /* not only one that has ended since */
/* False: the connection has ended. */
bool dialer_take_back(struct dialer *d);
/* As dialer_read, of what he has read from a connection without TLS: recv's result, and errno. */
ptrdiff_t dialer_judge_read(struct dialer *d, ptrdiff_t n, int error);
/* Of an open one, until it ends: epoll does not tell when there is something to read, but of the
 * peer's end. */
void dialer_mute(struct dialer *d, bool is_mute);
/* Nor of that, until it is not mute any more. */
void dialer_deafen(struct dialer *d);

/* There are bytes to read of which epoll says nothing: TLS has them already. */
bool dialer_has_pending(const struct dialer *d);
/* Reading, or the handshake, goes on when it can be written to. */
bool dialer_reads_by_writing(const struct dialer *d);

#endif
