"""Counts of states and of the nation, and what others make of them."""

import csv
import io

import pytest


def test_a_state_s_counts(door):
    door.say("votes OH harris 10", "votes OH trump 20")
    status, ohio = door.json("GET", "/v1/states/ohio/status")
    assert status == 200
    assert ohio["counts"] == [{"candidate": "harris", "votes": 10}, {"candidate": "trump", "votes": 20}]
    assert (ohio["leader"], ohio["tie"], ohio["final"], ohio["voters"], ohio["electors"]) == ("trump", False, False, 30, 17)
    assert door.json("GET", "/v1/states/ohio/status?linearizable=1")[1] == ohio
    assert door.json("GET", "/v1/states/atlantis/status")[1]["code"] == "STATE_NOT_FOUND"


def test_a_tie_is_a_tie_and_no_vote_is_nothing(door):
    door.say("votes OH harris 10", "votes OH trump 10")
    _, nation = door.json("GET", "/v1/results")
    by_code = {s["state"]: s for s in nation["states"]}
    assert (by_code["OH"]["leader"], by_code["OH"]["tie"]) == (None, True)
    assert (by_code["CA"]["leader"], by_code["CA"]["tie"]) == (None, False)
    assert nation["electors_open"] == nation["electors_total"] == 75
    assert (nation["leader"], nation["winner"], nation["tie"]) == (None, None, False)


def test_the_nation_is_led_by_electors_and_won_by_final_states(door):
    door.say("votes CA harris 1", "votes OH trump 100", "votes ME trump 100")
    _, nation = door.json("GET", "/v1/results")
    assert (nation["leader"], nation["winner"], nation["majority"], nation["voters"]) == ("harris", None, 38, 201)
    door.say("phase CLOSED", "final CA")
    _, nation = door.json("GET", "/v1/results")
    assert (nation["winner"], nation["states_final"]) == ("harris", 1)


def test_districts_of_divided_states(door):
    door.say("votes ME harris 3", "votes ME trump 2")
    _, maine = door.json("GET", "/v1/states/ME/status")
    assert [(d["district"], d["leader"], d["tie"]) for d in maine["districts"]] == [(1, "harris", False), (2, None, True)]


def test_a_state_of_which_nothing_is_known_does_not_hide_the_others(door):
    door.say("votes CA harris 5", "lose OH")
    status, nation = door.json("GET", "/v1/results")
    assert (status, nation["unavailable"], nation["voters"]) == (200, ["OH"], 5)
    assert next(s for s in nation["states"] if s["state"] == "OH") == {
        "state": "OH", "known": False, "electors": 17, "roll": 17000, "why": "no leader"}
    assert door.json("GET", "/v1/states/OH/status")[0] == 503


def test_without_the_service_there_is_503(door):
    door.say("ready no")
    status, headers, _ = door.ask("GET", "/v1/results")
    assert status == 503 and headers["Retry-After"] == "2"
    assert door.ask("GET", "/readyz")[::2] == (503, b"reading the log of CA\n")
    assert door.ask("GET", "/healthz")[0] == 200


def test_what_has_not_changed_is_not_sent_again(door):
    door.say("votes CA harris 5")
    for path in ["/v1/results", "/v1/states/CA/status", "/v1/states/CA/status?linearizable=1"]:
        _, headers, _ = door.ask("GET", path)
        tag = headers["ETag"]
        assert door.ask("GET", path, headers={"If-None-Match": tag})[::2] == (304, b"")
        assert door.ask("GET", path, headers={"If-None-Match": f'"x", W/{tag}'})[0] == 304
        assert door.ask("GET", path, headers={"If-None-Match": '"x"'})[0] == 200
        door.say("votes CA harris 1")
        status, headers, _ = door.ask("GET", path, headers={"If-None-Match": tag})
        assert status == 200 and headers["ETag"] != tag


