#include "server/election_links.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "io/conn.h"
#include "io/log.h"
#include "server/election_hello.h"

enum {
    NS_PER_MS = 1000000,
    FRAME_HEADER_BYTES = 4,
    UNSENT_BYTES_MAX = 64 * 1024, /* beyond it a message waits, and may be replaced */
    /* A server that comes up and we may connect to each other at the same time; its greeting, sent
     * before it heard of our connection, is no sign that it has lost that. */
    YOUNG_CHANNEL_NS = 1000000000,
    PEERS_UNKNOWN_MAX = 64,
};

#define TELL_AGAIN_NS (INT64_C(60) * 1000000000)

struct channel;

/* Another server. Its timer lives until it is closed; then it is freed. */
struct peer_server {
    int64_t sid;
    struct election_links *owner;
    struct list all;
    struct channel *channel; /* NULL = down */
    struct connector *connector;
    uv_timer_t retry;
    bool retrying;
    int64_t retry_ms;
    bool wanted;        /* it is in a configuration */
    bool told;          /* whether there is a channel is known */
    int64_t tell_at_ns; /* the log, that it cannot be reached */
    bool has_waiting;
    struct buf waiting;           /* a message */
    struct election_hello *hello; /* where it said it is; NULL = it has not */
};

/* A connection: of a stranger until it has said who it is. */
struct channel {
    struct election_links *owner;
    struct conn *conn;
    struct list strangers;
    struct peer_server *peer; /* NULL = a stranger, or replaced */
    int64_t since_ns;
    bool heard; /* a message came */
};

struct election_links {
    struct election_links_options options;
    struct peer_port *port;
    struct quorum *active, *seen;
    struct quorum *with_us; /* the newest that names us: a server that is left out stays there */
    struct list peers, strangers;
    size_t stranger_count;
    uv_timer_t *hello_timer;
    struct log_gate stranger_gate;
};

static void connect_soon(struct peer_server *p);
static void connect_now(struct peer_server *p);
static void retry_later(struct peer_server *p);

/* ---- peers ---- */

static struct peer_server *find(const struct election_links *e, int64_t sid)
{
    for (struct list *at = e->peers.next; at != &e->peers; at = at->next) {
        struct peer_server *p = list_entry(at, struct peer_server, all);
        if (p->sid == sid)
            return p;
    }
    return NULL;
}

static void on_retry(uv_timer_t *timer);

static struct peer_server *find_or_add(struct election_links *e, int64_t sid)
{
    struct peer_server *p = find(e, sid);
    if (p != NULL)
        return p;
    p = mem_calloc(1, sizeof *p);
    p->sid = sid;
    p->owner = e;
    p->retry_ms = ELECTION_RETRY_MS_MIN;
    uv_timer_init(&e->options.loop->uv, &p->retry);
    p->retry.data = p;
    list_append(&e->peers, &p->all);
    return p;
}

static bool is_known(const struct election_links *e, int64_t sid)
{
    return (e->active != NULL && quorum_find(e->active, sid) != NULL) ||
           (e->seen != NULL && quorum_find(e->seen, sid) != NULL);
}

/* Servers that are in no configuration come when they want to be taken in. */
static bool has_place_for(const struct election_links *e, int64_t sid)
{
    size_t unknown = 0;
    if (is_known(e, sid) || find(e, sid) != NULL)
        return true;
    for (const struct list *at = e->peers.next; at != &e->peers; at = at->next)
        unknown++;
    return unknown < PEERS_UNKNOWN_MAX + QUORUM_SID_MAX;
}

static void on_peer_closed(uv_handle_t *handle)
{
    struct peer_server *p = handle->data;
    buf_deinit(&p->waiting);
    free(p->hello);
    free(p);
}

/* ---- sending ---- */

static void send_frame(struct channel *ch, struct slice payload)
{
    struct buf frame = {0};
    buf_put_i32(&frame, (int32_t)payload.len);
    buf_put_slice(&frame, payload);
    conn_send(ch->conn, frame.ptr, frame.len);
    buf_deinit(&frame);
}

static void send_waiting(struct peer_server *p)
{
    if (!p->has_waiting || p->channel == NULL)
        return;
    if (conn_unsent(p->channel->conn) > UNSENT_BYTES_MAX) {
        conn_want_room(p->channel->conn);
        return;
    }
    send_frame(p->channel, buf_slice(&p->waiting));
    p->has_waiting = false;
}

