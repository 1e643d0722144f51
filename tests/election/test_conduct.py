"""Start and stop of an election whose servers take votes meanwhile. Whoever is told to start and stop is a server like
the others, but for replicas: it has none."""

import pytest
from election import Voters
from talk import Talk


class Conductor(Talk):
    def __init__(self, election, name):
        super().__init__("coordination_talk", election.hosts, 10000, "/Election", name, ",".join(election.states),
                         "copies=2", f"config={election.config.hex()}")
        self.election = election

    def command(self, order):
        """(outcome, round, phase, states that are not ready)"""
        words = self.ask(order, "command")
        self.election.round = int(words[2])
        return words[1], int(words[2]), words[3], words[4]

    def started(self):
        while (answer := self.command("start"))[0] == "NOT_READY":
            pass  # its replicas are about to be
        return answer


@pytest.fixture
def conductor():
    started = []

    def start(election, name):
        started.append(Conductor(election, name))
        return started[-1]

    yield start
    for c in started:
        c.kill()


def test_rounds_begin_and_end_while_votes_come(start_election, conductor):
    election = start_election({"CA": 2000, "NY": 500}, open=False)
    conduct = conductor(election, "x")
    assert conduct.started() == ("DONE", 1, "OPEN", "-")
    with Voters(election, "CA") as a, Voters(election, "NY", voters=500) as b:
        a.wait_acknowledged(100)
        b.wait_acknowledged(100)
        assert conduct.command("stop")[:3] == ("DONE", 1, "CLOSED")
    for state in election.states:
        election.wait_seal(state)
        assert election.commit(state)[0].sealed
    election.check(a, b)

    assert conduct.started() == ("DONE", 2, "OPEN", "-")
    with Voters(election, "CA") as a, Voters(election, "NY", voters=500) as b:
        a.wait_acknowledged(100)
        b.wait_acknowledged(100)
        assert conduct.command("stop now")[:3] == ("DONE", 2, "CLOSED")
    election.check(a, b)


def test_a_round_ends_although_a_leader_dies_as_it_closes(start_election, conductor):
    election = start_election({"CA": 2000}, open=False)
    conduct, other = conductor(election, "x"), conductor(election, "y")
    other.once("ready")
    conduct.started()
    with Voters(election, "CA") as voters:
        voters.wait_acknowledged(200)
        leader = election.leader("CA")
        leader.pause()
        conduct.say("stop drain=30000")
        while other.hear("nation")[2] != "CLOSING":
            pass
        conduct.kill()
        leader.kill()
        while other.hear("nation")[2] != "CLOSED":
            pass
        leader.start()
    election.wait_seal("CA")
    election.check(voters)


def test_closing_ends_in_time_although_a_state_cannot_commit_what_it_took(start_election, conductor):
    """Two of three disks are out of reach. What was taken is not in the round, and nobody is told otherwise."""
    election = start_election({"CA": 2000}, open=False)
    conduct = conductor(election, "x")
    conduct.started()
    with Voters(election, "CA") as voters:
        voters.wait_acknowledged(100)
        others = [s for s in election.servers if s is not election.leader("CA")]
        for server in others:
            server.pause()
        assert conduct.command("stop drain=300")[:3] == ("DONE", 1, "CLOSED")
        for server in others:
            server.resume()
    election.wait_seal("CA")
    election.check(voters)
    election.check_recount("CA")
