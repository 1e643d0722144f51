"""What is read and written below each top-level znode, as mntr and Prometheus tell it."""

from rawzk import (create, delete, exists, get_children, get_children2, get_data, multi, multi_read,
                   set_data)
from server import free_port

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
