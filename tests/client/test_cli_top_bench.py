"""caucus top and bench, against caucusd and Apache ZooKeeper 3.9.5."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios

import pytest
import rawzk
from cli import CAUCUS, CONNECTION, LIMIT_S, NO, OK, USAGE, Cli
from ports import free_port
from rawzk import exists, get_children, get_data

CONFIG = {"tickTime": 200, "maxClientCnxns": 0, "4lw.commands.whitelist": "srvr,mntr"}


# --- top ---


def test_top_counts_what_the_servers_do(running, cli):
    with running.session() as s:
        s.ok(get_data("/", watch=True))
        process = subprocess.Popen([CAUCUS, "-s", running.hosts, "top", "--json", "-i", "200", "-n", "3"],
                                   stdout=subprocess.PIPE)
        rows = []
        for line in process.stdout:
            for _ in range(100):
                s.ok(exists("/"))
            rows += json.loads(line)["servers"]
        assert process.wait(LIMIT_S) == OK and len(rows) == 3
        for row in rows:
            assert row["serves"] and row["mode"] == "standalone" and row["lag"] == 0
            assert row["watches"] >= 1 and row["connections"] >= 1 and row["requests_per_s"] >= 0
        # The table before was shown before the requests began.
        assert max(row["requests_per_s"] for row in rows) > 10
        assert any(row["latency_us"] is not None for row in rows)


def test_top_prints_plain_tables_where_nobody_looks(cli, running):
    out = cli.ok("top", "-i", "100", "-n", "2").decode()
    assert "\x1b" not in out and out.count("SERVER") == 2
    when, head, line, empty, *_ = out.split("\n")
    assert when.endswith("Z") and empty == "" and head.split()[:4] == ["SERVER", "MODE", "REQUESTS/s", "LATENCY"]
    assert line.split()[:2] == [running.hosts, "standalone"]


def test_top_of_a_server_that_answers_srvr_only(start_server):
    server = start_server({"4lw.commands.whitelist": "srvr"}, backend="caucusd")
    gone = f"127.0.0.1:{free_port()}"
    rows = Cli(f"{server.hosts},{gone}").json("top", "-i", "100", "-n", "1")["servers"]
    shown = {row["server"]: row for row in rows}
    assert shown[server.hosts]["watches"] is None and shown[server.hosts]["latency_us"] is None
    assert shown[server.hosts]["latency_of_life_us"] is not None
    assert shown[gone] == {"server": gone, "mode": "unreachable", "serves": False, "trouble": "Connection refused"}
    assert "Connection refused" in Cli(gone).fails(CONNECTION, "top")


def test_top_on_a_terminal_ends_with_q_and_leaves_it_as_it_was(running):
    fd, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("4H", 40, 200, 0, 0))
    before = termios.tcgetattr(end)
    process = subprocess.Popen([CAUCUS, "-s", running.hosts, "top", "-i", "100"], stdin=end, stdout=end, stderr=end,
                               start_new_session=True)
    heard = b""
    while heard.count(b"standalone") < 3:
        assert select.select([fd], [], [], LIMIT_S)[0], heard
        heard += os.read(fd, 65536)
    assert b"\x1b[?1049h" in heard and b"q: quit" in heard
    os.write(fd, b"xq")
    while b"\x1b[?1049l" not in heard:
        assert select.select([fd], [], [], LIMIT_S)[0], heard
        heard += os.read(fd, 65536)
    assert process.wait(LIMIT_S) == OK
    assert termios.tcgetattr(end) == before
    os.close(end)
    os.close(fd)


def test_top_ends_when_it_is_interrupted(running):
    process = subprocess.Popen([CAUCUS, "-s", running.hosts, "top", "-i", "100"], stdout=subprocess.PIPE)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.stdout.read()
    assert process.wait(LIMIT_S) == OK


# --- bench ---


def left_over(running):
    with running.session() as s:
        return [name for name in s.ok(get_children("/")) if name.startswith("caucus-bench")]


@pytest.mark.parametrize("mode", ["read", "write", "mixed"])
def test_bench_counts_and_leaves_nothing(running, cli, mode):
    answer = cli.json("bench", mode, "-c", "3", "-f", "5", "-n", "2000", "--nodes", "150", "-b", "10000")
    reads, writes = answer["reads"], answer["writes"]
    assert answer["requests"] == 2000 == reads["count"] + writes["count"] and answer["errors"] == 0
    assert answer["requests_per_s"] > 0 and (answer["connections"], answer["in_flight"]) == (3, 5)
    if mode != "mixed":
        assert (reads if mode == "read" else writes)["count"] == 2000
    else:
        assert reads["count"] > writes["count"] > 0
    for side in (reads, writes):
        assert side["min_us"] <= side["p50_us"] <= side["p90_us"] <= side["p99_us"] <= side["p999_us"] <= side["max_us"]
    assert left_over(running) == []


def test_bench_tells_people(cli):
    out = cli.ok("bench", "-c", "1", "-d", "1", "mixed", "--reads", "50").decode()
    first, reads, writes = out.splitlines()
    assert "1 connections with 16 in flight, 100 nodes of 100 bytes" in first
    assert reads.startswith("reads") and writes.startswith("writes") and " p99.9 " in writes


def test_bench_that_is_interrupted_tells_what_it_has_and_tidies_up(running):
    process = subprocess.Popen([CAUCUS, "-s", running.hosts, "--json", "bench", "read", "-c", "2"],
                               stdout=subprocess.PIPE)
    with running.session() as s:
        while not (names := [n for n in s.ok(get_children("/", watch=True)) if n.startswith("caucus-bench")]):
            s.event()
        process.send_signal(signal.SIGTERM)
        assert json.loads(process.stdout.read())["milliseconds"] < 9000
        assert process.wait(LIMIT_S) == OK
        assert s.err(exists(f"/{names[0]}")) == rawzk.NONODE


def test_bench_that_is_killed_leaves_what_goes_by_itself(running):
    process = subprocess.Popen([CAUCUS, "-s", running.hosts, "-t", "1000", "bench", "read"], stdout=subprocess.PIPE)
    with running.session() as s:
        while not (names := [n for n in s.ok(get_children("/", watch=True)) if n.startswith("caucus-bench")]):
            s.event()
        path = f"/{names[0]}"
        while not s.ok(get_children(path, watch=True)):
            s.event()
        process.kill()
        process.wait()
        while s.ok(get_children(path, watch=True)):
            s.event()


def test_bench_says_what_failed(cli, start_server):
    server = start_server({**CONFIG, "maxClientCnxns": 4}, backend="caucusd")
    text = ""
    while " of 10" not in text:  # on a machine that stands still, none has come within that time
        text = Cli(server.hosts).fails(CONNECTION, "bench", "read", "-c", "10", front=("-t", "500"))
    assert "no such node" in cli.fails(NO, "bench", "read", "--path", "/nowhere")


@pytest.mark.parametrize("words", [
    ["bench"], ["bench", "frob"], ["bench", "read", "-c", "0"], ["bench", "read", "-c", "1001"],
    ["bench", "read", "-f", "0"], ["bench", "read", "-c", "1000", "-f", "1000"], ["bench", "read", "-b", "-1"],
    ["bench", "read", "-b", "2000000"], ["bench", "read", "--nodes", "100000", "-b", "100000"],
    ["bench", "read", "-d", "0"], ["bench", "read", "-n", "0"], ["bench", "read", "--reads", "50"],
    ["bench", "mixed", "--reads", "101"], ["bench", "read", "--path", "x"], ["top", "-n", "0"], ["top", "-i", "1"],
    ["top", "x"]])
def test_foolish_numbers_are_refused(words):
    Cli("127.0.0.1:1").fails(USAGE, *words)
