"""caucus up and down: a cluster of one's own, which leaves nothing running however it ends.

The whole demonstration is in the README, whose commands tests/docs executes."""

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

import netlab
import pytest
import rawzk
from disk import SmallDisk
from peers import CAUCUSD

CAUCUS = CAUCUSD.parent / "caucus"
ROOT = pathlib.Path(__file__).resolve().parents[2]
WAIT_S = 60


class Cluster:
    def __init__(self, folder, *words, prefix=()):
        self.folder = folder
        self.process = subprocess.Popen(
            [*prefix, CAUCUS, "up", "--dir", folder, "--election", ROOT / "elections/example", *words],
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


def server_children(server):
    with server.session() as s:
        return s.ok(rawzk.get_children("/"))


@pytest.fixture
def up(tmp_path):
    clusters = []

    def start(*words, folder=tmp_path / "cluster", **how):
        clusters.append(Cluster(folder, *words, **how))
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
    with urllib.request.urlopen(pages[1] + "/v1/election", timeout=WAIT_S) as answer:
        console = json.loads(answer.read())["console"]
    with urllib.request.urlopen(console, timeout=WAIT_S) as page:
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


def wait_nation(page, voters):
    """The stream's word on the nation, once it has so many."""
    with urllib.request.urlopen(page + "/v1/results/stream", timeout=WAIT_S) as stream:
        event = ""
        for line in stream:
            if line.startswith(b"event: "):
                event = line.split()[1].decode()
            if line.startswith(b"data: ") and event == "nation":
                nation = json.loads(line[6:])
                if nation["voters"] >= voters:
                    return nation


def test_the_nation_of_the_page_is_the_sum_of_its_states(up):
    pages = up().wait_up()
    post(pages[0] + "/v1/election/start", {})
    for state, voter, candidate in (("california", 1, 1), ("california", 2, 1), ("new_york", 13, 1), ("texas", 21, 2)):
        answer = post(f"{pages[0]}/states/{state}/voters/voter{voter}/vote", {"candidate": f"cand{candidate}"})
        assert answer["outcome"] == "COMMITTED", answer
    nation = wait_nation(pages[1], 4)
    assert nation["voters"] == 4
    assert [(c["candidate"], c["votes"], c["electors"]) for c in nation["counts"]][:2] == [("cand1", 3, 82), ("cand2", 1, 40)]


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


@pytest.mark.parametrize("words, moment", [
    ((), "t"),
    (("--demo", "--election", ROOT / "elections/us-2024"), "three election servers ... up"),
    (("--demo", "--election", ROOT / "elections/us-2024"), "$ electorate replay"),
], ids=["start", "demo starts", "votes come in"])
def test_interrupted_nothing_is_left_that_hinders_the_next(up, words, moment):
    cluster = up(*words)
    said = ""
    while moment not in said:
        byte = cluster.process.stdout.read(1)
        assert byte, said + cluster.process.stderr.read()
        said += byte
    assert cluster.end(signal.SIGINT) == 130, cluster.complaints
    assert "interrupted; stopping" in cluster.said and cluster.pids() == []
    again = up(*words[1:])
    again.wait_up()
    assert again.end(signal.SIGINT) == 0, again.complaints


def test_full_disk_is_told_and_once_there_is_room_it_goes_on(up, tmp_path):
    with SmallDisk(tmp_path, "48m") as disk:
        how = {"folder": disk.path / "cluster", "prefix": disk.prefix}
        disk.fill()
        first = up(**how)
        assert first.wait_end() == 1 and "No space left on device" in first.complaints
        assert first.complaints.count("\n") == 1, first.complaints
        disk.free()

        second = up(**how)
        pages = second.wait_up()
        disk.fill()
        with contextlib.suppress(OSError):  # they may end before they answer
            post(pages[0] + "/v1/election/start", {})
        assert second.wait_end() == 1 and second.pids() == []
        assert "No space left on device" in second.complaints, second.complaints
        disk.fill(leave=1 << 20)  # what a start needs is not the same to the byte each time
        clean = up("--clean", **how)  # which makes room itself
        clean.wait_up()
        assert clean.end() == 0
        disk.free()
        third = up(**how)
        third.wait_up()
        assert third.end() == 0


@pytest.mark.parametrize("kind", ["caucusd", "apache39"])
def test_an_ensemble_that_is_there_is_used_and_left_as_it_was(up, standing, kind):
    server = standing(kind)
    hosts = f"127.0.0.1:{server.port}"
    children = lambda: set(server_children(server))
    before = children()
    first = up("--zookeeper", hosts)
    pages = first.wait_up()
    assert post(pages[0] + "/v1/election/start", {})["phase"] == "OPEN"
    assert len(first.pids()) == 3
    ours, = children() - before
    assert ours.startswith("caucus-up-") and first.end() == 0

    other = up("--zookeeper", "127.0.0.1:1")
    assert other.wait_end() == 1 and f"has a cluster on {hosts}" in other.complaints
    own = up()
    assert own.wait_end() == 1 and f"has a cluster on {hosts}" in own.complaints
    second = up("--zookeeper", hosts)
    with urllib.request.urlopen(second.wait_up()[1] + "/v1/results", timeout=WAIT_S) as answer:
        assert json.loads(answer.read())["phase"] == "OPEN"
    assert second.end() == 0 and children() - before == {ours}

    clean = up("--clean")
    clean.wait_up()
    assert clean.end() == 0 and children() == before


@pytest.mark.parametrize("words, text", [
    (["--election", "/nonexistent"], "--election '/nonexistent': there is no such folder"),
    (["--port", "70000"], "--port 70000: 0 to 65535, please"),
    (["--dir", "/dev/null/x"], "cannot create '/dev/null/x': Not a directory"),
])
def test_what_cannot_be_is_told_in_one_line(words, text):
    done = subprocess.run([CAUCUS, "up", *words], capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode in (1, 2) and done.stderr.count("\n") == 1 and text in done.stderr, done


def test_network_without_a_loopback_is_told_at_once(tmp_path):
    netlab.require()
    words = ["unshare", "--net", CAUCUS, "up", "--dir", tmp_path / "cluster", "--election", ROOT / "elections/example"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 1 and "127.0.0.1 cannot be reached: Network is unreachable" in done.stderr, done
    assert not (tmp_path / "cluster").exists()
