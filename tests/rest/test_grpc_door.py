"""The election's door for gRPC with a service in memory (tests/rest/scripted_service.h), asked by gRPC for Python."""

import contextlib
import queue
import time

import grpc
import grpc_peer
import pytest
from certs import Certs
from election_grpc import Client, H, MESSAGE, O, PROTO, R, m

IDLE, OPEN, CLOSING, CLOSED = range(4)
DEADLINE_S = 20


@pytest.fixture
def client(start_door):
    channels = []

    def start(*options, certs=None, who=None):
        door = start_door("--grpc", *options)
        channels.append(grpc_peer.channel(door.grpc_port, certs, who))
        made = Client(channels[-1])
        made.door = door
        return made

    yield start
    for channel in channels:
        channel.close()


@pytest.fixture
def opened(client):
    c = client()
    c.door.say("phase OPEN")
    return c


def vote(voter="NY-1", candidate="harris", state="CA", request_id=b"", **more):
    return m("CastRequest", state=state, voter=voter, candidate=candidate, request_id=request_id, **more)


def refusal(act, *args, **more):
    """(code, outcome's name, message)"""
    with pytest.raises(grpc.RpcError) as e:
        act(*args, timeout=DEADLINE_S, **more)
    trailer = dict(e.value.trailing_metadata() or ())
    return e.value.code().name, trailer.get("caucus-outcome"), e.value.details()


# --- Votes ---


def test_a_vote_has_a_receipt(opened):
    reply = opened.voting.Cast(vote(request_id=b"0123456789abcdef"), timeout=DEADLINE_S)
    assert (reply.outcome, reply.receipt.state, reply.receipt.revision, reply.receipt.round) == (1, "CA", 1, 1)
    assert len(reply.receipt.root) == 32 and reply.receipt.tree_size == 1
    again = opened.voting.Cast(vote(request_id=b"0123456789abcdef", state="california"), timeout=DEADLINE_S)
    assert again.outcome == 2 and again.receipt.index == reply.receipt.index == 0


OUTCOMES = {
    "ELECTION_NOT_STARTED": "FAILED_PRECONDITION", "ELECTION_CLOSING": "FAILED_PRECONDITION",
    "ELECTION_CLOSED": "FAILED_PRECONDITION", "VOTER_NOT_FOUND": "NOT_FOUND", "UNKNOWN_CANDIDATE": "INVALID_ARGUMENT",
    "INVALID_REQUEST": "INVALID_ARGUMENT", "UNAUTHENTICATED": "UNAUTHENTICATED", "FORBIDDEN": "PERMISSION_DENIED",
    "REQUEST_ID_REUSED": "ALREADY_EXISTS", "REVISION_MISMATCH": "ABORTED", "TOO_MANY_REVISIONS": "RESOURCE_EXHAUSTED",
    "BUSY": "RESOURCE_EXHAUSTED", "UNAVAILABLE": "UNAVAILABLE", "OUTCOME_UNKNOWN": "DEADLINE_EXCEEDED",
}
ON_WIRE = {"ELECTION_NOT_STARTED": 3, "ELECTION_CLOSING": 4, "ELECTION_CLOSED": 4, "OUTCOME_UNKNOWN": 6}


def test_each_outcome_has_its_status(opened):
    for outcome, status in OUTCOMES.items():
        assert refusal(opened.voting.Cast, vote(f"outcome-{outcome}")) == (status, outcome, "as scripted")
        [reply] = opened.voting.CastStream(iter([vote(f"outcome-{outcome}", request_id=b"0123456789abcdef")]))
        assert (reply.outcome, reply.code) == (ON_WIRE.get(outcome, 5), getattr(grpc.StatusCode, status).value[0])
        assert reply.request_id == b"0123456789abcdef" and not reply.HasField("receipt")


def test_what_is_wrong_with_a_request_is_said(opened):
    assert refusal(opened.voting.Cast, vote(state="Atlantis"))[:2] == ("NOT_FOUND", "STATE_NOT_FOUND")
    assert refusal(opened.voting.Cast, vote(request_id=b"short"))[:2] == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    assert refusal(opened.voting.Cast, vote(candidate="x" * 5000))[0] == "RESOURCE_EXHAUSTED"
    raw = opened.channel.unary_unary("/election.v1.Voting/Cast")
    assert refusal(raw, b"\xff\xff\xff")[:2] == ("INVALID_ARGUMENT", "INVALID_REQUEST")


