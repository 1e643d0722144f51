"""A tree that has one of everything, and the comparison of trees."""

import base64
import hashlib

import rawzk
from rawzk import (
    ALL,
    EPHEMERAL,
    EPHEMERAL_SEQUENTIAL,
    READ,
    SEQUENTIAL,
    Acl,
    create,
    create2,
    create_container,
    create_ttl,
    delete,
    get_acl,
    get_children,
    get_data,
    multi,
    set_acl,
    set_data,
)


def digest_id(user, password):
    digest = hashlib.sha1(f"{user}:{password}".encode()).digest()
    return f"{user}:{base64.b64encode(digest).decode()}"


CONFIG = {
    "extendedTypesEnabled": "true",
    "4lw.commands.whitelist": "*",
    "maxSessionTimeout": 120_000,
    "DigestAuthenticationProvider.superDigest": digest_id("super", "test"),
}


def grow(s, top, create2_in_multi=True):
    """Under `top`: every kind of node, changed in every way.

    create2_in_multi=False for folders that 3.8.0 shall read: it stops applying a multi where
    it meets a create2."""
    s.authenticate("digest", b"u:p")
    s.ok(create(top, b"top"))
    s.ok(create(f"{top}/null", None))
    s.ok(create(f"{top}/empty", b""))
    s.ok(create(f"{top}/bytes", bytes(range(256)) * 50))
    s.ok(create(f"{top}/λόγος", "ἀρχή".encode()))
    acl = [
        Acl(ALL, "digest", digest_id("x", "y")),
        Acl(READ, "world", "anyone"),
        Acl(READ, "ip", "10.0.0.0/8"),
    ]
    s.ok(create(f"{top}/acl", b"1", acl=acl))
    s.ok(create(f"{top}/acl-auth", b"2", acl=[Acl(ALL, "auth", "")]))
    s.ok(create(f"{top}/acl-changed", b"3"))
    s.ok(set_acl(f"{top}/acl-changed", acl))
    s.ok(create_container(f"{top}/container", b"c"))
    s.ok(create_container(f"{top}/container/child"))
    s.ok(create_ttl(f"{top}/ttl", 1_000_000_000, b"t"))
    s.ok(create_ttl(f"{top}/ttl-", 2_000_000_000, flags=rawzk.TTL_SEQUENTIAL))
    s.ok(create(f"{top}/ephemeral", b"e", flags=EPHEMERAL))
    for _ in range(3):
        s.ok(create(f"{top}/member-", flags=EPHEMERAL_SEQUENTIAL))
    s.ok(create(f"{top}/parent"))
    for n in range(60):
        s.ok(create(f"{top}/parent/s-", b"%d" % n, flags=SEQUENTIAL))
    for n in range(0, 60, 3):
        s.ok(delete(f"{top}/parent/s-{n:010d}"))
    for n in range(40):
        s.ok(set_data(f"{top}/parent", b"version %d" % n))
    results = s.ok(
        multi(
            create(f"{top}/multi", b"m"),
            (create2 if create2_in_multi else create)(f"{top}/multi/a", b"m2"),
            create_container(f"{top}/multi/c"),
            create_ttl(f"{top}/multi/t", 3_000_000_000),
            create(f"{top}/multi/e", flags=EPHEMERAL),
            create(f"{top}/multi/gone"),
            set_data(f"{top}/multi", b"changed"),
            rawzk.check(f"{top}/multi", 1),
            delete(f"{top}/multi/gone"),
        )
    )
    assert all(kind != rawzk.ERROR for kind, _ in results), results
    # Failures are in the log as well.
    s.err(create(f"{top}/multi"))
    s.ok(multi(create(f"{top}/undone"), delete(f"{top}/missing")))
    s.call(create(f"/zookeeper/quota{top}"))
    limits = b"count=1000,bytes=-1=;byteHardLimit=-1;countHardLimit=5000"
    s.ok(create(f"/zookeeper/quota{top}/zookeeper_limits", limits))
    s.ok(create(f"/zookeeper/quota{top}/zookeeper_stats", b"count=0,bytes=0"))


def dump(server):
    """The whole tree as the super user sees it: {path: (data, stat, acl)}."""
    s = server.session()
    s.authenticate("digest", b"super:test")
    nodes = {}

    def walk(path):
        data, stat = s.ok(get_data(path))
        acl, _ = s.ok(get_acl(path))
        nodes[path] = (data, stat, sorted(acl))
        for name in s.ok(get_children(path)):
            walk(f"{path.rstrip('/')}/{name}")

    walk("/")
    s.close()
    return nodes


def digests(server):
    """What the four letter word `hash` knows: {zxid: digest}."""
    lines = server.four_letter("hash").rstrip("\n").split("\n")
    return {int(z, 16): int(d) for z, d in (line.split(": ") for line in lines if line)}


def digest_mismatches(server):
    for line in server.four_letter("mntr").split("\n"):
        if line.startswith("zk_digest_mismatches_count\t"):
            return int(line.split("\t")[1])
    raise AssertionError("mntr does not tell zk_digest_mismatches_count")
