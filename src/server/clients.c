/* clients.c: accepted connections: who may come, frames out of bytes, who has to go
 * (NIOServerCnxnFactory, NIOServerCnxn). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/prefetch.h"
#include "server/command.h"
#include "server/server.h"
#include "wire/frame.h"

enum {
    PEER_SLOT_MASK = (1 << PEER_SLOT_BITS) - 1,
    CONNECT_SESSION_OFFSET = 4 + 8 + 4, /* in a ConnectRequest */
    NS_PER_MS = 1000000,
};

/* ---- the table ---- */

struct peer *clients_find(struct server *s, uint64_t id)
{
    uint32_t slot = (uint32_t)id & PEER_SLOT_MASK;
    struct peer *p = slot < s->clients.slot_cap ? s->clients.slots[slot] : NULL;
    return p != NULL && p->id == id ? p : NULL;
}

void clients_prefetch(const struct server *s, uint64_t id)
{
    uint32_t slot = (uint32_t)id & PEER_SLOT_MASK;
    const struct peer *p = slot < s->clients.slot_cap ? s->clients.slots[slot] : NULL;
    if (p == NULL)
        return;
    prefetch(&p->id);
    prefetch(&p->chain_tail);
}

static void slots_grow(struct clients *c)
{
    uint32_t cap = c->slot_cap > 0 ? c->slot_cap * 2 : 64;
    c->slots = mem_realloc(c->slots, cap * sizeof *c->slots);
    c->free_slots = mem_realloc(c->free_slots, cap * sizeof *c->free_slots);
    for (uint32_t slot = cap; slot-- > c->slot_cap;) {
        c->slots[slot] = NULL;
        c->free_slots[c->free_count++] = slot;
    }
    c->slot_cap = cap;
}

static uint64_t address_key(const uint8_t bytes[16])
{
    return hash_bytes(bytes, 16, 0);
}

static uintptr_t address_count(const struct clients *c, const uint8_t bytes[16])
{
    return (uintptr_t)map_get(&c->per_address, address_key(bytes));
}

static void address_add(struct clients *c, const uint8_t bytes[16], int by)
{
    uintptr_t count = address_count(c, bytes) + (uintptr_t)by;
    if (count > 0)
        map_put(&c->per_address, address_key(bytes), (void *)count);
    else
        map_remove(&c->per_address, address_key(bytes));
}

static struct peer *peer_add(struct server *s, const struct sockaddr *address)
{
    struct clients *c = &s->clients;
    if (c->free_count == 0)
        slots_grow(c);
    uint32_t slot = c->free_slots[--c->free_count];
    struct peer *p = slab_alloc(&c->peer_slab, sizeof *p);
    *p = (struct peer){
        .id = ++c->next_serial << PEER_SLOT_BITS | slot,
        .server = s,
        .opened_ns = loop_now_ns(&s->loop),
        .chain_head = UINT32_MAX,
    };
    listen_address_bytes(address, p->address_bytes);
    memcpy(&p->address, address,
           address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in));
    list_init(&p->waiting);
    list_append(&c->silent, &p->waiting);
    address_add(c, p->address_bytes, 1);
    c->slots[slot] = p;
    c->count++;
    return p;
}

static void peer_remove(struct server *s, struct peer *p)
{
    struct clients *c = &s->clients;
    uint32_t slot = (uint32_t)p->id & PEER_SLOT_MASK;
    c->slots[slot] = NULL;
    c->free_slots[c->free_count++] = slot;
    c->count--;
    c->handshakes -= !p->known;
    address_add(c, p->address_bytes, -1);
    list_remove(&p->waiting);
    free(p->sasl);
    slab_free(&c->peer_slab, p, sizeof *p);
}

/* ---- going ---- */

void clients_tell(struct server *s, const struct peer *p, struct log_gate *gate,
                  enum log_level level, const char *event, const char *reason)
{
    uint64_t held_back;
    if (!log_gate_pass(gate, loop_now_ns(&s->loop), &held_back))
        return;
    char address[LISTEN_ADDRESS_BYTES];
    listen_address_text((const struct sockaddr *)&p->address, address);
    struct log_line l;
    log_begin(&l, level, event);
    log_text(&l, "peer", address);
    log_int(&l, "port", listen_address_port((const struct sockaddr *)&p->address));
    log_text(&l, "reason", reason);
    if (held_back > 0)
        log_int(&l, "not_shown", (int64_t)held_back);
    log_end(&l);
}

