"""An election under test: servers as real processes, voters who cast at the servers' own links, and
what has to be true at the end, read from the files of the replicas.

    election = Election(folder, ensemble.hosts, states={"CA": 1000})
    election.start()                     # three servers, ready
    election.open()                      # round 1
    with Voters(election, "CA") as v:    # cast until told to stop; retry what is not decided
        ...
    election.close()
    election.check(v)                    # every acknowledged vote counts once, everybody agrees

Nothing here is taken from the programs: formats are read from docs (src/vote/record.h, commit.h,
src/election/links.h) and written again, so that an error has to be made twice to be missed.
"""

import collections
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import random
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, NoNodeError

import zkfiles
from peers import CAUCUSD

ELECTIOND = pathlib.Path(os.environ.get("ELECTIOND", CAUCUSD.parent / "electiond"))
WAIT_S = 40
IDLE, OPEN, CLOSING, CLOSED = range(4)

ANSWERS = ("COMMITTED", "DUPLICATE", "NOT_STARTED", "CLOSING", "CLOSED", "NO_VOTER", "NO_CANDIDATE", "CONFLICT",
           "REVISION", "TOO_MANY", "BUSY", "NOT_LEADER", "UNAVAILABLE", "UNKNOWN_RETRY", "ROUND_OVER")
HELLO, REFUSED, PING, HOSTS, SHARD, CAST, ANSWER, ASK, TELL, LEADS = range(1, 11)

Record = collections.namedtuple("Record", "index before voter request salt cast_ms epoch candidate district revision")
Commit = collections.namedtuple(
    "Commit", "leader round epoch seat index bytes batches chain root holders sealed voters candidates districts votes losses")
Loss = collections.namedtuple("Loss", "epoch before after batches chain")  # records
Log = collections.namedtuple("Log", "records chains")  # chains: {records before it: hash}


def read_commit(data):
    magic, leader, *numbers = struct.unpack_from(">4sIQQQQQQ", data)
    assert magic == b"CVC1", data[:8]
    holders, flags, voters, candidates, districts = struct.unpack_from(">IIQII", data, 120)
    votes = struct.unpack_from(f">{candidates * districts}Q", data, 176)
    losses = [Loss(*struct.unpack_from(">QQQQ32s", data, 176 + 8 * len(votes) + 64 * i)) for i in range(flags >> 8)]
    assert len(data) == 176 + 8 * len(votes) + 64 * len(losses)
    return Commit(leader, *numbers, data[56:88], data[88:120], holders, flags & 1, voters, candidates, districts, votes, losses)


def read_log(path, first=0, chain=None):
    """All whole batches of a log file; every chain is checked. Of a file that begins with record `first`: the chain before it."""
    data = path.read_bytes()
    assert data[:4] == b"CVLG"
    chain = chain or hashlib.sha256(data[:88]).digest()
    records, chains, at = [], {first: chain}, 88
    while data[at:at + 4] == b"CVB1" and at + 40 <= len(data):  # somebody may be writing
        size, _, _, begin, count, _ = struct.unpack_from(">IQQQII", data, at + 4)
        if at + size > len(data):
            break
        assert begin == first + len(records) and data[at + 40:at + 72] == chain, f"{path}: byte {at}"
        body = data[at:at + size - 32]
        chain = hashlib.sha256(body).digest()
        assert data[at + size - 32:at + size] == chain, f"{path}: byte {at}"
        for i in range(count):
            records.append(Record(*struct.unpack_from(">QQ16s16s16sQIHBB", body, 72 + 80 * i)))
        chains[first + len(records)] = chain
        at += size
    return Log(records, chains)


