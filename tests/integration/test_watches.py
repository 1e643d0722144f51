"""Watches: what fires, when, how often, in which order, and for whom."""

import pytest
import rawzk
from rawzk import (
    EPHEMERAL,
    MODE_PERSISTENT,
    MODE_RECURSIVE,
    NODE_CHILDREN_CHANGED,
    NODE_CREATED,
    NODE_DATA_CHANGED,
    NODE_DELETED,
    NONODE,
    NOWATCHER,
    OPEN,
    W_ANY,
    W_CHILDREN,
    W_DATA,
    W_PERSISTENT,
    W_RECURSIVE,
    Acl,
    Event,
    Reply,
    add_watch,
    check_watches,
    create,
    decode,
    delete,
    exists,
    get_children,
    get_children2,
    get_data,
    i32,
    multi,
    remove_watches,
    set_acl,
    set_data,
    set_watches,
    ustr,
)

SERVER_CONFIG = {"extendedTypesEnabled": "true", "maxClientCnxns": "0"}


@pytest.fixture
def w(server):
    """The session that watches; `s` is the one that acts."""
    return server.session()


# --- very many --------------------------------------------------------------------------


def test_very_many_are_told_once_and_before_they_read(server, s, root):
    """So many that a server may share the telling among threads. One of them has gone meanwhile."""
    watchers = [server.session() for _ in range(700)]
    for watcher in watchers:
        watcher.send(get_data(root, watch=True))
    for watcher in watchers:
        assert watcher.reply().err == 0
    gone = watchers.pop(100)
    gone.close()
    s.send_all([set_data(root, b"1"), set_data(root, b"2")])
    assert s.reply().err == 0 and s.reply().err == 0
    for watcher in watchers:
        watcher.send(get_data(root))
    for watcher in watchers:
        event = watcher.event()
        assert (event.type, event.path) == (NODE_DATA_CHANGED, root)
        assert decode(get_data(root), watcher.recv())[0] == b"2"
        assert watcher.drain_events() == []


@pytest.mark.parametrize("order", ["abc", "bac", "abac"])
def test_very_many_hear_in_order_what_else_there_is(server, s, root, order):
    """One transaction that 700 are told of, and 30 of them of more: before it, behind it, twice."""
    for name in "abc":
        s.ok(create(f"{root}/{name}"))
    watchers = [server.session() for _ in range(700)]
    for n, watcher in enumerate(watchers):
        paths = [f"{root}/{name}" for name in ("abc" if n % 25 == 0 else "a")]
        watcher.send_all([add_watch(path, MODE_PERSISTENT) for path in paths])
        for _ in paths:
            assert watcher.reply().err == 0
    s.ok(multi(*[set_data(f"{root}/{name}", b"1") for name in order]))
    for n, watcher in enumerate(watchers):
        wanted = [name for name in order if name == "a" or n % 25 == 0]
        assert [watcher.event().path for _ in wanted] == [f"{root}/{name}" for name in wanted]
        assert watcher.drain_events() == []


# --- one-shot watches ----------------------------------------------------------------


def test_get_data_watch_fires_once_for_a_change(w, s, root):
    w.ok(get_data(root, watch=True))
    s.ok(set_data(root, b"1"))
    s.ok(set_data(root, b"2"))
    assert w.drain_events() == [(NODE_DATA_CHANGED, root)]


def test_get_data_watch_fires_for_a_delete(w, s, root):
    s.ok(create(f"{root}/a"))
    w.ok(get_data(f"{root}/a", watch=True))
    s.ok(delete(f"{root}/a"))
    assert w.drain_events() == [(NODE_DELETED, f"{root}/a")]


def test_get_data_of_a_missing_node_leaves_no_watch(w, s, root):
    assert w.err(get_data(f"{root}/a", watch=True)) == NONODE
    s.ok(create(f"{root}/a"))
    assert w.drain_events() == []


def test_exists_watch_on_a_missing_node_fires_when_it_is_created(w, s, root):
    assert w.err(exists(f"{root}/a", watch=True)) == NONODE
    s.ok(create(f"{root}/a"))
    s.ok(set_data(f"{root}/a", b""))
    assert w.drain_events() == [(NODE_CREATED, f"{root}/a")]


