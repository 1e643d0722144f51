/* secure.h: the layer that is TLS (stack.h).
 *
 * The handshake is part of the first reads: nothing comes up before it is done. With `either`, the
 * first byte decides: a connection that does not begin as TLS does goes on in plain text. A
 * client's end begins it when the layer is made. */
#ifndef CAUCUS_IO_SECURE_H
#define CAUCUS_IO_SECURE_H

#include "io/stack.h"
#include "tls/link.h"

enum secure_state {
    SECURE_UNDECIDED, /* either: nothing came yet */
    SECURE_HANDSHAKE,
    SECURE_OPEN,
    SECURE_PLAIN, /* either: it is not TLS */
};

struct layer_secure {
    struct layer layer;
    struct layer *below;
    int fd;                      /* below's */
    struct tls_context *context; /* held: ours to free */
    struct tls_link *link;       /* NULL: undecided, or plain */
    enum secure_state state;
};

/* Takes over the layer below, a connection that was accepted. */
void layer_secure_init(struct layer_secure *s, struct layer *below, int fd,
                       struct tls_context *context, bool either);
/* And one that we have made, to `host`, which the server's certificate must name. */
void layer_secure_init_client(struct layer_secure *s, struct layer *below, int fd,
                              struct tls_context *context, const char *host);

#endif
