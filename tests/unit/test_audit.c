/* links: server */
/* The audit log: one line per operation, as ZooKeeper writes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/audit.h"
#include "wire/records.h"
#include "wire/zk.h"

enum {
    SESSION = 0x1f
};

struct site {
    struct audit *audit;
    struct buf lines; /* all that was written, each with its end; failures begin with '!' */
    struct identity who[4];
    size_t who_count;
    int32_t last_cxid;
};

static void take_line(void *arg, bool failure, struct slice line)
{
    struct site *s = arg;
    buf_printf(&s->lines, "%s%.*s\n", failure ? "!" : "", (int)line.len, (const char *)line.ptr);
}

static int setup(void **state)
{
    struct site *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->audit = audit_create("zoo", 1, take_line, s);
    s->who[0] = (struct identity){slice_str("ip"), slice_str("10.0.0.9")};
    s->who_count = 1;
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct site *s = *state;
    audit_free(s->audit);
    buf_deinit(&s->lines);
    free(s);
    return 0;
}

static const char *told(struct site *s)
{
    static char text[4096];
    snprintf(text, sizeof text, "%.*s", (int)s->lines.len, (const char *)s->lines.ptr);
    buf_clear(&s->lines);
    return text;
}

static void begin(struct site *s, struct buf *frame, int32_t op)
{
    *frame = (struct buf){0};
    rec_put_request_header(frame, &(struct rec_request_header){++s->last_cxid, op});
}

static void request(struct site *s, struct buf *frame)
{
    struct node_client_view view = {
        .address = slice_str("10.0.0.9"),
        .session_id = SESSION,
        .who = {s->who, s->who_count},
    };
    audit_request(s->audit, &view, buf_slice(frame));
    buf_deinit(frame);
}

static struct rec_vec one_acl(struct buf *raw, int32_t perms, const char *scheme, const char *id)
{
    *raw = (struct buf){0};
    rec_put_acl(raw, &(struct rec_acl){perms, {slice_str(scheme), slice_str(id)}});
    return (struct rec_vec){1, buf_slice(raw)};
}

static void put_create(struct buf *out, const char *path, int32_t flags)
{
    struct buf acl;
    struct rec_create_request r = {.path = slice_str(path),
                                   .acl = one_acl(&acl, ZK_PERM_ALL, "world", "anyone"),
                                   .flags = flags};
    rec_put_create_request(out, &r);
    buf_deinit(&acl);
}

static void ask_create(struct site *s, const char *path, int32_t flags)
{
    struct buf frame;
    begin(s, &frame, ZK_OP_CREATE);
    put_create(&frame, path, flags);
    request(s, &frame);
}

static void ask_path(struct site *s, int32_t op, const char *path)
{
    struct buf frame;
    begin(s, &frame, op);
    rec_put_slice(&frame, slice_str(path));
    rec_put_slice(&frame, slice_str("data"));
    buf_put_i32(&frame, -1);
    request(s, &frame);
}

static void put_part(struct buf *parts, int32_t type, int32_t err, const char *path)
{
    buf_put_i32(parts, type);
    buf_put_i32(parts, err);
    rec_put_slice(parts, path != NULL ? slice_str(path) : slice_of(NULL, 0));
}

static void commit_parts(struct site *s, int32_t cxid, int32_t type, struct buf *parts)
{
    audit_commit(s->audit,
                 &(struct audit_commit){
                     .session_id = SESSION, .cxid = cxid, .type = type, .parts = buf_slice(parts)});
    buf_deinit(parts);
}

static void commit(struct site *s, int32_t cxid, int32_t type, int32_t err, const char *path)
{
    struct buf parts = {0};
    put_part(&parts, type, err, path);
    commit_parts(s, cxid, type, &parts);
}

