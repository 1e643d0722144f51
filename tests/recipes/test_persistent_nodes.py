"""Nodes that are kept in being, against real servers."""

import itertools

import pytest
import rawzk
from expire import end_session
from talk import Talk, everywhere, servers

LONG_TIMEOUT_MS = 30000
CREATE, DELETE, SET = 1, 2, 5
CREATE2, CREATE_CONTAINER = 15, 19

modes = pytest.mark.parametrize("mode", ["ephemeral", "persistent", "container"])


class Keeper(Talk):
    def __init__(self, hosts, path, mode, timeout_ms=LONG_TIMEOUT_MS):
        super().__init__("persistent_node_talk", hosts, timeout_ms, path, mode)

    def open(self, data="data"):
        assert self.ask(f"open {data}", "opened")[1] == "CAUCUS_OK"
        return self

    def kept(self):
        """(czxid, version) as told next."""
        _, czxid, version = self.hear("kept")
        return int(czxid), int(version)

    def gone(self):
        _, czxid, why = self.hear("gone")
        return int(czxid), why


@pytest.fixture
def keeper(proxied):
    started = []

    def start(server, path, mode="ephemeral"):
        proxy = proxied(server)
        started.append(Keeper(proxy.hosts, path, mode))
        return started[-1], proxy

    yield start
    for k in started:
        k.kill()


_numbers = itertools.count()


@pytest.fixture
def path():
    return f"/kept-{next(_numbers)}/above/node"


def raw(server):
    return server.session(timeout_s=60, timeout_ms=60000)


def data_of(s, path):
    return s.ok(rawzk.get_data(path))[0].decode()


def wait_until_gone(s, path):
    while s.call(rawzk.exists(path, watch=True)).err == 0:
        s.event()


@modes
@everywhere
def test_it_is_made_with_its_parents_and_again_when_it_was_deleted(standing, keeper, path, backend, mode):
    server = standing(backend)
    s = raw(server)
    k, proxy = keeper(server, path, mode)
    first, version = k.open().kept()
    stat = s.ok(rawzk.exists(path))
    assert (stat.czxid, stat.version, data_of(s, path)) == (first, version, "data") and version == 0
    assert (stat.ephemeral_owner != 0) == (mode == "ephemeral")
    s.ok(rawzk.delete(path))
    assert k.gone() == (first, "CAUCUS_NONODE")
    second, _ = k.kept()
    assert second > first and s.ok(rawzk.exists(path)).czxid == second
    k.ask("close", "closed")
    wait_until_gone(s, path)
    assert proxy.requests[DELETE] == 1
    k.quit()


@servers
def test_its_data_is_what_was_asked_for_last(standing, keeper, path, backend):
    server = standing(backend)
    s = raw(server)
    k, proxy = keeper(server, path)
    k.open("one").kept()
    k.say("set two")
    czxid, version = k.kept()
    assert version == 1 and data_of(s, path) == "two"
    s.ok(rawzk.set_data(path, b"foreign"))
    k.ask("sync", "synced")
    k.say("set three")
    assert k.ask("await -1", "await")[1] == "CAUCUS_OK"
    assert data_of(s, path) == "three" and s.ok(rawzk.exists(path)).czxid == czxid
    s.ok(rawzk.delete(path))
    k.gone()
    k.kept()
    assert data_of(s, path) == "three"
    proxy.lose(SET)
    k.say("set four")
    assert proxy.lost.wait(60)
    assert k.ask("await -1", "await")[1] == "CAUCUS_OK"
    assert (data_of(s, path), s.ok(rawzk.exists(path)).version) == ("four", 1)
    k.quit()


