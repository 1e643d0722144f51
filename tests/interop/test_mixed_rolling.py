"""An ensemble is replaced by another kind of server, one server at a time on its own folder, under
load; and back again. No acknowledged write is lost, no session ends."""

import mixes
import pytest
from history import Load
from kazoo.client import KazooClient, KazooState

WAIT_S = 30

PLANS = {
    "3.9.5 to ours and back": (["apache39"] * 3, [], "ours"),
    "3.8.0 to ours and back": (["apache38"] * 3, [], "ours"),
    "3.8.6 with an observer to ours and back": (["apache386"] * 3, ["apache386"], "ours"),
    "five of all releases to ours and back": (
        ["apache39", "apache38", "apache386", "apache39", "apache38"], [], "ours"),
}


@pytest.fixture
def kazoo(request):
    """kazoo(ensemble): a client whose states are recorded in `seen`."""
    clients = []

    def make(ensemble):
        client = KazooClient(hosts=ensemble.hosts, timeout=20.0)
        client.seen = []
        client.add_listener(client.seen.append)
        clients.append(client)
        client.start(timeout=WAIT_S)
        return client

    yield make
    for client in clients:
        client.stop()
        client.close()


def replace_each(ensemble, load, kind_of, order):
    for sid in order:
        ensemble.replace(sid, kind_of(sid))
        ensemble.wait_settled()
        load.wait_acknowledged(100)
        load.wait_all_write()


@pytest.mark.parametrize("plan", PLANS, ids=lambda name: name.replace(" ", "-"))
def test_rolling_replacement_loses_no_write_and_no_session(plan, backend, start_ensemble, kazoo):
    participants, observers, new = PLANS[plan]
    before = dict(enumerate(participants + observers, 1))
    [new] = mixes.kinds([new], backend)
    ensemble = start_ensemble(participants, observers=observers, config={"snapCount": 2000})
    ensemble.fuzzy = True
    client = kazoo(ensemble)
    client.create("/mine", b"x", ephemeral=True)
    with Load(ensemble, clients=5) as load:
        load.wait_acknowledged(200)
        # The leader last, as operators do.
        leader = ensemble.leader.sid
        order = [sid for sid in before if sid != leader] + [leader]
        replace_each(ensemble, load, lambda sid: new, order)
        assert {m.kind for m in ensemble} == {new}
        # The leader first, as they do as well.
        leader = ensemble.leader.sid
        order = [leader] + [sid for sid in before if sid != leader]
        replace_each(ensemble, load, before.get, order)
    history = load.check()
    assert KazooState.LOST not in client.seen
    assert client.exists("/mine").ephemeralOwner == client.client_id[0]
    ensemble.check_same_trees()
    ensemble.stop()
    ensemble.check_same_logs()
    print(f"{len(history.acknowledged())} writes, the longest gap {history.longest_gap_ms():.0f} ms")
