"""The tree over a state's log: heads, proofs, tiles and receipts of running servers, against another implementation
(rfc6962.py, openssl) that reads their files."""

import base64
import hashlib
import http.client
import json
import struct
import subprocess

import grpc
import grpc_peer
import pytest
from election import Voters, read_log
from election_grpc import Client, m
from peers import program
from rfc6962 import Tree
from test_programs import COMMITTEE, NO, OK, USAGE, run

pytestmark = pytest.mark.parametrize("coordination", ["ours"], indirect=True, scope="session")
VOTES = 600


@pytest.fixture
def election(start_election):
    """Of CA, two servers have replicas; the first one asks them."""
    def without_ca(election):
        election.servers[0].options = ["--states", "NY"]
    return start_election({"CA": 2000, "NY": 100}, before=without_ca)


def get(server, path, method="GET", body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.port("rest"), timeout=30)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, answer.headers, data


def wait_phase(server, phase):
    """Until the server has heard of it, too: its stream says so."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port("rest"), timeout=30)
    connection.request("GET", "/v1/results/stream")
    event = b""
    for line in connection.getresponse():
        if line.startswith(b"event: "):
            event = line.split()[1]
        if event == b"phase" and line.startswith(b"data: ") and json.loads(line[6:])["phase"] == phase:
            break
    connection.close()


def ask(server, path):
    status, _, data = get(server, path)
    return status, json.loads(data)


def proves(server, url, **wanted):
    status, answer = ask(server, url)
    assert status == 200, answer
    assert {k: answer[k] for k in wanted} == wanted
    return answer


def vote(server, voter, candidate="cand1"):
    status, _, data = get(server, f"/states/CA/voters/{voter}/vote?signed=1", "POST", json.dumps({"candidate": candidate}),
                          {"Content-Type": "application/json"})
    assert status == 200, data
    return json.loads(data)


def tree_of(election):
    """Over what the second server has on its disk, up to Commit."""
    election.wait_caught_up("CA", election.servers[1:])
    commit, _ = election.commit("CA")
    log = read_log(election.file(election.servers[1], "CA"))
    entries = [struct.pack(">QQ16s16s16sQIHBB", *r) for r in log.records[:commit.index]]
    tree = Tree(entries)
    assert tree.root(0, len(entries)) == commit.root
    return tree, entries


def hexes(hashes):
    return [h.hex() for h in hashes]


def is_signed(folder, key, text, signature):
    """By openssl."""
    for name, data in (("key", b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00" + key), ("text", text), ("sig", signature)):
        (folder / name).write_bytes(data)
    r = subprocess.run([program("openssl"), "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", folder / "key", "-rawin",
                        "-in", folder / "text", "-sigfile", folder / "sig"], capture_output=True, check=False)
    return r.returncode == 0


def check_head(note, key, tree, folder, round):
    """A checkpoint of C2SP, in a signed note."""
    text, signatures = note.split(b"\n\n")
    text += b"\n"
    size = len(tree.leaves)
    assert text.decode() == f"caucus/test/CA/{round}\n{size}\n{base64.b64encode(tree.root(0, size)).decode()}\n"
    dash, name, signature = signatures.decode().rstrip("\n").split(" ")
    assert (dash, name) == ("\u2014", "caucus/test")
    signature = base64.b64decode(signature)
    assert signature[:4] == hashlib.sha256(b"caucus/test\n\x01" + key).digest()[:4]
    assert is_signed(folder, key, text, signature[4:])
    assert not is_signed(folder, key, text[:-2] + b"A\n", signature[4:])


def check_receipt(receipt, key, folder):
    r = receipt
    text = "\n".join(map(str, (
        "caucus receipt 1", "test", r["state"], r["round"], r["epoch"], r["index"], r["revision"], r["leaf"], r["commit_version"],
        r["tree_size"], r["root"], "")))
    assert is_signed(folder, key, text.encode(), bytes.fromhex(r["signature"]))


def check_tiles(server, tree, entries):
    def tile(path):
        status, headers, data = get(server, "/v1/log/CA/tile/" + path)
        return (headers["Cache-Control"], data) if status == 200 else status

    size, whole = len(entries), len(entries) // 256
    assert tile("0/001?round=1") == ("public, max-age=31536000, immutable", b"".join(tree.leaves[256:512]))
    assert tile("0/000") == ("no-cache", b"".join(tree.leaves[:256]))
    assert tile(f"0/{whole:03}.p/{size % 256}")[1] == b"".join(tree.leaves[whole * 256:])
    assert tile("0/002.p/7?round=1") == ("no-cache", b"".join(tree.leaves[512:519]))
    assert tile(f"1/000.p/{whole}")[1] == b"".join(tree.root(i * 256, i * 256 + 256) for i in range(whole))
    for missing in (f"0/{whole:03}", f"0/{whole:03}.p/{size % 256 + 1}", "1/000", "5/000", "0/1", "0/0001",
                    "0/001/002", "0/000.p/0", "0/000.p/256", "0/x000", "0", "", "0/", "entries", "0/000?round=2"):
        assert tile(missing) == 404, missing
    assert tile("4/x016/x777/215") == 400  # no log is as long as that
    assert tile("entries/000") == 403  # the election is not over


def check_proofs(server, tree):
    size = len(tree.leaves)
    sizes = [1, 2, 3, 255, 256, 257, 400, 511, 512, 513, size - 1, size]
    for n in sizes:
        for i in {0, n // 2, n - 1}:
            proves(server, f"/v1/log/CA/proof/inclusion?index={i}&size={n}&leaf={tree.leaves[i].hex()}", round=1, index=i, size=n,
                   leaf=tree.leaves[i].hex(), root=tree.root(0, n).hex(), path=hexes(tree.path(i, n)))
        for older in [o for o in sizes if o <= n]:
            proves(server, f"/v1/log/CA/proof/consistency?from={older}&to={n}", **{"from": older}, size=n,
                   root=tree.root(0, n).hex(), path=hexes(tree.proof(older, n)))
    proves(server, "/v1/log/CA/proof/consistency?from=0&to=3", path=[])
    for path, status in (
            ("inclusion?index=3&size=3", 400), ("inclusion?size=3", 400), ("inclusion?index=-1", 400), ("inclusion?index=x", 400),
            (f"inclusion?index=0&size={size + 1000}", 404), ("inclusion?index=0&leaf=ab", 400), ("inclusion?index=0&round=2", 404),
            (f"inclusion?index=0&leaf={tree.leaves[1].hex()}", 404), ("consistency?from=5&to=4", 400),
            ("consistency?from=1&to=4294967296", 400), (f"consistency?from=1&to={size + 1000}", 404), ("other", 404)):
        assert ask(server, "/v1/log/CA/proof/" + path)[0] == status, path
    assert ask(server, "/v1/log/atlantis/proof/inclusion?index=0")[0] == 404


def check_by_grpc(server, tree):
    size = len(tree.leaves)
    with grpc_peer.channel(server.port("grpc")) as channel:
        client = Client(channel)
        p = client.transparency.Inclusion(m("InclusionQuery", state="CA", index=300, leaf_hash=tree.leaves[300]), timeout=20)
        assert (p.tree_size, p.root, list(p.path), p.leaf_hash) == (size, tree.root(0, size), tree.path(300, size), tree.leaves[300])
        p = client.transparency.Consistency(m("ConsistencyQuery", state="CA", **{"from": 300}, to=500), timeout=20)
        assert (p.round, p.root, list(p.path)) == (1, tree.root(0, 500), tree.proof(300, 500))
        for query in ({"index": 5, "tree_size": 5}, {"leaf_hash": b"short"}):
            with pytest.raises(grpc.RpcError) as refused:
                client.transparency.Inclusion(m("InclusionQuery", state="CA", **query), timeout=20)
            assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.RpcError) as refused:
            client.transparency.Inclusion(m("InclusionQuery", state="CA", leaf_hash=bytes(32)), timeout=20)
        assert refused.value.code() == grpc.StatusCode.NOT_FOUND
        return client.transparency.Checkpoint(m("StateQuery", state="CA"), timeout=20).note


def check_by_committee(receipt, folder, front=(), words=()):
    """A receipt that was changed anywhere is none."""
    path = folder / "receipt.json"

    def check(receipt):
        path.write_text(json.dumps(receipt) if isinstance(receipt, dict) else receipt)
        r = run(COMMITTEE, *front, "receipt", "check", path, "--json", *words)
        assert r.stderr.count("\n") == (r.returncode != OK), r
        return r.returncode

    assert check(receipt) == OK and check({"voted": True, "receipt": receipt}) == OK
    assert check({k: v for k, v in receipt.items() if k != "signature"}) == OK
    for name in ("leaf", "root", "signature"):
        assert check({**receipt, name: receipt[name][1:] + ("0" if receipt[name][0] != "0" else "1")}) == NO, name
    for name in ("round", "epoch", "index", "revision", "commit_version", "tree_size"):
        assert check({**receipt, name: receipt[name] + 1}) == NO, name
    for text in ("", "{", "[]", "{}", json.dumps({**receipt, "state": "../x"}), json.dumps({**receipt, "leaf": 7})):
        assert check(text) == NO
    assert check({**receipt, "index": receipt["tree_size"]}) == NO
    path.write_text(json.dumps(receipt))
    assert run(COMMITTEE, *front, "receipt", "check", path, "--signer", "ab" * 32, *words).returncode == NO
    assert run(COMMITTEE, *front, "receipt", "check", path, "--signer", "ab", *words).returncode == USAGE


def test_what_is_in_the_log_can_be_proved(election, tmp_path):
    servers = election.servers
    receipt = vote(servers[1], "CA-1999")
    with Voters(election, "CA", width=64, voters=1900) as voters:
        voters.wait_acknowledged(VOTES)
    later = vote(servers[0], "CA-1999", "cand2")
    tree, entries = tree_of(election)
    assert tree.leaves[receipt["index"]].hex() == receipt["leaf"]

    key = bytes.fromhex(ask(servers[2], "/v1/election")[1]["signer"])
    for server in servers:
        ask(server, "/v1/states/CA/status?linearizable=1")  # whoever has no replica of it looks once a second
        check_head(get(server, "/v1/log/CA/checkpoint")[2], key, tree, tmp_path, 1)
    check_proofs(servers[1], tree)
    check_tiles(servers[2], tree, entries)
    assert check_by_grpc(servers[1], tree) == get(servers[1], "/v1/log/CA/checkpoint")[2]
    # The one that has no log of CA gives the same answers.
    proves(servers[0], "/v1/log/CA/proof/inclusion?index=100&size=300", path=hexes(tree.path(100, 300)))
    assert ask(servers[0], "/v1/log/CA/proof/inclusion?index=100&size=900000")[0] == 404
    # And so does one that begins again.
    servers[1].kill()
    servers[1].start()
    proves(servers[1], "/v1/log/CA/proof/consistency?from=300&to=500", path=hexes(tree.proof(300, 500)))

    check_receipt(receipt, key, tmp_path)
    check_receipt(ask(servers[1], "/v1/states/CA/voters/CA-1999")[1]["receipt"], key, tmp_path)
    rest = ["--rest", ",".join(f"127.0.0.1:{s.port('rest')}" for s in servers)]
    check_by_committee(receipt, tmp_path, front=rest)
    check_by_committee(later, tmp_path, front=rest)

    election.close()
    wait_phase(servers[2], "CLOSED")
    ask(servers[2], "/v1/states/CA/status?linearizable=1")  # it has heard of the end
    status, headers, data = get(servers[2], "/v1/log/CA/tile/entries/001?round=1")
    assert status == 200 and headers["Cache-Control"].startswith("private")
    assert data == b"".join(struct.pack(">H", 80) + e for e in entries[256:512])
    for state in election.states:
        election.wait_seal(state)
    folder = tmp_path / "export"
    froms = [word for s in servers for word in ("--from", s.data)]
    r = run(COMMITTEE, "export", folder, "--election", election.definition, "--zookeeper", election.hosts, *froms)
    assert r.returncode == OK, r
    check_by_committee(receipt, tmp_path, words=["--export", folder])

    election.open()
    election.wait_caught_up("CA", servers[1:])  # whoever follows has begun the round, too
    assert ask(servers[1], "/v1/log/CA/proof/inclusion?index=0&size=1&round=1")[0] == 404
    assert get(servers[1], "/v1/log/CA/checkpoint")[2].startswith(b"caucus/test/CA/2\n0\n")
