"""Where the other people's programs are, and what to do when one is not there."""

import os
import pathlib
import shutil
import zlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CAUCUS_BUILD", ROOT / "build"))
PEERS = BUILD / "peers"
CAUCUSD = pathlib.Path(os.environ.get("CAUCUSD", BUILD / "release/bin/caucusd"))

LOGBACK = pathlib.Path(__file__).parent / "logback.xml"
DEBIAN_JARS = pathlib.Path("/usr/share/java")


def missing(what):
    """A peer that cannot be had fails the test: a run in which nothing was tested must not
    look like one in which everything passed."""
    if os.environ.get("CAUCUS_ALLOW_MISSING_PEERS") == "1":
        pytest.skip(f"no {what}")
    pytest.fail(
        f"no {what}: run tests/deps.sh, or set CAUCUS_ALLOW_MISSING_PEERS=1 to go without",
        pytrace=False,
    )


def program(name):
    path = shutil.which(name)
    return path if path else missing(f"program '{name}'")


def libraries(release):
    """Class path of an Apache release, jars alone: "3.9" (3.9.5), "3.8.6", or "3.8" (3.8.0 as Debian
    ships it)."""
    if release == "3.8":
        jar = DEBIAN_JARS / "zookeeper.jar"
        if not jar.exists():
            missing("Apache ZooKeeper 3.8.0 (Debian's libzookeeper-java)")
        # The jar's manifest names what it needs beside it, except a logger.
        return f"{jar}:{DEBIAN_JARS / 'slf4j-simple.jar'}"
    folder = PEERS / ("zookeeper-3.9" if release == "3.9" else "zookeeper-3.8") / "lib"
    if not list(folder.glob("zookeeper-3*.jar")):
        missing(f"Apache ZooKeeper {release} in {folder}")
    return f"{folder}/*"


def jars(release):
    """The same, with what tells Apache's logger where to write."""
    path = libraries(release)
    return path if release == "3.8" else f"{LOGBACK.parent}:{path}"


def class_archive(release):
    """Where class_archives.py puts the classes of that release as the JVM wants them in memory. The name says of
    which jars and which JVM: another one's is not looked at."""
    found = [p for pattern in libraries(release).split(":")
             for p in (pathlib.Path(pattern[:-1]).glob("*.jar") if pattern.endswith("*") else [pathlib.Path(pattern)])]
    files = sorted([*found, pathlib.Path(program("java")).resolve()])
    stamp = "".join(f"{p} {p.stat().st_size} {p.stat().st_mtime_ns}\n" for p in files)
    return BUILD / "class-archives" / f"{release}-{zlib.crc32(stamp.encode()):08x}.jsa"


def caucusd():
    if not CAUCUSD.exists():
        pytest.fail(f"no caucusd at {CAUCUSD}: build it, or set CAUCUSD", pytrace=False)
    return str(CAUCUSD)
