/* links: grpc */
/* Claims about calls: both ends on one loop, over a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "grpc_kit.h"

enum {
    MANY = 10000
};

static struct seen one, all[MANY];
static size_t wanted;

static bool one_is_over(struct kit *k)
{
    (void)k;
    return one.call == NULL;
}

static bool all_are_over(struct kit *k)
{
    (void)k;
    for (size_t i = 0; i < MANY; i++)
        if (all[i].call != NULL)
            return false;
    return true;
}

static bool server_has_messages(struct kit *k)
{
    return k->messages >= wanted;
}

static bool server_has_calls(struct kit *k)
{
    return k->calls >= wanted;
}

static bool server_has_ends(struct kit *k)
{
    return k->ends >= wanted;
}

static bool client_has_a_message(struct kit *k)
{
    (void)k;
    return one.messages > 0;
}

static bool is_held(struct kit *k)
{
    return k->held != NULL;
}

static bool channel_has_ended(struct kit *k)
{
    return k->channel_ended;
}

/* ---- One call ---- */

static void a_request_has_its_reply(void **state)
{
    (void)state;
    struct kit *k = kit_pair((struct grpc_server_options){0});
    kit_ask(k, &one, "/kit.T/Echo", "hello");
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_OK);
    assert_int_equal(one.messages, 1);
    assert_int_equal(one.bytes, 5);
    assert_true(one.headers);
    assert_true(k->channel_open);
    assert_int_equal(grpc_server_counts(k->server).calls_total, 1);
    assert_int_equal(grpc_server_counts(k->server).messages_in_total, 1);
    kit_free(k);
}

static void unary_done(void *arg, const struct grpc_status *status, struct slice reply)
{
    struct seen *s = arg;
    s->call = NULL;
    s->code = status->code;
    s->bytes = reply.len;
    s->headers = reply.ptr != NULL;
}

static void a_unary_call_in_one_line(void **state)
{
    (void)state;
    struct kit *k = kit_pair((struct grpc_server_options){0});
    one = (struct seen){.call = (struct grpc_call *)&one};
    grpc_unary(k->channel, "/kit.T/Echo", slice_str("hello"), 5000, unary_done, &one);
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_OK);
    assert_int_equal(one.bytes, 5);

    one = (struct seen){.call = (struct grpc_call *)&one};
    grpc_unary(k->channel, "/kit.T/Nothing", slice_str("hello"), 5000, unary_done, &one);
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_UNIMPLEMENTED);
    assert_false(one.headers);
    kit_free(k);
}

static void one_request_means_one(void **state)
{
    (void)state;
    struct kit *k = kit_pair((struct grpc_server_options){0});
    kit_call(k, &one, "/kit.T/Echo", 0);
    grpc_call_half_close(one.call);
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_UNIMPLEMENTED);

    kit_call(k, &one, "/kit.T/Echo", 0);
    grpc_call_send(one.call, slice_str("a"));
    grpc_call_send(one.call, slice_str("b"));
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_UNIMPLEMENTED);
    assert_int_equal(k->calls, 0);
    kit_free(k);
}

static void what_is_too_long_is_refused(void **state)
{
    (void)state;
    struct kit *k = kit_pair((struct grpc_server_options){.message_bytes_max = 100});
    static char text[102];
    memset(text, 'a', sizeof text - 1);
    kit_ask(k, &one, "/kit.T/Echo", text);
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_RESOURCE_EXHAUSTED);
    kit_ask(k, &one, "/kit.T/Chat", text);
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_RESOURCE_EXHAUSTED);
    kit_ask(k, &one, "/kit.T/Echo", text + 1);
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_OK);
    kit_free(k);
}

