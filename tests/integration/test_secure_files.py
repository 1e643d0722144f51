"""client.certReload: the files of the secure port are read again when they change."""

import os
import shutil
import socket
import ssl
import time

import pytest
import rawzk
from certs import Certs
from ensemble import Ensemble
from ports import free_port
from rawzk import create, get_data

both = pytest.mark.parametrize("backend", ["caucusd", "apache39"])
ours = pytest.mark.caucusd_only
WAIT_S = 20


@pytest.fixture
def certs(tmp_path):
    certs = Certs(tmp_path / "certs")
    for name in ("first", "second"):
        certs.make(name, ips=["127.0.0.1"])
    return certs


@pytest.fixture
def start_secure(start_server, certs, tmp_path):
    """With files of its own, in a folder `served`."""
    served = tmp_path / "served"
    served.mkdir()

    def start(backend="caucusd", key="first", **more):
        if key is not None:
            shutil.copy(certs.folder / f"{key}.pem", served / "key.pem")
        shutil.copy(certs.ca, served / "trust.pem")
        config = {
            "tickTime": 200, "secureClientPort": free_port(), "client.certReload": "true",
            "ssl.keyStore.location": served / "key.pem", "ssl.trustStore.location": served / "trust.pem",
            "ssl.clientAuth": "none",
        }
        if backend != "caucusd":
            config["serverCnxnFactory"] = "org.apache.zookeeper.server.NettyServerCnxnFactory"
        server = start_server({**config, **{k.replace("_", "."): v for k, v in more.items()}}, backend=backend)
        server.served = served
        return server

    return start


def address(server):
    return "127.0.0.1", server.config["secureClientPort"]


def shown(server, certs):
    """Whose certificate a client sees now."""
    with socket.create_connection(address(server), timeout=WAIT_S) as plain:
        with ssl.create_default_context(cafile=certs.ca).wrap_socket(plain, server_hostname="127.0.0.1") as s:
            return s.getpeercert()["subject"][0][0][1]


def wait_shown(server, certs, name, changes):
    """Behind so many changes. Apache does not tell when it is done: whoever connects sees."""
    if not server.is_apache:
        server.wait_log("event=tls_files_taken", count=changes)
    end = time.monotonic() + WAIT_S
    while (now := shown(server, certs)) != name:
        assert server.is_apache and time.monotonic() < end, f"{now} is shown, not {name}:\n{server.log()[-2000:]}"


def replace(path, content):
    """As whoever renews certificates does."""
    fresh = path.with_name("." + path.name + ".new")
    fresh.write_bytes(content)
    fresh.rename(path)


@both
def test_a_renewed_certificate_is_shown_to_who_comes_and_nobody_has_to_go(start_secure, certs, backend):
    server = start_secure(backend)
    with rawzk.Session(address(server), tls=ssl.create_default_context(cafile=certs.ca)) as before:
        before.ok(create("/here", b"still"))
        assert shown(server, certs) == "first"
        replace(server.served / "key.pem", (certs.folder / "second.pem").read_bytes())
        wait_shown(server, certs, "second", 1)
        assert before.ok(get_data("/here"))[0] == b"still"
        # Written in place, not replaced.
        (server.served / "key.pem").write_bytes((certs.folder / "first.pem").read_bytes())
        wait_shown(server, certs, "first", 2)
        assert before.ok(get_data("/here"))[0] == b"still"


@ours
def test_files_that_cannot_be_used_change_nothing(start_secure, certs):
    server = start_secure()
    key = server.served / "key.pem"
    key.write_bytes((certs.folder / "second.pem").read_bytes()[:150])
    line = server.wait_log("event=tls_files_not_taken")
    assert str(key) in line
    assert shown(server, certs) == "first"
    key.unlink()
    server.wait_log("event=tls_files_not_taken.*No such file", since=server.log().index(line) + len(line))
    assert shown(server, certs) == "first"
    key.write_bytes((certs.folder / "second.pem").read_bytes())
    server.wait_log("event=tls_files_taken")
    assert shown(server, certs) == "second"


@ours
def test_files_behind_links_are_followed(start_secure, certs, tmp_path):
    """Two ways of links: a folder that is exchanged (Kubernetes), and a link that leads elsewhere (certbot)."""
    served = tmp_path / "served"
    for name in ("first", "second"):
        (served / f"..{name}").mkdir()
        shutil.copy(certs.folder / f"{name}.pem", served / f"..{name}" / "key.pem")
    (served / "..data").symlink_to("..first")
    (served / "key.pem").symlink_to("..data/key.pem")
    server = start_secure(key=None)
    assert shown(server, certs) == "first"

    (served / "..data_tmp").symlink_to("..second")
    (served / "..data_tmp").rename(served / "..data")
    server.wait_log("event=tls_files_taken")
    assert shown(server, certs) == "second"

    # The file where the link leads now, in place, in its own folder.
    (served / "..second" / "key.pem").write_bytes((certs.folder / "first.pem").read_bytes())
    server.wait_log("event=tls_files_taken", count=2)
    assert shown(server, certs) == "first"


