"""Transactions, and reads in bulk."""

import pytest
import rawzk
from rawzk import (
    BADARGUMENTS,
    BADVERSION,
    CHECK,
    CREATE,
    CREATE2,
    DELETE,
    EPHEMERAL,
    ERROR,
    GETCHILDREN,
    GETDATA,
    MARSHALLINGERROR,
    MULTI,
    MULTI_END,
    MULTIREAD,
    NOAUTH,
    NODE_CHILDREN_CHANGED,
    NODE_CREATED,
    NODE_DATA_CHANGED,
    NODE_DELETED,
    NODEEXISTS,
    NONODE,
    NOTEMPTY,
    OPEN,
    READ_ONLY,
    RUNTIMEINCONSISTENCY,
    SEQUENTIAL,
    SETDATA,
    Op,
    check,
    create,
    create2,
    create_container,
    create_ttl,
    delete,
    exists,
    get_acl,
    get_children,
    get_data,
    i32,
    multi,
    multi_header,
    multi_read,
    set_acl,
    set_data,
    ustr,
)

SERVER_CONFIG = {"extendedTypesEnabled": "true"}


@pytest.mark.apache_only_since("3.8.4")
def test_all_kinds_succeed_with_one_zxid(s, root):
    s.ok(create(f"{root}/old"))
    before = s.ok(exists(root))
    results = s.ok(
        multi(
            create(f"{root}/a", b"1"),
            create2(f"{root}/b", b"22"),
            set_data(f"{root}/a", b"333"),
            check(f"{root}/a", 1),
            delete(f"{root}/old"),
        )
    )
    zxid = s.zxid
    assert [kind for kind, _ in results] == [CREATE, CREATE2, SETDATA, CHECK, DELETE]
    assert results[0][1] == f"{root}/a"
    path, stat = results[1][1]
    assert path == f"{root}/b"
    assert stat == s.ok(exists(f"{root}/b"))
    set_stat = results[2][1]
    assert (set_stat.version, set_stat.czxid, set_stat.mzxid) == (1, zxid, zxid)
    assert results[3:] == [(CHECK, None), (DELETE, None)]
    after = s.ok(exists(root))
    assert (after.pzxid, after.num_children) == (zxid, 2)
    assert after.cversion == before.cversion + 3


@pytest.mark.apache_only_since("3.8.4")
def test_create2_container_and_ttl_answer_as_create2(s, root):
    results = s.ok(
        multi(
            create2(f"{root}/p"),
            create_container(f"{root}/c", b"x"),
            create_ttl(f"{root}/t", 60000),
            create_ttl(f"{root}/s-", 60000, flags=rawzk.TTL_SEQUENTIAL),
        )
    )
    names = [f"{root}/p", f"{root}/c", f"{root}/t", f"{root}/s-0000000003"]
    assert [(kind, value[0]) for kind, value in results] == [(CREATE2, n) for n in names]
    for _, (path, stat) in results:
        assert stat.ephemeral_owner == 0
        assert stat == s.ok(exists(path))


def test_exact_bytes_of_a_success(s, root):
    reply = s.call(multi(check(root, 0), create(f"{root}/a"), delete(f"{root}/a")))
    assert reply.body == (
        multi_header(CHECK, False, 0)
        + multi_header(CREATE, False, 0)
        + ustr(f"{root}/a")
        + multi_header(DELETE, False, 0)
        + MULTI_END
    )


def test_exact_bytes_of_a_failure(s, root):
    reply = s.call(multi(create(f"{root}/a"), check(root, 99), delete(root), create(f"{root}/b")))
    assert reply.err == 0, "the header says success; the errors are in the body"
    assert reply.body == (
        multi_header(ERROR, False, 0)
        + i32(0)
        + multi_header(ERROR, False, BADVERSION)
        + i32(BADVERSION)
        + multi_header(ERROR, False, RUNTIMEINCONSISTENCY)
        + i32(RUNTIMEINCONSISTENCY)
        + multi_header(ERROR, False, RUNTIMEINCONSISTENCY)
        + i32(RUNTIMEINCONSISTENCY)
        + MULTI_END
    )


