"""Locks and semaphores of libcaucus against real servers. What a taker hears is waited for, never guessed."""

import itertools
import signal

import pytest
import rawzk
from expire import end_owner
from kazoo.client import KazooClient
from talk import Talk, wait_for_children

CONFIG = {"tickTime": 200, "maxClientCnxns": 0, "maxSessionTimeout": 60000}
TIMEOUT_MS = 2000
LONG_TIMEOUT_MS = 30000
CREATE2, DELETE, GET, SET, GET_CHILDREN = 15, 2, 4, 5, 8

policies = pytest.mark.parametrize("policy", ["strict", "lost"])


class Takers(Talk):
    """A lock_talk."""

    def __init__(self, hosts, timeout_ms=LONG_TIMEOUT_MS, policy="strict", count=1):
        super().__init__("lock_talk", hosts, timeout_ms, policy, count)

    def acquire(self, path, number=0, kind="mutex", how=""):
        answer = self.ask(f"acquire {number} {kind} {path} {how}", "acquires", number)[1]
        assert answer == "CAUCUS_OK", answer
        return self

    def held(self, number=0):
        """(token, when, path) of the lock that is held now."""
        words = self.hear("held", number)
        return int(words[1]), int(words[2]), words[3]

    def lost(self, number=0):
        """(token, why, when)"""
        words = self.hear("lost", number)
        return int(words[1]), words[2], int(words[3])

    def tokens(self, number=0):
        return [int(word) for word in self.ask(f"tokens {number}", "tokens", number)[1:]]

    def release(self, number=0):
        self.ask(f"release {number}", "released", number)

    def never(self, word):
        assert not [line for line in self.heard if line.split()[1:2] == [word]], self.heard


@pytest.fixture
def takers():
    started = []

    def start(*args, **kwargs):
        started.append(Takers(*args, **kwargs))
        return started[-1]

    yield start
    for t in started:
        t.kill()


@pytest.fixture(params=["caucusd", "apache39"])
def server(request, standing):
    return standing(request.param)


@pytest.fixture(params=["caucusd", "apache38", "apache39"])
def any_server(request, standing):
    """Also the oldest release: for one story of each kind of lock, since none asks for anything that releases
    understand differently."""
    return standing(request.param)


@pytest.fixture
def own(start_server):
    return start_server(CONFIG, backend="caucusd")


_numbers = itertools.count()


@pytest.fixture
def path():
    return f"/locks{next(_numbers)}"


def raw(server):
    return server.session(timeout_s=60, timeout_ms=60000)


def make(s, path):
    s.ok(rawzk.create(path))
    return path


def name_of(path):
    return path.rpartition("/")[2]


# --- a mutex ---


def test_a_mutex_is_held_by_one_after_the_other(any_server, takers, path):
    s = raw(any_server)
    make(s, path)
    t = takers(any_server.hosts, count=4)
    for number in range(4):
        t.acquire(path, number)
        wait_for_children(s, number + 1, path)
    last = 0
    for number in range(4):
        token, _, node = t.held(number)
        assert token > last and s.ok(rawzk.exists(node)).czxid == token
        assert node.startswith(f"{path}/_c_") and name_of(node)[-15:-10] == "lock-"
        assert s.ok(rawzk.get_data(node))[0] == str(number).encode()
        assert [t.tokens(n)[0] for n in range(number, 4)] == [token] + [0] * (3 - number)
        last = token
        t.say(f"release {number}")
        assert t.lost(number)[:2] == (token, "CAUCUS_CLOSING")
    wait_for_children(s, 0, path)
    t.quit()


def test_a_release_wakes_one_of_many(own, takers, proxied, path):
    many = 150
    s = raw(own)
    make(s, path)
    holder = takers(own.hosts).acquire(path)
    token, _, _ = holder.held()
    proxy = proxied(own)
    crowd = takers(proxy.hosts, count=many)
    for number in range(many):
        crowd.acquire(path, number)
    wait_for_children(s, many + 1, path)
    while proxy.requests[GET] < 2 * many:
        crowd.ask("sync", "synced", None)
    crowd.ask("sync", "synced", None)
    before = +proxy.requests
    assert proxy.notifications == 0
    holder.release()
    number = crowd.hear_any("held")
    assert crowd.tokens(number)[0] > token
    crowd.ask("sync", "synced", None)
    after = proxy.requests - before
    assert proxy.notifications == 1
    assert after[GET_CHILDREN] == 1 and after[GET] == 0 and after[CREATE2] == 0


