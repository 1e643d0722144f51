/* server_context.c: a server's context: stores as Java has them, IANA's names of ciphers. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <stdio.h>
#include <string.h>

#include "tls/context_internal.h"

/* ---- PKCS12 ---- */

struct pkcs12 {
    EVP_PKEY *key;
    X509 *certificate;
    STACK_OF(X509) * others;
};

static void pkcs12_deinit(struct pkcs12 *p)
{
    EVP_PKEY_free(p->key);
    X509_free(p->certificate);
    sk_X509_pop_free(p->others, X509_free);
}

static int pkcs12_read(const struct tls_store *s, struct pkcs12 *ret, struct err *err)
{
    FILE *f = fopen(s->path, "rbe");
    if (f == NULL)
        return err_set(err, ERR_INVALID, "'%s': %s", s->path, strerror(errno));
    PKCS12 *store = d2i_PKCS12_fp(f, NULL);
    fclose(f);
    *ret = (struct pkcs12){0};
    bool ok = store != NULL &&
              PKCS12_parse(store, s->password, &ret->key, &ret->certificate, &ret->others) == 1;
    PKCS12_free(store);
    if (!ok)
        return err_set(err, ERR_INVALID, "'%s' as PKCS12: %s", s->path, tls_reason());
    return 0;
}

static int identify_pkcs12(SSL_CTX *ssl, const struct tls_store *s, struct err *err)
{
    struct pkcs12 p = {0};
    int rc = pkcs12_read(s, &p, err);
    if (rc < 0)
        return rc;
    if (p.key == NULL || p.certificate == NULL)
        rc = err_set(err, ERR_INVALID, "'%s' holds no key with a certificate", s->path);
    else if (SSL_CTX_use_cert_and_key(ssl, p.certificate, p.key, p.others, 1) != 1)
        rc = err_set(err, ERR_INVALID, "key and certificate of '%s': %s", s->path, tls_reason());
    pkcs12_deinit(&p);
    return rc;
}

/* Only entries without a key of their own are there to be trusted, as in Java. */
static int trust_pkcs12(SSL_CTX *ssl, const struct tls_store *s, struct err *err)
{
    struct pkcs12 p = {0};
    int rc = pkcs12_read(s, &p, err);
    if (rc < 0)
        return rc;
    X509_STORE *trusted = SSL_CTX_get_cert_store(ssl);
    int count = p.key == NULL ? sk_X509_num(p.others) : 0;
    if (count <= 0)
        rc = err_set(err, ERR_INVALID, "'%s' holds no trusted certificate", s->path);
    for (int i = 0; i < count; i++)
        X509_STORE_add_cert(trusted, sk_X509_value(p.others, i));
    ERR_clear_error();
    pkcs12_deinit(&p);
    return rc;
}

/* ---- PEM ---- */

static int identify_pem(SSL_CTX *ssl, const struct tls_store *s, const char *key, struct err *err)
{
    if (SSL_CTX_use_certificate_chain_file(ssl, s->path) != 1)
        return err_set(err, ERR_INVALID, "certificate of '%s': %s", s->path, tls_reason());
    SSL_CTX_set_default_passwd_cb(ssl, tls_give_password);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, (void *)(uintptr_t)s->password);
    int ok = SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, NULL);
    if (ok != 1 || SSL_CTX_check_private_key(ssl) != 1)
        return err_set(err, ERR_INVALID, "key of '%s': %s", key, tls_reason());
    return 0;
}

static int trust_pem(SSL_CTX *ssl, const struct tls_store *s, struct err *err)
{
    if (SSL_CTX_load_verify_file(ssl, s->path) != 1)
        return err_set(err, ERR_INVALID, "trusted certificates of '%s': %s", s->path, tls_reason());
    return 0;
}

/* ---- Clients' certificates ---- */

/* A client with several certificates chooses by the names of those we trust. */
static void tell_whom_we_trust(SSL_CTX *ssl)
{
    STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ssl));
    for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
        X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));
        if (certificate != NULL)
            SSL_CTX_add_client_CA(ssl, certificate);
    }
}

