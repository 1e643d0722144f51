/* context_internal.h: see context.h. */
#ifndef CAUCUS_TLS_CONTEXT_INTERNAL_H
#define CAUCUS_TLS_CONTEXT_INTERNAL_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdint.h>

#include "tls/context.h"

struct tls_context {
    atomic_int holders;
    SSL_CTX *ssl;
    bool any_host;
    uint8_t alpn[1 + TLS_ALPN_BYTES_MAX]; /* with its length in front; 0 = none */
};

/* OpenSSL's oldest complaint of this thread, for people; forgets the others. */
const char *tls_reason(void);

/* A password callback for OpenSSL, whose own asks the terminal; arg: the password, NULL or "". */
int tls_give_password(char *ret, int size, int is_writing, void *arg);

/* Remembers the protocol; `name` may be NULL. */
int tls_name_protocol(struct tls_context *c, const char *name, struct err *err);

/* Everything that both sides have in common. `method` as OpenSSL's. NULL: err says why. */
struct tls_context *tls_context_new(const SSL_METHOD *method, struct err *err);

#endif