def test_exists_watch_on_a_node_fires_for_a_change_or_a_delete(w, s, root):
    w.ok(exists(root, watch=True))
    s.ok(set_data(root, b""))
    s.ok(create(f"{root}/a"))
    w.ok(exists(f"{root}/a", watch=True))
    s.ok(delete(f"{root}/a"))
    assert w.drain_events() == [(NODE_DATA_CHANGED, root), (NODE_DELETED, f"{root}/a")]


@pytest.mark.parametrize("read", [get_children, get_children2])
def test_child_watch_fires_once_for_a_created_or_deleted_child(w, s, root, read):
    w.ok(read(root, watch=True))
    s.ok(create(f"{root}/a"))
    s.ok(create(f"{root}/b"))
    assert w.drain_events() == [(NODE_CHILDREN_CHANGED, root)]
    w.ok(read(root, watch=True))
    s.ok(delete(f"{root}/a"))
    s.ok(delete(f"{root}/b"))
    assert w.drain_events() == [(NODE_CHILDREN_CHANGED, root)]


def test_child_watch_does_not_fire_for_data_or_grandchildren(w, s, root):
    s.ok(create(f"{root}/a"))
    w.ok(get_children(root, watch=True))
    s.ok(set_data(root, b"x"))
    s.ok(set_data(f"{root}/a", b"x"))
    s.ok(create(f"{root}/a/b"))
    assert w.drain_events() == []


def test_child_watch_fires_for_the_delete_of_the_node(w, s, root):
    s.ok(create(f"{root}/a"))
    w.ok(get_children(f"{root}/a", watch=True))
    s.ok(delete(f"{root}/a"))
    assert w.drain_events() == [(NODE_DELETED, f"{root}/a")]


def test_data_watch_does_not_fire_for_children(w, s, root):
    w.ok(get_data(root, watch=True))
    s.ok(create(f"{root}/a"))
    assert w.drain_events() == []


def test_set_acl_fires_nothing(w, s, root):
    w.ok(get_data(root, watch=True))
    w.ok(get_children(root, watch=True))
    w.ok(add_watch(root, MODE_RECURSIVE))
    s.ok(set_acl(root, OPEN))
    assert w.drain_events() == []


def test_watching_twice_fires_once(w, s, root):
    w.ok(get_data(root, watch=True))
    w.ok(exists(root, watch=True))
    w.ok(get_data(root, watch=True))
    s.ok(set_data(root, b""))
    assert w.drain_events() == [(NODE_DATA_CHANGED, root)]


def test_client_with_both_kinds_of_watch_hears_of_a_delete_once(w, s, root):
    s.ok(create(f"{root}/a"))
    w.ok(get_data(f"{root}/a", watch=True))
    w.ok(get_children(f"{root}/a", watch=True))
    s.ok(delete(f"{root}/a"))
    assert w.drain_events() == [(NODE_DELETED, f"{root}/a")]


def test_delete_tells_of_the_node_before_its_parent(w, s, root):
    s.ok(create(f"{root}/a"))
    w.ok(get_children(root, watch=True))
    w.ok(get_data(f"{root}/a", watch=True))
    s.ok(delete(f"{root}/a"))
    assert w.drain_events() == [(NODE_DELETED, f"{root}/a"), (NODE_CHILDREN_CHANGED, root)]


def test_create_tells_of_the_node_before_its_parent(w, s, root):
    w.ok(get_children(root, watch=True))
    w.call(exists(f"{root}/a", watch=True))
    s.ok(create(f"{root}/a"))
    assert w.drain_events() == [(NODE_CREATED, f"{root}/a"), (NODE_CHILDREN_CHANGED, root)]


def test_failed_write_fires_nothing(w, s, root):
    w.ok(get_data(root, watch=True))
    w.ok(get_children(root, watch=True))
    s.err(set_data(root, b"", version=9))
    s.err(create(root))
    s.err(delete(f"{root}/no"))
    assert w.drain_events() == []


def test_every_watcher_is_told(server, s, root):
    watchers = [server.session() for _ in range(20)]
    for watcher in watchers:
        watcher.ok(get_data(root, watch=True))
    s.ok(set_data(root, b""))
    for watcher in watchers:
        assert watcher.drain_events() == [(NODE_DATA_CHANGED, root)]


# --- order ---------------------------------------------------------------------------


