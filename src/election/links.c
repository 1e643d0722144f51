#include "election/links.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "io/connect.h"
#include "io/listen.h"
#include "io/log.h"

enum {
    DIAL_TIMEOUT_MS = 3000,
    BACKOFF_MIN_MS = 20,
    BACKOFF_MAX_MS = 2000,
    LINK_VERSION = 1,
    HELLO_FIXED_BYTES = 4 + 4 + SHA256_BYTES + INCARNATION_BYTES + 8,
};

static const uint8_t hello_magic[4] = {'C', 'V', 'L', 'K'};

/* A server that we know of. */
struct peer {
    struct links *links;
    char name[SERVER_NAME_BYTES_MAX];
    char host[ADDRESS_BYTES_MAX];
    int port;
    struct link *up;
    bool dialling; /* a connection to it is being made, or has not said HELLO yet */
    struct connector *connector;
    uv_timer_t *timer; /* the next attempt; its memory is the loop's to give back */
    bool waiting;
    uint32_t failures;
};

struct link {
    struct links *links;
    uint64_t number;
    struct conn *conn;
    struct peer *peer;   /* inbound: NULL until HELLO came */
    struct peer *dialed; /* outbound: who is meant */
    bool is_up;
    uint8_t incarnation[INCARNATION_BYTES];
    uint64_t life;
    int64_t since_ns, heard_ns;
    struct list all, dirty;
    struct buf gathered;
    const char *dropped; /* not NULL: it ends, for this reason */
};

struct links {
    struct links_options options;
    struct listener *listener;
    struct peer **peers;
    size_t peer_count, peer_cap;
    struct map numbered;
    struct list all, dirty;
    size_t greeting; /* inbound, without a HELLO */
    uint64_t last_number, random;
    uv_timer_t *patience; /* looks for those that never say HELLO */
    uv_timer_t *pulse;    /* says that we live, looks for those that do not */
    int64_t pulse_ns;
    struct log_gate gate;
};

static void dial_later(struct peer *p);

/* ---- log ---- */

static void say(struct links *k, enum log_level level, const char *event, const char *peer,
                const char *reason)
{
    uint64_t held_back;
    struct log_line line;
    if (level != LOG_INFO && !log_gate_pass(&k->gate, loop_now_ns(k->options.loop), &held_back))
        return;
    log_begin(&line, level, event);
    log_text(&line, "peer", peer);
    if (reason != NULL)
        log_text(&line, "reason", reason);
    log_end(&line);
}

/* ---- frames out ---- */

static void flush(struct link *l)
{
    list_remove(&l->dirty);
    if (l->gathered.len == 0)
        return;
    conn_send(l->conn, l->gathered.ptr, l->gathered.len);
    buf_clear(&l->gathered);
    if (l->gathered.cap > 4 * LINK_GATHER_BYTES)
        buf_deinit(&l->gathered);
}

void link_send(struct link *l, uint8_t type, struct slice a, struct slice b)
{
    buf_put_i32(&l->gathered, (int32_t)(1 + a.len + b.len));
    buf_put_u8(&l->gathered, type);
    buf_put_slice(&l->gathered, a);
    buf_put_slice(&l->gathered, b);
    if (l->gathered.len >= LINK_GATHER_BYTES) {
        flush(l);
    } else if (list_is_empty(&l->dirty)) {
        list_append(&l->links->dirty, &l->dirty);
    }
}

void links_flush(struct links *k)
{
    while (!list_is_empty(&k->dirty))
        flush(list_entry(k->dirty.next, struct link, dirty));
}

size_t link_unsent(const struct link *l)
{
    return conn_unsent(l->conn) + l->gathered.len;
}

/* ---- peers ---- */

static struct peer *find_peer(const struct links *k, const char *name)
{
    for (size_t i = 0; i < k->peer_count; i++) {
        if (strcmp(k->peers[i]->name, name) == 0)
            return k->peers[i];
    }
    return NULL;
}

static struct peer *add_peer(struct links *k, const char *name)
{
    if (k->peer_count == LINK_PEERS_MAX)
        return NULL;
    if (k->peer_count == k->peer_cap) {
        k->peer_cap = k->peer_cap ? k->peer_cap * 2 : 16;
        k->peers = mem_realloc(k->peers, k->peer_cap * sizeof *k->peers);
    }
    struct peer *p = mem_calloc(1, sizeof *p);
    p->links = k;
    snprintf(p->name, sizeof p->name, "%s", name);
    p->timer = mem_calloc(1, sizeof *p->timer);
    p->timer->data = p;
    uv_timer_init(&k->options.loop->uv, p->timer);
    k->peers[k->peer_count++] = p;
    return p;
}

