"""kazoo, Apache's Java client and its C client keep their sessions while servers fail."""

import contextlib
import pathlib
import queue
import subprocess
import threading

import pytest
from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import ConnectionLoss, SessionExpiredError
from kazoo.retry import KazooRetry
from peers import jars, missing, program
from rawzk import NONODE, exists, get_data, sync

WAIT_S = 40
SOURCES = pathlib.Path(__file__).parent / "clients"


class Program:
    """A holder (clients/) in a process of its own."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, bufsize=1)
        self.said = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.session = int(self.expect("held"))

    def _listen(self):
        for line in self.process.stdout:
            self.said.put(line.strip())
        self.said.put("(end of output)")

    def expect(self, word):
        line = self.said.get(timeout=WAIT_S)
        assert line.startswith(word), line
        return line[len(word):].strip()

    def write(self, text):
        self.process.stdin.write(text + "\n")
        return int(self.expect("wrote"))

    def close(self):
        self.process.stdin.close()
        self.expect("closed")
        assert self.process.wait(WAIT_S) == 0

    def end(self):
        self.process.kill()
        self.process.wait()


class Kazoo:
    def __init__(self, hosts, path):
        self.lost = False
        self.client = KazooClient(hosts=hosts, timeout=20.0)
        self.client.add_listener(self._state)
        self.client.start(timeout=WAIT_S)
        self.client.create(path, b"", ephemeral=True)
        self.path = path
        self.session = self.client.client_id[0]
        self.retry = KazooRetry(max_tries=-1, delay=0.02, max_delay=0.1, deadline=WAIT_S)

    def _state(self, state):
        self.lost |= state == KazooState.LOST

    def write(self, text):
        version = self.retry(self.client.set, self.path, text.encode()).version
        assert not self.lost
        return version

    def close(self):
        self.client.stop()

    def end(self):
        with contextlib.suppress(ConnectionLoss, SessionExpiredError):
            self.client.stop()
        self.client.close()


@pytest.fixture(scope="session")
def c_holder(tmp_path_factory):
    if not pathlib.Path("/usr/include/zookeeper/zookeeper.h").exists():
        missing("Apache's C client (libzookeeper-mt-dev)")
    path = tmp_path_factory.mktemp("c") / "holder"
    done = subprocess.run(
        [program("cc"), "-std=c17", "-D_GNU_SOURCE", "-DTHREADED", "-Wall", "-Wextra", "-O1",
         "-o", path, SOURCES / "holder.c", "-lzookeeper_mt", "-lpthread"],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [str(path)]


@pytest.fixture(scope="session")
def java_holder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("java")
    done = subprocess.run(
        [program("javac"), "-Xlint:all,-processing", "-cp", jars("3.9"), "-d", folder,
         SOURCES / "Holder.java"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [program("java"), "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-cp", f"{folder}:{jars('3.9')}", "Holder"]


@pytest.fixture
def holders(fleet, c_holder, java_holder):
    made = {}
    try:
        made["java"] = Program([*java_holder, fleet.hosts, "/held-java"])
        made["c"] = Program([*c_holder, fleet.hosts, "/held-c"])
        made["kazoo"] = Kazoo(fleet.hosts, "/held-kazoo")
        yield made
    finally:
        for holder in made.values():
            holder.end()


def test_sessions_of_all_clients_outlive_every_server(fleet, holders):
    def kill_leader():
        victim = fleet.leader
        victim.kill()
        return [victim]

    def kill_follower():
        victim = fleet.followers[0]
        victim.kill()
        return [victim]

    def stop_leader():
        victim = fleet.leader
        victim.stop()
        return [victim]

    def kill_all():
        for m in fleet:
            m.kill()
        return list(fleet)

    for n, fault in enumerate([kill_leader, kill_follower, stop_leader, kill_all, kill_leader], 1):
        down = fault()
        if len(down) < 2:
            for name, holder in holders.items():
                assert holder.write(f"{n} without") >= n, (name, fault.__name__)
        for m in down:
            m.start()
        fleet.wait_settled()
        for name, holder in holders.items():
            assert holder.write(f"{n} again") >= n, (name, fault.__name__)

    s = fleet[1].session()
    s.ok(sync("/"))
    for name, holder in holders.items():
        data, stat = s.ok(get_data(f"/held-{name}"))
        assert (data, stat.ephemeral_owner) == (b"5 again", holder.session)
    for holder in holders.values():
        holder.close()
    s.ok(sync("/"))
    for name in holders:
        assert s.err(exists(f"/held-{name}")) == NONODE
