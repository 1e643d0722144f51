"""client_talk: a client of libcaucus that does what it is told and says what it hears."""

import os
import pathlib
import queue
import re
import subprocess
import threading

from peers import CAUCUSD

PROGRAMS = pathlib.Path(os.environ.get("CAUCUS_CLIENT_PROGRAMS", CAUCUSD.parent))
TIMEOUT_MS = 2000
# Longer than a JVM takes to start on a busy machine.
LONG_TIMEOUT_MS = 30000


class Talk:
    """A client_talk; what it says is waited for, never guessed."""

    def __init__(self, driver, hosts, timeout_ms=TIMEOUT_MS, *, env=None, **options):
        """options: as client_talk has them, ca="x" is the word ca=x"""
        words = [f"{name.replace('_', '-')}={value}" for name, value in options.items()]
        self.process = subprocess.Popen(
            [PROGRAMS / "client_talk", driver, hosts, str(timeout_ms), *words],
            env={**os.environ, **env} if env else None,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.heard = []
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self, wanted, timeout_s=30):
        """Lines until one begins with this; returns it. What came before is in `heard`."""
        while True:
            try:
                line = self._lines.get(timeout=timeout_s)
            except queue.Empty:
                raise AssertionError(f"'{wanted}' never came; heard {self.heard}") from None
            assert line is not None, f"ended without '{wanted}'; heard {self.heard}"
            self.heard.append(line)
            if line.startswith(wanted):
                return line

    def ask(self, line, wanted):
        self.say(line)
        return self.hear(wanted)

    def insist(self, line, *wanted):
        """Asks until it is answered so: while a session is young and short, a question may be lost with its connection."""
        about = " ".join(line.split()[:2]) + " "
        while not self.ask(line, about).startswith(wanted):
            pass

    def trouble(self, pattern):
        """Until this is why it is not connected; it asks for something in vain meanwhile."""
        while not re.search(pattern, self.ask("trouble", "trouble")):
            self.ask("get /", "get / CAUCUS_OPERATIONTIMEOUT")

    def signal(self, number):
        self.process.send_signal(number)

    def close(self):
        self.say("close")
        self.hear("state CLOSED")
        assert self._lines.get(timeout=30) is None
        assert self.process.wait(30) == 0

    def kill(self):
        self.process.kill()
        self.process.wait()
