"""What the console answers, and its bounds."""

import json

import pytest
import rawzk
from console import Stream, ask, stream, with_console
from peers import ROOT

POLICY = "default-src 'none'"
SECRET = ("digest", b"alice:secret")
MINE = [rawzk.Acl(rawzk.ALL, "auth", "")]


def SERVER_CONFIG():
    return with_console({"extendedTypesEnabled": "true"})


# --- The page ---


def test_every_file_of_the_page_is_served_as_what_it_is(server):
    types = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    files = [*(ROOT / "web/console").iterdir(), *(ROOT / "web" / name for name in ("dom.js", "stream.js", "style.css"))]
    for path in files:
        status, headers, body = server.http(f"/console/{path.name}")
        assert status == 200 and body == path.read_bytes()
        assert headers["Content-Type"].startswith(types[path.suffix]) and headers["X-Content-Type-Options"] == "nosniff"
        assert POLICY in headers["Content-Security-Policy"]
        assert server.http(f"/console/{path.name}", headers={"If-None-Match": headers["ETag"]})[::2] == (304, b"")
    assert server.http("/")[2] == server.http("/console/")[2] == (ROOT / "web/console/index.html").read_bytes()
    assert server.http("/console/../web.h")[0] == server.http("/console/nothing.js")[0] == 404


def test_the_console_can_be_turned_off(start_server):
    server = start_server(with_console({"caucus.console": "false"}))
    for path in ("/", "/console/", "/console/api/znode?path=/", "/console/api/stream"):
        assert server.http(path)[0] == 404
    assert server.admin("ruok")["error"] is None


def test_zookeepers_commands_come_before_the_console(start_server):
    server = start_server(with_console({"admin.commandURL": "/console"}))
    assert json.loads(server.http("/console/ruok")[2])["command"] == "ruok"
    assert b"server_stats" in server.http("/console/")[2]


# --- Znodes ---


def test_a_znode_with_stat_acl_and_data(server, root):
    with server.session() as s:
        s.ok(rawzk.create(root + "/a", b'{"x": 1}'))
        stat = s.ok(rawzk.exists(root + "/a"))
        znode = ask(server, "znode", path=root + "/a")
        assert bytes.fromhex(znode["data"]["hex"]) == b'{"x": 1}' and znode["data"]["bytes"] == 8
        assert int(znode["stat"]["czxid"], 16) == stat.czxid and znode["stat"]["version"] == 0
        assert znode["acl"] == [{"scheme": "world", "id": "anyone", "perms": "cdrwa"}] and znode["perms"] == "cdrwa"
        s.ok(rawzk.create(root + "/e", b"", flags=rawzk.EPHEMERAL))
        ephemeral = ask(server, "znode", path=root + "/e")
        assert ephemeral["kind"] == "ephemeral" and int(ephemeral["owner"], 16) == s.id


def test_long_data_comes_in_pieces(server, root):
    data = bytes(i * 7 % 256 for i in range(80_000))
    with server.session() as s:
        s.ok(rawzk.create(root + "/long", data))
    got = b""
    while len(got) < len(data):
        piece = ask(server, "znode", path=root + "/long", at=len(got))["data"]
        assert piece["at"] == len(got) and 0 < len(piece["hex"]) <= 2 * 32 * 1024
        got += bytes.fromhex(piece["hex"])
    assert got == data
    beyond = ask(server, "znode", path=root + "/long", at=10**18)["data"]
    assert beyond["at"] == len(data) and beyond["hex"] == ""


def test_what_everybody_may_not_read_is_not_shown(server, root):
    with server.session() as s:
        s.authenticate(*SECRET)
        s.ok(rawzk.create(root + "/mine", b"top", acl=MINE))
        s.ok(rawzk.create(root + "/mine/below", b"", acl=MINE))
        s.ok(rawzk.create(root + "/seen", b"open", acl=[*rawzk.READ_ONLY, *MINE]))
    for name in ("znode", "children"):
        assert "ACL" in ask(server, name, 403, path=root + "/mine")["error"]
    by_name = {c["name"]: c for c in ask(server, "children", path=root)["children"]}
    assert by_name["mine"] == {"name": "mine", "readable": False}
    assert by_name["seen"]["readable"] and by_name["seen"]["bytes"] == 4
    seen = ask(server, "znode", path=root + "/seen")
    assert seen["perms"] == "r" and {"scheme": "digest", "id": "alice", "perms": "cdrwa"} in seen["acl"], "the hash is not for everybody"


