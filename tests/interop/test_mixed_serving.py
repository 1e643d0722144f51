"""An ensemble of several kinds of server serves as one: whatever a client does through one server is
the same through any other, whoever leads.

One ensemble per mix, shared by all tests here; the last test compares the trees of all servers, and
after the end their log files.
"""

import itertools
import threading

import mixes
import pytest
import rawzk
import tree
from ensemble import SUPER, Ensemble
from rawzk import (
    ALL,
    EPHEMERAL,
    NODE_CHILDREN_CHANGED,
    NODE_CREATED,
    NODE_DATA_CHANGED,
    NODE_DELETED,
    READ,
    SEQUENTIAL,
    Acl,
    check,
    create,
    create2,
    create_container,
    create_ttl,
    delete,
    exists,
    get_acl,
    get_children,
    get_data,
    multi,
    ping,
    set_acl,
    set_data,
    sync,
)

_serial = itertools.count(1)


@pytest.fixture(scope="module", params=mixes.MIXES, ids=lambda name: name.replace(" ", "-"))
def mix(request, backend, tmp_path_factory):
    participants, observers = mixes.MIXES[request.param]
    ensemble = Ensemble(
        tmp_path_factory.mktemp("mix"), mixes.kinds(participants, backend),
        mixes.kinds(observers, backend), {"znode.container.checkIntervalMs": 200})
    try:
        leader = ensemble.start(leader=len(participants))
        assert leader.sid == len(participants)
        yield ensemble
        ensemble.stop()
        ensemble.check_same_logs()
    finally:
        ensemble.kill()


@pytest.fixture
def at(mix):
    """at(sid): a session on that server."""
    sessions = mixes.Sessions(mix)
    yield sessions
    sessions.end()


@pytest.fixture
def each(at):
    return at.everywhere()


@pytest.fixture
def root(mix, at):
    """A path of this test's own, which every server knows."""
    path = at(1).ok(create(f"/t{next(_serial)}"))
    for member in mix:
        at(member.sid).catch_up()
    return path


def pairs(each):
    """(session, session on another server), each server once in each place."""
    sids = sorted(each)
    return [(each[a], each[b]) for a, b in zip(sids, sids[1:] + sids[:1])]


# --- who is what ---------------------------------------------------------------------


def test_one_leads_and_tells_who_follows(mix):
    leader = mix.leader
    assert mix.modes() == {
        m.sid: "leader" if m is leader else "follower" if m.role == "participant" else "observer"
        for m in mix
    }
    assert leader.mntr("zk_learners") == str(len(mix.members) - 1)
    assert leader.mntr("zk_synced_followers") == str(len(mix.participants) - 1)
    assert leader.mntr("zk_synced_observers") == str(len(mix.observers))
    for m in mix:
        assert m.mntr("zk_server_state") == mix.modes()[m.sid]


def test_configuration_is_the_same_text_everywhere(each):
    texts = {s.ok(get_data("/zookeeper/config"))[0] for s in each.values()}
    assert len(texts) == 1, texts


# --- reads and writes ----------------------------------------------------------------


def test_write_through_each_server_is_read_through_each(each, root):
    for a, s in each.items():
        path, made = s.ok(create2(f"{root}/by{a}", b"first"))
        changed = s.ok(set_data(path, b"second", version=0))
        assert (changed.czxid, changed.version) == (made.czxid, 1)
        for other in each.values():
            other.catch_up()
            assert other.ok(get_data(path)) == (b"second", changed)
        s.ok(delete(path, version=1))
        for other in each.values():
            other.catch_up()
            assert other.err(exists(path)) == rawzk.NONODE


def test_session_reads_what_it_wrote_at_once(each, root):
    for a, s in each.items():
        path = s.ok(create(f"{root}/own{a}"))
        for n in range(30):
            s.ok(set_data(path, b"%d" % n))
            assert s.ok(get_data(path))[0] == b"%d" % n


