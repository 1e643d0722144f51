"""Group membership and failure detection of libcaucus against real servers."""

import signal

import pytest
import rawzk
from expire import end_owner
from talk import Talk, everywhere, servers

LONG_TIMEOUT_MS = 30000
TIMEOUT_MS = 2000
CREATE2, DELETE, SET = 15, 2, 5



class Members(Talk):
    def __init__(self, hosts, path, timeout_ms=LONG_TIMEOUT_MS, policy="strict", count=1):
        super().__init__("member_talk", hosts, timeout_ms, path, policy, count)

    def join(self, id, data="x", number=0, how=""):
        assert self.ask(f"join {number} {id} {data} {how}", "joins", number)[1] == "CAUCUS_OK"
        return self

    def joined(self, number=0):
        return int(self.hear("joined", number)[1])

    def left(self, number=0):
        """(why, when)"""
        words = self.hear("left", number)
        return words[1], int(words[2])

    def token(self, number=0):
        return int(self.ask(f"token {number}", "token", number)[1])

    def group(self, number=0):
        assert self.ask(f"group {number}", "groups", number)[1] == "CAUCUS_OK"
        return self

    def news(self, what, number=0):
        """The next of this kind: its words behind the kind, and the list that the callback saw."""
        words = self.hear(f"group {what}", number)
        at = words.index(":")
        return words[2:at], words[at + 1:]

    def list(self, number=0):
        return self.ask(f"list {number}", "list", number)[1:]

    def said(self, *wanted):
        return [line for line in self.heard if any(w in line for w in wanted)]


@pytest.fixture
def members():
    started = []

    def start(*args, **kwargs):
        started.append(Members(*args, **kwargs))
        return started[-1]

    yield start
    for m in started:
        m.kill()


@pytest.fixture
def path(request):
    return f"/members/{''.join(c if c.isalnum() else '-' for c in request.node.name)}"


def raw(server):
    return server.session(timeout_s=60, timeout_ms=60000)


def children(s, path):
    reply = s.call(rawzk.get_children(path))
    return sorted(rawzk.decode(rawzk.get_children(path), reply)) if reply.err == 0 else []


def wait_until_empty(s, path):
    while s.ok(rawzk.get_children(path, watch=True)):
        s.event()


# --- who is in ---


@everywhere
def test_members_are_listed_with_what_they_say_of_themselves(standing, members, path, backend):
    server = standing(backend)
    m = members(server.hosts, path, count=4)
    m.group(0)
    assert m.list(0) == []
    for number, id in ((1, "b"), (2, "a"), (3, "c")):
        m.join(id, f"of-{id}", number)
        m.joined(number)
        assert m.news("+")[0] == [id, f"of-{id}"]
    assert m.list(0) == ["a=of-a", "b=of-b", "c=of-c"]
    raw(server).ok(rawzk.create(f"{path}/config"))  # belongs to nobody
    m.say("update 1 new")
    assert m.news("~") == (["b", "new", "of-b"], ["a=of-a", "b=new", "c=of-c"])
    m.ask("leave 2", "is out", 2)
    assert m.news("-") == (["a", "of-a"], ["b=new", "c=of-c"])
    assert not m.said("config")
    m.quit()
    assert children(raw(server), path) == ["config"]


@everywhere
def test_each_callback_sees_the_list_as_of_its_change(standing, members, path, backend):
    server = standing(backend)
    watcher = members(server.hosts, path).group()
    crowd = members(server.hosts, path, count=6)
    for turn in range(12):
        for number in range(6):
            if turn % 3 == 0:
                crowd.join(f"m{number}", f"{turn}", number).joined(number)
            elif turn % 3 == 1:
                crowd.ask(f"update {number} {turn}", "updates", number)
            else:
                crowd.ask(f"leave {number}", "is out", number)
    wait_until_empty(raw(server), path)
    crowd.join("last")
    crowd.joined()
    watcher.news("+ last")
    seen = {}
    for line in watcher.said(" group "):
        _, _, kind, *words = line.split()
        if kind == "current":
            assert seen == dict(word.split("=") for word in words[1:])
            continue
        at = words.index(":")
        id, data = words[:2]
        assert (id in seen) == (kind in "~-"), line
        if kind == "~":
            assert seen[id] == words[2], line
        if kind == "-":
            assert seen.pop(id) == data, line
        else:
            seen[id] = data
        assert seen == dict(word.split("=") for word in words[at + 1:]), line
    assert list(seen) == ["last"]
    watcher.quit()


