"""Members of a mixed ensemble come, go and change their role while it runs; asked for through any
server, whoever leads."""

import contextlib
import itertools

import mixes
import pytest
import rawzk
from ensemble import SUPER
from history import Load
from rawzk import create, exists, get_data, reconfig

NEWCONFIGNOQUORUM = -13
CONFIG = {"reconfigEnabled": "true", "standaloneEnabled": "false"}

# From one server upwards, in this order.
GROWTHS = [
    ["ours", "apache39", "ours"],
    ["apache39", "ours", "apache38"],
    ["apache38", "ours", "ours"],
    ["ours", "ours", "ours"],
]
# The last one leads.
TRIPLES = {
    "ours leads": ["apache39", "apache38", "ours"],
    "3.9.5 leads": ["ours", "ours", "apache39"],
    "3.8.6 leads": ["ours", "apache39", "apache386"],
    "all ours": ["ours", "ours", "ours"],
}

_serial = itertools.count(1)


@pytest.fixture
def at():
    """at(ensemble): its Sessions."""
    with contextlib.ExitStack() as stack:

        def sessions(ensemble):
            made = mixes.Sessions(ensemble)
            stack.callback(made.end)
            return made

        yield sessions


@pytest.fixture(params=TRIPLES, ids=lambda name: name.replace(" ", "-"))
def triple(request, backend, start_ensemble):
    return start_ensemble(mixes.kinds(TRIPLES[request.param], backend), leader=3, config=CONFIG)


def admin(sessions, sid):
    s = sessions(sid)
    s.authenticate(*SUPER)
    return s


def change(ensemble, s, **how):
    """Asks until the newcomers are level enough to be counted; returns the new text."""
    op = reconfig(**how)

    def done():
        reply = s.call(op)
        if reply.err == NEWCONFIGNOQUORUM:
            return None
        return rawzk.decode(op, reply)

    data, stat = ensemble.wait_until(done, f"reconfig {how}")
    lines = data.decode().split("\n")
    assert lines[-1] == f"version={stat.mzxid:x}"
    return lines[:-1]


def check_configuration(ensemble, sessions, members, lines):
    """These members serve, know the same configuration, and have written it down."""
    texts = {}
    for m in members:
        s = sessions(m.sid)
        s.catch_up()
        text, _ = s.ok(get_data("/zookeeper/config"))
        texts[m.sid] = text
        assert text.decode().split("\n")[:-1] == lines
    assert len(set(texts.values())) == 1, texts
    version = texts[members[0].sid].decode().rpartition("version=")[2]
    for m in members:
        # Written behind the answer to the client.
        ensemble.wait_until(lambda: (m.folder / f"zoo.cfg.dynamic.{version}").exists(),
                            f"{m} has written zoo.cfg.dynamic.{version}")
        written = (m.folder / f"zoo.cfg.dynamic.{version}").read_text()
        assert sorted(written.split()) == sorted(lines)
    return version


@pytest.mark.parametrize("growth", GROWTHS, ids="-then-".join)
def test_ensemble_grows_from_one_server_and_shrinks_again(backend, start_ensemble, at, growth):
    growth = mixes.kinds(growth, backend)
    ensemble = start_ensemble(growth[:1], config=CONFIG)
    assert ensemble[1].mode() == "leader"
    sessions = at(ensemble)
    s = admin(sessions, 1)
    s.ok(create("/before", b"x"))
    for kind in growth[1:]:
        newcomer = ensemble.add(kind)
        newcomer.start()
        lines = change(ensemble, s, joining=newcomer.line())
        assert lines == sorted(m.line() for m in ensemble)
        ensemble.wait_settled()
        s.ok(create(f"/with{newcomer.sid}"))
    check_configuration(ensemble, sessions, list(ensemble), lines)
    ensemble.check_same_trees()

    # It counts now: with two of three it goes on, and the configuration survives a restart of all.
    sessions.end()
    ensemble.leader.kill()
    ensemble.wait_settled()
    for m in ensemble.running:
        m.stop()
    for m in ensemble:
        m.start()
    ensemble.wait_settled()
    check_configuration(ensemble, sessions, list(ensemble), lines)
    ensemble.check_same_trees()

    # Down to one: whoever leads stays.
    leader = ensemble.leader
    s = admin(sessions, leader.sid)
    for m in [m for m in ensemble if m is not leader]:
        lines = change(ensemble, s, leaving=str(m.sid))
        m.stop()
    assert lines == [leader.line()]
    s.ok(create("/alone"))
    sessions.end()
    leader.stop()
    leader.start()
    leader.wait_mode("leader")
    assert sessions(leader.sid).ok(exists("/alone"))


