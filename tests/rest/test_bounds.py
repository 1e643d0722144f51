"""Nothing that is sent makes the door grow, hang or fall over."""

import json
import random
import socket
import threading

import pytest
from door import read_all

VOTE = b"POST /states/CA/voters/v1/vote HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def status_of(received):
    return int(received.split()[1]) if received.startswith(b"HTTP/") else None


def error_of(received):
    return json.loads(received.split(b"\r\n\r\n", 1)[1])


def serves(door):
    assert door.ask("GET", "/healthz")[::2] == (200, b"ok\n")


def test_a_body_of_ten_megabytes_is_refused(door):
    body = b'{"candidate":"' + b"x" * (10 << 20) + b'"}'
    status, error = door.json("POST", "/states/CA/voters/v1/vote", body)
    assert (status, error["code"]) == (413, "BODY_TOO_LARGE")
    serves(door)


def test_a_body_that_announces_its_size_is_not_waited_for(door):
    for head in [b"Content-Length: 99999999999999\r\n", b"Content-Length: 5000\r\nExpect: 100-continue\r\n"]:
        received = door.raw(VOTE + head + b"\r\n", half_close=False)
        assert status_of(received) == 413 and error_of(received)["code"] == "BODY_TOO_LARGE"


def test_a_body_in_chunks_has_the_same_bound(door):
    vote = VOTE + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
    end = b"16\r\n" + b'{"candidate":"harris"}' + b"\r\n0\r\n\r\n"
    assert status_of(door.raw(vote + chunk * 3 + end)) == 413
    assert status_of(door.raw(vote + end)) == 200


