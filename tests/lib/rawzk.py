"""ZooKeeper's client protocol, by hand.

Builds every frame byte by byte and takes every answer apart to the last byte, so that a
test can say exactly what a server must send, and can send what no client library would.

    with server.session() as s:
        path = s.ok(create("/a", b"x"))
        stat = s.ok(exists("/a"))
        assert s.err(delete("/a", version=7)) == BADVERSION

An operation is an Op(type, body, decode): the opcode, the request record and the function
that takes the response record apart. `Session.ok` wants err 0 and returns what `decode`
found, with nothing left over; `Session.err` wants an error, with no record after it.
Notifications that arrive meanwhile are kept, in order, in `Session.events`.
"""

import collections
import socket
import struct

# Error codes (KeeperException.Code).
OK = 0
RUNTIMEINCONSISTENCY = -2
MARSHALLINGERROR = -5
UNIMPLEMENTED = -6
BADARGUMENTS = -8
NONODE = -101
NOAUTH = -102
BADVERSION = -103
NOCHILDRENFOREPHEMERALS = -108
NODEEXISTS = -110
NOTEMPTY = -111
SESSIONEXPIRED = -112
INVALIDACL = -114
AUTHFAILED = -115
NOWATCHER = -121
RECONFIGDISABLED = -123
SESSIONCLOSEDREQUIRESASLAUTH = -124
QUOTAEXCEEDED = -125

# Opcodes (ZooDefs.OpCode).
CREATE, DELETE, EXISTS, GETDATA, SETDATA, GETACL, SETACL, GETCHILDREN, SYNC = range(1, 10)
PING, GETCHILDREN2, CHECK, MULTI, CREATE2, RECONFIG, CHECKWATCHES, REMOVEWATCHES = range(11, 19)
CREATECONTAINER, DELETECONTAINER, CREATETTL, MULTIREAD = range(19, 23)
AUTH, SETWATCHES, SASL, GETEPHEMERALS, GETALLCHILDRENNUMBER, SETWATCHES2 = range(100, 106)
ADDWATCH, WHOAMI = 106, 107
CREATESESSION, CLOSESESSION, ERROR = -10, -11, -1

# Special transaction ids of a request.
XID_NOTIFICATION, XID_PING, XID_AUTH, XID_SETWATCHES = -1, -2, -4, -8

# Permissions.
READ, WRITE, CREATE_PERM, DELETE_PERM, ADMIN, ALL = 1, 2, 4, 8, 16, 31

# Create flags.
PERSISTENT, EPHEMERAL, SEQUENTIAL, EPHEMERAL_SEQUENTIAL, CONTAINER, TTL, TTL_SEQUENTIAL = range(7)

# Event types, and the only state a server sends in them.
NODE_CREATED, NODE_DELETED, NODE_DATA_CHANGED, NODE_CHILDREN_CHANGED = range(1, 5)
SYNC_CONNECTED = 3

# Watcher kinds of checkWatches and removeWatches; modes of addWatch.
W_CHILDREN, W_DATA, W_ANY, W_PERSISTENT, W_RECURSIVE = range(1, 6)
MODE_PERSISTENT, MODE_RECURSIVE = 0, 1

Op = collections.namedtuple("Op", "type body decode")
Reply = collections.namedtuple("Reply", "xid zxid err body")
Event = collections.namedtuple("Event", "type path state zxid", defaults=(SYNC_CONNECTED, None))
Acl = collections.namedtuple("Acl", "perms scheme id")
Stat = collections.namedtuple(
    "Stat",
    "czxid mzxid ctime mtime version cversion aversion ephemeral_owner data_length"
    " num_children pzxid",
)
ConnectReply = collections.namedtuple(
    "ConnectReply", "protocol timeout_ms session_id password read_only"
)

OPEN = [Acl(ALL, "world", "anyone")]
READ_ONLY = [Acl(READ, "world", "anyone")]


class Closed(Exception):
    """The server closed the connection."""


