"""Samples, medians, targets, and the table."""

import statistics

APACHES = ("apache38", "apache39")

# row: (unit, decimals, ("x" times | "/" share of the baseline | "min" or "max" absolute, bound) or None)
LOAD_TARGETS = {
    "write 1x1": {"mean": ("/", 0.65)},
    "write 16x1": {"rate": ("x", 2)},
    "write 64x16": {"rate": ("x", 6), "p99": ("/", 0.2), "cpu": ("/", 0.1)},
    "read 1x1": {"mean": ("/", 0.65)},
    "read 16x1": {"rate": ("x", 3)},
    "read 64x16": {"rate": ("x", 10), "p99": ("/", 0.2), "cpu": ("/", 0.1)},
    "mixed 64x16": {"rate": ("x", 8), "p99": ("/", 0.2), "cpu": ("/", 0.1)},
}
ENSEMBLE_LOAD_TARGETS = {
    "ens write 1x1": {"mean": ("/", 0.6)},
    "ens write 1x1 leader": {"mean": ("/", 0.6)},
    "ens write 16x1": {"rate": ("x", 3)},
    "ens write 64x16": {"rate": ("x", 6), "p99": ("/", 0.2)},
    "ens read 64x16": {"rate": ("x", 8)},
    "ens mixed 64x16": {"rate": ("x", 15)},
}
LOAD_COLUMNS = {"rate": ("/s", 0), "mean": ("us", 1), "p50": ("us", 1), "p99": ("us", 1),
                "cpu": ("us/op", 2)}
OTHER_ROWS = {
    "sessions opened rate": ("/s", 0, ("x", 4)),
    "10,000 sessions memory": ("MB", 1, ("max", 40)),
    "10,000 watchers told": ("ms", 1, ("max", 40)),
    "empty start": ("ms", 1, ("max", 20)),
    "empty memory": ("MB", 1, ("max", 8)),
    "million filled rate": ("/s", 0, ("x", 5)),
    "million fill max": ("us", 0, None),
    "million per znode": ("bytes", 0, ("max", 300)),
    "million restart": ("s", 2, ("max", 1.5)),
    "million memory": ("MB", 0, None),
    "million memory after restart": ("MB", 0, None),
    "cache of 100,000 ready": ("ms", 0, ("max", 1000)),
    "cache of 100,000 client cpu": ("us/node", 2, None),
}
CLIENT_ROWS = {
    row: how
    for mode in ("get", "set")
    for load in [f"client {mode} x1000"]
    for row, how in (
        (f"{load} rate", ("/s", 0, None)),
        (f"{load} rate, Apache's client", ("/s", 0, None)),
        (f"{load} rate: of Apache's", ("times", 2, ("min", 2))),
        (f"{load} cpu", ("us/op", 2, ("max", 2))),
        (f"{load} cpu, Apache's client", ("us/op", 2, None)),
        (f"{load} cpu: of Apache's", ("times", 2, ("max", 0.5))))
} | {
    "client get, blocking": ("us", 1, None),
    "client get, blocking, bare socket": ("us", 1, None),
    "client get, blocking, Apache's client": ("us", 1, None),
    "client get, blocking: of the bare socket's": ("times", 2, ("max", 1.1)),
    "next of 5 leads after": ("ms", 2, ("max", 5)),
    "next of 100 leads after": ("ms", 2, ("max", 5)),
}
SNAPSHOT_ROWS = {
    "snapshots taken": ("", 0, None),
    **{f"{what}: {mode} 16x1 {column}": (unit, decimals, None)
       for mode in ("read", "write") for what in ("no snapshot", "snapshot")
       for column, unit, decimals in (("rate", "/s", 0), ("p999", "ms", 2), ("max", "ms", 2))},
    "snapshot: read waits longer": ("ms", 2, ("max", 5)),
    "snapshot: write waits longer": ("ms", 2, ("max", 5)),
}
# What a stopped leader may cost: syncLimit 4 x tickTime 500 until it is given up, the 200 ms that an
# election waits for a voter whose connection stands (finalizeWait), and then no more than any other.
SIGSTOP_MS_MAX = 4 * 500 + 200 + 100


def gap_rows(name, bound_ms):
    return {
        f"ens gap of {name}": ("ms", 1, ("max", bound_ms)),
        f"ens gap of {name}: before": ("ms", 1, None),
        f"ens gap of {name}: last session back": ("ms", 1, None),
        f"ens gap of {name}: sessions lost": ("", 0, ("max", 0)),
        f"ens gap of {name}: sessions not back": ("", 0, ("max", 0)),
        f"ens gap of {name}: back in": ("s", 2, None),
    }


ENSEMBLE_ROWS = {
    "ens start": ("ms", 1, ("max", 300)),
    "ens empty memory": ("MB", 1, None),
    **gap_rows("kill -9", 100),
    **gap_rows("SIGTERM", 50),
    **gap_rows("SIGSTOP", SIGSTOP_MS_MAX),
    "ens catch-up": ("s", 2, ("max", 1)),
    "ens catch-up, large": ("s", 2, None),
    "ens filled rate": ("/s", 0, None),
    "ens snap": ("s", 2, ("max", 5)),
    **{f"{what}: {mode} {column}": (unit, decimals, bound)
       for mode in ("read", "write")
       for what, most in (("ens snap, before", None), ("ens snap", ("max", 10)))
       for column, unit, decimals, bound in (
           ("rate", "/s", 0, None), ("p999", "ms", 2, None), ("max", "ms", 2, None),
           *([("waits longer", "ms", 2, most)] if most else []))},
}


