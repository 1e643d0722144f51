"""Every operation: what it answers, its errors, and the order in which it checks."""

import pytest
import rawzk
from rawzk import (
    BADARGUMENTS,
    BADVERSION,
    CONTAINER,
    EPHEMERAL,
    EPHEMERAL_SEQUENTIAL,
    INVALIDACL,
    NOAUTH,
    NOCHILDRENFOREPHEMERALS,
    NODEEXISTS,
    NONODE,
    NOTEMPTY,
    NOWATCHER,
    OPEN,
    READ_ONLY,
    RECONFIGDISABLED,
    SEQUENTIAL,
    TTL,
    TTL_SEQUENTIAL,
    UNIMPLEMENTED,
    Acl,
    Op,
    boolean,
    create,
    create2,
    create_container,
    create_ttl,
    delete,
    exists,
    get_acl,
    get_children,
    get_children2,
    get_data,
    i32,
    i64,
    set_acl,
    set_data,
    sync,
    ustr,
)

SERVER_CONFIG = {"extendedTypesEnabled": "true"}

INT_MAX = 2**31 - 1


# --- create --------------------------------------------------------------------------


def test_create_answers_the_path(s, root):
    assert s.ok(create(f"{root}/a", b"x")) == f"{root}/a"
    assert s.ok(get_data(f"{root}/a"))[0] == b"x"


def test_create2_answers_the_path_and_the_stat_of_the_new_node(s, root):
    path, stat = s.ok(create2(f"{root}/a", b"xyz"))
    assert path == f"{root}/a"
    assert stat == s.ok(exists(path))
    assert stat.czxid == stat.mzxid == stat.pzxid == s.zxid
    assert stat.ctime == stat.mtime > 0
    assert (stat.version, stat.cversion, stat.aversion) == (0, 0, 0)
    assert (stat.data_length, stat.num_children, stat.ephemeral_owner) == (3, 0, 0)


def test_data_may_be_null_and_stays_null(s, root):
    s.ok(create(f"{root}/null", None))
    data, stat = s.ok(get_data(f"{root}/null"))
    assert data is None
    assert stat.data_length == 0


def test_data_may_be_empty_and_stays_empty(s, root):
    s.ok(create(f"{root}/empty", b""))
    assert s.ok(get_data(f"{root}/empty"))[0] == b""


def test_data_is_any_bytes(s, root):
    data = bytes(range(256)) * 100
    s.ok(create(f"{root}/bytes", data))
    read, stat = s.ok(get_data(f"{root}/bytes"))
    assert read == data
    assert stat.data_length == len(data)


@pytest.mark.parametrize("make", [create, create2])
def test_create_of_an_existing_node_is_refused(s, root, make):
    assert s.err(make(root)) == NODEEXISTS


def test_create_under_a_missing_parent_is_refused(s, root):
    assert s.err(create(f"{root}/no/child")) == NONODE


@pytest.mark.parametrize("flags", [7, 8, -1, 100, INT_MAX])
def test_create_with_an_unknown_flag_is_refused(s, root, flags):
    assert s.err(create(f"{root}/a", flags=flags)) == BADARGUMENTS


def test_bad_flag_is_found_before_anything_else(s):
    assert s.err(create("no-slash", acl=[], flags=77)) == BADARGUMENTS


def test_acl_is_checked_before_the_parent_exists(s, root):
    assert s.err(create(f"{root}/no/child", acl=[])) == INVALIDACL


def test_parent_is_looked_up_before_the_permission_and_the_permission_before_the_node(s, root):
    s.ok(create(f"{root}/closed", acl=OPEN))
    s.ok(create(f"{root}/closed/there"))
    s.ok(set_acl(f"{root}/closed", READ_ONLY))
    assert s.err(create(f"{root}/closed/no/child")) == NONODE
    assert s.err(create(f"{root}/closed/there")) == NOAUTH
    assert s.err(create(f"{root}/closed/.")) == NOAUTH


def test_full_path_is_checked_after_the_permission(s, root):
    assert s.err(create(f"{root}/..")) == BADARGUMENTS


@pytest.mark.parametrize("acl", [None, [], [Acl(31, "nosuch", "x")], [Acl(31, "auth", "")],
                                 [Acl(31, "digest", "nocolon")], [Acl(31, "ip", "999.1.1.1")],
                                 [Acl(31, "world", "someone")]])
