"""Total order broadcast of libcaucus against real servers: one order for all, nothing twice, nothing lost that was
committed, whoever ends, stands still, or hears nothing."""

import signal
import struct

import pytest
import rawzk
from talk import TIMEOUT_S, everywhere, servers

TIMEOUT_MS = 2000
SET, MULTI = 5, 14



@pytest.fixture
def member(start_talk):
    """member(hosts, acks=1, history=0, after=""): a program with one member, or more."""

    def start(hosts, acks=1, history=0, after="", count=1, **how):
        t = start_talk("broadcast_talk", hosts, count, **how)
        for number in range(count):
            assert t.ask(f"join {number} {acks} {history} {after}", "opened", number)[1] == "CAUCUS_OK"
            t.hear("joined", number)
        return t

    return start


def got(t, number=0):
    """(position, text) of all that was delivered."""
    return [(int(words[1]), words[2]) for words in t.lines("got", number)]


def wait_for(t, text, number=0):
    """Until this message was delivered; all before it."""
    while not any(words[2] == text for words in t.lines("got", number)[-1:]):
        t.hear("got", number)


def wait_for_all(t, texts, number=0):
    missing = set(texts) - {text for _, text in got(t, number)}
    while missing:
        missing.discard(t.hear("got", number)[2])


def assert_one_order(*deliveries):
    """Positions rise, and nobody has another message at one position; all that are between are there."""
    at = {}
    for delivery in deliveries:
        positions = [position for position, _ in delivery]
        assert positions == sorted(set(positions))
        for position, text in delivery:
            assert at.setdefault(position, text) == text
    for delivery in deliveries:
        if delivery:
            first, last = delivery[0][0], delivery[-1][0]
            assert [p for p, _ in delivery] == sorted(p for p in at if first <= p <= last)
    texts = list(at.values())
    assert len(texts) == len(set(texts)), "a message was delivered twice"
    return [text for _, text in sorted(at.items())]


def assert_in_order(texts, *names):
    """Messages of one sender are in the order in which they were sent."""
    for name in names:
        numbers = [int(text.rpartition("-")[2]) for text in texts if text.rpartition("-")[0] == name]
        assert numbers == sorted(numbers)


def texts_of(name, count):
    return [f"{name}-{i}" for i in range(count)]


# --- one order ---


@everywhere
def test_all_deliver_the_same_messages_in_one_order(standing, member, backend, path, raw):
    server = standing(backend)
    t = [member(server.hosts, acks=0) for _ in range(3)]
    for i, m in enumerate(t):
        m.say(f"many 0 500 m{i}")
    for m in t:
        wait_for_all(m, texts_of("m0", 500) + texts_of("m1", 500) + texts_of("m2", 500))
        assert m.once("many")[1] == "CAUCUS_OK"
    order = assert_one_order(*(got(m) for m in t))
    assert len(order) == 1500
    assert_in_order(order, "m0", "m1", "m2")
    for m in t:
        # What is delivered was accepted before, and one's own is known.
        accepted = [(int(words[1]), words[2]) for words in m.lines("accepted")]
        assert accepted == got(m)
        assert len([words for words in m.lines("got") if words[3] == "own"]) == 500
    words = t[0].ask("send! 0 last", "sent")
    assert words[1] == "CAUCUS_OK" and int(words[2]) > got(t[0])[-2][0]
    batches = raw(server).ok(rawzk.get_children(f"{path}/log"))
    print(f"{backend}: 1,500 messages in {len(batches)} batches")
    assert len(batches) < 150
    for m in t:
        m.quit()


def test_a_message_has_a_bound_and_so_has_what_waits(start_server, member):
    server = start_server({"tickTime": 200}, backend="caucusd")
    m = member(server.hosts)
    server.pause()
    m.say("many 0 5000 m")
    refused = [m.hear("refused")[1] for _ in range(903)]
    server.resume()
    assert m.once("many")[1] == "CAUCUS_BUSY"
    assert refused[0] == "m-4096" or refused[0] == "m-4095"
    wait_for_all(m, texts_of("m", 4096))
    assert [text for _, text in got(m)] == texts_of("m", 4096)
    m.quit()


