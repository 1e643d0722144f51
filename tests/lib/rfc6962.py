"""The Merkle tree of RFC 6962, written from its section 2.1 and nothing else; slow and plain."""

import functools
import hashlib


def sha256(data):
    return hashlib.sha256(data).digest()


class Tree:
    """Of entries, as bytes."""

    def __init__(self, entries):
        self.leaves = [sha256(b"\0" + e) for e in entries]
        self.root = functools.lru_cache(None)(self._root)

    @staticmethod
    def _split(n):
        """k: the largest power of two smaller than n."""
        k = 1
        while 2 * k < n:
            k *= 2
        return k

    def _root(self, begin, end):
        """MTH(D[begin:end])."""
        n = end - begin
        if n == 0:
            return sha256(b"")
        if n == 1:
            return self.leaves[begin]
        k = self._split(n)
        return sha256(b"\1" + self.root(begin, begin + k) + self.root(begin + k, end))

    def path(self, m, n, begin=0):
        """PATH(m, D[n])."""
        if n == 1:
            return []
        k = self._split(n)
        if m < k:
            return [*self.path(m, k, begin), self.root(begin + k, begin + n)]
        return [*self.path(m - k, n - k, begin + k), self.root(begin, begin + k)]

    def proof(self, m, n):
        """PROOF(m, D[n])."""
        return self._subproof(m, n, True, 0)

    def _subproof(self, m, n, whole, begin):
        if m == n:
            return [] if whole else [self.root(begin, begin + n)]
        k = self._split(n)
        if m <= k:
            return [*self._subproof(m, k, whole, begin), self.root(begin + k, begin + n)]
        return [*self._subproof(m - k, n - k, False, begin + k), self.root(begin, begin + k)]
