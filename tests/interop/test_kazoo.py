"""kazoo's own recipes and client, as other people's programs use them."""

import datetime
import threading

import pytest
from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (
    BadVersionError,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
)
from kazoo.protocol.states import EventType
from kazoo.recipe.barrier import DoubleBarrier
from kazoo.recipe.cache import TreeCache, TreeEvent
from kazoo.recipe.lease import NonBlockingLease
from kazoo.recipe.partitioner import SetPartitioner
from kazoo.recipe.watchers import PatientChildrenWatch
from kazoo.security import make_digest_acl

SERVER_CONFIG = {"maxClientCnxns": 0}

WAIT_S = 20


@pytest.fixture
def client(server):
    """client(): a started client that ends with the test."""
    clients = []

    def make(**kwargs):
        kazoo = KazooClient(hosts=server.hosts, timeout=10.0, **kwargs)
        clients.append(kazoo)
        kazoo.start(timeout=WAIT_S)
        return kazoo

    yield make
    for kazoo in clients:
        kazoo.stop()
        kazoo.close()


@pytest.fixture
def zk(client):
    return client()


def in_thread(function, *args):
    """Run in a thread; join_result() gives back what it returned or raised."""
    box = {}

    def run():
        try:
            box["value"] = function(*args)
        except BaseException as e:
            box["error"] = e

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def join_result():
        thread.join(WAIT_S)
        assert not thread.is_alive(), "still waiting"
        if "error" in box:
            raise box["error"]
        return box["value"]

    thread.join_result = join_result
    return thread


# --- the client ----------------------------------------------------------------------


def test_create_get_set_delete(zk, root):
    path = zk.create(f"{root}/a/b/c", b"1", makepath=True)
    assert zk.get(path)[0] == b"1"
    stat = zk.set(path, b"2", version=0)
    assert stat.version == 1
    with pytest.raises(BadVersionError):
        zk.set(path, b"3", version=0)
    with pytest.raises(NodeExistsError):
        zk.create(path)
    with pytest.raises(NotEmptyError):
        zk.delete(f"{root}/a")
    zk.delete(f"{root}/a", recursive=True)
    with pytest.raises(NoNodeError):
        zk.get(path)
    assert zk.exists(path) is None


def test_create_with_stat_ephemeral_and_sequence(zk, root):
    path, stat = zk.create(f"{root}/n-", b"x", ephemeral=True, sequence=True, include_data=True)
    assert path == f"{root}/n-0000000000"
    assert stat.ephemeralOwner == zk.client_id[0]


def test_watch_callbacks(zk, root):
    seen = []
    fired = threading.Event()

    def watch(event):
        seen.append(event)
        fired.set()

    zk.get(root, watch=watch)
    zk.set(root, b"new")
    assert fired.wait(WAIT_S)
    assert (seen[0].type, seen[0].path) == (EventType.CHANGED, root)


def test_acls(client, root):
    owner = client(auth_data=[("digest", "u:p")])
    stranger = client()
    acl = make_digest_acl("u", "p", all=True)
    owner.create(f"{root}/secret", b"x", acl=[acl])
    with pytest.raises(NoAuthError):
        stranger.get(f"{root}/secret")
    stranger.add_auth("digest", "u:p")
    assert stranger.get(f"{root}/secret")[0] == b"x"
    assert stranger.get_acls(f"{root}/secret")[0] == [acl]


def test_transactions(zk, root):
    t = zk.transaction()
    t.create(f"{root}/a", b"1")
    t.set_data(f"{root}/a", b"2")
    t.check(f"{root}/a", 1)
    t.create(f"{root}/b")
    t.delete(f"{root}/b")
    results = t.commit()
    assert results[0] == f"{root}/a"
    assert results[1].version == 1
    assert results[2:] == [True, f"{root}/b", True]

    t = zk.transaction()
    t.create(f"{root}/c")
    t.delete(f"{root}/missing")
    t.create(f"{root}/d")
    results = t.commit()
    assert isinstance(results[0], RolledBackError)
    assert isinstance(results[1], NoNodeError)
    assert zk.exists(f"{root}/c") is None


