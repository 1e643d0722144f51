"""Samples, medians, targets, and the table."""

import statistics

APACHES = ("apache38", "apache39")

# row: (unit, decimals, ("x" times | "/" share of the baseline | "max" absolute, bound) or None)
LOAD_TARGETS = {
    "write 1x1": {"mean": ("/", 0.65)},
    "write 16x1": {"rate": ("x", 2)},
    "write 64x16": {"rate": ("x", 6), "p99": ("/", 0.2), "cpu": ("/", 0.1)},
    "read 1x1": {"mean": ("/", 0.65)},
    "read 16x1": {"rate": ("x", 3)},
    "read 64x16": {"rate": ("x", 10), "p99": ("/", 0.2), "cpu": ("/", 0.1)},
    "mixed 64x16": {"rate": ("x", 8), "p99": ("/", 0.2), "cpu": ("/", 0.1)},
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
}


def all_rows():
    rows = {}
    for load, targets in LOAD_TARGETS.items():
        for column, (unit, decimals) in LOAD_COLUMNS.items():
            rows[f"{load} {column}"] = (unit, decimals, targets.get(column))
    rows.update(OTHER_ROWS)
    return rows


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


def targets_missed(results, subject, baseline):
    missed = []
    for row, (_, _, target) in all_rows().items():
        _, reached = judge(target, results.median(row, subject), results.median(row, baseline))
        if reached is False:
            missed.append(row)
    return missed
