"""Requests that no client library sends, and what they get."""

import pytest
from rawzk import (
    ALL,
    AUTHFAILED,
    MARSHALLINGERROR,
    MODE_PERSISTENT,
    MODE_RECURSIVE,
    NONODE,
    NOWATCHER,
    OPEN,
    READ,
    SASL,
    UNIMPLEMENTED,
    W_ANY,
    W_PERSISTENT,
    W_RECURSIVE,
    Acl,
    Op,
    Reader,
    add_watch,
    auth,
    buf,
    check_watches,
    create,
    decode_multi,
    exists,
    get_acl,
    get_children,
    get_data,
    multi,
    multi_read,
    remove_watches,
    set_acl,
    set_watches,
)


@pytest.mark.parametrize("op_type", [-12, -1, 0, 10, 13, 23, 99, 108, 500, 2**31 - 1])
def test_unknown_operation_is_refused_under_no_zxid(s, op_type):
    s.send(Op(op_type, b"", None))
    reply = s.recv()
    assert (reply.err, reply.zxid, reply.body) == (UNIMPLEMENTED, -1, b"")
    s.expect_closed()


# --- authentication ------------------------------------------------------------------


def test_sasl_without_a_login_context_is_answered_with_a_null_token(s, root):
    reply = s.call(Op(SASL, buf(b"token"), None))
    assert (reply.err, reply.zxid, reply.body) == (0, 0, buf(None))
    s.ok(get_data(root))


@pytest.mark.parametrize("record", [b"", b"\0\0\0", buf(None), buf(b"x")[:-1]])
def test_malformed_sasl_packet_closes(s, record):
    s.send(Op(SASL, record, None))
    s.expect_closed()


def test_null_digest_credentials_fail(s):
    s.send(auth("digest", None))
    assert s.recv().err == AUTHFAILED
    s.expect_closed()


def test_empty_digest_credentials_are_credentials(s):
    s.ok(auth("digest", b""))


# --- null paths ----------------------------------------------------------------------


@pytest.mark.parametrize("mode,kind,other", [
    (MODE_PERSISTENT, W_PERSISTENT, W_RECURSIVE),
    (MODE_RECURSIVE, W_RECURSIVE, W_PERSISTENT),
])
def test_watches_take_a_null_path_for_a_path(s, mode, kind, other):
    assert s.err(check_watches(None, W_ANY)) == NOWATCHER
    s.ok(add_watch(None, mode))
    assert s.err(check_watches("", W_ANY)) == NOWATCHER  # which is another
    s.ok(check_watches(None, kind))
    assert s.err(remove_watches(None, other)) == NOWATCHER
    s.ok(remove_watches(None, W_ANY))
    assert s.err(remove_watches(None, W_ANY)) == NOWATCHER


def test_set_watches_takes_null_paths_only_for_persistent_watches(s):
    s.ok(set_watches(0, persistent=[None], recursive=[None]))
    s.ok(check_watches(None, W_PERSISTENT))
    s.ok(check_watches(None, W_RECURSIVE))
    for kind in ("data", "exist", "child"):
        assert s.err(set_watches(0, **{kind: [None]})) == MARSHALLINGERROR


def test_multi_read_with_a_null_path_keeps_the_answers_before_it(s, root):
    reply = s.call(multi_read(get_children(root), get_data(None), get_children(root)))
    assert reply.err == MARSHALLINGERROR
    reader = Reader(reply.body)
    assert len(decode_multi(reader)) == 1
    reader.end()


def test_multi_read_sets_no_watches(s, root):
    s.ok(multi_read(get_data(root, watch=True), get_children(root, watch=True)))
    assert s.err(check_watches(root, W_ANY)) == NOWATCHER


def test_multi_read_of_a_create_that_cannot_be_is_malformed(s, root):
    for op in (create(root, flags=9), create(root, acl=None)):
        assert s.err(multi_read(op)) == MARSHALLINGERROR


# --- ACLs ----------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["world", "digest", "ip"])
def test_null_id_is_malformed(s, root, scheme):
    acl = [*OPEN, Acl(READ, scheme, None)]
    assert s.err(create(f"{root}/a", acl=acl)) == MARSHALLINGERROR
    assert s.err(set_acl(root, acl)) == MARSHALLINGERROR
    assert s.err(multi(create(f"{root}/a"), create(f"{root}/b", acl=acl))) == MARSHALLINGERROR
    assert s.err(exists(f"{root}/a")) == NONODE


def test_hash_of_a_long_digest_id_is_hidden(s, root):
    user = "u" * 3000
    s.ok(create(f"{root}/n", acl=[Acl(ALL, "digest", user + ":hash"), *world_read()]))
    acl, _ = s.ok(get_acl(f"{root}/n"))
    assert acl == [Acl(ALL, "digest", user + ":x"), *world_read()]


def world_read():
    return [Acl(READ, "world", "anyone")]