void election_links_send(struct election_links *e, int64_t sid, struct slice payload)
{
    if (sid == e->options.sid || payload.len == 0 || payload.len > ELECTION_MESSAGE_BYTES_MAX)
        return;
    struct peer_server *p = find(e, sid);
    if (p == NULL || p->channel == NULL)
        return;
    buf_clear(&p->waiting);
    buf_put_slice(&p->waiting, payload);
    p->has_waiting = true;
    send_waiting(p);
}

/* ---- a channel comes and goes ---- */

static void tell_channel(const struct peer_server *p, const char *event, const char *reason)
{
    struct log_line l;
    log_begin(&l, LOG_INFO, event);
    log_int(&l, "server", p->sid);
    if (reason[0] != 0)
        log_text(&l, "reason", reason);
    log_end(&l);
}

/* Ours to end; nothing more is heard of it. */
static void close_channel(struct channel *ch)
{
    if (!list_is_empty(&ch->strangers)) {
        list_remove(&ch->strangers);
        ch->owner->stranger_count--;
    }
    if (ch->peer != NULL) {
        ch->peer->channel = NULL;
        ch->peer->has_waiting = false;
    }
    conn_close(ch->conn);
    free(ch);
}

static void channel_down(struct peer_server *p, const char *reason)
{
    struct election_links *e = p->owner;
    if (p->channel == NULL)
        return;
    close_channel(p->channel);
    tell_channel(p, "election_channel_down", reason);
    e->options.on_channel(e->options.arg, p->sid, false);
}

static void stop_connecting(struct peer_server *p)
{
    connect_cancel(p->connector);
    p->connector = NULL;
    uv_timer_stop(&p->retry);
    p->retrying = false;
}

static void channel_up(struct peer_server *p, struct channel *ch)
{
    struct election_links *e = p->owner;
    channel_down(p, "replaced by a new connection");
    stop_connecting(p);
    ch->peer = p;
    ch->since_ns = loop_now_ns(e->options.loop);
    p->channel = ch;
    p->told = true;
    p->tell_at_ns = 0;
    tell_channel(p, "election_channel_up", "");
    e->options.on_channel(e->options.arg, p->sid, true);
}

/* ---- strangers ---- */

static void stranger_trouble(struct election_links *e, const char *reason)
{
    uint64_t held_back;
    if (!log_gate_pass(&e->stranger_gate, loop_now_ns(e->options.loop), &held_back))
        return;
    struct log_line l;
    log_begin(&l, LOG_WARN, "election_connection_refused");
    log_text(&l, "reason", reason);
    if (held_back > 0)
        log_int(&l, "not_shown", (int64_t)held_back);
    log_end(&l);
}

static void on_hello_timeout(uv_timer_t *timer);

static void arm_hello_timer(struct election_links *e)
{
    if (list_is_empty(&e->strangers)) {
        uv_timer_stop(e->hello_timer);
        return;
    }
    const struct channel *oldest = list_entry(e->strangers.next, struct channel, strangers);
    int64_t left_ns =
        oldest->since_ns + e->options.hello_timeout_ms * NS_PER_MS - loop_now_ns(e->options.loop);
    uv_timer_start(e->hello_timer, on_hello_timeout,
                   left_ns > 0 ? (uint64_t)(left_ns / NS_PER_MS + 1) : 0, 0);
}

static void on_hello_timeout(uv_timer_t *timer)
{
    struct election_links *e = timer->data;
    int64_t before_ns = loop_now_ns(e->options.loop) - e->options.hello_timeout_ms * NS_PER_MS;
    while (!list_is_empty(&e->strangers)) {
        struct channel *oldest = list_entry(e->strangers.next, struct channel, strangers);
        if (oldest->since_ns > before_ns)
            break;
        close_channel(oldest);
        stranger_trouble(e, "did not say who it is in time");
    }
    arm_hello_timer(e);
}

/* Where the server says it is; what the configuration says comes behind. */
static void keep_hello(struct peer_server *p, const struct election_hello *hello)
{
    if (hello->target_count == 0)
        return;
    if (p->hello == NULL)
        p->hello = mem_alloc(sizeof *p->hello);
    *p->hello = *hello;
    for (size_t i = 0; i < hello->target_count; i++)
        p->hello->targets[i].host = p->hello->text + (hello->targets[i].host - hello->text);
}

/* A server with a smaller number: it shall be connected back. */
static void connect_back(struct election_links *e, struct channel *ch, int64_t sid,
                         const struct election_hello *hello)
{
    struct peer_server *p = find_or_add(e, sid);
    keep_hello(p, hello);
    close_channel(ch);
    int64_t now_ns = loop_now_ns(e->options.loop);
    if (p->channel != NULL && now_ns - p->channel->since_ns < YOUNG_CHANNEL_NS)
        return;
    channel_down(p, "the server connects anew");
    if (p->connector == NULL) {
        stop_connecting(p);
        p->retry_ms = ELECTION_RETRY_MS_MIN;
        connect_now(p); /* also to one of no configuration, once */
    }
}

