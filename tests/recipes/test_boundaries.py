"""Recipes whose connection is cut at every boundary: before each request that they make, before each answer and before
each event that they hear, one after the other. Whatever is lost, nobody holds what another holds, nothing is done
twice, and nothing is left behind.

The longest stories are told with a sample of their cuts, another one each time: EVERY_BOUNDARY=1 tells all of them.
"""

import itertools
import os
import random

import pytest
import rawzk
from talk import Talk, wait_for_children

LONG_TIMEOUT_MS = 30000
WAYS = ("request", "answer", "event")
SAMPLE = 1 if os.environ.get("EVERY_BOUNDARY") else 4


@pytest.fixture
def talk():
    started = []

    def start(program, *arguments):
        started.append(Talk(program, *arguments))
        return started[-1]

    yield start
    for t in started:
        t.kill()


def at_every_boundary(proxy, story, step=1):
    """Tells the story until none of its boundaries is left; returns how often the connection was cut."""
    cuts = 0
    for way in WAYS:
        for number in itertools.count(random.randint(1, step), step):
            proxy.break_at(way, number)
            story()
            if not proxy.has_broken:
                break
            cuts += 1
        proxy.break_at(None, 0)
    print(f"{cuts} cuts")
    return cuts


def often(proxy):
    """A client that finds its only server gone again and again waits longer each time; of many it tries the next."""
    return ",".join([proxy.hosts] * 100)


def lockers(talk, hosts, policy):
    return talk("lock_talk", hosts, LONG_TIMEOUT_MS, policy, 1)


def acquire(t, kind, paths):
    assert t.ask(f"acquire 0 {kind} {paths}", "acquires")[1] == "CAUCUS_OK"


@pytest.mark.parametrize("backend, kind, policy", [
    ("caucusd", "mutex", "lost"), ("apache39", "mutex", "strict"), ("caucusd", "write", "strict"),
    ("caucusd", "several", "strict"), ("caucusd", "several", "lost"),
    ("caucusd", "leases:1", "strict"), ("caucusd", "leases:1", "lost")])
def test_a_lock_has_one_holder_after_the_other(standing, talk, proxied, path, raw, backend, kind, policy):
    server = standing(backend)
    s = raw(server)
    proxy = proxied(server)
    ours, others = lockers(talk, often(proxy), policy), lockers(talk, server.hosts, policy)
    paths = ",".join(f"{path}/{x}" for x in "bac") if kind == "several" else path
    line = {"several": f"{path}/a", "leases:1": f"{path}/leases"}.get(kind, path)
    word = "mutex" if kind == "several" else kind
    accepted = []  # what a resource has seen: (token, from, until)

    def story():
        acquire(ours, word, paths)
        token, began_ns = map(int, ours.hear("held")[1:3])
        acquire(others, word, paths)
        if kind != "leases:1":  # where the strict may lose what they hold while they leave the gate
            wait_for_children(s, 2, line)
        ours.say("release 0")
        lost = ours.hear("lost")
        accepted.append((token, began_ns, int(lost[3])))
        ours.hear("released")
        token, began_ns = map(int, others.hear("held")[1:3])
        others.say("release 0")
        accepted.append((token, began_ns, int(others.hear("lost")[3])))
        others.hear("released")
        wait_for_children(s, 0, line)

    assert at_every_boundary(proxy, story) >= 8
    for before, after in itertools.pairwise(accepted):
        assert before[0] < after[0] and before[2] <= after[1]
    ours.quit()
    others.quit()


def test_an_election_has_one_leader_after_the_other(standing, talk, proxied, path, raw):
    server = standing("caucusd")
    s = raw(server)
    proxy = proxied(server)
    ours, others = (talk("election_talk", hosts, LONG_TIMEOUT_MS, path, "strict", 1)
                    for hosts in (often(proxy), server.hosts))
    terms = []

    def story():
        for count, t in ((1, ours), (2, others)):
            assert t.ask("stand 0", "stands")[1] == "CAUCUS_OK"
            wait_for_children(s, count, path)
        for t in (ours, others):
            token, began_ns = map(int, t.hear("elected")[1:3])
            t.say("close 0")
            terms.append((token, began_ns, int(t.hear("dismissed")[3])))
            t.hear("closed")
        wait_for_children(s, 0, path)

    assert at_every_boundary(proxy, story) >= 8
    for before, after in itertools.pairwise(terms):
        assert before[0] < after[0] and before[2] <= after[1]
    ours.quit()
    others.quit()