@servers
def test_an_id_has_one_holder(standing, members, path, backend):
    server = standing(backend)
    m = members(server.hosts, path, count=2)
    m.join("a", "first", 0)
    first = m.joined(0)
    m.join("a", "second", 1)
    assert m.hear("trouble", 1)[1] == "CAUCUS_NODEEXISTS" and m.token(1) == 0
    m.ask("update 0 still", "updates", 0)  # wakes the one that waits, who goes on waiting
    m.ask("update 1 other", "updates", 1)
    m.ask("sync 1", "synced", 1)
    m.group(0)
    assert m.list(0) == ["a=still"]
    m.ask("leave 0", "is out", 0)
    assert m.joined(1) > first
    assert m.news("+ a other")[1] == ["a=other"]
    assert len(m.said("trouble")) == 1
    m.quit()


@servers
def test_who_takes_an_id_over_does_it_once(standing, members, path, backend):
    server = standing(backend)
    m = members(server.hosts, path, count=2)
    m.join("a", "old", 0, how="take")
    first = m.joined(0)
    m.join("a", "new", 1, how="take")
    second = m.joined(1)
    assert second > first and m.left(0)[0] == "CAUCUS_NONODE"
    assert m.hear("trouble", 0)[1] == "CAUCUS_NODEEXISTS"
    m.ask("sync 0", "synced", 0)
    assert m.token(1) == second and m.token(0) == 0
    m.ask("leave 1", "is out", 1)
    assert m.joined(0) > second
    assert not m.said("1 left CAUCUS_NONODE")
    m.quit()


def test_ids_and_paths_that_cannot_be_are_refused(standing, members, path):
    server = standing("caucusd")
    m = members(server.hosts, path)
    for id in ("a/b", ".", ".."):
        assert m.ask(f"join 0 {id} x", "joins")[1] == "CAUCUS_BADARGUMENTS"
    m.join("?")  # one is made up
    m.joined()
    name, = children(raw(server), path)
    assert len(name) == 36 and name.count("-") == 4
    m.quit()
    for wrong in ("/", "x", "/x/"):
        bad = members(server.hosts, wrong)
        assert bad.ask("join 0 a x", "joins")[1] == "CAUCUS_BADARGUMENTS"
        assert bad.ask("group 0", "groups")[1] == "CAUCUS_BADARGUMENTS"
        assert bad.ask("detect 0 0 calls me", "detects")[1] == "CAUCUS_BADARGUMENTS"


# --- replies that are lost, nodes that are late ---


@servers
def test_a_creation_whose_reply_was_lost_is_not_made_again(standing, members, proxied, path, backend):
    server = standing(backend)
    s = raw(server)
    members(server.hosts, path).join("other").joined()
    proxy = proxied(server)
    proxy.lose(CREATE2)
    m = members(proxy.hosts, path).join("a")
    assert proxy.lost.wait(60)
    token = m.joined()
    assert s.ok(rawzk.exists(f"{path}/a")).czxid == token and proxy.requests[CREATE2] == 1
    m.quit()
    assert "a" not in children(s, path)


@servers
@pytest.mark.parametrize("fate", ["late", "lost"])
def test_a_node_that_is_made_while_leaving_is_deleted(standing, members, proxied, path, backend, fate):
    server = standing(backend)
    s = raw(server)
    members(server.hosts, path).join("other").joined()
    proxy = proxied(server)
    proxy.hold(CREATE2)
    m = members(proxy.hosts, path).join("a")
    assert proxy.held.wait(60)
    m.ask("leave 0", "is out")
    assert children(s, path) == ["a", "other"]
    if fate == "lost":
        proxy.cut()
    proxy.release()
    while s.call(rawzk.exists(f"{path}/a", watch=True)).err == 0:
        s.event()
    m.ask("sync 0", "synced")
    assert not m.said("joined") and proxy.requests[CREATE2] == 1
    m.quit()


@servers
def test_updates_and_deletions_whose_replies_were_lost_are_repeated(standing, members, proxied, path, backend):
    server = standing(backend)
    s = raw(server)
    proxy = proxied(server)
    m = members(proxy.hosts, path, policy="lost").join("a", "old")
    m.joined()
    proxy.lose(SET)
    m.say("update 0 new")
    assert proxy.lost.wait(60)
    m.hear("state RECONNECTED")
    m.ask("update 0 newest", "updates")
    watcher = members(server.hosts, path).group()
    watcher.news("+ a")
    while watcher.list() != ["a=newest"]:
        watcher.news("~")
    assert not m.said("left", "trouble")
    proxy.lose(DELETE)
    m.say("leave 0")
    assert proxy.lost.wait(60)
    wait_until_empty(s, path)
    m.quit()


# --- connections, pauses, sessions ---


