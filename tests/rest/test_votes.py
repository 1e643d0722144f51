"""A vote and its outcomes: every row of the table of errors."""

import json
import uuid

import pytest

KEY = "0f8fad5b-d9cb-469f-a165-70867728950e"


def test_a_vote_is_answered_by_its_receipt(door):
    status, receipt = door.vote()
    assert status == 200
    assert receipt["outcome"] == "COMMITTED" and receipt["state"] == "CA"
    assert (receipt["round"], receipt["index"], receipt["revision"], receipt["tree_size"]) == (1, 0, 1, 1)
    status, headers, _ = door.ask("GET", "/v1/states/CA/voters/v1")
    assert status == 200 and headers["ETag"] == '"1"'


def test_states_go_by_code_key_and_name(door):
    for i, name in enumerate(["CA", "ca", "california", "California"]):
        assert door.vote(state=name, voter=f"v{i}")[1]["state"] == "CA"


def test_candidates_go_by_id_and_exact_name(door):
    assert door.vote(voter="a", candidate="Kamala D. Harris")[0] == 200
    assert door.vote(voter="b", candidate="HARRIS")[0] == 422


def test_a_retry_with_its_key_gets_the_same_receipt(door):
    first = door.vote(key=KEY)[1]
    again = door.vote(key=KEY)[1]
    assert again.pop("outcome") == "DUPLICATE" and first.pop("outcome") == "COMMITTED"
    assert again["index"] == first["index"] and again["revision"] == 1
    assert door.vote(key=KEY.replace("-", ""))[1]["outcome"] == "DUPLICATE"  # the same key, written otherwise


def test_a_key_with_another_choice_is_a_conflict(door):
    door.vote(key=KEY)
    status, error = door.vote(key=KEY, candidate="trump")
    assert (status, error["code"], error["outcome"]) == (409, "REQUEST_ID_REUSED", "none")


def test_if_match_guards_against_a_revote_from_elsewhere(door):
    assert door.vote(key=str(uuid.uuid4()), match='"0"')[0] == 200
    status, error = door.vote(key=str(uuid.uuid4()), match='"0"', candidate="trump")
    assert (status, error["code"]) == (412, "REVISION_MISMATCH")
    assert door.vote(key=str(uuid.uuid4()), match="1", candidate="trump")[1]["revision"] == 2


OUTCOMES = {
    "ELECTION_NOT_STARTED": 403, "ELECTION_CLOSING": 403, "ELECTION_CLOSED": 403, "STATE_NOT_FOUND": 404, "VOTER_NOT_FOUND": 404,
    "UNKNOWN_CANDIDATE": 422, "INVALID_REQUEST": 400, "UNAUTHENTICATED": 401, "FORBIDDEN": 403, "REQUEST_ID_REUSED": 409,
    "REVISION_MISMATCH": 412, "TOO_MANY_REVISIONS": 429, "BUSY": 429, "UNAVAILABLE": 503, "OUTCOME_UNKNOWN": 504,
}


@pytest.mark.parametrize("code", OUTCOMES)
def test_every_outcome_has_its_status(door, code):
    status, headers, body = door.ask("POST", f"/states/CA/voters/outcome-{code}/vote", '{"candidate":"harris"}',
                                     {"Content-Type": "application/json"})
    error = json.loads(body)
    assert (status, error["code"]) == (OUTCOMES[code], code)
    assert error["outcome"] == ("unknown" if code == "OUTCOME_UNKNOWN" else "none")
    again = code in ("BUSY", "UNAVAILABLE", "OUTCOME_UNKNOWN")
    assert (error["retry_after_ms"] > 0) == again and ("Retry-After" in headers) == again
    assert ("WWW-Authenticate" in headers) == (code == "UNAUTHENTICATED")


def test_what_the_original_said_is_said(start_door):
    door = start_door()
    assert door.vote()[1]["message"] == "Election not started"
    door.say("phase OPEN")
    assert door.vote(state="atlantis")[1]["message"] == "state not found"
    assert door.vote(voter="nobody-1")[1]["message"] == "voter not found"
    door.say("phase CLOSED")
    assert door.vote()[1]["code"] == "ELECTION_CLOSED"


def test_a_vote_that_takes_too_long_is_unknown(door):
    status, error = door.vote(voter="never", timeout="100")
    assert (status, error["code"], error["outcome"]) == (504, "OUTCOME_UNKNOWN", "unknown")


def test_credentials_are_handed_on(start_door):
    door = start_door("--auth")
    door.say("phase OPEN")
    assert door.vote()[0] == 401
    assert door.vote(auth="Basic Z29vZA==")[0] == 401  # of another scheme: no credential
    assert door.vote(auth="Voter bad")[0] == 403
    assert door.vote(auth="voter good")[0] == 200
    assert door.vote(state="atlantis")[0] == 401  # before 404: nobody learns who is on a roll
    assert door.json("GET", "/v1/states/CA/voters/v1")[0] == 401
    assert door.json("GET", "/v1/states/CA/voters/v1", headers={"Authorization": "Voter good"})[1]["voted"] is True


