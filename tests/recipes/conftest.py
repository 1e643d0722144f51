import itertools
import signal

import pytest
import rawzk
from talk import TIMEOUT_S, Talk

LONG_TIMEOUT_MS = 30000

_serial = itertools.count(1)


@pytest.fixture
def path():
    """Of this test's own; neither it nor the node above it is there."""
    return f"/app{next(_serial)}/here"


@pytest.fixture
def raw(path):
    """raw(server): a raw session; the node above the path is made."""

    def start(server):
        s = server.session(timeout_s=TIMEOUT_S, timeout_ms=60000)
        s.call(rawzk.create(path.rpartition("/")[0]))
        return s

    return start


@pytest.fixture
def start_talk(path):
    """start_talk(program, hosts, count=, timeout_ms=): programs at the path, that end with the test."""
    started = []

    def start(program, hosts, count=1, timeout_ms=LONG_TIMEOUT_MS):
        started.append(Talk(program, hosts, timeout_ms, path, count))
        return started[-1]

    yield start
    for talk in started:
        talk.signal(signal.SIGCONT)
        talk.kill()
