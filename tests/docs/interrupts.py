#!/usr/bin/env python3
"""interrupts.py [--clone DIR] [--fresh] [--seed N] [COUNT]: interrupts ./run COUNT (40) times, each time at another moment between its beginning
and its end, by SIGINT, SIGTERM or SIGHUP, to itself or to all of its group (a terminal's Ctrl-C). Wants root: each run has a network of its own.

Each time it has to end with 130 and one line that says so (or with 0: the table was printed, and the cluster was only there to be looked at; or by
the signal, without a word: while the shell, or behind it caucus, is being loaded, for some 10 ms), and nothing may be left in its network; what it was interrupted in is what the next one starts from, and the last one has to get to the table.
--fresh: the clone is built from nothing, COUNT moments of that build, then one whole build."""

import argparse
import os
import pathlib
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import time

WHOLE_S = 900  # of a run that is not interrupted: longer is an error
END_S = 60
DONE = "Every vote is counted once"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Run:
    """./run in a network of its own. The first word after unshare is told who the network's owner is."""

    def __init__(self, clone, *words):
        script = 'ip link set lo up; readlink /proc/self/ns/net; exec ./run "$@"'
        self.process = subprocess.Popen(["unshare", "--net", "sh", "-c", script, "sh", *words], cwd=clone, start_new_session=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.said = b""
        while b"\n" not in self.said and self._read(END_S):
            pass
        self.network = self.said.split(b"\n")[0].decode()
        self.began = time.monotonic()

    def _read(self, timeout_s):
        if not select.select([self.process.stdout], [], [], max(timeout_s, 0))[0]:
            return False
        piece = os.read(self.process.stdout.fileno(), 65536)
        self.said += piece
        return bool(piece)

    def wait(self, seconds, mark=None):
        """True: `mark` was said, or without one so many seconds passed; False: it was silent to the end."""
        until = time.monotonic() + seconds
        while mark is None or mark.encode() not in self.said:
            left = until - time.monotonic()
            if left <= 0:
                return mark is None
            if not self._read(left) and self.process.poll() is not None:
                return False
        return True

    def end(self, number, whole_group):
        (os.killpg if whole_group else os.kill)(self.process.pid, number)
        asked = time.monotonic()
        rest, _ = self.process.communicate(timeout=END_S)
        self.said += rest
        return time.monotonic() - asked

    def left(self):
        """Who is in its network now."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.readlink(entry / "ns/net") == self.network:
                    words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    if words:
                        found.append((int(entry.name), words))
            except OSError:
                pass  # it has ended
        return found


def complaints(run, number):
    """What is not as it should be, of one that was interrupted."""
    said = run.said.decode(errors="replace")
    told = re.findall(r"^(?:run: interrupted; ./run goes on from here|interrupted; stopping)$", said, re.M)
    wrong = []
    if run.process.returncode == -number:
        print("not loaded yet: ", end="")
    elif run.process.returncode != (0 if DONE in said else 130):
        wrong.append(f"exit code {run.process.returncode}")
    if len(told) != (run.process.returncode != -number):
        wrong.append(f"told {len(told)} times")
    left = run.left()
    for pid, words in left:
        wrong.append(f"left running: {words}")
        os.kill(pid, signal.SIGKILL)
    return wrong


def interrupt_once(clone, after_s, number, whole_group):
    run = Run(clone)
    run.wait(after_s)
    if run.process.poll() is not None:
        return [f"ended by itself with {run.process.returncode}:\n{run.said.decode()}"]
    took = run.end(number, whole_group)
    wrong = complaints(run, number)
    last = run.said.decode(errors="replace").strip().splitlines()
    print(f"{after_s:7.2f} s  {signal.Signals(number).name:8}{'group' if whole_group else 'alone':6} ended in {took:5.2f} s  "
          f"{'; '.join(wrong) or 'fine'}", flush=True)
    if wrong:
        print("    " + "\n    ".join(last[-8:]), flush=True)
    return wrong


def whole(clone):
    """How long it takes to the table."""
    run = Run(clone)
    if not run.wait(WHOLE_S, DONE):
        sys.exit(f"it does not get to its end:\n{run.said.decode()}")
    took = time.monotonic() - run.began
    run.end(signal.SIGINT, True)
    wrong = complaints(run, signal.SIGINT)
    if wrong:
        sys.exit(f"{wrong}:\n{run.said.decode()}")
    return took


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clone", default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("count", type=int, nargs="?", default=40)
    args = parser.parse_args()
    chance = random.Random(args.seed)
    build = pathlib.Path(args.clone) / "build/release"
    if args.fresh:
        shutil.rmtree(build, ignore_errors=True)
    took = whole(args.clone)
    print(f"whole: {took:.1f} s; seed {args.seed}", flush=True)
    if args.fresh:
        shutil.rmtree(build)
    wrong = 0
    for i in range(args.count):
        # Of each stretch of the run one moment. A build goes on where it was, so what is interrupted early is interrupted often.
        after_s = took * (chance.random() / args.count * 2 if args.fresh else (i + chance.random()) / args.count)
        wrong += bool(interrupt_once(args.clone, after_s, chance.choice(SIGNALS), chance.random() < 0.5))
    print(f"whole again: {whole(args.clone):.1f} s", flush=True)
    print(f"{args.count - wrong} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