@servers
def test_a_lost_connection_is_doubt_for_the_strict_and_nothing_for_the_others(standing, members, proxied, path,
                                                                             backend):
    server = standing(backend)
    proxy = proxied(server)
    watcher = members(server.hosts, path).group()
    strict, patient = members(proxy.hosts, path), members(proxy.hosts, path, policy="lost")
    token, other = strict.join("a").joined(), patient.join("b").joined()
    for _ in range(2):
        proxy.cut()
        assert strict.left()[0] == "CAUCUS_CONNECTIONLOSS"
        assert strict.joined() == token
        patient.hear("state RECONNECTED")
    assert patient.token() == other and not patient.said("left")
    patient.quit()
    watcher.news("- b")
    # The others have noticed nothing.
    assert [line.split()[2:4] for line in watcher.said(" group + ", " group - ", " group ~ ")] == [
        ["+", "a"], ["+", "b"], ["-", "b"]]
    strict.quit()


@pytest.mark.parametrize("policy", ["strict", "lost"])
@servers
def test_a_member_that_hears_nothing_is_out_before_the_others_hear_it(standing, members, proxied, path, backend,
                                                                     policy):
    server = standing(backend)
    proxy = proxied(server)
    m = members(proxy.hosts, path, timeout_ms=TIMEOUT_MS, policy=policy).join("a")
    first = m.joined()
    # A watcher that is told of the end, and says when: it takes the place.
    heir = members(server.hosts, path).join("a", "heir")
    assert heir.hear("trouble")[1] == "CAUCUS_NODEEXISTS"
    proxy.silence()
    why, left_ns = m.left()
    assert why == "CAUCUS_CONNECTIONLOSS" and m.token() == 0
    words = heir.hear("joined")
    assert int(words[1]) > first and int(words[2]) > left_ns
    m.hear("state LOST")
    heir.quit()
    proxy.speak()
    assert m.joined() > int(words[1])
    m.quit()


def test_after_a_session_the_member_is_back_at_once(standing, members, proxied, path):
    """Though its old node still stands: only its own clock has said that the session is over."""
    server = standing("caucusd")
    proxy = proxied(server)
    m = members(proxy.hosts, path, timeout_ms=TIMEOUT_MS).join("a")
    first = m.joined()
    s = raw(server)
    session = s.ok(rawzk.exists(f"{path}/a")).ephemeral_owner
    proxy.silence()
    m.hear("state LOST")
    proxy.speak()
    second = m.joined()
    assert second > first and s.ok(rawzk.exists(f"{path}/a")).ephemeral_owner != session
    m.quit()


def test_a_member_that_was_stopped_for_too_long_knows_it_first_of_all(standing, members, path):
    server = standing("caucusd")
    m = members(server.hosts, path, timeout_ms=TIMEOUT_MS, policy="lost").join("a")
    first = m.joined()
    watcher = members(server.hosts, path).group()
    watcher.news("+ a")
    m.signal(signal.SIGSTOP)
    watcher.news("- a")
    m.say("token 0")
    m.signal(signal.SIGCONT)
    assert m.hear("token")[1] == "0"
    assert m.joined() > first
    assert [line.split()[1] for line in m.said("joined", "left")] == ["joined", "left", "joined"]
    m.quit()


@servers
def test_who_is_killed_is_gone_and_comes_back_under_its_id(standing, members, path, backend):
    server = standing(backend)
    watcher = members(server.hosts, path).group()
    m = members(server.hosts, path).join("a", "first")
    first = m.joined()
    watcher.news("+ a first")
    m.kill()
    end_owner(server, f"{path}/a")
    again = members(server.hosts, path).join("a", "again", how="take")
    assert again.joined() > first
    watcher.news("- a first")
    watcher.news("+ a again")
    again.kill()


@servers
def test_a_member_whose_node_is_deleted_joins_again(standing, members, path, backend):
    server = standing(backend)
    s = raw(server)
    m = members(server.hosts, path).join("a")
    first = m.joined()
    for _ in range(3):
        s.ok(rawzk.delete(f"{path}/a"))
        assert m.left()[0] == "CAUCUS_NONODE"
        second = m.joined()
        assert second > first
        first = second
    # Others may write into it: that is theirs to know.
    s.ok(rawzk.set_data(f"{path}/a", b"theirs"))
    m.ask("sync 0", "synced")
    assert m.token() == first and s.ok(rawzk.get_data(f"{path}/a"))[0] == b"theirs"
    m.quit()


