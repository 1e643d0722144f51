/* links: wire */
/* Every record against a second description of its layout, written down here by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wire/records.h"

/* i: 4 bytes, q: 8, b: boolean, s: string or buffer, [..]: vector of what is inside, ?: what came
 * before it may be missing. */
#define LAYOUTS(X)                                                                                 \
    X(id, "ss")                                                                                    \
    X(acl, "iss")                                                                                  \
    X(stat, "qqqqiiiqiiq")                                                                         \
    X(stat_persisted, "qqqqiiiqq")                                                                 \
    X(client_info, "ss")                                                                           \
    X(connect_request, "iqiqsb?")                                                                  \
    X(connect_response, "iiqsb?")                                                                  \
    X(request_header, "ii")                                                                        \
    X(reply_header, "iqi")                                                                         \
    X(multi_header, "ibi")                                                                         \
    X(auth_packet, "iss")                                                                          \
    X(get_sasl_request, "s")                                                                       \
    X(set_sasl_request, "s")                                                                       \
    X(set_sasl_response, "s")                                                                      \
    X(create_request, "ss[iss]i")                                                                  \
    X(create_ttl_request, "ss[iss]iq")                                                             \
    X(delete_request, "si")                                                                        \
    X(delete_container_request, "s")                                                               \
    X(exists_request, "sb")                                                                        \
    X(get_data_request, "sb")                                                                      \
    X(set_data_request, "ssi")                                                                     \
    X(get_acl_request, "s")                                                                        \
    X(set_acl_request, "s[iss]i")                                                                  \
    X(get_children_request, "sb")                                                                  \
    X(get_children2_request, "sb")                                                                 \
    X(get_all_children_number_request, "s")                                                        \
    X(get_ephemerals_request, "s")                                                                 \
    X(check_version_request, "si")                                                                 \
    X(sync_request, "s")                                                                           \
    X(reconfig_request, "sssq")                                                                    \
    X(set_watches, "q[s][s][s]")                                                                   \
    X(set_watches2, "q[s][s][s][s][s]")                                                            \
    X(add_watch_request, "si")                                                                     \
    X(check_watches_request, "si")                                                                 \
    X(remove_watches_request, "si")                                                                \
    X(create_response, "s")                                                                        \
    X(create2_response, "sqqqqiiiqiiq")                                                            \
    X(exists_response, "qqqqiiiqiiq")                                                              \
    X(get_data_response, "sqqqqiiiqiiq")                                                           \
    X(set_data_response, "qqqqiiiqiiq")                                                            \
    X(get_acl_response, "[iss]qqqqiiiqiiq")                                                        \
    X(set_acl_response, "qqqqiiiqiiq")                                                             \
    X(get_children_response, "[s]")                                                                \
    X(get_children2_response, "[s]qqqqiiiqiiq")                                                    \
    X(get_all_children_number_response, "i")                                                       \
    X(get_ephemerals_response, "[s]")                                                              \
    X(sync_response, "s")                                                                          \
    X(who_am_i_response, "[ss]")                                                                   \
    X(error_response, "i")                                                                         \
    X(watcher_event, "iis")                                                                        \
    X(txn_header, "qiqqi")                                                                         \
    X(txn_digest, "iq")                                                                            \
    X(create_txn_v0, "ss[iss]b")                                                                   \
    X(create_txn, "ss[iss]bi")                                                                     \
    X(create_ttl_txn, "ss[iss]iq")                                                                 \
    X(create_container_txn, "ss[iss]i")                                                            \
    X(delete_txn, "s")                                                                             \
    X(set_data_txn, "ssi")                                                                         \
    X(check_version_txn, "si")                                                                     \
    X(set_acl_txn, "s[iss]i")                                                                      \
    X(create_session_txn, "i")                                                                     \
    X(close_session_txn, "[s]")                                                                    \
    X(error_txn, "i")                                                                              \
    X(txn, "is")                                                                                   \
    X(multi_txn, "[is]")                                                                           \
    X(file_header, "iiq")                                                                          \
    X(learner_info, "qiq")                                                                         \
    X(quorum_packet, "iqs[ss]")                                                                    \
    X(quorum_auth_packet, "qis")

/* Decodes one record and, if it was well-formed, encodes it again. */
typedef bool recode_fn(struct dec *d, struct buf *out);

