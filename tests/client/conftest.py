"""What the tests of caucus and libcaucus share: each module's server, with its CONFIG, of both kinds unless it has a
`kind` of its own; and programs that run beside the test."""

import pytest
from cli import Cli, Follower
from client_talk import Talk
from server import Server


@pytest.fixture(scope="module", params=["caucusd", "apache39"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def running(kind, request, tmp_path_factory):
    """One server for the whole module, whatever --server says."""
    server = Server(kind, tmp_path_factory.mktemp(kind), request.module.CONFIG)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def cli(running):
    return Cli(running.hosts)


@pytest.fixture
def path(request):
    """For a node of this test's own."""
    return f"/{request.node.name.replace('[', '-').replace(']', '')}"


@pytest.fixture
def root(cli, path):
    cli.ok("create", path)
    return path


@pytest.fixture
def follower():
    started = []

    def start(*words, **how):
        started.append(Follower(*words, **how))
        return started[-1]

    yield start
    for f in started:
        f.process.kill()
        f.process.wait()


@pytest.fixture
def resource(tmp_path):
    return str(tmp_path / "resource")


@pytest.fixture
def talk():
    talks = []

    def start(*args, **kwargs):
        talks.append(Talk(*args, **kwargs))
        return talks[-1]

    yield start
    for t in talks:
        t.kill()
