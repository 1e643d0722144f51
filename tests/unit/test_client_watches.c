/* links: client wire base */
/* Watches of a client: when they are set, whom an event reaches, setting them again, removing them.
 */
#include "client_kit.h"

static void read_with_watch(struct kit *k, int32_t op, const char *path, const char *watch,
                            int32_t xid, int32_t err)
{
    struct call *c = NULL;
    int rc = call_read(&k->scope, op, path, kit_watch, (void *)(uintptr_t)watch, &c);
    kit_submit(k, rc, c, NULL);
    kit_header(k, xid, 100 + xid, err);
    if (err == 0 && op == ZK_OP_GET_DATA)
        kit_put_data(k, "");
    else if (err == 0 && op == ZK_OP_EXISTS)
        rec_put_exists_response(&k->reply, &(struct rec_exists_response){{0}});
    else if (err == 0)
        buf_put_i32(&k->reply, 0);
    kit_send(k);
    kit_heard(k);
}

static void add_watch(struct kit *k, const char *path, enum caucus_add_watch_mode mode,
                      const char *watch, int32_t xid)
{
    struct call *c = NULL;
    int rc = call_add_watch(&k->scope, path, mode, kit_watch, (void *)(uintptr_t)watch, &c);
    kit_submit(k, rc, c, NULL);
    kit_header(k, xid, 100 + xid, 0);
    buf_put_i32(&k->reply, 0);
    kit_send(k);
    kit_heard(k);
}

static struct kit connected(void)
{
    struct kit k;
    struct csession_config config = kit_config();
    kit_start(&k, &config);
    kit_connect(&k);
    return k;
}

/* ---- Events ---- */

static void a_one_shot_watch_is_told_once(void **state)
{
    (void)state;
    struct kit k = connected();
    read_with_watch(&k, ZK_OP_GET_DATA, "/a", "data", 1, 0);
    kit_event(&k, ZK_EVENT_NODE_DATA_CHANGED, "/a", 200);
    kit_hears(&k, "data: changed /a (last)\n");
    kit_event(&k, ZK_EVENT_NODE_DATA_CHANGED, "/a", 201);
    kit_hears(&k, "");
    kit_stop(&k);
}

static void a_watch_is_set_only_by_success(void **state)
{
    (void)state;
    struct kit k = connected();
    read_with_watch(&k, ZK_OP_GET_DATA, "/a", "data", 1, CAUCUS_NONODE);
    read_with_watch(&k, ZK_OP_EXISTS, "/a", "exists", 2, CAUCUS_NONODE);
    read_with_watch(&k, ZK_OP_EXISTS, "/a", "refused", 3, CAUCUS_NOAUTH);
    kit_event(&k, ZK_EVENT_NODE_CREATED, "/a", 200);
    kit_hears(&k, "exists: created /a (last)\n");
    kit_stop(&k);
}

static void several_callbacks_stand_behind_one_watch(void **state)
{
    (void)state;
    struct kit k = connected();
    read_with_watch(&k, ZK_OP_GET_DATA, "/a", "one", 1, 0);
    read_with_watch(&k, ZK_OP_GET_DATA, "/a", "two", 2, 0);
    read_with_watch(&k, ZK_OP_GET_DATA, "/a", "one", 3, 0);
    kit_event(&k, ZK_EVENT_NODE_DATA_CHANGED, "/a", 200);
    kit_hears(&k, "one: changed /a (last)\ntwo: changed /a (last)\none: changed /a (last)\n");
    kit_stop(&k);
}

static void an_event_reaches_its_tables(void **state)
{
    (void)state;
    struct kit k = connected();
    read_with_watch(&k, ZK_OP_GET_DATA, "/a", "data", 1, 0);
    read_with_watch(&k, ZK_OP_GET_CHILDREN, "/a", "children", 2, 0);
    add_watch(&k, "/a", CAUCUS_WATCH_PERSISTENT, "persistent", 3);
    add_watch(&k, "/", CAUCUS_WATCH_PERSISTENT_RECURSIVE, "root", 4);
    kit_event(&k, ZK_EVENT_NODE_CHILDREN_CHANGED, "/a", 200);
    kit_hears(&k, "children: children /a (last)\npersistent: children /a\n");
    kit_event(&k, ZK_EVENT_NODE_DATA_CHANGED, "/a", 201);
    kit_hears(&k, "data: changed /a (last)\npersistent: changed /a\nroot: changed /a\n");
    kit_event(&k, ZK_EVENT_NODE_CREATED, "/a/b/c", 202);
    kit_hears(&k, "root: created /a/b/c\n");
    kit_event(&k, ZK_EVENT_NODE_DELETED, "/a", 203);
    kit_hears(&k, "persistent: deleted /a\nroot: deleted /a\n");
    kit_stop(&k);
}

