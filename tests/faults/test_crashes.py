"""Servers that are killed, stopped or stand still, one, the leader or all, under load: nothing that
was acknowledged is lost, order is kept, no session ends, and all have the same tree afterwards."""

import os
import random
import time

import pytest
from conftest import make_whole

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "6"))


def test_follower_is_killed(fleet, load_on):
    with load_on(fleet) as load:
        victim = fleet.followers[0]
        victim.kill()
        load.wait_all_write()
        load.wait_acknowledged(100)
        victim.start()
        fleet.wait_settled()


def test_leader_is_killed(fleet, load_on):
    with load_on(fleet) as load:
        victim = fleet.leader
        victim.kill()
        load.wait_all_write()
        load.wait_acknowledged(100)
        assert fleet.leader is not victim
        victim.start()
        fleet.wait_settled()


def test_every_server_is_killed_in_turn(fleet, load_on):
    with load_on(fleet) as load:
        for victim in fleet:
            victim.kill()
            load.wait_acknowledged(50)
            victim.start()
            fleet.wait_settled()


def test_all_are_killed(fleet, load_on):
    """As by a power cut, but for what the kernel had already taken."""
    with load_on(fleet) as load:
        for _ in range(2):
            for m in fleet:
                m.kill()
            for m in fleet:
                m.start()
            fleet.wait_settled()
            load.wait_all_write()


def test_majority_is_killed_and_writes_wait_for_it(fleet, load_on):
    with load_on(fleet) as load:
        victims = [fleet.leader, fleet.followers[0]]
        for m in victims:
            m.kill()
        rest = [m for m in fleet if m not in victims]
        fleet.wait_until(lambda: rest[0].mode() is None, "the last one does not serve")
        before = load.acknowledged
        victims[0].start()
        fleet.wait_settled()
        load.wait_all_write()
        assert load.acknowledged > before
        victims[1].start()
        fleet.wait_settled()


def test_follower_stands_still(fleet, load_on):
    """Longer than the others wait for it."""
    with load_on(fleet) as load:
        leader, victim = fleet.leader, fleet.followers[0]
        victim.pause()
        load.wait_all_write()
        fleet.wait_until(lambda: leader.mntr("zk_synced_followers") == "1", "the leader gave it up")
        load.wait_acknowledged(50)
        assert fleet.leader is leader
        victim.resume()
        fleet.wait_settled()


def test_follower_stands_still_for_a_moment_only(fleet, load_on):
    with load_on(fleet) as load:
        leader, victim = fleet.leader, fleet.followers[0]
        victim.pause()
        load.wait_acknowledged(50)
        victim.resume()
        load.wait_all_write()
        assert fleet.leader is leader


def test_leader_stands_still_and_finds_another_one_when_it_goes_on(fleet, load_on):
    # Between waking up and noticing it may answer a sync all by itself.
    with load_on(fleet, synced=False) as load:
        victim = fleet.leader
        victim.pause()
        load.wait_acknowledged(100)
        load.wait_all_write()
        victim.resume()
        victim.wait_mode("follower")
        fleet.wait_settled()


def test_all_stand_still_and_go_on(fleet, load_on):
    with load_on(fleet, answer_timeout_s=5.0) as load:
        for m in fleet:
            m.pause()
        for m in fleet:
            m.resume()
        load.wait_all_write()
        fleet.wait_settled()


def test_leader_that_is_told_to_stop_hands_over(fleet, load_on):
    """How long nobody's write is acknowledged: printed; bounded by what an election takes, on a machine that does nothing else
    for one of them."""
    with load_on(fleet, clients=8) as load:
        gaps = []
        for _ in range(3):
            victim = fleet.leader
            load.wait_acknowledged(100)
            began = time.monotonic_ns()
            victim.stop()
            load.wait_all_write()
            gaps.append((began, time.monotonic_ns()))
            victim.start()
            fleet.wait_settled()
            load.wait_all_write()
        history = load.history
    gaps = [history.longest_gap_ms(since, until) for since, until in gaps]
    print("SIGTERM of the leader: no write acknowledged for "
          + ", ".join(f"{gap:.0f} ms" for gap in gaps))
    if all(m.is_caucusd for m in fleet):
        assert min(gaps) < 1000, gaps


def test_rolling_restart(fleet, load_on):
    with load_on(fleet) as load:
        for m in [*fleet.followers, fleet.leader]:
            m.stop()
            m.start()
            fleet.wait_settled()
            load.wait_all_write()


@pytest.mark.parametrize("seed", [int(os.environ.get("FAULT_SEED", "1"))])
def test_one_fault_after_the_other(fleet, load_on, seed):
    """FAULT_ROUNDS and FAULT_SEED make it longer and other."""
    chance = random.Random(seed)

    def one():
        chance.choice(list(fleet)).kill()

    def leader():
        if found := fleet.find_leader():
            found.kill()

    def every():
        for m in fleet:
            m.kill()

    def stop():
        chance.choice(list(fleet)).stop()

    def pause():
        chance.choice([m for m in fleet if m.running]).pause()

    with load_on(fleet, synced=False, timeout_ms=60_000) as load:
        for _ in range(ROUNDS):
            faults = chance.choices([one, leader, every, stop, pause], k=chance.choice([1, 1, 2]))
            print([fault.__name__ for fault in faults])
            for fault in faults:
                fault()
            # Sometimes long enough for an election, sometimes not.
            if len(fleet.running) >= 2 and chance.random() < 0.5:
                load.wait_acknowledged(chance.randrange(1, 100))
            make_whole(fleet)
            load.wait_acknowledged(chance.randrange(1, 200))
