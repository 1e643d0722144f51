"""Random sequences for lib/twins.py: what clients ask for, what none would, and everything between.

A name space so small that sessions meet in it. What is left out says why, where it is left out: a thing of which
docs/COMPATIBILITY.md says that it differs, or for which Apache's own answer depends on how far its threads are.
"""

import base64
import hashlib

import rawzk
from rawzk import ALL, OPEN, READ, READ_ONLY, WRITE, Acl, Op
from twins_side import SLOTS, SUPER, USER, Bytes, Connect, Request, Send

INT_MAX, INT_MIN, LONG_MAX = 2**31 - 1, -(2**31), 2**63 - 1
WRITES = (rawzk.CREATE, rawzk.DELETE, rawzk.SETDATA, rawzk.SETACL, rawzk.MULTI, rawzk.CREATE2, rawzk.RECONFIG,
          rawzk.CREATECONTAINER, rawzk.DELETECONTAINER, rawzk.CREATETTL)

NAMES = [b"/a", b"/a/b", b"/a/b/c", b"/b", b"/b/c", b"/c", b"/c/d", b"/s-"]
SYSTEM = [b"/", b"/zookeeper", b"/zookeeper/quota", b"/zookeeper/config", b"/zookeeper/x", b"/zookeeper/config/x",
          b"/zookeeper/quota/a", b"/zookeeper/quota/a/b", b"/zookeeper/quota/c"]
# Nowhere else: right below /zookeeper or its quota they end Apache.
QUOTA = [b"/zookeeper/quota/" + of + b"/zookeeper_" + kind for of in (b"a", b"a/b", b"c") for kind in (b"limits", b"stats")]
# None is of blanks alone: to Apache "/ /a" has the quota of "/a".
ODD = [None, b"", b"a", b"a/b", b"//", b"//a", b"/a/", b"/a//b", b"/.", b"/..", b"/a/.", b"/a/../b", b"/...", b"/a/.b",
       b"/a\0", b"/\0", b"/\x01", b"/a\x1f", b"/a\x7f", b"/ a", b"/a b", b"/" + b"n" * 300, b"/a" + b"/x" * 40,
       *(f"/{c}".encode() for c in "\x80\x9f\xa0\u03bb\ud7ff\ue000\uf8ff\uf900\uffef\ufff0\uffff")]
# "Strings that are no UTF-8": where they come back they are others.
NOT_JAVA = ["/\U0001f600".encode(), b"/\xed\xa0\x80", b"/\xed\xa0\xbd\xed\xb8\x80", b"/\xff\xfe", b"/\xc0\xaf", b"/a\xc3",
            b"/\xe2\x82"]

VERSIONS = [-1] * 8 + [0, 0, 0, 1, 1, 2, 3, -2, INT_MAX, INT_MIN]
DATA = [None, b"", b"x", b"12345", b"0123456789" * 3, bytes(range(256)), b"y" * 3000]
# Text that StatsTrack can read: any other ends Apache.
LIMITS = [b"count=3,bytes=20", b"count=-1,bytes=-1", b"count=2,bytes=5=;byteHardLimit=6;countHardLimit=3", b"",
          b"count=0;bytes=", b"countHardLimit=2", b"byteHardLimit=0", b"x=5,count=1", b"bytes=9223372036854775807"]


def digest_id(user, password):
    return f"{user}:{base64.b64encode(hashlib.sha1(f'{user}:{password}'.encode()).digest()).decode()}"


