"""Four letter words, HTTP commands and metrics of the servers of an ensemble: what a leader, a
follower, an observer, a server that looks for a leader and a read-only one answer has the form and
the keys of what Apache's answer.
"""

import json
import re

import pytest
import rawzk
from ensemble import Ensemble
from ports import free_port
from rawzk import EPHEMERAL, create, get_data, set_data

ROLES = ("leader", "follower", "observer")
SESSION_MS = 3_600_000  # all tests here have them, and nobody pings
# Java's own properties, not in the file.
READ_ONLY = {"JDK_JAVA_OPTIONS": "-Dreadonlymode.enabled=true"}


class Site:
    """An ensemble of three and an observer, with a session and a few znodes at each."""

    def __init__(self, folder, kind, config=None, env=None):
        own = {sid: {"admin.enableServer": "true", "admin.serverPort": free_port()}
               for sid in range(1, 5)}
        self.ensemble = Ensemble(folder, [kind] * 3, [kind],
                                 config={"maxSessionTimeout": SESSION_MS} | (config or {}) | own,
                                 how={sid: {"env": env} for sid in own})
        self.ensemble.start(leader=3)
        self.sessions = {m.sid: m.session(timeout_ms=SESSION_MS) for m in self.ensemble}
        for sid, s in self.sessions.items():
            s.ok(create(f"/e{sid}", b"12345", flags=EPHEMERAL))
            s.ok(get_data(f"/e{sid}", watch=True))
        for s in self.sessions.values():
            s.ok(rawzk.sync("/"))

    def at(self, role):
        return {"leader": self.ensemble[3], "follower": self.ensemble[1],
                "observer": self.ensemble[4]}[role]

    def lose_quorum(self):
        """Server 2 remains, and the observer."""
        self.ensemble[3].kill()
        self.ensemble[1].kill()
        self.ensemble.wait_until(lambda: self.ensemble[2].mode() in (None, "read-only"),
                                 "the follower is without a leader")
        return self.ensemble[2]

    def mntr(self, role):
        return dict(line.removeprefix("zk_").split("\t", 1)
                    for line in self.at(role).word("mntr").splitlines())


@pytest.fixture(scope="module")
def ours(backend, tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("ours"), backend)
    yield site
    site.ensemble.kill()


@pytest.fixture(scope="module")
def apaches(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("apaches"), "apache39")
    yield site
    site.ensemble.kill()


@pytest.fixture
def site(backend, tmp_path):
    sites = []

    def start(config=None, env=None, kind=backend):
        sites.append(Site(tmp_path / f"{kind}{len(sites)}", kind, config, env))
        return sites[-1]

    yield start
    for s in sites:
        s.ensemble.kill()


# --- words -----------------------------------------------------------------------------


def form(answer):
    """An answer without what differs from one server, and one second, to the next."""
    answer = re.sub(r"(?m)^(Zookeeper version: ).*$", r"\1V", answer)
    answer = re.sub(r"(?m)^(dataDir|dataLogDir)=.*$", r"\1=D", answer)
    answer = re.sub(r"at \w{3} \w{3} \d\d \d\d:\d\d:\d\d \w+ \d{4}", "at T", answer)
    answer = re.sub(r"0x[0-9a-f]+", "0xN", answer)
    answer = re.sub(r"-?\d+(\.\d+)?", "N", answer)
    # Connections and buckets of time come in any number.
    lines = [line for line in answer.split("\n") if not re.match(r"(\t|N expire| /)", line)]
    return "\n".join(lines)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("word", "srvr stat conf cons dump dirs isro ruok wchs wchc wchp".split())
def test_words_answer_in_apaches_form(ours, apaches, role, word):
    answer = ours.at(role).word(word)
    assert form(answer) == form(apaches.at(role).word(word)), answer


@pytest.mark.parametrize("role", ROLES)
def test_mode_is_the_role(ours, role):
    assert f"\nMode: {role}\n" in ours.at(role).word("srvr")
    assert ours.mntr(role)["server_state"] == role


