/* links: server */
/* Claims about the ports of an ensemble: several servers' election and quorum links on one loop,
 * and plain sockets that do what a server would not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "io/conn.h"
#include "io/log.h"
#include "server/election_hello.h"
#include "server/election_links.h"
#include "server/quorum_links.h"

enum {
    SERVERS_MAX = 4,
    GUARD_MS = 20000
};

/* ---- a loop that runs until something is true ---- */

struct world {
    struct loop loop;
    uv_timer_t guard;
    bool (*until)(struct world *w);
    bool timed_out;
    struct member {
        struct world *world;
        int64_t sid;
        int port;
        struct election_links *links;
        char heard[32][64]; /* "3: text" */
        size_t heard_count;
        int ups[SERVERS_MAX + 1], downs[SERVERS_MAX + 1];
        bool port_failed;
    } members[SERVERS_MAX + 1];
    int quorum_port;
    struct quorum_links *here, *there; /* two servers' quorum links */
    uint64_t opened_here, opened_there, closed_here, closed_there;
    int rooms;
    struct buf bytes_here, bytes_there;
    bool closes_at_once;
    int socket;
    int hello_timeout_ms; /* of members that are started now */
};

static void on_turn_end(void *arg)
{
    struct world *w = arg;
    if (w->here != NULL)
        quorum_links_flush(w->here);
    if (w->there != NULL)
        quorum_links_flush(w->there);
    if (w->until == NULL || w->until(w))
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

static void run_until(struct world *w, bool (*until)(struct world *w))
{
    w->until = until;
    uv_timer_start(&w->guard, on_guard, GUARD_MS, 0);
    loop_again(&w->loop);
    loop_run(&w->loop);
    uv_timer_stop(&w->guard);
    assert_false(w->timed_out);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    log_set_level(LOG_ERROR);
    loop_init(&w->loop);
    w->loop.on_turn_end = on_turn_end;
    w->loop.on_wake = w->loop.on_deadline = on_nothing;
    w->loop.arg = w;
    w->socket = -1;
    w->hello_timeout_ms = GUARD_MS;
    uv_timer_init(&w->loop.uv, &w->guard);
    w->guard.data = w;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    for (int i = 0; i <= SERVERS_MAX; i++)
        election_links_free(w->members[i].links);
    quorum_links_free(w->here);
    quorum_links_free(w->there);
    buf_deinit(&w->bytes_here);
    buf_deinit(&w->bytes_there);
    if (w->socket >= 0)
        close(w->socket);
    uv_close((uv_handle_t *)&w->guard, NULL);
    loop_deinit(&w->loop);
    free(w);
    return 0;
}

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

/* A blocking connection to one of the ports. */
static int dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void dial_and_say(struct world *w, int port, const void *bytes, size_t len)
{
    if (w->socket >= 0)
        close(w->socket);
    w->socket = dial(port);
    assert_int_equal(send(w->socket, bytes, len, 0), (ssize_t)len);
    assert_int_equal(fcntl(w->socket, F_SETFL, O_NONBLOCK), 0);
}

static bool socket_ended(struct world *w)
{
    char byte;
    ssize_t got = recv(w->socket, &byte, 1, 0);
    if (got < 0 && errno == EAGAIN)
        loop_again(&w->loop);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

/* ---- members ---- */

static void on_channel(void *arg, int64_t sid, bool up)
{
    struct member *m = arg;
    if (sid > SERVERS_MAX)
        return;
    if (up)
        m->ups[sid]++;
    else
        m->downs[sid]++;
}

static void on_message(void *arg, int64_t sid, struct slice payload)
{
    struct member *m = arg;
    if (m->heard_count < 32)
        snprintf(m->heard[m->heard_count++], 64, "%d: %.*s", (int)sid,
                 (int)(payload.len < 50 ? payload.len : 50), (const char *)payload.ptr);
}

static void on_port_failed(void *arg, const char *reason)
{
    (void)reason;
    ((struct member *)arg)->port_failed = true;
}

static struct quorum *config_of(struct world *w, const char *more)
{
    struct buf text = {0};
    for (int i = 1; i <= SERVERS_MAX; i++) {
        if (w->members[i].port != 0)
            buf_printf(&text, "server.%d=127.0.0.1:1:%d\n", i, w->members[i].port);
    }
    buf_printf(&text, "%s", more);
    struct quorum *q;
    struct err err;
    if (quorum_parse(buf_slice(&text), &q, &err) < 0)
        fail_msg("%s", err.text);
    buf_deinit(&text);
    return q;
}

static void start_member(struct world *w, int sid, const char *more)
{
    struct member *m = &w->members[sid];
    m->world = w;
    m->sid = sid;
    struct election_links_options options = {
        .loop = &w->loop,
        .sid = sid,
        .bind_retries = 1,
        .connect_timeout_ms = 5000,
        .hello_timeout_ms = w->hello_timeout_ms,
        .dead_ms = 4000,
        .on_channel = on_channel,
        .on_message = on_message,
        .on_port_failed = on_port_failed,
        .arg = m,
    };
    m->links = election_links_create(&options);
    struct quorum *q = config_of(w, more);
    election_links_set_config(m->links, q, NULL);
    quorum_free(q);
}

static void stop_member(struct world *w, int sid)
{
    election_links_free(w->members[sid].links);
    w->members[sid].links = NULL;
}

static void choose_ports(struct world *w, int count)
{
    for (int i = 1; i <= count; i++)
        w->members[i].port = free_port();
}

static void say(struct world *w, int from, int to, const char *text)
{
    election_links_send(w->members[from].links, to, slice_str(text));
}

static bool heard(const struct member *m, const char *line)
{
    for (size_t i = 0; i < m->heard_count; i++) {
        if (strcmp(m->heard[i], line) == 0)
            return true;
    }
    return false;
}

/* ---- election port ---- */

static bool both_up(struct world *w)
{
    return election_links_up(w->members[1].links, 2) && election_links_up(w->members[2].links, 1);
}

static bool both_heard(struct world *w)
{
    return heard(&w->members[1], "2: two") && heard(&w->members[2], "1: one");
}

static void two_servers_find_each_other_and_one_channel_remains(void **state)
{
    struct world *w = *state;
    choose_ports(w, 2);
    start_member(w, 1, ""); /* the smaller one has to be connected back */
    start_member(w, 2, "");
    run_until(w, both_up);
    say(w, 1, 2, "one");
    say(w, 2, 1, "two");
    run_until(w, both_heard);
    assert_int_equal(w->members[1].ups[2] - w->members[1].downs[2], 1);
    assert_int_equal(w->members[2].ups[1] - w->members[2].downs[1], 1);
}

static bool one_is_told_of_two(struct world *w)
{
    return w->members[1].downs[2] > 0;
}

static void a_server_that_is_not_there_is_told_and_found_when_it_comes(void **state)
{
    struct world *w = *state;
    for (int late = 1; late <= 2; late++) { /* the smaller and the larger one */
        int early = 3 - late;
        memset(w->members, 0, sizeof w->members);
        choose_ports(w, 2);
        start_member(w, early, "");
        if (early == 1)
            run_until(w, one_is_told_of_two);
        start_member(w, late, "");
        run_until(w, both_up);
        stop_member(w, 1);
        stop_member(w, 2);
    }
}

static bool all_up(struct world *w)
{
    for (int a = 1; a <= 3; a++) {
        for (int b = 1; b <= 3; b++) {
            if (a != b && !election_links_up(w->members[a].links, b))
                return false;
        }
    }
    return true;
}

static bool two_is_down(struct world *w)
{
    return !election_links_up(w->members[1].links, 2) && !election_links_up(w->members[3].links, 2);
}

static bool two_hears_all(struct world *w)
{
    return heard(&w->members[2], "1: hello") && heard(&w->members[2], "3: hello");
}

static void a_server_that_goes_is_noticed_and_comes_back(void **state)
{
    struct world *w = *state;
    choose_ports(w, 3);
    for (int i = 1; i <= 3; i++)
        start_member(w, i, "");
    run_until(w, all_up);
    stop_member(w, 2);
    run_until(w, two_is_down);
    say(w, 1, 2, "lost"); /* nobody hears it, then or later */
    start_member(w, 2, "");
    run_until(w, all_up);
    say(w, 1, 2, "hello");
    say(w, 3, 2, "hello");
    run_until(w, two_hears_all);
    assert_false(heard(&w->members[2], "1: lost"));
}

static bool three_hears_one(struct world *w)
{
    if (election_links_up(w->members[1].links, 3) && w->members[3].heard_count == 0)
        say(w, 1, 3, "here");
    return heard(&w->members[3], "1: here");
}

static void a_name_that_cannot_be_resolved_holds_nobody_up(void **state)
{
    struct world *w = *state;
    choose_ports(w, 3);
    int port = w->members[2].port;
    w->members[2].port = 0;
    char more[128];
    snprintf(more, sizeof more, "server.2=no-such-host.invalid:1:%d\n", port);
    start_member(w, 1, more);
    start_member(w, 3, more);
    run_until(w, three_hears_one);
}

static bool four_is_heard(struct world *w)
{
    return heard(&w->members[1], "4: joining");
}

static void a_server_of_no_configuration_is_heard_too(void **state)
{
    struct world *w = *state;
    choose_ports(w, 1);
    start_member(w, 1, "");
    struct buf bytes = {0};
    struct connect_target at = {"127.0.0.1", 9};
    election_hello_format(4, &at, 1, false, &bytes);
    buf_put_i32(&bytes, 7);
    buf_put(&bytes, "joining", 7);
    dial_and_say(w, w->members[1].port, bytes.ptr, bytes.len);
    buf_deinit(&bytes);
    run_until(w, four_is_heard);
}

static void who_says_nothing_or_nonsense_is_cut_off(void **state)
{
    struct world *w = *state;
    choose_ports(w, 2);
    w->hello_timeout_ms = 100;
    start_member(w, 2, "");
    int port = w->members[2].port;
    dial_and_say(w, port, "", 0);
    run_until(w, socket_ended);
    dial_and_say(w, port, "\xff\xff\xff\xff\x00\x00\x00\x00xxxxxxxxxxxx", 20);
    run_until(w, socket_ended);
    dial_and_say(w, port, "GET / HTTP/1.1\r\n\r\n", 18); /* a sid, of sorts */
    run_until(w, socket_ended);

    struct buf bytes = {0};
    struct connect_target at = {"127.0.0.1", 9};
    election_hello_format(2, &at, 1, false, &bytes); /* our own number */
    dial_and_say(w, port, bytes.ptr, bytes.len);
    run_until(w, socket_ended);
    static const int32_t lengths[] = {0, -1, ELECTION_MESSAGE_BYTES_MAX + 1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        buf_clear(&bytes);
        election_hello_format(3, &at, 1, false, &bytes);
        buf_put_i32(&bytes, lengths[i]);
        dial_and_say(w, port, bytes.ptr, bytes.len);
        run_until(w, socket_ended);
    }
    buf_deinit(&bytes);
    assert_int_equal(w->members[2].heard_count, 0);
}

static bool three_is_up(struct world *w)
{
    return w->members[2].ups[3] > 0;
}

static void a_greeting_in_pieces_and_a_bare_number_are_understood(void **state)
{
    struct world *w = *state;
    choose_ports(w, 2);
    start_member(w, 2, "");
    uint8_t bare[8] = {0, 0, 0, 0, 0, 0, 0, 3};
    dial_and_say(w, w->members[2].port, bare, 5);
    run_until(w, NULL);
    assert_int_equal(send(w->socket, bare + 5, 3, 0), 3);
    run_until(w, three_is_up);
}

static void many_silent_strangers_do_not_keep_a_server_out(void **state)
{
    struct world *w = *state;
    int strangers[ELECTION_STRANGERS_MAX + 20];
    choose_ports(w, 1);
    start_member(w, 1, "");
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        strangers[i] = dial(w->members[1].port);
    struct buf bytes = {0};
    struct connect_target at = {"127.0.0.1", 9};
    election_hello_format(4, &at, 1, true, &bytes);
    buf_put_i32(&bytes, 7);
    buf_put(&bytes, "joining", 7);
    dial_and_say(w, w->members[1].port, bytes.ptr, bytes.len);
    buf_deinit(&bytes);
    run_until(w, four_is_heard);
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        close(strangers[i]);
}

static bool port_failed(struct world *w)
{
    return w->members[1].port_failed;
}

static void a_port_that_is_taken_is_told(void **state)
{
    struct world *w = *state;
    choose_ports(w, 1);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)w->members[1].port)};
    w->socket = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(w->socket, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(w->socket, 1), 0);
    start_member(w, 1, "");
    run_until(w, port_failed);
}