static void metadata_have_a_limit(void **state)
{
    (void)state;
    struct kit *k = kit_pair((struct grpc_server_options){0});
    static char value[20000];
    memset(value, 'v', sizeof value - 1);
    const struct grpc_metadata metadata = {slice_str("long"), slice_str(value)};
    one = (struct seen){.kit = k};
    one.call = grpc_call_start(k->channel, &(struct grpc_request){
                                               .path = "/kit.T/Echo",
                                               .metadata = &metadata,
                                               .metadata_count = 1,
                                               .handlers = &kit_client_handlers,
                                               .arg = &one,
                                           });
    grpc_call_send(one.call, slice_str(""));
    grpc_call_half_close(one.call);
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_RESOURCE_EXHAUSTED);
    kit_free(k);
}

/* ---- Time, and the end of patience ---- */

static void a_deadline_ends_both_sides(void **state)
{
    (void)state;
    struct kit *k = kit_pair((struct grpc_server_options){0});
    kit_call(k, &one, "/kit.T/Hold", 50);
    grpc_call_send(one.call, slice_str("x"));
    grpc_call_half_close(one.call);
    kit_run(k, is_held);
    assert_true(grpc_call_left_ms(k->held) <= 50);
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_DEADLINE_EXCEEDED);
    wanted = 1;
    kit_run(k, server_has_ends);
    assert_true(k->end_code == GRPC_DEADLINE_EXCEEDED || k->end_code == GRPC_CANCELLED);
    assert_true(grpc_call_is_over(k->held));
    grpc_call_reply(k->held, slice_str("too late"));
    kit_free(k);
}

static void a_cancelled_call_is_over_at_the_server(void **state)
{
    (void)state;
    struct kit *k = kit_pair((struct grpc_server_options){0});
    kit_call(k, &one, "/kit.T/Chat", 0);
    grpc_call_send(one.call, slice_str("x"));
    kit_run(k, client_has_a_message);
    grpc_call_cancel(one.call);
    assert_non_null(one.call); /* never from inside */
    wanted = 1;
    kit_run(k, server_has_ends);
    assert_int_equal(k->end_code, GRPC_CANCELLED);
    assert_int_equal(one.code, GRPC_CANCELLED);
    assert_false(one.refused);
    kit_free(k);
}

static void a_lost_connection_ends_every_call(void **state)
{
    (void)state;
    struct kit *k = kit_pair((struct grpc_server_options){0});
    kit_ask(k, &one, "/kit.T/Hold", "x");
    kit_run(k, is_held);
    grpc_channel_close(k->channel);
    k->channel = NULL;
    wanted = 1;
    kit_run(k, server_has_ends);
    assert_int_equal(one.code, GRPC_CANCELLED);
    assert_int_equal(k->end_code, GRPC_CANCELLED);
    kit_free(k);
}

static void nobody_there_is_refused(void **state)
{
    (void)state;
    struct kit *k = kit_new();
    kit_connect_to(k, 1);
    kit_ask(k, &one, "/kit.T/Echo", "x");
    kit_run(k, channel_has_ended);
    assert_int_equal(one.code, GRPC_UNAVAILABLE);
    assert_true(one.refused);
    assert_false(k->channel_open);
    kit_free(k);
}

/* ---- Slow ones ---- */

static void a_slow_reader_stops_the_sender(void **state)
{
    (void)state;
    struct kit *k = kit_pair((struct grpc_server_options){0});
    k->chunks_wanted = 20000;
    kit_ask(k, &one, "/kit.T/Pour", "x");
    one.pause = true;
    kit_run(k, client_has_a_message);
    /* Another call is served meanwhile. */
    struct seen slow = one;
    grpc_call_set_context(slow.call, &slow);
    kit_ask(k, &one, "/kit.T/Echo", "y");
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_OK);
    size_t sent = k->chunks_sent;
    assert_true(sent * KIT_CHUNK_BYTES < GRPC_STREAM_WINDOW + 4 * GRPC_ROOM_BYTES);
    assert_int_equal(slow.messages, 1);

    one = slow;
    one.pause = false;
    grpc_call_set_context(one.call, &one);
    grpc_call_resume(one.call);
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_OK);
    assert_int_equal(one.messages, 20000);
    assert_true(k->most_unsent < GRPC_ROOM_BYTES + 2 * KIT_CHUNK_BYTES);
    kit_free(k);
}