def test_a_credential_is_passed_on(client):
    c = client("--auth")
    c.door.say("phase OPEN")
    assert refusal(c.voting.Cast, vote())[0] == "UNAUTHENTICATED"
    assert refusal(c.voting.Cast, vote(credential=b"bad"))[0] == "PERMISSION_DENIED"
    assert c.voting.Cast(vote(credential=b"good"), timeout=DEADLINE_S).outcome == 1


def test_a_deadline_leaves_the_outcome_unknown(opened):
    with pytest.raises(grpc.RpcError) as e:
        opened.voting.Cast(vote("never"), timeout=0.2)
    assert e.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_stream_answers_every_vote_by_its_id(opened):
    count = 5000
    ids = [i.to_bytes(16, "big") for i in range(1, count + 1)]
    requests = (vote(f"NY-{i}", request_id=ids[i], state=("CA", "OH")[i % 2]) for i in range(count))
    replies = list(opened.voting.CastStream(requests, timeout=60))
    assert sorted(r.request_id for r in replies) == ids
    assert {(r.outcome, r.code) for r in replies} == {(1, 0)}


def test_a_stream_that_is_no_stream_of_votes_fails(opened):
    raw = opened.channel.stream_stream("/election.v1.Voting/CastStream")
    with pytest.raises(grpc.RpcError) as e:
        list(raw(iter([b"\xff\xff\xff"]), timeout=DEADLINE_S))
    assert e.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_who_leaves_a_stream_leaves_nothing_behind(opened):
    answered = None
    while answered is None:
        sent = queue.Queue()
        replies = opened.voting.CastStream(iter(sent.get, None), timeout=1)  # the door's end waits for "never" so long
        sent.put(vote("never"))
        sent.put(vote("NY-1"))
        with contextlib.suppress(grpc.RpcError):  # it may take longer than that to be answered
            answered = next(replies)
        replies.cancel()
        sent.put(None)
    assert answered.outcome in (1, 2)
    opened.door.say("phase OPEN")  # it still serves


# --- The committee ---


def test_start_and_stop(client):
    c = client()
    assert c.committee.Start(m("Command"), timeout=DEADLINE_S).phase == OPEN
    assert refusal(c.committee.Start, m("Command"))[:2] == ("FAILED_PRECONDITION", "WRONG_PHASE")
    reply = c.committee.Stop(m("Command", now=True), timeout=DEADLINE_S)
    assert (reply.phase, reply.round) == (CLOSED, 1)
    assert refusal(c.committee.Stop, m("Command"))[:2] == ("FAILED_PRECONDITION", "WRONG_PHASE")
    assert refusal(c.committee.Start, m("Command", command_id=b"x"))[0] == "INVALID_ARGUMENT"


def counts(result):
    return {c.candidate: c.votes for c in result.counts}


def test_counts_of_a_state_and_of_the_nation(opened):
    opened.door.say("votes CA harris 3", "votes CA trump 2", "votes OH trump 5")
    ca = opened.committee.Status(m("StateQuery", state="California"), timeout=DEADLINE_S)
    assert (ca.state, ca.phase, ca.voters, ca.leader, ca.tie, ca.final) == ("CA", OPEN, 5, "harris", False, False)
    assert counts(ca) == {"harris": 3, "trump": 2, "other": 0}
    assert len(ca.root) == 32 and ca.leading_server == "s1"
    ohio = opened.committee.Status(m("StateQuery", state="OH", linearizable=True), timeout=DEADLINE_S)
    assert counts(ohio) == {"harris": 0, "trump": 5}  # its ballot has no third
    opened.door.say("votes ME harris 2", "votes ME trump 2")
    maine = opened.committee.Status(m("StateQuery", state="ME"), timeout=DEADLINE_S)
    assert (maine.tie, maine.leader, [d.state for d in maine.districts]) == (True, "", ["ME-1", "ME-2"])
    assert [counts(d)["harris"] for d in maine.districts] == [1, 1]
    assert refusal(opened.committee.Status, m("StateQuery", state="?"))[:2] == ("NOT_FOUND", "STATE_NOT_FOUND")
    nation = opened.committee.GlobalStatus(m("Empty"), timeout=DEADLINE_S)
    assert {c.candidate: c.votes for c in nation.popular}["trump"] == 9
    assert len(nation.states) == 3 and not nation.unavailable and nation.electors_total > 0
    opened.door.say("lose OH")
    nation = opened.committee.GlobalStatus(m("Empty"), timeout=DEADLINE_S)
    assert list(nation.unavailable) == ["OH"]
    assert refusal(opened.committee.Status, m("StateQuery", state="OH"))[0] == "UNAVAILABLE"


def test_a_recount_names_every_replica(opened):
    reply = opened.committee.Recount(m("StateQuery", state="CA"), timeout=DEADLINE_S)
    assert len(reply.replicas) > 0 and reply.verdict


