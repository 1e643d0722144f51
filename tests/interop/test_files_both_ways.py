"""One server writes a data folder, another goes on with it: same tree, same digest.

The server under test with Apache 3.8.0, 3.8.6 and 3.9.5, both ways; after an orderly stop and
after kill -9; from the log alone, and from snapshot and log.
"""

import pytest
import rawzk
import tree
import zkfiles
from rawzk import create, exists, set_data
from zkfiles import FolderWatch

OTHERS = ["apache38", "apache386", "apache39"]


def whole(path):
    try:
        zkfiles.read_snapshot(path)
        return True
    except (AssertionError, EOFError, OSError):
        return False


def check_goes_on(start_server, writer, reader, folder, config, owner, before, digests):
    """`reader` starts on what `writer` left, and has everything."""
    server = start_server(config, backend=reader, folder=folder)
    assert tree.dump(server) == before
    assert tree.digest_mismatches(server) == 0

    # Both keep the digest of every 128th zxid; where both know one, it is the same.
    s = server.session()
    for n in range(130):
        s.ok(set_data("/zookeeper-is-not-this", b"%d" % n))
    known = tree.digests(server)
    common = set(known) & set(digests)
    assert {z: known[z] for z in common} == {z: digests[z] for z in common}

    # Sessions move along, with their passwords, and own their ephemerals.
    again = server.session(session_id=owner.id, password=owner.password)
    assert again.id == owner.id
    again.close_session()
    ephemerals = [p for p, (_, stat, _) in before.items() if stat.ephemeral_owner == owner.id]
    assert len(ephemerals) >= 5
    for path in ephemerals:
        assert s.err(exists(path)) == rawzk.NONODE
    return server


def run(start_server, tmp_path, writer, reader, end, config, with_snapshot):
    folder = tmp_path / "shared"
    create2_in_multi = "apache38" not in (writer, reader)
    server = start_server(config, backend=writer, folder=folder)
    owner = server.session(timeout_ms=120_000)
    owner.ok(create("/zookeeper-is-not-this"))
    tree.grow(owner, "/first", create2_in_multi)
    if with_snapshot:
        with FolderWatch(zkfiles.version_dir(server.data_dir)) as changes:
            for n in range(60):
                owner.ok(create(f"/first/fill-{n}"))
            changes.wait_until(
                lambda: any(z > 0 and whole(p) for z, p in zkfiles.snapshots(server.data_dir))
            )
    tree.grow(owner, "/second", create2_in_multi)
    before = tree.dump(server)
    digests = tree.digests(server)
    getattr(server, end)()

    server = check_goes_on(
        start_server, writer, reader, folder, config, owner, before, digests
    )

    # And back again.
    owner = server.session(timeout_ms=120_000)
    tree.grow(owner, "/third", create2_in_multi)
    before = tree.dump(server)
    digests = tree.digests(server)
    getattr(server, end)()
    server = check_goes_on(
        start_server, reader, writer, folder, config, owner, before, digests
    )
    server.stop()


@pytest.mark.parametrize("other", ["apache38", "apache39"])
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_log_goes_from_us_to_apache_and_back(start_server, backend, tmp_path, other, end):
    run(start_server, tmp_path, backend, other, end, tree.CONFIG, with_snapshot=False)


@pytest.mark.parametrize("other", ["apache38", "apache39"])
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_log_goes_from_apache_to_us_and_back(start_server, backend, tmp_path, other, end):
    run(start_server, tmp_path, other, backend, end, tree.CONFIG, with_snapshot=False)


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("method", ["", "gz"], ids=["plain", "gz"])
def test_snapshot_and_log_go_from_us_to_apache_and_back(
    start_server, backend, tmp_path, other, method
):
    config = tree.CONFIG | {"snapCount": 40, "snapshot.compression.method": method}
    run(start_server, tmp_path, backend, other, "kill", config, with_snapshot=True)


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("method", ["", "gz"], ids=["plain", "gz"])
def test_snapshot_and_log_go_from_apache_to_us_and_back(
    start_server, backend, tmp_path, other, method
):
    config = tree.CONFIG | {"snapCount": 40, "snapshot.compression.method": method}
    run(start_server, tmp_path, other, backend, "kill", config, with_snapshot=True)
