/* links: testlib io base */
/* Claims about messages to very many connections by several threads: each gets its own, whole and
 * once, in the order of the calls; who is full gets it later; who has gone ends, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/conn.h"
#include "io/fan.h"

enum {
    CONNS = 1500,
    CALLS = 20,
    MESSAGE_BYTES = 32,
    FILLED = 500, /* this one takes nothing any more */
    GONE = 1000,  /* this one's peer has closed */
    GUARD_MS = 20000,
};

struct world {
    struct loop loop;
    uv_timer_t guard;
    struct conn *conns[CONNS];
    int peers[CONNS];
    size_t filled_bytes, drained_bytes;
    int ended;
    bool timed_out;
};

static struct world *world_of(struct conn *c)
{
    return c->owner;
}

static size_t on_bytes(struct conn *c, struct slice bytes, size_t *ret_want)
{
    (void)c;
    (void)ret_want;
    return bytes.len;
}

static void on_end(struct conn *c, const char *reason)
{
    struct world *w = world_of(c);
    assert_ptr_equal(c, w->conns[GONE]);
    assert_string_equal(reason, "peer went away");
    w->ended++;
}

static const struct conn_ops ops = {.on_bytes = on_bytes, .on_end = on_end};

static void message(char *ret, int call, int conn)
{
    memset(ret, 0, MESSAGE_BYTES);
    snprintf(ret, MESSAGE_BYTES, "call %6d conn %6d", call, conn);
}

static void fill(struct world *w)
{
    char bytes[4096] = {0};
    ssize_t sent;
    while ((sent = send(w->conns[FILLED]->tcp.fd, bytes, sizeof bytes, MSG_NOSIGNAL)) > 0)
        w->filled_bytes += (size_t)sent;
}

/* The filled connection is empty when what filled it and what waited has been read. */
static void on_turn_end(void *arg)
{
    struct world *w = arg;
    char bytes[65536];
    ssize_t got;
    while ((got = recv(w->peers[FILLED], bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        w->drained_bytes += (size_t)got;
    if (w->drained_bytes == w->filled_bytes + (size_t)CALLS * MESSAGE_BYTES && w->ended == 1)
        loop_stop(&w->loop);
}

static void on_nothing(void *arg)
{
    (void)arg;
}

static void on_guard(uv_timer_t *timer)
{
    struct world *w = timer->data;
    w->timed_out = true;
    loop_stop(&w->loop);
}

static void allow_many_files(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void open_all(struct world *w)
{
    allow_many_files();
    loop_init(&w->loop);
    w->loop.arg = w;
    w->loop.on_turn_end = on_turn_end;
    w->loop.on_wake = w->loop.on_deadline = on_nothing;
    uv_timer_init(&w->loop.uv, &w->guard);
    w->guard.data = w;
    for (int i = 0; i < CONNS; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        w->conns[i] = conn_open(&w->loop, pair[0], &ops, w);
        assert_non_null(w->conns[i]);
        w->peers[i] = pair[1];
    }
}

struct sends {
    struct world *w;
    char messages[CONNS][MESSAGE_BYTES];
    ssize_t tried[CONNS];
};

static void send_one(void *arg, size_t i)
{
    struct sends *s = arg;
    s->tried[i] = conn_try_send(s->w->conns[i], s->messages[i], MESSAGE_BYTES);
}

static void call_all(struct world *w, struct fan *fan, int call)
{
    static struct sends s;
    s.w = w;
    for (int i = 0; i < CONNS; i++) {
        message(s.messages[i], call, i);
        s.tried[i] = -99;
    }
    fan_out(fan, CONNS, send_one, &s);
    for (int i = 0; i < CONNS; i++) {
        /* The first call finds that one is full and one is broken; then they are not tried. */
        ssize_t first = i == FILLED ? LAYER_AGAIN : i == GONE ? LAYER_BROKEN : MESSAGE_BYTES;
        assert_int_equal(s.tried[i], call > 0 && first < 0 ? CONN_NOT_TRIED : first);
        conn_sent(w->conns[i], s.messages[i], MESSAGE_BYTES, s.tried[i]);
    }
}

static void each_gets_its_own(struct world *w)
{
    for (int i = 0; i < CONNS; i++) {
        if (i == FILLED || i == GONE)
            continue;
        char got[CALLS * MESSAGE_BYTES + 1], want[MESSAGE_BYTES];
        assert_int_equal(recv(w->peers[i], got, sizeof got, 0), CALLS * MESSAGE_BYTES);
        for (int call = 0; call < CALLS; call++) {
            message(want, call, i);
            assert_memory_equal(got + (size_t)call * MESSAGE_BYTES, want, MESSAGE_BYTES);
        }
    }
}

static void test_each_gets_its_own_in_order(void **state)
{
    (void)state;
    struct world *w = mem_calloc(1, sizeof *w);
    open_all(w);
    fill(w);
    close(w->peers[GONE]);
    struct fan *fan = fan_create();
    for (int call = 0; call < CALLS; call++)
        call_all(w, fan, call);
    fan_destroy(fan);
    each_gets_its_own(w);

    uv_timer_start(&w->guard, on_guard, GUARD_MS, 0);
    loop_run(&w->loop);
    assert_false(w->timed_out);
    assert_int_equal(w->ended, 1);

    uv_close((uv_handle_t *)&w->guard, NULL);
    loop_deinit(&w->loop);
    for (int i = 0; i < CONNS; i++) {
        if (i != GONE)
            close(w->peers[i]);
    }
    free(w);
}

static void test_a_fan_that_was_never_used_ends(void **state)
{
    (void)state;
    fan_destroy(fan_create());
    fan_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_gets_its_own_in_order),
        cmocka_unit_test(test_a_fan_that_was_never_used_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
