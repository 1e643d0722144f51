"""Ensembles of real processes: caucusd, Apache ZooKeeper, or any mix.

    ensemble = Ensemble(folder, ["apache38", "caucusd", "apache39"], observers=["caucusd"])
    ensemble.start(leader=3)            # returns when one leads and all others follow or observe
    ensemble.leader.kill()              # SIGKILL; also stop(), pause(), resume(), start()
    ensemble.wait_settled()
    ensemble.replace(1, "caucusd")      # another program goes on with the folder of server 1
    ensemble.check_same_trees()
    ensemble.stop()

A member is a Server (server.py) with an id, a role and two more ports. Servers are numbered from 1,
participants first. Waiting is for a line of a log, or for what `srvr` says, asked again whenever
a log grows (and a few times a second, because not every change is logged).
"""

import contextlib
import pathlib
import re
import shutil
import threading
import time

import rawzk
import tree
import zkfiles
from ports import free_port
from server import Server

SETTLE_TIMEOUT_S = 60
POLL_S = 0.1

CONFIG = {
    "tickTime": 250,
    # Java on a busy machine takes its time.
    "initLimit": 60,
    "syncLimit": 12,
    "minSessionTimeout": 500,
    "maxSessionTimeout": 120_000,
    "maxClientCnxns": 0,
    "4lw.commands.whitelist": "*",
    "extendedTypesEnabled": "true",
    "DigestAuthenticationProvider.superDigest": tree.CONFIG[
        "DigestAuthenticationProvider.superDigest"
    ],
}
# A part of a multi that is an error: its type, then the length of its record.
_MULTI_ERROR = rawzk.i32(rawzk.ERROR) + rawzk.i32(4)
SUPER = ("digest", b"super:test")


class Loopback:
    """Where a member lives by default; netlab.py has places that can be cut off."""

    prefix = ()

    def __init__(self, host="127.0.0.1"):
        self.host = host

    @contextlib.contextmanager
    def entered(self):
        yield


