"""Service registry and discovery of libcaucus against real servers, and against the JSON of Curator's x-discovery."""

import json

import pytest
import rawzk
from talk import Talk, everywhere, servers

LONG_TIMEOUT_MS = 30000
TIMEOUT_MS = 2000



class Registry(Talk):
    def __init__(self, hosts, base, strategy="round-robin", timeout_ms=LONG_TIMEOUT_MS, down_ms=60000):
        super().__init__("registry_talk", hosts, timeout_ms, base, strategy, down_ms)
        self.base = base

    def register(self, id, address="10.0.0.1", port=80, payload="x", name="web", how=""):
        assert self.ask(f"register {name} {id} {address} {port} {payload} {how}", "registers")[1] == "CAUCUS_OK"
        return self

    def registered(self):
        return self.hear("registered")[1]

    def discover(self, name="web"):
        assert self.ask(f"discover {name}", "discovers")[1] == "CAUCUS_OK"
        return self

    def list(self):
        return self.ask("list", "list")[1:]

    def pick(self, ms=0):
        return self.ask(f"pick {ms}", "picked")[1:]

    def fail(self, id, times=2):
        for _ in range(times):
            self.ask(f"fail {id}", "noted")


@pytest.fixture
def registry():
    started = []

    def start(*args, **kwargs):
        started.append(Registry(*args, **kwargs))
        return started[-1]

    yield start
    for r in started:
        r.kill()


@pytest.fixture
def base(request):
    return f"/services/{''.join(c if c.isalnum() else '-' for c in request.node.name)}"


def raw(server):
    return server.session(timeout_s=60, timeout_ms=60000)


def make(s, path, data=b""):
    for end in [i for i, c in enumerate(path) if c == "/" and i > 0]:
        s.call(rawzk.create(path[:end]))
    s.ok(rawzk.create(path, data))


@everywhere
def test_who_registers_is_discovered_until_it_ends(standing, registry, base, backend):
    server = standing(backend)
    d = registry(server.hosts, base).discover()
    assert d.list() == []
    a = registry(server.hosts, base).register("a", "10.0.0.1", 8080, "one")
    assert a.registered() == f"{base}/web/a"
    assert d.hear("added")[1:] == ["a", "10.0.0.1", "8080", "0", "one"]
    b = registry(server.hosts, base).register("b", "::1", 0, 'json:{"@class":"p","v":[1]}')
    b.registered()
    assert d.hear("added")[1:] == ["b", "::1", "0", "0", 'json:{"@class":"p","v":[1]}']
    assert a.ask("update 10.0.0.2 81 two", "updates")[1] == "CAUCUS_OK"
    assert d.hear("changed")[1:] == ["a", "10.0.0.2", "81", "0", "two"]
    assert d.list() == ["a", "b"] and a.ask("there", "there")[1] == "1"
    a.say("unregister")
    assert a.hear("unregistered")[1] == "CAUCUS_CLOSING"
    assert d.hear("removed")[1] == "a"
    b.quit()
    assert d.hear("removed")[1] == "b"
    assert d.list() == []
    d.quit()


@servers
def test_the_json_is_what_curator_has(standing, registry, base, backend):
    server = standing(backend)
    s = raw(server)
    r = registry(server.hosts, base).register("?", "10.0.0.1", 8080, "x")
    path = r.registered()
    data, stat = s.ok(rawzk.get_data(path))
    instance = json.loads(data)
    assert list(instance) == ["name", "id", "address", "port", "sslPort", "payload", "registrationTimeUTC",
                              "serviceType", "uriSpec"]
    assert instance.pop("registrationTimeUTC") > 1.7e12
    assert instance == {"name": "web", "id": path.rpartition("/")[2], "address": "10.0.0.1", "port": 8080,
                        "sslPort": None, "payload": "x", "serviceType": "DYNAMIC", "uriSpec": None}
    assert stat.ephemeral_owner != 0

    d = registry(server.hosts, base).discover("old")
    theirs = {"name": "old", "id": "c1", "address": "h\u00f6st", "port": None, "sslPort": 8443, "payload": None,
              "registrationTimeUTC": 1325129459728, "serviceType": "PERMANENT",
              "uriSpec": {"parts": [{"value": "scheme", "variable": True}]}, "enabled": False}
    make(s, f"{base}/old/c1", json.dumps(theirs).encode())
    assert d.hear("added")[1:] == ["c1", "h\u00f6st", "0", "8443", "null", "disabled"]
    assert d.pick() == ["CAUCUS_OPERATIONTIMEOUT", "none"]
    make(s, f"{base}/old/c2", b"{not json")
    assert d.hear("unreadable")[1:] == [f"{base}/old/c2", "CAUCUS_MARSHALLINGERROR"]
    assert d.list() == ["c1"]
    s.ok(rawzk.set_data(f"{base}/old/c2", json.dumps({**theirs, "id": "c2", "enabled": True}).encode()))
    assert d.hear("added")[1] == "c2" and d.pick() == ["CAUCUS_OK", "c2"]
    s.ok(rawzk.set_data(f"{base}/old/c2", b""))
    assert d.hear("removed")[1] == "c2"
    d.quit()
    r.quit()


