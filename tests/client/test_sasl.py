"""SASL DIGEST-MD5: libcaucus and kazoo against caucusd and Apache ZooKeeper, all with the same login context."""

import subprocess

import pytest
import rawzk
from client_talk import LONG_TIMEOUT_MS, PROGRAMS
from kazoo.client import KazooClient
from kazoo.exceptions import InvalidACLError, NoAuthError
from kazoo.security import make_acl
from peers import caucusd
from rawzk import Acl, create
from sasl import CONFIG, caucus, check_known_at_every_connection, drivers

both = pytest.mark.parametrize("backend, driver", [
    ("apache39", "loop"), ("caucusd", "threads"), ("caucusd", "loop")])
JAAS = """Server {
    org.apache.zookeeper.server.auth.DigestLoginModule required
    user_super="top"
    user_bob="open sesame";
};
"""
WAIT_S = 20
SESSIONCLOSEDREQUIRESASLAUTH = -124


@pytest.fixture
def start_sasl(start_server, tmp_path):
    def start(backend, **more):
        jaas = tmp_path / "jaas.conf"
        jaas.write_text(JAAS)
        config = CONFIG | {"fips-mode": "false"} | {k.replace("_", "."): v for k, v in more.items()}
        if backend == "caucusd":
            return start_server(config | {"java.security.auth.login.config": jaas}, backend=backend)
        return start_server(config, backend=backend,
                            env={"JAVA_TOOL_OPTIONS": f"-Djava.security.auth.login.config={jaas}"})

    return start


BOB = {"sasl": "DIGEST-MD5", "user": "bob", "password": "open sesame"}


@both
def test_who_has_the_password_is_who_he_says_at_every_connection(start_sasl, talk, backend, driver):
    server = start_sasl(backend)
    t = talk(driver, server.hosts, LONG_TIMEOUT_MS, **BOB)
    check_known_at_every_connection(t, server, lambda word: word == "sasl:bob")


@both
def test_a_wrong_password_is_final(start_sasl, talk, backend, driver):
    server = start_sasl(backend)
    t = talk(driver, server.hosts, LONG_TIMEOUT_MS, **{**BOB, "password": "x"})
    t.say("get /")
    t.hear("state AUTH_FAILED")
    t.hear("get / CAUCUS_AUTHFAILED")
    assert not any("CONNECTED" in line for line in t.heard)
    t.say("get /")
    t.hear("get / refused CAUCUS_AUTHFAILED")
    t.close()


@drivers
def test_a_server_without_sasl_is_passed_over(start_server, talk, driver):
    server = start_server({"tickTime": 200}, backend="caucusd")
    t = talk(driver, server.hosts, 1000, **BOB)
    t.ask("get /", "get / CAUCUS_OPERATIONTIMEOUT")
    t.trouble("^trouble the server has no SASL$")
    t.close()


def test_what_cannot_be_is_told_at_once():
    def refused(*words):
        run = subprocess.run([PROGRAMS / "client_talk", "threads", "127.0.0.1:1", "1000", *words],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert run.returncode == 1 and "SASL cannot be used" in run.stderr, run.stdout + run.stderr
        return run.stderr

    assert "PLAIN" in refused("sasl=PLAIN", "user=bob", "password=x")
    assert "wants a user and a password" in refused("sasl=DIGEST-MD5", "user=bob")


servers = pytest.mark.parametrize("backend", ["caucusd", "apache39"])


def kazoo(server, user, password):
    zk = KazooClient(server.hosts, timeout=10.0,
                     sasl_options={"mechanism": "DIGEST-MD5", "username": user, "password": password})
    zk.start(timeout=WAIT_S)
    return zk


@servers
def test_kazoo_is_who_it_says_and_the_super_user_may_do_everything(start_sasl, backend):
    server = start_sasl(backend, superUser="super", sessionRequireClientSASLAuth="true")
    bob, top = kazoo(server, "bob", "open sesame"), kazoo(server, "super", "top")
    bob.create("/bobs", b"x", acl=[make_acl("sasl", "bob", all=True)])
    bob.create("/theirs", b"x", acl=[make_acl("sasl", "alice/host@REALM", read=True)])
    with pytest.raises(NoAuthError):
        bob.set("/theirs", b"y")
    top.set("/theirs", b"y")
    with pytest.raises(InvalidACLError):
        bob.create("/x", acl=[make_acl("sasl", "a@b@c", all=True)])
    for zk in (bob, top):
        zk.stop()
        zk.close()


def sasl(token):
    return rawzk.Op(rawzk.SASL, rawzk.i32(len(token)) + token, lambda r: r.rest())


@servers
def test_who_did_not_show_who_he_is_gets_nothing_where_it_is_required(start_sasl, backend):
    server = start_sasl(backend, sessionRequireClientSASLAuth="true")
    with server.session() as s:
        assert s.err(rawzk.get_data("/")) == SESSIONCLOSEDREQUIRESASLAUTH
    for tokens in ([b"", b"noise"], [b"", b"x" * 100_000], [b"", b""]):
        with server.session() as s:
            for token in tokens[:-1]:
                assert s.call(sasl(token)).err == 0
            assert s.call(sasl(tokens[-1])).err == SESSIONCLOSEDREQUIRESASLAUTH
            s.expect_closed()


@servers
def test_a_failure_may_be_overlooked(start_sasl, backend):
    server = start_sasl(backend, allowSaslFailedClients="true")
    with server.session() as s:
        assert s.call(sasl(b"")).err == 0
        assert s.call(sasl(b"noise")).err == 0
        assert {scheme for scheme, _ in s.ok(rawzk.who_am_i())} == {"ip"}


def test_a_login_context_that_is_wrong_is_told_by_file_and_line(tmp_path):
    def refusal(text):
        (tmp_path / "jaas.conf").write_text(text)
        (tmp_path / "zoo.cfg").write_text(f"dataDir={tmp_path}/data\nclientPort=0\n"
                                          f"java.security.auth.login.config={tmp_path}/jaas.conf\n")
        run = subprocess.run([caucusd(), tmp_path / "zoo.cfg"], capture_output=True, text=True, timeout=60)
        assert run.returncode == 1 and "jaas.conf" in run.stderr
        return run.stderr

    assert "line 3" in refusal("Server {\n org.apache.zookeeper.server.auth.DigestLoginModule required\n b; };")
    assert "no context 'Server'" in refusal("Client { a required; };")
    assert "DigestLoginModule" in refusal("Server { com.sun.security.auth.module.Krb5LoginModule required; };")


def test_the_command_line(start_sasl, tmp_path):
    server = start_sasl("caucusd")
    with server.session() as s:
        s.ok(create("/bobs", b"secret", acl=[Acl(31, "sasl", "bob")]))
    (tmp_path / "password").write_text("open sesame\n")
    words = ["-s", server.hosts, "--sasl-user", "bob"]
    run = caucus(*words, "get", "/bobs", env={"CAUCUS_SASL_PASSWORD": "open sesame"})
    assert (run.returncode, run.stdout, run.stderr) == (0, "secret", "")
    run = caucus(*words, "--sasl-password-file", tmp_path / "password", "get", "/bobs")
    assert (run.returncode, run.stdout, run.stderr) == (0, "secret", "")
    run = caucus(*words, "get", "/bobs", env={"CAUCUS_SASL_PASSWORD": "x"})
    assert run.returncode != 0 and "refused the SASL identity" in run.stderr and run.stderr.count("\n") == 1
    run = caucus(*words, "get", "/bobs")
    assert run.returncode == 2 and "wants a password" in run.stderr