def test_create_with_an_acl_that_cannot_be_is_refused(s, root, acl):
    assert s.err(create(f"{root}/a", acl=acl)) == INVALIDACL


def test_ephemeral_belongs_to_its_session(s, root):
    path, stat = s.ok(create2(f"{root}/e", flags=EPHEMERAL))
    assert stat.ephemeral_owner == s.id
    assert s.ok(exists(path)).ephemeral_owner == s.id


def test_ephemeral_may_not_have_children(s, root):
    s.ok(create(f"{root}/e", flags=EPHEMERAL))
    assert s.err(create(f"{root}/e/child")) == NOCHILDRENFOREPHEMERALS


def test_ephemeral_parent_is_found_after_the_node_is_looked_up(s, root):
    s.ok(create(f"{root}/e", flags=EPHEMERAL))
    assert s.err(create(f"{root}/e/no/deeper")) == NONODE


def test_sequence_counts_every_create_below_the_parent(s, root):
    assert s.ok(create(f"{root}/a-", flags=SEQUENTIAL)) == f"{root}/a-0000000000"
    assert s.ok(create(f"{root}/b-", flags=SEQUENTIAL)) == f"{root}/b-0000000001"
    s.ok(create(f"{root}/plain"))
    assert s.ok(create(f"{root}/a-", flags=EPHEMERAL_SEQUENTIAL)) == f"{root}/a-0000000003"


def test_sequence_does_not_go_back_after_a_delete(s, root):
    first = s.ok(create(f"{root}/n", flags=SEQUENTIAL))
    s.ok(delete(first))
    assert s.ok(create(f"{root}/n", flags=SEQUENTIAL)) == f"{root}/n0000000001"


def test_sequence_is_not_moved_by_failed_creates(s, root):
    s.ok(create(f"{root}/x"))
    assert s.err(create(f"{root}/x")) == NODEEXISTS
    assert s.ok(create(f"{root}/n", flags=SEQUENTIAL)) == f"{root}/n0000000001"


def test_sequential_name_may_be_the_number_alone(s, root):
    assert s.ok(create(f"{root}/", flags=SEQUENTIAL)) == f"{root}/0000000000"


def test_pipelined_sequential_creates_are_numbered_in_order(s, root):
    ops = [create(f"{root}/q-", flags=EPHEMERAL_SEQUENTIAL)] * 200
    s.send_all(ops)
    assert [rawzk.decode(ops[0], s.reply()) for _ in ops] == [
        f"{root}/q-{n:010d}" for n in range(200)
    ]


# --- containers and TTL --------------------------------------------------------------


def test_container_shows_no_owner_and_may_have_children(s, root):
    path, stat = s.ok(create_container(f"{root}/c", b"d"))
    assert (path, stat.ephemeral_owner, stat.data_length) == (f"{root}/c", 0, 1)
    s.ok(create(f"{path}/child"))
    assert s.ok(exists(path)).ephemeral_owner == 0


def test_container_flag_works_in_plain_create_too(s, root):
    assert s.ok(create(f"{root}/c", flags=CONTAINER)) == f"{root}/c"
    assert s.ok(create2(f"{root}/c2", flags=CONTAINER))[1].ephemeral_owner == 0


@pytest.mark.parametrize("flags", [TTL, TTL_SEQUENTIAL])
def test_ttl_node_shows_no_owner_and_may_have_children(s, root, flags):
    path, stat = s.ok(create_ttl(f"{root}/t", 60000, flags=flags))
    assert path == f"{root}/t" + ("0000000000" if flags == TTL_SEQUENTIAL else "")
    assert stat.ephemeral_owner == 0
    s.ok(create(f"{path}/child"))
    assert s.ok(exists(path)).num_children == 1


@pytest.mark.parametrize("ttl", [0, -1, 0x010000000000, 2**63 - 1, -(2**63)])
def test_ttl_outside_its_range_is_refused(s, root, ttl):
    assert s.err(create_ttl(f"{root}/t", ttl)) == BADARGUMENTS


@pytest.mark.parametrize("ttl", [1, 0x00FFFFFFFFFF])
def test_ttl_may_be_1_ms_to_40_bits_of_ms(s, root, ttl):
    assert s.ok(create_ttl(f"{root}/t", ttl))[0] == f"{root}/t"