/* ---- the greeting ---- */

static void greetings_are_read_as_they_are_written(void **state)
{
    (void)state;
    struct connect_target at[] = {{"10.0.0.1", 3888}, {"fe80:0:0:0:0:0:0:1", 3889}, {"0.0.0.0", 1}};
    struct buf bytes = {0};
    struct election_hello h;
    size_t used, want;
    election_hello_format(7, at, 3, true, &bytes);
    assert_int_equal(load_be64(bytes.ptr), (uint64_t)-65535);
    for (size_t len = 0; len < bytes.len; len++) {
        assert_int_equal(election_hello_parse(slice_of(bytes.ptr, len), &h, &used, &want),
                         ELECTION_HELLO_MORE);
        assert_true(want > len && want <= bytes.len);
    }
    assert_int_equal(election_hello_parse(buf_slice(&bytes), &h, &used, &want),
                     ELECTION_HELLO_WHOLE);
    assert_int_equal(used, bytes.len);
    assert_int_equal(h.sid, 7);
    assert_int_equal(h.target_count, 2); /* the wildcard leads nowhere */
    assert_string_equal(h.targets[1].host, "fe80:0:0:0:0:0:0:1");
    assert_int_equal(h.targets[1].port, 3889);

    buf_clear(&bytes);
    election_hello_format(7, at, 3, false, &bytes);
    static const uint8_t golden[] = "\xff\xff\xff\xff\xff\xff\x00\x00"
                                    "\x00\x00\x00\x00\x00\x00\x00\x07"
                                    "\x00\x00\x00\x0d"
                                    "10.0.0.1:3888";
    assert_int_equal(bytes.len, sizeof golden - 1);
    assert_memory_equal(bytes.ptr, golden, bytes.len);
    buf_deinit(&bytes);
}

