"""Two servers that are told the same, and must say the same.

    twins = Twins([apache, caucusd])
    twins.play(Send(0, requests))    # raises Difference unless both answer alike
    twins.compare_whole()            # and unless both hold the same

Behind each action stands a ping on every connection: an event comes before the answer to what was asked behind its change, so
what is there when the ping is answered is all there is. What is compared, and how, is of lib/twins_side.py.
"""

from twins_side import SLOTS, Send, Side


class Difference(AssertionError):
    def __init__(self, action, said):
        super().__init__(action)
        self.action, self.said = action, said


class Twins:
    def __init__(self, servers):
        self.sides = [Side(server) for server in servers]
        self.played = []  # since the last reset
        self.zxid = 0     # of the last answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for side in self.sides:
            side.close()

    def _compare(self, action, said):
        if said[0] != said[1]:
            raise Difference(action, said)

    def connected(self, slot):
        return self.sides[0].conns[slot] is not None

    def play(self, action):
        self.played.append(action)
        if isinstance(action, Send) and not self.connected(action.slot):
            return  # of a sequence with parts left out
        said = [[side.act(action)] for side in self.sides]
        others = [slot for slot in range(SLOTS) if self.connected(slot) and slot != getattr(action, "slot", None)]
        for side, heard in zip(self.sides, said):
            barriers = [(slot, side.send(slot, [], "ping")) for slot in others if side.conns[slot]]
            heard += [(slot, side.collect(slot, waiting)) for slot, waiting in barriers]
        if getattr(action, "end", None) == "close":
            said = [[_in_any_order(said[0]), *((slot, _in_any_order(more)) for slot, more in said[1:])] for said in said]
        self._compare(action, said)
        if isinstance(action, Send):
            self.zxid = max([self.zxid, *(packet[2] for packet in said[0][0] if packet[0] == "reply")])

    def compare_whole(self):
        self._compare("whole", [[side.tree(), side.words()] for side in self.sides])

    def paths(self):
        return sorted(self.sides[0].tree())

    def reset(self):
        """An empty tree without sessions. Both do the same for it, so that their histories stay the same."""
        for side in self.sides:
            side.reset()
        self.played = []
        self._compare("reset", [side.tree() for side in self.sides])


def _in_any_order(said):
    """The end of a session deletes its ephemerals in any order."""
    return sorted(p for p in said if p[0] == "event") + [p for p in said if p[0] != "event"]
