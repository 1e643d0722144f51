"""The work partitioner of libcaucus against real servers: everything is divided, and nothing is held by two."""

import signal

import pytest
import rawzk
from talk import everywhere, servers

TIMEOUT_MS = 2000
NAMES = [f"p{i}" for i in range(7)]

policies = pytest.mark.parametrize("policy", ["strict", "lost"])


@pytest.fixture
def member(start_talk):
    """member(hosts, policy="strict", releases=True): a program with one member that releases when it is asked to."""

    def start(hosts, policy="strict", releases=True, names=NAMES, **how):
        t = start_talk("partitioner_talk", hosts, **how)
        if releases:
            t.say("auto 0")
        assert t.ask(f"open 0 {policy} 50 {','.join(names)}", "opened")[1] == "CAUCUS_OK"
        return t

    return start


def held(words):
    return {name: int(token) for name, token in (word.split("=") for word in words[2:])}


def settle(members, names=NAMES):
    """Until each has acquired a part, and all parts are everything; the parts."""
    parts = [None] * len(members)
    while any(p is None for p in parts) or sorted(n for p in parts for n in p) != sorted(names):
        for i, m in enumerate(members):
            if parts[i] is None or sorted(n for p in parts if p is not None for n in p) != sorted(names):
                parts[i] = held(m.hear("acquired"))
    return parts


def spans(talk):
    """(name, token, from, to) of what a member has held, to the moment it was told of its end."""
    found, current = [], {}
    for line in talk.heard:
        words = line.split()[1:]
        if words[0] == "acquired":
            current = {name: (token, int(words[1])) for name, token in held(words).items()}
        elif words[0] == "failure" or words[0] == "release":
            # What is released in the callback is held until then.
            found += [(name, token, start, int(words[1])) for name, (token, start) in current.items()]
            current = {}
    return found + [(name, token, start, None) for name, (token, start) in current.items()]


def assert_held_by_one(*talks):
    """No partition was held by two at one time, and tokens rise."""
    by_name = {}
    for talk in talks:
        for name, token, start, end in spans(talk):
            by_name.setdefault(name, []).append((token, start, end))
    for name, held_by in by_name.items():
        held_by.sort()
        for (token, _, end), (next_token, start, _) in zip(held_by, held_by[1:]):
            assert token < next_token and end is not None and end <= start, (name, held_by)


@everywhere
def test_everything_is_divided_anew_when_members_come_and_go(standing, member, backend, path, raw):
    server = standing(backend)
    first = member(server.hosts)
    assert first.hear("allocating")
    assert sorted(held(first.hear("acquired"))) == NAMES
    second = member(server.hosts)
    parts = settle([first, second])
    assert sorted(len(p) for p in parts) == [3, 4]
    third = member(server.hosts)
    parts = settle([first, second, third])
    assert sorted(len(p) for p in parts) == [2, 2, 3]
    for m, part in zip((first, second, third), parts):
        for name in NAMES:
            token = int(m.ask(f"token 0 {name}", "token")[1])
            assert token == part.get(name, 0)
    second.say("close 0")
    assert second.hear("failure")[2] == "CAUCUS_CLOSING"
    second.hear("closed")
    parts = settle([first, third])
    assert_held_by_one(first, second, third)
    for m in (first, second, third):
        m.quit()
    s = raw(server)
    s.catch_up()
    assert s.ok(rawzk.get_children(f"{path}/members")) == []
    for name in s.ok(rawzk.get_children(f"{path}/locks")):
        assert s.ok(rawzk.get_children(f"{path}/locks/{name}")) == []


def test_what_is_not_released_is_not_given_to_another(standing, member, path, raw):
    server = standing("caucusd")
    first = member(server.hosts, releases=False)
    everything = held(first.hear("acquired"))
    second = member(server.hosts)
    assert held(first.hear("release")) == everything
    s = raw(server)
    while len(s.ok(rawzk.get_children(f"{path}/members", watch=True))) != 2:
        s.event()
    assert second.ask("await 0 300", "await")[1] == "CAUCUS_OPERATIONTIMEOUT"
    assert int(first.ask("token 0 p0", "token")[1]) == everything["p0"]
    first.say("release 0")
    parts = settle([first, second])
    assert not set(parts[0]) & set(parts[1])
    assert all(token > everything[name] for part in parts for name, token in part.items())
    for m in (first, second):
        m.quit()