@ours
def test_whom_we_trust_may_change(start_secure, certs, tmp_path):
    server = start_secure(ssl_clientAuth="need")
    others = Certs(tmp_path / "others", name="another ca")

    def come(folder):
        c = ssl.create_default_context(cafile=certs.ca)
        c.load_cert_chain(folder.make("alice"))
        return rawzk.Session(address(server), tls=c)

    with pytest.raises((ssl.SSLError, rawzk.Closed, ConnectionError)):
        come(others)
    with come(certs) as before:
        replace(server.served / "trust.pem", others.ca.read_bytes())
        server.wait_log("event=tls_files_taken")
        with come(others) as s:
            s.ok(create("/by-another"))
        with pytest.raises((ssl.SSLError, rawzk.Closed, ConnectionError)):
            come(certs)
        assert before.ok(get_data("/by-another"))[0] == b""


@ours
def test_a_store_and_the_file_of_its_password_are_two_steps(start_secure, certs):
    served = certs.folder.parent / "served"
    shutil.copy(certs.pkcs12("first", "one"), served / "key.p12")
    (served / "password").write_text("one\n")
    server = start_secure(key=None, ssl_keyStore_location=served / "key.p12", ssl_keyStore_passwordPath=served / "password")
    assert shown(server, certs) == "first"
    (served / "password").write_text("two\n")
    server.wait_log("event=tls_files_not_taken")
    replace(served / "key.p12", certs.pkcs12("second", "two").read_bytes())
    server.wait_log("event=tls_files_taken")
    assert shown(server, certs) == "second"


@ours
def test_other_files_of_the_folder_and_touched_ones_are_not_what_is_read(start_secure, certs):
    """A folder may hold much. What follows a change of ours shows that nothing was read for the others'."""
    server = start_secure()
    for i in range(20):
        (server.served / f"other{i}").write_text("x")
    replace(server.served / "key.pem", (certs.folder / "second.pem").read_bytes())
    server.wait_log("event=tls_files_taken")
    assert shown(server, certs) == "second"
    assert server.log().count("event=tls_files_") == 1


@ours
def test_a_folder_that_goes_is_told_and_the_server_stays(start_secure, certs):
    server = start_secure()
    shutil.rmtree(server.served)
    server.wait_log("event=tls_file_not_watched.*/key.pem")
    server.wait_log("event=tls_files_not_taken")
    assert shown(server, certs) == "first"


@ours
def test_a_folder_that_does_not_exist_is_refused_at_the_start(start_secure, tmp_path):
    with pytest.raises(AssertionError, match="ended with 1"):
        start_secure(ssl_keyStore_location=tmp_path / "nowhere" / "key.pem")


@ours
def test_without_it_files_are_read_once(start_secure, certs):
    server = start_secure(client_certReload="false")
    replace(server.served / "key.pem", (certs.folder / "second.pem").read_bytes())
    descriptors = [os.readlink(f"/proc/{server.process.pid}/fd/{fd}")
                   for fd in os.listdir(f"/proc/{server.process.pid}/fd")]
    assert not any("inotify" in d for d in descriptors)
    assert shown(server, certs) == "first"


@ours
def test_no_handshake_is_made_while_nobody_is_served(certs, tmp_path):
    """netty.server.earlyDropSecureConnectionHandshakes: one of three alone has no leader."""
    port = free_port()
    e = Ensemble(tmp_path / "e", ["caucusd"] * 3, config={
        "secureClientPort": port, "ssl.keyStore.location": certs.folder / "first.pem", "ssl.clientAuth": "none",
        "netty.server.earlyDropSecureConnectionHandshakes": "true"})
    try:
        e[1].start()
        e[1].wait_log("event=looking")
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as s:
            assert s.recv(1) == b""
        del e[2].config["secureClientPort"]
        e[2].start()
        e.wait_settled()
        with rawzk.Session(("127.0.0.1", port), tls=ssl.create_default_context(cafile=certs.ca)) as s:
            s.ok(create("/served"))
        assert "zk_cnxn_closed_without_zk_server_running\t1\n" in e[1].four_letter("mntr")
    finally:
        e.kill()
