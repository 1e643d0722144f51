"""What is on disk, bit for bit, and that it survives."""

import threading

import pytest
import rawzk
import tree
import zkfiles
from ports import free_port
from rawzk import EPHEMERAL, NODE_DELETED, create, delete, exists, get_data, set_data
from server import Server
from zkfiles import FolderWatch

KIB = 1024


# --- formats -------------------------------------------------------------------------


def test_log_is_a_file_of_zookeepers_with_every_transaction_in_order(start_server):
    server = start_server(tree.CONFIG)
    s = server.session()
    tree.grow(s, "/top")
    last = s.zxid
    server.kill()
    txns = zkfiles.all_txns(server.data_dir)
    # Every write is there, failed ones too; each zxid follows the one before.
    assert [t.zxid for t in txns] == list(range(txns[0].zxid, last + 1))
    assert {t.type for t in txns} >= {-10, -1, 1, 2, 5, 7, 14, 19, 21}
    ours = [t for t in txns if t.session == s.id]
    assert len(ours) == len(txns)
    cxids = [t.cxid for t in ours if t.type != -10]
    assert cxids == sorted(cxids)


def test_log_is_named_by_its_first_zxid_and_grows_in_preallocated_steps(start_server):
    server = start_server({"preAllocSize": 64})
    s = server.session()
    s.ok(create("/a", bytes(100)))
    ((zxid, path),) = zkfiles.logs(server.data_dir)
    assert zkfiles.read_log(path)[0].zxid == zxid == 1
    assert path.name == "log.1"
    assert path.stat().st_size == 16 + 64 * KIB
    for _ in range(70):
        s.ok(set_data("/a", bytes(1000)))
    assert path.stat().st_size == 16 + 2 * 64 * KIB


def test_first_log_is_64_mib_by_default(start_server):
    server = start_server({"preAllocSize": None})
    server.session()
    ((_, path),) = zkfiles.logs(server.data_dir)
    assert path.stat().st_size == 16 + 64 * KIB * KIB
    assert path.stat().st_blocks * 512 <= 64 * KIB * KIB + 64 * KIB



def test_exact_bytes_of_transactions(start_server):
    server = start_server({"extendedTypesEnabled": "true"})
    s = server.session(timeout_ms=5000)
    s.ok(create("/a", b"d"))
    s.ok(create("/e", None, flags=EPHEMERAL))
    s.ok(rawzk.create_container("/c"))
    s.ok(rawzk.create_ttl("/t", 60000))
    s.ok(set_data("/a", b"2"))
    s.ok(rawzk.set_acl("/a", rawzk.READ_ONLY))
    s.ok(delete("/c"))
    s.err(create("/a"))
    s.close_session()
    server.kill()
    i32, ustr, buf, acl = rawzk.i32, rawzk.ustr, rawzk.buf, rawzk.acl_bytes
    open_acl = acl(rawzk.OPEN)
    expected = [
        (-10, i32(5000)),
        (1, ustr("/a") + buf(b"d") + open_acl + b"\0" + i32(1)),
        (1, ustr("/e") + buf(None) + open_acl + b"\1" + i32(2)),
        (19, ustr("/c") + buf(b"") + open_acl + i32(3)),
        (21, ustr("/t") + buf(b"") + open_acl + i32(4) + rawzk.i64(60000)),
        (5, ustr("/a") + buf(b"2") + i32(1)),
        (7, ustr("/a") + acl(rawzk.READ_ONLY) + i32(1)),
        (2, ustr("/c")),
        (-1, i32(rawzk.NODEEXISTS)),
        (-11, rawzk.vec(ustr, ["/e"])),
    ]
    txns = zkfiles.all_txns(server.data_dir)
    for txn, (kind, record) in zip(txns, expected, strict=True):
        assert txn.type == kind
        assert txn.body[: len(record)] == record, (kind, txn.body.hex())
        # Behind the record of a change stands the digest of the tree: version and value.
        digest = txn.body[len(record) :]
        assert digest == b"" if kind == -1 else digest[:4] == i32(2) and len(digest) == 12


