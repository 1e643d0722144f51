#!/usr/bin/env python3
"""Writes the seeds that look like the real thing: records, files, texts (tests/fuzz/corpus/*/seed-*).

Files that a fuzzer found to be worth keeping stand beside them (keep.sh); inputs that once crashed are
named crash-*. The formats are ZooKeeper's; nothing of our own code takes part.
"""
import gzip
import pathlib
import re
import struct
import zlib

HERE = pathlib.Path(__file__).parent
CORPUS = HERE / "corpus"


def i32(v):
    return struct.pack(">i", v)


def i64(v):
    return struct.pack(">q", v)


def text(s):
    data = s if isinstance(s, bytes) else s.encode()
    return i32(len(data)) + data


def acl(*entries):
    return i32(len(entries)) + b"".join(i32(p) + text(s) + text(i) for p, s, i in entries)


OPEN = acl((31, "world", "anyone"))
STAT = struct.pack(">qqqqiiiqq", 1, 2, 1700000000000, 1700000000001, 1, 2, 3, 0, 4)


def seed(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data)


def node(path, data=b"data", index=-1, stat=STAT):
    return text(path) + (i32(-1) if data is None else text(data)) + i64(index) + stat


def owned(owner):
    return struct.pack(">qqqqiiiqq", 5, 5, 1, 1, 0, 0, 0, owner, 5)


def body():
    """A snapshot's sessions, ACLs and nodes, one of each kind."""
    nodes = [
        node("", b""), node("/zookeeper", b""), node("/zookeeper/quota", b""),
        node("/zookeeper/config", None, 1), node("/zookeeper/quota/a", b""),
        node("/zookeeper/quota/a/zookeeper_limits", b"count=5,bytes=100"),
        node("/zookeeper/quota/a/zookeeper_stats", b"count=2,bytes=8"),
        node("/a"), node("/a/b", None, 2), node("/a/e", b"", -1, owned(0x1000)),
        node("/c", b"", -1, owned(-2**63)), node("/t", b"x", 3, owned(-2**56 + 500)),
    ]
    lists = i32(2) + i64(1) + acl((1, "world", "anyone"))
    lists += i64(2) + acl((31, "digest", "u:hash"), (1, "ip", "10.0.0.0/8"))
    return i32(2) + i64(0x1000) + i32(4000) + i64(0x1001) + i32(8000) + lists + b"".join(nodes) + text("/")


def seal(data):
    return data + i64(zlib.adler32(data)) + text("/")


def snapshot():
    data = seal(b"ZKSN" + i32(2) + i64(-1) + body())
    data = seal(data + i64(9) + i32(2) + i64(77))
    return seal(data + i64(9))


def snappy(data, block=700):
    """snappy-java's stream with blocks of literals."""
    out = b"\x82SNAPPY\0" + i32(1) + i32(1)
    for at in range(0, len(data), block):
        part = data[at:at + block]
        length = bytes([len(part) & 0x7F | 0x80, len(part) >> 7]) if len(part) > 127 else bytes([len(part)])
        packed = length + b"\xf4" + struct.pack("<H", len(part) - 1) + part
        out += i32(len(packed)) + packed
    return out


def log():
    txns = [
        (-10, i32(4000)),
        (1, text("/a") + text(b"1") + OPEN + b"\0" + i32(1)),
        (15, text("/a/e") + text(b"") + OPEN + b"\1" + i32(1)),
        (5, text("/a") + text(b"2") + i32(1)),
        (7, text("/a") + acl((31, "digest", "u:hash")) + i32(1)),
        (19, text("/c") + text(b"") + OPEN + i32(2)),
        (21, text("/t") + text(b"") + OPEN + i32(3) + i64(500)),
        (14, i32(2) + i32(1) + text(text("/m") + text(b"") + OPEN + b"\0" + i32(4)) + i32(2) + text(text("/c"))),
        (-1, i32(-101)),
        (-11, i32(1) + text("/a/e")),
    ]
    out = b"ZKLG" + i32(2) + i64(0)
    for zxid, (kind, txn) in enumerate(txns, 1):
        record = i64(0x1000) + i32(zxid) + i64(zxid) + i64(1700000000000) + i32(kind) + txn
        out += i64(zlib.adler32(record)) + i32(len(record)) + record + b"B"
    return out


def requests():
    yield text("/a") + text(b"data") + OPEN + i32(0)
    yield text("/a") + text(b"data") + OPEN + i32(5) + i64(1000)
    yield text("/a") + i32(-1)
    yield i32(0) + i64(0) + i32(4000) + i64(0) + text(b"\0" * 16) + b"\0"
    yield i64(5) + (i32(2) + text("/a") + text("/b")) * 5
    yield i32(2) + i32(1) + text(b"abc") + i32(-1) + text(b"")


