"""The servers under test: how each is started, stopped and killed.

All get the same zoo.cfg with a data folder of their own, on the same disk, fsync on,
snapshots as they come. Only what would stop the bench is changed: no limit of connections
per address, and session timeouts long enough for sessions that never ping.
"""

import glob
import json
import pathlib
import random
import re
import shutil
import socket
import subprocess
import time

from harness import machine

ZOO_CFG = """\
tickTime=2000
dataDir={data}
clientPort={port}
clientPortAddress=127.0.0.1
maxClientCnxns=0
maxSessionTimeout=3600000
admin.enableServer=false
{more}"""

# Apache's own default is to log every session at INFO; the bench does not charge it for that.
LOGBACK_XML = """\
<configuration>
  <appender name="E" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d %p %c: %m%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="E"/></root>
</configuration>
"""

APACHE_MAIN = "org.apache.zookeeper.server.ZooKeeperServerMain"
APACHE_MAIN_OF_ENSEMBLES = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
STOP_WITHIN_S = 30
HEAP_OF_MILLION = "4g"  # of the JVMs with a million znodes; elsewhere their default


class Apache:
    """Apache ZooKeeper from a folder of jars or from Debian's package."""

    # A snapshot after every few thousand writes. (In bytes, Apache counts a new log file's
    # 64 MB of padding.)
    snapshots_often = "snapCount=10000\n"

    def __init__(self, name, jars):
        self.name = name
        self.jars = jars
        self.version = re.search(r"/zookeeper-(\d+\.\d+\.\d+)\.jar", " ".join(jars)).group(1)

    def command(self, config, folder, heap):
        (folder / "logback.xml").write_text(LOGBACK_XML)
        flags = [f"-Xmx{heap}"] if heap else []
        alone = "\nserver." not in pathlib.Path(config).read_text()
        main = APACHE_MAIN if alone else APACHE_MAIN_OF_ENSEMBLES
        return ["java", *flags, "-cp", ":".join([str(folder), *self.jars]), main, config]

    def describe(self):
        java = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr
        return {"version": self.version, "java": java.splitlines()[0]}


class Native:
    """caucusd, or another program that takes a zoo.cfg."""

    # By count caucusd takes none before the log is half as large as the snapshot.
    snapshots_often = "snapSizeLimitInKb=2500\n"

    def __init__(self, name, program):
        self.name = name
        self.program = str(program)

    def command(self, config, folder, heap):
        return [self.program, config]

    def describe(self):
        out = subprocess.run([self.program, "--version"], capture_output=True, text=True)
        return {"version": out.stdout.strip() or "unknown"}


class Null(Native):
    """The server that does nothing: the ceiling."""

    def command(self, config, folder, heap):
        port = re.search(r"^clientPort=(\d+)", pathlib.Path(config).read_text(), re.M).group(1)
        return [self.program, "--port", port]

    def describe(self):
        return {"version": "none"}


def find_all(root, bin_dir):
    """Every server that is here, by name, in the order of the table."""
    found = []
    if shutil.which("java"):
        debian = glob.glob("/usr/share/java/zookeeper-3.8.*.jar")
        if debian:
            found.append(Apache("apache38", debian))  # its manifest names the other jars
        jars = sorted(glob.glob(str(root / "build/peers/zookeeper-3.9/lib/*.jar")))
        if jars:
            found.append(Apache("apache39", jars))
    if (bin_dir / "caucusd").exists():
        found.append(Native("caucusd", bin_dir / "caucusd"))
    if (bin_dir / "bench_nullserver").exists():
        found.append(Null("null", bin_dir / "bench_nullserver"))
    return {server.name: server for server in found}


def free_port():
    """Below the ports that connections get by themselves: clients that knock while a server is
    being restarted would otherwise sooner or later sit on the port it wants back."""
    text = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    above = int(text.split()[0])
    while True:
        port = random.randrange(10000, above) if above > 11000 else 0
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return s.getsockname()[1]


class Knocker:
    """A load generator that waits for something a starting server does. It runs before the
    server does, so that no part of the start is missed."""

    def __init__(self, one, mode, *options):
        self.one = one
        self.mode = mode
        self.process = subprocess.Popen(
            [one.loadgen, mode, "--port", str(one.port), *map(str, options)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(0.05)

    def answered_at_ns(self):
        """Waits; a server that ends meanwhile is an error."""
        while self.process.poll() is None:
            if self.one.process is None or self.one.process.poll() is not None:
                self.give_up()
                raise RuntimeError(f"{self.one.name} ended: {self.one.log_tail()}")
            try:
                self.process.wait(0.1)
            except subprocess.TimeoutExpired:
                pass
        out, err = self.process.communicate()
        if self.process.returncode != 0:
            raise RuntimeError(f"{self.one.name}, {self.mode}: {err.strip()}\n"
                               f"{self.one.log_tail()}")
        return json.loads(out)["answered_at_ns"]

    def give_up(self):
        self.process.kill()
        self.process.communicate()


class Load:
    """A load generator at work on `target` (a server or an ensemble)."""

    def __init__(self, target, command):
        self.target = target
        self.mode = command[1]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)

    def result(self):
        out, err = self.process.communicate()
        if self.process.returncode != 0:
            raise RuntimeError(f"{self.mode} on {self.target.name}: {err.strip()}\n"
                               f"{self.target.log_tail()}")
        return json.loads(out)

    def end(self):
        """Tells it that its time is over; returns its JSON."""
        self.process.terminate()
        return self.result()


class Instance:
    """One server on one data folder; survives being killed and started again."""

    def __init__(self, server, folder, loadgen, heap=None):
        self.server = server
        self.name = server.name
        self.folder = pathlib.Path(folder)
        self.loadgen = loadgen
        self.heap = heap
        self.process = None
        self.port = None
        self.more_config = ""

    def wipe(self):
        machine.wipe(self.folder)

    def start(self, path="/"):
        """Starts it and waits for the first answer to a read of `path`; returns the seconds
        from just before the fork to that answer. The one who knocks is already running."""
        self.port = free_port()
        knocker = Knocker(self, "first-answer", "--path", path)
        from_ns = self.fork()
        return (knocker.answered_at_ns() - from_ns) / 1e9

    def fork(self):
        """Writes its zoo.cfg and starts it; returns when that was. Its port is chosen already."""
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        config = self.folder / "zoo.cfg"
        config.write_text(ZOO_CFG.format(data=data, port=self.port, more=self.more_config))
        command = self.server.command(str(config), self.folder, self.heap)
        with open(self.folder / "log", "ab") as log:
            from_ns = time.monotonic_ns()
            self.process = subprocess.Popen(command, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        return from_ns

    def log_tail(self):
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    def load(self, mode, *options):
        """Runs the load generator against it; returns its JSON. A failure is ours, too."""
        return self.start_load(mode, *options).result()

    def start_load(self, mode, *options):
        return Load(self, [self.loadgen, mode, "--port", str(self.port),
                           "--server-pid", str(self.process.pid), *map(str, options)])

    def rss_settled_bytes(self, patience_s=15):
        """Resident memory, once it has stopped moving (within half a percent for 1.5 s)."""
        last, still = machine.rss_bytes(self.process.pid), 0
        deadline = time.monotonic() + patience_s
        while still < 3 and time.monotonic() < deadline:
            time.sleep(0.5)
            now = machine.rss_bytes(self.process.pid)
            still = still + 1 if abs(now - last) <= last * 0.005 else 0
            last = now
        return last

    def kill(self):
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