def test_instances_are_picked_by_the_strategy_and_those_that_fail_are_not(standing, registry, base):
    server = standing("caucusd")
    owners = [registry(server.hosts, base).register(id) for id in "abc"]
    for owner in owners:
        owner.registered()
    d = registry(server.hosts, base).discover()
    assert d.list() == ["a", "b", "c"]
    assert [d.pick()[1] for _ in range(4)] == ["a", "b", "c", "a"]
    d.fail("b")
    assert [d.pick()[1] for _ in range(4)] == ["c", "a", "c", "a"]
    d.fail("a", 1)  # one failure is none
    d.fail("nobody")
    assert [d.pick()[1] for _ in range(2)] == ["c", "a"]

    sticky = registry(server.hosts, base, "sticky").discover()
    sticky.list()
    favourite = sticky.pick()[1]
    assert [sticky.pick()[1] for _ in range(5)] == [favourite] * 5
    owners["abc".index(favourite)].quit()
    sticky.hear("removed")
    assert sticky.pick()[1] not in (favourite, "none")
    d.quit()
    sticky.quit()


def test_who_waits_for_an_instance_gets_the_first(standing, registry, base):
    server = standing("caucusd")
    d = registry(server.hosts, base, down_ms=300).discover()
    assert d.pick(0) == ["CAUCUS_OPERATIONTIMEOUT", "none"] == d.pick(20)
    d.say("pick -1")
    a = registry(server.hosts, base).register("a")
    assert d.hear("picked")[1:] == ["CAUCUS_OK", "a"]
    # Or one that was down and may be tried again.
    d.fail("a")
    while d.pick(0) != ["CAUCUS_OPERATIONTIMEOUT", "none"]:
        d.fail("a")  # its time was over already
    assert d.pick(-1) == ["CAUCUS_OK", "a"]
    a.quit()
    d.quit()


def test_what_is_known_is_used_while_there_is_no_server(standing, registry, proxied, base):
    server = standing("caucusd")
    proxy = proxied(server)
    a = registry(server.hosts, base).register("a")
    a.registered()
    d = registry(proxy.hosts, base, timeout_ms=TIMEOUT_MS).discover()
    assert d.list() == ["a"]
    proxy.silence()
    d.hear("state LOST")
    a.ask("update 10.0.0.9 9 new", "updates")
    assert d.pick() == ["CAUCUS_OK", "a"]
    proxy.speak()
    assert d.hear("changed")[1:4] == ["a", "10.0.0.9", "9"]
    d.hear("current")
    a.quit()
    d.quit()


def test_what_cannot_be_registered_is_refused(standing, registry, base):
    server = standing("caucusd")
    r = registry(server.hosts, base)
    for line in ("a/b c x 1 x", "a b/c x 1 x", "a .. x 1 x", "a b x 65536 x", "a b x -1 x", "a b x 1 json:{"):
        assert r.ask(f"register {line}", "registers")[1] == "CAUCUS_BADARGUMENTS", line
    for name in ("a/b", ".."):
        assert r.ask(f"discover {name}", "discovers")[1] == "CAUCUS_BADARGUMENTS"
    r.register("a")
    r.registered()
    assert r.ask("update x 65536 x", "updates")[1] == "CAUCUS_BADARGUMENTS"
    r.quit()
