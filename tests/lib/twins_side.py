"""One of two servers that are told the same (lib/twins.py): what it is told, and what it said without what is its own.

Everything a server sends is taken apart to the last byte. Replaced is what has to differ: session ids by the order in which
the sessions were made, passwords by whether they belong to the id, times by whether they are those of the transaction that a
Stat names. Sorted is what is a set to whoever gets it: children, ephemerals, the identities of a connection.
"""

import collections
import contextlib
import itertools
import re
import struct

import rawzk
from rawzk import (
    CHECK,
    CREATE,
    CREATE2,
    CREATECONTAINER,
    CREATETTL,
    DELETE,
    ERROR,
    EXISTS,
    GETACL,
    GETALLCHILDRENNUMBER,
    GETCHILDREN,
    GETCHILDREN2,
    GETDATA,
    GETEPHEMERALS,
    MULTI,
    MULTIREAD,
    PING,
    RECONFIG,
    SETACL,
    SETDATA,
    SYNC,
    WHOAMI,
    Closed,
    Malformed,
    Stat,
    frame,
    i32,
)

SLOTS = 5  # of connections that a sequence has at once
SESSION_MS = 3600_000  # longer than any sequence: no session ends that nobody ended
SUPER = b"super:test"
SUPER_DIGEST = "super:D/InIHSb7yEEbrWz8b9l71RjZJU="
USER = b"u:p"

# What a sequence is made of is plain data, so that it can be played again with parts left out.
#
# Request: `text` is for people; `raw` replaces the whole frame, its length included. Send, by how it ends:
#   "ping"    a ping follows, and its answer ends what is waited for
#   "close"   the last request closes the session: a ping behind it is answered or not
#   "alone"   the only request may end the connection; a ping follows if it did not
#   "hangup"  the client's side ends behind the requests, and no answer is looked at
# Connect: a new connection in that slot, with these fields; `of`: they name the session of that slot, `right`: with its
#   password.
# Bytes: those, on a connection of their own, then the end of the client's side. Restart: of the server, by SIGKILL.
Request = collections.namedtuple("Request", "text type body xid raw", defaults=(None, None))
Send = collections.namedtuple("Send", "slot requests end", defaults=("ping",))
Connect = collections.namedtuple("Connect", "slot fields of right")
Bytes = collections.namedtuple("Bytes", "data")
Restart = collections.namedtuple("Restart", "")

NO_SESSION = (0x7777, bytes(16))
REFUSED_AND_CLOSED = (rawzk.UNIMPLEMENTED, rawzk.AUTHFAILED, rawzk.SESSIONCLOSEDREQUIRESASLAUTH)
FOREVER = (b"/", b"/zookeeper", b"/zookeeper/quota", b"/zookeeper/config")


class _Reader(rawzk.Reader):
    """Strings as they are: not all that servers send back is UTF-8."""

    def ustr(self):
        return self.buf()