def test_only_if_free_fails_at_once(server, takers, path):
    s = raw(server)
    t = takers(server.hosts, count=2)
    t.acquire(path, 0, how="free").held(0)
    t.acquire(path, 1, how="free")
    assert t.hear("failed", 1)[1] == "CAUCUS_OPERATIONTIMEOUT"
    assert t.ask("await 1 -1", "await", 1)[1:] == ["CAUCUS_OPERATIONTIMEOUT", "0"]
    wait_for_children(s, 1, path)
    t.never("lost")
    t.release(1)
    assert t.tokens(0)[0] > 0
    t.quit()


def test_waiting_ends_with_the_lock_the_time_or_the_release(own, takers, proxied, path):
    proxy = proxied(own)
    t = takers(proxy.hosts, count=2)
    t.acquire(path)
    token = int(t.ask("await 0 -1", "await", 0)[2])
    assert token > 0 and t.tokens(0) == [token]
    t.acquire(path, 1)
    assert t.ask("await 1 50", "await", 1)[1:] == ["CAUCUS_OPERATIONTIMEOUT", "0"]
    proxy.cut()
    assert t.lost(0)[1] == "CAUCUS_CONNECTIONLOSS"
    assert t.ask("await 0 -1", "await", 0)[1:] == ["CAUCUS_CONNECTIONLOSS", "0"]
    t.quit()


@pytest.mark.parametrize("kind", ["mutex", "leases:1"])
@pytest.mark.parametrize("bad", ["/", "app", "/app/", "app/x"])
def test_what_is_no_path_is_refused(own, takers, kind, bad):
    t = takers(own.hosts)
    assert t.ask(f"acquire 0 {kind} {bad}", "acquires")[1] == "CAUCUS_BADARGUMENTS"
    t.quit()


# --- replies that are lost, nodes that are late ---


def test_a_creation_whose_reply_was_lost_is_found_and_not_doubled(server, takers, proxied, path):
    s = raw(server)
    make(s, path)
    proxy = proxied(server)
    proxy.lose(CREATE2)
    t = takers(proxy.hosts).acquire(path)
    assert proxy.lost.wait(60)
    token, _, node = t.held()
    assert wait_for_children(s, 1, path) == [name_of(node)]
    assert s.ok(rawzk.exists(node)).czxid == token and proxy.requests[CREATE2] == 1
    t.quit()


@pytest.mark.parametrize("then", ["cut", "release"])
def test_a_node_that_is_made_while_releasing_is_deleted(server, takers, proxied, path, then):
    s = raw(server)
    make(s, path)
    proxy = proxied(server)
    proxy.hold(CREATE2)
    t = takers(proxy.hosts).acquire(path)
    assert proxy.held.wait(60)
    t.release()
    assert len(s.ok(rawzk.get_children(path))) == 1
    if then == "cut":
        proxy.cut()
    proxy.release()
    wait_for_children(s, 0, path)
    assert proxy.requests[CREATE2] == 1
    t.never("held")
    t.quit()


def test_a_deletion_whose_reply_was_lost_is_repeated_and_nothing_else_deleted(server, takers, proxied, path):
    s = raw(server)
    proxy = proxied(server)
    t = takers(proxy.hosts, count=2)
    first, _, _ = t.acquire(path).held()
    proxy.lose(DELETE)
    t.release()
    assert proxy.lost.wait(60)
    t.acquire(path, 1)
    second, _, node = t.held(1)
    assert second > first
    t.ask("sync", "synced", None)
    assert s.ok(rawzk.get_children(path)) == [name_of(node)]
    t.quit()


@pytest.mark.parametrize("kind", ["mutex", "several"])
def test_a_reply_that_is_lost_at_any_step_makes_no_difference(server, takers, proxied, path, kind):
    s = raw(server)
    proxy = proxied(server)
    t = takers(proxy.hosts, policy="lost")
    paths = several(path) if kind == "several" else path
    t.acquire(paths).held()
    t.release()
    last = 0
    for op in (CREATE2, GET, GET_CHILDREN, DELETE):
        proxy.lose(op)
        t.acquire(paths)
        token, _, node = t.held()
        assert token > last
        last = token
        parent = node.rpartition("/")[0]
        t.release()
        assert proxy.lost.wait(60)
        wait_for_children(s, 0, parent)
    t.never("trouble")
    t.quit()


