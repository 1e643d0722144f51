"""The election's side of the coordination service (src/election/coordination.h), against real servers: what is asked
is answered truly, also when connections are cut, replies are lost and sessions end."""

import itertools
import signal
from types import SimpleNamespace

import pytest
import rawzk
from expire import end_session, end_session_of, session_of
from talk import Talk

LONG_TIMEOUT_MS = 30000
DELETE, GET_DATA, GET_CHILDREN, SYNC, MULTI, CREATE2, MULTI_READ = 2, 4, 8, 9, 14, 15, 22

backends = pytest.mark.parametrize("backend", ["caucusd", "apache39"])
oldest_as_well = pytest.mark.parametrize("backend", ["caucusd", "apache38", "apache39"])


class Electors(Talk):
    """A server of the election; its replicas do what the test says."""

    def __init__(self, hosts, root, name, states="CA,WY", *options, timeout_ms=LONG_TIMEOUT_MS):
        super().__init__("coordination_talk", hosts, timeout_ms, root, name, states, *options)

    def opened(self, state="CA"):
        self.once("ready")
        return int(self.ask(f"open {state}", f"claimed {state}")[2])

    def begun(self, state="CA"):
        self.opened(state)
        self.ask(f"begin {state}", f"event CONNECTED {state}")
        return self

    def read(self, state="CA"):
        return View(self.ask(f"read {state}", f"read {state}"))

    def answer(self, order, state="CA"):
        """(OK or REFUSED, seat)"""
        words = self.ask(f"{order.split()[0]} {state} {order.partition(' ')[2]}".strip(), f"answer {state}")
        return words[2], int(words[3])

    def told(self, *begins):
        """The next line that begins with one of these."""
        while not " ".join(words := self.hear("")).startswith(begins):
            pass
        return words

    def attempt(self, order):
        """OK, REFUSED, or None: nobody knows; it is connected again."""
        verb, _, more = order.partition(" ")
        self.say(f"{verb} CA {more}".strip())
        words = self.told("answer CA", "event CONNECTED CA")
        return words[2] if words[0] == "answer" else None

    def read_at_last(self):
        while True:
            self.say("read CA")
            words = self.told("read CA", "event CONNECTED CA")
            if words[0] == "read":
                return View(words)

    def next_version(self):
        """As a leader, who knows what he wrote."""
        self.ask("next CA", "next CA")

    def joined(self, state="CA"):
        self.read(state)
        outcome, seat = self.answer("join", state)
        assert outcome == "OK"
        return seat

    def command(self, order):
        """(outcome, round, phase, states that are not ready)"""
        words = self.ask(order, "command")
        return words[1], int(words[2]), words[3], words[4]

    def wait_for_phase(self, phase):
        while self.hear("nation")[2] != phase:
            pass

    def wait_for_live(self, count, state="CA"):
        while (view := self.read(state)).live_count != count:
            self.hear(f"event CHANGED {state}")
        return view


class View:
    def __init__(self, words):
        _, _, round_, self.phase, version, commit_version, epoch, index, seat, seal, live = words
        self.round, self.version, self.commit_version = int(round_), int(version), int(commit_version)
        self.epoch, self.index, self.seat, self.has_seal = int(epoch), int(index), int(seat), seal == "1"
        self.live = {} if live == "-" else dict(reversed(m.split("@")) for m in live.split(","))
        self.live_count = len(self.live)


_numbers = itertools.count(1)


@pytest.fixture
def root():
    return f"/nation{next(_numbers)}/Election"


@pytest.fixture
def electors(root):
    started = []

    def start(server, name, *more, **how):
        started.append(Electors(server.hosts, root, name, *more, **how))
        return started[-1]

    yield start
    for e in started:
        e.signal(signal.SIGCONT)
        e.kill()


def raw(server):
    return server.session(timeout_s=60, timeout_ms=60000)


def names(s, path):
    return rawzk.decode(rawzk.get_children(path), s.call(rawzk.get_children(path)))


