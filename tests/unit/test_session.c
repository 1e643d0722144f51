/* links: session */
/* Sessions: when they expire, what touching does, and that ids and passwords are ZooKeeper's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "session/session.h"

enum {
    TICK_MS = 1000
};

static void a_session_expires_at_the_first_tick_after_its_timeout(void **state)
{
    (void)state;
    struct session_table *st = session_table_create(TICK_MS, 1);
    session_add(st, 7, 2000, 500);
    assert_int_equal(session_next_deadline_ms(st), 3000);
    assert_null(session_next_expired(st, 2999));
    assert_int_equal(session_next_expired(st, 3000)->id, 7);
    session_table_free(st);
}

/* (time / tick + 1) * tick: exactly on a tick is not yet over. */
static void a_timeout_that_ends_on_a_tick_waits_for_the_next_one(void **state)
{
    (void)state;
    struct session_table *st = session_table_create(TICK_MS, 1);
    session_add(st, 7, 2000, 1000);
    assert_int_equal(session_next_deadline_ms(st), 4000);
    session_table_free(st);
}

static void a_touched_session_lives_on(void **state)
{
    (void)state;
    struct session_table *st = session_table_create(TICK_MS, 1);
    struct session *s = session_add(st, 7, 2000, 0);
    session_touch(st, s, 2000, 2500);
    assert_null(session_next_expired(st, 4999));
    assert_int_equal(session_next_expired(st, 5000)->id, 7);
    session_table_free(st);
}

static void a_touch_may_shorten_a_life(void **state)
{
    (void)state;
    struct session_table *st = session_table_create(TICK_MS, 1);
    struct session *s = session_add(st, 7, 60000, 0);
    session_touch(st, s, 1000, 0);
    assert_int_equal(session_next_expired(st, 2000)->id, 7);
    session_table_free(st);
}

static void a_closing_session_is_not_touched_and_does_not_expire_again(void **state)
{
    (void)state;
    struct session_table *st = session_table_create(TICK_MS, 1);
    struct session *s = session_add(st, 7, 1000, 0);
    assert_ptr_equal(session_next_expired(st, 2000), s);
    session_mark_closing(st, s);
    assert_null(session_next_expired(st, 2000));
    session_touch(st, s, 1000, 2000);
    assert_int_equal(session_next_deadline_ms(st), INT64_MAX);
    assert_null(session_next_expired(st, INT64_MAX));
    assert_ptr_equal(session_find(st, 7), s);
    session_remove(st, 7);
    assert_null(session_find(st, 7));
    session_table_free(st);
}

static void adding_a_session_twice_is_adding_it_once(void **state)
{
    (void)state;
    struct session_table *st = session_table_create(TICK_MS, 1);
    struct session *s = session_add(st, 7, 1000, 0);
    assert_ptr_equal(session_add(st, 7, 5000, 0), s);
    assert_int_equal(session_count(st), 1);
    assert_int_equal(s->timeout_ms, 1000);
    assert_null(session_next_expired(st, 5999));
    assert_ptr_equal(session_next_expired(st, 6000), s);
    session_table_free(st);
}

static void earlier_buckets_expire_first_and_arrivals_in_order(void **state)
{
    (void)state;
    struct session_table *st = session_table_create(TICK_MS, 1);
    session_add(st, 1, 5000, 0);
    session_add(st, 2, 1000, 0);
    session_add(st, 3, 1000, 1);
    int64_t expected[] = {2, 3, 1};
    for (size_t i = 0; i < 3; i++) {
        struct session *s = session_next_expired(st, 100000);
        assert_int_equal(s->id, expected[i]);
        session_mark_closing(st, s);
    }
    assert_null(session_next_expired(st, 100000));
    session_table_free(st);
}

static void a_leap_of_years_expires_everything_at_once(void **state)
{
    (void)state;
    struct session_table *st = session_table_create(1, 1);
    for (int64_t id = 1; id <= 1000; id++)
        session_add(st, id, (int32_t)(id * 7919), 0);
    size_t expired = 0;
    struct session *s;
    while ((s = session_next_expired(st, INT64_C(1) << 50)) != NULL) {
        session_mark_closing(st, s);
        session_remove(st, s->id);
        expired++;
    }
    assert_int_equal(expired, 1000);
    assert_int_equal(session_bucket_count(st), 0);
    session_table_free(st);
}