class Malformed(AssertionError):
    """An answer is not a whole record of the kind it should be."""


# --- bytes out -----------------------------------------------------------------------


def i32(n):
    return struct.pack(">i", n)


def i64(n):
    return struct.pack(">q", n)


def boolean(b):
    return b"\x01" if b else b"\x00"


def buf(b):
    return i32(-1) if b is None else i32(len(b)) + b


def ustr(s):
    return buf(s if s is None or isinstance(s, bytes) else s.encode("utf-8", "surrogatepass"))


def vec(encode, items):
    return i32(-1) if items is None else i32(len(items)) + b"".join(map(encode, items))


def acl_bytes(acls):
    return vec(lambda a: i32(a.perms) + ustr(a.scheme) + ustr(a.id), acls)


def frame(payload):
    return i32(len(payload)) + payload


def connect_request(
    timeout_ms=10000, session_id=0, password=bytes(16), last_zxid=0, read_only=False, protocol=0
):
    """read_only=None leaves the field out, as clients up to 3.3 do."""
    record = i32(protocol) + i64(last_zxid) + i32(timeout_ms) + i64(session_id) + buf(password)
    return record if read_only is None else record + boolean(read_only)


# --- bytes in ------------------------------------------------------------------------


class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, n):
        if n < 0 or self.at + n > len(self.data):
            raise Malformed(f"wants {n} bytes at {self.at} of {self.data.hex()}")
        piece = self.data[self.at : self.at + n]
        self.at += n
        return piece

    def i32(self):
        return struct.unpack(">i", self.take(4))[0]

    def i64(self):
        return struct.unpack(">q", self.take(8))[0]

    def boolean(self):
        byte = self.take(1)
        if byte not in (b"\x00", b"\x01"):
            raise Malformed(f"boolean is {byte!r}")
        return byte == b"\x01"

    def buf(self):
        n = self.i32()
        return None if n == -1 else self.take(n)

    def ustr(self):
        b = self.buf()
        return None if b is None else b.decode("utf-8")

    def vec(self, decode):
        n = self.i32()
        return None if n == -1 else [decode(self) for _ in range(n)]

    def stat(self):
        return Stat(*struct.unpack(">4q3iq2iq", self.take(68)))

    def acl(self):
        return Acl(self.i32(), self.ustr(), self.ustr())

    def rest(self):
        return self.take(len(self.data) - self.at)

    def end(self):
        if self.at != len(self.data):
            raise Malformed(f"{len(self.data) - self.at} bytes too many in {self.data.hex()}")


def _nothing(_reader):
    return None


def _data_and_stat(r):
    return r.buf(), r.stat()


def _path_and_stat(r):
    return r.ustr(), r.stat()


# --- operations ----------------------------------------------------------------------


def _create_record(path, data, acl, flags):
    return ustr(path) + buf(data) + acl_bytes(acl) + i32(flags)


def create(path, data=b"", acl=OPEN, flags=PERSISTENT):
    return Op(CREATE, _create_record(path, data, acl, flags), Reader.ustr)


def create2(path, data=b"", acl=OPEN, flags=PERSISTENT):
    return Op(CREATE2, _create_record(path, data, acl, flags), _path_and_stat)


def create_container(path, data=b"", acl=OPEN, flags=CONTAINER):
    return Op(CREATECONTAINER, _create_record(path, data, acl, flags), _path_and_stat)


def create_ttl(path, ttl_ms, data=b"", acl=OPEN, flags=TTL):
    return Op(CREATETTL, _create_record(path, data, acl, flags) + i64(ttl_ms), _path_and_stat)


def delete(path, version=-1):
    return Op(DELETE, ustr(path) + i32(version), _nothing)


def exists(path, watch=False):
    return Op(EXISTS, ustr(path) + boolean(watch), Reader.stat)


def get_data(path, watch=False):
    return Op(GETDATA, ustr(path) + boolean(watch), _data_and_stat)


