"""Leader election of libcaucus against real servers. What a candidate hears is waited for, never guessed."""

import re
import signal
import subprocess

import pytest
import rawzk
from expire import end_owner
from talk import PROGRAMS, Talk, everywhere, servers, wait_for_children

CONFIG = {"tickTime": 200, "maxClientCnxns": 0, "maxSessionTimeout": 60000}
TIMEOUT_MS = 2000
LONG_TIMEOUT_MS = 30000
# One allocation of the smallest kind in each term would be more.
HEAP_NOISE_BYTES = 16 * 1024
CREATE2, DELETE, GET, GET_CHILDREN, PING = 15, 2, 4, 8, 11

policies = pytest.mark.parametrize("policy", ["strict", "lost"])


class Candidates(Talk):
    """An election_talk."""

    def __init__(self, hosts, timeout_ms, path, policy, count):
        super().__init__("election_talk", hosts, timeout_ms, path, policy, count)

    def stand(self, number=0, how=""):
        assert self.ask(f"stand {number} {how}", "stands", number)[1] == "CAUCUS_OK"
        return self

    def elected(self, number=0):
        """(token, when, path) of the next term."""
        words = self.hear("elected", number)
        return int(words[1]), int(words[2]), words[3]

    def dismissed(self, number=0):
        """(token, why, when) of the next end of a term."""
        words = self.hear("dismissed", number)
        return int(words[1]), words[2], int(words[3])

    def token(self, number=0):
        return int(self.ask(f"is {number}", "is", number)[1])


@pytest.fixture
def candidates(path):
    started = []

    def start(hosts, timeout_ms=LONG_TIMEOUT_MS, policy="strict", count=1):
        started.append(Candidates(hosts, timeout_ms, path, policy, count))
        return started[-1]

    yield start
    for c in started:
        c.kill()


def name_of(node):
    return node.rpartition("/")[2]


# --- one leads ---


@everywhere
def test_one_leads_and_when_it_is_killed_the_next(standing, candidates, backend, path, raw):
    server = standing(backend)
    s = raw(server)
    s.ok(rawzk.create(path))
    line = []
    for number in range(5):
        line.append(candidates(server.hosts).stand())
        wait_for_children(s, number + 1, path)
    last = 0
    while line:
        token, _, node = line[0].elected()
        assert token > last and node.startswith(f"{path}/_c_")
        assert [c.token() for c in line] == [token] + [0] * (len(line) - 1)
        last = token
        line.pop(0).kill()
        end_owner(server, node)


@servers
def test_candidates_are_listed_in_their_order(standing, candidates, backend, path, raw):
    server = standing(backend)
    c = candidates(server.hosts, count=3)
    assert c.ask("list", "list", None)[1] == "CAUCUS_NONODE"
    s = raw(server)
    c.stand(2)
    token, _, _ = c.elected(2)
    for count, number in ((2, 0), (3, 1)):
        c.stand(number)
        wait_for_children(s, count, path)
    s.ok(rawzk.create(f"{path}/config"))
    words = [word.rstrip(",") for word in c.ask("list", "list", None)]
    assert words[1] == "CAUCUS_OK" and words[2::2] == ["2", "0", "1"]
    tokens = [int(word) for word in words[3::2]]
    assert tokens[0] == token and tokens == sorted(tokens)
    c.quit()
    assert s.ok(rawzk.get_children(path)) == ["config"]


def test_the_end_of_a_leader_wakes_one_of_many(standing, candidates, proxied, path, raw):
    many = 250
    server = standing("caucusd")
    s = raw(server)
    s.ok(rawzk.create(path))
    leader = candidates(server.hosts).stand()
    token, _, node = leader.elected()
    proxy = proxied(server)
    crowd = candidates(proxy.hosts, count=many)
    for number in range(many):
        crowd.stand(number)
    wait_for_children(s, many + 1, path)
    # Who has read the one before has it under watch: many reads of own nodes, many of those.
    crowd.ask("sync", "synced", None)
    while proxy.requests[GET] < 2 * many:
        crowd.ask("sync", "synced", None)
    crowd.ask("sync", "synced", None)

    before, notified = +proxy.requests, proxy.notifications
    assert notified == 0
    leader.kill()
    end_owner(server, node)
    number = int(crowd.hear_any("elected"))
    assert crowd.token(number) > token
    crowd.ask("sync", "synced", None)
    after = proxy.requests - before
    print(f"{many} candidates: {proxy.notifications} notification(s), requests by operation {dict(after)}")
    assert proxy.notifications == 1
    assert after[GET_CHILDREN] == 1 and after[GET] == 0 and after[CREATE2] == 0


