"""Load on an ensemble, what was seen of it, and whether that can be.

    with Load(ensemble, clients=6) as load:
        load.wait_acknowledged(200)
        ensemble.leader.kill()
        load.wait_acknowledged(200)
    load.check()            # stopped by now: no acknowledged write lost, order kept, no session lost

Each client is a thread with one session, one request at a time: it writes values that nobody else
writes, makes sequential nodes, reads, and when a server fails it goes to another one with its
session. Every request is recorded with the times of its call and its answer.

What is checked (`check_history`, whose own tests are in tests/faults/test_history_checker.py):

  versions     of a key: each has one value and one zxid, rising together; a value has one version
  real time    a write that was answered before another was called has the smaller zxid, over all keys
  nothing lost at the end every acknowledged write is there, or a later version of its key is; what is
               there beyond is explained by writes whose answer never came
  sessions     the zxids a session is told never fall, nor do the versions it reads or wrote
  reads        what is read was written, and not after the read had its answer
  sync         a read behind a sync sees every write that was answered before the sync was called
  expiry       no session ends that has not been told to
"""

import collections
import dataclasses
import itertools
import random
import threading
import time

import rawzk
from rawzk import Closed, Malformed, Session

SETUP_TIMEOUT_S = 30
RETRY_S = 0.01
WAIT_S = 60


@dataclasses.dataclass(slots=True)
class Call:
    """One request. `end` is None when the answer never came: it may have been done, or not."""

    client: int
    session: int
    server: int
    kind: str  # "set", "append", "get", "synced"
    key: str  # of an append: the name it got
    value: bytes  # written, or read
    begin: int  # ns
    end: int | None = None
    version: int | None = None
    zxid: int | None = None  # of the write that made this version: mzxid, czxid
    told_zxid: int | None = None  # in the head of the answer
    err: int = 0

    is_write = property(lambda self: self.kind in ("set", "append"))


Lost = collections.namedtuple("Lost", "client session server at")


@dataclasses.dataclass
class History:
    calls: list = dataclasses.field(default_factory=list)
    lost_sessions: list = dataclasses.field(default_factory=list)
    # What is there at the end: {path: (value, version, zxid of the last write)}
    final: dict = dataclasses.field(default_factory=dict)

    def writes(self):
        return [c for c in self.calls if c.is_write]

    def acknowledged(self):
        return [c for c in self.calls if c.is_write and c.end is not None and c.err == 0]

    def longest_gap_ms(self, since=0, until=None):
        """The longest time without an acknowledged write, of those that touch the time between."""
        ends = sorted(c.end for c in self.acknowledged())
        gaps = [b - a for a, b in itertools.pairwise(ends)
                if b >= since and (until is None or a <= until)]
        return max(gaps, default=0) / 1e6


# --- the checker ---------------------------------------------------------------------


def check_history(history, expected_errors=()):
    """The violations, as text; none if all is well."""
    return [
        *check_errors(history, expected_errors),
        *check_versions(history),
        *check_nothing_lost(history),
        *check_real_time(history),
        *check_sessions(history),
        *check_reads(history),
        *check_synced_reads(history),
        *check_expiry(history),
    ]


def _answered(history):
    return [c for c in history.calls if c.end is not None and c.err == 0]


def _facts(history):
    """Every sighting of a version of a key: (key, version, value, zxid, where from)."""
    for c in _answered(history):
        yield c.key, c.version, c.value, c.zxid, c
    for key, (value, version, zxid) in history.final.items():
        yield key, version, value, zxid, "the end"


def check_errors(history, expected):
    for c in history.calls:
        if c.end is not None and c.err != 0 and c.err not in expected:
            yield f"error {c.err}: {c}"


def check_versions(history):
    seen = {}  # key -> {version: (value, zxid, source)}
    where = {}  # value -> (key, version)
    for key, version, value, zxid, source in _facts(history):
        versions = seen.setdefault(key, {})
        known = versions.setdefault(version, (value, zxid, source))
        if known[:2] != (value, zxid):
            yield f"version {version} of {key} is two things: {known} and {(value, zxid, source)}"
        if value and where.setdefault(value, (key, version)) != (key, version):
            yield f"{value} is at {where[value]} and at {(key, version)}: done twice"
    for key, versions in seen.items():
        ordered = sorted(versions.items())
        for (a, (_, zxid_a, _)), (b, (_, zxid_b, _)) in itertools.pairwise(ordered):
            if zxid_a >= zxid_b:
                yield f"{key}: version {a} has zxid {zxid_a:x}, version {b} has {zxid_b:x}"


