"""What the tests of SASL share, whatever its mechanism."""

import os
import subprocess

import pytest
import rawzk
from peers import CAUCUSD

CAUCUS = os.environ.get("CAUCUS", str(CAUCUSD.parent / "caucus"))
CONFIG = {
    "tickTime": 200, "maxClientCnxns": 0, "maxSessionTimeout": 60000,
    "authProvider.1": "org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
}
drivers = pytest.mark.parametrize("driver", ["threads", "loop"])


def caucus(*words, env=None):
    return subprocess.run([CAUCUS, *map(str, words)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **(env or {})})


def check_known_at_every_connection(t, server, is_me):
    """t: a client that shows who it is. is_me: whether that is what the server calls it."""
    def check_who():
        who = t.ask("who", "who CAUCUS_OK").split()
        assert any(map(is_me, who)), who

    t.hear("state CONNECTED renewed")
    check_who()
    t.ask("create /mine secret 0", "create /mine CAUCUS_OK")  # scheme auth
    t.ask("get /mine watch", "get /mine CAUCUS_OK secret")
    with server.session() as other:
        assert other.err(rawzk.get_data("/mine")) == rawzk.NOAUTH
    server.kill()
    t.hear("state SUSPENDED")
    server.start()
    assert t.hear("state ") == "state RECONNECTED"
    t.ask("set /mine y", "event NODE_DATA_CHANGED /mine last")
    check_who()
    t.close()