@pytest.mark.apache_only_since("3.9")
def test_snapshot_holds_the_tree_and_its_digest(start_server, tmp_path):
    # Asked for while nobody writes: a snapshot taken among writes holds some that are later
    # than its zxid and its digest.
    config = tree.CONFIG | {"admin.enableServer": "true", "admin.serverPort": free_port()}
    server = start_server(config)
    s = server.session(timeout_ms=60_000)
    tree.grow(s, "/top")
    before = tree.dump(server)
    _, headers, content = server.http(
        "/commands/snapshot?streaming=true", headers={"Authorization": "digest super:test"}
    )
    path = tmp_path / "snapshot"
    path.write_bytes(content)
    snapshot = zkfiles.read_snapshot(path)
    assert snapshot.digest_zxid == int(headers["last_zxid"], 16)
    assert snapshot.digest_version == 2
    assert zkfiles.tree_digest(snapshot.nodes) == snapshot.digest
    assert {path or "/" for path in snapshot.nodes} == set(before)
    node = snapshot.nodes["/top/parent"]
    data, stat, _ = before["/top/parent"]
    assert node.data == data
    assert (node.czxid, node.mzxid, node.pzxid) == (stat.czxid, stat.mzxid, stat.pzxid)
    assert node.cversion == 60, "creates only; Stat shows 2 * 60 - 40 children"
    assert stat.cversion == 80
    owners = {name: snapshot.nodes[f"/top/{name}"].owner & (2**64 - 1)
              for name in ("container", "ttl", "ephemeral", "empty")}
    assert owners["container"] == 0x8000000000000000
    assert owners["ttl"] == 0xFF00000000000000 | 1_000_000_000
    assert owners["empty"] == 0
    assert owners["ephemeral"] in snapshot.sessions
    assert snapshot.sessions[owners["ephemeral"]] == 60_000
    assert snapshot.acls[snapshot.nodes["/top/acl"].acl] == [
        rawzk.Acl(31, "digest", tree.digest_id("x", "y")),
        rawzk.Acl(1, "world", "anyone"),
        rawzk.Acl(1, "ip", "10.0.0.0/8"),
    ]
    open_acl = snapshot.nodes["/top/empty"].acl
    assert open_acl == -1 or snapshot.acls[open_acl] == rawzk.OPEN
    assert snapshot.nodes["/top/null"].data is None
    assert snapshot.nodes["/top/empty"].data == b""


def whole(path):
    try:
        zkfiles.read_snapshot(path)
        return True
    except (AssertionError, EOFError, OSError):
        return False


def test_logs_and_snapshots_roll_after_snap_count_writes(start_server):
    server = start_server({"snapCount": 20})
    s = server.session()
    with FolderWatch(zkfiles.version_dir(server.data_dir)) as changes:
        for n in range(100):
            s.ok(create(f"/{n}"))
        changes.wait_until(lambda: len(zkfiles.snapshots(server.data_dir)) >= 2)
    assert len(zkfiles.logs(server.data_dir)) >= 3
    server.stop()
    assert len(zkfiles.all_txns(server.data_dir)) == 101
    server.start()
    assert server.session().ok(exists("/")).num_children == 101


def test_compressed_snapshots(start_server):
    config = tree.CONFIG | {"snapshot.compression.method": "gz", "snapCount": 20}
    server = start_server(config)
    s = server.session(timeout_ms=60_000)

    def first_log_is_in_a_snapshot():
        logs = zkfiles.logs(server.data_dir)
        return len(logs) > 1 and any(
            zxid + 1 >= logs[1][0] and whole(path)
            for zxid, path in zkfiles.snapshots(server.data_dir)
        )

    with FolderWatch(zkfiles.version_dir(server.data_dir)) as changes:
        tree.grow(s, "/top")
        before = tree.dump(server)
        changes.wait_until(first_log_is_in_a_snapshot)
    server.kill()
    for _, path in zkfiles.snapshots(server.data_dir):
        assert path.suffix == ".gz"
        assert path.read_bytes()[:2] in (b"\x1f\x8b", b"")
    zkfiles.logs(server.data_dir)[0][1].unlink()
    server.start()
    assert tree.dump(server) == before


# --- survival ------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_everything_survives_a_restart(start_server, end):
    server = start_server(tree.CONFIG)
    owner = server.session(timeout_ms=60_000)
    tree.grow(owner, "/top")
    before = tree.dump(server)
    getattr(server, end)()
    server.start()
    assert tree.dump(server) == before
    assert tree.digest_mismatches(server) == 0
    # The session is still there and owns its ephemerals.
    again = server.session(session_id=owner.id, password=owner.password)
    assert again.id == owner.id
    assert "/top/ephemeral" in again.ok(rawzk.get_ephemerals("/"))
    again.close_session()
    assert server.session().err(exists("/top/ephemeral")) == rawzk.NONODE


def test_zxids_go_on_after_a_restart(start_server):
    server = start_server()
    s = server.session()
    last = s.call(create("/a")).zxid
    server.kill()
    server.start()
    s = server.session()
    assert s.ok(rawzk.create2("/b"))[1].czxid == last + 2


def test_sequences_go_on_after_a_restart(start_server):
    server = start_server()
    s = server.session()
    first = s.ok(create("/s-", flags=rawzk.SEQUENTIAL))
    s.ok(delete(first))
    server.kill()
    server.start()
    number = int(server.session().ok(create("/s-", flags=rawzk.SEQUENTIAL))[3:])
    assert number == int(first[3:]) + 1


