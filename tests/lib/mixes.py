"""Which kinds of server stand where in the mixed ensembles.

"ours" is the server under test (pytest --server=..., caucusd by default): so the same tests run on
ensembles of Apache servers alone, which shows that they are right.
"""

import rawzk

# name: (participants, observers). The largest id leads.
MIXES = {
    "ours leads 3.9.5": (["apache39", "apache39", "ours"], ["apache39"]),
    "3.9.5 leads ours": (["ours", "ours", "apache39"], ["ours"]),
    "ours leads 3.8.6 and 3.8.0": (["apache386", "apache38", "ours"], ["apache38"]),
    "3.8.0 leads ours and 3.8.6": (["ours", "apache386", "apache38"], ["ours"]),
    "all ours": (["ours", "ours", "ours"], ["ours"]),
    "five, ours leads": (["apache39", "ours", "apache38", "apache386", "ours"], ["ours"]),
    "five, 3.8.6 leads": (["ours", "apache39", "ours", "apache38", "apache386"], ["apache39"]),
}

# (leader, learner)
PAIRS = [
    ("ours", "apache39"), ("apache39", "ours"),
    ("ours", "apache38"), ("apache38", "ours"),
    ("ours", "apache386"), ("apache386", "ours"),
]
ONLY_OURS = ("ours", "ours")


def kinds(names, backend):
    return [backend if name == "ours" else name for name in names]


def pair_id(pair):
    """For pytest."""
    return f"{pair[0]}-leads-{pair[1]}"


class Sessions:
    """Sessions of one test on the servers of an ensemble; closed in an orderly way at its end, so that
    none expires in the middle of a later comparison."""

    def __init__(self, ensemble):
        self.ensemble = ensemble
        self.open = []

    def __call__(self, sid, **kwargs):
        kwargs.setdefault("timeout_ms", 30_000)
        if kwargs.get("last_zxid"):
            # A server that has not come so far yet would turn the client away.
            self(sid).catch_up()
        session = self.ensemble[sid].session(**kwargs)
        # As clients do, whose numbers go on when they change the server: Apache takes a request for
        # another one of the same session and number.
        session.xid = 1000 * len(self.open)
        self.open.append((sid, session))
        return session

    def everywhere(self, **kwargs):
        """A session on each server that runs: {sid: session}"""
        return {m.sid: self(m.sid, **kwargs) for m in self.ensemble.running}

    def end(self):
        for sid, session in self.open:
            session.close()
            if session.id == 0 or not self.ensemble[sid].running:
                continue
            # On a new connection: the test may have left anything on its own.
            try:
                again = self.ensemble[sid].session(
                    session_id=session.id, password=session.password, last_zxid=session.zxid)
                if again.id:
                    again.close_session()
            except (OSError, rawzk.Closed):
                pass
        self.open = []
