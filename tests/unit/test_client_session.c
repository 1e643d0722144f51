/* links: client wire base */
/* The life of a client's session: handshake, pings, silence, the local clock, hosts, the end. */
#include "client_kit.h"

/* ---- Handshake ---- */

static void the_first_connection_asks_for_a_new_session(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    assert_true(csession_link(k.s).wanted);
    assert_int_equal(csession_output(k.s).len, 0);
    csession_connected(k.s, k.now);

    struct dec d = dec_of(slice_from(csession_output(k.s), 4));
    struct rec_connect_request r;
    assert_true(rec_get_connect_request(&d, &r));
    assert_int_equal(r.session_id, 0);
    assert_int_equal(r.last_zxid_seen, 0);
    assert_int_equal(r.time_out, 9000);
    assert_int_equal(r.passwd.len, 16);
    assert_true(r.has_read_only);
    assert_false(r.read_only);

    kit_greet_as(&k, 0x77, 6000, false);
    kit_hears(&k, "CONNECTED renewed\n");
    struct caucus_session session;
    csession_describe(k.s, &session);
    assert_int_equal(session.id, 0x77);
    assert_int_equal(session.timeout_ms, 6000);
    assert_int_equal(session.generation, 1);
    assert_memory_equal(session.password, kit_password, 16);
    kit_stop(&k);
}

static void a_lost_connection_takes_the_session_up_again(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    kit_connect(&k);
    kit_get(&k, "/a", NULL, "get");
    kit_header(&k, 1, 0x500, 0);
    kit_put_data(&k, "x");
    kit_send(&k);
    kit_hears(&k, "get -> 0 'x'\n");

    csession_disconnected(k.s, k.now, "closed by the server");
    kit_hears(&k, "SUSPENDED\n");
    assert_string_equal(csession_trouble(k.s), "closed by the server");
    kit_dial(&k);
    csession_connected(k.s, k.now);
    struct dec d = dec_of(slice_from(csession_output(k.s), 4));
    struct rec_connect_request r;
    assert_true(rec_get_connect_request(&d, &r));
    assert_int_equal(r.session_id, 0x1234);
    assert_int_equal(r.last_zxid_seen, 0x500);
    assert_memory_equal(r.passwd.ptr, kit_password, 16);
    kit_greet_as(&k, 0x1234, 9000, false);
    kit_hears(&k, "RECONNECTED\n");
    assert_string_equal(csession_trouble(k.s), "");
    kit_stop(&k);
}

static void a_refused_session_is_lost_and_the_next_one_begins(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    kit_connect(&k);
    csession_disconnected(k.s, k.now, "gone");
    kit_dial(&k);
    csession_connected(k.s, k.now);
    csession_written(k.s, csession_output(k.s).len);
    kit_get(&k, "/a", NULL, "asked in the old session");
    kit_greet_as(&k, 0, 0, false);
    kit_hears(&k, "SUSPENDED\nLOST\nasked in the old session -> -112\n");
    assert_false(csession_link(k.s).wanted);

    kit_dial(&k);
    csession_connected(k.s, k.now);
    struct dec d = dec_of(slice_from(csession_output(k.s), 4));
    struct rec_connect_request r;
    assert_true(rec_get_connect_request(&d, &r));
    assert_int_equal(r.session_id, 0);
    assert_int_equal(r.last_zxid_seen, 0);
    kit_greet_as(&k, 0x99, 9000, false);
    kit_hears(&k, "RECONNECTED renewed\n");
    struct caucus_session session;
    csession_describe(k.s, &session);
    assert_int_equal(session.generation, 2);
    kit_stop(&k);
}

/* A server that hands out a session of its own choice instead has ended ours. */
static void another_session_instead_of_ours_is_the_end_of_ours(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    kit_connect(&k);
    csession_disconnected(k.s, k.now, "gone");
    kit_connect_as(&k, 0x4321, false);
    kit_hears(&k, "SUSPENDED\nLOST\n");
    kit_stop(&k);
}

static void with_stop_when_lost_it_stays_lost(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    config.stop_when_lost = true;
    kit_start(&k, &config);
    kit_connect(&k);
    kit_get(&k, "/a", "w", "get");
    kit_header(&k, 1, 1, 0);
    kit_put_data(&k, "");
    kit_send(&k);
    csession_disconnected(k.s, k.now, "gone");
    kit_dial(&k);
    csession_connected(k.s, k.now);
    csession_written(k.s, csession_output(k.s).len);
    kit_greet_as(&k, 0, 0, false);
    kit_hears(&k, "get -> 0 ''\nSUSPENDED\nLOST\nw: lost /a (last)\n");
    assert_true(csession_is_over(k.s));
    assert_int_equal(csession_deadline(k.s), INT64_MAX);
    assert_int_equal(csession_refusal(k.s), CAUCUS_SESSIONEXPIRED);
    kit_get(&k, "/a", NULL, "late");
    kit_hears(&k, "late -> -112\n");
    csession_finish(k.s);
    kit_hears(&k, "CLOSED\n");
    kit_stop(&k);
}