def test_failure_leaves_nothing_behind(s, root):
    s.ok(create(f"{root}/keep", b"old"))
    before = s.ok(exists(root)), s.ok(get_data(f"{root}/keep"))
    results = s.ok(
        multi(
            create(f"{root}/a"),
            create(f"{root}/a/b", flags=EPHEMERAL),
            set_data(f"{root}/keep", b"new"),
            delete(f"{root}/keep"),
            create(f"{root}/seq-", flags=SEQUENTIAL),
            delete(f"{root}/missing"),
        )
    )
    assert results == [(ERROR, 0)] * 5 + [(ERROR, NONODE)]
    assert (s.ok(exists(root)), s.ok(get_data(f"{root}/keep"))) == before
    assert s.err(exists(f"{root}/a")) == NONODE
    assert s.ok(create(f"{root}/n", flags=SEQUENTIAL)) == f"{root}/n0000000001"


def test_failure_consumes_one_zxid(s, root):
    before = s.call(exists(root)).zxid
    assert s.call(multi(create(f"{root}/a"), delete(f"{root}/no"))).zxid == before + 1
    assert s.call(exists(root)).zxid == before + 1


def test_pipelined_requests_do_not_see_a_failed_multi(s, root):
    ops = [
        multi(create(f"{root}/a"), set_data(root, b"x"), delete(f"{root}/no")),
        create(f"{root}/a"),
        set_data(root, b"y", version=0),
        multi(create(f"{root}/b"), check(root, 1)),
        multi(create(f"{root}/b"), delete(f"{root}/no")),
        delete(f"{root}/b"),
    ]
    s.send_all(ops)
    answers = [rawzk.decode(op, s.reply()) for op in ops]
    assert answers[0] == [(ERROR, 0), (ERROR, 0), (ERROR, NONODE)]
    assert answers[1] == f"{root}/a"
    assert answers[2].version == 1
    assert answers[3] == [(CREATE, f"{root}/b"), (CHECK, None)]
    assert answers[4] == [(ERROR, NODEEXISTS), (ERROR, RUNTIMEINCONSISTENCY)]
    assert answers[5] is None


def test_operations_see_the_ones_before_them(s, root):
    results = s.ok(
        multi(
            create(f"{root}/a"),
            create(f"{root}/a/b"),
            create(f"{root}/a/c-", flags=SEQUENTIAL),
            set_data(f"{root}/a", b"1", version=0),
            set_data(f"{root}/a", b"2", version=1),
            check(f"{root}/a", 2),
            delete(f"{root}/a/b"),
            delete(f"{root}/a/c-0000000001"),
            delete(f"{root}/a", version=2),
            create(f"{root}/a", b"again"),
        )
    )
    assert results[2] == (CREATE, f"{root}/a/c-0000000001")
    assert [kind for kind, _ in results if kind == ERROR] == []
    assert s.ok(get_data(f"{root}/a"))[0] == b"again"


def test_delete_sees_children_made_before_it(s, root):
    results = s.ok(multi(create(f"{root}/a"), create(f"{root}/a/b"), delete(f"{root}/a")))
    assert results == [(ERROR, 0), (ERROR, 0), (ERROR, NOTEMPTY)]


@pytest.mark.parametrize("op, code", [
    (lambda root: create(root), NODEEXISTS),
    (lambda root: create(f"{root}/no/child"), NONODE),
    (lambda root: create("bad"), BADARGUMENTS),
    (lambda root: create(f"{root}/x", acl=[]), rawzk.INVALIDACL),
    (lambda root: delete(f"{root}/no"), NONODE),
    (lambda root: delete("/zookeeper"), BADARGUMENTS),
    (lambda root: set_data(root, b"", 9), BADVERSION),
    (lambda root: set_data(f"{root}/no", b""), NONODE),
    (lambda root: check(root, 9), BADVERSION),
    (lambda root: check(f"{root}/no", 0), NONODE),
    (lambda root: create_ttl(f"{root}/t", 0), BADARGUMENTS),
])
def test_each_error_is_that_of_the_operation_alone(s, root, op, code):
    assert s.ok(multi(op(root))) == [(ERROR, code)]


