"""One server with a million znodes: how long do requests wait because a snapshot is taken?

The same load with a snapCount that is never reached and with one that is reached all the time
(the only way to have a snapshot taken that every server has)."""

import re

from harness.servers import HEAP_OF_MILLION

ZNODES = 1000000
ZNODES_QUICK = 100000
NEVER = 2000000000
OFTEN = 10000


def run_snapshot(bench, servers):
    znodes = ZNODES_QUICK if bench.quick else ZNODES
    for server in servers:
        bench.say(f"{znodes:,} znodes in {server.name}")
        with bench.fresh(server, HEAP_OF_MILLION) as one:
            one.start()
            one.load("create", "--count", znodes, "--parents", 100, "--connections", 64,
                     "--in-flight", 16)
            for _ in range(bench.rounds):
                quiet, _ = serve(bench, one, znodes, NEVER)
                busy, taken = serve(bench, one, znodes, OFTEN)
                if taken == 0:
                    raise RuntimeError(f"{server.name} took no snapshot")
                note(bench.results, server.name, quiet, busy, taken)


def snapshots_of(one):
    return {path.name for path in (one.folder / "data/version-2").iterdir()
            if re.fullmatch(r"snapshot\.[0-9a-f]+(\.\w+)?", path.name)}


def serve(bench, one, znodes, snap_count):
    """Reads and writes at the same time, 16x1 each, on a server restarted with `snap_count`;
    returns what each of them saw, and how many snapshots were begun meanwhile."""
    one.stop()
    one.more_config = f"snapCount={snap_count}\n"
    one.start()
    options = ["--connections", 16, "--in-flight", 1, "--no-setup", "--keys", znodes,
               "--parents", 100, "--warmup", 1 if bench.quick else 4,
               "--seconds", 2 if bench.quick else 5]
    before = snapshots_of(one)
    loads = {mode: one.start_load(mode, *options) for mode in ("read", "write")}
    got = {mode: load.result() for mode, load in loads.items()}
    return got, len(snapshots_of(one) - before)


def note(results, name, quiet, busy, taken):
    results.add("snapshots taken", name, taken)
    for mode in ("read", "write"):
        for what, got in (("no snapshot", quiet), ("snapshot", busy)):
            results.add(f"{what}: {mode} 16x1 rate", name, got[mode]["ops_per_s"])
            results.add(f"{what}: {mode} 16x1 p999", name, got[mode]["p999_us"] / 1e3)
            results.add(f"{what}: {mode} 16x1 max", name, got[mode]["max_us"] / 1e3)
        longer_ms = (busy[mode]["max_us"] - quiet[mode]["max_us"]) / 1e3
        results.add(f"snapshot: {mode} waits longer", name, max(0.0, longer_ms))
