#include "server/neighbours.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/conn.h"
#include "io/connect.h"

enum {
    NS_PER_MS = 1000000
};

struct asked {
    struct neighbours *all;
    int64_t sid;
    bool wanted;                 /* in the newest configuration */
    struct connector *connector; /* while connecting; else NULL */
    struct conn *conn;           /* while it answers; else NULL */
    struct buf answer;
    struct neighbour told;
};

struct neighbours {
    struct loop *loop;
    struct asked **items;
    size_t count;
};

static struct asked *find(const struct neighbours *n, int64_t sid)
{
    for (size_t i = 0; i < n->count; i++) {
        if (n->items[i]->sid == sid)
            return n->items[i];
    }
    return NULL;
}

const struct neighbour *neighbours_find(const struct neighbours *n, int64_t sid)
{
    const struct asked *a = find(n, sid);
    return a != NULL ? &a->told : NULL;
}

static bool is_any(const char *host)
{
    return host == NULL || host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 ||
           strcmp(host, "::") == 0 || strcmp(host, "0:0:0:0:0:0:0:0") == 0;
}

static bool has_host_to_itself(const struct quorum *config, const struct quorum_server *s)
{
    for (size_t i = 0; i < config->server_count; i++) {
        const struct quorum_server *other = &config->servers[i];
        if (other->sid != s->sid && other->address_count > 0 &&
            strcmp(other->addresses[0].host, s->addresses[0].host) == 0)
            return false;
    }
    return true;
}

bool neighbour_address(const struct quorum *config, const struct quorum_server *s, int client_port,
                       const char **ret_host, int *ret_port)
{
    if (s->address_count == 0)
        return false;
    if (s->client_port < 0 && (client_port <= 0 || !has_host_to_itself(config, s)))
        return false;
    *ret_host = is_any(s->client_host) ? s->addresses[0].host : s->client_host;
    *ret_port = s->client_port >= 0 ? s->client_port : client_port;
    return true;
}

/* ---- One question ---- */

static void give_up(struct asked *a)
{
    connect_cancel(a->connector);
    a->connector = NULL;
    if (a->conn != NULL)
        conn_close(a->conn);
    a->conn = NULL;
}

static size_t on_bytes(struct conn *c, struct slice bytes, size_t *ret_want)
{
    (void)ret_want;
    struct asked *a = c->owner;
    if (a->answer.len + bytes.len <= NEIGHBOUR_ANSWER_BYTES_MAX) {
        buf_put_slice(&a->answer, bytes);
        return bytes.len;
    }
    a->told.why = "its answer is no answer";
    give_up(a);
    return bytes.len;
}

/* A server ends the connection behind its answer. */
static void on_end(struct conn *c, const char *reason)
{
    (void)reason;
    struct asked *a = c->owner;
    a->conn = NULL;
    a->told.told_ms = loop_now_ns(a->all->loop) / NS_PER_MS;
    a->told.why = srvr_parse(buf_slice(&a->answer), &a->told.said) ? NULL : "does not serve";
}

static void on_connected(void *arg, int fd, const struct err *err)
{
    static const struct conn_ops ops = {.on_bytes = on_bytes, .on_end = on_end};
    (void)err;
    struct asked *a = arg;
    a->connector = NULL;
    if (fd < 0) {
        a->told.why = "no answer";
        return;
    }
    a->conn = conn_open(a->all->loop, fd, &ops, a);
    if (a->conn != NULL)
        conn_send(a->conn, "srvr", 4);
}

static void ask(struct asked *a, const char *host, int port)
{
    if (a->connector != NULL || a->conn != NULL) {
        give_up(a);
        a->told.why = "no answer";
    }
    buf_clear(&a->answer);
    a->connector = connect_start(a->all->loop, &(struct connect_target){host, port}, 1,
                                 NEIGHBOUR_CONNECT_MS_MAX, on_connected, a);
}

/* ---- All of them ---- */

static struct asked *add(struct neighbours *n, int64_t sid)
{
    struct asked *a = mem_calloc(1, sizeof *a);
    a->all = n;
    a->sid = sid;
    a->told.why = "not asked yet";
    n->items = mem_realloc(n->items, (n->count + 1) * sizeof *n->items);
    n->items[n->count++] = a;
    return a;
}

static void asked_free(struct asked *a)
{
    give_up(a);
    buf_deinit(&a->answer);
    free(a);
}

static void forget_unwanted(struct neighbours *n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n->count; i++) {
        if (n->items[i]->wanted)
            n->items[kept++] = n->items[i];
        else
            asked_free(n->items[i]);
    }
    n->count = kept;
}

void neighbours_ask(struct neighbours *n, const struct quorum *config, int64_t self,
                    int client_port)
{
    for (size_t i = 0; i < n->count; i++)
        n->items[i]->wanted = false;
    for (size_t i = 0; config != NULL && i < config->server_count; i++) {
        const struct quorum_server *s = &config->servers[i];
        const char *host;
        int port;
        if (s->sid == self)
            continue;
        struct asked *a = find(n, s->sid);
        if (a == NULL)
            a = add(n, s->sid);
        a->wanted = true;
        if (neighbour_address(config, s, client_port, &host, &port))
            ask(a, host, port);
        else
            a->told.why = "its client port is not in the configuration";
    }
    forget_unwanted(n);
}

struct neighbours *neighbours_create(struct loop *l)
{
    struct neighbours *n = mem_calloc(1, sizeof *n);
    n->loop = l;
    return n;
}

void neighbours_free(struct neighbours *n)
{
    if (n == NULL)
        return;
    for (size_t i = 0; i < n->count; i++)
        asked_free(n->items[i]);
    free(n->items);
    free(n);
}