def test_two_never_hold_at_once_while_connections_are_lost(own, takers, proxied, path):
    s = raw(own)
    proxies = [proxied(own) for _ in range(4)]
    them = []
    for number, proxy in enumerate(proxies, 1):
        them.append(takers(proxy.hosts).acquire(path))
        wait_for_children(s, number, path)
    times = []
    for turn in range(24):
        holder = turn % 4
        token, began_ns, _ = them[holder].held()
        wait_for_children(s, 4, path)
        if turn % 3 == 0:
            proxies[holder].lose(DELETE)
        if turn % 3 == 1:
            proxies[holder].cut()
        else:
            them[holder].say("release 0")
        same, _, ended_ns = them[holder].lost()
        assert same == token
        times.append((began_ns, ended_ns, token))
        if turn % 3 == 1:
            them[holder].say("release 0")
        them[holder].hear("released")
        them[holder].acquire(path)
    for before, after in itertools.pairwise(times):
        assert before[1] < after[0] and before[2] < after[2]
    for t in them:
        t.never("trouble")


# --- connections, pauses, sessions ---


def test_a_lost_connection_ends_what_the_strict_hold(server, takers, proxied, path):
    s = raw(server)
    proxy = proxied(server)
    t = takers(proxy.hosts, count=2)
    token, _, _ = t.acquire(path).held()
    t.acquire(path, 1)
    wait_for_children(s, 2, path)
    proxy.cut()
    lost, held = t.hear_all(["0 lost", "1 held"])
    assert lost[2:4] == [str(token), "CAUCUS_CONNECTIONLOSS"]
    assert int(held[2]) > token and t.tokens(0) == [0]
    # It is not queued again by itself.
    t.ask("sync", "synced", None)
    assert wait_for_children(s, 1, path) == [name_of(held[4])]
    t.quit()


def test_a_lost_connection_that_comes_back_does_no_harm_to_the_others(server, takers, proxied, path):
    proxy = proxied(server)
    t = takers(proxy.hosts, policy="lost")
    token, _, _ = t.acquire(path).held()
    for _ in range(3):
        proxy.cut()
        t.hear("state SUSPENDED")
        t.hear("state RECONNECTED")
        assert t.tokens() == [token]
    t.never("lost")
    t.quit()


@pytest.mark.parametrize("kind", ["mutex", "write", "leases:1"])
def test_when_a_holder_is_killed_the_next_holds(own, takers, path, kind):
    dying = takers(own.hosts).acquire(path, kind=kind)
    token, _, node = dying.held()
    t = takers(own.hosts).acquire(path, kind=kind)
    dying.kill()
    end_owner(own, node)
    assert t.held()[0] > token
    t.quit()


@policies
@pytest.mark.parametrize("kind", ["mutex", "leases:1"])
def test_a_holder_that_hears_nothing_ends_before_the_next_begins(own, takers, proxied, path, policy, kind):
    proxy = proxied(own)
    old = takers(proxy.hosts, timeout_ms=TIMEOUT_MS, policy=policy).acquire(path, kind=kind)
    first, _, _ = old.held()
    new = takers(own.hosts, policy=policy).acquire(path, kind=kind)
    proxy.silence()
    token, why, ended_ns = old.lost()
    assert (token, why) == (first, "CAUCUS_CONNECTIONLOSS") and old.tokens() == [0]
    second, began_ns, _ = new.held()
    assert second > first and ended_ns < began_ns
    new.quit()


@policies
def test_a_holder_that_was_stopped_for_too_long_knows_it_first_of_all(own, takers, path, policy):
    old = takers(own.hosts, timeout_ms=TIMEOUT_MS, policy=policy).acquire(path)
    first, _, _ = old.held()
    new = takers(own.hosts, policy=policy).acquire(path)
    old.signal(signal.SIGSTOP)
    second, _, _ = new.held()
    assert second > first
    old.say("tokens 0")
    old.signal(signal.SIGCONT)
    assert old.hear("tokens")[1] == "0"
    old.hear("state RECONNECTED")
    news = [line for line in old.heard if line.split()[1] in ("held", "lost")]
    assert len(news) == 2 and news[1].startswith(f"0 lost {first} CAUCUS_")
    assert len(wait_for_children(raw(own), 1, path)) == 1
    new.quit()
    old.quit()


