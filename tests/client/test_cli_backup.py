"""caucus backup and restore: of caucusd and of Apache ZooKeeper 3.9.5, from one into the other."""

import http.server
import shutil
import struct
import threading
import zlib

import pytest
import rawzk
import tree
import zkfiles
from cli import CONNECTION, NO, OK, USAGE, Cli
from ports import free_port
from rawzk import create, exists, get_data, set_data
from server import Server

SUPER = ("--auth", "digest:super:test")
ADMIN = {"admin.enableServer": "true", "admin.serverAddress": "127.0.0.1", "admin.rateLimiterIntervalInMS": 0}
CLI = Cli("127.0.0.1:1")  # sessions are not wanted
KINDS = ["caucusd", "apache39"]


def config(**more):
    return {**tree.CONFIG, **ADMIN, "admin.serverPort": free_port(), **more}


def admin(server):
    return f"127.0.0.1:{server.config['admin.serverPort']}"


@pytest.fixture(scope="module", params=KINDS)
def source(request, tmp_path_factory):
    """A running server with one of everything, and what it holds."""
    how = {"snapshot.compression.method": "gz"} if request.param == "apache39" else {}
    server = Server(request.param, tmp_path_factory.mktemp(request.param), config(**how))
    server.start()
    owner = server.session(timeout_ms=120_000)
    tree.grow(owner, "/first")
    owner.ok(create("/zookeeper-is-not-this"))
    yield server
    server.kill()


def check_same(server, before):
    """All that lives longer than sessions; what the server counts by itself left out."""
    after = tree.dump(server)
    kept = {path: node for path, node in before.items() if not path.startswith("/zookeeper")}
    assert {path: after.get(path) for path in kept} == kept


def take(source, target, *how):
    return CLI.json("backup", str(target), *how, front=SUPER)


def test_a_running_server_is_backed_up_and_restored_into_a_folder(source, start_server, tmp_path):
    before = tree.dump(source)
    told = take(source, tmp_path / "b", "--admin", admin(source))
    held = zkfiles.read_snapshot(tmp_path / "b/version-2" / told["snapshot"])
    assert told["verified"] and told["digest"] == hex(zkfiles.tree_digest(held.nodes) & (2**64 - 1))
    assert told["zxid"] == hex(held.last_zxid) and told["nodes"] == len(held.nodes)
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == ["backup.info", "version-2"]
    for kind in KINDS:
        folder = tmp_path / kind
        folder.mkdir()
        CLI.ok("restore", str(tmp_path / "b"), "--data-dir", str(folder / "data"))
        server = start_server(config(), backend=kind, folder=folder)
        check_same(server, before)
        assert tree.digest_mismatches(server) == 0
        server.session().ok(create("/after"))


def test_files_are_backed_up_while_the_server_runs(source, start_server, tmp_path):
    s = source.session()
    s.ok(set_data("/zookeeper-is-not-this", b"early"))
    early = s.zxid
    s.ok(set_data("/zookeeper-is-not-this", b"late"))
    before = tree.dump(source)
    take(source, tmp_path / "now", "--data-dir", str(source.data_dir))
    told = take(source, tmp_path / "then", "--data-dir", str(source.data_dir), "--zxid", hex(early))
    assert told["zxid"] == hex(early) and told["verified"]
    other = KINDS[1 - KINDS.index(source.backend)]
    for name, data in (("now", b"late"), ("then", b"early")):
        (tmp_path / f"{name}-server").mkdir()
        CLI.ok("restore", str(tmp_path / name), "--data-dir", str(tmp_path / f"{name}-server/data"))
    server = start_server(config(), backend=other, folder=tmp_path / "now-server")
    check_same(server, before)
    server = start_server(config(), backend="caucusd", folder=tmp_path / "then-server")
    assert server.session().ok(get_data("/zookeeper-is-not-this"))[0] == b"early"


def test_a_running_server_is_restored(source, start_server, tmp_path):
    before = tree.dump(source)
    take(source, tmp_path / "b", "--admin", admin(source))
    other = KINDS[1 - KINDS.index(source.backend)]
    server = start_server(config(), backend=other)
    where = ("--admin", admin(server))
    assert CLI.json("restore", str(tmp_path / "b"), *where, front=SUPER)["nodes"] > 50
    check_same(server, before)
    server.session().ok(create("/later"))
    assert "--force replaces it" in CLI.fails(NO, "restore", str(tmp_path / "b"), *where, front=SUPER)
    assert server.session().ok(exists("/later"))
    CLI.ok("restore", str(tmp_path / "b"), *where, "--force", front=SUPER)
    assert server.session().err(exists("/later")) == rawzk.NONODE
    check_same(server, before)


