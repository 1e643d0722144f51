"""The ports on which servers meet: how they are named, taken, shared and abused."""

import os
import socket

import pytest
import rawzk
from ensemble import SUPER, Ensemble
from ports import free_port
from rawzk import create, get_data, sync
from server import Server

pytestmark = pytest.mark.caucusd_only


@pytest.fixture
def make(tmp_path):
    made = []

    def ensemble(count=3, **kwargs):
        made.append(Ensemble(tmp_path / f"e{len(made)}", ["caucusd"] * count, **kwargs))
        return made[-1]

    yield ensemble
    for e in made:
        e.kill()


def write_and_read(ensemble, path="/a"):
    members = ensemble.running
    with members[0].session() as s:
        s.ok(create(path, b"v"))
    for member in members:
        with member.session() as s:
            s.ok(sync("/"))
            assert s.ok(get_data(path))[0] == b"v"


def name_servers(ensemble, host_of):
    """Server lines with other hosts than addresses."""
    lines = {f"server.{m.sid}": f"{host_of(m)}:{m.quorum_port}:{m.election_port}" for m in ensemble}
    for m in ensemble:
        m.lines = lines


def test_servers_may_be_named_by_host_names(make):
    e = make()
    name_servers(e, lambda m: "localhost")
    e.start()
    write_and_read(e)


def test_a_server_whose_name_cannot_be_resolved_stops_nobody(make):
    e = make()
    name_servers(e, lambda m: "no-such-host.invalid" if m.sid == 3 else "127.0.0.1")
    for m in (e[1], e[2]):
        m.start()
    e.wait_settled()
    write_and_read(e)


def test_servers_may_listen_on_every_address(make):
    e = make(config={"quorumListenOnAllIPs": "true"})
    name_servers(e, lambda m: f"127.0.0.{m.sid + 1}")
    e.start()
    write_and_read(e)


def test_servers_may_have_several_addresses(make):
    e = make(config={"multiAddress.enabled": "true"})
    lines = {
        f"server.{m.sid}": "|".join(
            f"127.0.0.{host}:{m.quorum_port}:{m.election_port}" for host in (2, 3)) for m in e
    }
    for m in e:
        m.lines = lines
    e.start()
    write_and_read(e)
    leader = e.leader
    leader.kill()
    e.wait_settled()
    write_and_read(e, "/b")


def test_servers_may_speak_ipv6(make):
    e = make()
    name_servers(e, lambda m: "[::1]")
    e.start()
    write_and_read(e)


def test_one_server_may_be_an_ensemble(make):
    e = make(1, config={"standaloneEnabled": "false"})
    e.start()
    write_and_read(e)
    e[1].kill()
    e.start()
    with e[1].session() as s:
        assert s.ok(get_data("/a"))[0] == b"v"


@pytest.mark.parametrize("which", ["quorum_port", "election_port"])
def test_a_port_that_is_taken_ends_the_start_with_its_name(make, which):
    e = make(config={"electionPortBindRetry": 1})
    with socket.socket() as s:
        s.bind(("127.0.0.1", getattr(e[1], which)))
        s.listen()
        e[1].start()
        assert e[1].wait_end() == 1
        assert str(getattr(e[1], which)) in e[1].log()


def test_a_server_that_is_not_among_the_servers_does_not_start(tmp_path):
    lines = {f"server.{n}": f"127.0.0.1:{free_port()}:{free_port()}" for n in (1, 2, 3)}
    server = Server("caucusd", tmp_path, {"initLimit": 5, "syncLimit": 2, **lines})
    server.data_dir.mkdir(parents=True)
    (server.data_dir / "myid").write_text("4")
    server.start(wait=False)
    assert server.wait_end() == 2
    assert "not among the servers" in server.log()


def test_a_reconfig_may_move_the_port_of_clients(make):
    e = make(config={"reconfigEnabled": "true"})
    e.start()
    write_and_read(e)
    moved = e[1]
    old, moved.port = moved.port, free_port()
    kept = rawzk.Session(("127.0.0.1", old))
    with e[2].session() as s:
        s.authenticate(*SUPER)
        s.ok(rawzk.reconfig(joining=moved.line()))
    moved.wait_log(r"event=client_port_moved\b")
    with moved.session() as s:
        s.ok(sync("/"))
        assert s.ok(get_data("/a"))[0] == b"v"
    with pytest.raises(ConnectionRefusedError):
        rawzk.Session(("127.0.0.1", old))
    kept.ok(get_data("/a"))  # who was there stays
    kept.close()
    # And after a restart, from the files.
    moved.restart()
    e.wait_settled()
    write_and_read(e, "/b")


def test_nonsense_on_the_ports_disturbs_nobody(make):
    e = make()
    leader = e.start()
    sockets = []
    for m in e:
        for port in (m.quorum_port, m.election_port):
            for noise in (b"", os.urandom(5000), b"GET / HTTP/1.1\r\n\r\n", b"\0" * 64, b"\xff" * 64,
                          # A greeting of the election with our own number, and one of nobody.
                          rawzk.i64(-65536) + rawzk.i64(m.sid) + rawzk.buf(b"127.0.0.1:1"),
                          rawzk.i64(-65536) + rawzk.i64(2**62) + rawzk.buf(b"127.0.0.1:1") + b"x" * 99):
                s = socket.create_connection(("127.0.0.1", port))
                sockets.append(s)
                s.sendall(noise)
    write_and_read(e)
    assert e.leader is leader
    for s in sockets:
        s.close()
    write_and_read(e, "/b")
    assert e.leader is leader and not any("event=role_lost" in m.log() for m in e)
