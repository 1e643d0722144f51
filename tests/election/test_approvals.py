"""What a committee gives up by hand, as far as it is done without servers: keys, approvals, and what is asked and sent (a server that
says what it is told to say)."""

import fcntl
import http.server
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import threading

import pytest
from peers import CAUCUSD

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMITTEE = CAUCUSD.parent / "committee"
OK, NO, USAGE, CONNECTION = 0, 1, 2, 3
NOTICE = f"""caucus loss 1
election us 2024
config {"0a" * 32}
state CA
round 3
version 7
epoch 6
committed 1037
chain {"0b" * 32}
kept 1000
kept_chain {"0c" * 32}
keeper s3
missing s1 s2
"""
LOSS = {"state": "CA", "round": 3, "committed": 1037, "kept": 1000, "lost": 37, "keeper": "s3", "missing": ["s1", "s2"]}
TOLD = {**LOSS, "approvals_min": 2, "approvers": ["alice", "bob", "carol"], "text": NOTICE}


def run(*words):
    return subprocess.run([str(COMMITTEE), *map(str, words)], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)


def ok(*words):
    r = run(*words)
    assert r.returncode == OK, r
    return r.stdout


def fails(code, *words):
    r = run(*words)
    assert r.returncode == code and r.stdout == "" and re.search("^committee: .*", r.stderr.splitlines()[-1]), r
    return r.stderr.splitlines()[-1]


@pytest.fixture
def people(tmp_path):
    """The lines for election.conf, by name; each has a key file NAME.key."""
    return {name: ok("approver", "new", tmp_path / f"{name}.key", "--name", name) for name in ("alice", "bob")}


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "loss.txt"
    path.write_text(NOTICE)
    return path


# ---- keys ----


def test_a_key_is_made_once_and_is_its_owner_s(tmp_path):
    key = tmp_path / "key"
    line = ok("approver", "new", key, "--name", "alice")
    assert re.fullmatch(r"approver=alice [0-9a-f]{64}\n", line)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    kept = key.read_text()
    assert re.fullmatch(r"[0-9a-f]{64}\n", kept) and kept.strip() not in line
    assert ok("approver", "show", key, "--name", "alice") == line
    assert json.loads(ok("approver", "show", key, "--name", "al.ice", "--json")) == {"name": "al.ice", "key": line.split()[1]}
    assert "exists" in fails(NO, "approver", "new", key, "--name", "alice")
    assert key.read_text() == kept and list(tmp_path.iterdir()) == [key]
    other = ok("approver", "new", tmp_path / "other", "--name", "alice")
    assert other != line


def test_keys_that_are_none_are_refused(tmp_path):
    key = tmp_path / "key"
    for text in ("", "0" * 64, "0" * 63 + "\n", "0" * 65 + "\n", "A" * 64 + "\n", "0" * 64 + "\n\n", "0" * 64 + "\r\n"):
        key.write_text(text)
        assert "no key of an approver" in fails(NO, "approver", "show", key, "--name", "a")
    assert "No such file" in fails(NO, "approver", "show", tmp_path / "none", "--name", "a")
    for name in ("", "a b", "a/b", "a" * 64, "ä"):
        assert "--name" in fails(USAGE, "approver", "new", tmp_path / "new", "--name", name)
    assert "--name" in fails(USAGE, "approver", "new", tmp_path / "new")
    assert "new FILE or show FILE" in fails(USAGE, "approver", "make", tmp_path / "new", "--name", "a")
    assert not (tmp_path / "new").exists()


def test_the_line_is_one_of_a_definition(people, tmp_path):
    definition = tmp_path / "example"
    shutil.copytree(ROOT / "elections/example", definition)
    conf = definition / "election.conf"
    text = conf.read_text()
    conf.write_text(text + "".join(people.values()) + "approvals_min=2\n")
    assert ok("roll", "check", "--election", definition).startswith("CA")
    conf.write_text(text + people["alice"] + people["alice"])
    assert "of this name already" in fails(USAGE, "roll", "check", "--election", definition)


# ---- approvals ----


def is_signed(people, name, hex_signature, tmp_path):
    """Whether OpenSSL says so."""
    der, signature, notice = (tmp_path / n for n in ("public.der", "signature", "notice"))
    der.write_bytes(bytes.fromhex("302a300506032b6570032100" + people[name].split()[1]))  # RFC 8410
    signature.write_bytes(bytes.fromhex(hex_signature))
    notice.write_text(NOTICE)
    return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", der, "-rawin", "-in", notice,
                           "-sigfile", signature], capture_output=True).returncode == 0


