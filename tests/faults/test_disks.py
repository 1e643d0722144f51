"""One server's disk is full, stuck or broken: the others go on, and nothing acknowledged is lost."""

import errno

import mixes
import pytest
from conftest import FLEETS, make_whole
from disk import ShimDisk, SmallDisk
from ensemble import Ensemble
from rawzk import create

PLACES = pytest.mark.parametrize("who", ["follower", "leader"])


# --- full ----------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path):
    with SmallDisk(tmp_path, "6m") as small:
        yield small


def feels_it(member):
    """Apache ends, or comes and goes; caucusd waits for space."""
    return member.process.poll() is not None or "No space left" in member.log()


@PLACES
@pytest.mark.parametrize("name", FLEETS)
def test_disk_gets_full(tmp_path, backend, small, load_on, name, who):
    """The log of server 1 or 3 has no space. It may refuse, stand still, end, or come and go: nothing
    is lost, and it is well again once there is space. Without a follower the ensemble goes on; with
    a leader like that it need not: caucusd's refuses writes, Apache's may be elected again and again."""
    kinds = mixes.kinds(FLEETS[name], backend)
    sid = 3 if who == "leader" else 1
    fleet = Ensemble(tmp_path / "fleet", kinds, how={sid: {"prefix": small.prefix}},
                     config={sid: {"dataLogDir": small.path}})
    fleet.fuzzy = True
    try:
        fleet.start(leader=3)
        others = [m for m in fleet if m.sid != sid]
        # Writes through the server itself fail while its disk is full.
        with load_on(fleet, expected_errors=(-1,), servers=others, synced=False) as load:
            small.fill()
            fleet.wait_until(lambda: feels_it(fleet[sid]), f"{fleet[sid]} has no space left")
            if who == "follower":
                load.wait_acknowledged(200)
                load.wait_all_write()
            small.free()
            if fleet[sid].is_apache:
                fleet[sid].kill()  # one that has not ended may be left without the thread that syncs
            make_whole(fleet)
            load.wait_acknowledged(200)
            load.wait_all_write()
    finally:
        fleet.kill()


# --- stuck and broken: caucusd only, whose calls the shim knows --------------------------


@pytest.fixture
def shimmed(tmp_path, backend):
    """shimmed(kinds, sid): a fleet that 3 leads and the disk of its server `sid`."""
    fleets = []

    def make(kinds, sid):
        disk = ShimDisk(tmp_path)
        fleet = Ensemble(tmp_path / "fleet", mixes.kinds(kinds, backend), how={sid: {"env": disk.env}})
        fleets.append(fleet)
        fleet.start(leader=3)
        return fleet, disk

    yield make
    for fleet in fleets:
        fleet.kill()


@pytest.mark.caucusd_only
@PLACES
@pytest.mark.parametrize("kinds", [["ours"] * 3, ["ours", "apache39", "ours"]], ids="-".join)
def test_stuck_disk_of_one_holds_up_nobody_else(shimmed, load_on, kinds, who):
    """A majority of disks is enough, the leader's is not special."""
    sid = 3 if who == "leader" else 1
    fleet, disk = shimmed(kinds, sid)
    fleet.fuzzy = True
    with load_on(fleet, servers=[m for m in fleet if m.sid != sid]) as load:
        with disk.held():
            load.wait_acknowledged(300)
        load.wait_all_write()
        make_whole(fleet)
        load.wait_all_write()


@pytest.mark.caucusd_only
@PLACES
@pytest.mark.parametrize("call", ["sync", "write"])
def test_server_whose_disk_breaks_ends_and_the_others_go_on(shimmed, load_on, call, who):
    sid = 3 if who == "leader" else 1
    fleet, disk = shimmed(["ours"] * 3, sid)
    fleet.fuzzy = True
    with load_on(fleet) as load:
        disk.fail(call, errno.EIO, after=20)
        assert fleet[sid].wait_end() == 1
        load.wait_all_write()
        load.wait_acknowledged(100)
        disk.mend()
        make_whole(fleet)


@pytest.mark.caucusd_only
def test_what_no_majority_has_on_disk_is_not_acknowledged(shimmed):
    """One of three is dead, the disk of another stuck: no answer comes until it is free again."""
    fleet, disk = shimmed(["ours"] * 3, 3)
    s = fleet[2].session(timeout_ms=60_000)
    s.ok(create("/before"))
    fleet[1].kill()
    fleet.wait_settled()
    with disk.held():
        xid = s.send(create("/waits"))
        fleet[2].wait_logged("/waits")
        for _ in range(20):
            assert fleet[2].mode() == "follower"
        s.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            s.sock.recv(1)
        s.sock.settimeout(20)
    reply = s.reply()
    assert (reply.xid, reply.err) == (xid, 0)