def test_event_comes_before_the_reply_of_the_write_that_caused_it(s, root):
    s.ok(get_data(root, watch=True))
    s.send(set_data(root, b""))
    first, second = s.recv(), s.recv()
    assert isinstance(first, Event) and first.path == root
    assert isinstance(second, Reply) and second.err == 0


def test_event_comes_before_a_read_that_shows_the_change(server, w, s, root):
    for n in range(50):
        w.ok(get_data(root, watch=True))
        s.send(set_data(root, b"%d" % n))
        while True:
            w.send(get_data(root))
            packet = w.recv()
            if isinstance(packet, Event):
                w.reply()
                break
            assert rawzk.decode(get_data(root), packet)[0] != b"%d" % n
        s.reply()


def test_events_come_in_the_order_of_the_changes(w, s, root):
    paths = [f"{root}/{n}" for n in range(100)]
    for path in paths:
        w.call(exists(path, watch=True))
    ops = [create(path) for path in paths]
    s.send_all(ops)
    for _ in ops:
        s.reply()
    assert w.drain_events() == [(NODE_CREATED, path) for path in paths]


@pytest.mark.apache_only_since("3.9")
def test_event_carries_the_zxid_of_its_change(w, s, root):
    w.ok(get_data(root, watch=True))
    w.ok(get_children(root, watch=True))
    stat = s.ok(set_data(root, b""))
    assert w.event().zxid == stat.mzxid
    s.ok(create(f"{root}/a"))
    assert w.event().zxid == s.zxid


def test_exact_bytes_of_an_event(w, s, root):
    w.ok(get_data(root, watch=True))
    stat = s.ok(set_data(root, b""))
    payload = w.recv_frame()
    assert payload[:4] == i32(-1)
    assert payload[4:12] in (rawzk.i64(stat.mzxid), rawzk.i64(-1))
    assert payload[12:] == i32(0) + i32(NODE_DATA_CHANGED) + i32(3) + ustr(root)


# --- persistent watches --------------------------------------------------------------


@pytest.mark.parametrize("mode", [MODE_PERSISTENT, MODE_RECURSIVE])
def test_add_watch_answers_with_a_4_byte_body(w, root, mode):
    reply = w.call(add_watch(root, mode))
    assert (reply.err, reply.body) == (0, i32(0))


@pytest.mark.parametrize("mode", [-1, 2, 7])
def test_add_watch_with_an_unknown_mode_is_refused(w, root, mode):
    assert w.call(add_watch(root, mode)).err != 0
    w.ok(exists("/"))


def test_persistent_watch_fires_for_everything_about_its_node(w, s, root):
    a = f"{root}/a"
    w.ok(add_watch(a, MODE_PERSISTENT))
    s.ok(create(a))
    s.ok(set_data(a, b"1"))
    s.ok(set_data(a, b"2"))
    s.ok(create(f"{a}/b"))
    s.ok(set_data(f"{a}/b", b"not ours"))
    s.ok(create(f"{a}/b/c"))
    s.ok(delete(f"{a}/b/c"))
    s.ok(delete(f"{a}/b"))
    s.ok(delete(a))
    s.ok(create(a))
    assert w.drain_events() == [
        (NODE_CREATED, a),
        (NODE_DATA_CHANGED, a),
        (NODE_DATA_CHANGED, a),
        (NODE_CHILDREN_CHANGED, a),
        (NODE_CHILDREN_CHANGED, a),
        (NODE_DELETED, a),
        (NODE_CREATED, a),
    ]


def test_recursive_watch_fires_for_the_whole_subtree_but_never_for_children_lists(w, s, root):
    a = f"{root}/a"
    w.ok(add_watch(a, MODE_RECURSIVE))
    s.ok(create(a))
    s.ok(create(f"{a}/b"))
    s.ok(create(f"{a}/b/c"))
    s.ok(set_data(f"{a}/b/c", b"1"))
    s.ok(set_data(a, b"1"))
    s.ok(delete(f"{a}/b/c"))
    s.ok(delete(f"{a}/b"))
    s.ok(delete(a))
    s.ok(create(f"{root}/ab"))
    assert w.drain_events() == [
        (NODE_CREATED, a),
        (NODE_CREATED, f"{a}/b"),
        (NODE_CREATED, f"{a}/b/c"),
        (NODE_DATA_CHANGED, f"{a}/b/c"),
        (NODE_DATA_CHANGED, a),
        (NODE_DELETED, f"{a}/b/c"),
        (NODE_DELETED, f"{a}/b"),
        (NODE_DELETED, a),
    ]