# ---- members


@oldest_as_well
def test_a_number_is_a_names_and_a_disks(standing, electors, root, backend):
    server = standing(backend)
    a, b, c = (electors(server, name) for name in "abc")
    assert sorted(e.opened() for e in (a, b, c)) == [0, 1, 2]
    d = electors(server, "d")
    d.once("ready")
    assert "all members" in " ".join(d.ask("open CA", "refused CA"))
    number = int(b.once("claimed")[2])
    b.quit()
    lost = electors(server, "b", "CA,WY", "incarnation=" + 32 * "9")
    lost.once("ready")
    assert "another disk" in " ".join(lost.ask("open CA", "refused CA"))
    lost.quit()
    moved = electors(server, "b", "CA,WY", "peer=elsewhere:9")
    assert moved.opened() == number
    a.hear("changed CA 8")
    while f"{number}=b=elsewhere:9" not in a.ask("peek CA", "peek CA"):
        a.hear("changed CA 8")
    moved.quit()
    replacement = electors(server, "b", "CA,WY", "incarnation=" + 32 * "9", "replace")
    assert replacement.opened() == number
    replacement.quit()
    old = electors(server, "b")
    old.once("ready")
    old.ask("open CA", "refused CA")


@backends
def test_a_copied_disk_waits_until_the_first_is_gone(standing, electors, root, backend):
    server = standing(backend)
    first, second = electors(server, "a"), electors(server, "a")
    number = first.opened()
    second.once("ready")
    second.say("open CA")
    second.hear("connection 1 member")
    first.quit()
    assert int(second.hear("claimed CA")[2]) == number


def test_a_number_that_was_taken_without_our_hearing_of_it_is_ours(standing, electors, proxied):
    server = standing("caucusd")
    proxy = proxied(server)
    e = electors(proxy, "a")
    e.once("ready")
    e.ask("fresh CA", "fresh CA")
    proxy.lose(CREATE2)
    e.say("open CA")
    assert proxy.lost.wait(60)
    assert int(e.hear("claimed CA")[2]) == 0
    proxy.lose(CREATE2)
    e.say("open WY")
    assert proxy.lost.wait(60)
    assert int(e.hear("claimed WY")[2]) == 0


# ---- what shards ask for


@oldest_as_well
def test_conditions_are_conditions(standing, electors, root, backend):
    server = standing(backend)
    a, b = (electors(server, name).begun() for name in "ab")
    view = a.read()
    assert (view.phase, view.round, view.epoch, view.seat, view.live_count) == ("IDLE", 0, 0, 0, 0)
    assert a.joined() == 1  # the sequence begins at 0
    assert a.read().seat == 1
    assert b.joined() == 2
    assert list(b.read().live) == ["1", "2"]
    a.read()
    assert a.answer("takeover") == ("OK", 0)
    assert b.answer("takeover")[0] == "REFUSED"  # the Commit that it read is not there any more
    view = a.read()
    assert (view.epoch, view.commit_version) == (1, 1)
    assert a.answer("commit 7")[0] == "OK"
    assert a.answer("commit 8")[0] == "REFUSED"  # of the version before
    assert a.read().index == 7
    assert a.command("start force")[0] == "DONE"
    assert a.answer("commit 9")[0] == "REFUSED"  # the nation has gone on
    view = a.read()
    assert (view.round, view.phase, view.index) == (1, "OPEN", 7)
    assert a.answer("leave")[0] == "OK"
    assert a.answer("takeover")[0] == "REFUSED"  # there is no LiveNode
    assert a.read().seat == 0
    assert a.ask("stats", "stats")[1:] == ["2", "3", "0"]
    assert a.joined() == 3
    a.read()
    with raw(server) as s:  # as who takes it for dead does, before it hears of it
        node, = (name for name in names(s, f"{root}/CA/LiveNodes") if name.endswith("-0-0000000002"))
        s.ok(rawzk.delete(f"{root}/CA/LiveNodes/{node}"))
    assert a.answer("takeover")[0] == "REFUSED"  # it leads no more
    assert a.joined() == 4
    a.quit()
    b.wait_for_live(1)


