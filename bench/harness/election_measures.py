"""What is measured of the election: votes to three electiond on an ensemble, and the way of the program that they are
built after, on the same ensemble, in the same run."""

import contextlib
import pathlib
import threading
import time

from harness.ensemble import Ensemble
from harness.nation import Nation
from harness.servers import Load

GROUPS = ["election", "election-replay"]
# row: (door, states, options at full load, votes per second at half of what is wanted)
LOADS = {
    "votes, one state": ("grpc", "ca", ["--in-flight", 8192], 50000),
    "votes, 51 states": ("grpc", None, ["--in-flight", 16384], 30000),
    "votes, REST": ("rest", "tx", ["--connections", 1024], 7500),
}
ORIGINALS = {"original's way, one state": 1, "original's way, 51 states": 51}
ROLL, ROLL_QUICK = "1/20", "1/200"
REPLAY, REPLAY_QUICK = "1/10", "1/1000"
KILLS = 3


class ElectionBench:
    def __init__(self, bench, root):
        """`bench` has the servers, the folder and the results."""
        self.bench = bench
        self.root = root
        self.bin_dir = pathlib.Path(bench.loadgen).parent
        self.servers = [s for s in bench.servers if s.name != "null"]
        self.results = bench.results
        self.quick = bench.quick
        self.say = bench.say

    def run(self, groups):
        for group, work in (("election", self.run_loads), ("election-replay", self.run_replay)):
            if group in groups:
                for server in self.servers:
                    work(server)
                self.say(f"{group} done")

    @contextlib.contextmanager
    def fresh(self, server, roll):
        """An ensemble and a nation on it, both gone afterwards; a failure is noted."""
        folder = self.bench.folder / f"{server.name}-nation"
        ensemble = Ensemble(server, folder / "ensemble", self.bench.loadgen)
        ensemble.wipe()
        nation = None
        try:
            ensemble.start()
            nation = Nation(ensemble, self.bin_dir, self.root, folder, roll)
            nation.start()
            yield nation
        except RuntimeError as error:
            self.bench.failed(server, error)
        finally:
            if nation is not None:
                nation.stop()
                nation.wipe()
            ensemble.stop()
            ensemble.wipe()

    # -- load --

    def run_loads(self, server):
        self.say(f"an election on three of {server.name}")
        with self.fresh(server, ROLL_QUICK if self.quick else ROLL) as nation:
            for row, (door, states, options, half) in LOADS.items():
                where = ["--server" if door == "grpc" else "--rest", nation.doors(door)]
                if states is not None:
                    where += ["--states", states]
                self.run_load(nation, row, [*where, *options], half)
            self.run_originals(nation)

    def run_load(self, nation, row, words, half):
        """As much as it takes, then so much a second."""
        seconds = 1 if self.quick else 5
        nation.load("load", *words, "--duration", 1)
        for what, more in ((row, []), (f"{row}, half", ["--rate", half])):
            got = nation.load("load", *words, *more, "--duration", seconds)
            add = lambda column, value, what=what: self.results.add(f"{what}: {column}", nation.name, value)
            add("rate", got["per_second"])
            add("p50", got["p50_us"] / 1e3)
            add("p99", got["p99_us"] / 1e3)
            add("max", got["max_us"] / 1e3)
            for kind, us in got["cpu_us"].items():
                add(f"cpu {kind}", us)
            add("coordination writes", got["writes_per_s"])
            add("coordination reads", got["reads_per_s"])
            add("syncs", got["syncs_per_s"])

    def run_originals(self, nation):
        program = nation.program("bench_original")
        ports = ",".join(str(m.port) for m in nation.ensemble.members)
        for row, states in ORIGINALS.items():
            before = nation.cpu_s()["coordination"]
            got = Load(nation.ensemble, [program, ports, str(states), str(1 if self.quick else 4)]).result()
            spent_s = nation.cpu_s()["coordination"] - before
            self.results.add(f"{row}: rate", nation.name, got["ops_per_s"])
            self.results.add(f"{row}: p50", nation.name, got["p50_us"] / 1e3)
            self.results.add(f"{row}: p99", nation.name, got["p99_us"] / 1e3)
            self.results.add(f"{row}: cpu coordination", nation.name, spent_s * 1e6 / got["votes"])

    # -- the election of 2024 once more --

    def run_replay(self, server):
        scale = REPLAY_QUICK if self.quick else REPLAY
        self.say(f"2024 at {scale}, three leaders killed, on three of {server.name}")
        with self.fresh(server, scale) as nation:
            over = threading.Event()
            killer = Killer(nation, over, 1 if self.quick else 12)
            killer.start()
            began = time.monotonic()
            try:
                got = nation.electorate("replay", "--server", nation.doors("grpc"), "--scale", scale,
                                        "--in-flight", 16384)
                nation.committee("stop")
            finally:
                over.set()
                killer.join()
            add = lambda column, value: self.results.add(f"replay of 2024: {column}", nation.name, value)
            add("time", time.monotonic() - began)
            add("rate", got["per_second"])
            add("leaders killed", killer.kills)
            add("p50", got["p50_us"] / 1e3)
            add("p99", got["p99_us"] / 1e3)
            add("max", got["max_us"] / 1e3)
            add("votes", got["votes_counted"])
            add("states that are not exact", got["states"] - got["states_exact"])
            add("ballots sent again", got["sent"] - got["ballots"])


class Killer(threading.Thread):
    """Kills whoever leads California, and starts it again; the next when it has caught up."""

    def __init__(self, nation, over, every_s):
        super().__init__()
        self.nation = nation
        self.over = over
        self.every_s = every_s
        self.kills = 0

    def run(self):
        while self.kills < KILLS and not self.over.wait(self.every_s):
            leader = self.nation.leader_of("CA")
            if leader is None:
                continue
            leader.kill()
            self.kills += 1
            if not self.over.wait(2):
                leader.fork()
                leader.wait_ready()
