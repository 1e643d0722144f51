/* links: tree */
/* Hints of what will be looked up: any bytes will do, and nothing comes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "tree/ahead.h"

static void add(struct tree_ahead *a, const struct tree *t, uint32_t len, const char *bytes)
{
    struct buf record = {0};
    buf_put_i32(&record, (int32_t)len);
    buf_put_slice(&record, slice_str(bytes));
    /* A copy of the exact size: whoever reads behind it is found. */
    uint8_t *copy = malloc(record.len);
    assert_non_null(copy);
    memcpy(copy, record.ptr, record.len);
    tree_ahead_add(a, t, slice_of(copy, record.len));
    free(copy);
    buf_deinit(&record);
}

static void only_records_that_begin_with_a_path_count(void **state)
{
    (void)state;
    struct tree *t = tree_create(&(struct tree_options){.hash_seed = 1});
    struct tree_ahead a = {.count = 0};
    tree_ahead_add(&a, t, (struct slice){0});
    add(&a, t, 1, "/");
    add(&a, t, 0, "/a");
    add(&a, t, 3, "/a");
    add(&a, t, UINT32_MAX, "/a");
    add(&a, t, 2, "ab");
    add(&a, t, 2, "");
    assert_int_equal(a.count, 0);
    add(&a, t, 10, "/zookeeper");
    add(&a, t, 2, "/zookeeper");
    add(&a, t, 3, "//a");
    assert_int_equal(a.count, 3);
    for (int i = 0; i < 2 * TREE_AHEAD_MAX; i++)
        add(&a, t, 6, "/a/b/c");
    assert_int_equal(a.count, TREE_AHEAD_MAX);
    tree_ahead_run(&a, t);
    tree_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_records_that_begin_with_a_path_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
