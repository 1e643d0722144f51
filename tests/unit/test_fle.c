/* links: fle */
/* One server in an election: what it says and decides, message by message. The bytes are those that
 * buildMsg of Apache's FastLeaderElection 3.9.5 lays out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "fle/fle.h"
#include "fle/notification.h"

#define VOTER(n) "server." n "=h" n ":1:2\n"
#define THREE    VOTER("1") VOTER("2") VOTER("3")
#define MS       1000000LL

/* ---- a server and what it said ---- */

struct world {
    struct fle *f;
    int64_t now_ns;
    char said[4096];     /* "2:LOOK(1,7,r1,e0) ..." since the last look at it */
    struct buf bytes;    /* of the last message */
    char newer[512];     /* configuration that was offered */
    struct quorum *take; /* what the host makes of it; NULL = nothing */
};

static const char *const STATES[] = {"LOOK", "FOLLOW", "LEAD", "OBSERVE"};

static void put_number(char *out, size_t size, int64_t v)
{
    if (v == INT64_MIN)
        snprintf(out, size, "-");
    else
        snprintf(out, size, "%lld", (long long)v);
}

static void on_send(void *arg, int64_t sid, struct slice payload)
{
    struct world *w = arg;
    struct fle_notification n;
    assert_true(fle_notification_parse(payload, &n));
    assert_int_equal(n.version, 2);
    char leader[24], zxid[24], epoch[24];
    put_number(leader, sizeof leader, n.vote.leader);
    put_number(zxid, sizeof zxid, n.vote.zxid);
    put_number(epoch, sizeof epoch, n.vote.peer_epoch);
    size_t at = strlen(w->said);
    snprintf(w->said + at, sizeof w->said - at, "%s%lld:%s(%s,%s,r%lld,e%s)", at > 0 ? " " : "",
             (long long)sid, STATES[n.state], leader, zxid, (long long)n.vote.round, epoch);
    buf_clear(&w->bytes);
    buf_put_slice(&w->bytes, payload);
}

static void on_newer_config(void *arg, struct slice text)
{
    struct world *w = arg;
    snprintf(w->newer, sizeof w->newer, "%.*s", (int)text.len, (const char *)text.ptr);
    if (w->take != NULL)
        fle_set_config(w->f, w->take);
}

static struct quorum *config(const char *text)
{
    struct quorum *q = NULL;
    struct err err = {0};
    if (quorum_parse(slice_str(text), &q, &err) != 0)
        fail_msg("%s", err.text);
    return q;
}

static void start_with(struct world *w, int64_t sid, struct quorum *q)
{
    *w = (struct world){.now_ns = 1000 * MS};
    const struct fle_options options = {.sid = sid,
                                        .finalize_wait_ms = 200,
                                        .notification_ms_min = 200,
                                        .notification_ms_max = 1000,
                                        .reconfig_enabled = true};
    const struct fle_host host = {w, on_send, on_newer_config};
    w->f = fle_create(&options, &host, q);
    quorum_free(q);
}

static void start(struct world *w, int64_t sid, const char *text)
{
    start_with(w, sid, config(text));
}

static void end(struct world *w)
{
    fle_free(w->f);
    quorum_free(w->take);
    buf_deinit(&w->bytes);
}

static void look(struct world *w, int64_t zxid, int64_t epoch)
{
    fle_look(w->f, (struct fle_vote){.zxid = zxid, .peer_epoch = epoch}, w->now_ns);
}

static void channel(struct world *w, int64_t sid, bool up)
{
    fle_channel(w->f, sid, up, w->now_ns);
}

static void hear_config(struct world *w, int64_t from, enum fle_state state, int64_t leader,
                        int64_t zxid, int64_t round, int64_t epoch, const char *text)
{
    struct buf b = {0};
    fle_notification_put(&b, state, &(struct fle_vote){leader, zxid, round, epoch},
                         slice_str(text));
    fle_message(w->f, from, buf_slice(&b), w->now_ns);
    buf_deinit(&b);
}

static void hear(struct world *w, int64_t from, enum fle_state state, int64_t leader, int64_t zxid,
                 int64_t round, int64_t epoch)
{
    hear_config(w, from, state, leader, zxid, round, epoch, "");
}

static void pass(struct world *w, int64_t ms)
{
    w->now_ns += ms * MS;
    fle_tick(w->f, w->now_ns);
}

#define assert_said(w, text)                                                                       \
    do {                                                                                           \
        assert_string_equal((w)->said, text);                                                      \
        (w)->said[0] = 0;                                                                          \
    } while (0)

#define assert_undecided(w)                                                                        \
    do {                                                                                           \
        assert_int_equal(fle_state((w)->f), FLE_LOOKING);                                          \
        assert_false(fle_decided((w)->f, &(struct fle_vote){0}));                                  \
    } while (0)

#define assert_decided(w, expected_state, expected_leader)                                         \
    do {                                                                                           \
        struct fle_vote vote_ = {0};                                                               \
        assert_true(fle_decided((w)->f, &vote_));                                                  \
        assert_int_equal(vote_.leader, expected_leader);                                           \
        assert_int_equal(fle_state((w)->f), expected_state);                                       \
        assert_int_equal(fle_deadline_ns((w)->f), INT64_MAX);                                      \
    } while (0)

/* ---- bytes ---- */

static void assert_bytes(struct slice bytes, const char *hex)
{
    char text[2048] = "";
    for (size_t i = 0; i < bytes.len; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes.ptr[i]);
    assert_string_equal(text, hex);
}

static void a_notification_has_the_layout_of_apache(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, "server.1=a:1:2\nserver.2=b:1:2\nversion=1f\n");
    channel(&w, 2, true);
    look(&w, 0x500000002, 5);
    assert_said(&w, "2:LOOK(1,21474836482,r1,e5)");
    assert_bytes(buf_slice(&w.bytes), "00000000"         /* LOOKING */
                                      "0000000000000001" /* leader */
                                      "0000000500000002" /* zxid */
                                      "0000000000000001" /* round */
                                      "0000000000000005" /* peer epoch */
                                      "00000002"         /* version */
                                      "00000040"         /* 64 bytes of configuration */
                                      "7365727665722e313d613a313a323a7061727469636970616e740a"
                                      "7365727665722e323d623a313a323a7061727469636970616e740a"
                                      "76657273696f6e3d3166");
    end(&w);
}

static struct slice from_hex(const char *hex, uint8_t *out)
{
    size_t len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        out[i] = (uint8_t)byte;
    }
    return slice_of(out, len);
}

#define HEAD28                                                                                     \
    "00000001"                                                                                     \
    "0000000000000003"                                                                             \
    "0000000500000002"                                                                             \
    "0000000000000007"

