"""The servers under test: how each is started, stopped and killed.

All get the same zoo.cfg with a data folder of their own, on the same disk, fsync on,
snapshots as they come. Only what would stop the bench is changed: no limit of connections
per address, and session timeouts long enough for sessions that never ping.
"""

import glob
import json
import pathlib
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
"""

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
STOP_WITHIN_S = 30


class Apache:
    """Apache ZooKeeper from a folder of jars or from Debian's package."""

    def __init__(self, name, jars):
        self.name = name
        self.jars = jars
        self.version = re.search(r"/zookeeper-(\d+\.\d+\.\d+)\.jar", " ".join(jars)).group(1)

    def command(self, config, folder, heap):
        (folder / "logback.xml").write_text(LOGBACK_XML)
        flags = [f"-Xmx{heap}"] if heap else []
        return ["java", *flags, "-cp", ":".join([str(folder), *self.jars]), APACHE_MAIN, config]

    def describe(self):
        java = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr
        return {"version": self.version, "java": java.splitlines()[0]}


class Native:
    """caucusd, or another program that takes a zoo.cfg."""

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
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Instance:
    """One server on one data folder; survives being killed and started again."""

    def __init__(self, server, folder, loadgen, heap=None):
        self.server = server
        self.folder = pathlib.Path(folder)
        self.loadgen = loadgen
        self.heap = heap
        self.process = None
        self.port = None

    def wipe(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, path="/"):
        """Starts it and waits for the first answer to a read of `path`; returns the seconds
        from just before the fork to that answer. The one who knocks is already running."""
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        config = self.folder / "zoo.cfg"
        config.write_text(ZOO_CFG.format(data=data, port=self.port))
        command = self.server.command(str(config), self.folder, self.heap)

        knocker = subprocess.Popen(
            [self.loadgen, "first-answer", "--port", str(self.port), "--path", path],
            stdout=subprocess.PIPE, text=True)
        time.sleep(0.05)
        log = open(self.folder / "log", "ab")
        from_ns = time.monotonic_ns()
        self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        while knocker.poll() is None:
            if self.process.poll() is not None:
                knocker.kill()
                knocker.wait()
                raise RuntimeError(f"{self.server.name} ended: {self.log_tail()}")
            try:
                knocker.wait(0.1)
            except subprocess.TimeoutExpired:
                pass
        if knocker.returncode != 0:
            raise RuntimeError(f"{self.server.name} gave no good answer: {self.log_tail()}")
        return (json.loads(knocker.stdout.read())["answered_at_ns"] - from_ns) / 1e9

    def log_tail(self):
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    def load(self, mode, *options):
        """Runs the load generator against it; returns its JSON. A failure is ours, too."""
        done = subprocess.run(
            [self.loadgen, mode, "--port", str(self.port), "--server-pid", str(self.process.pid),
             *map(str, options)], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{mode} on {self.server.name}: {done.stderr.strip()}\n"
                               f"{self.log_tail()}")
        return json.loads(done.stdout)

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