def test_recounts_have_a_bound_and_one_that_nobody_waits_for_still_counts(opened):
    query = m("StateQuery", state="CA")
    opened.door.say("hold recounts")
    given_up = [opened.committee.Recount.future(query, timeout=DEADLINE_S) for _ in range(63)]
    last = opened.committee.Recount.future(query, timeout=DEADLINE_S)
    opened.door.say("await 64 recounts")
    for call in given_up:
        call.cancel()
    assert {call.code().name for call in given_up} == {"CANCELLED"}
    assert refusal(opened.committee.Recount, query)[0] == "RESOURCE_EXHAUSTED"
    opened.door.say("answer recounts")
    assert last.result().verdict
    assert opened.committee.Recount(query, timeout=DEADLINE_S).verdict


def test_results_are_watched_and_end_when_they_are_final(opened):
    watched = opened.committee.WatchResults(m("WatchQuery", states=["CA", "ohio"], min_interval_ms=20),
                                            timeout=DEADLINE_S)
    first = {next(watched).state, next(watched).state}
    assert first == {"CA", "OH"}
    opened.door.say("votes CA harris 3")
    assert counts(next(r for r in watched if r.state == "CA" and r.voters == 3))["harris"] == 3
    opened.door.say("phase CLOSED", "final CA", "final OH")
    last = {r.state: r.final for r in watched}
    assert last == {"CA": True, "OH": True}
    assert watched.code() == grpc.StatusCode.OK


def test_a_watch_is_not_told_more_often_than_it_wants(opened):
    watched = opened.committee.WatchResults(m("WatchQuery", states=["CA"], min_interval_ms=200), timeout=DEADLINE_S)
    began = time.monotonic()
    next(watched)
    for _ in range(50):
        opened.door.say("votes CA harris 1")
    seen = []
    for result in watched:
        seen.append(result.voters)
        if result.voters == 50:
            break
    assert len(seen) <= 2 + (time.monotonic() - began) / 0.2


def test_hidden_counts_and_commands_are_the_committees(client, tmp_path):
    certs = Certs(tmp_path / "certs")
    certs.make("server", ips=["127.0.0.1"])
    certs.make("member", subject="/CN=a/OU=committee")
    certs.make("voter", subject="/CN=x,OU=committee")
    options = ("--hidden", "--strict", "--grpc-tls", certs.folder)
    voter = client(*options, certs=certs, who="voter")
    voter.door.say("phase OPEN")
    denied = lambda act, *args: refusal(act, *args)[0] == "PERMISSION_DENIED"
    assert denied(voter.committee.Stop, m("Command")) and denied(voter.committee.GlobalStatus, m("Empty"))
    assert denied(voter.committee.Status, m("StateQuery", state="CA"))
    assert denied(voter.committee.Recount, m("StateQuery", state="CA"))
    assert denied(voter.original.BroadcastStop, MESSAGE(O + "Void")())
    assert denied(voter.original.ElectionsGetStatus, MESSAGE(O + "StateStatusRequest")(state="california"))
    with pytest.raises(grpc.RpcError) as e:
        list(voter.committee.WatchResults(m("WatchQuery"), timeout=DEADLINE_S))
    assert e.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert voter.voting.Cast(vote(), timeout=DEADLINE_S).outcome == 1
    with grpc_peer.channel(voter.door.grpc_port, certs, "member") as channel:
        member = Client(channel)
        assert member.committee.Status(m("StateQuery", state="CA"), timeout=DEADLINE_S).voters == 1
        assert member.committee.Stop(m("Command"), timeout=DEADLINE_S).phase in (CLOSING, CLOSED)
    voter.door.say("phase CLOSED")
    assert voter.committee.Status(m("StateQuery", state="CA"), timeout=DEADLINE_S).voters == 1