def test_server_version_and_four_letter_command(start_server, client):
    server = start_server({"4lw.commands.whitelist": "*"})
    kazoo = KazooClient(hosts=server.hosts)
    kazoo.start()
    try:
        assert kazoo.server_version()[:2] >= (3, 8)
        assert kazoo.command(b"ruok") == "imok"
    finally:
        kazoo.stop()
        kazoo.close()


def test_pipelined_async_calls(zk, root):
    made = [zk.create_async(f"{root}/{n:04d}", b"%d" % n) for n in range(500)]
    read = [zk.get_async(f"{root}/{n:04d}") for n in range(500)]
    assert [r.get(timeout=WAIT_S) for r in made] == [f"{root}/{n:04d}" for n in range(500)]
    assert [r.get(timeout=WAIT_S)[0] for r in read] == [b"%d" % n for n in range(500)]


def test_session_and_watches_survive_a_server_restart(start_server):
    server = start_server()
    kazoo = KazooClient(hosts=server.hosts, timeout=10.0)
    states = []
    back = threading.Event()
    suspended = threading.Event()

    def listen(state):
        states.append(state)
        if state == KazooState.SUSPENDED:
            suspended.set()
        if state == KazooState.CONNECTED and suspended.is_set():
            back.set()

    kazoo.add_listener(listen)
    kazoo.start(timeout=WAIT_S)
    try:
        kazoo.create("/e", b"", ephemeral=True)
        session = kazoo.client_id[0]
        changed = threading.Event()
        kazoo.get("/e", watch=lambda _: changed.set())
        server.kill()
        assert suspended.wait(WAIT_S)
        server.start()
        assert back.wait(WAIT_S)
        assert kazoo.client_id[0] == session
        assert KazooState.LOST not in states
        assert kazoo.get("/e")[1].ephemeralOwner == session
        kazoo.set("/e", b"changed")
        assert changed.wait(WAIT_S), "kazoo sets its watches again after a reconnect"
    finally:
        kazoo.stop()
        kazoo.close()


def test_expired_session_is_reported_lost_and_replaced(start_server):
    server = start_server({"tickTime": 500})
    kazoo = KazooClient(hosts=server.hosts, timeout=10.0)
    lost, back = threading.Event(), threading.Event()

    def listen(state):
        if state == KazooState.LOST:
            lost.set()
        elif state == KazooState.CONNECTED and lost.is_set():
            back.set()

    kazoo.add_listener(listen)
    kazoo.start(timeout=WAIT_S)
    try:
        first = kazoo.client_id[0]
        # Somebody else ends the session: its connection is taken over and closed for good.
        with server.session(session_id=first, password=kazoo.client_id[1]) as thief:
            thief.close_session()
        assert lost.wait(WAIT_S) and back.wait(WAIT_S)
        assert kazoo.client_id[0] != first
    finally:
        kazoo.stop()
        kazoo.close()


# --- recipes -------------------------------------------------------------------------


def test_lock_is_held_by_one_at_a_time_in_the_order_of_asking(client, root):
    a, b = client(), client()
    lock_a, lock_b = a.Lock(f"{root}/lock", "a"), b.Lock(f"{root}/lock", "b")
    assert lock_a.acquire()
    assert not lock_b.acquire(blocking=False)
    waiting = in_thread(lock_b.acquire)
    assert lock_a.contenders()[0] == "a"
    lock_a.release()
    assert waiting.join_result() is True
    assert lock_b.contenders() == ["b"]
    lock_b.release()


def test_lock_of_a_closed_client_passes_on(client, root):
    a, b = client(), client()
    assert a.Lock(f"{root}/lock", "a").acquire()
    waiting = in_thread(b.Lock(f"{root}/lock", "b").acquire)
    a.stop()
    assert waiting.join_result() is True