def test_who_waits_takes_a_new_place_when_his_session_ends(own, takers, path):
    t = takers(own.hosts, timeout_ms=TIMEOUT_MS, policy="lost", count=2)
    first, _, _ = t.acquire(path).held()
    t.acquire(path, 1)
    wait_for_children(raw(own), 2, path)
    own.kill()
    assert t.lost(0)[0] == first
    t.hear_all(["0 state LOST", "1 state LOST"])
    own.start()
    token, _, node = t.held(1)
    assert token > first
    assert wait_for_children(raw(own), 1, path) == [name_of(node)]
    t.quit()


def test_a_lock_whose_node_is_deleted_is_lost_and_a_waiter_queues_again(server, takers, path):
    s = raw(server)
    t = takers(server.hosts, count=2)
    first, _, node = t.acquire(path).held()
    t.acquire(path, 1)
    waiting = wait_for_children(s, 2, path)[1]
    s.ok(rawzk.delete(f"{path}/{waiting}"))
    assert wait_for_children(s, 2, path)[0] == name_of(node)
    s.ok(rawzk.delete(node))
    lost, held = t.hear_all(["0 lost", "1 held"])
    assert lost[2:4] == [str(first), "CAUCUS_NONODE"] and int(held[2]) > first
    wait_for_children(s, 1, path)
    t.quit()


# --- what the user does ---


def watches(server):
    return int(dict(line.split("\t") for line in server.four_letter("mntr").splitlines())["zk_watch_count"])


@pytest.mark.parametrize("kind", ["mutex", "read", "several", "leases:1"])
def test_no_watch_is_left_behind(start_server, takers, path, kind):
    server = start_server({**CONFIG, "4lw.commands.whitelist": "*"}, backend="caucusd")
    kind, paths = ("mutex", several(path)) if kind == "several" else (kind, path)
    t = takers(server.hosts, count=3)
    for _ in range(5):
        for number in range(3):
            t.acquire(paths, number, "write" if kind == "read" and number != 1 else kind)
            if number == 0:
                t.held(0)
        t.release(1)  # who waits, or is about to
        t.release(0)
        t.held(2)
        t.release(2)
    s = raw(server)
    for parent in {"several": [f"{path}/{x}" for x in "abc"], "leases:1": [f"{path}/leases", f"{path}/locks"]}.get(
            "several" if "," in paths else kind, [path]):
        wait_for_children(s, 0, parent)
    s.close_session()
    t.ask("sync", "synced", None)
    assert watches(server) == 0
    t.quit()


@pytest.mark.parametrize("kind", ["mutex", "read", "leases:2"])
def test_a_lock_is_released_at_any_moment(server, takers, path, kind):
    s = raw(server)
    place = f"{path}/leases" if ":" in kind else path
    t = takers(server.hosts, count=2)
    for _ in range(20):
        t.acquire(path, kind=kind)
        t.release()
    t.acquire(path, kind=kind)
    token, _, _ = t.held()
    t.acquire(path, 1, kind="write" if kind == "read" else kind)
    t.release(1)
    t.say("release 0")
    assert t.lost()[:2] == (token, "CAUCUS_CLOSING")
    t.hear("released")
    wait_for_children(s, 0, place)
    t.quit()


@pytest.mark.parametrize("kind", ["mutex", "leases:1"])
def test_a_lock_is_released_in_its_callbacks(server, takers, proxied, path, kind):
    proxy = proxied(server)
    t = takers(proxy.hosts, count=3)
    t.acquire(path, 0, kind, "closing").held(0)
    t.hear("released in its callback", 0)
    t.acquire(path, 1, kind, "losing").held(1)
    t.never("lost")
    proxy.cut()
    t.lost(1)
    t.hear("released in its callback", 1)
    t.acquire(path, 2, kind).held(2)
    place = f"{path}/leases" if ":" in kind else path
    t.ask("sync", "synced", None)
    wait_for_children(raw(server), 1, place)
    t.quit()


@pytest.mark.parametrize("kind", ["mutex", "leases:1"])
def test_a_lock_outlives_its_client_and_waits_for_no_server(own, takers, path, kind):
    t = takers(own.hosts, count=4)
    t.acquire(path, 0, kind).held(0)
    t.acquire(path, 3, kind)
    t.say("leave 0")
    assert t.lost(0)[1] == "CAUCUS_CLOSING"
    t.hear("left", 0)
    t.held(3)
    t.acquire(path, 1, kind)
    t.ask("leave 1", "left", 1)
    t.acquire(path, 2, kind)
    own.kill()
    t.hear("state SUSPENDED", 2)
    t.release(2)
    t.release(3)
    t.quit()