void clients_close(struct server *s, struct peer *p, const char *reason)
{
    if (reason[0] != 0)
        clients_tell(s, p, &s->clients.closed_gate, LOG_INFO, "connection_closed", reason);
    conn_close(p->conn);
    peer_remove(s, p);
}

/* We end it, and the node hears of it. The conn lives on until its output is out. */
static void drop(struct server *s, struct peer *p, const char *reason)
{
    uint64_t id = p->id;
    clients_close(s, p, reason);
    server_step(s, &(struct node_event){.type = NODE_CLIENT_CLOSED, .client = id});
    server_carry_out(s);
}

static void tell_no_handshake(struct server *s, const struct peer *p, const char *reason)
{
    metric_inc(node_metrics(s->node), METRIC_UNSUCCESSFUL_HANDSHAKE);
    metric_inc(node_metrics(s->node), METRIC_AUTH_FAILED_COUNT);
    clients_tell(s, p, &s->clients.handshake_gate, LOG_WARN, "tls_handshake_failed", reason);
}

static void on_conn_end(struct conn *c, const char *reason)
{
    struct peer *p = c->owner;
    struct server *s = p->server;
    uint64_t id = p->id;
    /* That clients come and go is no news. */
    if (p->secure && !p->known && conn_tls(c) == NULL)
        tell_no_handshake(s, p, reason);
    metric_inc(node_metrics(s->node), METRIC_CONNECTION_DROP_COUNT);
    peer_remove(s, p);
    server_step(s, &(struct node_event){.type = NODE_CLIENT_CLOSED, .client = id});
    server_carry_out(s);
}

void clients_close_all(struct server *s)
{
    for (uint32_t slot = 0; slot < s->clients.slot_cap; slot++) {
        struct peer *p = s->clients.slots[slot];
        if (p != NULL)
            drop(s, p, "");
    }
}

int64_t clients_deadline_ns(const struct server *s)
{
    const struct clients *c = &s->clients;
    if (list_is_empty(&c->silent))
        return INT64_MAX;
    return list_entry(c->silent.next, struct peer, waiting)->opened_ns + c->silent_ns_max;
}

void clients_expire_silent(struct server *s)
{
    int64_t now = loop_now_ns(&s->loop);
    while (clients_deadline_ns(s) <= now) {
        struct peer *p = list_entry(s->clients.silent.next, struct peer, waiting);
        metric_inc(node_metrics(s->node), METRIC_SESSIONLESS_CONNECTIONS_EXPIRED);
        drop(s, p, "no session was asked for in time");
    }
}

/* ---- four letter words ---- */

/* True when the connection began with one: everything in hand is consumed. */
static bool serve_command(struct server *s, struct peer *p, struct slice bytes, size_t *ret_want)
{
    const uint8_t *four = bytes.ptr;
    size_t argument_bytes = command_argument_bytes(four);
    if (bytes.len < FRAME_HEADER_BYTES + argument_bytes) {
        *ret_want = FRAME_HEADER_BYTES + argument_bytes;
        return false;
    }
    struct buf reply;
    buf_init(&reply, FOUR_LETTER_ANSWER_BYTES_MAX);
    command_run(&s->info, four, slice_of(bytes.ptr + FRAME_HEADER_BYTES, argument_bytes), p->id,
                &reply);
    conn_send(p->conn, reply.ptr, reply.len);
    buf_deinit(&reply);
    drop(s, p, "");
    return true;
}

/* ---- frames ---- */

/* The bucket of connection_throttle_tokens. Short frames are refused elsewhere. */
static bool is_admitted(struct server *s, struct slice connect)
{
    struct throttle *t = &s->clients.throttle;
    struct node_metrics *m = node_metrics(s->node);
    bool renew = connect.len >= CONNECT_SESSION_OFFSET + 8 &&
                 load_be64(connect.ptr + CONNECT_SESSION_OFFSET) != 0;
    bool admitted = throttle_admit(t, renew, loop_now_ns(&s->loop) / NS_PER_MS);
    metric_add_sample(m, METRIC_CONNECTION_TOKEN_DEFICIT, (uint64_t)throttle_deficit(t));
    if (!admitted)
        metric_inc(m, METRIC_CONNECTION_REJECTED);
    return admitted;
}