# --- leaders that end ---


@servers
def test_when_the_leader_is_killed_the_next_goes_on_with_what_it_left(standing, member, backend):
    server = standing(backend)
    leader = member(server.hosts, acks=2, timeout_ms=TIMEOUT_MS)
    first = int(leader.hear("leads")[1])
    t = [member(server.hosts, acks=2) for _ in range(2)]
    everybody = [leader, *t]
    for i, m in enumerate(everybody):
        m.say(f"many 0 800 m{i}")
    for _ in range(3):
        leader.hear("got")
    leader.kill()
    for i, m in enumerate(t):
        wait_for_all(m, texts_of("m1", 800) + texts_of("m2", 800))
    while not any(m.lines("leads") for m in t):
        for m in t:
            m.ask("send! 0 more", "sent")
    second = int(next(m.lines("leads")[0][1] for m in t if m.lines("leads")))
    assert second > first
    for i, m in enumerate(t):
        m.ask(f"send! 0 last{i}", "sent")
    for m in t:
        wait_for_all(m, ["last0", "last1"])
    while True:  # what the dead one has written before it died
        try:
            leader.hear("", None)
        except AssertionError:
            break
    order = assert_one_order(*([(p, x) for p, x in got(m) if x != "more"] for m in everybody))
    assert_in_order(order, "m0", "m1", "m2")
    assert {x for x in order if x[:3] != "m0-"} == {*texts_of("m1", 800), *texts_of("m2", 800), "last0", "last1"}
    # Nothing the dead one has accepted is lost to the others.
    known = dict(got(t[0]))
    for words in leader.lines("accepted"):
        assert known[int(words[1])] == words[2]
    for m in t:
        m.quit()


@servers
def test_a_leader_that_was_stopped_and_goes_on_changes_nothing(standing, member, backend):
    server = standing(backend)
    old = member(server.hosts, acks=1, timeout_ms=TIMEOUT_MS)
    old.hear("leads")
    t = [member(server.hosts, acks=1) for _ in range(2)]
    old.say("many 0 500 old")
    old.hear("got")
    old.signal(signal.SIGSTOP)
    for i, m in enumerate(t):
        m.say(f"many 0 500 m{i}")
    for i, m in enumerate(t):
        wait_for_all(m, texts_of("m0", 500) + texts_of("m1", 500))
    old.signal(signal.SIGCONT)
    old.hear("joined")
    assert old.once("many")[1] == "CAUCUS_OK"
    for m in (old, *t):
        wait_for_all(m, texts_of("old", 500) + texts_of("m0", 500) + texts_of("m1", 500))
    order = assert_one_order(*(got(m) for m in (old, *t)))
    assert len(order) == 1500
    assert_in_order(order, "old", "m0", "m1")
    assert old.lines("LEFT") and not old.lines("gap")
    for m in (old, *t):
        m.quit()


def test_the_servers_leader_may_end_as_well(start_ensemble, start_talk):
    ensemble = start_ensemble(["caucusd"] * 3, leader=3)
    t = [start_talk("broadcast_talk", ensemble.hosts) for _ in range(3)]
    for m in t:
        m.ask("join 0 2 0", "opened")
        m.hear("joined")
    for i, m in enumerate(t):
        m.say(f"many 0 500 m{i}")
    t[0].hear("got")
    ensemble[3].kill()
    everything = texts_of("m0", 500) + texts_of("m1", 500) + texts_of("m2", 500)
    for m in t:
        wait_for_all(m, everything)
    order = assert_one_order(*(got(m) for m in t))
    assert len(order) == 1500
    assert_in_order(order, "m0", "m1", "m2")
    for m in t:
        m.quit()