ACLS = [
    OPEN, READ_ONLY, [*OPEN, *READ_ONLY], [*OPEN, *OPEN], [], None,
    *([Acl(perms, "world", "anyone")] for perms in (READ | WRITE, ALL & ~1, ALL & ~4, ALL & ~8, 0, -1, 1 << 20)),
    *([Acl(ALL, "digest", who), *READ_ONLY] for who in (digest_id("v", "q"), "nocolon", "a:b:c", "", ":")),
    *([Acl(ALL, "ip", where)] for where in ("127.0.0.1", "127.0.0.1/33", "127.0.0.0/0", "127.0.0.0/-1", "::1", "127.1", "",
                                            "256.0.0.1", "127.0.0.1/8/8")),
    *([Acl(ALL, scheme, "x")] for scheme in ("x509", "sasl", "super", "nosuch", "", None, "World", "world")),
    [Acl(ALL, "digest", digest_id("u", "p"))], [Acl(ALL, "ip", "10.0.0.0/8"), *READ_ONLY],
    [*READ_ONLY, Acl(ALL, "ip", "127.0.0.1")],
    [Acl(ALL, "auth", "")], [Acl(ALL, "auth", "ignored"), *READ_ONLY], [Acl(READ, "auth", None)], [Acl(ALL, "world", None)]]
# Beyond ASCII they depend on the locale of the JVM.
AUTHS = [("digest", USER)] * 3 + [("digest", b"v:q")] * 2 + [
    *(("digest", text) for text in (SUPER, b"super:wrong", b"", b"nocolon", b":", b"u:p:q", None)),
    ("ip", b"10.0.0.1"), ("ip", b""), ("ip", None), ("world", b"anyone"), ("auth", b""), ("x509", b"x"), ("sasl", b"u"),
    ("super", b"x"), ("nosuch", b"x"), ("", b"x"), (None, b"x")]
# Without createSession, -10.
UNKNOWN = [-12, -11 - 2**8, -1, 0, 10, 13, 23, 99, 108, 500, INT_MAX, INT_MIN]
FRAMES = [rawzk.frame(b""), rawzk.frame(b"\0"), rawzk.frame(rawzk.i32(7)), rawzk.frame(rawzk.i32(7) + b"\0\0\0"), rawzk.i32(-1),
          rawzk.i32(INT_MIN), rawzk.i32(INT_MAX), rawzk.i32(0x100000), b"ruok", b"srvr"]
FIRST_BYTES = [b"ruok", b"isro", b"xxxx", b"GET / HTTP/1.0\r\n\r\n", b"", b"\0", rawzk.i32(44), rawzk.i32(-5),
               b"\xff\xf4\xff\xfd\x06", rawzk.frame(b""), rawzk.frame(b"\0" * 12), rawzk.i32(INT_MAX) + b"x", b"ruo", b"ruokruok",
               b"ruok\n"]


def _short(value):
    text = repr(value)
    return text if len(text) < 200 else f"{text[:60]}...{len(value)}"


