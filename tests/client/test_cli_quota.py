"""caucus quota: as zkCli's setquota, listquota and delquota, against caucusd and Apache ZooKeeper 3.9.5."""

import pytest
import rawzk
from cli import NO, OK, USAGE, Cli
from rawzk import create, exists, get_data, set_data

CONFIG = {"enforceQuota": "true", "tickTime": 200}


def test_the_limits_are_written_as_zookeeper_writes_them(cli, root, running):
    cli.ok("quota", "set", "-n", "10", "-B", "5000", root)
    node = f"/zookeeper/quota{root}/zookeeper_limits"
    assert cli.ok("get", node) == b"count=10,bytes=-1=;byteHardLimit=5000;countHardLimit=-1"
    cli.ok("setquota", root, "-N", "3", "-b", "0")
    assert cli.ok("get", node) == b"count=10,bytes=0=;byteHardLimit=5000;countHardLimit=3"
    cli.ok("delquota", "-n", "-B", root)
    assert cli.ok("get", node) == b"count=-1,bytes=0=;byteHardLimit=-1;countHardLimit=3"
    with running.session() as s:  # and the server obeys them
        s.ok(create(f"{root}/a"))
        s.ok(create(f"{root}/b"))
        assert s.err(create(f"{root}/c")) == rawzk.QUOTAEXCEEDED


def test_limits_and_usage_are_listed(cli, root, running):
    cli.ok("create", f"{root}/a", "12345")
    cli.ok("setquota", "-n", "10", root)
    expected = {"path": root, "count": 2, "count_soft": 10, "count_hard": None, "bytes": 5, "bytes_soft": None,
                "bytes_hard": None}
    assert cli.json("quota", "list", root)["quotas"] == [expected]
    assert expected in cli.json("listquota")["quotas"]
    head, line = cli.ok("listquota", root).decode().splitlines()
    assert head.split() == ["PATH", "COUNT", "SOFT", "HARD", "BYTES", "SOFT", "HARD"]
    assert line.split() == [root, "2", "10", "-", "5", "-", "-"]
    with running.session() as s:
        s.ok(set_data(root, b"abc"))
    assert cli.json("listquota", root)["quotas"][0]["bytes"] == 8


def test_what_is_beyond_already_is_told(cli, root):
    cli.ok("create", f"{root}/a")
    run = cli.run("setquota", "-n", "1", root)
    assert run.returncode == OK and run.stderr == f"caucus: '{root}' has 2 nodes already\n".encode()


def test_one_quota_on_the_way_to_the_root(cli, root):
    cli.ok("create", "-p", f"{root}/a/b/c")
    cli.ok("setquota", "-n", "10", f"{root}/a/b")
    assert f"is below '{root}/a/b'" in cli.fails(NO, "setquota", "-n", "10", f"{root}/a/b/c")
    assert f"is above '{root}/a/b'" in cli.fails(NO, "setquota", "-n", "10", root)
    cli.ok("setquota", "-n", "11", f"{root}/a/b")
    assert cli.json("quota", "list", f"{root}/a/b")["quotas"][0]["count_soft"] == 11


def test_nothing_is_left_of_a_quota_that_was_deleted(cli, root, running):
    cli.ok("create", "-p", f"{root}/a/b")
    cli.ok("setquota", "-n", "10", f"{root}/a/b")
    cli.ok("quota", "delete", f"{root}/a/b")
    with running.session() as s:
        assert s.err(exists(f"/zookeeper/quota{root}")) == rawzk.NONODE
        assert s.ok(get_data("/zookeeper/quota"))
    assert "has no quota" in cli.fails(NO, "listquota", f"{root}/a/b")
    assert "has no quota" in cli.fails(NO, "delquota", f"{root}/a/b")
    assert "has no quota" in cli.fails(NO, "delquota", "-n", f"{root}/a/b")
    assert f"{root}/x: no such node" in cli.fails(NO, "setquota", "-n", "1", f"{root}/x")


@pytest.mark.parametrize("words", [["quota"], ["quota", "frob", "/a"], ["setquota", "/a"], ["setquota", "-n", "0", "/a"],
                                   ["setquota", "-N", "2147483648", "/a"], ["setquota", "-b", "-1", "/a"],
                                   ["setquota", "-n", "1", "/"], ["setquota", "-n", "1", "/zookeeper/quota/a"],
                                   ["delquota"], ["listquota", "a"], ["quota", "set", "-n", "x", "/a"]])
def test_words_that_cannot_be_understood(words):
    Cli("127.0.0.1:1").fails(USAGE, *words)


def test_a_chroot_is_refused(cli, root):
    assert "chroot" in Cli(cli.hosts + root).fails(USAGE, "listquota")