@pytest.mark.parametrize("kind", ["mutex", "leases:1"])
def test_a_client_is_closed_at_any_moment(server, takers, path, kind):
    many = 20
    t = takers(server.hosts, count=many)
    for number in range(many):
        t.acquire(path, number, kind)
        t.ask(f"leave {number}", "left", number)
    t.quit()


def test_trouble_is_told_and_ends(server, takers, path):
    s = raw(server)
    make(s, path)
    s.ok(rawzk.set_acl(path, [rawzk.Acl(rawzk.READ | rawzk.ADMIN, "world", "anyone")]))
    t = takers(server.hosts).acquire(path)
    assert t.hear("trouble")[1] == "CAUCUS_NOAUTH"
    assert t.hear("trouble")[1] == "CAUCUS_NOAUTH"
    s.ok(rawzk.set_acl(path, rawzk.OPEN))
    t.held()
    t.quit()


# --- readers and writers ---


def test_readers_share_and_writers_do_not(any_server, takers, path):
    s = raw(any_server)
    make(s, path)
    t = takers(any_server.hosts, count=6)
    kinds = ["read", "read", "write", "read", "read", "mutex"]
    for number, kind in enumerate(kinds):
        t.acquire(path, number, kind)
        names = wait_for_children(s, number + 1, path)
    assert [name[40:-10] for name in names] == ["__READ__"] * 2 + ["__WRIT__"] + ["__READ__"] * 2 + ["lock-"]
    t.hear_all(["0 held", "1 held"])
    t.release(0)
    assert t.tokens(2) == [0]
    t.release(1)
    token, _, _ = t.held(2)
    t.release(2)
    third, fourth = t.hear_all(["3 held", "4 held"])
    assert token < int(third[2]) < int(fourth[2])
    t.release(4)
    assert t.tokens(5) == [0]
    t.release(3)
    t.held(5)
    t.quit()


def test_the_end_of_a_writer_wakes_the_readers_behind_it_and_the_last_of_them_a_writer(own, takers, proxied, path):
    readers = 30
    s = raw(own)
    make(s, path)
    writer = takers(own.hosts).acquire(path, kind="write")
    writer.held()
    proxy = proxied(own)
    crowd = takers(proxy.hosts, count=2 * readers + 1)
    kinds = ["read"] * readers + ["write"] + ["read"] * readers
    for number, kind in enumerate(kinds):
        crowd.acquire(path, number, kind)
        wait_for_children(s, number + 2, path)
    while proxy.requests[GET] < 2 * len(kinds):
        crowd.ask("sync", "synced", None)
    crowd.ask("sync", "synced", None)
    assert proxy.notifications == 0
    writer.release()
    crowd.hear_all([f"{number} held" for number in range(readers)])
    crowd.ask("sync", "synced", None)
    assert proxy.notifications == readers
    # The second writer has the last of them under watch: the others may go without a word, but for
    # the watch that each has on its own node.
    for number in range(readers - 1):
        crowd.release(number)
    wait_for_children(s, readers + 2, path)
    crowd.ask("sync", "synced", None)
    assert proxy.notifications == readers + readers - 1
    crowd.release(readers - 1)
    crowd.held(readers)
    crowd.ask("sync", "synced", None)
    assert proxy.notifications == 2 * readers + 1


# --- semaphores ---


def test_a_semaphore_is_held_by_as_many_as_there_are_leases(any_server, takers, path):
    s = raw(any_server)
    t = takers(any_server.hosts, count=5)
    tokens = []
    for number in range(3):
        t.acquire(path, number, "leases:3")
        tokens.append(t.held(number)[0])
    assert len(set(tokens)) == 3 and s.ok(rawzk.get_data(path))[0] == b"3"
    wait_for_children(s, 0, f"{path}/locks")  # who holds leaves the gate a moment later
    for number in (3, 4):
        t.acquire(path, number, "leases:3")
        wait_for_children(s, number - 2, f"{path}/locks")
    wait_for_children(s, 4, f"{path}/leases")
    t.ask("sync", "synced", None)
    assert [t.tokens(number)[0] > 0 for number in range(5)] == [True] * 3 + [False] * 2
    for number, other in ((1, 3), (0, 4)):
        t.release(number)
        assert t.held(other)[0] > max(tokens)
    wait_for_children(s, 3, f"{path}/leases")
    wait_for_children(s, 0, f"{path}/locks")
    t.quit()