def test_since_leaves_out_what_is_known(door):
    token = door.json("GET", "/v1/results")[1]["token"]
    assert door.json("GET", f"/v1/results?since={token}")[1]["states"] == []
    door.say("votes OH trump 5")
    assert [s["state"] for s in door.json("GET", f"/v1/results?since={token}")[1]["states"]] == ["OH"]
    door.say("phase CLOSING")  # of another phase, each is another
    assert len(door.json("GET", f"/v1/results?since={token}")[1]["states"]) == 3
    door.say("phase CLOSED", "phase OPEN")  # another round
    assert len(door.json("GET", f"/v1/results?since={token}")[1]["states"]) == 3
    for wrong in ["", "x", "AA", token[:-1], token + "A", "%00", "A" * 2000]:
        assert door.json("GET", f"/v1/results?since={wrong}")[0] == 400


@pytest.fixture
def hidden(start_door):
    door = start_door("--hidden", "--strict")
    door.say("phase OPEN", "votes CA harris 5")
    return door


COUNTS = ["/v1/results", "/v1/states/CA/status", "/v1/states/CA/status?linearizable=1", "/v1/export/openelections.csv",
          "/v1/export/nist-1500-100.json", "/v1/export/manifest.csv"]


@pytest.mark.parametrize("path", COUNTS)
def test_counts_are_hidden_until_the_end(hidden, path):
    status, error = hidden.json("GET", path)
    assert (status, error["code"]) == (403, "RESULTS_NOT_PUBLIC")
    hidden.say("phase CLOSING")
    assert hidden.ask("GET", path)[0] == 403
    hidden.say("phase CLOSED")
    assert hidden.ask("GET", path)[0] == 200


def test_the_definition_is_public(hidden):
    status, election = hidden.json("GET", "/v1/election")
    assert status == 200 and election["shown"] is False and election["phase"] == "OPEN"
    assert [(s["code"], s["column"], s["row"]) for s in election["states"]] == [("CA", 1, 4), ("ME", 11, 1), ("OH", 7, 3)]
    assert (election["electors_total"], election["majority"]) == (75, 38)


@pytest.mark.parametrize("path", ["/v1/election/start", "/v1/election/stop", "/v1/recount"])
def test_commands_are_the_committee_s(hidden, path):
    status, error = hidden.json("POST", path)
    assert (status, error["code"]) == (403, "FORBIDDEN")
    assert hidden.json("GET", "/v1/election")[1]["phase"] == "OPEN"


def test_start_and_stop(start_door):
    door = start_door()
    key = "00000000-0000-4000-8000-000000000001"
    status, done = door.json("POST", "/v1/election/start", {"command_id": key})
    assert (status, done["outcome"], done["phase"], done["round"]) == (200, "DONE", "OPEN", 1)
    assert door.json("POST", "/v1/election/start", {"command_id": key})[0] == 200  # the same command
    status, refused = door.json("POST", "/v1/election/start")
    assert (status, refused["code"], refused["outcome"]) == (409, "WRONG_PHASE", "none")
    assert door.json("POST", "/v1/election/stop", {"now": True, "drain_ms": 5, "round": 1})[1]["phase"] == "CLOSED"
    assert door.json("POST", "/v1/election/stop")[0] == 409
    door.say("lose OH")
    status, refused = door.json("POST", "/v1/election/start", {})
    assert (status, refused["code"], refused["not_ready"]) == (409, "NOT_READY", ["CA"])
    assert door.json("POST", "/v1/election/start", {"force": True})[0] == 200
    door.say("ready no")
    status, refused = door.json("POST", "/v1/election/stop")
    assert (status, refused["code"], refused["outcome"]) == (503, "UNAVAILABLE", "unknown")


@pytest.mark.parametrize("body", ['{"command_id":"x"}', '{"command_id":1}', '{"round":-1}', '{"round":"1"}', '{"force":1}', '{"now":"yes"}',
                                  '{"drain_ms":600001}', '{"approvals":[]}', '{"round":1,"round":2}', "[]", "x", "{}{}"])
def test_a_command_that_makes_no_sense_is_refused(start_door, body):
    door = start_door()
    assert door.json("POST", "/v1/election/start", body)[0] == 400
    assert door.json("GET", "/v1/election")[1]["phase"] == "IDLE"


