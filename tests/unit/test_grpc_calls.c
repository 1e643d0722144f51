/* links: grpc */
/* Claims about calls: both ends on one loop, over a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>
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

static bool is_held_or_over(struct kit *k)
{
    return k->held != NULL || one.call == NULL;
}

/* False: it was over before the server had it. */
static bool hold(struct kit *k, int64_t timeout_ms)
{
    kit_call(k, &one, "/kit.T/Hold", timeout_ms);
    grpc_call_send(one.call, slice_str("x"));
    grpc_call_half_close(one.call);
    kit_run(k, is_held_or_over);
    return k->held != NULL;
}

static void a_deadline_ends_both_sides(void **state)
{
    (void)state;
    int64_t timeout_ms = 50;
    struct kit *k = kit_pair((struct grpc_server_options){0});
    while (!hold(k, timeout_ms)) {
        assert_int_equal(one.code, GRPC_DEADLINE_EXCEEDED);
        kit_free(k);
        k = kit_pair((struct grpc_server_options){0});
        timeout_ms *= 2;
    }
    assert_true(grpc_call_left_ms(k->held) <= timeout_ms);
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

static size_t put_header(uint8_t *at, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);
    at[0] = 0; /* as it is, of no table */
    at[1] = (uint8_t)name_len;
    memcpy(at + 2, name, name_len);
    at[2 + name_len] = (uint8_t)value_len;
    memcpy(at + 3 + name_len, value, value_len);
    return 3 + name_len + value_len;
}

static size_t put_frame(uint8_t *at, uint8_t type, uint8_t flags, uint8_t stream, const void *body,
                        size_t len)
{
    const uint8_t head[9] = {0, 0, (uint8_t)len, type, flags, 0, 0, 0, stream};
    memcpy(at, head, sizeof head);
    memcpy(at + sizeof head, body, len);
    return sizeof head + len;
}

/* SETTINGS and WINDOW_UPDATE: as much as you like. A call of Pour. */
static size_t put_greedy_client(uint8_t *at)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    static const uint8_t settings[] = {0, 4, 0x7f, 0xff, 0xff, 0xff}, window[] = {0x7f, 0, 0, 0};
    static const uint8_t empty_message[5] = {0};
    uint8_t headers[200];
    size_t header_bytes = 0, len = sizeof preface - 1;
    memcpy(at, preface, len);
    len += put_frame(at + len, 4, 0, 0, settings, sizeof settings);
    len += put_frame(at + len, 8, 0, 0, window, sizeof window);
    const char *const pairs[][2] = {{":method", "POST"},      {":scheme", "http"},
                                    {":path", "/kit.T/Pour"}, {":authority", "x"},
                                    {"te", "trailers"},       {"content-type", "application/grpc"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        header_bytes += put_header(headers + header_bytes, pairs[i][0], pairs[i][1]);
    len += put_frame(at + len, 1, 4, 1, headers, header_bytes);
    return len + put_frame(at + len, 0, 1, 1, empty_message, sizeof empty_message);
}

static int chattering;

/* Says something, as often as it is asked, and reads nothing. */
static bool chatterer_is_cut_off(struct kit *k)
{
    uint8_t frame[16];
    size_t len = put_frame(frame, 0xbb, 0, 0, "", 0); /* of a type that nobody knows */
    ssize_t sent = send(chattering, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent;
    return grpc_server_counts(k->server).connections == 0;
}

static void who_does_not_read_is_cut_off_whatever_he_says(void **state)
{
    (void)state;
    struct kit *k = kit_new();
    kit_serve(k, (struct grpc_server_options){.keepalive_ms = 20});
    k->chunks_wanted = SIZE_MAX;
    chattering = silent_socket(k);
    uint8_t hello[400];
    size_t len = put_greedy_client(hello);
    assert_int_equal(write(chattering, hello, len), len);
    wanted = 1;
    kit_run(k, server_has_calls);
    kit_run(k, chatterer_is_cut_off);
    assert_int_equal(k->end_code, GRPC_CANCELLED);
    assert_int_equal(grpc_server_counts(k->server).kept_bytes, 0);
    close(chattering);
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

/* ---- Shares ---- */

/* One that has come to its handler, and stays. */
static void chat(struct kit *k, struct seen *s)
{
    kit_call(k, s, "/kit.T/Chat", 0);
    grpc_call_send(s->call, slice_str("x"));
    wanted = k->messages + 1;
    kit_run(k, server_has_messages);
}

static void ask_one_too_many(struct kit *k)
{
    kit_call(k, &one, "/kit.T/Chat", 0);
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_RESOURCE_EXHAUSTED);
    assert_string_equal(one.message, "too many calls are open");
}

static void who_has_more_than_his_share_of_calls_gets_no_more(void **state)
{
    (void)state;
    struct kit *k = kit_pair((struct grpc_server_options){.calls_max = 10});
    for (size_t i = 0; i < 10; i++)
        chat(k, &all[i]);
    ask_one_too_many(k);
    /* Another client has a share as well. */
    struct grpc_channel *first = k->channel;
    kit_connect_to(k, grpc_server_port(k->server));
    for (size_t i = 10; i < 15; i++)
        chat(k, &all[i]);
    ask_one_too_many(k);
    grpc_channel_close(k->channel);
    kit_run(k, somebody_is_connected);
    k->channel = first;
    ask_one_too_many(k);
    /* What ends makes room. */
    grpc_call_half_close(all[0].call);
    one = all[0];
    grpc_call_set_context(one.call, &one);
    kit_run(k, one_is_over);
    chat(k, &all[0]);
    kit_free(k);
}

/* Asks for much and reads nothing of it. */
static void pour_without_reading(struct kit *k, struct seen *s)
{
    kit_ask(k, s, "/kit.T/Pour", "x");
    grpc_call_pause(s->call);
}

static void who_leaves_most_unread_is_given_up(void **state)
{
    (void)state;
    enum {
        BOUND = 2 * GRPC_ROOM_BYTES
    };
    struct kit *k = kit_pair((struct grpc_server_options){.kept_bytes_max = BOUND});
    k->chunks_wanted = SIZE_MAX;
    pour_without_reading(k, &all[0]);
    struct grpc_channel *greedy = k->channel;
    kit_connect_to(k, grpc_server_port(k->server));
    kit_ask(k, &one, "/kit.T/Echo", "y");
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_OK);
    /* GRPC_ROOM_BYTES each, in the end. */
    struct grpc_channel *modest = k->channel;
    k->channel = greedy;
    for (size_t i = 1; i < 4; i++)
        pour_without_reading(k, &all[i]);
    wanted = 1;
    kit_run(k, server_has_ends);
    assert_int_equal(k->end_code, GRPC_RESOURCE_EXHAUSTED);
    assert_true(grpc_server_counts(k->server).kept_bytes <= BOUND + KIT_CHUNK_BYTES);
    k->channel = modest;
    kit_ask(k, &one, "/kit.T/Echo", "y");
    kit_run(k, one_is_over);
    assert_int_equal(one.code, GRPC_OK);
    /* What nobody waits for any more is forgotten. */
    grpc_channel_close(greedy);
    wanted = 4;
    kit_run(k, server_has_ends);
    assert_int_equal(grpc_server_counts(k->server).kept_bytes, 0);
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
        cmocka_unit_test(who_does_not_read_is_cut_off_whatever_he_says),
        cmocka_unit_test(noise_is_cut_off),
        cmocka_unit_test(resets_without_end_are_cut_off),
        cmocka_unit_test(who_has_more_than_his_share_of_calls_gets_no_more),
        cmocka_unit_test(who_leaves_most_unread_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