class Chance:
    """`alone`: a write is never sent behind another one (with enforceQuota a server looks at the usage as it is when the write
    comes: how much of what was sent before is in it depends on the machine). `strangers`: who has not said who he is may do
    something."""

    def __init__(self, chance, twins, alone=False, strangers=True):
        self.chance, self.twins, self.alone, self.strangers = chance, twins, alone, strangers
        self.known = [None] * SLOTS  # connections that said who they are
        self.seen = []               # paths that are there
        self.watched = []            # and some that somebody watches, or did

    def pick(self, *weighted):
        """Of (weight, what) one; what is called if it can be."""
        what = self.chance.choices([what for _, what in weighted], [weight for weight, _ in weighted])[0]
        return what() if callable(what) else what

    def of(self, values):
        return self.chance.choice(values)

    def once_in(self, count):
        return self.chance.random() < 1 / count

    def look(self):
        """What is there: chance alone would seldom meet it. System nodes and quotas have their own share."""
        self.seen = [path for path in self.twins.paths() if not path.startswith(b"/zookeeper") and path != b"/"]

    # --- parts of requests ---

    def path(self):
        return self.pick((45, lambda: self.of(self.seen or NAMES)), (20, lambda: self.of(NAMES)), (15, self.child),
                         (6, lambda: self.of(SYSTEM)), (6, lambda: self.of(QUOTA)), (6, lambda: self.of(ODD)))

    def child(self):
        """No deeper than three: everybody is to meet there."""
        parent = self.of([path for path in self.seen if path.count(b"/") < 3] or [b"/"])
        return parent.rstrip(b"/") + self.of([b"/a", b"/b", b"/c", b"/d", b"/s-", b"/"])

    def write_path(self):
        """Of a request that does not send it back."""
        return self.of(NOT_JAVA) if self.once_in(50) else self.path()

    def new_path(self):
        return self.child() if self.chance.random() < 0.4 else self.write_path()

    def noted(self, path):
        self.watched = [*self.watched[-8:], path]
        return path

    def data(self, path):
        return self.of(LIMITS) if path and path.rpartition(b"/")[2].startswith(b"zookeeper_") else self.of(DATA)

    def acl(self):
        return OPEN if self.chance.random() < 0.6 else self.of(ACLS)

    def flags(self):
        return self.pick((40, 0), (18, 1), (10, 2), (10, 3), (4, 4), (3, 5), (3, 6), (2, lambda: self.of([7, -1, INT_MAX, 100])))

    def truth(self):
        return self.once_in(2)

    def ttl(self):
        return self.of([1, 1000, 2**40 - 1, 2**40, 0, -1, LONG_MAX, 10**7])

    # --- requests ---

    def request(self, name, *values):
        op = getattr(rawzk, name)(*values)
        return Request(f"{name}({', '.join(map(_short, values))})", op.type, op.body)

    def create(self):
        path = self.new_path()
        return self.request(self.of(["create", "create2"]), path, self.data(path), self.acl(), self.flags())

    def create_container(self):
        path = self.new_path()
        return self.request("create_container", path, self.data(path), self.acl(), rawzk.CONTAINER)  # disagreeing() has others

    def create_ttl(self):
        path = self.new_path()
        flags = self.of([rawzk.TTL, rawzk.TTL, rawzk.TTL_SEQUENTIAL])  # others: "createTTL whose flags name no TTL"
        return self.request("create_ttl", path, self.ttl(), self.data(path), self.acl(), flags)

    def set_data(self):
        path = self.write_path()
        return self.request("set_data", path, self.data(path), self.of(VERSIONS))

    def set_acl(self):
        return self.request("set_acl", self.write_path(), self.acl(), self.of(VERSIONS))

    def delete(self):
        return self.request("delete", self.write_path(), self.of(VERSIONS))

    def check(self):
        return self.request("check", self.write_path(), self.of(VERSIONS))

    def read(self):
        name = self.pick((4, "exists"), (4, "get_data"), (3, "get_children"), (3, "get_children2"))
        request = self.request(name, self.noted(self.path()), self.truth())
        if self.once_in(30):
            truth = self.of([b"\x02", b"\xff"])
            return request._replace(text=f"{request.text} with {truth}", body=request.body[:-1] + truth)
        return request

    def path_only(self):
        return self.request(self.of(["get_acl", "sync", "get_ephemerals", "get_all_children_number"]), self.path())

    def watches(self):
        name = self.pick((4, "add_watch"), (2, "check_watches"), (2, "remove_watches"))
        number = self.of([0, 1] * 3 + [2, -1, INT_MAX] if name == "add_watch" else [1, 2, 3, 4, 5] * 2 + [0, 6, -1])
        again = self.watched if name != "add_watch" and self.truth() else None
        return self.request(name, self.of(again) if again else self.noted(self.path()), number)

    def set_watches(self):
        last = self.twins.zxid
        paths = lambda: [self.path() for _ in range(self.of([0, 0, 1, 1, 2, 3]))]
        persistent = (paths(), paths()) if self.truth() else (None, None)
        zxid = self.of([0, 1, last, last, last - self.of(range(20)), -1, LONG_MAX])
        return self.request("set_watches", zxid, paths(), paths(), paths(), *persistent)

    def part(self):
        return self.pick((5, self.create), (3, self.set_data), (3, self.delete), (2, self.check), (1, self.create_container),
                         (1, self.create_ttl))

    def lucky_part(self):
        """One that goes well if somebody may do it and the parts before it leave it possible."""
        there = self.of(self.seen or [b"/"])
        name = self.of(["create", "create2", "create", "create2", "set_data", "delete", "check"])
        if name.startswith("create"):
            return self.request(name, self.child(), self.of(DATA), OPEN, self.of([0, 0, 1, 2, 3, 4]))
        return self.request(name, there, self.data(there), -1) if name == "set_data" else self.request(name, there, -1)

    def part_of_read(self):
        return self.request(self.of(["get_data", "get_children"]), self.path(), self.truth())

    def part_of_any(self):
        return self.of([self.part, self.part_of_read, self.set_acl, self.path_only, lambda: self.request("multi")])()

    def multi(self):
        name = self.pick((3, "multi"), (1, "multi_read"))
        part = self.lucky_part if self.chance.random() < 0.7 else self.part
        make = self.part_of_any if self.once_in(16) else part if name == "multi" else self.part_of_read
        parts = [make() for _ in range(self.of([0, 1, 1, 2, 2, 3, 3, 4, 6]))]
        body = rawzk.multi_body([Op(part.type, part.body, None) for part in parts])
        if self.once_in(20):  # another end, another header
            body = self.of([body[:-9], body + b"\0" * 5, body[:-3], body[:-5] + b"\x02" + body[-4:],
                            *(body[:-9] + rawzk.multi_header(op_type, True, err) for op_type, err in ((-1, 0), (1, -1))),
                            body[:4] + b"\0\0\0\0\x07" + body[9:], body[:4] + b"\x01" + body[5:]])
        return Request(f"{name}({', '.join(part.text for part in parts)})", getattr(rawzk, name)().type, body)

    def reconfig(self):
        text = lambda: self.of([None, None, "", "server.1=127.0.0.1:1:2;3", "nonsense", "1"])
        return self.request("reconfig", text(), text(), text(), self.of([-1, 0, 7]))

    def any_request(self):
        request = self.pick((14, self.create), (3, self.create_container), (3, self.create_ttl), (9, self.set_data),
                            (4, self.set_acl), (9, self.delete), (2, lambda: self.request("delete_container", self.path())),
                            (14, self.read), (7, self.path_only), (9, self.watches), (3, self.set_watches), (10, self.multi),
                            (1, lambda: self.request("who_am_i")), (1, lambda: self.request("ping")), (1, self.reconfig))
        if self.once_in(20):
            # A lie may turn the flags of a createTTL into others.
            return self.bent(request, "cut tail" if request.type == rawzk.CREATETTL else "cut cut tail lie")
        if self.once_in(50):
            return request._replace(xid=self.of([0, -2, -4, -8, -9, INT_MAX, INT_MIN]))
        return request

    def bent(self, request, ways):
        """A record that ends too early, goes on too long, or holds a count that lies."""
        body, how = request.body, self.of(ways.split())
        at = self.chance.randrange(len(body) + 1)
        # What looks like a number, where nothing else is beyond ASCII: no string may come of it that is NOT_JAVA, nor of a
        # quota anything that ends Apache.
        plain = body.replace(b"\xff\xff\xff\xff", b"").isascii() and b"zookeeper_" not in body
        numbers = plain and [n for n in range(len(body) - 3) if body[n : n + 3] in (b"\0\0\0", b"\xff\xff\xff")]
        if how == "cut":
            body = body[:at]
        elif how == "tail":
            body += self.chance.randbytes(self.of([1, 4, 9]))
        elif numbers:
            at = self.of(numbers)
            body = body[:at] + rawzk.i32(self.of([-1, -2, INT_MAX, INT_MIN, 0xfffff, 0x300, 2])) + body[at + 4 :]
        return request._replace(text=f"{how} at {at}: {request.text}", body=body)

    # --- actions ---

    def batch(self, slot):
        count = self.pick((12, 1), (6, lambda: self.chance.randrange(2, 7)), (1, lambda: self.chance.randrange(7, 25)))
        return Send(slot, tuple(self.harmless([self.any_request() for _ in range(count)])))

    def harmless(self, requests):
        """Without what Apache answers in one way or the other, as long as a write before it is under way."""
        kept, set_acl = [], False
        for request in requests:
            if request.type in WRITES and (set_acl or (kept and self.alone)):
                continue
            # "Projection of outstanding changes": a setACL under way does not say who may write, and the root is two znodes.
            if len(requests) > 1 and request.type == rawzk.SETACL:
                if request.body.startswith(rawzk.ustr("/")):
                    continue
                set_acl = True
            # What a part before a null id was to change, Apache takes back when it comes to the end of that multi.
            if len(requests) > 1 and request.type == rawzk.MULTI and "id=None" in request.text:
                continue
            kept.append(request)
        return kept or [self.request("ping")]

    def auth(self, slot):
        request = self.request("auth", *self.of(AUTHS))
        return Send(slot, (self.bent(request, "cut tail") if self.once_in(7) else request,), "alone")

    def unknown(self, slot):
        op_type = self.of(UNKNOWN)
        return Send(slot, (Request(f"unknown {op_type}", op_type, self.of([b"", b"\0" * 8])),), "alone")

    def sasl(self, slot):
        body = self.of([rawzk.buf(b"token"), rawzk.buf(None), b"", rawzk.buf(b"")])
        return Send(slot, (Request("sasl", rawzk.SASL, body),), "alone")

    def odd_frame(self, slot):
        return Send(slot, (Request("frame", None, None, None, self.of(FRAMES)),), "alone")

    def disagreeing(self, slot):
        """A createContainer whose flags say something else: Apache believes them as long as it is under way."""
        path = self.path()
        return Send(slot, (self.request("create_container", path, self.data(path), self.acl(), self.flags()),))

    def close(self, slot):
        before = () if self.truth() else self.batch(slot).requests
        last = Request("close_session", rawzk.CLOSESESSION, self.of([b"", b"", b"\0\0\0\x05junk"]))
        return Send(slot, (*before, last), "close")

    def hang_up(self, slot):
        return Send(slot, self.batch(slot).requests if self.truth() else (), "hangup")

    def connect(self, slot, of=None):
        fields = {"timeout_ms": self.of([0, -1, 1000, 700_000, 3600_000, INT_MAX, INT_MIN]),
                  "read_only": self.of([None, False, True]), "protocol": self.of([0, 0, 0, 1, -1, INT_MAX]),
                  "last_zxid": self.of([0, 0, 0, 0, 1, -1, LONG_MAX]),
                  "password": self.of([bytes(16), bytes(16), b"", None, b"x" * 16, b"y" * 100])}
        if of is None and self.once_in(5):
            fields["session_id"] = self.of([1, -1, LONG_MAX])
        if self.once_in(20):
            fields["cut"] = self.chance.randrange(30)
        elif self.once_in(20):
            fields["tail"] = self.of([b"\0", b"\x01\x02", b"junk junk"])
        return Connect(slot, tuple(fields.items()), of, self.chance.random() < 0.7)

    def take_over(self, slot):
        return self.connect(slot, self.chance.randrange(SLOTS))

    def bytes_alone(self, _slot):
        return Bytes(self.of(FIRST_BYTES))

    def action(self):
        slot = self.chance.randrange(SLOTS)
        side = self.twins.sides[0]
        if not self.twins.connected(slot):
            return self.connect(slot, self.of([slot, slot, None]) if side.sessions[slot] else None)
        if not self.strangers and self.known[slot] is not side.conns[slot]:
            if self.once_in(10):
                return Send(slot, (self.any_request(),), "alone")
            self.known[slot] = side.conns[slot]
            return Send(slot, (self.request("auth", "digest", USER),), "alone")
        ways = {self.batch: 100, self.auth: 5, self.close: 2, self.hang_up: 2, self.disagreeing: 2, self.take_over: 1,
                self.unknown: 1, self.sasl: 1, self.odd_frame: 1, self.bytes_alone: 1}
        return self.chance.choices(list(ways), ways.values())[0](slot)
