"""Caches of nodes, children and trees against real servers, with persistent watches and without.

What a cache tells is applied here to a mirror: nothing may be told twice, nothing before its parent, nothing
that is not so. In the end mirror, cache and server must be the same.
"""

import itertools
import random
import threading

import pytest
import rawzk
from expire import end_session
from talk import Talk, everywhere, servers

LONG_TIMEOUT_MS = 30000
ADD_WATCH, EXISTS, GET, GET_CHILDREN = 106, 3, 4, 8
NOT_READABLE = [rawzk.Acl(rawzk.ALL & ~rawzk.READ, "world", "anyone")]

ways = pytest.mark.parametrize("way", ["recursive", "one by one"])


class Cache(Talk):
    def __init__(self, hosts, path, scope, bytes_max=0, timeout_ms=LONG_TIMEOUT_MS):
        super().__init__("cache_talk", hosts, timeout_ms, path, scope, bytes_max)
        self.path, self.scope = path, scope
        self.mirror = {}
        self.news = []
        self._applied = 0

    def hear(self, wanted, number=0):
        words = super().hear(wanted, number)
        for line in self.heard[self._applied:]:
            self._apply(line.split(" ")[1:])
        self._applied = len(self.heard)
        return words

    def _apply(self, words):
        kind, path = (words + ["", ""])[:2]
        assert kind not in ("WRONG", "AddressSanitizer:", "ThreadSanitizer:"), words
        if kind not in ("added", "changed", "removed"):
            return
        self.news.append(" ".join(words))
        parent = path.rpartition("/")[0]
        if kind == "added":
            assert path not in self.mirror, f"{path} added twice"
            assert path == self.path or self.scope == "children" or parent in self.mirror, f"{path} before its parent"
        else:
            assert path in self.mirror, f"{path} {kind} and was not there"
        if kind == "changed":
            assert words[4] == self.mirror[path], words
        if kind == "removed":
            assert words[3] == self.mirror.pop(path), words
            assert not [p for p in self.mirror if p.startswith(path + "/")], f"{path} before what is below it"
        else:
            self.mirror[path] = words[3]

    def open(self, how=""):
        assert self.ask(f"open {how}", "opened")[1] == "CAUCUS_OK"
        return self

    def take_news(self):
        news, self.news = self.news, []
        return news

    def all(self):
        words = self.ask("all", "all")
        return dict(word.split("=") for word in words[1:])

    def check(self, expected):
        assert self.mirror == expected
        assert self.all() == expected


@pytest.fixture
def cached(proxied):
    """A cache behind a proxy; `way` says whether the server knows persistent watches."""
    started = []

    def start(server, path, scope, way="recursive", **kwargs):
        proxy = proxied(server)
        if way == "one by one":
            proxy.forget(ADD_WATCH)
        started.append(Cache(proxy.hosts, path, scope, **kwargs))
        return started[-1], proxy

    yield start
    for c in started:
        c.kill()


_numbers = itertools.count()


@pytest.fixture
def path():
    return f"/caches-{next(_numbers)}"


def raw(server):
    return server.session(timeout_s=60, timeout_ms=60000)


def tree_of(s, path):
    """Path to data, of a node and all below it."""
    reply = s.call(rawzk.get_data(path))
    if reply.err:
        return {}
    found = {path: rawzk.decode(rawzk.get_data(path), reply)[0].decode()}
    for name in s.ok(rawzk.get_children(path)):
        found.update(tree_of(s, f"{path}/{name}"))
    return found


def delete_all(s, path):
    for p in reversed(tree_of(s, path)):
        s.ok(rawzk.delete(p))


def away(proxy):
    """Whatever happens now, the client does not hear of it ..."""
    proxy.silence()


def back(proxy):
    """... until it comes back, when its connection is another."""
    proxy.cut()
    proxy.speak()


# --- what is told ---


