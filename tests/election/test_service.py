"""A server of the election from outside: its door, the committee's commands, its end, and its command line."""

import json
import subprocess
import urllib.error
import urllib.request

import election_grpc
import grpc
import grpc_peer
import pytest
import rawzk
from election import ELECTIOND, Election, Server
from election_grpc import MESSAGE, m

pytestmark = pytest.mark.timeout(60)


def call(server, method, path, body=None, headers=None):
    """(status, headers, what the body says)"""
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port('rest')}{path}", method=method, headers=headers or {},
        data=json.dumps(body).encode() if body is not None else None)
    if body is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read().decode()
            return answer.status, answer.headers, text and (json.loads(text) if text[0] in "[{" else text)
    except urllib.error.HTTPError as e:
        text = e.read().decode()
        return e.code, e.headers, text and (json.loads(text) if text[0] in "[{" else text)


def vote(server, state, voter, candidate, **headers):
    return call(server, "POST", f"/states/{state}/voters/{voter}/vote", {"candidate": candidate},
                {k.replace("_", "-"): v for k, v in headers.items()})


@pytest.fixture
def election(standing, tmp_path):
    """Three servers for CA and ME, and a fourth that keeps no votes of CA."""
    server = standing("caucusd")
    chroot = f"/{tmp_path.name}"
    with server.session() as s:
        s.ok(rawzk.create(chroot))
    e = Election(tmp_path / "election", server.hosts + chroot, {"CA": 200, "ME": 50}, servers=4,
                 session_timeout_ms=10_000)
    for elector in e.servers[:3]:
        elector.options = ["--states", "ca,me"]
    e.servers[3].options = ["--states", ""]
    e.keepers = e.servers[:3]
    try:
        e.start()
        yield e
        e.stop()
    finally:
        e.kill()


def test_an_election_from_start_to_recount(election):
    first, last = election.servers[0], election.servers[3]
    assert vote(first, "ca", "CA-1", "cand1")[0] == 403
    status, _, started = call(last, "POST", "/v1/election/start", {})
    assert status == 200, started
    election.round = 1
    for state in election.states:
        election.wait_commit(state, lambda c: c.round == 1, "the round has begun")

    # At every door, hosted there or not; by code, key, name.
    for i, (server, state) in enumerate(zip(election.servers * 3, ("CA", "state_ca", "State%20CA", "ca") * 3)):
        status, _, receipt = vote(server, state, f"CA-{i + 1}", f"cand{i % 3 + 1}")
        assert status == 200, (server, receipt)
    assert vote(last, "CA", "CA-1", "cand3")[2]["revision"] == 2
    assert vote(last, "CA", "CA-999", "cand1")[0] == 404
    assert vote(last, "XX", "CA-1", "cand1")[0] == 404
    assert vote(last, "CA", "CA-1", "nobody")[0] == 422

    # A retry without an id of what counts already is told its receipt; with one, whatever came between.
    once = vote(last, "CA", "CA-20", "cand1", Idempotency_Key="6f1e7f3c-8d5b-4f0e-9a53-0a6b3a1b7c11")
    assert vote(first, "CA", "CA-20", "cand1")[2]["index"] == once[2]["index"]
    assert vote(first, "CA", "CA-20", "cand2")[2]["index"] > once[2]["index"]
    again = vote(first, "CA", "CA-20", "cand1", Idempotency_Key="6f1e7f3c-8d5b-4f0e-9a53-0a6b3a1b7c11")
    assert again[2]["index"] == once[2]["index"]
    assert vote(first, "CA", "CA-20", "cand3", Idempotency_Key="6f1e7f3c-8d5b-4f0e-9a53-0a6b3a1b7c11")[0] == 409

    status, _, stopped = call(first, "POST", "/v1/election/stop", {})
    assert status == 200, stopped
    assert vote(last, "CA", "CA-40", "cand1")[0] == 403
    assert vote(first, "CA", "CA-20", "cand1", Idempotency_Key="6f1e7f3c-8d5b-4f0e-9a53-0a6b3a1b7c11")[0] == 200
    for server in (first, last):
        status, _, found = call(server, "POST", "/v1/recount?state=CA", {})
        assert status == 200 and "true" in json.dumps(found), found
    status, _, text = call(first, "GET", "/metrics")
    assert status == 200 and 'commit_index{state="CA"}' in text
    commit = election.commit("CA")[0]
    assert sum(commit.votes) == commit.voters == 13