@pytest.mark.parametrize("path", ["", "a", "/a/", "//", "/nothing", "/a\0b", "/\udcff", "/" + "x" * 9000, "/../etc", "/%2e"])
def test_odd_paths_are_answered(server, path):
    for name in ("znode", "children"):
        got, _, body = server.http(f"/console/api/{name}?path=" + "".join(f"%{b:02x}" for b in path.encode("utf-8", "surrogateescape")))
        assert got in (200, 404) and (got == 404) == ("error" in json.loads(body)), body
        if got == 200:
            assert path == "", "the root has two names"


@pytest.mark.parametrize("question", [
    "znode?path=/&at=-1", "znode?path=/&at=1e3", "znode?path=/&at=99999999999999999999", "sessions?after=0xzz", "sessions?after=0x1" + "0" * 16,
    "watches?from=x",
])
def test_what_is_no_number_is_refused(server, question):
    status, _, body = server.http(f"/console/api/{question}")
    assert status == 400 and "number" in json.loads(body)["error"]


def test_other_methods_and_names_are_refused(server):
    assert server.http("/console/api/znode?path=/", method="HEAD")[0] == 405
    assert server.http("/console/api/znode?path=/", data=b"x")[0] in (404, 405)
    assert server.http("/console/", data=b"x")[0] in (404, 405)
    assert server.http("/console/api/nothing")[0] == server.http("/console/api/")[0] == 404


def test_clients_that_must_show_who_they_are_are_not_bypassed(start_server):
    server = start_server(with_console({"enforce.auth.enabled": "true", "enforce.auth.schemes": "digest"}))
    for question in ("znode?path=/", "children?path=/", "watches"):
        assert server.http(f"/console/api/{question}")[0] == 401
    with stream(server) as s:
        events = s.events()
        assert next(events)[1]["anyone"] is False
        with server.session() as client:
            client.authenticate(*SECRET)
            client.ok(rawzk.create("/known-to-clients"))
            client.close_session()
        for name, data in events:
            told = data["events"] if name == "events" else []
            assert not [event for event in told if "path" in event]
            if "session_closed" in [event["kind"] for event in told]:
                break


def make(s, parent, names):
    for at in range(0, len(names), 500):
        s.ok(rawzk.multi(*(rawzk.create(f"{parent}/{name}") for name in names[at:at + 500])))


def test_children_come_in_pages(server, root):
    with server.session() as s:
        make(s, root, [f"n{i:04}" for i in reversed(range(250))])
    got, after = [], ""
    while after is not None:
        page = ask(server, "children", path=root, after=after)
        assert page["count"] == 250 and page["sorted"] and 0 < len(page["children"]) <= 100
        got += [c["name"] for c in page["children"]]
        after = page["next"]
    assert got == [f"n{i:04}" for i in range(250)]
    assert ask(server, "children", path=root, after="n0249")["children"] == []
    assert ask(server, "children", path=root, after="n0100x")["children"][0]["name"] == "n0101", "one that is not there"


def test_very_many_children_come_unsorted(server, root):
    names = [f"n{i * 7919 % 10_007:05}" for i in range(10_007)]
    with server.session() as s:
        make(s, root, names)
    page = ask(server, "children", path=root)
    assert page["count"] == len(names) and not page["sorted"]
    assert [c["name"] for c in page["children"]] == names[:100]
    assert [c["name"] for c in ask(server, "children", path=root, after=page["next"])["children"]] == names[100:200]
    assert ask(server, "children", path=root, after=names[-1])["next"] is None


# --- Sessions and watches ---


def test_sessions_with_their_connections(server):
    with server.session(timeout_ms=8000) as s:
        s.ok(rawzk.exists("/"))
        one = next(x for x in ask(server, "sessions")["sessions"] if int(x["session"], 16) == s.id)
        assert one["timeout_ms"] == 8000 and 0 < one["expires_in_ms"] <= 10_000
        assert one["connection"]["last_op"] == "EXIS" and one["connection"]["address"].startswith("127.0.0.1")
        assert all(int(x["session"], 16) > s.id for x in ask(server, "sessions", after=one["session"])["sessions"])