WRONG_BODIES = [
    b"", b"{}", b"null", b"[]", b'"harris"', b"{", b'{"candidate"}', b'{"candidate":}', b'{"candidate":1}', b'{"candidate":null}',
    b'{"candidate":["harris"]}', b'{"candidate":"harris"} x', b'{"candidate":"harris"}{}', b'{"candidate":"harris",}',
    b'{"candidate":"harris","candidate":"trump"}', b'{"candidate":"harris","voter":"x"}', b"{'candidate':'harris'}", b'{candidate:"harris"}',
    b'{"candidate":"har\x00ris"}', b'{"candidate":"\xff"}', b'{"candidate":"\xc0\xaf"}', b'{"candidate":"\\ud800"}', b'{"candidate":"a\nb"}',
    b'{"candidate":"har\\u0000ris"}', b'\xef\xbb\xbf{"candidate":"harris"}', b"[" * 4000, b'{"a":' * 800,
]


@pytest.mark.parametrize("body", WRONG_BODIES, ids=range(len(WRONG_BODIES)))
def test_a_body_that_is_no_vote_is_refused(door, body):
    status, error = door.json("POST", "/states/CA/voters/v1/vote", body)
    assert (status, error["code"]) == (400, "INVALID_REQUEST")
    assert "harris" not in error["message"]
    assert door.json("GET", "/v1/states/CA/voters/v1")[1] == {"voted": False, "revision": 0}


@pytest.mark.parametrize("header, value", [
    ("Idempotency-Key", "x"), ("Idempotency-Key", KEY + "0"), ("Idempotency-Key", KEY.replace("-", ".")), ("Idempotency-Key", ""),
    ("If-Match", "*"), ("If-Match", "-1"), ("If-Match", "255"), ("If-Match", "1, 2"), ("If-Match", ""), ("If-Match", '"1'),
    ("X-Timeout-Ms", "0"), ("X-Timeout-Ms", "60001"), ("X-Timeout-Ms", "1.5"), ("X-Timeout-Ms", "99999999999999999999999"), ("X-Timeout-Ms", ""),
])
def test_a_header_that_makes_no_sense_is_refused(door, header, value):
    status, error = door.json("POST", "/states/CA/voters/v1/vote", {"candidate": "harris"}, {header: value})
    assert (status, error["code"]) == (400, "INVALID_REQUEST") and header in error["message"]


def test_names_of_any_bytes_reach_the_service_as_they_are(door):
    for name in ["a%2Fb", "a%20b", "a+b", "%C3%A9", "..", "%2e%2e", "a%3Fb"]:
        assert door.vote(voter=name)[0] == 200
    assert door.vote(voter="a/b")[0] == 404  # another path
    assert door.vote(voter="a%00b")[0] == 404 and door.vote(voter="%ff%0a")[0] == 404  # on no roll
    for name in ["%", "%2", "%zz", "%2g"]:
        assert door.vote(voter=name)[0] == 400


def test_media_types_are_told_apart(door):
    def status(media_type):
        headers = {"Content-Type": media_type} if media_type else {}
        return door.ask("POST", "/states/CA/voters/v1/vote", b'{"candidate":"harris"}', headers)[0]

    assert status("application/json") == status("Application/JSON") == status("application/json; charset=utf-8") == 200
    for other in [None, "", "text/plain", "application/jsonp", "application/x-www-form-urlencoded", "text/json", "application/json-x"]:
        assert status(other) == 415


def test_a_voter_sees_the_record_and_never_the_choice(door):
    door.vote(key=KEY)
    status, headers, body = door.ask("GET", "/v1/states/CA/voters/v1")
    assert status == 200 and headers["ETag"] == '"1"'
    assert b"harris" not in body and b"v1" not in body
    assert json.loads(body)["receipt"]["revision"] == 1


def test_the_ballot_is_the_state_s(door):
    ids = lambda path: [c["id"] for c in door.json("GET", path)[1]["candidates"]]
    assert ids("/v1/ballot") == ids("/v1/ballot?state=CA") == ["harris", "trump", "other"]
    assert ids("/v1/ballot?state=ohio") == ["harris", "trump"]
    assert door.vote(state="OH", candidate="other")[0] == 422
    assert door.json("GET", "/v1/ballot?state=x")[0] == 404


def test_connections_are_kept(door):
    with door.connect() as s:
        for i in range(50):
            body = b'{"candidate":"harris"}'
            s.sendall(b"POST /states/CA/voters/k%d/vote HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                      b"Content-Length: %d\r\n\r\n%s" % (i, len(body), body))
            received = b""
            while b"}" not in received:
                received += s.recv(65536)
            assert received.startswith(b"HTTP/1.1 200 ")


def test_requests_in_one_packet_are_answered_in_order(door):
    one = b"GET /v1/ballot?state=%s HTTP/1.1\r\nHost: x\r\n\r\n"
    received = door.raw(one % b"CA" + one % b"OH" + one % b"nowhere" + one % b"ME" +
                        b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", half_close=False)
    order = [received.index(word) for word in (b'"state":"CA"', b'"state":"OH"', b"STATE_NOT_FOUND", b'"state":"ME"', b"ok\n")]
    assert order == sorted(order)