static void three_forms_are_told_apart_by_their_size(void **state)
{
    (void)state;
    uint8_t bytes[128];
    struct fle_notification n;
    assert_true(fle_notification_parse(from_hex(HEAD28, bytes), &n));
    assert_int_equal(n.state, FLE_FOLLOWING);
    assert_int_equal(n.vote.leader, 3);
    assert_int_equal(n.vote.zxid, 0x500000002);
    assert_int_equal(n.vote.round, 7);
    assert_int_equal(n.vote.peer_epoch, 5); /* of the zxid */
    assert_int_equal(n.version, 0);

    assert_true(fle_notification_parse(from_hex(HEAD28 "0000000000000009"
                                                       "00000001",
                                                bytes),
                                       &n));
    assert_int_equal(n.vote.peer_epoch, 9);
    assert_int_equal(n.version, 0); /* does not count in this form */

    assert_true(fle_notification_parse(from_hex(HEAD28 "0000000000000009"
                                                       "00000002"
                                                       "00000003"
                                                       "414243"
                                                       "44",
                                                bytes),
                                       &n));
    assert_int_equal(n.vote.peer_epoch, 9);
    assert_int_equal(n.version, 2);
    assert_true(slice_eq_str(n.config, "ABC"));

    /* Longer, but of an older version: what follows is not ours. */
    assert_true(fle_notification_parse(from_hex(HEAD28 "0000000000000009"
                                                       "00000001"
                                                       "ffffffff",
                                                bytes),
                                       &n));
    assert_int_equal(n.version, 1);
    assert_true(slice_is_null(n.config));
}

static void malformed_messages_are_counted_and_dropped(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    channel(&w, 2, true);
    look(&w, 7, 0);
    w.said[0] = 0;
    static const char *const BAD[] = {
        "",
        "00",
        HEAD28 "00",               /* neither 28 nor 40 */
        HEAD28 "0000000000000009", /* no version */
        HEAD28 "0000000000000009"
               "00000002"
               "00", /* no length */
        HEAD28 "0000000000000009"
               "00000002"
               "00000004"
               "414243", /* short */
        HEAD28 "0000000000000009"
               "00000002"
               "ffffffff",
        HEAD28 "0000000000000009"
               "00000002"
               "80000000",
        HEAD28 "0000000000000009"
               "00000002"
               "7fffffff",
        "00000004"
        "0000000000000003"
        "0000000500000002"
        "0000000000000007",
        "ffffffff"
        "0000000000000003"
        "0000000500000002"
        "0000000000000007",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        uint8_t bytes[128];
        struct slice s = from_hex(BAD[i], bytes);
        uint8_t *exact = malloc(s.len + 1); /* and so that it ends where its memory does */
        assert_non_null(exact);
        memcpy(exact + 1, s.ptr, s.len);
        fle_message(w.f, 2, slice_of(exact + 1, s.len), w.now_ns);
        free(exact);
        assert_int_equal(fle_dropped(w.f), i + 1);
    }
    fle_message(w.f, 1, slice_str("from ourselves"), w.now_ns);
    assert_int_equal(fle_dropped(w.f), sizeof BAD / sizeof *BAD + 1);
    assert_said(&w, "");
    assert_undecided(&w);
    end(&w);
}

/* Whatever comes, from whomever, whenever: nothing breaks, and time only makes sense. */
static void any_bytes_from_anybody_are_survived(void **state)
{
    (void)state;
    static const int64_t NUMBERS[] = {0, 1, 2, 3, 4, 255, 256, -1, INT64_MAX, INT64_MIN, 7};
    const size_t numbers = sizeof NUMBERS / sizeof *NUMBERS;
    struct world w;
    start(&w, 1, "server.1=h:1:2\nserver.2=h:1:2\nserver.3=h:1:2\nserver.4=h:1:2:observer");
    look(&w, 7, 0);
    for (uint64_t i = 0, r = 0; i < 200000; i++) {
        struct fle_vote vote;
        r = hash_u64(i, 1);
#define PICK(shift) NUMBERS[(r >> (shift)) % numbers]
        vote = (struct fle_vote){PICK(0), PICK(5), PICK(10), PICK(15)};
        enum fle_state s = (enum fle_state)(r >> 20 & 3);
        switch (r >> 40 & 15) {
        case 0:
            channel(&w, PICK(22), true);
            break;
        case 1:
            channel(&w, PICK(22), false);
            break;
        case 2:
            pass(&w, (int64_t)(r >> 24 & 255));
            break;
        case 3:
            fle_look(w.f, vote, w.now_ns);
            break;
        case 4:
            if (fle_state(w.f) != FLE_LOOKING) {
                fle_settle(w.f, fle_state(w.f), PICK(22));
                fle_update_epoch(w.f, PICK(27));
            }
            break;
        default:
            hear_config(&w, PICK(22), s, vote.leader, vote.zxid, vote.round, vote.peer_epoch,
                        r >> 50 & 1 ? "" : "server.1=h:1:2\nversion=5");
        }
        assert_true(fle_deadline_ns(w.f) >= 0);
        w.said[0] = 0;
    }
    end(&w);
}

/* ---- an election ---- */

static void our_vote_goes_wherever_there_is_a_channel(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    channel(&w, 2, true);
    assert_said(&w, ""); /* nobody asked us to look */
    assert_int_equal(fle_deadline_ns(w.f), INT64_MAX);
    look(&w, 7, 0);
    assert_said(&w, "2:LOOK(1,7,r1,e0)");
    channel(&w, 3, true); /* at once, not when it is time to repeat */
    assert_said(&w, "3:LOOK(1,7,r1,e0)");
    channel(&w, 3, false);
    channel(&w, 3, true);
    assert_said(&w, "3:LOOK(1,7,r1,e0)");
    channel(&w, 9, true); /* no voter: it will ask */
    channel(&w, -5, true);
    assert_said(&w, "");
    end(&w);
}

static void a_better_vote_is_taken_over_and_told_to_all(void **state)
{
    (void)state;
    const struct {
        int64_t leader, zxid, epoch;
        bool better;
    } votes[] = {
        {3, 7, 5, true}, {3, 6, 5, false},  {3, 8, 5, true},  {1, 7, 5, false},  {1, 8, 5, true},
        {1, 1, 6, true}, {3, 99, 4, false}, {2, 7, 5, false}, {9, 99, 9, false},
    };
    for (size_t i = 0; i < sizeof votes / sizeof *votes; i++) {
        struct world w;
        start(&w, 2, THREE);
        channel(&w, 1, true);
        channel(&w, 3, true);
        look(&w, 7, 5);
        w.said[0] = 0;
        hear(&w, 3, FLE_LOOKING, votes[i].leader, votes[i].zxid, 1, votes[i].epoch);
        char expected[128] = "";
        if (votes[i].better)
            snprintf(expected, sizeof expected, "1:LOOK(%d,%d,r1,e%d) 3:LOOK(%d,%d,r1,e%d)",
                     (int)votes[i].leader, (int)votes[i].zxid, (int)votes[i].epoch,
                     (int)votes[i].leader, (int)votes[i].zxid, (int)votes[i].epoch);
        assert_said(&w, expected);
        end(&w);
    }
}