@oldest_as_well
def test_an_unknown_outcome_is_not_told_as_another(standing, electors, proxied, root, backend):
    server = standing(backend)
    proxy = proxied(server)
    a = electors(proxy, "a").begun()
    a.joined()
    a.read()
    assert a.answer("takeover")[0] == "OK"
    for what, happens in (("lose", True), ("swallow", False)):
        before = a.read()
        getattr(proxy, what)(MULTI)
        a.say(f"commit CA {before.index + 5}")
        assert proxy.lost.wait(60)
        a.hear("event DISCONNECTED CA")
        a.hear("event CONNECTED CA")
        after = a.read()
        assert (after.index - before.index, after.commit_version - before.commit_version) == (
            (5, 1) if happens else (0, 0))
        assert after.seat == before.seat
    assert proxy.requests[MULTI] == 3
    assert len(a.lines("answer")) == 2  # join, takeover
    assert a.ask("stats", "stats")[3] == "2"


@backends
def test_whatever_is_lost_answers_are_true(standing, electors, proxied, root, backend):
    server = standing(backend)
    proxy = proxied(server)
    many = SimpleNamespace(hosts=",".join([proxy.hosts] * 32))  # no pause before the next of them
    a = electors(many, "a").begun()
    steps = {
        "join": lambda before, after: after.seat > before.seat and after.live_count == 1,
        "takeover": lambda before, after: after.epoch == before.epoch + 1,
        "commit": lambda before, after: after.index == before.index + 3,
        "leave": lambda before, after: after.seat == 0 and after.live_count == 0,
    }
    unknown = 0
    for op in (SYNC, GET_DATA, GET_CHILDREN, MULTI, CREATE2, DELETE):
        for what in ("lose", "swallow"):
            getattr(proxy, what)(op)
            for step, is_done in steps.items():
                while True:
                    before = a.read_at_last()
                    outcome = a.attempt(f"commit {before.index + 3}" if step == "commit" else step)
                    after = a.read_at_last()
                    assert outcome != "REFUSED", (op, what, step)  # nobody else is here
                    if is_done(before, after):
                        break
                    assert outcome is None and vars(before) == vars(after), (op, what, step)
                unknown += outcome is None
            assert proxy.lost.is_set(), (op, what)
    assert unknown > 2


def test_a_commit_is_one_request(standing, electors, proxied, root):
    server = standing("caucusd")
    proxy = proxied(server)
    a = electors(proxy, "a").begun()
    a.joined()
    a.read()
    assert a.answer("takeover")[0] == "OK"
    a.read()
    a.answer("commit 1")
    requests, notifications = dict(proxy.requests), proxy.notifications
    for index in range(2, 22):
        a.next_version()
        assert a.answer(f"commit {index}")[0] == "OK"
    new = {op: n - requests.get(op, 0) for op, n in proxy.requests.items() if n != requests.get(op, 0)}
    assert new == {MULTI: 20} and proxy.notifications == notifications


def test_a_reading_begins_with_a_sync(standing, electors, proxied, root):
    """The server it is connected to may be behind."""
    proxy = proxied(standing("caucusd"))
    a = electors(proxy, "a").begun()
    a.joined()
    asked = []
    for op in (SYNC, GET_DATA, GET_CHILDREN):
        proxy.foil(op, lambda op=op: asked.append(op))
    for _ in range(3):
        asked.clear()
        assert a.read().live_count == 1
        assert asked[0] == SYNC and asked.count(SYNC) == 1 and {GET_DATA, GET_CHILDREN} <= set(asked), asked


