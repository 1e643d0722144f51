"""caucus dump: what it says of files is what is in them, be they of caucusd or of Apache's servers."""

import base64
import gzip
import json
import shutil
import subprocess

import pytest
import tree
import zkfiles
from cli import CAUCUS, NO, OK, USAGE, Cli
from rawzk import create, set_data
from server import Server

CLI = Cli("127.0.0.1:1")  # no server is asked
COMPRESSION = {"caucusd": "", "apache38": "gz", "apache39": "snappy"}
OPEN_ACL = [{"scheme": "world", "id": "anyone", "perms": "cdrwa"}]


def u64(n):
    return f"0x{n & (2**64 - 1):x}"


@pytest.fixture(scope="module", params=list(COMPRESSION))
def folder(request, tmp_path_factory):
    """The data folder of a server that was stopped: two snapshots and two logs at least."""
    kind = request.param
    config = {**tree.CONFIG, "snapshot.compression.method": COMPRESSION[kind]}
    if kind == "caucusd":
        config["snapCount"] = 100  # Apache's servers write one whenever they start
    server = Server(kind, tmp_path_factory.mktemp(kind), config)
    for top in ("/first", "/second"):
        server.start()
        s = server.session(timeout_ms=120_000)
        tree.grow(s, top, create2_in_multi=kind != "apache38")
        if top == "/first":
            s.close_session()
        if kind == "caucusd":
            with zkfiles.FolderWatch(zkfiles.version_dir(server.data_dir)) as changes:
                changes.wait_until(lambda: len(zkfiles.snapshots(server.data_dir)) >= 2)
        server.stop()
    return server.data_dir


@pytest.fixture
def own_folder(folder, tmp_path):
    """One that may be damaged."""
    return shutil.copytree(folder, tmp_path / "data")


def lines(*words):
    run = subprocess.run([CAUCUS, "--json", "dump", *map(str, words)], capture_output=True, timeout=60)
    assert (run.returncode, run.stderr) == (OK, b""), run
    return [json.loads(line) for line in run.stdout.splitlines()]


def acl_of(acl):
    names = {4: "c", 8: "d", 1: "r", 2: "w", 16: "a"}
    return [{"scheme": a.scheme, "id": a.id, "perms": "".join(names[p] for p in names if a.perms & p)} for a in acl]


def data_of(line):
    return base64.b64decode(line["data_base64"]) if "data_base64" in line else \
        line["data"].encode() if line.get("data") is not None else None


def check_change(line, txn):
    """What dump says of a transaction, or a part of one, against our own reading of the bytes."""
    for name in ("path", "ephemeral", "parent_cversion", "ttl_ms", "version", "error", "timeout_ms", "paths"):
        assert line.get(name) == txn.get(name), (name, line, txn)
    if "data" in txn:
        assert data_of(line) == txn["data"]
    if "acl" in txn:
        assert line["acl"] == acl_of(txn["acl"])


def test_every_transaction_is_shown_as_it_lies_in_the_log(folder):
    kinds = set()
    for _, path in zkfiles.logs(folder):
        *shown, end = lines(path)
        txns = zkfiles.read_log(path)
        assert end["record"] == "log" and end["state"] == "whole" and end["records"] == len(txns) == len(shown)
        assert (end["first_zxid"], end["last_zxid"]) == (u64(txns[0].zxid), u64(txns[-1].zxid))
        for line, txn in zip(shown, txns):
            assert (line["zxid"], line["session"], line["cxid"], line["time_ms"], line["type_number"]) == \
                (u64(txn.zxid), u64(txn.session), txn.cxid, txn.time_ms, txn.type)
            body = zkfiles.decode_txn(txn.type, txn.body)
            check_change(line, body)
            assert line.get("digest") == (u64(body["digest"]) if "digest" in body else None)
            for part, (kind, inner) in zip(line.get("parts", []), body.get("parts", []), strict=True):
                check_change(part, inner)
                kinds.add(kind)
            kinds.add(txn.type)
    assert kinds >= {1, 2, 5, 7, 14, 19, 21, -1, -10, -11}


