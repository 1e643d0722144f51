/* probe.h: asks many servers a four letter word at once.
 *
 * A four letter word is not a session: a server without quorum answers it too, and says that it
 * does not serve. Names are looked up one after the other (the system's call blocks); connections
 * and answers are waited for side by side, all together at most for the given time. */
#ifndef CAUCUS_CLI_PROBE_H
#define CAUCUS_CLI_PROBE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "tls/link.h"

enum {
    PROBE_ADDRESSES_MAX = 8,
    PROBE_ANSWER_MAX = 65536,
};

struct probe {
    char *place; /* "host:port", as it is shown */
    struct sockaddr_storage addresses[PROBE_ADDRESSES_MAX];
    socklen_t address_bytes[PROBE_ADDRESSES_MAX];
    size_t address_count, at; /* at: the one that is tried */
    int fd;                   /* -1: done */
    bool wanted;
    bool connected; /* and the TLS handshake is done */
    char *host;
    struct tls_link *tls; /* NULL: none */
    struct buf answer;
    char error[TLS_TROUBLE_BYTES]; /* "": none */
};

/* Looks the name up; trouble stands in `error`. */
void probe_init(struct probe *p, const char *host, int port);
void probe_deinit(struct probe *p);
/* Both can be reached at one address. */
bool probe_same(const struct probe *a, const struct probe *b);

/* Forgets what was answered; the next probes_run asks it. */
void probe_want(struct probe *p);

/* `tls` NULL: plain TCP; else each server must show that it is the one that is asked. */
void probes_run(struct probe *probes, size_t count, const char *word, struct tls_context *tls,
                int64_t timeout_ms);

#endif
