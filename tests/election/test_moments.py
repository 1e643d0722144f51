"""The leader of a state is killed at one moment and no other: what the proxy between it and the coordination service
holds back, and what is in its file, prove which. F1 to F4 of docs/ELECTION.md."""

import contextlib

import pytest
import zkfiles
from election import Voters, read_log
from proxy import Proxy
from rawzk import MULTI

CA = {"CA": 2000}


class Moments:
    def __init__(self, election, proxies, voters):
        self.election, self.proxies, self.voters = election, proxies, voters
        self.leader = election.leader("CA")
        self.proxy = proxies[self.leader]
        self.others = [s for s in election.servers if s is not self.leader]

    def committed(self):
        return self.election.commit("CA")[0].index

    def written(self, server):
        """Records in a server's file, which has them a moment after its journal."""
        return len(read_log(self.election.file(server, "CA")).records)

    def changes(self, server):
        return zkfiles.FolderWatch(self.election.file(server, "CA").parent)

    def nothing_is_on_its_way(self):
        """What a server that stands still had sent has been done: the proxy and the service have had their turns."""
        for _ in range(2):
            self.election.client.retry(self.election.client.sync, "/")

    def told(self):
        """Records below the highest that a voter was told of."""
        return max(b.index for b in list(self.voters.ballots) if b.outcome in ("COMMITTED", "DUPLICATE")) + 1

    def kill_at_commit(self, arrives):
        """When its next write of Commit is on its way, which is lost or arrives after its death."""
        def kill():
            self.leader.process.kill()
            self.proxy.foil(MULTI, None)
            if not arrives:
                raise EOFError

        self.proxy.foil(MULTI, kill)
        self.leader.wait_end()

    # --- each leaves the leader dead ---

    def f1_it_is_on_no_other_disk(self):
        """Sent, perhaps: what waits in their sockets they read after its death."""
        for server in self.others:
            server.pause()
        uncommitted = lambda: self.written(self.leader) > self.committed()
        with self.changes(self.leader) as changes:
            while True:
                changes.wait_until(uncommitted)
                self.leader.pause()
                self.nothing_is_on_its_way()
                if uncommitted():  # and it stays so: what others had acknowledged before is in Commit by now
                    break
                self.leader.resume()
        self.leader.kill()
        assert uncommitted()
        for server in self.others:
            server.resume()

    def f2_f3_it_is_on_two_of_three_disks_and_not_in_commit(self):
        self.others[0].pause()
        self.voters.wait_acknowledged(3 * self.voters.width)  # what it had acknowledged before is in Commit by now
        self.kill_at_commit(arrives=False)
        with self.changes(self.others[1]) as changes:
            changes.wait_until(lambda: self.written(self.others[1]) > self.committed())
        assert self.committed() >= self.told()
        self.others[0].resume()

    def f3_f4_its_commit_arrives_when_it_is_dead(self):
        self.kill_at_commit(arrives=True)

    def f4_it_is_in_commit_and_nobody_was_told(self):
        self.proxy.hold(MULTI)
        assert self.proxy.held.wait(30), "no Commit was written"
        assert self.committed() > self.told()
        self.leader.kill()
        self.proxy.release()


MOMENTS = [name for name in vars(Moments) if name.startswith("f")]


@pytest.mark.on_apache
def test_f1_to_f4_the_leader_is_killed_at_each_moment_between_a_vote_and_its_answer(start_election, coordination):
    with contextlib.ExitStack() as stack:
        proxies = {}

        def between(election):
            for server, member in zip(election.servers, coordination):
                proxies[server] = stack.enter_context(Proxy(member.address))
                server.hosts = proxies[server].hosts + election.hosts[election.hosts.index("/"):]

        election = start_election(CA, before=between, session_timeout_ms=2500)
        with Voters(election, "CA") as voters:
            for moment in MOMENTS:
                voters.wait_acknowledged(50)
                at = Moments(election, proxies, voters)
                getattr(at, moment)()
                election.wait_leader("CA", at.leader)
                voters.wait_acknowledged(50)
                at.leader.start()
        election.close()
        election.check(voters)
        election.check_recount("CA")
        for server in election.servers:
            server.stop()
