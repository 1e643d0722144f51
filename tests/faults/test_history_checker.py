"""The checker of histories finds what it is there to find, and nothing in a good history."""

import pytest
from history import Call, History, Lost, check_history

A, B = 0xA, 0xB


def write(key, value, version, zxid, begin, end, session=A, **more):
    return Call(0, session, 1, "set", key, value, begin, end, version, zxid, told_zxid=zxid, **more)


def append(key, value, zxid, begin, end, session=A, **more):
    return Call(0, session, 1, "append", key, value, begin, end, 0, zxid, told_zxid=zxid, **more)


def read(key, value, version, zxid, begin, end, session=A, kind="get", told=None):
    return Call(0, session, 1, kind, key, value, begin, end, version, zxid, told or zxid)


def unanswered(key, value, begin, kind="set", session=A):
    return Call(0, session, 1, kind, key, value, begin)


def good():
    """Two sessions, a failover in the middle: an unanswered write that was done, one that was not."""
    return History(
        calls=[
            write("/k", b"1", 1, 11, 0, 10, A),
            write("/k", b"2", 2, 13, 5, 20, B),
            append("/log/0", b"a1", 12, 6, 19, A),
            read("/k", b"1", 1, 11, 21, 22, A, told=12),
            read("/k", b"2", 2, 13, 23, 24, A),
            unanswered("/k", b"3", 30, session=B),
            unanswered("/k", b"4", 31, session=A),
            unanswered("/log/0-", b"a2", 32, "append"),
            read("/k", b"3", 3, 14, 40, 41, A),
            read("/k", b"3", 3, 14, 42, 43, B, "synced"),
            append("/log/1", b"a3", 16, 44, 45, A),
            write("/j", b"5", 1, 17, 44, 50, B),
            write("/refused", b"6", None, None, 60, 61, err=-101),
        ],
        final={
            "/k": (b"3", 3, 14), "/j": (b"5", 1, 17), "/untouched": (b"", 0, 2),
            "/log/0": (b"a1", 0, 12), "/log/1": (b"a3", 0, 16), "/log/2": (b"a2", 0, 15),
        },
    )


def found(history, text, **kwargs):
    violations = check_history(history, expected_errors=(-101,), **kwargs)
    assert any(text in v for v in violations), violations or "nothing found"


def test_good_history_is_good():
    assert check_history(good(), expected_errors=(-101,)) == []


def test_gap_is_the_longest_time_between_acknowledged_writes():
    h = History(calls=[write("/k", b"%d" % n, n, n, 0, end) for n, end in
                       enumerate([1_000_000, 3_000_000, 90_000_000, 91_000_000])])
    assert h.longest_gap_ms() == 87
    assert h.longest_gap_ms(since=90_000_001) == 1
    assert h.longest_gap_ms(until=2_999_999) == 2
    assert h.longest_gap_ms(since=10_000_000, until=20_000_000) == 87  # begun before, ended after


def test_lost_write():
    h = good()
    h.final["/j"] = (b"", 0, 3)
    found(h, "lost: ")


def test_lost_node():
    h = good()
    del h.final["/log/1"]
    found(h, "lost: ")


def test_node_with_another_value():
    h = good()
    h.final["/log/1"] = (b"x", 0, 16)
    found(h, "lost: ")
    found(h, "is two things")


def test_write_overwritten_by_an_older_one():
    h = good()
    h.final["/k"] = (b"1", 3, 14)
    found(h, "done twice")


def test_more_versions_than_writes():
    h = good()
    h.final["/j"] = (b"5", 2, 18)
    found(h, "done twice")
    h = good()
    h.final["/untouched"] = (b"", 1, 18)
    found(h, "after 0 answered and 0 unanswered writes")


def test_value_that_nobody_wrote():
    h = good()
    h.final["/untouched"] = (b"ghost", 0, 18)
    found(h, "which nobody wrote")


def test_refused_write_that_was_done():
    h = good()
    h.final["/untouched"] = (b"6", 0, 18)
    found(h, "was refused")


def test_unexpected_error():
    assert check_history(good()) != []


@pytest.mark.parametrize("other", [
    write("/k", b"7", 2, 15, 50, 51, B),  # a version given twice
    read("/k", b"1", 2, 13, 50, 51, B),  # two servers differ
    read("/k", b"2", 2, 15, 50, 51, B),  # ... in the zxid
])
def test_version_that_is_two_things(other):
    h = good()
    h.calls.append(other)
    found(h, "version 2 of /k is two things")


def test_write_done_twice():
    h = good()
    h.calls += [read("/k", b"2", 4, 20, 60, 61, B)]
    found(h, "done twice")
    h = good()
    h.final["/log/3"] = (b"a3", 0, 18)
    found(h, "done twice")


def test_versions_against_zxids():
    h = good()
    h.calls.append(write("/k", b"8", 4, 12, 1, 50, B))
    found(h, "version 4 has c")


def test_write_ordered_before_one_that_was_answered_before_its_call():
    h = good()
    h.calls.append(write("/j", b"9", 2, 18, 70, 80, A))
    h.calls.append(append("/log/4", b"a4", 15, 90, 91, B))
    found(h, "was called after the answer of")


def test_unanswered_write_that_was_seen_is_in_the_order_too():
    h = good()
    h.calls.append(unanswered("/i", b"late", 100))
    h.final["/i"] = (b"late", 1, 5)
    found(h, "was called after the answer of")


def test_zxid_of_two_writes():
    h = good()
    h.calls.append(write("/i", b"10", 1, 17, 44, 80, B))
    found(h, "zxid 11 is")


def test_session_told_a_smaller_zxid():
    h = good()
    h.calls.append(read("/i", b"", 0, 2, 90, 91, B, told=10))
    found(h, "was told zxid")


def test_session_reads_behind_what_it_read():
    h = good()
    h.calls.append(read("/k", b"2", 2, 13, 90, 91, A, told=20))
    found(h, "knew version 3 of /k")


def test_session_does_not_read_its_own_write():
    h = good()
    h.calls.append(read("/j", b"", 0, 3, 90, 91, B, told=20))
    found(h, "knew version 1 of /j")


def test_read_of_what_nobody_wrote():
    h = good()
    h.calls.append(read("/i", b"ghost", 1, 18, 90, 91))
    found(h, "read what nobody wrote")
    h = good()
    h.calls.append(read("/i", b"5", 3, 18, 90, 91))
    found(h, "read what nobody wrote")


def test_read_of_the_future():
    h = good()
    h.calls.append(read("/j", b"5", 1, 17, 30, 31, B))
    found(h, "read before it was written")


def test_synced_read_of_the_past():
    h = good()
    h.calls.append(read("/k", b"1", 1, 11, 30, 31, 0xC, "synced"))
    found(h, "was answered before")
    h.calls[-1].kind = "get"
    assert check_history(h, (-101,)) == []


def test_lost_session():
    h = good()
    h.lost_sessions.append(Lost(1, A, 2, 50))
    found(h, "session a of client 1 was lost")