static bool is_ours_to_dial(const struct peer *p)
{
    const struct links_options *o = &p->links->options;
    return p->port != 0 && (o->dials_all || strcmp(o->name, p->name) < 0);
}

static bool is_dialed_from_here(const struct links *k, const char *name)
{
    const struct peer *p = find_peer(k, name);
    return p != NULL && is_ours_to_dial(p);
}

/* ---- hello ---- */

struct hello {
    struct hash config;
    uint8_t incarnation[INCARNATION_BYTES];
    uint64_t life;
    char name[SERVER_NAME_BYTES_MAX], to[SERVER_NAME_BYTES_MAX];
};

static void put_name(struct buf *b, const char *name)
{
    buf_put_u8(b, (uint8_t)strlen(name));
    buf_put(b, name, strlen(name));
}

static void send_hello(struct link *l, const char *to)
{
    const struct links_options *o = &l->links->options;
    struct buf b = {0};
    buf_put(&b, hello_magic, sizeof hello_magic);
    buf_put_i32(&b, LINK_VERSION);
    buf_put(&b, o->config.bytes, SHA256_BYTES);
    buf_put(&b, o->incarnation, INCARNATION_BYTES);
    buf_put_i64(&b, (int64_t)o->life);
    put_name(&b, o->name);
    put_name(&b, to);
    link_send(l, LINK_HELLO, buf_slice(&b), slice_str(""));
    buf_deinit(&b);
}

static bool is_name_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static bool take_name(struct slice *bytes, char ret[SERVER_NAME_BYTES_MAX])
{
    size_t len = bytes->len > 0 ? bytes->ptr[0] : 0;
    if (len == 0 || len >= SERVER_NAME_BYTES_MAX || bytes->len < 1 + len)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_name_byte(bytes->ptr[1 + i]))
            return false;
    }
    memcpy(ret, bytes->ptr + 1, len);
    ret[len] = 0;
    *bytes = slice_from(*bytes, 1 + len);
    return true;
}

static bool decode_hello(struct slice b, struct hello *ret)
{
    if (b.len < HELLO_FIXED_BYTES || memcmp(b.ptr, hello_magic, sizeof hello_magic) != 0 ||
        load_be32(b.ptr + 4) != LINK_VERSION)
        return false;
    memcpy(ret->config.bytes, b.ptr + 8, SHA256_BYTES);
    memcpy(ret->incarnation, b.ptr + 8 + SHA256_BYTES, INCARNATION_BYTES);
    ret->life = load_be64(b.ptr + 8 + SHA256_BYTES + INCARNATION_BYTES);
    b = slice_from(b, HELLO_FIXED_BYTES);
    return take_name(&b, ret->name) && take_name(&b, ret->to) && b.len == 0;
}

/* "CN=<name>" is one of the parts of the subject that the peer's certificate has. */
static bool is_certified(const struct tls_link *tls, const char *name)
{
    struct buf subject = {0};
    char wanted[SERVER_NAME_BYTES_MAX + 4];
    bool found = false;
    int len = snprintf(wanted, sizeof wanted, "CN=%s", name);
    if (tls_peer_subject(tls, &subject)) {
        buf_put_u8(&subject, 0);
        const char *at = (const char *)subject.ptr;
        for (; !found && (at = strstr(at, wanted)) != NULL; at += len) {
            bool begins = at == (const char *)subject.ptr || at[-1] == ',';
            found = begins && (at[len] == 0 || at[len] == ',');
        }
    }
    buf_deinit(&subject);
    return found;
}

static const char *objection_to(const struct link *l, const struct hello *h)
{
    const struct links_options *o = &l->links->options;
    if (!hash_eq(&h->config, &o->config))
        return "the definition of its election, or its key, is another one";
    if (strcmp(h->name, o->name) == 0)
        return h->life == o->life ? "it is this server itself"
                                  : "another server goes by the name of this one";
    if (strcmp(h->to, o->name) != 0)
        return "it looks for another server";
    if (l->dialed != NULL && strcmp(h->name, l->dialed->name) != 0)
        return "another server answers at its address";
    if (l->dialed == NULL && is_dialed_from_here(l->links, h->name))
        return "it is this server that dials";
    if (o->accept_tls != NULL &&
        (conn_tls(l->conn) == NULL || !is_certified(conn_tls(l->conn), h->name)))
        return "its certificate does not name it";
    return o->objection(o->arg, h->name, h->incarnation);
}

/* ---- life of a link ---- */

