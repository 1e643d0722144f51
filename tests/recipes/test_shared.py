"""Shared values and counters against real servers: what is said of a change is so, whatever the connection does."""

import itertools

import pytest
import rawzk
from expire import end_session
from talk import Talk, everywhere, servers

LONG_TIMEOUT_MS = 30000
MULTI, EXISTS, CREATE2 = 14, 3, 15



class Shared(Talk):
    def __init__(self, hosts, path, kind, tries_max, timeout_ms):
        super().__init__("shared_talk", hosts, timeout_ms, path, kind, tries_max)

    def open(self):
        assert self.ask("open", "opened")[1] == "CAUCUS_OK"
        return self

    def change(self, line):
        """(error, version or number)"""
        _, rc, number = self.ask(line, "done")
        return rc, int(number)

    def done(self):
        _, rc, number = self.hear("done")
        return rc, int(number)


@pytest.fixture
def shared(proxied):
    started = []

    def start(server, path, kind, tries_max=0, timeout_ms=LONG_TIMEOUT_MS):
        proxy = proxied(server)
        started.append(Shared(proxy.hosts, path, kind, tries_max, timeout_ms))
        return started[-1].open(), proxy

    yield start
    for s in started:
        s.kill()


_numbers = itertools.count()


@pytest.fixture
def path():
    return f"/shared-{next(_numbers)}/above/value"


def raw(server):
    return server.session(timeout_s=60, timeout_ms=60000)


def seen(s, path):
    """(version, data)"""
    data, stat = s.ok(rawzk.get_data(path))
    return stat.version, data.decode()


@everywhere
def test_a_value_is_changed_on_condition_and_known_to_all(standing, shared, path, backend):
    server = standing(backend)
    a, _ = shared(server, path, "value")
    b, _ = shared(server, path, "value")
    assert a.ask("get", "got")[1] == "CAUCUS_NONODE"
    assert a.change("try 0 never") == ("CAUCUS_NONODE", 0)
    assert a.change("set one") == ("CAUCUS_OK", 1)
    for talk in (a, b):
        talk.hear("changed 1 one")
        assert talk.ask("get", "got") == ["got", "CAUCUS_OK", "1", "one"]
    assert b.change("try 1 two") == ("CAUCUS_OK", 2)
    assert a.change("try 1 never")[0] == "CAUCUS_BADVERSION"
    assert a.change("set three") == ("CAUCUS_OK", 3)
    assert b.ask("wait four", "waited") == ["waited", "CAUCUS_OK", "4"]
    a.hear("changed 4 four")
    a.quit()
    b.quit()
    s = raw(server)
    assert seen(s, path) == (4, "four") and s.ok(rawzk.get_children(path)) == []


@everywhere
def test_a_counter_counts(standing, shared, path, backend):
    server = standing(backend)
    k, _ = shared(server, path, "counter")
    assert k.change("add 5") == ("CAUCUS_OK", 5)
    assert k.change("add -7") == ("CAUCUS_OK", -2)
    assert k.change("set 9223372036854775806") == ("CAUCUS_OK", 9223372036854775806)
    assert k.change("add 2")[0] == "CAUCUS_BADARGUMENTS"
    assert k.change("add 1") == ("CAUCUS_OK", 9223372036854775807)
    k.hear("changed 9223372036854775807")
    assert k.ask("get", "got") == ["got", "CAUCUS_OK", "9223372036854775807"]
    s = raw(server)
    for bad in (b"", b"-", b"1x", b"9223372036854775808", b"1" * 30):
        s.ok(rawzk.set_data(path, bad))
        assert k.change("add 1")[0] == "CAUCUS_MARSHALLINGERROR"
        assert seen(s, path)[1] == bad.decode()
    assert k.change("set 1") == ("CAUCUS_OK", 1)
    s.ok(rawzk.delete(f"{path}/" + s.ok(rawzk.get_children(path))[0]))
    assert k.change("add 1") == ("CAUCUS_OK", 2)
    for name in s.ok(rawzk.get_children(path)):
        s.ok(rawzk.delete(f"{path}/{name}"))
    s.ok(rawzk.delete(path))
    assert k.change("add 1") == ("CAUCUS_OK", 1)
    k.quit()


@servers
def test_an_answer_that_was_lost_is_found(standing, shared, path, backend):
    server = standing(backend)
    k, proxy = shared(server, path, "counter")
    assert k.change("add 1") == ("CAUCUS_OK", 1)
    before = proxy.requests[MULTI]
    proxy.lose(MULTI)
    k.say("add 1")
    assert proxy.lost.wait(60)
    raw(server).ok(rawzk.set_data(path, b"100"))
    assert k.done() == ("CAUCUS_OK", 2) and proxy.requests[MULTI] == before + 1
    assert k.change("add 1") == ("CAUCUS_OK", 101)
    k.quit()


