"""Failure cases of the servers of an election, by their numbers in docs/ELECTION.md: what was acknowledged is
counted, once, on every replica, and nothing after the cut."""

import contextlib
import errno
import http.client
import signal

import pytest
from disk import ShimDisk, SmallDisk
from election import WAIT_S, Voters, check_told, read_log
from offers import gap_ms
from server import free_port

CA = {"CA": 2000}
SESSION_MS = 1500
LOAD_MS = 500  # of a machine that does other things too
TRIES = 3  # it may have done nothing else for a moment


@pytest.mark.on_apache
def test_votes_are_counted_once_on_every_replica(start_election):
    """The state at rest; revotes, retries of what was counted, and a round that ends."""
    election = start_election({"CA": 500, "NY": 500, "ME": 100})
    with Voters(election, "CA", voters=500) as a, Voters(election, "NY", voters=500) as b:
        a.wait_acknowledged(500)
        b.wait_acknowledged(500)
    election.close()
    election.check(a, b)
    assert {ballot.outcome for ballot in a.ballots + b.ballots} <= {"COMMITTED", "DUPLICATE", "TOO_MANY"}


@pytest.mark.on_apache
def test_f1_to_f4_the_leader_is_killed_under_load(start_election):
    election = start_election(CA)
    with Voters(election, "CA") as voters:
        for _ in range(2):
            voters.wait_acknowledged(200)
            leader = election.leader("CA")
            leader.kill()
            election.wait_leader("CA", leader)
            voters.wait_acknowledged(200)
            leader.start()
    election.close()
    election.check(voters)


def test_f6_a_leader_that_was_paused_past_its_session_acknowledges_nothing(start_election):
    election = start_election(CA, session_timeout_ms=SESSION_MS)
    with Voters(election, "CA") as voters:
        voters.wait_acknowledged(200)
        leader = election.leader("CA")
        leader.pause()
        election.wait_leader("CA", leader)
        voters.wait_acknowledged(200)
        leader.resume()
        leader.wait_log(r"event=leads_no_more .*state=CA")
        voters.wait_acknowledged(200)
    election.close()
    election.check(voters)


@pytest.mark.on_apache
def test_f16_the_leader_of_the_coordination_service_is_killed(start_election, coordination):
    election = start_election(CA)
    with Voters(election, "CA") as voters:
        voters.wait_acknowledged(200)
        lost = coordination.leader
        lost.kill()
        coordination.wait_settled()
        voters.wait_acknowledged(200)
        lost.start()
    election.close()
    election.check(voters)


def test_f13_a_full_disk_ends_the_server_and_not_the_state(start_election, tmp_path):
    election = start_election(CA, open=False)
    small = election.servers[0]
    small.stop()
    with SmallDisk(tmp_path, size="8m") as disk:
        small.data, small.prefix = disk.path, disk.prefix
        small.options = ["--replace"]
        small.start()
        election.open()
        with Voters(election, "CA") as voters:
            voters.wait_acknowledged(100)
            disk.fill()
            assert small.wait_end() == 1
            voters.wait_acknowledged(200)
        election.close()
        others = election.servers[1:]
        election.wait_caught_up("CA", others)
        commit, _ = election.commit("CA")
        check_told(read_log(election.file(others[0], "CA")).records[:commit.index], [voters])


def test_f13_a_failed_sync_ends_the_server_and_a_slow_disk_slows_nobody(start_election, tmp_path):
    """F27 as well: what two others have on disk is committed, whatever the third takes."""
    disk = ShimDisk(tmp_path)
    election = start_election(CA, open=False)
    slow = election.servers[2]
    slow.stop()
    slow.env = disk.env
    slow.start()
    election.open()
    with Voters(election, "CA") as voters:
        voters.wait_acknowledged(50)
        disk["sync_delay_us"] = 500_000
        voters.wait_acknowledged(200)
        disk["sync_delay_us"] = 0
        disk.fail("sync", errno.EIO)
        assert slow.wait_end() == 1
        disk.mend()
        voters.wait_acknowledged(100)
        slow.start()
    election.close()
    election.check(voters)


def test_nothing_counts_that_one_disk_alone_has(start_election, tmp_path):
    """The followers have the vote in memory and say nothing, until the leader gives up."""
    disks = []

    def with_disks(election):
        for server in election.servers:
            folder = tmp_path / f"disk-of-{server.name}"
            folder.mkdir()
            disks.append(ShimDisk(folder))
            server.env = disks[-1].env

    election = start_election(CA, before=with_disks)
    leader = election.leader("CA")
    before = election.commit("CA")[0].index
    with contextlib.ExitStack() as held:
        for server, disk in zip(election.servers, disks):
            if server is not leader:
                held.enter_context(disk.held())
        with Voters(election, "CA", width=1) as voters:
            leader.wait_log(r"event=leads_no_more .*state=CA")
            assert voters.acknowledged == 0 and election.commit("CA")[0].index == before
            held.close()
            voters.wait_acknowledged(1)
    election.close()
    election.check(voters)


