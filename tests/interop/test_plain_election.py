"""The plain leader election, as N processes: no herd, one leader at a time."""

import pathlib
import queue
import subprocess
import sys
import threading

import pytest
from expire import end_owner

MEMBER = pathlib.Path(__file__).with_name("election_member.py")
CONFIG = {"tickTime": 500}
SESSION_TIMEOUT_S = 10
WAIT_S = 30


class Member:
    """A process of the election, and what it has said."""

    def __init__(self, server):
        self.server = server
        self.process = subprocess.Popen(
            [sys.executable, str(MEMBER), server.hosts, str(SESSION_TIMEOUT_S)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines = queue.Queue()
        self.said = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.split())
        self.lines.put(None)

    def hear(self, *verbs):
        """The next thing it says, which must be one of `verbs`."""
        line = self.lines.get(timeout=WAIT_S)
        assert line is not None and line[0] in verbs, f"{line}, after {self.said}"
        self.said.append(line)
        return line

    def silent(self):
        return self.lines.empty()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def die(self):
        self.kill()
        end_owner(self.server, f"/election/{self.name}")


@pytest.fixture
def members(start_server):
    server = start_server(CONFIG)
    started = [Member(server) for _ in range(8)]
    yield started
    for member in started:
        member.kill()


def test_killing_the_leader_wakes_exactly_its_successor(members):
    for member in members:
        member.name = member.hear("member")[1]
    order = sorted(members, key=lambda m: m.name)
    assert len({m.name for m in order}) == 8
    assert order[0].hear("leading", "watching") == ["leading"]
    for before, member in zip(order, order[1:]):
        assert member.hear("leading", "watching") == ["watching", before.name]

    # Three leaders die, one after the other; each time the next one alone is woken, and leads.
    for _ in range(3):
        dead = order.pop(0)
        dead.die()
        successor = order[0]
        assert successor.hear("woken") == ["woken", "DELETED", f"/election/{dead.name}"]
        assert successor.hear("leading", "watching") == ["leading"]
        assert [m.name for m in order[1:] if not m.silent()] == []


def test_death_in_the_middle_wakes_its_follower_which_watches_the_next(members):
    for member in members:
        member.name = member.hear("member")[1]
        member.hear("leading", "watching")
    order = sorted(members, key=lambda m: m.name)
    middle, follower = order[3], order[4]
    middle.die()
    assert follower.hear("woken") == ["woken", "DELETED", f"/election/{middle.name}"]
    assert follower.hear("leading", "watching") == ["watching", order[2].name]
    assert [m.name for m in order if m not in (middle, follower) and not m.silent()] == []
