"""Barriers, double barriers and queues of libcaucus against real servers, and with kazoo on the other side."""

import signal
import threading

import pytest
import rawzk
from expire import end_owner
from kazoo.client import KazooClient
from kazoo.recipe.barrier import DoubleBarrier
from talk import TIMEOUT_S, everywhere, servers

TIMEOUT_MS = 2000
DELETE, GET, GET_CHILDREN, CREATE2, MULTI = 2, 4, 8, 15, 14



@pytest.fixture
def talk(start_talk):
    def start(hosts, count=1, **how):
        return start_talk("barrier_talk", hosts, count, **how)

    return start


@pytest.fixture
def kazoo():
    started = []

    def start(server):
        client = KazooClient(hosts=server.hosts, timeout=30.0)
        started.append(client)
        client.start(timeout=TIMEOUT_S)
        return client

    yield start
    for client in started:
        client.stop()
        client.close()


class InThread:
    def __init__(self, fn, *args):
        self.result = None
        self.thread = threading.Thread(target=self._run, args=(fn, *args), daemon=True)
        self.thread.start()

    def _run(self, fn, *args):
        self.result = fn(*args)

    def join(self):
        self.thread.join(TIMEOUT_S)
        assert not self.thread.is_alive()
        return self.result


def members(s, path):
    return [name for name in s.ok(rawzk.get_children(path)) if name != "ready"]


def wait_for_members(s, path, count):
    while len([n for n in s.ok(rawzk.get_children(path, watch=True)) if n != "ready"]) != count:
        s.event()


# --- barriers ---


@everywhere
def test_who_passes_waits_until_the_barrier_is_lifted(standing, talk, kazoo, backend, path):
    server = standing(backend)
    t = talk(server.hosts, 3)
    assert t.ask("pass! 0 -1", "passed")[1] == "CAUCUS_OK"  # none was ever set
    assert t.ask("lift! 0", "lifted")[1] == "CAUCUS_OK"
    assert t.ask("set! 0", "set")[1] == "CAUCUS_OK"
    assert t.ask("set 0", "set")[1] == "CAUCUS_OK"
    assert t.ask("pass 1 50", "passed", 1)[1] == "CAUCUS_OPERATIONTIMEOUT"
    for number in (1, 2):
        t.say(f"pass {number} -1")
    other = kazoo(server)
    waits = InThread(other.Barrier(path).wait, TIMEOUT_S)
    assert other.Barrier(path).wait(0) is False
    assert not t.lines("passed", 2)
    t.say("lift 0")
    for number in (1, 2):
        assert t.hear("passed", number)[1] == "CAUCUS_OK"
    assert waits.join() is True

    other.Barrier(path).create()
    t.say("pass 1 -1")
    assert other.Barrier(path).remove() is True
    assert t.hear("passed", 1)[1] == "CAUCUS_OK"
    t.quit()


def test_who_passes_goes_on_waiting_over_lost_connections_and_sessions(standing, talk, proxied, path, raw):
    server = standing("caucusd")
    s = raw(server)
    s.ok(rawzk.create(path))
    proxy = proxied(server)
    t = talk(proxy.hosts, timeout_ms=TIMEOUT_MS)
    t.say("pass 0 -1")
    while not proxy.requests[GET]:
        t.ask("pass 0 1", "passed")
    proxy.cut()
    t.hear("state RECONNECTED")
    proxy.silence()
    t.hear("state LOST")
    s.ok(rawzk.set_data(path, b"news that does not lift it"))
    proxy.speak()
    proxy.cut()
    t.hear("state RECONNECTED")
    t.ask("set! 0", "set")
    assert not [words for words in t.lines("passed") if words[1] == "CAUCUS_OK"]
    s.ok(rawzk.delete(path))
    while t.hear("passed")[1] != "CAUCUS_OK":
        pass
    t.quit()


def test_whoever_waits_is_told_when_the_client_closes(standing, talk):
    server = standing("caucusd")
    t = talk(server.hosts)
    t.ask("set! 0", "set")
    t.say("pass 0 -1")
    t.say("gone 0")
    assert t.hear("passed")[1] == "CAUCUS_CLOSING"
    t.hear("gone")
    t.quit()