def set_data(path, data, version=-1):
    return Op(SETDATA, ustr(path) + buf(data) + i32(version), Reader.stat)


# A write that is refused. It comes behind all writes before it, at any server. A sync does so too, but
# not at a leader of Apache's: that passes it on as a read, while its own tree may be behind what its
# followers have answered already (CommitProcessor, matchSyncs).
BARRIER = set_data("/no such znode", b"")


def get_acl(path):
    return Op(GETACL, ustr(path), lambda r: (r.vec(Reader.acl), r.stat()))


def set_acl(path, acl, version=-1):
    return Op(SETACL, ustr(path) + acl_bytes(acl) + i32(version), Reader.stat)


def get_children(path, watch=False):
    return Op(GETCHILDREN, ustr(path) + boolean(watch), lambda r: r.vec(Reader.ustr))


def get_children2(path, watch=False):
    return Op(
        GETCHILDREN2, ustr(path) + boolean(watch), lambda r: (r.vec(Reader.ustr), r.stat())
    )


def sync(path):
    return Op(SYNC, ustr(path), Reader.ustr)


def check(path, version=-1):
    return Op(CHECK, ustr(path) + i32(version), _nothing)


def reconfig(joining=None, leaving=None, members=None, config_id=-1):
    return Op(
        RECONFIG, ustr(joining) + ustr(leaving) + ustr(members) + i64(config_id), _data_and_stat
    )


def check_watches(path, kind):
    return Op(CHECKWATCHES, ustr(path) + i32(kind), _nothing)


def remove_watches(path, kind):
    return Op(REMOVEWATCHES, ustr(path) + i32(kind), _nothing)


def delete_container(path):
    return Op(DELETECONTAINER, ustr(path), _nothing)


def get_ephemerals(prefix):
    return Op(GETEPHEMERALS, ustr(prefix), lambda r: r.vec(Reader.ustr))


def get_all_children_number(path):
    return Op(GETALLCHILDRENNUMBER, ustr(path), Reader.i32)


def add_watch(path, mode):
    return Op(ADDWATCH, ustr(path) + i32(mode), Reader.i32)


def who_am_i():
    return Op(WHOAMI, b"", lambda r: r.vec(lambda r: (r.ustr(), r.ustr())))


def set_watches(zxid, data=(), exist=(), child=(), persistent=None, recursive=None):
    """With persistent or recursive: setWatches2."""
    body = i64(zxid) + vec(ustr, data) + vec(ustr, exist) + vec(ustr, child)
    if persistent is None and recursive is None:
        return Op(SETWATCHES, body, _nothing)
    body += vec(ustr, persistent or ()) + vec(ustr, recursive or ())
    return Op(SETWATCHES2, body, _nothing)


def auth(scheme, credentials):
    return Op(AUTH, i32(0) + ustr(scheme) + buf(credentials), _nothing)


def ping():
    return Op(PING, b"", _nothing)


def close_session():
    return Op(CLOSESESSION, b"", _nothing)


def multi_header(op_type, done, err):
    return i32(op_type) + boolean(done) + i32(err)


MULTI_END = multi_header(-1, True, -1)


def multi_body(ops):
    return b"".join(multi_header(op.type, False, -1) + op.body for op in ops) + MULTI_END


def multi(*ops):
    return Op(MULTI, multi_body(ops), decode_multi)


def multi_read(*ops):
    return Op(MULTIREAD, multi_body(ops), decode_multi)


_MULTI_RESULTS = {
    CREATE: Reader.ustr,
    CREATE2: _path_and_stat,
    DELETE: _nothing,
    CHECK: _nothing,
    SETDATA: Reader.stat,
    GETCHILDREN: lambda r: r.vec(Reader.ustr),
    GETDATA: _data_and_stat,
    ERROR: Reader.i32,
}