def check_nothing_lost(history):
    acknowledged, unanswered = collections.Counter(), collections.Counter()
    for c in history.writes():
        if c.end is None:
            unanswered[c.key] += 1
        elif c.err == 0:
            acknowledged[c.key] += 1
            value, version, _ = history.final.get(c.key, (None, -1, None))
            if version < c.version or (version == c.version and value != c.value):
                yield f"lost: {c}; at the end {c.key} is {value} of version {version}"
    by_value = {c.value: c for c in history.writes()}
    for key, (value, version, _) in history.final.items():
        write = by_value.get(value)
        if value and (write is None or write.err != 0):
            yield f"at the end {key} is {value}, which nobody wrote, or was refused"
        elif version > acknowledged[key] + unanswered[key]:
            yield (f"at the end {key} has version {version}, after {acknowledged[key]} answered and "
                   f"{unanswered[key]} unanswered writes")


def _zxids_of_writes(history):
    """The writes whose zxid is known: answered, or seen later by somebody."""
    seen = {value: zxid for _, _, value, zxid, _ in _facts(history)}
    for c in history.writes():
        if c.err == 0 and c.value in seen:
            yield c, seen[c.value]


def check_real_time(history):
    """Over all keys at once: the zxids are the order, and contain the order of time."""
    by_begin = sorted(_zxids_of_writes(history), key=lambda w: w[0].begin)
    by_end = sorted((w for w in by_begin if w[0].end is not None), key=lambda w: w[0].end)
    done, newest = 0, (None, -1)
    zxids = {}
    for write, zxid in by_begin:
        while done < len(by_end) and by_end[done][0].end < write.begin:
            newest = max(newest, by_end[done], key=lambda w: w[1])
            done += 1
        if zxid <= newest[1]:
            yield f"{write} (zxid {zxid:x}) was called after the answer of {newest[0]}"
        if zxids.setdefault(zxid, write.value) != write.value:
            yield f"zxid {zxid:x} is {zxids[zxid]} and {write.value}"


def check_sessions(history):
    told = {}
    versions = {}
    for c in sorted(_answered(history), key=lambda c: c.end):
        if c.told_zxid is not None and c.told_zxid < told.get(c.session, 0):
            yield f"session {c.session:x} was told zxid {told[c.session]:x} before {c}"
        told[c.session] = max(told.get(c.session, 0), c.told_zxid or 0)
        if c.kind != "append":
            last = versions.get((c.session, c.key), -1)
            if c.version < last:
                yield f"session {c.session:x} knew version {last} of {c.key} before {c}"
            versions[c.session, c.key] = max(last, c.version)


def check_reads(history):
    writes = {c.value: c for c in history.writes()}
    for c in _answered(history):
        if c.is_write or c.version == 0:
            continue
        write = writes.get(c.value)
        if write is None or write.err != 0 or write.key != c.key:
            yield f"read what nobody wrote: {c}"
        elif write.begin > c.end:
            yield f"read before it was written: {c}, {write}"


def check_synced_reads(history):
    """With a leader that is sure of itself only. See `Load(synced=...)`."""
    writes = sorted((c for c in _answered(history) if c.kind == "set"), key=lambda c: c.end)
    reads = sorted((c for c in _answered(history) if c.kind == "synced"), key=lambda c: c.begin)
    newest = {}
    done = 0
    for read in reads:
        while done < len(writes) and writes[done].end < read.begin:
            write = writes[done]
            newest[write.key] = max(newest.get(write.key, 0), write.version)
            done += 1
        if read.version < newest.get(read.key, 0):
            yield f"{read} although version {newest[read.key]} was answered before"


def check_expiry(history):
    for lost in history.lost_sessions:
        yield f"session {lost.session:x} of client {lost.client} was lost at server {lost.server}"


# --- the load ------------------------------------------------------------------------