def test_recursive_watch_on_the_root_sees_everything(w, s, root):
    w.ok(add_watch("/", MODE_RECURSIVE))
    s.ok(create(f"{root}/a"))
    s.ok(delete(f"{root}/a"))
    assert w.drain_events() == [(NODE_CREATED, f"{root}/a"), (NODE_DELETED, f"{root}/a")]


def test_nested_recursive_watches_tell_once(w, s, root):
    s.ok(create(f"{root}/a"))
    w.ok(add_watch(root, MODE_RECURSIVE))
    w.ok(add_watch(f"{root}/a", MODE_RECURSIVE))
    s.ok(set_data(f"{root}/a", b""))
    assert w.drain_events() == [(NODE_DATA_CHANGED, f"{root}/a")]


@pytest.mark.apache_only_since("3.9")
def test_three_kinds_of_watch_on_one_node_coexist(w, s, root):
    w.ok(add_watch(root, MODE_PERSISTENT))
    w.ok(add_watch(root, MODE_RECURSIVE))
    w.ok(get_data(root, watch=True))
    s.ok(set_data(root, b"1"))
    s.ok(set_data(root, b"2"))
    s.ok(create(f"{root}/a"))
    s.ok(set_data(f"{root}/a", b"1"))
    assert w.drain_events() == [
        (NODE_DATA_CHANGED, root),
        (NODE_DATA_CHANGED, root),
        (NODE_CREATED, f"{root}/a"),
        (NODE_CHILDREN_CHANGED, root),
        (NODE_DATA_CHANGED, f"{root}/a"),
    ]


@pytest.mark.apache_only_since("3.9")
def test_one_shot_watch_fires_and_leaves_the_persistent_one(w, s, root):
    w.ok(get_data(root, watch=True))
    w.ok(add_watch(root, MODE_PERSISTENT))
    s.ok(set_data(root, b"1"))
    w.ok(check_watches(root, W_PERSISTENT))
    s.ok(set_data(root, b"2"))
    assert w.drain_events() == [(NODE_DATA_CHANGED, root)] * 2


def test_persistent_watch_and_delete_tell_once(w, s, root):
    s.ok(create(f"{root}/a"))
    w.ok(add_watch(f"{root}/a", MODE_PERSISTENT))
    s.ok(delete(f"{root}/a"))
    assert w.drain_events() == [(NODE_DELETED, f"{root}/a")]


def test_persistent_and_recursive_above_it_tell_of_a_delete_once(w, s, root):
    s.ok(create(f"{root}/a"))
    w.ok(add_watch(root, MODE_RECURSIVE))
    w.ok(add_watch(f"{root}/a", MODE_PERSISTENT))
    s.ok(delete(f"{root}/a"))
    assert w.drain_events() == [(NODE_DELETED, f"{root}/a")]


# --- removing and checking -----------------------------------------------------------

PLACE = {
    W_DATA: lambda root: get_data(root, watch=True),
    W_CHILDREN: lambda root: get_children(root, watch=True),
    W_PERSISTENT: lambda root: add_watch(root, MODE_PERSISTENT),
    W_RECURSIVE: lambda root: add_watch(root, MODE_RECURSIVE),
}


@pytest.mark.apache_only_since("3.9")
@pytest.mark.parametrize("kind", PLACE)
@pytest.mark.parametrize("request_kind", [*PLACE, W_ANY])
def test_check_and_remove_find_their_own_kind_or_any(w, s, root, kind, request_kind):
    w.ok(PLACE[kind](root))
    found = request_kind in (kind, W_ANY)
    for op in (check_watches, remove_watches):
        reply = w.call(op(root, request_kind))
        assert (reply.err, reply.body) == (0 if found else NOWATCHER, b"")
    assert w.call(check_watches(root, kind)).err == (NOWATCHER if found else 0)
    s.ok(set_data(root, b""))
    s.ok(create(f"{root}/a"))
    assert (w.drain_events() == []) == found


def test_remove_any_removes_every_kind(w, s, root):
    for place in PLACE.values():
        w.ok(place(root))
    w.ok(remove_watches(root, W_ANY))
    s.ok(set_data(root, b""))
    s.ok(create(f"{root}/a"))
    assert w.drain_events() == []
    assert w.err(remove_watches(root, W_ANY)) == NOWATCHER


