"""What the server refuses, and that it goes on serving everybody else."""

import socket
import struct

import pytest
import rawzk
from rawzk import (
    Closed,
    Op,
    connect_request,
    create,
    exists,
    frame,
    get_children,
    get_data,
    i32,
    set_data,
)

MAX_BUFFER = 0xFFFFF

SERVER_CONFIG = {"maxSessionTimeout": 60000}


@pytest.fixture(autouse=True)
def others_are_served(server):
    """Whatever one client does, another does not notice."""
    bystander = server.session(timeout_ms=60000)
    yield
    bystander.ok(exists("/"))


# --- frames --------------------------------------------------------------------------


@pytest.mark.parametrize("length", [-1, -2, -(2**31), MAX_BUFFER + 1, 2**31 - 1, 0x10000000])
def test_frame_with_a_length_that_cannot_be_closes_the_session(s, length):
    s.send_bytes(i32(length))
    s.expect_closed()


@pytest.mark.parametrize("length", [-1, -(2**31), MAX_BUFFER + 1, 2**31 - 1])
def test_first_frame_with_a_length_that_cannot_be_closes(server, length):
    with server.conn() as c:
        c.send_bytes(i32(length) + b"x" * 100)
        c.expect_closed()


@pytest.mark.parametrize("garbage", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 200,
    b"\xff" * 1000,
    b"SSH-2.0-OpenSSH_9.2\r\n",
], ids=["http", "tls", "ff", "ssh"])
def test_garbage_before_the_handshake_closes(server, garbage):
    with server.conn() as c:
        c.send_bytes(garbage)
        c.expect_closed()


def test_frame_of_zero_length_closes(s):
    s.send_bytes(i32(0))
    s.expect_closed()


@pytest.mark.parametrize("length", [1, 3, 4, 7])
def test_frame_shorter_than_a_request_header_closes(s, length):
    s.send_frame(bytes(length))
    s.expect_closed()


def test_end_in_the_middle_of_a_frame_harms_nobody(server):
    for cut in (1, 3, 4, 10, 40):
        c = server.session()
        c.send_bytes(frame(i32(1) + i32(rawzk.CREATE) + create("/half", b"x" * 100).body)[:cut])
        c.close()
    assert server.session().err(exists("/half")) == rawzk.NONODE


def test_reset_in_the_middle_of_a_request_harms_nobody(server):
    c = server.session()
    c.send_bytes(frame(i32(1) + i32(rawzk.CREATE) + create("/half", b"x" * 1000).body)[:500])
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


def test_largest_frame_is_taken_and_one_byte_more_closes(s, root):
    def request(total):
        empty = len(create(f"{root}/big", b"").body) + 8
        return create(f"{root}/big", b"x" * (total - empty))

    op = request(MAX_BUFFER)
    assert s.ok(op) == f"{root}/big"
    assert s.ok(exists(f"{root}/big")).data_length > MAX_BUFFER - 100
    s.send_bytes(s.request_bytes(request(MAX_BUFFER + 1))[1][:200])
    s.expect_closed()


def test_answer_may_be_larger_than_a_request(s, root):
    for start in range(0, 2400, 300):
        s.ok(rawzk.multi(*[create(f"{root}/{n:0500d}") for n in range(start, start + 300)]))
    reply = s.call(get_children(root))
    assert len(reply.body) > MAX_BUFFER
    assert len(rawzk.decode(get_children(root), reply)) == 2400


@pytest.mark.parametrize("op_type, body", [
    (rawzk.SETWATCHES2, rawzk.i64(0) + i32(2**31 - 1)),
    (rawzk.CREATE, rawzk.ustr("/x") + rawzk.buf(b"") + i32(2**31 - 1)),
    (rawzk.SETACL, rawzk.ustr("/") + i32(2**31 - 1)),
    (rawzk.GETDATA, i32(2**31 - 1)),
    (rawzk.SETDATA, rawzk.ustr("/") + i32(2**31 - 1)),
    (rawzk.MULTI, rawzk.multi_header(1, False, -1) + i32(2**31 - 1)),
])
def test_record_that_claims_2_gib_is_refused_and_nothing_else_happens(s, op_type, body):
    assert s.call(Op(op_type, body, None)).err == rawzk.MARSHALLINGERROR
    s.ok(exists("/"))