class Member(Server):
    def __init__(self, ensemble, sid, kind, role, config, place, how):
        place = place or Loopback()
        how = dict(how)
        prefix = [*place.prefix, *how.pop("prefix", ())]
        super().__init__(kind, ensemble.folder / f"server{sid}", config, prefix=prefix, **how)
        self.ensemble = ensemble
        self.sid = sid
        self.role = role
        self.place = place
        self.quorum_port = free_port()
        self.election_port = free_port()
        self.lines = None  # server lines of its own, where a newcomer knows less than the others
        self.paused = False
        self._log_grew = ensemble.changed

    def __repr__(self):
        return f"<server {self.sid}: {self.backend}>"

    kind = property(lambda self: self.backend)
    running = property(lambda self: self.process is not None)
    address = property(lambda self: (self.place.host, self.port))
    host_text = property(
        lambda self: f"[{self.place.host}]" if ":" in self.place.host else self.place.host)
    hosts = property(lambda self: f"{self.host_text}:{self.port}")
    dynamic = property(lambda self: str(self.config.get("reconfigEnabled")) == "true")

    # --- configuration ---

    def line_value(self, role=None, with_client=True):
        """HOST:QUORUM:ELECTION:ROLE;CLIENT, what stands behind server.N="""
        value = f"{self.host_text}:{self.quorum_port}:{self.election_port}:{role or self.role}"
        return f"{value};{self.host_text}:{self.port}" if with_client else value

    def line(self, role=None):
        return f"server.{self.sid}={self.line_value(role)}"

    def _settings(self):
        # With reconfig the client's address travels in the server lines, without it stands alone:
        # both ways to write a configuration are in use.
        settings = super()._settings() | {"clientPortAddress": self.place.host}
        if self.dynamic:
            del settings["clientPort"], settings["clientPortAddress"]
        if self.role == "observer":
            settings["peerType"] = "observer"
        return settings | (self.lines or self.ensemble.lines(self.dynamic))

    def _write_config(self):
        config = self.folder / "zoo.cfg"
        (self.data_dir / "myid").write_text(f"{self.sid}\n")
        # What the server itself made of its configuration (reconfig) is not overwritten.
        if self.dynamic and config.exists():
            return config
        return super()._write_config()

    def forget_config(self):
        """The next start begins with the configuration of a newcomer."""
        (self.folder / "zoo.cfg").unlink()

    # --- life ---

    def start(self, wait=False):
        self.paused = False
        return super().start(wait=False)

    def stop(self):
        self.resume()
        super().stop()

    def kill(self):
        self.paused = False
        super().kill()

    def pause(self):
        self.paused = True
        super().pause()

    def resume(self):
        if self.paused:
            super().resume()
        self.paused = False

    def wipe(self):
        """An empty data folder, as after the loss of a disk."""
        assert not self.running
        shutil.rmtree(zkfiles.version_dir(self.data_dir), ignore_errors=True)

    def log_mark(self):
        """For wait_log(..., since=mark): the end of the log as it is now."""
        return len(self.log())

    # --- what it says ---

    def conn(self, **kwargs):
        with self.place.entered():
            return super().conn(**kwargs)

    def session(self, **kwargs):
        with self.place.entered():
            return super().session(**kwargs)

    def _commit(self):
        with self.place.entered():
            super()._commit()

    def word(self, word, timeout_s=10.0):
        """The answer to a four letter word, or "" where nobody answers."""
        if not self.running or self.paused:
            return ""
        try:
            with self.conn(timeout_s=timeout_s) as c:
                c.send_bytes(word.encode())
                return c.recv_until_closed().decode()
        except OSError:
            return ""

    def mode(self):
        """leader, follower, observer, standalone; None when it does not serve."""
        found = re.search(r"^Mode: (\S+)", self.word("srvr"), re.M)
        return found[1] if found else None

    def mntr(self, key):
        found = re.search(rf"^{key}\t(.*)$", self.word("mntr"), re.M)
        return found[1] if found else None

    def wait_mode(self, *modes, timeout_s=SETTLE_TIMEOUT_S):
        return self.ensemble.wait_until(
            lambda: (mode := self.mode()) in modes and mode, f"{self} is {modes}", timeout_s
        )

    def wait_logged(self, path, timeout_s=20):
        """Wait until a transaction that names the path is in a log file."""
        self.wait_file(lambda: path.encode() in b"".join(
            p.read_bytes() for _, p in zkfiles.logs(self.data_dir)), timeout_s)

    def wait_file(self, condition, timeout_s=20):
        with zkfiles.FolderWatch(zkfiles.version_dir(self.data_dir)) as changes:
            changes.wait_until(condition, timeout_s)

    def syncs(self, since=0):
        """How the server was synchronized, from its log: ["DIFF", "SNAP", "TRUNC", ...]"""
        names = {"Getting a diff": "DIFF", "Getting a snapshot": "SNAP", "Truncating log to": "TRUNC"}
        return [
            names.get(found[1]) or found[2]
            for found in re.finditer(
                r"(Getting a diff|Getting a snapshot|Truncating log to)"
                r"|event=synced\b.*\bby=(DIFF|SNAP|TRUNC)", self.log()[since:])
        ]

    def wrong_digests(self):
        """What the log tells of transactions that did not lead to the digest that came with them.

        Apache compares a second thing, the tree of a snapshot with the digest at its end, and counts
        both. The snapshot is fuzzy: the transaction behind that digest may be in it already, and the
        two then differ although nothing is wrong; if something is, the next transaction tells. So of
        Apache's only what is said of transactions counts."""
        return re.findall(r".*(?:First digest mismatch on txn|event=digest_mismatch).*", self.log())

    def dump(self):
        """The whole tree as the super user sees it, current: {path: (data, stat, acl)}."""
        def dumped():
            try:
                return self._dump()
            except (rawzk.Closed, ConnectionRefusedError):
                return None  # it has just noticed that its leader is another one

        return self.ensemble.wait_until(dumped, f"{self} serves its tree")

    def _dump(self):
        with self.place.entered():
            s = self.raw_session(timeout_s=30, timeout_ms=30_000)
        s.authenticate(*SUPER)
        s.catch_up()
        nodes = {}
        level = ["/"]
        while level:
            below = []
            for at in range(0, len(level), 200):
                paths = level[at : at + 200]
                ops = [op(p) for p in paths
                       for op in (rawzk.get_data, rawzk.get_acl, rawzk.get_children)]
                s.send_all(ops)
                answers = [rawzk.decode(op, s.reply()) for op in ops]
                for path, (data, stat), (acl, _), names in zip(
                        paths, answers[::3], answers[1::3], answers[2::3]):
                    if path == "/zookeeper/config":
                        # Each server writes it into its tree when it joins, by its own clock.
                        stat = stat._replace(mtime=0)
                    nodes[path] = (data, stat, sorted(acl))
                    below += [f"{path.rstrip('/')}/{name}" for name in names]
            level = below
        s.close_session()
        return nodes


