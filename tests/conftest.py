"""Fixtures shared by the integration and interop tests.

    pytest tests                       against build/release/bin/caucusd ($CAUCUSD)
    pytest tests --server=apache39     the same against Apache ZooKeeper 3.9.5

Every test must pass on Apache 3.9.5: that is how we know that it is right.

`server` is one server per module, with the module's SERVER_CONFIG; `root` is a node of its
own for each test; `start_server` and `start_ensemble` start further ones, which end with the test;
`standing` has one of each kind for tests about clients, whatever --server says.
"""

import itertools
import os

import pytest
import rawzk
from ensemble import Ensemble
from proxy import Proxy
from server import BACKENDS, Server


def pytest_addoption(parser):
    parser.addoption("--server", choices=BACKENDS, default="caucusd")


@pytest.fixture(scope="session", autouse=True)
def tools_tmp(tmp_path_factory):
    """Where browsers, linters and the like leave what they do not remove: among the folders of this run, which pytest does."""
    os.environ["TMPDIR"] = str(tmp_path_factory.mktemp("tools"))


@pytest.fixture(scope="session")
def backend(request):
    return request.config.getoption("--server")


def pytest_collection_modifyitems(config, items):
    backend = config.getoption("--server")
    older = {"apache38": ("3.8.4", "3.9"), "apache386": ("3.9",)}.get(backend, ())
    for item in items:
        if backend != "caucusd" and item.get_closest_marker("caucusd_only"):
            item.add_marker(pytest.mark.skip("is about caucusd alone"))
        mark = item.get_closest_marker("apache_only_since")
        if mark and mark.args[0] in older:
            item.add_marker(pytest.mark.skip(f"{backend} is older than {mark.args[0]}"))



@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        arguments = getattr(item, "funcargs", {}).values()
        for value in {id(v): v for v in arguments if isinstance(v, Server)}.values():
            report.sections.append((f"log of {value.backend}", value.log()[-1500:]))
        for value in {id(v): v for v in arguments if isinstance(v, Ensemble)}.values():
            report.sections.append(("logs of the ensemble", value.log_tails()))


@pytest.fixture(scope="module")
def module_server(request, backend, tmp_path_factory):
    config = getattr(request.module, "SERVER_CONFIG", {})
    config = config() if callable(config) else config
    server = Server(backend, tmp_path_factory.mktemp("server"), config)
    try:
        server.start()
        yield server
        server.stop()
    finally:
        server.kill()


@pytest.fixture
def server(module_server):
    yield module_server
    module_server.close_sessions()


@pytest.fixture
def start_server(backend, tmp_path):
    """start_server(config, backend=..., folder=..., prefix=..., env=...): a server that ends with
    the test."""
    servers = []

    def start(config=None, backend=backend, folder=None, wait=True, **how):
        folder = folder or tmp_path / f"server{len(servers)}"
        server = Server(backend, folder, config, **how)
        servers.append(server)
        return server.start(wait)

    yield start
    for server in servers:
        server.close_sessions()
        server.kill()


@pytest.fixture
def start_ensemble(tmp_path):
    """start_ensemble(kinds, leader=..., **as Ensemble): an ensemble that ends with the test."""
    ensembles = []

    def start(kinds, leader=None, **more):
        ensemble = Ensemble(tmp_path / f"ensemble{len(ensembles)}", kinds, **more)
        ensembles.append(ensemble)
        ensemble.start(leader)
        return ensemble

    yield start
    for ensemble in ensembles:
        ensemble.kill()


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


@pytest.fixture
def proxied():
    """proxied(server): a proxy in front of it that ends with the test."""
    proxies = []

    def start(server):
        proxies.append(Proxy(server.address))
        return proxies[-1]

    yield start
    for p in proxies:
        p.__exit__()


_serial = itertools.count(1)


@pytest.fixture
def s(server):
    """A raw session."""
    return server.session()


@pytest.fixture
def root(s):
    """A path of this test's own, already created."""
    return s.ok(rawzk.create(f"/t{next(_serial)}"))