def test_check_with_version_minus_1_wants_only_the_node(s, root):
    s.ok(set_data(root, b""))
    assert s.ok(multi(check(root, -1))) == [(CHECK, None)]


def test_check_needs_read_permission(s, root):
    s.ok(create(f"{root}/w", acl=[rawzk.Acl(rawzk.WRITE, "world", "anyone")]))
    assert s.ok(multi(check(f"{root}/w", 0))) == [(ERROR, NOAUTH)]


def test_permissions_are_checked_in_a_multi(s, root):
    s.ok(create(f"{root}/r", acl=READ_ONLY))
    assert s.ok(multi(set_data(f"{root}/r", b""))) == [(ERROR, NOAUTH)]
    assert s.ok(multi(create(f"{root}/r/x"))) == [(ERROR, NOAUTH)]


def test_empty_multi_is_a_transaction_of_nothing(s, root):
    reply = s.call(multi())
    assert (reply.err, reply.body) == (0, MULTI_END)


def test_check_alone_is_a_transaction(s, root):
    before = s.call(exists(root)).zxid
    assert s.call(multi(check(root, 0))).zxid == before + 1


def test_ephemerals_of_a_multi_belong_to_the_session(s, root):
    s.ok(multi(create(f"{root}/e", flags=EPHEMERAL), create(f"{root}/f", flags=EPHEMERAL)))
    assert s.ok(exists(f"{root}/e")).ephemeral_owner == s.id
    assert sorted(s.ok(rawzk.get_ephemerals(root))) == [f"{root}/e", f"{root}/f"]


def test_sequences_of_one_multi_count_on(s, root):
    ops = [create(f"{root}/s-", flags=SEQUENTIAL)] * 3
    assert s.ok(multi(*ops)) == [(CREATE, f"{root}/s-{n:010d}") for n in range(3)]


def test_events_of_a_multi_share_its_zxid_and_come_in_its_order(server, s, root):
    watcher = server.session()
    s.ok(create(f"{root}/b"))
    s.ok(create(f"{root}/c"))
    for name in "abc":
        watcher.call(exists(f"{root}/{name}", watch=True))
    watcher.ok(get_children(root, watch=True))
    reply = s.call(multi(create(f"{root}/a"), set_data(f"{root}/b", b""), delete(f"{root}/c")))
    events = watcher.drain_full_events()
    assert [(e.type, e.path) for e in events] == [
        (NODE_CREATED, f"{root}/a"),
        (NODE_CHILDREN_CHANGED, root),
        (NODE_DATA_CHANGED, f"{root}/b"),
        (NODE_DELETED, f"{root}/c"),
    ]
    if server.backend in ("caucusd", "apache39"):
        assert {e.zxid for e in events} == {reply.zxid}


def test_failed_multi_fires_nothing(server, s, root):
    watcher = server.session()
    watcher.call(exists(f"{root}/a", watch=True))
    watcher.ok(get_children(root, watch=True))
    s.ok(multi(create(f"{root}/a"), delete(f"{root}/no")))
    assert watcher.drain_events() == []


def test_hundreds_of_operations_in_one_multi(s, root):
    results = s.ok(multi(*[create(f"{root}/{n}", b"x" * 100) for n in range(500)]))
    assert results == [(CREATE, f"{root}/{n}") for n in range(500)]
    stat = s.ok(exists(root))
    assert (stat.num_children, stat.cversion) == (500, 500)


# --- malformed -----------------------------------------------------------------------


@pytest.mark.parametrize("op", [get_data("/"), get_children("/"), exists("/"),
                                set_acl("/", OPEN), get_acl("/"), Op(500, b"", None)])
def test_operation_that_does_not_belong_in_a_multi_is_a_marshalling_error(s, root, op):
    assert s.err(Op(MULTI, multi(create(f"{root}/a"), op).body, None)) == MARSHALLINGERROR
    assert s.err(exists(f"{root}/a")) == NONODE