static void a_refusal_to_begin_a_session_is_tried_again(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    csession_connected(k.s, k.now);
    kit_greet_as(&k, 0, 0, false);
    kit_hears(&k, "");
    kit_connect(&k);
    assert_int_equal(csession_state(k.s), CAUCUS_CONNECTED);
    kit_stop(&k);
}

static void a_session_of_another_process_goes_on(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    config.session_id = 0x42;
    memcpy(config.password, "fedcba9876543210", 16);
    kit_start(&k, &config);
    csession_connected(k.s, k.now);
    struct dec d = dec_of(slice_from(csession_output(k.s), 4));
    struct rec_connect_request r;
    assert_true(rec_get_connect_request(&d, &r));
    assert_int_equal(r.session_id, 0x42);
    assert_memory_equal(r.passwd.ptr, "fedcba9876543210", 16);
    kit_greet_as(&k, 0x42, 9000, false);
    kit_hears(&k, "CONNECTED\n");
    kit_stop(&k);
}

/* ---- Pings and silence ---- */

static void an_idle_connection_is_pinged_after_a_third(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    kit_connect(&k);
    int64_t began = k.now;
    assert_int_equal(csession_deadline(k.s), began + 3 * SECOND);
    kit_pass(&k, 3 * SECOND);

    struct buf out = {0};
    struct slice ping;
    kit_written(&k, &out);
    assert_int_equal(kit_count_op(&out, ZK_OP_PING, &ping), 1);
    assert_int_equal(out.len, 12);
    kit_answer(&k, ZK_XID_PING, 9, 0);
    kit_pass(&k, 3 * SECOND);
    kit_written(&k, &out);
    assert_int_equal(kit_count_op(&out, ZK_OP_PING, &ping), 1);
    kit_hears(&k, "");
    buf_deinit(&out);
    kit_stop(&k);
}

static void two_thirds_of_silence_end_the_connection(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    kit_connect(&k);
    int64_t began = k.now;
    kit_pass(&k, 6 * SECOND - 1);
    kit_hears(&k, "");
    kit_until(&k, began + 7 * SECOND);
    assert_int_equal(k.now, began + 6 * SECOND);
    kit_hears(&k, "SUSPENDED\n");
    assert_string_equal(csession_trouble(k.s), "no answer for 6000 ms");
    kit_stop(&k);
}

/* The promise of LOST: by the local clock, with no server reachable. */
static void four_thirds_without_a_server_are_the_end(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    kit_connect(&k);
    int64_t began = k.now;
    while (k.now < began + 12 * SECOND - MS) {
        kit_until(&k, began + 12 * SECOND - MS);
        if (csession_link(k.s).wanted && csession_state(k.s) == CAUCUS_SUSPENDED)
            csession_disconnected(k.s, k.now, "Connection refused");
    }
    kit_hears(&k, "SUSPENDED\n");
    kit_pass(&k, MS);
    kit_hears(&k, "LOST\n");
    struct caucus_session session;
    csession_describe(k.s, &session);
    assert_int_equal(session.id, 0);
    assert_int_equal(session.safe_until_ns, 0);
    kit_stop(&k);
}

/* The process was stopped, or the machine slept: the first tick finds everything over. */
static void a_long_pause_loses_connection_and_session_at_once(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    kit_connect(&k);
    k.now += 60 * SECOND;
    csession_tick(k.s, k.now);
    kit_hears(&k, "SUSPENDED\nLOST\n");
    kit_stop(&k);
}

static void without_a_session_nothing_can_be_lost(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    for (int i = 0; i < 100; i++) {
        kit_dial(&k);
        csession_disconnected(k.s, k.now, "refused");
    }
    kit_hears(&k, "");
    kit_stop(&k);
}

/* What a fencing deadline rests on: counted from when the answered request was sent, never from its
 * answer. */