@pytest.mark.parametrize("role", ROLES)
def test_conf_ends_with_the_membership(ours, role):
    conf = ours.at(role).word("conf")
    me = ours.at(role)
    assert f"\nserverId={me.sid}\n" in conf
    assert f"\nelectionPort={me.election_port}\nquorumPort={me.quorum_port}\n" in conf
    assert f"\npeerType={1 if role == 'observer' else 0}\nmembership: \n" in conf
    assert conf.split("membership: \n")[1] == "".join(
        f"server.{m.sid}=127.0.0.1:{m.quorum_port}:{m.election_port}:{m.role}\n"
        for m in ours.ensemble) + "version=0"


@pytest.mark.parametrize("role", ("follower", "observer"))
def test_dump_of_a_learner_lists_the_sessions_of_all_with_their_timeouts(ours, role):
    dump = ours.at(role).word("dump")
    assert dump.startswith("SessionTracker dump:\nGlobal Sessions(4):\n")
    for s in ours.sessions.values():
        assert f"\n0x{s.id & (2**64 - 1):x}\t{SESSION_MS}ms\n" in dump


@pytest.mark.parametrize("role", ROLES)
def test_dump_lists_all_ephemerals(ours, role):
    dump = ours.at(role).word("dump")
    assert "\nSessions with Ephemerals (4):\n" in dump
    for sid, s in ours.sessions.items():
        assert f"\n0x{s.id & (2**64 - 1):x}:\n\t/e{sid}\n" in dump


# --- mntr ------------------------------------------------------------------------------

# Of Java's threads, of learners by their number (tested below), and of traffic by znode.
NOT_COMPARED = re.compile(r"(jvm_|.*\d_(learner_handler_|ack_latency)|.*_per_namespace)")


@pytest.mark.parametrize("role", ROLES)
def test_mntr_has_the_keys_of_apache(ours, apaches, role):
    keys = {key for key in ours.mntr(role) if not NOT_COMPARED.match(key)}
    theirs = {key for key in apaches.mntr(role) if not NOT_COMPARED.match(key)}
    assert theirs - keys == set()
    assert keys - theirs == set()


def test_leader_counts_its_learners(ours):
    told = ours.mntr("leader")
    assert told["peer_state"] == "leading - broadcast"
    assert (told["learners"], told["synced_followers"], told["synced_observers"]) == ("3", "2", "1")
    assert (told["synced_non_voting_followers"], told["pending_syncs"]) == ("0", "0")
    assert told["quorum_size"] == "3"
    assert int(told["leader_uptime"]) > 0


def test_learners_know_their_state(ours):
    assert ours.mntr("follower")["peer_state"] == "following - broadcast"
    told = ours.mntr("observer")
    assert told["peer_state"] == "observing - broadcast"
    assert told["observer_master_id"] == "3"
    assert told["quorum_size"] == "3"


def test_writes_are_counted_by_role(ours):
    def counts(role, *keys):
        told = ours.mntr(role)
        return [int(told[key]) for key in keys]

    leading = ("proposal_count", "commit_count", "cnt_quorum_ack_latency")
    following = ("learner_proposal_received_count", "learner_commit_received_count",
                 "cnt_proposal_latency")
    before = counts("leader", *leading), counts("follower", *following)
    observed = counts("observer", "learner_commit_received_count")
    s = ours.sessions[1]
    for n in range(7):
        s.ok(create(f"/written{n}"))
    ours.sessions[3].ok(rawzk.sync("/"))
    ours.sessions[4].ok(rawzk.sync("/"))
    assert counts("leader", *leading) == [n + 7 for n in before[0]]
    assert counts("follower", *following) == [n + 7 for n in before[1]]
    assert counts("observer", "learner_commit_received_count") == [n + 7 for n in observed]
    # No role counts what is another's.
    assert counts("leader", *following) == [0, 0, 0]
    assert counts("follower", *leading) == [0, 0, 0]


