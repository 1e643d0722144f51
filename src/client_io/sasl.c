#include "client_io/sasl.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "client_io/sasl_library.h"
#include "client_io/thread.h"

enum {
    REASON_BYTES = 160
};

/* What ZooKeeper's servers call themselves for DIGEST-MD5, whatever their host. */
static const char DIGEST_SERVER[] = "zk-sasl-md5";
static const char DIGEST_MD5[] = "DIGEST-MD5";
static const char GSSAPI[] = "GSSAPI";

struct sasl_identity {
    atomic_int owners;
    const char *mechanism;
    char *user;
    sasl_secret_t *password;
    char *service;
};

/* Shared by the thread of a step and by who began it; the last to release frees. While a step is
 * under way all but `owners` and `done` is the thread's. */
struct sasl_exchange {
    atomic_int owners;
    atomic_bool done;
    int fd;
    struct sasl_identity *identity;
    char *host;
    sasl_callback_t callbacks[5];
    sasl_conn_t *conn;      /* NULL: no step was made */
    struct slice challenge; /* owned */
    const char *token;      /* the library's, until the next step */
    unsigned token_len;
    int result;
    char reason[REASON_BYTES];
};

static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER; /* steps, of all handles */

/* ---- Who we are ---- */

static char *text_of(const char *text)
{
    return text != NULL ? mem_dup(text, strlen(text) + 1) : NULL;
}

static sasl_secret_t *secret_of(const char *password)
{
    size_t len = password != NULL ? strlen(password) : 0;
    sasl_secret_t *secret = mem_calloc(1, sizeof(*secret) + len + 1);
    secret->len = len;
    if (len > 0)
        memcpy(secret->data, password, len);
    return secret;
}

int sasl_identity_new(const struct caucus_sasl *s, struct sasl_identity **ret, struct err *err)
{
    bool is_digest = s->mechanism == NULL || strcmp(s->mechanism, DIGEST_MD5) == 0;
    if (!is_digest && strcmp(s->mechanism, GSSAPI) != 0)
        return err_set(err, ERR_UNSUPPORTED, "SASL mechanism '%s': there are DIGEST-MD5 and GSSAPI",
                       s->mechanism);
    if (is_digest && (s->user == NULL || s->user[0] == '\0' || s->password == NULL))
        return err_set(err, ERR_INVALID, "SASL DIGEST-MD5 wants a user and a password");
    if (sasl_library(err) == NULL)
        return ERR_UNSUPPORTED;
    struct sasl_identity *i = mem_calloc(1, sizeof(*i));
    atomic_init(&i->owners, 1);
    i->mechanism = is_digest ? DIGEST_MD5 : GSSAPI;
    i->user = text_of(s->user);
    i->password = secret_of(s->password);
    i->service = text_of(s->service != NULL ? s->service : "zookeeper");
    *ret = i;
    return 0;
}

void sasl_identity_free(struct sasl_identity *i)
{
    if (i == NULL || atomic_fetch_sub(&i->owners, 1) > 1)
        return;
    free(i->user);
    explicit_bzero(i->password->data, i->password->len);
    free(i->password);
    free(i->service);
    free(i);
}

/* ---- What the library asks ---- */

static int tell_name(void *context, int id, const char **ret, unsigned *ret_len)
{
    const struct sasl_identity *i = context;
    /* SASL_CB_USER, whom to act for, is ourselves. */
    *ret = id == SASL_CB_AUTHNAME && i->user != NULL ? i->user : "";
    if (ret_len != NULL)
        *ret_len = (unsigned)strlen(*ret);
    return SASL_OK;
}

static int tell_password(sasl_conn_t *conn, void *context, int id, sasl_secret_t **ret)
{
    (void)conn;
    (void)id;
    const struct sasl_identity *i = context;
    *ret = i->password;
    return SASL_OK;
}

static int tell_realm(void *context, int id, const char **offered, const char **ret)
{
    (void)context;
    (void)id;
    *ret = offered != NULL && offered[0] != NULL ? offered[0] : "";
    return SASL_OK;
}

/* One pointer type for all kinds of callbacks, as the library has it. */
typedef int callback_fn(void);

static void set_callbacks(struct sasl_exchange *x)
{
    const sasl_callback_t callbacks[] = {
        {SASL_CB_USER, (callback_fn *)(void *)tell_name, x->identity},
        {SASL_CB_AUTHNAME, (callback_fn *)(void *)tell_name, x->identity},
        {SASL_CB_PASS, (callback_fn *)(void *)tell_password, x->identity},
        {SASL_CB_GETREALM, (callback_fn *)(void *)tell_realm, x->identity},
        {SASL_CB_LIST_END, NULL, NULL},
    };
    memcpy(x->callbacks, callbacks, sizeof(callbacks));
}

