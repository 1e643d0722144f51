"""Without extendedTypesEnabled there are no TTL nodes."""

import rawzk
from rawzk import BADARGUMENTS, CONTAINER, TTL, UNIMPLEMENTED, create, create_ttl, exists


def test_ttl_nodes_are_unimplemented_and_the_connection_stays(s, root):
    assert s.err(create_ttl(f"{root}/t", 1000)) == UNIMPLEMENTED
    assert s.err(create_ttl(f"{root}/t", -5)) in (UNIMPLEMENTED, BADARGUMENTS)
    s.ok(exists("/"))


def test_ttl_flag_in_plain_create_is_refused(s, root):
    assert s.err(create(f"{root}/t", flags=TTL)) in (UNIMPLEMENTED, BADARGUMENTS)


def test_ttl_in_a_multi_fails_the_multi(s, root):
    results = s.ok(rawzk.multi(create(f"{root}/a"), create_ttl(f"{root}/t", 1000)))
    assert results == [(rawzk.ERROR, 0), (rawzk.ERROR, UNIMPLEMENTED)]
    assert s.err(exists(f"{root}/a")) == rawzk.NONODE


def test_containers_need_no_setting(s, root):
    s.ok(rawzk.create_container(f"{root}/c", flags=CONTAINER))
