import pytest
from server import Server


@pytest.fixture(scope="session")
def standing(tmp_path_factory):
    """One server of each kind for all tests that leave it as they found it: each has a path of its own."""
    servers = {}

    def get(backend):
        if backend not in servers:
            servers[backend] = Server(backend, tmp_path_factory.mktemp(backend), {
                "tickTime": 200, "maxClientCnxns": 0, "maxSessionTimeout": 60000, "4lw.commands.whitelist": "*"})
            servers[backend].start()
        return servers[backend]

    yield get
    for server in servers.values():
        server.stop()
