"""The connect packets, in every form, and the life of a session."""

import socket

import pytest
import rawzk
from rawzk import (
    EPHEMERAL,
    NODE_DELETED,
    Closed,
    connect_request,
    create,
    exists,
    frame,
    get_data,
    i32,
    i64,
    ping,
    session_password,
)

SERVER_CONFIG = {"tickTime": 500}

GONE = rawzk.ConnectReply(0, 0, 0, bytes(16), False)


def test_new_session_gets_an_id_and_the_password_that_belongs_to_it(server):
    with server.conn() as c:
        reply = c.handshake(connect_request(timeout_ms=5000))
        assert reply.protocol == 0
        assert reply.timeout_ms == 5000
        assert reply.session_id != 0
        assert reply.password == session_password(reply.session_id)
        assert reply.read_only is False


def test_connect_answer_is_41_bytes_with_the_read_only_byte_and_40_without_length(server):
    with server.conn() as c:
        c.send_frame(connect_request())
        assert len(c.recv_frame()) == 4 + 4 + 8 + 4 + 16 + 1


def test_client_that_sends_no_read_only_byte_gets_none_back(server):
    with server.conn() as c:
        c.send_frame(connect_request(read_only=None))
        assert len(c.recv_frame()) == 4 + 4 + 8 + 4 + 16


def test_client_that_accepts_read_only_gets_a_read_write_server(server):
    with server.conn() as c:
        assert c.handshake(connect_request(read_only=True)).read_only is False


def test_password_of_a_new_session_is_ignored_and_may_be_null_empty_or_long(server):
    for password in (None, b"", b"x" * 16, b"y" * 100):
        with server.conn() as c:
            reply = c.handshake(connect_request(password=password))
            assert reply.session_id != 0
            assert reply.password == session_password(reply.session_id)


def test_protocol_version_of_the_client_is_not_looked_at(server):
    with server.conn() as c:
        assert c.handshake(connect_request(protocol=7)).protocol == 0


@pytest.mark.parametrize(
    "asked, given", [(0, 1000), (-1, 1000), (999, 1000), (1000, 1000), (10000, 10000),
                     (10001, 10000), (2**31 - 1, 10000)]
)
def test_timeout_is_clamped_to_2_and_20_ticks(server, asked, given):
    with server.conn() as c:
        assert c.handshake(connect_request(timeout_ms=asked)).timeout_ms == given


def test_session_ids_are_all_different(server):
    ids = {server.session().id for _ in range(20)}
    assert len(ids) == 20 and 0 not in ids


def test_client_ahead_of_the_server_is_closed_without_an_answer(server, s):
    last = s.call(exists("/")).zxid
    with server.conn() as c:
        c.send_frame(connect_request(last_zxid=last + 1000))
        c.expect_closed()


def test_client_not_ahead_of_the_server_is_welcome(server, s):
    last = s.call(exists("/")).zxid
    with server.conn() as c:
        assert c.handshake(connect_request(last_zxid=last)).session_id != 0


def test_session_is_renewed_with_its_password(server, root):
    first = server.session(timeout_ms=7000)
    first.ok(create(f"{root}/e", flags=EPHEMERAL))
    first.close()
    again = server.session(session_id=first.id, password=first.password, timeout_ms=6000)
    assert again.id == first.id
    assert again.password == first.password
    assert again.timeout_ms == 6000
    assert again.ok(exists(f"{root}/e")).ephemeral_owner == first.id


def test_renewal_without_the_read_only_byte_is_answered_without_it(server):
    first = server.session()
    with server.conn() as c:
        c.send_frame(connect_request(session_id=first.id, password=first.password, read_only=None))
        assert len(c.recv_frame()) == 36


@pytest.mark.parametrize("password", [bytes(16), b"", None, b"\xff" * 16, b"\xff" * 300])
def test_renewal_with_a_wrong_password_is_told_that_the_session_is_gone(server, password):
    first = server.session()
    with server.conn() as c:
        c.send_frame(connect_request(session_id=first.id, password=password))
        assert c.recv_frame() == i32(0) + i32(0) + i64(0) + i32(16) + bytes(16) + b"\x00"
        c.expect_closed()


