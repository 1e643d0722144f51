"""Without enforceQuota, hard limits refuse nothing."""

from rawzk import create, get_data, set_data


def test_hard_limits_let_pass(s, root):
    quota = f"/zookeeper/quota{root}"
    s.ok(create(quota))
    limits = b"count=-1,bytes=-1=;byteHardLimit=1;countHardLimit=1"
    s.ok(create(f"{quota}/zookeeper_limits", limits))
    s.ok(create(f"{quota}/zookeeper_stats", b"count=0,bytes=0"))
    s.ok(create(f"{root}/a", b"12345"))
    s.ok(set_data(f"{root}/a", b"123456789"))
    assert b"bytes=9" in s.ok(get_data(f"{quota}/zookeeper_stats"))[0]