def test_every_node_is_shown_as_it_lies_in_the_snapshot(folder):
    snapshots = zkfiles.snapshots(folder)
    assert len(snapshots) >= 2
    for zxid, path in snapshots:
        *shown, end = lines(path)
        held = zkfiles.read_snapshot(path)
        sessions = [line for line in shown if line["record"] == "session"]
        assert {line["session"]: line["timeout_ms"] for line in sessions} == \
            {u64(i): t for i, t in held.sessions.items()}
        nodes = {line["path"]: line for line in shown if line["record"] == "node"}
        assert set(nodes) == {p or "/" for p in held.nodes} and len(nodes) + len(sessions) == len(shown)
        for name, node in held.nodes.items():
            line = nodes[name or "/"]
            assert data_of(line) == node.data
            assert line["acl"] == (acl_of(held.acls[node.acl]) if node.acl != -1 else OPEN_ACL)
            for key, value in (("czxid", u64(node.czxid)), ("mzxid", u64(node.mzxid)), ("pzxid", u64(node.pzxid)),
                               ("ctime_ms", node.ctime), ("mtime_ms", node.mtime), ("version", node.version),
                               ("cversion", node.cversion), ("aversion", node.aversion),
                               ("ephemeral_owner", u64(node.owner))):
                assert line[key] == value, (name, key)
        assert end["record"] == "snapshot" and end["nodes"] == len(nodes) and end["zxid"] == u64(zxid)
        assert end["digest"] == u64(zkfiles.tree_digest(held.nodes))
        recorded = held.digest is not None and held.digest_zxid > 0
        assert end["recorded_digest"] == ("same" if recorded else "none")


def test_people_see_the_same_in_short(folder):
    out = CLI.ok("dump", str(folder)).decode()
    assert "  setACL  /first/acl-changed  acl=digest:x:" in out and "  multi  " in out
    assert "\n     create  /first/multi  data=\"m\"  acl=world:anyone:cdrwa  cversion=16\n" in out
    assert "  error  NODEEXISTS (-110)\n" in out and "(12800 bytes)" in out
    assert "node  /first/λόγος  data=\"ἀρχή\"  " in out and "  ttl 1000000000ms  " in out
    first = zkfiles.logs(folder)[0][1]
    some = lines("--from", "0x3", "--to", "5", first)
    assert [line["zxid"] for line in some[:-1]] == ["0x3", "0x4", "0x5"]