def test_read_locks_share_and_write_locks_do_not(client, root):
    a, b, c = client(), client(), client()
    read_a, read_b = a.ReadLock(f"{root}/rw", "a"), b.ReadLock(f"{root}/rw", "b")
    write_c = c.WriteLock(f"{root}/rw", "c")
    assert read_a.acquire() and read_b.acquire()
    assert not write_c.acquire(blocking=False)
    waiting = in_thread(write_c.acquire)
    read_a.release()
    read_b.release()
    assert waiting.join_result() is True
    assert not a.ReadLock(f"{root}/rw", "a").acquire(blocking=False)
    write_c.release()
    assert a.ReadLock(f"{root}/rw", "a").acquire(timeout=WAIT_S)


def test_semaphore_counts_leases(client, root):
    a, b, c = client(), client(), client()
    sem_a, sem_b, sem_c = (k.Semaphore(f"{root}/sem", max_leases=2) for k in (a, b, c))
    assert sem_a.acquire() and sem_b.acquire()
    assert not sem_c.acquire(blocking=False)
    waiting = in_thread(sem_c.acquire)
    sem_a.release()
    assert waiting.join_result() is True
    assert len(sem_b.lease_holders()) == 2


def test_election_leads_one_after_the_other(client, root):
    order = []
    leading, go_on = threading.Event(), threading.Event()

    def lead_first():
        order.append("a")
        leading.set()
        assert go_on.wait(WAIT_S)

    a, b = client(), client()
    first = in_thread(a.Election(f"{root}/election", "a").run, lead_first)
    assert leading.wait(WAIT_S)
    second = in_thread(b.Election(f"{root}/election", "b").run, order.append, "b")
    go_on.set()
    first.join_result()
    second.join_result()
    assert order == ["a", "b"]


def test_party_and_shallow_party(client, root):
    a, b = client(), client()
    for kind in ("Party", "ShallowParty"):
        party_a = getattr(a, kind)(f"{root}/{kind}", "a")
        party_b = getattr(b, kind)(f"{root}/{kind}", "b")
        party_a.join()
        party_b.join()
        assert len(party_a) == 2
        assert set(party_a) == {"a", "b"}
        party_b.leave()
        assert set(party_a) == {"a"}


def test_member_leaves_the_party_when_its_client_stops(client, root):
    a, b = client(), client()
    a.Party(f"{root}/party", "a").join()
    party_b = b.Party(f"{root}/party", "b")
    party_b.join()
    a.stop()
    assert set(party_b) == {"b"}


def test_barrier_holds_until_it_is_removed(client, root):
    a, b = client(), client()
    barrier = a.Barrier(f"{root}/barrier")
    barrier.create()
    waiting = in_thread(b.Barrier(f"{root}/barrier").wait, WAIT_S)
    barrier.remove()
    assert waiting.join_result() is True
    assert a.Barrier(f"{root}/barrier").wait(0) is True


def test_double_barrier_enters_and_leaves_together(client, root):
    inside = []
    barriers = [DoubleBarrier(client(), f"{root}/double", 3) for _ in range(3)]

    def go(barrier):
        barrier.enter()
        inside.append(len(barriers))
        barrier.leave()

    for thread in [in_thread(go, barrier) for barrier in barriers]:
        thread.join_result()
    assert len(inside) == 3


def test_queue_is_ordered_by_priority_then_age(client, root):
    a, b = client(), client()
    queue = a.Queue(f"{root}/queue")
    for value, priority in ((b"low", 200), (b"one", 100), (b"two", 100), (b"high", 1)):
        queue.put(value, priority=priority)
    assert len(queue) == 4
    other = b.Queue(f"{root}/queue")
    assert [other.get() for _ in range(5)] == [b"high", b"one", b"two", b"low", None]