@servers
def test_a_request_that_was_lost_is_made_again(standing, shared, path, backend):
    server = standing(backend)
    k, proxy = shared(server, path, "counter")
    assert k.change("add 1") == ("CAUCUS_OK", 1)
    proxy.swallow(MULTI)
    k.say("add 1")
    assert proxy.lost.wait(60)
    assert k.done() == ("CAUCUS_OK", 2)
    proxy.swallow(MULTI)
    k.say("add 1")
    assert proxy.lost.wait(60)
    raw(server).ok(rawzk.set_data(path, b"100"))
    assert k.done()[0] == "CAUCUS_OK"
    assert seen(raw(server), path)[1] in ("101", "100")  # the set came after, or before
    k.quit()


@servers
def test_only_what_nobody_can_know_is_unknown(standing, shared, path, backend):
    server = standing(backend)
    k, proxy = shared(server, path, "counter")
    assert k.change("add 1") == ("CAUCUS_OK", 1)
    # Neither the answer nor the session is left, and the value has changed.
    proxy.hold(MULTI)
    k.say("add 1")
    assert proxy.held.wait(60)
    end_session(server, k)
    proxy.cut()
    proxy.release()
    assert k.done() == ("CAUCUS_CONNECTIONLOSS", 2)
    assert seen(raw(server), path)[1] == "2"
    # The same, but it was not done, and nobody else has changed it.
    proxy.swallow(MULTI)
    k.say("add 1")
    assert proxy.lost.wait(60)
    end_session(server, k)
    assert k.done() == ("CAUCUS_OK", 3)
    k.quit()


@servers
def test_each_addition_counts_once(standing, shared, path, backend):
    server = standing(backend)
    many = [shared(server, path, "counter", tries_max=1000) for _ in range(3)]
    for k, _ in many:
        k.say("burst 60")
    for _ in range(4):
        for _, proxy in many:
            proxy.lose(MULTI)
        for _, proxy in many:
            proxy.lost.wait(1)
        many[0][1].cut()
    total = 0
    for k, _ in many:
        _, done, unknown, not_done = k.hear("burst")
        assert (unknown, not_done) == ("0", "0")
        total += int(done)
    assert total == 180 and seen(raw(server), path) == (180, "180")
    for k, _ in many:
        k.quit()


def test_tries_are_bounded(standing, shared, path):
    server = standing("caucusd")
    s = raw(server)
    k, proxy = shared(server, path, "counter", tries_max=2)
    assert k.change("add 1") == ("CAUCUS_OK", 1)
    proxy.foil(MULTI, lambda: s.ok(rawzk.set_data(path, b"7")))
    before = proxy.requests[MULTI]
    assert k.change("add 1")[0] == "CAUCUS_BUSY"
    assert proxy.requests[MULTI] == before + 3
    proxy.foil(MULTI, None)
    assert k.change("add 1") == ("CAUCUS_OK", 8)
    k.quit()


@servers
def test_changes_that_wait_end_with_the_handle(standing, shared, path, backend):
    server = standing(backend)
    k, proxy = shared(server, path, "counter")
    assert k.change("add 1") == ("CAUCUS_OK", 1)
    proxy.hold(MULTI)
    k.say("burst 5")
    assert proxy.held.wait(60)
    k.say("close")
    assert k.hear("burst")[1:] == ["0", "0", "5"]
    k.hear("closed")
    proxy.release()
    k.open()
    assert k.change("add 1") == ("CAUCUS_OK", 3)
    k.say("burst 5")
    k.ask("leave", "left")
    last = [line for line in k.heard if line.startswith("0 burst")][-1]
    assert sum(map(int, last.split()[2:])) == 10  # of both bursts
    k.quit()


def test_without_a_server_nothing_happens_and_the_change_says_so(standing, shared, path):
    server = standing("caucusd")
    k, proxy = shared(server, path, "counter", timeout_ms=1000)
    assert k.change("add 1") == ("CAUCUS_OK", 1)
    proxy.silence()
    proxy.cut()
    k.hear("state SUSPENDED")
    assert k.change("add 1")[0] == "CAUCUS_OPERATIONTIMEOUT"
    proxy.speak()
    proxy.cut()
    while (told := k.change("add 1"))[0] == "CAUCUS_OPERATIONTIMEOUT":
        pass  # it looks for the server now and then
    assert told == ("CAUCUS_OK", 2)
    k.quit()
