"""How a server that was away gets level again: DIFF, TRUNC and SNAP, with a leader of one kind and a
learner of another.

One ensemble per pair (leader, learner): servers 1 and 2 are of the leader's kind, 3 and the
observer 4 of the learner's. Every test brings about what it needs and leaves all servers running.
"""

import itertools

import mixes
import pytest
import rawzk
import zkfiles
from ensemble import Ensemble
from rawzk import EPHEMERAL, create, exists, set_data

# More than a leader keeps in memory: commitLogCount, which Apache does not let be less than 500, and
# 16 MiB with caucusd, if that is more.
MANY, LARGE = 520, 36_000
SNAP_COUNT = 300

_serial = itertools.count(1)


@pytest.fixture(scope="module", params=[*mixes.PAIRS[:4], mixes.ONLY_OURS], ids=mixes.pair_id)
def mix(request, backend, tmp_path_factory):
    leader, learner = mixes.kinds(request.param, backend)
    ensemble = Ensemble(
        tmp_path_factory.mktemp("sync"), [leader, leader, learner], [learner],
        {"snapCount": SNAP_COUNT, "snapshotSizeFactor": "1.0"})
    try:
        # 1 and 2 elect, 3 and 4 come with empty folders to a leader that serves.
        ensemble.start(leader=2)
        yield ensemble
        ensemble.stop()
        ensemble.check_same_logs()
    finally:
        ensemble.kill()


@pytest.fixture
def at(mix):
    sessions = mixes.Sessions(mix)
    yield sessions
    sessions.end()


def lead(mix, sid):
    """Makes server 2 or 3 the leader: of two with equal history the larger wins."""
    if mix.leader.sid == sid:
        return
    for other in mix.participants:
        if other.sid != sid:
            other.stop()
    mix[1].start()
    assert mix.wait_settled([mix[1], mix[sid]]).sid == sid
    mix[5 - sid].start()
    mix.wait_settled()


@pytest.fixture
def led_by_2(mix):
    lead(mix, 2)


@pytest.fixture
def root(mix, led_by_2, at):
    return at(2).ok(create(f"/t{next(_serial)}"))


def write(s, root, count, size=10):
    """So many transactions."""
    name = s.ok(create(f"{root}/w-", flags=rawzk.SEQUENTIAL))
    ops = [set_data(name, b"%d" % n + b"." * size) for n in range(count - 1)]
    s.send_all(ops)
    for op in ops:
        rawzk.decode(op, s.reply())


LEARNERS = pytest.mark.parametrize("sid", [3, 4], ids=["participant", "observer"])


def away(mix, sid, end="stop"):
    getattr(mix[sid], end)()
    mix.wait_settled()


def back(mix, sid):
    """Starts it; returns how it was synchronized, after comparing all trees."""
    mark = mix[sid].log_mark()
    mix[sid].start()
    mix.wait_settled()
    mix.check_same_trees()
    return mix[sid].syncs(mark)


# --- tests ---------------------------------------------------------------------------


def test_newcomers_with_empty_folders_have_everything(mix):
    for sid in (3, 4):
        assert mix[sid].syncs()[-1] in ("SNAP", "DIFF")
    mix.check_same_trees()


@pytest.mark.parametrize("sid, end", [(3, "kill"), (4, "stop")])
def test_after_a_few_writes_the_difference_is_sent(mix, at, root, sid, end):
    away(mix, sid, end)
    write(at(1), root, 30)
    assert back(mix, sid) == ["DIFF"]


@LEARNERS
def test_with_nothing_written_meanwhile_there_is_no_difference(mix, root, sid):
    away(mix, sid)
    assert back(mix, sid) == ["DIFF"]


@LEARNERS
def test_after_more_than_the_leader_keeps_and_a_large_log_the_whole_tree_is_sent(
        mix, at, root, sid):
    away(mix, sid)
    # More log than a snapshot is long.
    write(at(1), root, MANY, size=LARGE)
    assert back(mix, sid) == ["SNAP"]


@LEARNERS
def test_after_more_than_the_leader_keeps_the_difference_comes_from_the_log_files(
        mix, at, root, sid):
    s = at(1)
    # The tree shall be much larger than the log files of what is written meanwhile.
    for n in range(30):
        s.ok(create(f"{root}/large{n}", bytes(1_000_000)))
    while not snapshot_is_large(mix[2]):
        write(s, root, SNAP_COUNT)
    away(mix, sid)
    write(s, root, MANY, size=LARGE)
    assert back(mix, sid) == ["DIFF"]
    for n in range(30):
        s.ok(rawzk.delete(f"{root}/large{n}"))
    write(s, root, 2 * SNAP_COUNT)


def snapshot_is_large(member):
    """The newest one that is whole."""
    for _, path in reversed(zkfiles.snapshots(member.data_dir)):
        try:
            zkfiles.read_snapshot(path)
        except (AssertionError, OSError):
            continue
        return path.stat().st_size > 29_000_000
    return False


