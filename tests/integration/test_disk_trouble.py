"""A disk that is full, slow, stuck or broken: what was acknowledged is kept, and nobody is lied to.

Power loss at the level of files (torn and lost sectors, sizes, names) is what tests/unit/test_io_crash.c and
tests/unit/test_io_recover.c are about, on a disk in memory.
"""

import errno
import re
import threading

import pytest
import rawzk
import zkfiles
from disk import ShimDisk, SmallDisk
from ports import free_port
from rawzk import Closed, create, exists, get_data, ping, set_data

pytestmark = pytest.mark.caucusd_only

SYSTEMERROR = -1
WORDS = {"4lw.commands.whitelist": "*"}


@pytest.fixture
def disk(tmp_path):
    return ShimDisk(tmp_path)


def write_until_refused(s, path, size=2000):
    """The names of the nodes that were acknowledged, and the error of the first that was not."""
    kept = []
    for n in range(100_000):
        reply = s.call(create(f"{path}{n}", bytes([n % 256]) * size))
        if reply.err != 0:
            return kept, reply.err
        kept.append((f"{path}{n}", bytes([n % 256]) * size))
    pytest.fail("the disk never got full")


# --- full ----------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path):
    with SmallDisk(tmp_path, "4m") as small:
        yield small


def test_full_disk_refuses_writes_and_goes_on_reading(start_server, small):
    server = start_server({"dataDir": small.path} | WORDS, prefix=small.prefix)
    s = server.session()
    s.ok(create("/before", b"kept"))
    small.fill(leave=200_000)
    kept, error = write_until_refused(s, "/n")
    assert error == SYSTEMERROR
    line = server.wait_log("event=disk_full")
    assert "level=error" in line and "No space left" in line and str(small.path) in line, line
    # The same session, and others; reads and pings.
    other = server.session(session_id=s.id, password=s.password)
    assert other.ok(get_data("/before"))[0] == b"kept"
    for path, data in kept[:: len(kept) // 20 + 1]:
        assert other.ok(get_data(path))[0] == data
    assert other.call(ping()).err == 0
    assert other.err(set_data("/before", b"changed")) == SYSTEMERROR
    assert other.ok(get_data("/before"))[0] == b"kept"
    assert "imok" == server.four_letter("ruok")


def test_disk_with_space_again_takes_writes_again(start_server, small):
    server = start_server({"dataDir": small.path} | WORDS, prefix=small.prefix)
    s = server.session()
    small.fill(leave=200_000)
    kept, _ = write_until_refused(s, "/n")
    server.wait_log("event=disk_full")
    small.free()
    server.wait_log("event=disk_has_space")
    s.ok(create("/after", b"again"))
    for path, data in kept:
        assert s.ok(get_data(path))[0] == data
    server.kill()
    server.start()
    again = server.session()
    for path, data in kept + [("/after", b"again")]:
        assert again.ok(get_data(path))[0] == data


@pytest.mark.parametrize("good_writes", range(3))
def test_full_disk_is_tried_again_until_there_is_space(start_server, disk, good_writes):
    """Wherever it shows first: in the file's head, in a batch, in the zeros ahead of the next one."""
    server = start_server(env=disk.env)
    disk.fail("write", errno.ENOSPC, after=good_writes)
    s = server.conn()
    s.send_frame(rawzk.connect_request(timeout_ms=60_000))
    server.wait_log("event=disk_full")
    disk.wait_failures(3)
    disk.mend()
    server.wait_log("event=disk_has_space")
    server.session().ok(create("/a"))
    assert len(re.findall("event=disk_full", server.log())) == 1


def test_disk_that_gets_full_again_and_again_is_told_each_time(start_server, small):
    server = start_server({"dataDir": small.path}, prefix=small.prefix)
    s = server.session()
    for turn in (1, 2, 3):
        small.fill(leave=100_000)
        write_until_refused(s, f"/n{turn}-")
        server.wait_log("event=disk_full", turn)
        small.free()
        server.wait_log("event=disk_has_space", turn)
        s.ok(create(f"/after{turn}"))


def test_nothing_acknowledged_is_lost_when_a_full_server_is_killed(start_server, small):
    server = start_server({"dataDir": small.path}, prefix=small.prefix)
    s = server.session()
    small.fill(leave=150_000)
    kept, _ = write_until_refused(s, "/n")
    server.kill()
    small.free()
    server.start()
    s = server.session()
    for path, data in kept:
        assert s.ok(get_data(path))[0] == data
    zkfiles.all_txns(small.outside)


def test_writes_in_flight_when_the_disk_gets_full_are_answered_once_there_is_space(
        start_server, small):
    """Taken before anybody knew, they wait: an answer of failure might be a lie after a restart."""
    server = start_server({"dataDir": small.path}, prefix=small.prefix)
    s = server.session()
    small.fill(leave=100_000)
    xids = s.send_all([create(f"/n{n}", b"x" * 3000) for n in range(200)])
    server.wait_log("event=disk_full")
    small.free()
    replies = [s.reply() for _ in xids]
    assert [r.xid for r in replies] == xids
    refused = {n for n, r in enumerate(replies) if r.err != 0}
    assert {replies[n].err for n in refused} <= {SYSTEMERROR}
    server.wait_log("event=disk_has_space")
    for n in range(200):
        reply = s.call(exists(f"/n{n}"))
        assert reply.err == (rawzk.NONODE if n in refused else 0)


def test_full_disk_stops_on_request(start_server, small):
    server = start_server({"dataDir": small.path}, prefix=small.prefix)
    s = server.session()
    small.fill(leave=100_000)
    write_until_refused(s, "/n")
    server.stop()


def test_full_disk_is_not_ready_but_alive(start_server, small):
    port = free_port()
    config = {"dataDir": small.path, "admin.enableServer": "true", "admin.serverPort": port}
    server = start_server(config, prefix=small.prefix)
    s = server.session()
    small.fill(leave=100_000)
    write_until_refused(s, "/n")
    server.wait_log("event=disk_full")
    assert server.http("/livez")[0] == 200
    status, _, body = server.http("/readyz")
    assert status == 503 and b"disk full" in body
    small.free()
    server.wait_log("event=disk_has_space")
    assert server.http("/readyz")[0] == 200


# --- broken --------------------------------------------------------------------------


def acknowledged_until_closed(s):
    """How many writes, one after the other, were answered before the connection was closed."""
    for n in range(1000):
        try:
            s.ok(create(f"/n{n}"))
        except (Closed, OSError):
            return n
    pytest.fail("the connection was not closed")


@pytest.mark.parametrize("call, error, words", [
    ("sync", errno.EIO, "sync log file"),
    ("sync", errno.ENOSPC, "sync log file"),
    ("write", errno.EIO, "write log file"),
    ("write", errno.EROFS, "write log file"),
])
def test_failed_sync_or_write_stops_the_server_and_nothing_unsynced_was_acknowledged(
        start_server, disk, call, error, words):
    server = start_server(env=disk.env)
    s = server.session()
    disk.fail(call, error, after=10)
    count = acknowledged_until_closed(s)
    assert server.wait_end() == 1
    line = server.wait_log("event=disk_failed")
    assert "level=error" in line and words in line, line
    assert zkfiles.logs(server.data_dir)[-1][1].name in line, line
    if call == "sync":
        assert count == 10
    # All that was acknowledged is in the files.
    disk.mend()
    server.start()
    s = server.session()
    for n in range(count):
        s.ok(exists(f"/n{n}"))


def test_sync_that_fails_acknowledges_none_of_its_batch(start_server, disk):
    server = start_server(env=disk.env)
    s = server.session()
    s.ok(create("/synced"))
    others = [server.session() for _ in range(10)]
    disk.fail("sync", errno.EIO)
    for n, other in enumerate(others):
        other.send(create(f"/unsynced{n}"))
    assert server.wait_end() == 1
    for other in others:
        other.expect_closed()


# --- stuck and slow ------------------------------------------------------------------


def test_reads_of_others_do_not_wait_for_the_disk(start_server, disk):
    server = start_server(WORDS, env=disk.env)
    writer, reader = server.session(), server.session()
    reader.ok(create("/a", b"old"))
    with disk.held():
        xid = writer.send(set_data("/a", b"new"))
        for _ in range(200):
            # Not durable yet, so nobody sees it.
            assert reader.ok(get_data("/a"))[0] == b"old"
        assert reader.call(ping()).err == 0
        assert server.four_letter("ruok") == "imok"
        assert "Outstanding: 1\n" in server.four_letter("srvr")
    assert writer.reply().xid == xid
    assert reader.ok(get_data("/a"))[0] == b"new"


def test_reads_behind_a_write_of_their_own_session_wait_for_it(start_server, disk):
    server = start_server(env=disk.env)
    s, other = server.session(), server.session()
    s.ok(create("/a", b"old"))
    with disk.held():
        xids = s.send_all([set_data("/a", b"new"), get_data("/a"), ping()])
        for _ in range(10):
            other.ok(exists("/a"))
        s.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            s.sock.recv(1)
        s.sock.settimeout(10)
    replies = [s.reply() for _ in xids]
    assert [r.xid for r in replies] == xids
    assert rawzk.decode(get_data("/a"), replies[1])[0] == b"new"


def test_writes_that_wait_share_one_sync(start_server, disk):
    """Group commit: whatever arrives while the disk is busy becomes durable together."""
    server = start_server({"maxClientCnxns": 0}, env=disk.env)
    sessions = [server.session() for _ in range(100)]
    bystander = server.session()
    with disk.held():
        before = disk["sync_count"]
        xids = [s.send(create(f"/n{n}")) for n, s in enumerate(sessions)]
        for _ in range(5):
            bystander.ok(exists("/"))  # by now everything sent was taken
    for s, xid in zip(sessions, xids):
        reply = s.reply()
        assert (reply.xid, reply.err) == (xid, 0)
    syncs = disk["sync_count"] - before
    assert syncs <= 5, f"{syncs} syncs for {len(sessions)} writes"


def test_slow_disk_delays_writes_together_and_reads_not_at_all(start_server, disk):
    server = start_server({"maxClientCnxns": 0}, env=disk.env)
    writers = [server.session() for _ in range(32)]
    reader = server.session()
    reader.ok(create("/a", b"x"))
    disk["sync_delay_us"] = 50_000
    before = disk["sync_count"]
    rounds = 5

    def write(s, n):
        for k in range(rounds):
            s.ok(create(f"/n{n}-{k}"))

    threads = [threading.Thread(target=write, args=(s, n)) for n, s in enumerate(writers)]
    for thread in threads:
        thread.start()
    reads = 0
    while any(thread.is_alive() for thread in threads):
        reader.ok(get_data("/a"))
        reads += 1
    for thread in threads:
        thread.join()
    syncs = disk["sync_count"] - before
    writes = rounds * len(writers)
    print(f"{writes} writes, {syncs} syncs of 50 ms, {reads} reads of another session meanwhile")
    assert syncs <= writes / 5
    # If reads waited for the disk there would be one or two per sync.
    assert reads >= 5 * syncs


def test_sync_slower_than_the_threshold_is_told(start_server, disk):
    server = start_server({"fsync.warningthresholdms": 20} | WORDS, env=disk.env)
    s = server.session()
    disk["sync_delay_us"] = 50_000
    s.ok(create("/a"))
    line = server.wait_log("event=slow_fsync")
    assert int(re.search(r"took_ms=(\d+)", line)[1]) >= 50
    assert re.search(r"^zk_max_fsynctime\t(5\d|\d{3,})$", server.four_letter("mntr"), re.M)


def test_stuck_disk_stops_reading_from_who_floods_it_and_serves_the_others(start_server, disk):
    """What may wait for the disk is bounded (globalOutstandingLimit), so memory is."""
    server = start_server(WORDS, env=disk.env)
    flood, reader = server.session(), server.session()
    op = create("/n-", b"x" * 100, flags=rawzk.SEQUENTIAL)
    with disk.held():
        xids = flood.send_all([op] * 3000)
        for _ in range(100):
            reader.ok(exists("/"))
        outstanding = int(re.search(r"Outstanding: (\d+)", server.four_letter("srvr"))[1])
        assert 1000 <= outstanding <= 1100, outstanding
    assert [flood.reply().xid for _ in xids] == xids
