"""The console of caucusd, as a program asks it."""

import collections
import contextlib
import http.client
import json
from urllib.parse import urlencode

from ports import free_port


def with_console(more=None):
    return {"admin.enableServer": "true", "admin.serverAddress": "127.0.0.1", "admin.serverPort": free_port(),
            "maxSessionTimeout": 60_000, **(more or {})}


def ask(server, name, status=200, **parameters):
    got, headers, body = server.http(f"/console/api/{name}?{urlencode(parameters)}")
    assert got == status, body
    assert headers["Content-Type"].startswith("application/json") and headers["Cache-Control"] == "no-store"
    return json.loads(body)


class Stream:
    """Server-sent events of the console."""

    def __init__(self, server, headers=None):
        self.http = http.client.HTTPConnection("127.0.0.1", server.config["admin.serverPort"], timeout=20)
        self.http.request("GET", "/console/api/stream", headers=headers or {})
        self.answer = self.http.getresponse()
        self.status = self.answer.status
        self.told = collections.deque()

    def events(self):
        name = None
        for line in self.answer:
            line = line.decode().rstrip("\n")
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, json.loads(line[6:])

    def find(self, kind, wanted=lambda event: True):
        """The next thing of the kind that happened, and what else was told with it."""
        while True:
            while self.told:
                event = self.told.popleft()
                if event["kind"] == kind and wanted(event):
                    return event, self.batch
            name, data = next(self.events())
            if name == "events":
                self.batch = data
                self.told.extend(data["events"])

    def close(self):
        self.http.close()


@contextlib.contextmanager
def stream(server):
    s = Stream(server)
    assert s.status == 200
    try:
        yield s
    finally:
        s.close()
