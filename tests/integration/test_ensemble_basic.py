"""Three servers as one: what was answered is there, whoever of them is killed."""

import re

import pytest
import rawzk
from ensemble import Ensemble
from rawzk import create, exists, get_data, set_data, sync

pytestmark = pytest.mark.caucusd_only


@pytest.fixture
def ensemble(tmp_path):
    e = Ensemble(tmp_path, ["caucusd"] * 3)
    yield e
    e.kill()


def fill(ensemble, name, count=50):
    """Writes through every server that runs; returns the paths."""
    paths = []
    for member in ensemble.running:
        with member.session() as s:
            for i in range(count):
                path = f"/{name}-{member.sid}-{i}"
                s.ok(create(path, path.encode()))
                paths.append(path)
    return paths


def check(ensemble, paths):
    for member in ensemble.running:
        with member.session() as s:
            s.ok(sync("/"))
            for path in paths:
                data, _ = s.ok(get_data(path))
                assert data == path.encode()


def test_what_is_written_through_each_server_is_read_through_all(ensemble):
    ensemble.start()
    check(ensemble, fill(ensemble, "a"))
    ensemble.check_same_trees()
    ensemble.stop()
    ensemble.check_same_logs()


def test_a_killed_follower_comes_back_with_everything(ensemble):
    ensemble.start()
    paths = fill(ensemble, "a", 20)
    follower = ensemble.followers[0]
    follower.kill()
    paths += fill(ensemble, "b", 20)
    follower.start()
    ensemble.wait_settled()
    check(ensemble, paths)
    ensemble.check_same_trees()


def test_a_killed_leader_is_replaced_and_comes_back_as_a_follower(ensemble):
    old = ensemble.start()
    paths = fill(ensemble, "a", 20)
    old.kill()
    new = ensemble.wait_settled()
    assert new is not old
    paths += fill(ensemble, "b", 20)
    old.start()
    assert ensemble.wait_settled() is new
    check(ensemble, paths)
    ensemble.check_same_trees()


def test_all_killed_and_started_again_have_everything(ensemble):
    ensemble.start()
    paths = fill(ensemble, "a", 30)
    for _ in range(2):
        ensemble.kill()
        ensemble.start()
        check(ensemble, paths)
        paths += fill(ensemble, f"more{len(paths)}", 10)
    ensemble.check_same_trees()


def test_all_stopped_and_started_again_have_everything(ensemble):
    ensemble.start()
    paths = fill(ensemble, "a", 30)
    ensemble.stop()
    ensemble.check_same_logs()
    ensemble.start()
    check(ensemble, paths)


def test_one_of_three_serves_nobody(ensemble):
    ensemble.start()
    members = list(ensemble)
    members[0].kill()
    members[1].kill()
    alone = members[2]
    alone.wait_log(r"event=role_lost")
    assert alone.mode() is None
    members[0].start()
    ensemble.wait_settled()
    check(ensemble, fill(ensemble, "again", 5))


def test_a_server_whose_disk_was_lost_gets_everything(ensemble):
    ensemble.start()
    paths = fill(ensemble, "a", 20)
    lost = ensemble.followers[0]
    lost.kill()
    lost.wipe()
    lost.start()
    ensemble.wait_settled()
    assert "SNAP" in lost.syncs()
    check(ensemble, paths)
    ensemble.check_same_trees()


def test_a_server_that_was_away_long_is_served_from_the_log_files(tmp_path):
    e = Ensemble(tmp_path, ["caucusd"] * 3, config={"commitLogCount": 10, "snapshotSizeFactor": 1000})
    try:
        e.start()
        paths = fill(e, "first", 3)
        follower = e.followers[0]
        mark = follower.log_mark()
        follower.kill()
        paths += fill(e, "long", 200)
        follower.start()
        e.wait_settled()
        assert follower.syncs(mark) == ["DIFF"]
        check(e, paths)
        e.check_same_trees()
    finally:
        e.kill()


def test_after_a_restart_of_all_one_that_is_behind_gets_the_difference(ensemble):
    ensemble.start()
    paths = fill(ensemble, "a", 5)
    behind = ensemble.followers[0]
    behind.kill()
    paths += fill(ensemble, "b", 20)
    ensemble.kill()
    for member in ensemble:
        if member is not behind:
            member.start()
    ensemble.wait_settled()
    mark = behind.log_mark()
    behind.start()
    ensemble.wait_settled()
    assert behind.syncs(mark) == ["DIFF"]
    check(ensemble, paths)


def test_sessions_and_ephemerals_outlive_a_leader(ensemble):
    old = ensemble.start()
    follower = ensemble.followers[0]
    s = follower.session(timeout_ms=30_000)
    s.ok(create("/mine", b"", flags=rawzk.EPHEMERAL))
    old.kill()
    ensemble.wait_settled()
    with follower.session() as other:
        other.ok(exists("/mine"))


def test_three_servers_are_up_in_a_moment(ensemble):
    ensemble.start()
    for member in ensemble:
        line = member.wait_log(r"event=serving\b")
        assert re.search(r"role=(leader|follower)", line)


def test_a_value_counted_up_through_all_servers_is_never_lost(ensemble):
    ensemble.start()
    members = list(ensemble)
    with members[0].session() as s:
        s.ok(create("/counter", b"0"))
    for i in range(1, 31):
        with members[i % 3].session() as s:
            s.ok(sync("/counter"))
            data, stat = s.ok(get_data("/counter"))
            assert data == str(i - 1).encode()
            s.ok(set_data("/counter", str(i).encode(), stat.version))