class Ensemble:
    def __init__(self, folder, kinds, observers=(), config=None, places=None, how=None):
        """kinds, observers: what each is (server.BACKENDS). config: more keys for all; {sid: {...}}
        within it for one. places, how: {sid: place}, {sid: {prefix, env}}."""
        self.folder = pathlib.Path(folder)
        self.changed = threading.Condition()
        self.config = CONFIG | {k: v for k, v in (config or {}).items() if not isinstance(k, int)}
        self._own = {k: v for k, v in (config or {}).items() if isinstance(k, int)}
        self._places = places or {}
        self._how = how or {}
        # Set by a test in which servers are synchronized by SNAP under load. Such a snapshot runs ahead
        # of the transactions that follow it, and Apache takes the digests in between for wrong.
        self.fuzzy = False
        self.members = {}
        for kind in kinds:
            self.add(kind)
        for kind in observers:
            self.add(kind, "observer")

    def add(self, kind, role="participant", sid=None):
        """A further member, not started."""
        sid = sid or max(self.members, default=0) + 1
        member = Member(self, sid, kind, role, self.config | self._own.get(sid, {}),
                        self._places.get(sid), self._how.get(sid, {}))
        self.members[sid] = member
        return member

    def lines(self, with_client):
        return {f"server.{m.sid}": m.line_value(None, with_client) for m in self}

    def __iter__(self):
        return iter(self.members.values())

    def __getitem__(self, sid):
        return self.members[sid]

    participants = property(lambda self: [m for m in self if m.role == "participant"])
    observers = property(lambda self: [m for m in self if m.role == "observer"])
    running = property(lambda self: [m for m in self if m.running and not m.paused])
    hosts = property(lambda self: ",".join(m.hosts for m in self))
    any_caucusd = property(lambda self: any(m.is_caucusd for m in self))

    # --- life ---

    def start(self, leader=None):
        """All servers. `leader`: this one shall lead. On equal history that is the largest id of
        those who elect, so it begins with a bare majority in which it has the largest."""
        first = []
        if leader is not None:
            majority = len(self.participants) // 2 + 1
            lower = [m for m in self.participants if m.sid < leader][: majority - 1]
            assert len(lower) == majority - 1, f"{leader} is too small to lead"
            first = [*lower, self[leader]]
            for member in first:
                member.start()
            assert self.wait_settled(first) is self[leader]
        for member in self:
            if member not in first:
                member.start()
        return self.wait_settled()

    def stop(self):
        for member in self:
            member.stop()

    def kill(self):
        for member in self:
            member.close_sessions()
            member.kill()

    def close_sessions(self):
        for member in self:
            member.close_sessions()

    def replace(self, sid, kind):
        """Stops a member; another program goes on with its folder."""
        member = self[sid]
        member.stop()
        member.backend = kind
        member.start()
        return member

    # --- waiting ---

    def wait_until(self, condition, what, timeout_s=SETTLE_TIMEOUT_S):
        deadline = time.monotonic() + timeout_s
        while True:
            if value := condition():
                return value
            assert time.monotonic() < deadline, f"not so in time: {what}\n{self.log_tails()}"
            with self.changed:
                self.changed.wait(POLL_S)

    def modes(self, members=None):
        return {m.sid: m.mode() for m in members or self.running}

    def wait_settled(self, members=None, timeout_s=SETTLE_TIMEOUT_S):
        """Wait until one of those that run leads and all others follow or observe; returns it."""
        members = members or self.running

        def settled():
            for m in members:
                if m.process.poll() is not None:
                    raise AssertionError(f"{m} ended with {m.process.poll()}\n{self.log_tails()}")
            modes = self.modes(members)
            leaders = [self[sid] for sid, mode in modes.items() if mode == "leader"]
            served = all(
                mode in ("leader", "follower") if self[sid].role == "participant"
                else mode == "observer" for sid, mode in modes.items()
            )
            return leaders[0] if served and len(leaders) == 1 else None

        return self.wait_until(settled, "one leads, all others serve", timeout_s)

    def find_leader(self):
        """The member that says it leads, or None."""
        leaders = [sid for sid, mode in self.modes().items() if mode == "leader"]
        return self[leaders[0]] if len(leaders) == 1 else None

    @property
    def leader(self):
        return self.wait_until(self.find_leader, "one server leads")

    @property
    def followers(self):
        leader = self.leader
        return [m for m in self.participants if m is not leader and m.running]

    # --- comparing ---

    def check_same_trees(self, members=None):
        """Every member has the same tree, to the last field of a Stat; returns it."""
        members = members or self.running
        dumps = {m.sid: m.dump() for m in members}
        first, *others = members
        for other in others:
            a, b = dumps[first.sid], dumps[other.sid]
            differing = [
                f"  {path}\n    {first}: {a.get(path)}\n    {other}: {b.get(path)}"
                for path in sorted(a.keys() | b.keys()) if a.get(path) != b.get(path)
            ]
            assert not differing, "trees differ:\n" + "\n".join(differing[:10])
        if not self.fuzzy:
            self.check_same_digests(members)
        return dumps[first.sid]

    def check_same_digests(self, members=None):
        """The digests that servers keep of every 128th transaction agree, and none has ever met one
        that was not as the leader had announced it."""
        known = {}
        for m in members or self.running:
            lines = m.word("hash").rstrip("\n").split("\n")
            for zxid, digest in (line.split(": ") for line in lines if line):
                sid, other = known.setdefault(zxid, (m.sid, digest))
                assert other == digest, f"digest of {zxid}: {other} at {sid}, {digest} at {m.sid}"
            wrong = m.wrong_digests()
            assert not wrong, f"{m} met {len(wrong)} wrong digests: {wrong[-5:]}"

    def check_same_logs(self, members=None):
        """After a stop: where two have a transaction in their log files, it is the same one."""
        known = {}
        for m in members or self:
            for txn in zkfiles.all_txns(m.data_dir, torn=m.is_apache):
                if txn.type == rawzk.MULTI and _MULTI_ERROR in txn.body:
                    # Apache rewrites the parts of a failed multi when it applies it, which may be
                    # before it writes or sends it.
                    txn = txn._replace(body=b"failed")
                sid, other = known.setdefault(txn.zxid, (m.sid, txn))
                assert other == txn, f"{txn.zxid:x}: {other} at {sid}, {txn} at {m.sid}"
        return known

    def missing_in_log(self, m):
        """The zxids of transactions that others have in their log files and `m` has not, though it was there
        before. Nobody writes any more, but the end of the last session may still be on its way to a log."""
        def look():
            has = {txn.zxid for txn in zkfiles.all_txns(m.data_dir, torn=m.is_apache)}
            others = {txn.zxid for other in self if other is not m
                      for txn in zkfiles.all_txns(other.data_dir, torn=other.is_apache)}
            return sorted(zxid for zxid in others - has if has and zxid > min(has))

        def twice():
            try:
                first, second = look(), look()
            except AssertionError:
                return None  # read while it was being written
            return (first,) if first == second else None

        return self.wait_until(twice, "the logs stand still")[0]

    # --- when a test fails ---

    def log_tails(self, chars=1500):
        return "\n".join(
            f"--- {m} {'runs' if m.running else 'is down'}, {m.log_path}\n{m.log()[-chars:]}"
            for m in self
        )