def test_wrong_password_does_not_end_the_session(server, root):
    first = server.session()
    first.ok(create(f"{root}/e", flags=EPHEMERAL))
    with server.conn() as c:
        assert c.handshake(connect_request(session_id=first.id)) == GONE
    again = server.session(session_id=first.id, password=first.password)
    assert again.id == first.id
    assert again.ok(exists(f"{root}/e")).ephemeral_owner == first.id


@pytest.mark.parametrize("session_id", [1, -1, 2**63 - 1, -(2**63), 0x1234567890])
def test_renewal_of_an_unknown_session_is_told_that_it_is_gone(server, session_id):
    with server.conn() as c:
        reply = c.handshake(
            connect_request(session_id=session_id, password=session_password(session_id))
        )
        assert reply == GONE
        c.expect_closed()


def test_refusal_to_renew_omits_the_read_only_byte_for_a_client_that_sent_none(server):
    with server.conn() as c:
        c.send_frame(
            connect_request(session_id=99, password=session_password(99), read_only=None)
        )
        assert c.recv_frame() == i32(0) + i32(0) + i64(0) + i32(16) + bytes(16)
        c.expect_closed()


def test_closed_session_cannot_be_renewed(server):
    first = server.session()
    first.close_session()
    with server.conn() as c:
        assert c.handshake(connect_request(session_id=first.id, password=first.password)) == GONE


def test_second_connection_with_a_session_closes_the_first(server):
    first = server.session()
    second = server.session(session_id=first.id, password=first.password)
    first.expect_closed()
    second.ok(exists("/"))


def test_connect_that_names_a_session_closes_its_connection_even_with_a_wrong_password(server):
    first = server.session()
    with server.conn() as c:
        assert c.handshake(connect_request(session_id=first.id)) == GONE
    first.expect_closed()


def test_moved_session_keeps_working_on_the_new_connection_only(server, root):
    first = server.session()
    second = server.session(session_id=first.id, password=first.password)
    second.ok(create(f"{root}/after-move", flags=EPHEMERAL))
    with pytest.raises((Closed, OSError)):
        first.call(create(f"{root}/stale"))
    assert second.ok(exists(f"{root}/after-move")).ephemeral_owner == first.id
    assert second.err(exists(f"{root}/stale")) == rawzk.NONODE


def test_watches_do_not_survive_the_connection(server, root):
    first = server.session()
    first.ok(get_data(root, watch=True))
    second = server.session(session_id=first.id, password=first.password)
    second.ok(rawzk.set_data(root, b"new"))
    assert second.drain_events() == []


def test_close_session_is_answered_and_then_the_connection_ends(server, s):
    last = s.call(exists("/")).zxid
    xid = s.send(rawzk.close_session())
    reply = s.reply()
    assert (reply.xid, reply.err, reply.body) == (xid, 0, b"")
    assert reply.zxid > last, "closing is a transaction"
    s.expect_closed()


@pytest.mark.apache_only_since("3.9")
def test_close_session_deletes_the_ephemerals_in_one_transaction(server, s, root):
    owner = server.session()
    for name in "abc":
        owner.ok(create(f"{root}/{name}", flags=EPHEMERAL))
        s.ok(exists(f"{root}/{name}", watch=True))
    owner.close_session()
    events = s.drain_full_events()
    assert sorted((e.type, e.path) for e in events) == [
        (NODE_DELETED, f"{root}/{n}") for n in "abc"
    ]
    assert len({e.zxid for e in events}) == 1
    stat = s.ok(exists(root))
    assert stat.num_children == 0
    assert stat.pzxid == events[0].zxid


def test_requests_behind_a_close_session_have_no_effect(server):
    c = server.session()
    close_xid = c.send_all([rawzk.close_session(), create("/late")])[0]
    assert c.reply().xid == close_xid
    # Whether the second is still answered depends on when the socket is closed.
    try:
        assert c.reply().err == rawzk.SESSIONEXPIRED
    except Closed:
        pass
    assert server.session().err(exists("/late")) == rawzk.NONODE