@LEARNERS
def test_server_that_lost_its_disk_gets_the_whole_tree(mix, at, root, sid):
    write(at(1), root, MANY, size=LARGE)
    away(mix, sid)
    mix[sid].wipe()
    assert back(mix, sid) == ["SNAP"]
    # And has it on its own disk now.
    mix[sid].kill()
    assert back(mix, sid) == ["DIFF"]


def last_logged(member):
    """The zxid of the last transaction in its log files; None in the middle of a write."""
    try:
        return zkfiles.all_txns(member.data_dir)[-1].zxid
    except (AssertionError, IndexError):
        return None


def uncommitted_tail(mix, at, root, count):
    """Server 3 leads and has transactions that nobody else has; all are down after it."""
    lead(mix, 3)
    mix[4].stop()
    s = at(3)
    # So far all have the same on disk: who leads later is decided by the tail alone.
    mix.wait_until(lambda: len({last_logged(m) for m in mix.participants}) == 1, "all are level")
    mix[1].pause()
    mix[2].pause()
    for n in range(count):
        s.send(create(f"{root}/tail{n}"))
    mix[3].wait_logged(f"{root}/tail{count - 1}")
    # The others get no chance to read what lies in their sockets.
    for sid in (3, 1, 2):
        mix[sid].kill()
    mix[1].start()
    mix[2].start()
    assert mix.wait_settled().sid == 2


@pytest.mark.parametrize("written", [0, 10], ids=["nothing-new", "new-epoch-has-writes"])
def test_uncommitted_tail_is_truncated(mix, at, root, written):
    count = 5
    uncommitted_tail(mix, at, root, count)
    if written:
        write(at(1), root, written)
    mark = mix[3].log_mark()
    mix[3].start()
    mix.wait_settled()
    # Apache does not truncate where the next transaction is of another epoch: it sends everything.
    assert mix[3].syncs(mark)[0] in (("TRUNC", "SNAP") if written else ("TRUNC",))
    mix[4].start()
    mix.wait_settled()
    gone(mix, at, root, count)
    # Nor does it come back from the disk.
    mix[3].kill()
    assert back(mix, 3) == ["DIFF"]
    gone(mix, at, root, count)


def gone(mix, at, root, count):
    mix.check_same_trees()
    for m in mix:
        s = at(m.sid)
        s.catch_up()
        for n in range(count):
            assert s.err(exists(f"{root}/tail{n}")) == rawzk.NONODE


def test_tail_older_than_what_the_leader_keeps_is_gone_as_well(mix, at, root):
    uncommitted_tail(mix, at, root, 5)
    write(at(1), root, MANY, size=LARGE)
    mark = mix[3].log_mark()
    mix[3].start()
    mix.wait_settled()
    assert mix[3].syncs(mark)[0] in ("TRUNC", "SNAP")
    mix[4].start()
    mix.wait_settled()
    gone(mix, at, root, 5)


def test_longer_history_leads_although_others_have_larger_ids(mix, at, root):
    """Acknowledged with two of three alive, then all are killed: it must be there."""
    mix[3].stop()
    mix.wait_settled()
    s = at(2)
    path = s.ok(create(f"{root}/kept", b"x"))
    for sid in (1, 2, 4):
        mix[sid].kill()
    mix[3].start()
    mix[1].start()
    assert mix.wait_settled([mix[1], mix[3]]).sid == 1
    mix[2].start()
    mix[4].start()
    mix.wait_settled()
    for m in mix:
        again = at(m.sid)
        again.catch_up()
        assert again.ok(exists(path))
    mix.check_same_trees()


def test_sessions_and_ephemerals_come_along_with_a_snapshot(mix, at, root):
    owner = at(1, timeout_ms=60_000)
    path = owner.ok(create(f"{root}/e", flags=EPHEMERAL))
    away(mix, 3)
    mix[3].wipe()
    assert back(mix, 3) == ["SNAP"]
    moved = at(3, session_id=owner.id, password=owner.password)
    assert moved.id == owner.id
    assert moved.ok(exists(path)).ephemeral_owner == owner.id
    moved.close_session()
    other = at(2)
    other.catch_up()
    assert other.err(exists(path)) == rawzk.NONODE


def test_writes_go_on_while_a_server_is_synchronized(mix, at, root):
    """What is proposed in the middle of a synchronization reaches the learner behind it."""
    mix.fuzzy = True
    s = at(1)
    for sid, wiped in itertools.product((3, 4), (False, True)):
        away(mix, sid)
        if wiped:
            mix[sid].wipe()
        write(s, root, 50)
        mix[sid].start()
        n = 0
        while mix[sid].mode() is None:
            write(s, root, 20)
            n += 20
        mix.wait_settled()
        mix.check_same_trees()