# --- replies that are lost, sessions that end ---


@everywhere
@pytest.mark.parametrize("op", [SET, MULTI])
def test_a_write_whose_reply_was_lost_is_not_done_twice(standing, member, proxied, backend, op):
    server = standing(backend)
    proxy = proxied(server)
    leader = member(proxy.hosts, acks=0)
    leader.hear("leads")
    other = member(server.hosts, acks=0)
    assert leader.ask("send! 0 before", "sent")[1] == "CAUCUS_OK"
    for i in range(3):
        proxy.lose(op)
        leader.say(f"send 0 m-{i}")
        other.say(f"send 0 o-{i}")
        assert proxy.lost.wait(TIMEOUT_S)
        assert leader.hear("sent")[1] == "CAUCUS_OK"
        assert other.hear("sent")[1] == "CAUCUS_OK"
    for m in (leader, other):
        wait_for_all(m, texts_of("m", 3) + texts_of("o", 3))
    order = assert_one_order(got(leader), got(other))
    assert_in_order(order, "m", "o")
    assert not leader.lines("LEFT")
    leader.quit()
    other.quit()


@servers
@pytest.mark.parametrize("op", [None, SET])
def test_a_member_whose_session_ends_misses_nothing_and_doubles_nothing(standing, member, proxied, backend, op):
    server = standing(backend)
    leader = member(server.hosts, acks=1)
    leader.hear("leads")
    proxy = proxied(server)
    m = member(proxy.hosts, acks=1, timeout_ms=TIMEOUT_MS)
    m.ask("send! 0 m-0", "sent")
    if op is not None:
        # It is written, and perhaps ordered, and the member is not told.
        proxy.hold(op)
        m.say("send 0 m-1")
        assert proxy.held.wait(TIMEOUT_S)
    proxy.silence()
    if op is None:
        m.say("send 0 m-1")
    m.say("send 0 m-2")
    leader.say("many 0 200 other")
    assert leader.once("many")[1] == "CAUCUS_OK"
    assert m.hear("LEFT")[1] == "CAUCUS_SESSIONEXPIRED"
    leader.ask("send! 0 other-200", "sent")
    proxy.speak()
    proxy.cut()
    proxy.release()
    m.hear("joined")
    for i in (1, 2):
        assert m.hear("sent")[1] == "CAUCUS_OK"
    m.ask("send! 0 m-3", "sent")
    for who in (m, leader):
        wait_for_all(who, texts_of("m", 4) + texts_of("other", 201))
    order = assert_one_order(got(m), got(leader))
    assert_in_order(order, "m", "other")
    assert len(order) == 205 and not m.lines("gap")
    if op is not None:
        assert order.index("m-1") < order.index("other-200")
    leader.quit()
    m.quit()


def test_connections_that_are_cut_all_the_time_change_nothing(standing, member, proxied):
    server = standing("caucusd")
    proxies = [proxied(server) for _ in range(3)]
    t = [member(proxy.hosts, acks=0) for proxy in proxies]
    rounds = 4
    for k in range(rounds):
        for i, (proxy, m) in enumerate(zip(proxies, t)):
            m.say(f"many 0 20 m{i}_{k}")
            proxy.cut()
        for m in t:
            m.hear("state RECONNECTED")
    names = [f"m{i}_{k}" for i in range(3) for k in range(rounds)]
    for m in t:
        wait_for_all(m, [text for name in names for text in texts_of(name, 20)])
    order = assert_one_order(*(got(m) for m in t))
    assert len(order) == 20 * len(names)
    assert_in_order(order, *names)
    for i in range(3):
        firsts = [order.index(f"m{i}_{k}-0") for k in range(rounds)]
        assert firsts == sorted(firsts)
    assert not any(m.lines("LEFT") or m.lines("gap") for m in t)
    for m in t:
        m.quit()


# --- acknowledgements ---