def test_a_barrier_that_may_not_be_set_or_seen_is_refused(standing, talk, path, raw):
    server = standing("caucusd")
    s = raw(server)
    s.ok(rawzk.create(path))
    s.ok(rawzk.set_acl(path, [rawzk.Acl(rawzk.ADMIN, "world", "anyone")]))
    s.ok(rawzk.set_acl(path.rpartition("/")[0], rawzk.READ_ONLY))
    t = talk(server.hosts)
    assert t.ask("lift! 0", "lifted")[1] == "CAUCUS_NOAUTH"
    assert t.ask("pass! 0 -1", "passed")[1] == "CAUCUS_NOAUTH"
    t.quit()


# --- double barriers ---


@everywhere
def test_members_enter_when_all_are_there_and_leave_when_all_have_left(standing, talk, backend, path, raw):
    server = standing(backend)
    s = raw(server)
    t = talk(server.hosts, 3)
    for number in range(3):
        assert t.ask(f"open {number} 3", "opened", number)[1] == "CAUCUS_OK"
    for _ in range(5):
        for number in range(3):
            t.say(f"enter {number} -1")
        for number in range(3):
            assert t.hear("entered", number)[1] == "CAUCUS_OK"
        for number in (2, 0, 1):
            t.say(f"leave {number} -1")
        for number in range(3):
            assert t.hear("left", number)[1] == "CAUCUS_OK"
        s.catch_up()
        assert s.ok(rawzk.get_children(path)) == []
    t.quit()


def test_nobody_enters_or_leaves_alone(standing, talk, path, raw):
    server = standing("caucusd")
    s = raw(server)
    s.ok(rawzk.create(path))
    t = talk(server.hosts, 2)
    for number in range(2):
        t.ask(f"open {number} 2", "opened", number)
    assert t.ask("enter! 0 100", "entered")[1] == "CAUCUS_OPERATIONTIMEOUT"
    wait_for_members(s, path, 0)
    assert t.ask("leave 0 100", "refused")[2] == "CAUCUS_BADARGUMENTS"
    for number in range(2):
        t.say(f"enter {number} -1")
    for number in range(2):
        assert t.hear("entered", number)[1] == "CAUCUS_OK"
    assert t.ask("enter 0 -1", "refused")[2] == "CAUCUS_BADARGUMENTS"
    assert t.ask("leave! 0 100", "left")[1] == "CAUCUS_OPERATIONTIMEOUT"
    wait_for_members(s, path, 1)
    assert t.ask("leave! 1 -1", "left", 1)[1] == "CAUCUS_OK"
    s.catch_up()
    assert s.ok(rawzk.get_children(path)) == []
    t.quit()


@everywhere
def test_double_barriers_are_shared_with_kazoo(standing, talk, kazoo, backend, path, raw):
    server = standing(backend)
    s = raw(server)
    t = talk(server.hosts)
    t.ask("open 0 2", "opened")
    client = kazoo(server)
    for kazoo_first in (True, False) * 3:
        theirs = DoubleBarrier(client, path, 2)
        if kazoo_first:
            s.call(rawzk.create(path))
            entering = InThread(theirs.enter)
            wait_for_members(s, path, 1)
            t.say("enter 0 -1")
        else:
            t.say("enter 0 -1")
            wait_for_members(s, path, 1)
            entering = InThread(theirs.enter)
        assert t.hear("entered")[1] == "CAUCUS_OK"
        entering.join()
        assert theirs.participating
        if kazoo_first:
            leaving = InThread(theirs.leave)
            t.say("leave 0 -1")
        else:
            t.say("leave 0 -1")
            leaving = InThread(theirs.leave)
        leaving.join()
        assert t.hear("left")[1] == "CAUCUS_OK"
        s.catch_up()
        assert s.ok(rawzk.get_children(path)) == []
    t.quit()


@servers
def test_a_member_that_dies_does_not_hold_up_those_who_leave(standing, talk, backend, path, raw):
    server = standing(backend)
    s = raw(server)
    s.ok(rawzk.create(path))
    t, dying = talk(server.hosts, 2), talk(server.hosts)
    for number in range(2):
        t.ask(f"open {number} 3", "opened", number)
    dying.ask("open 0 3", "opened")
    dying.say("enter 0 -1")
    wait_for_members(s, path, 1)
    node, = members(s, path)
    for number in range(2):
        t.say(f"enter {number} -1")
        if number == 0:
            t.ask("pass! 0 1", "passed")
    for number in range(2):
        assert t.hear("entered", number)[1] == "CAUCUS_OK"
    dying.hear("entered")
    for number in range(2):
        t.say(f"leave {number} -1")
    dying.kill()
    end_owner(server, f"{path}/{node}")
    for number in range(2):
        assert t.hear("left", number)[1] == "CAUCUS_OK"
    s.catch_up()
    assert s.ok(rawzk.get_children(path)) == []
    t.quit()


