"""What is measured: groups of rows, each taking its servers in turn (A, B, A, B, ...).

Every sample goes to `results.add(row, server, value)`; medians are made at the end.
"""

import contextlib
import pathlib
import shutil

from harness import snapshot
from harness.servers import HEAP_OF_MILLION, Instance, Load

LOADS = {
    # group: [(row prefix, mode, connections, in flight)]
    "writes": [("write 1x1", "write", 1, 1), ("write 16x1", "write", 16, 1),
               ("write 64x16", "write", 64, 16)],
    "reads": [("read 1x1", "read", 1, 1), ("read 16x1", "read", 16, 1),
              ("read 64x16", "read", 64, 16)],
    "mixed": [("mixed 64x16", "mixed", 64, 16)],
}
GROUPS = [*LOADS, "sessions", "watch", "start", "million", "snapshot", "cache"]
QUICK_GROUPS = [*LOADS, "start"]


class Bench:
    def __init__(self, servers, folder, loadgen, results, quick, say):
        self.servers = servers
        self.folder = folder
        self.loadgen = loadgen
        self.results = results
        self.quick = quick
        self.say = say
        self.rounds = 1 if quick else 3
        self.failures = []

    def failed(self, server, error):
        """A server that fails loses the rest of its group; the others go on."""
        self.say(f"FAILED: {server.name}: {error}")
        self.failures.append(f"{server.name}: {str(error).splitlines()[0]}")

    def instance(self, server, heap=None):
        one = Instance(server, self.folder / server.name, self.loadgen, heap)
        one.wipe()
        return one

    def run(self, groups):
        loads = [load for group in LOADS if group in groups for load in LOADS[group]]
        if loads:
            self.run_loads(loads)
        crowds = [s for s in self.servers if s.name != "null"]
        if "sessions" in groups or "watch" in groups:
            self.run_crowds(crowds, "sessions" in groups, "watch" in groups)
        if "start" in groups:
            self.run_start(crowds)
        if "million" in groups:
            self.run_million(crowds)
        if "snapshot" in groups:
            snapshot.run_snapshot(self, crowds)
        if "cache" in groups:
            self.run_cache(crowds)

    # -- requests --

    def run_loads(self, loads):
        """All servers stay up; only one of them is loaded at a time. The JVMs are given time
        to compile before anything counts."""
        running = [self.instance(server) for server in self.servers]
        modes = list(dict.fromkeys(mode for _, mode, _, _ in loads))
        try:
            self.each(running, lambda one: self.start_warm(one, modes))
            for round_number in range(self.rounds):
                for load in loads:
                    self.each(running, lambda one, load=load: self.run_load(one, *load))
                self.say(f"round {round_number + 1} of {self.rounds} done")
        finally:
            for one in running:
                one.stop()
                one.wipe()

    def each(self, running, work):
        """work(instance) for each; who fails is stopped and taken from the list."""
        for one in list(running):
            try:
                work(one)
            except RuntimeError as error:
                self.failed(one.server, error)
                one.kill()
                one.wipe()
                running.remove(one)

    def start_warm(self, one, modes):
        self.say(f"start and warm up {one.server.name}")
        one.start()
        for mode in modes:
            one.load(mode, "--connections", 64, "--in-flight", 16, "--warmup", 0,
                     "--seconds", 1 if self.quick else 4)

    def run_load(self, one, row, mode, connections, in_flight):
        got = one.load(mode, "--connections", connections, "--in-flight", in_flight,
                       "--warmup", 0.2 if self.quick else 1, "--seconds", 0.6 if self.quick else 3)
        self.add_load(row, one.server.name, got)

    def add_load(self, row, name, got):
        self.results.add(f"{row} rate", name, got["ops_per_s"])
        self.results.add(f"{row} mean", name, got["mean_us"])
        self.results.add(f"{row} p50", name, got["p50_us"])
        self.results.add(f"{row} p99", name, got["p99_us"])
        self.results.add(f"{row} p999", name, got["p999_us"])
        self.results.add(f"{row} cpu", name, got["server_cpu_us_per_op"])
        self.results.add(f"{row} client cpu", name, got["client_cpu_us_per_op"])

    # -- many sessions --

    def run_crowds(self, servers, sessions, watch):
        """A new server each round: memory is that of its first 10,000 sessions, the rate that
        of its second 10,000 (when the JVMs have compiled)."""
        for round_number in range(self.rounds):
            for server in servers:
                with self.fresh(server) as one:
                    one.start()
                    if sessions:
                        self.run_sessions(one)
                    if watch:
                        got = one.load("watch", "--connections", 10000, "--rounds", 15)
                        self.results.add("10,000 watchers told", server.name, got["told_ms"])
            self.say(f"crowds: round {round_number + 1} of {self.rounds} done")

    @contextlib.contextmanager
    def fresh(self, server, heap=None):
        """An instance with an empty folder, gone afterwards; a failure is noted."""
        one = self.instance(server, heap)
        try:
            yield one
        except RuntimeError as error:
            self.failed(server, error)
        finally:
            one.stop()
            one.wipe()

    def run_sessions(self, one):
        name = one.server.name
        before = one.rss_settled_bytes(5)
        first = one.load("sessions", "--connections", 10000, "--hold", 3)
        grown = first["server_rss_after_bytes"] - before
        self.results.add("10,000 sessions memory", name, grown / 1e6)
        second = one.load("sessions", "--connections", 10000)
        self.results.add("sessions opened rate", name, second["sessions_per_s"])

    # -- start --

    def run_start(self, servers):
        for _ in range(1 if self.quick else 5):
            for server in servers:
                with self.fresh(server) as one:
                    one.start()  # its program comes into memory
                    one.stop()
                    shutil.rmtree(one.folder)
                    self.results.add("empty start", server.name, one.start() * 1e3)
                    self.results.add("empty memory", server.name, one.rss_settled_bytes(5) / 1e6)
        self.say("empty starts done")

    # -- a million znodes --

    def run_million(self, servers, count=1000000, parents=100):
        last = f"/bench/p{(count - 1) % parents:03d}/{count - 1:08d}"
        for server in servers:
            self.say(f"a million znodes in {server.name}")
            with self.fresh(server, HEAP_OF_MILLION) as one:
                one.start()
                got = one.load("create", "--count", count, "--parents", parents,
                               "--connections", 64, "--in-flight", 16)
                self.results.add("million filled rate", server.name, got["ops_per_s"])
                self.results.add("million fill p99", server.name, got["p99_us"])
                self.results.add("million fill max", server.name, got["max_us"])
                rss = one.rss_settled_bytes()
                self.results.add("million memory", server.name, rss / 1e6)
                self.results.add("million per znode", server.name, rss / count)
                one.kill()
                for _ in range(self.rounds):
                    self.results.add("million restart", server.name, one.start(path=last))
                    rss = one.rss_settled_bytes(5)
                    self.results.add("million memory after restart", server.name, rss / 1e6)
                    one.kill()

    # -- the client's cache --

    def run_cache(self, servers, count=100000, parents=100, rounds=5):
        program = str(pathlib.Path(self.loadgen).with_name("bench_cache"))
        for server in servers:
            with self.fresh(server) as one:
                one.start()
                one.load("create", "--count", count, "--parents", parents,
                         "--connections", 64, "--in-flight", 16)
                got = Load(one, [program, str(one.port), "/bench", str(rounds)]).result()
                if got["nodes"] != count + parents + 1:
                    raise RuntimeError(f"{got['nodes']} nodes in the cache")
                for ready_ms in got["ready_ms"]:
                    self.results.add("cache of 100,000 ready", server.name, ready_ms)
                self.results.add("cache of 100,000 client cpu", server.name,
                                 got["client_cpu_us_per_node"])
        self.say("caches done")