def test_nothing_is_committed_before_enough_have_accepted_it(standing, member, raw):
    server = standing("caucusd")
    leader = member(server.hosts, acks=2)
    leader.hear("leads")
    leader.say("send 0 alone")
    assert leader.hear("accepted")[2] == "alone"
    raw(server).catch_up()
    assert got(leader) == []
    other = member(server.hosts, acks=2)
    assert leader.hear("sent")[1] == "CAUCUS_OK"
    wait_for(other, "alone")
    other.signal(signal.SIGSTOP)
    leader.say("send 0 paused")
    leader.hear("accepted")
    third = member(server.hosts, acks=2)
    assert leader.hear("sent")[1] == "CAUCUS_OK"
    other.signal(signal.SIGCONT)
    wait_for(other, "paused")
    wait_for(third, "paused")
    assert_one_order(got(leader), got(other), got(third))
    for m in (leader, other, third):
        m.quit()


def test_all_means_those_whose_session_lives(standing, member):
    server = standing("caucusd")
    leader = member(server.hosts, acks=0)
    other, third = member(server.hosts, acks=0, timeout_ms=TIMEOUT_MS), member(server.hosts, acks=0)
    leader.ask("send! 0 first", "sent")
    other.signal(signal.SIGSTOP)
    leader.say("send 0 second")
    leader.hear("accepted")
    third.hear("accepted")
    assert leader.hear("sent")[1] == "CAUCUS_OK"
    other.signal(signal.SIGCONT)
    other.hear("LEFT")
    wait_for(other, "second")
    assert not other.lines("gap")
    for m in (leader, other, third):
        m.quit()


# --- coming back ---


@servers
def test_a_program_that_starts_again_goes_on_where_it_was(standing, member, backend):
    server = standing(backend)
    m = member(server.hosts, after="0")
    m.say("many 0 300 m")
    m.once("many")
    everything = got(m)
    middle = everything[137][0]
    again = member(server.hosts, after=str(middle))
    wait_for(again, "m-299")
    assert got(again) == everything[138:]
    fresh, late = member(server.hosts, after="0"), member(server.hosts)
    wait_for(fresh, "m-299")
    assert got(fresh) == everything
    m.ask("send! 0 new", "sent")
    wait_for(late, "new")
    assert [text for _, text in got(late)] == ["new"]
    for t in (m, again, fresh, late):
        t.quit()


def test_a_member_that_knows_more_than_the_service_does_not_go_on(standing, start_talk, member):
    server = standing("caucusd")
    m = member(server.hosts)
    m.ask("send! 0 one", "sent")
    t = start_talk("broadcast_talk", server.hosts)
    t.ask(f"join 0 1 0 {100 << 16}", "opened")
    assert t.hear("trouble")[1] == "CAUCUS_DATAINCONSISTENCY"
    assert not t.lines("joined")
    t.quit()
    m.quit()


def test_who_was_away_for_too_long_is_told_of_the_gap(standing, member, proxied, path, raw):
    server = standing("caucusd")
    leader = member(server.hosts, history=5)
    leader.hear("leads")
    proxy = proxied(server)
    m = member(proxy.hosts, history=5, timeout_ms=TIMEOUT_MS)
    leader.ask("send! 0 first", "sent")
    wait_for(m, "first")
    proxy.silence()
    m.say("send 0 unknown")
    for i in range(20):
        leader.ask(f"send! 0 m-{i}", "sent")
    m.hear("LEFT")
    proxy.speak()
    proxy.cut()
    m.hear("joined")
    words = m.hear("gap")
    assert int(words[1]) == got(m)[-1][0] < int(words[2])
    assert m.hear("sent")[1] in ("CAUCUS_OK", "CAUCUS_CONNECTIONLOSS")
    leader.ask("send! 0 last", "sent")
    wait_for(m, "last")
    theirs, ours = got(leader), got(m)
    assert ours[1:] == [(p, text) for p, text in theirs if p > int(words[2])]
    assert int(words[2]) < ours[1][0]
    s = raw(server)
    s.catch_up()
    assert len(s.ok(rawzk.get_children(f"{path}/log"))) <= 6
    leader.quit()
    m.quit()


