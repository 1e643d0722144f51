/* load.c: requests as fast as the server answers them (a closed loop).
 *
 * Speed: at 64 connections x 16 in flight one wake-up of a connection brings up to 16
 * replies, which cost one recv, one clock reading and one send for the 16 requests that
 * follow. A request is a copy of a prepared frame in which xid and the digits of the
 * path are replaced. What remains per request is about 30 ns of ours and the kernel's
 * share of moving 330 bytes; the null server shows the sum.
 *
 * Keys: /bench/pPPP/NNNNNNNN, key N under parent N % parents; the fixed width is what
 * makes the template possible. */
#include "conn.h"
#include "hist.h"
#include "modes.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum {
    PARENT_AT = 8, /* in "/bench/pPPP/NNNNNNNN" */
    CHILD_AT = 12,
    PATH_BYTES = 20,
    PARENTS_MAX = 1000,
    KEYS_MAX = 100000000,
    FRAME_BYTES_MAX = 128, /* of a request, beside its data */
    DATA_BYTES_MAX = 512 * 1024,
    REQUEST_PATH_AT = LENGTH_BYTES + 8 + LENGTH_BYTES,
    MIXED_WRITE_PERCENT = 10,
    EVENTS_MAX = 1024,
    SETUP_IN_FLIGHT = 256,
    SILENCE_S_MAX = 60,
};

struct request_template {
    uint8_t *frame;
    uint32_t frame_bytes;
    uint32_t reply_bytes; /* of a good answer, without its length */
};

/* What is in flight on one connection; entry xid % in_flight. */
struct slot {
    uint64_t sent_ns;
    const struct request_template *request;
};

struct load {
    struct fleet fleet;
    uint32_t in_flight;
    struct slot *slots; /* in_flight of them per connection */

    enum load_kind kind;
    struct request_template write, read, create;
    uint32_t keys;
    uint32_t parents;
    uint32_t data_bytes;
    bool exists_is_fine; /* set-up may find keys of an earlier run */

    uint64_t random;
    uint64_t issued;
    uint64_t issue_max;
    uint64_t answered;
    bool stopping;

    struct hist hist;
};

/* ---- templates ---- */

static void put_digits(uint8_t *at, uint32_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (uint8_t)('0' + value % 10);
        value /= 10;
    }
}

/* The two halves of a key's name, without a division per digit: `pairs` holds 00..99. */
static void put_child(uint8_t *at, uint32_t key)
{
    static uint8_t pairs[200];
    if (pairs[0] == 0) {
        for (uint32_t i = 0; i < 100; i++)
            put_digits(pairs + 2 * i, i, 2);
    }
    uint32_t high = key / 10000;
    uint32_t low = key % 10000;
    memcpy(at, pairs + 2 * (high / 100), 2);
    memcpy(at + 2, pairs + 2 * (high % 100), 2);
    memcpy(at + 4, pairs + 2 * (low / 100), 2);
    memcpy(at + 6, pairs + 2 * (low % 100), 2);
}

static void path_of_key(const struct load *l, uint32_t key, char path[static PATH_BYTES + 1])
{
    memcpy(path, "/bench/p000/00000000", PATH_BYTES + 1);
    put_digits((uint8_t *)path + PARENT_AT, key % l->parents, 3);
    put_child((uint8_t *)path + CHILD_AT, key);
}

static void template_init(struct load *l, struct request_template *t, int32_t opcode)
{
    char path[PATH_BYTES + 1];
    path_of_key(l, 0, path);
    uint8_t *data = malloc(l->data_bytes + 1);
    t->frame = malloc(FRAME_BYTES_MAX + l->data_bytes);
    if (data == NULL || t->frame == NULL)
        fail("out of memory");
    memset(data, 'x', l->data_bytes);

    uint8_t *at = put_i32(t->frame + LENGTH_BYTES, 0);
    at = put_i32(at, opcode);
    t->reply_bytes = REPLY_HEADER_BYTES;
    if (opcode == OP_SET_DATA) {
        at = put_set_request(at, path, data, l->data_bytes);
        t->reply_bytes += STAT_BYTES;
    } else if (opcode == OP_GET_DATA) {
        at = put_get_request(at, path, false);
        t->reply_bytes += LENGTH_BYTES + l->data_bytes + STAT_BYTES;
    } else {
        at = put_create_request(at, path, data, l->data_bytes);
        t->reply_bytes += LENGTH_BYTES + PATH_BYTES;
    }
    t->frame_bytes = (uint32_t)(at - t->frame);
    put_i32(t->frame, (int32_t)(t->frame_bytes - LENGTH_BYTES));
    free(data);
}