class _Client:
    """One session that lives as long as the load, on whatever server takes it."""

    def __init__(self, load, number):
        self.load = load
        self.number = number
        self.random = random.Random(load.seed * 1000 + number)
        self.serial = itertools.count()
        self.at = number  # which of the servers
        self.conn = None
        self.id, self.password, self.zxid = 0, bytes(16), 0
        self.xid = 0
        self.calls = []
        self.lost = []
        self.failure = None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            with self.load.place.entered():
                while not self.load.ending.is_set():
                    if self.conn is None and not self.connect():
                        self.load.ending.wait(RETRY_S)
                        continue
                    self.step()
                self.leave()
        except BaseException as e:
            self.failure = e
            with self.load.progress:
                self.load.progress.notify_all()

    # --- the session ---

    def connect(self):
        self.at += 1
        server = self.load.servers[self.at % len(self.load.servers)]
        try:
            conn = Session(server.address, timeout_s=self.load.answer_timeout_s,
                           timeout_ms=self.load.timeout_ms, session_id=self.id,
                           password=self.password, last_zxid=self.zxid)
        except (OSError, Closed):
            return False
        if conn.id == 0:
            self.lost.append(Lost(self.number, self.id, server.sid, time.monotonic_ns()))
            self.id, self.password = 0, bytes(16)
            conn.close()
            return False
        assert self.id in (0, conn.id), f"asked for session {self.id:x}, got {conn.id:x}"
        self.conn, self.id, self.password = conn, conn.id, conn.password
        # As clients do: Apache takes a request for another one of the same session and number.
        conn.xid = self.xid
        self.server = server.sid
        self.server_syncs = server.kind == "caucusd"
        return True

    def disconnect(self):
        self.xid = self.conn.xid
        self.conn.close()
        self.conn = None

    def leave(self):
        if self.conn:
            try:
                self.conn.close_session()
            except (OSError, Closed):
                self.disconnect()

    # --- requests ---

    def step(self):
        kind = self.random.choices(*self.load.mix)[0]
        getattr(self, kind)(f"{self.load.top}/k{self.random.randrange(self.load.keys)}")

    def value(self):
        return b"%d.%d" % (self.number, next(self.serial))

    def call(self, kind, key, value, *ops):
        """Sends the requests at once; records the call; returns what the last one answered, or
        None."""
        c = Call(self.number, self.id, self.server, kind, key, value, time.monotonic_ns())
        self.calls.append(c)
        try:
            self.conn.send_all(ops)
            reply = [self.conn.reply() for _ in ops][-1]
        except (OSError, Closed):
            self.disconnect()
            if not c.is_write:
                self.calls.pop()  # a read without an answer says nothing
            return c, None
        c.end = time.monotonic_ns()
        c.err = reply.err
        c.told_zxid = reply.zxid if reply.zxid > 0 else None
        self.zxid = max(self.zxid, reply.zxid)
        return c, rawzk.decode(ops[-1], reply) if reply.err == 0 else None

    def set(self, key):
        value = self.value()
        c, stat = self.call("set", key, value, rawzk.set_data(key, value))
        if stat:
            c.version, c.zxid = stat.version, stat.mzxid
            self.load.count()

    def append(self, _key):
        value = self.value()
        prefix = f"{self.load.top}/log/{self.number}-"
        op = rawzk.create2(prefix, value, flags=rawzk.SEQUENTIAL)
        c, made = self.call("append", prefix, value, op)
        if made:
            c.key, c.version, c.zxid = made[0], 0, made[1].czxid
            self.load.count()

    def get(self, key):
        self.read("get", key, rawzk.get_data(key))

    def synced(self, key):
        barrier = rawzk.sync(key) if self.server_syncs else rawzk.BARRIER
        self.read("synced", key, barrier, rawzk.get_data(key))

    def read(self, kind, key, *ops):
        c, found = self.call(kind, key, b"", *ops)
        if found:
            c.value, c.version, c.zxid = found[0], found[1].version, found[1].mzxid


