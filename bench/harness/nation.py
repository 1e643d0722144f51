"""Three servers of an election on an ensemble: started, opened, loaded, asked for their numbers."""

import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import time
import urllib.request

from harness import machine
from harness.servers import STOP_WITHIN_S, free_port

SIZE = 3
STATES = 51
READY_WITHIN_S = 120
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def process_cpu_s(pid):
    """User and system time; 0 of one that is gone."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def children_cpu_s():
    """Of children that have ended."""
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime + use.ru_stime


class Electiond:
    """One of them; it may be killed and started again."""

    def __init__(self, nation, number):
        self.nation = nation
        self.name = f"server{number}"
        self.folder = nation.folder / self.name
        self.doors = {door: f"127.0.0.1:{free_port()}" for door in ("rest", "grpc", "peer")}
        self.process = None
        self.mark = 0

    def log_path(self):
        return self.folder.with_suffix(".log")

    def fork(self):
        command = [self.nation.program("electiond"), "--zookeeper", self.nation.hosts, "--election",
                   self.nation.definition, "--data", self.folder, "--name", self.name,
                   "--auth", "none", "--committee", "open"]
        for door, address in self.doors.items():
            command += [f"--{door}", address]
        self.mark = self.log_path().stat().st_size if self.log_path().exists() else 0
        with open(self.log_path(), "ab") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)

    def log(self):
        return self.log_path().read_bytes()[self.mark:].decode(errors="replace")

    def wait_ready(self):
        deadline = time.monotonic() + READY_WITHIN_S
        while "event=ready" not in self.log():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} is not ready: {self.log()[-700:]}")
            time.sleep(0.05)

    def metrics(self):
        """{name or name{labels}: value}"""
        text = urllib.request.urlopen(f"http://{self.doors['rest']}/metrics", timeout=10).read()
        return {name: float(value) for name, value in
                re.findall(r"^([^#\s]\S*) (\S+)$", text.decode(), re.M)}

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Nation:
    def __init__(self, ensemble, bin_dir, root, folder, roll_scale):
        """`ensemble` is up. Rolls of `roll_scale` (text, N/M) of the nation's."""
        self.ensemble = ensemble
        self.name = ensemble.name
        self.bin_dir = pathlib.Path(bin_dir)
        self.folder = pathlib.Path(folder)
        self.hosts = ",".join(f"127.0.0.1:{m.port}" for m in ensemble.members)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.definition = self.folder / "definition"
        shutil.copytree(root / "elections/us-2024", self.definition)
        conf = self.definition / "election.conf"
        conf.write_text(re.sub(r"roll_scale=\S+", f"roll_scale={roll_scale}", conf.read_text()))
        self.servers = [Electiond(self, n) for n in range(1, SIZE + 1)]

    def program(self, name):
        return str(self.bin_dir / name)

    def doors(self, door):
        return ",".join(s.doors[door] for s in self.servers)

    def committee(self, *words):
        command = [self.program("committee"), "--server", self.doors("grpc"), *words]
        got = subprocess.run(command, capture_output=True, text=True)
        if got.returncode != 0:
            raise RuntimeError(f"committee {words[0]}: {got.stderr.strip()}\n{self.log_tail()}")
        return got.stdout

    # -- life --

    def start(self):
        for server in self.servers:
            server.fork()
        for server in self.servers:
            server.wait_ready()
        self.committee("start")
        self.wait_led()

    def wait_led(self):
        """Each state has its leader: `start` answers before that."""
        deadline = time.monotonic() + READY_WITHIN_S
        while self.states_led() < STATES:
            if time.monotonic() > deadline:
                raise RuntimeError(f"not all states are led: {self.log_tail()}")
            time.sleep(0.1)

    def states_led(self):
        return sum(value for server in self.servers for name, value in server.metrics().items()
                   if name.startswith("is_leader{"))

    def leader_of(self, state):
        for server in self.servers:
            if server.process is not None and server.metrics().get(f'is_leader{{state="{state}"}}') == 1:
                return server
        return None

    def stop(self):
        running = [s for s in self.servers if s.process is not None]
        for server in running:
            server.process.send_signal(signal.SIGTERM)
        for server in running:
            try:
                server.process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                pass
            server.kill()

    def wipe(self):
        machine.wipe(self.folder)

    def log_tail(self):
        return "\n".join(f"{s.name}: {s.log()[-500:]}" for s in self.servers)

    # -- what it costs --

    def cpu_s(self):
        pids = {"electiond": [s.process.pid for s in self.servers if s.process is not None],
                "coordination": [m.process.pid for m in self.ensemble.members
                                 if m.process is not None]}
        return {kind: sum(process_cpu_s(pid) for pid in of) for kind, of in pids.items()}

    def counters(self):
        """Sums over the servers."""
        sums = {}
        for server in self.servers:
            for name, value in server.metrics().items():
                sums[name] = sums.get(name, 0) + value
        return sums

    # -- load --

    def electorate(self, *words):
        """Runs it; its JSON, and the seconds of CPU it took as "cpu_s". A refused vote or a
        wrong count is a failure."""
        command = [self.program("electorate"), words[0], str(self.definition), *words[1:], "--json",
                   "--quiet"]
        before_s = children_cpu_s()
        got = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if got.returncode != 0:
            raise RuntimeError(f"electorate {words[0]}: {got.returncode}: {got.stdout}"
                               f"{got.stderr.strip()}\n{self.log_tail()}")
        return {**json.loads(got.stdout), "cpu_s": children_cpu_s() - before_s}

    def load(self, *words):
        """electorate with what it cost everybody: cpu_us of each kind of process and the
        coordination's writes, per vote and second."""
        cpu, counters = self.cpu_s(), self.counters()
        got = self.electorate(*words)
        cpu_after, counters_after = self.cpu_s(), self.counters()
        votes, seconds = got["ballots"], got["duration_ms"] / 1e3
        got["cpu_us"] = {kind: (cpu_after[kind] - cpu[kind]) * 1e6 / votes for kind in cpu}
        got["cpu_us"]["load"] = got["cpu_s"] * 1e6 / votes
        for name, counter in (("writes", 'coord_writes_total{result="ok"}'), ("reads", "coord_reads_total"),
                              ("syncs", "fsync_seconds_count")):
            got[f"{name}_per_s"] = (counters_after[counter] - counters[counter]) / seconds
        return got