@pytest.mark.on_apache
def test_f18_f20_nothing_is_counted_after_the_cut_and_the_next_round_begins_at_nothing(start_election):
    election = start_election(CA)
    with Voters(election, "CA", width=64) as voters:
        voters.wait_acknowledged(200)
        election.servers[0].kill()
        election.close(now=True)
        election.servers[0].start()
        voters.taking = False
    commit, zxid = election.commit("CA")
    _, stat = election.client.get("/Election/Global/Commit")
    assert zxid < stat.mzxid
    election.check(voters)
    assert {b.outcome for b in voters.ballots} >= {"COMMITTED"}
    for state in election.states:
        election.wait_seal(state)
    election.open()
    assert election.commit("CA")[0].index == 0
    with Voters(election, "CA", seed=2) as again:
        again.wait_acknowledged(100)
    election.close()
    election.check(again)


def test_f17_a_coordination_service_that_forgot_ends_the_servers_and_no_log_is_cut(start_election):
    """As after a restore of an old backup: Commit says less than was acknowledged."""
    election = start_election(CA)
    with Voters(election, "CA") as voters:
        voters.wait_acknowledged(100)
        old, _ = election.client.get("/Election/CA/Commit")
        voters.wait_acknowledged(200)
    wanted = election.commit("CA")[0].index
    election.wait_caught_up("CA")
    election.client.set("/Election/CA/Commit", old)
    for server in election.servers:
        assert server.wait_end() == 1
        assert "forgotten" in server.log()
        assert len(read_log(election.file(server, "CA")).records) >= wanted
    check_told(read_log(election.file(server, "CA")).records[:wanted], [voters])


def ask(port, method, path, body=None, **headers):
    """(status, text)"""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)) as door:
        door.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = door.getresponse()
        return answer.status, answer.read().decode()


def test_f12_f21_all_servers_are_killed_and_the_one_that_lacks_the_end_comes_back_first(start_election):
    """What two of three disks have and the third has not: it says so, leads nothing, and takes nothing back."""
    election = start_election(CA)
    with Voters(election, "CA") as voters:
        voters.wait_acknowledged(100)
        stale = election.line("CA")[-1]
        stale.kill()
        voters.wait_acknowledged(200)
        holders = [server for server in election.servers if server is not stale]
        for server in holders:
            server.process.send_signal(signal.SIGKILL)
        for server in holders:
            server.kill()
        epoch = election.commit("CA")[0].epoch
        port = free_port()  # it cannot say which: it does not become ready
        stale.options = ["--rest", f"127.0.0.1:{port}"]
        stale.start(wait=False)
        alarm = stale.wait_log(r"event=out_of_reach state=CA .*")[0]
        commit, _ = election.commit("CA")
        assert commit.index > len(read_log(election.file(stale, "CA")).records)
        assert commit.epoch == epoch  # nobody took over
        assert f"committed={commit.index} " in alarm and all(f"holder={server.name}" in alarm for server in holders)
        status, why = ask(port, "GET", "/readyz")
        assert status == 503 and "no disk that can be reached" in why
        assert 'out_of_reach{state="CA"} 1' in ask(port, "GET", "/metrics")[1]
        status, why = ask(port, "POST", "/states/CA/voters/CA-1999/vote", '{"candidate":"cand1"}',
                          Content_Type="application/json", X_Timeout_Ms="100")
        assert status == 503 and "nothing was taken" in why
        assert election.commit("CA")[0] == commit
        for server in holders:
            server.start(wait=False)
        stale.wait_log(r"event=in_reach state=CA")
        for server in election.servers:
            server.wait_ready()
        voters.wait_acknowledged(200)
    election.close()
    election.check(voters)


def test_f16_f21_everything_is_killed_at_once(start_election, coordination):
    """All of the coordination service under load; and then, as a power cut does it, the election's servers as well."""
    election = start_election(CA)
    with Voters(election, "CA") as voters:
        for servers in ([], election.servers):
            voters.wait_acknowledged(200)
            for member in coordination:
                member.process.send_signal(signal.SIGKILL)
            for server in servers:
                server.process.send_signal(signal.SIGKILL)
            for dead in [*coordination, *servers]:
                dead.kill()
            for dead in [*coordination, *servers]:
                dead.start(wait=False)
            coordination.wait_settled()
            for server in servers:
                server.wait_ready()
            voters.wait_acknowledged(200)
    election.close()
    election.check(voters)


@pytest.mark.on_apache
def test_how_long_a_state_takes_no_votes(start_election, coordination, capsys):
    """Killed: its address refuses connections, so nobody waits for its session to end. Ended as it should: it hands over. Stopped
    without a word (as a machine without power would): its session has to end, which Apache sees to twice in a tick, a
    tick late."""
    election = start_election({"CA": 200_000, "NY": 1000}, session_timeout_ms=SESSION_MS)
    tick_ms = 0 if coordination.leader.is_caucusd else coordination.config["tickTime"]
    for what, end, bound_ms in (
            ("killed", lambda s: s.process.kill(), SESSION_MS / 2),
            ("ended", lambda s: s.process.send_signal(signal.SIGTERM), SESSION_MS / 2),
            ("stopped", lambda s: s.pause(), SESSION_MS + 100 + LOAD_MS + 2 * tick_ms)):
        for _ in range(TRIES):
            leader = election.leader("CA")
            gap = gap_ms(election, "CA", leader, end)
            with capsys.disabled():
                print(f"\n{coordination.leader.kind}: the leader was {what}: the next vote was counted after {gap:.0f} ms")
            if what == "stopped":
                leader.resume()
            else:
                leader.wait_end()
                leader.start()
            if gap < bound_ms:
                break
        assert gap < bound_ms, what
    for server in election.servers:
        server.stop()
