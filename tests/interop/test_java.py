"""Apache's Java client: its command line, and a program of ours."""

import re
import subprocess

import pytest
from peers import ROOT, jars, program
from rawzk import create, exists, get_children, get_data

JAVA = ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
SERVER_CONFIG = {
    "extendedTypesEnabled": "true",
    "znode.container.checkIntervalMs": 200,
    "maxClientCnxns": 0,
}
SOURCE = ROOT / "tests/interop/java/Interop.java"


# --- the command line ----------------------------------------------------------------


@pytest.fixture(scope="module")
def zkcli(module_server):
    """zkcli(commands) -> what zkCli prints for them, one run."""

    def run(*commands):
        done = subprocess.run(
            [program("java"), *JAVA, "-cp", jars("3.9"), "org.apache.zookeeper.ZooKeeperMain",
             "-server", module_server.hosts],
            input="\n".join([*commands, "quit", ""]),
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout + done.stderr

    return run


def test_zkcli_runs_one_command_from_its_arguments(server, s, root):
    done = subprocess.run(
        [program("java"), *JAVA, "-cp", jars("3.9"), "org.apache.zookeeper.ZooKeeperMain",
         "-server", server.hosts, "create", f"{root}/from-cli", "hello"],
        capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0
    assert f"Created {root}/from-cli" in done.stdout + done.stderr
    assert s.ok(get_data(f"{root}/from-cli"))[0] == b"hello"


def test_zkcli_creates_reads_changes_and_deletes(zkcli, server, s, root):
    said = zkcli(
        f"create {root}/a one",
        f"create -s {root}/seq- x",
        f"create -c {root}/container",
        f"create -t 100000 {root}/ttl",
        f"get -s {root}/a",
        f"set -v 0 {root}/a two",
        f"stat {root}/a",
        f"ls {root}",
        f"ls -R {root}",
        f"getAllChildrenNumber {root}",
        f"delete {root}/a",
        f"get {root}/a",
        f"sync {root}",
        f"deleteall {root}/container",
        "whoami",
    )
    assert f"Created {root}/a" in said
    assert f"Created {root}/seq-0000000001" in said
    assert "dataVersion = 1" in said
    assert re.search(r"\[a, container, seq-0000000001, ttl\]", said), said
    assert re.search(rf"^{root}/seq-0000000001$", said, re.M)
    assert f"Node does not exist: {root}/a" in said
    assert "Sync is OK" in said
    assert "ip: 127.0.0.1" in said
    assert sorted(s.ok(get_children(root))) == ["seq-0000000001", "ttl"]


def test_zkcli_ephemerals_end_with_it(zkcli, s, root):
    said = zkcli(f"create -e {root}/e x", "getEphemerals", f"stat {root}/e")
    assert f"Created {root}/e" in said
    assert re.search(r"ephemeralOwner = 0x[1-9a-f]", said)
    assert s.err(exists(f"{root}/e")) == -101


def test_zkcli_sets_acls_and_quotas(zkcli, s, root):
    s.ok(create(f"{root}/q"))
    said = zkcli(
        f"create {root}/a x",
        "addauth digest u:p",
        f"setAcl {root}/a auth:u:p:cdrwa",
        f"getAcl {root}/a",
        f"setquota -n 3 {root}/q",
        f"create {root}/q/1",
        f"listquota {root}/q",
        f"delquota {root}/q",
    )
    assert "'digest,'u:" in said and ": cdrwa" in said
    assert re.search(r"Output quota for .*count=3", said)
    assert re.search(r"Output stat for .*count=2", said)
    assert s.err(get_data(f"{root}/a")) == -102


def test_zkcli_watches(zkcli, root):
    said = zkcli(
        f"create {root}/w x",
        f"get -w {root}/w",
        f"set {root}/w y",
        f"addWatch -m PERSISTENT_RECURSIVE {root}",
        f"create {root}/w/child",
        f"removewatches {root}",
    )
    assert f"type:NodeDataChanged path:{root}/w" in said
    assert f"type:NodeCreated path:{root}/w/child" in said


# --- a program -----------------------------------------------------------------------

CLAIMS = re.findall(r"^    void (\w+)\(\) throws", SOURCE.read_text(), re.M)


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    done = subprocess.run(
        [program("javac"), "-Xlint:all,-processing", "-cp", jars("3.9"), "-d", str(folder),
         str(SOURCE)],
        capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_program_holds_claims():
    assert len(CLAIMS) >= 10


@pytest.mark.apache_only_since("3.9")
@pytest.mark.parametrize("claim", CLAIMS)
def test_java_client(classes, module_server, claim):
    done = subprocess.run(
        [program("java"), *JAVA, "-cp", f"{classes}:{jars('3.9')}", "Interop",
         module_server.hosts, claim],
        capture_output=True, text=True, timeout=100,
    )
    assert done.stdout.endswith("ok\n"), done.stdout + done.stderr[-3000:]
