/* secure.h: TLS as options and environment want it.
 *
 * Any of --tls, --tls-ca, --tls-cert, --tls-key and --tls-any-host means TLS to every server. A
 * key's password is $CAUCUS_TLS_KEY_PASSWORD: what stands on a command line, everybody on the
 * machine can read. */
#ifndef CAUCUS_CLI_SECURE_H
#define CAUCUS_CLI_SECURE_H

#include <stdbool.h>

#include "caucus/caucus.h"
#include "tls/context.h"

struct secure {
    bool tls; /* asked for by itself, or because of one of the others */
    const char
        *ca; /* a file, or a folder as openssl rehash makes it; NULL: whom the system trusts */
    const char *certificate, *key;
    bool any_host;
};

/* What one option implies for the others. */
void secure_settle(struct secure *s);
struct tls_client_options secure_for_tls(const struct secure *s);
/* Of secure_for_tls; ret_trouble is the caller's to set. */
struct caucus_tls secure_for_caucus(const struct secure *s);

#endif
