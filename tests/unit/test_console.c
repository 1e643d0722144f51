/* links: console */
/* What the console tells of other servers, of what happened, and of how busy a server was. A
 * znode's pages, sessions and watches are tested with a whole server (tests/console). */
#include "console/events.h"
#include "console/samples.h"
#include "console/srvr.h"
#include "node_kit.h"

/* ---- srvr ---- */

static void what_another_server_says_is_read(void **state)
{
    (void)state;
    struct srvr r;
    assert_true(srvr_parse(
        slice_str("Zookeeper version: 3.9.5-abc, built on 2025-01-01\r\n"
                  "Latency min/avg/max: 0/1.2345/17\nReceived: 5\nSent: 4\nConnections: 3\n"
                  "Outstanding: 2\nZxid: 0x100000000a\nMode: follower \nNode count: 12\n"),
        &r));
    assert_string_equal(r.version, "3.9.5-abc");
    assert_string_equal(r.mode, "follower");
    assert_int_equal(r.zxid, 0x100000000a);
    assert_int_equal(r.latency_min_ms, 0);
    assert_int_equal(r.latency_mean_us, 1234);
    assert_int_equal(r.latency_max_ms, 17);
    assert_int_equal(r.connections, 3);
    assert_int_equal(r.outstanding, 2);
    assert_int_equal(r.znodes, 12);
}

static void what_is_not_said_or_makes_no_sense_is_not_known(void **state)
{
    (void)state;
    struct srvr r;
    assert_true(srvr_parse(slice_str("Mode: leader\nZxid: 0x\nConnections: many\n"
                                     "Node count: 9223372036854775808\nLatency min/avg/max: 1/2\n"),
                           &r));
    assert_string_equal(r.version, "");
    assert_int_equal(r.zxid, -1);
    assert_int_equal(r.connections, -1);
    assert_int_equal(r.outstanding, -1);
    assert_int_equal(r.znodes, -1); /* one more than fits */
    assert_int_equal(r.latency_min_ms, -1);
    assert_true(
        srvr_parse(slice_str("Mode: leader\nLatency min/avg/max: 0/9223372036854775807/0\n"), &r));
    assert_int_equal(r.latency_mean_us, -1);
}

static void what_does_not_say_its_mode_is_no_answer(void **state)
{
    (void)state;
    struct srvr r = {.zxid = 77};
    assert_false(srvr_parse(slice_of(NULL, 0), &r));
    assert_false(
        srvr_parse(slice_str("This ZooKeeper instance is not currently serving requests\n"), &r));
    assert_false(srvr_parse(slice_str("Zookeeper version: 3.9.5\nMode:\n"), &r));
    assert_int_equal(r.zxid, 77);
}

static void a_long_text_is_cut(void **state)
{
    (void)state;
    char text[300] = "Mode: ";
    struct srvr r;
    memset(text + 6, 'x', sizeof text - 7);
    assert_true(srvr_parse(slice_str(text), &r));
    assert_int_equal(strlen(r.mode), SRVR_TEXT_BYTES - 1);
}

/* ---- events ---- */

static void take(struct console_events *ev, enum trace_type type, int64_t value)
{
    const struct trace_effect t = {.type = type, .value = value, .session_id = 0x10};
    events_take(ev, NULL, &t, slice_of(NULL, 0), 1000 + value);
}

static void put(const struct console_events *ev, uint64_t from, const char *json)
{
    struct buf out = {0};
    events_put(ev, from, &out);
    buf_put_u8(&out, 0);
    assert_string_equal((const char *)out.ptr, json);
    buf_deinit(&out);
}

static void events_are_told_from_a_number_on(void **state)
{
    (void)state;
    struct console_events *ev = mem_calloc(1, sizeof *ev);
    put(ev, 0, "{\"events\":[],\"lost\":0,\"passed_over\":0}");
    take(ev, TRACE_LEADING, 4);
    take(ev, TRACE_PEER_REFUSED, 5); /* nothing for people */
    take(ev, TRACE_SESSION_CREATED, 6);
    put(ev, 1,
        "{\"events\":[{\"number\":1,\"at_ms\":1006,\"kind\":\"session_created\",\"session\":"
        "\"0x10\",\"value\":6}],\"lost\":0,\"passed_over\":0}");
    put(ev, 2, "{\"events\":[],\"lost\":0,\"passed_over\":0}");
    put(ev, UINT64_MAX, "{\"events\":[],\"lost\":0,\"passed_over\":0}");
    free(ev);
}

static void of_what_clients_cause_so_much_is_kept_until_the_next_pace(void **state)
{
    (void)state;
    struct console_events *ev = mem_calloc(1, sizeof *ev);
    for (int i = 0; i < CONSOLE_CHANGES_MAX + 3; i++) {
        assert_int_equal(events_have_room(ev), i < CONSOLE_CHANGES_MAX);
        take(ev, TRACE_AUTH_FAILED, i);
    }
    take(ev, TRACE_ROLE_LOST, 0); /* kept always */
    assert_int_equal(ev->next, CONSOLE_CHANGES_MAX + 1);
    assert_int_equal(ev->passed_over, 3);
    events_pace(ev);
    assert_true(events_have_room(ev));
    take(ev, TRACE_SESSION_CLOSED, 0);
    assert_int_equal(ev->next, CONSOLE_CHANGES_MAX + 2);
    free(ev);
}

