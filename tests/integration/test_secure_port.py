"""The secure client port: whoever speaks TLS, with or without a certificate, and whoever does not."""

import socket
import ssl
import struct
import subprocess

import pytest
import rawzk
from certs import Certs
from kazoo.client import KazooClient
from peers import caucusd, jars, program
from ports import free_port
from rawzk import Acl, create, get_acl, get_data, set_data, who_am_i

both = pytest.mark.parametrize("backend", ["caucusd", "apache39"])
ALL = 31
WAIT_S = 20
# As OpenSSL is told them, and as Java prints them.
ODD_SUBJECT = "/C=DE/O=A, B \\+ \"C\" <d>;e\\\\f#=/OU=ops+UID=z/emailAddress=a@b.c/DC=x/UID=u/CN= #odd "


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    certs = Certs(tmp_path_factory.mktemp("certs"))
    certs.make("server", ips=["127.0.0.1"], names=["localhost"])
    certs.make("alice", subject="/O=Example/OU=ops/CN=alice")
    certs.make("odd", subject=ODD_SUBJECT)
    return certs


@pytest.fixture
def start_secure(start_server, certs):
    def start(backend="caucusd", **more):
        config = {
            "tickTime": 200, "maxClientCnxns": 0, "secureClientPort": free_port(),
            "ssl.keyStore.location": certs.folder / "server.pem", "ssl.trustStore.location": certs.ca,
            "ssl.clientAuth": "want", "4lw.commands.whitelist": "*",
        }
        if backend != "caucusd":
            config["serverCnxnFactory"] = "org.apache.zookeeper.server.NettyServerCnxnFactory"
        return start_server({**config, **{k.replace("_", "."): v for k, v in more.items()}}, backend=backend)

    return start


def port(server):
    return server.config["secureClientPort"]


def address(server):
    return "127.0.0.1", port(server)


def context(certs, name=None):
    c = ssl.create_default_context(cafile=certs.ca)
    if name is not None:
        c.load_cert_chain(certs.folder / f"{name}.pem")
    return c


@pytest.fixture
def session(certs):
    sessions = []

    def start(server, name=None, at=None):
        sessions.append(rawzk.Session(at or address(server), tls=context(certs, name)))
        return sessions[-1]

    yield start
    for s in sessions:
        s.close()


def identities(s):
    return set(s.ok(who_am_i()))


@both
def test_who_shows_a_certificate_is_its_subject(start_secure, session, backend):
    server = start_secure(backend)
    assert ("x509", "CN=alice,OU=ops,O=Example") in identities(session(server, "alice"))
    odd = [user for scheme, user in identities(session(server, "odd")) if scheme == "x509"]
    assert odd == [
        "CN=\\ \\#odd\\ ,UID=u,DC=x,1.2.840.113549.1.9.1=#16056140622e63,OU=ops+UID=z,"
        "O=A\\, B \\+ \\\"C\\\" \\<d\\>\\;e\\\\f\\#\\=,C=DE"]
    assert {scheme for scheme, _ in identities(session(server))} == {"ip"}


@both
def test_access_by_certificate(start_secure, session, backend):
    server = start_secure(backend, X509AuthenticationProvider_superUser="CN=root,OU=ops,O=Example")
    alice, nobody = session(server, "alice"), session(server)
    mine = Acl(ALL, "x509", "CN=alice,OU=ops,O=Example")
    alice.ok(create("/by-auth", acl=[Acl(ALL, "auth", "")]))
    assert alice.ok(get_acl("/by-auth"))[0] == [mine]
    alice.ok(create("/mine", b"secret", acl=[mine]))
    assert alice.ok(get_data("/mine"))[0] == b"secret"
    assert nobody.err(get_data("/mine")) == rawzk.NOAUTH
    assert nobody.err(create("/x", acl=[Acl(ALL, "x509", "no name")])) == rawzk.INVALIDACL
    assert nobody.err(create("/x", acl=[Acl(ALL, "x509", "CN=bob,SHOE=43")])) == rawzk.INVALIDACL
    nobody.ok(create("/for-bob", acl=[Acl(ALL, "x509", "cn=bob, o=\"Example, Inc\"")]))
    assert alice.err(get_data("/for-bob")) == rawzk.NOAUTH


@both
def test_the_super_user_is_a_subject(start_secure, session, backend):
    server = start_secure(backend, X509AuthenticationProvider_superUser="CN=alice,OU=ops,O=Example")
    with server.session() as plain:
        plain.ok(create("/theirs", acl=[Acl(1, "digest", "u:x")]))
        assert plain.err(set_data("/theirs", b"x")) == rawzk.NOAUTH
    session(server, "alice").ok(set_data("/theirs", b"x"))