static void deletion_ends_data_and_children_watches(void **state)
{
    (void)state;
    struct kit k = connected();
    read_with_watch(&k, ZK_OP_EXISTS, "/a", "exists", 1, 0);
    read_with_watch(&k, ZK_OP_GET_CHILDREN, "/a", "children", 2, 0);
    kit_event(&k, ZK_EVENT_NODE_DELETED, "/a", 200);
    kit_hears(&k, "exists: deleted /a (last)\nchildren: deleted /a (last)\n");
    kit_stop(&k);
}

static void a_recursive_watch_hears_what_lies_under_it(void **state)
{
    (void)state;
    struct kit k = connected();
    add_watch(&k, "/a", CAUCUS_WATCH_PERSISTENT_RECURSIVE, "a", 1);
    add_watch(&k, "/a/b", CAUCUS_WATCH_PERSISTENT_RECURSIVE, "b", 2);
    kit_event(&k, ZK_EVENT_NODE_CREATED, "/a/b/c", 200);
    kit_hears(&k, "b: created /a/b/c\na: created /a/b/c\n");
    kit_event(&k, ZK_EVENT_NODE_CREATED, "/ab", 201);
    kit_event(&k, ZK_EVENT_NODE_CREATED, "/", 202);
    kit_event(&k, ZK_EVENT_NODE_CREATED, "no path", 203);
    kit_event(&k, ZK_EVENT_NODE_CREATED, "", 204);
    kit_event(&k, 99, "/a", 205);
    kit_hears(&k, "");
    kit_stop(&k);
}

static void events_under_a_chroot_are_told_without_it(void **state)
{
    (void)state;
    struct kit k;
    struct csession_config config = kit_config();
    config.chroot = slice_str("/app");
    kit_start(&k, &config);
    kit_connect(&k);
    read_with_watch(&k, ZK_OP_GET_DATA, "/a", "data", 1, 0);
    read_with_watch(&k, ZK_OP_GET_CHILDREN, "/", "root", 2, 0);
    kit_event(&k, ZK_EVENT_NODE_DATA_CHANGED, "/app/a", 200);
    kit_event(&k, ZK_EVENT_NODE_CHILDREN_CHANGED, "/app", 201);
    kit_hears(&k, "data: changed /a (last)\nroot: children / (last)\n");
    kit_stop(&k);
}

/* ---- Set again ---- */

static void all_kinds_are_set_again_with_the_last_zxid(void **state)
{
    (void)state;
    struct kit k = connected();
    read_with_watch(&k, ZK_OP_GET_DATA, "/data", "w", 1, 0);
    read_with_watch(&k, ZK_OP_EXISTS, "/absent", "w", 2, CAUCUS_NONODE);
    read_with_watch(&k, ZK_OP_GET_CHILDREN, "/children", "w", 3, 0);
    csession_disconnected(k.s, k.now, "gone");
    kit_connect_as(&k, 0x1234, false);
    struct buf out = {0};
    struct slice frame;
    kit_written(&k, &out);
    assert_int_equal(kit_count_op(&out, ZK_OP_SET_WATCHES2, &frame), 0); /* servers before 3.6 */
    assert_int_equal(kit_count_op(&out, ZK_OP_SET_WATCHES, &frame), 1);
    struct dec d = dec_of(slice_from(frame, 8));
    struct rec_set_watches r;
    assert_true(rec_get_set_watches(&d, &r));
    assert_int_equal(r.relative_zxid, 103);
    assert_int_equal(r.data_watches.count, 1);
    assert_int_equal(r.exist_watches.count, 1);
    assert_int_equal(r.child_watches.count, 1);
    struct dec path = dec_of(r.exist_watches.raw);
    assert_true(slice_eq_str(dec_ustring(&path), "/absent"));

    kit_event(&k, ZK_EVENT_NODE_CREATED, "/absent", -1);
    kit_answer(&k, ZK_XID_SET_WATCHES, 300, 0);
    kit_hears(&k, "SUSPENDED\nRECONNECTED\nw: created /absent (last)\n");
    buf_deinit(&out);
    kit_stop(&k);
}