@ways
@everywhere
def test_a_tree_is_followed(standing, cached, path, backend, way):
    server = standing(backend)
    s = raw(server)
    c, proxy = cached(server, path, "tree", way)
    c.open().hear(f"ready {path}")
    assert c.take_news() == [] and c.ask("is", "is") == ["is", "1"]
    for op, told in (
        (rawzk.create(path, b"root"), f"added {path} 0 root"),
        (rawzk.create(f"{path}/a", b"one"), f"added {path}/a 0 one"),
        (rawzk.create(f"{path}/a/b", b""), f"added {path}/a/b 0 "),
        (rawzk.set_data(f"{path}/a", b"two"), f"changed {path}/a 1 two one"),
        (rawzk.set_data(f"{path}/a", b"two"), f"changed {path}/a 2 two two"),
        (rawzk.create(f"{path}/a-b", b"x", flags=rawzk.EPHEMERAL), f"added {path}/a-b 0 x"),
        (rawzk.delete(f"{path}/a/b"), f"removed {path}/a/b 0 "),
        (rawzk.set_data(path, b"new"), f"changed {path} 1 new root"),
    ):
        s.ok(op)
        c.hear(told)
        assert c.take_news() == [told]
    c.check({path: "new", f"{path}/a": "two", f"{path}/a-b": "x"})
    assert c.ask(f"get {path}/a", "got") == ["got", "CAUCUS_OK", "2", "two"]
    assert c.ask(f"get {path}/b", "got") == ["got", "CAUCUS_NONODE"]
    assert c.ask("children .", "children") == ["children", "CAUCUS_OK", "a", "a-b"]
    assert c.ask(f"children {path}/a", "children") == ["children", "CAUCUS_OK"]
    assert c.ask(f"children {path}/b", "children") == ["children", "CAUCUS_NONODE"]
    delete_all(s, path)
    c.hear(f"removed {path} 1 new")
    c.check({})
    s.ok(rawzk.create(path, b"again"))
    c.hear(f"added {path} 0 again")
    assert (proxy.requests[ADD_WATCH], c.ask("await -1", "await")[1]) == (1, "CAUCUS_OK")
    c.quit()


@ways
@servers
def test_children_are_followed_and_nothing_else(standing, cached, path, backend, way):
    server = standing(backend)
    s = raw(server)
    for p in ("", "/a", "/a/deep", "/b"):
        s.ok(rawzk.create(path + p, b"1"))
    c, _ = cached(server, path, "children", way)
    c.open().hear("ready")
    c.check({f"{path}/a": "1", f"{path}/b": "1"})
    s.ok(rawzk.set_data(path, b"2"))
    s.ok(rawzk.set_data(f"{path}/a/deep", b"2"))
    s.ok(rawzk.create(f"{path}/b/deep", b"2"))
    s.ok(rawzk.set_data(f"{path}/b", b"2"))
    c.hear(f"changed {path}/b 1 2 1")
    s.ok(rawzk.create(f"{path}/c", b"2"))
    c.hear(f"added {path}/c 0 2")
    c.check({f"{path}/a": "1", f"{path}/b": "2", f"{path}/c": "2"})
    assert c.ask("children .", "children") == ["children", "CAUCUS_OK", "a", "b", "c"]
    assert c.ask(f"get {path}", "got") == ["got", "CAUCUS_NONODE"]
    assert c.ask(f"children {path}/a", "children") == ["children", "CAUCUS_NONODE"]
    delete_all(s, path)
    while c.mirror:
        c.hear("removed")
    assert c.ask("children .", "children")[1] in ("CAUCUS_OK", "CAUCUS_NONODE")
    s.ok(rawzk.create(path))
    s.ok(rawzk.create(f"{path}/a", b"3"))
    c.hear(f"added {path}/a 0 3")
    c.quit()


@ways
@everywhere
def test_a_root_made_again_under_a_list_in_flight(standing, cached, path, backend, way):
    server = standing(backend)
    s = raw(server)
    s.ok(rawzk.create(path, b"old"))
    c, proxy = cached(server, path, "tree", way)
    c.open().hear("ready")
    made_again = []

    def make_again():
        """Before the list, which answers for the new node while none is known to be there."""
        if not made_again:
            made_again.append(path)
            with raw(server) as other:
                delete_all(other, path)
                other.ok(rawzk.create(path, b"new"))
                other.ok(rawzk.create(f"{path}/below", b"new"))

    proxy.foil(GET_CHILDREN if way == "one by one" else GET, make_again)
    s.ok(rawzk.create(f"{path}/first"))
    c.hear(f"added {path}/below 0 new")
    assert made_again
    c.check({path: "new", f"{path}/below": "new"})
    s.ok(rawzk.create(f"{path}/later", b"new"))
    c.hear(f"added {path}/later 0 new")
    assert (c.ask("is", "is")[1], proxy.requests[ADD_WATCH]) == ("1", 1)
    c.quit()


