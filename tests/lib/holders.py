"""Commands that caucus runs while it holds something, and what tests ask of them.

Each takes a lock of this machine (flock on $0) as the resource that two must never have, says "begin TOKEN PID", and
one that finds it taken says "overlap". All in a command's process group hold it."""

import rawzk
from cli import LIMIT_S

CONFIG = {"tickTime": 200, "maxClientCnxns": 0, "maxSessionTimeout": 60000}
SHORT_MS = 2400  # of those whose session is to end

TAKE = 'exec 9>"$0"; flock -n 9 || { echo overlap; exit 1; }; echo "begin $CAUCUS_FENCING_TOKEN $$"; '
GENTLE = TAKE + "exec sleep 1000"
STUBBORN = 'trap "echo term" TERM; ' + TAKE + 'while :; do sleep 1000 & wait; done'  # deaf before it says that it has begun


def begun(f):
    """(token, pid) of the command that begins next."""
    words = f.line().split()
    assert words[0] == "begin", words
    return int(words[1]), int(words[2])


def make(server, path):
    s = server.session(timeout_s=LIMIT_S, timeout_ms=60000)
    s.ok(rawzk.create(path))
    return s