static void a_slow_handler_stops_the_client(void **state)
{
    (void)state;
    static const uint8_t chunk[KIT_CHUNK_BYTES];
    struct kit *k = kit_pair((struct grpc_server_options){0});
    kit_call(k, &one, "/kit.T/Paused", 0);
    for (int i = 0; i < 5000; i++)
        grpc_call_send(one.call, slice_of(chunk, sizeof chunk));
    kit_run(k, is_held);
    struct seen streaming = one;
    grpc_call_set_context(streaming.call, &streaming);
    kit_ask(k, &one, "/kit.T/Echo", "y");
    kit_run(k, one_is_over);
    assert_int_equal(k->messages, 0);
    assert_true(grpc_call_unsent(streaming.call) > 3000 * KIT_CHUNK_BYTES);

    grpc_call_resume(k->held);
    grpc_call_half_close(streaming.call);
    one = streaming;
    grpc_call_set_context(one.call, &one);
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_OK);
    assert_int_equal(one.messages, 5000);
    kit_free(k);
}

static void who_never_reads_is_given_up(void **state)
{
    (void)state;
    struct kit *k = kit_pair((struct grpc_server_options){0});
    kit_call(k, &one, "/kit.T/Paused", 0);
    uint8_t *big = mem_calloc(1, 1 << 20);
    for (int i = 0; i < 100 && !grpc_call_is_over(one.call); i++)
        grpc_call_send(one.call, slice_of(big, 1 << 20));
    free(big);
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_RESOURCE_EXHAUSTED);
    kit_free(k);
}

/* ---- Many ---- */

static void ten_thousand_streams_are_open_at_once(void **state)
{
    (void)state;
    struct kit *k = kit_pair((struct grpc_server_options){.streams_max = MANY});
    for (size_t i = 0; i < MANY; i++) {
        kit_call(k, &all[i], "/kit.T/Chat", 60000);
        grpc_call_send(all[i].call, slice_str("x"));
    }
    wanted = MANY;
    kit_run(k, server_has_messages);
    assert_int_equal(grpc_server_counts(k->server).calls, MANY);
    assert_int_equal(k->ends, 0);
    for (size_t i = 0; i < MANY; i++)
        grpc_call_half_close(all[i].call);
    kit_run(k, all_are_over);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(all[i].code, GRPC_OK);
        assert_int_equal(all[i].messages, 1);
    }
    kit_free(k);
}

static void what_is_too_many_waits_at_the_client(void **state)
{
    (void)state;
    struct kit *k = kit_pair((struct grpc_server_options){.streams_max = 10});
    for (size_t i = 0; i < MANY; i++)
        kit_ask(k, &all[i], "/kit.T/Echo", "x");
    kit_run(k, all_are_over);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(all[i].code, GRPC_OK);
    kit_free(k);
}

/* Nothing is lost and nothing done twice: a call is OK and was served, or refused and was not. */
static void a_server_that_goes_under_load_loses_nothing(void **state)
{
    (void)state;
    struct kit *k = kit_pair((struct grpc_server_options){.streams_max = 100});
    for (size_t i = 0; i < MANY; i++)
        kit_ask(k, &all[i], "/kit.T/Echo", "x");
    wanted = MANY / 10;
    kit_run(k, server_has_calls);
    grpc_server_close(k->server, 20000, kit_on_closed, k);
    kit_run(k, kit_is_quiet);
    kit_run(k, channel_has_ended);
    size_t ok = 0, refused = 0;
    for (size_t i = 0; i < MANY; i++) {
        assert_null(all[i].call);
        ok += all[i].code == GRPC_OK;
        refused += all[i].code == GRPC_UNAVAILABLE && all[i].refused;
    }
    assert_int_equal(ok + refused, MANY);
    assert_int_equal(ok, k->calls);
    assert_true(refused > 0);
    assert_true(k->channel_going);
    kit_free(k);
}