def test_a_door_that_only_the_dead_have_left_open_lets_nobody_in(standing, talk, proxied, path, raw):
    server = standing("caucusd")
    s = raw(server)
    s.ok(rawzk.create(path))
    s.ok(rawzk.create(f"{path}/ready"))
    proxy = proxied(server)
    proxy.lose(DELETE)
    t, other = talk(proxy.hosts), talk(server.hosts)
    for who in (t, other):
        who.ask("open 0 2", "opened")
    t.say("enter 0 -1")
    wait_for_members(s, path, 1)
    assert proxy.lost.is_set()
    t.ask("pass! 0 1", "passed")
    assert not t.lines("entered")
    other.say("enter 0 -1")
    for who in (t, other):
        assert who.hear("entered")[1] == "CAUCUS_OK"
        who.quit()


def test_a_member_whose_session_ends_is_out_and_may_enter_again(standing, talk, proxied, path, raw):
    server = standing("caucusd")
    s = raw(server)
    s.ok(rawzk.create(path))
    proxy = proxied(server)
    t = talk(proxy.hosts, timeout_ms=TIMEOUT_MS)
    t.ask("open 0 2", "opened")
    t.say("enter 0 -1")
    wait_for_members(s, path, 1)
    proxy.silence()
    assert t.hear("entered")[1] == "CAUCUS_SESSIONEXPIRED"
    wait_for_members(s, path, 0)
    proxy.speak()
    proxy.cut()
    t.say("enter 0 -1")
    wait_for_members(s, path, 1)
    s.ok(rawzk.create(f"{path}/ready"))
    assert t.hear("entered")[1] == "CAUCUS_OK"
    proxy.silence()
    t.hear("state LOST")
    wait_for_members(s, path, 0)
    assert t.ask("leave! 0 -1", "left")[1] == "CAUCUS_SESSIONEXPIRED"
    t.quit()


@servers
def test_lost_replies_and_connections_change_nothing_for_a_member(standing, talk, proxied, backend, path, raw):
    server = standing(backend)
    s = raw(server)
    s.ok(rawzk.create(path))
    proxy = proxied(server)
    t, other = talk(proxy.hosts), talk(server.hosts)
    t.ask("open 0 2", "opened")
    other.ask("open 0 2", "opened")
    proxy.lose(CREATE2)
    t.say("enter 0 -1")
    assert proxy.lost.wait(TIMEOUT_S)
    t.hear("state RECONNECTED")
    wait_for_members(s, path, 1)
    t.ask("pass! 0 1", "passed")
    assert len(members(s, path)) == 1
    other.say("enter 0 -1")
    assert t.hear("entered")[1] == "CAUCUS_OK"
    other.hear("entered")
    proxy.lose(DELETE)
    other.say("leave 0 -1")
    t.say("leave 0 -1")
    # Whichever is the last: the one closes the door with a multi, the other deletes its node.
    assert t.hear("left")[1] == "CAUCUS_OK"
    assert other.hear("left")[1] == "CAUCUS_OK"
    s.catch_up()
    assert s.ok(rawzk.get_children(path)) == []
    t.quit()
    other.quit()


def test_a_double_barrier_is_closed_at_any_moment(standing, talk, path, raw):
    server = standing("caucusd")
    s = raw(server)
    s.ok(rawzk.create(path))
    t = talk(server.hosts, 2)
    for _ in range(20):
        t.ask("open 0 2", "opened")
        t.say("enter 0 -1")
        t.say("close 0")
        assert t.hear("entered")[1] == "CAUCUS_CLOSING"
        t.hear("closed")
    t.ask("open 0 2", "opened")
    t.say("enter 0 -1")
    wait_for_members(s, path, 1)
    t.ask("close 0", "closed")
    wait_for_members(s, path, 0)
    t.ask("open 1 1", "opened", 1)
    assert t.ask("enter! 1 -1", "entered", 1)[1] == "CAUCUS_OK"
    t.say("gone 1")
    t.hear("gone", 1)
    t.quit()