@backends
def test_a_live_node_whose_creation_was_not_answered_is_one(standing, electors, proxied, root, backend):
    server = standing(backend)
    proxy = proxied(server)
    a, b = electors(proxy, "a").begun(), electors(server, "b").begun()
    a.read()
    proxy.lose(CREATE2)
    a.say("join CA")
    assert proxy.lost.wait(60)
    a.hear("event DISCONNECTED CA")
    a.hear("event CONNECTED CA")
    view = a.read()
    assert view.seat == 1 and view.live_count == 1
    proxy.lose(DELETE)
    a.say("leave CA")
    assert proxy.lost.wait(60)
    a.hear("event CONNECTED CA")
    assert a.read().seat == 0
    assert a.joined() == 2
    assert b.wait_for_live(1).live == {"2": "0"}
    proxy.lose(CREATE2)
    a.say("join CA")
    assert proxy.lost.wait(60)
    a.hear("event CONNECTED CA")
    assert a.joined() == 4
    assert a.read().seat == 4  # of its nodes one is meant, and the others go
    assert b.wait_for_live(1).live == {"4": "0"}


@backends
def test_a_session_that_ends_takes_the_live_node_along(standing, electors, root, backend):
    server = standing(backend)
    a, b = electors(server, "a").begun(), electors(server, "b").begun()
    first = a.joined()
    b.wait_for_live(1)
    end_session(server, a)
    a.hear("event EXPIRED CA")
    a.hear("event CONNECTED CA")
    view = a.read()
    assert view.seat == 0
    assert a.joined() > first
    assert b.wait_for_live(1).live == a.read().live


def test_who_is_stopped_is_gone_and_comes_back(standing, electors, root):
    server = standing("caucusd")
    a, b = electors(server, "a", timeout_ms=2000).begun(), electors(server, "b").begun()
    a.joined()
    b.wait_for_live(1)
    a.signal(signal.SIGSTOP)
    b.wait_for_live(0)
    a.signal(signal.SIGCONT)
    a.hear("event EXPIRED CA")
    a.hear("event CONNECTED CA")
    assert a.read().seat == 0


@backends
def test_no_change_is_missed_over_lost_connections(standing, electors, proxied, root, backend):
    server = standing(backend)
    proxy = proxied(server)
    a, b = electors(proxy, "a").begun(), electors(server, "b").begun()
    a.read()
    b.joined()
    a.wait_for_live(1)
    b.read()
    for index in (1, 2, 3):
        a.ask("fresh WY", "fresh WY")
        proxy.silence()
        b.read()
        assert b.answer(f"commit {index}")[0] == "OK"
        proxy.cut()
        proxy.speak()
        a.hear("event CONNECTED CA")
        assert a.read().index == index
    b.read()
    assert b.answer("commit 4")[0] == "OK"
    a.hear("event CHANGED CA 2")
    assert a.read().index == 4


# ---- start and stop


