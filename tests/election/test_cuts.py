"""Networks that are cut, also one way only, between servers of an election that live in network namespaces of their
own, and between them and the coordination service; clocks that jump. Voters reach every server all the time: a
leader that is cut off takes votes, and must not acknowledge one."""

import os
import types

import netlab
import pytest
import rawzk
from clock import ShimClock
from election import Election, Voters
from ensemble import Ensemble

pytestmark = pytest.mark.timeout(120)

# Everything: ELECTION_CUTS=ours,apache. Unasked, on caucusd, what differs most: time is short.
KINDS = {"ours": "caucusd", "apache": "apache39"}
ALL = "ELECTION_CUTS" in os.environ
ON = os.environ.get("ELECTION_CUTS", "ours").split(",")
COORDINATION, SERVERS = (1, 2, 3), (4, 5, 6)


@pytest.fixture(scope="module", params=ON)
def lab(request, tmp_path_factory):
    """All cases have one election: what one left behind would be found by the next."""
    netlab.require()
    folder = tmp_path_factory.mktemp("cuts")
    clocks = []
    for i in range(len(SERVERS)):
        (folder / str(i)).mkdir()
        clocks.append(ShimClock(folder / str(i)))
    with netlab.Netlab(6) as net, net.entered():
        ensemble = Ensemble(folder / "ensemble", [KINDS[request.param]] * 3, config={"tickTime": 200},
                            places={sid: net.places[sid] for sid in COORDINATION})
        election = None
        try:
            ensemble.start()
            with ensemble.leader.session() as s:
                s.ok(rawzk.create("/cuts"))
            election = Election(folder / "election", ensemble.hosts + "/cuts", {"CA": 2000},
                                places={i + 1: net.places[sid] for i, sid in enumerate(SERVERS)},
                                session_timeout_ms=1200)
            for server, clock in zip(election.servers, clocks):
                server.env = clock.env
            election.start()
            yield types.SimpleNamespace(net=net, election=election, ensemble=ensemble, clocks=clocks)
            election.stop()
            ensemble.stop()
        finally:
            if election is not None:
                election.kill()
            ensemble.kill()


@pytest.fixture
def votes(lab):
    """votes(): voters, while a round is open; at the end the cut is mended and everything has to be right."""
    lab.election.open()
    with Voters(lab.election, "CA") as voters:
        voters.wait_acknowledged(100)
        yield voters
        lab.net.heal()
        voters.wait_acknowledged(100)
    lab.election.close()
    lab.election.check(voters)
    lab.election.check_recount("CA")
    lab.election.wait_seal("CA")


def sid_of(lab, server):
    return SERVERS[lab.election.servers.index(server)]


def cut(lab, server, others, ways):
    """ways: "out", what the server sends is gone; "in", what it is sent; "both"."""
    me = sid_of(lab, server)
    for other in others:
        if ways in ("out", "both"):
            lab.net.cut(me, other)
        if ways in ("in", "both"):
            lab.net.cut(other, me)


def lead_by_another(lab, votes, leader):
    lab.election.wait_leader("CA", leader)
    votes.wait_acknowledged(100)


@pytest.mark.parametrize("ways", ["both", "out", "in"] if ALL else ["both", "in"])
def test_f7_the_leader_is_cut_from_the_coordination_service_alone(lab, votes, ways):
    leader = lab.election.leader("CA")
    cut(lab, leader, COORDINATION, ways)
    lead_by_another(lab, votes, leader)


@pytest.mark.parametrize("ways", ["both", "out", "in"] if ALL else ["out"])
def test_f8_the_leader_is_cut_from_its_followers_alone(lab, votes, ways):
    leader = lab.election.leader("CA")
    cut(lab, leader, [sid for sid in SERVERS if sid != sid_of(lab, leader)], ways)
    lead_by_another(lab, votes, leader)


def test_f11_whoever_is_next_is_cut_from_the_others(lab, votes):
    """Two of three are needed and one is dead: the one that is cut off must not keep the lead."""
    leader, cut_off, _ = lab.election.line("CA")
    cut(lab, cut_off, [sid for sid in SERVERS if sid != sid_of(lab, cut_off)], "both")
    leader.kill()
    lab.election.wait_leader("CA", leader)
    leader.start()
    lead_by_another(lab, votes, cut_off)


def test_f26_the_leaders_wall_clock_jumps(lab, votes):
    """An hour forth, a day back: nothing is decided by it. Nor do sessions end for another reason: they are long."""
    lab.election.session_timeout_ms = 20_000
    for server in lab.election.servers:
        server.stop()
        server.start()
    votes.wait_acknowledged(100)
    leader = lab.election.servers.index(lab.election.leader("CA"))
    for seconds in (3600, -86400, 86400):
        epoch = lab.election.commit("CA")[0].epoch
        lab.clocks[leader].jump(seconds)
        votes.wait_acknowledged(100)
        assert lab.election.commit("CA")[0].epoch == epoch


if ALL:
    def test_the_leader_is_cut_from_everybody(lab, votes):
        leader = lab.election.leader("CA")
        cut(lab, leader, COORDINATION, "both")
        cut(lab, leader, [sid for sid in SERVERS if sid != sid_of(lab, leader)], "both")
        lead_by_another(lab, votes, leader)

    def test_f16_the_leader_of_the_coordination_service_is_cut_off_with_the_leader_of_the_state(lab, votes):
        """One machine's two servers, each the first of its kind, behind one broken switch."""
        leader, first = lab.election.leader("CA"), lab.ensemble.leader
        lab.net.split([first.sid, sid_of(lab, leader)], [sid for sid in COORDINATION + SERVERS
                                                          if sid not in (first.sid, sid_of(lab, leader))])
        lead_by_another(lab, votes, leader)
        lab.net.heal()
        lab.ensemble.wait_settled()