@policies
@servers
def test_a_member_that_hears_nothing_fails_before_another_has_its_part(standing, member, proxied, backend, policy):
    server = standing(backend)
    proxy = proxied(server)
    old = member(proxy.hosts, policy=policy, timeout_ms=TIMEOUT_MS)
    new = member(server.hosts, policy=policy)
    settle([old, new])
    proxy.silence()
    assert old.hear("failure")[2] == "CAUCUS_CONNECTIONLOSS"
    assert int(old.ask("token 0 p0", "token")[1]) == 0
    while sorted(held(new.hear("acquired"))) != NAMES:
        pass
    old.hear("state LOST")
    proxy.speak()
    proxy.cut()
    settle([old, new])
    assert_held_by_one(old, new)
    for m in (old, new):
        m.quit()


@policies
def test_a_member_that_was_stopped_knows_it_first_of_all(standing, member, policy):
    server = standing("caucusd")
    old = member(server.hosts, policy=policy, timeout_ms=TIMEOUT_MS)
    new = member(server.hosts, policy=policy)
    part, _ = settle([old, new])
    old.signal(signal.SIGSTOP)
    while sorted(held(new.hear("acquired"))) != NAMES:
        pass
    old.say(f"token 0 {next(iter(part))}")
    old.signal(signal.SIGCONT)
    assert old.hear("token")[1] == "0"
    old.once("failure")
    settle([old, new])
    for m in (old, new):
        m.quit()


@servers
def test_a_blip_does_harm_only_to_the_strict(standing, member, proxied, backend):
    server = standing(backend)
    proxy = proxied(server)
    strict = member(proxy.hosts, policy="strict", names=["a"])
    first = held(strict.hear("acquired"))
    proxy.cut()
    assert strict.hear("failure")[2] == "CAUCUS_CONNECTIONLOSS"
    assert held(strict.hear("acquired"))["a"] > first["a"]
    strict.quit()
    patient = member(proxy.hosts, policy="lost", names=["a"])
    first = held(patient.hear("acquired"))
    proxy.cut()
    patient.hear("state RECONNECTED")
    assert int(patient.ask("token 0 a", "token")[1]) == first["a"]
    assert not patient.lines("failure")
    patient.quit()


def test_nodes_that_are_deleted_by_hand_are_made_again(standing, member, path, raw):
    server = standing("caucusd")
    s = raw(server)
    m = member(server.hosts, names=["a", "b"])
    first = held(m.hear("acquired"))
    place, = s.ok(rawzk.get_children(f"{path}/locks/a"))
    s.ok(rawzk.delete(f"{path}/locks/a/{place}"))
    assert m.hear("failure")[2] == "CAUCUS_NONODE"
    second = held(m.hear("acquired"))
    assert all(second[name] > first[name] for name in ("a", "b"))
    place, = s.ok(rawzk.get_children(f"{path}/members"))
    s.ok(rawzk.delete(f"{path}/members/{place}"))
    m.hear("release")
    assert sorted(held(m.hear("acquired"))) == ["a", "b"]
    m.quit()


def test_more_members_than_partitions(standing, member):
    server = standing("caucusd")
    members = [member(server.hosts, names=["only"]) for _ in range(3)]
    parts = settle(members, ["only"])
    assert sorted(len(p) for p in parts) == [0, 0, 1]
    for m in members:
        m.quit()


@servers
def test_a_partitioner_is_closed_at_any_moment(standing, start_talk, backend, path, raw):
    server = standing(backend)
    s = raw(server)
    t = start_talk("partitioner_talk", server.hosts, 2)
    for _ in range(10):
        t.ask("open 0 strict -1 a,b,c", "opened")
        t.ask("close 0", "closed")
    t.say("closing 0")
    t.ask("open 0 strict -1 a,b,c", "opened")
    t.hear("closed itself")
    t.ask("open 1 strict -1 a,b,c", "opened", 1)
    assert sorted(held(t.hear("acquired", 1)))
    while len(s.ok(rawzk.get_children(f"{path}/members", watch=True))) != 1:
        s.event()
    t.say("gone 1")
    assert t.hear("failure", 1)[2] == "CAUCUS_CLOSING"
    t.hear("gone", 1)
    assert t.ask("open 0 strict 50 a,a", "opened")[1] == "CAUCUS_BADARGUMENTS"
    assert t.ask("open 0 strict 50 a/b", "opened")[1] == "CAUCUS_BADARGUMENTS"
    t.quit()