class Server:
    """One electiond."""

    def __init__(self, election, number):
        self.election = election
        self.name = f"server{number}"
        self.data = election.folder / self.name
        self.process = None
        self.log_path = election.folder / f"{self.name}.log"
        self.options, self.env, self.peer_port, self.hosts = [], None, 0, None
        self.grew, self.reader = threading.Condition(), None  # its log
        place = election.places.get(number)
        self.host, self.prefix = (place.host, [*place.prefix]) if place else ("127.0.0.1", [])
        self.ready = {}

    def __repr__(self):
        return f"<{self.name}>"

    def start(self, wait=True):
        assert self.process is None
        self.mark = self.log_path.stat().st_size if self.log_path.exists() else 0
        command = [
            *self.prefix, ELECTIOND, "--zookeeper", self.hosts or self.election.hosts, "--election", self.election.definition,
            "--data", self.data, "--name", self.name, "--peer", f"{self.host}:{self.peer_port}", "--auth", "none",
            "--rest", f"{self.host}:0", "--grpc", f"{self.host}:0", "--committee", "open",
            "--session-timeout", str(self.election.session_timeout_ms), *self.options]
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        env={**os.environ, **self.env} if self.env else None)
        self.reader = threading.Thread(target=self.read_output, args=[self.process.stdout], daemon=True)
        self.reader.start()
        if wait:
            self.wait_ready()
        return self

    def log(self):
        return self.log_path.read_bytes()[self.mark:].decode()

    def wait_log(self, pattern, timeout_s=WAIT_S):
        """The first line of this life that matches, as soon as it is there."""
        deadline = time.monotonic() + timeout_s
        with self.grew:
            while not (found := re.search(pattern, self.log(), re.M)):
                ended = self.process is not None and self.process.poll() is not None and not self.reader.is_alive()
                assert not ended, f"{self} ended:\n{self.log()[-3000:]}"
                assert time.monotonic() < deadline, f"{self}: no line with {pattern!r}:\n{self.log()[-3000:]}"
                self.grew.wait(deadline - time.monotonic())
        return found

    def read_output(self, pipe):
        with pipe, open(self.log_path, "ab") as log:
            for line in pipe:
                with self.grew:
                    log.write(line)
                    log.flush()
                    self.grew.notify_all()
        with self.grew:
            self.grew.notify_all()

    def wait_ready(self):
        line = self.wait_log(r"event=ready .*")[0]
        self.ready = dict(word.split("=", 1) for word in line.split() if "=" in word)
        with self.election.begun:
            self.election.begun.notify_all()

    def port(self, door):
        return int(self.ready[door].rpartition(":")[2])

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.wait_end()

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            code = self.wait_end()
            assert code == 0, f"{self} ended with {code}:\n{self.log()[-3000:]}"

    def wait_end(self):
        code = self.process.wait(WAIT_S)
        self.reader.join(WAIT_S)
        self.process = None
        return code

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)


