"""What is measured of ensembles: groups of rows, the ensembles taking turns (A, B, A, B, ...)."""

import contextlib
import signal
import time

from harness.ensemble import SIZE, Ensemble
from harness.servers import HEAP_OF_MILLION

# group: [(row prefix, mode, connections, in flight, through whom)]
LOADS = {
    "ens-writes": [("ens write 1x1", "write", 1, 1, "follower"),
                   ("ens write 1x1 leader", "write", 1, 1, "leader"),
                   ("ens write 16x1", "write", 16, 1, "all"),
                   ("ens write 64x16", "write", 64, 16, "all")],
    "ens-reads": [("ens read 64x16", "read", 64, 16, "all")],
    "ens-mixed": [("ens mixed 64x16", "mixed", 64, 16, "all")],
}
GROUPS = [*LOADS, "ens-start", "ens-failover", "ens-catchup", "ens-snap"]

WRITERS = 4 * SIZE  # sessions that look for the gap
# signal: (row, seconds for all to be served again, more configuration). Those on a stopped server
# never are, so these seconds pass. A stopped leader is found out
# by silence: syncLimit ticks.
STRIKES = {
    "KILL": ("ens gap of kill -9", 10, ""),
    "TERM": ("ens gap of SIGTERM", 10, ""),
    "STOP": ("ens gap of SIGSTOP", 6, "tickTime=500\nsyncLimit=4\n"),
}
MISSED_WRITES = 100000
ZNODES = 1000000
ZNODES_QUICK = 100000


