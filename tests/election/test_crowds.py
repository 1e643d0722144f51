"""Many who come at once, and those who take without end and read nothing, over gRPC: nobody else notices."""

import os
import pathlib
import socket

import grpc
import grpc_peer
import pytest
import rawzk
from election import Election
from election_grpc import MESSAGE, Client, m
from h2 import ACK, DATA, END_STREAM, GOAWAY, HEADERS, MAX_CONCURRENT_STREAMS, PING, Peer, frame, in_grpc
from test_service import call, vote

pytestmark = pytest.mark.timeout(120)

STREAMS = 10_000
CAST_STREAM, WATCH = "/election.v1.Voting/CastStream", "/election.v1.Committee/WatchResults"
COMMITTED, DUPLICATE, REJECTED, NOT_FOUND = 1, 2, 5, 5
MIB = 1 << 20
# Of src/election_grpc and src/grpc: what a stream of votes may have unsent, how many votes it has under way, what
# is sent unasked.
UNSENT, IN_FLIGHT, WINDOW = MIB, 8192, MIB


@pytest.fixture(scope="module")
def election(standing, tmp_path_factory):
    """Three servers of one state, and a fourth that keeps no votes and may open few files."""
    server = standing("caucusd")
    with server.session() as s:
        s.ok(rawzk.create("/crowds"))
    e = Election(tmp_path_factory.mktemp("crowds") / "election", server.hosts + "/crowds", {"CA": 30_000, "NY": 100},
                 servers=4)
    e.servers[3].options = ["--states", ""]
    e.servers[3].prefix = ["prlimit", "--nofile=1100", "--"]
    e.keepers = e.servers[:3]
    try:
        e.start()
        e.open()
        yield e
        e.stop()
    finally:
        e.kill()


def request(number, voter=None):
    return m("CastRequest", state="CA", voter=voter or f"CA-{number + 1}", candidate=f"cand{number % 3 + 1}",
             request_id=(number + 1).to_bytes(16, "big")).SerializeToString()


def told(peer, name, count, what=lambda message: True):
    """A message of each of so many streams of which that is true: {stream: message}"""
    found = {}
    for f in peer.frames():
        assert f.kind != GOAWAY and not (f.kind == HEADERS and f.flags & END_STREAM), f
        for data in peer.whole(f) if f.kind == DATA else ():
            message = MESSAGE(f"election.v1.{name}").FromString(data)
            if what(message):
                found[f.stream] = message
        if len(found) == count:
            return found
    raise AssertionError(f"it ended after {len(found)}")


def metric(server, name):
    _, _, text = call(server, "GET", "/metrics")
    [value] = [line.split()[1] for line in text.splitlines() if line.split()[0] == name]
    return int(value)