@both
def test_need_means_need(start_secure, session, certs, backend):
    server = start_secure(backend, ssl_clientAuth="need")
    assert session(server, "alice").id != 0
    with pytest.raises((ssl.SSLError, rawzk.Closed, ConnectionError)):
        session(server)
    stranger = Certs(certs.folder / f"strangers-{backend}", name="another ca")
    c = ssl.create_default_context(cafile=certs.ca)
    c.load_cert_chain(stranger.make("alice"))
    with pytest.raises((ssl.SSLError, rawzk.Closed, ConnectionError)):
        rawzk.Session(address(server), tls=c)
    server.wait_log("tls_handshake_failed|Unsuccessful handshake")
    with server.session() as plain:  # the other port asks nobody
        assert plain.id != 0


@both
def test_windows_tell_the_two_ports_apart(start_secure, session, certs, backend):
    server = start_secure(backend)
    session(server)
    assert f"secureClientPort={port(server)}" in server.four_letter("conf")
    with rawzk.Conn(address(server), tls=context(certs)) as c:
        c.send_bytes(b"ruok")
        assert c.recv_until_closed() == b"imok"
    assert "zk_num_alive_connections\t2" in server.four_letter("mntr")


@both
def test_one_port_for_both(start_secure, session, backend):
    server = start_secure(backend, client_portUnification="true")
    assert session(server, "alice", at=server.address).id != 0
    assert server.session().id != 0
    assert server.four_letter("ruok") == "imok"


def test_one_port_tells_a_crowd_of_both(start_secure, session):
    """Who speaks plain text on it may be told by any thread, who speaks TLS by one."""
    server = start_secure(client_portUnification="true")
    writer = server.session()
    writer.ok(create("/told"))
    watchers = [server.session() if i % 20 else session(server, "alice", at=server.address) for i in range(700)]
    for turn in (b"1", b"2"):
        for w in watchers:
            w.ok(get_data("/told", watch=True))
        writer.ok(set_data("/told", turn))
        for w in watchers:
            event = w.event()
            assert (event.type, event.path, event.zxid) == (rawzk.NODE_DATA_CHANGED, "/told", writer.zxid)
            assert w.ok(get_data("/told"))[0] == turn


def test_kazoo_over_tls(start_secure, certs):
    server = start_secure(ssl_clientAuth="need")
    zk = KazooClient(f"127.0.0.1:{port(server)}", use_ssl=True, verify_certs=True, ca=str(certs.ca),
                     certfile=str(certs.folder / "alice.pem"), keyfile=str(certs.folder / "alice.pem"))
    zk.start(timeout=WAIT_S)
    big = bytes(range(256)) * 3000
    zk.create("/k", big)
    assert zk.get("/k")[0] == big
    zk.stop()
    zk.close()


def test_apaches_command_line_over_tls(start_secure, certs):
    server = start_secure(ssl_clientAuth="need")
    run = subprocess.run(
        [program("java"), "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
         "-Dzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty", "-Dzookeeper.client.secure=true",
         f"-Dzookeeper.ssl.keyStore.location={certs.folder}/alice.pem",
         f"-Dzookeeper.ssl.trustStore.location={certs.ca}", "-cp", jars("3.9"),
         "org.apache.zookeeper.ZooKeeperMain", "-server", f"localhost:{port(server)}"],
        input="create /j hello\nget /j\nwhoami\nquit\n", capture_output=True, text=True, timeout=60)
    out = run.stdout + run.stderr
    assert "] hello\n" in out and "x509: CN=alice,OU=ops,O=Example" in out, out


@pytest.mark.parametrize("store", ["pkcs12", "encrypted-pem", "password-file"])
def test_stores(start_secure, session, certs, store, tmp_path):
    if store == "encrypted-pem":
        key = tmp_path / "key.pem"
        key.write_text(certs.encrypted_key("server", "open sesame").read_text() +
                       (certs.folder / "server.crt").read_text())
        more = {"ssl_keyStore_location": key, "ssl_keyStore_password": "open sesame"}
    else:
        more = {"ssl_keyStore_location": certs.pkcs12("server", "open sesame")}
        (tmp_path / "password").write_text("open sesame\n")
        more |= ({"ssl_keyStore_password": "open sesame"} if store == "pkcs12" else
                 {"ssl_keyStore_passwordPath": tmp_path / "password"})
    assert session(start_secure(**more), "alice").id != 0