def decode_multi(r):
    """The results as [(type, value)]; an error is (ERROR, code)."""
    results = []
    while True:
        op_type, done, err = r.i32(), r.boolean(), r.i32()
        if done:
            if (op_type, err) != (-1, -1):
                raise Malformed(f"multi ends with type {op_type} err {err}")
            return results
        if op_type not in _MULTI_RESULTS:
            raise Malformed(f"multi result of type {op_type}")
        value = _MULTI_RESULTS[op_type](r)
        if op_type == ERROR and value != err:
            raise Malformed(f"multi error {err} in the header, {value} in the record")
        if op_type != ERROR and err != 0:
            raise Malformed(f"multi result of type {op_type} with err {err}")
        results.append((op_type, value))


# --- connections ---------------------------------------------------------------------

WAKE_AFTER_S = 1.5

class Conn:
    """A TCP connection that speaks in frames, or in whatever bytes it is told to; `tls`: with this ssl context.
    `wake`: called once in each wait that lasts for WAKE_AFTER_S."""

    def __init__(self, address, timeout_s=10.0, tls=None, wake=None):
        self.wake = wake
        self.sock = socket.create_connection(address, timeout=timeout_s)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname=address[0])
        self.pending = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send_bytes(self, data):
        self.sock.sendall(data)

    def send_frame(self, payload):
        self.send_bytes(frame(payload))

    def _recv(self):
        timeout_s = self.sock.gettimeout()
        if self.wake is not None and (timeout_s is None or timeout_s > WAKE_AFTER_S):
            self.sock.settimeout(WAKE_AFTER_S)
            try:
                return self.sock.recv(1 << 18)
            except TimeoutError:
                self.wake()
            finally:
                self.sock.settimeout(timeout_s)
        return self.sock.recv(1 << 18)

    def _fill(self, n):
        while len(self.pending) < n:
            try:
                piece = self._recv()
            except (ConnectionResetError, BrokenPipeError) as e:
                raise Closed(str(e)) from None
            if not piece:
                raise Closed(f"end of stream after {bytes(self.pending[:100])!r}")
            self.pending += piece

    def _take(self, n):
        self._fill(n)
        taken = bytes(self.pending[:n])
        del self.pending[:n]
        return taken

    def recv_frame(self):
        n = struct.unpack(">i", self._take(4))[0]
        if n < 0:
            raise Malformed(f"frame of {n} bytes")
        return self._take(n)

    def recv_until_closed(self):
        """Everything the server says before it closes."""
        try:
            while True:
                self._fill(len(self.pending) + 1)
        except Closed:
            return self._take(len(self.pending))

    def expect_closed(self):
        """The server closes the connection and says nothing before."""
        said = self.recv_until_closed()
        assert said == b"", f"server answered {said.hex()} before it closed"

    def handshake(self, request):
        self.send_frame(request)
        return self.recv_connect_reply()

    def recv_connect_reply(self):
        r = Reader(self.recv_frame())
        protocol, timeout_ms, session_id, password = r.i32(), r.i32(), r.i64(), r.buf()
        read_only = r.boolean() if r.at < len(r.data) else None
        r.end()
        return ConnectReply(protocol, timeout_ms, session_id, password, read_only)


def cut(address, session_id):
    """A connect that names a session closes the session's older connection, even with a wrong password."""
    with Conn(address) as conn:
        conn.handshake(connect_request(session_id=session_id, password=b"x" * 16, timeout_ms=2000))