static void persistent_watches_are_told_that_events_may_be_missing(void **state)
{
    (void)state;
    struct kit k = connected();
    add_watch(&k, "/p", CAUCUS_WATCH_PERSISTENT, "p", 1);
    add_watch(&k, "/r", CAUCUS_WATCH_PERSISTENT_RECURSIVE, "r", 2);
    csession_disconnected(k.s, k.now, "gone");
    kit_connect_as(&k, 0x1234, false);
    struct buf out = {0};
    struct slice frame;
    kit_written(&k, &out);
    assert_int_equal(kit_count_op(&out, ZK_OP_SET_WATCHES2, &frame), 1);
    struct dec d = dec_of(slice_from(frame, 8));
    struct rec_set_watches2 r;
    assert_true(rec_get_set_watches2(&d, &r));
    assert_int_equal(r.persistent_watches.count, 1);
    assert_int_equal(r.persistent_recursive_watches.count, 1);
    kit_hears(&k, "SUSPENDED\nRECONNECTED\n");
    kit_answer(&k, ZK_XID_SET_WATCHES, 300, 0);
    kit_hears(&k, "p: rearmed /p\nr: rearmed /r\n");
    buf_deinit(&out);
    kit_stop(&k);
}

/* 20,000 watches in pieces that any server takes. The first piece's answer shows a later zxid; a
 * connection lost before the second one's must not hide from the second what it missed. */
static void many_watches_are_set_again_in_pieces(void **state)
{
    (void)state;
    enum {
        WATCHES = 20000
    };
    struct kit k = connected();
    for (int i = 0; i < WATCHES; i++) {
        char path[64];
        snprintf(path, sizeof(path), "/some/folder/with/watched/nodes/%05d", i);
        read_with_watch(&k, ZK_OP_GET_DATA, path, "w", i + 1, 0);
    }
    int64_t last = 100 + WATCHES;
    struct buf out = {0};
    struct slice frame;
    size_t pieces = 0;
    for (int round = 0; round < 2; round++) {
        csession_disconnected(k.s, k.now, "gone");
        kit_connect_as(&k, 0x1234, false);
        kit_heard(&k);
        kit_written(&k, &out);
        pieces = kit_count_op(&out, ZK_OP_SET_WATCHES, &frame);
        assert_in_range(pieces, 6, 10);
        int32_t total = 0;
        for (size_t at = 0; at < out.len;) {
            size_t len = load_be32(out.ptr + at);
            assert_in_range(len, 1, CSESSION_REARM_BYTES_MAX + 1000);
            struct dec d = dec_of(slice_of(out.ptr + at + 12, len - 8));
            struct rec_set_watches r;
            assert_true(rec_get_set_watches(&d, &r));
            assert_int_equal(r.relative_zxid, last);
            total += r.data_watches.count;
            at += 4 + len;
        }
        assert_int_equal(total, WATCHES);
        kit_answer(&k, ZK_XID_SET_WATCHES, 900000, 0); /* the first only */
    }
    for (size_t i = 1; i < pieces; i++)
        kit_answer(&k, ZK_XID_SET_WATCHES, 900000, 0);
    kit_get(&k, "/x", NULL, "get");
    kit_answer(&k, WATCHES + 1, 900001, CAUCUS_NONODE);
    kit_hears(&k, "get -> -101\n");
    csession_disconnected(k.s, k.now, "gone");
    kit_connect_as(&k, 0x1234, false);
    kit_written(&k, &out);
    kit_count_op(&out, ZK_OP_SET_WATCHES, &frame);
    struct dec d = dec_of(slice_from(frame, 8));
    assert_int_equal(dec_i64(&d), 900001);
    buf_deinit(&out);
    kit_stop(&k);
}

static void held_events_are_made_up_for(void **state)
{
    (void)state;
    struct kit k = connected();
    add_watch(&k, "/p", CAUCUS_WATCH_PERSISTENT, "p", 1);
    add_watch(&k, "/", CAUCUS_WATCH_PERSISTENT_RECURSIVE, "root", 2);
    add_watch(&k, "/quiet", CAUCUS_WATCH_PERSISTENT, "quiet", 3);
    read_with_watch(&k, ZK_OP_GET_DATA, "/p", "data", 4, 0);
    csession_hold_events(k.s, true);
    kit_event(&k, ZK_EVENT_NODE_DATA_CHANGED, "/p", 200);
    kit_event(&k, ZK_EVENT_NODE_DATA_CHANGED, "/p", 201);
    kit_hears(&k, "data: changed /p (last)\n");
    csession_hold_events(k.s, false);
    kit_hears(&k, "p: rearmed /p\nroot: rearmed /\n");
    csession_hold_events(k.s, false);
    kit_event(&k, ZK_EVENT_NODE_DATA_CHANGED, "/p", 202);
    kit_hears(&k, "p: changed /p\nroot: changed /p\n");
    kit_stop(&k);
}

