/* context.h: what is trusted, and who we are; shared by all links made of it.
 *
 * Made of files once, read-only afterwards. Errors: ERR_INVALID (a file cannot be read or is not
 * what it should be) with a text that names the file; nothing is asked of a terminal. */
#ifndef CAUCUS_TLS_CONTEXT_H
#define CAUCUS_TLS_CONTEXT_H

#include <stdbool.h>

#include "base/err.h"

struct tls_context;

struct tls_client_options {
    const char *ca_file, *ca_folder; /* both NULL: the system's */
    const char *certificate_file;    /* NULL: none */
    const char *key_file;            /* NULL: in certificate_file */
    const char *key_password;        /* NULL: none */
    bool any_host;                   /* the certificate need not name the host */
};

int tls_client_context(const struct tls_client_options *o, struct tls_context **ret,
                       struct err *err);
void tls_context_free(struct tls_context *c); /* NULL is fine */

#endif
