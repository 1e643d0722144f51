/* rest_door.c: ballots over REST: many connections that stay open, one request on each at a time.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "election_client/http.h"
#include "electorate/door.h"
#include "electorate/http.h"
#include "io/conn.h"

#define NO_SLOT UINT32_MAX

enum {
    CONNECT_TIMEOUT_MS = 5000,
    ANSWER_BYTES_MAX = 16 << 10,
};

struct rest;

/* One connection. Its timer: until it is opened again, or until an answer is overdue. */
struct line {
    struct rest *rest;
    struct conn *conn;           /* NULL: not open */
    struct connector *connector; /* NULL: not opening */
    uv_timer_t timer;
    uint32_t server;
    bool open;        /* a server is there; over TLS: it has said something */
    uint32_t slot;    /* of the ballot that is under way */
    struct list idle; /* of its server */
};

struct rest {
    struct door door;
    struct line *lines;
    struct list *idle; /* lines, for each server */
    uint32_t next_server;
    struct buf request;
    bool closing;
};

static void open_line(struct line *l);

static void note_trouble(struct line *l, const char *what)
{
    struct door *d = &l->rest->door;
    d->counts.broken++;
    snprintf(d->counts.trouble, sizeof d->counts.trouble, "%.100s: %s",
             d->o.servers->texts[l->server], what);
}

static void on_reopen(uv_timer_t *timer)
{
    struct line *l = timer->data;
    l->server = (l->server + 1) % l->rest->door.o.servers->count;
    open_line(l);
}

static void on_overdue(uv_timer_t *timer);

static void be_open(struct line *l)
{
    l->rest->door.counts.open += !l->open;
    l->open = true;
}

static void be_idle(struct line *l)
{
    l->rest->door.room++;
    list_append(&l->rest->idle[l->server], &l->idle);
}

/* The connection is gone, or has to go. */
static void give_up_line(struct line *l, const char *why, int64_t reopen_ms)
{
    uint32_t slot = l->slot;
    l->rest->door.counts.open -= l->open;
    l->open = false;
    if (!list_is_empty(&l->idle))
        l->rest->door.room--;
    l->conn = NULL;
    l->slot = NO_SLOT;
    list_remove(&l->idle);
    if (why != NULL)
        note_trouble(l, why);
    uv_timer_start(&l->timer, on_reopen, (uint64_t)reopen_ms, 0);
    if (slot != NO_SLOT)
        l->rest->door.o.on_answer(l->rest->door.o.arg, slot, CAST_UNKNOWN, (int32_t)l->server);
}

static void on_overdue(uv_timer_t *timer)
{
    struct line *l = timer->data;
    conn_close(l->conn);
    give_up_line(l, "no answer in time", 0);
}

static void on_end(struct conn *c, const char *reason)
{
    struct line *l = c->owner;
    /* A server may close what nobody uses, at any time: that is no trouble, but for a handshake
     * that failed. */
    bool trouble = l->slot != NO_SLOT || !l->open;
    give_up_line(l, trouble ? reason : NULL, trouble ? DOOR_REOPEN_MS : 0);
}

static size_t on_bytes(struct conn *c, struct slice bytes, size_t *ret_want)
{
    struct line *l = c->owner;
    struct door *d = &l->rest->door;
    struct http_answer answer;
    enum http_verdict verdict =
        l->slot == NO_SLOT ? HTTP_WRONG : http_read(bytes, ANSWER_BYTES_MAX, &answer);
    if (verdict == HTTP_MORE) {
        *ret_want = answer.bytes;
        return 0;
    }
    if (verdict == HTTP_WRONG) {
        conn_close(c);
        give_up_line(l, "this is no answer of a server of the election", DOOR_REOPEN_MS);
        return bytes.len;
    }
    be_open(l);
    uint32_t slot = l->slot;
    enum cast_outcome outcome = http_outcome(answer.status, answer.body);
    l->slot = NO_SLOT;
    uv_timer_stop(&l->timer);
    if (answer.stays) {
        be_idle(l);
    } else {
        conn_close(c);
        give_up_line(l, NULL, 0);
    }
    d->o.on_answer(d->o.arg, slot, outcome, (int32_t)l->server);
    return answer.bytes;
}