static int judge_clients(SSL_CTX *ssl, const struct tls_server_options *o, struct err *err)
{
    if (o->client_auth == TLS_CLIENT_AUTH_NONE)
        return 0;
    bool must = o->client_auth == TLS_CLIENT_AUTH_NEED;
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | (must ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    int rc = o->trust.type == TLS_STORE_PKCS12 ? trust_pkcs12(ssl, &o->trust, err)
                                               : trust_pem(ssl, &o->trust, err);
    if (rc == 0)
        tell_whom_we_trust(ssl);
    return rc;
}

/* ---- Protocols and ciphers ---- */

/* The next of a list with commas, without blanks around it; false: there is none. */
static bool next_word(const char **at, char *ret, size_t bytes)
{
    *at += strspn(*at, ", ");
    size_t len = strcspn(*at, ", ");
    snprintf(ret, bytes, "%.*s", (int)len, *at);
    *at += len;
    return len > 0;
}

static int offer_protocols(SSL_CTX *ssl, const char *list, struct err *err)
{
    bool old = false, new = false;
    char word[32];
    while (next_word(&list, word, sizeof word)) {
        if (strcmp(word, "TLSv1.2") == 0)
            old = true;
        else if (strcmp(word, "TLSv1.3") == 0)
            new = true;
        else
            return err_set(err, ERR_INVALID, "protocol '%s': there are TLSv1.2 and TLSv1.3", word);
    }
    if (!old && !new)
        return err_set(err, ERR_INVALID, "no protocol is left: there are TLSv1.2 and TLSv1.3");
    SSL_CTX_set_min_proto_version(ssl, old ? TLS1_2_VERSION : TLS1_3_VERSION);
    SSL_CTX_set_max_proto_version(ssl, new ? TLS1_3_VERSION : TLS1_2_VERSION);
    return 0;
}

struct cipher_lists {
    char old[2048], new[1024]; /* of TLS 1.2, of TLS 1.3; ':' behind each */
};

static bool cipher_add(char *list, size_t bytes, const char *name)
{
    size_t len = strlen(list);
    return snprintf(list + len, bytes - len, "%s:", name) < (int)(bytes - len);
}

/* Java calls them by IANA's names, OpenSSL those of TLS 1.2 by its own. */
static int offer_ciphers(SSL_CTX *ssl, const char *list, struct err *err)
{
    struct cipher_lists lists = {"", ""};
    char word[64];
    while (next_word(&list, word, sizeof word)) {
        const char *name = OPENSSL_cipher_name(word);
        bool fits = strncmp(name, "TLS_", 4) == 0 ? cipher_add(lists.new, sizeof lists.new, name)
                                                  : cipher_add(lists.old, sizeof lists.old, name);
        if (strcmp(name, "(NONE)") == 0 || !fits)
            return err_set(err, ERR_INVALID, "cipher suite '%s' is not known", word);
    }
    if (lists.old[0] == 0 && lists.new[0] == 0)
        return 0;
    if ((lists.old[0] != 0 && SSL_CTX_set_cipher_list(ssl, lists.old) != 1) ||
        SSL_CTX_set_ciphersuites(ssl, lists.new) != 1)
        return err_set(err, ERR_INVALID, "cipher suites: %s", tls_reason());
    if (lists.old[0] == 0)
        SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION);
    else if (lists.new[0] == 0)
        SSL_CTX_set_max_proto_version(ssl, TLS1_2_VERSION);
    return 0;
}

/* ---- What is spoken inside ---- */

static int choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                           const unsigned char *offered, unsigned int offered_len, void *arg)
{
    const struct tls_context *c = arg;
    unsigned char *chosen = NULL;
    (void)ssl;
    if (SSL_select_next_proto(&chosen, ret_len, c->alpn, 1U + c->alpn[0], offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int expect_protocol(struct tls_context *c, const char *name, struct err *err)
{
    int rc = tls_name_protocol(c, name, err);
    if (rc == 0 && c->alpn[0] != 0)
        SSL_CTX_set_alpn_select_cb(c->ssl, choose_protocol, c);
    return rc;
}

/* ---- The whole ---- */

/* A client that comes again makes a whole handshake: what is remembered of it could not be taken
 * back when its certificate is. */
static void remember_nobody(SSL_CTX *ssl)
{
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ssl, 0);
}

int tls_server_context(const struct tls_server_options *o, struct tls_context **ret,
                       struct err *err)
{
    struct tls_context *c = tls_context_new(TLS_server_method(), err);
    if (c == NULL)
        return ERR_UNSUPPORTED;
    remember_nobody(c->ssl);
    SSL_CTX_set_options(c->ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
    const char *key = o->key_file != NULL ? o->key_file : o->key.path;
    int rc = o->key.type == TLS_STORE_PKCS12 ? identify_pkcs12(c->ssl, &o->key, err)
                                             : identify_pem(c->ssl, &o->key, key, err);
    if (rc == 0)
        rc = judge_clients(c->ssl, o, err);
    if (rc == 0)
        rc = offer_protocols(c->ssl, o->protocols, err);
    if (rc == 0)
        rc = offer_ciphers(c->ssl, o->ciphers, err);
    if (rc == 0)
        rc = expect_protocol(c, o->alpn, err);
    if (rc < 0) {
        tls_context_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}
