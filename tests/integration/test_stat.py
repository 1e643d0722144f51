"""Every field of Stat, after every kind of change."""

import time

import rawzk
from rawzk import (
    EPHEMERAL,
    OPEN,
    create,
    create2,
    delete,
    exists,
    get_children2,
    set_acl,
    set_data,
)

SERVER_CONFIG = {"extendedTypesEnabled": "true"}


def test_new_node(s, root):
    _, stat = s.ok(create2(f"{root}/a", b"abc"))
    zxid = s.zxid
    assert (stat.czxid, stat.mzxid, stat.pzxid) == (zxid, zxid, zxid)
    assert stat.ctime == stat.mtime
    assert (stat.version, stat.cversion, stat.aversion) == (0, 0, 0)
    assert (stat.ephemeral_owner, stat.data_length, stat.num_children) == (0, 3, 0)


def test_child_created_counts_cversion_and_moves_pzxid_only(s, root):
    before = s.ok(exists(root))
    s.ok(create(f"{root}/a"))
    assert s.ok(exists(root)) == before._replace(cversion=1, num_children=1, pzxid=s.zxid)


def test_cversion_counts_creates_and_deletes(s, root):
    s.ok(create(f"{root}/a"))
    s.ok(create(f"{root}/b"))
    assert s.ok(exists(root)).cversion == 2
    s.ok(delete(f"{root}/a"))
    stat = s.ok(exists(root))
    assert (stat.cversion, stat.num_children, stat.pzxid) == (3, 1, s.zxid)
    s.ok(create(f"{root}/a"))
    stat = s.ok(exists(root))
    assert (stat.cversion, stat.num_children, stat.pzxid) == (4, 2, s.zxid)
    s.ok(delete(f"{root}/a"))
    s.ok(delete(f"{root}/b"))
    assert s.ok(exists(root)).cversion == 6


def test_change_of_a_child_does_not_touch_the_parent(s, root):
    s.ok(create(f"{root}/a"))
    before = s.ok(exists(root))
    s.ok(set_data(f"{root}/a", b"x"))
    s.ok(set_acl(f"{root}/a", OPEN))
    assert s.ok(exists(root)) == before


def test_grandchild_does_not_touch_the_grandparent(s, root):
    s.ok(create(f"{root}/a"))
    before = s.ok(exists(root))
    s.ok(create(f"{root}/a/b"))
    s.ok(delete(f"{root}/a/b"))
    assert s.ok(exists(root)) == before


def test_set_data_counts_version_and_moves_mzxid(s, root):
    before = s.ok(exists(root))
    after = s.ok(set_data(root, b"1234"))
    assert after.mtime >= before.mtime
    assert after == before._replace(
        version=1, mzxid=s.zxid, data_length=4, mtime=after.mtime
    )


def test_set_data_of_the_same_bytes_is_a_change_too(s, root):
    s.ok(set_data(root, b"same"))
    assert s.ok(set_data(root, b"same")).version == 2


def test_ephemeral_owner_of_each_kind(s, root):
    assert s.ok(create2(f"{root}/p"))[1].ephemeral_owner == 0
    assert s.ok(create2(f"{root}/e", flags=EPHEMERAL))[1].ephemeral_owner == s.id
    assert s.ok(rawzk.create_container(f"{root}/c"))[1].ephemeral_owner == 0
    assert s.ok(rawzk.create_ttl(f"{root}/t", 60000))[1].ephemeral_owner == 0
    for name in "pct":
        assert s.ok(exists(f"{root}/{name}")).ephemeral_owner == 0


def test_every_way_to_ask_gives_the_same_stat(s, root):
    s.ok(create(f"{root}/a", b"1"))
    s.ok(create(f"{root}/a/b"))
    s.ok(set_data(f"{root}/a", b"22"))
    stat = s.ok(exists(f"{root}/a"))
    assert s.ok(rawzk.get_data(f"{root}/a"))[1] == stat
    assert s.ok(get_children2(f"{root}/a"))[1] == stat
    assert s.ok(rawzk.get_acl(f"{root}/a"))[1] == stat


def test_root_has_all_zero_times_and_counts_its_children(s, root):
    stat = s.ok(exists("/"))
    names, _ = s.ok(get_children2("/"))
    assert (stat.czxid, stat.mzxid, stat.ctime, stat.mtime, stat.version) == (0, 0, 0, 0, 0)
    assert stat.num_children == len(names)
    assert stat.pzxid == s.ok(exists(root)).czxid


def test_time_of_a_change_is_wall_clock_milliseconds(s, root):
    now_ms = time.time() * 1000
    assert abs(s.ok(exists(root)).ctime - now_ms) < 60000
