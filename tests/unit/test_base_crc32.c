/* links: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32.h"
#include "crc32_bitwise.h"

static void fill(uint8_t *p, size_t len)
{
    uint32_t random = 1;
    while (len-- > 0) {
        random = random * 1664525u + 1013904223u;
        *p++ = (uint8_t)(random >> 24);
    }
}

/* What zlib and java.util.zip.CRC32 say. */
static void known_checksums(void **state)
{
    (void)state;
    assert_int_equal(crc32_update(0, NULL, 0), 0);
    assert_int_equal(crc32_update(0, "a", 1), 0xe8b7be43);
    assert_int_equal(crc32_update(0, "123456789", 9), 0xcbf43926);
    uint8_t bytes[1000];
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(crc32_update(0, bytes, 1000), 0x060b1780);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(crc32_update(0, bytes, 1000), 0xe0533230);
    for (int i = 0; i < 1000; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(crc32_update(0, bytes, 1000), 0x74e3fb41);
}

/* In exact memory, so that the wide loads cannot look past the end. */
static void every_length_agrees_with_the_definition(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 700; len++) {
        uint8_t *p = malloc(len > 0 ? len : 1);
        assert_non_null(p);
        fill(p, len);
        assert_int_equal(crc32_update(0, p, len), crc32_bitwise(p, len));
        free(p);
    }
}

static void every_alignment_agrees_with_the_definition(void **state)
{
    (void)state;
    static uint8_t bytes[4096 + 64];
    fill(bytes, sizeof bytes);
    for (size_t from = 0; from < 64; from++)
        assert_int_equal(crc32_update(0, bytes + from, 4096), crc32_bitwise(bytes + from, 4096));
}

static void pieces_give_the_checksum_of_the_whole(void **state)
{
    (void)state;
    static uint8_t bytes[1024];
    fill(bytes, sizeof bytes);
    uint32_t whole = crc32_bitwise(bytes, sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        uint32_t crc = crc32_update(0, bytes, cut);
        assert_int_equal(crc32_update(crc, bytes + cut, sizeof bytes - cut), whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_checksums),
        cmocka_unit_test(every_length_agrees_with_the_definition),
        cmocka_unit_test(every_alignment_agrees_with_the_definition),
        cmocka_unit_test(pieces_give_the_checksum_of_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