static void a_create_is_told_with_its_kind(void **state)
{
    struct site *s = *state;
    ask_create(s, "/a", ZK_CREATE_PERSISTENT);
    assert_string_equal(told(s), "");
    commit(s, s->last_cxid, ZK_OP_CREATE, 0, "/a");
    assert_string_equal(told(s), "session=0x1f\tuser=10.0.0.9\tip=10.0.0.9\toperation=create\t"
                                 "znode=/a\tznode_type=persistent\tresult=success\n");
    ask_create(s, "/q-", ZK_CREATE_EPHEMERAL_SEQUENTIAL);
    commit(s, s->last_cxid, ZK_OP_CREATE, 0, "/q-0000000007");
    assert_string_equal(told(s),
                        "session=0x1f\tuser=10.0.0.9\tip=10.0.0.9\toperation=create\t"
                        "znode=/q-0000000007\tznode_type=ephemeral_sequential\tresult=success\n");
}

static void other_operations_are_told_with_their_path(void **state)
{
    struct site *s = *state;
    ask_path(s, ZK_OP_DELETE, "/a");
    commit(s, s->last_cxid, ZK_OP_DELETE, 0, "/a");
    assert_string_equal(told(s), "session=0x1f\tuser=10.0.0.9\tip=10.0.0.9\toperation=delete\t"
                                 "znode=/a\tresult=success\n");
    ask_path(s, ZK_OP_SET_DATA, "/b");
    commit(s, s->last_cxid, ZK_OP_SET_DATA, 0, "/b");
    assert_string_equal(told(s), "session=0x1f\tuser=10.0.0.9\tip=10.0.0.9\toperation=setData\t"
                                 "znode=/b\tresult=success\n");
    ask_path(s, ZK_OP_RECONFIG, "");
    commit(s, s->last_cxid, ZK_OP_RECONFIG, 0, "/zookeeper/config");
    assert_string_equal(told(s), "session=0x1f\tuser=10.0.0.9\tip=10.0.0.9\toperation=reconfig\t"
                                 "znode=/zookeeper/config\tresult=success\n");
}

static void an_acl_is_told_as_text(void **state)
{
    struct site *s = *state;
    struct buf frame, acl;
    begin(s, &frame, ZK_OP_SET_ACL);
    struct rec_set_acl_request r = {
        .path = slice_str("/a"),
        .acl = one_acl(&acl, ZK_PERM_CREATE | ZK_PERM_READ | ZK_PERM_ADMIN, "world", "anyone"),
        .version = -1};
    rec_put_set_acl_request(&frame, &r);
    buf_deinit(&acl);
    request(s, &frame);
    commit(s, s->last_cxid, ZK_OP_SET_ACL, 0, "/a");
    assert_string_equal(told(s), "session=0x1f\tuser=10.0.0.9\tip=10.0.0.9\toperation=setAcl\t"
                                 "znode=/a\tacl=world:anyone:cra\tresult=success\n");
}

static void a_refused_operation_is_a_failure_of_the_path_asked_for(void **state)
{
    struct site *s = *state;
    ask_create(s, "/a", ZK_CREATE_PERSISTENT_SEQUENTIAL);
    commit(s, s->last_cxid, ZK_OP_ERROR, ZK_NOAUTH, NULL);
    assert_string_equal(told(s), "!session=0x1f\tuser=10.0.0.9\tip=10.0.0.9\toperation=create\t"
                                 "znode=/a\tznode_type=persistent_sequential\tresult=failure\n");
    ask_create(s, "/a", 77); /* there is no such mode: ZooKeeper has no line for it */
    commit(s, s->last_cxid, ZK_OP_ERROR, ZK_BADARGUMENTS, NULL);
    assert_string_equal(told(s), "");
}

static void users_are_told_by_name(void **state)
{
    struct site *s = *state;
    s->who[1] = (struct identity){slice_str("digest"), slice_str("ann:secret-hash")};
    s->who[2] = (struct identity){slice_str("super"), slice_str("")};
    s->who_count = 3;
    ask_path(s, ZK_OP_DELETE, "/a");
    s->who_count = 0; /* what counts is who asked, when he did */
    commit(s, s->last_cxid, ZK_OP_DELETE, 0, "/a");
    assert_string_equal(told(s), "session=0x1f\tuser=10.0.0.9,ann\tip=10.0.0.9\t"
                                 "operation=delete\tznode=/a\tresult=success\n");
}

