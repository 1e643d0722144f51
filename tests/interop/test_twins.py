"""Apache 3.9.5 and caucusd, told the same by the same clients at random, say the same.

Everything that a client sees is compared: lib/twins_side.py says how, lib/twins_chance.py what is asked. A sequence of
actions is known by its number. More of them, and longer ones:

    TWINS_FIRST=1000 TWINS_SEQUENCES=300 TWINS_ACTIONS=300 build/venv/bin/pytest tests/interop/test_twins.py

A sequence that goes wrong is played again, by new servers, with ever more of it left out; what is printed is what is left.
With --server=apache39 Apache is compared with itself: then it is the test that is tried.
"""

import os
import random
import time

import pytest
from server import Server
from twins import Difference, Twins
from twins_chance import Chance
from twins_side import SESSION_MS, SUPER_DIGEST, Restart

FIRST = int(os.environ.get("TWINS_FIRST", "1"))
SEQUENCES = int(os.environ.get("TWINS_SEQUENCES", "6"))
ACTIONS = int(os.environ.get("TWINS_ACTIONS", "250"))
REDUCE_S = int(os.environ.get("TWINS_REDUCE_S", "60"))
RESTART_EACH = 5  # one sequence in so many; a restart costs as much as two of them

CONFIG = {
    "extendedTypesEnabled": "true",
    "4lw.commands.whitelist": "*",
    "DigestAuthenticationProvider.superDigest": SUPER_DIGEST,
    "maxClientCnxns": 0,
    "forceSync": "no",
    # Nothing happens by itself: no session ends that no client ended, nobody looks for containers and TTL znodes to delete.
    "minSessionTimeout": SESSION_MS // 6,
    "maxSessionTimeout": SESSION_MS,
    "znode.container.checkIntervalMs": SESSION_MS,
}
CONFIGS = {
    "as_it_comes": {},
    "enforced": {"enforceQuota": "true", "reconfigEnabled": "true", "extendedTypesEnabled": "false"},
    "no_strangers": {"enforce.auth.enabled": "true", "enforce.auth.schemes": "digest"},
    "loose": {"skipACL": "yes", "digest.enabled": "false", "closeSessionTxn.enabled": "false", "emulate353TTLNodes": "true"},
}


class Pair:
    """The two servers; new ones whenever they have gone apart."""

    def __init__(self, kinds, folder, config):
        self.kinds, self.folder, self.config = kinds, folder, config
        self.count, self.servers = 0, []

    def start(self):
        self.kill()
        self.count += 1
        self.servers = [Server(kind, self.folder / f"{self.count}-{n}-{kind}", self.config)
                        for n, kind in enumerate(self.kinds)]
        for server in self.servers:
            server.start(wait=False)
        for server in self.servers:
            server.wait_serving()
        return self.servers

    def kill(self):
        for server in self.servers:
            server.kill()


def play(twins, config, number):
    chance = Chance(random.Random(number), twins, alone=config == "enforced", strangers=config != "no_strangers")
    restart_at = chance.chance.randrange(ACTIONS) if number % RESTART_EACH == 0 else None
    for n in range(ACTIONS):
        if n % 10 == 0:
            chance.look()
        if n == restart_at:
            twins.play(Restart())
            twins.compare_whole()
        twins.play(chance.action())
    twins.compare_whole()


# --- a sequence that went wrong ------------------------------------------------------


def differs(pair, actions):
    """The Difference that comes of them, with new servers."""
    with Twins(pair.start()) as twins:
        try:
            twins.reset()
            for action in actions:
                twins.play(action)
            twins.compare_whole()
        except Difference as difference:
            return difference
    return None


def simpler(actions):
    """The same with one request of one action left out, each in turn."""
    for at, action in enumerate(actions):
        requests = getattr(action, "requests", ())
        for n in range(len(requests) if len(requests) > 1 else 0):
            yield [*actions[:at], action._replace(requests=requests[:n] + requests[n + 1 :]), *actions[at + 1 :]]


def reduced(pair, actions):
    """(actions, Difference): as few as are found in the time there is; all of them and None if new servers agree on them."""
    deadline = time.monotonic() + REDUCE_S
    found = differs(pair, actions)
    at, step = 0, len(actions) // 2 if found else 0
    while step and time.monotonic() < deadline:
        fewer = actions[:at] + actions[at + step :]
        difference = differs(pair, fewer)
        if difference:
            actions, found = fewer, difference
        else:
            at += step
        if at >= len(actions):
            at, step = 0, step // 2
    left = simpler(actions) if found else ()
    while (fewer := next(iter(left), None)) and time.monotonic() < deadline:
        difference = differs(pair, fewer)
        if difference:
            actions, found, left = fewer, difference, simpler(fewer)
    return actions, found


def shown(action):
    if not hasattr(action, "requests"):
        return repr(action)
    requests = [f"{r.text} [{r.type}, {(r.body if r.raw is None else r.raw).hex()[:400]}]" for r in action.requests]
    return f"{action.slot}: {'; '.join(requests)} -> {action.end}"


def apart(one, other, where=""):
    """Where two values differ: (where, one, other)."""
    if type(one) is type(other) and isinstance(one, (list, tuple)) and len(one) == len(other):
        return [d for n, pair in enumerate(zip(one, other)) for d in apart(*pair, f"{where}[{n}]")]
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [d for key in one for d in apart(one[key], other[key], f"{where}[{key!r}]")]
    return [] if one == other else [(where, one, other)]


def report(kinds, config, number, difference, pair, played):
    actions, found = reduced(pair, played)
    lines = [f"sequence {number} of {config}; again:",
             f"TWINS_FIRST={number} TWINS_SEQUENCES=1 TWINS_ACTIONS={ACTIONS} build/venv/bin/pytest "
             f"tests/interop/test_twins.py -k {config}"]
    if found:
        lines += [f"{len(actions)} of {len(played)} actions are enough:", *map(shown, actions)]
    else:
        lines += [f"new servers agree on it: begin with TWINS_FIRST={FIRST}. The last of {len(played)} actions:",
                  *map(shown, played[-12:])]
    for where, *values in apart(*(found or difference).said)[:6]:
        lines += [f"at {where}", *(f"  {kind}: {value!r}"[:1500] for kind, value in zip(kinds, values))]
    return "\n".join(lines)


@pytest.mark.timeout(120 + 2 * REDUCE_S + SEQUENCES * ACTIONS // 20)
@pytest.mark.parametrize("config", CONFIGS)
def test_both_say_the_same(tmp_path, backend, config):
    kinds = ("apache39", backend)
    pair = Pair(kinds, tmp_path, CONFIG | CONFIGS[config])
    wrong = None
    try:
        with Twins(pair.start()) as twins:
            try:
                for number in range(FIRST, FIRST + SEQUENCES):
                    twins.reset()
                    play(twins, config, number)
            except Difference as difference:
                wrong = difference
        if wrong:
            pytest.fail(report(kinds, config, number, wrong, pair, twins.played), pytrace=False)
    finally:
        pair.kill()
