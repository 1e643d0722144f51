"""The manual: it says of every command, option and function that there is, and mandoc has nothing against it."""

import re
import subprocess

import pytest
from cli import Cli
from peers import CAUCUSD, ROOT, program

BY_HAND = ROOT / "docs/man/caucus.1"
MADE = CAUCUSD.parent.parent / "man/man3"
HEADERS = sorted((ROOT / "include/caucus").glob("*.h"))
COMMON = {"--json", "--hosts", "--help"}


def page_of(header):
    return MADE / ("caucus.3" if header.stem == "caucus" else f"caucus_{header.stem}.3")


def names(*words):
    out = Cli("127.0.0.1:1").ok("complete", "--", *words).decode()
    return [line.split("\t")[0] for line in out.splitlines()]


@pytest.mark.parametrize("page", [BY_HAND, *map(page_of, HEADERS)], ids=lambda page: page.name)
def test_mandoc_has_nothing_against_a_page(page):
    lint = subprocess.run([program("mandoc"), "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
    assert (lint.returncode, lint.stdout) == (0, "")


def test_mandoc_would_have_something_against_another(tmp_path):
    (tmp_path / "x.1").write_text(BY_HAND.read_text().replace(".El\n", "", 1))
    assert subprocess.run([program("mandoc"), "-T", "lint", "-W", "warning", tmp_path / "x.1"]).returncode != 0


def test_caucus_1_knows_every_command_and_option():
    text = BY_HAND.read_text()
    entries = dict(re.findall(r"^\.It Ic (\w+)(.*?)(?=^\.It Ic |^\.S[sh] )", text, re.M | re.S))
    missing = [name for name in names("") if name not in entries]
    for command, entry in entries.items():
        options = {name for name in names(command, "-") if name not in COMMON}
        missing += [f"{command} {o}" for o in options if o.replace("--", "\\-") not in entry]
    missing += [o for o in names("-") if o.replace("--", "\\-") not in text[:text.index(".Sh COMMANDS")]]
    assert not missing


def test_every_function_has_a_page_that_shows_it():
    count = 0
    for header in HEADERS:
        page = page_of(header)
        for name in re.findall(r"^CAUCUS_API [^;(]*?\b(caucus_\w+)\(", header.read_text(), re.M):
            assert (MADE / f"{name}.3").read_text() == f".so man3/{page.name}\n"
            assert f"{name}(" in page.read_text()
            count += 1
    assert count > 60
