"""Quotas: usage is counted, soft limits let pass, hard limits refuse."""

import pytest
import rawzk
from rawzk import (
    CREATE,
    ERROR,
    QUOTAEXCEEDED,
    create,
    delete,
    exists,
    get_data,
    multi,
    set_data,
)

SERVER_CONFIG = {"enforceQuota": "true"}


def parse(data):
    """count=4,bytes=5=;byteHardLimit=10;countHardLimit=10 -> dict"""
    text = data.decode().replace(";", ",")
    pairs = (item.split("=") for item in text.split(",") if item)
    return {pair[0]: int(pair[1]) for pair in pairs}


def set_quota(s, path, limits, usage=b"count=0,bytes=0"):
    """As the command line does it: the chain of parents, then limits, then stats."""
    quota = "/zookeeper/quota"
    for part in path.strip("/").split("/"):
        quota += f"/{part}"
        s.call(create(quota))
    s.ok(create(f"{quota}/zookeeper_limits", limits))
    s.ok(create(f"{quota}/zookeeper_stats", usage))
    return quota


def usage(s, quota):
    return parse(s.ok(get_data(f"{quota}/zookeeper_stats"))[0])


def test_usage_is_counted_from_what_is_there_when_the_quota_is_set(s, root):
    s.ok(create(f"{root}/a", b"12345"))
    s.ok(set_data(root, b"abc"))
    quota = set_quota(s, root, b"count=100,bytes=1000")
    used = usage(s, quota)
    assert (used["count"], used["bytes"]) == (2, 8)


def test_usage_follows_creates_changes_and_deletes(s, root):
    quota = set_quota(s, root, b"count=100,bytes=1000")
    s.ok(create(f"{root}/a", b"12345"))
    s.ok(create(f"{root}/a/b", b"1"))
    used = usage(s, quota)
    assert (used["count"], used["bytes"]) == (3, 6)
    s.ok(set_data(f"{root}/a", b"12"))
    assert usage(s, quota)["bytes"] == 3
    s.ok(delete(f"{root}/a/b"))
    used = usage(s, quota)
    assert (used["count"], used["bytes"]) == (2, 2)


def test_usage_is_counted_outside_of_transactions(s, root):
    quota = set_quota(s, root, b"count=100,bytes=1000")
    before = s.ok(exists(f"{quota}/zookeeper_stats"))
    s.ok(create(f"{root}/a", b"12345"))
    after = s.ok(exists(f"{quota}/zookeeper_stats"))
    assert (after.version, after.mzxid) == (before.version, before.mzxid)


def test_soft_limits_let_pass(s, root):
    set_quota(s, root, b"count=1,bytes=1")
    s.ok(create(f"{root}/a", b"x" * 100))
    s.ok(set_data(root, b"x" * 100))


def test_hard_limit_of_count_refuses_a_create(s, root):
    quota = set_quota(s, root, b"count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=2")
    s.ok(create(f"{root}/a"))
    assert s.err(create(f"{root}/b")) == QUOTAEXCEEDED
    assert s.err(create(f"{root}/a/b")) == QUOTAEXCEEDED
    assert usage(s, quota)["count"] == 2
    s.ok(delete(f"{root}/a"))
    s.ok(create(f"{root}/b"))


def test_hard_limit_of_bytes_refuses_a_create_and_a_change(s, root):
    set_quota(s, root, b"count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=-1")
    s.ok(create(f"{root}/a", b"12345"))
    assert s.err(create(f"{root}/b", b"123456")) == QUOTAEXCEEDED
    s.ok(create(f"{root}/b", b"12345"))
    assert s.err(set_data(f"{root}/b", b"123456")) == QUOTAEXCEEDED
    s.ok(set_data(f"{root}/b", b"54321"))
    s.ok(set_data(f"{root}/b", b"1"))


def test_hard_limit_refuses_in_a_multi(s, root):
    set_quota(s, root, b"count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=2")
    results = s.ok(multi(create(f"{root}/a"), create("/elsewhere" + root.strip("/"))))
    assert [kind for kind, _ in results] == [CREATE, CREATE]
    assert s.ok(multi(create(f"{root}/b"))) == [(ERROR, QUOTAEXCEEDED)]


def test_quota_check_comes_after_the_permission_and_the_node_and_before_the_version(s, root):
    set_quota(s, root, b"count=-1,bytes=-1=;byteHardLimit=3;countHardLimit=-1")
    assert s.err(set_data(root, b"1234", version=77)) == QUOTAEXCEEDED
    assert s.err(create(root, b"1234")) == rawzk.NODEEXISTS


def test_quota_of_a_neighbour_with_a_longer_name_is_another(s, root):
    set_quota(s, root, b"count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=1")
    s.ok(create(f"{root}x"))
    s.ok(create(f"{root}x/a"))


@pytest.mark.parametrize("limits", [
    b"count=-1,bytes=-1=;countHardLimit=1;byteHardLimit=-1",
    b"count=-1,bytes=-1,countHardLimit=1,byteHardLimit=-1",
    b"countHardLimit=1",
])
def test_limits_may_come_in_any_order_and_separator(s, root, limits):
    set_quota(s, root, limits)
    assert s.err(create(f"{root}/a")) == QUOTAEXCEEDED


def test_removed_quota_limits_no_more(s, root):
    quota = set_quota(s, root, b"count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=1")
    assert s.err(create(f"{root}/a")) == QUOTAEXCEEDED
    s.ok(delete(f"{quota}/zookeeper_limits"))
    s.ok(delete(f"{quota}/zookeeper_stats"))
    s.ok(create(f"{root}/a"))


def test_quota_and_usage_survive_a_restart(start_server):
    server = start_server(SERVER_CONFIG)
    s = server.session()
    s.ok(create("/q"))
    quota = set_quota(s, "/q", b"count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3")
    s.ok(create("/q/a", b"xyz"))
    server.kill()
    server.start()
    s = server.session()
    used = usage(s, quota)
    assert (used["count"], used["bytes"]) == (2, 3)
    s.ok(create("/q/b"))
    assert s.err(create("/q/c")) == QUOTAEXCEEDED
