/* links: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/sort.h"

enum {
    ITEMS_MAX = 700
};

struct item {
    uint64_t key;
    size_t arrived;
};

static int by_key(const void *a, const void *b)
{
    const struct item *x = a;
    const struct item *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

static void any_number_of_items_is_sorted_and_equals_keep_their_order(void **state)
{
    (void)state;
    static struct item items[ITEMS_MAX];
    static void *sorted[ITEMS_MAX];
    for (size_t count = 0; count <= ITEMS_MAX; count++) {
        for (size_t i = 0; i < count; i++) {
            items[i] = (struct item){hash_u64(i, count) % (1 + count / 3), i};
            sorted[i] = &items[i];
        }
        sort_pointers(sorted, count, by_key);
        for (size_t i = 1; i < count; i++) {
            const struct item *a = sorted[i - 1];
            const struct item *b = sorted[i];
            assert_true(a->key < b->key || (a->key == b->key && a->arrived < b->arrived));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_items_is_sorted_and_equals_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
