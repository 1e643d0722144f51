"""Who may come in at the console, and what is written from there: as a client's writes, or not at all."""

import base64
import hashlib
import json
import threading
import time

import pytest
import rawzk
from console import stream, with_console
from tree import CONFIG

SUPER = CONFIG["DigestAuthenticationProvider.superDigest"]
ALICE = "alice:secret"
MINE = [rawzk.Acl(rawzk.ALL, "auth", "")]


def SERVER_CONFIG():
    return with_console({"caucus.console.write": "true", "DigestAuthenticationProvider.superDigest": SUPER})


def post(server, name, what, who=ALICE, **headers):
    """(status, error)"""
    body = what if isinstance(what, bytes) else json.dumps(what).encode()
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"digest {who}"} if who else {}) | {k.replace("_", "-"): v for k, v in headers.items()}
    status, _, answer = server.http(f"/console/api/{name}", data=body, headers=headers)
    return status, json.loads(answer)["error"]


@pytest.fixture
def hers(s, root):
    """A znode that is alice's alone, with a child that is everybody's."""
    s.authenticate("digest", ALICE.encode())
    s.ok(rawzk.create(root + "/hers", b"before", acl=MINE))
    return root + "/hers"


def test_who_is_named_by_an_acl_is_let_in(server, hers):
    assert post(server, "login", {"path": hers})[0] == 200
    assert post(server, "login", {"path": hers + "/below/that"})[0] == 200
    assert post(server, "login", {"path": "/"})[0] == 403
    assert post(server, "login", {"path": hers}, who="alice:guess")[0] == 403
    assert post(server, "login", {"path": hers}, who="mallory:secret")[0] == 403
    assert post(server, "login", {"path": hers}, who=None)[0] == 401
    assert post(server, "login", {"path": "/"}, who="super:test")[0] == 200


def test_who_is_logged_in_sees_what_is_his(server, hers):
    question = f"/console/api/znode?path={hers}"
    assert server.http(question)[0] == 403
    assert server.http(question, headers={"Authorization": "digest alice:guess"})[0] == 403
    status, _, body = server.http(question, headers={"Authorization": f"digest {ALICE}"})
    assert status == 200 and bytes.fromhex(json.loads(body)["data"]["hex"]) == b"before"
    assert json.loads(body)["acl"][0]["id"] == "alice:" + base64.b64encode(hashlib.sha1(ALICE.encode()).digest()).decode()
    assert server.http(question, headers={"Authorization": "digest super:test"})[0] == 200


def test_create_set_and_delete(server, s, hers):
    assert post(server, "set", {"path": hers, "data": b"after".hex(), "version": 0}) == (200, "")
    assert s.ok(rawzk.get_data(hers))[0] == b"after"
    assert post(server, "set", {"path": hers, "data": "", "version": 0}) == (409, "somebody has changed it meanwhile")
    assert post(server, "create", {"path": hers + "/new", "data": "00ff"}) == (200, "")
    assert s.ok(rawzk.get_data(hers + "/new"))[0] == b"\x00\xff"
    assert s.ok(rawzk.get_acl(hers + "/new"))[0] == s.ok(rawzk.get_acl(hers))[0], "its parent's"
    assert post(server, "create", {"path": hers + "/new"})[0] == 409
    assert post(server, "delete", {"path": hers, "version": 1}) == (409, "it has children")
    assert post(server, "delete", {"path": hers + "/new", "version": 1})[0] == 409
    assert post(server, "delete", {"path": hers + "/new", "version": 0}) == (200, "")
    assert post(server, "delete", {"path": hers + "/new", "version": 0}) == (404, "there is no such znode")