def test_all_have_to_agree_on_the_number_of_leases(server, takers, path):
    s = raw(server)
    t = takers(server.hosts, count=4)
    t.acquire(path, 0, "leases:0")
    assert t.hear("failed", 0)[1] == "CAUCUS_BADARGUMENTS"
    t.acquire(path, 1, "leases:2").held(1)
    t.release(0)
    t.acquire(path, 0, "leases:3")
    assert t.hear("failed", 0)[1] == "CAUCUS_BADARGUMENTS"
    wait_for_children(s, 0, f"{path}/locks")
    t.acquire(path, 2, "leases:0").held(2)
    t.release(0)
    for text in (b"many", b"-1", b"0", b"99999999999", b"12345678901234567890"):
        s.ok(rawzk.set_data(path, text))
        t.acquire(path, 0, "leases:0")
        assert t.hear("failed", 0)[1] == "CAUCUS_BADARGUMENTS"
        t.release(0)
    # Leases that are held stay, and who comes goes by the new number.
    s.ok(rawzk.set_data(path, b"3"))
    t.acquire(path, 0, "leases:3").held(0)
    assert t.tokens(1)[0] > 0 and t.tokens(2)[0] > 0
    assert t.ask("acquire 3 leases:-1 /x", "acquires", 3)[1] == "CAUCUS_BADARGUMENTS"
    t.quit()


def test_the_end_of_a_lease_wakes_one_of_many(own, takers, proxied, path):
    many = 40
    s = raw(own)
    holders = takers(own.hosts, count=3)
    for number in range(3):
        holders.acquire(path, number, "leases:3").held(number)
    proxy = proxied(own)
    crowd = takers(proxy.hosts, count=many)
    for number in range(many):
        crowd.acquire(path, number, "leases:3")
    wait_for_children(s, many, f"{path}/locks")
    wait_for_children(s, 4, f"{path}/leases")
    # Each has its own place and the one before it under watch, but for the first, who has his own
    # nodes, and the list of leases: he lists the gate once, and twice the leases.
    while proxy.requests[GET] < 2 * many + 1 or proxy.requests[GET_CHILDREN] < many + 2:
        crowd.ask("sync", "synced", None)
    crowd.ask("sync", "synced", None)
    assert proxy.notifications == 0
    holders.release(1)
    crowd.hear_any("held")
    wait_for_children(s, many - 1, f"{path}/locks")
    wait_for_children(s, 4, f"{path}/leases")
    while proxy.notifications < 3:
        crowd.ask("sync", "synced", None)
    crowd.ask("sync", "synced", None)
    # The first at the gate hears of the lease, and of his own place at the gate, which he gives
    # away; the next hears that he may go to the gate.
    assert proxy.notifications == 3


def test_a_lost_reply_makes_no_second_lease(server, takers, proxied, path):
    s = raw(server)
    for node in (path, f"{path}/locks", f"{path}/leases"):
        make(s, node)
    proxy = proxied(server)
    t = takers(proxy.hosts, policy="lost", count=2)
    t.acquire(path, 0, "leases:2").held(0)
    wait_for_children(s, 0, f"{path}/locks")
    for op in (CREATE2, GET_CHILDREN, DELETE, GET, SET):
        s.ok(rawzk.set_data(path, b""))
        proxy.lose(op)
        t.acquire(path, 1, "leases:2")
        assert proxy.lost.wait(60)
        t.held(1)
        wait_for_children(s, 2, f"{path}/leases")
        wait_for_children(s, 0, f"{path}/locks")
        t.release(1)
        wait_for_children(s, 1, f"{path}/leases")
    t.quit()


def test_a_strict_waiter_at_the_gate_comes_back_after_a_lost_connection(server, takers, proxied, path):
    s = raw(server)
    holder = takers(server.hosts).acquire(path, kind="leases:1")
    holder.held()
    wait_for_children(s, 0, f"{path}/locks")
    proxy = proxied(server)
    t = takers(proxy.hosts).acquire(path, kind="leases:1")
    first, = wait_for_children(s, 1, f"{path}/locks")
    wait_for_children(s, 2, f"{path}/leases")
    proxy.cut()
    while wait_for_children(s, 1, f"{path}/locks") == [first]:
        s.event()
    wait_for_children(s, 2, f"{path}/leases")
    holder.release()
    t.held()
    t.never("lost")
    t.quit()