@servers
def test_the_one_before_may_go_between_the_list_and_the_look(standing, candidates, proxied, backend, path, raw):
    server = standing(backend)
    s = raw(server)
    s.ok(rawzk.create(path))
    s.ok(rawzk.create(f"{path}/other-", flags=rawzk.SEQUENTIAL))
    proxy = proxied(server)
    proxy.hold(GET_CHILDREN)
    c = candidates(proxy.hosts).stand()
    assert proxy.held.wait(60)
    s.ok(rawzk.delete(f"{path}/other-0000000000"))
    proxy.release()
    c.elected()
    assert proxy.requests[GET_CHILDREN] == 2 and proxy.notifications == 0
    c.quit()


# --- replies that are lost, nodes that are late ---


@servers
def test_a_creation_whose_reply_was_lost_is_found_and_not_doubled(standing, candidates, proxied, backend, path, raw):
    server = standing(backend)
    s = raw(server)
    s.ok(rawzk.create(path))
    proxy = proxied(server)
    proxy.lose(CREATE2)
    c = candidates(proxy.hosts).stand()
    assert proxy.lost.wait(60)
    token, _, node = c.elected()
    assert s.ok(rawzk.get_children(path)) == [name_of(node)]
    assert s.ok(rawzk.exists(node)).czxid == token and proxy.requests[CREATE2] == 1
    c.quit()
    assert s.ok(rawzk.get_children(path)) == []


@servers
def test_a_node_that_is_made_while_closing_is_deleted(standing, candidates, proxied, backend, path, raw):
    server = standing(backend)
    s = raw(server)
    s.ok(rawzk.create(path))
    proxy = proxied(server)
    proxy.hold(CREATE2)
    c = candidates(proxy.hosts).stand()
    assert proxy.held.wait(60)
    c.ask("close 0", "closed")
    assert len(s.ok(rawzk.get_children(path))) == 1
    proxy.release()
    wait_for_children(s, 0, path)
    c.ask("sync", "synced", None)
    assert not [line for line in c.heard if "elected" in line]
    c.quit()


@servers
def test_a_node_whose_reply_is_lost_while_closing_is_deleted(standing, candidates, proxied, backend, path, raw):
    server = standing(backend)
    s = raw(server)
    s.ok(rawzk.create(path))
    proxy = proxied(server)
    proxy.hold(CREATE2)
    c = candidates(proxy.hosts).stand()
    assert proxy.held.wait(60)
    c.ask("close 0", "closed")
    proxy.cut()
    proxy.release()
    wait_for_children(s, 0, path)
    assert proxy.requests[CREATE2] == 1
    c.quit()


@servers
def test_a_deletion_whose_reply_was_lost_is_repeated(standing, candidates, proxied, backend, path, raw):
    server = standing(backend)
    proxy = proxied(server)
    c = candidates(proxy.hosts).stand()
    first, _, _ = c.elected()
    proxy.lose(DELETE)
    c.say("resign 0")
    assert c.dismissed()[:2] == (first, "CAUCUS_OK")
    assert proxy.lost.wait(60)
    second, _, node = c.elected()
    assert second > first
    assert raw(server).ok(rawzk.get_children(path)) == [name_of(node)]
    c.quit()


# --- connections, pauses, sessions ---


@servers
def test_a_lost_connection_ends_the_term_of_the_strict(standing, candidates, proxied, backend, path, raw):
    server = standing(backend)
    proxy = proxied(server)
    c = candidates(proxy.hosts).stand()
    first, _, _ = c.elected()
    proxy.cut()
    assert c.dismissed()[:2] == (first, "CAUCUS_CONNECTIONLOSS")
    assert c.elected()[0] > first
    assert len(raw(server).ok(rawzk.get_children(path))) == 1
    assert not [line for line in c.heard if "LOST" in line]
    c.quit()


