/* links: server */
/* Claims about the election port of a server that its peers do not want: it still says where it is,
 * and does not knock without end. The peer is a plain socket that closes whatever comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "io/log.h"
#include "server/election_hello.h"
#include "server/election_links.h"

enum {
    GUARD_MS = 20000,
    VISITS = 6
};

struct world {
    struct loop loop;
    uv_timer_t guard;
    uv_poll_t poll;
    bool timed_out;
    int listening, port, own_port;
    struct election_links *links;
    int visits;
    int64_t first_ns, last_ns;
    struct election_hello hello; /* of the last visit */
};

static void on_turn_end(void *arg)
{
    struct world *w = arg;
    if (w->visits >= VISITS)
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

struct visitor {
    uv_poll_t poll;
    struct world *world;
    int fd;
};

static void on_sent_away(uv_handle_t *handle)
{
    struct visitor *v = handle->data;
    close(v->fd);
    free(v);
}

static void on_greeting(uv_poll_t *poll, int status, int events)
{
    struct visitor *v = poll->data;
    struct world *w = v->world;
    (void)status;
    (void)events;
    uint8_t bytes[256];
    ssize_t got = recv(v->fd, bytes, sizeof bytes, 0);
    assert_true(got > 0);
    size_t used, want;
    assert_int_equal(election_hello_parse(slice_of(bytes, (size_t)got), &w->hello, &used, &want),
                     ELECTION_HELLO_WHOLE);
    uv_close((uv_handle_t *)poll, on_sent_away);
    w->last_ns = (int64_t)uv_hrtime();
    if (w->visits++ == 0)
        w->first_ns = w->last_ns;
}

static void on_visit(uv_poll_t *poll, int status, int events)
{
    struct world *w = poll->data;
    (void)status;
    (void)events;
    struct visitor *v = calloc(1, sizeof *v);
    v->world = w;
    v->fd = accept(w->listening, NULL, NULL);
    assert_true(v->fd >= 0);
    uv_poll_init(&w->loop.uv, &v->poll, v->fd);
    v->poll.data = v;
    uv_poll_start(&v->poll, UV_READABLE, on_greeting);
}

static int listen_somewhere(int *ret_port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

static void on_channel(void *arg, int64_t sid, bool up)
{
    (void)arg;
    (void)sid;
    (void)up;
}

static void on_message(void *arg, int64_t sid, struct slice payload)
{
    (void)arg;
    (void)sid;
    (void)payload;
}

static void on_port_failed(void *arg, const char *reason)
{
    (void)arg;
    fail_msg("%s", reason);
}

static struct quorum *config(const char *text)
{
    struct quorum *q;
    struct err err;
    if (quorum_parse(slice_str(text), &q, &err) < 0)
        fail_msg("%s", err.text);
    return q;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    log_set_level(LOG_ERROR);
    loop_init(&w->loop);
    w->loop.on_turn_end = on_turn_end;
    w->loop.on_wake = w->loop.on_deadline = on_nothing;
    w->loop.arg = w;
    uv_timer_init(&w->loop.uv, &w->guard);
    w->guard.data = w;
    w->listening = listen_somewhere(&w->port);
    close(listen_somewhere(&w->own_port));
    uv_poll_init(&w->loop.uv, &w->poll, w->listening);
    w->poll.data = w;
    uv_poll_start(&w->poll, UV_READABLE, on_visit);
    struct election_links_options options = {
        .loop = &w->loop,
        .sid = 2,
        .bind_retries = 1,
        .connect_timeout_ms = 5000,
        .hello_timeout_ms = 100,
        .dead_ms = 4000,
        .on_channel = on_channel,
        .on_message = on_message,
        .on_port_failed = on_port_failed,
        .arg = w,
    };
    w->links = election_links_create(&options);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    election_links_free(w->links);
    uv_close((uv_handle_t *)&w->guard, NULL);
    uv_close((uv_handle_t *)&w->poll, NULL);
    loop_deinit(&w->loop);
    close(w->listening);
    free(w);
    return 0;
}

static void run(struct world *w)
{
    uv_timer_start(&w->guard, on_guard, GUARD_MS, 0);
    loop_run(&w->loop);
    uv_timer_stop(&w->guard);
    assert_false(w->timed_out);
}

static void a_server_that_is_left_out_says_where_it_was(void **state)
{
    struct world *w = *state;
    char with[128], without[128];
    snprintf(with, sizeof with, "server.1=127.0.0.1:1:%d\nserver.2=127.0.0.1:1:%d\n", w->port,
             w->own_port);
    snprintf(without, sizeof without, "server.1=127.0.0.1:1:%d\n", w->port);
    struct quorum *before = config(with), *after = config(without);
    election_links_set_config(w->links, before, NULL);
    election_links_set_config(w->links, after, after);
    quorum_free(before);
    quorum_free(after);
    run(w);
    assert_int_equal(w->hello.sid, 2);
    assert_int_equal(w->hello.target_count, 1);
    assert_string_equal(w->hello.targets[0].host, "127.0.0.1");
    assert_int_equal(w->hello.targets[0].port, w->own_port);
}

static void who_is_sent_away_each_time_comes_less_and_less_often(void **state)
{
    struct world *w = *state;
    char text[128];
    snprintf(text, sizeof text, "server.1=127.0.0.1:1:%d\nserver.2=127.0.0.1:1:%d\n", w->port,
             w->own_port);
    struct quorum *q = config(text);
    election_links_set_config(w->links, q, NULL);
    quorum_free(q);
    run(w);
    /* 20, 40, 80, 160 and 320 ms lie between six visits, at least. */
    assert_true(w->last_ns - w->first_ns >= INT64_C(600) * 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_server_that_is_left_out_says_where_it_was, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_is_sent_away_each_time_comes_less_and_less_often, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
