/* links: wire */
/* Records against the bytes that Apache's own classes wrote for them (zookeeper-jute 3.9.5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/records.h"
#include "wire/zk.h"

static void assert_hex(struct buf *b, const char *hex)
{
    char *got = mem_alloc(b->len * 2 + 1);
    got[0] = '\0';
    for (size_t i = 0; i < b->len; i++)
        snprintf(got + 2 * i, 3, "%02x", b->ptr[i]);
    assert_string_equal(got, hex);
    free(got);
    buf_clear(b);
}

static const struct rec_stat apaches_stat = {
    .czxid = 0x100000001,
    .mzxid = 0x100000002,
    .ctime = 1700000000000,
    .mtime = 1700000000001,
    .version = 1,
    .cversion = 2,
    .aversion = 3,
    .ephemeral_owner = 0x1234567890abcdef,
    .data_length = 4,
    .num_children = 5,
    .pzxid = 0x100000003,
};
#define STAT_HEX                                                                                   \
    "000000010000000100000001000000020000018bcfe568000000018bcfe56801000000010000000200000003"     \
    "1234567890abcdef00000004000000050000000100000003"
#define ACL_HEX "0000001f00000005776f726c6400000006616e796f6e65"

static struct rec_vec vec_of(int32_t count, struct slice raw)
{
    return (struct rec_vec){.count = count, .raw = raw};
}

static struct rec_vec strings(struct buf *b, int32_t count, const char *const *texts)
{
    size_t begun = b->len;
    for (int32_t i = 0; i < count; i++)
        rec_put_slice(b, slice_str(texts[i]));
    return vec_of(count, slice_of(b->ptr + begun, b->len - begun));
}

static void apache_writes_the_same_headers(void **state)
{
    (void)state;
    struct buf b = {0};
    rec_put_reply_header(&b, &(struct rec_reply_header){7, 0x100000002, ZK_NONODE});
    assert_hex(&b, "000000070000000100000002ffffff9b");
    rec_put_multi_header(&b, &(struct rec_multi_header){.type = -1, .done = true, .err = -1});
    assert_hex(&b, "ffffffff01ffffffff");
    rec_put_txn_header(&b, &(struct rec_txn_header){.client_id = 0x1234567890abcdef,
                                                    .cxid = 8,
                                                    .zxid = 0x100000002,
                                                    .time = 1700000000000,
                                                    .type = ZK_OP_MULTI});
    assert_hex(&b, "1234567890abcdef0000000800000001000000020000018bcfe568000000000e");
    rec_put_file_header(
        &b, &(struct rec_file_header){.magic = ZK_TXNLOG_MAGIC, .version = ZK_FILE_VERSION});
    assert_hex(&b, "5a4b4c47000000020000000000000000");
    buf_deinit(&b);
}

static void apache_writes_the_same_handshake(void **state)
{
    (void)state;
    struct buf b = {0};
    uint8_t password[ZK_PASSWORD_BYTES] = {0};
    rec_put_connect_request(
        &b, &(struct rec_connect_request){.last_zxid_seen = 0x100000001,
                                          .time_out = 30000,
                                          .session_id = 0x1234567890abcdef,
                                          .passwd = slice_of(password, sizeof password),
                                          .has_read_only = true,
                                          .read_only = true});
    assert_hex(&b, "000000000000000100000001000075301234567890abcdef000000100000000000000000000000"
                   "000000000001");
    rec_put_connect_response(&b, &(struct rec_connect_response){.time_out = 30000,
                                                                .session_id = 0x1234567890abcdef,
                                                                .passwd = slice_str("\1\2\3"),
                                                                .has_read_only = true});
    assert_hex(&b, "00000000000075301234567890abcdef0000000301020300");
    buf_deinit(&b);
}

static void apache_writes_the_same_requests_and_responses(void **state)
{
    (void)state;
    struct buf acl = {0};
    rec_put_acl(&acl, &(struct rec_acl){ZK_PERM_ALL, {slice_str("world"), slice_str("anyone")}});
    struct rec_vec acls = vec_of(1, buf_slice(&acl));

    struct buf b = {0};
    rec_put_stat(&b, &apaches_stat);
    assert_hex(&b, STAT_HEX);
    rec_put_create_ttl_request(&b, &(struct rec_create_ttl_request){.path = slice_str("/a"),
                                                                    .data = slice_str("x"),
                                                                    .acl = acls,
                                                                    .flags = ZK_CREATE_TTL,
                                                                    .ttl = 60000});
    assert_hex(&b, "000000022f610000000178"
                   "00000001" ACL_HEX "00000005000000000000ea60");
    rec_put_get_acl_response(&b, &(struct rec_get_acl_response){acls, apaches_stat});
    assert_hex(&b, "00000001" ACL_HEX STAT_HEX);
    rec_put_watcher_event(&b, &(struct rec_watcher_event){ZK_EVENT_NODE_CHILDREN_CHANGED,
                                                          ZK_STATE_SYNC_CONNECTED,
                                                          slice_str("/\xc3\xa9")});
    assert_hex(&b, "0000000400000003000000032fc3a9");

    struct buf d = {0}, p = {0}, r = {0};
    rec_put_set_watches2(
        &b, &(struct rec_set_watches2){
                .relative_zxid = 9,
                .data_watches = strings(&d, 1, (const char *const[]){"/d"}),
                .exist_watches = vec_of(0, (struct slice){0}),
                .child_watches = vec_of(-1, (struct slice){0}),
                .persistent_watches = strings(&p, 2, (const char *const[]){"/p", "/q"}),
                .persistent_recursive_watches = strings(&r, 1, (const char *const[]){"/r"})});
    assert_hex(&b, "000000000000000900000001000000022f6400000000ffffffff00000002000000022f70000000"
                   "022f7100000001000000022f72");
    buf_deinit(&d);
    buf_deinit(&p);
    buf_deinit(&r);
    buf_deinit(&acl);
    buf_deinit(&b);
}

static void apache_writes_the_same_transactions(void **state)
{
    (void)state;
    struct buf part = {0};
    struct buf b = {0};
    rec_put_acl(&part, &(struct rec_acl){ZK_PERM_ALL, {slice_str("world"), slice_str("anyone")}});
    rec_put_create_txn(&b, &(struct rec_create_txn){.path = slice_str("/a"),
                                                    .acl = vec_of(1, buf_slice(&part)),
                                                    .ephemeral = true,
                                                    .parent_cversion = 6});
    assert_hex(&b, "000000022f61ffffffff00000001" ACL_HEX "0100000006");

    buf_clear(&part);
    rec_put_txn(&part, &(struct rec_txn){ZK_OP_CREATE, slice_str("\t")});
    rec_put_txn(&part, &(struct rec_txn){.type = ZK_OP_ERROR});
    rec_put_multi_txn(&b, &(struct rec_multi_txn){vec_of(2, buf_slice(&part))});
    assert_hex(&b, "00000002000000010000000109ffffffffffffffff");

    buf_clear(&part);
    rec_put_id(&part, &(struct rec_id){slice_str("s"), slice_str("i")});
    rec_put_quorum_packet(&b,
                          &(struct rec_quorum_packet){.type = 2,
                                                      .zxid = 0x100000002,
                                                      .data = slice_str("\1"),
                                                      .auth_info = vec_of(1, buf_slice(&part))});
    assert_hex(&b, "00000002000000010000000200000001010000000100000001730000000169");
    buf_deinit(&part);
    buf_deinit(&b);
}

static void names_of_operations_and_errors(void **state)
{
    (void)state;
    assert_string_equal(zk_op_name(ZK_OP_CREATE_TTL), "createTTL");
    assert_string_equal(zk_op_name(10), "unknown");
    assert_string_equal(zk_err_name(ZK_NONODE), "NONODE");
    assert_string_equal(zk_err_name(-126), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(apache_writes_the_same_headers),
        cmocka_unit_test(apache_writes_the_same_handshake),
        cmocka_unit_test(apache_writes_the_same_requests_and_responses),
        cmocka_unit_test(apache_writes_the_same_transactions),
        cmocka_unit_test(names_of_operations_and_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