def test_locking_queue_gives_each_entry_to_one_and_back_if_not_consumed(client, root):
    a, b = client(), client()
    queue_a, queue_b = a.LockingQueue(f"{root}/lq"), b.LockingQueue(f"{root}/lq")
    queue_a.put_all([b"1", b"2"])
    assert queue_a.get(timeout=WAIT_S) == b"1"
    assert queue_b.get(timeout=WAIT_S) == b"2"
    assert queue_b.consume() is True
    a.stop()
    assert queue_b.get(timeout=WAIT_S) == b"1"
    assert queue_b.consume() is True
    assert len(queue_b) == 0


def test_counter_loses_no_increment(client, root):
    counters = [client().Counter(f"{root}/counter") for _ in range(4)]

    def count(counter):
        for _ in range(25):
            counter += 1

    for thread in [in_thread(count, counter) for counter in counters]:
        thread.join_result()
    assert counters[0].value == 100


def test_data_watch_and_children_watch_see_the_last_state(client, root):
    a, b = client(), client()
    last_data, last_children = threading.Event(), threading.Event()

    @a.DataWatch(f"{root}/data")
    def on_data(data, stat):
        if data == b"last":
            last_data.set()

    @a.ChildrenWatch(root)
    def on_children(children):
        if set(children) == {"data", "x", "y"}:
            last_children.set()

    b.create(f"{root}/data", b"first")
    for n in range(20):
        b.set(f"{root}/data", b"%d" % n)
    b.set(f"{root}/data", b"last")
    for name in ("x", "y", "z"):
        b.create(f"{root}/{name}")
    b.delete(f"{root}/z")
    assert last_data.wait(WAIT_S) and last_children.wait(WAIT_S)


def test_patient_children_watch_waits_until_the_children_are_quiet(client, root):
    a, b = client(), client()
    result = PatientChildrenWatch(a, root, time_boundary=0.2).start()
    for name in "abc":
        b.create(f"{root}/{name}")
    children, _ = result.get(timeout=WAIT_S)
    assert sorted(children) == ["a", "b", "c"]


def test_tree_cache_mirrors_a_subtree(client, root):
    a, b = client(), client()
    cache = TreeCache(a, root)
    done = threading.Event()
    gone = threading.Event()

    def listen(event):
        if event.event_type == TreeEvent.NODE_UPDATED and event.event_data.data == b"last":
            done.set()
        if event.event_type == TreeEvent.NODE_REMOVED:
            gone.set()

    cache.listen(listen)
    cache.start()
    b.create(f"{root}/a/b/c", b"1", makepath=True)
    # Changing a node whose watch is not set yet is seen all the same: by reading it.
    b.set(f"{root}/a", b"last")
    if not done.wait(2):
        b.set(f"{root}/a", b"last")
        assert done.wait(WAIT_S)
    b.create(f"{root}/gone")
    b.delete(f"{root}/gone")
    b.delete(f"{root}/a/b/c")
    assert gone.wait(WAIT_S)
    assert cache.get_data(f"{root}/a").data == b"last"
    cache.close()


def test_set_partitioner_divides_a_set(client, root):
    everything = set(range(20))
    a, b = client(), client()
    partitioners = [
        SetPartitioner(k, f"{root}/partition", everything, identifier=name, time_boundary=0.5)
        for k, name in ((a, "a"), (b, "b"))
    ]

    def settle(partitioner):
        # The set is divided when each has acquired a part with both of them present.
        while True:
            assert not partitioner.failed
            if partitioner.release:
                partitioner.release_set()
            elif partitioner.acquired and len(list(partitioner)) == 10:
                return set(partitioner)
            else:
                partitioner.wait_for_acquire(timeout=1)

    parts = [t.join_result() for t in [in_thread(settle, p) for p in partitioners]]
    assert parts[0] | parts[1] == everything
    assert not parts[0] & parts[1]
    for partitioner in partitioners:
        partitioner.finish()


def test_non_blocking_lease(client, root):
    a, b = client(), client()
    duration = datetime.timedelta(minutes=5)
    assert NonBlockingLease(a, f"{root}/lease", duration, identifier="a")
    assert not NonBlockingLease(b, f"{root}/lease", duration, identifier="b")
    assert NonBlockingLease(a, f"{root}/lease", duration, identifier="a")


