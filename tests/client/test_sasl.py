"""libcaucus with SASL DIGEST-MD5, against Apache ZooKeeper with a login context."""

import os
import subprocess

import pytest
import rawzk
from client_talk import LONG_TIMEOUT_MS, PROGRAMS
from peers import CAUCUSD
from rawzk import Acl, create

CAUCUS = os.environ.get("CAUCUS", str(CAUCUSD.parent / "caucus"))
drivers = pytest.mark.parametrize("driver", ["threads", "loop"])
both = pytest.mark.parametrize("backend, driver", [("apache386", "threads"), ("apache39", "loop")])
JAAS = """Server {
    org.apache.zookeeper.server.auth.DigestLoginModule required
    user_super="top"
    user_bob="open sesame";
};
"""
CONFIG = {
    "tickTime": 200, "maxClientCnxns": 0, "maxSessionTimeout": 60000, "fips-mode": "false",
    "authProvider.1": "org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
}


@pytest.fixture
def start_sasl(start_server, tmp_path):
    def start(backend):
        jaas = tmp_path / "jaas.conf"
        jaas.write_text(JAAS)
        return start_server(CONFIG, backend=backend,
                            env={"JAVA_TOOL_OPTIONS": f"-Djava.security.auth.login.config={jaas}"})

    return start


BOB = {"sasl": "DIGEST-MD5", "user": "bob", "password": "open sesame"}


@both
def test_who_has_the_password_is_who_he_says_at_every_connection(start_sasl, talk, backend, driver):
    server = start_sasl(backend)
    t = talk(driver, server.hosts, LONG_TIMEOUT_MS, **BOB)
    t.hear("state CONNECTED renewed")
    assert "sasl:bob" in t.ask("who", "who CAUCUS_OK").split()
    t.ask("create /mine secret 0", "create /mine CAUCUS_OK")
    t.ask("get /mine watch", "get /mine CAUCUS_OK secret")
    with server.session() as other:
        assert other.err(rawzk.get_data("/mine")) == rawzk.NOAUTH
    server.kill()
    t.hear("state SUSPENDED")
    server.start()
    assert t.hear("state ") == "state RECONNECTED"
    t.ask("set /mine y", "event NODE_DATA_CHANGED /mine last")
    assert "sasl:bob" in t.ask("who", "who CAUCUS_OK").split()
    t.close()


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
    assert t.ask("trouble", "trouble") == "trouble the server has no SASL"
    t.close()


def test_what_cannot_be_is_told_at_once():
    def refused(*words):
        run = subprocess.run([PROGRAMS / "client_talk", "threads", "127.0.0.1:1", "1000", *words],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert run.returncode == 1 and "SASL cannot be used" in run.stderr, run.stdout + run.stderr
        return run.stderr

    assert "PLAIN" in refused("sasl=PLAIN", "user=bob", "password=x")
    assert "wants a user and a password" in refused("sasl=DIGEST-MD5", "user=bob")


def caucus(*words, env=None):
    return subprocess.run([CAUCUS, *map(str, words)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **(env or {})})


def test_the_command_line(start_sasl, tmp_path):
    server = start_sasl("apache39")
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
