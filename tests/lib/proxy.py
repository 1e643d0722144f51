"""A proxy between clients and a server that knows frames: it counts them, holds them and loses them.

    with Proxy(server.address) as proxy:
        proxy.lose(CREATE2)     # the reply to the next one does not arrive: the connection is cut instead
        proxy.lost.wait(30)
        proxy.swallow(MULTI)    # the next one does not reach the server, and the connection is cut
        proxy.break_at("answer", 3) # the third answer from now on does not arrive; also "request", "event"
        proxy.foil(MULTI, act)  # act() before each one is passed on; None: no more
        proxy.hold(GET_CHILDREN)    # the reply waits, and all behind it, until proxy.release()
        proxy.forget(ADD_WATCH)     # for the server it is an operation that it never heard of
        proxy.silence()         # nothing passes any more, and nothing says so, until proxy.speak()
        proxy.cut()             # all connections end; new ones are served
        proxy.most_in_flight    # requests that have not been answered, of all connections
"""

import collections
import socket
import struct
import threading

NOTIFICATION_XID = -1
UNKNOWN_OP = 9999


class _Connection:
    def __init__(self, client, server):
        self.ends = (client, server)
        self.lose_xid = self.hold_xid = None

    def close(self):
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Proxy:
    def __init__(self, address):
        self.address = address
        self.requests = collections.Counter()  # by operation
        self.notifications = 0
        self.in_flight = self.most_in_flight = 0
        self.lost, self.held = threading.Event(), threading.Event()
        self._passes, self._released = threading.Event(), threading.Event()
        self._passes.set()
        self._lose_op = self._hold_op = self._swallow_op = None
        self._break_way, self._break_in = None, 0
        self._foiled = {}
        self._forgotten = set()
        self._lock = threading.Lock()
        self._connections = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._passes.set()
        self._released.set()
        self.cut()

    hosts = property(lambda self: f"127.0.0.1:{self.port}")

    # --- what is asked of it ---

    def lose(self, op):
        self.lost.clear()
        self._lose_op = op

    def swallow(self, op):
        self.lost.clear()
        self._swallow_op = op

    def break_at(self, way, number):
        """The connection is cut instead, once."""
        with self._lock:
            self.lost.clear()
            self._break_way, self._break_in = way, number

    @property
    def has_broken(self):
        """The cut of break_at was decided, before the client can know of it; `lost` comes when it is done."""
        with self._lock:
            return self._break_way is None

    def foil(self, op, act):
        self._foiled[op] = act

    def hold(self, op):
        self.held.clear()
        self._released.clear()
        self._hold_op = op

    def release(self):
        self._released.set()

    def forget(self, op):
        self._forgotten.add(op)

    def silence(self):
        self._passes.clear()

    def speak(self):
        self._passes.set()

    def cut(self):
        with self._lock:
            connections, self._connections = self._connections, []
            self.in_flight = 0
        for connection in connections:
            connection.close()

    # --- frames ---

    def _breaks(self, way):
        """Whether this one is not passed on. With the lock."""
        if way != self._break_way:
            return False
        self._break_in -= 1
        if self._break_in > 0:
            return False
        self._break_way = None
        return True

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.address)
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = _Connection(client, server)
            with self._lock:
                self._connections.append(connection)
            for pump in (self._requests, self._replies):
                threading.Thread(target=self._run, args=(pump, connection), daemon=True).start()

    def _run(self, pump, connection):
        try:
            pump(connection)
        except (OSError, EOFError):
            pass
        finally:
            connection.close()

    def _frames(self, end):
        def take(n):
            data = b""
            while len(data) < n:
                more = end.recv(n - len(data))
                if not more:
                    raise EOFError
                data += more
            return data

        while True:
            head = take(4)
            body = take(struct.unpack(">i", head)[0])
            self._passes.wait()
            yield head + body

    def _requests(self, connection):
        client, server = connection.ends
        for number, data in enumerate(self._frames(client)):
            if number > 0:
                xid, op = struct.unpack(">ii", data[4:12])
                with self._lock:
                    self.requests[op] += 1
                    self.in_flight += xid > 0
                    self.most_in_flight = max(self.most_in_flight, self.in_flight)
                    if op == self._lose_op:
                        self._lose_op, connection.lose_xid = None, xid
                    if op == self._hold_op:
                        self._hold_op, connection.hold_xid = None, xid
                    if op in self._forgotten:
                        data = data[:8] + struct.pack(">i", UNKNOWN_OP) + data[12:]
                    is_swallowed = op == self._swallow_op
                    if is_swallowed:
                        self._swallow_op = None
                    is_swallowed |= xid > 0 and self._breaks("request")
                if is_swallowed:
                    connection.close()
                    self.lost.set()
                    return
                if self._foiled.get(op):
                    self._foiled[op]()
            server.sendall(data)

    def _replies(self, connection):
        client, server = connection.ends
        for number, data in enumerate(self._frames(server)):
            xid = struct.unpack(">i", data[4:8])[0] if number > 0 else None
            with self._lock:
                self.notifications += xid == NOTIFICATION_XID
                self.in_flight -= xid is not None and xid > 0
                breaks = xid is not None and (
                    (xid == NOTIFICATION_XID and self._breaks("event")) or (xid > 0 and self._breaks("answer")))
            if breaks or (xid is not None and xid == connection.lose_xid):
                connection.close()
                self.lost.set()
                return
            if xid is not None and xid == connection.hold_xid:
                self.held.set()
                self._released.wait()
            client.sendall(data)