static void addresses_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",        "host",       ":1",       "host:",    "host:x",
                                        "host:-1", "host:70000", "[fe80::1", "[::1]1",   "a:1|b",
                                        "a:1|",    "|",          "[]:1",     "[[::1]:1", "a[:1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buf bytes = {0};
        struct election_hello h;
        size_t used, want;
        buf_put_i64(&bytes, -65536);
        buf_put_i64(&bytes, 1);
        buf_put_i32(&bytes, (int32_t)strlen(texts[i]));
        buf_put(&bytes, texts[i], strlen(texts[i]));
        if (election_hello_parse(buf_slice(&bytes), &h, &used, &want) != ELECTION_HELLO_BAD)
            fail_msg("'%s' was accepted", texts[i]);
        buf_deinit(&bytes);
    }
}

/* ---- quorum port ---- */

static void here_opened(void *arg, uint64_t link, enum quorum_link_side side)
{
    struct world *w = arg;
    assert_int_equal(side, QUORUM_LINK_OURS);
    w->opened_here = link;
}

static void here_bytes(void *arg, uint64_t link, struct slice bytes)
{
    struct world *w = arg;
    assert_true(link == w->opened_here);
    buf_put_slice(&w->bytes_here, bytes);
}

static void here_closed(void *arg, uint64_t link)
{
    ((struct world *)arg)->closed_here = link;
}