static void when_all_are_heard_nobody_waits(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    channel(&w, 2, true);
    channel(&w, 3, true);
    look(&w, 7, 0);
    hear(&w, 2, FLE_LOOKING, 2, 7, 1, 0);
    assert_undecided(&w); /* 1 and 2 are a quorum for 2, but 3 can be heard */
    hear(&w, 3, FLE_LOOKING, 3, 7, 1, 0);
    assert_undecided(&w); /* 2 has not voted for 3 yet */
    hear(&w, 2, FLE_LOOKING, 3, 7, 1, 0);
    assert_decided(&w, FLE_FOLLOWING, 3);
    assert_said(&w, "2:LOOK(1,7,r1,e0) 3:LOOK(1,7,r1,e0) 2:LOOK(2,7,r1,e0) 3:LOOK(2,7,r1,e0) "
                    "2:LOOK(3,7,r1,e0) 3:LOOK(3,7,r1,e0)");
    fle_settle(w.f, FLE_FOLLOWING, 3);
    assert_false(fle_decided(w.f, &(struct fle_vote){0}));
    end(&w);
}

static void the_leader_decides_like_the_others(void **state)
{
    (void)state;
    struct world w;
    start(&w, 3, THREE);
    channel(&w, 1, true);
    channel(&w, 2, false);
    look(&w, 7, 0);
    hear(&w, 1, FLE_LOOKING, 1, 7, 1, 0);
    assert_undecided(&w);
    hear(&w, 1, FLE_LOOKING, 3, 7, 1, 0);
    assert_decided(&w, FLE_LEADING, 3);
    struct fle_vote v;
    fle_current_vote(w.f, &v);
    assert_int_equal(v.zxid, 7);
    assert_int_equal(v.round, 1);
    end(&w);
}

static void a_silent_channel_costs_the_full_wait(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    channel(&w, 2, true);
    channel(&w, 3, true);
    look(&w, 7, 0);
    pass(&w, 50);
    hear(&w, 2, FLE_LOOKING, 2, 7, 1, 0);
    assert_int_equal(fle_deadline_ns(w.f), 1200 * MS); /* the repetition comes first */
    pass(&w, 150);
    assert_undecided(&w);
    assert_int_equal(fle_deadline_ns(w.f), 1250 * MS);
    pass(&w, 49);
    assert_undecided(&w);
    pass(&w, 1);
    assert_decided(&w, FLE_FOLLOWING, 2);
    end(&w);
}

static void a_channel_that_breaks_ends_the_wait(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    channel(&w, 2, true);
    channel(&w, 3, true);
    look(&w, 7, 0);
    hear(&w, 2, FLE_LOOKING, 2, 7, 1, 0);
    assert_undecided(&w);
    channel(&w, 3, false);
    assert_decided(&w, FLE_FOLLOWING, 2);
    end(&w);
}

/* Three servers start together: two of them see each other before the third could come. */
static void a_server_not_tried_yet_is_waited_for(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    channel(&w, 2, true);
    look(&w, 7, 0);
    hear(&w, 2, FLE_LOOKING, 2, 7, 1, 0);
    assert_undecided(&w);
    channel(&w, 3, false); /* the attempt to connect was refused */
    assert_decided(&w, FLE_FOLLOWING, 2);
    end(&w);
}

static void a_better_vote_during_the_wait_begins_it_anew(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, VOTER("1") VOTER("2") VOTER("3") VOTER("4") VOTER("5"));
    for (int64_t sid = 2; sid <= 5; sid++)
        channel(&w, sid, true);
    look(&w, 7, 0);
    hear(&w, 2, FLE_LOOKING, 3, 7, 1, 0);
    hear(&w, 3, FLE_LOOKING, 3, 7, 1, 0);
    pass(&w, 150);
    hear(&w, 4, FLE_LOOKING, 4, 7, 1, 0);
    pass(&w, 100);
    assert_undecided(&w); /* the quorum for 3 is gone, there is none for 4 yet */
    hear(&w, 2, FLE_LOOKING, 4, 7, 1, 0);
    pass(&w, 199);
    assert_undecided(&w);
    pass(&w, 1);
    assert_decided(&w, FLE_FOLLOWING, 4);
    end(&w);
}

static void one_voter_decides_at_once(void **state)
{
    (void)state;
    struct world w;
    start(&w, 4, VOTER("4") "server.5=h:1:2:observer\n");
    look(&w, 0, 0);
    assert_decided(&w, FLE_LEADING, 4);
    assert_int_equal(fle_round(w.f), 1);
    fle_settle(w.f, FLE_LEADING, 4);
    look(&w, 0, 1);
    assert_decided(&w, FLE_LEADING, 4);
    assert_int_equal(fle_round(w.f), 2);
    end(&w);
}

static void of_two_voters_both_are_needed(void **state)
{
    (void)state;
    struct world w;
    start(&w, 2, VOTER("1") VOTER("2"));
    channel(&w, 1, false);
    look(&w, 7, 0);
    pass(&w, 5000);
    assert_undecided(&w);
    channel(&w, 1, true);
    hear(&w, 1, FLE_LOOKING, 2, 7, 1, 0);
    assert_decided(&w, FLE_LEADING, 2);
    end(&w);
}

static void a_later_round_is_joined_and_an_earlier_one_is_told(void **state)
{
    (void)state;
    struct world w;
    start(&w, 2, THREE);
    channel(&w, 1, true);
    channel(&w, 3, true);
    look(&w, 7, 5);
    hear(&w, 1, FLE_LOOKING, 2, 7, 1, 5);
    w.said[0] = 0;
    /* The votes of our round are gone; ours is better and stands in the new one. */
    hear(&w, 3, FLE_LOOKING, 3, 6, 8, 5);
    assert_said(&w, "1:LOOK(2,7,r8,e5) 3:LOOK(2,7,r8,e5)");
    assert_undecided(&w);
    /* What 1 says in the old round counts no more; it hears of the new one. */
    hear(&w, 1, FLE_LOOKING, 2, 7, 1, 5);
    assert_said(&w, "1:LOOK(2,7,r8,e5)");
    assert_undecided(&w);
    hear(&w, 3, FLE_LOOKING, 2, 7, 8, 5);
    hear(&w, 1, FLE_LOOKING, 2, 7, 8, 5);
    assert_decided(&w, FLE_LEADING, 2);
    assert_int_equal(fle_round(w.f), 8);
    end(&w);
}