def test_acls_decide_as_for_any_client(server, s, hers, root):
    s.ok(rawzk.create(hers + "/fixed", b"", acl=[rawzk.Acl(rawzk.READ, "world", "anyone")]))
    assert post(server, "set", {"path": hers + "/fixed", "data": "", "version": -1}) == (403, "its ACL does not let you")
    assert post(server, "create", {"path": root + "/open", "data": ""})[0] == 403, "not everybody who has made up a name"
    assert post(server, "set", {"path": hers + "/fixed", "data": "11", "version": -1}, who="super:test")[0] == 200


def test_a_write_leaves_no_session_behind(server, s, hers):
    with stream(server) as told:
        next(told.events())
        before_ms = time.time() * 1000 - 1
        assert post(server, "set", {"path": hers, "data": "", "version": -1})[0] == 200
        writer = told.find("session_created", lambda e: e["at_ms"] >= before_ms)[0]["session"]
        told.find("session_closed", lambda e: e["session"] == writer)


def test_another_sites_page_writes_nothing(server, s, hers):
    what = {"path": hers, "data": "", "version": -1}
    host = f"127.0.0.1:{server.config['admin.serverPort']}"
    for headers in ({"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}, {"Origin": "http://elsewhere"}, {"Origin": "null"},
                    {"Origin": f"http://{host}.elsewhere"}):
        assert post(server, "set", what, **headers)[0] == 403
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert post(server, "set", what, Content_Type=content_type)[0] == 415
    assert s.ok(rawzk.get_data(hers))[0] == b"before"
    assert post(server, "set", what, Origin=f"http://{host}", Sec_Fetch_Site="same-origin")[0] == 200


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"{}", b'{"path":"a"}', b'{"path":"/a/"}', b'{"path":"/a","data":"0"}', b'{"path":"/a","data":"xx"}', b'{"path":"/a","data":1}',
    b'{"path":"/a","version":1e9}', b'{"path":"/a","version":99999999999}', b'{"path":"/a","acl":[]}', b'{"path":"/a\\u0000b"}', b'{"path":"/a"} ,',
    b'{"path":"/' + b"a" * 5000 + b'"}', b'{"path":' + b"[" * 1000,
])
def test_what_is_no_request_is_refused(server, body):
    assert post(server, "create", body, who="super:test")[0] == 400


def test_bodies_have_a_bound(server, hers):
    assert post(server, "set", {"path": hers, "data": "00" * 120_000, "version": -1})[0] == 200
    assert post(server, "set", {"path": hers, "data": "00" * 140_000, "version": -1})[0] == 413


def test_a_console_that_reads_writes_nothing(start_server):
    server = start_server(SERVER_CONFIG() | {"caucus.console.write": None})
    assert post(server, "login", {"path": "/"}, who="super:test")[0] == 200
    for name in ("create", "set", "delete"):
        assert post(server, name, {"path": "/a", "data": "", "version": -1}, who="super:test") == (403, "this console reads only (caucus.console.write)")
    assert server.http("/console/api/znode?path=/a")[0] == 404


def test_writes_at_the_same_time_are_all_answered(server, s, hers):
    got = []
    threads = [threading.Thread(target=lambda i=i: got.append(post(server, "create", {"path": f"{hers}/n{i}", "data": ""}))) for i in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    done = [status for status, _ in got]
    assert set(done) <= {200, 503} and len(s.ok(rawzk.get_children(hers))) == done.count(200) > 0


def test_a_follower_takes_writes_and_says_when_it_cannot(start_ensemble):
    ensemble = start_ensemble(["caucusd"] * 3, leader=3, config={1: SERVER_CONFIG()})
    one = ensemble[1]
    assert post(one, "create", {"path": "/a", "data": "00"}, who="super:test") == (200, "")
    with ensemble[3].session() as s:
        s.ok(rawzk.sync("/a"))
        assert s.ok(rawzk.get_data("/a"))[0] == b"\0"
    mark = one.log_mark()
    for sid in (2, 3):
        ensemble[sid].kill()
    one.wait_log("event=looking", since=mark)
    assert post(one, "create", {"path": "/b", "data": ""}, who="super:test")[0] == 503
