"""ZooKeeper's files, read independently of any server, every check sum verified.

    log.<hex>       "ZKLG", version 2, dbid; then entries {Adler32, length, bytes, 'B'}; zeros
    snapshot.<hex>  "ZKSN", version 2, dbid -1; sessions, ACLs, nodes; Adler32 seals
"""

import collections
import ctypes
import gzip
import os
import pathlib
import select
import struct
import zlib

from rawzk import Reader

Txn = collections.namedtuple("Txn", "session cxid zxid time_ms type body")
Node = collections.namedtuple(
    "Node", "data acl czxid mzxid ctime mtime version cversion aversion owner pzxid"
)
Snapshot = collections.namedtuple(
    "Snapshot", "sessions acls nodes digest_zxid digest_version digest last_zxid"
)


# The end of a snapshot without a digest.
ZXID_AND_SEAL_BYTES = 8 + 13


def version_dir(data_dir):
    return pathlib.Path(data_dir) / "version-2"


def by_zxid(data_dir, prefix):
    """The files of one kind with the zxid in their name, in order: [(zxid, path)]."""
    files = []
    for path in version_dir(data_dir).iterdir():
        parts = path.name.split(".")
        if parts[0] == prefix and len(parts) >= 2:
            files.append((int(parts[1], 16), path))
    return sorted(files)


def logs(data_dir):
    return by_zxid(data_dir, "log")


def snapshots(data_dir):
    return by_zxid(data_dir, "snapshot")


def read_log(path, torn=False):
    """All transactions; the rest of the file must be zeros. `torn`: the last entry may be one that was
    not written to its end. Apache writes its log in pieces of 8 KiB, so a kill leaves such entries; it
    takes them for the end of the file, and goes on in a new one."""
    data = pathlib.Path(path).read_bytes()
    r = Reader(data)
    assert r.take(4) == b"ZKLG"
    assert r.i32() == 2
    assert r.i64() == 0
    txns = []
    while r.at + 12 <= len(data):
        checksum, length = r.i64(), r.i32()
        if checksum == 0 and length == 0:
            assert not any(data[r.at :]), "bytes behind the end of the log"
            break
        if torn and data[r.at + length : r.at + length + 1] != b"B":
            assert not any(data[r.at + length :]), "bytes behind a torn entry"
            break
        entry = r.take(length)
        assert checksum == zlib.adler32(entry), f"check sum of entry {len(txns)}"
        assert r.take(1) == b"B"
        e = Reader(entry)
        txns.append(Txn(e.i64(), e.i32(), e.i64(), e.i64(), e.i32(), e.rest()))
    return txns


def all_txns(data_dir, torn=False):
    return [txn for _, path in logs(data_dir) for txn in read_log(path, torn)]


def unsnappy(data):
    """snappy-java's stream: a header of 16 bytes, then blocks of int32 length and raw snappy."""
    library = ctypes.CDLL("libsnappy.so.1")
    r = Reader(data)
    assert r.take(8) == b"\x82SNAPPY\0"
    r.take(8)
    plain = b""
    while r.at < len(data):
        block = r.take(r.i32())
        size = ctypes.c_size_t(0)
        assert library.snappy_uncompressed_length(block, len(block), ctypes.byref(size)) == 0
        room = ctypes.create_string_buffer(size.value)
        assert library.snappy_uncompress(block, len(block), room, ctypes.byref(size)) == 0
        plain += room.raw[: size.value]
    return plain


def plain_bytes(path):
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else unsnappy(data) if path.suffix == ".snappy" else data


