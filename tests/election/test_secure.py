"""An election with everything switched on: TLS and certificates of both sides on every port, credentials of voters, a master
key; held by the programs, which say in one line what is wrong with who they are."""

import hashlib
import http.client
import json
import os
import socket
import socketserver
import ssl
import threading

import grpc
import grpc_peer
import pytest
from certs import Certs
from election import Election
from election_grpc import Client, m
from ports import free_port
from test_programs import COMMITTEE, CONNECTION, ELECTORATE, NO, OK, USAGE, run

RETURNS = {"CA": {"cand1": 30, "cand2": 20, "cand3": 5}, "NY": {"cand1": 7, "cand2": 9, "cand3": 1}}


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    certs = Certs(tmp_path_factory.mktemp("certs"))
    certs.make("zookeeper", ips=["127.0.0.1"])
    certs.make("door", ips=["127.0.0.1"])
    for n in (1, 2, 3):
        certs.make(f"server{n}")
    certs.make("member", subject="/CN=member/OU=committee")
    certs.make("clerk", subject="/CN=clerk/OU=office")
    return certs


@pytest.fixture
def secure(start_server, certs, tmp_path):
    """Three servers of which nobody gets anything in plain text."""
    zookeeper = start_server({
        "clientPort": None, "secureClientPort": free_port(), "ssl.keyStore.location": certs.folder / "zookeeper.pem",
        "ssl.trustStore.location": certs.ca, "ssl.clientAuth": "need", "tickTime": 200}, backend="caucusd")
    election = Election(tmp_path / "election", f"127.0.0.1:{zookeeper.config['secureClientPort']}",
                        {state: 100 for state in RETURNS})
    (election.definition / "election.conf").write_text("id=secure\ntitle=A test\npublish=closed\nreplicas=3\n")
    (election.definition / "returns.csv").write_text("usps,candidate,votes\n" + "".join(
        f"{state},{candidate},{votes}\n" for state, row in RETURNS.items() for candidate, votes in row.items()))
    election.key = tmp_path / "master.key"
    election.key.write_bytes(os.urandom(32))
    (tmp_path / "zookeeper.auth").write_text("election:secret\n")
    for server in election.servers:
        server.options = [
            "--auth", "hmac", "--committee", "certificate", "--key", election.key,
            "--zookeeper-ca", certs.ca, "--zookeeper-identity", certs.folder / f"{server.name}.pem",
            "--zookeeper-auth-file", tmp_path / "zookeeper.auth",
            "--peer-ca", certs.ca, "--peer-identity", certs.folder / f"{server.name}.pem",
            "--certificate", certs.folder / "door.crt", "--certificate-key", certs.folder / "door.key",
            "--client-ca", certs.ca]
        server.start(wait=False)
    for server in election.servers:
        server.wait_ready()
    yield election
    for server in election.servers:
        server.kill()


def fails(code, pattern, program, *words):
    """With one line that says so."""
    r = run(program, *words)
    assert r.returncode == code and r.stderr.count("\n") == 1 and pattern in r.stderr, f"{r.returncode}\n{r.stderr}"


def vote(election, certs, state, voter, candidate, credential=None):
    """By REST, as any client."""
    context = ssl.create_default_context(cafile=certs.ca)
    connection = http.client.HTTPSConnection("127.0.0.1", election.servers[0].port("rest"), timeout=20, context=context)
    headers = {"Content-Type": "application/json", **({"Authorization": f"Voter {credential}"} if credential else {})}
    connection.request("POST", f"/states/{state}/voters/{voter}/vote", json.dumps({"candidate": candidate}), headers)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return answer.status, body


def ports(election, door):
    return ",".join(f"127.0.0.1:{s.port(door)}" for s in election.servers)