@servers
def test_a_lost_connection_that_comes_back_does_no_harm_to_the_others(standing, candidates, proxied, backend):
    server = standing(backend)
    proxy = proxied(server)
    c = candidates(proxy.hosts, policy="lost").stand()
    token, _, _ = c.elected()
    for _ in range(3):
        proxy.cut()
        c.hear("state SUSPENDED")
        c.hear("state RECONNECTED")
        assert c.token() == token
    assert not [line for line in c.heard if "dismissed" in line]
    c.quit()


@policies
@servers
def test_a_leader_that_hears_nothing_ends_before_the_next_begins(standing, candidates, proxied, backend, policy):
    server = standing(backend)
    proxy = proxied(server)
    old = candidates(proxy.hosts, timeout_ms=TIMEOUT_MS, policy=policy).stand()
    first, _, _ = old.elected()
    new = candidates(server.hosts, policy=policy).stand()
    proxy.silence()
    token, why, ended_ns = old.dismissed()
    assert (token, why) == (first, "CAUCUS_CONNECTIONLOSS") and old.token() == 0
    second, began_ns, _ = new.elected()
    print(f"{backend} {policy}: ended {(began_ns - ended_ns) / 1e6:.0f} ms before the next began")
    assert second > first and ended_ns < began_ns
    old.hear("state LOST")
    new.quit()


@policies
@servers
def test_a_leader_that_was_stopped_for_too_long_knows_it_first_of_all(standing, candidates, backend, policy):
    server = standing(backend)
    old = candidates(server.hosts, timeout_ms=TIMEOUT_MS, policy=policy).stand()
    first, _, _ = old.elected()
    new = candidates(server.hosts, policy=policy).stand()
    old.signal(signal.SIGSTOP)
    second, _, _ = new.elected()
    assert second > first
    old.say("is 0")
    old.signal(signal.SIGCONT)
    assert old.hear("is")[1] == "0"
    old.hear("state RECONNECTED")
    news = [line for line in old.heard if "dismissed" in line or "elected" in line]
    assert len(news) == 2 and news[1].startswith(f"0 dismissed {first} CAUCUS_")
    new.quit()
    third, _, _ = old.elected()
    assert third > second
    old.quit()


@policies
@servers
def test_after_the_end_of_a_session_the_candidate_queues_again(start_server, candidates, proxied, backend, policy, path,
                                                               raw):
    server = start_server(CONFIG, backend=backend)
    proxy = proxied(server)
    c = candidates(proxy.hosts, timeout_ms=TIMEOUT_MS, count=2, policy=policy)
    c.stand(0)
    last, _, _ = c.elected(0)
    c.stand(1)
    wait_for_children(raw(server), 2, path)
    server.kill()
    token, why, _ = c.dismissed(0)
    assert token == last
    c.hear_all(["0 state LOST", "1 state LOST"])
    server.start()
    number = int(c.hear_any("elected"))
    token = c.token(number)
    assert token > last
    c.ask(f"resign {number}", "dismissed", number)
    other = int(c.hear_any("elected"))
    assert c.token(other) > token
    c.quit()


@servers
def test_a_candidate_whose_node_is_deleted_queues_again(standing, candidates, backend, path, raw):
    server = standing(backend)
    s = raw(server)
    c = candidates(server.hosts, count=2)
    c.stand(0)
    first, _, node = c.elected(0)
    c.stand(1)
    wait_for_children(s, 2, path)
    waiting, = (n for n in s.ok(rawzk.get_children(path)) if n != name_of(node))
    s.ok(rawzk.delete(f"{path}/{waiting}"))
    wait_for_children(s, 2, path)
    s.ok(rawzk.delete(node))
    # The two hear of it at the same time.
    dismissed, elected = c.hear_all(["0 dismissed", "1 elected"])
    assert dismissed[2:4] == [str(first), "CAUCUS_NONODE"] and int(elected[2]) > first
    wait_for_children(s, 2, path)
    c.quit()


# --- what the user does ---


