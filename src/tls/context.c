#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tls/context_internal.h"

const char *tls_reason(void)
{
    unsigned long code = ERR_get_error();
    const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;
    if (text == NULL && ERR_SYSTEM_ERROR(code))
        text = strerror(ERR_GET_REASON(code));
    ERR_clear_error();
    return text != NULL ? text : "unknown reason";
}

int tls_give_password(char *ret, int size, int is_writing, void *arg)
{
    (void)is_writing;
    const char *password = arg;
    size_t len = password != NULL ? strlen(password) : 0;
    if (len == 0 || len > (size_t)size)
        return -1;
    memcpy(ret, password, len);
    return (int)len;
}

struct tls_context *tls_context_new(const SSL_METHOD *method, struct err *err)
{
    SSL_CTX *ssl = SSL_CTX_new(method);
    if (ssl == NULL) {
        err_set(err, ERR_UNSUPPORTED, "TLS cannot be used: %s", tls_reason());
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* Frames have lengths: where they end is known without a goodbye. */
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ssl, 1);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    struct tls_context *c = mem_calloc(1, sizeof *c);
    c->ssl = ssl;
    atomic_init(&c->holders, 1);
    return c;
}

struct tls_context *tls_context_hold(struct tls_context *c)
{
    atomic_fetch_add(&c->holders, 1);
    return c;
}

void tls_context_free(struct tls_context *c)
{
    if (c == NULL || atomic_fetch_sub(&c->holders, 1) > 1)
        return;
    SSL_CTX_free(c->ssl);
    free(c);
}

int tls_name_protocol(struct tls_context *c, const char *name, struct err *err)
{
    if (name == NULL)
        return 0;
    size_t len = strlen(name);
    if (len == 0 || len > TLS_ALPN_BYTES_MAX)
        return err_set(err, ERR_INVALID, "'%s' is no name of a protocol inside TLS", name);
    c->alpn[0] = (uint8_t)len;
    memcpy(c->alpn + 1, name, len);
    return 0;
}

/* ---- A client's ---- */

static int offer_protocol(struct tls_context *c, const char *name, struct err *err)
{
    int rc = tls_name_protocol(c, name, err);
    if (rc < 0 || c->alpn[0] == 0)
        return rc;
    if (SSL_CTX_set_alpn_protos(c->ssl, c->alpn, 1U + c->alpn[0]) != 0) /* 0 is success here */
        return err_set(err, ERR_INVALID, "protocol '%s': %s", name, tls_reason());
    return 0;
}

static int trust(SSL_CTX *ssl, const struct tls_client_options *o, struct err *err)
{
    if (o->ca_file == NULL && o->ca_folder == NULL) {
        if (SSL_CTX_set_default_verify_paths(ssl) != 1)
            return err_set(err, ERR_INVALID, "the system's trusted certificates: %s", tls_reason());
        return 0;
    }
    if (o->ca_file != NULL && SSL_CTX_load_verify_file(ssl, o->ca_file) != 1)
        return err_set(err, ERR_INVALID, "trusted certificates of '%s': %s", o->ca_file,
                       tls_reason());
    if (o->ca_folder != NULL && SSL_CTX_load_verify_dir(ssl, o->ca_folder) != 1)
        return err_set(err, ERR_INVALID, "trusted certificates in '%s': %s", o->ca_folder,
                       tls_reason());
    return 0;
}

static int identify(SSL_CTX *ssl, const struct tls_client_options *o, struct err *err)
{
    const char *key = o->key_file != NULL ? o->key_file : o->certificate_file;
    if (o->certificate_file == NULL) {
        if (key == NULL)
            return 0;
        return err_set(err, ERR_INVALID, "the key of '%s' has no certificate", key);
    }
    if (SSL_CTX_use_certificate_chain_file(ssl, o->certificate_file) != 1)
        return err_set(err, ERR_INVALID, "certificate of '%s': %s", o->certificate_file,
                       tls_reason());
    SSL_CTX_set_default_passwd_cb(ssl, tls_give_password);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, (void *)(uintptr_t)o->key_password);
    int ok = SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, NULL);
    if (ok != 1 || SSL_CTX_check_private_key(ssl) != 1)
        return err_set(err, ERR_INVALID, "key of '%s': %s", key, tls_reason());
    return 0;
}

int tls_client_context(const struct tls_client_options *o, struct tls_context **ret,
                       struct err *err)
{
    struct tls_context *c = tls_context_new(TLS_client_method(), err);
    if (c == NULL)
        return ERR_UNSUPPORTED;
    c->any_host = o->any_host;
    SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
    int rc = trust(c->ssl, o, err);
    if (rc == 0)
        rc = identify(c->ssl, o, err);
    if (rc == 0)
        rc = offer_protocol(c, o->alpn, err);
    if (rc < 0) {
        tls_context_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}
