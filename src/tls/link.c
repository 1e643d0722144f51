#include "tls/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "tls/context_internal.h"
#include "tls/subject.h"

struct tls_link {
    SSL *ssl;
    int fd;
    int error;           /* errno of the socket's last failure; 0 */
    int first_byte;      /* that came; -1: none yet */
    bool ended;          /* the socket is at its end */
    bool has_pending;    /* the last read stopped before it ran dry */
    bool waits_to_write; /* handshake, read */
    char trouble[TLS_TROUBLE_BYTES];
};

/* ---- The socket as OpenSSL sees it: its own would raise SIGPIPE ---- */

static bool is_transient(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static int bio_result(BIO *bio, struct tls_link *l, ssize_t n, int retry)
{
    BIO_clear_retry_flags(bio);
    if (n >= 0)
        return (int)n;
    if (is_transient(errno))
        BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
    else
        l->error = errno;
    return -1;
}

static int bio_read(BIO *bio, char *ret, int len)
{
    struct tls_link *l = BIO_get_data(bio);
    ssize_t n = recv(l->fd, ret, (size_t)len, MSG_DONTWAIT);
    l->ended |= n == 0 && len > 0;
    if (n > 0 && l->first_byte < 0)
        l->first_byte = (uint8_t)ret[0];
    return bio_result(bio, l, n, BIO_FLAGS_READ);
}

static int bio_write(BIO *bio, const char *bytes, int len)
{
    struct tls_link *l = BIO_get_data(bio);
    return bio_result(bio, l, send(l->fd, bytes, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT),
                      BIO_FLAGS_WRITE);
}

static long bio_ctrl(BIO *bio, int command, long number, void *ptr)
{
    (void)number;
    (void)ptr;
    const struct tls_link *l = BIO_get_data(bio);
    if (command == BIO_CTRL_EOF)
        return l->ended;
    return command == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *socket_method;
static pthread_once_t socket_method_once = PTHREAD_ONCE_INIT;

static void make_socket_method(void)
{
    socket_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (socket_method == NULL)
        return;
    BIO_meth_set_read(socket_method, bio_read);
    BIO_meth_set_write(socket_method, bio_write);
    BIO_meth_set_ctrl(socket_method, bio_ctrl);
    BIO_meth_set_create(socket_method, bio_create);
}

/* ---- Life ---- */

static struct tls_link *link_new(struct tls_context *c, int fd)
{
    pthread_once(&socket_method_once, make_socket_method);
    struct tls_link *l = mem_calloc(1, sizeof *l);
    l->fd = fd;
    l->first_byte = -1;
    l->ssl = SSL_new(c->ssl);
    BIO *bio = socket_method != NULL && l->ssl != NULL ? BIO_new(socket_method) : NULL;
    if (bio == NULL) {
        tls_free(l);
        return NULL;
    }
    BIO_set_data(bio, l);
    SSL_set_bio(l->ssl, bio, bio);
    return l;
}

/* OpenSSL copies the name, but casts its const away. */
static bool ask_for_host(SSL *ssl, const char *host)
{
    char *name = mem_dup(host, strlen(host) + 1);
    bool ok = SSL_set_tlsext_host_name(ssl, name) == 1;
    free(name);
    return ok;
}

/* A certificate names addresses and names apart, and a server chooses its certificate by names
 * only. */
static bool expect_host(SSL *ssl, const char *host, bool any_host)
{
    uint8_t address[16];
    bool is_address =
        inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    if (!is_address && !ask_for_host(ssl, host))
        return false;
    if (any_host)
        return true;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_address)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set1_host(ssl, host) == 1;
}

struct tls_link *tls_connect(struct tls_context *c, int fd, const char *host)
{
    struct tls_link *l = link_new(c, fd);
    if (l == NULL)
        return NULL;
    if (!expect_host(l->ssl, host, c->any_host)) {
        tls_free(l);
        return NULL;
    }
    SSL_set_connect_state(l->ssl);
    return l;
}

struct tls_link *tls_accept(struct tls_context *c, int fd)
{
    struct tls_link *l = link_new(c, fd);
    if (l != NULL)
        SSL_set_accept_state(l->ssl);
    return l;
}

void tls_free(struct tls_link *l)
{
    if (l == NULL)
        return;
    SSL_free(l->ssl);
    free(l);
}

/* ---- Steps ---- */

/* The certificate's fault is worth more words than the alert it led to. */
static const char *reason_of(const struct tls_link *l)
{
    long verified = SSL_get_verify_result(l->ssl);
    if (!SSL_is_init_finished(l->ssl) && verified != X509_V_OK && ERR_peek_error() != 0)
        return X509_verify_cert_error_string(verified);
    return ERR_peek_error() != 0 ? tls_reason() : NULL;
}

static int broken(struct tls_link *l, int kind)
{
    const char *reason = reason_of(l);
    if (l->first_byte >= 0 && !tls_is_spoken((uint8_t)l->first_byte))
        snprintf(l->trouble, sizeof l->trouble, "TLS: the peer does not speak it");
    else if (kind == SSL_ERROR_SSL && reason != NULL)
        snprintf(l->trouble, sizeof l->trouble, "TLS: %s", reason);
    else if (l->error != 0)
        snprintf(l->trouble, sizeof l->trouble, "%s", strerror(l->error));
    else
        snprintf(l->trouble, sizeof l->trouble, "the connection was closed%s",
                 SSL_is_init_finished(l->ssl) ? "" : " during the TLS handshake");
    ERR_clear_error();
    return TLS_BROKEN;
}

/* What OpenSSL's `result` of a step that did not succeed means. 0: the peer has ended. */
static int judge(struct tls_link *l, int result)
{
    int kind = SSL_get_error(l->ssl, result);
    switch (kind) {
    case SSL_ERROR_WANT_READ:
        return TLS_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        l->waits_to_write = true;
        return TLS_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return SSL_is_init_finished(l->ssl) ? 0 : broken(l, kind);
    default:
        return broken(l, kind);
    }
}

static bool is_broken(const struct tls_link *l)
{
    return l->trouble[0] != 0;
}

int tls_handshake(struct tls_link *l)
{
    if (is_broken(l))
        return TLS_BROKEN;
    ERR_clear_error();
    l->waits_to_write = false;
    int result = SSL_do_handshake(l->ssl);
    if (result != 1)
        return judge(l, result);
    l->has_pending = SSL_has_pending(l->ssl) == 1; /* the peer may have said more in one breath */
    return 0;
}

/* A record at a time, as long as some are in hand: who waits for the socket would not hear of
 * them. */
ssize_t tls_read(struct tls_link *l, void *ret, size_t len)
{
    size_t got = 0;
    int end = is_broken(l) ? TLS_BROKEN : TLS_AGAIN;
    l->waits_to_write = false;
    l->has_pending = !is_broken(l);
    while (got < len && l->has_pending) {
        size_t n = 0;
        ERR_clear_error();
        int result = SSL_read_ex(l->ssl, (char *)ret + got, len - got, &n);
        if (result == 1) {
            got += n;
            l->has_pending = SSL_has_pending(l->ssl) == 1;
            continue;
        }
        end = judge(l, result);
        l->has_pending = end != TLS_AGAIN && got > 0; /* the end is told by the next read */
        break;
    }
    return got > 0 ? (ssize_t)got : end;
}

/* A failure to write is not the end of reading: what the peer said before may explain it. */
ssize_t tls_write(struct tls_link *l, const void *bytes, size_t len)
{
    size_t sent = 0;
    int end = TLS_BROKEN;
    while (sent < len && !is_broken(l)) {
        size_t n = 0;
        ERR_clear_error();
        int result = SSL_write_ex(l->ssl, (const char *)bytes + sent, len - sent, &n);
        if (result == 1) {
            sent += n;
            continue;
        }
        int kind = SSL_get_error(l->ssl, result);
        if (kind == SSL_ERROR_WANT_WRITE || kind == SSL_ERROR_WANT_READ)
            end = TLS_AGAIN;
        ERR_clear_error();
        break;
    }
    return sent > 0 ? (ssize_t)sent : end;
}

void tls_goodbye(struct tls_link *l)
{
    if (is_broken(l) || !SSL_is_init_finished(l->ssl))
        return;
    ERR_clear_error();
    SSL_shutdown(l->ssl);
    ERR_clear_error();
}

bool tls_waits_to_write(const struct tls_link *l)
{
    return l->waits_to_write;
}

bool tls_has_pending(const struct tls_link *l)
{
    return l->has_pending;
}

bool tls_peer_subject(const struct tls_link *l, struct buf *out)
{
    X509 *certificate = SSL_get0_peer_certificate(l->ssl);
    if (certificate == NULL)
        return false;
    subject_print(X509_get_subject_name(certificate), out);
    return true;
}

const char *tls_trouble(const struct tls_link *l)
{
    return l->trouble;
}