static void a_better_vote_of_a_later_round_is_taken_with_it(void **state)
{
    (void)state;
    struct world w;
    start(&w, 2, THREE);
    channel(&w, 1, true);
    look(&w, 7, 5);
    w.said[0] = 0;
    hear(&w, 1, FLE_LOOKING, 3, 8, 4, 5);
    assert_said(&w, "1:LOOK(3,8,r4,e5)");
    /* Compared with our own vote, not with what we proposed in the earlier round. */
    hear(&w, 1, FLE_LOOKING, 1, 6, 5, 5);
    assert_said(&w, "1:LOOK(2,7,r5,e5)");
    end(&w);
}

static void rounds_go_on_after_the_largest_number(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    channel(&w, 2, true);
    look(&w, 7, 0);
    hear(&w, 2, FLE_LOOKING, 2, 7, INT64_MAX, 0);
    assert_int_equal(fle_round(w.f), INT64_MAX);
    channel(&w, 2, true); /* its vote is forgotten */
    look(&w, 7, 0);
    assert_int_equal(fle_round(w.f), INT64_MIN);
    end(&w);
}

static void a_vote_is_repeated_ever_more_rarely(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    channel(&w, 2, true);
    look(&w, 7, 0);
    w.said[0] = 0;
    static const int64_t WAITS_MS[] = {200, 400, 800, 1000, 1000};
    for (size_t i = 0; i < sizeof WAITS_MS / sizeof *WAITS_MS; i++) {
        assert_int_equal(fle_deadline_ns(w.f), w.now_ns + WAITS_MS[i] * MS);
        pass(&w, WAITS_MS[i] - 1);
        assert_said(&w, "");
        pass(&w, 1);
        assert_said(&w, "2:LOOK(1,7,r1,e0)");
    }
    look(&w, 7, 0);
    assert_int_equal(fle_deadline_ns(w.f), w.now_ns + 200 * MS);
    end(&w);
}

/* ---- those who have a leader ---- */

static void what_a_majority_has_joined_is_joined_without_delay(void **state)
{
    (void)state;
    struct world w;
    start(&w, 3, THREE);
    channel(&w, 1, true);
    channel(&w, 2, true);
    look(&w, 99, 9); /* whatever we have */
    hear(&w, 1, FLE_FOLLOWING, 2, 7, 4, 5);
    assert_undecided(&w); /* one is no majority, and 2 has not said that it leads */
    hear(&w, 2, FLE_LEADING, 2, 7, 4, 5);
    assert_decided(&w, FLE_FOLLOWING, 2);
    assert_int_equal(fle_round(w.f), 4);
    struct fle_vote v;
    fle_current_vote(w.f, &v);
    assert_int_equal(v.peer_epoch, 5);
    end(&w);
}

static void a_leader_must_say_that_it_leads(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, VOTER("1") VOTER("2") VOTER("3") VOTER("4") VOTER("5"));
    look(&w, 7, 5);
    for (int64_t sid = 2; sid <= 4; sid++)
        hear(&w, sid, FLE_FOLLOWING, 5, 7, 4, 5);
    assert_undecided(&w); /* 5 may have crashed */
    hear(&w, 5, FLE_LOOKING, 5, 7, 1, 5);
    assert_undecided(&w);
    hear(&w, 5, FLE_LEADING, 5, 7, 4, 5);
    assert_decided(&w, FLE_FOLLOWING, 5);
    end(&w);
}

static void that_others_follow_us_counts_in_their_round_only(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    look(&w, 7, 5);
    hear(&w, 2, FLE_FOLLOWING, 1, 7, 4, 5);
    hear(&w, 3, FLE_FOLLOWING, 1, 7, 4, 5);
    assert_undecided(&w); /* we lead no more */
    hear(&w, 2, FLE_FOLLOWING, 1, 7, 1, 5);
    hear(&w, 3, FLE_FOLLOWING, 1, 7, 1, 5);
    assert_decided(&w, FLE_LEADING, 1);
    end(&w);
}

static void settled_votes_are_compared_by_leader_and_epoch(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    look(&w, 7, 5);
    hear(&w, 2, FLE_FOLLOWING, 3, 7, 4, 5);
    hear(&w, 3, FLE_LEADING, 3, 9, 2, 6);
    assert_undecided(&w); /* other epoch */
    hear(&w, 2, FLE_FOLLOWING, 3, 1, 8, 6);
    assert_decided(&w, FLE_FOLLOWING, 3); /* other zxid and round do not matter */
    end(&w);
}

static void the_epoch_of_old_messages_is_not_compared(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    look(&w, 7, 5);
    hear(&w, 3, FLE_LEADING, 3, 9, 2, 6);
    uint8_t bytes[64];
    fle_message(w.f, 2,
                from_hex(HEAD28 "0000000000000004"
                                "00000001",
                         bytes),
                w.now_ns);
    assert_decided(&w, FLE_FOLLOWING, 3);
    end(&w);
}

/* The leader of our round has its epoch before we have heard the last vote. */
static void a_vote_counts_on_when_its_server_has_a_leader(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    channel(&w, 2, true);
    channel(&w, 3, true);
    look(&w, 7, 5);
    hear(&w, 2, FLE_LOOKING, 2, 7, 1, 5);
    hear(&w, 2, FLE_LEADING, 2, 7, 1, 6);
    assert_undecided(&w);
    hear(&w, 3, FLE_LOOKING, 2, 7, 1, 5);
    assert_decided(&w, FLE_FOLLOWING, 2);
    end(&w);
}

/* In this round the votes of those who look and of those who have decided count together. */
static void who_decided_in_our_round_counts_as_a_vote(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, VOTER("1") VOTER("2") VOTER("3") VOTER("4") VOTER("5"));
    for (int64_t sid = 2; sid <= 5; sid++)
        channel(&w, sid, true);
    look(&w, 7, 5);
    hear(&w, 2, FLE_LOOKING, 3, 7, 1, 5);
    hear(&w, 3, FLE_LEADING, 3, 7, 1, 5);
    assert_decided(&w, FLE_FOLLOWING, 3);
    end(&w);
}

static void observers_have_nothing_to_say_about_leaders(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    look(&w, 7, 5);
    hear(&w, 2, FLE_OBSERVING, 3, 7, 1, 5);
    hear(&w, 3, FLE_OBSERVING, 3, 7, 1, 5);
    assert_undecided(&w);
    end(&w);
}

