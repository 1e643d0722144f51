/* links: client_io client wire base */
/* The client's drivers against a server of this test's own: threads, closing at any moment, your
 * own loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "caucus/caucus.h"
#include "client_toy.h"

enum {
    TRIES_MAX = 5 /* of what a machine that stands still for a moment disturbs */
};

/* ---- A place where callbacks leave what they saw, and tests wait for it ---- */

struct board {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int states[CAUCUS_CLOSED + 1];
    int answers;
    int last_rc;
    int events[8];
    int lasts;
    bool may_go_on;
};

static void board_init(struct board *b)
{
    memset(b, 0, sizeof(*b));
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
}

static void board_deinit(struct board *b)
{
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->changed);
}

static void board_add(struct board *b, int *counter)
{
    pthread_mutex_lock(&b->lock);
    ++*counter;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

static void board_wait(struct board *b, const int *counter, int least)
{
    pthread_mutex_lock(&b->lock);
    while (*counter < least)
        pthread_cond_wait(&b->changed, &b->lock);
    pthread_mutex_unlock(&b->lock);
}

static void on_state(void *context, struct caucus *c, const struct caucus_state_change *change)
{
    (void)c;
    struct board *b = context;
    board_add(b, &b->states[change->state]);
}

static void on_answer(void *context, const struct caucus_result *r)
{
    struct board *b = context;
    pthread_mutex_lock(&b->lock);
    b->last_rc = r->rc;
    pthread_mutex_unlock(&b->lock);
    board_add(b, &b->answers);
}

static void on_event(void *context, const struct caucus_event *e)
{
    struct board *b = context;
    if (e->last)
        board_add(b, &b->lasts);
    board_add(b, &b->events[e->type]);
}

static struct caucus *open_at(const char *hosts, struct board *b, int32_t timeout_ms)
{
    struct caucus_options o = {
        .session_timeout_ms = timeout_ms, .on_state = on_state, .on_state_context = b};
    struct caucus *c = NULL;
    assert_int_equal(caucus_open(hosts, &o, &c), 0);
    return c;
}

/* ---- Threads ---- */

static void requests_are_answered_in_both_ways(void **state)
{
    (void)state;
    struct toy toy = {0};
    struct board b;
    board_init(&b);
    toy_start(&toy);
    struct caucus *c = open_at(toy.hosts, &b, 10000);
    struct caucus_result *r = NULL;
    assert_int_equal(caucus_get_wait(c, "/hello", NULL, NULL, &r), 0);
    assert_string_equal((const char *)r->data, "/hello");
    caucus_result_free(r);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(caucus_get(c, "/x", NULL, NULL, on_answer, &b), 0);
    board_wait(&b, &b.answers, 1000);
    assert_int_equal(caucus_get_state(c), CAUCUS_CONNECTED);
    struct caucus_session session;
    caucus_get_session(c, &session);
    assert_int_equal(session.timeout_ms, 10000);
    assert_true(session.safe_until_ns > caucus_now_ns());
    caucus_close(c);
    assert_int_equal(b.states[CAUCUS_CONNECTED], 1);
    assert_int_equal(b.states[CAUCUS_CLOSED], 1);
    assert_int_equal(atomic_load(&toy.closes), 1);
    toy_stop(&toy);
    board_deinit(&b);
}

static void an_abandoned_session_is_not_ended(void **state)
{
    (void)state;
    struct toy toy = {0};
    struct board b;
    board_init(&b);
    toy_start(&toy);
    struct caucus *c = open_at(toy.hosts, &b, 10000);
    board_wait(&b, &b.states[CAUCUS_CONNECTED], 1);
    struct caucus_session before, after;
    caucus_get_session(c, &before);
    caucus_abandon(c);
    assert_int_equal(atomic_load(&toy.closes), 0);

    struct caucus_options o = {.session_id = before.id};
    memcpy(o.session_password, before.password, sizeof(before.password));
    assert_int_equal(caucus_open(toy.hosts, &o, &c), 0);
    assert_int_equal(caucus_sync_wait(c, "/"),
                     CAUCUS_MARSHALLINGERROR); /* no path in the toy's answer */
    caucus_get_session(c, &after);
    assert_int_equal(after.id, before.id);
    caucus_close(c);
    toy_stop(&toy);
    board_deinit(&b);
}

static void a_dropped_connection_is_made_again(void **state)
{
    (void)state;
    struct toy toy = {0};
    struct board b;
    board_init(&b);
    toy_start(&toy);
    struct caucus *c = open_at(toy.hosts, &b, 10000);
    assert_int_equal(caucus_add_watch_wait(c, "/p", CAUCUS_WATCH_PERSISTENT, on_event, &b), 0);
    assert_int_equal(caucus_get_wait(c, "/drop", NULL, NULL, NULL), CAUCUS_CONNECTIONLOSS);
    assert_int_equal(caucus_get_wait(c, "/x", NULL, NULL, NULL), 0);
    board_wait(&b, &b.states[CAUCUS_RECONNECTED], 1);
    board_wait(&b, &b.events[CAUCUS_WATCH_REARMED], 1);
    assert_int_equal(caucus_set_wait(c, "/p", "", 0, -1, NULL), 0);
    board_wait(&b, &b.events[CAUCUS_NODE_DATA_CHANGED], 1);
    caucus_close(c);
    assert_int_equal(b.events[CAUCUS_WATCH_LOST], 1);
    assert_int_equal(b.lasts, 1);
    toy_stop(&toy);
    board_deinit(&b);
}

static void a_server_that_comes_later_is_found(void **state)
{
    (void)state;
    struct toy toy = {0};
    struct board b;
    board_init(&b);
    toy_start(&toy);
    toy_stop(&toy);
    struct caucus *c = open_at(toy.hosts, &b, 10000);
    assert_int_equal(caucus_get(c, "/x", NULL, NULL, on_answer, &b), 0);
    toy_start(&toy);
    board_wait(&b, &b.answers, 1);
    assert_int_equal(b.last_rc, 0);
    caucus_close(c);
    toy_stop(&toy);
    board_deinit(&b);
}

/* With no server reachable at all. */
static void lost_comes_by_the_local_clock(void **state)
{
    (void)state;
    struct toy toy = {0};
    struct board b;
    board_init(&b);
    toy_start(&toy);
    struct caucus *c = open_at(toy.hosts, &b, 300);
    assert_int_equal(caucus_get_wait(c, "/w", on_event, &b, NULL), 0);
    int64_t began = caucus_now_ns();
    toy_stop(&toy);
    board_wait(&b, &b.states[CAUCUS_SUSPENDED], 1);
    board_wait(&b, &b.states[CAUCUS_LOST], 1);
    assert_in_range(caucus_now_ns() - began, 300 * INT64_C(1000000), INT64_C(20000000000));
    board_wait(&b, &b.events[CAUCUS_WATCH_LOST], 1);
    char trouble[200];
    assert_true(caucus_get_trouble(c, trouble, sizeof(trouble)) > 0);
    assert_non_null(strstr(trouble, "Connection refused"));
    toy_start(&toy);
    board_wait(&b, &b.states[CAUCUS_RECONNECTED], 1);
    struct caucus_session session;
    caucus_get_session(c, &session);
    assert_int_equal(session.generation, 2);
    caucus_close(c);
    toy_stop(&toy);
    board_deinit(&b);
}

static void an_expired_session_is_followed_by_a_new_one(void **state)
{
    (void)state;
    struct toy toy = {0};
    struct board b;
    board_init(&b);
    toy_start(&toy);
    struct caucus *c = open_at(toy.hosts, &b, 10000);
    board_wait(&b, &b.states[CAUCUS_CONNECTED], 1);
    atomic_store(&toy.expires, true);
    assert_int_equal(caucus_get_wait(c, "/drop", NULL, NULL, NULL), CAUCUS_CONNECTIONLOSS);
    board_wait(&b, &b.states[CAUCUS_RECONNECTED], 1);
    assert_int_equal(b.states[CAUCUS_LOST], 1);
    caucus_close(c);
    toy_stop(&toy);
    board_deinit(&b);
}

static void board_go_on(struct board *b)
{
    pthread_mutex_lock(&b->lock);
    b->may_go_on = true;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

/* The callback is held until the server has been pinged three times. */
static void on_answer_slowly(void *context, const struct caucus_result *r)
{
    struct board *b = context;
    pthread_mutex_lock(&b->lock);
    while (!b->may_go_on)
        pthread_cond_wait(&b->changed, &b->lock);
    pthread_mutex_unlock(&b->lock);
    on_answer(context, r);
}

/* False: the connection was lost, as it is when the machine stands still for a ping's time. */
static bool is_delayed_by_nothing(void)
{
    struct toy toy = {0};
    struct board b;
    board_init(&b);
    toy_start(&toy);
    struct caucus *c = open_at(toy.hosts, &b, 300);
    assert_int_equal(caucus_get(c, "/x", NULL, NULL, on_answer_slowly, &b), 0);
    toy_wait(&toy, &toy.pings, 3);
    int rc = caucus_get_wait(c, "/y", NULL, NULL, NULL);
    board_go_on(&b);
    board_wait(&b, &b.answers, 1);
    caucus_close(c);
    toy_stop(&toy);
    bool undisturbed = b.states[CAUCUS_SUSPENDED] == 0;
    board_deinit(&b);
    if (undisturbed)
        assert_int_equal(rc, 0);
    return undisturbed;
}

static void a_slow_callback_delays_no_ping_and_no_blocking_call(void **state)
{
    (void)state;
    int tries = 1;
    while (!is_delayed_by_nothing())
        assert_true(++tries <= TRIES_MAX);
}

static void on_event_slowly(void *context, const struct caucus_event *e)
{
    struct board *b = context;
    pthread_mutex_lock(&b->lock);
    while (!b->may_go_on)
        pthread_cond_wait(&b->changed, &b->lock);
    pthread_mutex_unlock(&b->lock);
    on_event(context, e);
}

/* A bound on memory: what is left out is made up for by one event that says so. */
static void events_do_not_pile_up_behind_a_slow_callback(void **state)
{
    (void)state;
    struct toy toy = {0};
    struct board b;
    board_init(&b);
    toy_start(&toy);
    struct caucus *c = open_at(toy.hosts, &b, 60000);
    assert_int_equal(
        caucus_add_watch_wait(c, "/burst", CAUCUS_WATCH_PERSISTENT, on_event_slowly, &b), 0);
    assert_int_equal(caucus_set_wait(c, "/burst", "", 0, -1, NULL), 0);
    board_go_on(&b);
    board_wait(&b, &b.events[CAUCUS_WATCH_REARMED], 1);
    int before = b.events[CAUCUS_NODE_DATA_CHANGED];
    assert_in_range(before, 50000, TOY_BURST - 1);
    assert_int_equal(caucus_get_wait(c, "/x", NULL, NULL, NULL), 0);
    caucus_close(c);
    assert_int_equal(b.events[CAUCUS_WATCH_REARMED], 1);
    assert_int_equal(b.events[CAUCUS_NODE_DATA_CHANGED], before);
    toy_stop(&toy);
    board_deinit(&b);
}

struct inside {
    struct caucus *c;
    struct board *b;
    int blocking_rc, async_rc;
};

static void on_answer_block(void *context, const struct caucus_result *r)
{
    struct inside *in = context;
    in->blocking_rc = caucus_get_wait(in->c, "/x", NULL, NULL, NULL);
    in->async_rc = caucus_get(in->c, "/x", NULL, NULL, on_answer, in->b);
    on_answer(in->b, r);
}

static void a_blocking_call_in_a_callback_is_refused(void **state)
{
    (void)state;
    struct toy toy = {0};
    struct board b;
    board_init(&b);
    toy_start(&toy);
    struct inside in = {.c = open_at(toy.hosts, &b, 10000), .b = &b};
    assert_int_equal(caucus_get(in.c, "/x", NULL, NULL, on_answer_block, &in), 0);
    board_wait(&b, &b.answers, 2);
    assert_int_equal(in.blocking_rc, CAUCUS_WOULDBLOCK);
    assert_int_equal(in.async_rc, 0);
    caucus_close(in.c);
    toy_stop(&toy);
    board_deinit(&b);
}

static void too_many_requests_are_refused(void **state)
{
    (void)state;
    struct toy toy = {0};
    struct board b;
    board_init(&b);
    toy_start(&toy);
    struct caucus_options o = {.requests_max = 10};
    struct caucus *c = NULL;
    assert_int_equal(caucus_open(toy.hosts, &o, &c), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(caucus_get(c, "/stall", NULL, NULL, on_answer, &b), 0);
    assert_int_equal(caucus_get(c, "/x", NULL, NULL, on_answer, &b), CAUCUS_BUSY);
    assert_int_equal(caucus_get_wait(c, "/x", NULL, NULL, NULL), CAUCUS_BUSY);
    caucus_close(c);
    assert_int_equal(b.answers, 10);
    toy_stop(&toy);
    board_deinit(&b);
}

static void a_refused_identity_ends_everything_but_close(void **state)
{
    (void)state;
    struct toy toy = {0};
    struct board b;
    board_init(&b);
    toy_start(&toy);
    struct caucus *c = open_at(toy.hosts, &b, 10000);
    assert_int_equal(caucus_add_auth_wait(c, "digest", "u:p", 3), 0);
    assert_int_equal(caucus_add_auth_wait(c, "bad", "", 0), CAUCUS_AUTHFAILED);
    board_wait(&b, &b.states[CAUCUS_AUTH_FAILED], 1);
    assert_int_equal(caucus_get_wait(c, "/x", NULL, NULL, NULL), CAUCUS_AUTHFAILED);
    caucus_close(c);
    assert_int_equal(b.states[CAUCUS_CLOSED], 1);
    toy_stop(&toy);
    board_deinit(&b);
}

static void a_quorum_is_found_from_a_read_only_server(void **state)
{
    (void)state;
    struct toy toy = {0};
    struct board b;
    board_init(&b);
    toy_start(&toy);
    atomic_store(&toy.read_only, true);
    struct caucus_options o = {.read_only = true, .on_state = on_state, .on_state_context = &b};
    struct caucus *c = NULL;
    assert_int_equal(caucus_open(toy.hosts, &o, &c), 0);
    board_wait(&b, &b.states[CAUCUS_READ_ONLY], 1);
    atomic_store(&toy.read_only, false);
    board_wait(&b, &b.states[CAUCUS_CONNECTED], 1);
    assert_int_equal(b.states[CAUCUS_SUSPENDED], 1);
    caucus_close(c);
    toy_stop(&toy);
    board_deinit(&b);
}

static void names_are_looked_up_and_bad_ones_reported(void **state)
{
    (void)state;
    struct toy toy = {0};
    struct board b;
    board_init(&b);
    toy_start(&toy);
    char hosts[200];
    snprintf(hosts, sizeof(hosts), "nowhere.invalid:1,localhost:%d", toy.port);
    struct caucus *c = open_at(hosts, &b, 10000);
    board_wait(&b, &b.states[CAUCUS_CONNECTED], 1);
    caucus_close(c);
    toy_stop(&toy);
    board_deinit(&b);

    static const char *const bad[] = {NULL,   "",      ",",     "a:0",       "a:65536",
                                      "a:x",  "a:",    "[::1",  "[::1]2181", "::1:1",
                                      "a,,b", "a:1//", "a:1/b/"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(caucus_open(bad[i], NULL, &c), CAUCUS_BADHOSTS);
}

/* ---- Closing at any moment ---- */

struct closer {
    struct caucus *c;
    struct board *b;
};

static void on_answer_close(void *context, const struct caucus_result *r)
{
    struct closer *cl = context;
    caucus_close(cl->c);
    assert_int_equal(caucus_get(cl->c, "/x", NULL, NULL, on_answer, cl->b), CAUCUS_CLOSING);
    on_answer(cl->b, r);
}

static void on_event_close(void *context, const struct caucus_event *e)
{
    struct closer *cl = context;
    if (e->type == CAUCUS_NODE_DATA_CHANGED)
        caucus_close(cl->c);
    on_event(cl->b, e);
}

static void on_state_close(void *context, struct caucus *c,
                           const struct caucus_state_change *change)
{
    if (change->state == CAUCUS_CONNECTED)
        caucus_close(c);
    on_state(context, c, change);
}

static void a_handle_may_be_closed_in_every_kind_of_callback(void **state)
{
    (void)state;
    struct toy toy = {0};
    toy_start(&toy);
    for (int i = 0; i < 30; i++) {
        struct board b;
        board_init(&b);
        struct closer cl = {NULL, &b};
        struct caucus_options o = {.on_state = i % 3 == 0 ? on_state_close : on_state,
                                   .on_state_context = &b};
        assert_int_equal(caucus_open(toy.hosts, &o, &cl.c), 0);
        if (i % 3 == 1) {
            assert_int_equal(caucus_get(cl.c, "/x", NULL, NULL, on_answer_close, &cl), 0);
        } else if (i % 3 == 2) {
            assert_int_equal(caucus_get(cl.c, "/x", on_event_close, &cl, NULL, NULL), 0);
            assert_int_equal(caucus_set(cl.c, "/x", "", 0, -1, NULL, NULL), 0);
        }
        board_wait(&b, &b.states[CAUCUS_CLOSED], 1);
        board_deinit(&b);
    }
    toy_stop(&toy);
}

static void *block_on(struct closer *cl, const char *path)
{
    int rc = caucus_get_wait(cl->c, path, NULL, NULL, NULL);
    pthread_mutex_lock(&cl->b->lock);
    cl->b->last_rc = rc;
    pthread_mutex_unlock(&cl->b->lock);
    board_add(cl->b, &cl->b->answers);
    return NULL;
}

static void *block_on_stall(void *arg)
{
    return block_on(arg, "/stall");
}

static void *block_on_freeze(void *arg)
{
    return block_on(arg, "/freeze");
}

static void blocked_threads_return_when_the_handle_is_closed(void **state)
{
    (void)state;
    struct toy toy = {0};
    struct board b;
    board_init(&b);
    toy_start(&toy);
    struct closer cl = {open_at(toy.hosts, &b, 1000), &b};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, block_on_stall, &cl);
    toy_wait(&toy, &toy.gets, 4);
    caucus_close(cl.c);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(b.answers, 4);
    assert_int_equal(b.last_rc, CAUCUS_CLOSING);
    toy_stop(&toy);
    board_deinit(&b);
}

/* The thread that waits for the socket itself is told by the clock of another: the server is there,
 * and says nothing. */
static void a_blocked_thread_returns_when_the_server_is_silent(void **state)
{
    (void)state;
    struct toy toy = {0};
    struct board b;
    board_init(&b);
    toy_start(&toy);
    struct closer cl = {open_at(toy.hosts, &b, 300), &b};
    pthread_t thread;
    pthread_create(&thread, NULL, block_on_freeze, &cl);
    pthread_join(thread, NULL);
    assert_int_equal(b.last_rc, CAUCUS_CONNECTIONLOSS);
    assert_int_equal(caucus_get_wait(cl.c, "/x", NULL, NULL, NULL), 0);
    caucus_close(cl.c);
    assert_int_equal(b.states[CAUCUS_SUSPENDED], 1);
    toy_stop(&toy);
    board_deinit(&b);
}

/* Nobody has anything to wait for after a blocking call; what comes by itself is heard all the
 * same: answers and events of what is asked then, and the connection's end long before a ping. */
static void after_a_blocking_call_nothing_is_overheard(void **state)
{
    (void)state;
    struct toy toy = {0};
    struct board b;
    board_init(&b);
    toy_start(&toy);
    struct caucus *c = open_at(toy.hosts, &b, 600000);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(caucus_get_wait(c, "/x", NULL, NULL, NULL), 0);
        assert_int_equal(caucus_get(c, "/x", on_event, &b, on_answer, &b), 0);
        board_wait(&b, &b.answers, 2 * i - 1);
        assert_int_equal(caucus_get_wait(c, "/y", NULL, NULL, NULL), 0);
        assert_int_equal(caucus_set(c, "/x", "", 0, -1, on_answer, &b), 0);
        board_wait(&b, &b.lasts, i);
        board_wait(&b, &b.answers, 2 * i);
    }
    assert_int_equal(caucus_get_wait(c, "/x", NULL, NULL, NULL), 0);
    toy_stop(&toy);
    board_wait(&b, &b.states[CAUCUS_SUSPENDED], 1);
    caucus_close(c);
    board_deinit(&b);
}

/* Opened, asked, closed, with connections breaking off meanwhile: every answer comes, nothing
 * leaks. */
static void closing_meets_every_phase(void **state)
{
    (void)state;
    struct toy toy = {0};
    toy_start(&toy);
    for (int i = 0; i < 200; i++) {
        struct board b;
        board_init(&b);
        struct caucus *c =
            open_at(i % 5 == 4 ? "localhost:1,nowhere.invalid" : toy.hosts, &b, 1000);
        int asked = 0;
        for (int k = 0; k < i % 7; k++)
            asked += caucus_get(c, k == 3 ? "/drop" : "/x", on_event, &b, on_answer, &b) == 0;
        if (i % 2 == 0 && i % 5 != 4)
            board_wait(&b, &b.states[CAUCUS_CONNECTED], 1);
        if (i % 3 == 0)
            caucus_abandon(c);
        else
            caucus_close(c);
        assert_int_equal(b.answers, asked);
        assert_int_equal(b.states[CAUCUS_CLOSED], 1);
        assert_int_equal(b.lasts, b.events[CAUCUS_WATCH_LOST]);
        board_deinit(&b);
    }
    toy_stop(&toy);
}

/* ---- Listeners ---- */

static void listeners_come_and_go(void **state)
{
    (void)state;
    struct toy toy = {0};
    struct board b, late;
    board_init(&b);
    board_init(&late);
    toy_start(&toy);
    struct caucus *c = open_at(toy.hosts, &b, 10000);
    board_wait(&b, &b.states[CAUCUS_CONNECTED], 1);
    assert_int_equal(caucus_add_listener(c, on_state, &late), 0);
    board_wait(&late, &late.states[CAUCUS_CONNECTED], 1);
    assert_int_equal(caucus_remove_listener(c, on_state, &late), 0);
    assert_int_equal(caucus_remove_listener(c, on_state, &late), CAUCUS_BADARGUMENTS);
    assert_int_equal(caucus_get_wait(c, "/drop", NULL, NULL, NULL), CAUCUS_CONNECTIONLOSS);
    board_wait(&b, &b.states[CAUCUS_RECONNECTED], 1);
    caucus_close(c);
    assert_int_equal(late.states[CAUCUS_CONNECTED], 1);
    assert_int_equal(late.states[CAUCUS_SUSPENDED] + late.states[CAUCUS_CLOSED], 0);
    toy_stop(&toy);
    board_deinit(&b);
    board_deinit(&late);
}

/* ---- Your own loop ---- */

static bool loop_once(struct caucus *c)
{
    struct caucus_wants wants;
    caucus_loop_wants(c, &wants);
    struct pollfd fd = {wants.fd, POLLIN, 0};
    poll(&fd, 1, (int)wants.timeout_ms);
    return caucus_loop_run(c);
}

static void a_loop_of_ones_own_runs_everything(void **state)
{
    (void)state;
    struct toy toy = {0};
    struct board b;
    board_init(&b);
    toy_start(&toy);
    struct caucus_options o = {
        .session_timeout_ms = 300, .on_state = on_state, .on_state_context = &b};
    struct caucus *c = NULL;
    assert_int_equal(caucus_open_loop(toy.hosts, &o, &c), 0);
    assert_int_equal(caucus_get(c, "/x", on_event, &b, on_answer, &b), 0);
    while (b.answers < 1)
        assert_true(loop_once(c));
    assert_int_equal(caucus_get_wait(c, "/x", NULL, NULL, NULL), CAUCUS_WOULDBLOCK);
    while (atomic_load(&toy.pings) < 2)
        assert_true(loop_once(c));
    assert_int_equal(caucus_get(c, "/drop", NULL, NULL, on_answer, &b), 0);
    while (b.answers < 2 || b.states[CAUCUS_RECONNECTED] < 1)
        assert_true(loop_once(c));
    toy_wait(&toy, &toy.rearms, 1);
    caucus_close(c);
    assert_int_equal(b.states[CAUCUS_CLOSED], 1);
    assert_int_equal(b.events[CAUCUS_WATCH_LOST], 1);
    toy_stop(&toy);
    board_deinit(&b);
}

static void a_loop_may_be_closed_in_a_callback(void **state)
{
    (void)state;
    struct toy toy = {0};
    toy_start(&toy);
    for (int i = 0; i < 3; i++) {
        struct board b;
        board_init(&b);
        struct closer cl = {NULL, &b};
        struct caucus_options o = {.on_state = i == 0 ? on_state_close : on_state,
                                   .on_state_context = &b};
        assert_int_equal(caucus_open_loop(toy.hosts, &o, &cl.c), 0);
        if (i == 1) {
            assert_int_equal(caucus_get(cl.c, "/x", NULL, NULL, on_answer_close, &cl), 0);
        } else if (i == 2) {
            assert_int_equal(caucus_get(cl.c, "/x", on_event_close, &cl, NULL, NULL), 0);
            assert_int_equal(caucus_set(cl.c, "/x", "", 0, -1, NULL, NULL), 0);
        }
        while (loop_once(cl.c))
            ;
        assert_int_equal(b.states[CAUCUS_CLOSED], 1);
        board_deinit(&b);
    }
    toy_stop(&toy);
}

/* ---- Time ---- */

struct order {
    struct board b;
    struct caucus *c;
    int ran;
    int at[8]; /* the numbers in the order in which they ran */
    bool on_thread;
};

struct turn {
    struct order *order;
    int number;
    int64_t at_ns;
};

static void on_time(void *context)
{
    struct turn *t = context;
    assert_true(caucus_now_ns() >= t->at_ns);
    t->order->on_thread = caucus_is_event_thread(t->order->c);
    t->order->at[t->order->ran] = t->number;
    board_add(&t->order->b, &t->order->ran);
}

static void on_end(void *context)
{
    struct board *b = context;
    assert_int_equal(b->states[CAUCUS_CLOSED], 0);
    board_add(b, &b->answers);
}

/* There is no server, and no session: time goes on all the same. */
static void what_is_asked_for_later_comes_in_the_order_of_time(void **state)
{
    (void)state;
    struct order o = {.ran = 0};
    board_init(&o.b);
    o.c = open_at("127.0.0.1:1", &o.b, 1000);
    int64_t now_ns = caucus_now_ns();
    struct turn turns[] = {{&o, 0, now_ns + 60000000}, {&o, 1, 0}, {&o, 2, now_ns + 30000000}};
    for (int i = 0; i < 3; i++)
        assert_int_equal(caucus_run_at(o.c, turns[i].at_ns, on_time, &turns[i]), 0);
    assert_int_equal(caucus_run_at(o.c, 0, NULL, NULL), CAUCUS_BADARGUMENTS);
    assert_false(caucus_is_event_thread(o.c));
    board_wait(&o.b, &o.ran, 3);
    assert_true(o.at[0] == 1 && o.at[1] == 2 && o.at[2] == 0 && o.on_thread);

    /* What was not due yet comes before CLOSED. */
    assert_int_equal(caucus_run_at(o.c, INT64_MAX, on_end, &o.b), 0);
    caucus_close(o.c);
    assert_int_equal(o.b.answers, 1);
    assert_int_equal(o.b.states[CAUCUS_CLOSED], 1);
    board_deinit(&o.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered_in_both_ways),
        cmocka_unit_test(an_abandoned_session_is_not_ended),
        cmocka_unit_test(a_dropped_connection_is_made_again),
        cmocka_unit_test(a_server_that_comes_later_is_found),
        cmocka_unit_test(lost_comes_by_the_local_clock),
        cmocka_unit_test(an_expired_session_is_followed_by_a_new_one),
        cmocka_unit_test(a_slow_callback_delays_no_ping_and_no_blocking_call),
        cmocka_unit_test(events_do_not_pile_up_behind_a_slow_callback),
        cmocka_unit_test(a_blocking_call_in_a_callback_is_refused),
        cmocka_unit_test(too_many_requests_are_refused),
        cmocka_unit_test(a_refused_identity_ends_everything_but_close),
        cmocka_unit_test(a_quorum_is_found_from_a_read_only_server),
        cmocka_unit_test(names_are_looked_up_and_bad_ones_reported),
        cmocka_unit_test(a_handle_may_be_closed_in_every_kind_of_callback),
        cmocka_unit_test(blocked_threads_return_when_the_handle_is_closed),
        cmocka_unit_test(a_blocked_thread_returns_when_the_server_is_silent),
        cmocka_unit_test(after_a_blocking_call_nothing_is_overheard),
        cmocka_unit_test(closing_meets_every_phase),
        cmocka_unit_test(listeners_come_and_go),
        cmocka_unit_test(what_is_asked_for_later_comes_in_the_order_of_time),
        cmocka_unit_test(a_loop_of_ones_own_runs_everything),
        cmocka_unit_test(a_loop_may_be_closed_in_a_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
