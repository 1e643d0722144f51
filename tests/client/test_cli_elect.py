"""caucus elect: a command runs while its caucus leads, and not a moment longer."""

import json
import os
import pathlib
import signal
import sys
import time

import pytest
import rawzk
from cli import CAUCUS, CONNECTION, LIMIT_S, NO, OK, USAGE, Cli, Terminal
from holders import CONFIG, GENTLE, SHORT_MS, STUBBORN, TAKE, begun, make
from ports import free_port
from talk import wait_for_children

TERMINATED, KILLED, INTERRUPTED = 128 + 15, 128 + 9, 128 + 2
policies = pytest.mark.parametrize("policy", ["strict", "until-lost"])


@pytest.fixture(scope="module")
def kind():
    return "caucusd"


# --- one leads ---


@pytest.mark.parametrize("backend", ["caucusd", "apache39"])
def test_of_five_the_next_takes_over_and_the_others_do_not_stir(start_server, backend, follower, proxied, resource):
    server = start_server(CONFIG, backend=backend)
    s = make(server, "/election")
    line = []
    for number in range(5):
        proxy = proxied(server)
        f = follower("-s", proxy.hosts, "-t", str(SHORT_MS if number == 0 else 30000), "elect", "/election",
                     "--id", str(number), "--", "sh", "-c", GENTLE, resource)
        line.append((f, proxy))
        wait_for_children(s, number + 1, "/election")
    first, _ = begun(line[0][0])
    for _, proxy in line[1:]:  # it has looked at its own node and at the one before
        while proxy.requests[rawzk.GETDATA] < 2:
            s.ok(rawzk.sync("/"))
    Cli(server.hosts).ok("sync")
    before = [+proxy.requests for _, proxy in line]

    line[0][0].process.kill()
    assert line[0][0].line() is None  # nothing of it runs any more: neither command nor keeper
    second, _ = begun(line[1][0])
    assert second > first
    after = [proxy.requests - before[number] for number, (_, proxy) in enumerate(line)]
    for requests in after:
        del requests[rawzk.PING]
    assert [dict(requests) for requests in after] == [{}, {rawzk.GETCHILDREN: 1}, {}, {}, {}]
    assert [proxy.notifications for _, proxy in line] == [0, 1, 0, 0, 0]
    assert [f.out.empty() for f, _ in line[2:]] == [True] * 3


def test_the_command_is_told_what_it_leads(cli, running, path, follower):
    script = 'echo "$CAUCUS_FENCING_TOKEN $CAUCUS_ID $CAUCUS_PATH $CAUCUS_HOSTS"; ' \
             f'exec {CAUCUS} --json elect --list {path}'
    f = follower("-s", cli.hosts, "elect", path, "--id=me", "--", "sh", "-c", script)
    token, *rest = f.line().split()
    assert rest == ["me", path, cli.hosts]
    answer = json.loads(f.line())
    (candidate,) = answer["candidates"]
    assert candidate["token"] == token and candidate["id"] == "me"
    assert f.end() == OK
    assert cli.json("ls", path)["children"] == []


def test_contenders_are_listed_the_leader_first(cli, path, running, follower):
    assert "NONODE" in cli.fails(NO, "elect", "--list", path)
    s = make(running, path)
    for number, name in enumerate(("one", "two\x1b", "three")):
        follower("-s", cli.hosts, "elect", path, "--id", name)
        wait_for_children(s, number + 1, path)
    rows = cli.ok("elect", "--list", path).decode().splitlines()
    assert rows[0].split() == ["TOKEN", "SESSION", "ID"]
    assert [row.split()[2] for row in rows[1:]] == ["one", r"two\x1b", "three"]
    assert [c["id"] for c in cli.json("elect", "-l", path)["candidates"]] == ["one", "two\x1b", "three"]


@pytest.mark.parametrize("json_wanted", [False, True])
def test_without_a_command_terms_are_printed(cli, path, running, follower, json_wanted):
    f = follower("-s", cli.hosts, "elect", "--once", path, *(["--json"] if json_wanted else []))
    if json_wanted:
        event = json.loads(f.line())
        assert event["event"] == "elected"
        token, node = event["token"], event["node"]
    else:
        word, token, node = f.line().split()
        assert word == "elected"
    cli.ok("delete", node)
    line = f.line()
    if json_wanted:
        assert json.loads(line) == {"event": "dismissed", "token": token, "reason": "CAUCUS_NONODE"}
    else:
        assert line.split() == ["dismissed", token, "CAUCUS_NONODE"]
    assert f.end() == OK


# --- the command's end ---


