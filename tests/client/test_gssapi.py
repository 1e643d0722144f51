"""SASL GSSAPI: libcaucus shows Apache ZooKeeper who it is by Kerberos, with a KDC of the tests' own. caucusd has no Kerberos
(docs/COMPATIBILITY.md)."""

import pytest
from client_talk import LONG_TIMEOUT_MS
from kdc import REALM, Kdc
from sasl import CONFIG, caucus, check_known_at_every_connection, drivers

JAAS = """Server {{
    com.sun.security.auth.module.Krb5LoginModule required
    useKeyTab=true keyTab="{keytab}" storeKey=true useTicketCache=false isInitiator=false
    principal="zookeeper/localhost@{realm}";
}};
"""


@pytest.fixture(scope="module")
def kdc(tmp_path_factory):
    kdc = Kdc(tmp_path_factory.mktemp("kdc"))
    yield kdc
    kdc.stop()


@pytest.fixture(scope="module")
def alice(kdc):
    return kdc.tickets("alice")


@pytest.fixture
def server(kdc, start_server, tmp_path):
    keytab = kdc.folder / "zookeeper-localhost.keytab"
    if not keytab.exists():
        kdc.add("zookeeper/localhost")
    jaas = tmp_path / "jaas.conf"
    jaas.write_text(JAAS.format(keytab=keytab, realm=REALM))
    return start_server(CONFIG, backend="apache39", env={
        "JAVA_TOOL_OPTIONS": f"-Djava.security.auth.login.config={jaas} -Djava.security.krb5.conf={kdc.config}"})


def localhost(server):
    return f"localhost:{server.port}"


@drivers
def test_who_has_tickets_is_who_he_says_at_every_connection(server, alice, talk, driver):
    t = talk(driver, localhost(server), LONG_TIMEOUT_MS, env=alice, sasl="GSSAPI")
    check_known_at_every_connection(t, server, lambda word: word.startswith("sasl:alice"))


def test_without_tickets_and_without_a_principal_it_says_why(server, kdc, alice, talk):
    t = talk("threads", localhost(server), 1000, env=kdc.env, sasl="GSSAPI")
    t.ask("get /", "get / CAUCUS_OPERATIONTIMEOUT")
    t.trouble("SASL")
    t.close()
    # Nobody is called zookeeper/127.0.0.1 here.
    t = talk("loop", f"127.0.0.1:{server.port}", 1000, env=alice, sasl="GSSAPI")
    t.ask("get /", "get / CAUCUS_OPERATIONTIMEOUT")
    t.trouble("SASL")
    t.close()


def test_the_command_line(server, alice, kdc):
    words = ["-s", localhost(server), "--sasl-gssapi"]
    run = caucus(*words, "ls", "/", env=alice)
    assert (run.returncode, run.stdout, run.stderr) == (0, "zookeeper\n", "")
    run = caucus(*words, "-t", "2000", "ls", "/", env=kdc.env)
    assert run.returncode == 3 and "SASL" in run.stderr and run.stderr.count("\n") == 1