static void ask_multi(struct site *s)
{
    struct buf frame;
    begin(s, &frame, ZK_OP_MULTI);
    rec_put_multi_header(&frame, &(struct rec_multi_header){ZK_OP_CREATE, false, -1});
    put_create(&frame, "/a", ZK_CREATE_EPHEMERAL);
    rec_put_multi_header(&frame, &(struct rec_multi_header){ZK_OP_CHECK, false, -1});
    rec_put_slice(&frame, slice_str("/c"));
    buf_put_i32(&frame, 0);
    rec_put_multi_header(&frame, &(struct rec_multi_header){ZK_OP_DELETE, false, -1});
    rec_put_slice(&frame, slice_str("/b"));
    buf_put_i32(&frame, -1);
    rec_put_multi_header(&frame, &(struct rec_multi_header){ZK_OP_CREATE, false, -1});
    put_create(&frame, "/q-", ZK_CREATE_PERSISTENT_SEQUENTIAL);
    rec_put_multi_header(&frame, &(struct rec_multi_header){-1, true, -1});
    request(s, &frame);
}

static void each_part_of_a_multi_has_a_line(void **state)
{
    struct site *s = *state;
    struct buf parts = {0};
    ask_multi(s);
    put_part(&parts, ZK_OP_CREATE, 0, "/a");
    put_part(&parts, ZK_OP_CHECK, 0, "/c");
    put_part(&parts, ZK_OP_DELETE, 0, "/b");
    put_part(&parts, ZK_OP_CREATE, 0, "/q-0000000001");
    commit_parts(s, s->last_cxid, ZK_OP_MULTI, &parts);
    /* The kind of a sequential one is not found by its name, in ZooKeeper neither. */
    assert_string_equal(
        told(s),
        "session=0x1f\tuser=10.0.0.9\tip=10.0.0.9\toperation=create\tznode=/a\t"
        "znode_type=ephemeral\tresult=success\n"
        "session=0x1f\tuser=10.0.0.9\tip=10.0.0.9\toperation=delete\tznode=/b\tresult=success\n"
        "session=0x1f\tuser=10.0.0.9\tip=10.0.0.9\toperation=create\tznode=/q-0000000001\t"
        "result=success\n");
}

static void a_failed_multi_is_one_failure(void **state)
{
    struct site *s = *state;
    struct buf parts = {0};
    ask_multi(s);
    put_part(&parts, ZK_OP_ERROR, 0, NULL);
    put_part(&parts, ZK_OP_ERROR, ZK_NONODE, NULL);
    put_part(&parts, ZK_OP_ERROR, ZK_RUNTIMEINCONSISTENCY, NULL);
    put_part(&parts, ZK_OP_ERROR, ZK_RUNTIMEINCONSISTENCY, NULL);
    commit_parts(s, s->last_cxid, ZK_OP_MULTI, &parts);
    assert_string_equal(told(s), "!session=0x1f\tuser=10.0.0.9\tip=10.0.0.9\t"
                                 "operation=multiOperation\tresult=failure\n");
}

static void what_changes_nothing_is_not_told(void **state)
{
    struct site *s = *state;
    ask_path(s, ZK_OP_GET_DATA, "/a");
    commit(s, s->last_cxid, ZK_OP_GET_DATA, 0, "/a");
    commit(s, 99, ZK_OP_CREATE, 0, "/of-another-server");
    assert_string_equal(told(s), "");
}

static void requests_without_a_transaction_are_passed_over(void **state)
{
    struct site *s = *state;
    ask_path(s, ZK_OP_DELETE, "/refused");
    ask_path(s, ZK_OP_DELETE, "/a");
    commit(s, 99, ZK_OP_CREATE, 0, "/of-another-server");
    commit(s, s->last_cxid, ZK_OP_DELETE, 0, "/a");
    assert_string_equal(told(s), "session=0x1f\tuser=10.0.0.9\tip=10.0.0.9\toperation=delete\t"
                                 "znode=/a\tresult=success\n");
    commit(s, s->last_cxid - 1, ZK_OP_DELETE, 0, "/refused"); /* it is forgotten */
    assert_string_equal(told(s), "");
}

