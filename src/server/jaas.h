/* jaas.h: the users of a login context, from a JAAS file as Apache's servers have it:
 *
 *   Server {
 *       org.apache.zookeeper.server.auth.DigestLoginModule required
 *       user_super="secret"
 *       user_bob="open sesame";
 *   };
 *
 * Comments as in Java. Errors: ERR_INVALID with the line; ERR_NOTFOUND if the context is not there;
 * ERR_UNSUPPORTED for a login module of another kind (Kerberos). Pure. */
#ifndef CAUCUS_SERVER_JAAS_H
#define CAUCUS_SERVER_JAAS_H

#include "base/err.h"
#include "base/slice.h"

enum {
    JAAS_USERS_MAX = 4096
};

struct jaas_user {
    char *name, *password;
};

struct jaas {
    struct jaas_user *users;
    size_t count;
};

int jaas_parse(struct slice text, const char *context, struct jaas *ret, struct err *err);
void jaas_deinit(struct jaas *j);
/* NULL: there is no such user. */
const char *jaas_password(const struct jaas *j, struct slice user);

#endif
