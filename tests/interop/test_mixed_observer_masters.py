"""Observers that are served by followers (observerMasterPort), ours and Apache's, both ways.

All servers have that port under one number, so each lives at an address of its own."""

import threading

import mixes
import pytest
from ensemble import Ensemble, Loopback
from ports import free_port
from rawzk import EPHEMERAL, NONODE, Closed, create, delete, exists, get_data, ping, set_data

# name: (participants, observers). The largest id leads, so the others serve the observers.
WAYS = {
    "ours serve 3.9.5 and 3.8.0": (["ours", "ours", "ours"], ["apache39", "apache38"]),
    "3.9.5 serve ours": (["apache39", "apache39", "ours"], ["ours"]),
    "ours and 3.8.0 serve both": (["ours", "apache38", "apache39"], ["apache39", "ours"]),
}


@pytest.fixture(scope="module", params=WAYS, ids=lambda name: name.replace(" ", "-"))
def fleet(request, backend, tmp_path_factory):
    participants, observers = (mixes.kinds(names, backend) for names in WAYS[request.param])
    count = len(participants) + len(observers)
    ensemble = Ensemble(
        tmp_path_factory.mktemp("masters"), participants, observers,
        {"observerMasterPort": free_port(), "snapCount": 300},
        places={sid: Loopback(f"127.0.0.{10 + sid}") for sid in range(1, count + 1)})
    try:
        ensemble.start(leader=3)
        yield ensemble
        ensemble.stop()
        ensemble.check_same_logs()
    finally:
        ensemble.kill()


@pytest.fixture
def at(fleet):
    sessions = mixes.Sessions(fleet)
    yield sessions
    sessions.end()


def wait_served(fleet):
    """Until all observers are at followers, and none at the leader. Those count who has told them that he is level."""
    def counted(members):
        return sum(int(m.mntr("zk_synced_observers") or 0) for m in members)

    fleet.wait_until(lambda: counted([fleet.leader]) == 0 and counted(fleet.followers) == len(fleet.observers),
                     "followers have all observers")


def test_observers_are_at_followers_and_see_everything(fleet, at):
    wait_served(fleet)
    for m in fleet:
        path = at(m.sid).ok(create(f"/by{m.sid}", b"x"))
        for other in fleet:
            s = at(other.sid)
            s.catch_up()
            assert s.ok(get_data(path))[0] == b"x"
            s.ok(set_data(path, b"x"))
    at.end()
    fleet.check_same_trees()


def test_watches_and_syncs_of_their_clients(fleet, at):
    for observer in fleet.observers:
        s, writer = at(observer.sid), at(1)
        for i in range(20):
            path = f"/w{observer.sid}-{i}"
            assert s.err(exists(path, watch=True)) == NONODE
            writer.ok(create(path))
            s.catch_up()
            assert s.event().path == path


def test_sessions_move_to_an_observer_and_live_on_by_pings(fleet, at):
    first = at(1, timeout_ms=2_500)
    first.ok(create("/e", flags=EPHEMERAL))
    moved = at(fleet.observers[0].sid, timeout_ms=2_500, session_id=first.id,
               password=first.password, last_zxid=first.zxid)
    assert moved.id == first.id
    # So much time passes that a longer session expires.
    passing, watcher = at(2, timeout_ms=3_000), at(2)
    passing.ok(create("/passing", flags=EPHEMERAL))
    watcher.ok(exists("/passing", watch=True))
    passing.sock.close()
    over = threading.Event()

    def pinging():
        while not over.wait(0.2):
            moved.call(ping())

    thread = threading.Thread(target=pinging)
    thread.start()
    try:
        assert watcher.event().path == "/passing"
    finally:
        over.set()
        thread.join()
    assert moved.ok(exists("/e")).ephemeral_owner == moved.id
    moved.ok(delete("/e"))


def test_everything_is_sent_to_one_that_lost_its_disk(fleet, at):
    observer = fleet.observers[0]
    observer.stop()
    s = at(1)
    for i in range(700):
        s.ok(create(f"/n{i:04}", b"y" * 200))
    observer.wipe()
    observer.start()
    fleet.wait_settled()
    wait_served(fleet)
    assert at(observer.sid).ok(get_data("/n0699"))[0] == b"y" * 200
    at.end()
    fleet.check_same_trees()


def is_served(at, observer):
    """Whether something written through it comes through; it may not have noticed yet whom it lost."""
    try:
        at(observer.sid).catch_up()
        return True
    except (OSError, Closed):
        return False


def test_when_a_follower_ends_its_observers_go_elsewhere(fleet, at):
    for follower in fleet.followers:
        at.end()
        follower.kill()
        fleet.wait_settled()
        for observer in fleet.observers:
            fleet.wait_until(lambda: is_served(at, observer), f"{observer} is served")
            at(observer.sid).ok(create(f"/f{follower.sid}-{observer.sid}"))
        at.end()
        follower.start()
        fleet.wait_settled()
        wait_served(fleet)
    fleet.check_same_trees()
