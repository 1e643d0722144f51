/* options_tls.c: TLS for clients, from the configuration and the files it names. */
#include <stdlib.h>
#include <string.h>

#include "server/server.h"

enum {
    PASSWORD_BYTES_MAX = 1024
};

static int take_password(const char *from, struct slice text, char ret[PASSWORD_BYTES_MAX],
                         struct err *err)
{
    if (text.len >= PASSWORD_BYTES_MAX)
        return err_set(err, ERR_TOOBIG, "password of '%s' is too long", from);
    if (text.len > 0)
        memcpy(ret, text.ptr, text.len);
    ret[text.len] = 0;
    return 0;
}

/* The file's first line counts, if there is a file. */
static int read_password(const struct config *c, enum config_id text, enum config_id path,
                         char ret[PASSWORD_BYTES_MAX], struct err *err)
{
    const char *file = config_text(c, path);
    if (file[0] == 0)
        return take_password(config_key(text)->name, slice_str(config_text(c, text)), ret, err);
    struct buf content;
    int rc = config_read_whole(file, &content, err);
    if (rc < 0)
        return err_wrap(err, rc, "password file '%s'", file);
    rc = take_password(file, buf_slice(&content), ret, err);
    if (rc == 0)
        ret[strcspn(ret, "\r\n")] = 0;
    buf_deinit(&content);
    return rc;
}

static enum tls_store_type type_of(const struct config *c, enum config_id type,
                                   enum config_id location)
{
    return config_store_type(c, type, location) == CONFIG_STORE_PKCS12 ? TLS_STORE_PKCS12
                                                                       : TLS_STORE_PEM;
}

static enum tls_client_auth client_auth_of(const struct config *c)
{
    switch (config_client_auth(c)) {
    case CONFIG_CLIENT_AUTH_NONE:
        return TLS_CLIENT_AUTH_NONE;
    case CONFIG_CLIENT_AUTH_WANT:
        return TLS_CLIENT_AUTH_WANT;
    case CONFIG_CLIENT_AUTH_NEED:
        break;
    }
    return TLS_CLIENT_AUTH_NEED;
}

/* ssl.protocol is what there is of it in ZooKeeper only while ssl.enabledProtocols is not given. */
static const char *protocols_of(const struct config *c)
{
    bool one =
        !config_given(c, CONFIG_SSL_ENABLED_PROTOCOLS) && config_given(c, CONFIG_SSL_PROTOCOL);
    return config_text(c, one ? CONFIG_SSL_PROTOCOL : CONFIG_SSL_ENABLED_PROTOCOLS);
}

int options_tls(const struct config *c, struct tls_context **ret, struct err *err)
{
    char key_password[PASSWORD_BYTES_MAX], trust_password[PASSWORD_BYTES_MAX];
    const struct tls_server_options o = {
        .key = {config_text(c, CONFIG_SSL_KEYSTORE),
                type_of(c, CONFIG_SSL_KEYSTORE_TYPE, CONFIG_SSL_KEYSTORE), key_password},
        .trust = {config_text(c, CONFIG_SSL_TRUSTSTORE),
                  type_of(c, CONFIG_SSL_TRUSTSTORE_TYPE, CONFIG_SSL_TRUSTSTORE), trust_password},
        .client_auth = client_auth_of(c),
        .protocols = protocols_of(c),
        .ciphers = config_text(c, CONFIG_SSL_CIPHERSUITES),
    };
    int rc = read_password(c, CONFIG_SSL_KEYSTORE_PASSWORD, CONFIG_SSL_KEYSTORE_PASSWORD_PATH,
                           key_password, err);
    if (rc == 0)
        rc = read_password(c, CONFIG_SSL_TRUSTSTORE_PASSWORD, CONFIG_SSL_TRUSTSTORE_PASSWORD_PATH,
                           trust_password, err);
    if (rc == 0)
        rc = tls_server_context(&o, ret, err);
    return rc < 0 ? err_wrap(err, rc, "TLS for clients") : 0;
}