/* ---- the loop ---- */

static inline uint64_t next_random(struct load *l)
{
    uint64_t x = l->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return l->random = x;
}

static inline void issue(struct load *l, struct conn *c, uint64_t now_ns)
{
    const struct request_template *t = &l->create;
    uint32_t key;
    if (l->kind == LOAD_CREATE) {
        key = (uint32_t)l->issued;
    } else {
        uint64_t random = next_random(l);
        key = (uint32_t)(((random >> 32) * l->keys) >> 32);
        t = l->kind == LOAD_WRITE ? &l->write : &l->read;
        if (l->kind == LOAD_MIXED && (random & 0xffff) * 100 < MIXED_WRITE_PERCENT * 0x10000)
            t = &l->write;
    }

    uint8_t *frame = conn_reserve(c, t->frame_bytes);
    memcpy(frame, t->frame, t->frame_bytes);
    put_i32(frame + LENGTH_BYTES, c->xid_next);
    put_digits(frame + REQUEST_PATH_AT + PARENT_AT, key % l->parents, 3);
    put_child(frame + REQUEST_PATH_AT + CHILD_AT, key);
    conn_commit(c, t->frame_bytes);

    struct slot *slots = c->user;
    slots[(uint32_t)c->xid_next % l->in_flight] = (struct slot){now_ns, t};
    c->xid_next++;
    l->issued++;
}

static inline void check_answer(struct load *l, struct conn *c, const uint8_t *frame,
                                uint32_t length, const struct request_template *t)
{
    int32_t err = conn_check_reply(c, frame, length);
    if (err != ZK_OK) {
        if (err == ZK_NODEEXISTS && l->exists_is_fine)
            return;
        fail("connection %u: error %d", c->index, err);
    }
    if (length != t->reply_bytes)
        fail("connection %u: answer of %u bytes instead of %u", c->index, length, t->reply_bytes);
    if (t == &l->create)
        return;
    uint32_t in_stat = (uint32_t)get_i32(frame + t->reply_bytes - STAT_BYTES + STAT_DATA_LENGTH_AT);
    if (in_stat != l->data_bytes)
        fail("connection %u: stat tells of %u bytes of data", c->index, in_stat);
}

static inline void on_readable(struct load *l, struct conn *c)
{
    conn_receive(c);
    uint64_t now_ns = clock_now_ns();

    struct slot *slots = c->user;
    const uint8_t *frame;
    uint32_t length = 0;
    uint32_t cursor = 0;
    uint32_t answers = 0;
    while ((frame = conn_next_frame(c, &cursor, &length)) != NULL) {
        const struct slot *slot = &slots[(uint32_t)c->xid_expected % l->in_flight];
        if (c->xid_expected == c->xid_next)
            fail("connection %u: an answer nobody asked for", c->index);
        check_answer(l, c, frame, length, slot->request);
        hist_add(&l->hist, now_ns - slot->sent_ns);
        answers++;
    }
    conn_consume(c, cursor);
    l->answered += answers;

    for (; answers > 0 && !l->stopping && l->issued < l->issue_max; answers--)
        issue(l, c, now_ns);
    if (c->out_length > 0)
        conn_flush(&l->fleet, c);
}

/* SIGTERM: whoever started this load has seen what it waited for. */
static volatile sig_atomic_t told_to_end;

static void on_sigterm(int signal)
{
    (void)signal;
    told_to_end = 1;
}

static void heed_sigterm(void)
{
    struct sigaction action = {.sa_handler = on_sigterm};
    sigaction(SIGTERM, &action, NULL);
}

static void start_requests(struct load *l)
{
    for (int i = 0; i < l->fleet.count; i++) {
        struct conn *c = &l->fleet.conns[i];
        c->user = l->slots + (size_t)i * l->in_flight;
        for (uint32_t k = 0; k < l->in_flight && l->issued < l->issue_max; k++)
            issue(l, c, clock_now_ns());
        conn_flush(&l->fleet, c);
    }
}