/* False: the channel is gone. */
static bool identify(struct election_links *e, struct channel *ch,
                     const struct election_hello *hello)
{
    int64_t sid = hello->sid;
    if (sid == e->options.sid || sid < 0 || sid == INT64_MAX || !has_place_for(e, sid)) {
        stranger_trouble(e, sid == e->options.sid ? "says it has our own number"
                                                  : "has a number that cannot be");
        close_channel(ch);
        return false;
    }
    if (sid < e->options.sid) {
        connect_back(e, ch, sid, hello);
        return false;
    }
    list_remove(&ch->strangers);
    e->stranger_count--;
    struct peer_server *p = find_or_add(e, sid);
    keep_hello(p, hello);
    channel_up(p, ch);
    return p->channel == ch;
}

/* ---- what the connection tells ---- */

/* How much of `bytes` was used; -1: the channel is gone. */
static ssize_t take_hello(struct channel *ch, struct slice bytes, size_t *ret_want)
{
    struct election_links *e = ch->owner;
    struct election_hello *hello = mem_alloc(sizeof *hello);
    size_t used = 0;
    ssize_t result = 0;
    switch (election_hello_parse(bytes, hello, &used, ret_want)) {
    case ELECTION_HELLO_MORE:
        break;
    case ELECTION_HELLO_BAD:
        stranger_trouble(e, "does not speak the election's protocol");
        close_channel(ch);
        result = -1;
        break;
    case ELECTION_HELLO_WHOLE:
        *ret_want = 0;
        result = identify(e, ch, hello) ? (ssize_t)used : -1;
        break;
    }
    free(hello);
    arm_hello_timer(e);
    return result;
}

static size_t take_messages(struct channel *ch, struct slice bytes, size_t *ret_want)
{
    struct election_links *e = ch->owner;
    struct peer_server *p = ch->peer;
    size_t used = 0;
    while (bytes.len - used >= FRAME_HEADER_BYTES) {
        uint32_t len = load_be32(bytes.ptr + used);
        if (len == 0 || len > ELECTION_MESSAGE_BYTES_MAX) {
            channel_down(p, "a message of an impossible length");
            return bytes.len;
        }
        *ret_want = FRAME_HEADER_BYTES + len;
        if (bytes.len - used < *ret_want)
            return used;
        struct slice payload = slice_of(bytes.ptr + used + FRAME_HEADER_BYTES, len);
        used += *ret_want;
        *ret_want = 0;
        ch->heard = true;
        e->options.on_message(e->options.arg, p->sid, payload);
        if (p->channel != ch)
            return bytes.len; /* closed meanwhile */
    }
    *ret_want = FRAME_HEADER_BYTES;
    return used;
}

static size_t on_conn_bytes(struct conn *c, struct slice bytes, size_t *ret_want)
{
    struct channel *ch = c->owner;
    size_t used = 0;
    if (ch->peer == NULL) {
        ssize_t hello = take_hello(ch, bytes, ret_want);
        if (hello <= 0)
            return hello < 0 ? bytes.len : 0;
        used = (size_t)hello;
    }
    return used + take_messages(ch, slice_from(bytes, used), ret_want);
}

/* At once, if the peer took the channel for good: it was heard on it, or kept it for a while. One
 * that closes as soon as it has read who we are is not asked again and again. */
static void connect_after(struct peer_server *p, bool heard, int64_t lived_ns)
{
    if (heard || lived_ns >= ELECTION_RETRY_MS_MAX * INT64_C(1000000)) {
        p->retry_ms = ELECTION_RETRY_MS_MIN;
        connect_soon(p);
    } else if (p->connector == NULL && !p->retrying) {
        retry_later(p);
    }
}

static void on_conn_end(struct conn *c, const char *reason)
{
    struct channel *ch = c->owner;
    struct election_links *e = ch->owner;
    struct peer_server *p = ch->peer;
    bool heard = ch->heard;
    int64_t lived_ns = loop_now_ns(e->options.loop) - ch->since_ns;
    if (p == NULL) {
        list_remove(&ch->strangers);
        e->stranger_count--;
        free(ch);
        arm_hello_timer(e);
        return;
    }
    p->channel = NULL;
    p->has_waiting = false;
    free(ch);
    tell_channel(p, "election_channel_down", reason);
    connect_after(p, heard, lived_ns);
    e->options.on_channel(e->options.arg, p->sid, false);
}

