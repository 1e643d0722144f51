/* digest_md5.h: SASL DIGEST-MD5 (RFC 2831), the server's side, as ZooKeeper's speak it: one realm,
 * no layer over what follows (qop=auth), no second round without a challenge.
 *
 *   client  "" (or whatever)                            server  realm, nonce, ...
 *   client  username, cnonce, response, ...             server  rspauth, and the end
 *
 * Written here rather than taken from libsasl2: its servers look for passwords in databases of
 * their own. The hash is libcrypto's. Pure but for that; bad input is a failed conversation. */
#ifndef CAUCUS_SERVER_DIGEST_MD5_H
#define CAUCUS_SERVER_DIGEST_MD5_H

#include "base/buf.h"
#include "server/jaas.h"

enum {
    DIGEST_MD5_NONCE_BYTES = 24,
    DIGEST_MD5_TOKEN_BYTES_MAX = 4096, /* RFC 2831: a response is less */
    DIGEST_MD5_USER_BYTES_MAX = 255,
};

enum digest_md5_state {
    DIGEST_MD5_NEW,
    DIGEST_MD5_CHALLENGED,
    DIGEST_MD5_DONE,
    DIGEST_MD5_FAILED,
};

struct digest_md5 {
    enum digest_md5_state state;
    char nonce[DIGEST_MD5_NONCE_BYTES * 2 + 1];
    char user[DIGEST_MD5_USER_BYTES_MAX + 1]; /* who it is, once done */
    const char *why;                          /* it failed */
};

/* `nonce`: random bytes that nobody has seen. */
void digest_md5_init(struct digest_md5 *d, const uint8_t nonce[DIGEST_MD5_NONCE_BYTES]);
/* The answer is appended to `reply`. */
enum digest_md5_state digest_md5_step(struct digest_md5 *d, const struct jaas *users,
                                      struct slice token, struct buf *reply);

#endif