def test_protocols_and_ciphers(start_secure, certs):
    server = start_secure(ssl_enabledProtocols="TLSv1.2", ssl_ciphersuites="TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384")
    with rawzk.Conn(address(server), tls=context(certs)) as c:
        assert c.sock.version() == "TLSv1.2" and c.sock.cipher()[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"
    c = context(certs)
    c.minimum_version = ssl.TLSVersion.TLSv1_3
    with pytest.raises(ssl.SSLError):
        rawzk.Conn(address(server), tls=c)


def refusal(tmp_path, certs, *lines):
    """What caucusd says to this configuration, which it does not take."""
    config = tmp_path / "zoo.cfg"
    config.write_text(f"dataDir={tmp_path}/data\nsecureClientPort=0\nssl.clientAuth=none\n" + "\n".join(lines))
    run = subprocess.run([caucusd(), str(config)], capture_output=True, text=True, timeout=60)
    assert run.returncode in (1, 2), run.stderr
    return run.stderr


def test_what_cannot_be_had_is_refused_by_name(tmp_path, certs):
    key = f"ssl.keyStore.location={certs.folder}/server.pem"
    noise = tmp_path / "noise.pem"
    noise.write_text("noise")
    for lines, wanted in [
        ([], "wants ssl.keyStore.location"),
        (["ssl.keyStore.location=/x/key.jks"], "only Java can read"),
        (["ssl.keyStore.location=/x/key"], "wants ssl.keyStore.type"),
        ([f"ssl.keyStore.location={noise}"], str(noise)),
        (["ssl.keyStore.location=/absent.p12"], "/absent.p12"),
        ([key, "ssl.clientAuth=need"], "wants ssl.trustStore.location"),
        ([key, "ssl.crl=true"], "revocation"),
        ([key, "ssl.enabledProtocols=TLSv1.1"], "TLSv1.1"),
        ([key, "ssl.ciphersuites=TLS_NO_SUCH"], "TLS_NO_SUCH"),
        ([key, "secureClientPortAddress=127.0.0.1", "ssl.authProvider=mine"], "there is x509"),
    ]:
        assert wanted in refusal(tmp_path, certs, *lines), lines


@pytest.mark.parametrize("noise", [
    b"", b"\0\0\0\x2d" + b"\0" * 45, b"ruok", b"\x16\x03\x01\xff\xff" + b"\x01" * 70000,
    b"\x16\x03\x01\0\x05\x01\0\xff\xff\xff", b"\x15\x03\x03\0\x02\x02\x28",
], ids=["end", "plain", "word", "long", "announcement", "alert"])
def test_noise_in_the_handshake_ends_that_connection_alone(start_secure, session, noise):
    server = start_secure(nio_sessionlessCnxnTimeout="500")
    with socket.create_connection(address(server)) as s:
        s.sendall(noise)
        s.shutdown(socket.SHUT_WR)
        s.settimeout(WAIT_S)
        try:
            while s.recv(4096):
                pass
        except ConnectionResetError:
            pass
    server.wait_log("event=tls_handshake_failed")
    assert session(server).id != 0


def test_handshakes_that_do_not_end_are_bounded_in_time_and_number(start_secure, session):
    server = start_secure(nio_sessionlessCnxnTimeout="1000", netty_server_outstandingHandshake_limit="3")
    silent = [socket.create_connection(address(server)) for _ in range(3)]
    one_more = socket.create_connection(address(server))
    one_more.settimeout(WAIT_S)
    assert one_more.recv(1) == b""
    server.wait_log("connection_refused.*outstandingHandshake.limit")
    silent[0].sendall(b"\x16\x03\x01\x02\0\x01")  # the begin of a hello
    for s in silent:
        s.settimeout(WAIT_S)
        assert s.recv(1) == b""
        s.close()
    one_more.close()
    assert session(server).id != 0


def test_many_bytes_both_ways(start_secure, session):
    """Answers that fill the socket while requests still come: TLS has to go on where it stopped."""
    server = start_secure()
    s = session(server)
    big = bytes(i * 7 % 256 for i in range(1_000_000))
    s.ok(create("/big", big))
    frames = b"".join(s.request_bytes(get_data("/big"))[1] for _ in range(40))
    s.send_bytes(frames)
    for _ in range(40):
        reply = s.recv_frame()
        n = struct.unpack(">i", reply[16:20])[0]
        assert reply[20:20 + n] == big