/* ---- Steps ---- */

/* Only who we are, no wrapping of what follows: that is for TLS. */
static int make_conn(const struct sasl_library *lib, struct sasl_exchange *x)
{
    const struct sasl_identity *i = x->identity;
    bool is_digest = i->mechanism == DIGEST_MD5;
    set_callbacks(x);
    int rc = lib->client_new(i->service, is_digest ? DIGEST_SERVER : x->host, NULL, NULL,
                             x->callbacks, 0, &x->conn);
    if (rc != SASL_OK)
        return rc;
    const sasl_security_properties_t properties = {.max_ssf = 0};
    return lib->setprop(x->conn, SASL_SEC_PROPS, &properties);
}

static int step(const struct sasl_library *lib, struct sasl_exchange *x)
{
    if (x->conn != NULL)
        return lib->client_step(x->conn, (const char *)x->challenge.ptr, (unsigned)x->challenge.len,
                                NULL, &x->token, &x->token_len);
    int rc = make_conn(lib, x);
    const char *mechanism;
    if (rc == SASL_OK)
        rc = lib->client_start(x->conn, x->identity->mechanism, NULL, &x->token, &x->token_len,
                               &mechanism);
    /* It would go on with the challenge of an earlier connection, which the server has forgotten.
     */
    if (x->identity->mechanism == DIGEST_MD5)
        x->token = NULL;
    return rc;
}

static void *run(void *arg)
{
    struct sasl_exchange *x = arg;
    const struct sasl_library *lib = sasl_library(NULL); /* it was there for the identity */
    x->token = NULL;
    x->token_len = 0;
    pthread_mutex_lock(&library_lock);
    x->result = step(lib, x);
    if (x->result != SASL_OK && x->result != SASL_CONTINUE)
        snprintf(x->reason, sizeof(x->reason), "SASL: %s",
                 x->conn != NULL ? lib->errdetail(x->conn) : "no such mechanism here");
    pthread_mutex_unlock(&library_lock);
    atomic_store(&x->done, true);
    ssize_t ignored = write(x->fd, &(uint64_t){1}, sizeof(uint64_t));
    (void)ignored;
    sasl_exchange_release(x);
    return NULL;
}

static bool start(struct sasl_exchange *x)
{
    atomic_store(&x->done, false);
    atomic_fetch_add(&x->owners, 1);
    if (thread_start_detached(run, x) == 0)
        return true;
    atomic_fetch_sub(&x->owners, 1);
    return false;
}

struct sasl_exchange *sasl_exchange_begin(struct sasl_identity *i, const char *host)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return NULL;
    struct sasl_exchange *x = mem_calloc(1, sizeof(*x));
    atomic_init(&x->owners, 1);
    atomic_fetch_add(&i->owners, 1);
    x->identity = i;
    x->fd = fd;
    x->host = text_of(host);
    if (start(x))
        return x;
    sasl_exchange_release(x);
    return NULL;
}

bool sasl_exchange_continue(struct sasl_exchange *x, struct slice challenge)
{
    free((void *)(uintptr_t)x->challenge.ptr);
    x->challenge = slice_of(mem_dup(challenge.ptr, challenge.len), challenge.len);
    return start(x);
}

int sasl_exchange_fd(const struct sasl_exchange *x)
{
    return x->fd;
}

bool sasl_exchange_done(struct sasl_exchange *x, struct csession_sasl_step *ret)
{
    if (!atomic_load(&x->done))
        return false;
    uint64_t count;
    ssize_t ignored = read(x->fd, &count, sizeof(count));
    (void)ignored;
    bool failed = x->result != SASL_OK && x->result != SASL_CONTINUE;
    /* Who has not shown enough answers the challenge, GSSAPI in the middle with nothing (NULL). At
     * the end of DIGEST-MD5 there is an empty one, which is not meant to be sent. */
    bool has_token = x->token_len > 0 || x->result == SASL_CONTINUE;
    *ret = (struct csession_sasl_step){
        .failure = failed ? x->reason : NULL,
        .over = x->result == SASL_OK,
        .token = has_token ? slice_of(x->token != NULL ? x->token : "", x->token_len)
                           : (struct slice){0},
    };
    return true;
}

void sasl_exchange_release(struct sasl_exchange *x)
{
    if (x == NULL || atomic_fetch_sub(&x->owners, 1) > 1)
        return;
    if (x->conn != NULL) {
        pthread_mutex_lock(&library_lock);
        sasl_library(NULL)->dispose(&x->conn);
        pthread_mutex_unlock(&library_lock);
    }
    sasl_identity_free(x->identity);
    free((void *)(uintptr_t)x->challenge.ptr);
    free(x->host);
    close(x->fd);
    free(x);
}
