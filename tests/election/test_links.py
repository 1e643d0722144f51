"""Links between servers: who is let in, what odd bytes do, and TLS."""

import os
import socket
import ssl
import struct

import pytest
import rawzk
from certs import Certs
from election import ANSWER, CAST, HELLO, HOSTS, LEADS, SHARD, Election, Link, Voters

pytestmark = pytest.mark.timeout(60)


def make_election(standing, tmp_path, **more):
    server = standing("caucusd")
    chroot = f"/{tmp_path.name}"
    with server.session() as s:
        s.ok(rawzk.create(chroot))
    return Election(tmp_path / "election", server.hosts + chroot, {"CA": 200}, session_timeout_ms=10_000, **more)


@pytest.fixture
def election(standing, tmp_path):
    e = make_election(standing, tmp_path)
    try:
        e.start().open()
        yield e
        e.stop()
    finally:
        e.kill()


def test_who_is_not_welcome_is_told_why(election):
    server = election.servers[1]
    assert "definition" in Link(election, server, config=bytes(32)).refusal()
    assert "another server goes by the name" in Link(election, server, name="server2").refusal()
    assert "it is this server that dials" in Link(election, server, name="server3").refusal()
    assert Link(election, server, name="zz").refusal() is None  # who keeps no votes dials
    other = Link(election, server, name="a")
    assert other.refusal() is None
    wrong_name = Link.__new__(Link)
    wrong_name.socket = socket.create_connection(("127.0.0.1", server.port("peer")), timeout=5)
    wrong_name.bytes = b""
    wrong_name.send(HELLO, struct.pack(">4sI32s16sQ", b"CVLK", 1, election.config, os.urandom(16), 1) + b"\1a\3bcd")
    assert "looks for another server" in wrong_name.refusal()
    # Of a name that is a member's, another disk.
    assert "disk is not the one" in Link(election, server, name="server1").refusal()
    server.wait_log(r"event=link_refused .*reason=")


def test_a_second_link_of_a_server_takes_the_place_of_the_first(election):
    first = Link(election, election.servers[0], name="a")
    assert first.receive()[0] == HELLO
    second = Link(election, election.servers[0], name="a", incarnation=os.urandom(16))
    assert second.receive()[0] == HELLO
    while first.receive() is not None:
        pass


def test_who_dies_takes_nobody_along(election):
    """The dead server's name, with the life of one that lives: his LiveNodes are deleted for nobody's word but his own."""
    dead, asked, other = election.servers
    live = "/Election/CA/LiveNodes"
    dead.kill()
    died = r"event=server_died .*peer=server1"
    asked.wait_log(died)
    line = election.wait_line("CA", lambda line: len(line) == 2, "the dead one has left")
    names = {int(name.split("-")[2]): name for name in election.client.get_children(live)}
    number = next(n for n, s in election.members("CA").items() if s is other)
    link = Link(election, asked, name=dead.name, incarnation=(dead.data / "incarnation").read_bytes(),
                life=int(names[number].split("-")[1][:16], 16))
    assert link.receive()[0] == HELLO
    link.close()
    asked.wait_log(rf"{died}[^\0]*{died}")
    with Voters(election, "CA", voters=200) as voters:
        voters.wait_acknowledged(20)
    assert election.line("CA") == line and names[number] in election.client.get_children(live)


ODD = {
    "no frame": struct.pack(">I", 0),
    "a frame without an end": struct.pack(">IB", 1 << 31, SHARD),
    "a hello again": struct.pack(">IB", 1, HELLO),
    "a type that is not known": struct.pack(">IB", 1, 200),
    "a vote of a wrong size": struct.pack(">IB", 3, CAST) + b"xx",
    "a vote for no state": struct.pack(">IBQH39s", 50, CAST, 1, 51, bytes(39)),
    "a replica of no state": struct.pack(">IBHI", 7, HOSTS, 9, 0),
    "a member that another is": struct.pack(">IBHI", 7, HOSTS, 0, 0),
    "a message for no state": struct.pack(">IBHH", 5, SHARD, 9, 0),
}


def test_odd_bytes_end_the_link_and_nothing_else(election):
    for server in election.servers:
        for what, odd in ODD.items():
            link = Link(election, server)
            assert link.receive()[0] == HELLO
            link.socket.sendall(odd)
            while (frame := link.receive()) is not None:
                assert frame[0] in (HOSTS, LEADS), what
    for odd in (b"GET / HTTP/1.1\r\n\r\n", struct.pack(">IB", 5, CAST) + bytes(4), bytes(4096)):
        with socket.create_connection(("127.0.0.1", election.servers[0].port("peer")), timeout=10) as s:
            s.sendall(odd)
            while s.recv(4096):
                pass
    with Voters(election, "CA", voters=200) as voters:
        voters.wait_acknowledged(50)
    election.close()
    election.check(voters)


def test_a_frame_may_come_in_pieces(election):
    """Each piece has been read before the next is sent: what came whole in front of it is answered."""
    body = struct.pack(">QH16sH16sBIQ", 1, 0, os.urandom(16), 0, os.urandom(16), 0, 5000, 0)
    vote = struct.pack(">IB", 1 + len(body), CAST) + body
    link = Link(election, election.servers[0])

    def wait_answer():
        kind = None
        while kind != ANSWER:
            kind, _ = link.receive() or ("the link has ended", None)
            assert kind in (HELLO, HOSTS, LEADS, ANSWER)

    for cut in (1, 3, 4, 5, 20):
        link.socket.sendall(vote + vote[:cut])
        wait_answer()
        link.socket.sendall(vote[cut:])
        wait_answer()


def test_links_over_tls_are_for_those_whom_their_certificates_name(standing, tmp_path):
    certs = Certs(tmp_path / "certs")
    election = make_election(standing, tmp_path)
    for server in election.servers:
        server.options = ["--peer-identity", certs.make(server.name), "--peer-ca", certs.ca]
    election.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    election.tls.check_hostname = False
    election.tls.load_verify_locations(certs.ca)
    election.tls.load_cert_chain(certs.make("a-client"))
    try:
        election.start().open()
        assert "certificate does not name it" in Link(election, election.servers[0], name="a-liar").refusal()
        with Voters(election, "CA", voters=200) as voters:
            voters.wait_acknowledged(100)
        election.close()
        election.check(voters)
        election.stop()
    finally:
        election.kill()
