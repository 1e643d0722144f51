"""libcaucus beside Apache's C client and a bare socket, on each server; and what an election adds to a session's end."""

import pathlib
import statistics

from harness.servers import Load

GROUPS = ["client", "elect"]
IN_FLIGHT = 1000


class ClientBench:
    def __init__(self, bench):
        self.bench = bench
        self.folder = pathlib.Path(bench.loadgen).parent

    def run(self, groups):
        for server in [s for s in self.bench.servers if s.name != "null"]:
            for group in GROUPS:
                if group in groups:
                    with self.bench.fresh(server) as one:
                        getattr(self, f"run_{group}")(one)
                    self.bench.say(f"{group} on {server.name} done")

    def add(self, row, one, value):
        self.bench.results.add(row, one.server.name, value)

    def program(self, one, name, *words):
        return Load(one, [str(self.folder / name), *map(str, words)]).result()

    def run_client(self, one):
        one.start()
        one.load("read", "--connections", 16, "--in-flight", 16, "--seconds", 1)  # makes the znodes
        one.load("write", "--connections", 16, "--in-flight", 16, "--seconds", 1)
        rounds, block_ms = (3, 300) if self.bench.quick else (7, 600)
        for mode in ("get", "set"):
            got = self.program(one, "bench_client", f"async-{mode}", one.port, "caucus,apache", IN_FLIGHT, rounds,
                               block_ms)
            self.compare(one, f"client {mode} x{IN_FLIGHT}", got["caucus"], got["apache"])
        got = self.program(one, "bench_client", "sync-get", one.port, "raw,caucus,apache", 1, rounds, block_ms)
        for client, row in (("caucus", ""), ("raw", ", bare socket"), ("apache", ", Apache's client")):
            for value in got[client]["mean_us"]:
                self.add(f"client get, blocking{row}", one, value)
        self.add("client get, blocking: of the bare socket's", one, share(got, "mean_us", "caucus", "raw"))

    def compare(self, one, row, ours, theirs):
        for column in ("rate", "cpu_us"):
            name = {"rate": "rate", "cpu_us": "cpu"}[column]
            for value in ours[column]:
                self.add(f"{row} {name}", one, value)
            for value in theirs[column]:
                self.add(f"{row} {name}, Apache's client", one, value)
            of_theirs = statistics.median(ours[column]) / statistics.median(theirs[column])
            self.add(f"{row} {name}: of Apache's", one, of_theirs)

    def run_elect(self, one):
        one.more_config = "tickTime=100\nminSessionTimeout=200\n"
        one.start()
        for candidates in (5, 100):
            got = self.program(one, "bench_election", one.port, candidates, 5 if self.bench.quick else 20, 400)
            for value in got["elected_us"]:
                self.add(f"next of {candidates} leads after", one, value / 1e3)


def share(got, column, one, other):
    return statistics.median(got[one][column]) / statistics.median(got[other][column])
