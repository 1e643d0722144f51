/* secure.h: TLS and SASL as options and environment want them.
 *
 * Any of --tls, --tls-ca, --tls-cert, --tls-key and --tls-any-host means TLS to every server. A
 * key's password is $CAUCUS_TLS_KEY_PASSWORD: what stands on a command line, everybody on the
 * machine can read. The same goes for SASL: --sasl-user with --sasl-password-file, or
 * $CAUCUS_SASL_PASSWORD. */
#ifndef CAUCUS_CLI_SECURE_H
#define CAUCUS_CLI_SECURE_H

#include <stdbool.h>

#include "caucus/caucus.h"
#include "tls/context.h"
#include "tls/secret.h"

struct secure {
    bool tls; /* asked for by itself, or because of one of the others */
    const char
        *ca; /* a file, or a folder as openssl rehash makes it; NULL: whom the system trusts */
    const char *certificate, *key;
    bool any_host;
    const char *sasl_user;          /* DIGEST-MD5 */
    const char *sasl_password_file; /* its first line */
    bool sasl_gssapi;
};

/* The options of TLS, for a table of options. */
#define SECURE_TLS_OPTIONS(s)                                                                      \
    {0, "tls", OPTION_FLAG, &(s)->tls}, {0, "tls-ca", OPTION_TEXT, &(s)->ca},                      \
        {0, "tls-cert", OPTION_TEXT, &(s)->certificate}, {0, "tls-key", OPTION_TEXT, &(s)->key},   \
    {                                                                                              \
        0, "tls-any-host", OPTION_FLAG, &(s)->any_host                                             \
    }
/* And what help says of them. */
#define SECURE_TLS_HELP                                                                            \
    "  --tls                   TLS, trusting whom the system trusts\n"                             \
    "  --tls-ca FILE           TLS, trusting these certificates; also a folder of them\n"          \
    "  --tls-cert FILE         our certificate\n"                                                  \
    "  --tls-key FILE          its key, if not beside it; $CAUCUS_TLS_KEY_PASSWORD opens it\n"     \
    "  --tls-any-host          a trusted certificate will do, whatever host it names\n"

/* What one option implies for the others. */
void secure_settle(struct secure *s);
struct tls_client_options secure_for_tls(const struct secure *s);
/* For connections of our own that speak `alpn` inside (NULL: not said); NULL if TLS was not asked
 * for. */
int secure_context(const struct secure *s, const char *alpn, struct tls_context **ret,
                   struct err *err);
/* Of secure_for_tls; ret_trouble is the caller's to set. */
struct caucus_tls secure_for_caucus(const struct secure *s);

/* Whether SASL is wanted, and by what name; the password is copied to `password`. False: it cannot
 * be read, and `problem` says why. */
bool secure_sasl(const struct secure *s, char password[SECRET_BYTES], struct caucus_sasl *ret,
                 bool *ret_wanted, struct err *problem);

#endif