@ways
@servers
def test_a_node_is_followed(standing, cached, path, backend, way):
    server = standing(backend)
    s = raw(server)
    c, proxy = cached(server, path, "node", way)
    c.open().hear("ready")
    for _ in range(3):
        s.ok(rawzk.create(path, b"1"))
        c.hear(f"added {path} 0 1")
        s.ok(rawzk.create(f"{path}/child"))
        s.ok(rawzk.set_data(path, b"2"))
        c.hear(f"changed {path} 1 2 1")
        c.check({path: "2"})
        delete_all(s, path)
        c.hear(f"removed {path} 1 2")
    assert proxy.requests[GET_CHILDREN] == 0
    c.quit()


# --- connections and sessions ---


@ways
@everywhere
def test_after_a_reconnection_the_differences_are_told(standing, cached, path, backend, way):
    server = standing(backend)
    s = raw(server)
    s.ok(rawzk.create(path, b"root"))
    for p in ("/same", "/set", "/gone", "/gone/below", "/again", "/again/below"):
        s.ok(rawzk.create(path + p, b"old"))
    c, proxy = cached(server, path, "tree", way)
    c.open().hear("ready")
    c.take_news()
    before = +proxy.requests
    away(proxy)
    s.ok(rawzk.set_data(f"{path}/set", b"new"))
    delete_all(s, f"{path}/gone")
    delete_all(s, f"{path}/again")
    s.ok(rawzk.create(f"{path}/again", b"new"))
    s.ok(rawzk.create(f"{path}/made", b"new"))
    s.ok(rawzk.create(f"{path}/made/below", b"new"))
    proxy.cut()
    c.hear("passed SUSPENDED")
    assert c.ask("is", "is") == ["is", "0"]
    proxy.speak()
    c.hear("ready")
    assert sorted(c.take_news()) == [
        f"added {path}/again 0 new", f"added {path}/made 0 new", f"added {path}/made/below 0 new",
        f"changed {path}/set 1 new old",
        f"removed {path}/again 0 old", f"removed {path}/again/below 0 old",
        f"removed {path}/gone 0 old", f"removed {path}/gone/below 0 old"]
    c.check(tree_of(s, path))
    read = proxy.requests - before
    if way == "recursive":
        assert read[GET] == 4 and read[EXISTS] == 4 and read[GET_CHILDREN] == 2, dict(read)
    else:
        assert read[EXISTS] == 1, dict(read)
    c.quit()


@ways
@everywhere
def test_children_that_were_asked_for_and_are_gone_when_it_is_back(standing, cached, path, backend, way):
    server = standing(backend)
    s = raw(server)
    s.ok(rawzk.create(path, b"1"))
    s.ok(rawzk.create(f"{path}/child"))
    c, proxy = cached(server, path, "tree", way)
    proxy.hold(GET_CHILDREN)
    c.open()
    assert proxy.held.wait(60)
    s.ok(rawzk.delete(f"{path}/child"))
    proxy.cut()
    proxy.release()
    c.hear("ready")
    c.check({path: "1"})
    s.ok(rawzk.create(f"{path}/child", b"2"))
    c.hear(f"added {path}/child 0 2")
    assert c.ask("is", "is") == ["is", "1"]
    c.quit()


@ways
@everywhere
def test_after_the_end_of_a_session_the_differences_are_told(standing, cached, path, backend, way):
    server = standing(backend)
    s = raw(server)
    for p in ("", "/same", "/set"):
        s.ok(rawzk.create(path + p, b"old"))
    c, proxy = cached(server, path, "tree", way)
    c.open().hear("ready")
    c.take_news()
    for n in range(2):
        end_session(server, c)
        s.ok(rawzk.set_data(f"{path}/set", b"%d" % n))
        c.hear("state LOST")
        c.hear("ready")
        assert [news.split()[:2] for news in c.take_news()] == [["changed", f"{path}/set"]]
        c.check(tree_of(s, path))
    s.ok(rawzk.create(f"{path}/made", b"new"))
    c.hear(f"added {path}/made 0 new")
    assert proxy.requests[ADD_WATCH] == 3
    c.quit()


@ways
@servers
def test_whatever_happens_cache_and_server_become_the_same(standing, cached, path, backend, way):
    server = standing(backend)
    s = raw(server)
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    s.ok(rawzk.create(path, b"0"))
    c, proxy = cached(server, path, "tree", way)
    c.open()
    c.say("look 3")
    for step in range(300):
        parts = [chance.choice("abc") for _ in range(chance.randrange(4))]
        at = "/".join([path, *parts])
        s.call(chance.choice([
            rawzk.create(at, b"%d" % step), rawzk.create(at, b"%d" % step), rawzk.set_data(at, b"%d" % step),
            rawzk.set_data(path, b"%d" % step), rawzk.delete(at)]))
        if step % 100 == 50:
            proxy.cut()
        if step == 170:
            end_session(server, c)
    away(proxy)
    s.call(rawzk.set_data(path, b"last"))
    back(proxy)
    expected = tree_of(s, path)
    while c.mirror != expected or c.ask("is", "is")[1] != "1":
        c.hear("")
    c.check(expected)
    looked, wrong = map(int, c.ask("enough", "looked")[1:])
    assert looked > 0 and wrong == 0
    c.quit()


