/* links: tree */
/* Claims about a znode's digest: the checksum of path, data and Stat one after the other, however
 * long they are and however it is computed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "crc32_bitwise.h"
#include "tree/tree.h"

enum {
    PATH_BYTES_MAX = 70,
    DATA_BYTES_MAX = 700,
    STAT_BYTES = 60,
};

static const struct rec_stat_persisted STAT = {
    .czxid = 0x100000001,
    .mzxid = 0x200000002,
    .pzxid = 0x300000003,
    .ctime = 1764500000000,
    .mtime = 1764500000001,
    .version = 7,
    .cversion = -8,
    .aversion = 9,
    .ephemeral_owner = 0x1000012345678,
};

static size_t put_stat(uint8_t *at)
{
    store_be64(at, (uint64_t)STAT.czxid);
    store_be64(at + 8, (uint64_t)STAT.mzxid);
    store_be64(at + 16, (uint64_t)STAT.pzxid);
    store_be64(at + 24, (uint64_t)STAT.ctime);
    store_be64(at + 32, (uint64_t)STAT.mtime);
    store_be32(at + 40, (uint32_t)STAT.version);
    store_be32(at + 44, (uint32_t)STAT.cversion);
    store_be32(at + 48, (uint32_t)STAT.aversion);
    store_be64(at + 52, (uint64_t)STAT.ephemeral_owner);
    return STAT_BYTES;
}

/* Both in memory of exactly their size. */
static void assert_digest(size_t path_len, size_t data_len)
{
    uint8_t *path = malloc(path_len), *data = malloc(data_len > 0 ? data_len : 1);
    uint8_t whole[PATH_BYTES_MAX + DATA_BYTES_MAX + STAT_BYTES];
    assert_true(path != NULL && data != NULL);
    for (size_t i = 0; i < path_len; i++)
        path[i] = i == 0 ? '/' : (uint8_t)('a' + i % 26);
    for (size_t i = 0; i < data_len; i++)
        data[i] = (uint8_t)(i * 37 + 11);

    size_t in_digest = path_len > 1 ? path_len : 0; /* the root's path counts as "" */
    memcpy(whole, path, in_digest);
    memcpy(whole + in_digest, data, data_len);
    size_t len = in_digest + data_len + put_stat(whole + in_digest + data_len);
    struct slice no_data = {NULL, 0};
    assert_int_equal(znode_digest(slice_of(path, path_len),
                                  data_len > 0 ? slice_of(data, data_len) : no_data, &STAT),
                     crc32_bitwise(whole, len));
    free(path);
    free(data);
}

static void the_digest_is_one_checksum_of_path_data_and_stat(void **state)
{
    (void)state;
    for (size_t path_len = 1; path_len <= PATH_BYTES_MAX; path_len++) {
        for (size_t data_len = 0; data_len <= 64; data_len++)
            assert_digest(path_len, data_len);
    }
    for (size_t data_len = 0; data_len <= DATA_BYTES_MAX; data_len++) {
        assert_digest(1, data_len);
        assert_digest(23, data_len);
    }
}

static void what_the_server_keeps_for_itself_has_none(void **state)
{
    (void)state;
    struct slice data = slice_str("count=1");
    assert_int_equal(znode_digest(slice_str("/zookeeper/quota/a"), data, &STAT), 0);
    assert_int_not_equal(znode_digest(slice_str("/zookeeper"), data, &STAT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_is_one_checksum_of_path_data_and_stat),
        cmocka_unit_test(what_the_server_keeps_for_itself_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