def test_ttl_flag_in_plain_create_lacks_a_ttl_and_is_refused(s, root):
    assert s.err(create(f"{root}/t", flags=TTL)) == BADARGUMENTS


# --- delete --------------------------------------------------------------------------


def test_delete_answers_nothing(s, root):
    s.ok(create(f"{root}/a"))
    s.ok(delete(f"{root}/a"))
    assert s.err(exists(f"{root}/a")) == NONODE


def test_delete_of_a_missing_node_is_refused(s, root):
    assert s.err(delete(f"{root}/no")) == NONODE
    assert s.err(delete(f"{root}/no/child")) == NONODE


def test_delete_checks_permission_then_node_then_version_then_children(s, root):
    s.ok(create(f"{root}/p"))
    s.ok(create(f"{root}/p/c"))
    s.ok(create(f"{root}/p/c/d"))
    assert s.err(delete(f"{root}/p/c", version=7)) == BADVERSION
    assert s.err(delete(f"{root}/p/c", version=0)) == NOTEMPTY
    assert s.err(delete(f"{root}/p/c")) == NOTEMPTY
    s.ok(set_acl(f"{root}/p", READ_ONLY))
    assert s.err(delete(f"{root}/p/missing")) == NOAUTH
    assert s.err(delete(f"{root}/p/c", version=7)) == NOAUTH
    assert s.err(delete(f"{root}/p/missing/x")) == NONODE


