"""Settings that change how servers of an ensemble treat each other, in mixed ensembles: one of
each way round."""

import mixes
import pytest
import rawzk
from ensemble import SUPER, Loopback
from history import Load
from ports import free_port
from rawzk import (EPHEMERAL, create, create2, create_container, create_ttl, delete, exists, get_data, multi,
                   set_acl, set_data)

WAYS = {
    "ours leads": ["apache39", "apache38", "ours"],
    "theirs leads": ["ours", "apache386", "apache39"],
}
EPHEMERALONLOCALSESSION = -120


@pytest.fixture(params=WAYS, ids=lambda name: name.replace(" ", "-"))
def kinds(request, backend):
    return mixes.kinds(WAYS[request.param], backend)


@pytest.fixture
def run(start_ensemble, kinds):
    """run(config, observers, leader=3): (ensemble, its Sessions)"""
    made = []

    def start(config=None, observers=(), leader=3, **more):
        ensemble = start_ensemble(kinds, leader=leader, config=config, observers=observers, **more)
        made.append(mixes.Sessions(ensemble))
        return ensemble, made[-1]

    yield start
    for sessions in made:
        sessions.end()


def check_served(ensemble, at):
    """Something through each server, and all have it."""
    for m in ensemble:
        path = at(m.sid).ok(create(f"/by{m.sid}", b"x"))
        for other in ensemble:
            s = at(other.sid)
            s.catch_up()
            assert s.ok(get_data(path))[0] == b"x"
    at.end()
    ensemble.check_same_trees()


# --- local sessions ------------------------------------------------------------------


def test_local_sessions_stay_where_they_are_until_they_need_to_be_known(run):
    ensemble, at = run({"localSessionsEnabled": "true", "localSessionsUpgradingEnabled": "true"})
    for m in ensemble:
        s = at(m.sid)
        s.ok(create(f"/plain{m.sid}"))
        s.ok(set_data(f"/plain{m.sid}", b"x"))
        # Nobody else knows it.
        other = ensemble[m.sid % 3 + 1]
        stranger = other.session(session_id=s.id, password=s.password)
        assert (stranger.id, stranger.timeout_ms) == (0, 0)
        # An ephemeral node makes it known to all.
        path = s.ok(create(f"/ephemeral{m.sid}", flags=EPHEMERAL))
        moved = at(other.sid, session_id=s.id, password=s.password, last_zxid=s.zxid)
        assert moved.id == s.id
        assert moved.ok(exists(path)).ephemeral_owner == s.id
        moved.close_session()
        s = at(m.sid)
        s.catch_up()
        assert s.err(exists(path)) == rawzk.NONODE
    at.end()
    ensemble.check_same_trees()


def test_local_sessions_without_upgrading_have_no_ephemeral_nodes(run):
    ensemble, at = run({"localSessionsEnabled": "true"})
    for m in ensemble:
        s = at(m.sid)
        assert s.err(create(f"/e{m.sid}", flags=EPHEMERAL)) == EPHEMERALONLOCALSESSION
        s.ok(create(f"/p{m.sid}"))
    at.end()
    ensemble.check_same_trees()


# --- access lists asked early --------------------------------------------------------


def test_what_a_list_refuses_is_no_transaction(run):
    """enableEagerACLCheck: through each server, whatever its role."""
    ensemble, at = run({"enableEagerACLCheck": "true"})
    for m in ensemble:
        mine, theirs = f"/mine{m.sid}", [rawzk.Acl(31, "digest", "u:x")]
        s = at(m.sid)
        s.ok(create(mine, b"x"))
        s.ok(create(f"{mine}/below"))
        s.ok(set_acl(mine, theirs))
        for refused, err in [
                (create(f"{mine}/new"), rawzk.NOAUTH),
                (create2(f"{mine}/new", flags=EPHEMERAL), rawzk.NOAUTH),
                (delete(f"{mine}/below"), rawzk.NOAUTH),
                (set_data(mine, b"y"), rawzk.NOAUTH),
                (set_data(mine, b"y", version=7), rawzk.NOAUTH),
                (set_acl(mine, rawzk.OPEN), rawzk.NOAUTH),
                (create("/new", acl=[]), rawzk.INVALIDACL),
                (create("/no/parent", acl=[rawzk.Acl(31, "nonsense", "x")]), rawzk.INVALIDACL),
                (set_acl("/", [rawzk.Acl(31, "auth", "")]), rawzk.INVALIDACL)]:
            def act(op=refused, wanted=err):
                reply = s.call(op)
                assert (reply.zxid, reply.err, reply.body) == (0, wanted, b"")

            assert rawzk.moves_zxid_by(s, 0, act), refused
        for passed_on, err in [
                (create("/no/parent"), rawzk.NONODE),
                (delete("/no/parent"), rawzk.NONODE),
                (delete("/zookeeper"), rawzk.BADARGUMENTS),
                (create_ttl(f"{mine}/new", 1000), rawzk.NOAUTH),
                (create_container(f"{mine}/new"), rawzk.NOAUTH),
                (set_data("/", b"", version=99), rawzk.BADVERSION)]:
            assert rawzk.moves_zxid_by(s, 1, lambda op=passed_on, wanted=err: expect(s, op, wanted)), passed_on
        assert rawzk.moves_zxid_by(s, 1, lambda: s.call(multi(set_data(mine, b"y"))))
        s.authenticate(*SUPER)
        s.ok(set_data(mine, b"y"))
        s.ok(delete(f"{mine}/below"))
        if (m.kind, ensemble.leader.kind) == ("caucusd", "caucusd"):
            writes_under_way_are_waited_for(at(m.sid), f"/grows{m.sid}")
    at.end()
    ensemble.check_same_trees()