def test_an_election_by_grpc(election):
    """The same replicas behind the other door: a vote by one of them is known to the other."""
    first, last = (election_grpc.Client(grpc_peer.channel(s.port("grpc"))) for s in (election.servers[0], election.servers[3]))
    ballot = lambda i, **more: m("CastRequest", state="CA", voter=f"CA-{i}", candidate=f"cand{i % 3 + 1}",
                                 request_id=i.to_bytes(16, "big"), **more)
    with pytest.raises(grpc.RpcError) as e:
        last.voting.Cast(ballot(1), timeout=30)
    assert e.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert last.committee.Start(m("Command"), timeout=30).round == 1
    for state in election.states:
        election.wait_commit(state, lambda c: c.round == 1, "the round has begun")

    watched = first.committee.WatchResults(m("WatchQuery", states=["CA"], min_interval_ms=20), timeout=60)
    for client in (first, last):  # hosted there and not; the second is told the same again
        replies = list(client.voting.CastStream((ballot(i) for i in range(1, 101)), timeout=30))
        assert sorted(int.from_bytes(r.request_id, "big") for r in replies) == list(range(1, 101))
        assert {(r.outcome, r.code) for r in replies} == {(1 if client is first else 2, 0)}, replies[:3]
    status, _, by_http = vote(election.servers[3], "CA", "CA-200", "cand2")
    assert status == 200 and by_http["index"] == 100
    assert next(r for r in watched if r.voters == 101).leader == "cand2"
    assert last.original.ElectionsGetStatus(
        MESSAGE("protos.StateStatusRequest")(state="CA"), timeout=30).leadingCandidateName == "cand2"

    assert first.committee.Stop(m("Command"), timeout=30).phase == 3
    assert last.committee.Status(m("StateQuery", state="CA", linearizable=True), timeout=30).voters == 101
    recount = last.committee.Recount(m("StateQuery", state="CA"), timeout=30)
    assert recount.agree and {r.index for r in recount.replicas} == {101}, recount
    nation = first.committee.GlobalStatus(m("Empty"), timeout=30)
    assert sum(c.votes for c in nation.popular) == 101
    assert first.health.Check(MESSAGE("grpc.health.v1.HealthCheckRequest")(), timeout=30).status == 1


def test_a_folder_is_one_servers(election):
    twin = Server(election, 1)
    twin.log_path = election.folder / "twin.log"
    twin.start(wait=False)
    assert twin.wait_end() == 1
    assert f"another server uses '{twin.data}'" in twin.log()


def test_who_leaves_as_asked_hands_over_at_once(election):
    """The session ends with the server: nobody waits for its timeout."""
    election.session_timeout_ms = 20000
    for server in election.servers:
        server.stop()
        server.start(wait=False)
    for server in election.servers:
        server.wait_ready()
    election.open()
    leader = election.leader("CA")
    leader.stop()
    other = election.wait_commit("CA", lambda c: c.epoch > 1, "another leads", timeout_s=15)
    assert vote(election.servers[3], "CA", "CA-1", "cand1")[0] == 200
    assert other.leader in election.members("CA")


@pytest.mark.parametrize("arguments, text", [
    (["--zookeeper", "x"], "--election is needed"),
    (["--peer", "nowhere"], "--peer wants HOST:PORT"),
    (["--auth", "maybe"], "--auth"),
    (["--colour", "red"], "unknown option"),
    (["--check", "--election", "x", "--zookeeper-auth-file", "/nowhere"], "'/nowhere': No such file or directory"),
    (["--check", "--election", "x", "--zookeeper-auth-file", "/dev/null"], "its first line is not USER:PASSWORD"),
    (["--check", "--election", "x", "--zookeeper-auth-file", "/dev/null", "--zookeeper-auth", "a:b"], "one of them, please"),
    (["--zookeeper", "x", "--election", "/nowhere", "--data", "/tmp", "--name", "a", "--peer", "h:0"], "election.conf"),
])
def test_a_wrong_command_line_is_told(arguments, text):
    done = subprocess.run([ELECTIOND, *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert text in done.stderr


def test_help_and_version():
    for option in ("--help", "--version"):
        done = subprocess.run([ELECTIOND, option], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert "electiond" in done.stdout