def quorums():
    yield b"server.1=a:2888:3888:participant;0.0.0.0:2181\nserver.2=b:2888:3888:observer\nversion=100000000"
    yield b"# c\n server.17 : [::1]:1:2|[::ffff:1.2.3.4]:3:4:Participant;[1:2::8]:5\r\nserver.16 h.x:1:2;;\n"
    yield (b"server.1=a:1:2\nserver.2=a:1:2\nserver.3=a:1:2\nserver.4=a:1:2:observer\n"
           b"group.1=1:2\ngroup.70000=3:4:\nweight.1=0\nweight.4=3\nweight.9=1\nversion=7fffffffffffffff\n")


def elections():
    """Decisions as fuzz_fle reads them: three voters, channels to 2 and 3, a look, votes."""
    start = bytes([1, 1, 0, 0])
    channels = bytes([2, 0, 1, 1]) + bytes([2, 0, 2, 1])
    look = bytes([0, 1, 1])
    vote = lambda who, leader, zxid, round_, epoch, state: bytes(
        [9, 0, who - 1, 0, 0, leader - 1, zxid, round_, epoch, state, 0, 0])
    looking = vote(2, 3, 1, 1, 1, 0) + vote(3, 3, 1, 1, 1, 0) + vote(2, 3, 1, 1, 1, 0)
    yield start + channels + look + looking + bytes([1, 2])
    yield start + channels + look + vote(2, 2, 1, 3, 1, 2) + vote(3, 2, 1, 3, 1, 1) + bytes([1, 2])
    yield start + look + channels + vote(2, 2, 1, 1, 1, 0) + bytes([1, 200]) + bytes([1, 200]) + look


def config_keys():
    table = (HERE.parent.parent / "src/server/config_table.h").read_text()
    return re.findall(r'X\(\w+, "([^"]+)", \w+, "([^"]*)"', table)


BATCH, BEGIN, CUT, NOTES, OTHER = 0x40, 0x10, 0xa0, 0xb0, 0xf0
SETTLED, LAST, NEEDS = 0, 1, 2


def journal(there, how, *halves):
    """As fuzz_journal.c reads it: halves of blocks (flags, records), records as what was persisted."""
    data = bytes([there, how])
    for half in halves:
        for flags, records in half:
            data += bytes([1, flags]) + b"".join(bytes([1, *record]) for record in records) + bytes(1)
        data += bytes(1)
    return data


def journals():
    def batch(folder, count, epoch=0):
        return BATCH, folder, 0, count - 1, epoch

    def notes(folder, slot, seen, round_=1):
        return NOTES, folder, round_ - 1, slot, 1, 1, 1, seen

    first = [(SETTLED, [batch(0, 1), notes(0, 1, 1)]), (SETTLED, [batch(0, 3, 1), batch(1, 2), notes(1, 1, 0)])]
    newer = [(NEEDS, [batch(0, 2), notes(0, 0, 4)]), (NEEDS, [(CUT, 1, 0, 0, 88), batch(1, 1)])]
    begun = [(SETTLED, [(BEGIN, 0, 1), notes(0, 1, 0, 2), (BATCH, 0, 1, 2, 0)])]
    yield "one", journal(0x0c, 0, first)
    yield "two", journal(0x0c, 2, [*first, (LAST, [])], newer)
    yield "two-odd", journal(0x0c, 3, [*first, (LAST, [])], newer)
    yield "not-ended", journal(0x0c, 2, first, newer)
    yield "begun", journal(0x00, 0, begun)
    yield "no-folder", journal(0x01, 0, begun)
    yield "other", journal(0x0c, 0, [(SETTLED, [batch(0, 2), (OTHER, 0, 0, 1, 4, 3, 1, 2, 3)])])
    yield "raw", b"\x0c\xffCVJ1" + bytes(4) + i64(2) + i64(0) + i64(2) + bytes(16)