def test_elections_are_measured(ours):
    for role in ROLES:
        told = ours.mntr(role)
        assert int(told["looking_count"]) >= 1
        assert role == "observer" or int(told["cnt_election_time"]) >= 1
        assert int(told["cnt_unavailable_time"]) >= 1
    assert int(ours.mntr("leader")["cnt_leader_unavailable_time"]) == 1
    assert int(ours.mntr("follower")["cnt_follower_sync_time"]) >= 1
    assert int(ours.mntr("observer")["cnt_observer_sync_time"]) >= 1
    told = ours.mntr("leader")
    assert int(told["diff_count"]) + int(told["snap_count"]) >= 3


def test_propagation_is_measured_everywhere(ours):
    for role in ROLES:
        assert int(ours.mntr(role)["cnt_propagation_latency"]) > 0


# --- HTTP ------------------------------------------------------------------------------

COMMANDS = """configuration connections dirs dump hash is_read_only last_snapshot leader monitor
    observer_connection_stat_reset observers ruok server_stats stats voting_view watch_summary
    watches watches_by_path zabstate""".split()


def keys(value, path=""):
    """Every key of an answer with the type behind it; keys that are numbers are one."""
    if isinstance(value, dict):
        found = set()
        for key, inner in value.items():
            if not NOT_COMPARED.match(key):
                found |= keys(inner, f"{path}/{'N' if key.isdigit() else key}")
        return found | {path + "/"}
    if isinstance(value, list):
        return set().union({path + "[]"}, *(keys(inner, path + "[]") for inner in value[:1]))
    return {f"{path}: {'number' if type(value) in (int, float) else type(value).__name__}"}


def of_paths(found):
    """Paths of znodes as keys are the server's own."""
    return {re.sub(r"/path_to_session_ids/.*?(\[\]|$)", r"/path_to_session_ids/P\1", k)
            for k in found}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("command", COMMANDS)
def test_commands_answer_apaches_keys(ours, apaches, role, command):
    assert of_paths(keys(ours.at(role).admin(command))) == of_paths(
        keys(apaches.at(role).admin(command)))


@pytest.mark.parametrize("role", ROLES)
def test_leader_names_the_leader(ours, role):
    told = ours.at(role).admin("leader")
    assert told == {"is_leader": role == "leader", "leader_id": 3, "leader_ip": "127.0.0.1",
                    "command": "leader", "error": None}


@pytest.mark.parametrize("role", ROLES)
def test_voting_view_is_the_voters(ours, role):
    view = ours.at(role).admin("voting_view")["current_config"]
    assert sorted(view) == ["1", "2", "3"]
    for sid, voter in view.items():
        m = ours.ensemble[int(sid)]
        assert voter["server_addresses"] == [f"127.0.0.1:{m.quorum_port}"]
        assert voter["election_addresses"] == [f"127.0.0.1:{m.election_port}"]
        assert voter["learner_type"] == "participant"


@pytest.mark.parametrize("role", ROLES)
def test_zabstate_tells_phase_and_place(ours, role):
    told = ours.at(role).admin("zabstate")
    me = ours.at(role)
    assert told["myid"] == me.sid
    assert told["is_leader"] == (role == "leader")
    assert told["voting"] == (role != "observer")
    assert told["zabstate"] == "broadcast"
    assert told["quorum_address"]["one"] == f"127.0.0.1:{me.quorum_port}"
    assert told["election_address"]["all_ports"] == [me.election_port]
    assert told["client_address"] == f"127.0.0.1:{me.port}"
    zxid = int(told["last_zxid"], 16)
    assert (told["zab_epoch"], told["zab_counter"]) == (zxid >> 32, zxid & 0xFFFFFFFF)


def test_observers_are_listed_by_the_leader(ours):
    told = ours.at("leader").admin("observers")
    assert told["synced_observers"] == 1
    (observer,) = told["observers"]
    assert observer["sid"] == 4
    assert re.fullmatch(r"/127\.0\.0\.1:\d+", observer["remote_socket_address"])
    assert observer["established"] > 1_600_000_000_000
    assert ours.at("follower").admin("observers")["observers"] == []