# --- several as one ---


def several(path):
    return f"{path}/b,{path}/a,{path}/c"


def test_several_are_held_together_or_not_at_all(any_server, takers, path):
    s = raw(any_server)
    t = takers(any_server.hosts, count=3)
    t.acquire(f"{path}/b", 1).held(1)
    t.acquire(several(path), 0)
    wait_for_children(s, 2, f"{path}/b")
    t.ask("sync", "synced", None)
    assert t.tokens(0) == [0, 0, 0]
    t.release(1)
    t.held(0)
    tokens = t.tokens(0)
    nodes = [s.ok(rawzk.exists(f"{path}/{x}/{wait_for_children(s, 1, f'{path}/{x}')[0]}")) for x in "bac"]
    assert tokens == [node.czxid for node in nodes]
    assert tokens[1] < tokens[0] < tokens[2]
    # In whatever order they are given.
    t.acquire(f"{path}/c,{path}/a", 2)
    wait_for_children(s, 2, f"{path}/a")
    t.release(0)
    t.held(2)
    for x in "ac":
        wait_for_children(s, 1, f"{path}/{x}")
    wait_for_children(s, 0, f"{path}/b")
    assert t.ask(f"acquire 1 mutex {path}/a,{path}/b,{path}/a", "acquires", 1)[1] == "CAUCUS_BADARGUMENTS"
    t.quit()


def test_the_end_of_one_is_the_end_of_all(server, takers, path):
    s = raw(server)
    t = takers(server.hosts, count=2)
    for x, why in (("a", "CAUCUS_NONODE"), ("b", "CAUCUS_NONODE"), ("c", "CAUCUS_NONODE")):
        t.acquire(several(path), 0)
        t.held(0)
        name, = wait_for_children(s, 1, f"{path}/{x}")
        s.ok(rawzk.delete(f"{path}/{x}/{name}"))
        assert t.lost(0)[1] == why and t.tokens(0) == [0, 0, 0]
        for other in "abc":
            wait_for_children(s, 0, f"{path}/{other}")
        t.release(0)
    t.quit()


def test_one_that_is_lost_too_early_is_waited_for_again(server, takers, proxied, path):
    s = raw(server)
    proxy = proxied(server)
    holder = takers(server.hosts).acquire(f"{path}/c")
    holder.held()
    t = takers(proxy.hosts).acquire(several(path))
    wait_for_children(s, 2, f"{path}/c")
    before = {x: wait_for_children(s, 1, f"{path}/{x}") for x in "ab"}
    proxy.cut()
    for x in "ab":
        while wait_for_children(s, 1, f"{path}/{x}") == before[x]:
            s.event()
    name, = wait_for_children(s, 1, f"{path}/a")
    s.ok(rawzk.delete(f"{path}/a/{name}"))
    while wait_for_children(s, 1, f"{path}/a") == [name]:
        s.event()
    wait_for_children(s, 2, f"{path}/c")
    holder.release()
    t.held()
    assert t.tokens() != [0, 0, 0]
    t.never("lost")
    t.quit()


def test_several_are_released_at_any_moment(server, takers, proxied, path):
    s = raw(server)
    proxy = proxied(server)
    t = takers(proxy.hosts, count=3)
    for _ in range(10):
        t.acquire(several(path), 0)
        t.release(0)
    t.acquire(several(path), 0, how="closing").held(0)
    t.hear("released in its callback", 0)
    t.acquire(several(path), 1, how="losing").held(1)
    proxy.cut()
    t.lost(1)
    t.hear("released in its callback", 1)
    for x in "abc":
        wait_for_children(s, 0, f"{path}/{x}")
    t.acquire(several(path), 2, how="free").held(2)
    t.acquire(several(path), 0, how="free")
    assert t.hear("failed", 0)[1] == "CAUCUS_OPERATIONTIMEOUT"
    t.ask("sync", "synced", None)
    for x in "abc":
        wait_for_children(s, 1, f"{path}/{x}")
    t.ask("leave 2", "left", 2)
    t.quit()


# --- asking ---