def test_the_admin_port_says_what_it_wants(source, start_server, tmp_path):
    where = (str(tmp_path / "b"), "--admin", admin(source))
    assert "--auth digest:USER:PASSWORD" in CLI.fails(USAGE, "backup", *where)
    with source.session() as s:
        s.authenticate("digest", b"super:test")
        s.ok(rawzk.set_acl("/", [rawzk.Acl(1, "world", "anyone")]))
        text = CLI.fails(NO, "backup", *where, front=("--auth", "digest:nobody:hush"))
        assert "may not do everything" in text and "hush" not in text and not (tmp_path / "b").exists()
        s.ok(rawzk.set_acl("/", rawzk.OPEN))
    assert "does not know who asks" in CLI.fails(NO, "backup", *where, front=("--auth", "frob:x"))
    assert "Connection refused" in CLI.fails(CONNECTION, "backup", str(tmp_path / "b"), "--admin",
                                             f"127.0.0.1:{free_port()}", front=SUPER)
    # The port of clients closes the connection; it is no admin port.
    assert CLI.run("backup", str(tmp_path / "b"), "--admin", source.hosts, front=SUPER).returncode == CONNECTION
    assert not (tmp_path / "b").exists()


def test_too_soon_and_turned_off_are_told(start_server, tmp_path):
    server = start_server(config(**{"admin.rateLimiterIntervalInMS": 10**9}), backend="caucusd")
    take(server, tmp_path / "a", "--admin", admin(server))
    assert "too soon" in CLI.fails(NO, "backup", str(tmp_path / "b"), "--admin", admin(server), front=SUPER)
    server = start_server(config(**{"admin.snapshot.enabled": "false"}), backend="caucusd")
    assert "turned off" in CLI.fails(NO, "backup", str(tmp_path / "b"), "--admin", admin(server), front=SUPER)


@pytest.fixture(scope="module")
def backup(tmp_path_factory):
    """Of a small server of ours, for tests that only damage it."""
    folder = tmp_path_factory.mktemp("small")
    server = Server("caucusd", folder, config())
    server.start()
    server.session().ok(create("/a", b"x" * 1000))
    take(server, folder / "b", "--admin", admin(server))
    server.kill()
    return folder / "b"


@pytest.fixture
def copy(backup, tmp_path):
    return shutil.copytree(backup, tmp_path / "b")


class Impostor(http.server.BaseHTTPRequestHandler):
    """An admin port that sends what it was told to, one after the other."""

    def do_GET(self):
        body = self.server.bodies.pop(0)
        self.send_response(200)
        self.send_header("last_zxid", hex(self.server.zxid))
        self.send_header("Content-Length", str(len(body) + self.server.missing))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def impostor():
    with http.server.HTTPServer(("127.0.0.1", free_port()), Impostor) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.missing, server.zxid = 0, 3
        yield server
        server.shutdown()


def with_digest(data, zxid, digest):
    """The snapshot as if the server had recorded this digest for this zxid."""
    data = data[: -(8 + 13) - (20 + 13)]
    for part in (struct.pack(">qiq", zxid, 2, digest), struct.pack(">q", zxid)):
        data += part
        data += struct.pack(">qi", zlib.adler32(data), 1) + b"/"
    return data


def test_what_is_no_state_that_ever_was_is_asked_for_again(copy, tmp_path, impostor):
    (snapshot,) = (copy / "version-2").iterdir()
    data = snapshot.read_bytes()
    held = zkfiles.read_snapshot(snapshot)
    where = (str(tmp_path / "new"), "--admin", f"127.0.0.1:{impostor.server_port}")
    fuzzy, other = with_digest(data, held.last_zxid + 5, 7), with_digest(data, held.last_zxid, 7)
    impostor.bodies, impostor.zxid = [fuzzy, other, fuzzy, data], held.last_zxid
    assert "changed while it was written" in CLI.fails(NO, "backup", *where, front=SUPER)
    assert len(impostor.bodies) == 1 and not (tmp_path / "new").exists()
    # Written while others wrote, and all the same one state: that of the later zxid.
    impostor.bodies = [fuzzy, with_digest(data, held.last_zxid + 5, held.digest)]
    told = CLI.json("backup", *where, front=SUPER)
    assert told["zxid"] == hex(held.last_zxid + 5) and told["verified"]
    for name, bad in ((snapshot.name, fuzzy), ("copy", other)):
        (tmp_path / name).write_bytes(bad)
        assert "no state" in CLI.fails(NO, "restore", str(tmp_path / name), "--data-dir", str(tmp_path / "data"))