static void who_has_a_leader_answers_those_who_look(void **state)
{
    (void)state;
    struct world w;
    start(&w, 3, THREE "server.9=h:1:2:observer");
    channel(&w, 1, true);
    channel(&w, 2, false);
    look(&w, 7, 5);
    hear(&w, 1, FLE_LOOKING, 3, 7, 1, 5);
    assert_decided(&w, FLE_LEADING, 3);
    fle_settle(w.f, FLE_LEADING, 3);
    w.said[0] = 0;

    channel(&w, 2, true);
    assert_said(&w, "2:LEAD(3,7,r1,e5)"); /* it may count on us for another */
    hear(&w, 2, FLE_LOOKING, 2, 9, 1, 6);
    assert_said(&w, "2:LEAD(3,7,r1,e5)"); /* even to one who has more */
    hear(&w, 2, FLE_FOLLOWING, 3, 7, 1, 5);
    hear(&w, 1, FLE_FOLLOWING, 3, 7, 1, 5);
    assert_said(&w, "");
    hear(&w, 9, FLE_LOOKING, INT64_MIN, INT64_MIN, 1, INT64_MIN);
    assert_said(&w, "9:LEAD(3,7,r1,e5)");
    hear(&w, 77, FLE_LOOKING, 1, 1, 1, 1); /* a stranger, too: it may be about to join */
    assert_said(&w, "77:LEAD(3,7,r1,e5)");
    fle_update_epoch(w.f, 6);
    w.said[0] = 0;
    channel(&w, 2, true);
    assert_said(&w, ""); /* we have nothing to ask */
    hear(&w, 1, FLE_LOOKING, 1, 9, 2, 6);
    assert_said(&w, "1:LEAD(3,7,r1,e6)");
    end(&w);
}

static void who_asked_before_the_epoch_hears_of_it(void **state)
{
    (void)state;
    struct world w;
    start(&w, 3, VOTER("1") VOTER("2") VOTER("3") "server.9=h:1:2:observer");
    channel(&w, 1, true);
    channel(&w, 2, false);
    channel(&w, 9, true);
    look(&w, 7, 5);
    w.said[0] = 0;
    /* An observer that asks while we look hears of the decision without asking again. */
    hear(&w, 9, FLE_LOOKING, INT64_MIN, INT64_MIN, 1, INT64_MIN);
    assert_said(&w, "9:LOOK(3,7,r1,e5)");
    hear(&w, 1, FLE_LOOKING, 3, 7, 1, 5);
    assert_decided(&w, FLE_LEADING, 3);
    assert_said(&w, "9:LEAD(3,7,r1,e5)");
    channel(&w, 2, true);
    assert_said(&w, "2:LEAD(3,7,r1,e5)");
    hear(&w, 2, FLE_LOOKING, 2, 7, 1, 5);
    assert_said(&w, "2:LEAD(3,7,r1,e5)");
    fle_settle(w.f, FLE_LEADING, 3);
    fle_update_epoch(w.f, 6);
    assert_said(&w, "1:LEAD(3,7,r1,e6) 2:LEAD(3,7,r1,e6) 9:LEAD(3,7,r1,e6)");
    hear(&w, 2, FLE_FOLLOWING, 3, 7, 1, 6);
    fle_update_epoch(w.f, 6);
    assert_said(&w, "1:LEAD(3,7,r1,e6) 9:LEAD(3,7,r1,e6)"); /* 2 does not look any more */
    hear(&w, 2, FLE_LOOKING, 2, 7, 2, 5);
    assert_said(&w, "2:LEAD(3,7,r1,e6)");
    end(&w);
}

/* ---- what comes too early ---- */

static void a_vote_that_came_before_we_looked_counts(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    channel(&w, 2, true);
    channel(&w, 3, true);
    hear(&w, 3, FLE_LOOKING, 3, 7, 1, 5); /* not even our log was read */
    assert_said(&w, "");
    look(&w, 7, 5);
    assert_said(&w, "2:LOOK(1,7,r1,e5) 3:LOOK(1,7,r1,e5) 2:LOOK(3,7,r1,e5) 3:LOOK(3,7,r1,e5)");
    hear(&w, 2, FLE_LOOKING, 3, 7, 1, 5);
    assert_decided(&w, FLE_FOLLOWING, 3);
    fle_settle(w.f, FLE_FOLLOWING, 3);
    fle_update_epoch(w.f, 6);
    w.said[0] = 0;

    /* 2 loses the leader before we do. */
    hear(&w, 2, FLE_LOOKING, 2, 9, 2, 6);
    assert_said(&w, "2:FOLLOW(3,7,r1,e6)");
    channel(&w, 3, false);
    look(&w, 8, 6);
    assert_said(&w, "2:LOOK(1,8,r2,e6) 2:LOOK(2,9,r2,e6)");
    assert_decided(&w, FLE_FOLLOWING, 2);
    end(&w);
}

static void what_was_said_on_a_broken_channel_is_forgotten(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    channel(&w, 3, true);
    hear(&w, 3, FLE_LOOKING, 3, 7, 1, 5);
    channel(&w, 3, false);
    look(&w, 7, 5);
    struct fle_vote v;
    fle_current_vote(w.f, &v);
    assert_int_equal(v.leader, 1);

    channel(&w, 2, true);
    channel(&w, 3, true);
    hear(&w, 2, FLE_LEADING, 2, 7, 4, 5);
    channel(&w, 2, false);
    hear(&w, 3, FLE_FOLLOWING, 2, 7, 4, 5);
    assert_undecided(&w);
    end(&w);

    start(&w, 1, THREE); /* nor is anybody elected by a vote that may be another one by now */
    channel(&w, 2, true);
    channel(&w, 3, true);
    look(&w, 7, 5);
    hear(&w, 2, FLE_LOOKING, 2, 7, 1, 5);
    channel(&w, 2, false);
    pass(&w, 1000);
    assert_undecided(&w);
    channel(&w, 2, true);
    channel(&w, 3, false);
    hear(&w, 2, FLE_LOOKING, 2, 7, 2, 5);
    assert_decided(&w, FLE_FOLLOWING, 2);
    end(&w);
}

/* It did not count our vote while it had a leader. */
static void one_that_lost_its_leader_hears_our_vote_again(void **state)
{
    (void)state;
    struct world w;
    start(&w, 2, THREE);
    channel(&w, 1, true);
    channel(&w, 3, false);
    look(&w, 7, 5);
    assert_said(&w, "1:LOOK(2,7,r1,e5)");
    hear(&w, 1, FLE_FOLLOWING, 3, 7, 1, 5);
    assert_said(&w, "");
    hear(&w, 1, FLE_LOOKING, 1, 7, 1, 5);
    assert_said(&w, "1:LOOK(2,7,r1,e5)");
    hear(&w, 1, FLE_LOOKING, 2, 7, 1, 5);
    assert_decided(&w, FLE_LEADING, 2);
    end(&w);
}

/* ---- who may vote ---- */