@pytest.mark.apache_only_since("3.8.4")
def test_unknown_create_flag_in_a_multi_is_a_marshalling_error(s, root):
    assert s.err(multi(create(f"{root}/x", flags=99))) == MARSHALLINGERROR


@pytest.mark.apache_only_since("3.9")
def test_malformed_multi_takes_a_zxid_unless_it_is_for_a_null_acl(s, root):
    before = s.call(exists(root)).zxid
    assert s.call(Op(MULTI, multi(create(f"{root}/x")).body[:-1], None)).zxid == before + 1
    for first in (create(f"{root}/x"), get_data(root)):
        reply = s.call(multi(first, create(f"{root}/y", acl=None)))
        assert (reply.err, reply.zxid) == (MARSHALLINGERROR, before + 1)
    # A read behind a write is found out before it.
    assert s.call(multi(create(f"{root}/x"), get_data(root), create(f"{root}/y", acl=None))).zxid == before + 2
    assert s.call(exists(root)).zxid == before + 2


def test_multi_in_a_multi_is_a_marshalling_error(s, root):
    assert s.err(multi(multi(create(f"{root}/a")))) == MARSHALLINGERROR


@pytest.mark.parametrize("body", [
    b"",
    b"\0\0\0",
    multi_header(CREATE, False, -1),
    multi_header(CREATE, False, -1) + ustr("/x"),
    multi_header(DELETE, False, -1) + delete("/x").body,
], ids=["empty", "half a header", "no record", "half a record", "no end"])
def test_truncated_multi_is_a_marshalling_error_and_the_connection_stays(s, body):
    assert s.err(Op(MULTI, body, None)) == MARSHALLINGERROR
    assert s.err(Op(MULTIREAD, body, None)) == MARSHALLINGERROR
    s.ok(exists("/"))


# --- multiRead -----------------------------------------------------------------------


def test_multi_read_answers_each_read(s, root):
    s.ok(create(f"{root}/a", b"data"))
    results = s.ok(multi_read(get_data(f"{root}/a"), get_children(root)))
    assert results == [(GETDATA, s.ok(get_data(f"{root}/a"))), (GETCHILDREN, ["a"])]


def test_multi_read_goes_on_after_an_error(s, root):
    s.ok(create(f"{root}/hidden", acl=[rawzk.Acl(rawzk.ADMIN, "world", "anyone")]))
    results = s.ok(
        multi_read(
            get_data(f"{root}/no"),
            get_children(root),
            get_data(f"{root}/hidden"),
            get_children(f"{root}/no"),
        )
    )
    assert results == [
        (ERROR, NONODE),
        (GETCHILDREN, ["hidden"]),
        (ERROR, NOAUTH),
        (ERROR, NONODE),
    ]


def test_multi_read_is_no_transaction(s, root):
    before = s.call(exists(root)).zxid
    assert s.call(multi_read(get_data(root))).zxid == before


def test_empty_multi_read(s):
    assert s.call(multi_read()).body == MULTI_END


def test_multi_read_of_writes_is_refused_with_an_empty_result(s, root):
    reply = s.call(multi_read(create(f"{root}/a")))
    assert (reply.err, reply.body) == (MARSHALLINGERROR, MULTI_END)
    assert s.err(exists(f"{root}/a")) == NONODE


def test_multi_read_that_mixes_reads_and_writes_is_refused(s, root):
    assert s.err(multi_read(get_data(root), create(f"{root}/a"))) == MARSHALLINGERROR
    assert s.err(multi_read(create(f"{root}/a"), get_data(root))) == MARSHALLINGERROR
    assert s.err(exists(f"{root}/a")) == NONODE


def test_multi_read_sees_the_sessions_own_writes(s, root):
    s.send_all([create(f"{root}/a", b"1"), multi_read(get_data(f"{root}/a"))])
    s.reply()
    ((kind, (data, _)),) = rawzk.decode(multi_read(), s.reply())
    assert (kind, data) == (GETDATA, b"1")
