"""One server with a million znodes: how long do requests wait because a snapshot is taken?

The same load with a limit of the log that is never reached and with one that is reached after
every few thousand writes: the way to have a snapshot taken that every server has."""

import re
import time

from harness.servers import HEAP_OF_MILLION

ZNODES = 1000000
ZNODES_QUICK = 100000
NEVER = "snapCount=2000000000\n"
WARM_UP_S = 2
PATIENCE_S = 60


def run_snapshot(bench, servers):
    znodes = ZNODES_QUICK if bench.quick else ZNODES
    for server in servers:
        bench.say(f"{znodes:,} znodes in {server.name}")
        with bench.fresh(server, HEAP_OF_MILLION) as one:
            one.start()
            one.load("create", "--count", znodes, "--parents", 100, "--connections", 64,
                     "--in-flight", 16)
            least_s = 2 if bench.quick else 5
            for _ in range(bench.rounds):
                busy, taken, seconds = serve(one, znodes, server.snapshots_often, least_s, 1)
                quiet, _, _ = serve(one, znodes, NEVER, seconds, 0)
                note(bench.results, server.name, quiet, busy, taken)


def snapshots_of(one):
    return {path.name for path in (one.folder / "data/version-2").iterdir()
            if re.fullmatch(r"snapshot\.[0-9a-f]+(\.\w+)?", path.name)}


def serve(one, znodes, limit, least_s, snapshots):
    """Reads and writes at the same time, 16x1 each, on a server restarted with that `limit`, for
    least_s and until so many snapshots were begun. Returns what each load saw, how many
    snapshots were begun, and the seconds."""
    one.stop()
    one.more_config = limit
    one.start()
    loads = {mode: one.start_load(mode, "--connections", 16, "--in-flight", 1, "--no-setup",
                                  "--keys", znodes, "--parents", 100, "--warmup", WARM_UP_S,
                                  "--seconds", 600)
             for mode in ("read", "write")}
    time.sleep(WARM_UP_S + 0.2)
    before = snapshots_of(one)
    from_s = time.monotonic()
    time.sleep(least_s)
    while len(snapshots_of(one) - before) < snapshots:
        if time.monotonic() - from_s > PATIENCE_S:
            break
        time.sleep(1)
    got = {mode: load.end() for mode, load in loads.items()}
    taken = len(snapshots_of(one) - before)
    if taken < snapshots:
        raise RuntimeError(f"{one.name} took {taken} snapshots in {PATIENCE_S} s")
    return got, taken, time.monotonic() - from_s


def note(results, name, quiet, busy, taken):
    results.add("snapshots taken", name, taken)
    for mode in ("read", "write"):
        for what, got in (("no snapshot", quiet), ("snapshot", busy)):
            results.add(f"{what}: {mode} 16x1 rate", name, got[mode]["ops_per_s"])
            results.add(f"{what}: {mode} 16x1 p999", name, got[mode]["p999_us"] / 1e3)
            results.add(f"{what}: {mode} 16x1 max", name, got[mode]["max_us"] / 1e3)
        longer_ms = (busy[mode]["max_us"] - quiet[mode]["max_us"]) / 1e3
        results.add(f"snapshot: {mode} waits longer", name, max(0.0, longer_ms))
