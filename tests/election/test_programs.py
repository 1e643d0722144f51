"""committee and electorate against servers of the election: the returns of 2024 cast again in small, a leader killed on the
way, counted by the servers, by the servers' disks, and from exported files."""

import collections
import concurrent.futures
import contextlib
import http.client
import itertools
import json
import pathlib
import re
import shutil
import subprocess
import threading

import grpc_peer
import pytest
from election import CLOSED, Election, Voters, WAIT_S
from election_grpc import Client, m
from peers import CAUCUSD

# What these programs see is the same on any coordination service.
pytestmark = pytest.mark.parametrize("coordination", ["ours"], indirect=True, scope="session")
ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMITTEE = CAUCUSD.parent / "committee"
ELECTORATE = CAUCUSD.parent / "electorate"
OK, NO, USAGE, CONNECTION = 0, 1, 2, 3
ELECTION_2024 = ROOT / "elections/us-2024"


def run(program, *words, **how):
    return subprocess.run([str(program), *map(str, words)], capture_output=True, text=True, timeout=WAIT_S * 3,
                          stdin=subprocess.DEVNULL, **how)


def doors(election, door):
    return ",".join(f"127.0.0.1:{s.port(door)}" for s in election.servers if s.process is not None)


class Committee:
    def __init__(self, election, door):
        self.front = [{"rest": "--rest", "grpc": "--server"}[door], doors(election, door)]

    def run(self, *words):
        return run(COMMITTEE, *self.front, *words)

    def ok(self, *words):
        r = self.run(*words)
        assert (r.returncode, r.stderr) == (OK, ""), r
        return r.stdout

    def json(self, *words):
        out = self.ok(*words, "--json")
        assert out.count("\n") == 1
        return json.loads(out)

    def fails(self, code, *words):
        r = self.run(*words)
        assert r.returncode == code and r.stderr.startswith("committee: ") and r.stderr.count("\n") == 1, r
        return r.stderr


@pytest.fixture
def nation(start_election):
    """The election of 2024 on three servers, not open yet."""
    return start_election({}, open=False, definition=ELECTION_2024)


def electors(status):
    return {c["candidate"]: c["electors"] for c in status["counts"]}


def replay(election, door, *words):
    return run(ELECTORATE, "replay", ELECTION_2024, "--scale", "1/10000",
               "--rest" if door == "rest" else "--server", doors(election, door), "--json", *words)


def kill_a_leader_on_the_way(election, state, votes):
    """When so many votes of the state are counted."""
    election.wait_commit(state, lambda c: c.index >= votes, f"{votes} votes")
    leader = election.leader(state)
    leader.kill()
    election.wait_leader(state, leader)
    leader.start(wait=False)
    return leader


def export(committee, election, folder):
    froms = [word for s in election.servers for word in ("--from", s.data)]
    return committee.run("export", folder, "--election", ELECTION_2024, "--zookeeper", election.hosts, *froms)


def resum(folder):
    """SHA256SUMS as somebody would make it who changed a file."""
    names = [line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    sums = subprocess.run(["sha256sum", *names], cwd=folder, capture_output=True, text=True, check=True).stdout
    (folder / "SHA256SUMS").write_text(sums)


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at if at >= 0 else len(data) + at] ^= 1
    path.write_bytes(data)