static void safety_is_counted_from_what_was_sent(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    csession_connected(k.s, k.now);
    int64_t greeted = k.now;
    k.now += SECOND;
    kit_greet_as(&k, 1, 9000, false);
    struct caucus_session session;
    csession_describe(k.s, &session);
    assert_int_equal(session.safe_until_ns, greeted + 9 * SECOND * 3 / 4);

    k.now += SECOND;
    int64_t asked = k.now;
    kit_get(&k, "/a", NULL, "get");
    csession_describe(k.s, &session);
    assert_int_equal(session.safe_until_ns, greeted + 9 * SECOND * 3 / 4);
    k.now += SECOND;
    kit_answer(&k, 1, 1, CAUCUS_NONODE);
    csession_describe(k.s, &session);
    assert_int_equal(session.safe_until_ns, asked + 9 * SECOND * 3 / 4);

    kit_pass(&k, 3 * SECOND);
    int64_t pinged = k.now;
    k.now += SECOND / 2;
    kit_answer(&k, ZK_XID_PING, 1, 0);
    csession_describe(k.s, &session);
    assert_in_range(session.safe_until_ns, asked + SECOND + 9 * SECOND * 3 / 4,
                    pinged + 9 * SECOND * 3 / 4);
    kit_stop(&k);
}

/* ---- Hosts ---- */

static void every_host_is_tried_before_one_is_tried_again(void **state)
{
    (void)state;
    struct csession_config config = kit_config();
    config.host_count = 5;
    unsigned first_seen = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct kit k;
        config.seed = seed;
        kit_start(&k, &config);
        first_seen |= 1u << csession_link(k.s).host;
        for (int round = 0; round < 4; round++) {
            unsigned seen = 0;
            for (int i = 0; i < 5; i++) {
                struct csession_link link = csession_link(k.s);
                assert_true(link.wanted);
                seen |= 1u << link.host;
                csession_disconnected(k.s, k.now, "refused");
                size_t host = link.host;
                kit_dial(&k);
                assert_int_not_equal(csession_link(k.s).host, host);
            }
            assert_int_equal(seen, 31);
        }
        kit_stop(&k);
    }
    assert_int_equal(first_seen, 31); /* shuffled */
}

static void pauses_grow_with_the_rounds_and_have_a_bound(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    config.host_count = 1;
    kit_start(&k, &config);
    int64_t longest = 0, first = 0;
    for (int i = 0; i < 20; i++) {
        int64_t failed = k.now;
        csession_disconnected(k.s, k.now, "refused");
        kit_dial(&k);
        int64_t pause = k.now - failed;
        if (i == 0)
            first = pause;
        assert_in_range(pause, 25 * MS, 2000 * MS);
        longest = pause > longest ? pause : longest;
    }
    assert_in_range(first, 25 * MS, 50 * MS);
    assert_in_range(longest, 1000 * MS, 2000 * MS);
    kit_stop(&k);
}

static void a_host_that_does_not_answer_gets_its_share_of_the_time(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    uint64_t attempt = csession_link(k.s).attempt;
    int64_t began = k.now;
    kit_pass(&k, 2 * SECOND - 1);
    assert_true(csession_link(k.s).attempt == attempt && csession_link(k.s).wanted);
    kit_redial(&k);
    assert_in_range(k.now - began, 2 * SECOND, 2 * SECOND + 20 * MS);
    csession_connected(k.s, k.now);
    began = k.now;
    kit_redial(&k); /* connected, and no session: a third of the timeout */
    assert_in_range(k.now - began, 3 * SECOND, 3 * SECOND + 20 * MS);
    kit_stop(&k);
}

/* ---- Read-only ---- */

static void a_read_only_server_is_refused_unless_asked_for(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    csession_connected(k.s, k.now);
    kit_greet_as(&k, 5, 9000, true);
    kit_hears(&k, "");
    assert_string_equal(csession_trouble(k.s), "the server is read-only");
    kit_stop(&k);
}

static void from_a_read_only_server_one_with_a_quorum_is_looked_for(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    config.read_only = true;
    kit_start(&k, &config);
    csession_connected(k.s, k.now);
    csession_written(k.s, csession_output(k.s).len);
    kit_greet_as(&k, 5, 9000, true);
    kit_hears(&k, "READ_ONLY\n");
    struct caucus_session session;
    csession_describe(k.s, &session);
    assert_int_equal(session.safe_until_ns, 0);

    assert_false(csession_probe(k.s).wanted);
    kit_pass(&k, 100 * MS);
    assert_true(csession_probe(k.s).wanted);
    csession_probed(k.s, k.now, false);
    assert_false(csession_probe(k.s).wanted);
    kit_pass(&k, 200 * MS);
    assert_true(csession_probe(k.s).wanted);
    size_t host = csession_probe(k.s).host;
    csession_probed(k.s, k.now, true);
    kit_hears(&k, "SUSPENDED\n");
    assert_int_equal(kit_dial(&k).host, host);
    csession_connected(k.s, k.now);
    struct dec d = dec_of(slice_from(csession_output(k.s), 4));
    struct rec_connect_request r;
    assert_true(rec_get_connect_request(&d, &r));
    assert_int_equal(r.session_id, 0); /* nobody else knows a read-only server's session */
    kit_greet_as(&k, 6, 9000, false);
    kit_hears(&k, "CONNECTED renewed\n");
    kit_stop(&k);
}

