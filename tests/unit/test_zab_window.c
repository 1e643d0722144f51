/* links: zab */
/* The window of recent transactions, against a list that does the same slowly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "zab/window.h"

enum {
    MODEL_MAX = 4096
};

struct model {
    int64_t zxid[MODEL_MAX];
    size_t len[MODEL_MAX];
    size_t count;
    int64_t base;
};

static uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static struct slice entry_of(uint8_t *bytes, int64_t zxid, size_t len)
{
    memset(bytes, (int)(zxid & 0xff), len);
    return slice_of(bytes, len);
}

static void verify(const struct window *w, const struct model *m, uint8_t *bytes)
{
    assert_int_equal(window_count(w), m->count);
    assert_true(w->base == m->base);
    size_t total = 0;
    for (size_t i = 0; i < m->count; i++) {
        uint64_t seq = w->first + i;
        assert_true(window_at(w, seq)->zxid == m->zxid[i]);
        assert_true(slice_eq(window_data(w, seq), entry_of(bytes, m->zxid[i], m->len[i])));
        struct slice p = window_packet(w, seq);
        assert_int_equal(load_be32(p.ptr), 2);
        assert_true((int64_t)load_be64(p.ptr + 4) == m->zxid[i]);
        assert_int_equal(load_be32(p.ptr + 12), m->len[i]);
        assert_int_equal(load_be32(p.ptr + 16 + m->len[i]), UINT32_MAX);
        total += p.len;
        assert_int_equal(window_behind(w, m->zxid[i]), seq + 1);
        assert_int_equal(window_behind(w, m->zxid[i] - 1), seq);
    }
    assert_int_equal(w->bytes, total);

    size_t run_total = 0;
    for (uint64_t at = w->first; at < w->end;)
        run_total += window_run(w, at, w->end, &at).len;
    assert_int_equal(run_total, total);
}

static void drop_first(struct window *w, struct model *m)
{
    if (m->count == 0)
        return;
    window_drop_first(w);
    m->base = m->zxid[0];
    m->count--;
    memmove(m->zxid, m->zxid + 1, m->count * sizeof *m->zxid);
    memmove(m->len, m->len + 1, m->count * sizeof *m->len);
}

static void cut(struct window *w, struct model *m, int64_t zxid)
{
    window_cut(w, zxid);
    while (m->count > 0 && m->zxid[m->count - 1] > zxid)
        m->count--;
    if (m->base > zxid)
        m->base = zxid;
}

static void append(struct window *w, struct model *m, uint64_t *r, uint8_t *bytes)
{
    int64_t zxid = window_last(w) + 1 + (int64_t)(next_random(r) % 3);
    size_t len = next_random(r) % 100 == 0 ? next_random(r) % 400000 : next_random(r) % 9000;
    m->zxid[m->count] = zxid;
    m->len[m->count++] = len;
    window_append(w, zxid, entry_of(bytes, zxid, len), 0);
}

static void it_is_a_list(void **state)
{
    (void)state;
    uint8_t *bytes = mem_alloc(400000);
    struct model *m = mem_calloc(1, sizeof *m);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct window w;
        window_init(&w, 7);
        *m = (struct model){.base = 7};
        uint64_t r = seed * 7919;
        for (int step = 0; step < 400; step++) {
            uint64_t dice = next_random(&r) % 100;
            if (dice < 55 && m->count < MODEL_MAX)
                append(&w, m, &r, bytes);
            else if (dice < 90)
                drop_first(&w, m);
            else if (dice < 98)
                cut(&w, m, window_last(&w) - (int64_t)(next_random(&r) % 8));
            else {
                window_reset(&w, window_last(&w) + 3);
                m->base = w.base;
                m->count = 0;
            }
            if (step % 16 == 0)
                verify(&w, m, bytes);
        }
        verify(&w, m, bytes);
        window_deinit(&w);
    }
    free(m);
    free(bytes);
}

/* What leaves at the front makes room at the back: the memory stays the same. */
static void small_ones_lie_side_by_side(void **state)
{
    (void)state;
    struct window w;
    window_init(&w, 0);
    for (int64_t zxid = 1; zxid <= 10; zxid++)
        window_append(&w, zxid, slice_str("0123456789"), 0);
    uint64_t next = 0;
    struct slice run = window_run(&w, w.first, w.end, &next);
    assert_int_equal(next, w.end);
    assert_int_equal(run.len, 10 * 30);
    run = window_run(&w, w.first + 2, w.first + 5, &next);
    assert_int_equal(run.len, 3 * 30);
    window_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_a_list),
        cmocka_unit_test(small_ones_lie_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