def test_the_election_of_2024_is_held_again(nation, tmp_path, door="grpc"):
    """By REST it takes as long and finds the same; the other tests ask by REST."""
    committee = Committee(nation, door)
    started = committee.json("start")
    assert started["phase"] == "OPEN"
    nation.round = started["round"]
    assert "open" in committee.fails(NO, "start")

    done = {}
    thread = threading.Thread(target=lambda: done.update(run=replay(nation, door)))
    thread.start()
    killed = kill_a_leader_on_the_way(nation, "CA", 200)
    thread.join()
    killed.wait_ready()
    r = done["run"]
    result = json.loads(r.stdout)
    assert (r.returncode, result["verdict"]) == (OK, "exact"), (r, nation.tails())
    assert result["states_exact"] == 51 and result["votes_counted"] == 15486

    # The same plan once more casts nothing anew.
    again = json.loads(replay(nation, door).stdout)
    assert again["verdict"] == "exact" and again["committed"] == 0
    assert again["duplicate"] == again["ballots"] > 15486

    committee = Committee(nation, door)
    assert committee.json("stop")["phase"] == "CLOSED"
    status = committee.json("global_status")
    assert electors(status) == {"harris": 226, "trump": 312, "other": 0}
    assert status["winner"] == "trump" and status["states_final"] == 51
    assert committee.json("status", "new_york")["final"]
    assert "312" in committee.ok("global_status")
    assert "atlantis" not in committee.ok("global_status")
    committee.fails(NO, "status", "atlantis")

    # The one that was killed may still be fetching; then a recount says, rightly, that not all agree.
    for state in nation.states:
        nation.wait_seal(state)
        nation.wait_caught_up(state)
    recount = committee.json("recount", "CA")["states"][0]
    assert recount["agree"] and len({r["root"] for r in recount["replicas"]}) == 1

    check_export(committee, nation, tmp_path / "export")


def check_cast_vote_records(folder):
    """Of a state with districts: as many as the counts say, and all that tells two of one choice apart is a number."""
    report = json.loads(run(COMMITTEE, "cvr", folder, "me").stdout)
    assert report["@type"] == "CVR.CastVoteRecordReport" and report["Version"] == "1.0.0"
    [election] = report["Election"]
    names = {c["@id"]: c["Name"] for c in election["Candidate"]}
    choices = {s["@id"]: names[s["CandidateIds"][0]] for s in election["Contest"][0]["ContestSelection"]}
    units = {u["@id"] for u in report["GpUnit"]}
    assert units == {"gp-ME", "gp-ME-1", "gp-ME-2"} and election["ElectionScopeId"] == "gp-ME"
    voters = next(s for s in json.loads(run(COMMITTEE, "verify", folder, "--json").stdout)["states"] if s["state"] == "ME")
    counted, rest = collections.Counter(), []
    for i, record in enumerate(report["CVR"]):
        assert record.pop("UniqueId") == str(i + 1) and record.pop("CurrentSnapshotId") == f"s-{i + 1}"
        [snapshot] = record["CVRSnapshot"]
        assert snapshot.pop("@id") == f"s-{i + 1}"
        [selection] = snapshot["CVRContest"][0]["CVRContestSelection"]
        assert selection["SelectionPosition"] == [
            {"@type": "CVR.SelectionPosition", "HasIndication": "yes", "NumberVotes": 1}]
        counted[choices[selection["ContestSelectionId"]]] += 1
        rest.append(json.dumps(record))
    assert sorted(counted.values()) == sorted(v for v in voters["votes"] if v) and sum(counted.values()) == voters["voters"]
    assert len(list(itertools.groupby(rest))) == len(set(rest)) <= len(choices) * 2  # those of one choice stand together
    assert run(COMMITTEE, "cvr", folder, "atlantis").returncode == NO


def check_export(committee, nation, folder):
    r = export(committee, nation, folder)
    assert r.returncode == OK, r
    fingerprint = r.stdout.split()[-1]
    assert export(committee, nation, folder).returncode == NO  # nothing is overwritten
    verified = json.loads(run(COMMITTEE, "verify", folder, "--json", "--fingerprint", fingerprint).stdout)
    assert verified["verified"] and electors(verified) == {"harris": 226, "trump": 312, "other": 0}
    assert verified["fingerprint"] == fingerprint
    assert run(COMMITTEE, "verify", folder, "--fingerprint", "0" * 64).returncode == NO

    check_cast_vote_records(folder)
    for name, at in (("definition.txt", 40), ("global", 20), ("CA/log", 5000), ("CA/log", -1), ("CA/roll", 100), ("CA/seal", 90)):
        flip(folder / name, at)
        assert run(COMMITTEE, "verify", folder).returncode == NO, f"{name}, byte {at}"
        resum(folder)
        r = run(COMMITTEE, "verify", folder)
        assert r.returncode == NO, f"{name}, byte {at}, with sums that fit"
        flip(folder / name, at)
        resum(folder)
        assert run(COMMITTEE, "verify", folder).returncode == OK