static void an_observer_votes_for_nobody_and_joins(void **state)
{
    (void)state;
    struct world w;
    start(&w, 9, THREE "server.9=h:1:2:observer");
    channel(&w, 1, true);
    channel(&w, 2, true);
    look(&w, 99, 9);
    assert_said(&w, "1:LOOK(-,-,r1,e-) 2:LOOK(-,-,r1,e-)");
    hear(&w, 1, FLE_FOLLOWING, 2, 7, 4, 5);
    hear(&w, 2, FLE_LEADING, 2, 7, 4, 5);
    assert_decided(&w, FLE_OBSERVING, 2);
    end(&w);

    /* It is no quorum, with whomever. */
    start(&w, 9, THREE "server.9=h:1:2:observer");
    channel(&w, 1, true);
    look(&w, 99, 9);
    hear(&w, 1, FLE_LOOKING, 3, 7, 4, 5);
    assert_said(&w, "1:LOOK(-,-,r1,e-) 1:LOOK(3,7,r4,e5)");
    pass(&w, 1000);
    assert_undecided(&w);
    end(&w);
}

static void who_is_no_voter_is_answered_and_not_counted(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE "server.9=h:1:2:observer");
    channel(&w, 2, true);
    look(&w, 7, 5);
    w.said[0] = 0;
    hear(&w, 9, FLE_LOOKING, 3, 99, 8, 9);
    assert_said(&w, "9:LOOK(1,7,r1,e5)");
    hear(&w, 300, FLE_LOOKING, 3, 99, 8, 9);
    assert_said(&w, "300:LOOK(1,7,r1,e5)");
    hear(&w, 9, FLE_FOLLOWING, 3, 99, 8, 9); /* an answer is not answered */
    hear(&w, 2, FLE_LOOKING, 9, 99, 1, 9);   /* nor can it be a leader */
    assert_said(&w, "");
    end(&w);
}

static void the_same_question_is_not_answered_twice_at_once(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    channel(&w, 2, true);
    look(&w, 7, 5);
    w.said[0] = 0;
    for (int i = 0; i < 3; i++)
        hear(&w, 9, FLE_LOOKING, 9, 1, 1, 1);
    assert_said(&w, "9:LOOK(1,7,r1,e5)");
    hear(&w, 9, FLE_LOOKING, 9, 1, 2, 1); /* another question */
    assert_said(&w, "9:LOOK(1,7,r1,e5)");
    pass(&w, 100);
    hear(&w, 9, FLE_LOOKING, 9, 1, 2, 1);
    assert_said(&w, "9:LOOK(1,7,r1,e5)");
    channel(&w, 9, true); /* the answer may have been lost */
    hear(&w, 9, FLE_LOOKING, 9, 1, 2, 1);
    assert_said(&w, "9:LOOK(1,7,r1,e5)");
    hear(&w, 2, FLE_LOOKING, 3, 8, 1, 5); /* another answer */
    w.said[0] = 0;
    hear(&w, 9, FLE_LOOKING, 9, 1, 2, 1);
    assert_said(&w, "9:LOOK(3,8,r1,e5)");
    end(&w);
}

static void a_server_without_weight_is_nobodys_candidate(void **state)
{
    (void)state;
    const char *text =
        VOTER("1") VOTER("2") VOTER("3") VOTER("4") "group.1=1:2:3:4\nweight.3=0\nweight.4=0\n";
    struct world w;
    start(&w, 1, text);
    channel(&w, 2, true);
    channel(&w, 3, true);
    channel(&w, 4, true);
    look(&w, 7, 5);
    w.said[0] = 0;
    hear(&w, 3, FLE_LOOKING, 3, 99, 1, 9);
    assert_said(&w, "");
    hear(&w, 2, FLE_LOOKING, 2, 7, 1, 5);
    assert_decided(&w, FLE_FOLLOWING, 2); /* and is not waited for */
    end(&w);

    start(&w, 3, text); /* nor its own, once another is known */
    channel(&w, 1, true);
    look(&w, 99, 9);
    hear(&w, 1, FLE_LOOKING, 1, 7, 1, 5);
    assert_said(&w, "1:LOOK(3,99,r1,e9) 1:LOOK(1,7,r1,e5)");
    end(&w);
}

static void without_data_there_is_no_vote(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    look(&w, -1, 0);
    hear(&w, 2, FLE_LOOKING, 2, 7, 1, 5);
    hear(&w, 3, FLE_LOOKING, 2, 7, 1, 5);
    pass(&w, 5000);
    assert_undecided(&w);
    hear(&w, 2, FLE_LEADING, 2, 7, 1, 5);
    hear(&w, 3, FLE_FOLLOWING, 2, 7, 1, 5);
    assert_decided(&w, FLE_FOLLOWING, 2);
    end(&w);

    start(&w, 1, THREE);
    channel(&w, 3, false);
    look(&w, 7, 5);
    hear(&w, 2, FLE_LOOKING, 1, -1, 1, 5);
    pass(&w, 5000);
    assert_undecided(&w);
    end(&w);
}

/* ---- doubts ---- */

static void a_follower_doubts_when_its_leader_does_not_lead(void **state)
{
    (void)state;
    struct world w;
    for (int i = 0; i < 6; i++) {
        start(&w, 1, THREE);
        channel(&w, 2, true);
        channel(&w, 3, false);
        look(&w, 7, 5);
        hear(&w, 2, FLE_LOOKING, 2, 7, 1, 5);
        assert_decided(&w, FLE_FOLLOWING, 2);
        fle_settle(w.f, FLE_FOLLOWING, 2);
        assert_false(fle_doubts(w.f));
        switch (i) {
        case 0: /* it heard of a better one */
            hear(&w, 2, FLE_LOOKING, 3, 7, 1, 5);
            assert_true(fle_doubts(w.f));
            break;
        case 1: /* it failed and looks again */
            hear(&w, 2, FLE_LOOKING, 2, 7, 2, 5);
            assert_true(fle_doubts(w.f));
            break;
        case 2: /* it says the same again */
            hear(&w, 2, FLE_LOOKING, 2, 7, 1, 5);
            hear(&w, 2, FLE_LEADING, 2, 7, 1, 5);
            hear(&w, 3, FLE_LOOKING, 3, 7, 1, 5); /* one who had no part in it */
            assert_false(fle_doubts(w.f));
            break;
        case 3: /* the epoch is established: from here on the links decide */
            fle_update_epoch(w.f, 6);
            hear(&w, 2, FLE_LOOKING, 3, 7, 2, 5);
            assert_false(fle_doubts(w.f));
            break;
        case 5: /* it died */
            channel(&w, 3, false);
            assert_false(fle_doubts(w.f));
            channel(&w, 2, true);
            assert_false(fle_doubts(w.f));
            channel(&w, 2, false);
            assert_true(fle_doubts(w.f));
            break;
        case 4: /* somebody named another leader */
            fle_settle(w.f, FLE_FOLLOWING, 3);
            hear(&w, 2, FLE_LOOKING, 3, 7, 2, 5);
            assert_false(fle_doubts(w.f));
            break;
        }
        end(&w);
    }
}