def test_the_largest_body_is_taken(door):
    body = b'{"candidate":"harris"}'.ljust(4096)
    assert door.json("POST", "/states/CA/voters/v1/vote", body)[0] == 200
    assert door.json("POST", "/states/CA/voters/v1/vote", body + b" ")[0] == 413
    # As many approvals as there may be, and the text in front of them.
    body = json.dumps({"document": "approval x\n" * (16384 // 11)}).encode().ljust(20480)
    assert door.json("POST", "/v1/loss/CA/admit", body)[0] != 413
    assert door.json("POST", "/v1/loss/CA/admit", body + b" ")[0] == 413


@pytest.mark.parametrize("bytes_of_head, status", [(7000, 200), (9000, 431), (100_000, 431)])
def test_heads_have_a_bound(door, bytes_of_head, status):
    received = door.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nCookie: " + b"c" * bytes_of_head + b"\r\nConnection: close\r\n\r\n")
    assert status_of(received) == status


def test_an_endless_line_is_refused(door):
    assert status_of(door.raw(b"GET /" + b"a" * 100_000, half_close=False)) in (414, 431)
    serves(door)


def test_a_path_has_at_most_so_many_parts(door):
    assert door.ask("GET", "/a" * 11)[0] == 400
    assert door.ask("GET", "/healthz?" + "&".join(f"a{i}=1" for i in range(9)))[0] == 400


@pytest.mark.parametrize("path, allow", [
    ("/states/CA/voters/v1/vote", "POST"), ("/v1/election/start", "POST"), ("/v1/recount", "POST"), ("/v1/results", "GET, HEAD"),
    ("/v1/results/stream", "GET, HEAD"), ("/", "GET, HEAD"), ("/metrics", "GET, HEAD")])
def test_another_method_is_told_what_is_allowed(door, path, allow):
    for method in {"GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"} - set(allow.split(", ")):
        status, headers, body = door.ask(method, path)
        assert (status, headers["Allow"], json.loads(body)["code"]) == (405, allow, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("path", ["/nothing", "/v1", "/v1/", "/v1/states/CA", "//", "/v1/results/", "/index.htm", "/../etc/passwd", "/%2e%2e"])
def test_what_is_not_here_is_not_found(door, path):
    status, error = door.json("GET", path)
    assert (status, error["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["/v1/export/cvr-1500-103.json"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_what_is_not_offered_yet_says_so(door, path, method):
    status, error = door.json(method, path)
    assert (status, error["code"], error["outcome"]) == (501, "NOT_IMPLEMENTED", "none")


def test_head_is_get_without_its_body(door):
    for path in ["/", "/healthz", "/v1/election", "/v1/results", "/v1/results/stream"]:
        assert door.ask("HEAD", path)[::2] == (200, b"")


GARBAGE = [
    b"\x00", b"\xff" * 100, b"\r\n" * 50, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n: x\r\n\r\n", b"GET / HTTP/1.1\r\nA\r\n\r\n", b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
    VOTE + b"Content-Length: -1\r\n\r\n", VOTE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", VOTE + b"Transfer-Encoding: gzip\r\n\r\n",
    VOTE + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", VOTE + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_does_no_harm(start_door, garbage):
    door = start_door("--idle-ms", 1000)
    assert status_of(door.raw(garbage)) in (None, 200, 400, 404, 405, 411, 413, 415, 501, 505)
    serves(door)


def test_random_garbage_does_no_harm(start_door):
    door = start_door("--idle-ms", 1000)
    random.seed(4711)
    good = VOTE + b"Content-Length: 22\r\n\r\n" + b'{"candidate":"harris"}' + b"GET /v1/results HTTP/1.1\r\nHost: x\r\n\r\n"
    connections = []
    for _ in range(300):
        spoiled = bytearray(good)
        for _ in range(random.randint(1, 4)):
            spoiled[random.randrange(len(spoiled))] = random.randrange(256)
        connections.append(door.connect())
        connections[-1].sendall(spoiled[:random.randint(1, len(spoiled))])
    for s in connections:
        assert status_of(read_all(s)) in (None, 200, 400, 403, 404, 405, 413, 415, 422, 501, 505)
        s.close()
    serves(door)


def test_half_a_request_is_cut_off(start_door):
    door = start_door("--idle-ms", 1000, "--head-ms", 200)
    for half in [b"", b"GET /heal", b"GET /healthz HTTP/1.1\r\nHost: x\r\n", VOTE + b"Content-Length: 22\r\n\r\n" + b'{"can']:
        with door.connect() as s:
            s.sendall(half)
            assert read_all(s) == b""  # closed, by nobody else
    serves(door)


def test_a_byte_now_and_then_holds_no_connection(start_door):
    """Each byte would begin the time of silence anew."""
    door = start_door("--idle-ms", 1000, "--head-ms", 200)
    with door.connect() as s:
        s.settimeout(0.3)
        ended = False
        for byte in (VOTE + b"X: " + b"x" * 1000):
            try:
                s.send(bytes([byte]))
                ended = s.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
            if ended:
                break
        assert ended


def test_connections_have_a_bound_and_the_next_one_waits(start_door):
    door = start_door("--connections", 8)
    held = [door.connect() for _ in range(8)]
    for s in held:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 200")
    with door.connect() as late:
        late.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        late.settimeout(0.2)
        with pytest.raises(TimeoutError):
            late.recv(100)
        held.pop().close()
        late.settimeout(30)
        assert late.recv(100).startswith(b"HTTP/1.1 200")
    for s in held:
        s.close()


def test_who_leaves_while_the_service_works_does_no_harm(door):
    for _ in range(20):
        with door.connect() as s:
            s.sendall(b"POST /states/CA/voters/never/vote HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Timeout-Ms: 300\r\n"
                      b"Content-Length: 22\r\n\r\n" + b'{"candidate":"harris"}')
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    assert door.vote(voter="never", timeout="400")[0] == 504  # behind all of them
    serves(door)


def test_the_door_closes_over_what_is_under_way(start_door):
    door = start_door()
    door.say("phase OPEN")
    spectators = [door.stream() for _ in range(5)]
    waiting = [threading.Thread(target=door.raw, args=(
        b"POST /states/CA/voters/never/vote HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n"
        b'{"candidate":"harris"}', False)) for _ in range(5)]
    for w in waiting:
        w.start()
    for s in spectators:
        s.burst()
    door.end()  # in order, and the sanitizer has nothing to say
    for w in waiting:
        w.join()


def test_no_voter_and_no_choice_is_in_metrics(door):
    door.vote(voter="alice-1", candidate="trump")
    door.vote(voter="nobody-alice", candidate="mallory")
    text = door.ask("GET", "/metrics")[2].decode()
    assert 'http_requests_total{route="vote",code="200"} 1\n' in text
    assert 'http_requests_total{route="vote",code="404"} 1\n' in text
    assert "alice" not in text and "mallory" not in text