static const struct conn_ops conn_ops = {.on_bytes = on_bytes, .on_end = on_end};

static void on_connected(void *arg, int fd, const struct err *err)
{
    struct line *l = arg;
    struct door *d = &l->rest->door;
    l->connector = NULL;
    if (fd >= 0)
        l->conn = d->o.tls != NULL
                      ? conn_open_secure_client(d->o.loop, fd, d->o.tls,
                                                d->o.servers->hosts[l->server], &conn_ops, l)
                      : conn_open(d->o.loop, fd, &conn_ops, l);
    if (l->conn == NULL) {
        give_up_line(l, fd >= 0 ? "the socket cannot be polled" : err->text, DOOR_REOPEN_MS);
        return;
    }
    if (d->o.tls == NULL)
        be_open(l);
    be_idle(l);
}

static void open_line(struct line *l)
{
    const struct door_options *o = &l->rest->door.o;
    l->connector = connect_start(o->loop, &o->servers->list[l->server], 1, CONNECT_TIMEOUT_MS,
                                 on_connected, l);
}

/* Another server than the one that was asked before, if there is one with a line. */
static struct line *take_line(struct rest *r, int32_t not_there)
{
    uint32_t count = r->door.o.servers->count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t server = (r->next_server + i) % count;
        if (list_is_empty(&r->idle[server]) || (int32_t)server == not_there)
            continue;
        r->next_server = (server + 1) % count;
        return list_entry(list_take(&r->idle[server]), struct line, idle);
    }
    invariant(not_there >= 0);
    return list_entry(list_take(&r->idle[not_there]), struct line, idle);
}

static void rest_send(struct door *d, const struct errand *e)
{
    struct rest *r = (struct rest *)d;
    invariant(d->room > 0);
    struct line *l = take_line(r, e->not_there);
    d->room--;
    l->slot = e->slot;
    buf_clear(&r->request);
    http_vote(d->o.election, &e->ballot, d->o.servers->texts[l->server],
              door_credential(d, &e->ballot), &r->request);
    conn_send(l->conn, r->request.ptr, r->request.len);
    uv_timer_start(&l->timer, on_overdue, DOOR_TIMEOUT_MS, 0);
}

static void rest_close(struct door *d)
{
    struct rest *r = (struct rest *)d;
    for (uint32_t i = 0; i < d->o.connections; i++) {
        struct line *l = &r->lines[i];
        connect_cancel(l->connector);
        if (l->conn != NULL)
            conn_close(l->conn);
        list_remove(&l->idle);
        uv_close((uv_handle_t *)&l->timer, NULL);
    }
}

static void rest_free(struct door *d)
{
    struct rest *r = (struct rest *)d;
    door_deinit(d);
    buf_deinit(&r->request);
    free(r->lines);
    free(r->idle);
    free(r);
}

static const struct door_ops rest_ops = {.send = rest_send, .close = rest_close, .free = rest_free};

struct door *rest_door_open(const struct door_options *o)
{
    invariant(o->servers->count >= 1 && o->connections >= 1);
    struct rest *r = mem_calloc(1, sizeof *r);
    r->door = (struct door){.ops = &rest_ops, .o = *o};
    r->idle = mem_calloc(o->servers->count, sizeof *r->idle);
    for (uint32_t i = 0; i < o->servers->count; i++)
        list_init(&r->idle[i]);
    r->lines = mem_calloc(o->connections, sizeof *r->lines);
    for (uint32_t i = 0; i < o->connections; i++) {
        struct line *l = &r->lines[i];
        l->rest = r;
        l->server = i % o->servers->count;
        l->slot = NO_SLOT;
        list_init(&l->idle);
        uv_timer_init(&o->loop->uv, &l->timer);
        l->timer.data = l;
        open_line(l);
    }
    return &r->door;
}