static bool effects_are_due(const struct effects *fx)
{
    return fx->read_count > 0 || fx->close_count > 0 ||
           effects_send_size(fx) >= EFFECTS_BYTES_MAX || fx->persist_bytes.len >= EFFECTS_BYTES_MAX;
}

static bool take_greeting(struct server *s, struct peer *p, struct slice frame)
{
    if (!is_admitted(s, frame)) {
        drop(s, p, "too many connections per time");
        return false;
    }
    p->greeted = true;
    list_remove(&p->waiting);
    return true;
}

/* Steps the node with each whole frame. `*bytes` moves past what was consumed. */
static void serve_frames(struct server *s, struct conn *c, struct slice *bytes, size_t *ret_want)
{
    size_t hinted = 0;
    while (!conn_is_paused(c)) {
        struct peer *p = c->owner;
        struct slice frame;
        if (hinted == 0)
            hinted = node_look_ahead(s->node, *bytes);
        hinted -= hinted > 0;
        switch (frame_next(bytes, s->clients.frame_bytes_max, &frame)) {
        case FRAME_MORE:
            *ret_want = frame_bytes_wanted(*bytes);
            return;
        case FRAME_BAD:
            server_carry_out(s);
            drop(s, p, "frame length out of range");
            return;
        case FRAME_WHOLE:
            break;
        }
        if (!p->greeted && !take_greeting(s, p, frame))
            return;
        if (s->audit != NULL)
            auditing_request(s, p->id, frame);
        server_step(
            s, &(struct node_event){.type = NODE_CLIENT_FRAME, .client = p->id, .frame = frame});
        if (effects_are_due(&s->fx))
            server_carry_out(s);
        if (storage_is_behind(s) && !conn_is_paused(c)) {
            conn_pause(c, PEER_PAUSE_DISK);
            list_remove(&p->waiting);
            list_append(&s->clients.held_up, &p->waiting);
        }
    }
}

/* It can be told who it is. */
static void introduce(struct server *s, struct peer *p)
{
    char address[LISTEN_ADDRESS_BYTES];
    listen_address_text((const struct sockaddr *)&p->address, address);
    const struct tls_link *tls = conn_tls(p->conn);
    struct buf subject = {0};
    bool shown = tls != NULL && tls_peer_subject(tls, &subject);
    server_step(
        s, &(struct node_event){
               .type = NODE_CLIENT_OPEN,
               .client = p->id,
               .open = {.address = slice_str(address),
                        .secure = tls != NULL,
                        .x509 = shown ? buf_part(&subject, 0, subject.len) : (struct slice){0}},
           });
    buf_deinit(&subject);
    server_carry_out(s);
    p->known = true;
}

/* Over TLS the first bytes say that the handshake is done. */
static void greet_late(struct server *s, struct peer *p)
{
    s->clients.handshakes--;
    introduce(s, p);
}

static size_t on_conn_bytes(struct conn *c, struct slice bytes, size_t *ret_want)
{
    struct peer *p = c->owner;
    struct server *s = p->server;
    if (!p->known)
        greet_late(s, p);
    if (!p->greeted) {
        if (bytes.len < FRAME_HEADER_BYTES) {
            *ret_want = FRAME_HEADER_BYTES;
            return 0;
        }
        if (command_recognise(bytes.ptr))
            return serve_command(s, p, bytes, ret_want) ? bytes.len : 0;
    }
    struct slice rest = bytes;
    serve_frames(s, c, &rest, ret_want);
    server_carry_out(s);
    return bytes.len - rest.len;
}

void clients_resume_held_up(struct server *s)
{
    while (!list_is_empty(&s->clients.held_up)) {
        struct peer *p = list_entry(s->clients.held_up.next, struct peer, waiting);
        list_remove(&p->waiting);
        conn_resume(p->conn, PEER_PAUSE_DISK);
    }
}

/* ---- coming ---- */

static void refuse(struct server *s, const struct sockaddr *address, const char *reason)
{
    metric_inc(node_metrics(s->node), METRIC_CONNECTION_REJECTED);
    uint64_t held_back;
    if (!log_gate_pass(&s->clients.refused_gate, loop_now_ns(&s->loop), &held_back))
        return;
    char text[LISTEN_ADDRESS_BYTES];
    listen_address_text(address, text);
    struct log_line l;
    log_begin(&l, LOG_WARN, "connection_refused");
    log_text(&l, "peer", text);
    log_text(&l, "reason", reason);
    if (held_back > 0)
        log_int(&l, "not_shown", (int64_t)held_back);
    log_end(&l);
}