# --- bounds and refusals ---


@ways
def test_reads_in_flight_are_bounded(standing, cached, path, way):
    server = standing("caucusd")
    s = raw(server)
    s.ok(rawzk.create(path))
    for first in range(0, 2000, 200):
        s.ok(rawzk.multi(*(rawzk.create(f"{path}/{n}", b"x") for n in range(first, first + 200))))
    c, proxy = cached(server, path, "tree", way)
    are_many = threading.Event()

    def look():
        if proxy.requests[GET] == 2:
            proxy.hold(GET)  # the next one's answer, and all behind it
        if proxy.in_flight >= 128:
            are_many.set()

    proxy.foil(GET, look)
    c.open()
    assert are_many.wait(60)
    proxy.release()
    c.hear("ready")
    assert len(c.mirror) == 2001
    assert proxy.most_in_flight <= 256
    c.quit()


@ways
@servers
def test_what_may_not_be_read_hides_what_is_below_it(standing, cached, path, backend, way):
    server = standing(backend)
    s = raw(server)
    for p in ("", "/open", "/shut", "/shut/below"):
        s.ok(rawzk.create(path + p, b"1"))
    s.ok(rawzk.set_acl(f"{path}/shut", NOT_READABLE))
    c, proxy = cached(server, path, "tree", way)
    c.open().hear(f"trouble {path}/shut CAUCUS_NOAUTH")
    c.hear("ready")
    c.check({path: "1", f"{path}/open": "1"})
    s.ok(rawzk.set_acl(f"{path}/shut", rawzk.OPEN))
    if way == "recursive":
        s.ok(rawzk.set_data(f"{path}/shut", b"2"))
        c.hear(f"added {path}/shut/below 0 1")
    else:
        end_session(server, c)
        c.hear("state LOST")
        c.hear("ready")
    c.check(tree_of(s, path))
    c.quit()


@ways
@servers
def test_children_that_could_not_be_listed_are_listed_when_the_node_changes(standing, cached, path, backend, way):
    server = standing(backend)
    s = raw(server)
    for p in ("", "/p", "/p/c"):
        s.ok(rawzk.create(path + p, b"1"))
    c, proxy = cached(server, path, "tree", way)
    lists = []

    def shut():
        """Between the node's data and its list."""
        lists.append(len(lists))
        if len(lists) == 2:
            with raw(server) as other:
                other.ok(rawzk.set_acl(f"{path}/p", NOT_READABLE))

    proxy.foil(GET_CHILDREN, shut)
    c.open().hear(f"trouble {path}/p CAUCUS_NOAUTH")
    c.hear("ready")
    c.check({path: "1", f"{path}/p": "1"})
    s.ok(rawzk.set_acl(f"{path}/p", rawzk.OPEN))
    s.ok(rawzk.set_data(f"{path}/p", b"2"))
    c.hear(f"added {path}/p/c 0 1")
    c.quit()


def test_a_root_that_may_not_be_read_is_waited_for_one_by_one(standing, cached, path):
    """On servers whose exists asks for no right, as those that have no persistent watches."""
    server = standing("apache38")
    s = raw(server)
    s.ok(rawzk.create(path, b"1"))
    c, proxy = cached(server, path, "tree", "one by one")
    c.open().hear("ready")
    shut = []

    def shut_once():
        if not shut:
            shut.append(path)
            with raw(server) as other:
                other.ok(rawzk.set_acl(path, NOT_READABLE))

    proxy.foil(GET, shut_once)
    s.ok(rawzk.set_data(path, b"2"))
    c.hear(f"trouble {path} CAUCUS_NOAUTH")
    c.check({})
    s.ok(rawzk.set_acl(path, rawzk.OPEN))
    s.ok(rawzk.set_data(path, b"3"))
    while c.mirror != {path: "3"}:  # it may be read between the two
        c.hear("")
    c.quit()


