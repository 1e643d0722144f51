"""A network of its own for each server, cut and healed at will.

    with Netlab(3) as net:
        ensemble = Ensemble(folder, kinds, places=net.places)
        with net.entered():             # this thread's new sockets belong to the middle
            ...
        net.cut(1, 2)                   # packets from 1 to 2 vanish, those from 2 to 1 do not
        net.isolate(3)                  # from all other servers, both ways; clients still reach it
        net.heal()

Each server lives in a network namespace, joined by a veth to one in the middle that routes between
them; clients speak from the middle. A cut is a routing rule there: packets vanish without a word,
as behind a broken switch. Namespaces are held by processes of ours that wait for the end of their
input: they go with the test, however it ends, and nothing outside of them is touched. Needs root.
"""

import contextlib
import ctypes
import os
import subprocess
import threading

import pytest

from peers import program

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def require():
    """Skips the test, loudly, where networks cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: cutting networks needs root (network namespaces)")
    program("ip")  # without it nothing is known of the kernel
    done = subprocess.run(
        [program("unshare"), "--net", "sh", "-c",
         "ip link set lo up && ip link add name a type veth peer name b"
         " && ip rule add from 10.0.0.1 to 10.0.0.2 blackhole"],
        capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"NOT TESTED: this kernel gives no network namespaces: {done.stderr.strip()}")


class _Namespace:
    def __init__(self):
        self.holder = subprocess.Popen(
            [program("unshare"), "--net", "sh", "-c",
             "ip link set lo up && echo ready && read -r line"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "ready\n"
        self.prefix = [program("nsenter"), "--net", "-t", str(self.holder.pid), "--"]

    def run(self, *command):
        done = subprocess.run([*self.prefix, *command], capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stderr)

    def ip(self, words):
        self.run("ip", *words.split())

    def end(self):
        self.holder.communicate("\n")


class _Place:
    """Where a server of an ensemble lives (see ensemble.Loopback)."""

    def __init__(self, net, host, prefix):
        self.host, self.prefix, self.entered = host, prefix, net.entered


class Netlab:
    def __init__(self, count):
        self.count = count
        self._cuts = set()

    def __enter__(self):
        self._middle = _Namespace()
        self._middle.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        self._members = {sid: _Namespace() for sid in range(1, self.count + 1)}
        self.places = {}
        for sid, member in self._members.items():
            self._middle.ip(f"link add name s{sid} type veth peer name eth0 netns {member.holder.pid}")
            self._middle.ip(f"addr add 10.77.{sid}.1/24 dev s{sid}")
            self._middle.ip(f"link set s{sid} up")
            member.ip(f"addr add {self._host(sid)}/24 dev eth0")
            member.ip("link set eth0 up")
            member.ip(f"route add default via 10.77.{sid}.1")
            self.places[sid] = _Place(self, self._host(sid), member.prefix)
        self.clients = _Place(self, None, self._middle.prefix)
        return self

    def __exit__(self, *_):
        for member in self._members.values():
            member.end()
        self._middle.end()

    def _host(self, sid):
        return f"10.77.{sid}.2"

    @contextlib.contextmanager
    def entered(self):
        """Sockets and threads that this thread makes meanwhile belong to the middle. Only for this
        thread; may be nested."""
        thread = threading.get_native_id()
        before = os.open(f"/proc/self/task/{thread}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        middle = os.open(f"/proc/{self._middle.holder.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._set(middle)
            yield
        finally:
            self._set(before)
            os.close(before)
            os.close(middle)

    @staticmethod
    def _set(namespace):
        assert _libc.setns(namespace, _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())

    # --- cuts ---

    def _rule(self, verb, a, b):
        self._middle.ip(f"rule {verb} from {self._host(a)} to {self._host(b)} blackhole")

    def cut(self, a, b):
        """One way: what a sends to b is gone."""
        if (a, b) not in self._cuts:
            self._cuts.add((a, b))
            self._rule("add", a, b)

    def cut_both(self, a, b):
        self.cut(a, b)
        self.cut(b, a)

    def split(self, *groups):
        """Each group hears its own only."""
        for group in groups:
            for other in groups:
                if group is not other:
                    for a in group:
                        for b in other:
                            self.cut(a, b)

    def isolate(self, sid):
        self.split([sid], [other for other in self._members if other != sid])

    def heal(self):
        for a, b in self._cuts:
            self._rule("del", a, b)
        self._cuts.clear()