class Side:
    """What one server has said so far, without what is its own."""

    def __init__(self, server):
        self.server = server
        self.conns = [None] * SLOTS
        self.sessions = [None] * SLOTS  # (id, password) of the last one in each slot
        self.names = {}                 # by session id
        self.alive = {}                 # passwords, by session id, of all that were not closed
        self.times = {}                 # by zxid
        self.xids = [0] * SLOTS
        self.look_after()

    def look_after(self, **session):
        """By a session that may do everything, and is none of the sequence's."""
        self.admin = self.server.raw_session(timeout_ms=SESSION_MS, **session)
        self.admin.authenticate("digest", SUPER)

    def close(self):
        for conn in filter(None, [self.admin, *self.conns]):
            conn.close()

    # --- replies, taken apart ---

    def _owner(self, session_id):
        return session_id and self.names.get(session_id, hex(session_id))

    def _time(self, zxid, at):
        """Every Stat has to tell the same time of a transaction."""
        known = self.times.setdefault(zxid, at)
        return "its" if known == at else f"{at}, not {known}"

    def _stat(self, r):
        s = r.stat()
        order = "" if s.mtime >= s.ctime else "changed before it was made"
        return s._replace(ctime=self._time(s.czxid, s.ctime), mtime=self._time(s.mzxid, s.mtime) + order,
                          ephemeral_owner=self._owner(s.ephemeral_owner))

    def _names(self, r):
        """A set: nobody promised an order."""
        names = r.vec(_Reader.buf)
        return names if names is None else sorted(names)

    def _acls(self, r):
        """In order; what "auth" was replaced by is a set."""
        acls = r.vec(lambda r: (r.i32(), r.buf(), r.buf()))
        grouped = itertools.groupby(acls, lambda acl: (acl[0], acl[1] in (b"digest", b"super")))
        return [acl for (_, identity), run in grouped for acl in (sorted(run) if identity else run)]

    def _multi(self, r):
        results = []
        while True:
            op_type, done, err = r.i32(), r.boolean(), r.i32()
            if done:
                return [*results, (op_type, err)]
            results.append((op_type, err, r.i32() if op_type == ERROR else self._value(op_type, r)))

    def _value(self, op_type, r):
        path_and_stat = lambda: (r.buf(), self._stat(r))
        return {
            CREATE: r.buf, CREATE2: path_and_stat, CREATECONTAINER: path_and_stat, CREATETTL: path_and_stat,
            EXISTS: lambda: self._stat(r), SETDATA: lambda: self._stat(r), SETACL: lambda: self._stat(r),
            GETDATA: path_and_stat, RECONFIG: path_and_stat, SYNC: r.buf, GETALLCHILDRENNUMBER: r.i32,
            GETACL: lambda: (self._acls(r), self._stat(r)),
            GETCHILDREN: lambda: self._names(r), GETEPHEMERALS: lambda: self._names(r),
            GETCHILDREN2: lambda: (self._names(r), self._stat(r)),
            WHOAMI: lambda: sorted(r.vec(lambda r: (r.buf(), r.buf()))),
            MULTI: lambda: self._multi(r), MULTIREAD: lambda: self._multi(r),
            DELETE: lambda: None, CHECK: lambda: None,
        }.get(op_type, r.rest)()

    def _body(self, op_type, body):
        try:
            r = _Reader(body)
            value = self._value(op_type, r) if body else None
            r.end()
            return value
        except (Malformed, struct.error):
            return body.hex()

    def _packet(self, data, waiting):
        """`waiting`: (xid, type) of the requests without an answer. Those that one passes over get none."""
        if len(data) < 16:
            return data.hex()
        xid, zxid, err = struct.unpack(">iqi", data[:16])
        if xid == rawzk.XID_NOTIFICATION:
            r = _Reader(data[16:])
            return "event", zxid, r.i32(), r.i32(), r.buf(), r.rest()
        at = next((n for n, (sent, _) in enumerate(waiting) if sent == xid), None)
        if at is None:
            return "reply", xid, zxid, err, data[16:].hex()
        op_type = waiting[at][1]
        del waiting[: at + 1]
        return "reply", xid, zxid, err, self._body(op_type, data[16:])

    # --- connections ---

    def _end(self, slot):
        conn, self.conns[slot] = self.conns[slot], None
        conn.close()

    def collect(self, slot, waiting, to_the_end=False):
        """All until nothing is waited for, or the connection ends."""
        said = []
        try:
            while waiting or to_the_end:
                said.append(self._packet(self.conns[slot].recv_frame(), waiting))
        except Closed:
            said.append("closed")
        except TimeoutError:
            said.append("silence")
        except (Malformed, struct.error) as e:
            said.append(f"malformed: {e}")
        if said and isinstance(said[-1], str):
            self._end(slot)
        return said

    def send(self, slot, requests, end):
        waiting, data = [], []
        for request in requests:
            self.xids[slot] += 1
            fixed = {rawzk.AUTH: -4, rawzk.SETWATCHES: -8, rawzk.SETWATCHES2: -8}.get(request.type, self.xids[slot])
            xid = fixed if request.xid is None else request.xid
            waiting.append((-2 if request.type == PING else xid, request.type))
            data.append(frame(i32(xid) + i32(request.type) + request.body) if request.raw is None else request.raw)
        if end == "ping":
            waiting.append((-2, PING))
            data.append(frame(i32(-2) + i32(PING)))
        with contextlib.suppress(OSError):  # of one that is closed already, what it said comes first all the same
            self.conns[slot].send_bytes(b"".join(data))
        return waiting

    def hang_up(self, slot):
        """The server has taken what was sent before when it ends its side."""
        conn = self.conns[slot]
        with contextlib.suppress(OSError):
            conn.sock.shutdown(rawzk.socket.SHUT_WR)
            conn.recv_until_closed()
        self._end(slot)

    # --- actions ---

    def act(self, action):
        """What it says to that on the connection that acts."""
        if isinstance(action, Connect):
            return self._connect(action)
        if isinstance(action, Restart):
            return self._restart()
        if isinstance(action, Bytes):
            return self._bytes_alone(action.data)
        slot = action.slot
        waiting = self.send(slot, action.requests, action.end)
        if action.end == "hangup":
            self.hang_up(slot)
            self.admin.call(rawzk.BARRIER)  # nobody's pings wait for what a client left behind
            return []
        said = self.collect(slot, waiting, action.end == "close")
        if action.end == "close":
            self.alive.pop(self.sessions[slot][0], None)
        elif action.end == "alone" and self.conns[slot]:
            closes = said[-1][3] in REFUSED_AND_CLOSED
            said += self.collect(slot, [] if closes else self.send(slot, [], "ping"), closes)
        return said

    def _connect(self, action):
        """A new connection in that slot; the answer."""
        if self.conns[action.slot]:
            self.hang_up(action.slot)
        fields = dict(action.fields)
        tail, cut = fields.pop("tail", b""), fields.pop("cut", None)
        if action.of is not None:
            session_id, password = self.sessions[action.of] or NO_SESSION
            fields["session_id"] = session_id
            if action.right:
                fields["password"] = password
        conn = self.server.conn()
        self.conns[action.slot] = conn
        record = rawzk.connect_request(**fields)
        try:
            conn.send_frame((record if cut is None else record[:cut]) + tail)
            answer = conn.recv_frame()
        except (Closed, TimeoutError) as e:
            self._end(action.slot)
            return [type(e).__name__]
        r = _Reader(answer)
        protocol, timeout_ms, session_id, password, rest = r.i32(), r.i32(), r.i64(), r.buf(), r.rest()
        if session_id == 0:
            said = [protocol, timeout_ms, session_id, password, rest]
            try:
                said.append(conn.recv_until_closed())
            except TimeoutError:
                said.append("silence")
            self._end(action.slot)
            return said
        self.names.setdefault(session_id, f"session {len(self.names)}")
        self.alive[session_id] = password
        self.sessions[action.slot] = (session_id, password)
        return [protocol, timeout_ms, self.names[session_id], password == rawzk.session_password(session_id), rest]

    def _restart(self):
        self.server.kill()
        self.close()
        self.conns = [None] * SLOTS
        self.server.start()
        self.look_after(session_id=self.admin.id, password=self.admin.password)
        return []

    def _bytes_alone(self, data):
        with self.server.conn() as conn:
            conn.send_bytes(data)
            with contextlib.suppress(OSError):  # the server was faster
                conn.sock.shutdown(rawzk.socket.SHUT_WR)
            try:
                return [conn.recv_until_closed()]
            except TimeoutError:
                return ["silence"]

    # --- the whole ---

    def _word(self, word):
        with self.server.conn() as conn:
            conn.send_bytes(word)
            text = conn.recv_until_closed()
        named = re.sub(rb"0x([0-9a-f]{8,})", lambda m: str(self._owner(int(m[1], 16))).encode(), text)
        return named.split(b"\n")

    def words(self):
        """What four letter words tell that both have to tell alike: not so "`approximate_data_size`"."""
        wanted = (b"znode_count", b"watch_count", b"ephemerals_count", b"num_alive_connections")
        counts = [line for line in self._word(b"mntr") if line.split(b"\t")[0][3:] in wanted]
        watchers, path = {}, None
        for line in self._word(b"wchp"):
            if line.startswith(b"\t"):
                watchers[path].append(line)
            else:
                path = line
                watchers[path] = []
        return sorted(counts), {path: sorted(lines) for path, lines in watchers.items()}

    def tree(self):
        """Data, ACL, children and Stats of every znode."""
        def ask(op):
            reply = self.admin.call(op)
            return reply.zxid, reply.err, self._body(op.type, reply.body)

        tree, todo = {}, [b"/"]
        while todo:
            path = todo.pop()
            tree[path] = [ask(op(path)) for op in (rawzk.get_data, rawzk.get_acl, rawzk.get_children2)]
            _, _, (names, _) = tree[path][2]
            todo += [path.rstrip(b"/") + b"/" + name for name in names]
        return tree

    def reset(self):
        """An empty tree without sessions."""
        for slot in range(SLOTS):
            if self.conns[slot]:
                self.hang_up(slot)
        for session_id, password in self.alive.items():
            session = self.server.raw_session(session_id=session_id, password=password, timeout_ms=SESSION_MS)
            session.authenticate("digest", USER)  # where nobody else may close it
            session.close_session()
        self.alive, self.sessions = {}, [None] * SLOTS
        for path in sorted(self.tree(), reverse=True):
            if path not in FOREVER:
                self.admin.ok(rawzk.delete(path))
        for path in FOREVER:
            self.admin.ok(rawzk.set_acl(path, rawzk.READ_ONLY if path == b"/zookeeper/config" else rawzk.OPEN))
            self.admin.ok(rawzk.set_data(path, b""))