@oldest_as_well
def test_a_round_from_its_start_to_its_seals(standing, electors, root, backend):
    server = standing(backend)
    a, b = electors(server, "a"), electors(server, "b")
    for e in (a, b):
        e.begun("CA")
    a.begun("WY")
    assert a.command("start") == ("NOT_READY", 0, "IDLE", "CA,WY")
    a.joined("CA")
    assert b.command("start") == ("NOT_READY", 0, "IDLE", "WY")
    a.joined("WY")
    assert b.command("stop")[0] == "WRONG_PHASE"
    one = "id=" + 32 * "1"
    assert b.command(f"start {one} round=2")[0] == "WRONG_PHASE"
    assert b.command(f"start {one}") == ("DONE", 1, "OPEN", "-")
    assert a.command(f"start {one}") == ("DONE", 1, "OPEN", "-")
    assert a.command("start")[0] == "WRONG_PHASE"
    s = raw(server)
    assert names(s, f"{root}/Global/Config") == ["1"]
    assert s.ok(rawzk.get_data(f"{root}/Global/Config/1"))[0].endswith(b"\ndefinition")
    for state, index in (("CA", 12), ("WY", 3)):
        a.read(state)
        assert a.answer("takeover", state)[0] == "OK"
        a.read(state)
        assert a.answer(f"commit {index}", state)[0] == "OK"
    assert b.ask("snapshot", "snapshot")[1:] == ["OPEN", "CA:12", "WY:3"]

    two = "id=" + 32 * "2"
    b.say(f"stop {two} drain=60000")
    for state, index in (("CA", 15), ("WY", 3)):
        a.wait_for_phase("CLOSING") if state == "CA" else None
        a.read(state)
        assert a.answer(f"commit {index} sealed", state)[0] == "OK"
    assert b.hear("command")[1:4] == ["DONE", "1", "CLOSED"]
    assert a.command(f"stop {two}")[:3] == ("DONE", 1, "CLOSED")
    assert a.command("stop")[0] == "WRONG_PHASE"
    assert a.answer("commit 16", "CA")[0] == "REFUSED"
    a.read("CA")
    assert a.answer("seal", "CA")[0] == "OK"
    assert a.answer("seal", "CA")[0] == "OK"
    # What a replica did not seal, whoever conducts seals before the next round.
    assert b.command("start id=" + 32 * "3") == ("DONE", 2, "OPEN", "-")
    assert names(s, f"{root}/WY/Seal") == ["1"]
    commit, seal = (s.ok(rawzk.get_data(f"{root}/WY/{name}"))[0] for name in ("Commit", "Seal/1"))
    assert commit == seal
    # A command that comes late finds that it was carried out.
    assert b.command(f"start {one}") == ("DONE", 2, "OPEN", "-")
    assert b.command(f"stop {two}")[:3] == ("DONE", 2, "OPEN")
    assert b.command("stop now")[:3] == ("DONE", 2, "CLOSED")


@backends
def test_two_starts_make_one_round(standing, electors, root, backend):
    server = standing(backend)
    a, b = electors(server, "a"), electors(server, "b")
    for e in (a, b):
        e.once("ready")
    a.say("start force")
    b.say("start force")
    outcomes = sorted(e.hear("command")[1] for e in (a, b))
    assert outcomes == ["DONE", "WRONG_PHASE"]
    assert a.command("stop now")[:3] == ("DONE", 1, "CLOSED")


@backends
def test_another_server_goes_on_where_one_died(standing, electors, root, backend):
    server = standing(backend)
    a, b = electors(server, "a"), electors(server, "b")
    b.once("ready")
    a.begun("CA")
    a.joined("CA")
    assert a.command("start force")[0] == "DONE"
    a.say("stop id=" + 32 * "5" + " drain=60000")
    b.wait_for_phase("CLOSING")
    session = session_of(a)
    a.kill()  # its replica with it: nobody is left to wait for
    end_session_of(server, *session)
    b.wait_for_phase("CLOSED")
    assert b.command("stop id=" + 32 * "5")[:3] == ("DONE", 1, "CLOSED")


@backends
def test_a_command_whose_write_was_not_answered_is_carried_out_once(standing, electors, proxied, root, backend):
    server = standing(backend)
    proxy = proxied(server)
    a = electors(proxy, "a")
    a.once("ready")
    proxy.lose(MULTI)
    a.say("start force")
    assert proxy.lost.wait(60)
    assert a.hear("command")[1:4] == ["DONE", "1", "OPEN"]
    proxy.swallow(MULTI)
    a.say("stop now")
    assert proxy.lost.wait(60)
    assert a.hear("command")[1:4] == ["DONE", "1", "CLOSED"]
    assert proxy.requests[MULTI] == 3


@backends
def test_another_definition_is_not_ready(standing, electors, root, backend):
    server = standing(backend)
    a, b = electors(server, "a", "CA").begun(), electors(server, "b", "CA", "definition=another").begun()
    a.joined()
    assert b.command("start")[0::3] == ("NOT_READY", "CA")
    assert a.command("start")[0] == "DONE"


# ---- servers and settings