# --- slow and half-open --------------------------------------------------------------


def test_slow_reader_gets_everything_in_order_and_holds_up_nobody(server, s, root):
    s.ok(set_data(root, b"x" * 100_000))
    slow = server.session()
    op = get_data(root)
    xids = slow.send_all([op] * 300)  # 30 MB of answers, unread
    for n in range(20):
        s.ok(create(f"{root}/{n}"))
    for xid in xids:
        reply = slow.reply()
        assert (reply.xid, len(rawzk.decode(op, reply)[0])) == (xid, 100_000)


def test_slow_writer_is_waited_for(s, root):
    _, data = s.request_bytes(create(f"{root}/slow", b"x" * 50))
    for byte in data:
        s.send_bytes(bytes([byte]))
    assert s.reply().err == 0


def test_reader_who_goes_away_with_answers_unread_harms_nobody(server, s, root):
    s.ok(set_data(root, b"x" * 100_000))
    for _ in range(5):
        c = server.session()
        c.send_all([get_data(root)] * 50)
        c.close()
    s.ok(exists(root))


def test_connection_that_says_nothing_is_closed_after_10_seconds(server):
    with server.conn(timeout_s=20) as c:
        c.expect_closed()


# --- how many ------------------------------------------------------------------------


def test_one_address_may_have_max_client_cnxns_connections(start_server):
    server = start_server({"maxClientCnxns": 5})
    sessions = [server.session() for _ in range(5)]
    with pytest.raises((Closed, OSError)):
        server.session()
    for session in sessions:
        session.ok(exists("/"))
    sessions[0].close_session()
    server.session().ok(exists("/"))


def test_60_connections_of_one_address_by_default(start_server):
    server = start_server()
    for _ in range(60):
        server.session()
    with pytest.raises((Closed, OSError)):
        server.session()


def test_no_limit_with_max_client_cnxns_0(start_server):
    server = start_server({"maxClientCnxns": 0})
    sessions = [server.session() for _ in range(200)]
    for session in sessions:
        session.send(exists("/"))
    for session in sessions:
        assert session.reply().err == 0


def test_max_cnxns_limits_all_addresses_together(start_server):
    server = start_server({"maxClientCnxns": 0, "maxCnxns": 3})
    for _ in range(3):
        server.session()
    with pytest.raises((Closed, OSError)):
        server.session()


def test_jute_maxbuffer_is_obeyed(start_server):
    server = start_server({"jute.maxbuffer": 5000})
    s = server.session()
    s.ok(create("/fits", b"x" * 4900))
    s.send_bytes(i32(5001))
    s.expect_closed()


def test_larger_jute_maxbuffer_lets_larger_data_in(start_server):
    server = start_server({"jute.maxbuffer": 4_000_000})
    s = server.session()
    data = bytes(3_000_000)
    s.ok(create("/big", data))
    assert s.ok(get_data("/big"))[0] == data


def test_session_timeouts_may_be_bounded_by_configuration(start_server):
    server = start_server({"minSessionTimeout": 3000, "maxSessionTimeout": 7000})
    for asked, given in ((1, 3000), (5000, 5000), (60000, 7000)):
        with server.conn() as c:
            assert c.handshake(connect_request(timeout_ms=asked)).timeout_ms == given


# --- throttling ----------------------------------------------------------------------


def test_more_requests_than_the_outstanding_limit_are_all_answered(start_server):
    server = start_server({"globalOutstandingLimit": 10})
    sessions = [server.session() for _ in range(5)]
    op = create("/s-", flags=rawzk.SEQUENTIAL)
    sent = [session.send_all([op] * 200) for session in sessions]
    for session, xids in zip(sessions, sent):
        assert [session.reply().xid for _ in xids] == xids


def test_many_idle_connections_do_not_slow_a_busy_one(start_server):
    server = start_server({"maxClientCnxns": 0, "clientPortListenBacklog": 1000})
    idle = [socket.create_connection(server.address) for _ in range(500)]
    s = server.session()
    for n in range(50):
        s.ok(create(f"/{n}"))
    for sock in idle:
        sock.close()