static const char *why_not(const struct clients *c, const struct sockaddr *address)
{
    uint8_t bytes[16];
    listen_address_bytes(address, bytes);
    if (c->count_max > 0 && c->count >= (size_t)c->count_max)
        return "maxCnxns";
    if (c->per_address_max > 0 && address_count(c, bytes) >= (uintptr_t)c->per_address_max)
        return "maxClientCnxns";
    return c->count > PEER_SLOT_MASK ? "no slot left" : NULL;
}

static bool has_too_many_handshakes(struct server *s)
{
    const struct clients *c = &s->clients;
    if (c->handshakes_max <= 0 || c->handshakes < (size_t)c->handshakes_max)
        return false;
    metric_inc(node_metrics(s->node), METRIC_TLS_HANDSHAKE_EXCEEDED);
    return true;
}

static const struct conn_ops conn_ops = {
    .on_bytes = on_conn_bytes,
    .on_end = on_conn_end,
};

static struct conn *open_conn(struct server *s, int fd, bool tls, bool either)
{
    if (tls || either)
        return conn_open_secure(&s->loop, fd, s->clients.tls, either, &conn_ops, NULL);
    return conn_open(&s->loop, fd, &conn_ops, NULL);
}

/* Before the work of a handshake that would lead to nothing. Clients try again and again while
 * there is no leader, so that nothing is said of it. */
static bool is_in_vain(struct server *s, bool tls)
{
    if (!tls || !s->clients.drops_in_vain || node_serving(s->node))
        return false;
    metric_inc(node_metrics(s->node), METRIC_CNXN_CLOSED_WITHOUT_ZK_SERVER_RUNNING);
    return true;
}

static void take_in(struct server *s, int fd, const struct sockaddr *address, bool tls)
{
    bool either = !tls && s->clients.either;
    const char *reason = why_not(&s->clients, address);
    if (reason == NULL && is_in_vain(s, tls)) {
        close(fd);
        return;
    }
    if (reason == NULL && (tls || either) && has_too_many_handshakes(s))
        reason = "netty.server.outstandingHandshake.limit";
    if (reason != NULL) {
        close(fd);
        refuse(s, address, reason);
        return;
    }
    struct conn *c = open_conn(s, fd, tls, either);
    if (c == NULL)
        return;
    struct peer *p = peer_add(s, address);
    p->conn = c;
    p->secure = tls;
    c->owner = p;
    if (tls || either)
        s->clients.handshakes++;
    else
        introduce(s, p);
}

void clients_take(struct server *s, int fd, const struct sockaddr *address)
{
    take_in(s, fd, address, false);
}

static void on_accept(void *arg, int fd, const struct sockaddr *address)
{
    take_in(arg, fd, address, false);
}

static void on_accept_secure(void *arg, int fd, const struct sockaddr *address)
{
    take_in(arg, fd, address, true);
}

/* Comes and goes many times a second while connections come and go at the limit. */
static void on_accept_trouble(void *arg, int error)
{
    struct server *s = arg;
    struct clients *c = &s->clients;
    struct log_line l;
    uint64_t held_back;
    if (error == 0) {
        if (!c->trouble_told)
            return;
        c->trouble_told = false;
        log_begin(&l, LOG_INFO, "accepting_again");
        log_end(&l);
        return;
    }
    if (!log_gate_pass(&c->trouble_gate, loop_now_ns(&s->loop), &held_back))
        return;
    c->trouble_told = true;
    log_begin(&l, LOG_ERROR, "accept_failed");
    log_text(&l, "reason", strerror(error));
    log_int(&l, "retry_ms", LISTEN_PAUSE_MS);
    log_end(&l);
}

static int listen_at(struct server *s, const char *address, int port, bool tls,
                     struct listener **ret, struct err *err)
{
    const struct config *c = s->config;
    struct listener_options options = {
        .address = address[0] != 0 ? address : NULL,
        .port = port,
        .backlog = (int)config_int(c, CONFIG_LISTEN_BACKLOG),
        .keep_alive = config_flag(c, CONFIG_CLIENT_KEEP_ALIVE),
        .on_accept = tls ? on_accept_secure : on_accept,
        .on_trouble = on_accept_trouble,
        .arg = s,
    };
    int rc = listener_open(&s->loop, &options, ret, err);
    return rc < 0 ? err_wrap(err, rc, "%s", tls ? "secureClientPort" : "clientPort") : 0;
}