def test_a_digest_at_any_zxid(folder):
    """The log says what the digest was after each transaction; replayed to there it is that."""
    txns = zkfiles.all_txns(folder)
    last = txns[-1]
    for txn in (txns[0], txns[len(txns) // 3], txns[-2], last):
        (found,) = lines("--digest", "--zxid", hex(txn.zxid), folder)
        assert found["digest"] == u64(zkfiles.decode_txn(txn.type, txn.body)["digest"])
        assert (found["zxid"], found["recorded_digest"]) == (u64(txn.zxid), "same")
    (found,) = lines("--digest", zkfiles.version_dir(folder))
    assert found["zxid"] == u64(last.zxid)
    assert f"end with zxid {hex(last.zxid)}" in CLI.fails(USAGE, "dump", "--digest", "--zxid", hex(last.zxid + 1), str(folder))


def test_whole_files_are_verified(folder):
    before = {p: p.stat().st_mtime_ns for p in zkfiles.version_dir(folder).iterdir()}
    *files, state = lines("--verify", folder)
    assert len(files) == len(zkfiles.logs(folder)) + len(zkfiles.snapshots(folder))
    assert all(line.get("state", "whole") == "whole" for line in files)
    assert state["record"] == "state" and state["recorded_digest"] == "same" and state["gaps"] == 0
    assert before == {p: p.stat().st_mtime_ns for p in zkfiles.version_dir(folder).iterdir()}


def frames(path):
    """Offset and length of each record's frame."""
    data, at = path.read_bytes(), 16
    while data[at:at + 12].strip(b"\0"):
        length = int.from_bytes(data[at + 8:at + 12], "big")
        yield at, 13 + length
        at += 13 + length


def change(path, at, data):
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(data)


def test_a_torn_end_is_told_and_is_no_damage(own_folder):
    _, log = zkfiles.logs(own_folder)[-1]
    at, length = list(frames(log))[-1]
    change(log, at + length - 9, bytes(9))
    (own_folder / "version-2/caucus.synced").unlink(missing_ok=True)
    out = lines("--verify", own_folder)
    torn = [line for line in out if line.get("state") == "torn"]
    assert len(torn) == 1 and torn[0]["end_offset"] == at and torn[0]["file"] == str(log)
    assert out[-1]["torn_offset"] == at and out[-1]["recorded_digest"] == "same"
    assert f"at offset {at}: ".encode() in CLI.ok("dump", "--verify", str(log))


def test_a_damaged_middle_is_named_by_file_and_offset(own_folder):
    log = zkfiles.logs(own_folder)[-1][1]
    at, _ = list(frames(log))[3]
    change(log, at + 14, b"\xff\xff")
    text = CLI.run("dump", "--verify", str(log))
    assert text.returncode == NO and f"log '{log}': damaged at offset {at}: ".encode() in text.stderr
    assert CLI.run("dump", str(log)).returncode == NO
    assert CLI.run("dump", "--verify", str(own_folder)).returncode == NO


def test_a_damaged_snapshot_is_named(own_folder):
    for _, path in zkfiles.snapshots(own_folder)[-1:]:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        assert f"snapshot '{path}': ".encode() in CLI.run("dump", "--verify", str(path)).stderr
        run = CLI.run("dump", "--verify", str(own_folder))
        # A server would begin with the older one; whether the log reaches from there is another matter.
        assert run.returncode == NO and str(path).encode() in run.stderr
        path.write_bytes(data[: len(data) // 2])
        assert CLI.run("dump", "--verify", str(path)).returncode == NO


def test_a_copy_under_another_name_is_known_by_its_first_bytes(folder, tmp_path):
    _, log = zkfiles.logs(folder)[0]
    shutil.copy(log, tmp_path / "copy")
    assert lines(tmp_path / "copy")[-1]["records"] == len(zkfiles.read_log(log))
    _, snapshot = zkfiles.snapshots(folder)[-1]
    (tmp_path / "state.gz").write_bytes(gzip.compress(zkfiles.plain_bytes(snapshot)))
    assert lines(tmp_path / "state.gz")[-1]["digest"] == lines(snapshot)[-1]["digest"]
    assert "has to end in .gz" in CLI.fails(USAGE, "dump", str(shutil.copy(tmp_path / "state.gz", tmp_path / "other")))


@pytest.mark.parametrize("words", [["dump"], ["dump", "--verify", "--digest", "."], ["dump", "--zxid", "1", "."],
                                   ["dump", "--digest", ".", "."], ["dump", "--from", "x", "."],
                                   ["dump", "/nowhere"], ["dump", __file__], ["dump", "--digest", "/nowhere"],
                                   ["dump", "--from", "1", "--verify", "."]])
def test_words_that_cannot_be_understood(words):
    CLI.fails(USAGE, *words)


def test_a_running_server_is_read_without_a_trace(start_server):
    server = start_server(tree.CONFIG, backend="caucusd")
    s = server.session()
    for n in range(20):
        s.ok(create(f"/n{n}"))
    before = sorted(p.name for p in zkfiles.version_dir(server.data_dir).iterdir())
    (found,) = lines("--digest", server.data_dir)
    assert int(found["zxid"], 16) == s.zxid
    assert before == sorted(p.name for p in zkfiles.version_dir(server.data_dir).iterdir())
    s.ok(set_data("/n0", b"on"))