def test_session_without_a_connection_expires_and_its_ephemerals_go(server, s, root):
    owner = server.session(timeout_ms=1000)
    owner.ok(create(f"{root}/e", flags=EPHEMERAL))
    assert s.ok(exists(f"{root}/e", watch=True)).ephemeral_owner == owner.id
    owner.close()
    event = s.event()
    assert (event.type, event.path) == (NODE_DELETED, f"{root}/e")
    with server.conn() as c:
        assert c.handshake(connect_request(session_id=owner.id, password=owner.password)) == GONE


def test_silent_session_expires_and_its_connection_is_closed(server):
    silent = server.session(timeout_ms=1000)
    silent.expect_closed()
    with server.conn() as c:
        assert c.handshake(connect_request(session_id=silent.id, password=silent.password)) == GONE


def test_pings_keep_a_session_alive(server, s, root):
    # Two clocks of the same server: the silent session's end proves that the time has passed.
    alive = server.session(timeout_ms=1500)
    silent = server.session(timeout_ms=2000)
    silent.ok(create(f"{root}/clock", flags=EPHEMERAL))
    alive.ok(exists(f"{root}/clock", watch=True))
    while not alive.events:
        alive.sock.settimeout(0.1)
        try:
            alive.events.append(alive.recv())
        except TimeoutError:
            alive.sock.settimeout(10)
            alive.send(ping())
            alive.reply()
    assert alive.events[0].path == f"{root}/clock"
    alive.ok(exists("/"))


def test_ping_answers_with_xid_minus_2_and_the_last_zxid(server, s, root):
    reply = s.call(ping())
    assert (reply.xid, reply.err, reply.body) == (-2, 0, b"")
    assert reply.zxid == s.ok(exists(root)).czxid


def test_ping_answers_with_xid_minus_2_whatever_xid_was_sent(s):
    s.send(ping(), xid=55)
    assert s.reply().xid == -2


def test_connect_may_arrive_byte_by_byte(server):
    with server.conn() as c:
        for byte in frame(connect_request()):
            c.send_bytes(bytes([byte]))
        assert c.recv_connect_reply().session_id != 0


def test_requests_may_be_pipelined_behind_the_connect(server):
    with server.conn() as c:
        c.send_bytes(
            frame(connect_request()) + frame(i32(1) + i32(rawzk.EXISTS) + exists("/").body)
        )
        assert c.recv_connect_reply().session_id != 0
        r = rawzk.Reader(c.recv_frame())
        assert r.i32() == 1
        r.i64()
        assert r.i32() == 0
        assert r.stat().czxid == 0


def test_connect_with_bytes_too_many_is_accepted(server):
    with server.conn() as c:
        assert c.handshake(connect_request() + b"more").session_id != 0


@pytest.mark.parametrize("length", [0, 1, 4, 12, 24, 27, 35, 43])
def test_truncated_connect_is_closed_without_an_answer(server, length):
    with server.conn() as c:
        # Less than four bytes cannot even be mistaken for something else.
        c.send_frame(connect_request()[:length])
        c.expect_closed()


def test_connect_with_a_lying_password_length_is_closed(server):
    for length in (-2, 18, 1000, 2**31 - 1):
        with server.conn() as c:
            request = i32(0) + i64(0) + i32(5000) + i64(0) + i32(length) + bytes(16) + b"\0"
            c.send_frame(request)
            c.expect_closed()


def test_half_closed_connection_ends_and_the_session_lives_on(server, s, root):
    owner = server.session()
    owner.ok(create(f"{root}/e", flags=EPHEMERAL))
    owner.sock.shutdown(socket.SHUT_WR)
    owner.expect_closed()
    assert s.ok(exists(f"{root}/e")).ephemeral_owner == owner.id
    again = server.session(session_id=owner.id, password=owner.password)
    assert again.id == owner.id


def test_connecting_moves_the_zxid_by_one(server, s):
    assert rawzk.moves_zxid_by(s, 1, server.session)


def test_renewing_a_session_is_no_transaction(server, s):
    other = server.session()
    assert rawzk.moves_zxid_by(s, 0, lambda: server.session(session_id=other.id, password=other.password))