@modes
@servers
def test_it_outlives_connections_and_sessions(standing, keeper, path, backend, mode):
    server = standing(backend)
    s = raw(server)
    k, proxy = keeper(server, path, mode)
    first, _ = k.open().kept()
    proxy.cut()
    k.hear("state RECONNECTED")
    k.ask("sync", "synced")
    assert s.ok(rawzk.exists(path)).czxid == first
    end_session(server, k)
    k.hear("state LOST")
    k.hear("state RECONNECTED")
    if mode == "ephemeral":
        second, _ = k.kept()
        assert f"0 gone {first} CAUCUS_SESSIONEXPIRED" in k.heard
        stat = s.ok(rawzk.exists(path))
        assert stat.czxid == second > first and stat.ephemeral_owner == int(k.ask("session", "session")[1])
    else:
        k.ask("sync", "synced")
        assert s.ok(rawzk.exists(path)).czxid == first
    s.ok(rawzk.delete(path))
    k.gone()
    assert k.kept()[0] > first
    k.quit()


@modes
@servers
def test_a_creation_whose_reply_was_lost_is_found(standing, keeper, path, backend, mode):
    server = standing(backend)
    s = raw(server)
    for p in (path.rpartition("/above")[0], path.rpartition("/")[0]):
        s.ok(rawzk.create(p))
    k, proxy = keeper(server, path, mode)
    op = CREATE_CONTAINER if mode == "container" else CREATE2
    proxy.lose(op)
    k.open()
    assert proxy.lost.wait(60)
    czxid, version = k.kept()
    assert proxy.requests[op] == 1 and s.ok(rawzk.exists(path)).czxid == czxid and version == 0
    k.quit()


@servers
def test_what_is_anothers_is_waited_for_and_never_deleted(standing, keeper, path, backend):
    server = standing(backend)
    first, _ = keeper(server, path)
    second, proxy = keeper(server, path)
    czxid, _ = first.open("first").kept()
    second.open("second")
    assert second.once("trouble")[1] == "CAUCUS_NODEEXISTS"  # told before "opened", perhaps
    second.say("set other")
    second.ask("sync", "synced")
    assert data_of(raw(server), path) == "first" and proxy.requests[SET] == 0
    first.ask("close", "closed")
    assert second.kept()[0] > czxid
    assert data_of(raw(server), path) == "other"
    first.open("first").once("trouble")
    first.ask("close", "closed")
    first.quit()
    assert data_of(raw(server), path) == "other"
    second.quit()


def test_a_standing_node_is_taken_and_its_data_set_once(standing, keeper, path):
    server = standing("caucusd")
    s = raw(server)
    for p in (path.rpartition("/above")[0], path.rpartition("/")[0], path):
        s.ok(rawzk.create(p, b"old"))
    k, _ = keeper(server, path, "persistent")
    assert k.open("new").kept() == (s.ok(rawzk.exists(path)).czxid, 1)
    assert data_of(s, path) == "new"
    s.ok(rawzk.set_data(path, b"foreign"))
    k.ask("sync", "synced")
    k.ask("sync", "synced")
    assert data_of(s, path) == "foreign"
    k.quit()


@servers
def test_a_node_that_is_made_while_closing_is_deleted(standing, keeper, path, backend):
    server = standing(backend)
    s = raw(server)
    k, proxy = keeper(server, path)
    for _ in range(10):
        k.open().ask("close", "closed")
    for p in (path.rpartition("/above")[0], path.rpartition("/")[0]):
        s.call(rawzk.create(p))
    wait_until_gone(s, path)
    proxy.hold(CREATE2)
    k.open()
    assert proxy.held.wait(60)
    k.ask("close", "closed")
    assert s.call(rawzk.exists(path)).err == 0
    proxy.cut()
    proxy.release()
    wait_until_gone(s, path)
    k.quit()


def test_trouble_is_told_and_ends_and_a_keeper_outlives_its_client(standing, keeper):
    server = standing("caucusd")
    s = raw(server)
    s.ok(rawzk.create("/kept-shut", b"", acl=[rawzk.Acl(rawzk.READ | rawzk.ADMIN, "world", "anyone")]))
    k, _ = keeper(server, "/kept-shut/node")
    k.open()
    assert k.hear("trouble")[1] == "CAUCUS_NOAUTH"
    assert k.ask("await 20", "await")[1] == "CAUCUS_OPERATIONTIMEOUT"
    s.ok(rawzk.set_acl("/kept-shut", rawzk.OPEN))
    k.kept()
    k.ask("leave", "left")
    k.quit()
    wait_until_gone(s, "/kept-shut/node")