/* It will join a leader only if a quorum has joined it before. */
static void who_begins_again_supports_nobody(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, VOTER("1") VOTER("2") VOTER("3") VOTER("4") VOTER("5"));
    for (int64_t sid = 2; sid <= 5; sid++)
        channel(&w, sid, true);
    look(&w, 7, 5);
    look(&w, 7, 5);
    for (int64_t sid = 2; sid <= 5; sid++)
        hear(&w, sid, FLE_LOOKING, 5, 7, 2, 5);
    assert_decided(&w, FLE_FOLLOWING, 5);
    hear(&w, 2, FLE_LOOKING, 2, 7, 1, 5);
    hear(&w, 3, FLE_LOOKING, 5, 7, 1, 5);
    assert_false(fle_doubts(w.f));
    hear(&w, 4, FLE_LOOKING, 4, 7, 1, 5);
    assert_true(fle_doubts(w.f));
    hear(&w, 3, FLE_FOLLOWING, 5, 7, 2, 5); /* it has come back */
    assert_false(fle_doubts(w.f));
    end(&w);
}

static void a_leader_doubts_when_it_has_no_quorum_any_more(void **state)
{
    (void)state;
    struct world w;
    start(&w, 2, THREE);
    channel(&w, 1, true);
    channel(&w, 3, false);
    look(&w, 7, 5);
    hear(&w, 1, FLE_LOOKING, 2, 7, 1, 5);
    assert_decided(&w, FLE_LEADING, 2);
    fle_settle(w.f, FLE_LEADING, 2);
    hear(&w, 1, FLE_LOOKING, 3, 7, 1, 5);
    assert_true(fle_doubts(w.f));
    hear(&w, 1, FLE_FOLLOWING, 2, 7, 1, 5); /* it has come back */
    assert_false(fle_doubts(w.f));
    hear(&w, 1, FLE_LOOKING, 3, 7, 1, 5);
    look(&w, 7, 5);
    assert_false(fle_doubts(w.f));
    hear(&w, 1, FLE_FOLLOWING, 3, 7, 1, 5);
    hear(&w, 3, FLE_LEADING, 3, 7, 1, 5);
    assert_decided(&w, FLE_FOLLOWING, 3);
    end(&w);
}

/* Where not all hear each other, hasty decisions could follow each other for ever. */
static void after_a_decision_without_an_epoch_nobody_is_left_out(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    channel(&w, 2, true);
    channel(&w, 3, false);
    look(&w, 7, 5);
    hear(&w, 2, FLE_LOOKING, 2, 7, 1, 5);
    assert_decided(&w, FLE_FOLLOWING, 2);
    look(&w, 7, 5);
    look(&w, 7, 5);
    hear(&w, 2, FLE_LOOKING, 2, 7, 3, 5);
    assert_undecided(&w);
    pass(&w, 200);
    assert_decided(&w, FLE_FOLLOWING, 2);
    channel(&w, 3, true);
    look(&w, 7, 5);
    hear(&w, 2, FLE_LOOKING, 2, 7, 4, 5);
    assert_undecided(&w);
    hear(&w, 3, FLE_LOOKING, 2, 7, 4, 5); /* where all agree there is nothing to wait for */
    assert_decided(&w, FLE_FOLLOWING, 2);
    channel(&w, 3, false);
    fle_settle(w.f, FLE_FOLLOWING, 2);
    fle_update_epoch(w.f, 6);
    look(&w, 7, 6);
    hear(&w, 2, FLE_LOOKING, 2, 7, 5, 6);
    assert_decided(&w, FLE_FOLLOWING, 2);
    end(&w);
}

/* Known only from others: perhaps we can reach it where it leads. */
static void a_leader_that_was_never_heard_is_not_doubted(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    channel(&w, 2, true);
    channel(&w, 3, false);
    look(&w, 7, 5);
    hear(&w, 2, FLE_LOOKING, 3, 7, 1, 5);
    assert_decided(&w, FLE_FOLLOWING, 3);
    assert_false(fle_doubts(w.f));
    hear(&w, 2, FLE_LOOKING, 2, 7, 2, 5);
    assert_true(fle_doubts(w.f));
    end(&w);
}

static void who_can_not_be_heard_any_more_is_not_elected(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    channel(&w, 2, true);
    channel(&w, 3, true);
    look(&w, 7, 5);
    hear(&w, 3, FLE_LOOKING, 3, 7, 1, 5);
    w.said[0] = 0;
    channel(&w, 3, false);
    assert_said(&w, "2:LOOK(1,7,r2,e5)");
    hear(&w, 2, FLE_LOOKING, 3, 7, 1, 5); /* it has not noticed yet */
    assert_said(&w, "2:LOOK(1,7,r2,e5)");
    assert_undecided(&w);
    hear(&w, 2, FLE_LOOKING, 2, 7, 2, 5);
    assert_decided(&w, FLE_FOLLOWING, 2);
    end(&w);
}

/* ---- configurations ---- */

static void a_newer_configuration_is_offered_while_looking(void **state)
{
    (void)state;
    const char *newer = THREE "version=5";
    struct world w;
    start(&w, 1, VOTER("1") VOTER("2") VOTER("3") "version=4");
    hear_config(&w, 2, FLE_LOOKING, 2, 7, 1, 5, newer);
    assert_string_equal(w.newer, ""); /* we do not look yet */
    look(&w, 7, 5);
    hear_config(&w, 2, FLE_LOOKING, 2, 7, 1, 5, THREE "version=4");
    hear_config(&w, 2, FLE_LOOKING, 2, 7, 1, 5, "version=5");
    assert_string_equal(w.newer, "");
    hear_config(&w, 2, FLE_FOLLOWING, 2, 7, 1, 5, newer);
    assert_string_equal(w.newer, newer);
    w.newer[0] = 0;
    hear_config(&w, 9, FLE_LOOKING, 2, 7, 1, 5, newer); /* from whomever */
    assert_string_equal(w.newer, newer);
    w.newer[0] = 0;
    hear(&w, 2, FLE_LEADING, 2, 7, 1, 5);
    hear(&w, 3, FLE_FOLLOWING, 2, 7, 1, 5);
    assert_decided(&w, FLE_FOLLOWING, 2);
    hear_config(&w, 2, FLE_LEADING, 2, 7, 1, 5, newer);
    assert_string_equal(w.newer, "");
    end(&w);
}