@pytest.mark.apache_only_since("3.9")
def test_remove_of_one_kind_leaves_the_others(w, s, root):
    for place in PLACE.values():
        w.ok(place(root))
    w.ok(remove_watches(root, W_PERSISTENT))
    w.ok(remove_watches(root, W_DATA))
    for kind in (W_CHILDREN, W_RECURSIVE):
        w.ok(check_watches(root, kind))
    s.ok(set_data(root, b""))
    s.ok(create(f"{root}/a"))
    s.ok(create(f"{root}/b"))
    assert w.drain_events() == [
        (NODE_DATA_CHANGED, root),
        (NODE_CREATED, f"{root}/a"),
        (NODE_CHILDREN_CHANGED, root),
        (NODE_CREATED, f"{root}/b"),
    ]


@pytest.mark.apache_only_since("3.9")
def test_remove_finds_no_watch_of_another_session(w, s, root):
    s.ok(get_data(root, watch=True))
    assert w.err(check_watches(root, W_ANY)) == NOWATCHER
    assert w.err(remove_watches(root, W_ANY)) == NOWATCHER
    w.ok(set_data(root, b""))
    assert s.drain_events() == [(NODE_DATA_CHANGED, root)]


def test_recursive_watch_is_not_found_at_a_descendant(w, s, root):
    s.ok(create(f"{root}/a"))
    w.ok(add_watch(root, MODE_RECURSIVE))
    assert w.err(remove_watches(f"{root}/a", W_ANY)) == NOWATCHER


def test_watch_that_fired_is_not_found(w, s, root):
    w.ok(get_data(root, watch=True))
    s.ok(set_data(root, b""))
    assert w.err(check_watches(root, W_DATA)) == NOWATCHER


@pytest.mark.parametrize("kind", [0, -1, 6])
def test_unknown_kind_of_watch_is_refused(w, root, kind):
    w.ok(get_data(root, watch=True))
    assert w.call(remove_watches(root, kind)).err != 0
    w.ok(check_watches(root, W_DATA))


# --- setWatches after a reconnect ----------------------------------------------------


def test_set_watches_answers_with_its_xid_and_no_body(w, root):
    for op in (set_watches(0), set_watches(0, persistent=[], recursive=[])):
        reply = w.call(op)
        assert (reply.xid, reply.err, reply.body) == (-8, 0, b"")


@pytest.mark.parametrize("two", [False, True], ids=["setWatches", "setWatches2"])
def test_set_watches_tells_what_was_missed(w, s, root, two):
    for name in ("changed", "deleted", "same", "parent", "parent-same"):
        s.ok(create(f"{root}/{name}"))
    then = s.zxid
    s.ok(set_data(f"{root}/changed", b"1"))
    s.ok(delete(f"{root}/deleted"))
    s.ok(create(f"{root}/appeared"))
    s.ok(create(f"{root}/parent/child"))
    more = {"persistent": [], "recursive": []} if two else {}
    w.ok(
        set_watches(
            then,
            data=[f"{root}/changed", f"{root}/deleted", f"{root}/same"],
            exist=[f"{root}/appeared", f"{root}/never"],
            child=[f"{root}/parent", f"{root}/parent-same", f"{root}/deleted"],
            **more,
        )
    )
    events = w.drain_full_events()
    assert sorted((e.path, e.type) for e in events) == sorted(
        [
            (f"{root}/changed", NODE_DATA_CHANGED),
            (f"{root}/deleted", NODE_DELETED),
            (f"{root}/appeared", NODE_CREATED),
            (f"{root}/parent", NODE_CHILDREN_CHANGED),
            (f"{root}/deleted", NODE_DELETED),
        ]
    )
    assert {e.zxid for e in events} == {-1}


def test_set_watches_sets_again_what_was_not_missed(w, s, root):
    for name in ("data", "child"):
        s.ok(create(f"{root}/{name}"))
    w.ok(
        set_watches(
            s.zxid, data=[f"{root}/data"], exist=[f"{root}/new"], child=[f"{root}/child"]
        )
    )
    assert w.drain_events() == []
    s.ok(set_data(f"{root}/data", b""))
    s.ok(create(f"{root}/new"))
    s.ok(create(f"{root}/child/x"))
    assert w.drain_events() == [
        (NODE_DATA_CHANGED, f"{root}/data"),
        (NODE_CREATED, f"{root}/new"),
        (NODE_CHILDREN_CHANGED, f"{root}/child"),
    ]