static int listen_plain(struct server *s, const char *address, int port, struct err *err)
{
    int rc = listen_at(s, address, port, false, &s->clients.listener, err);
    if (rc < 0)
        return rc;
    snprintf(s->clients.address, sizeof s->clients.address, "%s", address);
    s->clients.port = port;
    return 0;
}

static int listen_secure(struct server *s, struct err *err)
{
    const struct config *c = s->config;
    int rc = certificates_open(s, err);
    if (rc < 0 || !config_given(c, CONFIG_SECURE_CLIENT_PORT))
        return rc;
    return listen_at(s, config_text(c, CONFIG_SECURE_CLIENT_PORT_ADDRESS),
                     (int)config_int(c, CONFIG_SECURE_CLIENT_PORT), true,
                     &s->clients.secure_listener, err);
}

int clients_listen(struct server *s, struct err *err)
{
    const struct config *c = s->config;
    int rc = 0;
    if (config_has_tls(c))
        rc = listen_secure(s, err);
    if (rc == 0 && config_given(c, CONFIG_CLIENT_PORT))
        rc = listen_plain(s, config_text(c, CONFIG_CLIENT_PORT_ADDRESS),
                          (int)config_int(c, CONFIG_CLIENT_PORT), err);
    return rc;
}

int clients_port(const struct listener *l)
{
    return l != NULL ? listener_port(l) : -1;
}

void clients_move(struct server *s, const char *address, int port)
{
    struct clients *c = &s->clients;
    char old_address[sizeof c->address];
    int old_port = c->port;
    if (c->listener == NULL || (port == c->port && strcmp(address, c->address) == 0))
        return;
    memcpy(old_address, c->address, sizeof old_address);
    listener_close(c->listener); /* first: both may mean the same port */
    c->listener = NULL;
    struct err err = {""};
    struct log_line l;
    if (listen_plain(s, address, port, &err) < 0) {
        log_begin(&l, LOG_ERROR, "client_port_not_moved");
        log_text(&l, "reason", err.text);
        log_end(&l);
        if (listen_plain(s, old_address, old_port, &err) < 0)
            server_fail(s, "client_port_lost", err.text);
        return;
    }
    s->info.conf.client_port = listener_port(c->listener);
    log_begin(&l, LOG_INFO, "client_port_moved");
    log_text(&l, "address", address[0] != 0 ? address : "*");
    log_int(&l, "port", s->info.conf.client_port);
    log_end(&l);
}

void clients_init(struct server *s)
{
    struct clients *c = &s->clients;
    list_init(&c->silent);
    list_init(&c->held_up);
    map_init(&c->per_address, options_seed());
    slab_init(&c->peer_slab);
    c->per_address_max = (int32_t)config_int(s->config, CONFIG_MAX_CLIENT_CNXNS);
    c->count_max = (int32_t)config_int(s->config, CONFIG_MAX_CNXNS);
    c->either = config_flag(s->config, CONFIG_PORT_UNIFICATION);
    c->handshakes_max = (int32_t)config_int(s->config, CONFIG_NETTY_HANDSHAKES);
    c->drops_in_vain = config_flag(s->config, CONFIG_NETTY_EARLY_DROP);
    c->silent_ns_max = config_int(s->config, CONFIG_SESSIONLESS_TIMEOUT) * NS_PER_MS;
    c->frame_bytes_max = (size_t)config_int(s->config, CONFIG_JUTE_MAXBUFFER);
    struct throttle_options throttle;
    options_throttle(s->config, &throttle);
    throttle_init(&c->throttle, &throttle, loop_now_ns(&s->loop) / NS_PER_MS, options_seed());
}

void clients_stop_accepting(struct server *s)
{
    listener_close(s->clients.listener);
    listener_close(s->clients.secure_listener);
    s->clients.listener = s->clients.secure_listener = NULL;
}

void clients_deinit(struct server *s)
{
    invariant(s->clients.count == 0);
    tls_context_free(s->clients.tls);
    free(s->clients.slots);
    free(s->clients.free_slots);
    map_deinit(&s->clients.per_address);
    slab_deinit(&s->clients.peer_slab);
}