@pytest.mark.caucusd_only
@pytest.mark.parametrize("role", ROLES)
def test_who_serves_is_ready(ours, role):
    port = ours.at(role).config["admin.serverPort"]
    for probe in ("/livez", "/readyz"):
        assert ours.at(role).http(probe, port=port)[0] == 200


def test_sizes_of_proposals_are_those_of_header_transaction_and_digest(ours, apaches):
    """The last one on these servers: srst forgets what the others count."""
    shown = []
    for site in (ours, apaches):
        s = site.sessions[2]
        s.ok(create("/sized"))
        site.at("leader").word("srst")
        s.ok(set_data("/sized", b"x" * 100))
        s.ok(set_data("/sized", b"x"))
        line = re.search(r"Proposal sizes last/min/max: (.*)", site.at("leader").word("srvr"))
        shown.append(line[1])
        told = site.mntr("leader")
        assert line[1] == "/".join(told[f"{what}_proposal_size"] for what in ("last", "min", "max"))
    assert shown[0] == shown[1]


# --- without a leader ------------------------------------------------------------------


def test_server_without_a_leader_serves_nobody(site):
    ours = site()
    alone = ours.lose_quorum()
    for word in "conf cons crst dirs dump mntr srst srvr stat wchc wchp wchs".split():
        assert alone.word(word) == "This ZooKeeper instance is not currently serving requests\n"
    assert alone.word("hash") == "This ZooKeeper instance is not currently serving requests"
    assert alone.word("isro") == "null"
    assert alone.word("ruok") == "imok"
    assert alone.admin("leader") == {
        "command": "leader", "error": "This ZooKeeper instance is not currently serving requests"}
    assert alone.admin("zabstate") == {"voting": False, "zabstate": "", "command": "zabstate",
                                       "error": None}
    if alone.is_caucusd:
        assert alone.http("/livez")[0] == 200
        status, _, why = alone.http("/readyz")
        assert (status, why.strip()) == (503, b"no leader is known")
        assert alone.admin("monitor")["peer_state"] == "looking"


def test_read_only_server_says_so(site):
    answers = {}
    for kind in {"apache39", None}:
        config = {"readonlymode.enabled": "true"}
        ours = site(config, READ_ONLY, **({"kind": kind} if kind else {}))
        alone = ours.lose_quorum()
        alone.wait_mode("read-only")
        assert alone.word("isro") == "ro"
        assert "\nREAD-ONLY mode; serving only read-only clients\n" in alone.word("srvr")
        assert alone.admin("is_read_only")["read_only"] is True
        assert alone.admin("leader") == {"error": "server is not initialized", "command": "leader"}
        assert alone.admin("voting_view")["current_config"] == {}
        assert alone.admin("zabstate")["voting"] is False
        if alone.is_caucusd:
            status, _, why = alone.http("/readyz")
            assert (status, why.strip()) == (503, b"read-only: no quorum")
        answers[kind] = [form(alone.word(word)) for word in ("srvr", "stat", "conf", "dump")] + [
            {k for k in re.findall(r"^zk_(\S+)", alone.word("mntr"), re.M)
             if not NOT_COMPARED.match(k)}]
    assert answers["apache39"] == answers[None]


def test_answers_change_with_the_role(site):
    """The next leader tells of its learners, and the old one's gauges are gone."""
    ours = site()
    ours.ensemble[3].stop()
    leader = ours.ensemble.wait_settled()
    told = dict(re.findall(r"^zk_(\S+)\t(.*)$", leader.word("mntr"), re.M))
    assert told["server_state"] == "leader"
    assert (told["learners"], told["synced_followers"], told["synced_observers"]) == ("2", "1", "1")
    ours.ensemble[3].start()
    ours.ensemble.wait_settled()
    assert ours.ensemble[3].mntr("zk_server_state") == "follower"
    assert ours.ensemble[3].mntr("zk_learners") is None
    assert json.loads(json.dumps(ours.ensemble[3].admin("leader")))["leader_id"] == leader.sid
