"""libcaucus over TLS, against the secure ports of caucusd and Apache ZooKeeper."""

import os
import socket
import subprocess
import threading

import pytest
import rawzk
from certs import Certs
from client_talk import LONG_TIMEOUT_MS, PROGRAMS
from peers import CAUCUSD
from ports import free_port

CAUCUS = os.environ.get("CAUCUS", str(CAUCUSD.parent / "caucus"))
drivers = pytest.mark.parametrize("driver", ["threads", "loop"])
both = pytest.mark.parametrize("backend, driver", [
    ("apache39", "loop"), ("caucusd", "threads"), ("caucusd", "loop")])


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    certs = Certs(tmp_path_factory.mktemp("certs"))
    certs.make("server", ips=["127.0.0.1"], names=["localhost"])
    certs.make("elsewhere", names=["elsewhere.test"])
    certs.make("client")
    return certs


@pytest.fixture
def start_secure(start_server, certs):
    def start(backend, key="server", **more):
        config = {
            "tickTime": 200, "maxClientCnxns": 0, "maxSessionTimeout": 60000,
            "secureClientPort": free_port(),
            "ssl.keyStore.location": certs.folder / f"{key}.pem", "ssl.keyStore.type": "PEM",
            "ssl.trustStore.location": certs.ca, "ssl.trustStore.type": "PEM",
            "ssl.clientAuth": "none",
            "serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory",
        }
        return start_server({**config, **more}, backend=backend)

    return start


def secure(server, host="127.0.0.1"):
    return f"{host}:{server.config['secureClientPort']}"


def refusing(talk, server, driver):
    """A function that wants a client to give this reason for not being connected."""
    def refuses(pattern, hosts, **options):
        since = len(server.log())
        t = talk(driver, hosts, LONG_TIMEOUT_MS, **options)
        # The second attempt begins when the first has failed, and the reason can be told.
        server.wait_log("Unsuccessful handshake|tls_handshake_failed", count=2, since=since)
        t.trouble(pattern)
        t.close()

    return refuses


@both
def test_a_session_survives_the_server(start_secure, talk, certs, backend, driver):
    server = start_secure(backend)
    t = talk(driver, secure(server), LONG_TIMEOUT_MS, ca=certs.ca)
    t.hear("state CONNECTED renewed")
    big = "x" * 200
    t.ask(f"create /n {big} 0", "create /n CAUCUS_OK")
    t.ask("get /n watch", f"get /n CAUCUS_OK {big}")
    server.kill()
    t.hear("state SUSPENDED")
    server.start()
    assert t.hear("state ") == "state RECONNECTED"
    t.ask("set /n y", "event NODE_DATA_CHANGED /n last")
    t.close()