def vote_rows(load, rate_min):
    """Rows of a load on the election, and of the same at half of the rate that is wanted."""
    rows = {}
    for what, rate, p99 in ((load, ("min", rate_min), None), (f"{load}, half", None, ("max", 50))):
        rows |= {
            f"{what}: rate": ("/s", 0, rate),
            f"{what}: p50": ("ms", 1, None),
            f"{what}: p99": ("ms", 1, p99),
            f"{what}: cpu electiond": ("us/vote", 2, None),
            f"{what}: cpu coordination": ("us/vote", 2, None),
            f"{what}: cpu load": ("us/vote", 2, None),
            f"{what}: coordination writes": ("/s", 0, ("max", COORDINATION_WRITES_MAX)),
            f"{what}: coordination reads": ("/s", 0, None),
            f"{what}: syncs": ("/s", 0, None),
        }
    return rows


# One write of a state's Commit each 20 ms at the most, of 51 states.
COORDINATION_WRITES_MAX = 51 * 50
ELECTION_ROWS = {
    **vote_rows("votes, one state", 100000),
    **vote_rows("votes, 51 states", 60000),
    **vote_rows("votes, REST", 15000),
    **{f"original's way, {states}: {column}": (unit, decimals, None)
       for states in ("one state", "51 states")
       for column, unit, decimals in (("rate", "/s", 0), ("p50", "ms", 1), ("p99", "ms", 1),
                                      ("cpu coordination", "us/vote", 2))},
    "replay of 2024: time": ("s", 0, ("max", 360)),
    "replay of 2024: rate": ("/s", 0, None),
    "replay of 2024: votes": ("", 0, None),
    "replay of 2024: leaders killed": ("", 0, ("min", 3)),
    "replay of 2024: states that are not exact": ("", 0, ("max", 0)),
    "replay of 2024: ballots sent again": ("", 0, None),
    "replay of 2024: p50": ("ms", 1, None),
    "replay of 2024: p99": ("ms", 1, None),
    "replay of 2024: max": ("ms", 0, None),
}
# Rows whose least and most matter as much as the median: shown below the table.
SPREAD_ROWS = [f"ens gap of {name}" for name in ("kill -9", "SIGTERM", "SIGSTOP")]


def all_rows():
    rows = {}
    for load, targets in {**LOAD_TARGETS, **ENSEMBLE_LOAD_TARGETS}.items():
        for column, (unit, decimals) in LOAD_COLUMNS.items():
            rows[f"{load} {column}"] = (unit, decimals, targets.get(column))
    return {**rows, **OTHER_ROWS, **CLIENT_ROWS, **SNAPSHOT_ROWS, **ENSEMBLE_ROWS,
            **ELECTION_ROWS}


class Results:
    def __init__(self):
        self.samples = {}

    def add(self, row, server, value):
        self.samples.setdefault(row, {}).setdefault(server, []).append(value)

    def median(self, row, server):
        values = self.samples.get(row, {}).get(server)
        return statistics.median(values) if values else None

    def as_json(self):
        return {
            row: {
                server: {"median": statistics.median(values), "min": min(values),
                         "max": max(values), "samples": values}
                for server, values in by_server.items()
            } for row, by_server in self.samples.items()
        }


def judge(target, value, baseline):
    """(text of the target, True/False, or None where it cannot be said)."""
    if target is None:
        return "", None
    kind, bound = target
    if kind == "max":
        return f"<= {bound}", None if value is None else value <= bound
    if kind == "min":
        return f">= {bound}", None if value is None else value >= bound
    text = f">= {bound}x" if kind == "x" else f"<= {bound}x"
    if value is None or not baseline:
        return text, None
    ratio = value / baseline
    return text, ratio >= bound if kind == "x" else ratio <= bound


def format_number(value, decimals):
    return "-" if value is None else f"{value:,.{decimals}f}"


def render(results, names, subject, baseline, judged):
    """The side by side table as text: medians; ratio = subject / baseline. The targets are
    caucusd's: other subjects are not judged by them."""
    head = ["", "unit", *names, "ratio", "target", ""]
    lines = [head]
    for row, (unit, decimals, target) in all_rows().items():
        if row not in results.samples:
            continue
        value = results.median(row, subject)
        base = results.median(row, baseline)
        text, reached = judge(target, value, base)
        ratio = f"{value / base:.2f}" if value is not None and base else "-"
        verdict = {True: "ok", False: "NOT", None: ""}[reached if judged else None]
        lines.append([row, unit,
                      *(format_number(results.median(row, name), decimals) for name in names),
                      ratio, text, verdict])
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    out = []
    for line in lines:
        cells = [cell.ljust(width) if i < 2 or i >= len(head) - 2 else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        out.append("  ".join(cells).rstrip())
    return "\n".join(out)


def render_spread(results, names):
    lines = []
    for row in SPREAD_ROWS:
        for name in names:
            values = results.samples.get(row, {}).get(name)
            if values:
                lines.append(f"  {row}, {name}: median {statistics.median(values):.1f} ms, "
                             f"least {min(values):.1f}, most {max(values):.1f}, "
                             f"of {len(values)}")
    return "\n".join(lines)


def targets_missed(results, subject, baseline):
    missed = []
    for row, (_, _, target) in all_rows().items():
        _, reached = judge(target, results.median(row, subject), results.median(row, baseline))
        if reached is False:
            missed.append(row)
    return missed
