#!/usr/bin/env python3
"""rehearse.py DOCUMENT FOLDER: does everything that the document says, in that empty folder. Wants a network of its own (unshare -n).

The folder looks like a fresh clone with the programs built. The last line printed is "N blocks run, N not run". If one does not do what is
written: exit code 1, and the last thing printed is "FAILED", the place, and what was wrong."""

import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading

import document

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK_S = 120
CLONE = ("build", "docs", "elections", "examples", "include", "bench", "src", "tools", "cmake", "proto", "schema", "web", "tests",
         "run", "Makefile", "CMakeLists.txt", "CMakePresets.json")


class Failed(Exception):
    pass


def check_contains(patterns, said):
    at = 0
    for pattern in patterns:
        found = pattern.search(said, at)
        if not found:
            raise Failed(f"it printed\n{said}and not (any more)\n{pattern.pattern}")
        at = found.end()


class Background:
    """Another terminal: it runs until the end of the document."""

    def __init__(self, block, stage):
        self.block = block
        self.struck = False  # what it runs was killed: how it ends says nothing
        self.process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", block.text], cwd=stage.at, env=stage.env, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines, self.said = queue.Queue(), ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def wait_said(self, mark):
        while mark not in self.said:
            try:
                line = self.lines.get(timeout=BLOCK_S)
            except queue.Empty:
                raise Failed(f"'{mark}' was not printed:\n{self.said}") from None
            if line is None:
                raise Failed(f"it ended with {self.process.wait()} before it printed '{mark}':\n{self.said}")
            self.said += line
        check_contains(self.block.expected, self.said)

    def ended_badly(self):
        """Ends it; what was wrong with that, or nothing."""
        code = self.end()
        if code in (0, 130, -signal.SIGINT) or self.struck and isinstance(code, int):
            return ""
        return f"ended with {code}:\n{self.all_said()}"

    def all_said(self):
        while not self.lines.empty():
            self.said += self.lines.get() or ""
        return self.said

    def end(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            return "no answer to Ctrl-C"


class Stage:
    def __init__(self, folder):
        self.folder = self.at = folder
        for name in CLONE:
            (folder / name).symlink_to(ROOT / name)
        self.env = {
            "PATH": f"{ROOT}/tests/docs/bin:{ROOT}/build/venv/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(folder), "LANG": "C.UTF-8", "TERM": "dumb", "CAUCUS_CLONE": str(ROOT),
        }
        self.background = []

    def run(self, block):
        """What it exports, and where it goes, counts for those behind it."""
        kept = self.folder / ".exported"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"{block.text}\nexport -p >{kept}; pwd >>{kept}.at"], cwd=self.at, env=self.env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BLOCK_S)
        if done.returncode != 0:
            raise Failed(f"exit code {done.returncode}:\n{done.stdout}")
        said = done.stdout if done.stdout.endswith("\n") else done.stdout + "\n"
        if len(block.expected) == 1 and not block.expected[0].fullmatch(said):
            raise Failed(f"it printed\n{said}and not\n{block.expected[0].pattern}")
        if len(block.expected) > 1:
            check_contains(block.expected, said)
        listed = subprocess.run(["bash", "-c", f". {kept}; env -0"], env={"PATH": self.env["PATH"]},
                                stdout=subprocess.PIPE, text=True, check=True).stdout
        self.at = pathlib.Path(f"{kept}.at").read_text().splitlines()[-1]
        self.env = dict(pair.split("=", 1) for pair in listed.split("\0") if "=" in pair)

    def do(self, block):
        if block.how == "file":
            path = self.folder / block.what
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        elif block.how == "ctrl-c":
            self.interrupt(block.what)
        elif block.how == "killed":
            self.terminal(block.what).struck = True
        elif block.how == "background until":
            self.background.append(Background(block, self))
            self.background[-1].wait_said(block.what)
        else:
            self.run(block)

    def terminal(self, words):
        for terminal in self.background:
            if words in terminal.block.text:
                return terminal
        raise Failed(f"no terminal runs '{words}'")

    def interrupt(self, words):
        terminal = self.terminal(words)
        self.background.remove(terminal)
        if wrong := terminal.ended_badly():
            raise Failed(f"'{words}', line {terminal.block.line}: {wrong}")

    def end(self):
        """The last terminal first. Who did not end as he should, as (line, what was wrong)."""
        wrong = [(terminal.block.line, terminal.ended_badly()) for terminal in reversed(self.background)]
        return [(line, what) for line, what in wrong if what] + [("end", f"still running: {words}") for words in those_left()]


def those_left():
    """Whoever is in our network besides us was started by the document, and ends with it; returns what they ran."""
    ours, left = os.readlink("/proc/self/ns/net"), []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int(entry.name) != os.getpid() and os.readlink(entry / "ns/net") == ours:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if words:
                    left.append((int(entry.name), words))
        except OSError:
            pass  # it has ended
    for pid, _ in left:
        os.kill(pid, signal.SIGKILL)
    return [words for _, words in left]


def main(name, folder):
    blocks = document.read((ROOT / name).read_text(), name)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    stage = Stage(pathlib.Path(folder))
    done, left, wrong = 0, [], []
    try:
        for block in blocks:
            if block.how == "not run":
                left.append(f"{name}:{block.line}: not run: {block.what}")
            elif block.how or block.language == "sh":
                stage.do(block)
                done += 1
    except (Failed, subprocess.TimeoutExpired) as problem:
        wrong.append((block.line, problem))
        for terminal in stage.background:
            print(f"in the background, line {terminal.block.line}:\n{terminal.all_said()}")
    finally:
        wrong += stage.end()
    print(*left, sep="\n")
    print(f"{done} blocks run, {len(left)} not run")
    # The first thing that went wrong comes last, where people look; the others may have followed from it.
    for line, what in reversed(wrong):
        print(f"FAILED {name}:{line}: {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