def test_whoever_approves_sees_what(people, document, tmp_path):
    r = run("approve", document, "--name", "alice", "--key", tmp_path / "alice.key")
    assert r.returncode == OK
    words = " ".join(r.stderr.split())
    for what in ("election 'us 2024', state CA, round 3", "37 of 1,037 committed records are given up", "1,000 are kept", "server s3",
                 "declared lost: s1 s2", "cannot be undone"):
        assert what in words, (what, words)
    approval, name, signature = r.stdout.split(" ")
    assert (approval, name, signature[-1]) == ("approval", "alice", "\n")
    assert is_signed(people, "alice", signature, tmp_path) and not is_signed(people, "bob", signature, tmp_path)
    assert document.read_text() == NOTICE

    # What stands in a text for people cannot look like something else.
    document.write_text(NOTICE.replace("us 2024", "x\x1b[2J\rstate NY\u009b"))
    r = run("approve", document, "--name", "alice", "--key", tmp_path / "alice.key")
    assert r.returncode == OK and r"'x\x1b[2J\x0dstate NY\xc2\x9b', state CA" in r.stderr


def test_approvals_gather_in_the_document(people, document, tmp_path):
    lines = [ok("approve", document, "--name", n, "--key", tmp_path / f"{n}.key") for n in people]
    for n in people:
        assert ok("approve", document, "--name", n, "--key", tmp_path / f"{n}.key", "--add") == ""
    assert document.read_text() == NOTICE + "".join(lines)  # who signs later signs the same
    assert "'bob' has approved it already" in fails(NO, "approve", document, "--name", "bob", "--key", tmp_path / "bob.key", "--add")
    assert document.read_text() == NOTICE + "".join(lines)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["alice.key", "bob.key", "loss.txt"]


def test_two_who_approve_at_once_are_both_in_it(people, document, tmp_path):
    lines = {n: ok("approve", document, "--name", n, "--key", tmp_path / f"{n}.key") for n in people}
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    words = [str(COMMITTEE), "approve", str(document), "--name", "alice", "--key", str(tmp_path / "alice.key"), "--add"]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as alice:
        with pytest.raises(subprocess.TimeoutExpired):
            alice.wait(0.3)  # she waits for whoever has the folder
        document.write_text(NOTICE + lines["bob"])
        os.close(folder)
        assert alice.wait(30) == OK
    assert document.read_text() == NOTICE + lines["bob"] + lines["alice"]


def test_what_is_no_document_is_not_signed(people, document, tmp_path):
    words = ("approve", document, "--name", "alice", "--key", tmp_path / "alice.key")
    document.write_text(NOTICE.replace("kept 1000", "kept 1037"))
    assert "loss.txt': line 10: 'kept N', less than committed," in fails(NO, *words)
    document.write_text(NOTICE[:-1])
    assert "line 13" in fails(NO, *words, "--add")
    document.write_text(NOTICE + "approval mallory 00\n")
    assert "line 14" in fails(NO, *words)
    document.write_text(NOTICE)
    assert "no key of an approver" in fails(NO, *words[:-1], document)
    assert "--key" in fails(USAGE, *words[:-2])
    assert document.read_text() == NOTICE


# ---- what is asked and sent ----


