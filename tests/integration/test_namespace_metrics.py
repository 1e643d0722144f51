"""What is read and written below each top-level znode, as mntr and Prometheus tell it."""

import pytest
from rawzk import (create, delete, exists, get_children, get_children2, get_data, multi, multi_read,
                   ping, set_data)
from ports import free_port

SERVER_CONFIG = {"4lw.commands.whitelist": "*", "enforceQuota": "true"}

STAT = 6 * 8 + 5 * 4  # what ZooKeeper adds for the Stat of a read


def mntr(server):
    lines = server.four_letter("mntr").splitlines()
    return dict(line.removeprefix("zk_").split("\t", 1) for line in lines)


def amount(server, root, name):
    """(count, sum, min, max) of a set's member, None while it was never counted."""
    told = mntr(server)
    key = f"{root[1:]}_{name}"
    if f"cnt_{key}" not in told:
        return None
    return tuple(int(told[f"{what}_{key}"]) for what in ("cnt", "sum", "min", "max"))


def test_writes_are_counted_by_path_and_data(server, s, root):
    before = amount(server, root, "write_per_namespace")
    assert before == (1, len(root), len(root), len(root))
    s.ok(create(f"{root}/a", b"12345"))
    s.ok(set_data(f"{root}/a", b"123"))
    s.ok(delete(f"{root}/a"))
    n = len(root)
    assert amount(server, root, "write_per_namespace") == (4, n + 3 * (n + 2) + 5 + 3, n, n + 2 + 5)


def test_parts_of_a_multi_count_one_by_one(server, s, root):
    n = len(root)
    s.ok(multi(create(f"{root}/a", b"1"), set_data(f"{root}/a", b"22"), delete(f"{root}/a")))
    assert amount(server, root, "write_per_namespace") == (4, n + 3 * (n + 2) + 3, n, n + 2 + 2)


def test_refused_writes_are_not_counted(server, s, root):
    n = len(root)
    s.err(create(root))
    s.err(set_data(f"{root}/missing", b"1"))
    assert amount(server, root, "write_per_namespace") == (1, n, n, n)


def test_reads_are_counted_by_path_answer_and_stat(server, s, root):
    n = len(root)
    assert amount(server, root, "read_per_namespace") is None
    s.ok(create(f"{root}/abc", b"12345"))
    s.ok(get_data(f"{root}/abc"))
    s.ok(exists(root))
    s.ok(get_children(root))
    s.ok(get_children2(root))
    s.ok(multi_read(get_data(f"{root}/abc"), get_children(root)))
    data, stat, children = n + 4 + 5 + STAT, n + STAT, n + 3 + STAT
    assert amount(server, root, "read_per_namespace") == (
        6, 2 * data + stat + 3 * children, stat, data)


def test_refused_reads_are_not_counted(server, s, root):
    s.err(get_data(f"{root}/missing"))
    s.err(exists(f"{root}/missing"))
    assert amount(server, root, "read_per_namespace") is None


def test_the_root_is_of_no_namespace(server, s):
    s.ok(get_data("/"))
    s.ok(get_children("/"))
    assert not [key for key in mntr(server) if key.startswith("cnt__")]


@pytest.mark.parametrize("in_multi", [False, True], ids=["alone", "in a multi"])
def test_hard_limits_that_refused_are_counted(server, s, root, in_multi):
    s.ok(create(f"/zookeeper/quota{root}"))
    s.ok(create(f"/zookeeper/quota{root}/zookeeper_limits",
                b"count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=2"))
    s.ok(create(f"/zookeeper/quota{root}/zookeeper_stats", b"count=0,bytes=0"))
    s.ok(create(f"{root}/a"))
    key = f"{root[1:]}_quota_exceeded_error_per_namespace"
    assert key not in mntr(server)
    for n in range(1, 3):
        if in_multi:
            s.call(multi(set_data(root, b""), create(f"{root}/b")))
        else:
            s.err(create(f"{root}/b"))
        assert mntr(server)[key] == str(n)


def test_prometheus_labels_them_with_the_key(start_server):
    port = free_port()
    server = start_server({
        "metricsProvider.className":
            "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
        "metricsProvider.httpPort": port,
    })
    with server.session() as s:
        s.ok(create("/shop", b"12345"))
        s.ok(get_data("/shop"))
    status, _, body = server.http("/metrics", port=port)
    assert status == 200
    lines = [line.replace(",}", "}") for line in body.decode().splitlines()]
    assert 'write_per_namespace_sum{key="shop"} 10.0' in lines
    assert f'read_per_namespace_sum{{key="shop"}} {10 + STAT}.0' in lines


def test_transactions_and_answers_are_measured(server, s, root):
    s.ok(get_data(root))  # the write before it is counted
    before = mntr(server)
    s.ok(set_data(root, b"12345"))
    s.ok(get_data(root))
    s.ok(ping())
    told = mntr(server)
    assert int(told["cnt_propagation_latency"]) == int(before["cnt_propagation_latency"]) + 1
    # Headers of 16 bytes, a Stat, and data with a Stat; pings do not count.
    answers = 16 + STAT + 16 + 4 + 5 + STAT
    assert int(told["response_bytes"]) - int(before["response_bytes"]) == answers