static void forget(struct link *l)
{
    struct links *k = l->links;
    if (l->dialed == NULL && l->peer == NULL)
        k->greeting--;
    map_remove(&k->numbered, l->number);
    list_remove(&l->all);
    list_remove(&l->dirty);
    buf_deinit(&l->gathered);
    free(l);
}

static void ended(struct link *l, const char *reason)
{
    struct links *k = l->links;
    struct peer *dialed = l->dialed;
    if (l->is_up) {
        l->is_up = false;
        if (l->peer->up == l)
            l->peer->up = NULL;
        /* One that is cut each time it is up is no reason to come back at once, for ever. */
        if (loop_now_ns(k->options.loop) - l->since_ns > (int64_t)BACKOFF_MAX_MS * 1000000)
            l->peer->failures = 0;
        say(k, LOG_INFO, "link_down", l->peer->name, reason);
        k->options.on_down(k->options.arg, l);
    } else if (dialed != NULL) {
        say(k, LOG_WARN, "link_failed", dialed->name, reason);
    }
    if (dialed != NULL) {
        dialed->dialling = false;
        dial_later(dialed);
    }
    forget(l);
}

static void on_conn_end(struct conn *c, const char *reason)
{
    struct link *l = c->owner;
    ended(l, l->dropped != NULL ? l->dropped : reason);
}

void link_cut(struct link *l, const char *why)
{
    if (l->dropped != NULL)
        return;
    l->dropped = why;
    shutdown(l->conn->tcp.fd, SHUT_RDWR); /* its end comes through the loop, not from in here */
}

static void refuse(struct link *l, const char *who, const char *why)
{
    say(l->links, LOG_WARN, "link_refused", who, why);
    link_send(l, LINK_REFUSED, slice_str(why), slice_str(""));
    flush(l);
    link_cut(l, why);
}

static void be_up(struct link *l, const struct hello *h)
{
    struct links *k = l->links;
    struct peer *p = l->dialed != NULL ? l->dialed : find_peer(k, h->name);
    if (p == NULL)
        p = add_peer(k, h->name);
    if (p == NULL) {
        refuse(l, h->name, "there are too many servers");
        return;
    }
    if (p->up != NULL) {
        struct link *old = p->up;
        p->up = NULL;
        old->is_up = false;
        say(k, LOG_INFO, "link_replaced", p->name, NULL);
        k->options.on_down(k->options.arg, old);
        link_cut(old, "replaced");
    }
    if (l->dialed == NULL) {
        k->greeting--;
        send_hello(l, h->name);
    }
    l->peer = p;
    l->is_up = true;
    memcpy(l->incarnation, h->incarnation, sizeof l->incarnation);
    l->life = h->life;
    p->up = l;
    p->dialling = false;
    say(k, LOG_INFO, "link_up", p->name, NULL);
    k->options.on_up(k->options.arg, l);
}

static void on_hello(struct link *l, struct slice body)
{
    struct hello h;
    if (!decode_hello(body, &h)) {
        refuse(l, l->dialed != NULL ? l->dialed->name : "?", "not a server of an election");
        return;
    }
    const char *objection = objection_to(l, &h);
    if (objection != NULL)
        refuse(l, h.name, objection);
    else
        be_up(l, &h);
}

static void on_link_frame(struct link *l, uint8_t type, struct slice body)
{
    if (l->is_up && type == LINK_PING)
        return;
    if (l->is_up && type >= LINK_OWN_FRAMES) {
        l->links->options.on_frame(l->links->options.arg, l, type, body);
    } else if (!l->is_up && type == LINK_HELLO) {
        on_hello(l, body);
    } else if (type == LINK_REFUSED) {
        char text[128];
        snprintf(text, sizeof text, "%.*s", (int)(body.len < 100 ? body.len : 100),
                 (const char *)body.ptr);
        say(l->links, LOG_ERROR, "link_refused_there", l->dialed != NULL ? l->dialed->name : "?",
            text);
        link_cut(l, "refused there");
    } else {
        link_cut(l, "a frame that does not belong here");
    }
}

static size_t on_conn_bytes(struct conn *c, struct slice bytes, size_t *ret_want)
{
    struct link *l = c->owner;
    size_t done = 0;
    l->heard_ns = loop_now_ns(l->links->options.loop);
    while (l->dropped == NULL && bytes.len - done >= 5) {
        const uint8_t *at = bytes.ptr + done;
        size_t len = load_be32(at), max = l->is_up ? LINK_FRAME_BYTES_MAX : LINK_HELLO_BYTES_MAX;
        if (len < 1 || len > max) {
            link_cut(l, "not a frame");
            break;
        }
        if (bytes.len - done < 4 + len) {
            *ret_want = 4 + len;
            break;
        }
        done += 4 + len;
        on_link_frame(l, at[4], slice_of(at + 5, len - 1));
    }
    return l->dropped != NULL ? bytes.len : done;
}

