"""docs/api/election.openapi.yaml says what there is: every route, every status with its schema, and nothing else."""

import json
import re

import jsonschema
import pytest
import yaml
from door import JSON, read_all
from peers import ROOT

PAGE = ROOT / "docs/api/election.openapi.yaml"
DOCUMENT = yaml.safe_load(PAGE.read_text())
VOTE = "/states/{state}/voters/{voter}/vote"
METHODS = {"get", "post", "put"}


def resolve(node):
    while "$ref" in node:
        found = DOCUMENT
        for key in node["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        node = found
    return node


def check(path, method, status, headers, body):
    """A real answer against its page; returns what of the page it showed."""
    operation = DOCUMENT["paths"][path][method.lower()]
    assert str(status) in operation["responses"], f"{method} {path}: {status} is not documented"
    content = resolve(operation["responses"][str(status)]).get("content")
    if content is None:
        assert body == b""
        return path, method.lower(), str(status)
    media_type = headers["Content-Type"].split(";")[0]
    assert media_type in content, f"{method} {path}: {status} as {media_type}"
    if media_type == "application/json":
        schema = {**content[media_type]["schema"], "components": DOCUMENT["components"]}
        jsonschema.Draft202012Validator(schema).validate(json.loads(body))
    return path, method.lower(), str(status)


def test_routes_and_paths_are_the_same():
    table = (ROOT / "src/election_rest/routes.c").read_text()
    rows = re.findall(r'\{"(\w+)",\s+"([^"]+)",\s+BODY_(\w+),\s+ACCESS_\w+,\s+(\w+)', table)
    assert len(rows) > 15
    methods = {"NONE": ["get"], "JSON": ["post"], "DOCUMENT": ["post"], "ROLL": ["get", "put"]}
    routes = {(pattern.replace("**", "{}"), method) for _, pattern, body, handle in rows
              if handle not in ("route_not_offered", "route_page") for method in methods[body]}
    paths = {(re.sub(r"\{\w+\}", "{}", path), method)
             for path, item in DOCUMENT["paths"].items() for method in item if method in METHODS}
    assert routes == paths


def test_every_reference_leads_somewhere_and_every_schema_is_one():
    def walk(node):
        if isinstance(node, dict):
            if "$ref" in node:
                resolve(node)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(DOCUMENT)
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_a_schema_can_fail():
    with pytest.raises(jsonschema.ValidationError):
        check("/v1/ballot", "GET", 200, {"Content-Type": "application/json"}, b'{"phase":"OPEN","round":1}')


def test_codes_are_all_on_the_page():
    source = (ROOT / "src/election/service.h").read_text()
    outcomes = set(re.findall(r'X\((?:CAST|LOSS)_\w+, "(\w+)"\)', source)) - {"COMMITTED", "DUPLICATE", "OK"}
    own = set()
    for path in (ROOT / "src/election_rest").glob("*.c"):
        own |= set(re.findall(r'rest_answer_error\([^;]*?"([A-Z_]+)"', path.read_text()))
    own |= {"UNAVAILABLE", "BUSY"}
    assert outcomes | own == set(DOCUMENT["components"]["schemas"]["Error"]["properties"]["code"]["enum"])


def test_every_documented_answer_is_a_real_one(start_door):
    seen = set()

    def ask(door, path, method, url=None, body=None, headers=None, status=200):
        answer = door.ask(method, url or path, body, {**(JSON if method == "POST" else {}), **(headers or {})})
        assert answer[0] == status, (method, url or path, answer)
        seen.add(check(path, method, *answer))
        return answer

    # Votes
    door = start_door()
    vote = {"state": "CA", "voter": "v1"}
    outcomes = ["ELECTION_CLOSED", "INVALID_REQUEST", "UNAUTHENTICATED", "VOTER_NOT_FOUND", "REQUEST_ID_REUSED", "REVISION_MISMATCH",
                "UNKNOWN_CANDIDATE", "BUSY", "UNAVAILABLE", "OUTCOME_UNKNOWN"]
    statuses = [403, 400, 401, 404, 409, 412, 422, 429, 503, 504]
    door.say("phase OPEN")
    for outcome, status in zip(outcomes, statuses):
        ask(door, VOTE, "POST", f"/states/CA/voters/outcome-{outcome}/vote", '{"candidate":"harris"}', status=status)
    ask(door, VOTE, "POST", VOTE.format(**vote), '{"candidate":"harris"}')
    ask(door, VOTE, "POST", VOTE.format(**vote), " " * 5000, status=413)
    ask(door, VOTE, "POST", VOTE.format(**vote), "x", {"Content-Type": "text/plain"}, 415)
    ask(door, VOTE, "POST", VOTE.format(**vote), "x", {"X": "x" * 9000}, 431)
    voter = "/v1/states/{state}/voters/{voter}"
    ask(door, voter, "GET", voter.format(**vote))
    ask(door, voter, "GET", voter.format(state="CA", voter="v2"))
    ask(door, voter, "GET", voter.format(state="CA", voter="nobody"), status=404)
    with_auth = start_door("--auth")
    ask(with_auth, voter, "GET", voter.format(**vote), status=401)

    # Counts
    status = "/v1/states/{state}/status"
    counted = [(status, "/v1/states/CA/status"), ("/v1/results", "/v1/results")]
    exports = ["/v1/export/openelections.csv", "/v1/export/nist-1500-100.json", "/v1/export/manifest.csv"]
    door.say("votes CA harris 3", "votes ME harris 3", "votes ME trump 3")
    for path, url in counted + [(path, path) for path in exports]:
        ask(door, path, "GET", url)
    for path, url in counted:
        tag = ask(door, path, "GET", url)[1]["ETag"]
        ask(door, path, "GET", url, headers={"If-None-Match": tag}, status=304)
    ask(door, status, "GET", "/v1/states/x/status", status=404)
    ask(door, "/v1/results", "GET", "/v1/results?since=x", status=400)
    ask(door, exports[0], "GET", exports[0] + "?state=x", status=404)
    door.say("lose OH")
    ask(door, "/v1/results", "GET")
    ask(door, status, "GET", "/v1/states/OH/status", status=503)
    door.say("find OH")
    hidden = start_door("--hidden", "--strict")
    hidden.say("phase OPEN")
    for path, url in counted + [(path, path) for path in exports]:
        ask(hidden, path, "GET", url, status=403)
    with door.stream() as s:
        for name, data, _ in s.burst():
            schema = {"state": "StateResult", "nation": "Nation"}.get(name)
            if schema:
                jsonschema.Draft202012Validator(
                    {"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]}).validate(data)
    answer = door.ask("HEAD", "/v1/results/stream")
    seen.add(check("/v1/results/stream", "GET", *answer))
    full = start_door("--streams", 1)
    with full.stream():
        ask(full, "/v1/results/stream", "GET", status=503)

    # The election, servers
    for path in ["/v1/election", "/v1/ballot", "/v1/cluster", "/metrics", "/healthz", "/readyz"]:
        ask(door, path, "GET")
    ask(door, "/v1/ballot", "GET", "/v1/ballot?state=x", status=404)
    ask(door, "/v1/ballot", "GET", "/v1/ballot?state=OH")
    ask(door, "/v1/cluster", "GET", "/v1/cluster?state=x", status=404)

    # Logs
    log = "/v1/log/{state}/"
    proofs = [("proof/inclusion", "index=3", "index=9&size=9", "index=0&size=301"),
              ("proof/consistency", "from=3", "from=3&to=2", "to=301"), ("tile/{tile}", "0/000", None, "0/001")]
    ask(door, log + "checkpoint", "GET", "/v1/log/CA/checkpoint")
    idle = start_door()
    for path, good, bad, long in proofs:
        url = "/v1/log/CA/" + path.replace("{tile}", "").replace("proof/inclusion", "proof/inclusion?").replace("consistency", "consistency?")
        ask(door, log + path, "GET", url + good)
        ask(door, log + path, "GET", url + long, status=404)
        ask(idle, log + path, "GET", url + good, status=404)
        if bad:
            ask(door, log + path, "GET", url + bad, status=400)
    ask(idle, log + "checkpoint", "GET", "/v1/log/CA/checkpoint", status=404)
    ask(door, log + "tile/{tile}", "GET", "/v1/log/CA/tile/0/000?round=x", status=400)
    ask(door, log + "tile/{tile}", "GET", "/v1/log/CA/tile/entries/000", status=403)
    signed = ask(door, VOTE, "POST", VOTE.format(state="CA", voter="v3") + "?signed=1", '{"candidate":"harris"}')
    assert json.loads(signed[2])["signature"] == "5a" * 64

    # Rolls
    roll, csv = "/v1/roll/{state}", {"Content-Type": "text/csv"}
    answer = ask(idle, roll, "PUT", "/v1/roll/CA", "a\nb\n" * 20000, csv)
    assert json.loads(answer[2])["voters"] == 40000
    ask(idle, roll, "GET", "/v1/roll/CA")
    ask(idle, roll, "GET", "/v1/roll/x", status=404)
    ask(idle, roll, "PUT", "/v1/roll/x", "a\n", csv, 404)
    ask(idle, roll, "PUT", "/v1/roll/CA", "!\n" * 20000, csv, 400)
    ask(idle, roll, "PUT", "/v1/roll/CA", "a\n", JSON, 415)
    ask(door, roll, "PUT", "/v1/roll/CA", "a\n", csv, 409)
    for method in ("GET", "PUT"):
        ask(hidden, roll, method, "/v1/roll/CA", "a\n" if method == "PUT" else None, csv, 403)
    idle.say("ready no")
    ask(idle, roll, "PUT", "/v1/roll/CA", "a\n", csv, 503)

    # Losses
    loss, admit, document = "/v1/loss/{state}", "/v1/loss/{state}/admit", '{"document":"caucus loss 1\\n"}'
    told = json.loads(ask(door, loss, "GET", "/v1/loss/CA")[2])
    assert (told["lost"], told["missing"], told["approvals_min"], told["approvers"]) == (37, ["s1", "s2"], 2, ["alice", "bob"])
    assert told["text"] == "caucus loss 1\nas scripted\n"
    ask(door, loss, "GET", "/v1/loss/x", status=404)
    ask(hidden, loss, "GET", "/v1/loss/CA", status=403)
    assert json.loads(ask(door, admit, "POST", "/v1/loss/CA/admit", document)[2])["kept"] == 1000
    for wrong in ("{}", '{"document":1}', '{"document":""}', "[]"):
        ask(door, admit, "POST", "/v1/loss/CA/admit", wrong, status=400)
    ask(door, admit, "POST", "/v1/loss/x/admit", document, status=404)
    ask(door, admit, "POST", "/v1/loss/CA/admit", document, {"Content-Type": "text/plain"}, status=415)
    ask(door, admit, "POST", "/v1/loss/CA/admit", json.dumps({"document": "x" * 21000}), status=413)
    ask(hidden, admit, "POST", "/v1/loss/CA/admit", document, status=403)
    for outcome, status in (("NOTHING_LOST", 409), ("NOT_AS_SIGNED", 409), ("NOT_APPROVED", 403), ("UNAVAILABLE", 503), ("OUTCOME_UNKNOWN", 504)):
        door.say(f"loss {outcome}")
        refused = json.loads(ask(door, admit, "POST", "/v1/loss/CA/admit", document, status=status)[2])
        assert refused["code"] == outcome and refused["outcome"] == ("unknown" if status == 504 else "none")
        if status in (409, 503):
            ask(door, loss, "GET", "/v1/loss/CA", status=status)
    door.say("loss OK")

    # The committee
    audit = "/v1/audit/{state}"
    ask(door, audit, "GET", "/v1/audit/CA")
    ask(door, audit, "GET", "/v1/audit/x", status=404)
    ask(hidden, audit, "GET", "/v1/audit/CA", status=403)
    start, stop, recount = "/v1/election/start", "/v1/election/stop", "/v1/recount"
    ask(door, recount, "POST", "/v1/recount?state=CA")
    ask(door, recount, "POST", "/v1/recount?state=x", status=404)
    ask(door, start, "POST", body="{}", status=409)
    ask(door, stop, "POST", body="{}")
    ask(door, stop, "POST", body="{}", status=409)
    ask(door, start, "POST", body='{"round":2}')
    for path in (start, stop):
        ask(door, path, "POST", body="x", status=400)
    for path in (start, stop, recount):
        ask(hidden, path, "POST", status=403)
    door.say("ready no")
    for path in (start, stop):
        ask(door, path, "POST", body="{}", status=503)
    ask(door, "/readyz", "GET", status=503)
    for path in ["/v1/results"] + exports:
        ask(door, path, "GET", status=503)
    door.say("lose CA")
    ask(door, log + "checkpoint", "GET", "/v1/log/CA/checkpoint", status=503)
    for path, good, _, _ in proofs:
        ask(door, log + path, "GET", "/v1/log/CA/" + path.replace("{tile}", "") + ("?" if "proof" in path else "") + good, status=503)

    documented = {(path, method, status) for path, item in DOCUMENT["paths"].items()
                  for method in item if method in METHODS for status in item[method]["responses"]}
    elsewhere = {(path, "post", "401") for path in (start, stop, recount)}  # test_tls.py
    elsewhere |= {(roll, "get", "401"), (roll, "put", "401"), (audit, "get", "401"), (audit, "get", "429"),
                  (loss, "get", "401"), (admit, "post", "401")}  # likewise
    elsewhere |= {(recount, "post", "429")}  # test_recounts_wait_for_one_another
    assert documented - seen - elsewhere == set()
    assert seen <= documented


def test_recounts_wait_for_one_another(start_door):
    door = start_door()
    both = (b"POST /v1/recount HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    first, second = door.connect(), door.connect()
    door.say("hold recounts")
    first.sendall(both)
    door.say("await 1 recounts")
    second.sendall(both)
    assert read_all(second).split()[1] == b"429"
    door.say("answer recounts")
    assert read_all(first).split()[1] == b"200"
    first.close()
    second.close()
