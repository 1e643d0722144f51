/* link.h: TLS on one connected socket, which is never waited for.
 *
 * The socket stays the caller's: he waits for it and closes it, after tls_free. Every call goes as
 * far as it can and says what it waits for. One owner thread.
 *
 * Errors: TLS_BROKEN is for good; tls_trouble says why, in a line for people. */
#ifndef CAUCUS_TLS_LINK_H
#define CAUCUS_TLS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "tls/context.h"

enum {
    TLS_AGAIN = -1, /* when the socket can be read, or, if tls_waits_to_write, written */
    TLS_BROKEN = -2,
    TLS_TROUBLE_BYTES = 160,
};

/* The first byte a peer sends who speaks TLS. */
enum {
    TLS_RECORD_ALERT = 0x15,
    TLS_RECORD_HANDSHAKE = 0x16,
};
static inline bool tls_is_spoken(uint8_t first_byte)
{
    return first_byte == TLS_RECORD_HANDSHAKE || first_byte == TLS_RECORD_ALERT;
}

struct tls_link;

/* A client's end. `host`: the name or address that was asked for; the server's certificate must
 * name it. NULL: the system is out of memory. The context must live longer. */
struct tls_link *tls_connect(struct tls_context *c, int fd, const char *host);
/* A server's end. */
struct tls_link *tls_accept(struct tls_context *c, int fd);
void tls_free(struct tls_link *l); /* NULL is fine */

/* 0 when it is done; before that nothing else may be called. */
int tls_handshake(struct tls_link *l);
/* > 0: as much as there is; 0: the peer has ended. */
ssize_t tls_read(struct tls_link *l, void *ret, size_t len);
/* > 0, maybe less than len. After TLS_AGAIN the same bytes, or more, must come again. */
ssize_t tls_write(struct tls_link *l, const void *bytes, size_t len);
/* A word to the peer that nothing more follows, if the socket takes it. */
void tls_goodbye(struct tls_link *l);

/* Handshake or read could not go on because the socket could not be written to. */
bool tls_waits_to_write(const struct tls_link *l);
/* tls_read would give something without the socket being readable. */
bool tls_has_pending(const struct tls_link *l);
const char *tls_trouble(const struct tls_link *l);
/* The subject of the certificate that the peer has shown, appended as Java writes it
 * (X500Principal.getName, RFC 2253). False: it has shown none. After the handshake. */
bool tls_peer_subject(const struct tls_link *l, struct buf *out);

#endif