@pytest.mark.parametrize("script, code", [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", KILLED), ("kill $$", TERMINATED)])
def test_the_end_of_the_command_is_caucus_end(cli, path, script, code):
    run = cli.run("elect", path, "--", "sh", "-c", script)
    assert run.returncode == code
    assert cli.json("ls", path)["children"] == []


def test_what_a_command_leaves_in_its_group_does_not_outlive_it(cli, path, follower):
    f = follower("-s", cli.hosts, "elect", path, "--", "sh", "-c", "sleep 1000 & echo done")
    assert f.line() == "done" and f.line() is None and f.end() == OK


def test_a_command_that_cannot_be_run_is_told_before_its_turn(tmp_path):
    (tmp_path / "text").write_text("x")
    nowhere = Cli("127.0.0.1:1")
    assert "no-such-command: No such file" in nowhere.fails(127, "elect", "/e", "--", "no-such-command")
    assert "Permission denied" in nowhere.fails(126, "elect", "/e", "--", str(tmp_path / "text"))


# Not a shell's trap: a signal that comes just before its wait is told when the wait is over.
TELLS_SIGNALS = """
import signal
import sys
wanted = {signal.SIGHUP: "hup", signal.SIGUSR1: "usr1", signal.SIGTERM: "term"}
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
print("begin", flush=True)
word = None
while word != "term":
    word = wanted[signal.sigwait(wanted)]
    print(word, flush=True)
raise SystemExit(5)
"""


def test_signals_are_passed_on(cli, path, follower):
    f = follower("-s", cli.hosts, "elect", path, "--", sys.executable, "-c", TELLS_SIGNALS)
    assert f.line() == "begin"
    for number, word in ((signal.SIGHUP, "hup"), (signal.SIGUSR1, "usr1"), (signal.SIGTERM, "term")):
        f.process.send_signal(number)
        assert f.line() == word
    assert f.end() == 5


def test_whoever_waits_leaves_at_a_signal(cli, path, running, follower):
    s = make(running, path)
    follower("-s", cli.hosts, "elect", path)
    wait_for_children(s, 1, path)
    f = follower("-s", cli.hosts, "elect", path, "--", "echo", "never")
    wait_for_children(s, 2, path)
    assert f.end(signal.SIGTERM) == TERMINATED and f.line() is None
    wait_for_children(s, 1, path)


def test_a_command_has_the_terminal(cli, path, tmp_path):
    t = Terminal([CAUCUS, "-s", cli.hosts, "elect", path, "--", "sh", "-c", 'echo go; read x; echo "<$x>"; read x'],
                 tmp_path)
    t.hear(b"go")
    t.type(b"words\n", b"<words>")
    os.write(t.fd, b"\x03")
    assert t.end() == INTERRUPTED


def test_a_job_that_is_stopped_goes_on(cli, path, tmp_path):
    t = Terminal(["bash", "--norc", "--noediting", "-i"], tmp_path, PS1="$ ")
    t.hear(b"$ ")
    script = 'echo go; while read x; do echo "<$x>"; done'
    t.type(f"{CAUCUS} -s {cli.hosts} -t 60000 elect {path} -- sh -c '{script}'\n".encode(), b"\ngo")
    t.type(b"one\n", b"<one>")
    t.type(b"\x1a", b"$ ")
    t.type(b"fg\n", b"elect")
    t.type(b"two\n", b"<two>")
    t.type(b"\x04", b"$ ")
    os.write(t.fd, b"exit\n")
    assert t.end() == OK


# --- in time ---


@policies
def test_a_leader_that_hears_nothing_has_ended_its_command_before_the_next_begins(
        running, path, follower, proxied, resource, policy):
    proxy = proxied(running)
    old = follower("-s", proxy.hosts, "-t", str(SHORT_MS), "elect", path, "--policy", policy, "--",
                   "sh", "-c", STUBBORN, resource)
    first, _ = begun(old)
    new = follower("-s", running.hosts, "elect", path, "--", "sh", "-c", GENTLE, resource)
    s = running.session(timeout_ms=60000, timeout_s=LIMIT_S)
    wait_for_children(s, 2, path)
    proxy.silence()
    assert old.line() == "term"
    old.hear("the command is stopped")
    second, _ = begun(new)
    assert second > first


@policies
def test_a_caucus_that_was_stopped_does_not_leave_its_command_running(running, path, follower, resource, policy):
    old = follower("-s", running.hosts, "-t", str(SHORT_MS), "elect", path, "-p", policy, "--",
                   "sh", "-c", STUBBORN, resource)
    first, _ = begun(old)
    new = follower("-s", running.hosts, "elect", path, "--", "sh", "-c", GENTLE, resource)
    wait_for_children(running.session(timeout_ms=60000, timeout_s=LIMIT_S), 2, path)
    old.process.send_signal(signal.SIGSTOP)
    assert old.line() == "term"
    second, _ = begun(new)
    assert second > first
    old.process.send_signal(signal.SIGCONT)
    old.hear("this process stood still: the command is stopped")
    new.process.send_signal(signal.SIGTERM)
    third, _ = begun(old)
    assert third > second


def test_strict_stops_at_a_lost_connection_and_queues_again(running, path, follower, proxied, resource):
    proxy = proxied(running)
    f = follower("-s", proxy.hosts, "-t", "30000", "elect", path, "--", "sh", "-c", GENTLE, resource)
    first, _ = begun(f)
    proxy.cut()
    f.hear("no connection: the command is stopped")
    assert begun(f)[0] > first


def test_a_connection_that_comes_back_does_no_harm(running, path, follower, proxied, resource):
    proxy = proxied(running)
    f = follower("-s", proxy.hosts, "-t", "30000", "elect", path, "-p", "until-lost", "--", "sh", "-c",
                 TAKE + 'trap "exit 5" USR1; while :; do sleep 1000 & wait; done', resource)
    begun(f)
    for _ in range(3):
        proxy.cut()
        f.hear("connection lost")
        f.hear("connected again")
    assert f.end(signal.SIGUSR1) == 5


def test_a_stubborn_command_is_killed_when_the_grace_is_over(running, path, follower, proxied, resource):
    proxy = proxied(running)
    f = follower("-s", proxy.hosts, "-t", "30000", "elect", path, "--once", "--grace", "100", "--",
                 "sh", "-c", STUBBORN, resource)
    begun(f)
    began = time.monotonic()
    proxy.cut()
    assert f.line() == "term" and f.line() is None
    assert f.end() == CONNECTION
    assert 0.1 <= time.monotonic() - began < 20  # before the session could have ended


def test_a_node_that_is_deleted_ends_the_command_at_once(cli, running, path, follower, resource):
    f = follower("-s", cli.hosts, "-t", "30000", "elect", path, "--", "sh", "-c", STUBBORN, resource)
    first, _ = begun(f)
    (name,) = cli.json("ls", path)["children"]
    cli.ok("delete", f"{path}/{name}")
    f.hear("not held any more")
    line = f.line()
    line = f.line() if line == "term" else line
    assert int(line.split()[1]) > first


def keeper_of(f):
    return int(pathlib.Path(f"/proc/{f.process.pid}/task/{f.process.pid}/children").read_text())


def test_the_command_does_not_outlive_both_of_its_masters(cli, path, follower, resource):
    f = follower("-s", cli.hosts, "elect", path, "--", "sh", "-c", GENTLE, resource)
    begun(f)
    keeper = keeper_of(f)
    f.process.send_signal(signal.SIGSTOP)
    os.kill(keeper, signal.SIGKILL)
    f.process.kill()
    assert f.line() is None


def test_the_command_dies_with_its_keeper(cli, path, follower, resource):
    f = follower("-s", cli.hosts, "elect", path, "--", "sh", "-c", STUBBORN, resource)
    begun(f)
    os.kill(keeper_of(f), signal.SIGKILL)
    f.hear("was killed, and the command with it")
    assert f.end() == CONNECTION and f.line() is None


def test_a_lost_server_is_told_and_waited_for(start_server, follower, resource):
    server = start_server(CONFIG, backend="caucusd")
    f = follower("-s", server.hosts, "-t", "1000", "elect", "/e", "--", "sh", "-c", GENTLE, resource)
    first, _ = begun(f)
    server.kill()
    f.hear("connection lost")
    f.hear("the command is stopped")
    f.hear("the session is over")
    server.start()
    f.hear("connected again, with a new session")
    assert begun(f)[0] > first


# --- what cannot be ---


@pytest.mark.parametrize("words", [
    [], ["e"], ["/"], ["/e/"], ["--policy", "mild", "/e"], ["--grace", "-1", "/e"], ["--grace", "5000", "/e", "--", "true"],
    ["--grace"], ["--list", "/e", "--", "true"], ["--frob", "/e"]])
def test_bad_words_are_refused_before_a_server_is_asked(words):
    Cli("127.0.0.1:1").fails(USAGE, "elect", *words)


def test_no_server_is_one_line_and_a_code():
    hosts = f"127.0.0.1:{free_port()}"
    text = Cli(hosts).fails(CONNECTION, "elect", "/e", "--", "true", front=("-t", "300"))
    assert hosts in text and "Connection refused" in text
    assert "no-such.invalid" in Cli("no-such.invalid").fails(CONNECTION, "elect", "/e", "--", "true", front=("-t", "300"))


def test_a_refusal_is_one_line_and_a_code(cli, path):
    cli.ok("create", path, "", "world:anyone:r")
    assert f"{path}: not allowed (CAUCUS_NOAUTH)" in cli.fails(NO, "elect", path, "--", "true")
    assert "nosuch" in cli.fails(NO, "elect", "/e", "--", "true", front=("-a", "nosuch:hush"))