static void on_conn_room(struct conn *c)
{
    struct channel *ch = c->owner;
    if (ch->peer != NULL)
        send_waiting(ch->peer);
}

static const struct conn_ops conn_ops = {
    .on_bytes = on_conn_bytes,
    .on_end = on_conn_end,
    .on_room = on_conn_room,
};

static struct channel *open_channel(struct election_links *e, int fd)
{
    struct channel *ch = mem_calloc(1, sizeof *ch);
    connect_tune(fd, e->options.dead_ms);
    ch->owner = e;
    list_init(&ch->strangers);
    ch->since_ns = loop_now_ns(e->options.loop);
    ch->conn = conn_open(e->options.loop, fd, &conn_ops, ch);
    if (ch->conn != NULL)
        return ch;
    free(ch);
    return NULL;
}

static void on_accept(void *arg, int fd, const struct sockaddr *peer)
{
    struct election_links *e = arg;
    (void)peer;
    if (e->stranger_count == ELECTION_STRANGERS_MAX) {
        /* Who has been silent longest goes: a server says who it is at once. */
        close_channel(list_entry(e->strangers.next, struct channel, strangers));
        stranger_trouble(e, "too many that do not say who they are");
    }
    struct channel *ch = open_channel(e, fd);
    if (ch == NULL)
        return;
    list_append(&e->strangers, &ch->strangers);
    e->stranger_count++;
    arm_hello_timer(e);
}

/* ---- connecting ---- */

static void add_targets(const struct quorum *q, int64_t sid, struct connect_target *targets,
                        size_t *count)
{
    const struct quorum_server *s = q != NULL ? quorum_find(q, sid) : NULL;
    for (size_t i = 0; s != NULL && i < s->address_count && *count < CONNECT_TARGETS_MAX; i++)
        targets[(*count)++] =
            (struct connect_target){s->addresses[i].host, s->addresses[i].election_port};
}

/* Also of a server that is in no configuration (any more, or yet): ZooKeeper does not listen to who
 * is nowhere. */
static size_t where_we_are(const struct election_links *e,
                           struct connect_target ret[CONNECT_TARGETS_MAX])
{
    size_t count = 0;
    add_targets(e->active, e->options.sid, ret, &count);
    if (count == 0)
        add_targets(e->seen, e->options.sid, ret, &count);
    if (count == 0)
        add_targets(e->with_us, e->options.sid, ret, &count);
    return count;
}

static void greet(struct election_links *e, struct channel *ch)
{
    struct connect_target ours[CONNECT_TARGETS_MAX];
    size_t count = where_we_are(e, ours);
    struct buf hello = {0};
    election_hello_format(e->options.sid, ours, count, e->options.multi_address, &hello);
    conn_send(ch->conn, hello.ptr, hello.len);
    buf_deinit(&hello);
}

static void retry_later(struct peer_server *p)
{
    if (!p->wanted)
        return;
    p->retrying = true;
    uv_timer_start(&p->retry, on_retry, (uint64_t)p->retry_ms, 0);
    p->retry_ms *= 2;
    if (p->retry_ms > ELECTION_RETRY_MS_MAX)
        p->retry_ms = ELECTION_RETRY_MS_MAX;
}

/* Once for each time that it goes, and then now and again. */
static void tell_unreachable(struct peer_server *p, const struct err *err)
{
    int64_t now_ns = loop_now_ns(p->owner->options.loop);
    if (now_ns < p->tell_at_ns)
        return;
    p->tell_at_ns = now_ns + TELL_AGAIN_NS;
    struct log_line l;
    log_begin(&l, LOG_INFO, "server_not_reached");
    log_int(&l, "server", p->sid);
    log_text(&l, "reason", err->text);
    log_end(&l);
}

static void on_connected(void *arg, int fd, const struct err *err)
{
    struct peer_server *p = arg;
    struct election_links *e = p->owner;
    p->connector = NULL;
    if (fd < 0) {
        tell_unreachable(p, err);
        retry_later(p);
        if (!p->told)
            e->options.on_channel(e->options.arg, p->sid, false);
        p->told = true;
        return;
    }
    struct channel *ch = open_channel(e, fd);
    if (ch == NULL) {
        retry_later(p);
        return;
    }
    greet(e, ch);
    if (p->sid < e->options.sid) {
        channel_up(p, ch);
    } else {
        close_channel(ch); /* it connects back */
        retry_later(p);
    }
}