def test_roles_change(triple, backend, at):
    sessions = at(triple)
    leader = triple.leader
    s = admin(sessions, 1)
    observer = triple.add(backend, "observer")
    observer.start()
    change(triple, s, joining=observer.line())
    observer.wait_mode("observer")
    change(triple, s, joining=observer.line("participant"))
    observer.role = "participant"
    observer.wait_mode("follower")
    # And another one the other way.
    change(triple, s, joining=triple[2].line("observer"))
    triple[2].role = "observer"
    triple[2].wait_mode("observer")
    assert triple.wait_settled() is leader
    lines = sorted(m.line() for m in triple)
    check_configuration(triple, sessions, list(triple), lines)
    s.ok(create("/after"))
    triple.check_same_trees()

    # Counted by the new roles: 1, 3 and 4 vote, so two of them are enough.
    sessions.end()
    triple[1].kill()
    leader.kill()
    leader.start()
    triple.wait_settled()
    sessions(2).ok(create("/counted"))


def test_leader_that_is_removed_hands_over(triple, at):
    sessions = at(triple)
    leader = triple.leader
    s = admin(sessions, 1)
    s.ok(create("/before"))
    rest = [m for m in triple if m is not leader]
    lines = sorted(m.line() for m in rest)
    try:
        assert change(triple, s, leaving=str(leader.sid)) == lines
    except rawzk.Closed:
        pass  # with the leadership, connections may go before the answer is out
    triple.wait_until(lambda: triple.find_leader() in rest, "one of the others leads")
    leader.stop()
    triple.wait_settled()
    check_configuration(triple, sessions, rest, lines)
    sessions(1).ok(create("/after"))
    triple.check_same_trees()
    # And back again.
    leader.forget_config()
    leader.start()
    s = admin(sessions, 1)
    lines = change(triple, s, joining=leader.line())
    assert lines == sorted(m.line() for m in triple)
    leader.wait_mode("follower", "leader")
    triple.wait_settled()
    triple.check_same_trees()


def test_whole_new_membership_at_once(triple, backend, at):
    sessions = at(triple)
    newcomer = triple.add(backend)
    newcomer.start()
    s = admin(sessions, 2)
    rest = [m for m in triple if m.sid != 1]
    lines = change(triple, s, members=",".join(m.line() for m in rest))
    assert lines == sorted(m.line() for m in rest)
    triple[1].stop()
    triple.wait_settled()
    check_configuration(triple, sessions, rest, lines)
    triple.check_same_trees(rest)


def test_refusals_are_the_same_through_each_server(triple, at):
    sessions = at(triple)
    for m in triple:
        s = sessions(m.sid)
        before = s.ok(get_data("/zookeeper/config"))[0]
        assert s.err(reconfig(leaving="1")) == rawzk.NOAUTH
        s.authenticate(*SUPER)
        assert s.err(reconfig(leaving="1", config_id=7)) == rawzk.BADVERSION
        assert s.err(reconfig(joining="server.9=nonsense")) == rawzk.BADARGUMENTS
        # Nobody who votes: Apache stumbles and says that it could not read the request.
        assert s.err(reconfig(members=triple[m.sid].line("observer"))) in (
            rawzk.BADARGUMENTS, rawzk.MARSHALLINGERROR)
        # Nobody has come with that number.
        absent = "server.9=127.0.0.1:1:2:participant;127.0.0.1:3"
        assert s.err(reconfig(members=f"{triple[1].line()},{absent}")) == NEWCONFIGNOQUORUM
        s.catch_up()
        assert s.ok(get_data("/zookeeper/config"))[0] == before


def test_watch_on_the_configuration_fires_at_each_server(triple, at):
    sessions = at(triple)
    watchers = sessions.everywhere()
    for s in watchers.values():
        s.ok(get_data("/zookeeper/config", watch=True))
    change(triple, admin(sessions, 1), leaving="2" if triple.leader.sid != 2 else "1")
    for s in watchers.values():
        assert s.event()[:2] == (rawzk.NODE_DATA_CHANGED, "/zookeeper/config")


def test_nothing_is_lost_while_members_come_and_go_under_load(triple, backend, at):
    triple.fuzzy = True
    sessions = at(triple)
    s = admin(sessions, 3)
    with Load([triple[1], triple[3]], clients=4) as load:
        for _ in range(2):
            newcomer = triple.add(backend)
            newcomer.start()
            change(triple, s, joining=newcomer.line())
            load.wait_acknowledged(50)
            change(triple, s, leaving=str(newcomer.sid))
            load.wait_acknowledged(50)
            newcomer.stop()
            newcomer.forget_config()
            del triple.members[newcomer.sid]
        load.wait_all_write()
    load.check()
    triple.check_same_trees()
