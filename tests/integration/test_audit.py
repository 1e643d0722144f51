"""The audit log: a line per operation with who, where from, what and with what success."""

import getpass
import itertools
import re

import pytest
from rawzk import (CONTAINER, EPHEMERAL, EPHEMERAL_SEQUENTIAL, OPEN, SEQUENTIAL, check,
                   create, create2, create_container, create_ttl, delete, delete_container,
                   get_data, multi, reconfig, set_acl, set_data)

SERVER_CONFIG = {"audit.enable": "true", "extendedTypesEnabled": "true"}

FIELDS = ("session", "user", "ip", "operation", "znode", "znode_type", "acl", "result")


def audited(server, s=None):
    """What the log tells so far, of one session or of nobody's: the lines without session and ip."""
    session = f"0x{s.id & (2**64 - 1):x}" if s else None
    found = []
    for line in server.log().split("\n"):
        at = re.search(r"(?:^|[ \t])((session|user)=[^\t]*\t.*\bresult=\w+)$", line)
        if not at:
            continue
        fields = [part.partition("=")[::2] for part in at[1].split("\t")]
        names = [name for name, _ in fields]
        assert names == [name for name in FIELDS if name in names], line
        told = dict(fields)
        if told.pop("session", None) == session:
            found.append(told)
    return found


_marks = itertools.count(1)


def mark(server, s):
    """An operation whose line is in the log, and everything before it with it."""
    path = f"/mark{next(_marks)}"
    s.call(delete(path))
    server.wait_log(re.escape(f"znode={path}\tresult=failure"))


def told_of(server, s, *ops):
    """The lines that these operations cause."""
    mark(server, s)
    before = len(audited(server, s))
    for op in ops:
        s.call(op)
    mark(server, s)
    lines = audited(server, s)[before:-1]
    for told in lines:
        assert told.pop("ip") == "127.0.0.1"
        assert told.pop("user") == "127.0.0.1"
    return lines


def line(operation, znode=None, result="success", **more):
    told = {"operation": operation, "znode": znode, "result": result} | more
    return {key: value for key, value in told.items() if value is not None}


@pytest.mark.parametrize(
    "op, kind, znode",
    [
        (create("/p"), "persistent", "/p"),
        (create2("/p2"), "persistent", "/p2"),
        (create("/e", flags=EPHEMERAL), "ephemeral", "/e"),
        (create_container("/c"), "container", "/c"),
        (create_ttl("/t", 100_000), "persistent_with_ttl", "/t"),
    ],
)
def test_create_is_told_with_its_kind(server, s, op, kind, znode):
    assert told_of(server, s, op) == [line("create", znode, znode_type=kind)]


@pytest.mark.parametrize("flags, kind", [(SEQUENTIAL, "persistent_sequential"),
                                         (EPHEMERAL_SEQUENTIAL, "ephemeral_sequential")])
def test_sequential_znode_is_told_by_the_name_it_got(server, s, root, flags, kind):
    s.ok(create(f"{root}/first-", flags=flags))
    assert told_of(server, s, create(f"{root}/q-", flags=flags)) == [
        line("create", f"{root}/q-0000000001", znode_type=kind)
    ]


def test_other_changes_are_told_by_path(server, s, root):
    assert told_of(
        server, s, create(f"{root}/a"), set_data(f"{root}/a", b"1"), set_acl(f"{root}/a", OPEN),
        delete(f"{root}/a"),
    ) == [
        line("create", f"{root}/a", znode_type="persistent"),
        line("setData", f"{root}/a"),
        line("setAcl", f"{root}/a", acl="world:anyone:cdrwa"),
        line("delete", f"{root}/a"),
    ]


def test_refused_operations_are_failures_of_the_path_asked_for(server, s, root):
    missing = f"{root}/missing"
    assert told_of(
        server, s, create(root), create(f"{missing}/q-", flags=SEQUENTIAL),
        set_data(missing, b""), set_acl(missing, OPEN), delete(missing), delete(root, version=7),
        reconfig(joining="server.9=x"),
    ) == [
        line("create", root, "failure", znode_type="persistent"),
        line("create", f"{missing}/q-", "failure", znode_type="persistent_sequential"),
        line("setData", missing, "failure"),
        line("setAcl", missing, "failure", acl="world:anyone:cdrwa"),
        line("delete", missing, "failure"),
        line("delete", root, "failure"),
        line("reconfig", None, "failure"),
    ]