static const struct conn_ops conn_ops = {
    .on_bytes = on_conn_bytes,
    .on_end = on_conn_end,
};

static struct conn *open_conn(struct link *l, int fd)
{
    const struct links_options *o = &l->links->options;
    if (o->accept_tls == NULL)
        return conn_open(o->loop, fd, &conn_ops, l);
    if (l->dialed != NULL)
        return conn_open_secure_client(o->loop, fd, o->dial_tls, l->dialed->host, &conn_ops, l);
    return conn_open_secure(o->loop, fd, o->accept_tls, false, &conn_ops, l);
}

static struct link *add_link(struct links *k, int fd, struct peer *dialed)
{
    struct link *l = mem_calloc(1, sizeof *l);
    connect_tune(fd, k->options.dead_ms);
    l->links = k;
    l->dialed = dialed;
    l->number = ++k->last_number;
    l->since_ns = l->heard_ns = loop_now_ns(k->options.loop);
    list_init(&l->dirty);
    l->conn = open_conn(l, fd);
    if (l->conn == NULL) {
        free(l);
        return NULL;
    }
    conn_be_link(l->conn);
    list_append(&k->all, &l->all);
    map_put(&k->numbered, l->number, l);
    k->greeting += dialed == NULL;
    return l;
}

/* ---- dialling ---- */

static void on_connected(void *arg, int fd, const struct err *err)
{
    struct peer *p = arg;
    p->connector = NULL;
    struct link *l = fd >= 0 ? add_link(p->links, fd, p) : NULL;
    if (l == NULL) {
        say(p->links, LOG_WARN, "link_failed", p->name, fd < 0 ? err->text : "cannot be polled");
        p->dialling = false;
        dial_later(p);
        return;
    }
    send_hello(l, p->name);
}

static void dial(uv_timer_t *timer)
{
    struct peer *p = timer->data;
    p->waiting = false;
    if (p->up != NULL || p->dialling || p->port == 0)
        return;
    struct connect_target target = {p->host, p->port};
    p->dialling = true;
    p->connector =
        connect_start(p->links->options.loop, &target, 1, DIAL_TIMEOUT_MS, on_connected, p);
}

/* Twice as long after each failure, and not all at the same time. */
static void dial_later(struct peer *p)
{
    struct links *k = p->links;
    if (p->waiting || p->dialling || p->up != NULL || !is_ours_to_dial(p))
        return;
    uint64_t ms = 0;
    if (p->failures > 0) {
        uint32_t doubled = p->failures < 7 ? p->failures : 7;
        ms = (uint64_t)BACKOFF_MIN_MS << doubled;
        ms = ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : ms;
        k->random = hash_u64(k->random, 1);
        ms = ms / 2 + k->random % (ms / 2 + 1);
    }
    p->failures++;
    p->waiting = true;
    uv_timer_start(p->timer, dial, ms, 0);
}

static bool split_address(const char *address, char host[ADDRESS_BYTES_MAX], int *ret_port)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address || strlen(address) >= ADDRESS_BYTES_MAX)
        return false;
    size_t len = (size_t)(colon - address);
    if (address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    char *end;
    long port = strtol(colon + 1, &end, 10);
    if (port < 1 || port > 65535 || *end != 0)
        return false;
    memcpy(host, address, len);
    host[len] = 0;
    *ret_port = (int)port;
    return true;
}

void links_know(struct links *k, const char *name, const char *address)
{
    char host[ADDRESS_BYTES_MAX];
    int port;
    if (strcmp(name, k->options.name) == 0 || !split_address(address, host, &port))
        return;
    struct peer *p = find_peer(k, name);
    if (p == NULL)
        p = add_peer(k, name);
    if (p == NULL || (p->port == port && strcmp(p->host, host) == 0))
        return;
    memcpy(p->host, host, sizeof host);
    p->port = port;
    p->failures = 0;
    if (p->waiting) {
        uv_timer_stop(p->timer);
        p->waiting = false;
    }
    dial_later(p);
}

/* ---- accepting ---- */

static void on_accept(void *arg, int fd, const struct sockaddr *from)
{
    struct links *k = arg;
    if (k->greeting < LINK_GREETING_MAX) {
        add_link(k, fd, NULL);
        return;
    }
    char address[LISTEN_ADDRESS_BYTES];
    listen_address_text(from, address);
    close(fd);
    say(k, LOG_WARN, "link_refused", address, "too many that have not said who they are");
}

