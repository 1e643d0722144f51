"""caucus members, register, discover: against caucusd, and what is read of Apache ZooKeeper alike."""

import json
import signal

import pytest
from cli import CONNECTION, NO, OK, USAGE, Cli
from holders import CONFIG  # noqa: F401  for the server of this module


@pytest.fixture
def start(follower, cli):
    return lambda *words, timeout_ms=30000: follower("-s", cli.hosts, "-t", str(timeout_ms), *words)


# --- members ---


def test_members_are_listed_as_they_come_and_go(cli, path, start):
    assert cli.ok("members", path).split() == [b"ID", b"TOKEN", b"SESSION", b"DATA"]
    watcher = start("members", "--follow", path)
    assert watcher.line() == "current"
    a = start("members", "--join", "--id", "a", "--data", "10.0.0.1\n", path)
    word, id, token = a.line().split()
    assert (word, id) == ("joined", "a") and int(token) > 0
    assert watcher.line() == "joined    a  10.0.0.1\\x0a"
    (member,) = cli.json("members", path)["members"]
    session = member.pop("session")
    assert session.startswith("0x") and member == {"id": "a", "token": token, "data": "10.0.0.1\n"}
    assert cli.ok("members", path).splitlines()[1].split() == [b"a", token.encode(), session.encode(), b"10.0.0.1\\x0a"]
    assert a.end(signal.SIGTERM) == OK and a.line() == "left    a  CAUCUS_CLOSING"
    assert watcher.line() == "left      a  10.0.0.1\\x0a"
    assert watcher.end(signal.SIGINT) == OK
    assert cli.json("members", path) == {"path": path, "members": []}


def test_a_command_runs_as_a_member(cli, path, start):
    script = 'echo "$CAUCUS_ID $CAUCUS_PATH $CAUCUS_FENCING_TOKEN"; read line; exit 7'
    f = start("members", "--join", "--id=me", path, "--", "sh", "-c", script)
    id, where, token = f.line().split()
    assert (id, where) == ("me", path)
    assert cli.json("members", path)["members"][0]["token"] == token
    f.process.stdin.write("go on\n")
    f.process.stdin.flush()
    assert f.end() == 7
    assert cli.json("members", path)["members"] == []


def test_who_takes_an_id_over_ends_the_others_command(cli, path, start):
    script = 'echo "begin $CAUCUS_FENCING_TOKEN"; exec sleep 1000'
    old = start("members", "--join", "--id=me", "--once", path, "--", "sh", "-c", script)
    first = int(old.line().split()[1])
    new = start("members", "--join", "--id=me", "--take-over", path, "--", "sh", "-c", script)
    assert int(new.line().split()[1]) > first
    assert old.end() == CONNECTION
    waiting = start("members", "--join", "--id=me", path)
    waiting.hear("NODEEXISTS")
    assert waiting.out.empty()
    assert new.end(signal.SIGTERM) == 128 + signal.SIGTERM
    assert waiting.line().startswith("joined  me  ")
    assert waiting.end(signal.SIGINT) == OK


def test_events_of_a_group_are_json(path, start):
    watcher = start("--json", "members", "--follow", path)
    assert json.loads(watcher.line()) == {"event": "current"}
    a = start("--json", "members", "--join", "--id=a", path)
    joined = json.loads(a.line())
    assert (joined["event"], joined["id"]) == ("joined", "a")
    seen = json.loads(watcher.line())
    assert (seen["event"], seen["id"], seen["token"], seen["data"]) == ("joined", "a", joined["token"], None)
    a.process.kill()
    watcher.end(signal.SIGTERM)


# --- register, discover ---


def test_a_service_is_registered_and_found(cli, path, start):
    assert cli.ok("discover", path, "web").split() == [b"ID", b"ADDRESS", b"PORT", b"TLS", b"PAYLOAD"]
    assert "there is no instance" in cli.fails(NO, "discover", "--pick", path, "web")
    watcher = start("discover", "--follow", path, "web")
    assert watcher.line() == "current"
    waiting = start("discover", "--pick", "--wait", "30000", path, "web")
    r = start("register", "--id", "a", "--address", "10.0.0.1", "--port", "80", "--payload", "x y", path, "web")
    assert r.line() == f"registered    {path}/web/a"
    assert watcher.line() == "added     a  10.0.0.1:80"
    assert waiting.line() == "10.0.0.1:80" and waiting.end() == OK
    assert cli.ok("discover", path, "web").splitlines()[1].split() == [b"a", b"10.0.0.1", b"80", b"-", b"x", b"y"]
    (instance,) = cli.json("discover", path, "web")["instances"]
    assert instance.pop("registered_ms") > 1.7e12
    assert instance == {"id": "a", "address": "10.0.0.1", "port": 80, "tls_port": 0, "payload": "x y",
                        "payload_is_json": False, "enabled": True}
    assert json.loads(cli.ok("get", f"{path}/web/a"))["payload"] == "x y"
    assert r.end(signal.SIGTERM) == OK
    assert watcher.line() == "removed   a  10.0.0.1:80"
    assert watcher.end(signal.SIGTERM) == OK


def test_an_address_is_what_stands_in_a_url(cli, path, start):
    r = start("--json", "register", "--address", "::1", "--tls-port", "443", "--payload-json", '{"v": [1]}', path, "web")
    told = json.loads(r.line())
    assert told["event"] == "registered" and told["path"].startswith(f"{path}/web/")
    assert cli.ok("discover", "--pick", path, "web") == b"[::1]:443\n"
    picked = cli.json("discover", "--pick", path, "web")
    assert (picked["payload"], picked["payload_is_json"]) == ('{"v": [1]}', True)
    assert r.end(signal.SIGINT) == OK


@pytest.mark.parametrize("words", [
    ["members"], ["members", "/"], ["members", "x"], ["members", "/x", "sh"], ["members", "--id=a", "/x"],
    ["members", "--join", "--follow", "/x"], ["members", "--join", "--id=a/b", "/x"],
    ["members", "--join", "--policy=lax", "/x"],
    ["register", "/x"], ["register", "/x", "web"], ["register", "--address=a", "/", "web"],
    ["register", "--address=a", "/x", "a/b"], ["register", "--address=a", "--port=65536", "/x", "web"],
    ["register", "--address=a", "--payload=a", "--payload-json=1", "/x", "web"],
    ["register", "--address=a", "--payload-json={", "/x", "web"], ["register", "--address=a", "--id=a/b", "/x", "web"],
    ["discover", "/x"], ["discover", "x", "web"], ["discover", "/x", "a/b"], ["discover", "--wait=5", "/x", "web"],
    ["discover", "--pick", "--follow", "/x", "web"],
], ids=" ".join)
def test_what_cannot_be_meant_is_refused(cli, words):
    cli.fails(USAGE, *words)


@pytest.mark.parametrize("words", [["members", "/x"], ["members", "--join", "/x"], ["discover", "/x", "web"],
                                   ["register", "--address=a", "/x", "web"]], ids=" ".join)
def test_without_a_server_it_says_so(words):
    assert "no server" in Cli("127.0.0.1:1").fails(CONNECTION, *words, front=("-t", "200"))