def writes_under_way_are_waited_for(s, path):
    """Of one's own: what is still on its way may be what permits a request. Not with a leader of Apache's, who looks at the
    lists as they were."""
    s.authenticate("digest", b"u:x")
    s.ok(create(path))
    s.ok(set_acl(path, [rawzk.Acl(16, "auth", "")]))
    assert s.err(create(f"{path}/a")) == rawzk.NOAUTH
    s.send_all([set_acl(path, rawzk.OPEN), create(f"{path}/a")])
    assert [s.reply().err for _ in range(2)] == [0, 0]


def expect(s, op, err):
    assert s.err(op) == err


# --- digests -------------------------------------------------------------------------


@pytest.mark.parametrize("without", [[1, 2, 3], [3], [1]], ids=["none-has-them", "not-the-leader",
                                                               "not-a-follower"])
def test_digests_switched_off(run, without):
    """Proposals come without a digest, or are not compared: nothing else changes."""
    ensemble, at = run({sid: {"digest.enabled": "false"} for sid in without})
    check_served(ensemble, at)
    ensemble[1].kill()
    ensemble.wait_settled()
    at(2).ok(create("/meanwhile"))
    ensemble[1].start()
    ensemble.wait_settled()
    at.end()
    ensemble.check_same_trees()


# --- quorums of groups ---------------------------------------------------------------


def test_weights_decide_who_is_enough(run, backend):
    """Server 3 weighs as much as the others together and one: without it nothing goes, with it and
    any other everything."""
    ensemble, at = run({"group.1": "1:2:3", "weight.1": 1, "weight.2": 1, "weight.3": 3})
    check_served(ensemble, at)
    ensemble[1].kill()
    ensemble[2].kill()
    ensemble[3].wait_mode("leader")
    at(3).ok(create("/alone"))
    ensemble[1].start()
    ensemble[2].start()
    ensemble.wait_settled()
    at.end()
    ensemble[3].kill()
    ensemble.wait_until(lambda: ensemble[1].mode() is None and ensemble[2].mode() is None,
                        "without the heavy one nobody serves")
    ensemble[3].start()
    ensemble.wait_settled()
    ensemble.check_same_trees()


def test_server_without_weight_does_not_lead(start_ensemble, kinds):
    config = {"group.1": "1:2:3", "weight.1": 1, "weight.2": 1, "weight.3": 0}
    ensemble = start_ensemble(kinds, config=config)
    assert ensemble.leader.sid == 2
    at = mixes.Sessions(ensemble)
    check_served(ensemble, at)


# --- observers -----------------------------------------------------------------------


def test_observers_served_by_followers(run, backend):
    """observerMasterPort: an observer may follow a follower, of its own kind or another one."""
    # The same port at each server, so each has an address of its own.
    places = {sid: Loopback(f"127.0.0.{sid}") for sid in range(1, 6)}
    ensemble, at = run({"observerMasterPort": free_port()}, [backend, "apache39"], places=places)
    check_served(ensemble, at)
    # Whom they follow may go. (caucusd's followers serve no observers, and its observers go to the
    # leader whatever the key says: COMPATIBILITY.md.)
    for m in ensemble.followers:
        m.kill()
        masters = [other for other in ensemble.followers if other.is_apache]
        ensemble.wait_settled([other for other in ensemble.running
                               if other.role == "participant" or other.is_caucusd or masters])
        at(4 if masters or ensemble[4].is_caucusd else 3).ok(create(f"/without{m.sid}"))
        m.start()
        ensemble.wait_settled()
    at.end()
    ensemble.check_same_trees()


# --- addresses -----------------------------------------------------------------------


def test_servers_meet_over_ipv6(run):
    ensemble, at = run(places={sid: Loopback("::1") for sid in (1, 2, 3)})
    check_served(ensemble, at)


# --- states of some size -------------------------------------------------------------


def grow(s, count, size):
    """So many nodes of that size, pipelined."""
    s.ok(create("/big"))
    for at in range(0, count, 200):
        ops = [create(f"/big/{n}", b"%d" % n * (size // 4)) for n in range(at, min(at + 200, count))]
        s.send_all(ops)
        for op in ops:
            rawzk.decode(op, s.reply())


def test_server_killed_in_the_middle_of_being_synchronized_begins_again(run):
    ensemble, at = run({"snapCount": 100_000})
    victim = ensemble[1]
    grow(at(3), 3000, 4000)
    for _ in range(3):
        victim.stop()
        victim.wipe()
        mark = victim.log_mark()
        victim.start()
        victim.wait_log("Getting a snapshot|event=following", since=mark)
        victim.kill()
        victim.start()
        ensemble.wait_settled()
    at.end()
    ensemble.check_same_trees()


def test_leader_killed_while_it_sends_its_state_leaves_no_half_of_it(run):
    ensemble, at = run({"snapCount": 100_000})
    ensemble.fuzzy = True
    grow(at(3), 3000, 4000)
    with Load([ensemble[2]], clients=2) as load:
        learner, leader = ensemble[1], ensemble.leader
        learner.stop()
        learner.wipe()
        load.wait_acknowledged(20)
        mark = learner.log_mark()
        learner.start()
        learner.wait_log("Getting a snapshot|event=following", since=mark)
        leader.kill()
        # Server 2 has everything, server 1 little or nothing: it must not lead.
        assert ensemble.wait_settled([learner, ensemble[2]]).sid == 2
        load.wait_all_write()
        leader.start()
        ensemble.wait_settled()
    load.check()
    at.end()
    ensemble.check_same_trees()