def test_a_committee_without_servers_says_so(coordination):
    r = run(COMMITTEE, "--rest", "127.0.0.1:1", "start")
    assert r.returncode == CONNECTION and "Connection refused" in r.stderr and r.stderr.count("\n") == 1, r
    assert run(COMMITTEE, "start").returncode == USAGE
    assert run(COMMITTEE, "bogus").returncode == USAGE
    assert run(COMMITTEE, "--server", "nonsense:0", "start").returncode == USAGE
    assert run(COMMITTEE, "status", "--help").stdout.startswith("committee status STATE")


def test_commands_come_from_a_script(nation):
    committee = Committee(nation, "rest")
    r = subprocess.run([str(COMMITTEE), *committee.front], input="start\nstatus CA # a comment\nbogus\nstop\nquit\nstart\n",
                       capture_output=True, text=True, timeout=WAIT_S)
    assert r.returncode == USAGE and "bogus" in r.stderr
    assert "round 1 is open" in r.stdout and "round 1 is closed" in r.stdout and "harris" in r.stdout
    assert nation.phase()[0] == CLOSED


def test_a_load_of_one_state(nation):
    committee = Committee(nation, "rest")
    committee.ok("start")
    r = run(ELECTORATE, "load", ELECTION_2024, "--rest", doors(nation, "rest"), "--states", "ny", "--rate", 500, "-d", 1, "--json")
    result = json.loads(r.stdout)
    assert r.returncode == OK and 0 < result["committed"] < 600, r  # fewer where the machine is slow, never more
    status = committee.json("global_status")
    voters = {s["state"]: s["voters"] for s in status["states"] if s["voters"]}
    assert list(voters) == ["NY"] and voters["NY"] <= result["committed"]
    committee.ok("stop", "--now")


def test_a_roll_is_looked_at_before_servers_do(coordination, tmp_path):
    definition = tmp_path / "example"
    shutil.copytree(ROOT / "elections/example", definition)
    assert run(COMMITTEE, "roll", "check", "--election", definition).stdout.split()[:2] == ["CA", "12"]
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("voter_id\nann\nbob\nann\n")
    r = run(COMMITTEE, "roll", "import", "--election", definition, "CA", wrong)
    assert r.returncode == NO and "line 4" in r.stderr and "line 2" in r.stderr, r
    assert not (definition / "roll/CA.csv").exists()
    wrong.write_text("voter_id\nann\nbob\n")
    assert run(COMMITTEE, "roll", "import", "--election", definition, "CA", wrong).stdout == "CA: 2 voters\n"
    assert run(COMMITTEE, "roll", "check", "--election", definition).stdout.split()[:2] == ["CA", "2"]


def test_a_roll_is_given_to_servers_before_the_first_round(start_election, tmp_path):
    election = start_election({"CA": 50}, open=False)
    committee = Committee(election, "rest")

    def voters():
        lines = committee.ok("roll", "check", "ca").splitlines()
        assert len(lines) == 3 and len({line.split("  ", 1)[1] for line in lines}) == 1
        return lines[0].split()[2]

    assert voters() == "50"
    path = tmp_path / "voters.csv"
    path.write_text("voter_id\nann\nbob\nann\n")
    refused = committee.fails(NO, "roll", "import", "CA", path)
    assert "voters.csv" in refused and "line 4" in refused and "line 2" in refused
    path.write_text("voter_id,district\nann,9\n")
    assert "line 2, column 5" in committee.fails(NO, "roll", "import", "CA", path)
    path.write_text("voter_id\n")
    assert "no voter" in committee.fails(NO, "roll", "import", "CA", path)
    committee.fails(NO, "roll", "import", "atlantis", path)
    assert voters() == "50" and not list((election.definition / "roll").iterdir())

    path.write_text("voter_id\n" + "".join(f"voter {i}\n" for i in range(30000)))
    assert committee.ok("roll", "import", "CA", path).count("30,000 voters") == 3
    assert voters() == "30,000"
    election.round = committee.json("start")["round"]

    def vote(voter):
        connection = http.client.HTTPConnection("127.0.0.1", election.servers[1].port("rest"), timeout=WAIT_S)
        connection.request("POST", f"/states/CA/voters/{voter}/vote", '{"candidate":"cand1"}', {"Content-Type": "application/json"})
        status = connection.getresponse().status
        connection.close()
        return status

    assert [vote(v) for v in ("voter%207", "voter%2029999", "CA-1", "voter%2030000")] == [200, 200, 404, 404]
    assert "before the first round" in committee.fails(NO, "roll", "import", "CA", path)
    election.servers[0].kill()
    election.servers[0].start()
    committee = Committee(election, "rest")
    assert voters() == "30,000"
    committee.ok("stop")
    election.wait_caught_up("CA")
    assert committee.json("recount", "CA")["states"][0]["agree"]