class Election:
    def __init__(self, folder, hosts, states, servers=3, candidates=3, session_timeout_ms=1200, definition=None,
                 places=None):
        """states: {code: voters}; or a folder that defines the election. places: {number: place of netlab.py}. Where it is
        waited for that a session ends, or a server that was killed comes back, it should be a short one; else a long one, which
        does not end on a busy machine."""
        self.folder = pathlib.Path(folder)
        self.hosts = hosts
        self.places = places or {}
        self.states = sorted(states)
        self.candidates = candidates
        self.session_timeout_ms = session_timeout_ms
        self.definition = definition or self._define(states)
        if definition:
            self.folder.mkdir(parents=True)
            rows = (definition / "states.csv").read_text().splitlines()[1:]
            self.states = sorted(row.split(",")[0] for row in rows)
        out = subprocess.run([str(ELECTIOND), "--check", "--election", str(self.definition)], capture_output=True,
                             text=True, check=True).stdout
        self.config = bytes.fromhex(re.search(r"config=([0-9a-f]{64})", out)[1])
        self.servers = [Server(self, i + 1) for i in range(servers)]
        self.keepers = self.servers  # of votes
        self.round = 0
        self.numbers = {}  # of members: {(server, state): number}
        self.begun = threading.Condition()  # told when a server is ready
        self.tls = None  # an ssl.SSLContext, if links want one

    def _define(self, states):
        definition = self.folder / "definition"
        definition.mkdir(parents=True)
        (definition / "election.conf").write_text("id=test\ntitle=A test\npublish=live\nreplicas=3\n")
        (definition / "candidates.csv").write_text("".join(f"cand{i + 1}\n" for i in range(self.candidates)))
        (definition / "states.csv").write_text("usps,key,name,electors,roll\n" + "".join(
            f"{code},state_{code.lower()},State {code},3,{voters}\n" for code, voters in states.items()))
        return definition

    # --- life ---

    def start(self):
        for server in self.servers:
            server.start(wait=False)
        for server in self.servers:
            server.wait_ready()
        self.client = KazooClient(self.hosts, timeout=10, connection_retry=-1, command_retry=-1)
        self.client.start(WAIT_S)
        return self

    def stop(self):
        for server in self.servers:
            server.stop()

    def kill(self):
        for server in self.servers:
            if server.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    server.resume()
            server.kill()
        if hasattr(self, "client"):
            self.client.stop()
            self.client.close()

    # --- the nation ---

    def phase(self):
        data, stat = self.client.get("/Election/Global/Commit")
        return struct.unpack_from(">IQ", data, 4) + (stat.version,)

    def set_phase(self, phase):
        """As the committee does: a conditional write."""
        while True:
            now, self.round, version = self.phase()
            if phase == OPEN:
                self.round += 1
            data = struct.pack(">4sIQ32s16sQQQ", b"CVG1", phase, self.round, self.config, os.urandom(16), 0, 0, 0)
            with contextlib.suppress(BadVersionError):
                self.client.set("/Election/Global/Commit", data, version)
                return

    def open(self):
        self.set_phase(OPEN)
        for state in self.states:
            self.wait_commit(state, lambda c: c.round == self.round, "the round has begun")

    def close(self, now=False):
        if not now:
            self.set_phase(CLOSING)
            for state in self.states:
                self.wait_commit(state, lambda c: c.sealed, "it is sealed")
        self.set_phase(CLOSED)

    def commit(self, state, changed=None):
        """(Commit, mzxid); None before there is one. changed: called once when that is not so any more."""
        path = f"/Election/{state}/Commit"
        try:
            data, stat = self.client.retry(self.client.get, path, changed)
            return (read_commit(data), stat.mzxid) if data else None
        except NoNodeError:
            if changed and self.client.retry(self.client.exists, path, changed):
                changed(None)
            return None

    def wait_commit(self, state, condition, what, timeout_s=WAIT_S):
        deadline = time.monotonic() + timeout_s
        while True:
            changed = threading.Event()
            found = self.commit(state, lambda _: changed.set())
            if found and condition(found[0]):
                return found[0]
            assert time.monotonic() < deadline, f"{state}: not so in time: {what}: {found}\n{self.tails()}"
            changed.wait(deadline - time.monotonic())

    def wait_seal(self, state):
        deadline = time.monotonic() + WAIT_S
        while True:
            changed = threading.Event()
            if self.client.exists(f"/Election/{state}/Seal/{self.round}", lambda _: changed.set()):
                return
            assert time.monotonic() < deadline, f"{state} has no seal\n{self.tails()}"
            changed.wait(deadline - time.monotonic())

    def tails(self):
        return "\n".join(f"--- {s}\n{s.log()[-1500:]}" for s in self.servers if s.log_path.exists())

    def members(self, state):
        """{number: server} of those that run, as their logs tell: a number is a server's for good."""
        def number(server):
            if (server, state) not in self.numbers:
                self.numbers[server, state] = int(server.wait_log(rf"event=member .*state={state} .*number=(\d+)")[1])
            return self.numbers[server, state]

        return {number(server): server for server in self.keepers if server.process is not None}

    def line(self, state, changed=None):
        """The servers in the order of their LiveNodes: the first one leads."""
        names = self.client.retry(self.client.get_children, f"/Election/{state}/LiveNodes", changed)
        members = self.members(state)
        seats = sorted((int(name.rpartition("-")[2]), int(name.split("-")[2])) for name in names)
        return [members[member] for _, member in seats if member in members]

    def wait_line(self, state, condition, what):
        deadline = time.monotonic() + WAIT_S
        while True:
            changed = threading.Event()
            found = self.line(state, lambda _: changed.set())
            if condition(found):
                return found
            assert time.monotonic() < deadline, f"{state}: not so in time: {what}: {found}\n{self.tails()}"
            changed.wait(deadline - time.monotonic())

    def due(self):
        """{state: the server that should lead it}: states are dealt to servers in turn, by their names."""
        names = sorted(self.keepers, key=lambda server: server.name)
        return {state: names[i % len(names)] for i, state in enumerate(self.states)}

    def wait_balanced(self):
        """Every server stands first in the lines of the states that it should lead."""
        for state, server in self.due().items():
            self.wait_line(state, lambda line, server=server: len(line) == len(self.keepers) and line[0] is server,
                           f"{server} is first")

    def leader(self, state):
        """Whoever Commit names."""
        return self.members(state)[self.commit(state)[0].leader]

    def wait_leader(self, state, other_than):
        epoch = self.commit(state)[0].epoch
        names = {n for n, s in self.members(state).items() if s is not other_than}
        c = self.wait_commit(state, lambda c: c.leader in names, f"{other_than} leads no more")
        assert c.epoch >= epoch
        return self.members(state)[c.leader]

    # --- what has to be true ---

    def pseudonym(self, state, voter):
        master = hashlib.sha256(b"caucus demonstration\0").digest()
        key = hmac.digest(master, b"caucus pseudonyms\0test\0" + state.encode() + b"\0", "sha256")
        return hmac.digest(key, voter.encode(), "sha256")[:16]

    def file(self, server, state):
        return server.data / state / f"log-{self.round:016x}"

    def wait_caught_up(self, state, servers=None):
        """Every replica has what is committed in its file."""
        commit, _ = self.commit(state)

        def has_it(path):
            log = read_log(path) if path.exists() else Log([], {})
            return len(log.records) >= commit.index and log.chains.get(commit.index) == commit.chain

        for server in servers or self.servers:
            path = self.file(server, state)
            if not has_it(path):
                with zkfiles.FolderWatch(path.parent) as changes:
                    changes.wait_until(lambda path=path: has_it(path), WAIT_S)

    def check(self, *voters):
        """Of a closed or resting state: what voters were told is so, and all replicas have the same."""
        for state in {v.state for v in voters}:
            self.wait_caught_up(state)
            commit, _ = self.commit(state)
            assert commit.round == self.round
            logs = [read_log(self.file(s, state)) for s in self.servers]
            for log in logs:
                assert log.chains[commit.index] == commit.chain
                assert log.records[:commit.index] == logs[0].records[:commit.index]
            check_count(logs[0].records[:commit.index], commit)
            check_told(logs[0].records[:commit.index], [v for v in voters if v.state == state])


    def check_recount(self, state):
        """All replicas count again, from their files, and come to what Commit says."""
        commit, _ = self.commit(state)
        server = self.leader(state)  # which hears everybody, after whatever there was, sooner or later
        deadline = time.monotonic() + WAIT_S
        reached = False
        while not reached and time.monotonic() < deadline:
            with contextlib.closing(http.client.HTTPConnection(server.host, server.port("rest"), timeout=WAIT_S)) as door:
                door.request("POST", f"/v1/recount?state={state}", "{}", {"Content-Type": "application/json"})
                answer = json.loads(door.getresponse().read())
            found, = answer["states"]
            reached = all(r["known"] for r in found["replicas"])
        assert found["agree"], found
        assert len(found["replicas"]) == len(self.keepers)
        assert {(r["index"], r["root"]) for r in found["replicas"]} == {(commit.index, commit.root.hex())}


