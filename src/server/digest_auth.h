/* digest_auth.h: what the digest scheme needs of cryptography (DigestAuthenticationProvider). */
#ifndef CAUCUS_SERVER_DIGEST_AUTH_H
#define CAUCUS_SERVER_DIGEST_AUTH_H

#include <stdbool.h>

#include "node/node.h"

/* Chooses DigestAuthenticationProvider.digestAlg by its name in Java or OpenSSL ("SHA1", "SHA-256",
 * "MD5", "SHA3-256", ...). Once, at the start. False: not available. */
bool digest_auth_select(const char *algorithm);

/* base64(HASH(text)): a node_digest_fn. */
size_t digest_auth(struct slice text, char ret[128]);

#endif