static void timeouts_of_nonsense_expire_and_harm_nothing(void **state)
{
    (void)state;
    struct session_table *st = session_table_create(TICK_MS, 1);
    session_add(st, 1, INT32_MIN, 0);
    session_add(st, 2, -1, 0);
    session_add(st, 3, INT32_MAX, 0);
    session_remove(st, 4);
    assert_int_equal(session_next_expired(st, 0)->id, 1);
    session_remove(st, 1);
    assert_int_equal(session_next_expired(st, 1000)->id, 2);
    session_remove(st, 2);
    assert_null(session_next_expired(st, INT32_MAX));
    assert_int_equal(session_next_expired(st, INT64_C(1) + INT32_MAX + TICK_MS)->id, 3);
    session_table_free(st);
}

struct dump {
    char text[256];
    size_t len;
};

static void dump_bucket(void *arg, int64_t expires_ms, size_t count, const struct session *s)
{
    struct dump *d = arg;
    int len = s == NULL ? snprintf(d->text + d->len, sizeof d->text - d->len, "%zu at %d:", count,
                                   (int)expires_ms)
                        : snprintf(d->text + d->len, sizeof d->text - d->len, " %d ", (int)s->id);
    d->len += (size_t)len;
}

static void a_dump_shows_buckets_in_order_with_the_emptied_ones(void **state)
{
    (void)state;
    struct session_table *st = session_table_create(TICK_MS, 1);
    struct session *s = session_add(st, 1, 1500, 0);
    session_add(st, 2, 3500, 0);
    session_add(st, 3, 3500, 0);
    session_touch(st, s, 9500, 0);
    struct dump d = {.len = 0};
    session_each_by_expiry(st, dump_bucket, &d);
    assert_string_equal(d.text, "0 at 2000:2 at 4000: 2  3 1 at 10000: 1 ");
    assert_null(session_next_expired(st, 2000));
    assert_int_equal(session_bucket_count(st), 2);
    session_table_free(st);
}

static void sorted_sessions_rise_by_unsigned_id(void **state)
{
    (void)state;
    struct session_table *st = session_table_create(TICK_MS, 99);
    for (int64_t id = 1000; id > -1000; id -= 3)
        session_add(st, id, 1000, 0);
    size_t count;
    struct session **sorted = session_sorted(st, &count);
    assert_int_equal(count, session_count(st));
    for (size_t i = 1; i < count; i++)
        assert_true((uint64_t)sorted[i - 1]->id < (uint64_t)sorted[i]->id);
    free(sorted);
    session_table_free(st);
}

/* The model keeps for every session its bucket in a plain array and knows no trick. */
enum {
    MODEL_IDS = 64,
    MODEL_STEPS = 200000
};

struct model_session {
    bool present, closing;
    int64_t expires_ms;
};

static void expire_both(struct session_table *st, struct model_session *model, int64_t now_ms)
{
    struct session *s;
    while ((s = session_next_expired(st, now_ms)) != NULL) {
        struct model_session *m = &model[s->id];
        assert_true(m->present && !m->closing && m->expires_ms <= now_ms);
        session_mark_closing(st, s);
        m->closing = true;
    }
    int64_t first_ms = INT64_MAX;
    for (size_t i = 0; i < MODEL_IDS; i++) {
        if (model[i].present && !model[i].closing && model[i].expires_ms < first_ms)
            first_ms = model[i].expires_ms;
    }
    assert_true(first_ms > now_ms);
    int64_t deadline_ms = session_next_deadline_ms(st);
    assert_true(first_ms == INT64_MAX ? deadline_ms == INT64_MAX
                                      : deadline_ms <= first_ms && deadline_ms > now_ms);
}