class Server:
    """Says what `answer` is, (status, body); keeps what it was asked."""

    def __init__(self):
        server, self.asked, self.answer = self, [], None

        class Door(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                server.asked.append((self.command, self.path, json.loads(body) if body else None))
                status, answer = server.answer
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.words = ("--rest", f"127.0.0.1:{self.http.server_port}")
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def test_what_would_be_given_up_is_shown(server, tmp_path):
    server.answer = 200, TOLD
    words = " ".join(ok(*server.words, "recover", "ca").split())
    for what in ("CA, round 3", "committed 1,037", "kept 1,000", "given up 37", "keeper s3", "missing s1 s2",
                 "approvals 2 of alice bob carol"):
        assert what in words, (what, words)
    assert server.asked == [("GET", "/v1/loss/ca", None)]
    assert json.loads(ok(*server.words, "recover", "ca", "--json")) == TOLD

    notice = tmp_path / "notice"
    assert "given up" in ok(*server.words, "recover", "ca", "--notice", notice)
    assert notice.read_text() == NOTICE
    notice.write_text("kept")
    assert "exists" in fails(NO, *server.words, "recover", "ca", "--notice", notice)
    assert notice.read_text() == "kept"

    server.answer = 200, {**TOLD, "approvals_min": 0, "approvers": []}
    assert "names nobody who may approve" in ok(*server.words, "recover", "ca")


def test_what_is_shown_is_what_is_signed(server, tmp_path):
    """Whatever the server says beside it."""
    server.answer = 200, {**TOLD, "lost": 1, "kept": 1036, "missing": [], "state": "NY"}
    assert json.loads(ok(*server.words, "recover", "CA", "--json")) == TOLD
    for text in ("", NOTICE[:-1], NOTICE + "\n", NOTICE + "approval a 00\n", NOTICE + "x" * 5000):
        server.answer = 200, {**TOLD, "text": text}
        assert "is no notice" in fails(NO, *server.words, "recover", "CA", "--notice", tmp_path / "notice")
    for answer in ([1], {**TOLD, "text": NOTICE.replace("\n", "\0", 1)}):
        server.answer = 200, answer
        assert "not understood" in fails(NO, *server.words, "recover", "CA")
    assert not (tmp_path / "notice").exists()


def test_a_document_is_sent_as_it_is(server, document, people, tmp_path):
    for n in people:
        ok("approve", document, "--name", n, "--key", tmp_path / f"{n}.key", "--add")
    server.answer = 200, {**LOSS, "epoch": 7}
    out = ok(*server.words, "recover", "new york", "--document", document)
    assert out == "CA, round 3: 37 records are given up; it goes on with the 1,000 that are kept, in epoch 7\n"
    assert server.asked == [("POST", "/v1/loss/new%20york/admit", {"document": document.read_text()})]
    assert json.loads(ok(*server.words, "recover", "CA", "--document", document, "--json")) == {
        "state": "CA", "round": 3, "epoch": 7, "kept": 1000, "lost": 37}


def test_refusals_are_told(server, document):
    for status, code in ((400, "INVALID_REQUEST"), (403, "NOT_APPROVED"), (409, "NOT_AS_SIGNED"), (409, "NOTHING_LOST")):
        server.answer = status, {"code": code, "message": f"this is why: {code}"}
        assert f"this is why: {code}" in fails(NO, *server.words, "recover", "CA", "--document", document)
        assert f"this is why: {code}" in fails(NO, *server.words, "recover", "CA")
    server.answer = 503, {"code": "UNAVAILABLE", "message": "s2 lives and cannot be heard"}
    assert "s2 lives" in fails(NO, *server.words, "recover", "CA")
    fails(CONNECTION, "--rest", "127.0.0.1:1", "recover", "CA")


def test_words_that_make_no_sense_reach_no_server(server, document, tmp_path):
    assert "--rest" in fails(USAGE, "recover", "CA")
    assert "either" in fails(USAGE, *server.words, "recover", "CA", "--notice", tmp_path / "n", "--document", document)
    fails(USAGE, *server.words, "recover")
    document.write_text(NOTICE[:-1])
    assert "line 13" in fails(NO, *server.words, "recover", "CA", "--document", document)
    assert "No such file" in fails(NO, *server.words, "recover", "CA", "--document", tmp_path / "none")
    assert server.asked == []
    for command in ("recover", "approve"):
        assert "undone" in ok(command, "--help").lower()


def state(code, lost):
    return {"state": code, "known": True, "electors": 3, "roll": 9, "phase": "OPEN", "round": 3, "final": False, "voters": 5,
            "counts": [{"candidate": "a", "votes": 5}], "leader": "a", "tie": False, "shard_leader": "s3", "epoch": 8, "index": 1000,
            "lost": lost, "root": "0a" * 32}


def test_counts_tell_what_was_given_up(server):
    server.answer = 200, state("CA", 1037)
    assert "1,037 records of this round were committed, were lost, and are given up" in ok(*server.words, "status", "CA")
    assert json.loads(ok(*server.words, "status", "CA", "--json"))["lost"] == 1037
    server.answer = 200, state("CA", 0)
    assert "lost" not in ok(*server.words, "status", "CA")

    nation = {"phase": "OPEN", "round": 3, "voters": 10, "counts": [{"candidate": "a", "votes": 10, "electors": 6}], "electors_total": 6,
              "electors_open": 0, "majority": 4, "leader": "a", "tie": False, "winner": None, "states_final": 0}
    server.answer = 200, {**nation, "states": [state("CA", 37), state("NY", 0)]}
    out = ok(*server.words, "global_status")
    assert out.endswith("given up: 37 lost records of CA\n")
    server.answer = 200, {**nation, "states": [state("CA", 0), state("NY", 0)]}
    assert "given up" not in ok(*server.words, "global_status")
