"""Programs of the tests that do what they are told and say what they hear, a line each.

What they hear is waited for, never guessed. A line begins with the number of the one it is about.
"""

import os
import pathlib
import queue
import subprocess
import threading

import pytest
import rawzk
from peers import CAUCUSD

PROGRAMS = pathlib.Path(os.environ.get("CAUCUS_CLIENT_PROGRAMS", CAUCUSD.parent))
TIMEOUT_S = 60

# Most of what recipes ask for is answered alike by all releases: the oldest gets one story of each recipe, and what
# stands on what it answers otherwise (watches of trees, the answers of multi).
everywhere = pytest.mark.parametrize("backend", ["caucusd", "apache38", "apache39"])
servers = pytest.mark.parametrize("backend", ["caucusd", "apache39"])


class Talk:
    def __init__(self, program, *arguments):
        self.process = subprocess.Popen([PROGRAMS / program, *map(str, arguments)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.heard = []  # all lines
        self._pending = []  # those that were not asked for yet
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def _wait_for_line(self, wanted):
        try:
            line = self._lines.get(timeout=TIMEOUT_S)
        except queue.Empty:
            raise AssertionError(f"'{wanted}' never came; heard {self.heard}") from None
        assert line is not None, f"ended without '{wanted}'; heard {self.heard}"
        self.heard.append(line)
        self._pending.append(line)

    def _take(self, is_wanted, wanted):
        at = 0  # those before it were looked at
        while not (found := [line for line in self._pending[at:] if is_wanted(line)]):
            at = len(self._pending)
            self._wait_for_line(wanted)
        return found[0]

    def hear(self, wanted, number=0):
        """The next line of this number that begins so; returns its words behind the number. None: of whatever number,
        with all words. What came before it from the same number is past, the others' lines are not."""
        begin = "" if number is None else f"{number} "
        line = self._take(lambda line: line.startswith(begin + wanted), begin + wanted)
        at = self._pending.index(line)
        self._pending = [other for i, other in enumerate(self._pending)
                         if i > at or (i < at and not (begin and other.startswith(begin)))]
        return line.split()[1 if begin else 0:]

    def hear_any(self, wanted):
        """The number of the one that says this next."""
        line = self._take(lambda line: line.split()[1:2] == [wanted], f"N {wanted}")
        self._pending.remove(line)
        return line.split()[0]

    def hear_all(self, wanted):
        """Until lines that begin so were heard, in any order, also before; returns the words of each."""
        while True:
            found = [next((line for line in self.heard if line.startswith(w)), None) for w in wanted]
            if all(found):
                self._pending = [line for line in self._pending if line not in found]
                return [line.split() for line in found]
            self._wait_for_line(wanted)

    def lines(self, word, number=0):
        """The words of all that this number has said of this so far."""
        return [line.split()[1:] for line in self.heard if line.startswith(f"{number} {word} ")]

    def once(self, word, number=0):
        """The first that this number says of this, whether it was heard already or not."""
        while not self.lines(word, number):
            self._wait_for_line(word)
        return self.lines(word, number)[0]

    def ask(self, line, wanted, number=0):
        self.say(line)
        return self.hear(wanted, number)

    def signal(self, number):
        self.process.send_signal(number)

    def quit(self):
        self.say("quit")
        self.hear("quit", None)
        assert self.process.wait(60) == 0

    def kill(self):
        self.process.kill()
        self.process.wait()


def wait_for_children(session, count, path):
    """Until the node is there and has as many; returns their names in the order of their sequences."""
    while True:
        reply = session.call(rawzk.get_children(path, watch=True))
        if reply.err == 0:
            names = rawzk.decode(rawzk.get_children(path), reply)
            if len(names) == count:
                return sorted(names, key=lambda name: name[-10:])
        elif session.call(rawzk.exists(path, watch=True)).err == 0:
            continue
        session.event()