def test_threads_block_on_one_handle_while_its_connections_are_lost(start_secure, certs):
    """Whoever waits for an answer reads for himself, records of TLS too."""
    server = start_secure("caucusd")
    run = subprocess.Popen(
        [PROGRAMS / "client_crowd", ",".join([secure(server)] * 100), "4", "100", certs.ca],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        session_id = int(run.stdout.readline().split()[1])
        for _ in range(4):
            rawzk.cut(server.address, session_id)
            assert run.stdout.readline() == "again\n"
        out, _ = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == 0, out
    times, answered, lost, changes, events = map(int, out.splitlines()[-1].split())
    assert times >= 4 * 100 and answered == 2 * times and lost >= 1 and 0 < events <= changes + lost + 4, out


def test_every_operation(start_secure, certs):
    server = start_secure("apache39", extendedTypesEnabled="true")
    run = subprocess.run([PROGRAMS / "client_suite", secure(server), "3.9", certs.ca],
                         capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("driver", ["loop"])
def test_a_certificate_for_another_host_is_refused(start_secure, talk, certs, driver):
    server = start_secure("caucusd", key="elsewhere")
    refuses = refusing(talk, server, driver)
    refuses("IP address mismatch", secure(server), ca=certs.ca)
    refuses("hostname mismatch", secure(server, "localhost"), ca=certs.ca)
    t = talk(driver, secure(server), LONG_TIMEOUT_MS, ca=certs.ca, any_host=1)
    t.hear("state CONNECTED renewed")
    t.close()


def test_only_who_is_trusted_is_believed(start_secure, talk, certs, tmp_path):
    server = start_secure("caucusd")
    other = Certs(tmp_path / "other", name="another ca")
    refuses = refusing(talk, server, "threads")
    refuses("self-signed certificate in certificate chain", secure(server), ca=other.ca)
    refuses("self-signed certificate in certificate chain", secure(server), ca=other.ca, any_host=1)

    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/ca.pem").write_text(certs.ca.read_text())
    subprocess.run(["openssl", "rehash", tmp_path / "folder"], check=True)
    t = talk("threads", secure(server, "localhost"), LONG_TIMEOUT_MS, ca_folder=tmp_path / "folder")
    t.hear("state CONNECTED renewed")
    t.close()


@both
def test_a_server_that_wants_a_certificate(start_secure, talk, certs, backend, driver):
    server = start_secure(backend, **{"ssl.clientAuth": "need"})
    t = talk(driver, secure(server), LONG_TIMEOUT_MS, ca=certs.ca, cert=certs.folder / "client.pem")
    t.hear("state CONNECTED renewed")
    t.ask("create /mine secret 0", "create /mine CAUCUS_OK")  # scheme auth: x509 gave an identity
    t.close()
    t = talk(driver, secure(server), LONG_TIMEOUT_MS, ca=certs.ca, cert=certs.folder / "client.crt",
             key=certs.encrypted_key("client", "open sesame"), key_password="open sesame")
    t.ask("get /mine", "get /mine CAUCUS_OK secret")
    t.close()
    refusing(talk, server, driver)("TLS: .*certificate", secure(server), ca=certs.ca)


def refused(certs, **options):
    """What is said when the handle cannot be opened."""
    words = [f"{k.replace('_', '-')}={v}" for k, v in options.items()]
    run = subprocess.run([PROGRAMS / "client_talk", "threads", "127.0.0.1:1", "1000", *words],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "the files for TLS cannot be used" in run.stderr
    return run.stderr


def test_files_that_cannot_be_used_are_named(certs, tmp_path):
    noise = tmp_path / "noise.pem"
    noise.write_bytes(os.urandom(1000))
    other = Certs(tmp_path / "other").make("x")
    encrypted = certs.encrypted_key("client", "open sesame")
    client = certs.folder / "client.crt"
    assert f"'{tmp_path}/absent'" in refused(certs, ca=tmp_path / "absent")
    assert f"'{noise}'" in refused(certs, ca=noise)
    assert f"'{noise}'" in refused(certs, ca=certs.ca, cert=noise)
    assert f"'{client}'" in refused(certs, ca=certs.ca, cert=client)  # it holds no key
    assert "mismatch" in refused(certs, ca=certs.ca, cert=client, key=other)
    assert f"'{encrypted}'" in refused(certs, ca=certs.ca, cert=client, key=encrypted)
    assert f"'{encrypted}'" in refused(certs, ca=certs.ca, cert=client, key=encrypted, key_password="wrong")
    assert "no certificate" in refused(certs, ca=certs.ca, key=encrypted)


def caucus(*words, env=None):
    return subprocess.run([CAUCUS, *map(str, words)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **(env or {})})


def test_the_command_line(start_secure, certs):
    server = start_secure("apache39", **{"ssl.clientAuth": "need", "4lw.commands.whitelist": "*"})
    encrypted = certs.encrypted_key("client", "open sesame")
    words = ["-s", secure(server), "--tls-ca", certs.ca, "--tls-cert", certs.folder / "client.crt",
             "--tls-key", encrypted]
    secret = {"CAUCUS_TLS_KEY_PASSWORD": "open sesame"}
    run = caucus(*words, "ls", "/", env=secret)
    assert (run.returncode, run.stdout, run.stderr) == (0, "zookeeper\n", "")
    run = caucus(*words, "status", "--json", env=secret)
    assert run.returncode == 0 and '"mode": "standalone"' in run.stdout, run.stdout + run.stderr
    run = caucus(*words, "ls", "/")
    assert run.returncode == 2 and f"'{encrypted}'" in run.stderr and run.stderr.count("\n") == 1
    run = caucus("-s", secure(server), "--tls", "-t", "2000", "ls", "/")
    assert run.returncode == 3 and "self-signed certificate in certificate chain" in run.stderr
    run = caucus("-s", secure(server), "--tls", "status")
    assert run.returncode == 3 and "self-signed certificate in certificate chain" in run.stdout


class Stubborn:
    """Answers the first bytes of each connection with these and ends it; None: it stays, silent."""

    def __init__(self, answer):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self.came_again = threading.Event()
        self._answer = answer
        self._held = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        try:
            while True:
                s, _ = self._listener.accept()
                if self._held:
                    self.came_again.set()
                self._held.append(s)
                s.recv(4096)
                if self._answer is not None:
                    s.sendall(self._answer)
                    s.close()
        except OSError:
            pass

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@drivers
@pytest.mark.parametrize("answer, reason", [
    (b"", "closed"),
    (b"\0\0\0\x25" + b"\0" * 37, "TLS: the peer does not speak it"),
    (b"\x16\x03\x03\xff\xff" + b"\xff" * 70000, "TLS: "),
    (b"\x15\x03\x03\0\x02\x02\x28", "TLS: .*handshake failure"),
    (None, "no connection within"),
], ids=["end", "plain", "noise", "alert", "silence"])
def test_whoever_does_not_speak_tls_is_passed_over(talk, certs, driver, answer, reason):
    peer = Stubborn(answer)
    t = talk(driver, peer.host, 600, ca=certs.ca)
    assert peer.came_again.wait(30)
    t.trouble(reason)
    t.close()
    peer.close()