def test_a_recount_names_who_did_not_answer(door):
    door.say("votes CA harris 7")
    status, one = door.json("POST", "/v1/recount?state=CA")
    assert status == 200 and one["agree"] is False
    replicas = one["states"][0]["replicas"]
    assert (replicas[0]["voters"], replicas[0]["leader"], replicas[1]["known"]) == (7, "harris", False)
    assert [s["state"] for s in door.json("POST", "/v1/recount")[1]["states"]] == ["CA", "ME", "OH"]
    assert door.json("POST", "/v1/recount?state=x")[0] == 404


def test_the_cluster(door):
    _, cluster = door.json("GET", "/v1/cluster?state=CA")
    assert cluster["states"] == [{"state": "CA", "leader": "s1", "epoch": 1, "replicas": [
        {"member": 1, "server": "s1", "rest": "s1:9999", "grpc": "s1:55555", "live": True, "leading": True, "known": True, "epoch": 1,
         "last": 0, "committed": 0, "counted": 0},
        {"member": 2, "server": "s2", "rest": "", "grpc": "", "live": False, "leading": False, "known": False}]}]
    assert len(door.json("GET", "/v1/cluster")[1]["states"]) == 3
    assert door.json("GET", "/v1/cluster?state=x")[0] == 404


def rows(door, path):
    status, headers, body = door.ask("GET", path)
    assert status == 200 and headers["Content-Type"].startswith("text/csv")
    return headers, list(csv.DictReader(io.StringIO(body.decode())))


def test_openelections(door):
    door.say("votes CA harris 7", "votes CA other 2", "votes ME trump 3")
    headers, california = rows(door, "/v1/export/openelections.csv?state=CA")
    assert headers["Content-Disposition"] == 'attachment; filename="us_2024__california__general.csv"'
    assert list(california[0]) == ["county", "precinct", "office", "district", "party", "candidate", "votes"]
    assert [(r["candidate"], r["votes"]) for r in california] == [
        ("Registered Voters", "54000"), ("Ballots Cast", "9"), ("Kamala D. Harris", "7"), ("Donald J. Trump", "0"), ('Somebody "Else"', "2")]
    _, nation = rows(door, "/v1/export/openelections.csv")
    assert {r["state"] for r in nation} == {"CA", "ME", "OH"}
    assert sum(int(r["votes"]) for r in nation if r["state"] == "ME" and r["candidate"] == "Donald J. Trump") == 3
    assert door.ask("GET", "/v1/export/openelections.csv?state=x")[0] == 404


def test_the_manifest(door):
    door.say("votes CA harris 7")
    _, manifest = rows(door, "/v1/export/manifest.csv")
    assert manifest[0] == {"Container": "California", "Batch Name": "CA-1", "Number of Ballots": "7"}


def test_nist_1500_100(door):
    door.say("votes CA harris 7", "votes ME harris 3", "phase CLOSED", "final CA", "final ME", "final OH")
    status, report = door.json("GET", "/v1/export/nist-1500-100.json")
    assert status == 200 and report["@type"] == "ElectionResults.ElectionReport" and report["Status"] == "unofficial-complete"
    units = {u["@id"] for u in report["GpUnit"]}
    election = report["Election"][0]
    candidates = {c["@id"] for c in election["Candidate"]}
    assert election["ElectionScopeId"] in units
    contests = {c["@id"]: c for c in election["Contest"]}
    assert set(contests) == {"contest-gp-california", "contest-gp-maine", "contest-gp-maine-1", "contest-gp-maine-2", "contest-gp-ohio"}
    for contest in contests.values():
        assert contest["ElectionDistrictId"] in units
        for selection in contest["ContestSelection"]:
            assert set(selection["CandidateIds"]) <= candidates
            assert selection["VoteCounts"][0]["GpUnitId"] in units
    assert contests["contest-gp-california"]["ContestSelection"][0]["VoteCounts"][0]["Count"] == 7
    assert contests["contest-gp-maine-1"]["ContestSelection"][0]["VoteCounts"][0]["Count"] == 2