static void connect_now(struct peer_server *p)
{
    struct election_links *e = p->owner;
    struct connect_target targets[CONNECT_TARGETS_MAX];
    size_t count = 0;
    for (size_t i = 0; p->hello != NULL && i < p->hello->target_count; i++)
        targets[count++] = p->hello->targets[i];
    add_targets(e->active, p->sid, targets, &count);
    add_targets(e->seen, p->sid, targets, &count);
    if (count > 0)
        p->connector = connect_start(e->options.loop, targets, count, e->options.connect_timeout_ms,
                                     on_connected, p);
}

static void on_retry(uv_timer_t *timer)
{
    struct peer_server *p = timer->data;
    p->retrying = false;
    if (p->channel == NULL && p->connector == NULL)
        connect_now(p);
}

static void connect_soon(struct peer_server *p)
{
    if (p->wanted && p->channel == NULL && p->connector == NULL && !p->retrying)
        connect_now(p);
}

/* ---- configuration, life ---- */

static void listen_where_we_are(struct election_links *e)
{
    struct connect_target ours[CONNECT_TARGETS_MAX];
    size_t count = where_we_are(e, ours);
    if (count > 0)
        peer_port_listen(e->port, ours, count);
}

static bool names_us(const struct election_links *e, const struct quorum *q)
{
    return q != NULL && quorum_find(q, e->options.sid) != NULL;
}

static void keep_where_we_are(struct election_links *e)
{
    const struct quorum *now = names_us(e, e->active) ? e->active
                               : names_us(e, e->seen) ? e->seen
                                                      : NULL;
    if (now == NULL)
        return;
    quorum_free(e->with_us);
    e->with_us = quorum_copy(now);
}

static void want(struct election_links *e, const struct quorum *q)
{
    for (size_t i = 0; q != NULL && i < q->server_count; i++) {
        if (q->servers[i].sid != e->options.sid)
            find_or_add(e, q->servers[i].sid)->wanted = true;
    }
}

static void connect_to_all(struct election_links *e)
{
    for (struct list *at = e->peers.next; at != &e->peers; at = at->next)
        list_entry(at, struct peer_server, all)->wanted = false;
    want(e, e->active);
    want(e, e->seen);
    for (struct list *at = e->peers.next; at != &e->peers; at = at->next)
        connect_soon(list_entry(at, struct peer_server, all));
}

void election_links_set_config(struct election_links *e, const struct quorum *active,
                               const struct quorum *seen)
{
    quorum_free(e->active);
    quorum_free(e->seen);
    e->active = active != NULL ? quorum_copy(active) : NULL;
    e->seen = seen != NULL ? quorum_copy(seen) : NULL;
    keep_where_we_are(e);
    listen_where_we_are(e);
    connect_to_all(e);
}

bool election_links_up(const struct election_links *e, int64_t sid)
{
    const struct peer_server *p = find(e, sid);
    return p != NULL && p->channel != NULL;
}

static void on_port_failed(void *arg, const char *reason)
{
    struct election_links *e = arg;
    e->options.on_port_failed(e->options.arg, reason);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

struct election_links *election_links_create(const struct election_links_options *options)
{
    struct election_links *e = mem_calloc(1, sizeof *e);
    e->options = *options;
    list_init(&e->peers);
    list_init(&e->strangers);
    e->hello_timer = mem_calloc(1, sizeof *e->hello_timer);
    uv_timer_init(&options->loop->uv, e->hello_timer);
    e->hello_timer->data = e;
    struct peer_port_options port = {
        .what = "election",
        .retries = options->bind_retries,
        .all_addresses = options->all_addresses,
        .on_accept = on_accept,
        .on_failed = on_port_failed,
        .arg = e,
    };
    e->port = peer_port_open(options->loop, &port);
    return e;
}

void election_links_free(struct election_links *e)
{
    if (e == NULL)
        return;
    peer_port_close(e->port);
    for (struct list *first; (first = list_take(&e->strangers)) != NULL;)
        close_channel(list_entry(first, struct channel, strangers));
    while (!list_is_empty(&e->peers)) {
        struct peer_server *p = list_entry(e->peers.next, struct peer_server, all);
        stop_connecting(p);
        if (p->channel != NULL)
            close_channel(p->channel);
        list_remove(&p->all);
        uv_close((uv_handle_t *)&p->retry, on_peer_closed);
    }
    uv_close((uv_handle_t *)e->hello_timer, on_timer_closed);
    quorum_free(e->active);
    quorum_free(e->seen);
    quorum_free(e->with_us);
    free(e);
}