def decode_txn(kind, body):
    """The body of a transaction as a dict; of a multi its parts. What follows it is the digest."""
    r = Reader(body)
    txn = {}
    if kind in (1, 15, 19, 21):
        txn = {"path": r.ustr(), "data": r.buf(), "acl": r.vec(Reader.acl)}
        txn["ephemeral"] = r.boolean() if kind in (1, 15) else False
        txn["parent_cversion"] = r.i32()
        if kind == 21:
            txn["ttl_ms"] = r.i64()
    elif kind in (2, 20):
        txn = {"path": r.ustr()}
    elif kind in (5, 16):
        txn = {"path": r.ustr(), "data": r.buf(), "version": r.i32()}
    elif kind == 7:
        txn = {"path": r.ustr(), "acl": r.vec(Reader.acl), "version": r.i32()}
    elif kind == 13:
        txn = {"path": r.ustr()}
        r.i32()
    elif kind == -1:
        txn = {"error": r.i32()}
    elif kind == -10:
        txn = {"timeout_ms": r.i32()}
    elif kind == -11:
        txn = {"paths": r.vec(Reader.ustr)}
    elif kind == 14:
        txn = {"parts": [(k, decode_txn(k, b)) for k, b in r.vec(lambda r: (r.i32(), r.buf()))]}
    else:
        raise AssertionError(f"a transaction of type {kind}")
    if r.at < len(body):
        txn["digest_version"], txn["digest"] = r.i32(), r.i64()
    return txn


def read_snapshot(path):
    path = pathlib.Path(path)
    data = plain_bytes(path)
    r = Reader(data)
    assert r.take(4) == b"ZKSN"
    assert r.i32() == 2
    assert r.i64() == -1
    sessions = dict((r.i64(), r.i32()) for _ in range(r.i32()))
    acls = dict((r.i64(), r.vec(Reader.acl)) for _ in range(r.i32()))
    nodes = {}
    while (name := r.ustr()) != "/":
        assert name not in nodes, f"{name} twice"
        nodes[name] = Node(r.buf(), r.i64(), *struct.unpack(">4q3i2q", r.take(60)))
    seal(r)
    digest = (None, None, None)
    last_zxid = None
    if len(data) - r.at > ZXID_AND_SEAL_BYTES:
        digest = r.i64(), r.i32(), r.i64()
        seal(r)
    if r.at < len(data):
        last_zxid = r.i64()
        seal(r)
    r.end()
    return Snapshot(sessions, acls, nodes, *digest, last_zxid)


def seal(r):
    expected = zlib.adler32(r.data[: r.at])
    assert r.i64() == expected, "check sum of the snapshot"
    assert r.ustr() == "/"


def node_digest(path, node):
    """CRC32 over path, data and the persisted Stat; 0 below /zookeeper."""
    if path.startswith("/zookeeper/"):
        return 0
    crc = zlib.crc32(path.encode())
    if node.data is not None:
        crc = zlib.crc32(node.data, crc)
    return zlib.crc32(
        struct.pack(
            ">5q3iq",
            node.czxid, node.mzxid, node.pzxid, node.ctime, node.mtime,
            node.version, node.cversion, node.aversion, node.owner,
        ),
        crc,
    )


def tree_digest(nodes):
    total = sum(node_digest(path, node) for path, node in nodes.items())
    return ctypes.c_int64(total & (2**64 - 1)).value


class FolderWatch:
    """Wait for a change in a folder, by inotify.

    with FolderWatch(folder) as changes:
        changes.wait_until(lambda: len(snapshots(data_dir)) == 3)
        changes.wait_for("currentEpoch")
    """

    IN_ALL_CHANGES = 0x2 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200

    def __init__(self, folder):
        self.folder = str(folder)

    def __enter__(self):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init()
        watch = libc.inotify_add_watch(self.fd, self.folder.encode(), self.IN_ALL_CHANGES)
        assert self.fd >= 0 and watch >= 0, os.strerror(ctypes.get_errno())
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def wait_until(self, condition, timeout_s=20):
        while not condition():
            ready, _, _ = select.select([self.fd], [], [], timeout_s)
            assert ready, f"nothing happens in {self.folder}: {sorted(os.listdir(self.folder))}"
            os.read(self.fd, 65536)

    def wait_for(self, name, timeout_s=20):
        """Wait until the file of that name is there, or something happens to it."""
        happened = b""
        while name.encode() not in happened and not os.path.exists(f"{self.folder}/{name}"):
            ready, _, _ = select.select([self.fd], [], [], timeout_s)
            assert ready, f"nothing happens to {name} in {self.folder}"
            happened = os.read(self.fd, 65536)