def resident(server):
    pages = int(pathlib.Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def serves_others(server, first_voter):
    """By both doors, whoever else there is."""
    with grpc_peer.channel(server.port("grpc")) as channel:
        client = Client(channel)
        for i in range(first_voter, first_voter + 5):
            assert client.voting.Cast(m("CastRequest", state="CA", voter=f"CA-{i}", candidate="cand1"),
                                      timeout=30).outcome == COMMITTED
        assert client.committee.Status(m("StateQuery", state="CA"), timeout=30).voters > 0
    status, _, _ = vote(server, "CA", f"CA-{first_voter + 5}", "cand2")
    assert status == 200


def test_ten_thousand_streams_of_votes_are_answered_and_harm_nobody(election):
    server = election.servers[0]
    before = resident(server)
    with Peer(server.port("grpc")) as peer:
        assert peer.settings[MAX_CONCURRENT_STREAMS] == STREAMS
        streams = [peer.call(CAST_STREAM, request(i)) for i in range(STREAMS)]
        peer.flush()
        answers = told(peer, "CastReply", STREAMS)
        assert {(r.outcome, r.code) for r in answers.values()} == {(COMMITTED, 0)}
        assert [answers[s].request_id for s in streams] == [(i + 1).to_bytes(16, "big") for i in range(STREAMS)]
        assert len({r.receipt.index for r in answers.values()}) == STREAMS
        # They stay, and each is still heard: what is refused is refused by its own words.
        for s in streams:
            peer.message(s, request(0, voter="nobody"))
        peer.flush()
        assert {(r.outcome, r.code) for r in told(peer, "CastReply", STREAMS).values()} == {(REJECTED, NOT_FOUND)}
        assert metric(server, "h2_streams") == STREAMS
        serves_others(server, 20_001)
        assert resident(server) - before <= 60 * MIB
        for s in streams:
            peer.end(s)
        peer.flush()
        ended = set()
        for f in peer.frames():
            if f.kind == HEADERS and f.flags & END_STREAM:
                ended.add(f.stream)
                if len(ended) == STREAMS:
                    break
        assert ended == set(streams)
    assert metric(server, "h2_streams") == 0


def test_ten_thousand_watchers_see_the_next_vote_and_one_more_stream_is_refused(election):
    server = election.servers[1]
    before = resident(server)
    query = m("WatchQuery", states=["CA"], min_interval_ms=20).SerializeToString()
    with Peer(server.port("grpc")) as peer:
        for _ in range(STREAMS):
            peer.call(WATCH, query, end=True)
        peer.flush()
        [known] = {r.voters for r in told(peer, "StateResult", STREAMS).values()}
        serves_others(server, 21_001)
        told(peer, "StateResult", STREAMS, lambda r: r.voters >= known + 6)
        assert resident(server) - before <= 60 * MIB
        # SETTINGS said how many it may be: who does not care has broken HTTP/2, and is told so.
        peer.call(WATCH, query, end=True)
        peer.flush()
        last = [f for f in peer.frames() if f.kind == GOAWAY]
        assert len(last) == 1 and int.from_bytes(last[0].body[4:8], "big") == 1  # PROTOCOL_ERROR
    serves_others(server, 22_001)


def test_who_takes_and_does_not_read_is_owed_little_and_harms_nobody(election):
    server = election.servers[2]
    before = resident(server)
    wrong = in_grpc(request(0, voter="nobody"))
    many = frame(DATA, 0, 0, wrong * (16_000 // len(wrong)))
    count = WINDOW // (len(many) - 9)
    query = m("WatchQuery", min_interval_ms=20).SerializeToString()

    def take(peer, streams):
        """As much as each stream may send without a word from the server."""
        for _ in range(100):
            peer.call(WATCH, query, end=True)
        for s in [peer.call(CAST_STREAM) for _ in range(streams)]:
            peer.out += (many[:5] + s.to_bytes(4, "big") + many[9:]) * count
        peer.flush()

    # One does not even look at its socket, the other gives no leave to send any message.
    streams = 6
    with Peer(server.port("grpc"), receive_bytes=4096) as deaf, Peer(server.port("grpc"), window=0) as full:
        take(deaf, streams)
        take(full, streams)
        full.out += frame(PING, 0, 0, b"the last")
        full.flush()
        sent = 0
        for f in full.frames():
            sent += f.kind == DATA
            if f.kind == PING and f.flags & ACK:
                break
        assert sent == 0
        serves_others(server, 23_001)
        answer = 120  # bytes, more than it takes
        assert UNSENT <= metric(server, "grpc_kept_bytes") <= 2 * streams * (UNSENT + IN_FLIGHT * answer) + 200 * 70_000
        assert resident(server) - before <= 100 * MIB
    serves_others(server, 24_001)


KEY = "6f1e7f3c-8d5b-4f0e-9a53-0a6b3a1b7c11"


def test_odd_votes_have_their_answer_and_harm_nobody(election):
    """By HTTP and by gRPC, at a server of the state and at one that keeps no votes."""
    with grpc_peer.channel(election.servers[0].port("grpc")) as here, grpc_peer.channel(
            election.servers[3].port("grpc")) as elsewhere:
        for i, (client, server) in enumerate(((Client(here), election.servers[0]), (Client(elsewhere), election.servers[3]))):
            voter, key, voters = f"CA-{26_001 + i}", KEY[:-1] + str(i), client.committee.Status(
                m("StateQuery", state="CA", linearizable=True), timeout=30).voters
            ballot = lambda **fields: m("CastRequest", **{"state": "CA", "voter": voter, "candidate": "cand1"} | fields)

            def refused(**fields):
                with pytest.raises(grpc.RpcError) as e:
                    client.voting.Cast(ballot(**fields), timeout=30)
                return e.value.code().name

            poison = {"candidate": "nobody"}
            assert (vote(server, "CA", voter, "nobody")[0], refused(**poison)) == (422, "INVALID_ARGUMENT")
            assert (vote(server, "NY", voter, "cand1")[0], refused(state="NY")) == (404, "NOT_FOUND")
            assert (vote(server, "ZZ", voter, "cand1")[0], refused(state="ZZ")) == (404, "NOT_FOUND")
            assert (vote(server, "CA", "x" * 300, "cand1")[0], refused(voter="x" * 300)) == (400, "INVALID_ARGUMENT")
            huge = "x" * (10 << 20)
            assert (vote(server, "CA", voter, huge)[0], refused(candidate=huge)) == (413, "RESOURCE_EXHAUSTED")
            assert call(server, "POST", f"/states/CA/voters/{voter}/vote", {"candidate": 1})[0] == 400

            # Nothing of it was taken. The retry, the other choice under the same id, and the change of mind:
            first = vote(server, "CA", voter, "cand1", Idempotency_Key=key)[2]
            again = client.voting.Cast(ballot(request_id=bytes.fromhex(key.replace("-", ""))), timeout=30)
            assert (first["revision"], again.outcome, again.receipt.index) == (1, DUPLICATE, first["index"])
            assert refused(candidate="cand2", request_id=bytes.fromhex(key.replace("-", ""))) == "ALREADY_EXISTS"
            assert client.voting.Cast(ballot(candidate="cand2"), timeout=30).receipt.revision == 2
            assert client.committee.Status(m("StateQuery", state="CA", linearizable=True),
                                           timeout=30).voters == voters + 1


def test_connections_leave_a_server_the_descriptors_it_needs(election):
    server = election.servers[3]
    line = server.wait_log(r"event=few_descriptors .*")[0]
    said = dict(word.split("=") for word in line.split() if "=" in word)
    assert said["limit"] == "1100"
    most = int(said["grpc_connections"])
    assert 0 < most < 1100 - 512 and 0 < int(said["rest_connections"]) < most
    peers = [Peer(server.port("grpc")) for _ in range(most)]
    assert metric(server, "grpc_connections") == most
    with socket.create_connection(("127.0.0.1", server.port("grpc")), timeout=30) as late:
        assert late.recv(1) == b""  # closed at once
    assert metric(server, "grpc_connections_refused_total") == 1
    for i, peer in enumerate((peers[0], peers[-1])):  # as if there were nobody else
        peer.call(CAST_STREAM, request(25_001 + i))
        peer.flush()
        assert [r.outcome for r in told(peer, "CastReply", 1).values()] == [COMMITTED]
    assert vote(server, "CA", "CA-25010", "cand1")[0] == 200
    for peer in peers:
        peer.close()
