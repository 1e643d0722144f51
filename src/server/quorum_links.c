#include "server/quorum_links.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "io/conn.h"
#include "io/log.h"

enum {
    PAUSE_DISK = 1,
    PAUSE_OWNER = 2,
    GATHER_BYTES_KEPT = 64 * 1024,
};

struct link {
    uint64_t number;
    struct quorum_links *owner;
    struct conn *conn;           /* NULL while connecting */
    struct connector *connector; /* NULL when connected */
    struct list all;
    struct list dirty; /* has something gathered */
    struct buf gathered;
    bool inbound;
    int64_t since_ns;
    char address[LISTEN_ADDRESS_BYTES];
    int port;
};

struct quorum_links {
    struct quorum_links_options options;
    struct peer_port *port, *observer_port;
    struct map links;
    struct list all, dirty;
    uint64_t last_number;
    size_t inbound_count;
    bool paused;
    struct log_gate refused_gate;
};

static struct link *find(const struct quorum_links *q, uint64_t number)
{
    return map_get(&q->links, number);
}

static struct link *add(struct quorum_links *q, uint64_t number, bool inbound)
{
    struct link *l = mem_calloc(1, sizeof *l);
    l->number = number;
    l->owner = q;
    l->inbound = inbound;
    list_append(&q->all, &l->all);
    list_init(&l->dirty);
    map_put(&q->links, number, l);
    q->inbound_count += inbound;
    return l;
}

static void forget(struct link *l)
{
    struct quorum_links *q = l->owner;
    map_remove(&q->links, l->number);
    list_remove(&l->all);
    list_remove(&l->dirty);
    buf_deinit(&l->gathered);
    q->inbound_count -= l->inbound;
    free(l);
}

/* ---- what the connection tells ---- */

static size_t on_conn_bytes(struct conn *c, struct slice bytes, size_t *ret_want)
{
    struct link *l = c->owner;
    (void)ret_want;
    l->owner->options.on_bytes(l->owner->options.arg, l->number, bytes);
    return bytes.len;
}

static void tell_end(const struct link *l, const char *reason)
{
    struct log_line line;
    log_begin(&line, LOG_DEBUG, "quorum_link_closed");
    log_int(&line, "link", (int64_t)(l->number & INT64_MAX));
    log_text(&line, "side", l->inbound ? "inbound" : "outbound");
    log_text(&line, "reason", reason);
    log_end(&line);
}

static void on_conn_end(struct conn *c, const char *reason)
{
    struct link *l = c->owner;
    struct quorum_links *q = l->owner;
    uint64_t number = l->number;
    tell_end(l, reason);
    forget(l);
    q->options.on_closed(q->options.arg, number);
}

static void on_conn_room(struct conn *c)
{
    struct link *l = c->owner;
    l->owner->options.on_room(l->owner->options.arg, l->number);
}

static const struct conn_ops conn_ops = {
    .on_bytes = on_conn_bytes,
    .on_end = on_conn_end,
    .on_room = on_conn_room,
};

static void note_address(struct link *l, int fd)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0) {
        listen_address_text((const struct sockaddr *)&peer, l->address);
        l->port = listen_address_port((const struct sockaddr *)&peer);
    }
}

static bool attach(struct link *l, int fd)
{
    struct quorum_links *q = l->owner;
    connect_tune(fd, q->options.dead_ms);
    l->conn = conn_open(q->options.loop, fd, &conn_ops, l);
    if (l->conn == NULL)
        return false;
    conn_be_link(l->conn);
    l->since_ns = loop_now_ns(q->options.loop);
    note_address(l, fd);
    if (q->paused)
        conn_pause(l->conn, PAUSE_DISK);
    return true;
}

/* ---- inbound ---- */

static void accept_link(struct quorum_links *q, int fd, const struct sockaddr *peer,
                        enum quorum_link_side side)
{
    uint64_t held_back;
    if (q->inbound_count >= QUORUM_LINKS_MAX) {
        close(fd);
        if (!log_gate_pass(&q->refused_gate, loop_now_ns(q->options.loop), &held_back))
            return;
        char text[LISTEN_ADDRESS_BYTES];
        struct log_line line;
        listen_address_text(peer, text);
        log_begin(&line, LOG_WARN, "quorum_link_refused");
        log_text(&line, "peer", text);
        log_text(&line, "reason", "too many connections");
        log_end(&line);
        return;
    }
    struct link *l = add(q, ++q->last_number, true);
    if (attach(l, fd))
        q->options.on_open(q->options.arg, l->number, side);
    else
        forget(l);
}

static void on_learner(void *arg, int fd, const struct sockaddr *peer)
{
    accept_link(arg, fd, peer, QUORUM_LINK_LEARNER);
}

static void on_observer(void *arg, int fd, const struct sockaddr *peer)
{
    accept_link(arg, fd, peer, QUORUM_LINK_OBSERVER);
}

static void on_port_failed(void *arg, const char *reason)
{
    struct quorum_links *q = arg;
    q->options.on_port_failed(q->options.arg, reason);
}

/* ---- outbound ---- */

static void on_connected(void *arg, int fd, const struct err *err)
{
    struct link *l = arg;
    struct quorum_links *q = l->owner;
    uint64_t number = l->number;
    l->connector = NULL;
    if (fd >= 0 && attach(l, fd)) {
        q->options.on_open(q->options.arg, number, QUORUM_LINK_OURS);
        return;
    }
    tell_end(l, fd < 0 ? err->text : "cannot be polled");
    forget(l);
    q->options.on_closed(q->options.arg, number);
}