def test_a_member_that_is_paused_learns_that_it_is_out(standing, talk, path, raw):
    server = standing("caucusd")
    s = raw(server)
    s.ok(rawzk.create(path))
    t = talk(server.hosts, timeout_ms=TIMEOUT_MS)
    t.ask("open 0 1", "opened")
    assert t.ask("enter! 0 -1", "entered")[1] == "CAUCUS_OK"
    wait_for_members(s, path, 1)
    t.signal(signal.SIGSTOP)
    wait_for_members(s, path, 0)
    t.signal(signal.SIGCONT)
    t.hear("state LOST")
    assert t.ask("leave! 0 -1", "left")[1] == "CAUCUS_SESSIONEXPIRED"
    t.quit()


# --- queues ---


@everywhere
def test_items_are_taken_in_order_with_kazoo_at_either_end(standing, talk, kazoo, backend, path):
    server = standing(backend)
    t = talk(server.hosts)
    queue = kazoo(server).Queue(path)
    assert t.ask("put! 0 200 low", "put")[1] == "CAUCUS_OK"
    queue.put(b"one")
    words = t.ask("put 0 100 two", "put")
    assert words[1] == "CAUCUS_OK" and words[2].startswith(f"{path}/entry-100-")
    queue.put(b"three", priority=100)
    assert t.ask("put! 0 1 high", "put")[1] == "CAUCUS_OK"
    assert t.ask("put 0 1000 no", "refused")[2] == "CAUCUS_BADARGUMENTS"
    assert queue.get() == b"high"
    assert t.ask("take! 0 -1", "took")[1:] == ["CAUCUS_OK", "100", "one"]
    assert queue.get() == b"two"
    assert t.ask("take 0 -1", "took")[1:] == ["CAUCUS_OK", "100", "three"]
    assert t.ask("take 0 -1", "took")[1:] == ["CAUCUS_OK", "200", "low"]
    assert queue.get() is None
    t.quit()


@servers
def test_each_item_is_taken_once_by_those_who_wait(standing, talk, backend):
    server = standing(backend)
    t = talk(server.hosts, 4)
    assert t.ask("take 0 50", "took")[1] == "CAUCUS_OPERATIONTIMEOUT"
    for number in range(3):
        for _ in range(10):
            t.say(f"take {number} -1")
    for i in range(30):
        t.say(f"put 3 100 item{i}")
    while len([line for line in t.heard if " took CAUCUS_OK" in line]) < 30:
        t.hear("", None)
    taken = sorted(line.split()[4] for line in t.heard if " took CAUCUS_OK" in line)
    assert taken == sorted(f"item{i}" for i in range(30))
    t.quit()


def test_an_item_whose_deletion_nobody_answered_is_given_to_nobody(standing, talk, proxied):
    server = standing("caucusd")
    proxy = proxied(server)
    t, other = talk(proxy.hosts), talk(server.hosts)
    other.ask("put! 0 100 first", "put")
    other.ask("put! 0 100 second", "put")
    proxy.lose(DELETE)
    t.say("take 0 -1")
    assert t.hear("took")[1:] == ["CAUCUS_OK", "100", "second"]
    assert other.ask("take 0 100", "took")[1] == "CAUCUS_OPERATIONTIMEOUT"
    t.quit()
    other.quit()


def test_an_item_that_is_being_taken_when_the_time_is_over_is_given(standing, talk, proxied):
    server = standing("caucusd")
    proxy = proxied(server)
    t = talk(proxy.hosts)
    t.ask("put! 0 100 first", "put")
    proxy.hold(DELETE)
    t.say("take 0 1000")
    assert proxy.held.wait(TIMEOUT_S)
    assert talk(server.hosts).ask("take! 0 1500", "took")[1] == "CAUCUS_OPERATIONTIMEOUT"
    proxy.release()
    assert t.hear("took")[1:] == ["CAUCUS_OK", "100", "first"]
    t.quit()


def test_names_that_are_no_items_are_left_alone(standing, talk, path, raw):
    server = standing("caucusd")
    s = raw(server)
    s.ok(rawzk.create(path))
    for name in ("entry", "entry-", "entry-1-0000000001", "entry-abc-0000000001", "entry-100-x", "other-100-0000000009"):
        s.ok(rawzk.create(f"{path}/{name}"))
    t = talk(server.hosts)
    assert t.ask("take 0 100", "took")[1] == "CAUCUS_OPERATIONTIMEOUT"
    assert len(s.ok(rawzk.get_children(path))) == 6
    t.quit()