def test_parts_of_a_multi_are_told_one_by_one(server, s, root):
    assert told_of(
        server, s,
        multi(create(f"{root}/a", flags=EPHEMERAL), check(root), set_data(f"{root}/a", b"1"),
              delete(f"{root}/a"), create_container(f"{root}/c", flags=CONTAINER)),
    ) == [
        line("create", f"{root}/a", znode_type="ephemeral"),
        line("setData", f"{root}/a"),
        line("delete", f"{root}/a"),
        line("create", f"{root}/c", znode_type="container"),
    ]


def test_failed_multi_is_one_failure(server, s, root):
    assert told_of(server, s, multi(create(f"{root}/a"), delete(f"{root}/missing"))) == [
        line("multiOperation", None, "failure")
    ]


def test_reads_are_not_told(server, s, root):
    assert told_of(server, s, get_data(root), get_data(f"{root}/missing")) == []


def test_users_are_told_by_name(server, s, root):
    s.authenticate("digest", b"ann:secret")
    s.ok(set_data(root, b""))
    told_line = server.wait_log(f"operation=setData\tznode={root}\t")
    users = re.search(r"user=([^\t]*)", told_line)[1]
    assert set(users.split(",")) == {"127.0.0.1", "ann"}


def test_ephemerals_of_a_closed_session_go_in_the_servers_name(server, root):
    with server.session() as s:
        s.ok(create(f"{root}/e", flags=EPHEMERAL))
        s.close_session()
    told_line = server.wait_log(
        f"operation=ephemeralZNodeDeletionOnSessionCloseOrExpire\tznode={root}/e\tresult=success")
    assert f"session=0x{s.id & (2**64 - 1):x}\tuser={getpass.getuser()}\toperation=" in told_line


def test_container_deleted_by_a_client_is_told(server, s, root):
    s.ok(create_container(f"{root}/c"))
    assert told_of(server, s, delete_container(f"{root}/c")) == [line("delete", f"{root}/c")]


def test_start_and_stop_are_told(start_server):
    server = start_server({"audit.enable": "true"})
    user = getpass.getuser()
    server.wait_log(f"user={user}\toperation=serverStart\tresult=success")
    with server.session() as s:
        s.ok(create("/a"))  # Apache is ready for its end a moment after it has told of its start.
    server.stop()
    assert f"user={user}\toperation=serverStop\tresult=invoked" in server.log()


def test_nothing_is_told_by_default(start_server):
    server = start_server()
    with server.session() as s:
        s.ok(create("/a"))
    server.stop()
    assert "operation=" not in server.log()


def test_server_of_the_client_tells_and_all_tell_of_ephemerals(start_ensemble, backend):
    ensemble = start_ensemble([backend] * 3, leader=3, config={"audit.enable": "true"})
    s = ensemble[1].session()
    s.ok(create("/a"))
    s.err(create("/a"))
    s.ok(multi(set_data("/a", b""), create("/e", flags=EPHEMERAL)))
    s.close_session()
    session = f"0x{s.id & (2**64 - 1):x}"
    gone = "operation=ephemeralZNodeDeletionOnSessionCloseOrExpire\tznode=/e\tresult=success"
    for member in ensemble:
        member.wait_log(f"session={session}\tuser={getpass.getuser()}\t{gone}")
    told = [re.search(r"operation=.*", line)[0] for line in ensemble[1].log().split("\n")
            if f"session={session}\tuser=127.0.0.1\t" in line]
    assert told == [
        "operation=create\tznode=/a\tznode_type=persistent\tresult=success",
        "operation=create\tznode=/a\tznode_type=persistent\tresult=failure",
        "operation=setData\tznode=/a\tresult=success",
        "operation=create\tznode=/e\tznode_type=ephemeral\tresult=success",
    ]
    for other in (ensemble[2], ensemble[3]):
        assert "user=127.0.0.1" not in other.log()
