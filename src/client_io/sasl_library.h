/* sasl_library.h: the functions of Cyrus SASL, loaded when the first handle wants SASL: a program
 * that does without needs no libsasl2, nor its plugins. */
#ifndef CAUCUS_CLIENT_IO_SASL_LIBRARY_H
#define CAUCUS_CLIENT_IO_SASL_LIBRARY_H

#include <sasl/sasl.h>

#include "base/err.h"

struct sasl_library {
    int (*client_init)(const sasl_callback_t *callbacks);
    int (*client_new)(const char *service, const char *server, const char *local_address,
                      const char *remote_address, const sasl_callback_t *callbacks, unsigned flags,
                      sasl_conn_t **ret);
    int (*client_start)(sasl_conn_t *conn, const char *mechanisms, sasl_interact_t **prompt,
                        const char **ret_token, unsigned *ret_len, const char **ret_mechanism);
    int (*client_step)(sasl_conn_t *conn, const char *challenge, unsigned len,
                       sasl_interact_t **prompt, const char **ret_token, unsigned *ret_len);
    int (*setprop)(sasl_conn_t *conn, int property, const void *value);
    void (*dispose)(sasl_conn_t **conn);
    const char *(*errdetail)(sasl_conn_t *conn);
};

/* NULL and ERR_UNSUPPORTED: it is not there, or cannot be used. */
const struct sasl_library *sasl_library(struct err *err);

#endif