#define DEFINE_RECODE(name, layout)                                                                \
    static bool recode_##name(struct dec *d, struct buf *out)                                      \
    {                                                                                              \
        struct rec_##name r;                                                                       \
        if (!rec_get_##name(d, &r))                                                                \
            return false;                                                                          \
        rec_put_##name(out, &r);                                                                   \
        return true;                                                                               \
    }
LAYOUTS(DEFINE_RECODE)

struct row {
    const char *name;
    const char *layout;
    recode_fn *recode;
};

static const struct row rows[] = {
#define DEFINE_ROW(name, layout) {#name, layout, recode_##name},
    LAYOUTS(DEFINE_ROW)};

#define COUNT_ROW(name) +1
_Static_assert(sizeof rows / sizeof rows[0] == 0 REC_MAP(COUNT_ROW),
               "a record of the schema has no layout here");

#define EACH_ROW(row)                                                                              \
    (const struct row *row = rows; row < rows + sizeof rows / sizeof rows[0]; row++)

enum shape {
    FILLED,
    NULLS,
    EMPTY
};

/* Bytes of a record, each value different from its neighbours. */
struct sample {
    struct buf bytes;
    size_t lengths[64]; /* where lengths and counts stand */
    size_t length_count;
    size_t optional_at; /* where an optional tail begins; the end without one */
    uint8_t next;
};

static void put_running(struct sample *s, int count)
{
    while (count-- > 0)
        buf_put_u8(&s->bytes, ++s->next);
}

static void put_length(struct sample *s, int32_t length)
{
    s->lengths[s->length_count++] = s->bytes.len;
    buf_put_i32(&s->bytes, length);
}

static const char *put_layout(struct sample *s, const char *layout, enum shape shape);

static const char *put_vector(struct sample *s, const char *element, enum shape shape)
{
    static const int32_t counts[] = {[FILLED] = 2, [NULLS] = -1, [EMPTY] = 0};
    put_length(s, counts[shape]);
    for (int i = 0; i < counts[shape]; i++)
        put_layout(s, element, shape);
    while (*element != ']')
        element++;
    return element;
}

static const char *put_layout(struct sample *s, const char *layout, enum shape shape)
{
    static const int32_t lengths[] = {[FILLED] = 3, [NULLS] = -1, [EMPTY] = 0};
    for (; *layout != '\0' && *layout != ']'; layout++) {
        if (layout[1] == '?')
            s->optional_at = s->bytes.len;
        switch (*layout) {
        case 'i':
            put_running(s, 4);
            break;
        case 'q':
            put_running(s, 8);
            break;
        case 'b':
            buf_put_u8(&s->bytes, 1);
            break;
        case 's':
            put_length(s, lengths[shape]);
            put_running(s, lengths[shape]);
            break;
        case '[':
            layout = put_vector(s, layout + 1, shape);
            break;
        default:
            break;
        }
    }
    return layout;
}

static struct sample sample_of(const struct row *row, enum shape shape)
{
    struct sample s = {0};
    put_layout(&s, row->layout, shape);
    if (strchr(row->layout, '?') == NULL)
        s.optional_at = s.bytes.len;
    return s;
}

/* Recodes a copy that ends exactly where its memory does, so that a read past the end is seen. */
static bool recode_exact(const struct row *row, const uint8_t *bytes, size_t len, struct buf *out)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, bytes, len);
    struct dec d = dec_of(slice_of(copy, len));
    buf_clear(out);
    bool good = row->recode(&d, out);
    assert_int_equal(good, !d.bad);
    free(copy);
    return good;
}

static void assert_same(const struct row *row, struct slice got, struct slice wanted)
{
    if (!slice_eq(got, wanted))
        fail_msg("%s: %zu bytes came back as %zu others", row->name, wanted.len, got.len);
}

static void every_record_comes_back_as_it_was(void **state)
{
    (void)state;
    struct buf out = {0};
    for
        EACH_ROW(row)
        {
            for (int shape = FILLED; shape <= EMPTY; shape++) {
                struct sample s = sample_of(row, (enum shape)shape);
                assert_true(recode_exact(row, s.bytes.ptr, s.bytes.len, &out));
                assert_same(row, buf_slice(&out), buf_slice(&s.bytes));
                buf_deinit(&s.bytes);
            }
        }
    buf_deinit(&out);
}