def merkle_root(leaves):
    if len(leaves) <= 1:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + merkle_root(leaves[:split]) + merkle_root(leaves[split:])).digest()


def check_count(records, commit):
    """Tally and root of Commit are those of the records: one vote for each voter, the last."""
    choice, requests = {}, set()
    for i, r in enumerate(records):
        assert r.index == i
        assert r.request == bytes(16) or (r.voter, r.request) not in requests, f"record {i} is there twice"
        requests.add((r.voter, r.request))
        choice[r.voter] = r.candidate
    votes = collections.Counter(choice.values())
    assert commit.votes == tuple(votes[i] for i in range(commit.candidates))
    assert commit.voters == len(choice)
    leaves = [hashlib.sha256(b"\0" + struct.pack(">QQ16s16s16sQIHBB", *r)).digest() for r in records]
    assert merkle_root(leaves) == commit.root


def check_told(records, voters):
    by_request = {(r.voter, r.request): r for r in records}
    told = collections.Counter()
    for v in voters:
        for ballot in v.ballots:
            told[ballot.outcome] += 1
            record = by_request.get((ballot.voter, ballot.request))
            if ballot.outcome in ("COMMITTED", "DUPLICATE"):
                assert record is not None, f"told {ballot.outcome}, not in the log: {ballot}"
                assert (record.index, record.candidate) == (ballot.index, ballot.candidate), (record, ballot)
                assert record.revision == ballot.revision
            elif ballot.outcome in ("CLOSED", "NOT_STARTED", "NO_VOTER", "NO_CANDIDATE"):
                assert record is None, f"told {ballot.outcome}, in the log: {ballot}"
    return told


