"""caucus, the command line, as tests run it: to its end, beside the test, or on a terminal."""

import fcntl
import json
import os
import pty
import queue
import select
import signal
import subprocess
import termios
import threading

from peers import CAUCUSD

CAUCUS = os.environ.get("CAUCUS", str(CAUCUSD.parent / "caucus"))
OK, NO, USAGE, CONNECTION = 0, 1, 2, 3
LIMIT_S = 60


class Cli:
    def __init__(self, hosts):
        self.hosts = hosts

    def run(self, *words, stdin=b"", front=(), env=None):
        return subprocess.run([CAUCUS, "-s", self.hosts, *front, *words], input=stdin, capture_output=True,
                              timeout=LIMIT_S, env={**os.environ, **(env or {})})

    def ok(self, *words, **how):
        run = self.run(*words, **how)
        assert (run.returncode, run.stderr) == (OK, b""), (words, run)
        return run.stdout

    def json(self, *words, **how):
        out = self.ok(*words, "--json", **how)
        assert out.count(b"\n") == 1
        return json.loads(out)

    def fails(self, code, *words, **how):
        """Its one line of explanation."""
        run = self.run(*words, **how)
        assert run.returncode == code, (words, run)
        text = run.stderr.decode()
        assert text.startswith("caucus: ") and text.count("\n") == 1, text
        return text


class Follower:
    """A caucus, or another program, that goes on until it is ended; its lines are waited for."""

    def __init__(self, *words, program=CAUCUS, env=None):
        self.process = subprocess.Popen([program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
        self.out, self.err = queue.Queue(), queue.Queue()
        for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err)):
            threading.Thread(target=self._read, args=(stream, lines), daemon=True).start()

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            lines.put(line.rstrip("\n"))
        lines.put(None)

    def line(self):
        return self.out.get(timeout=LIMIT_S)

    def hear(self, wanted):
        """A line on stderr that has this in it."""
        while True:
            line = self.err.get(timeout=LIMIT_S)
            assert line is not None, f"ended without '{wanted}'"
            if wanted in line:
                return line

    def end(self, number=None):
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(LIMIT_S)


class Terminal:
    """A program that believes in a person."""

    def __init__(self, command, home, **environment):
        self.fd, end = pty.openpty()
        environment = {**os.environ, "HOME": str(home), "TERM": "xterm", **environment}
        self.process = subprocess.Popen([str(word) for word in command], stdin=end, stdout=end, stderr=end,
                                        env=environment, preexec_fn=lambda: self._take(end), start_new_session=True)
        os.close(end)

    @staticmethod
    def _take(end):
        fcntl.ioctl(end, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored, where the tests run in the background

    def type(self, keys, until):
        os.write(self.fd, keys)
        return self.hear(until)

    def hear(self, until):
        heard = b""
        while until not in heard:
            assert select.select([self.fd], [], [], LIMIT_S)[0], heard
            heard += os.read(self.fd, 4096)
        return heard

    def end(self):
        try:
            while os.read(self.fd, 4096):
                pass
        except OSError:  # EIO: nobody has the other side any more
            pass
        os.close(self.fd)
        return self.process.wait(LIMIT_S)
