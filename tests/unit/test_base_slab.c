/* links: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/slab.h"

enum {
    CELLS = 4000
};

struct held {
    uint8_t *ptr;
    size_t bytes;
    uint8_t mark;
};

static void take(struct slab *s, struct held *h, size_t bytes, uint8_t mark)
{
    *h = (struct held){slab_alloc(s, bytes), bytes, mark};
    assert_int_equal((uintptr_t)h->ptr % 8, 0);
    memset(h->ptr, mark, bytes);
}

static void give_back(struct slab *s, struct held *h)
{
    for (size_t i = 0; i < h->bytes; i++)
        assert_int_equal(h->ptr[i], h->mark);
    slab_free(s, h->ptr, h->bytes);
    h->ptr = NULL;
}

static void cells_do_not_overlap_whatever_comes_and_goes(void **state)
{
    (void)state;
    static struct held held[CELLS];
    memset(held, 0, sizeof held);
    struct slab s;
    slab_init(&s);
    uint64_t random = 11;
    for (int step = 0; step < 60000; step++) {
        random = hash_u64(random, 5);
        struct held *h = &held[random % CELLS];
        if (h->ptr != NULL)
            give_back(&s, h);
        else
            take(&s, h, 1 + (random >> 20) % 1200, (uint8_t)(random >> 50));
    }
    for (int i = 0; i < CELLS; i++) {
        if (held[i].ptr != NULL)
            give_back(&s, &held[i]);
    }
    assert_int_equal(s.large_bytes, 0);
    slab_deinit(&s);
    assert_int_equal(slab_bytes(&s), 0);
}

static void an_emptied_slab_keeps_little(void **state)
{
    (void)state;
    static struct held held[CELLS];
    struct slab s;
    slab_init(&s);
    for (int i = 0; i < CELLS; i++)
        take(&s, &held[i], 248, (uint8_t)i);
    assert_true(slab_bytes(&s) >= CELLS * 248);
    assert_true(slab_bytes(&s) < CELLS * 248 + 2 * 65536);
    for (int i = 0; i < CELLS; i++)
        give_back(&s, &held[i]);
    assert_true(slab_bytes(&s) <= 65536);
    slab_deinit(&s);
}

static void large_cells_are_counted(void **state)
{
    (void)state;
    struct slab s;
    struct held small, large;
    slab_init(&s);
    take(&s, &small, SLAB_CELL_BYTES_MAX, 1);
    assert_int_equal(s.large_bytes, 0);
    take(&s, &large, SLAB_CELL_BYTES_MAX + 1, 2);
    assert_int_equal(s.large_bytes, SLAB_CELL_BYTES_MAX + 1);
    give_back(&s, &large);
    assert_int_equal(s.large_bytes, 0);
    give_back(&s, &small);
    slab_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_do_not_overlap_whatever_comes_and_goes),
        cmocka_unit_test(an_emptied_slab_keeps_little),
        cmocka_unit_test(large_cells_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