class Load:
    MIX = {"set": 45, "append": 15, "get": 35, "synced": 5}

    def __init__(self, servers, clients=6, keys=4, top="/load", timeout_ms=20_000, seed=1, mix=None,
                 synced=True, place=None, answer_timeout_s=2.0):
        """servers: an ensemble, or some of its members. `synced=False` where leaders get cut off:
        a leader that does not know yet answers a sync without asking anybody, ours and Apache's.
        place: from where the clients speak (netlab.py)."""
        self.servers = list(servers)
        mix = dict(mix or self.MIX)
        if not synced:
            mix.pop("synced", None)
        self.mix = (list(mix), list(mix.values()))
        self.keys, self.top, self.timeout_ms, self.seed = keys, top, timeout_ms, seed
        self.answer_timeout_s = answer_timeout_s
        self.place = place or self.servers[0].place
        self.ending = threading.Event()
        self.progress = threading.Condition()
        self.acknowledged = 0
        self.history = History()
        self.clients = [_Client(self, n) for n in range(clients)]

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        self.stop(read_final=kind is None)

    def start(self):
        setup = _Client(self, -1)
        # At the last one, which leads at first and is seldom Apache's, and with patience: here an answer
        # that comes late is a failed test, and not one of the load's that are asked for again.
        setup.at = len(self.servers) - 2
        with self.place.entered():
            while setup.conn is None:
                if not setup.connect():
                    time.sleep(RETRY_S)
            setup.conn.sock.settimeout(SETUP_TIMEOUT_S)
            setup.conn.ok(rawzk.create(self.top))
            setup.conn.ok(rawzk.create(f"{self.top}/log"))
            for n in range(self.keys):
                setup.conn.ok(rawzk.create(f"{self.top}/k{n}"))
            # Everybody's server shall know them.
            for client in self.clients:
                client.zxid = setup.conn.zxid
            setup.leave()
        for client in self.clients:
            client.thread.start()
        return self

    def count(self):
        with self.progress:
            self.acknowledged += 1
            self.progress.notify_all()

    def fail_if_broken(self):
        for client in self.clients:
            if client.failure:
                raise AssertionError(f"client {client.number} broke") from client.failure

    def wait_acknowledged(self, count, timeout_s=WAIT_S):
        """Wait until so many more writes were acknowledged; returns how long it took, in s."""
        began = time.monotonic()
        with self.progress:
            wanted = self.acknowledged + count
            self.progress.wait_for(
                lambda: self.acknowledged >= wanted or any(c.failure for c in self.clients), timeout_s)
        self.fail_if_broken()
        assert self.acknowledged >= wanted, (
            f"only {self.acknowledged - wanted + count} of {count} writes in {timeout_s} s")
        return time.monotonic() - began

    def wait_all_write(self, timeout_s=WAIT_S):
        """Wait until each client has had a write acknowledged from now on."""
        before = [sum(c.is_write and c.end is not None for c in client.calls)
                  for client in self.clients]
        with self.progress:
            done = self.progress.wait_for(lambda: any(c.failure for c in self.clients) or all(
                sum(c.is_write and c.end is not None for c in client.calls) > count
                for client, count in zip(self.clients, before)), timeout_s)
        self.fail_if_broken()
        assert done, f"not all clients write within {timeout_s} s"

    def stop(self, read_final=True):
        self.ending.set()
        for client in self.clients:
            client.thread.join(WAIT_S)
            assert not client.thread.is_alive(), f"client {client.number} hangs"
            self.history.calls += client.calls
            self.history.lost_sessions += client.lost
        if read_final:
            self.fail_if_broken()
            self.read_final()

    def read_final(self):
        """What is there, read through any server behind a sync."""
        reader = _Client(self, -2)
        with self.place.entered():
            deadline = time.monotonic() + WAIT_S
            while reader.conn is None and time.monotonic() < deadline:
                if not reader.connect():
                    time.sleep(RETRY_S)
            s = reader.conn
            s.catch_up()
            paths = [f"{self.top}/k{n}" for n in range(self.keys)]
            paths += [f"{self.top}/log/{name}" for name in s.ok(rawzk.get_children(f"{self.top}/log"))]
            for at in range(0, len(paths), 500):
                ops = [rawzk.get_data(path) for path in paths[at : at + 500]]
                s.send_all(ops)
                for path, op in zip(paths[at : at + 500], ops):
                    data, stat = rawzk.decode(op, s.reply())
                    self.history.final[path] = (data, stat.version, stat.mzxid)
            reader.leave()

    def check(self, expected_errors=()):
        """The history is as it must be; returns it."""
        violations = check_history(self.history, expected_errors)
        assert not violations, f"{len(violations)} violations:\n" + "\n".join(violations[:20])
        return self.history