def test_read_behind_a_sync_sees_what_was_answered_elsewhere(mix, each, root):
    path = f"{root}/counter"
    each[1].ok(create(path))
    for n in range(10):
        for writer, reader in pairs(each):
            writer.ok(set_data(path, b"%d" % n))
            if reader is each[mix.leader.sid] and mix.leader.kind != "caucusd":
                continue  # see rawzk.BARRIER
            reader.send_all([sync(path), get_data(path)])
            assert reader.reply().err == 0
            assert rawzk.decode(get_data(path), reader.reply())[0] == b"%d" % n


def test_errors_are_the_same_through_each_server(each, root):
    for a, s in each.items():
        top = f"{root}/e{a}"
        s.ok(create(top))
        s.ok(create(f"{top}/full"))
        s.ok(create(f"{top}/full/child"))
        s.ok(create(f"{top}/ephemeral", flags=EPHEMERAL))
        s.ok(create(f"{top}/closed", acl=[Acl(READ, "world", "anyone")]))
        wanted = {
            create(top): rawzk.NODEEXISTS,
            create(f"{top}/missing/child"): rawzk.NONODE,
            create(f"{top}/ephemeral/child"): rawzk.NOCHILDRENFOREPHEMERALS,
            create(f"{top}/closed/child"): rawzk.NOAUTH,
            create(f"{top}/n", acl=[]): rawzk.INVALIDACL,
            create(f"{top}/n", acl=[Acl(ALL, "auth", "")]): rawzk.INVALIDACL,
            set_data(f"{top}/missing", b""): rawzk.NONODE,
            set_data(top, b"", version=7): rawzk.BADVERSION,
            set_data(f"{top}/closed", b""): rawzk.NOAUTH,
            delete(f"{top}/missing"): rawzk.NONODE,
            delete(top, version=7): rawzk.BADVERSION,
            delete(f"{top}/full"): rawzk.NOTEMPTY,
            set_acl(f"{top}/missing", rawzk.OPEN): rawzk.NONODE,
            set_acl(top, rawzk.OPEN, version=7): rawzk.BADVERSION,
        }
        found = {op: s.err(op) for op in wanted}
        assert found == wanted, a


def test_failed_write_comes_with_the_zxid_of_its_own_transaction(each, root):
    for s in each.values():
        before = s.call(set_data(root, b"")).zxid
        failed = s.call(create(f"{root}/no/parent"))
        assert failed.zxid > before


