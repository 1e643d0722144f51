"""./run: set-up that is interrupted, fails, or is done by two at a time; what it says, what it leaves. With stand-ins for cmake and ninja:
the programs are those that are built already."""

import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WAIT_S = 60

CMAKE = """#!/bin/sh
mkdir -p build/release/CMakeFiles
if [ -p gate ]; then echo half >build/release/CMakeCache.txt; echo configuring >cmake.begun; read -r _ <gate; fi
if [ -e full ]; then echo "No space left on device"; exit 1; fi
if [ -e silently-full ]; then exit 0; fi
[ ! -e build/release/CMakeCache.txt ] || echo "an old cache was believed" >>complaints
echo whole >build/release/CMakeCache.txt
case "$*" in *LTO=OFF*) echo CAUCUS_LTO:BOOL=OFF >>build/release/CMakeCache.txt ;; esac
echo "$*" >>configured.with
echo rules >build/release/build.ninja
"""
NINJA = """#!/bin/sh
echo ninja >>order
if [ -p gate ]; then echo building >ninja.begun; read -r _ <gate; fi
mkdir -p build/release && ln -sfn "$CLONE/build/release/bin" build/release/bin
echo ninja >>order
"""


class Clone:
    """A fresh clone, as far as ./run is concerned."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("run", "Makefile", "tools", "elections"):
            (folder / name).symlink_to(ROOT / name)
        (folder / "stand-ins").mkdir()
        for name, text in (("cmake", CMAKE), ("ninja", NINJA)):
            (folder / "stand-ins" / name).write_text(text)
            (folder / "stand-ins" / name).chmod(0o755)
        self.env = {**os.environ, "PATH": f"{folder}/stand-ins:{os.environ['PATH']}", "CLONE": str(ROOT)}
        self.started = []

    def run(self, *words):
        self.started.append(subprocess.Popen(
            [self.folder / "run", *words], cwd="/", env=self.env, start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return self.started[-1]

    def wait_begun(self, what):
        """Its stand-in says so into this, and waits."""
        with open(self.folder / f"{what}.begun") as f:
            f.read()

    def gate(self, *whats):
        for name in ("gate", *(f"{w}.begun" for w in whats)):
            os.mkfifo(self.folder / name)

    def open_gate(self, *whats):
        for name in ("gate", *(f"{w}.begun" for w in whats)):
            (self.folder / name).unlink()


def interrupt(process):
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    return process.communicate(timeout=WAIT_S)[0]


@pytest.fixture
def clone(tmp_path):
    c = Clone(tmp_path)
    yield c
    for process in c.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=WAIT_S)


@pytest.mark.parametrize("what", ["cmake", "ninja"])
def test_interrupted_while_it_builds_it_says_so_and_the_next_goes_on(clone, what):
    if what == "ninja":
        clone.gate("ninja")
        (clone.folder / "stand-ins/cmake").write_text(CMAKE.replace("-p gate", "-p none"))
    else:
        clone.gate("cmake")
    first = clone.run("up")
    clone.wait_begun(what)
    said = interrupt(first)
    assert first.returncode == 130 and "run: interrupted; ./run goes on from here" in said
    clone.open_gate(what)
    again = clone.run("down")
    assert again.wait(WAIT_S) == 1  # nothing runs
    second = clone.run("server", "--port", "0")
    for line in second.stdout:
        if "event=serving" in line:
            break
    interrupt(second)
    assert second.returncode == 0
    assert not (clone.folder / "complaints").exists()


def test_programs_of_the_first_start_are_optimized_whole_when_more_is_built(clone):
    def build(*words, **env):
        subprocess.run([clone.folder / "tools/build.sh", "release", *words], env=clone.env | env, check=True)

    for _ in range(2):
        build("programs", CAUCUS_SOON="1")
    for _ in range(2):
        build()
    build("programs", CAUCUS_SOON="1")
    assert (clone.folder / "configured.with").read_text() == "--preset release -DCAUCUS_LTO=OFF\n--preset release\n"
    assert not (clone.folder / "complaints").exists()


def test_set_up_that_fails_says_why_and_leaves_nothing_to_believe(clone):
    (clone.folder / "full").touch()
    first = clone.run()
    said = first.communicate(timeout=WAIT_S)[0]
    assert first.returncode == 1 and "No space left on device" in said and "run: setting up failed; what is above says why" in said
    assert not (clone.folder / "build/release/configured").exists()


def test_configuration_that_was_not_written_is_done_again(clone):
    (clone.folder / "silently-full").touch()
    first = clone.run()
    said = first.communicate(timeout=WAIT_S)[0]
    assert first.returncode == 1 and "build: build/release could not be configured to its end" in said
    (clone.folder / "silently-full").unlink()
    # So it is where an earlier version believed it.
    (clone.folder / "build/release/configured").touch()
    second = clone.run("server", "--port", "0")
    assert any("event=serving" in line for line in second.stdout)
    interrupt(second)
    assert second.returncode == 0 and not (clone.folder / "complaints").exists()


def test_two_at_once_build_one_after_the_other_and_one_is_told_of_the_other(clone):
    clone.gate("ninja")
    (clone.folder / "stand-ins/cmake").write_text(CMAKE.replace("-p gate", "-p none"))
    both = [clone.run("up", "--election", str(ROOT / "elections/example")) for _ in range(2)]
    clone.wait_begun("ninja")
    said = ""
    while "build/release is being built by somebody else; waiting for that\n" not in said:
        heard = select.select([p.stdout for p in both], [], [], WAIT_S)[0]
        assert heard, said
        said += os.read(heard[0].fileno(), 4096).decode()
    gate = os.open(clone.folder / "gate", os.O_RDWR)
    clone.open_gate("ninja")
    os.write(gate, b"go\n")
    ended, _, _ = select.select([os.pidfd_open(p.pid) for p in both], [], [], WAIT_S)
    os.close(gate)
    assert len(ended) == 1
    late, = [p for p in both if p.poll() is not None]
    said = late.stdout.read()
    assert late.returncode == 1 and "a cluster runs on 'var/cluster' already; caucus down ends it" in said
    other, = [p for p in both if p is not late]
    for line in other.stdout:
        if line.startswith("Things to try"):
            break
    assert (clone.folder / "order").read_text() == "ninja\n" * 4
    down = clone.run("down")
    said = down.communicate(timeout=WAIT_S)[0]
    assert down.returncode == 0, said
    assert other.wait(WAIT_S) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_it_alone_ends_the_build_too(clone, number):
    clone.gate("ninja")
    (clone.folder / "stand-ins/cmake").write_text(CMAKE.replace("-p gate", "-p none"))
    first = clone.run()
    clone.wait_begun("ninja")
    first.send_signal(number)
    said = first.communicate(timeout=WAIT_S)[0]  # whose end is that of everybody who could write into it
    assert first.returncode == 130 and said.endswith("\nrun: interrupted; ./run goes on from here\n")
    assert (clone.folder / "order").read_text() == "ninja\n"


def test_a_port_that_is_taken_is_told(clone):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = clone.run("server", "--port", port)
        said = done.communicate(timeout=WAIT_S)[0]
    assert done.returncode == 1 and f"listen on port {port} of '127.0.0.1': Address already in use" in said, said


SYSTEM = ["sh", "sed", "awk", "df", "dirname", "id", "cat", "ls"]


@pytest.mark.parametrize("stand_ins, text", [
    ({}, "deps: this is not Debian or Ubuntu. Please install, with headers: gcc make cmake ninja pkg-config protoc-c libuv "),
    ({"dpkg-query": "exit 1", "apt-get": "exit 1", "id": "echo 1000"}, "deps: as root, please run: apt-get install gcc make cmake "),
    ({"dpkg-query": "exit 1", "apt-get": "echo 'E: no network' >&2; exit 100", "id": "echo 0"}, "E: no network\n"),
    ({"dpkg-query": "exit 1", "apt-get": "exit 1", "id": "echo 1000",
      "sudo": 'echo as root: "$1" >&2; exec "$@"'}, "as root: apt-get\n"),
], ids=["no Debian", "no root", "no network", "sudo"])
def test_what_is_missing_and_cannot_be_installed_is_told(clone, stand_ins, text):
    folder = clone.folder / "system"
    folder.mkdir()
    for name in SYSTEM:
        (folder / name).symlink_to(shutil.which(name))
    for name, script in stand_ins.items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    clone.env["PATH"] = str(folder)
    done = clone.run()
    said = done.communicate(timeout=WAIT_S)[0]
    assert done.returncode == 1 and text in said and said.endswith("\nrun: setting up failed; what is above says why\n"), said


@pytest.mark.parametrize("words, code, text", [
    (["sideways"], 2, "'sideways' is none of demo, up, server, down"),
    (["--help"], 0, "./run down"),
    (["down"], 1, "nothing was built here"),
])
def test_words(clone, words, code, text):
    done = clone.run(*words)
    assert text in done.communicate(timeout=WAIT_S)[0] and done.returncode == code
