"""The README and the guides, command by command: rehearse.py."""

import json
import os
import pathlib
import re
import subprocess
import sys

import document
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = ["README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs/guide").glob("*.md"))]
NOT_RUN_MAX = 20  # of all documents together


def own_network():
    return ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_is_as_it_says(name, tmp_path):
    done = subprocess.run([*own_network(), sys.executable, ROOT / "tests/docs/rehearse.py", name, tmp_path],
                          capture_output=True, text=True)
    print(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout.rpartition(f"\nFAILED {name}:")[2] + done.stderr
    assert re.search(r"^(\d+) blocks run, \d+ not run$", done.stdout, re.M), done.stdout


def test_what_is_not_run_says_why_and_is_little():
    reasons = [(name, b.what) for name in DOCUMENTS for b in document.read((ROOT / name).read_text(), name) if b.how == "not run"]
    assert all(len(reason.split()) >= 3 for _, reason in reasons), reasons
    assert len(reasons) <= NOT_RUN_MAX, reasons


# Of each row of the README's comparison: the file in bench/results, the line in it, and how it is written.
ONE, THREE = "2026-11-30-writes-reads-mixed-sessions-watch-start-million-snapshot", "2026-11-30-ensemble"
COMPARED = {
    "one server: writes, 64 clients with 16 each in flight": (ONE, "write 64x16 rate", lambda v: f"{v:,.0f} /s"),
    "one server: reads, the same": (ONE, "read 64x16 rate", lambda v: f"{v:,.0f} /s"),
    "one server: CPU for a read": (ONE, "read 64x16 cpu", lambda v: f"{v:.3g} us" if v > 1 else f"{v:.2g} us"),
    "ensemble: writes": (THREE, "ens write 64x16 rate", lambda v: f"{v:,.0f} /s"),
    "ensemble: 99 % of these writes within": (THREE, "ens write 64x16 p99", lambda v: f"{v / 1000:.2g} ms"),
    "ensemble: nine reads for each write": (THREE, "ens mixed 64x16 rate", lambda v: f"{v:,.0f} /s"),
    "ensemble: a lone client's write": (THREE, "ens write 1x1 mean", lambda v: f"{v / 1000:.2f} ms"),
    "ensemble: no write is answered after kill -9 of the leader for": (THREE, "ens gap of kill -9", lambda v: f"{v:.0f} ms"),
    "ensemble: memory, empty": (THREE, "ens empty memory", lambda v: f"{v:.0f} MB"),
    "a million znodes: memory": (ONE, "million memory", lambda v: f"{v:,.0f} MB"),
    "a million znodes: start": (ONE, "million restart", lambda v: f"{v:.2g} s"),
}


def test_numbers_in_the_comparison_are_those_of_the_results():
    rows = {cells[1]: cells[2:4] for line in (ROOT / "README.md").read_text().splitlines()
            if len(cells := [c.strip() for c in line.split("|")]) == 6}
    for title, (name, line, text) in COMPARED.items():
        measured = json.loads((ROOT / f"bench/results/{name}.json").read_text())["results"][line]
        assert rows[title] == [text(measured[server]["median"]) for server in ("apache38", "caucusd")], title


@pytest.mark.parametrize("text, problem", [
    ("<!-- not run: -->\n```sh\nx\n```\n", "of what?"),
    ("```console\n$ x\n```\n", "so that they are run"),
    ("```sh\nx\n", "does not end"),
    ("```c\nint x;\n```\n", "says why it is not run"),
    ("<!-- file: a -->\nwords\n```c\n```\n", "between 'file'"),
])
def test_document_that_hides_something_is_refused(text, problem):
    with pytest.raises(document.BadDocument, match=re.escape(problem)):
        document.read(text, "x.md")


def run_text(tmp_path, text):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = tmp_path / "x.md"
    path.write_text(text)
    return subprocess.run([*own_network(), sys.executable, ROOT / "tests/docs/rehearse.py", path, folder], capture_output=True, text=True)


@pytest.mark.parametrize("text, problem", [
    ("```sh\necho a; false; echo b\n```\n", "exit code 1:\na\n"),
    ("```sh\necho abc\n```\n```text\nabd\n```\n", "and not\nabd"),
    ("<!-- background until: b -->\n```sh\necho a\n```\n", "before it printed 'b'"),
    ("<!-- background until: a -->\n```sh\ntrap : INT; echo a; exit 3\n```\n", "ended with 3"),
])
def test_command_that_does_something_else_is_found(tmp_path, text, problem):
    done = run_text(tmp_path, text)
    assert done.returncode == 1 and problem in done.stdout, done.stdout + done.stderr


def test_exports_files_and_patterns_go_on(tmp_path):
    done = run_text(tmp_path, """<!-- file: a/b.txt -->
```text
of a file
```

```sh
export WORD="two words"
```

```sh
cat a/b.txt; echo "$WORD" 17; seq 5
```
```text
of a ...
two words ...
1
...
5
```
""")
    assert done.returncode == 0 and done.stdout.endswith("3 blocks run, 0 not run\n"), done.stdout + done.stderr
