"""HTTP/2 by hand: a peer of gRPC that does what no library would do. Frames alone: what is in a block of headers
is not read, messages are.

    peer = Peer(port)                        # has exchanged SETTINGS
    stream = peer.call("/election.v1.Voting/CastStream")
    peer.message(stream, request)            # bytes
    for frame in peer.frames(): ...          # DATA, HEADERS, ...; PING and SETTINGS are answered
        for message in peer.whole(frame): ...    # if it is DATA
"""

import collections
import socket
import struct

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE = range(9)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
CANCEL, REFUSED_STREAM = 8, 7
INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS = 4, 3
WAIT_S = 30

Frame = collections.namedtuple("Frame", "kind flags stream body")


def frame(kind, flags, stream, body=b""):
    return struct.pack(">IBI", len(body) << 8 | kind, flags, stream) + body


def literal(name, value):
    """One header in HPACK: a name and a value as they are."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def request_headers(path):
    return b"".join(literal(name, value) for name, value in [
        (b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()), (b":authority", b"x"),
        (b"te", b"trailers"), (b"content-type", b"application/grpc")])


def in_grpc(message):
    return struct.pack(">BI", 0, len(message)) + message


class Peer:
    """window: how many bytes of each stream the server may send before it is told that they were read; None: as much
    as it likes."""

    def __init__(self, port, window=None, receive_bytes=None):
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(WAIT_S)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received, self.out, self.last_stream = bytearray(), bytearray(), -1
        self.parts = collections.defaultdict(bytearray)  # of messages, by stream
        ours = struct.pack(">HI", INITIAL_WINDOW_SIZE, 2**31 - 1 if window is None else window)
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, ours) +
                            frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**31 - 1 - 65535)))
        settings = next(f for f in self.frames() if f.kind == SETTINGS)
        self.settings = dict(struct.iter_unpack(">HI", settings.body))

    def call(self, path, message=None, end=False):
        """Begins a call, when flushed; its stream."""
        self.last_stream += 2
        only = end and message is None
        self.out += frame(HEADERS, END_HEADERS | (END_STREAM if only else 0), self.last_stream, request_headers(path))
        if message is not None:
            self.message(self.last_stream, message, end)
        return self.last_stream

    def message(self, stream, message, end=False):
        self.out += frame(DATA, END_STREAM if end else 0, stream, in_grpc(message))

    def end(self, stream):
        self.out += frame(DATA, END_STREAM, stream)

    def flush(self):
        self.socket.sendall(self.out)
        self.out.clear()

    def _take(self):
        """A whole frame, or None."""
        if len(self.received) < 9:
            return None
        word, flags, stream = struct.unpack_from(">IBI", self.received)
        size = word >> 8
        if len(self.received) < 9 + size:
            return None
        body = bytes(self.received[9:9 + size])
        del self.received[:9 + size]
        return Frame(word & 0xff, flags, stream & 2**31 - 1, body)

    def frames(self):
        """As they come, until the server closes the connection. PING and SETTINGS are answered."""
        while True:
            while (f := self._take()) is not None:
                if f.kind in (PING, SETTINGS) and not f.flags & ACK:
                    self.socket.sendall(frame(f.kind, ACK, 0, f.body if f.kind == PING else b""))
                yield f
            try:
                got = self.socket.recv(1 << 20)
            except ConnectionResetError:
                return
            if not got:
                return
            self.received += got

    def whole(self, f):
        """Messages that are whole with this frame of DATA."""
        part = self.parts[f.stream]
        part += f.body
        while len(part) >= 5 and len(part) >= 5 + (size := int.from_bytes(part[1:5], "big")):
            yield bytes(part[5:5 + size])
            del part[:5 + size]

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
