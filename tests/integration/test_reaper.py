"""Containers and TTL nodes go when nobody needs them."""

import rawzk
from rawzk import (
    NODE_CHILDREN_CHANGED,
    NODE_CREATED,
    NODE_DELETED,
    create,
    create_container,
    create_ttl,
    delete,
    exists,
    get_children,
)

SERVER_CONFIG = {
    "extendedTypesEnabled": "true",
    "znode.container.checkIntervalMs": 200,
    "tickTime": 1000,
}


def test_container_goes_after_its_last_child(server, s, root):
    w = server.session()
    c = s.ok(create_container(f"{root}/c"))[0]
    s.ok(create(f"{c}/child"))
    w.ok(exists(c, watch=True))
    w.ok(get_children(root, watch=True))
    s.ok(delete(f"{c}/child"))
    first, second = w.event(), w.event()
    assert (first.type, first.path) == (NODE_DELETED, c)
    assert (second.type, second.path) == (NODE_CHILDREN_CHANGED, root)


def test_ttl_node_goes_when_it_was_not_changed_for_its_time(server, s, root):
    t = f"{root}/t"
    s.err(exists(t, watch=True))
    s.ok(create_ttl(t, 300))
    assert s.event()[:2] == (NODE_CREATED, t)
    if s.call(exists(t, watch=True)).err == 0:  # it has not gone yet
        assert s.event()[:2] == (NODE_DELETED, t)


def test_what_is_used_or_was_never_used_stays_while_others_go(server, s, root):
    s.ok(create_container(f"{root}/unused"))
    s.ok(create_container(f"{root}/full"))
    s.ok(create(f"{root}/full/child"))
    s.ok(create_ttl(f"{root}/parent", 1))
    s.ok(create(f"{root}/parent/child"))
    s.ok(create_ttl(f"{root}/long", 600_000))
    # Two that go, one after the other: the reaper has come by twice.
    for n in range(2):
        t = s.ok(create_ttl(f"{root}/clock{n}", 1))[0]
        if s.call(exists(t, watch=True)).err == 0:
            assert s.event().type == NODE_DELETED
    assert sorted(s.ok(get_children(root))) == ["full", "long", "parent", "unused"]


def test_container_that_got_a_child_again_stays(server, s, root):
    c = s.ok(create_container(f"{root}/c"))[0]
    s.send_all([create(f"{c}/1"), delete(f"{c}/1"), create(f"{c}/2")])
    assert s.reply().err == 0
    deleted = s.reply().err
    again = s.reply().err
    assert deleted == 0
    if again == 0:
        s.ok(exists(c))
    else:
        assert again == rawzk.NONODE


def test_containers_and_ttl_nodes_go_after_a_restart_too(start_server):
    server = start_server(SERVER_CONFIG | {"znode.container.checkIntervalMs": 3_600_000})
    s = server.session()
    s.ok(create_container("/c"))
    s.ok(create("/c/child"))
    s.ok(delete("/c/child"))
    s.ok(create_ttl("/t", 1))
    server.kill()
    server.config["znode.container.checkIntervalMs"] = 200
    server.start()
    s = server.session()
    gone = set()
    for path in ("/c", "/t"):
        if s.call(exists(path, watch=True)).err != 0:
            gone.add(path)
    while gone != {"/c", "/t"}:
        # A watch on a node that has gone in between fires for its creation only.
        event = s.event()
        assert event.type in (NODE_DELETED, NODE_CREATED)
        gone.add(event.path)