def main():
    for n, record in enumerate(requests()):
        seed("fuzz_records", str(n), b"\xff" + record)
    seed("fuzz_canary", "create", text("/a") + text(b"data") + OPEN + i32(0))
    seed("fuzz_frame", "two", b"\x01\x00\x05" + text(b"hello") + text(b"") + text(b"more"))
    for n, path in enumerate(["/", "/a/b", "/a//b", "/a/../b", "/./a", "/é/漢/🙂", "/a\u0080", "/a\u001fb", "/a/"]):
        seed("fuzz_path", str(n), bytes([n & 1]) + path.encode())
    for n, (bits, cut, pair) in enumerate([(8, 8, "10.0.0.010.1.2.3"), (32, 11, "2001:db8::12001:db8::2"),
                                           (0, 8, "10.0.0.0/8"), (64, 2, "::1:2:3:4:5:6:7:8")]):
        seed("fuzz_acl", f"address-{n}", bytes([1, bits, cut]) + pair.encode())
    seed("fuzz_acl", "list", bytes([0, 3, 1]) + acl((31, "auth", ""), (1, "ip", "::/0"), (2, "digest", "u:h")))
    for n, lines in enumerate(quorums()):
        seed("fuzz_quorum", str(n), lines)
    for n, events in enumerate(elections()):
        seed("fuzz_fle", str(n), events)
    seed("fuzz_quota", "old", b"count=5,bytes=-1")
    seed("fuzz_quota", "new", b"count=5,bytes=10=;byteHardLimit=20;countHardLimit=7")
    seed("fuzz_snapshot_load", "all", b"\x20" + body())
    seed("fuzz_snapfile", "sealed", bytes([0, 0, 0, 3, 0, 9, 77]) + body())
    for n, packed in enumerate([snapshot(), gzip.compress(snapshot(), mtime=0), snappy(snapshot())]):
        how = next(b for b in range(0x80, 0x100) if b % 3 == n)
        seed("fuzz_snapfile", ("plain", "gzip", "snappy")[n], bytes([how]) + packed)
    seed("fuzz_txnlog", "whole", b"\x80" + log())
    seed("fuzz_txnlog", "padded", b"\x80" + log() + bytes(600))
    seed("fuzz_txnlog", "torn", b"\x80" + log()[:-20])
    for n, word in enumerate(["-12", "log.1a", "snapshot.0", "snapshot.10000000a.gz", "snapshot.5.snappy"]):
        seed("fuzz_synced", f"text-{n}", b"\x05\xc3\x01\x02" + word.encode())
    seed("fuzz_synced", "plain", b"\x05\xc3\x01\x02CSYN" + i32(1) + bytes(36))
    for name, decisions in journals():
        seed("fuzz_journal", name, decisions)
    seed("fuzz_instance", "all", b'{"name":"a","id":"b","address":"::1","port":80,"sslPort":null,"payload":'
         b'{"@class":"c","v":[1,-2.5e+3,true,false,null,{}]},"registrationTimeUTC":1325129459728,'
         b'"serviceType":"DYNAMIC","uriSpec":{"parts":[]},"enabled":true}')
    seed("fuzz_instance", "text", b' {"id":"\\u00e4\\ud83d\\uddf3\\n" , "name":"\\"\\/","payload":"x"}\n')
    seed("fuzz_srvr", "apache", b"Zookeeper version: 3.9.5-1, built on 2025-01-01 UTC\nLatency min/avg/max: 0/0.5/12\n"
         b"Received: 3\nSent: 2\nConnections: 1\nOutstanding: 0\nZxid: 0x100000002\nMode: follower\nNode count: 5\n")
    messages = i32(2) + text("one") + text("")
    member = bytes(range(16)) + i64(5)
    seed("fuzz_broadcast", "record", b"CBr1" + i64(7) + i64(3) + i64(4) + i64(2) + i32(1) + member)
    seed("fuzz_broadcast", "slot", b"CBs1" + i64(3) + i64(6) + messages)
    seed("fuzz_broadcast", "batch", b"CBb1" + i64(7) + i32(2) + member + messages + member + i32(0))
    seed("fuzz_properties", "all", b"# c\n! c\na=b\nc : d\\\n  e\n\\ k\\=\\:=\\u00e9\\t\nlast \\\\\r\nk\r\n")
    keys = config_keys()
    for at in range(0, len(keys), 24):
        lines = "".join(f"{k}={v.split('|')[-1] or '1'}\n" for k, v in keys[at:at + 24])
        seed("fuzz_config", f"keys-{at:03}", lines.encode())
    seed("fuzz_config", "servers", b"clientPort=2181\nserver.1=host:2888:3888;2181\n"
         b"server.2=[::1]:2888:3888:observer;[::]:2182\nserver.3=a:1:2|b:3:4\ngroup.1=1:2\nweight.1=3\n")
    for name, version, places in (("one", -65536, b"10.0.0.1:3888"),
                                  ("several", -65535, b"[fe80::1]:3888|b.example:3889|0.0.0.0:1")):
        seed("fuzz_election_hello", name, i64(version) + i64(3) + i32(len(places)) + places)
    seed("fuzz_election_hello", "bare", i64(3))
    numbers = "".join(f"{name} {n}\n" for name, n in (("round", 3), ("version", 7), ("epoch", 6), ("committed", 1037)))
    notice = (f"caucus loss 1\nelection us-2024\nconfig {'0a' * 32}\nstate CA\n{numbers}chain {'0b' * 32}\nkept 1000\n"
              f"kept_chain {'0c' * 32}\nkeeper s3\nmissing")
    seed("fuzz_loss", "alone", f"{notice}\n".encode())
    seed("fuzz_loss", "approved", f"{notice} s1 s2\napproval alice {'0d' * 64}\napproval b.o_b- {'0e' * 64}\n".encode())
    total = sum(f.stat().st_size for f in CORPUS.rglob("*") if f.is_file())
    print(f"{total} bytes of corpus")


if __name__ == "__main__":
    main()