class Session(Conn):
    """A connection with a session on it. Keyword arguments as connect_request."""

    def __init__(self, address, timeout_s=10.0, tls=None, wake=None, **connect):
        super().__init__(address, timeout_s, tls, wake)
        self.xid = 0
        self.zxid = 0
        self.events = []
        self.connect_reply = self.handshake(connect_request(**connect))
        self.id = self.connect_reply.session_id
        self.password = self.connect_reply.password
        self.timeout_ms = self.connect_reply.timeout_ms

    def next_xid(self, op_type):
        fixed = {
            PING: XID_PING,
            AUTH: XID_AUTH,
            SETWATCHES: XID_SETWATCHES,
            SETWATCHES2: XID_SETWATCHES,
        }
        if op_type in fixed:
            return fixed[op_type]
        self.xid += 1
        return self.xid

    def request_bytes(self, op, xid=None):
        xid = self.next_xid(op.type) if xid is None else xid
        return xid, frame(i32(xid) + i32(op.type) + op.body)

    def send(self, op, xid=None):
        """Send without waiting; returns the xid."""
        xid, data = self.request_bytes(op, xid)
        self.send_bytes(data)
        return xid

    def send_all(self, ops):
        """Send many requests in one write; returns their xids."""
        requests = [self.request_bytes(op) for op in ops]
        self.send_bytes(b"".join(data for _, data in requests))
        return [xid for xid, _ in requests]

    def recv(self):
        """The next packet: a Reply or an Event."""
        r = Reader(self.recv_frame())
        xid, zxid, err = r.i32(), r.i64(), r.i32()
        if xid != XID_NOTIFICATION:
            if zxid > 0:
                self.zxid = zxid
            return Reply(xid, zxid, err, r.rest())
        if err != 0:
            raise Malformed(f"notification with err {err}")
        kind, state, path = r.i32(), r.i32(), r.ustr()
        r.end()
        return Event(kind, path, state, zxid)

    def reply(self):
        """The next reply; events on the way are kept."""
        while True:
            packet = self.recv()
            if isinstance(packet, Reply):
                return packet
            self.events.append(packet)

    def call(self, op, xid=None):
        xid = self.send(op, xid)
        reply = self.reply()
        assert reply.xid == xid, f"reply to {reply.xid}, wanted {xid}"
        return reply

    def ok(self, op):
        return decode(op, self.call(op))

    def err(self, op):
        reply = self.call(op)
        assert reply.err != 0, f"succeeded: {reply}"
        assert reply.body == b"", f"record after an error: {reply}"
        return reply.err

    def catch_up(self):
        """Behind it the server shows everything that was answered anywhere before."""
        assert self.err(BARRIER) == NONODE

    def event(self):
        """The next event, which nothing may precede."""
        if self.events:
            return self.events.pop(0)
        packet = self.recv()
        assert isinstance(packet, Event), f"wanted an event, got {packet}"
        return packet

    def drain_events(self):
        """The (type, path) of all events the server has queued for us by now: they come
        before the reply to a ping."""
        self.call(ping())
        events, self.events = self.events, []
        return [(e.type, e.path) for e in events]

    def drain_full_events(self):
        self.call(ping())
        events, self.events = self.events, []
        return events

    def authenticate(self, scheme, credentials):
        reply = self.call(auth(scheme, credentials))
        assert (reply.zxid, reply.err, reply.body) == (0, 0, b""), reply

    def close_session(self):
        """Close the session in an orderly way and wait for the end of the stream."""
        reply = self.call(close_session())
        assert (reply.err, reply.body) == (0, b""), reply
        self.expect_closed()
        self.close()


def decode(op, reply):
    assert reply.err == 0, f"error {reply.err}"
    r = Reader(reply.body)
    value = op.decode(r)
    r.end()
    return value


def moves_zxid_by(s, count, act):
    """Whether that many transactions come of it. A session of a test before may expire meanwhile, which is one more: of three
    tries one is enough."""
    for _ in range(3):
        before = s.call(exists("/")).zxid
        act()
        if s.call(exists("/")).zxid == before + count:
            return True
    return False


# --- java.util.Random, which makes session passwords ---------------------------------


def session_password(session_id):
    """The 16 bytes a ZooKeeper server derives from a session id."""
    mask48 = (1 << 48) - 1
    seed = ((session_id ^ 0xB3415C00) ^ 0x5DEECE66D) & mask48
    out = b""
    while len(out) < 16:
        seed = (seed * 0x5DEECE66D + 0xB) & mask48
        out += struct.pack("<I", (seed >> 16) & 0xFFFFFFFF)
    return out