class Ballot:
    def __init__(self, voter, candidate):
        self.voter, self.candidate, self.request = voter, candidate, os.urandom(16)
        self.outcome, self.index, self.revision, self.tries = None, None, None, 0

    def __repr__(self):
        return f"<ballot {self.request.hex()} for {self.candidate}: {self.outcome} {self.index}, {self.tries} tries>"


class Link:
    """A server's peer port, as another server sees it that sorts before all others."""

    _serial = 0

    def __init__(self, election, server, name=None, config=None, incarnation=None, life=None):
        Link._serial += 1
        self.name = name or f"a-client-{os.getpid()}-{Link._serial}"
        self.socket = socket.create_connection((server.host, server.port("peer")), timeout=WAIT_S)
        if election.tls:
            self.name = name or "a-client"
            self.socket = election.tls.wrap_socket(self.socket)
        self.bytes = b""
        me, them = self.name.encode(), server.name.encode()
        self.send(HELLO, struct.pack(">4sI32s16sQ", b"CVLK", 1, config or election.config,
                                     incarnation or os.urandom(16), random.getrandbits(64) if life is None else life) +
                  bytes([len(me)]) + me + bytes([len(them)]) + them)

    def send(self, kind, body):
        self.socket.sendall(struct.pack(">IB", 1 + len(body), kind) + body)

    def receive(self, pings=False):
        """The next frame (pings: also a PING), (kind, body); None when the link has ended."""
        while True:
            if len(self.bytes) >= 4:
                size = struct.unpack_from(">I", self.bytes)[0]
                if len(self.bytes) >= 4 + size:
                    frame, self.bytes = self.bytes[4:4 + size], self.bytes[4 + size:]
                    if frame[0] == PING and not pings:
                        continue
                    return frame[0], frame[1:]
            try:
                more = self.socket.recv(65536)
            except (ConnectionError, TimeoutError):
                return None
            if not more:
                return None
            self.bytes += more

    def has_more(self):
        """A frame can be had without waiting."""
        if len(self.bytes) < 4 or len(self.bytes) < 4 + struct.unpack_from(">I", self.bytes)[0]:
            return hasattr(self.socket, "pending") and self.socket.pending() > 0
        return True

    def refusal(self):
        """Why the server does not want this link; None: it has said HELLO, or nothing."""
        frame = self.receive()
        return frame[1].decode() if frame and frame[0] == REFUSED else None

    def close(self):
        self.socket.close()