def test_sequential_nodes_through_all_servers_have_numbers_of_their_own(each, root):
    names = []
    threads = [
        threading.Thread(target=lambda s=s: names.extend(
            s.ok(create(f"{root}/n-", flags=SEQUENTIAL)) for _ in range(50)))
        for s in each.values()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == [f"{root}/n-{n:010d}" for n in range(50 * len(each))]


def test_pipelined_requests_are_answered_in_order_through_each_server(each, root):
    for a, s in each.items():
        path = f"{root}/p{a}"
        ops = [create(path)]
        for n in range(200):
            ops += [set_data(path, b"%d" % n), get_data(path), ping(), exists(f"{path}/no")]
        xids = s.send_all(ops)
        replies = [s.reply() for _ in ops]
        assert [r.xid for r in replies] == xids
        for n in range(200):
            written, read, _, missing = replies[1 + 4 * n : 5 + 4 * n]
            stat = rawzk.decode(ops[1 + 4 * n], written)
            data, seen = rawzk.decode(get_data(path), read)
            assert data == b"%d" % n
            assert seen == stat and stat.version == n + 1
            assert missing.err == rawzk.NONODE


def test_pipelines_through_all_servers_at_once(each, root):
    paths = {a: each[a].ok(create(f"{root}/all{a}")) for a in each}
    xids = {a: s.send_all([set_data(paths[a], b"%d" % n) for n in range(500)])
            for a, s in each.items()}
    for a, s in each.items():
        assert [s.reply().xid for _ in xids[a]] == xids[a]
    for a, s in each.items():
        s.catch_up()
        for path in paths.values():
            assert s.ok(get_data(path))[0] == b"499"


@pytest.mark.parametrize("size", [900_000, 1_048_000])
def test_large_data_goes_through_each_server(each, root, size):
    for (a, writer), (_, reader) in zip(each.items(), pairs(each)):
        data = bytes([a]) * size
        path = writer.ok(create(f"{root}/large{a}", data))
        reader.catch_up()
        assert reader.ok(get_data(path))[0] == data
        writer.ok(set_data(path, b""))


# --- multi ---------------------------------------------------------------------------


def test_multi_through_each_server_is_done_whole(each, root):
    for (a, s), (_, other) in zip(each.items(), pairs(each)):
        top = f"{root}/m{a}"
        results = s.ok(multi(
            create(top, b"x"), create(f"{top}/s-", flags=SEQUENTIAL), create(f"{top}/gone"),
            check(top, 0), set_data(top, b"y"), delete(f"{top}/gone"),
            create(f"{top}/e", flags=EPHEMERAL)))
        assert [kind for kind, _ in results] == [
            rawzk.CREATE, rawzk.CREATE, rawzk.CREATE, rawzk.CHECK, rawzk.SETDATA, rawzk.DELETE,
            rawzk.CREATE]
        other.catch_up()
        data, stat = other.ok(get_data(top))
        assert (data, stat.version) == (b"y", 1)
        assert sorted(other.ok(get_children(top))) == ["e", "s-0000000000"]
        # One transaction: all changes have its zxid.
        assert stat.czxid == stat.mzxid == other.ok(exists(f"{top}/e")).czxid


def test_failed_multi_through_each_server_changes_nothing(each, root):
    for a, s in each.items():
        top = f"{root}/f{a}"
        results = s.ok(multi(create(top), set_data(root, b"no"), check(root, 77), delete(top)))
        assert results == [
            (rawzk.ERROR, rawzk.OK), (rawzk.ERROR, rawzk.OK),
            (rawzk.ERROR, rawzk.BADVERSION), (rawzk.ERROR, rawzk.RUNTIMEINCONSISTENCY)]
        assert s.err(exists(top)) == rawzk.NONODE
    for s in each.values():
        assert s.ok(get_data(root))[0] == b""


# --- sessions ------------------------------------------------------------------------


def test_ephemeral_ends_everywhere_with_its_session(at, each, root):
    for a, (_, other) in zip(list(each), pairs(each)):
        owner = at(a)
        path = owner.ok(create(f"{root}/e{a}", flags=EPHEMERAL))
        other.catch_up()
        assert other.ok(exists(path, watch=True)).ephemeral_owner == owner.id
        owner.close_session()
        assert other.event()[:2] == (NODE_DELETED, path)
        for s in each.values():
            s.catch_up()
            assert s.err(exists(path)) == rawzk.NONODE


def test_session_of_a_client_that_went_away_expires(at, each, root):
    gone = {}
    for a, (_, other) in zip(list(each), pairs(each)):
        owner = at(a, timeout_ms=1000)
        path = owner.ok(create(f"{root}/e{a}", flags=EPHEMERAL))
        other.catch_up()
        other.ok(exists(path, watch=True))
        owner.sock.close()
        gone[path] = owner, other
    for path, (owner, other) in gone.items():
        assert other.event()[:2] == (NODE_DELETED, path)
        for a, s in each.items():
            s.catch_up()  # it closes a connection of that session when it hears of the end
            again = at(a, session_id=owner.id, password=owner.password)
            assert (again.id, again.timeout_ms) == (0, 0)


def test_session_with_a_client_that_only_pings_does_not_expire(at, each, root):
    """Pings end at the client's own server: it has to tell the leader of them."""
    quiet = {a: at(a, timeout_ms=2500) for a in each}
    for a, s in quiet.items():
        s.ok(create(f"{root}/quiet{a}", flags=EPHEMERAL))
    # So much time passes that a longer session expires.
    passing = at(1, timeout_ms=3000)
    path = passing.ok(create(f"{root}/passing", flags=EPHEMERAL))
    each[1].ok(exists(path, watch=True))
    passing.sock.close()
    over = threading.Event()

    def pinging():
        while not over.wait(0.2):
            for s in quiet.values():
                s.call(ping())

    thread = threading.Thread(target=pinging)
    thread.start()
    try:
        assert each[1].event()[:2] == (NODE_DELETED, path)
    finally:
        over.set()
        thread.join()
    for a, s in quiet.items():
        assert s.ok(exists(f"{root}/quiet{a}")).ephemeral_owner == s.id


def test_session_moves_from_server_to_server(at, mix, root):
    sids = [m.sid for m in mix]
    s = at(sids[0], timeout_ms=20_000)
    path = s.ok(create(f"{root}/mine", flags=EPHEMERAL))
    for sid in sids[1:] + sids[:1]:
        moved = at(sid, session_id=s.id, password=s.password, last_zxid=s.zxid, timeout_ms=20_000)
        assert (moved.id, moved.password) == (s.id, s.password)
        moved.ok(set_data(path, b"%d" % sid))
        assert moved.ok(get_data(path))[0] == b"%d" % sid
        s.close()
        s = moved
    s.close_session()
    other = at(sids[1])
    other.catch_up()
    assert other.err(exists(path)) == rawzk.NONODE


def test_write_from_where_the_session_has_moved_away_is_refused(at, mix, root):
    sids = [m.sid for m in mix]
    for a, b in zip(sids, sids[1:] + sids[:1]):
        old = at(a)
        old.ok(create(f"{root}/moved{a}"))
        new = at(b, session_id=old.id, password=old.password, last_zxid=old.zxid)
        new.ok(set_data(f"{root}/moved{a}", b"new"))
        try:
            reply = old.call(set_data(f"{root}/moved{a}", b"old"))
            assert reply.err == -118
        except (rawzk.Closed, OSError):
            pass
        new.catch_up()
        assert new.ok(get_data(f"{root}/moved{a}"))[0] == b"new"


def test_session_is_not_given_to_who_has_the_wrong_password(at, each):
    owner = at(1)
    for a in each:
        thief = at(a, session_id=owner.id, password=b"x" * 16)
        assert (thief.id, thief.timeout_ms) == (0, 0)
        thief.expect_closed()
    # The attempt at its own server has cost it the connection, not the session.
    assert at(1, session_id=owner.id, password=owner.password).id == owner.id


def test_session_ids_of_different_servers_differ_in_their_first_byte(each):
    assert {s.id >> 56 for s in each.values()} == set(each)


# --- watches -------------------------------------------------------------------------


def test_watches_at_each_server_see_what_is_done_through_another(each, root):
    for a, (watcher, doer) in zip(list(each), pairs(each)):
        top = f"{root}/w{a}"
        assert watcher.err(exists(top, watch=True)) == rawzk.NONODE
        doer.ok(create(top))
        assert watcher.event()[:2] == (NODE_CREATED, top)
        watcher.ok(get_data(top, watch=True))
        watcher.ok(get_children(top, watch=True))
        doer.ok(set_data(top, b"x"))
        assert watcher.event()[:2] == (NODE_DATA_CHANGED, top)
        doer.ok(create(f"{top}/child"))
        assert watcher.event()[:2] == (NODE_CHILDREN_CHANGED, top)
        watcher.ok(exists(top, watch=True))
        doer.ok(multi(delete(f"{top}/child"), delete(top)))
        assert watcher.event()[:2] == (NODE_DELETED, top)


def test_event_comes_before_the_new_state_can_be_read(each, root):
    for a, (watcher, doer) in zip(list(each), pairs(each)):
        path = doer.ok(create(f"{root}/o{a}", b"0"))
        watcher.catch_up()
        for n in range(1, 20):
            data, _ = watcher.ok(get_data(path, watch=True))
            doer.ok(set_data(path, b"%d" % n))
            while watcher.ok(get_data(path))[0] == data:
                pass
            assert [e[:2] for e in watcher.events] == [(NODE_DATA_CHANGED, path)]
            watcher.events.clear()


def test_recursive_watch_at_each_server_sees_all_changes_in_order(each, root):
    for a, (watcher, doer) in zip(list(each), pairs(each)):
        top = doer.ok(create(f"{root}/r{a}"))
        watcher.catch_up()
        watcher.ok(rawzk.add_watch(top, rawzk.MODE_RECURSIVE))
        wanted = []
        for n in range(10):
            doer.ok(create(f"{top}/{n}"))
            doer.ok(set_data(f"{top}/{n}", b"x"))
            doer.ok(delete(f"{top}/{n}"))
            wanted += [(kind, f"{top}/{n}")
                       for kind in (NODE_CREATED, NODE_DATA_CHANGED, NODE_DELETED)]
        assert [watcher.event()[:2] for _ in wanted] == wanted


def test_watches_move_with_the_session_and_fire_for_what_was_missed(at, mix, root):
    sids = [m.sid for m in mix]
    doer = at(sids[0])
    for a, b in zip(sids, sids[1:] + sids[:1]):
        path = doer.ok(create(f"{root}/s{a}"))
        old = at(a)
        old.catch_up()
        old.ok(get_data(path, watch=True))
        zxid = old.zxid
        old.close()
        doer.ok(set_data(path, b"missed"))
        new = at(b, session_id=old.id, password=old.password, last_zxid=zxid)
        new.catch_up()
        new.call(rawzk.set_watches(zxid, data=[path]))
        assert new.event()[:2] == (NODE_DATA_CHANGED, path)


# --- nodes with a life of their own --------------------------------------------------


def test_container_without_children_goes_everywhere(each, root):
    for a, (s, other) in zip(list(each), pairs(each)):
        path, _ = s.ok(create_container(f"{root}/c{a}"))
        s.ok(create(f"{path}/child"))
        other.catch_up()
        other.ok(exists(path, watch=True))
        s.ok(delete(f"{path}/child"))
        assert other.event()[:2] == (NODE_DELETED, path)


def test_ttl_node_goes_everywhere_when_its_time_is_over(each, root):
    for a, (s, other) in zip(list(each), pairs(each)):
        lasting, _ = s.ok(create_ttl(f"{root}/l{a}", 100_000))
        path, _ = s.ok(create_ttl(f"{root}/t{a}", 100))
        other.catch_up()
        if other.call(exists(path, watch=True)).err == 0:
            assert other.event()[:2] == (NODE_DELETED, path)
        assert other.ok(exists(lasting))


# --- access --------------------------------------------------------------------------


def test_identities_travel_with_what_is_forwarded(at, mix, root):
    for m in mix:
        owner, stranger, root_user = at(m.sid), at(m.sid), at(m.sid)
        owner.authenticate("digest", b"owner:pw%d" % m.sid)
        root_user.authenticate(*SUPER)
        path = owner.ok(create(f"{root}/a{m.sid}", b"x", acl=[Acl(ALL, "auth", "")]))
        acl, _ = owner.ok(get_acl(path))
        assert acl == [Acl(ALL, "digest", tree.digest_id("owner", f"pw{m.sid}"))]
        assert stranger.err(get_data(path)) == rawzk.NOAUTH
        assert stranger.err(set_data(path, b"y")) == rawzk.NOAUTH
        assert stranger.err(set_acl(path, rawzk.OPEN)) == rawzk.NOAUTH
        assert stranger.ok(multi(set_data(path, b"y"))) == [(rawzk.ERROR, rawzk.NOAUTH)]
        owner.ok(set_data(path, b"y"))
        root_user.ok(set_data(path, b"z"))
        assert owner.ok(multi(check(path, 2), set_data(path, b"m")))[0] == (rawzk.CHECK, None)
        owner.ok(set_acl(path, [Acl(READ, "world", "anyone")], version=0))
        stranger.catch_up()
        assert stranger.ok(get_data(path))[0] == b"m"


def test_the_same_user_is_known_at_every_server(at, mix, root):
    maker = at(1)
    maker.authenticate("digest", b"u:p")
    path = maker.ok(create(f"{root}/u", acl=[Acl(ALL, "auth", "")]))
    for m in mix:
        s = at(m.sid)
        s.catch_up()
        assert s.err(set_data(path, b"")) == rawzk.NOAUTH
        s.authenticate("digest", b"u:p")
        s.ok(set_data(path, b"%d" % m.sid))


# --- and at the end ------------------------------------------------------------------


def test_tree_with_one_of_everything_is_the_same_everywhere(at, mix, root):
    older = any(m.kind == "apache38" for m in mix)
    for m in mix:
        tree.grow(at(m.sid), f"{root}-by{m.sid}", create2_in_multi=not older)
    mix.check_same_trees()


def test_at_the_end_all_trees_and_digests_are_the_same(mix):
    assert len(mix.check_same_trees()) > 100
