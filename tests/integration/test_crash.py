"""kill -9 again and again, under load: whatever was acknowledged is there, and nothing is there in part.

A process that is killed leaves its writes to the kernel. What a power loss leaves is diced on a disk in
memory: tests/unit/test_io_crash.c, tests/unit/test_io_recover.c, tests/sim.
"""

import contextlib
import http.client
import random
import re
import threading

import pytest
import rawzk
import zkfiles
from rawzk import (
    EPHEMERAL,
    Closed,
    check,
    create,
    delete,
    exists,
    get_children,
    get_data,
    multi,
    set_data,
)
from ports import free_port
from tree import digest_id, digest_mismatches

SERVER_CONFIG = {"4lw.commands.whitelist": "*", "maxSessionTimeout": 120_000, "tickTime": 2000}
WINDOW = 32


class Client(threading.Thread):
    """Writes with many requests in flight until the connection breaks, and keeps account of what it was
    promised. Each turn is a create, a change and a transaction of two halves."""

    def __init__(self, session, number, turn, acks):
        super().__init__()
        self.session, self.number, self.acks = session, number, acks
        self.turn = self.first_turn = turn
        self.acked = 0   # answers, of all that were sent in order
        self.sent = 0
        self.zxid = 0
        self.problem = None

    def ops_of(self, turn):
        top = f"/c{self.number}"
        yield create(f"{top}/n{turn}", b"%d" % turn)
        yield set_data(top, b"%d" % turn)
        yield multi(
            create(f"{top}/left/{turn}"),
            check(top, -1),
            create(f"{top}/right/{turn}"),
        )

    def run(self):
        ops = (op for turn in range(self.first_turn, 10**9) for op in self.ops_of(turn))
        waiting = []
        try:
            while True:
                batch = [next(ops) for _ in range(WINDOW - len(waiting))]
                self.sent += len(batch)
                waiting += self.session.send_all(batch)
                for _ in range(WINDOW // 2):
                    reply = self.session.reply()
                    assert (reply.xid, reply.err) == (waiting.pop(0), 0), reply
                    assert reply.zxid > self.zxid
                    self.zxid = reply.zxid
                    self.acked += 1
                    self.acks.release()
        except (Closed, OSError):
            pass
        except BaseException as e:
            self.problem = e
            self.acks.release(10**6)  # do not keep the judge waiting

    def verify(self, s):
        """What holds after the crash; returns the turn to go on with."""
        assert self.problem is None, self.problem
        top = f"/c{self.number}"
        done = -(-self.acked // 3) + self.first_turn      # creates that were acknowledged, in turns
        begun = -(-self.sent // 3) + self.first_turn
        names = set(s.ok(get_children(top)))
        for turn in range(self.first_turn, done):
            assert f"n{turn}" in names, f"{top}/n{turn} was acknowledged and is lost"
        turns = {int(name[1:]) for name in names if name[0] == "n"}
        assert turns == set(range(len(turns))), "a hole in what was written in order"
        assert len(turns) <= begun, "more than was ever sent"
        if turns:
            last = f"{top}/n{max(turns)}"
            assert s.ok(get_data(last))[0] == b"%d" % max(turns)

        changed = (self.acked + 1) // 3 + self.first_turn - 1
        assert changed <= int(s.ok(get_data(top))[0]) <= max(turns, default=-1)

        left, right = (set(s.ok(get_children(f"{top}/{half}"))) for half in ("left", "right"))
        assert left == right, "half of a transaction"
        assert {str(t) for t in range(self.first_turn, self.acked // 3 + self.first_turn)} <= left

        # Go on from here: what was cut off in the middle of a turn is completed first.
        for turn in turns - {int(t) for t in left}:
            s.ok(set_data(top, b"%d" % turn))
            results = s.ok(multi(create(f"{top}/left/{turn}"), create(f"{top}/right/{turn}")))
            assert [kind for kind, _ in results] == [rawzk.CREATE] * 2
        return len(turns)


def prepare(server, count):
    sessions = [server.session(timeout_ms=120_000) for _ in range(count)]
    for n, s in enumerate(sessions):
        s.ok(create(f"/c{n}", b"-1"))
        s.ok(create(f"/c{n}/left"))
        s.ok(create(f"/c{n}/right"))
        s.ok(create(f"/e{n}", flags=EPHEMERAL))
    return sessions


def reattach(server, old):
    s = server.session(timeout_ms=120_000, session_id=old.id, password=old.password,
                       last_zxid=old.zxid)
    assert s.id == old.id, "the session was lost"
    return s


def remove_old_snapshots(server):
    for _, path in zkfiles.snapshots(server.data_dir)[:-3]:
        path.unlink()


@pytest.mark.timeout(300)
def test_25_kills_under_load_lose_nothing_acknowledged(start_server):
    dice = random.Random(25)
    server = start_server(SERVER_CONFIG | {"snapCount": 400})
    count = 4
    sessions = prepare(server, count)
    turns = [0] * count
    acked, snapshots = 0, set()
    for _ in range(25):
        acks = threading.Semaphore(0)
        clients = [Client(s, n, turns[n], acks) for n, s in enumerate(sessions)]
        for client in clients:
            client.start()
        for _ in range(dice.randrange(1, 1500)):
            assert acks.acquire(timeout=30), "no answers any more"
        server.kill()
        for client in clients:
            client.join()
        acked += sum(client.acked for client in clients)
        server.start()
        sessions = [reattach(server, s) for s in sessions]
        assert set(sessions[0].ok(get_children("/"))) == (
            {"zookeeper"} | {f"{kind}{n}" for kind in "ce" for n in range(count)}
        )
        for n, s in enumerate(sessions):
            assert s.ok(exists(f"/e{n}")).ephemeral_owner == s.id
        turns = [client.verify(s) for client, s in zip(clients, sessions)]
        assert digest_mismatches(server) == 0
        snapshots |= {zxid for zxid, _ in zkfiles.snapshots(server.data_dir)}
        remove_old_snapshots(server)
    print(f"{acked} writes acknowledged, {len(snapshots)} snapshots")
    assert acked > 5000 and len(snapshots) >= 5
    newest = zkfiles.read_snapshot(zkfiles.snapshots(server.data_dir)[-1][1])
    assert zkfiles.tree_digest(newest.nodes) == newest.digest


@pytest.mark.caucusd_only
def test_kills_while_a_snapshot_is_written_lose_nothing(start_server):
    config = SERVER_CONFIG | {
        "admin.enableServer": "true",
        "admin.serverPort": free_port(),
        "admin.rateLimiterIntervalInMS": 0,
        "DigestAuthenticationProvider.superDigest": digest_id("super", "test"),
    }
    server = start_server(config)
    s = server.session(timeout_ms=120_000)
    s.ok(create("/fat"))
    for n in range(60):
        s.ok(create(f"/fat/{n}", bytes([n]) * 1_000_000))  # so that a snapshot takes a while
    sessions = prepare(server, 2)
    turns = [0, 0]
    folder = zkfiles.version_dir(server.data_dir)
    half_written = folder / "caucus.tmp"

    def ask_for_a_snapshot():
        with contextlib.suppress(OSError, http.client.HTTPException):
            server.http("/commands/snapshot?streaming=false",
                        headers={"Authorization": "digest super:test"})

    met = 0
    for _ in range(8):
        acks = threading.Semaphore(0)
        clients = [Client(c, n, turns[n], acks) for n, c in enumerate(sessions)]
        asker = threading.Thread(target=ask_for_a_snapshot)
        with zkfiles.FolderWatch(folder) as changes:
            for client in clients:
                client.start()
            for _ in range(200):
                assert acks.acquire(timeout=30)
            asker.start()
            changes.wait_for(half_written.name)
            server.kill()
        for thread in [asker, *clients]:
            thread.join()
        met += half_written.exists()
        server.start()
        sessions = [reattach(server, c) for c in sessions]
        turns = [client.verify(c) for client, c in zip(clients, sessions)]
        for n in range(0, 60, 7):
            assert sessions[0].ok(get_data(f"/fat/{n}"))[0] == bytes([n]) * 1_000_000
        assert digest_mismatches(server) == 0
    assert met >= 4, f"only {met} kills met a snapshot that was being written"


def test_ephemerals_of_closed_sessions_do_not_come_back_and_those_of_live_ones_stay(start_server):
    server = start_server(SERVER_CONFIG)
    for _ in range(5):
        stays, closes, deletes = (server.session(timeout_ms=120_000) for _ in range(3))
        for s, name in ((stays, "stays"), (closes, "closes"), (deletes, "deletes")):
            for n in range(20):
                s.ok(create(f"/{name}{n}", flags=EPHEMERAL))
        for n in range(20):
            deletes.ok(delete(f"/deletes{n}"))
        closes.close_session()
        server.kill()
        server.start()
        stays = reattach(server, stays)
        names = set(stays.ok(get_children("/"))) - {"zookeeper"}
        assert names == {f"stays{n}" for n in range(20)}
        with server.conn() as c:
            reply = c.handshake(rawzk.connect_request(session_id=closes.id, password=closes.password))
            assert reply.session_id == 0
        stays.close_session()
        reattach(server, deletes).close_session()


def test_sequence_numbers_and_zxids_never_go_back(start_server):
    server = start_server(SERVER_CONFIG)
    zxid, last = 0, -1
    for _ in range(5):
        s = server.session(last_zxid=zxid)
        paths = []
        for xid in s.send_all([create("/s-", flags=rawzk.SEQUENTIAL)] * 50)[:30]:
            reply = s.reply()
            assert reply.xid == xid and reply.zxid > zxid
            zxid = reply.zxid
            paths.append(rawzk.decode(create("/"), reply))
        numbers = [int(re.search(r"\d{10}$", p)[0]) for p in paths]
        assert numbers == sorted(set(numbers)) and numbers[0] > last
        last = numbers[-1]
        server.kill()
        server.start()