@pytest.mark.parametrize("path", ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"])
def test_special_nodes_cannot_be_deleted(s, path):
    assert s.err(delete(path)) == BADARGUMENTS


def test_children_of_the_special_nodes_are_shown(s):
    assert sorted(s.ok(get_children("/zookeeper"))) == ["config", "quota"]
    assert "zookeeper" in s.ok(get_children("/"))


# --- reads ---------------------------------------------------------------------------


@pytest.mark.parametrize("read", [exists, get_data, get_acl, get_children, get_children2])
def test_reading_a_missing_node_says_so(s, root, read):
    assert s.err(read(f"{root}/no")) == NONODE


@pytest.mark.parametrize("read", [exists, get_data, get_acl, get_children, get_children2])
@pytest.mark.parametrize("path", ["no-slash", "/trailing/", "//", "/a//b", "/a/../b"])
def test_reading_a_path_that_cannot_be_is_a_missing_node(s, read, path):
    assert s.err(read(path)) == NONODE


def test_get_data_answers_data_and_stat(s, root):
    s.ok(create(f"{root}/a", b"1"))
    s.ok(set_data(f"{root}/a", b"22"))
    data, stat = s.ok(get_data(f"{root}/a"))
    assert data == b"22"
    assert stat == s.ok(exists(f"{root}/a"))
    assert (stat.version, stat.data_length) == (1, 2)


def test_get_children_answers_names_without_the_path(s, root):
    for name in ("b", "a", "c"):
        s.ok(create(f"{root}/{name}"))
    s.ok(create(f"{root}/a/deeper"))
    assert sorted(s.ok(get_children(root))) == ["a", "b", "c"]
    names, stat = s.ok(get_children2(root))
    assert sorted(names) == ["a", "b", "c"]
    assert stat == s.ok(exists(root))


def test_node_without_children_has_an_empty_list(s, root):
    assert s.call(get_children(root)).body == i32(0)
    assert s.ok(get_children2(root))[0] == []


def test_reply_carries_the_last_zxid(s, root):
    reply = s.call(create(f"{root}/a"))
    again = s.call(exists(f"{root}/a"))
    assert again.zxid == reply.zxid
    assert s.ok(exists(f"{root}/a")).czxid == reply.zxid


def test_read_that_fails_moves_no_zxid(s, root):
    before = s.call(exists(root)).zxid
    assert s.err(get_data(f"{root}/no")) == NONODE
    assert s.call(exists(root)).zxid == before


# --- setData, setACL -----------------------------------------------------------------


def test_set_data_answers_the_new_stat(s, root):
    before = s.ok(exists(root))
    stat = s.ok(set_data(root, b"12345"))
    assert stat == s.ok(exists(root))
    assert stat.version == before.version + 1
    assert stat.mzxid == s.zxid > before.mzxid
    assert stat.data_length == 5
    assert stat.mtime >= before.mtime
    assert (stat.czxid, stat.pzxid, stat.cversion, stat.aversion) == (
        before.czxid,
        before.pzxid,
        before.cversion,
        before.aversion,
    )


def test_set_data_with_the_right_version_only(s, root):
    assert s.err(set_data(root, b"", version=1)) == BADVERSION
    assert s.err(set_data(root, b"", version=-2)) == BADVERSION
    assert s.ok(set_data(root, b"", version=0)).version == 1
    assert s.err(set_data(root, b"", version=0)) == BADVERSION
    assert s.ok(set_data(root, b"", version=-1)).version == 2


def test_set_data_checks_node_then_permission_then_version(s, root):
    s.ok(create(f"{root}/r", acl=READ_ONLY))
    assert s.err(set_data(f"{root}/no", b"", version=5)) == NONODE
    assert s.err(set_data(f"{root}/r", b"", version=5)) == NOAUTH


def test_set_data_to_null(s, root):
    assert s.ok(set_data(root, None)).data_length == 0
    assert s.ok(get_data(root))[0] is None


@pytest.mark.parametrize("path", ["", "no-slash", "/trailing/", "//"])
def test_set_data_of_a_path_that_cannot_be_is_a_bad_argument(s, path):
    assert s.err(set_data(path, b"")) == BADARGUMENTS


def test_set_acl_counts_the_aversion_only(s, root):
    before = s.ok(exists(root))
    acl = [Acl(31, "world", "anyone"), Acl(1, "ip", "10.0.0.0/8")]
    stat = s.ok(set_acl(root, acl))
    assert stat == before._replace(aversion=before.aversion + 1)
    assert s.ok(get_acl(root)) == (acl, stat)


def test_set_acl_with_the_right_aversion_only(s, root):
    assert s.err(set_acl(root, OPEN, version=1)) == BADVERSION
    assert s.ok(set_acl(root, OPEN, version=0)).aversion == 1
    assert s.err(set_acl(root, OPEN, version=0)) == BADVERSION


def test_set_acl_checks_path_then_acl_then_node_then_permission_then_version(s, root):
    s.ok(create(f"{root}/r", acl=READ_ONLY))
    assert s.err(set_acl("bad", [])) == BADARGUMENTS
    assert s.err(set_acl(f"{root}/no", [])) == INVALIDACL
    assert s.err(set_acl(f"{root}/no", OPEN, version=9)) == NONODE
    assert s.err(set_acl(f"{root}/r", OPEN, version=9)) == NOAUTH


def test_get_acl_of_a_new_node_is_what_was_given_without_doubles(s, root):
    acl = [Acl(1, "world", "anyone"), Acl(31, "ip", "127.0.0.1"), Acl(1, "world", "anyone")]
    s.ok(create(f"{root}/a", acl=acl))
    assert s.ok(get_acl(f"{root}/a"))[0] == acl[:2]


# --- failed writes -------------------------------------------------------------------


@pytest.mark.parametrize("make, code", [
    (lambda root: create(root), NODEEXISTS),
    (lambda root: delete(f"{root}/no"), NONODE),
    (lambda root: set_data(root, b"", version=9), BADVERSION),
    (lambda root: set_acl(root, []), INVALIDACL),
    (lambda root: create("bad"), BADARGUMENTS),
    (lambda root: rawzk.multi(rawzk.check(root, 9)), None),
])
def test_failed_write_consumes_a_zxid(s, root, make, code):
    before = s.call(exists(root)).zxid
    reply = s.call(make(root))
    if code is not None:
        assert (reply.err, reply.body) == (code, b"")
    assert reply.zxid == before + 1
    assert s.call(exists(root)).zxid == before + 1


# --- the rest ------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/no/such/node", "not a path", ""])
def test_sync_answers_the_path_whatever_it_is(s, path):
    assert s.ok(sync(path)) == path


def test_sync_is_no_transaction(s, root):
    before = s.call(exists(root)).zxid
    assert s.call(sync(root)).zxid == before
    assert s.call(exists(root)).zxid == before


def test_get_ephemerals_lists_this_sessions_own_by_prefix(server, s, root):
    other = server.session()
    other.ok(create(f"{root}/other", flags=EPHEMERAL))
    s.ok(create(f"{root}/dir"))
    for name in ("aa", "ab", "b", "dir/a"):
        s.ok(create(f"{root}/{name}", flags=EPHEMERAL))
    everything = sorted(f"{root}/{n}" for n in ("aa", "ab", "b", "dir/a"))
    assert sorted(s.ok(rawzk.get_ephemerals("/"))) == everything
    assert sorted(s.ok(rawzk.get_ephemerals(""))) == everything
    assert sorted(s.ok(rawzk.get_ephemerals(f"{root}/a"))) == [f"{root}/aa", f"{root}/ab"]
    assert s.ok(rawzk.get_ephemerals(f"{root}/dir")) == [f"{root}/dir/a"]
    assert s.ok(rawzk.get_ephemerals("/nothing")) == []
    assert server.session().ok(rawzk.get_ephemerals("/")) == []


def test_get_all_children_number_counts_all_descendants(s, root):
    for name in ("a", "a/b", "a/b/c", "a2"):
        s.ok(create(f"{root}/{name}"))
    assert s.ok(rawzk.get_all_children_number(root)) == 4
    assert s.ok(rawzk.get_all_children_number(f"{root}/a")) == 2
    assert s.ok(rawzk.get_all_children_number(f"{root}/a/b/c")) == 0
    assert s.err(rawzk.get_all_children_number(f"{root}/no")) == NONODE


def test_get_all_children_number_of_the_root_counts_every_node_but_itself_and_one(s, root):
    def count(path):
        names = s.ok(get_children(path))
        return len(names) + sum(count(f"{path.rstrip('/')}/{n}") for n in names)

    # Apache subtracts the root twice: it has a second name, "".
    assert s.ok(rawzk.get_all_children_number("/")) == count("/")
    assert s.ok(rawzk.get_all_children_number("")) == count("/") + 1


def test_who_am_i_of_a_stranger_is_the_address(s):
    assert s.ok(rawzk.who_am_i()) == [("ip", "127.0.0.1")]


def test_who_am_i_names_digest_users_without_their_hash(s):
    s.authenticate("digest", b"alice:secret")
    assert sorted(s.ok(rawzk.who_am_i())) == [("digest", "alice"), ("ip", "127.0.0.1")]


@pytest.mark.apache_only_since("3.8.4")
def test_check_outside_a_multi_is_unimplemented_and_closes(s, root):
    reply = s.call(rawzk.check(root, 0))
    assert (reply.err, reply.body) == (UNIMPLEMENTED, b"")
    s.expect_closed()


@pytest.mark.parametrize("op_type", [10, 23, 50, 99, 108, 500, 501, 1000, -5, INT_MAX, -(2**31)])
def test_unknown_operation_is_unimplemented_and_closes(s, op_type):
    xid = s.send(Op(op_type, b"", None))
    reply = s.reply()
    assert (reply.xid, reply.err, reply.body) == (xid, UNIMPLEMENTED, b"")
    s.expect_closed()


@pytest.mark.parametrize("op", [
    rawzk.reconfig(joining="server.2=a:1:2;3"),
    rawzk.reconfig(leaving="1"),
    rawzk.reconfig(members="server.1=a:1:2;3"),
    rawzk.reconfig(),
])
def test_reconfig_is_disabled_unless_configured(s, op):
    assert s.err(op) == RECONFIGDISABLED
    assert rawzk.moves_zxid_by(s, 1, lambda: s.err(op))


def test_reconfig_is_not_implemented_by_a_standalone_server(start_server):
    session = start_server({"reconfigEnabled": "true"}).session()
    assert session.err(rawzk.reconfig(joining="server.2=a:1:2;3")) == UNIMPLEMENTED
    session.ok(exists("/"))


@pytest.mark.apache_only_since("3.9")
def test_delete_container_on_the_wire_deletes_an_empty_container_only(s, root):
    s.ok(create_container(f"{root}/c"))
    s.ok(create(f"{root}/c/child"))
    s.ok(create(f"{root}/e", flags=EPHEMERAL))
    assert s.err(rawzk.delete_container(f"{root}/c")) == NOTEMPTY
    assert s.err(rawzk.delete_container(f"{root}/no")) == NONODE
    assert s.err(rawzk.delete_container(f"{root}/e")) == BADVERSION
    s.ok(delete(f"{root}/c/child"))
    s.ok(rawzk.delete_container(f"{root}/c"))
    assert s.err(exists(f"{root}/c")) == NONODE


@pytest.mark.parametrize("op", [rawzk.check_watches, rawzk.remove_watches])
def test_watches_that_are_not_there_cannot_be_found(s, root, op):
    assert s.err(op(root, rawzk.W_ANY)) == NOWATCHER


def test_xid_of_a_request_is_returned_whatever_it_is(s, root):
    for xid in (0, 5, 5, 1, INT_MAX, -77, -(2**31)):
        assert s.call(exists(root), xid=xid).xid == xid


# --- many in flight ------------------------------------------------------------------


def test_hundreds_of_requests_in_flight_are_answered_in_order(s, root):
    ops = []
    for n in range(300):
        ops += [create(f"{root}/n{n}", b"%d" % n), get_data(f"{root}/n{n}"),
                set_data(f"{root}/n{n}", b"x"), exists(f"{root}/no")]
    xids = s.send_all(ops)
    replies = [s.reply() for _ in ops]
    assert [r.xid for r in replies] == xids
    for n in range(300):
        made, read, written, absent = replies[4 * n : 4 * n + 4]
        assert rawzk.decode(ops[0], made) == f"{root}/n{n}"
        assert rawzk.decode(ops[1], read)[0] == b"%d" % n
        assert rawzk.decode(ops[2], written).version == 1
        assert absent.err == NONODE
    zxids = [r.zxid for r in replies]
    assert zxids == sorted(zxids)


def test_read_sees_the_sessions_own_write_before_it(s, root):
    for n in range(100):
        s.send_all([set_data(root, b"%d" % n), get_data(root)])
        s.reply()
        assert rawzk.decode(get_data(root), s.reply())[0] == b"%d" % n


def test_writes_of_many_sessions_all_count(server, s, root):
    sessions = [server.session() for _ in range(20)]
    for session in sessions:
        session.send_all([set_data(root, b"x")] * 20)
    versions = [
        rawzk.decode(set_data(root, b"x"), session.reply()).version
        for session in sessions
        for _ in range(20)
    ]
    assert sorted(versions) == list(range(1, 401))
    for n in range(20):
        own = versions[20 * n : 20 * n + 20]
        assert own == sorted(own)


# --- malformed records ---------------------------------------------------------------

BAD_BODIES = {
    "empty": b"",
    "half a length": b"\0\0",
    "length beyond the end": i32(100) + b"/a",
    "length of 2 GiB": i32(INT_MAX) + b"/a",
    "negative length": i32(-5) + b"/a",
    "no watch flag": ustr("/a"),
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
@pytest.mark.parametrize("op_type", [rawzk.EXISTS, rawzk.GETDATA, rawzk.GETCHILDREN,
                                     rawzk.GETCHILDREN2, rawzk.CREATE, rawzk.DELETE,
                                     rawzk.SETDATA, rawzk.SETACL])
def test_malformed_record_is_a_marshalling_error_and_the_connection_stays(s, op_type, body):
    assert s.err(Op(op_type, body, None)) == rawzk.MARSHALLINGERROR
    s.ok(exists("/"))


@pytest.mark.parametrize("count", [INT_MAX, 1000])
def test_vector_with_a_lying_count_is_a_marshalling_error(s, root, count):
    body = ustr(f"{root}/a") + rawzk.buf(b"") + i32(count) + i32(31)
    assert s.err(Op(rawzk.CREATE, body, None)) == rawzk.MARSHALLINGERROR
    assert s.err(Op(rawzk.SETWATCHES, i64(0) + i32(count), None)) == rawzk.MARSHALLINGERROR
    s.ok(exists("/"))


def test_bytes_after_the_record_are_ignored(s, root):
    assert s.ok(exists(root)._replace(body=ustr(root) + boolean(False) + b"and more")).czxid > 0
    s.ok(create(f"{root}/a")._replace(body=create(f"{root}/a").body + b"xx"))


def test_null_path_of_a_read(s):
    reply = s.call(Op(rawzk.EXISTS, i32(-1) + boolean(False), None))
    assert reply.err != 0
    s.ok(exists("/"))


def test_any_byte_but_zero_is_true(s, root):
    s.ok(Op(rawzk.GETDATA, ustr(root) + b"\x02", get_data(root).decode))
    s.ok(set_data(root, b""))
    assert s.drain_events() == [(rawzk.NODE_DATA_CHANGED, root)]
