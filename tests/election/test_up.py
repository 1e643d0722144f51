"""caucus up and down: a cluster of one's own, which leaves nothing running however it ends."""

import contextlib
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import urllib.request

import pytest
from peers import CAUCUSD

CAUCUS = CAUCUSD.parent / "caucus"
ROOT = pathlib.Path(__file__).resolve().parents[2]
WAIT_S = 60


class Cluster:
    def __init__(self, folder, *words):
        self.folder = folder
        self.process = subprocess.Popen(
            [CAUCUS, "up", "--dir", folder, "--election", ROOT / "elections/example", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.said = ""

    def wait_up(self):
        for line in self.process.stdout:
            self.said += line
            if line.startswith("Things to try"):
                return re.findall(r"page (http://[^/]+)/", self.said)
        raise AssertionError(self.said + self.process.stderr.read())

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.wait_end()

    def wait_end(self):
        said, self.complaints = self.process.communicate(timeout=WAIT_S)
        self.said += said
        return self.process.returncode

    def pids(self):
        """Of what runs on the folder, but for caucus up itself."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and str(self.folder).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return [pid for pid in found if pid != self.process.pid]


@pytest.fixture
def up(tmp_path):
    clusters = []

    def start(*words, folder=tmp_path / "cluster"):
        clusters.append(Cluster(folder, *words))
        return clusters[-1]

    yield start
    for c in clusters:
        if c.process.poll() is None:
            c.end()
        for pid in c.pids():
            os.kill(pid, signal.SIGKILL)


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        return json.loads(answer.read())


def wait_gone(pids):
    """pidfd says when each has ended; of one that has already, there is none."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            fd = os.pidfd_open(pid)
            assert select.select([fd], [], [], WAIT_S)[0], f"{pid} runs on"
            os.close(fd)


def test_votes_are_taken_and_found_again_by_the_next_cluster(up):
    first = up()
    pages = first.wait_up()
    assert len(pages) == 3 and len(first.pids()) == 6
    assert post(pages[0] + "/v1/election/start", {})["phase"] == "OPEN"
    with urllib.request.urlopen(pages[2] + "/", timeout=WAIT_S) as page:
        assert b"<html" in page.read()
    states = json.loads(urllib.request.urlopen(pages[1] + "/v1/results", timeout=WAIT_S).read())["states"]
    assert all(s["phase"] == "OPEN" for s in states)
    pids = first.pids()
    assert first.end(signal.SIGINT) == 0, first.complaints
    assert first.pids() == []
    wait_gone(pids)

    second = up()
    pages = second.wait_up()
    with urllib.request.urlopen(pages[0] + "/v1/results", timeout=WAIT_S) as answer:
        results = json.loads(answer.read())
    assert (results["phase"], results["round"]) == ("OPEN", 1)
    assert second.end() == 0

    third = up("--clean")
    pages = third.wait_up()
    with urllib.request.urlopen(pages[0] + "/v1/results", timeout=WAIT_S) as answer:
        assert json.loads(answer.read())["round"] == 0


@pytest.mark.timeout(400)
def test_election_of_2024_is_held_while_leaders_die(up):
    cluster = up("--demo", "--election", ROOT / "elections/us-2024")
    for line in cluster.process.stdout:
        cluster.said += line
        if line.startswith("Every vote"):
            break
    said = cluster.said
    assert cluster.end() == 0, said + cluster.complaints
    assert "exact: 51 of 51 states, 154,864 of 154,864 votes" in said
    assert "every server has counted its logs again, and all agree" in said
    assert re.search(r"harris +226 ", said) and re.search(r"trump +312 .*has won", said)
    killed = re.findall(r"kill -9 of (coordination|election) server \d", said)
    told = re.findall(r"(coordination|election) server \d was ended by signal 9; it is started again", cluster.complaints)
    assert killed == told and killed in (["coordination"], ["coordination", "election"]), said  # a fast machine is done sooner
    assert cluster.pids() == []


def test_second_on_the_same_folder_is_refused_and_down_ends_the_first(up):
    first = up()
    first.wait_up()
    second = up()
    assert second.wait_end() == 1
    down = subprocess.run([CAUCUS, "down", "--dir", first.folder], timeout=WAIT_S)
    assert down.returncode == 0 and first.wait_end() == 0 and first.pids() == []
    again = subprocess.run([CAUCUS, "down", "--dir", first.folder], capture_output=True, text=True, timeout=WAIT_S)
    assert again.returncode == 1 and again.stderr == f"caucus: up: nothing runs on '{first.folder}'\n"


def wait_said(path, mark, times):
    """Until a log has it so often."""
    said = b""
    with subprocess.Popen(["tail", "-n", "+1", "-F", path], stdout=subprocess.PIPE) as tail:
        while said.count(mark.encode()) < times:
            assert select.select([tail.stdout], [], [], WAIT_S)[0], said.decode()
            said += os.read(tail.stdout.fileno(), 65536)
        tail.terminate()


@pytest.mark.parametrize("program, log, mark", [("caucusd", "caucusd-1.log", "event=serving"),
                                                ("electiond", "electiond-1.log", "event=ready")])
def test_one_that_is_killed_is_started_again_and_told(up, program, log, mark):
    cluster = up()
    pages = cluster.wait_up()
    assert post(pages[1] + "/v1/election/start", {})["phase"] == "OPEN"
    where = "/coordination/1/" if program == "caucusd" else "/election/1"
    victim = next(p for p in cluster.pids() if where in pathlib.Path(f"/proc/{p}/cmdline").read_text())
    os.kill(victim, signal.SIGKILL)
    wait_said(cluster.folder / "log" / log, mark, 2)
    with urllib.request.urlopen(pages[2] + "/v1/results", timeout=WAIT_S) as answer:
        assert json.loads(answer.read())["phase"] == "OPEN"
    assert len(cluster.pids()) == 6
    assert cluster.end() == 0
    assert "was ended by signal 9; it is started again; its log is " in cluster.complaints


def test_one_that_ends_by_itself_ends_all(up):
    cluster = up()
    cluster.wait_up()
    pids = cluster.pids()
    os.kill(next(p for p in pids if "electiond" in os.readlink(f"/proc/{p}/exe")), signal.SIGTERM)
    assert cluster.process.wait(WAIT_S) == 1
    assert "ended with exit code 0; its log is " in cluster.process.stderr.read()
    wait_gone(pids)


def test_killed_it_leaves_nothing_running(up):
    cluster = up()
    cluster.wait_up()
    pids = cluster.pids()
    cluster.end(signal.SIGKILL)
    wait_gone(pids)


def test_port_that_is_taken_is_told_and_nothing_is_left(up):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cluster = up("--port", str(taken.getsockname()[1]))
        assert cluster.wait_end() == 1
        assert cluster.pids() == []


def test_interrupted_while_it_starts_nothing_is_left(up):
    cluster = up()
    assert cluster.process.stdout.read(1)  # it has begun to say what it does
    assert cluster.end(signal.SIGINT) == 0
    assert cluster.pids() == []


@pytest.mark.parametrize("words, text", [
    (["--election", "/nonexistent"], "--election '/nonexistent': there is no such folder"),
    (["--port", "70000"], "--port 70000: 0 to 65535, please"),
    (["--dir", "/dev/null/x"], "cannot create '/dev/null/x': Not a directory"),
])
def test_what_cannot_be_is_told_in_one_line(words, text):
    done = subprocess.run([CAUCUS, "up", *words], capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode in (1, 2) and done.stderr.count("\n") == 1 and text in done.stderr, done
