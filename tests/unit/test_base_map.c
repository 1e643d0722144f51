/* links: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/map.h"

enum {
    KEYS = 300
};

/* Few keys, so that they meet; spread over 64 bits by an injective rule, 0 and the greatest
 * included. */
static uint64_t key_of(uint32_t i)
{
    return i == 1 ? UINT64_MAX : i * UINT64_C(0x123456789abcdef1);
}

struct model {
    void *values[KEYS];
    size_t count;
};

static void assert_map_is(const struct map *m, const struct model *model)
{
    assert_int_equal(m->count, model->count);
    for (uint32_t i = 0; i < KEYS; i++)
        assert_ptr_equal(map_get(m, key_of(i)), model->values[i]);

    size_t at = 0;
    size_t seen = 0;
    while (map_next(m, &at) != NULL)
        seen++;
    assert_int_equal(seen, model->count);
}

static void run_against_model(uint64_t seed)
{
    static char cells[1000];
    struct map m;
    map_init(&m, seed);
    struct model model = {0};

    uint64_t random = seed;
    for (int step = 0; step < 20000; step++) {
        random = hash_u64(random, seed);
        uint32_t i = (uint32_t)(random >> 8) % KEYS;
        /* Rather more puts, then rather more removals: it fills and empties several times. */
        bool put = (random & 0xff) < (step / 2000 % 2 == 0 ? 180 : 70);
        if (put) {
            void *value = &cells[random >> 40 & 511];
            assert_ptr_equal(map_put(&m, key_of(i), value), model.values[i]);
            model.count += model.values[i] == NULL;
            model.values[i] = value;
        } else {
            assert_ptr_equal(map_remove(&m, key_of(i)), model.values[i]);
            model.count -= model.values[i] != NULL;
            model.values[i] = NULL;
        }
        if (step % 97 == 0)
            assert_map_is(&m, &model);
    }
    assert_map_is(&m, &model);
    map_deinit(&m);
}

static void random_operations_do_what_an_array_does(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++)
        run_against_model(seed);
}

static void an_empty_map_has_nothing(void **state)
{
    (void)state;
    struct map m;
    map_init(&m, 7);
    assert_null(map_get(&m, 0));
    assert_null(map_remove(&m, 0));
    size_t at = 0;
    assert_null(map_next(&m, &at));
    map_deinit(&m);
}

static void the_same_history_gives_the_same_order(void **state)
{
    (void)state;
    static char cells[KEYS];
    struct map a;
    struct map b;
    map_init(&a, 99);
    map_init(&b, 99);
    for (uint32_t i = 0; i < KEYS; i++) {
        map_put(&a, key_of(i), &cells[i]);
        map_put(&b, key_of(i), &cells[i]);
    }
    size_t at_a = 0;
    size_t at_b = 0;
    for (int i = 0; i <= KEYS; i++)
        assert_ptr_equal(map_next(&a, &at_a), map_next(&b, &at_b));
    map_deinit(&a);
    map_deinit(&b);
}

static void emptied_it_can_be_used_again(void **state)
{
    (void)state;
    int value;
    struct map m;
    map_init(&m, 3);
    map_put(&m, 5, &value);
    map_deinit(&m);
    assert_null(map_get(&m, 5));
    assert_null(map_put(&m, 5, &value));
    assert_ptr_equal(map_get(&m, 5), &value);
    map_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_do_what_an_array_does),
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(the_same_history_gives_the_same_order),
        cmocka_unit_test(emptied_it_can_be_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