class Voters:
    """Casts for one state at all servers, `width` at a time, until told to end. What is not decided is cast again
    under the same request id, elsewhere."""

    def __init__(self, election, state, width=16, voters=1000, revote=0.2, seed=1):
        self.election, self.state, self.width, self.voters = election, state, width, voters
        self.number = election.states.index(state)
        self.random = random.Random(seed)
        self.revote = revote
        self.ballots, self.pending, self.open = [], collections.deque(), {}
        self.acknowledged = 0
        self.taking, self.running = True, True
        self.lock = threading.Condition()
        self.links = {}
        self.error = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.finish(check=exception[0] is None)

    def finish(self, timeout_s=WAIT_S, check=True):
        """No new votes; waits until all that were cast are decided."""
        self.taking = False
        deadline = time.monotonic() + timeout_s
        with self.lock:
            decided = self.lock.wait_for(lambda: self.error or not (self.open or self.pending),
                                         max(0, deadline - time.monotonic()))
            left = [*self.open.values(), *self.pending]
        self.running = False
        self.thread.join()
        if self.error:
            raise self.error
        assert decided or not check, f"not decided: {left[:5]}\n{self.election.tails()}"

    def wait_acknowledged(self, more, timeout_s=WAIT_S):
        with self.lock:
            goal = self.acknowledged + more
            done = self.lock.wait_for(lambda: self.error or self.acknowledged >= goal, timeout_s)
        if self.error:
            raise self.error
        assert done, f"{self.acknowledged} of {goal} votes\n{self.election.tails()}"

    # --- the thread ---

    def _run(self):
        try:
            while self.running:
                self._fill()
                self._listen()
        except Exception as e:  # told to whoever waits
            with self.lock:
                self.error = e
                self.lock.notify_all()
        finally:
            for link in self.links.values():
                link.close()

    def _new_ballot(self):
        if self.ballots and self.random.random() < self.revote:
            voter = self.random.choice(self.ballots).voter
        else:
            voter = self.election.pseudonym(self.state, f"{self.state}-{self.random.randint(1, self.voters)}")
        ballot = Ballot(voter, self.random.randrange(self.election.candidates))
        self.ballots.append(ballot)
        return ballot

    def _links(self):
        for server in self.election.servers:
            if server not in self.links and server.process is not None and server.ready:
                with contextlib.suppress(OSError):
                    self.links[server] = Link(self.election, server)
        return list(self.links)

    def _fill(self):
        servers = self._links()
        with self.lock:
            # A server that is stopped does not even say that it does not answer.
            for key in [k for k, b in self.open.items() if time.monotonic() > b.give_up_at]:
                self.pending.append(self.open.pop(key))
            while servers and self.taking and len(self.open) + len(self.pending) < self.width:
                self.pending.append(self._new_ballot())
        while servers and self.pending:
            server = self.random.choice(servers)
            ballot = self.pending.popleft()
            ballot.tries += 1
            number = self.random.getrandbits(63)
            ballot.give_up_at = time.monotonic() + 0.5
            self.open[number, server] = ballot
            try:
                self.links[server].send(CAST, struct.pack(
                    ">QH16sH16sBIQ", number, self.number, ballot.voter, ballot.candidate, ballot.request, 0, 5000, 0))
            except OSError:
                self._lose(server)
                return

    def _lose(self, server):
        self.links.pop(server).close()
        for key in [k for k in self.open if k[1] is server]:
            self.pending.append(self.open.pop(key))

    def _listen(self):
        if not self.links:
            with self.election.begun:  # or an end, or a server that refuses while it begins or ends
                self.election.begun.wait(0.05)
            return
        by_socket = {link.socket: server for server, link in self.links.items()}
        ready, _, _ = select.select(list(by_socket), [], [], 0.05)
        for s in ready:
            server = by_socket[s]
            link = self.links.get(server)
            while link is not None:
                frame = link.receive(pings=True)
                if frame is None:
                    self._lose(server)
                    break
                if frame[0] == ANSWER:
                    self._answer(server, frame[1])
                if not link.has_more():
                    break

    def _answer(self, server, body):
        number, kind, _leader, _round, _epoch, index, revision = struct.unpack_from(">QBiQQQB", body)
        ballot = self.open.pop((number, server), None)
        if ballot is None:
            return
        answer = ANSWERS[kind]
        with self.lock:
            if answer in ("NOT_LEADER", "UNAVAILABLE", "UNKNOWN_RETRY", "BUSY", "CLOSING", "NOT_STARTED"):
                self.pending.append(ballot)  # another server, or later
            else:
                ballot.outcome, ballot.index, ballot.revision = answer, index, revision
                self.acknowledged += answer in ("COMMITTED", "DUPLICATE")
            self.lock.notify_all()
        if answer in ("UNAVAILABLE", "CLOSING", "NOT_STARTED"):
            time.sleep(0.01)  # the voter's own patience: this is a load, it waits for nothing
