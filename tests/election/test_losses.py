"""Votes that are committed and that no server has any more (F12): people give them up, and the state goes on. What comes back
after all is kept in a file. docs/ELECTION.md, section 14."""

import contextlib
import http.client
import json
import shutil
import signal
import subprocess

import pytest
from election import Voters, check_count, read_log
from peers import CAUCUSD
from server import free_port

COMMITTEE = CAUCUSD.parent / "committee"
OK, NO = 0, 1
PEOPLE = ["alice", "bob", "carol"]


def committee(*words):
    return subprocess.run([str(COMMITTEE), *map(str, words)], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def ok(*words):
    r = committee(*words)
    assert r.returncode == OK, r
    return r.stdout


class Losing:
    """An election of one state, of which two servers have all that is committed and one a part: those two are killed."""

    def __init__(self, start_election, folder):
        self.folder = folder
        lines = [ok("approver", "new", folder / f"{name}.key", "--name", name) for name in PEOPLE]
        definition = folder / "definition"
        definition.mkdir()
        (definition / "election.conf").write_text("id=test\npublish=live\nreplicas=3\napprovals_min=2\n" + "".join(lines))
        (definition / "candidates.csv").write_text("cand1\ncand2\ncand3\n")
        (definition / "states.csv").write_text("usps,key,name,electors,roll\nCA,california,California,54,2000\n")
        self.election = start_election({}, definition=definition)

    def lose(self, voters):
        voters.wait_acknowledged(100)
        election = self.election
        self.keeper = election.line("CA")[-1]
        self.keeper.kill()
        voters.wait_acknowledged(200)
        self.gone = [server for server in election.servers if server is not self.keeper]
        for server in self.gone:
            server.process.send_signal(signal.SIGKILL)
        for server in self.gone:
            server.kill()
        self.before = election.commit("CA")[0]
        self.rest = f"127.0.0.1:{free_port()}"  # it does not become ready, and cannot say which
        self.keeper.options = ["--rest", self.rest]
        self.keeper.start(wait=False)
        self.keeper.wait_log(r"event=out_of_reach state=CA")

    def had(self):
        """The log of one of those who are gone, whose file is behind its journal until it is opened: by a server that cannot
        reach anybody."""
        server = self.gone[0]
        hosts, server.hosts = server.hosts, "127.0.0.1:1"
        server.start(wait=False)
        server.wait_log(r"event=journal")
        server.kill()
        server.hosts = hosts
        log = read_log(self.election.file(server, "CA"))
        assert len(log.records) >= self.before.index and log.chains[self.before.index] == self.before.chain
        return log

    def recover(self, *words):
        return committee("--rest", self.rest, "recover", "CA", *words)

    def notice(self, name, by=()):
        """What is lost now, with the approvals of some."""
        path = self.folder / name
        assert self.recover("--notice", path).returncode == OK
        for person in by:
            ok("approve", path, "--name", person, "--key", self.folder / f"{person}.key", "--add")
        return path

    def check(self, voters, lost):
        """lost: the records of those who are gone, as their disks had them."""
        election = self.election
        after = election.commit("CA")[0]
        loss, = after.losses
        assert (loss.before, loss.epoch) == (self.before.index, self.before.epoch + 1)
        assert 0 < loss.after < loss.before and after.index > loss.after
        logs = [read_log(election.file(server, "CA")) for server in election.servers]
        for log in logs:
            assert log.records[:after.index] == logs[0].records[:after.index]
            assert (log.chains[loss.after], log.chains[after.index]) == (loss.chain, after.chain)
        records = logs[0].records[:after.index]
        check_count(records, after)
        assert records[:loss.after] == lost[:loss.after]
        # Whoever was told COMMITTED is counted, or is one of those that were given up.
        counted = {(r.voter, r.request): r for r in records}
        given_up = {(r.voter, r.request): r for r in lost[loss.after:loss.before]}
        told = [b for b in voters.ballots if b.outcome in ("COMMITTED", "DUPLICATE")]
        for ballot in told:
            record = counted.get((ballot.voter, ballot.request)) or given_up[ballot.voter, ballot.request]
            assert (record.index, record.candidate) == (ballot.index, ballot.candidate)
        assert any((b.voter, b.request) not in counted for b in told)
        assert any((b.voter, b.request) in counted and b.index > loss.after for b in told)
        status = json.loads(ok("--rest", self.rest, "status", "CA", "--json"))
        assert status["lost"] == loss.before - loss.after
        return loss


@pytest.fixture
def losing(start_election, tmp_path):
    folder = tmp_path / "people"
    folder.mkdir()
    return Losing(start_election, folder)


@pytest.mark.on_apache
def test_f12_what_nobody_has_is_given_up_by_two_of_three_and_votes_are_taken_again(losing):
    election = losing.election
    with Voters(election, "CA") as voters:
        losing.lose(voters)
        lost = losing.had().records
        for server in losing.gone:
            shutil.rmtree(server.data)

        # One is not enough, nor is a notice that was changed; nothing is written.
        refused = losing.recover("--document", losing.notice("one.txt", ["alice"]))
        assert refused.returncode == NO and "2 approvals" in refused.stderr
        document = losing.notice("two.txt", ["alice", "carol"])
        kept = json.loads(losing.recover("--json").stdout)["kept"]
        changed = losing.folder / "changed.txt"
        changed.write_text(document.read_text().replace(f"kept {kept}\n", f"kept {kept - 1}\n"))
        refused = losing.recover("--document", changed)
        assert refused.returncode == NO and "alice" in refused.stderr
        assert election.commit("CA")[0] == losing.before and election.client.get_children("/Election/CA/Loss") == []

        done = losing.recover("--document", document)
        assert done.returncode == OK, done
        losing.keeper.wait_log(r"event=loss_admitted state=CA .*")
        election.client.sync("/")  # its server may be behind the one that was written to
        epoch, = election.client.get_children("/Election/CA/Loss")
        assert election.client.get(f"/Election/CA/Loss/{epoch}")[0].decode() == document.read_text()
        assert losing.recover("--document", document).returncode == OK  # an answer may be lost: it is done once
        assert len(election.commit("CA")[0].losses) == 1
        for server in losing.gone:
            server.options = ["--replace"]
            server.start(wait=False)
        for server in election.servers:
            server.wait_ready()
        voters.wait_acknowledged(200)
    election.close()
    election.wait_caught_up("CA")
    losing.check(voters, lost)
    election.check_recount("CA")
    assert f'lost_records{{state="CA"}} {losing.before.index - kept}' in metrics(losing.rest)


def metrics(address):
    with contextlib.closing(http.client.HTTPConnection(address, timeout=40)) as door:
        door.request("GET", "/metrics")
        return door.getresponse().read().decode()


def test_who_comes_back_with_what_was_given_up_keeps_it_in_a_file(losing):
    """They were not gone after all: what they have goes to a file, and they follow. One is killed as it begins to."""
    election = losing.election
    with Voters(election, "CA") as voters:
        losing.lose(voters)
        lost = losing.had()
        assert losing.recover("--document", losing.notice("both.txt", ["bob", "carol"])).returncode == OK
        for server in losing.gone:
            server.start(wait=False)
        for server in losing.gone:
            server.wait_log(r"event=set_aside state=CA")
        for server in election.servers:
            server.wait_ready()
        voters.wait_acknowledged(200)
    election.close()
    election.wait_caught_up("CA")
    loss = losing.check(voters, lost.records)
    election.check_recount("CA")
    for server in losing.gone:
        name = f"lost-{election.round:016x}-{loss.epoch:016x}"
        aside = read_log(server.data / "CA" / name, loss.after, loss.chain)
        assert aside.records[:loss.before - loss.after] == lost.records[loss.after:loss.before]


def test_nothing_is_given_up_while_somebody_has_it_or_when_it_is_not_as_signed(losing):
    election = losing.election
    losing.rest = f"127.0.0.1:{election.servers[0].port('rest')}"
    with Voters(election, "CA") as voters:
        voters.wait_acknowledged(50)
        healthy = losing.recover()
        assert healthy.returncode == NO and "has all that is committed" in healthy.stderr
        losing.lose(voters)
        document = losing.notice("then.txt", ["alice", "bob", "carol"])
        # One of them is back, and alone again: Commit has another leader than was signed for.
        losing.gone[0].start(wait=False)
        losing.keeper.wait_log(r"event=in_reach state=CA")
        election.wait_commit("CA", lambda c: c.epoch > losing.before.epoch, "somebody leads")
        refused = losing.recover("--document", document)
        assert refused.returncode == NO
        losing.gone[1].start(wait=False)
        for server in election.servers:
            server.wait_ready()
        voters.wait_acknowledged(100)
    election.close()
    election.check(voters)
    assert election.commit("CA")[0].losses == []
    closed = losing.recover()
    assert closed.returncode == NO and "closed" in closed.stderr