def test_an_election_with_everything_switched_on(secure, certs, tmp_path):
    trust = ["--tls-ca", certs.ca]
    member = [*trust, "--tls-cert", certs.folder / "member.pem"]
    doors = {"--server": ports(secure, "grpc"), "--rest": ports(secure, "rest")}

    def committee(front, *words, who=member):
        r = run(COMMITTEE, front, doors[front], *who, *words, "--json")
        assert (r.returncode, r.stderr) == (OK, ""), r
        return json.loads(r.stdout)

    strangers = Certs(tmp_path / "strangers", name="another ca")
    stranger = [*trust, "--tls-cert", strangers.make("stranger", subject="/CN=stranger/OU=committee")]
    clerk = [*trust, "--tls-cert", certs.folder / "clerk.pem"]
    for front, servers in doors.items():
        fails(NO, "committee", COMMITTEE, front, servers, *trust, "start")
        fails(NO, "committee", COMMITTEE, front, servers, *clerk, "start")
        fails(CONNECTION, "certificate", COMMITTEE, front, servers, "--tls-ca", strangers.ca, "start")
        fails(CONNECTION, "does it want TLS?", COMMITTEE, front, servers, "start")
    # The doors differ in when they look at who signed it.
    fails(CONNECTION, "unknown ca", COMMITTEE, "--server", doors["--server"], *stranger, "start")
    fails(NO, "committee", COMMITTEE, "--rest", doors["--rest"], *stranger, "start")
    fails(USAGE, "nowhere.pem", COMMITTEE, "--server", doors["--server"], "--tls-ca", "nowhere.pem", "start")

    assert committee("--server", "start")["phase"] == "OPEN"
    assert len(committee("--rest", "leaders")["states"]) == 2
    key = ["--key", secure.key]
    wrong_key = tmp_path / "wrong.key"
    wrong_key.write_bytes(os.urandom(32))
    for front, servers in doors.items():
        load = ["load", secure.definition, front, servers, *trust, "--rate", 50, "-d", 1, "-c", 4, "--json"]
        fails(NO, "UNAUTHENTICATED", ELECTORATE, *load)
        fails(NO, "UNAUTHENTICATED", ELECTORATE, *load, "--key", wrong_key)
    replay = ["replay", secure.definition, *key, *member, "--twice", 3, "-c", 4, "--json"]
    for front, servers in doors.items():
        r = run(ELECTORATE, *replay, front, servers)
        assert (r.returncode, r.stderr) == (OK, ""), r
        result = json.loads(r.stdout)
        assert result["verdict"] == "exact" and (result["committed"] > 0) == (front == "--server"), result
    fails(CONNECTION, "no server could be reached", ELECTORATE, "load", secure.definition, *key, "--rest", doors["--rest"],
          "--tls-ca", strangers.ca, "--patience", 1, "-d", 1, "--json", "-c", 2)

    a_voter_counts_by_what_he_shows(secure, certs)
    assert committee("--rest", "status", "NY")["voters"] in (17, 18)
    fails(NO, "when the election is over", COMMITTEE, "--rest", doors["--rest"], *trust, "global_status")
    assert committee("--rest", "stop")["phase"] == "CLOSED"
    status = committee("--server", "global_status")
    assert status["states_final"] == 2 and {s["state"]: s["voters"] for s in status["states"]}["CA"] in (55, 56)
    assert all(s["agree"] for s in committee("--server", "recount")["states"])

    folder = tmp_path / "export"
    export = ["export", folder, "--election", secure.definition, *key, "--zookeeper", secure.hosts,
              "--auth-file", tmp_path / "zookeeper.auth",
              *(word for s in secure.servers for word in ("--from", s.data))]
    identity = ["--zookeeper-ca", certs.ca, "--zookeeper-identity", certs.folder / "member.pem"]
    r = run(COMMITTEE, "--rest", doors["--rest"], *member, *export, *identity)
    assert r.returncode == OK, r
    verified = json.loads(run(COMMITTEE, "verify", folder, "--json").stdout)
    assert verified["verified"] and verified["counts"] == status["counts"]
    assert hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest() == verified["fingerprint"]


def a_voter_counts_by_what_he_shows(election, certs):
    def credential(state, *voters, key=election.key):
        r = run(COMMITTEE, "credential", state, *voters, "--election", election.definition, "--key", key)
        assert r.returncode == OK, r
        return dict(line.split("\t") for line in r.stdout.splitlines())

    mine = credential("CA", "CA-100", "CA-99")
    assert vote(election, certs, "CA", "CA-100", "cand1")[0] == 401
    assert vote(election, certs, "CA", "CA-100", "cand1", mine["CA-100"][:-4] + "AAAA")[0] == 401
    assert vote(election, certs, "CA", "CA-100", "cand1", mine["CA-99"])[0] == 403
    assert vote(election, certs, "NY", "NY-100", "cand1", mine["CA-100"])[0] == 403
    status, receipt = vote(election, certs, "CA", "CA-100", "cand1", mine["CA-100"])
    assert status == 200 and receipt["outcome"] == "COMMITTED"

    with grpc_peer.channel(election.servers[1].port("grpc"), certs) as channel:
        voting = Client(channel).voting
        ballot = {"state": "NY", "voter": "NY-100", "candidate": "cand2"}
        with pytest.raises(grpc.RpcError) as refused:
            voting.Cast(m("CastRequest", **ballot, credential=mine["CA-99"].encode()), timeout=20)
        assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
        theirs = credential("NY", "NY-100")["NY-100"].encode()
        assert voting.Cast(m("CastRequest", **ballot, credential=theirs), timeout=20).receipt.state == "NY"


class Foreigner(socketserver.ThreadingTCPServer):
    """Says the same to everybody, whatever he is told."""
    daemon_threads = True

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(65536)
            self.request.sendall(self.server.answer)
            self.request.shutdown(socket.SHUT_WR)
            while self.request.recv(65536):
                pass

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.answer = answer


ALERT, HTTP_1, SETTINGS = b"\x15\x03\x03\0\x02\x02\x46", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\x04\0\0\0\0\0"


@pytest.mark.parametrize("front, answer, text", [
    (["--server"], ALERT, "the server speaks TLS"),
    (["--server"], HTTP_1, "the server speaks HTTP/1 here, not gRPC"),
    (["--server"], b"", "the server has closed without a word: does it want TLS?"),
    (["--rest"], ALERT, "the server speaks TLS"),
    (["--rest"], b"", "the server has closed without a word: does it want TLS?"),
    (["--tls-any-host", "--server"], SETTINGS, "TLS: the peer does not speak it"),
    (["--tls-any-host", "--rest"], HTTP_1, "TLS: the peer does not speak it"),
])
def test_whoever_speaks_something_else_is_told_from_a_server_that_is_away(front, answer, text):
    with Foreigner(answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        fails(CONNECTION, text, COMMITTEE, *front, f"127.0.0.1:{server.server_address[1]}", "start")
        server.shutdown()