static void memory_of_requests_is_bounded(void **state)
{
    struct site *s = *state;
    ask_path(s, ZK_OP_DELETE, "/first");
    int32_t first = s->last_cxid;
    for (int i = 0; i < AUDIT_PENDING_MAX; i++)
        ask_path(s, ZK_OP_DELETE, "/a");
    commit(s, first, ZK_OP_DELETE, 0, "/first");
    assert_string_equal(told(s), "");
    commit(s, s->last_cxid, ZK_OP_DELETE, 0, "/a");
    assert_string_not_equal(told(s), "");
}

static void ephemerals_go_in_the_servers_name(void **state)
{
    struct site *s = *state;
    struct buf parts = {0};
    ask_path(s, ZK_OP_DELETE, "/a"); /* never answered: the session takes it along */
    put_part(&parts, ZK_OP_DELETE, 0, "/e1");
    put_part(&parts, ZK_OP_DELETE, 0, "/e2");
    commit_parts(s, 0, ZK_OP_CLOSE_SESSION, &parts);
    assert_string_equal(
        told(s), "session=0x1f\tuser=zoo\toperation=ephemeralZNodeDeletionOnSessionCloseOrExpire\t"
                 "znode=/e1\tresult=success\n"
                 "session=0x1f\tuser=zoo\toperation=ephemeralZNodeDeletionOnSessionCloseOrExpire\t"
                 "znode=/e2\tresult=success\n");
    commit(s, s->last_cxid, ZK_OP_DELETE, 0, "/a");
    assert_string_equal(told(s), "");
}

static void the_server_tells_of_itself(void **state)
{
    struct site *s = *state;
    audit_server(s->audit, "serverStart", "success");
    audit_server(s->audit, "serverStop", "invoked");
    audit_server(s->audit, "serverStart", "failure");
    assert_string_equal(told(s), "user=zoo\toperation=serverStart\tresult=success\n"
                                 "user=zoo\toperation=serverStop\tresult=invoked\n"
                                 "!user=zoo\toperation=serverStart\tresult=failure\n");
}

static void nothing_forges_a_line(void **state)
{
    struct site *s = *state;
    ask_path(s, ZK_OP_DELETE, "/a\nsession=0x2\tuser=eve");
    commit(s, s->last_cxid, ZK_OP_ERROR, ZK_BADARGUMENTS, NULL);
    assert_string_equal(told(s), "!session=0x1f\tuser=10.0.0.9\tip=10.0.0.9\toperation=delete\t"
                                 "znode=/a\\u000asession=0x2\\u0009user=eve\tresult=failure\n");
}

static void garbage_is_survived(void **state)
{
    struct site *s = *state;
    static const int32_t ops[] = {ZK_OP_CREATE,  ZK_OP_CREATE_TTL, ZK_OP_DELETE,
                                  ZK_OP_SET_ACL, ZK_OP_SET_DATA,   ZK_OP_MULTI};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        struct buf frame;
        begin(s, &frame, ops[i]);
        buf_put(&frame, "\x7f\xff\xff\xff\x00\x00", 6);
        request(s, &frame);
        commit(s, s->last_cxid, ZK_OP_ERROR, ZK_MARSHALLINGERROR, NULL);
    }
    assert_string_equal(told(s), "!session=0x1f\tuser=10.0.0.9\tip=10.0.0.9\t"
                                 "operation=multiOperation\tresult=failure\n");
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest claims[] = {
        CLAIM(a_create_is_told_with_its_kind),
        CLAIM(other_operations_are_told_with_their_path),
        CLAIM(an_acl_is_told_as_text),
        CLAIM(a_refused_operation_is_a_failure_of_the_path_asked_for),
        CLAIM(users_are_told_by_name),
        CLAIM(each_part_of_a_multi_has_a_line),
        CLAIM(a_failed_multi_is_one_failure),
        CLAIM(what_changes_nothing_is_not_told),
        CLAIM(requests_without_a_transaction_are_passed_over),
        CLAIM(memory_of_requests_is_bounded),
        CLAIM(ephemerals_go_in_the_servers_name),
        CLAIM(the_server_tells_of_itself),
        CLAIM(nothing_forges_a_line),
        CLAIM(garbage_is_survived),
    };
    return cmocka_run_group_tests_name("audit", claims, NULL, NULL);
}