@pytest.mark.parametrize("body, missing, told", [
    (b"", 0, "no snapshot"), (b"ZKSN", 0, "too few|ends|offset"), (b"<html>", 0, "no snapshot"),
    (b"ZKSN" + bytes(100), 1000, "ends after 104 of 1104 bytes"), (b"\x1f\x8b" + bytes(50), 0, "snapshot")])
def test_what_is_no_snapshot_is_refused(tmp_path, impostor, body, missing, told):
    impostor.bodies, impostor.missing = [body], missing
    run = CLI.run("backup", str(tmp_path / "b"), "--admin", f"127.0.0.1:{impostor.server_port}", front=SUPER)
    assert run.returncode == (CONNECTION if missing else NO) and run.stderr.count(b"\n") == 1
    assert any(word.encode() in run.stderr for word in told.split("|")), run.stderr
    assert not (tmp_path / "b").exists()


def test_nothing_is_overwritten(copy, tmp_path):
    assert "is there already" in CLI.fails(NO, "backup", str(copy), "--data-dir", str(copy))
    data = tmp_path / "data"
    CLI.ok("restore", str(copy), "--data-dir", str(data))
    (data / "version-2/log.1").write_bytes(b"precious")
    assert "--force moves it aside" in CLI.fails(NO, "restore", str(copy), "--data-dir", str(data))
    assert (data / "version-2/log.1").read_bytes() == b"precious"
    run = CLI.run("restore", str(copy), "--data-dir", str(data), "--force")
    (aside,) = data.glob("version-2.before-*")
    assert run.returncode == OK and str(aside).encode() in run.stderr
    assert (aside / "log.1").read_bytes() == b"precious"
    assert [p.name for p in (data / "version-2").iterdir()] == [p.name for p in (copy / "version-2").iterdir()]


def test_a_log_folder_of_its_own_is_not_forgotten(copy, tmp_path):
    data, log = tmp_path / "data", tmp_path / "log"
    (log / "version-2").mkdir(parents=True)
    (log / "version-2/log.1").write_bytes(b"precious")
    where = ("--data-dir", str(data), "--log-dir", str(log))
    assert str(log) in CLI.fails(NO, "restore", str(copy), *where) and not data.exists()
    assert CLI.run("restore", str(copy), *where, "--force").returncode == OK
    assert not (log / "version-2").exists() and (data / "version-2").exists()


def test_a_damaged_backup_is_refused_before_anything_is_touched(copy, tmp_path):
    where = ("--data-dir", str(tmp_path / "data"), "--force")
    (snapshot,) = (copy / "version-2").iterdir()
    data = bytearray(snapshot.read_bytes())
    data[len(data) // 2] ^= 1
    snapshot.write_bytes(data)
    assert "its check sum differs" in CLI.fails(NO, "restore", str(copy), *where)
    assert "snapshot" in CLI.fails(NO, "restore", str(snapshot), *where)
    (copy / "backup.info").unlink()
    assert "not finished" in CLI.fails(NO, "restore", str(copy), *where)
    (copy / "backup.info").write_text("backup 1\nsnapshot ../../etc/passwd\n")
    assert "cannot be understood" in CLI.fails(NO, "restore", str(copy), *where)
    assert not (tmp_path / "data").exists()


def test_a_snapshot_file_by_itself_will_do(copy, tmp_path):
    (snapshot,) = (copy / "version-2").iterdir()
    plain = CLI.json("restore", str(snapshot), "--data-dir", str(tmp_path / "data"))
    assert plain["verified"] and (tmp_path / "data/version-2" / snapshot.name).read_bytes() == snapshot.read_bytes()


@pytest.mark.parametrize("words", [
    ["backup"], ["backup", "x"], ["backup", "x", "--admin", "h"], ["backup", "x", "--admin", "h:1", "--data-dir", "y"],
    ["backup", "x", "--admin", "h:1", "--zxid", "1"], ["backup", "/nowhere/x", "--data-dir", "."],
    ["restore", "x"], ["restore", "/nowhere", "--data-dir", "."], ["restore", __file__, "--data-dir", "."],
    ["restore", "x", "--admin", "h:1/x"], ["restore", "x", "--admin", "h:1", "--log-dir", "y"]])
def test_words_that_cannot_be_understood(words, tmp_path):
    run = CLI.fails(USAGE, *words, front=SUPER)
    assert "caucus: " in run


def test_a_folder_without_a_state_leaves_no_backup(tmp_path):
    (tmp_path / "data/version-2").mkdir(parents=True)
    CLI.fails(USAGE, "backup", str(tmp_path / "b"), "--data-dir", str(tmp_path / "data"))
    assert not (tmp_path / "b").exists()