static void on_patience(uv_timer_t *timer)
{
    struct links *k = timer->data;
    int64_t now_ns = loop_now_ns(k->options.loop);
    for (struct list *at = k->all.next; at != &k->all; at = at->next) {
        struct link *l = list_entry(at, struct link, all);
        if (l->peer == NULL && now_ns - l->since_ns > (int64_t)LINK_HELLO_MS * 1000000)
            link_cut(l, "did not say who it is");
    }
}

static int64_t pulse_ms(const struct links *k)
{
    return k->options.dead_ms / LINK_PINGS;
}

/* Who was stopped himself has not listened, and judges nobody. */
static void on_pulse(uv_timer_t *timer)
{
    struct links *k = timer->data;
    int64_t now_ns = loop_now_ns(k->options.loop);
    bool listened = now_ns - k->pulse_ns < 2 * pulse_ms(k) * 1000000;
    k->pulse_ns = now_ns;
    for (size_t i = 0; i < k->peer_count; i++) {
        struct link *l = k->peers[i]->up;
        if (l == NULL || l->dropped != NULL)
            continue;
        if (listened && now_ns - l->heard_ns > k->options.dead_ms * 1000000)
            link_cut(l, "says nothing any more");
        else
            link_send(l, LINK_PING, slice_str(""), slice_str(""));
    }
    loop_again(k->options.loop); /* a timer is no turn, and what was said is to leave */
}

/* ---- looking ---- */

struct link *links_find(const struct links *k, const char *name)
{
    const struct peer *p = find_peer(k, name);
    return p != NULL ? p->up : NULL;
}

struct link *links_numbered(const struct links *k, uint64_t number)
{
    struct link *l = map_get(&k->numbered, number);
    return l != NULL && l->is_up ? l : NULL;
}

struct link *links_next(const struct links *k, size_t *at)
{
    while (*at < k->peer_count) {
        struct link *l = k->peers[(*at)++]->up;
        if (l != NULL)
            return l;
    }
    return NULL;
}

const char *link_name(const struct link *l)
{
    return l->peer->name;
}

uint64_t link_number(const struct link *l)
{
    return l->number;
}

uint64_t link_life(const struct link *l)
{
    return l->life;
}

bool link_address(const struct link *l, const char **ret_host, int *ret_port)
{
    *ret_host = l->peer->host;
    *ret_port = l->peer->port;
    return l->peer->port != 0;
}

/* ---- life ---- */

int links_port(const struct links *k)
{
    return listener_port(k->listener);
}

static uv_timer_t *every(struct links *k, uv_timer_cb run, int64_t ms)
{
    uv_timer_t *timer = mem_calloc(1, sizeof *timer);
    timer->data = k;
    uv_timer_init(&k->options.loop->uv, timer);
    uv_timer_start(timer, run, (uint64_t)ms, (uint64_t)ms);
    return timer;
}

int links_open(const struct links_options *options, struct links **ret, struct err *err)
{
    struct links *k = mem_calloc(1, sizeof *k);
    k->options = *options;
    k->random = options->life;
    list_init(&k->all);
    list_init(&k->dirty);
    map_init(&k->numbered, options->life);
    struct listener_options listen = {
        .address = options->host,
        .port = options->port,
        .on_accept = on_accept,
        .arg = k,
    };
    int rc = listener_open(options->loop, &listen, &k->listener, err);
    if (rc < 0) {
        map_deinit(&k->numbered);
        free(k);
        return err_wrap(err, rc, "listen for other servers");
    }
    k->patience = every(k, on_patience, LINK_HELLO_MS);
    k->pulse = every(k, on_pulse, pulse_ms(k));
    k->pulse_ns = loop_now_ns(options->loop);
    *ret = k;
    return 0;
}

static void free_timer(uv_handle_t *handle)
{
    free(handle);
}

static void close_peer(struct peer *p)
{
    connect_cancel(p->connector);
    uv_close((uv_handle_t *)p->timer, free_timer);
    free(p);
}

void links_close(struct links *k)
{
    listener_close(k->listener);
    uv_close((uv_handle_t *)k->patience, free_timer);
    uv_close((uv_handle_t *)k->pulse, free_timer);
    links_flush(k);
    for (struct list *at; (at = list_take(&k->all)) != NULL;) {
        struct link *l = list_entry(at, struct link, all);
        conn_close(l->conn);
        buf_deinit(&l->gathered);
        free(l);
    }
    for (size_t i = 0; i < k->peer_count; i++)
        close_peer(k->peers[i]);
    map_deinit(&k->numbered);
    free(k->peers);
    free(k);
}
