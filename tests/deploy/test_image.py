"""What of the image can be tried without building it."""

import json
import os
import pathlib
import re
import subprocess
import tempfile

import image as dockerfile
import pytest
from peers import BUILD, ROOT, program

PROGRAMS = {"caucusd", "caucus", "electiond", "committee", "electorate"}
# Debian's names end otherwise where 64-bit times came late.
LOADED_LATER = {"libsasl2-2", "libsnappy1v5"}


def output(name, *words, check=True):
    return subprocess.run([program(name), *map(str, words)], capture_output=True, text=True, check=check).stdout


def installed_in_the_image():
    words = next(rest for stage, name, rest in dockerfile.instructions() if stage == 1 and "apt-get install" in rest)
    return set(re.search(r"--no-install-recommends\s+(.*?)\s+&&", words)[1].split())


def test_programs_are_there_and_start(image):
    there = {p.name for p in (image.root / "usr/local/bin").iterdir()}
    assert there == PROGRAMS | {"caucus-container"}
    for name in PROGRAMS:
        r = subprocess.run([image.root / "usr/local/bin" / name, "--version"], capture_output=True, text=True)
        assert r.returncode == 0 and r.stdout.startswith(name), r


def test_image_has_the_libraries_that_its_programs_want(image):
    """Those that they name themselves, and those that are loaded when they are wanted; no others."""
    files = set()
    for name in PROGRAMS:
        path = image.root / "usr/local/bin" / name
        named = re.findall(r"NEEDED\s+(\S+)", output("objdump", "-p", path))
        found = dict(re.findall(r"(\S+) => (/\S+)", output("ldd", path)))
        files |= {os.path.realpath(found[n]) for n in named}
    files |= {f.removeprefix("/usr") for f in files}  # dpkg knows them by one of the two
    packages = {line.split(":")[0] for line in output("dpkg", "-S", *files, check=False).splitlines()}
    assert packages - {"libc6"} | LOADED_LATER == installed_in_the_image()


def test_image_is_small(image):
    size = sum(p.stat().st_size for p in image.root.rglob("*") if p.is_file())
    assert size < 16 << 20


def test_image_runs_without_privileges():
    user = dockerfile.last("USER")
    assert user == "1000:1000"
    assert all("sudo" not in rest for _, _, rest in dockerfile.instructions())
    health = dockerfile.last("HEALTHCHECK")
    assert json.loads(health[health.index("["):]) == ["caucus-container", "ready"]


def test_nothing_that_was_built_is_sent_to_the_engine():
    ignored = (dockerfile.DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().split()
    assert {".git", "build*", "var"} <= set(ignored)
    assert output("git", "-C", ROOT, "ls-files", "build*", "var*") == ""


@pytest.fixture
def on_disk():
    """pytest's own folders may lie in memory."""
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        yield pathlib.Path(folder)


@pytest.mark.parametrize("words", [["caucusd", "--version"], ["electiond", "--version"]], ids=lambda w: w[0])
def test_server_reads_its_logs_from_the_disk(image, on_disk, words):
    """Not what a sync that failed has left in memory."""
    folders = {f"ZOO_{name}_DIR": on_disk / name for name in ("DATA", "DATA_LOG", "CONF")}
    for folder in folders.values():
        folder.mkdir()
    log = folders["ZOO_DATA_DIR"] / "log.1"
    log.write_bytes(bytes(1 << 20))
    os.sync()
    resident = lambda: int(output("fincore", "-nbo", "RES", log))
    assert resident() > 0
    binaries = image.root / "usr/local/bin"
    env = {**os.environ, **{k: str(v) for k, v in folders.items()}, "PATH": f"{binaries}:{os.environ['PATH']}"}
    subprocess.run([binaries / "caucus-container", *words], env=env, check=True, capture_output=True)
    assert resident() == 0
