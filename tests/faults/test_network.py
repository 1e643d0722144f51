"""Networks that are cut and healed, also one way only, between servers that live in network
namespaces of their own: the side with a majority goes on, the other one stops serving, and when the
cut is mended all have the same history."""

import itertools
import os
import random

import mixes
import netlab
import pytest
from conftest import make_whole
from ensemble import Ensemble

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "6"))

NETS = {
    "ours": ["ours", "ours", "ours"],
    "mixed": ["apache39", "ours", "ours"],
    "mixed, theirs leads": ["ours", "ours", "apache386"],
}


@pytest.fixture(scope="module", params=NETS, ids=lambda name: name.replace(" ", "-"))
def lab(request, backend, tmp_path_factory):
    netlab.require()
    kinds = mixes.kinds(NETS[request.param], backend)
    with netlab.Netlab(len(kinds)) as net:
        ensemble = Ensemble(tmp_path_factory.mktemp("net"), kinds, places=net.places,
                            config={"tickTime": 200, "syncLimit": 10})
        ensemble.fuzzy = True
        ensemble.net = net
        try:
            ensemble.start()
            yield ensemble
            ensemble.stop()
            ensemble.check_same_logs()
        finally:
            ensemble.kill()


@pytest.fixture
def fleet(lab):
    lab.net.heal()
    lab.wait_settled()
    return lab


@pytest.fixture
def cut_load(load_on):
    """A leader that is cut off answers a sync by itself until it notices, so none is asked for."""
    def run(fleet, **kwargs):
        return load_on(fleet, synced=False, timeout_ms=60_000, **kwargs)

    return run


def not_serving(fleet, member):
    fleet.wait_until(lambda: member.mode() is None, f"{member} stops serving")


def heal(fleet):
    fleet.net.heal()
    fleet.wait_settled()


def test_leader_is_cut_off(fleet, cut_load):
    with cut_load(fleet) as load:
        leader = fleet.leader
        fleet.net.isolate(leader.sid)
        not_serving(fleet, leader)
        load.wait_all_write()
        assert fleet.leader is not leader
        heal(fleet)


def test_follower_is_cut_off(fleet, cut_load):
    with cut_load(fleet) as load:
        leader, victim = fleet.leader, fleet.followers[0]
        fleet.net.isolate(victim.sid)
        not_serving(fleet, victim)
        load.wait_all_write()
        assert fleet.leader is leader
        heal(fleet)
        assert fleet.leader is leader


def test_followers_that_do_not_hear_each_other_need_not(fleet, cut_load):
    with cut_load(fleet) as load:
        leader = fleet.leader
        a, b = fleet.followers
        fleet.net.cut_both(a.sid, b.sid)
        load.wait_acknowledged(500)
        assert fleet.modes() == {leader.sid: "leader", a.sid: "follower", b.sid: "follower"}
        heal(fleet)
        assert fleet.leader is leader


def test_follower_does_not_hear_the_leader(fleet, cut_load):
    with cut_load(fleet) as load:
        leader, victim = fleet.leader, fleet.followers[0]
        fleet.net.cut(leader.sid, victim.sid)
        not_serving(fleet, victim)
        load.wait_all_write()
        assert fleet.leader is leader
        heal(fleet)


def test_leader_does_not_hear_a_follower(fleet, cut_load):
    with cut_load(fleet) as load:
        leader, victim = fleet.leader, fleet.followers[0]
        fleet.net.cut(victim.sid, leader.sid)
        not_serving(fleet, victim)
        load.wait_all_write()
        assert fleet.leader is leader
        heal(fleet)


def test_nobody_hears_the_leader(fleet, cut_load):
    """It hears everybody, and has to notice that it has no answers."""
    with cut_load(fleet) as load:
        leader = fleet.leader
        for other in fleet.followers:
            fleet.net.cut(leader.sid, other.sid)
        fleet.wait_until(lambda: fleet.find_leader() not in (None, leader), "another one leads")
        not_serving(fleet, leader)
        load.wait_all_write()
        heal(fleet)


def test_leader_hears_nobody(fleet, cut_load):
    with cut_load(fleet) as load:
        leader = fleet.leader
        for other in fleet.followers:
            fleet.net.cut(other.sid, leader.sid)
        not_serving(fleet, leader)
        load.wait_all_write()
        assert fleet.leader is not leader
        heal(fleet)


def test_everybody_is_alone_for_a_while(fleet, cut_load):
    with cut_load(fleet) as load:
        fleet.net.split([1], [2], [3])
        for m in fleet:
            not_serving(fleet, m)
        heal(fleet)
        load.wait_all_write()


def test_cuts_that_heal_before_anybody_gives_up(fleet, cut_load):
    with cut_load(fleet) as load:
        leader = fleet.leader
        for m in fleet.followers * 3:
            fleet.net.isolate(m.sid)
            load.wait_acknowledged(20)
            fleet.net.heal()
            load.wait_acknowledged(20)
        load.wait_all_write()
        assert fleet.wait_settled() is leader


@pytest.mark.parametrize("seed", [int(os.environ.get("FAULT_SEED", "1"))])
def test_one_cut_after_the_other(fleet, cut_load, seed):
    """Any set of one-way cuts, and now and then a server is killed as well. FAULT_ROUNDS and FAULT_SEED
    make it longer and other."""
    chance = random.Random(seed)
    ways = list(itertools.permutations(sorted(fleet.members), 2))
    with cut_load(fleet) as load:
        for _ in range(ROUNDS):
            cuts = chance.sample(ways, chance.randrange(1, len(ways)))
            killed = chance.choice(sorted(fleet.members)) if chance.random() < 0.3 else None
            print(cuts, killed)
            for a, b in cuts:
                fleet.net.cut(a, b)
            if killed:
                fleet[killed].kill()
            # As long as writes take by themselves, or until whoever has no majority has noticed.
            hurt = chance.choice([m for m in fleet if m.sid != killed])
            if chance.random() < 0.5:
                fleet.wait_until(lambda: hurt.mode() != "leader" or not cuts_off(hurt, cuts),
                                 f"{hurt} notices, or need not")
            fleet.net.heal()
            make_whole(fleet)
            load.wait_acknowledged(chance.randrange(1, 100))


def cuts_off(member, cuts):
    """Whether at most one of its four ways is left, and no link works on one."""
    return sum(member.sid in cut for cut in cuts) >= 3


def test_minority_with_the_leader_of_five(backend, tmp_path, load_on):
    netlab.require()
    kinds = mixes.kinds(["ours", "apache39", "ours", "apache38", "ours"], backend)
    with netlab.Netlab(5) as net:
        fleet = Ensemble(tmp_path, kinds, places=net.places,
                         config={"tickTime": 200, "syncLimit": 10})
        fleet.fuzzy = True
        try:
            leader = fleet.start(leader=5)
            with load_on(fleet, synced=False, timeout_ms=60_000) as load:
                net.split([5, 1], [2, 3, 4])
                not_serving(fleet, leader)
                not_serving(fleet, fleet[1])
                load.wait_all_write()
                assert fleet.leader.sid in (2, 3, 4)
                net.heal()
                fleet.wait_settled()
                # The other way: who leads is with the majority.
                leader = fleet.leader
                rest = [m.sid for m in fleet if m is not leader]
                net.split([leader.sid, *rest[:2]], rest[2:])
                for sid in rest[2:]:
                    not_serving(fleet, fleet[sid])
                load.wait_all_write()
                assert fleet.leader is leader
                net.heal()
                fleet.wait_settled()
            fleet.stop()
            fleet.check_same_logs()
        finally:
            fleet.kill()