static void there_opened(void *arg, uint64_t link, enum quorum_link_side side)
{
    struct world *w = arg;
    assert_int_equal(side, QUORUM_LINK_LEARNER);
    w->opened_there = link;
    if (w->closes_at_once)
        quorum_links_close(w->there, link);
}

static void there_bytes(void *arg, uint64_t link, struct slice bytes)
{
    struct world *w = arg;
    buf_put_slice(&w->bytes_there, bytes);
    if (bytes.len < 100)
        quorum_links_send(w->there, link, bytes); /* an echo */
}

static void there_closed(void *arg, uint64_t link)
{
    ((struct world *)arg)->closed_there = link;
}

static void on_room(void *arg, uint64_t link)
{
    (void)link;
    ((struct world *)arg)->rooms++;
}

static void link_failed(void *arg, const char *reason)
{
    (void)arg;
    fail_msg("%s", reason);
}

static void start_links(struct world *w)
{
    w->quorum_port = free_port();
    struct quorum_links_options options = {.loop = &w->loop,
                                           .bind_retries = 1,
                                           .connect_timeout_ms = 2000,
                                           .dead_ms = 4000,
                                           .on_open = here_opened,
                                           .on_bytes = here_bytes,
                                           .on_closed = here_closed,
                                           .on_room = on_room,
                                           .on_port_failed = link_failed,
                                           .arg = w};
    w->here = quorum_links_create(&options);
    options.on_open = there_opened;
    options.on_bytes = there_bytes;
    options.on_closed = there_closed;
    w->there = quorum_links_create(&options);
    struct connect_target at = {"127.0.0.1", w->quorum_port};
    quorum_links_listen(w->there, &at, 1);
}