def test_sessions_come_in_pages(start_server):
    server = start_server(with_console({"maxClientCnxns": 0}))
    sessions = sorted(server.session().id for _ in range(120))
    first = ask(server, "sessions")
    second = ask(server, "sessions", after=first["next"])
    assert len(first["sessions"]) == 100 and second["next"] is None and first["count"] == 120
    assert [int(x["session"], 16) for x in first["sessions"] + second["sessions"]] == sessions


def test_watches_by_path(start_server):
    server = start_server(with_console())
    with server.session() as s:
        s.authenticate(*SECRET)
        s.ok(rawzk.create("/mine", b"", acl=MINE))
        for path in ("/mine", "/later", "/"):
            s.call(rawzk.exists(path, watch=True))
        watches = ask(server, "watches")
        assert watches["count"] == watches["paths"] == 3 and watches["next"] is None
        assert [w["path"] for w in watches["watches"]] == ["/", "/later", None], "its path is nobody's business"
        assert all(int(w["sessions"][0], 16) == s.id and w["count"] == 1 for w in watches["watches"])
        for i in range(110):
            s.call(rawzk.exists(f"/later{i:03}", watch=True))
        assert len(ask(server, "watches")["watches"]) == 100 and len(ask(server, "watches", **{"from": 100})["watches"]) == 13


# --- The stream ---


def test_the_stream_begins_with_the_server_as_it_is(server):
    with stream(server) as s:
        name, data = next(s.events())
        assert name == "ensemble" and data["alone"] and data["servers"][0]["mode"] == "standalone" and data["servers"][0]["self"]
        assert {n for n, _ in zip((n for n, _ in s.events()), range(4))} >= {"ensemble", "samples"}


def test_what_happens_is_told(server, root):
    with stream(server) as s:
        next(s.events())
        with server.session() as client:
            s.find("session_created", lambda e: int(e["session"], 16) == client.id)
            client.ok(rawzk.create(root + "/new", b""))
            s.find("created", lambda e: e["path"] == root + "/new")
            client.ok(rawzk.set_data(root + "/new", b"x"))
            assert s.find("changed")[0]["path"] == root + "/new"
            client.authenticate(*SECRET)
            client.ok(rawzk.create(root + "/mine", b"", acl=MINE))
            client.ok(rawzk.delete(root + "/new"))
            event, data = s.find("deleted")
            assert event["path"] == root + "/new"
            assert not any(e.get("path") == root + "/mine" for e in data["events"])
            client.close_session()
        s.find("session_closed", lambda e: int(e["session"], 16) == client.id)


def test_more_changes_than_anybody_can_read_are_counted(server, root):
    with stream(server) as s:
        next(s.events())
        with server.session() as client:
            make(client, root, [f"n{i}" for i in range(2000)])
            told = 0
            for name, data in s.events():
                if name == "events":
                    told += sum(e["kind"] == "created" for e in data["events"])
                    if data["passed_over"] > 0:
                        break
            assert 0 < told <= 256
            client.ok(rawzk.set_data(root, b"x"))
            s.find("changed", lambda e: e["path"] == root)


def test_the_number_of_streams_has_a_bound(start_server):
    server = start_server(with_console())
    streams = [Stream(server) for _ in range(16)]
    assert {s.status for s in streams} == {200}
    last = Stream(server)
    assert last.status == 503 and b"too many" in last.answer.read()
    for s in [*streams, last]:
        s.close()
    assert server.http("/livez")[0] == 200


def test_another_sites_page_gets_nothing(server):
    for site in ("cross-site", "same-site"):
        headers = {"Sec-Fetch-Site": site}
        assert Stream(server, headers).status == 403
        assert server.http("/console/api/sessions", headers=headers)[0] == 403
    assert server.http("/console/api/sessions", headers={"Sec-Fetch-Site": "same-origin"})[0] == 200


def test_a_stream_ends_with_the_server(start_server):
    server = start_server(with_console())
    with stream(server) as s:
        next(s.events())
        server.stop()
        assert all(name in ("ensemble", "samples", "events") for name, _ in s.events())
