"""Ports that nobody else takes meanwhile: between our asking and the server's binding, while a server is down, of a member
that may lead one day and listens only then.

Each process of pytest has blocks of them for itself. A block belongs to whoever holds the abstract socket of its name,
which the kernel gives back when the process ends, however it ends.
"""

import collections
import random
import socket

# Below the range from which the kernel takes the ports of outgoing connections.
FIRST, END, BLOCK = 11000, 32000, 250
BLOCKS_MAX = 10  # of one process, then its oldest ports are given again: others want some, too

_chance = random.SystemRandom()  # tests seed the other one
_blocks = []
_fresh, _given = [], collections.deque()


def _take_block():
    """False: all are somebody's."""
    for first in _chance.sample(range(FIRST, END, BLOCK), (END - FIRST) // BLOCK):
        holder = socket.socket(socket.AF_UNIX)
        try:
            holder.bind(f"\0caucus-tests-ports-{first}")
        except OSError:
            holder.close()
            continue
        _blocks.append(holder)
        _fresh.extend(range(first, first + BLOCK))
        return True
    return False


def _can_be_bound(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port():
    while True:
        if not _fresh and len(_blocks) < BLOCKS_MAX:
            _take_block()
        port = _fresh.pop() if _fresh else _given.popleft()
        _given.append(port)
        if _can_be_bound(port):
            return port