static void connect_here(struct world *w, uint64_t link)
{
    struct connect_target at = {"127.0.0.1", w->quorum_port};
    quorum_links_connect(w->here, link, &at, 1);
}

static bool both_open(struct world *w)
{
    return w->opened_here != 0 && w->opened_there != 0;
}

static bool echo_came(struct world *w)
{
    return w->bytes_here.len == 6;
}

static bool closed_there(struct world *w)
{
    return w->closed_there != 0;
}

static bool closed_here(struct world *w)
{
    return w->closed_here != 0;
}

#define OURS (UINT64_C(1) << 63)

static void bytes_go_both_ways_and_what_was_sent_arrives_before_the_end(void **state)
{
    struct world *w = *state;
    start_links(w);
    connect_here(w, OURS | 5);
    run_until(w, both_open);
    assert_true(w->opened_here == (OURS | 5));
    assert_int_equal(w->opened_there, 1);
    quorum_links_send(w->here, OURS | 5, slice_str("abc"));
    quorum_links_send(w->here, OURS | 5, slice_str("def"));
    run_until(w, echo_came);
    quorum_links_send(w->here, OURS | 5, slice_str("last"));
    quorum_links_close(w->here, OURS | 5);
    run_until(w, closed_there);
    assert_int_equal(w->bytes_there.len, 10);
    assert_int_equal(w->closed_here, 0); /* who closes is not told */
    assert_int_equal(quorum_links_count(w->here), 0);
    quorum_links_send(w->here, OURS | 5, slice_str("nobody")); /* passed over */
}

static void a_link_that_cannot_be_made_is_closed(void **state)
{
    struct world *w = *state;
    start_links(w);
    struct connect_target nobody = {"127.0.0.1", free_port()};
    quorum_links_connect(w->here, OURS | 1, &nobody, 1);
    run_until(w, closed_here);
    w->closed_here = 0;
    quorum_links_connect(w->here, OURS | 2, NULL, 0);
    run_until(w, closed_here);
    w->closed_here = 0;
    w->closes_at_once = true;
    connect_here(w, OURS | 3);
    run_until(w, closed_here);
    assert_true(w->closed_here == (OURS | 3));
}

static bool all_arrived(struct world *w)
{
    return w->bytes_there.len == 40 << 20;
}

static bool had_room(struct world *w)
{
    return w->rooms > 0;
}

static void much_waits_and_room_is_told(void **state)
{
    struct world *w = *state;
    start_links(w);
    connect_here(w, OURS | 1);
    run_until(w, both_open);
    quorum_links_want_room(w->here, OURS | 1);
    run_until(w, had_room); /* nothing waits */
    char *chunk = calloc(1, 1 << 20);
    for (int i = 0; i < 40; i++)
        quorum_links_send(w->here, OURS | 1, slice_of(chunk, 1 << 20));
    free(chunk);
    w->rooms = 0;
    quorum_links_want_room(w->here, OURS | 1);
    run_until(w, had_room);
    assert_true(w->bytes_there.len > 30 << 20);
    run_until(w, all_arrived);
    assert_int_equal(w->rooms, 1);
}

static void the_second_address_of_a_server_is_tried(void **state)
{
    struct world *w = *state;
    start_links(w);
    struct connect_target at[] = {
        {"no-such-host.invalid", 1}, {"127.0.0.1", free_port()}, {"127.0.0.1", w->quorum_port}};
    quorum_links_connect(w->here, OURS | 1, at, 3);
    run_until(w, both_open);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(two_servers_find_each_other_and_one_channel_remains),
        TEST(a_server_that_is_not_there_is_told_and_found_when_it_comes),
        TEST(a_server_that_goes_is_noticed_and_comes_back),
        TEST(a_name_that_cannot_be_resolved_holds_nobody_up),
        TEST(a_server_of_no_configuration_is_heard_too),
        TEST(who_says_nothing_or_nonsense_is_cut_off),
        TEST(a_greeting_in_pieces_and_a_bare_number_are_understood),
        TEST(many_silent_strangers_do_not_keep_a_server_out),
        TEST(a_port_that_is_taken_is_told),
        cmocka_unit_test(greetings_are_read_as_they_are_written),
        cmocka_unit_test(addresses_that_are_none_are_refused),
        TEST(bytes_go_both_ways_and_what_was_sent_arrives_before_the_end),
        TEST(a_link_that_cannot_be_made_is_closed),
        TEST(much_waits_and_room_is_told),
        TEST(the_second_address_of_a_server_is_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
