/* context.h: what is trusted, and who we are; shared by all links made of it.
 *
 * Made of files once, read-only afterwards. Errors: ERR_INVALID (a file cannot be read or is not
 * what it should be) with a text that names the file; nothing is asked of a terminal. */
#ifndef CAUCUS_TLS_CONTEXT_H
#define CAUCUS_TLS_CONTEXT_H

#include <stdbool.h>

#include "base/err.h"

struct tls_context;

enum {
    TLS_ALPN_BYTES_MAX = 32
};

struct tls_client_options {
    const char *ca_file, *ca_folder; /* both NULL: the system's */
    const char *certificate_file;    /* NULL: none */
    const char *key_file;            /* NULL: in certificate_file */
    const char *key_password;        /* NULL: none */
    bool any_host;                   /* the certificate need not name the host */
    const char *alpn;                /* the protocol that is spoken inside: "h2"; NULL: not said */
};

/* Errors here too: `alpn` is longer than TLS_ALPN_BYTES_MAX or empty. */
int tls_client_context(const struct tls_client_options *o, struct tls_context **ret,
                       struct err *err);

enum tls_store_type {
    TLS_STORE_PEM,
    TLS_STORE_PKCS12,
};

struct tls_store {
    const char *path; /* NULL: none */
    enum tls_store_type type;
    const char *password; /* "": none */
};

enum tls_client_auth {
    TLS_CLIENT_AUTH_NONE,
    TLS_CLIENT_AUTH_WANT,
    TLS_CLIENT_AUTH_NEED, /* whoever shows no certificate is turned away */
};

struct tls_server_options {
    struct tls_store key;   /* our certificate, its key, and what leads to a trusted one */
    const char *key_file;   /* the key, if it is not there; of a PEM store only. NULL: it is */
    struct tls_store trust; /* who signs clients' certificates */
    enum tls_client_auth client_auth;
    const char *protocols; /* "TLSv1.2", "TLSv1.3", or both with a comma */
    const char *ciphers;   /* IANA's names with commas; "": OpenSSL's defaults */
    const char *alpn;      /* who offers others only is turned away; NULL: it is not looked at */
};

int tls_server_context(const struct tls_server_options *o, struct tls_context **ret,
                       struct err *err);
/* One more who will free it, of any thread; `c`. */
struct tls_context *tls_context_hold(struct tls_context *c);
void tls_context_free(struct tls_context *c); /* NULL is fine */

#endif
