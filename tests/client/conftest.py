"""What the tests of caucus share: each module's server, with its CONFIG, of both kinds."""

import pytest
from cli import Cli
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
def root(cli, request):
    path = f"/{request.node.name.replace('[', '-').replace(']', '')}"
    cli.ok("create", path)
    return path