static void serve_until(struct load *l, uint64_t deadline_ns)
{
    static struct epoll_event events[EVENTS_MAX];
    uint64_t heard_ns = clock_now_ns();
    for (;;) {
        int got = conn_fleet_wait(&l->fleet, events, EVENTS_MAX);
        for (int i = 0; i < got; i++)
            on_readable(l, events[i].data.ptr);

        uint64_t now_ns = clock_now_ns();
        if (got > 0)
            heard_ns = now_ns;
        else if (now_ns - heard_ns > SILENCE_S_MAX * 1000000000ull)
            fail("no answer for %d s, %" PRIu64 " requests are waiting", SILENCE_S_MAX,
                 l->issued - l->answered);
        bool done = l->answered == l->issued && (l->stopping || l->issued >= l->issue_max);
        bool over = now_ns >= deadline_ns || (told_to_end && !l->stopping);
        if (over || done)
            return;
    }
}

static void load_open(struct load *l, const struct options *opts, int connections, int in_flight)
{
    uint32_t frame_bytes = FRAME_BYTES_MAX + l->data_bytes;
    struct fleet_options fleet = {
        .servers = opts->servers,
        .server_count = opts->server_count,
        .count = connections,
        .window = opts->window,
        .timeout_ms = opts->session_timeout_ms,
        .in_bytes = frame_bytes * (uint32_t)in_flight + 256,
        .out_bytes = frame_bytes * (uint32_t)in_flight + 256,
    };
    conn_fleet_open(&l->fleet, &fleet);
    l->in_flight = (uint32_t)in_flight;
    l->slots = calloc((size_t)connections * (size_t)in_flight, sizeof l->slots[0]);
    if (l->slots == NULL)
        fail("out of memory");
}

static void load_close(struct load *l)
{
    conn_fleet_close(&l->fleet);
    free(l->slots);
}

/* ---- set-up ---- */

static void create_parents(struct load *l)
{
    struct conn *c = &l->fleet.conns[0];
    for (int i = -1; i < (int)l->parents; i++) {
        char path[32] = "/bench";
        if (i >= 0)
            snprintf(path, sizeof path, "/bench/p%03d", i);
        uint8_t body[128];
        const uint8_t *record;
        uint32_t length;
        uint8_t *end = put_create_request(body, path, "", 0);
        int32_t err =
            conn_call(&l->fleet, c, OP_CREATE, body, (uint32_t)(end - body), &record, &length);
        if (err != ZK_OK && err != ZK_NODEEXISTS)
            fail("create %s: error %d", path, err);
    }
}

/* Keys are created in order, so the last one stands for all. */
static bool last_key_exists(struct load *l)
{
    char path[PATH_BYTES + 1];
    path_of_key(l, l->keys - 1, path);
    uint8_t body[128];
    const uint8_t *record;
    uint32_t length;
    uint8_t *end = put_get_request(body, path, false);
    int32_t err = conn_call(&l->fleet, &l->fleet.conns[0], OP_GET_DATA, body,
                            (uint32_t)(end - body), &record, &length);
    if (err != ZK_OK && err != ZK_NONODE)
        fail("get %s: error %d", path, err);
    return err == ZK_OK && length == LENGTH_BYTES + l->data_bytes + STAT_BYTES;
}

/* A server of an ensemble may be behind the one through which the keys were created. A write that
 * it has answered is applied there; Apache 3.8 now and then leaves a sync without an answer. */
static void catch_up_all(struct load *l)
{
    uint8_t body[64];
    uint8_t *end = put_set_request(body, "/bench", "", 0);
    for (int i = 0; i < l->fleet.count; i++) {
        const uint8_t *record;
        uint32_t length;
        int32_t err = conn_call(&l->fleet, &l->fleet.conns[i], OP_SET_DATA, body,
                                (uint32_t)(end - body), &record, &length);
        if (err != ZK_OK)
            fail("set /bench: error %d", err);
    }
}