def test_a_server_with_another_roll_is_loud_and_leads_nothing(start_election, tmp_path):
    """Whoever begins a round gives it his roll. It is told before the start, and the others begin without it."""
    election = start_election({"CA": 50, "NY": 50}, open=False)
    committee = Committee(election, "rest")
    odd = election.wait_line("CA", lambda line: len(line) == 3, "all are there")[0]
    path = tmp_path / "voters.csv"
    path.write_text("voter_id\nann\nbob\n")
    run(COMMITTEE, "--rest", f"127.0.0.1:{odd.port('rest')}", "roll", "import", "CA", path)
    for server in election.servers:
        server.wait_log(r"event=roll_differs state=CA")
    election.wait_line("CA", lambda line: len(line) == 2 and odd not in line, f"{odd} has left the line")

    def ask(server, path):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port("rest"), timeout=WAIT_S)) as door:
            door.request("GET", path)
            answer = door.getresponse()
            return answer.status, answer.read().decode()

    status, why = ask(odd, "/readyz")
    assert status == 503 and "another roll" in why
    for server in election.servers:
        assert 'roll_differs{state="CA"} 1' in ask(server, "/metrics")[1]
        assert 'roll_differs{state="NY"} 0' in ask(server, "/metrics")[1]
        assert (ask(server, "/readyz")[0] == 200) == (server is not odd)
    committee.fails(NO, "roll", "check", "CA")

    election.round = committee.json("start")["round"]
    with Voters(election, "CA", voters=50) as voters:
        voters.wait_acknowledged(50)
    assert election.leader("CA") is not odd
    # It cannot follow a log that begins with another roll, and says so.
    assert odd.process.poll() is not None or ask(odd, "/readyz")[0] == 503


def test_who_asks_at_the_same_time_is_served_by_one_read(start_election, coordination):
    """By REST or gRPC: a thousand spectators cost what one does. They are there at the same time since the service stands still until all have asked."""
    nation = start_election({}, open=False, definition=ELECTION_2024, session_timeout_ms=60_000)
    server, people_max = nation.servers[0], 60
    nation.wait_balanced()  # nobody reads for any other reason
    asked = threading.Semaphore(0)

    def get(path):
        connection = http.client.HTTPConnection("127.0.0.1", server.port("rest"), timeout=WAIT_S)
        connection.request("GET", path)
        asked.release()
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        assert answer.status == 200, body
        return body

    reads = lambda: int(re.search(r"^coord_reads_total (\d+)", get("/metrics"), re.M)[1])
    before = reads()
    with grpc_peer.channel(server.port("grpc")) as channel, concurrent.futures.ThreadPoolExecutor(people_max) as people:
        committee = Client(channel).committee
        for member in coordination:
            member.pause()
        by_rest = [people.submit(get, "/v1/results") for _ in range(people_max)]
        by_grpc = [committee.GlobalStatus.future(m("Empty"), timeout=WAIT_S) for _ in range(people_max)]
        for _ in by_rest:
            assert asked.acquire(timeout=WAIT_S)
        for member in coordination:
            member.resume()
        assert {json.loads(f.result())["phase"] for f in by_rest} == {"IDLE"}
        assert {len(f.result().states) for f in by_grpc} == {51}
    assert 1 <= reads() - before < people_max / 2