/* A minority's server answers for ever; the others may have ended the session long ago. */
static void a_read_only_server_does_not_keep_a_session_from_being_lost(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    config.read_only = true;
    kit_start(&k, &config);
    kit_connect(&k);
    csession_disconnected(k.s, k.now, "gone");
    kit_connect_as(&k, 0x1234, true);
    kit_hears(&k, "SUSPENDED\nREAD_ONLY\n");
    for (int i = 0; i < 13; i++) {
        kit_pass(&k, SECOND);
        kit_answer(&k, ZK_XID_PING, 1, 0);
    }
    kit_hears(&k, "SUSPENDED\nLOST\n");
    kit_stop(&k);
}

/* ---- The end ---- */

static void close_ends_the_session_behind_what_was_asked(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    kit_connect(&k);
    kit_get(&k, "/a", "w", "get");
    csession_close(k.s, k.now);
    kit_get(&k, "/b", NULL, "too late");
    kit_hears(&k, "too late -> -116\n");
    struct buf out = {0};
    struct slice frame;
    kit_written(&k, &out);
    assert_int_equal(kit_count_op(&out, ZK_OP_GET_DATA, &frame), 1);
    assert_int_equal(kit_count_op(&out, ZK_OP_CLOSE_SESSION, &frame), 1);
    kit_header(&k, 1, 1, 0);
    kit_put_data(&k, "x");
    kit_send(&k);
    kit_answer(&k, 2, 2, 0);
    kit_hears(&k, "get -> 0 'x'\ncall -> 0\nw: lost /a (last)\nCLOSED\n");
    assert_true(csession_is_over(k.s));
    assert_false(csession_link(k.s).wanted);
    buf_deinit(&out);
    kit_stop(&k);
}

static void close_does_not_wait_for_ever(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    kit_connect(&k);
    kit_get(&k, "/a", NULL, "get");
    csession_close(k.s, k.now);
    kit_pass(&k, 2 * SECOND);
    kit_hears(&k, "get -> -116\ncall -> -116\nCLOSED\n");
    kit_stop(&k);
}

static void close_without_a_connection_is_immediate(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    kit_get(&k, "/a", NULL, "get");
    csession_close(k.s, k.now);
    kit_hears(&k, "get -> -116\nCLOSED\n");
    csession_close(k.s, k.now);
    csession_tick(k.s, k.now);
    csession_connected(k.s, k.now);
    csession_disconnected(k.s, k.now, "?");
    csession_received(k.s, k.now, slice_str("abcdefgh"));
    kit_hears(&k, "");
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_connection_asks_for_a_new_session),
        cmocka_unit_test(a_lost_connection_takes_the_session_up_again),
        cmocka_unit_test(a_refused_session_is_lost_and_the_next_one_begins),
        cmocka_unit_test(another_session_instead_of_ours_is_the_end_of_ours),
        cmocka_unit_test(with_stop_when_lost_it_stays_lost),
        cmocka_unit_test(a_refusal_to_begin_a_session_is_tried_again),
        cmocka_unit_test(a_session_of_another_process_goes_on),
        cmocka_unit_test(an_idle_connection_is_pinged_after_a_third),
        cmocka_unit_test(two_thirds_of_silence_end_the_connection),
        cmocka_unit_test(four_thirds_without_a_server_are_the_end),
        cmocka_unit_test(a_long_pause_loses_connection_and_session_at_once),
        cmocka_unit_test(without_a_session_nothing_can_be_lost),
        cmocka_unit_test(safety_is_counted_from_what_was_sent),
        cmocka_unit_test(every_host_is_tried_before_one_is_tried_again),
        cmocka_unit_test(pauses_grow_with_the_rounds_and_have_a_bound),
        cmocka_unit_test(a_host_that_does_not_answer_gets_its_share_of_the_time),
        cmocka_unit_test(a_read_only_server_is_refused_unless_asked_for),
        cmocka_unit_test(from_a_read_only_server_one_with_a_quorum_is_looked_for),
        cmocka_unit_test(a_read_only_server_does_not_keep_a_session_from_being_lost),
        cmocka_unit_test(close_ends_the_session_behind_what_was_asked),
        cmocka_unit_test(close_does_not_wait_for_ever),
        cmocka_unit_test(close_without_a_connection_is_immediate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
