"""The Debian packages: made, looked through by lintian, installed, upgraded, removed and purged in a root of their own."""

import re
import subprocess

import pytest
from peers import CAUCUSD, program

SERVERS = ("caucusd", "electiond")
SUPPRESSED = "maintscript-calls-ldconfig"  # CPack does, where a trigger would do


def run(*words, **how):
    r = subprocess.run([str(w) for w in words], capture_output=True, text=True, **how)
    assert r.returncode == 0, (words, r.stdout, r.stderr)
    return r.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    run("cpack", "-B", folder, "-D", f"CPACK_OUTPUT_FILE_PREFIX={folder}", cwd=CAUCUSD.parent.parent)
    made = {p.name.split("_")[0]: p for p in folder.glob("*.deb")}
    assert set(made) == {"caucus", "libcaucus0", "libcaucus-dev"}
    return made


@pytest.fixture
def dpkg(tmp_path):
    """dpkg in an empty root; scripts run outside of it and are told where it is."""
    state = tmp_path / "var/lib/dpkg"
    (state / "updates").mkdir(parents=True)
    (state / "info").mkdir()
    (state / "status").touch()

    def do(*words):
        return run(program("dpkg"), f"--root={tmp_path}", "--force-script-chrootless", "--force-depends", "--log=/dev/null", *words)

    return do


@pytest.mark.timeout(300)
def test_lintian_finds_nothing(packages):
    """Of the -dev package it would format each of two hundred pages of the manual; tests/client has done so."""
    out = run(program("lintian"), "--allow-root", "--fail-on", "error,warning", "--suppress-tags", SUPPRESSED,
              packages["caucus"], packages["libcaucus0"])
    assert not re.search("^[EW]:", out, re.M), out


def test_programs_units_and_pages_are_in_the_package(packages):
    names = set(re.findall(r" \./(\S+[^/\s])$", run("dpkg-deb", "-c", packages["caucus"]), re.M))
    programs = {n.removeprefix("usr/bin/") for n in names if n.startswith("usr/bin/")}
    assert programs == {"caucusd", "caucus", "electiond", "committee", "electorate"}
    pages = {n.split("/")[-1].split(".")[0] for n in names if n.startswith("usr/share/man/")}
    assert pages == programs
    assert {f"usr/lib/systemd/system/{s}.service" for s in SERVERS} | {"usr/lib/sysusers.d/caucus.conf"} <= names
    assert {"usr/share/bash-completion/completions/caucus", "usr/share/zsh/site-functions/_caucus"} <= names


def test_packages_come_and_go_cleanly(packages, dpkg, tmp_path):
    dpkg("-i", *packages.values())
    users = (tmp_path / "etc/passwd").read_text()
    assert all(f"{s}:" in users and "nologin" in users for s in SERVERS)
    assert not list((tmp_path / "etc").glob("systemd/**/*.service")), "nothing is enabled"
    assert not (tmp_path / "etc/caucus/zoo.cfg").exists()
    assert run(tmp_path / "usr/bin/caucusd", "--version").startswith("caucusd ")

    (tmp_path / "etc/caucus/zoo.cfg").write_text("dataDir=/var/lib/caucusd\n")
    (tmp_path / "etc/default/caucusd").write_text("CAUCUSD_OPTIONS=--log-level=debug\n")
    votes = tmp_path / "var/lib/electiond/votes"
    votes.parent.mkdir(parents=True)
    votes.touch()

    dpkg("-i", *packages.values())  # as an upgrade: what the administrator wrote stays
    assert "debug" in (tmp_path / "etc/default/caucusd").read_text()
    assert (tmp_path / "etc/passwd").read_text() == users

    dpkg("-r", "caucus", "libcaucus-dev", "libcaucus0")
    assert not (tmp_path / "usr/bin").exists() and not (tmp_path / "usr/lib/systemd").exists()
    assert (tmp_path / "etc/default/caucusd").exists()

    out = dpkg("-P", "caucus", "libcaucus-dev", "libcaucus0")
    assert not (tmp_path / "etc/default").exists()
    assert votes.exists() and "/var/lib/electiond is kept" in out
    assert (tmp_path / "etc/caucus/zoo.cfg").exists()