# --- what others may do ---


def test_what_cannot_be_understood_is_trouble_and_no_more(standing, member, path, raw):
    server = standing("caucusd")
    s = raw(server)
    m = member(server.hosts)
    m.ask("send! 0 one", "sent")
    for name in ("x", "f" * 32, "0" * 32):
        s.ok(rawzk.create(f"{path}/slots/{name}", struct.pack(">4sqqI", b"CBs1", 1, 1, 2**32 - 1)))
    m.ask("send! 0 two", "sent")
    for junk in (b"", b"CBr1", b"CBr1" + b"\xff" * 32, b"CBr1" + b"\0" * 37):
        record, _ = s.ok(rawzk.get_data(f"{path}/commit"))
        s.ok(rawzk.set_data(f"{path}/commit", junk))
        m.say("send 0 three")
        assert m.hear("trouble")[1] == "CAUCUS_MARSHALLINGERROR"
        s.ok(rawzk.set_data(f"{path}/commit", record))
        assert m.hear("sent")[1] == "CAUCUS_OK"
    m.quit()


def test_an_epoch_from_somewhere_else_does_not_stop_a_group_for_good(standing, member, path, raw):
    server = standing("caucusd")
    s = raw(server)
    m = member(server.hosts)
    m.ask("send! 0 one", "sent")
    record, stat = s.ok(rawzk.get_data(f"{path}/commit"))
    later = struct.pack(">q", s.ok(rawzk.create2(f"{path}/later"))[1].czxid)
    s.ok(rawzk.set_data(f"{path}/commit", record[:4] + later + record[12:]))
    assert m.ask("send! 0 two", "sent")[1] == "CAUCUS_OK"
    assert m.lines("follows") and len(m.lines("leads")) == 2
    m.quit()


def test_a_slot_that_is_deleted_by_hand_is_made_again(standing, member, path, raw):
    server = standing("caucusd")
    s = raw(server)
    m = member(server.hosts)
    m.ask("send! 0 one", "sent")
    slot, = s.ok(rawzk.get_children(f"{path}/slots"))
    s.ok(rawzk.delete(f"{path}/slots/{slot}"))
    assert m.ask("send! 0 two", "sent")[1] == "CAUCUS_OK"
    assert m.lines("LEFT")[0][1] == "CAUCUS_NONODE"
    assert [text for _, text in got(m)] == ["one", "two"]
    m.quit()


# --- what the user does ---


@servers
def test_a_member_is_closed_at_any_moment(standing, start_talk, backend, path, raw):
    server = standing(backend)
    s = raw(server)
    t = start_talk("broadcast_talk", server.hosts, 3)
    for _ in range(10):
        t.ask("join 0 1 0", "opened")
        t.say("send 0 x")
        t.ask("close 0", "closed")
    t.ask("join 0 1 0", "opened")
    t.hear("joined")
    t.say("closing 0")
    t.say("many 0 100 y")
    t.hear("closed itself")
    assert t.once("many")[1] in ("CAUCUS_CLOSING", "CAUCUS_OK")
    t.ask("join 1 1 0", "opened", 1)
    t.hear("joined", 1)
    t.say("many 1 100 z")
    t.say("gone 1")
    t.hear("gone", 1)
    t.ask("join 2 1 0", "opened", 2)
    assert t.ask("send! 2 after", "sent", 2)[1] == "CAUCUS_OK"
    while len(s.ok(rawzk.get_children(f"{path}/slots", watch=True))) != 1:
        s.event()
    while len(s.ok(rawzk.get_children(f"{path}/line", watch=True))) != 1:
        s.event()
    t.quit()