static void random_lives_agree_with_a_naive_model(void **state)
{
    (void)state;
    struct session_table *st = session_table_create(37, 5);
    struct model_session model[MODEL_IDS] = {0};
    int64_t now_ms = 1000;
    for (uint64_t step = 0; step < MODEL_STEPS; step++) {
        uint64_t r = hash_u64(step, 4711);
        int64_t id = (int64_t)(r % MODEL_IDS);
        int32_t timeout_ms = (int32_t)(r >> 8 & 1023);
        int64_t expires_ms = ((now_ms + timeout_ms) / 37 + 1) * 37;
        struct model_session *m = &model[id];
        struct session *s = session_find(st, id);
        assert_int_equal(s != NULL, m->present);
        switch (r >> 32 & 7) {
        case 0:
            session_remove(st, id);
            m->present = false;
            break;
        case 1:
            if (s != NULL) {
                session_mark_closing(st, s);
                m->closing = true;
            }
            break;
        case 2:
            now_ms += (int64_t)(r >> 40 & 63);
            expire_both(st, model, now_ms);
            break;
        default:
            if (s == NULL)
                *m = (struct model_session){.present = true};
            session_touch(st, session_add(st, id, timeout_ms, now_ms), timeout_ms, now_ms);
            if (!m->closing)
                m->expires_ms = expires_ms;
            break;
        }
    }
    session_table_free(st);
}

static void session_ids_carry_server_and_time_and_never_mark_a_container(void **state)
{
    (void)state;
    int64_t next = session_first_id(1700000000123, 5);
    assert_int_equal(next, 0x58bcfe5687b0000);
    assert_int_equal(session_next_id(&next), 0x58bcfe5687b0000);
    assert_int_equal(session_next_id(&next), 0x58bcfe5687b0001);

    assert_int_equal(session_first_id(0, 0x80), INT64_MIN + 1);
    next = INT64_MIN;
    assert_int_equal(session_next_id(&next), INT64_MIN + 1);
    next = INT64_MAX;
    assert_int_equal(session_next_id(&next), INT64_MAX);
    assert_int_equal(session_next_id(&next), INT64_MIN + 1);
}

/* Made with java.util.Random of a JDK 17. */
static void passwords_are_those_a_java_server_makes(void **state)
{
    (void)state;
    static const struct {
        int64_t id;
        uint8_t password[SESSION_PASSWORD_BYTES];
    } known[] = {
        {0,
         {0xf2, 0x2a, 0xcd, 0x4a, 0x97, 0xe6, 0x9d, 0x6d, 0x20, 0xa4, 0x9b, 0xb6, 0x38, 0xea, 0xdb,
          0x38}},
        {0x1000123456789ab,
         {0x23, 0x77, 0x10, 0xbc, 0x62, 0xd7, 0x79, 0x89, 0xa4, 0x2e, 0x8d, 0xa7, 0x70, 0x22, 0x78,
          0x9d}},
        {-1,
         {0x20, 0xf6, 0x2c, 0xb5, 0x64, 0x8d, 0xc2, 0xd7, 0x71, 0x47, 0x1c, 0x8a, 0x24, 0x86, 0xa9,
          0xee}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint8_t password[SESSION_PASSWORD_BYTES];
        session_password(known[i].id, password);
        assert_memory_equal(password, known[i].password, sizeof password);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_expires_at_the_first_tick_after_its_timeout),
        cmocka_unit_test(a_timeout_that_ends_on_a_tick_waits_for_the_next_one),
        cmocka_unit_test(a_touched_session_lives_on),
        cmocka_unit_test(a_touch_may_shorten_a_life),
        cmocka_unit_test(a_closing_session_is_not_touched_and_does_not_expire_again),
        cmocka_unit_test(adding_a_session_twice_is_adding_it_once),
        cmocka_unit_test(earlier_buckets_expire_first_and_arrivals_in_order),
        cmocka_unit_test(a_leap_of_years_expires_everything_at_once),
        cmocka_unit_test(timeouts_of_nonsense_expire_and_harm_nothing),
        cmocka_unit_test(a_dump_shows_buckets_in_order_with_the_emptied_ones),
        cmocka_unit_test(sorted_sessions_rise_by_unsigned_id),
        cmocka_unit_test(random_lives_agree_with_a_naive_model),
        cmocka_unit_test(session_ids_carry_server_and_time_and_never_mark_a_container),
        cmocka_unit_test(passwords_are_those_a_java_server_makes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
