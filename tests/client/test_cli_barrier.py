"""caucus barrier: scripts that wait for one another."""

import json
import signal

import pytest
import rawzk
from cli import CONNECTION, LIMIT_S, NO, OK, USAGE, Cli
from ports import free_port
from talk import wait_for_children

CONFIG = {"tickTime": 200, "maxClientCnxns": 0, "maxSessionTimeout": 60000}
SHORT_MS = 1200


@pytest.fixture
def s(running):
    return running.session(timeout_s=60, timeout_ms=60000)


@pytest.fixture
def barrier(running, follower):
    """barrier(word, ...): a caucus barrier that goes on beside the test."""

    def start(*words, timeout_ms=20000):
        return follower("-s", running.hosts, "-t", str(timeout_ms), "barrier", *words)

    return start


def test_who_waits_goes_on_when_it_is_lifted(cli, barrier, path):
    cli.ok("barrier", "wait", path)
    cli.ok("barrier", "set", f"{path}/a/b")
    assert "not within 50 ms" in cli.fails(NO, "barrier", "wait", "-w", "50", f"{path}/a/b")
    waiting = [barrier("wait", f"{path}/a/b", "--json") for _ in range(2)]
    assert all(w.process.poll() is None for w in waiting)
    assert cli.json("barrier", "lift", f"{path}/a/b") == {"path": f"{path}/a/b", "barrier": "lifted"}
    for w in waiting:
        assert json.loads(w.line()) == {"path": f"{path}/a/b", "barrier": "passed"}
        assert w.end() == OK
    cli.ok("barrier", "lift", f"{path}/a/b")


def test_who_waits_may_be_interrupted(cli, running, follower, proxied, path):
    cli.ok("barrier", "set", path)
    proxy = proxied(running)
    proxy.hold(rawzk.GETDATA)
    w = follower("-s", proxy.hosts, "barrier", "wait", path)
    assert proxy.held.wait(LIMIT_S)  # so far it has come
    proxy.release()
    assert w.end(signal.SIGINT) == 128 + signal.SIGINT


def test_commands_run_when_all_are_there_and_end_together(barrier, s, path):
    first = barrier("enter", "-n", "2", "-i", "first", path, "--", "sh", "-c", "echo $CAUCUS_PATH; exit 7")
    wait_for_children(s, 1, path)
    name, = s.ok(rawzk.get_children(path))
    assert s.ok(rawzk.get_data(f"{path}/{name}"))[0] == b"first"
    assert first.out.empty()
    second = barrier("enter", "--members", "2", path, "--", "sh", "-c", "echo in; read line; echo out")
    assert first.line() == path and second.line() == "in"
    for f in (first, second):
        f.hear("entered")
    assert first.process.poll() is None
    second.process.stdin.write("go\n")
    second.process.stdin.flush()
    assert second.line() == "out"
    assert second.end() == OK and first.end() == 7
    s.catch_up()
    assert s.ok(rawzk.get_children(path)) == []


def test_nobody_enters_alone(cli, s, path):
    assert "not within 100 ms" in cli.fails(NO, "barrier", "enter", "-n", "2", "-w", "100", path, "--", "echo", "in")
    s.catch_up()
    assert s.ok(rawzk.get_children(path)) == []


def test_a_command_that_is_killed_lets_the_others_leave(barrier, s, path):
    killed = barrier("enter", "-n", "2", path, "--", "sleep", "1000", timeout_ms=SHORT_MS)
    other = barrier("enter", "-n", "2", path, "--", "echo", "in")
    assert other.line() == "in"
    killed.hear("entered")
    killed.process.kill()
    assert other.end() == OK
    ended = barrier("enter", "-n", "1", path, "--", "sh", "-c", "echo in; exec sleep 1000")
    assert ended.line() == "in"
    assert ended.end(signal.SIGTERM) == 128 + signal.SIGTERM


@pytest.mark.parametrize("words, said", [
    (["meet", "/b"], "neither wait, set, lift nor enter"),
    (["wait"], "too few words"),
    (["wait", "b"], "not a path"),
    (["wait", "/"], "root"),
    (["set", "/b", "more"], "no command"),
    (["wait", "-n", "2", "/b"], "no members"),
    (["enter", "/b", "--", "true"], "--members"),
    (["enter", "-n", "2", "/b"], "a command is missing"),
    (["enter", "-n", "2", "/b", "--json", "--", "true"], "--json"),
    (["wait", "-w", "-7", "/b"], "--wait"),
])
def test_what_cannot_be_understood_is_said_without_a_server(words, said):
    nowhere = Cli(f"127.0.0.1:{free_port()}")
    assert said in nowhere.fails(USAGE, "barrier", *words)


def test_no_server_is_one_line(path):
    nowhere = Cli(f"127.0.0.1:{free_port()}")
    nowhere.fails(CONNECTION, "barrier", "wait", path, front=("-t", "200"))
    assert b"wait|set|lift PATH" in nowhere.ok("barrier", "--help")