static void create_keys(const struct load *like, const struct options *opts)
{
    struct load *l = malloc(sizeof *l);
    if (l == NULL)
        fail("out of memory");
    *l = *like;
    load_open(l, opts, 1, SETUP_IN_FLIGHT);
    create_parents(l);
    if (!last_key_exists(l)) {
        l->kind = LOAD_CREATE;
        l->exists_is_fine = true;
        l->issue_max = l->keys;
        start_requests(l);
        serve_until(l, UINT64_MAX);
    }
    load_close(l);
    free(l);
}

/* ---- the mode ---- */

static void print_result(const struct load *l, const struct options *opts, double seconds,
                         double own_us, double server_us)
{
    static const char *const names[] = {"write", "read", "mixed", "create"};
    double ops = (double)l->hist.count;
    const struct hist *h = &l->hist;
    printf("{\"mode\":\"%s\",\"connections\":%d,\"in_flight\":%d,\"data_bytes\":%u,"
           "\"ops\":%" PRIu64 ",\"seconds\":%.3f,\"ops_per_s\":%.0f,"
           "\"mean_us\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,"
           "\"client_cpu_us_per_op\":%.3f,",
           names[l->kind], opts->connections, opts->in_flight, opts->data_bytes, h->count, seconds,
           ops / seconds, (double)h->sum_ns / ops / 1e3, (double)hist_quantile_ns(h, 0.5) / 1e3,
           (double)hist_quantile_ns(h, 0.99) / 1e3, (double)hist_quantile_ns(h, 0.999) / 1e3,
           (double)h->max_ns / 1e3, own_us / ops);
    if (opts->server_pid_count > 0)
        printf("\"server_cpu_us_per_op\":%.3f,\"server_rss_bytes\":%" PRIu64 "}\n", server_us / ops,
               servers_rss_bytes(opts));
    else
        printf("\"server_cpu_us_per_op\":null,\"server_rss_bytes\":null}\n");
}

void mode_load(const struct options *opts, enum load_kind kind)
{
    if (opts->keys < 1 || opts->keys > KEYS_MAX || opts->parents < 1 ||
        opts->parents > PARENTS_MAX || opts->data_bytes > DATA_BYTES_MAX)
        fail("keys 1..%d, parents 1..%d, data 0..%d bytes", KEYS_MAX, PARENTS_MAX, DATA_BYTES_MAX);

    struct load *l = calloc(1, sizeof *l);
    if (l == NULL)
        fail("out of memory");
    l->kind = kind;
    l->keys = opts->keys;
    l->parents = opts->parents;
    l->data_bytes = opts->data_bytes;
    l->random = 0x9e3779b97f4a7c15u;
    l->issue_max = opts->count > 0 ? opts->count : UINT64_MAX;
    template_init(l, &l->write, OP_SET_DATA);
    template_init(l, &l->read, OP_GET_DATA);
    template_init(l, &l->create, OP_CREATE);

    if (opts->setup && kind != LOAD_CREATE)
        create_keys(l, opts);
    load_open(l, opts, opts->connections, opts->in_flight);
    heed_sigterm();
    if (kind == LOAD_CREATE)
        create_parents(l);
    if (opts->server_count > 1)
        catch_up_all(l);

    uint64_t from_ns = clock_now_ns();
    start_requests(l);
    if (opts->count == 0) {
        serve_until(l, from_ns + (uint64_t)(opts->warmup_s * 1e9));
        hist_reset(&l->hist);
    }

    double own_us = own_cpu_us();
    double server_us = servers_cpu_us(opts);
    from_ns = clock_now_ns();
    serve_until(l, opts->count > 0 ? UINT64_MAX : from_ns + (uint64_t)(opts->seconds * 1e9));
    double seconds = (double)(clock_now_ns() - from_ns) / 1e9;
    own_us = own_cpu_us() - own_us;
    server_us = servers_cpu_us(opts) - server_us;
    if (l->hist.count == 0)
        fail("no answer in %.1f s", seconds);
    print_result(l, opts, seconds, own_us, server_us);

    l->stopping = true;
    if (l->answered < l->issued)
        serve_until(l, UINT64_MAX);
    load_close(l);
    free(l->write.frame);
    free(l->read.frame);
    free(l->create.frame);
    free(l);
}