@pytest.mark.parametrize("backend", ["caucusd", "apache38"])
def test_servers_without_multi_reads(standing, electors, proxied, root, backend):
    server = standing(backend)
    proxy = proxied(server)
    proxy.forget(MULTI_READ)
    a = electors(proxy, "a").begun()
    a.joined()
    assert a.command("start force")[0] == "DONE"
    a.read()
    assert a.answer("takeover")[0] == "OK"
    a.read()
    assert a.answer("commit 4")[0] == "OK"
    assert a.ask("snapshot", "snapshot")[1:] == ["OPEN", "CA:4", "WY:0"]
    assert a.command("stop now")[0] == "DONE"
    assert proxy.requests[MULTI_READ] == 1  # it is not asked again


@backends
def test_nodes_for_their_creators_alone(standing, electors, proxied, root, backend):
    server = standing(backend)
    auth = ("auth=election:secret", "creator")
    a = electors(server, "a", "CA", *auth).begun()
    a.joined()
    assert a.command("start")[0] == "DONE"
    a.read()
    assert a.answer("takeover")[0] == "OK"
    s = raw(server)
    for path in ("", "/Global/Commit", "/CA/Commit", "/CA/LiveNodes", "/CA/Members/0", "/Global/Config/1"):
        assert s.call(rawzk.get_data(root + path)).err == -102, path
    proxy = proxied(server)
    stranger = electors(proxy, "b", "CA")
    assert "not allowed" in " ".join(stranger.hear("connection 1 /"))
    friend = electors(server, "c", "CA", *auth)
    assert friend.opened() == 1
    stranger.hear("connection 1")
    assert sum(proxy.requests.values()) < 200  # it does not insist


def test_what_stands_in_a_node_may_be_anything(standing, electors, root):
    server = standing("caucusd")
    a = electors(server, "a").begun()
    s = raw(server)
    before = s.ok(rawzk.get_data(f"{root}/CA/Commit"))[0]
    for junk in (b"", before + b"x"):
        s.ok(rawzk.set_data(f"{root}/CA/Commit", junk))
        a.say("read CA")
        a.hear("event DISCONNECTED CA")
        assert a.ask("fresh CA", "fresh CA")[2] == "-1003"
        s.ok(rawzk.set_data(f"{root}/CA/Commit", before))
        a.hear("event CONNECTED CA")
    for name in ("n-", "x", "n-" + 32 * "g" + "-0-", "n-" + 32 * "0" + "-9-", "n-" + 32 * "0" + "-99999999999-"):
        s.ok(rawzk.create(f"{root}/CA/LiveNodes/{name}0000000001"))
    s.ok(rawzk.create(f"{root}/CA/Members/2", b"name=../x"))
    s.ok(rawzk.create(f"{root}/CA/Members/17", b"name=y"))
    s.ok(rawzk.create(f"{root}/CA/Seal/99999999999999999999"))
    assert a.read().live_count == 0
    assert a.joined() > 0
    a.quit()


# ---- ensembles


@pytest.mark.parametrize("kind", ["caucusd", "apache39"])
def test_the_servers_leader_may_end(start_ensemble, electors, root, kind):
    ensemble = start_ensemble([kind] * 3, leader=3)
    a, b = electors(ensemble, "a").begun(), electors(ensemble, "b").begun()
    a.joined()
    assert a.command("start force")[0] == "DONE"
    a.read()
    assert a.answer("takeover")[0] == "OK"
    b.read()
    ensemble[3].kill()
    for e in (a, b):
        e.hear("event DISCONNECTED CA")
        e.hear("event CONNECTED CA")
    view = a.read()
    assert (view.seat, view.epoch, view.phase) == (1, 1, "OPEN")
    assert a.answer("commit 5")[0] == "OK"
    while b.read().index != 5:
        b.hear("event CHANGED CA")
    assert b.ask("snapshot", "snapshot")[1:] == ["OPEN", "CA:5", "WY:0"]
    b.say("stop drain=60000")
    a.wait_for_phase("CLOSING")
    a.read()
    assert a.answer("commit 6 sealed")[0] == "OK"
    assert b.hear("command")[1:4] == ["DONE", "1", "CLOSED"]