static void watches_that_cannot_be_set_again_are_not_forgotten_silently(void **state)
{
    (void)state;
    struct kit k = connected();
    read_with_watch(&k, ZK_OP_GET_DATA, "/a", "w", 1, 0);
    csession_disconnected(k.s, k.now, "gone");
    kit_connect_as(&k, 0x1234, false);
    kit_answer(&k, ZK_XID_SET_WATCHES, 1, CAUCUS_MARSHALLINGERROR);
    kit_hears(&k, "SUSPENDED\nRECONNECTED\nSUSPENDED\n");
    kit_stop(&k);
}

static void the_end_of_the_session_ends_its_watches(void **state)
{
    (void)state;
    struct kit k = connected();
    read_with_watch(&k, ZK_OP_GET_DATA, "/a", "data", 1, 0);
    add_watch(&k, "/p", CAUCUS_WATCH_PERSISTENT, "p", 2);
    csession_disconnected(k.s, k.now, "gone");
    kit_dial(&k);
    csession_connected(k.s, k.now);
    csession_written(k.s, csession_output(k.s).len);
    kit_greet_as(&k, 0, 0, false);
    kit_hears(&k, "SUSPENDED\nLOST\ndata: lost /a (last)\np: lost /p (last)\n");
    kit_connect_as(&k, 0x55, false);
    assert_int_equal(csession_output(k.s).len, 0);
    kit_stop(&k);
}

/* ---- Removing ---- */

static void remove_watch(struct kit *k, const char *path, enum caucus_watch_kind kind,
                         const char *watch, bool local)
{
    struct call *c = NULL;
    int rc = call_remove_watches(&k->scope, path, kind, watch != NULL ? kit_watch : NULL,
                                 (void *)(uintptr_t)watch, local, &c);
    kit_submit(k, rc, c, "remove");
}

static int32_t op_written(struct kit *k)
{
    struct slice out = csession_output(k->s);
    assert_true(out.len >= 12);
    int32_t op = (int32_t)load_be32(out.ptr + 8);
    csession_written(k->s, out.len);
    return op;
}

static void removing_all_of_a_kind_asks_the_server(void **state)
{
    (void)state;
    struct kit k = connected();
    read_with_watch(&k, ZK_OP_GET_DATA, "/a", "one", 1, 0);
    read_with_watch(&k, ZK_OP_EXISTS, "/a", "two", 2, 0);
    read_with_watch(&k, ZK_OP_GET_CHILDREN, "/a", "children", 3, 0);
    csession_written(k.s, csession_output(k.s).len);
    remove_watch(&k, "/a", CAUCUS_KIND_DATA, NULL, false);
    assert_int_equal(op_written(&k), ZK_OP_REMOVE_WATCHES);
    kit_answer(&k, 4, 9, 0);
    kit_hears(&k, "one: removed /a (last)\ntwo: removed /a (last)\nremove -> 0\n");
    kit_event(&k, ZK_EVENT_NODE_CHILDREN_CHANGED, "/a", 200);
    kit_hears(&k, "children: children /a (last)\n");
    kit_stop(&k);
}

static void removing_one_of_several_keeps_the_servers_watch(void **state)
{
    (void)state;
    struct kit k = connected();
    read_with_watch(&k, ZK_OP_GET_DATA, "/a", "one", 1, 0);
    read_with_watch(&k, ZK_OP_GET_DATA, "/a", "two", 2, 0);
    csession_written(k.s, csession_output(k.s).len);
    remove_watch(&k, "/a", CAUCUS_KIND_DATA, "one", false);
    assert_int_equal(op_written(&k), ZK_OP_CHECK_WATCHES);
    kit_answer(&k, 3, 9, 0);
    kit_hears(&k, "one: removed /a (last)\nremove -> 0\n");
    csession_written(k.s, csession_output(k.s).len);
    remove_watch(&k, "/a", CAUCUS_KIND_DATA, "two", false);
    assert_int_equal(op_written(&k), ZK_OP_REMOVE_WATCHES);
    kit_stop(&k);
}

/* A read with a watch was in flight when the removal was sent: the server set its watch and removed
 * it. */