static void a_server_that_waits_in_vain_ends_what_is_left(void **state)
{
    (void)state;
    struct kit *k = kit_pair((struct grpc_server_options){0});
    kit_ask(k, &one, "/kit.T/Hold", "x");
    kit_run(k, is_held);
    grpc_server_close(k->server, 20, kit_on_closed, k);
    kit_run(k, kit_is_quiet);
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_UNAVAILABLE);
    assert_int_equal(k->end_code, GRPC_UNAVAILABLE);
    kit_free(k);
}

/* ---- Peers that misbehave ---- */

static int silent_socket(struct kit *k)
{
    const struct sockaddr_in at = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)grpc_server_port(k->server)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static bool nobody_is_connected(struct kit *k)
{
    return k->calls == 0 && grpc_server_counts(k->server).connections == 0;
}

static bool somebody_is_connected(struct kit *k)
{
    return grpc_server_counts(k->server).connections == 1;
}

static void a_peer_that_does_not_answer_is_cut_off(void **state)
{
    (void)state;
    static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    struct kit *k = kit_new();
    kit_serve(k, (struct grpc_server_options){.keepalive_ms = 20});
    int fd = silent_socket(k);
    assert_int_equal(write(fd, hello, sizeof hello), sizeof hello);
    kit_run(k, somebody_is_connected);
    kit_run(k, nobody_is_connected);
    close(fd);
    kit_free(k);
}

static void noise_is_cut_off(void **state)
{
    (void)state;
    struct kit *k = kit_new();
    kit_serve(k, (struct grpc_server_options){0});
    int fd = silent_socket(k);
    assert_int_equal(write(fd, "GET / HTTP/1.1\r\n\r\n0123456789", 28), 28);
    kit_run(k, somebody_is_connected);
    kit_run(k, nobody_is_connected);
    close(fd);
    kit_free(k);
}

static void resets_without_end_are_cut_off(void **state)
{
    (void)state;
    struct kit *k =
        kit_pair((struct grpc_server_options){.resets_burst = 10, .resets_per_second = 1});
    for (int i = 0; i < 100 && !k->channel_ended; i++) {
        size_t before = k->calls;
        kit_ask(k, &all[i], "/kit.T/Hold", "x");
        while (!k->channel_ended && k->calls == before)
            uv_run(&k->loop.uv, UV_RUN_ONCE);
        if (k->held != NULL)
            grpc_call_release(k->held);
        k->held = NULL;
        if (all[i].call != NULL)
            grpc_call_cancel(all[i].call);
    }
    kit_run(k, channel_has_ended);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_has_its_reply),
        cmocka_unit_test(a_unary_call_in_one_line),
        cmocka_unit_test(one_request_means_one),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(metadata_have_a_limit),
        cmocka_unit_test(a_deadline_ends_both_sides),
        cmocka_unit_test(a_cancelled_call_is_over_at_the_server),
        cmocka_unit_test(a_lost_connection_ends_every_call),
        cmocka_unit_test(nobody_there_is_refused),
        cmocka_unit_test(a_slow_reader_stops_the_sender),
        cmocka_unit_test(a_slow_handler_stops_the_client),
        cmocka_unit_test(who_never_reads_is_given_up),
        cmocka_unit_test(ten_thousand_streams_are_open_at_once),
        cmocka_unit_test(what_is_too_many_waits_at_the_client),
        cmocka_unit_test(a_server_that_goes_under_load_loses_nothing),
        cmocka_unit_test(a_server_that_waits_in_vain_ends_what_is_left),
        cmocka_unit_test(a_peer_that_does_not_answer_is_cut_off),
        cmocka_unit_test(noise_is_cut_off),
        cmocka_unit_test(resets_without_end_are_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