def test_what_set_watches_told_is_not_set_again(w, s, root):
    then = s.call(exists(root)).zxid
    s.ok(set_data(root, b"1"))
    w.ok(set_watches(then, data=[root]))
    assert w.drain_events() == [(NODE_DATA_CHANGED, root)]
    s.ok(set_data(root, b"2"))
    assert w.drain_events() == []


def test_set_watches2_sets_persistent_watches_and_replays_nothing(w, s, root):
    s.ok(create(f"{root}/p"))
    s.ok(create(f"{root}/r"))
    then = s.zxid
    s.ok(set_data(f"{root}/p", b"missed"))
    s.ok(create(f"{root}/r/missed"))
    w.ok(set_watches(then, persistent=[f"{root}/p"], recursive=[f"{root}/r"]))
    assert w.drain_events() == []
    for _ in range(2):
        s.ok(set_data(f"{root}/p", b"seen"))
        s.ok(set_data(f"{root}/r/missed", b"seen"))
    assert w.drain_events() == [
        (NODE_DATA_CHANGED, f"{root}/p"),
        (NODE_DATA_CHANGED, f"{root}/r/missed"),
    ] * 2


def test_set_watches_events_come_before_its_reply(w, s, root):
    then = s.call(exists(root)).zxid
    s.ok(set_data(root, b"1"))
    w.send(set_watches(then, data=[root]))
    assert isinstance(w.recv(), Event)
    assert w.recv().xid == -8


# --- permissions ---------------------------------------------------------------------


def test_event_goes_only_to_who_may_read_the_node_when_it_fires(w, s, root):
    s.authenticate("digest", b"u:p")
    a = s.ok(create(f"{root}/a"))
    w.ok(get_data(a, watch=True))
    s.ok(set_acl(a, [Acl(31, "auth", "")]))
    s.ok(set_data(a, b"secret"))
    assert w.drain_events() == []
    s.ok(get_data(a, watch=True))
    s.ok(set_data(a, b"secret"))
    assert s.drain_events() == [(NODE_DATA_CHANGED, a)]


def test_children_event_goes_only_to_who_may_read_the_parent(w, s, root):
    s.authenticate("digest", b"u:p")
    a = s.ok(create(f"{root}/a"))
    w.ok(get_children(a, watch=True))
    s.ok(set_acl(a, [Acl(31, "auth", "")]))
    s.ok(create(f"{a}/child"))
    assert w.drain_events() == []


def test_persistent_watch_may_be_placed_anywhere_and_is_filtered_when_it_fires(w, s, root):
    s.authenticate("digest", b"u:p")
    a = s.ok(create(f"{root}/a", acl=[Acl(31, "auth", "")]))
    w.ok(add_watch(root, MODE_RECURSIVE))
    w.ok(add_watch(a, MODE_PERSISTENT))
    s.ok(set_data(a, b"secret"))
    assert w.drain_events() == []
    s.ok(set_acl(a, OPEN))
    s.ok(set_data(a, b"open"))
    assert w.drain_events() == [(NODE_DATA_CHANGED, a)]


def test_created_event_is_filtered_by_the_acl_of_the_new_node(w, s, root):
    s.authenticate("digest", b"u:p")
    w.call(exists(f"{root}/a", watch=True))
    s.ok(create(f"{root}/a", acl=[Acl(31, "auth", "")]))
    assert w.drain_events() == []


# --- other causes --------------------------------------------------------------------


def test_ephemerals_of_a_closed_session_fire_deletes_and_children(server, w, root):
    owner = server.session()
    owner.ok(create(f"{root}/e", flags=EPHEMERAL))
    w.ok(exists(f"{root}/e", watch=True))
    w.ok(get_children(root, watch=True))
    owner.close_session()
    assert w.drain_events() == [
        (NODE_DELETED, f"{root}/e"),
        (NODE_CHILDREN_CHANGED, root),
    ]


def test_watch_dies_with_its_connection(server, s, root):
    watcher = server.session()
    watcher.ok(get_data(root, watch=True))
    again = server.session(session_id=watcher.id, password=watcher.password)
    s.ok(set_data(root, b""))
    assert again.drain_events() == []