class EnsembleBench:
    def __init__(self, bench):
        """`bench` has the servers, the folder and the results."""
        self.bench = bench
        self.servers = [s for s in bench.servers if s.name != "null"]
        self.results = bench.results
        self.quick = bench.quick
        self.say = bench.say

    def run(self, groups):
        loads = [load for group in LOADS if group in groups for load in LOADS[group]]
        if loads:
            self.run_loads(loads)
        for group, work in (("ens-start", self.run_start), ("ens-failover", self.run_failover),
                            ("ens-catchup", self.run_catchup), ("ens-snap", self.run_snap)):
            if group in groups:
                work()
                self.say(f"{group} done")

    def ensemble(self, server, heap=None, more_config=""):
        one = Ensemble(server, self.bench.folder / f"{server.name}-ensemble", self.bench.loadgen,
                       heap, more_config)
        one.wipe()
        return one

    @contextlib.contextmanager
    def fresh(self, server, heap=None, more_config=""):
        """An empty ensemble, gone afterwards; a failure is noted."""
        one = self.ensemble(server, heap, more_config)
        try:
            yield one
        except RuntimeError as error:
            self.bench.failed(server, error)
        finally:
            one.stop()
            one.wipe()

    # -- requests --

    def run_loads(self, loads):
        running = [self.ensemble(server) for server in self.servers]
        modes = list(dict.fromkeys(load[1] for load in loads))
        try:
            self.bench.each(running, lambda one: self.start_warm(one, modes))
            for round_number in range(self.bench.rounds):
                for load in loads:
                    self.bench.each(running, lambda one, load=load: self.run_load(one, *load))
                self.say(f"ensembles: round {round_number + 1} of {self.bench.rounds} done")
        finally:
            for one in running:
                one.stop()
                one.wipe()

    def start_warm(self, one, modes):
        self.say(f"start and warm up three of {one.name}")
        one.start()
        for mode in modes:
            one.load(mode, "--connections", 64, "--in-flight", 16, "--warmup", 0,
                     "--seconds", 1 if self.quick else 4)

    def run_load(self, one, row, mode, connections, in_flight, through):
        among = {"all": lambda: one.members, "leader": lambda: [one.leader()],
                 "follower": lambda: one.followers()[:1]}[through]()
        got = one.load(mode, "--connections", connections, "--in-flight", in_flight,
                       "--warmup", 0.2 if self.quick else 1, "--seconds", 0.6 if self.quick else 3,
                       among=among)
        self.bench.add_load(row, one.name, got)

    # -- start --

    def run_start(self):
        for _ in range(1 if self.quick else 5):
            for server in self.servers:
                with self.fresh(server) as one:
                    self.results.add("ens start", server.name, one.start() * 1e3)
                    self.results.add("ens empty memory", server.name,
                                     one.rss_settled_bytes(5) / 1e6)

    # -- the leader goes away --

    def run_failover(self):
        rounds = 2 if self.quick else 10
        for name, (row, seconds, more_config) in STRIKES.items():
            for server in self.servers:
                with self.fresh(server, more_config=more_config) as one:
                    one.start()
                    one.load("write", "--connections", 16, "--warmup", 0,
                             "--seconds", 1 if self.quick else 4)
                    for _ in range(rounds):
                        self.strike(one, name, row, seconds)
            self.say(f"{row}: {rounds} rounds done")

    def strike(self, one, name, row, seconds):
        """The leader gets the signal while the writers write; then it comes back."""
        leader = one.leader()
        load = one.start_load("gap", "--connections", WRITERS, "--timeout", 60000,
                              "--warmup", 1, "--seconds", seconds, "--signal", name,
                              "--struck", one.members.index(leader))
        try:
            got = load.result()
        finally:
            if name == "STOP":
                leader.process.send_signal(signal.SIGCONT)
        self.results.add(row, one.name, got["gap_ms"])
        self.results.add(f"{row}: before", one.name, got["gap_before_ms"])
        self.results.add(f"{row}: last session back", one.name, got["last_back_ms"])
        self.results.add(f"{row}: sessions lost", one.name, got["sessions_lost"])
        if name == "STOP":
            one.wait_member(leader)
        else:
            self.results.add(f"{row}: sessions not back", one.name, got["never_back"])
            leader.stop()
            self.results.add(f"{row}: back in", one.name, one.start_member(leader))

    # -- a follower comes back --

    def run_catchup(self):
        for server in self.servers:
            with self.fresh(server) as one:
                one.start()
                for _ in range(self.bench.rounds):
                    self.results.add("ens catch-up", server.name, self.catch_up(one))

    def catch_up(self, one, *options):
        follower = one.followers()[0]
        follower.stop()
        others = [m for m in one.members if m is not follower]
        one.load("write", "--connections", 64, "--in-flight", 16, "--count", MISSED_WRITES,
                 *options, among=others)
        return one.start_member(follower)

    def run_snap(self):
        znodes = ZNODES_QUICK if self.quick else ZNODES
        for server in self.servers:
            self.say(f"{znodes:,} znodes in three of {server.name}")
            with self.fresh(server, HEAP_OF_MILLION) as one:
                one.start()
                got = one.load("create", "--count", znodes, "--parents", 100,
                               "--connections", 64, "--in-flight", 16)
                self.results.add("ens filled rate", server.name, got["ops_per_s"])
                follower = one.followers()[0]
                one.wait_member(follower)
                for _ in range(self.bench.rounds):
                    self.snap(one, follower, znodes)
                for _ in range(self.bench.rounds):
                    took_s = self.catch_up(one, "--no-setup", "--keys", znodes, "--parents", 100)
                    self.results.add("ens catch-up, large", server.name, took_s)

    def snap(self, one, follower, znodes):
        """A follower without data comes, while a client of the leader counts its delays; and
        the same client before, with nobody coming."""
        follower.kill()
        follower.wipe_data()
        clients = self.start_clients(one, znodes)
        time.sleep(2 if self.quick else 4)
        before = self.end_clients(clients, "ens snap, before", one.name)

        clients = self.start_clients(one, znodes)
        time.sleep(0.5)
        seconds = one.start_member(follower)
        meanwhile = self.end_clients(clients, "ens snap", one.name)
        self.results.add("ens snap", one.name, seconds)
        for mode, worst_ms in meanwhile.items():
            self.results.add(f"ens snap: {mode} waits longer", one.name,
                             max(0.0, worst_ms - before[mode]))

    def start_clients(self, one, znodes):
        """One read and one write in flight at the leader."""
        return {mode: one.start_load(mode, "--connections", 1, "--in-flight", 1, "--no-setup",
                                     "--keys", znodes, "--parents", 100, "--warmup", 0.3,
                                     "--seconds", 600, among=[one.leader()])
                for mode in ("read", "write")}

    def end_clients(self, clients, row, name):
        """The worst latency of each."""
        worst_ms = {}
        for mode, load in clients.items():
            got = load.end()
            self.results.add(f"{row}: {mode} max", name, got["max_us"] / 1e3)
            self.results.add(f"{row}: {mode} p999", name, got["p999_us"] / 1e3)
            self.results.add(f"{row}: {mode} rate", name, got["ops_per_s"])
            worst_ms[mode] = got["max_us"] / 1e3
        return worst_ms