def test_sessions_that_nobody_renews_expire_after_a_restart(start_server):
    server = start_server({"tickTime": 500})
    owner = server.session(timeout_ms=1000)
    owner.ok(create("/e", flags=EPHEMERAL))
    server.kill()
    server.start()
    s = server.session()
    if s.call(exists("/e", watch=True)).err == 0:
        assert s.event().type == NODE_DELETED
    assert s.err(exists("/e")) == rawzk.NONODE


def test_no_acknowledged_write_is_lost_by_a_kill(start_server):
    server = start_server()
    acknowledged = []
    under_way = threading.Event()

    def write(number):
        try:
            session = rawzk.Session(server.address)
            n = 0
            while True:
                session.ok(create(f"/w{number}-{n}"))
                acknowledged.append(f"/w{number}-{n}")
                n += 1
                if len(acknowledged) > 300:
                    under_way.set()
        except (rawzk.Closed, OSError, AssertionError):
            pass

    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for writer in writers:
        writer.start()
    assert under_way.wait(30)
    server.kill()
    for writer in writers:
        writer.join()
    server.start()
    s = server.session()
    for path in acknowledged:
        s.ok(exists(path))
    assert s.ok(exists("/")).num_children <= len(acknowledged) + 1 + 4


def test_torn_end_of_the_log_is_cut(start_server):
    server = start_server()
    s = server.session()
    for n in range(20):
        s.ok(create(f"/{n}", b"x" * 100))
    server.kill()
    _, path = zkfiles.logs(server.data_dir)[-1]
    data = path.read_bytes()
    end = data.rindex(b"B\0\0\0\0") + 1
    size = data.rindex(b"/19") - data.rindex(b"/18")
    # A write that never ended: one more entry stands there in part.
    path.write_bytes(data[:end] + data[end - size : end - 30])
    server.start()
    s = server.session()
    s.ok(exists("/19"))
    s.ok(create("/20", b"again"))
    server.kill()
    server.start()
    assert server.session().ok(get_data("/20"))[0] == b"again"


def test_log_without_preallocated_zeros_is_read(start_server):
    server = start_server()
    s = server.session()
    for n in range(5):
        s.ok(create(f"/{n}"))
    server.kill()
    _, path = zkfiles.logs(server.data_dir)[-1]
    path.write_bytes(path.read_bytes().rstrip(b"\0"))
    server.start()
    assert server.session().ok(exists("/")).num_children == 6


def test_data_log_dir_may_be_elsewhere(start_server, tmp_path):
    (tmp_path / "logs").mkdir()
    server = start_server({"dataLogDir": tmp_path / "logs"})
    server.session().ok(create("/a"))
    server.kill()
    assert zkfiles.logs(tmp_path / "logs")
    assert not zkfiles.logs(server.data_dir)
    server.start()
    server.session().ok(exists("/a"))


def test_damaged_newest_snapshot_is_passed_over(start_server):
    server = start_server({"snapCount": 20})
    s = server.session()
    with FolderWatch(zkfiles.version_dir(server.data_dir)) as changes:
        for n in range(100):
            s.ok(create(f"/{n}"))
        changes.wait_until(
            lambda: len([p for _, p in zkfiles.snapshots(server.data_dir) if whole(p)]) >= 2
        )
    server.kill()
    _, newest = zkfiles.snapshots(server.data_dir)[-1]
    newest.write_bytes(newest.read_bytes()[:-20])
    server.start()
    assert server.session().ok(exists("/")).num_children == 101


def test_purge_keeps_the_newest_snapshots_and_the_logs_they_need(start_server):
    server = start_server({"snapCount": 20})
    folder = zkfiles.version_dir(server.data_dir)
    s = server.session()
    with FolderWatch(folder) as changes:
        for n in range(400):
            s.ok(create(f"/{n}"))
        changes.wait_until(
            lambda: len([p for _, p in zkfiles.snapshots(server.data_dir) if whole(p)]) >= 6
        )
    server.stop()
    server.config |= {"autopurge.purgeInterval": 1, "autopurge.snapRetainCount": 3}
    with FolderWatch(folder) as changes:
        server.start()
        # Apache makes one more while it starts, before or after it purges.
        changes.wait_until(lambda: len(zkfiles.snapshots(server.data_dir)) <= 4)
    oldest = zkfiles.snapshots(server.data_dir)[0][0]
    assert zkfiles.logs(server.data_dir)[0][0] <= oldest + 1
    server.kill()
    server.start()
    assert server.session().ok(exists("/")).num_children == 401


def test_second_server_on_the_same_port_does_not_start(start_server):
    server = start_server()
    other = Server(server.backend, server.folder.parent / "other")
    other.port = server.port
    other.start(wait=False)
    assert other.wait_end() != 0
    server.session().ok(exists("/"))


def test_stopped_and_resumed_server_goes_on(start_server):
    server = start_server()
    s = server.session()
    server.pause()
    s.send(create("/a"))
    s.sock.settimeout(0.3)
    with pytest.raises(TimeoutError):
        s.reply()
    server.resume()
    s.sock.settimeout(10)
    assert s.reply().err == 0