void quorum_links_connect(struct quorum_links *q, uint64_t link,
                          const struct connect_target *targets, size_t count)
{
    struct link *l = add(q, link, false);
    l->connector = connect_start(q->options.loop, targets, count, q->options.connect_timeout_ms,
                                 on_connected, l);
}

/* ---- sending ---- */

static void flush(struct link *l)
{
    list_remove(&l->dirty);
    if (l->conn == NULL || l->gathered.len == 0)
        return; /* still connecting: it leaves when it is asked for again */
    conn_send(l->conn, l->gathered.ptr, l->gathered.len);
    buf_clear(&l->gathered);
    if (l->gathered.cap > GATHER_BYTES_KEPT)
        buf_deinit(&l->gathered);
}

void quorum_links_flush(struct quorum_links *q)
{
    while (!list_is_empty(&q->dirty))
        flush(list_entry(q->dirty.next, struct link, dirty));
}

void quorum_links_send(struct quorum_links *q, uint64_t link, struct slice bytes)
{
    struct link *l = find(q, link);
    if (l == NULL || l->conn == NULL)
        return;
    if (l->gathered.len == 0 && bytes.len >= QUORUM_LINK_GATHER_BYTES) {
        conn_send(l->conn, bytes.ptr, bytes.len);
        return;
    }
    buf_put_slice(&l->gathered, bytes);
    if (l->gathered.len >= QUORUM_LINK_GATHER_BYTES) {
        flush(l);
    } else if (list_is_empty(&l->dirty)) {
        list_append(&q->dirty, &l->dirty);
    }
}

void quorum_links_close(struct quorum_links *q, uint64_t link)
{
    struct link *l = find(q, link);
    if (l == NULL)
        return;
    flush(l);
    if (l->conn != NULL)
        conn_close(l->conn);
    else
        connect_cancel(l->connector);
    tell_end(l, "closed here");
    forget(l);
}

void quorum_links_want_room(struct quorum_links *q, uint64_t link)
{
    struct link *l = find(q, link);
    if (l == NULL || l->conn == NULL)
        return;
    flush(l);
    conn_want_room(l->conn);
}

bool quorum_links_has(const struct quorum_links *q, uint64_t link)
{
    return find(q, link) != NULL;
}

static void pause_one(struct link *l, uint8_t reason, bool pause)
{
    if (l->conn == NULL)
        return;
    if (pause)
        conn_pause(l->conn, reason);
    else
        conn_resume(l->conn, reason);
}

void quorum_links_pause(struct quorum_links *q, uint64_t link, bool pause)
{
    struct link *l = find(q, link);
    if (l != NULL)
        pause_one(l, PAUSE_OWNER, pause);
}

void quorum_links_pause_all(struct quorum_links *q, bool pause)
{
    if (pause == q->paused)
        return;
    q->paused = pause;
    for (struct list *at = q->all.next; at != &q->all; at = at->next)
        pause_one(list_entry(at, struct link, all), PAUSE_DISK, pause);
}

void quorum_links_view(const struct quorum_links *q, uint64_t link, struct quorum_link_view *ret)
{
    const struct link *l = find(q, link);
    *ret = (struct quorum_link_view){0};
    if (l == NULL || l->conn == NULL)
        return;
    memcpy(ret->address, l->address, sizeof ret->address);
    ret->port = l->port;
    ret->since_ns = l->since_ns;
    ret->unsent = conn_unsent(l->conn) + l->gathered.len;
}

size_t quorum_links_count(const struct quorum_links *q)
{
    return q->links.count;
}

/* ---- life ---- */

struct quorum_links *quorum_links_create(const struct quorum_links_options *options)
{
    struct quorum_links *q = mem_calloc(1, sizeof *q);
    q->options = *options;
    list_init(&q->all);
    list_init(&q->dirty);
    map_init(&q->links, 1);
    struct peer_port_options port = {
        .what = "quorum",
        .retries = options->bind_retries,
        .all_addresses = options->all_addresses,
        .on_accept = on_learner,
        .on_failed = on_port_failed,
        .arg = q,
    };
    q->port = peer_port_open(options->loop, &port);
    port.what = "observers";
    port.on_accept = on_observer;
    q->observer_port = peer_port_open(options->loop, &port);
    return q;
}

void quorum_links_listen(struct quorum_links *q, const struct connect_target *addresses,
                         size_t count)
{
    if (q->port != NULL)
        peer_port_listen(q->port, addresses, count);
}

void quorum_links_listen_observers(struct quorum_links *q, const struct connect_target *addresses,
                                   size_t count)
{
    if (q->observer_port != NULL)
        peer_port_listen(q->observer_port, addresses, count);
}

void quorum_links_stop_listening(struct quorum_links *q)
{
    peer_port_close(q->port);
    peer_port_close(q->observer_port);
    q->port = q->observer_port = NULL;
}

void quorum_links_free(struct quorum_links *q)
{
    if (q == NULL)
        return;
    quorum_links_stop_listening(q);
    while (!list_is_empty(&q->all))
        quorum_links_close(q, list_entry(q->all.next, struct link, all)->number);
    map_deinit(&q->links);
    free(q);
}
