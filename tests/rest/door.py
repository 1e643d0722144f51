"""The door for HTTP with a service in memory (tests/rest/scripted_service.h), and requests to it, to the byte."""

import http.client
import json
import os
import pathlib
import socket
import ssl
import subprocess

from peers import BUILD

PROGRAM = pathlib.Path(os.environ.get("REST_SCRIPTED", BUILD / "dev/bin/rest_scripted"))
TIMEOUT_S = 30
JSON = {"Content-Type": "application/json"}


class Door:
    def __init__(self, *options):
        self.process = subprocess.Popen([PROGRAM, *map(str, options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        first = self.process.stdout.readline().split()
        assert first[:1] == ["port"], self.process.stderr.read()
        self.port = int(first[1])
        if any(str(o).startswith("--grpc") for o in options):
            self.grpc_port = int(self.process.stdout.readline().split()[1])

    def say(self, *lines):
        """Lines of the script; done when it returns."""
        for line in lines:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            assert self.process.stdout.readline() == "ok\n", line

    def end(self):
        """Ends it in order; what it printed to stderr, which is nothing unless a sanitizer had something to say."""
        _, errors = self.process.communicate(timeout=TIMEOUT_S)
        assert self.process.returncode == 0, errors
        assert errors == "", errors

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def ask(self, method, path, body=None, headers=None, context=None):
        """One request on a connection of its own: (status, headers, body as bytes)."""
        connect = (lambda: http.client.HTTPSConnection("127.0.0.1", self.port, timeout=TIMEOUT_S, context=context)) \
            if context else (lambda: http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S))
        connection = connect()
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def json(self, method, path, body=None, headers=None, context=None):
        """The same with bodies in JSON: (status, body)."""
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        if method == "POST":
            headers = {**JSON, **(headers or {})}
        status, _, answer = self.ask(method, path, body, headers, context)
        return status, json.loads(answer) if answer else None

    def vote(self, state="CA", voter="v1", candidate="harris", **headers):
        names = {"key": "Idempotency-Key", "match": "If-Match", "timeout": "X-Timeout-Ms", "auth": "Authorization"}
        return self.json("POST", f"/states/{state}/voters/{voter}/vote", {"candidate": candidate},
                         {names[k]: v for k, v in headers.items()})

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def raw(self, data, half_close=True):
        """Bytes in, bytes out, up to the end of the connection."""
        with self.connect() as s:
            try:
                s.sendall(data)
                if half_close:
                    s.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it may be closed while we send
            return read_all(s)

    def stream(self, last_id=None, path="/v1/results/stream", receive_bytes=None):
        return Stream(self, last_id, path, receive_bytes)


def read_all(s):
    received = b""
    try:
        while chunk := s.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


class Stream:
    """A spectator of server-sent events, in HTTP/1.0 so that nothing is chunked."""

    def __init__(self, door, last_id, path, receive_bytes):
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(TIMEOUT_S)
        self.socket.connect(("127.0.0.1", door.port))
        head = f"GET {path} HTTP/1.0\r\nHost: x\r\n" + (f"Last-Event-ID: {last_id}\r\n" if last_id else "") + "\r\n"
        self.socket.sendall(head.encode())
        self._rest = b""
        self.last_id = last_id
        head = self._until(b"\r\n\r\n").decode()
        self.status = int(head.split()[1])
        self.headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)

    def _until(self, mark):
        while mark not in self._rest:
            chunk = self.socket.recv(65536)
            if not chunk:
                raise EOFError(self._rest)
            self._rest += chunk
        part, self._rest = self._rest.split(mark, 1)
        return part

    def event(self):
        """The next: (name, data, id or None); a comment is ("", text, None)."""
        fields = {}
        for line in self._until(b"\n\n").decode().split("\n"):
            key, _, value = line.partition(": ")
            fields[key] = value
        if fields.get("id"):
            self.last_id = fields["id"]
        if "event" not in fields:
            return "", fields.get("", ""), None
        return fields["event"], json.loads(fields["data"]), fields.get("id")

    def burst(self):
        """Events up to and with the one that has an id."""
        events = []
        while not events or events[-1][2] is None:
            events.append(self.event())
        return events

    def until(self, is_wanted):
        """The first event of which this is true."""
        while True:
            event = self.event()
            if is_wanted(*event[:2]):
                return event

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def tls(ca, certificate=None):
    context = ssl.create_default_context(cafile=ca)
    if certificate:
        context.load_cert_chain(certificate)
    return context