static void a_configuration_that_is_taken_begins_a_round(void **state)
{
    (void)state;
    const char *newer = VOTER("1") VOTER("4") "version=5";
    struct world w;
    start(&w, 1, THREE);
    w.take = config(newer);
    channel(&w, 2, true);
    channel(&w, 4, true);
    look(&w, 7, 5);
    assert_said(&w, "2:LOOK(1,7,r1,e5)");
    hear_config(&w, 2, FLE_LOOKING, 2, 7, 1, 5, newer);
    /* 2 is no voter any more: told, not counted. */
    assert_said(&w, "4:LOOK(1,7,r2,e5) 2:LOOK(1,7,r2,e5)");
    assert_int_equal(fle_round(w.f), 2);
    hear(&w, 4, FLE_LOOKING, 4, 7, 2, 5);
    assert_decided(&w, FLE_FOLLOWING, 4);
    end(&w);
}

static void a_proposed_configuration_needs_a_quorum_as_well(void **state)
{
    (void)state;
    struct world w;
    start(&w, 1, THREE);
    struct quorum *next = config(VOTER("1") VOTER("4") VOTER("5") "version=5");
    fle_set_next_config(w.f, next);
    channel(&w, 2, true);
    channel(&w, 3, false);
    channel(&w, 4, true);
    channel(&w, 5, false);
    look(&w, 7, 5);
    assert_said(&w, "2:LOOK(1,7,r1,e5) 4:LOOK(1,7,r1,e5)");
    hear(&w, 2, FLE_LOOKING, 2, 7, 1, 5);
    pass(&w, 1000);
    assert_undecided(&w);
    hear(&w, 4, FLE_LOOKING, 4, 7, 1, 5);
    hear(&w, 2, FLE_LOOKING, 4, 7, 1, 5);
    assert_decided(&w, FLE_FOLLOWING, 4);

    fle_update_epoch(w.f, 6);

    /* It is active: the old one does not count any more. */
    fle_set_config(w.f, next);
    look(&w, 7, 6);
    hear(&w, 4, FLE_LOOKING, 4, 7, 2, 6);
    assert_decided(&w, FLE_FOLLOWING, 4);
    quorum_free(next);
    end(&w);
}

/* ---- the oracle ---- */

static struct quorum *two_with_an_oracle(void)
{
    struct quorum *q = config(VOTER("1") VOTER("2"));
    q->oracle = true;
    return q;
}

static void with_the_oracle_one_of_two_leads_after_the_wait(void **state)
{
    (void)state;
    struct world w;
    start_with(&w, 1, two_with_an_oracle());
    channel(&w, 2, false);
    look(&w, 7, 5);
    pass(&w, 1000);
    assert_undecided(&w);
    fle_set_oracle(w.f, true);
    assert_undecided(&w);
    assert_int_equal(fle_deadline_ns(w.f), w.now_ns + 200 * MS);
    pass(&w, 200);
    assert_decided(&w, FLE_LEADING, 1);
    end(&w);
}

static void without_the_oracle_the_one_that_leads_is_followed(void **state)
{
    (void)state;
    struct world w;
    start_with(&w, 1, two_with_an_oracle());
    look(&w, 7, 5);
    hear(&w, 2, FLE_LEADING, 2, 7, 4, 5);
    assert_decided(&w, FLE_FOLLOWING, 2);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_notification_has_the_layout_of_apache),
        cmocka_unit_test(three_forms_are_told_apart_by_their_size),
        cmocka_unit_test(malformed_messages_are_counted_and_dropped),
        cmocka_unit_test(any_bytes_from_anybody_are_survived),
        cmocka_unit_test(our_vote_goes_wherever_there_is_a_channel),
        cmocka_unit_test(a_better_vote_is_taken_over_and_told_to_all),
        cmocka_unit_test(when_all_are_heard_nobody_waits),
        cmocka_unit_test(the_leader_decides_like_the_others),
        cmocka_unit_test(a_silent_channel_costs_the_full_wait),
        cmocka_unit_test(a_channel_that_breaks_ends_the_wait),
        cmocka_unit_test(a_server_not_tried_yet_is_waited_for),
        cmocka_unit_test(a_better_vote_during_the_wait_begins_it_anew),
        cmocka_unit_test(one_voter_decides_at_once),
        cmocka_unit_test(of_two_voters_both_are_needed),
        cmocka_unit_test(a_later_round_is_joined_and_an_earlier_one_is_told),
        cmocka_unit_test(a_better_vote_of_a_later_round_is_taken_with_it),
        cmocka_unit_test(rounds_go_on_after_the_largest_number),
        cmocka_unit_test(a_vote_is_repeated_ever_more_rarely),
        cmocka_unit_test(what_a_majority_has_joined_is_joined_without_delay),
        cmocka_unit_test(a_leader_must_say_that_it_leads),
        cmocka_unit_test(that_others_follow_us_counts_in_their_round_only),
        cmocka_unit_test(settled_votes_are_compared_by_leader_and_epoch),
        cmocka_unit_test(the_epoch_of_old_messages_is_not_compared),
        cmocka_unit_test(a_vote_counts_on_when_its_server_has_a_leader),
        cmocka_unit_test(who_decided_in_our_round_counts_as_a_vote),
        cmocka_unit_test(observers_have_nothing_to_say_about_leaders),
        cmocka_unit_test(who_has_a_leader_answers_those_who_look),
        cmocka_unit_test(who_asked_before_the_epoch_hears_of_it),
        cmocka_unit_test(a_vote_that_came_before_we_looked_counts),
        cmocka_unit_test(what_was_said_on_a_broken_channel_is_forgotten),
        cmocka_unit_test(one_that_lost_its_leader_hears_our_vote_again),
        cmocka_unit_test(an_observer_votes_for_nobody_and_joins),
        cmocka_unit_test(who_is_no_voter_is_answered_and_not_counted),
        cmocka_unit_test(the_same_question_is_not_answered_twice_at_once),
        cmocka_unit_test(a_server_without_weight_is_nobodys_candidate),
        cmocka_unit_test(without_data_there_is_no_vote),
        cmocka_unit_test(a_follower_doubts_when_its_leader_does_not_lead),
        cmocka_unit_test(who_begins_again_supports_nobody),
        cmocka_unit_test(a_leader_doubts_when_it_has_no_quorum_any_more),
        cmocka_unit_test(after_a_decision_without_an_epoch_nobody_is_left_out),
        cmocka_unit_test(a_leader_that_was_never_heard_is_not_doubted),
        cmocka_unit_test(who_can_not_be_heard_any_more_is_not_elected),
        cmocka_unit_test(a_newer_configuration_is_offered_while_looking),
        cmocka_unit_test(a_configuration_that_is_taken_begins_a_round),
        cmocka_unit_test(a_proposed_configuration_needs_a_quorum_as_well),
        cmocka_unit_test(with_the_oracle_one_of_two_leads_after_the_wait),
        cmocka_unit_test(without_the_oracle_the_one_that_leads_is_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