static void every_truncation_is_refused_unless_only_the_optional_tail_is_missing(void **state)
{
    (void)state;
    struct buf out = {0};
    for
        EACH_ROW(row)
        {
            struct sample s = sample_of(row, FILLED);
            for (size_t len = 0; len < s.bytes.len; len++) {
                bool whole = len == s.optional_at;
                if (recode_exact(row, s.bytes.ptr, len, &out) != whole)
                    fail_msg("%s cut to %zu bytes", row->name, len);
                if (whole)
                    assert_int_equal(out.len, len);
            }
            buf_deinit(&s.bytes);
        }
    buf_deinit(&out);
}

static void bytes_behind_a_record_are_left_alone(void **state)
{
    (void)state;
    for
        EACH_ROW(row)
        {
            struct sample s = sample_of(row, FILLED);
            size_t len = s.bytes.len;
            buf_put_i32(&s.bytes, 7);
            struct dec d = dec_of(buf_slice(&s.bytes));
            struct buf out = {0};
            assert_true(row->recode(&d, &out));
            assert_int_equal(out.len, len);
            assert_int_equal(dec_left(&d), 4);
            buf_deinit(&out);
            buf_deinit(&s.bytes);
        }
}

static void a_length_that_lies_is_refused(void **state)
{
    (void)state;
    static const int32_t lies[] = {INT32_MAX, INT32_MAX / 2, 1000, 0x01000000};
    struct buf out = {0};
    for
        EACH_ROW(row)
        {
            struct sample s = sample_of(row, FILLED);
            for (size_t i = 0; i < s.length_count; i++) {
                for (size_t k = 0; k < sizeof lies / sizeof lies[0]; k++) {
                    uint8_t *at = s.bytes.ptr + s.lengths[i];
                    uint32_t honest = load_be32(at);
                    store_be32(at, (uint32_t)lies[k]);
                    assert_false(recode_exact(row, s.bytes.ptr, s.bytes.len, &out));
                    store_be32(at, honest);
                }
            }
            buf_deinit(&s.bytes);
        }
    buf_deinit(&out);
}

/* What is accepted has one meaning: written and read again it stays the same. */
static void random_damage_is_refused_or_understood(void **state)
{
    (void)state;
    uint32_t random = 20240607;
    struct buf out = {0};
    struct buf again = {0};
    for
        EACH_ROW(row)
        {
            for (int round = 0; round < 400; round++) {
                struct sample s = sample_of(row, (enum shape)(round % 3));
                for (int hits = 0; hits < 1 + round % 4; hits++) {
                    random = random * 1664525u + 1013904223u;
                    size_t at = (random >> 8) % s.bytes.len;
                    random = random * 1664525u + 1013904223u;
                    s.bytes.ptr[at] = (uint8_t)(round % 2 ? random >> 24 : (random >> 31) * 0xff);
                }
                if (recode_exact(row, s.bytes.ptr, s.bytes.len, &out)) {
                    assert_true(recode_exact(row, out.ptr, out.len, &again));
                    assert_same(row, buf_slice(&again), buf_slice(&out));
                }
                buf_deinit(&s.bytes);
            }
        }
    buf_deinit(&again);
    buf_deinit(&out);
}

static void a_record_that_does_not_fit_is_not_begun(void **state)
{
    (void)state;
    for
        EACH_ROW(row)
        {
            struct sample s = sample_of(row, FILLED);
            struct buf out;
            buf_init(&out, s.bytes.len - 1);
            struct dec d = dec_of(buf_slice(&s.bytes));
            assert_true(row->recode(&d, &out));
            assert_false(buf_ok(&out));
            assert_int_equal(out.len, 0);
            buf_deinit(&out);
            buf_deinit(&s.bytes);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_comes_back_as_it_was),
        cmocka_unit_test(every_truncation_is_refused_unless_only_the_optional_tail_is_missing),
        cmocka_unit_test(bytes_behind_a_record_are_left_alone),
        cmocka_unit_test(a_length_that_lies_is_refused),
        cmocka_unit_test(random_damage_is_refused_or_understood),
        cmocka_unit_test(a_record_that_does_not_fit_is_not_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