static void what_the_ring_lost_is_counted(void **state)
{
    (void)state;
    struct console_events *ev = mem_calloc(1, sizeof *ev);
    for (int i = 0; i < CONSOLE_EVENTS + 7; i++)
        take(ev, TRACE_LOOKING, i);
    struct buf out = {0};
    events_put(ev, 2, &out);
    buf_put_u8(&out, 0);
    assert_non_null(strstr((const char *)out.ptr, "{\"events\":[{\"number\":7,\"at_ms\":1007,"));
    assert_non_null(strstr((const char *)out.ptr, "],\"lost\":5,\"passed_over\":0}"));
    buf_deinit(&out);
    free(ev);
}

static void put_part(struct buf *out, int32_t op, int32_t err, const char *path)
{
    buf_put_i32(out, op);
    buf_put_i32(out, err);
    buf_put_i32(out, (int32_t)strlen(path));
    buf_put_slice(out, slice_str(path));
}

static void changes_are_told_of_what_anyone_may_read_with_whole_characters(void **state)
{
    (void)state;
    struct node_options o;
    kit_defaults(&o);
    struct kit *k = kit_open(&o);
    struct console_events *ev = mem_calloc(1, sizeof *ev);
    struct buf parts = {0};
    char path[CONSOLE_EVENT_PATH_BYTES + 8] = "/";
    for (size_t i = 1; i < sizeof path - 2; i += 2)
        memcpy(path + i, "\xc3\xa4", 3);
    put_part(&parts, ZK_OP_CREATE, 0, path); /* gone already; its parent may be read */
    put_part(&parts, ZK_OP_CREATE, ZK_NODEEXISTS, "/");
    put_part(&parts, ZK_OP_CHECK, 0, "/");
    put_part(&parts, ZK_OP_SET_DATA, 0, "/");
    const struct trace_effect t = {.type = TRACE_COMMITTED, .zxid = 9};
    events_take(ev, k->node, &t, buf_slice(&parts), 1);
    assert_int_equal(ev->next, 2);
    assert_string_equal(ev->ring[0].kind, "created");
    assert_true(ev->ring[0].cut);
    assert_int_equal(ev->ring[0].path_len, CONSOLE_EVENT_PATH_BYTES - 1);
    assert_string_equal(ev->ring[1].kind, "changed");
    assert_false(ev->ring[1].cut);
    events_take(ev, k->node, &t, slice_of(parts.ptr, parts.len - 1), 1); /* ends too early */
    assert_int_equal(ev->next, 3);
    buf_deinit(&parts);
    free(ev);
    kit_close(k);
}

/* ---- samples ---- */

static void a_sample_is_the_difference_to_the_second_before(void **state)
{
    (void)state;
    struct console_samples *s = mem_calloc(1, sizeof *s);
    struct node_metrics *m = mem_calloc(1, sizeof *m);
    summary_add(&m->summary[METRIC_READLATENCY], 1000); /* before anybody looked */
    samples_take(s, m, 0, 0, 5000, 100);
    assert_int_equal(s->next, 0);
    for (int i = 0; i < 10; i++)
        summary_add(&m->summary[METRIC_READLATENCY], 2);
    summary_add(&m->summary[METRIC_UPDATELATENCY], 30);
    samples_take(s, m, 7, 8, 5000, 101); /* no time has passed */
    assert_int_equal(s->next, 0);
    samples_take(s, m, 7, 8, 7000, 102);
    struct buf out = {0};
    samples_put(s, 0, &out);
    buf_put_u8(&out, 0);
    assert_string_equal((const char *)out.ptr,
                        "{\"from\":0,\"samples\":[[102,5,0,2000,2,30000,30,0,0,7,8]]}");
    buf_clear(&out);
    summary_reset(&m->summary[METRIC_READLATENCY]); /* nothing is known of that second */
    samples_take(s, m, 0, 0, 8000, 103);
    samples_put(s, 1, &out);
    buf_put_u8(&out, 0);
    assert_string_equal((const char *)out.ptr,
                        "{\"from\":1,\"samples\":[[103,0,0,0,0,0,0,0,0,0,0]]}");
    buf_deinit(&out);
    free(m);
    free(s);
}

static void samples_that_are_no_longer_kept_are_passed_over(void **state)
{
    (void)state;
    struct console_samples *s = mem_calloc(1, sizeof *s);
    struct node_metrics *m = mem_calloc(1, sizeof *m);
    for (int i = 0; i <= CONSOLE_SAMPLES + 2; i++)
        samples_take(s, m, 0, 0, 1000 * (i + 1), i);
    struct buf out = {0};
    samples_put(s, 0, &out);
    buf_put_u8(&out, 0);
    assert_ptr_equal(strstr((const char *)out.ptr, "{\"from\":2,\"samples\":[[3,"), out.ptr);
    buf_clear(&out);
    samples_put(s, UINT64_MAX, &out);
    buf_put_u8(&out, 0);
    assert_non_null(strstr((const char *)out.ptr, "\"samples\":[]}"));
    buf_deinit(&out);
    free(m);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_another_server_says_is_read),
        cmocka_unit_test(what_is_not_said_or_makes_no_sense_is_not_known),
        cmocka_unit_test(what_does_not_say_its_mode_is_no_answer),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(events_are_told_from_a_number_on),
        cmocka_unit_test(of_what_clients_cause_so_much_is_kept_until_the_next_pace),
        cmocka_unit_test(what_the_ring_lost_is_counted),
        cmocka_unit_test(changes_are_told_of_what_anyone_may_read_with_whole_characters),
        cmocka_unit_test(a_sample_is_the_difference_to_the_second_before),
        cmocka_unit_test(samples_that_are_no_longer_kept_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