def test_what_does_not_fit_one_by_one_is_read_when_it_changes(standing, cached, path):
    server = standing("caucusd")
    s = raw(server)
    s.ok(rawzk.create(path, b"root"))
    s.ok(rawzk.create(f"{path}/big", b"x" * 100000))
    c, _ = cached(server, path, "tree", "one by one", bytes_max=20000)
    c.open().hear(f"trouble {path}/big CAUCUS_TOOBIG")
    c.hear("ready")
    for n in range(3):
        s.ok(rawzk.create(f"{path}/{n}", b"sibling"))
        c.hear(f"added {path}/{n} 0 sibling")
    s.ok(rawzk.set_data(f"{path}/big", b"fits"))
    c.hear(f"added {path}/big 1 fits")
    s.ok(rawzk.delete(f"{path}/big"))
    c.hear(f"removed {path}/big 1 fits")
    c.ask("close", "closed")
    c.ask("sync", "synced")
    assert f"{path}" not in server.four_letter("wchp")
    c.quit()


@everywhere
def test_a_session_at_a_server_that_knows_less(standing, cached, path, backend):
    """Persistent watches in one session, one by one in the next."""
    server = standing(backend)
    s = raw(server)
    for p in ("", "/a", "/a/b"):
        s.ok(rawzk.create(path + p, b"1"))
    c, proxy = cached(server, path, "tree")
    c.open().hear("ready")
    proxy.forget(ADD_WATCH)
    end_session(server, c)
    c.hear("state LOST")
    c.hear("ready")
    s.ok(rawzk.set_data(f"{path}/a/b", b"2"))
    c.hear(f"changed {path}/a/b 1 2 1")
    s.ok(rawzk.create(f"{path}/a/new", b"3"))
    c.hear(f"added {path}/a/new 0 3")
    c.check(tree_of(s, path))
    c.quit()


def test_what_does_not_fit_is_left_out(standing, cached, path):
    server = standing("caucusd")
    s = raw(server)
    s.ok(rawzk.create(path, b"root"))
    s.ok(rawzk.create(f"{path}/big", b"x" * 100000))
    s.ok(rawzk.create(f"{path}/small", b"s"))
    c, _ = cached(server, path, "tree", bytes_max=20000)
    c.open().hear(f"trouble {path}/big CAUCUS_TOOBIG")
    c.hear("ready")
    c.check({path: "root", f"{path}/small": "s"})
    s.ok(rawzk.set_data(f"{path}/small", b"s" * 30000))
    c.hear(f"trouble {path}/small CAUCUS_TOOBIG")
    c.check({path: "root"})
    s.ok(rawzk.set_data(f"{path}/big", b"fits"))
    c.hear(f"added {path}/big 1 fits")
    for n in range(100):
        s.ok(rawzk.create(f"{path}/{n}", b"x" * 100))
    while c.hear("")[0] != "trouble":
        pass
    assert 20 < len(c.mirror) < 60
    c.quit()


# --- what the user does ---


@ways
@everywhere
def test_a_cache_is_closed_at_any_moment_and_leaves_nothing(standing, cached, path, backend, way):
    server = standing(backend)
    s = raw(server)
    s.ok(rawzk.create(path))
    for n in range(50):
        s.ok(rawzk.create(f"{path}/{n}", b"x"))
    c, _ = cached(server, path, "tree", way)
    for _ in range(5):
        c.open().ask("close", "closed")
        c.mirror.clear()
    c.open().hear("ready")
    c.check(tree_of(s, path))
    c.ask("close", "closed")
    c.mirror.clear()
    while f"\n\t{path}" in server.four_letter("wchp") or f"{path}" in server.four_letter("wchp"):
        c.ask("sync", "synced")
    s.ok(rawzk.set_data(path, b"unheard"))
    c.ask("sync", "synced")
    assert c.take_news()[-1].startswith("added")
    c.quit()


def test_a_cache_is_closed_in_its_callback_and_outlives_its_client(standing, cached, path):
    server = standing("caucusd")
    s = raw(server)
    s.ok(rawzk.create(path, b"1"))
    c, _ = cached(server, path, "node")
    c.open("closing").hear("ready")
    s.ok(rawzk.set_data(path, b"2"))
    c.ask("sync", "synced")
    assert c.take_news() == [f"added {path} 0 1"]
    c.mirror.clear()
    c.open().hear("ready")
    c.ask("leave", "left")
    c.quit()


def test_waiting_for_a_cache_ends(standing, cached, path):
    server = standing("caucusd")
    c, proxy = cached(server, path, "node")
    away(proxy)
    c.open()
    assert c.ask("await 50", "await")[1] == "CAUCUS_OPERATIONTIMEOUT"
    back(proxy)
    assert c.ask("await -1", "await")[1] == "CAUCUS_OK"
    c.quit()