def test_logs_have_heads_and_proofs(opened):
    """What is in them: tests/election/test_proofs.py."""
    log = opened.transparency
    assert log.Checkpoint(m("StateQuery", state="CA"), timeout=DEADLINE_S).note.startswith(b"caucus/scripted/CA/1\n300\n")
    p = log.Inclusion(m("InclusionQuery", state="CA", index=7), timeout=DEADLINE_S)
    assert (p.tree_size, p.index, len(p.path), p.round) == (300, 7, 9, 1)
    assert log.Inclusion(m("InclusionQuery", state="CA", index=7, leaf_hash=p.leaf_hash), timeout=DEADLINE_S) == p
    assert len(log.Consistency(m("ConsistencyQuery", state="CA", **{"from": 256}), timeout=DEADLINE_S).path) == 1
    assert refusal(log.Inclusion, m("InclusionQuery", state="CA", index=7, leaf_hash=bytes(32)))[0] == "NOT_FOUND"
    assert refusal(log.Inclusion, m("InclusionQuery", state="CA", index=7, leaf_hash=b"x"))[0] == "INVALID_ARGUMENT"
    assert refusal(log.Inclusion, m("InclusionQuery", state="x"))[0] == "NOT_FOUND"
    assert refusal(log.Consistency, m("ConsistencyQuery", state="CA", to=301))[0] == "NOT_FOUND"
    cast = opened.voting.Cast(vote(sign=True), timeout=DEADLINE_S)
    assert cast.receipt.signature == b"\x5a" * 64
    assert opened.voting.Cast(vote(), timeout=DEADLINE_S).receipt.signature == b""


# --- The original's service ---


def test_the_originals_calls(client):
    c = client()
    o = lambda name, **fields: MESSAGE(O + name)(**fields)
    ballot = o("VoteRequest", voterName="NY-7", candidateName="trump", state="california")
    assert c.original.BroadcastVote(ballot, timeout=DEADLINE_S).status == 1  # not started
    c.original.BroadcastStart(o("Void"), timeout=DEADLINE_S)
    c.original.BroadcastStart(o("Void"), timeout=DEADLINE_S)  # is no failure
    assert c.original.BroadcastVote(ballot, timeout=DEADLINE_S).status == 0
    assert refusal(c.original.BroadcastVote, o("VoteRequest", state="california", voterName="nobody"))[0] == "NOT_FOUND"
    status = c.original.ElectionsGetStatus(o("StateStatusRequest", state="california"), timeout=DEADLINE_S)
    assert (status.state, status.numberOfElectors) == ("california", 54)
    assert sum(row.count for row in status.candidatesStatus) == 1
    assert status.leadingCandidateName in {row.candidateName for row in status.candidatesStatus}
    c.original.BroadcastStop(o("Void"), timeout=DEADLINE_S)
    assert c.original.BroadcastVote(ballot, timeout=DEADLINE_S).status == 1
    for between_servers in (c.original.Vote,):
        assert refusal(between_servers, ballot)[0] == "PERMISSION_DENIED"
    for between_servers in (c.original.Start, c.original.Stop):
        assert refusal(between_servers, o("Void"))[0] == "PERMISSION_DENIED"


# --- What every server of gRPC has ---


def test_health_follows_readiness(opened):
    ask = lambda name: MESSAGE(H + "HealthCheckRequest")(service=name)
    check = lambda name="": opened.health.Check(ask(name), timeout=DEADLINE_S).status
    opened.door.say("ready yes")
    assert check() == check("election.v1.Voting") == 1
    assert refusal(opened.health.Check, ask("no.such.Service"))[0] == "NOT_FOUND"
    watched = opened.health.Watch(ask(""), timeout=DEADLINE_S)
    assert next(watched).status == 1
    opened.door.say("ready no")
    assert check() == 2
    assert next(watched).status == 2
    assert next(opened.health.Watch(ask("no.such.Service"), timeout=DEADLINE_S)).status == 3


@pytest.mark.parametrize("version", ("v1", "v1alpha"))
def test_reflection_tells_what_is_served(opened, version):
    def ask(**what):
        [reply] = opened.reflection[version].ServerReflectionInfo(
            iter([MESSAGE(R + "ServerReflectionRequest")(**what)]), timeout=DEADLINE_S)
        return reply

    services = {s.name for s in ask(list_services="").list_services_response.service}
    assert services == {"election.v1.Voting", "election.v1.Committee", "election.v1.Transparency",
                        "protos.ElectionsServer", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                        "grpc.reflection.v1alpha.ServerReflection"}
    whole = (PROTO / "election/v1/election.desc").read_bytes()
    for what in ({"file_containing_symbol": "election.v1.Voting.Cast"}, {"file_containing_symbol": "election.v1.Phase"},
                 {"file_by_filename": "election/v1/election.proto"}):
        [file] = ask(**what).file_descriptor_response.file_descriptor_proto
        assert file in whole
    assert ask(file_containing_symbol="election.v1.Vot").error_response.error_code == 5
    assert ask(file_by_filename="x").error_response.error_code == 5
    assert ask(file_containing_symbol="").error_response.error_code == 5


def test_a_door_that_closes_lets_votes_end(opened):
    held = opened.voting.Cast.future(vote("never"), timeout=1)
    watched = opened.committee.WatchResults(m("WatchQuery"))
    next(watched)
    opened.door.end()
    assert held.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