@servers
def test_who_resigns_stands_behind_the_others(standing, candidates, backend, path, raw):
    server = standing(backend)
    s = raw(server)
    c = candidates(server.hosts, count=2)
    c.stand(0)
    last, _, _ = c.elected(0)
    c.stand(1)
    wait_for_children(s, 2, path)
    for number, other in ((0, 1), (1, 0), (0, 1)):
        c.say(f"resign {number}")
        assert c.dismissed(number)[:2] == (last, "CAUCUS_OK")
        token, _, _ = c.elected(other)
        assert token > last
        last = token
        wait_for_children(s, 2, path)
    c.quit()


@servers
def test_an_election_is_closed_at_any_moment(standing, candidates, backend, path, raw):
    server = standing(backend)
    s = raw(server)
    c = candidates(server.hosts)
    for _ in range(20):
        c.stand()
        c.ask("close 0", "closed")
    c.stand()
    token, _, _ = c.elected()
    c.say("close 0")
    assert c.dismissed()[:2] == (token, "CAUCUS_CLOSING")
    c.hear("closed")
    wait_for_children(s, 0, path)
    c.quit()


@servers
def test_an_election_is_closed_in_its_callback(standing, candidates, backend, path, raw):
    server = standing(backend)
    s = raw(server)
    c = candidates(server.hosts, count=2)
    c.stand(0, "closing").elected(0)
    c.hear("closed in its callback", 0)
    c.stand(1).elected(1)
    assert len(s.ok(rawzk.get_children(path))) == 1
    assert not [line for line in c.heard if "dismissed" in line]
    c.quit()


def test_an_election_outlives_its_client_and_waits_for_no_server(start_server, candidates):
    server = start_server(CONFIG, backend="caucusd")
    c = candidates(server.hosts, count=3)
    c.stand(0).elected(0)
    c.say("leave 0")
    assert c.dismissed(0)[1] == "CAUCUS_CLOSING"
    c.hear("left", 0)
    c.stand(1).elected(1)
    c.stand(2)
    server.kill()
    c.hear("state SUSPENDED", 1)
    c.ask("close 2", "closed", 2)
    c.ask("close 1", "closed", 1)
    c.quit()


def test_a_client_is_closed_while_its_candidate_begins(standing, candidates):
    server = standing("caucusd")
    many = 40
    c = candidates(server.hosts, count=many)
    c.hear_all([f"{number} state CONNECTED" for number in range(many)])
    for number in range(many):
        c.say(f"stand {number}")
        c.say(f"leave {number}")
    c.hear_all([f"{number} left" for number in range(many)])
    c.quit()


def test_waiting_ends_with_the_term_the_time_or_the_election(standing, candidates):
    server = standing("caucusd")
    c = candidates(server.hosts, count=2)
    c.stand(0)
    token = int(c.ask("await 0 -1", "await", 0)[2])
    assert token > 0 and token == c.token(0)
    c.stand(1)
    assert c.ask("await 1 50", "await", 1)[1:] == ["CAUCUS_OPERATIONTIMEOUT", "0"]
    c.quit()


@servers
def test_trouble_is_told_and_ends(standing, candidates, backend, path, raw):
    server = standing(backend)
    s = raw(server)
    s.ok(rawzk.create(path))
    s.ok(rawzk.set_acl(path, [rawzk.Acl(rawzk.READ | rawzk.ADMIN, "world", "anyone")]))
    c = candidates(server.hosts).stand()
    assert c.hear("trouble")[1] == "CAUCUS_NOAUTH"
    assert c.hear("trouble")[1] == "CAUCUS_NOAUTH"
    s.ok(rawzk.set_acl(path, rawzk.OPEN))
    c.elected()
    c.quit()


def test_terms_leave_nothing_behind(standing, path, raw):
    server = standing("caucusd")
    terms = 1000  # 10,000 as well, in ten times the time: election_terms by hand
    run = subprocess.run([PROGRAMS / "election_terms", server.hosts, path, "3", str(terms)],
                         capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stdout + run.stderr
    line, = run.stdout.splitlines()
    print(line)
    heap, late_heap, _, _, fds, late_fds, threads, late_threads = map(int, re.findall(r" (\d+)(?=[, ]|$)", line)[-8:])
    assert (fds, threads) == (late_fds, late_threads) and late_heap - heap < HEAP_NOISE_BYTES, line
    assert raw(server).ok(rawzk.get_children(path)) == []