def test_a_counter_counts_each_addition_once(standing, talk, proxied, path):
    server = standing("caucusd")
    proxy = proxied(server)
    t = talk("shared_talk", often(proxy), LONG_TIMEOUT_MS, path, "counter", 0)
    assert t.ask("open", "opened")[1] == "CAUCUS_OK"
    numbers = itertools.count(1)

    def story():
        assert t.ask("add 1", "done")[1:] == ["CAUCUS_OK", str(next(numbers))]

    assert at_every_boundary(proxy, story) >= 4
    t.quit()


def test_a_member_comes_and_goes_once(standing, talk, proxied, path, raw):
    server = standing("caucusd")
    s = raw(server)
    proxy = proxied(server)
    t, watcher = (talk("member_talk", hosts, LONG_TIMEOUT_MS, path, "lost", 1) for hosts in (often(proxy), server.hosts))
    assert watcher.ask("group 0", "groups")[1] == "CAUCUS_OK"

    def story():
        assert t.ask("join 0 a old", "joins")[1] == "CAUCUS_OK"
        t.hear("joined")
        assert watcher.hear("group +")[2:4] == ["a", "old"]
        t.say("update 0 new")
        assert watcher.hear("group ~")[2:5] == ["a", "new", "old"]
        t.say("leave 0")
        assert watcher.hear("group -")[2:4] == ["a", "new"]
        t.hear("is out")
        wait_for_children(s, 0, path)

    assert at_every_boundary(proxy, story) >= 6
    news = [line.split()[2] for line in watcher.heard if line.startswith("0 group ") and line.split()[2] in "+~-"]
    assert "".join(news) == "+~-" * (len(news) // 3)
    t.quit()
    watcher.quit()


def test_an_instance_is_added_and_removed_once(standing, talk, proxied, path):
    server = standing("caucusd")
    proxy = proxied(server)
    t, finder = (talk("registry_talk", hosts, LONG_TIMEOUT_MS, path, "random", 1000)
                 for hosts in (often(proxy), server.hosts))
    assert finder.ask("discover web", "discovers")[1] == "CAUCUS_OK"

    def story():
        assert t.ask("register web a 10.0.0.1 80 x", "registers")[1] == "CAUCUS_OK"
        t.hear("registered")
        finder.hear("added a")
        t.say("unregister")
        finder.hear("removed a")
        t.hear("is out")

    cuts = at_every_boundary(proxy, story)
    news = [line.split()[1] for line in finder.heard if line.split()[1] in ("added", "removed")]
    assert cuts >= 4 and news == ["added", "removed"] * (len(news) // 2)
    t.quit()
    finder.quit()


def test_an_item_is_taken_by_one_or_by_nobody(standing, talk, proxied, path):
    server = standing("caucusd")
    proxy = proxied(server)
    ours, others = (talk("barrier_talk", hosts, LONG_TIMEOUT_MS, path, 1) for hosts in (often(proxy), server.hosts))
    numbers = itertools.count()
    put, taken, doubtful = [], [], []

    def put_one(t):
        item = f"item{next(numbers)}"
        rc = t.ask(f"put 0 100 {item}", "put")[1]
        assert rc == "CAUCUS_OK" or (t is ours and rc == "CAUCUS_CONNECTIONLOSS"), rc
        (put if rc == "CAUCUS_OK" else doubtful).append(item)

    def take(t, ms):
        words = t.ask(f"take 0 {ms}", "took")
        if words[1] == "CAUCUS_OK":
            taken.append(words[3])
        return words[1] == "CAUCUS_OK"

    def story():
        put_one(ours)
        put_one(others)
        put_one(others)
        assert take(ours, -1)
        while take(others, 50):
            pass

    cuts = at_every_boundary(proxy, story)
    assert cuts >= 6 and len(set(taken)) == len(taken)
    assert set(taken) <= set(put) | set(doubtful) and len(set(put) - set(taken)) <= cuts
    ours.quit()
    others.quit()


def test_members_of_a_double_barrier_enter_and_leave_together(standing, talk, proxied, path, raw):
    server = standing("caucusd")
    s = raw(server)
    proxy = proxied(server)
    ours, others = (talk("barrier_talk", hosts, LONG_TIMEOUT_MS, path, 1) for hosts in (often(proxy), server.hosts))
    for t in (ours, others):
        assert t.ask("open 0 2", "opened")[1] == "CAUCUS_OK"

    def story():
        for begin, end in (("enter", "entered"), ("leave", "left")):
            for t in (ours, others):
                t.say(f"{begin} 0 -1")
            for t in (ours, others):
                assert t.hear(end)[1] == "CAUCUS_OK"
        wait_for_children(s, 0, path)

    assert at_every_boundary(proxy, story, SAMPLE) >= 2
    ours.quit()
    others.quit()


def test_partitions_are_held_by_one_after_the_other(standing, talk, proxied, path, raw):
    server = standing("caucusd")
    s = raw(server)
    proxy = proxied(server)
    ours, others = (talk("partitioner_talk", hosts, LONG_TIMEOUT_MS, path, 1) for hosts in (often(proxy), server.hosts))
    for t in (ours, others):
        t.say("auto 0")

    def open_and_acquire(t):
        assert t.ask("open 0 lost 1 a,b", "opened")[1] == "CAUCUS_OK"
        return acquired(t)

    def acquired(t, count=None):
        words = t.hear("acquired")
        while count is not None and len(words) != count + 2:
            words = t.hear("acquired")
        return [int(word.split("=")[1]) for word in words[2:]]

    def story():
        before = open_and_acquire(ours)
        assert others.ask("open 0 lost 1 a,b", "opened")[1] == "CAUCUS_OK"
        parts = acquired(ours, 1) + acquired(others, 1)
        assert len(before) == 2 and min(parts) > max(before)
        ours.ask("close 0", "closed")
        acquired(others, 2)
        others.ask("close 0", "closed")
        for node in ("members", "locks/a", "locks/b"):
            wait_for_children(s, 0, f"{path}/{node}")

    assert at_every_boundary(proxy, story, SAMPLE) >= 2
    ours.quit()
    others.quit()


def test_a_node_is_kept_whatever_is_lost(standing, talk, proxied, path, raw):
    server = standing("caucusd")
    s = raw(server)
    proxy = proxied(server)
    t = talk("persistent_node_talk", often(proxy), LONG_TIMEOUT_MS, path, "ephemeral")

    def story():
        assert t.ask("open one", "opened")[1] == "CAUCUS_OK"
        _, made, _ = t.hear("kept")
        t.say("set two")
        t.hear("kept")
        s.ok(rawzk.delete(path))
        assert t.hear("gone")[1:] == [made, "CAUCUS_NONODE"]
        t.hear("kept")
        assert s.ok(rawzk.get_data(path))[0] == b"two"
        t.ask("close", "closed")
        while s.call(rawzk.exists(path, watch=True)).err == 0:
            s.event()

    assert at_every_boundary(proxy, story) >= 12
    t.quit()


def test_a_cache_becomes_what_there_is(standing, talk, proxied, path, raw):
    server = standing("caucusd")
    s = raw(server)
    proxy = proxied(server)
    t = talk("cache_talk", often(proxy), LONG_TIMEOUT_MS, path, "tree", 0)
    s.ok(rawzk.create(path, b"root"))
    numbers = itertools.count()

    def story():
        a, b = (f"{path}/{x}{next(numbers)}" for x in "ab")
        s.ok(rawzk.create(a, b"1"))
        assert t.ask("open", "opened")[1] == "CAUCUS_OK"
        t.hear("ready")
        s.ok(rawzk.create(b, b"2"))
        s.ok(rawzk.set_data(a, b"3"))
        t.hear_all([f"0 added {b}", f"0 changed {a}"])
        for node in (a, b):
            s.ok(rawzk.delete(node))
        t.hear_all([f"0 removed {a}", f"0 removed {b}"])
        assert t.ask("all", "all")[1:] == [f"{path}=root"]
        t.ask("close", "closed")

    assert at_every_boundary(proxy, story, SAMPLE) >= 2
    t.quit()
