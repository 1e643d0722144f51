/* links: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"

static void wrapping_puts_the_outer_step_first(void **state)
{
    (void)state;
    struct err err;
    int rc = err_set(&err, ERR_CORRUPT, "bad length %d", 7);
    rc = err_wrap(&err, rc, "node %d at offset %d", 12, 400);
    rc = err_wrap(&err, rc, "load snapshot '%s'", "x");
    assert_int_equal(rc, ERR_CORRUPT);
    assert_string_equal(err.text, "load snapshot 'x': node 12 at offset 400: bad length 7");
}

static void an_explanation_too_long_is_cut(void **state)
{
    (void)state;
    struct err err;
    char text[1000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    err_set(&err, ERR_IO, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    for (int i = 0; i < 5; i++)
        err_wrap(&err, ERR_IO, "outer %d", i);
    assert_true(strlen(err.text) < sizeof err.text);
    assert_memory_equal(err.text, "outer 4: outer 3: ", 18);
    err_wrap(&err, ERR_IO, "%s", text);
    assert_true(strlen(err.text) < sizeof err.text);
}

static void nobody_has_to_want_the_explanation(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, ERR_BUSY, "x"), ERR_BUSY);
    assert_int_equal(err_wrap(NULL, ERR_BUSY, "x"), ERR_BUSY);
    assert_string_equal(err_name(ERR_NOSPACE), "no space left");
    assert_string_equal(err_name(1), "unknown error");
}

struct item {
    int number;
    struct list node;
};

static void lists_keep_the_order_and_forgive_a_second_removal(void **state)
{
    (void)state;
    struct list head;
    struct item items[3];
    list_init(&head);
    assert_true(list_is_empty(&head));
    for (int i = 0; i < 3; i++) {
        items[i].number = i;
        list_append(&head, &items[i].node);
    }
    list_remove(&items[1].node);
    list_remove(&items[1].node);
    assert_int_equal(list_entry(head.next, struct item, node)->number, 0);
    assert_int_equal(list_entry(head.next->next, struct item, node)->number, 2);
    assert_ptr_equal(head.next->next->next, &head);
}

static void memory_of_zero_bytes_is_memory(void **state)
{
    (void)state;
    void *p = mem_alloc(0);
    assert_non_null(p);
    p = mem_realloc(p, 0);
    assert_non_null(p);
    free(p);
    assert_null(mem_dup(NULL, 0));
    p = mem_dup("", 0);
    assert_non_null(p);
    free(p);
    p = mem_calloc(0, 8);
    assert_non_null(p);
    free(p);
}

static void hashes_depend_on_the_seed(void **state)
{
    (void)state;
    assert_true(hash_bytes("path", 4, 1) == hash_bytes("path", 4, 1));
    assert_true(hash_bytes("path", 4, 1) != hash_bytes("path", 4, 2));
    assert_true(hash_u64(5, 1) == hash_u64(5, 1));
    assert_true(hash_u64(5, 1) != hash_u64(5, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrapping_puts_the_outer_step_first),
        cmocka_unit_test(an_explanation_too_long_is_cut),
        cmocka_unit_test(nobody_has_to_want_the_explanation),
        cmocka_unit_test(lists_keep_the_order_and_forgive_a_second_removal),
        cmocka_unit_test(memory_of_zero_bytes_is_memory),
        cmocka_unit_test(hashes_depend_on_the_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