static void a_callback_that_came_meanwhile_is_set_again(void **state)
{
    (void)state;
    struct kit k = connected();
    read_with_watch(&k, ZK_OP_GET_DATA, "/a", "old", 1, 0);
    kit_get(&k, "/a", "new", "get");
    remove_watch(&k, "/a", CAUCUS_KIND_DATA, "old", false);
    csession_written(k.s, csession_output(k.s).len);
    kit_header(&k, 2, 150, 0);
    kit_put_data(&k, "");
    kit_send(&k);
    kit_answer(&k, 3, 151, 0);
    kit_hears(&k, "get -> 0 ''\nold: removed /a (last)\nremove -> 0\n");
    struct buf out = {0};
    struct slice frame;
    kit_written(&k, &out);
    assert_int_equal(kit_count_op(&out, ZK_OP_SET_WATCHES, &frame), 1);
    struct dec d = dec_of(slice_from(frame, 8));
    assert_int_equal(dec_i64(&d), 151);
    kit_answer(&k, ZK_XID_SET_WATCHES, 151, 0);
    kit_event(&k, ZK_EVENT_NODE_DATA_CHANGED, "/a", 152);
    kit_hears(&k, "new: changed /a (last)\n");
    buf_deinit(&out);
    kit_stop(&k);
}

static void a_watch_of_another_kind_is_left_alone(void **state)
{
    (void)state;
    struct kit k = connected();
    read_with_watch(&k, ZK_OP_GET_DATA, "/a", "data", 1, 0);
    read_with_watch(&k, ZK_OP_EXISTS, "/a", "absent", 2, ZK_NONODE);
    read_with_watch(&k, ZK_OP_GET_CHILDREN, "/a", "child", 3, 0);
    remove_watch(&k, "/a", CAUCUS_KIND_CHILDREN, "child", false);
    csession_written(k.s, csession_output(k.s).len);
    kit_answer(&k, 4, 9, 0);
    kit_hears(&k, "child: removed /a (last)\nremove -> 0\n");
    assert_int_equal(csession_output(k.s).len, 0);
    kit_stop(&k);
}

static void a_refused_removal_removes_nothing_but_locally(void **state)
{
    (void)state;
    struct kit k = connected();
    read_with_watch(&k, ZK_OP_GET_DATA, "/a", "w", 1, 0);
    remove_watch(&k, "/a", CAUCUS_KIND_DATA, NULL, false);
    kit_answer(&k, 2, 9, CAUCUS_NOWATCHER);
    kit_hears(&k, "remove -> -121\n");
    remove_watch(&k, "/a", CAUCUS_KIND_DATA, NULL, true);
    kit_answer(&k, 3, 9, CAUCUS_NOWATCHER);
    kit_hears(&k, "w: removed /a (last)\nremove -> 0\n");
    kit_stop(&k);
}

static void without_a_connection_watches_are_removed_at_once(void **state)
{
    (void)state;
    struct kit k = connected();
    read_with_watch(&k, ZK_OP_GET_DATA, "/a", "w", 1, 0);
    csession_disconnected(k.s, k.now, "gone");
    kit_heard(&k);
    remove_watch(&k, "/b", CAUCUS_KIND_DATA, NULL, false);
    remove_watch(&k, "/a", CAUCUS_KIND_CHILDREN, NULL, false);
    remove_watch(&k, "/a", CAUCUS_KIND_ANY, NULL, false);
    kit_hears(&k, "remove -> -121\nremove -> -121\nw: removed /a (last)\nremove -> 0\n");
    kit_connect_as(&k, 0x1234, false);
    assert_int_equal(csession_output(k.s).len, 0);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_one_shot_watch_is_told_once),
        cmocka_unit_test(a_watch_is_set_only_by_success),
        cmocka_unit_test(several_callbacks_stand_behind_one_watch),
        cmocka_unit_test(an_event_reaches_its_tables),
        cmocka_unit_test(deletion_ends_data_and_children_watches),
        cmocka_unit_test(a_recursive_watch_hears_what_lies_under_it),
        cmocka_unit_test(events_under_a_chroot_are_told_without_it),
        cmocka_unit_test(all_kinds_are_set_again_with_the_last_zxid),
        cmocka_unit_test(persistent_watches_are_told_that_events_may_be_missing),
        cmocka_unit_test(many_watches_are_set_again_in_pieces),
        cmocka_unit_test(held_events_are_made_up_for),
        cmocka_unit_test(watches_that_cannot_be_set_again_are_not_forgotten_silently),
        cmocka_unit_test(the_end_of_the_session_ends_its_watches),
        cmocka_unit_test(removing_all_of_a_kind_asks_the_server),
        cmocka_unit_test(removing_one_of_several_keeps_the_servers_watch),
        cmocka_unit_test(a_callback_that_came_meanwhile_is_set_again),
        cmocka_unit_test(a_watch_of_another_kind_is_left_alone),
        cmocka_unit_test(a_refused_removal_removes_nothing_but_locally),
        cmocka_unit_test(without_a_connection_watches_are_removed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