def test_a_holder_is_asked_and_may_give_it_up(server, takers, path):
    s = raw(server)
    t = takers(server.hosts, count=3)
    token, _, node = t.acquire(path, 0).held(0)
    t.acquire(path, 1, how="yielding")
    wait_for_children(s, 2, path)
    t.say("ask 1")
    assert t.hear("asked", 0)[1] == "0"
    assert s.ok(rawzk.get_data(node))[0] == b"__REVOKE__" and t.tokens(0) == [token]
    t.say("ask 1")
    t.hear("asked", 0)
    t.release(0)
    t.held(1)
    # By whom the asking is done before he stands in the queue, and a callback that obeys.
    t.acquire(path, 2)
    t.say("ask 2")
    t.hear("asked", 1)
    t.hear("released in its callback", 1)
    t.held(2)
    t.quit()


def test_all_readers_are_asked_and_no_one_who_waits(server, takers, path):
    s = raw(server)
    make(s, path)
    t = takers(server.hosts, count=5)
    for number, kind in enumerate(["read", "read", "write", "read", "write"]):
        t.acquire(path, number, kind, "yielding")
        wait_for_children(s, number + 1, path)
    t.hear_all(["0 held", "1 held"])
    t.say("ask 4")
    t.hear_all(["0 asked", "1 asked"])
    t.held(2)
    t.ask("sync", "synced", None)
    assert len([line for line in t.heard if "asked" in line]) == 2
    t.quit()


def test_one_of_several_is_asked_for(server, takers, path):
    s = raw(server)
    t = takers(server.hosts, count=4)
    t.acquire(several(path), 0).held(0)
    for number, (x, index) in enumerate((("a", 1), ("b", 0), ("c", 2)), 1):
        t.acquire(f"{path}/{x}", number)
        wait_for_children(s, 2, f"{path}/{x}")
        t.say(f"ask {number}")
        t.hear(f"asked {index}", 0)
    t.quit()


def test_who_was_asked_too_early_hears_it_when_he_holds(server, takers, path):
    s = raw(server)
    t = takers(server.hosts, count=2)
    t.acquire(path, 0).held(0)
    t.acquire(path, 1)
    waiting = wait_for_children(s, 2, path)[1]
    s.ok(rawzk.set_data(f"{path}/{waiting}", b"__REVOKE__"))
    t.ask("sync", "synced", None)
    t.never("asked")
    t.release(0)
    t.held(1)
    t.hear("asked", 1)
    t.quit()


# --- with kazoo ---


@pytest.fixture
def kazoo(server):
    client = KazooClient(hosts=server.hosts, timeout=30.0)
    client.start(timeout=30)
    yield client
    client.stop()
    client.close()


def exclude_each_other(s, t, theirs, path, kind="mutex", how=""):
    assert theirs.acquire(timeout=60)
    t.acquire(path, kind=kind, how=how)
    wait_for_children(s, 2, path)
    t.ask("sync", "synced", None)
    assert t.tokens() == [0]
    theirs.release()
    t.held()
    assert not theirs.acquire(blocking=False)
    t.release()
    assert theirs.acquire(timeout=60)
    theirs.release()


def test_kazoos_locks_and_ours_exclude_each_other(server, takers, kazoo, path):
    s = raw(server)
    t = takers(server.hosts)
    exclude_each_other(s, t, kazoo.Lock(path), path, how="kazoo")
    exclude_each_other(s, t, kazoo.Lock(path, extra_lock_patterns=["-lock-"]), path)
    exclude_each_other(s, t, kazoo.WriteLock(path), path, "read", "kazoo")
    exclude_each_other(s, t, kazoo.ReadLock(path), path, "write", "kazoo")
    exclude_each_other(s, t, kazoo.ReadLock(path, extra_lock_patterns=["__WRIT__"]), path, "write")
    exclude_each_other(s, t, kazoo.WriteLock(path, extra_lock_patterns=["__READ__"]), path, "read")
    t.quit()


def test_kazoos_readers_and_ours_share(server, takers, kazoo, path):
    t = takers(server.hosts)
    theirs = kazoo.ReadLock(path)
    for how in ("kazoo", ""):
        assert theirs.acquire(timeout=60)
        t.acquire(path, kind="read", how=how).held()
        theirs.release()
        assert theirs.acquire(blocking=False)
        t.release()
        theirs.release()
    t.quit()