@servers
def test_trouble_is_told_and_ends(standing, members, path, backend):
    server = standing(backend)
    s = raw(server)
    for node in ("/members", path):
        s.call(rawzk.create(node))
    s.ok(rawzk.set_acl(path, [rawzk.Acl(rawzk.READ | rawzk.ADMIN, "world", "anyone")]))
    m = members(server.hosts, path).join("a")
    assert m.hear("trouble")[1] == "CAUCUS_NOAUTH"
    assert m.hear("trouble")[1] == "CAUCUS_NOAUTH"
    s.ok(rawzk.set_acl(path, rawzk.OPEN))
    m.joined()
    m.quit()


# --- what the user does ---


@servers
def test_a_membership_is_closed_at_any_moment(standing, members, path, backend):
    server = standing(backend)
    s = raw(server)
    m = members(server.hosts, path, count=2)
    for _ in range(20):
        m.join("a")
        m.ask("leave 0", "is out")
    m.join("a")
    m.joined()
    m.say("leave 0")
    assert m.left()[0] == "CAUCUS_CLOSING"
    m.hear("is out")
    wait_until_empty(s, path)
    m.join("a", how="closing")
    m.hear("closed in its callback")
    wait_until_empty(s, path)
    m.join("b", number=1)
    m.joined(1)
    m.group(1)
    m.ask("detect 1 100 calls me", "detects", 1)
    m.say("drop 1")
    assert m.left(1)[0] in ("CAUCUS_CLOSING", "CAUCUS_NONODE")  # the end of the session may be told first
    m.hear("is out", 1)
    m.quit()


def test_waiting_ends_with_joining_the_time_or_the_end(standing, members, path):
    server = standing("caucusd")
    m = members(server.hosts, path, count=2)
    m.join("a")
    words = m.ask("await 0 -1", "awaited")
    assert words[1] == "CAUCUS_OK" and int(words[2]) == m.token() > 0
    m.join("a", number=1)
    assert m.ask("await 1 50", "awaited", 1)[1:] == ["CAUCUS_OPERATIONTIMEOUT", "0"]
    m.quit()


# --- who is suspected ---


@servers
def test_suspicion_rises_with_silence_and_falls_with_a_heartbeat(standing, members, path, backend):
    server = standing(backend)
    m = members(server.hosts, path, count=2)
    m.join("peer", number=1)
    m.joined(1)
    m.ask("detect 0 100 calls me", "detects")
    m.hear("appeared peer")
    assert m.ask("beats 0 nobody 1 0", "beats")[1] == "CAUCUS_NONODE"
    assert m.ask("beats 0 peer 20 10", "beats")[1] == "CAUCUS_OK"
    levels = []
    while levels[-1:] != [3]:
        levels.append(int(m.hear("suspected peer")[2]))
    doubted = levels[len(levels) - [0, *levels][::-1].index(0):]  # since the last heartbeat; they may have come late
    assert doubted == sorted(set(doubted))
    assert m.ask("peers 0", "peers")[1:] == ["peer=3"]
    m.say("beats 0 peer 1 0")
    assert m.hear("suspected peer")[2] == "0"
    # Certain is only the end of its session, or that it left.
    m.ask("leave 1", "is out", 1)
    m.hear("gone peer")
    assert m.ask("level 0 peer", "level")[1] == "-101"
    m.quit()


@servers
def test_who_is_killed_is_suspected_before_it_is_gone(standing, members, path, backend):
    server = standing(backend)
    peer = members(server.hosts, path).join("peer")
    peer.joined()
    m = members(server.hosts, path)
    m.join("me")
    m.ask("detect 0 50 data me", "detects")
    m.hear("appeared peer")
    for i in range(5):
        peer.ask(f"update 0 {i}", "updates")
    peer.kill()
    m.hear("suspected peer 3")
    end_owner(server, f"{path}/peer")
    m.hear("gone peer")
    assert m.ask("peers 0", "peers")[1:] == ["me=0"]  # who hears nothing of himself, and knows why
    m.quit()


def test_a_pause_of_the_detectors_is_not_held_against_the_others(standing, members, path):
    server = standing("caucusd")
    clock = members(server.hosts, path, timeout_ms=TIMEOUT_MS).join("clock")
    clock.joined()
    members(server.hosts, path).join("peer").joined()
    watcher = members(server.hosts, path).group()
    watcher.news("+ clock")
    m = members(server.hosts, path)
    m.ask("detect 0 100 calls me", "detects")
    m.hear("appeared peer")
    m.ask("beats 0 peer 101 10", "beats")  # the last of them in a second from now
    m.signal(signal.SIGSTOP)
    clock.kill()
    watcher.news("- clock")  # that takes two
    m.say("level 0 peer")
    m.signal(signal.SIGCONT)
    assert m.hear("level")[1] == "0"
    # After which it counts again.
    m.hear("suspected peer 1")
    m.quit()
