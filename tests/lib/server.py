"""A coordination server under test: caucusd, or Apache ZooKeeper to compare with.

    server = Server("caucusd", folder, {"tickTime": 200})
    server.start()               # returns when the server says that it serves
    with server.session() as s:  # raw protocol
        ...
    server.kill()                # SIGKILL
    server.start()               # again, on the same folder and port
    server.stop()                # SIGTERM; wants a clean exit of caucusd

The configuration is a zoo.cfg with any keys. The few settings that Apache takes only as
Java system properties are given to it in that way.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time
import urllib.request

import rawzk
from peers import LOGBACK, caucusd, class_archive, libraries, program
from ports import free_port

BACKENDS = ("caucusd", "apache38", "apache386", "apache39")
APACHE_RELEASE = {"apache38": "3.8", "apache386": "3.8.6", "apache39": "3.9"}

START_TIMEOUT_S = 60  # a JVM on a busy machine
STOP_TIMEOUT_S = 20
LOG_TIMEOUT_S = 40

# zoo.cfg turns a key k into the system property zookeeper.k; these are read without prefix.
PLAIN_SYSTEM_PROPERTIES = (
    "jute.maxbuffer",
    "znode.container.checkIntervalMs",
    "znode.container.maxPerMinute",
    "znode.container.maxNeverUsedIntervalMs",
)

# The last thing Apache logs before it serves is the start of the container manager; caucusd
# says it outright.
APACHE_SERVES = re.compile(r"Using checkIntervalMs=")
CAUCUSD_SERVES = re.compile(r"\bevent=serving\b")

def _state(task):
    """The letter of a thread's state, from /proc."""
    try:
        return (task / "stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return "X"


class Server:
    def __init__(self, backend, folder, config=None, prefix=(), env=None):
        """prefix: a command that runs the server's; env: more of the environment."""
        assert backend in BACKENDS, backend
        self.prefix = list(prefix)
        self.env = env
        self.backend = backend
        self.folder = pathlib.Path(folder)
        self.config = dict(config or {})
        self.port = free_port()
        self.data_dir = self.folder / "data"
        self.process = None
        self._reader = None
        self._serving = threading.Event()
        self._log_grew = threading.Condition()
        self._sessions = []

    is_apache = property(lambda self: self.backend != "caucusd")
    is_caucusd = property(lambda self: self.backend == "caucusd")

    # --- life ---

    def start(self, wait=True):
        assert self.process is None, "already running"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data_dir.mkdir(exist_ok=True)
        config = self._write_config()
        self._serving.clear()
        self.process = subprocess.Popen(
            self.prefix + self._command(config),
            env={**os.environ, **self.env} if self.env else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        if wait:
            self.wait_serving()
        return self

    def _write_config(self):
        config = self.folder / "zoo.cfg"
        config.write_text("".join(f"{k}={v}\n" for k, v in self._settings().items()))
        return config

    def _settings(self):
        settings = {
            "tickTime": 1000,
            "clientPortAddress": "127.0.0.1",
            "clientPort": self.port,
            "dataDir": self.data_dir,
            "admin.enableServer": "false",
            # Not the default 64 MiB per log file: tests make many.
            "preAllocSize": 256,
        }
        settings.update(self.config)
        return {k: v for k, v in settings.items() if v is not None}

    def _command(self, config):
        if self.is_caucusd:
            return [caucusd(), str(config)]
        properties = [
            f"-D{k}={v}" for k, v in self.config.items() if k in PLAIN_SYSTEM_PROPERTIES
        ]
        release = APACHE_RELEASE[self.backend]
        return [
            program("java"),
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Djava.net.preferIPv4Stack=false",
            f"-Dlogback.configurationFile={LOGBACK}",
            *self._class_archive(release),
            *properties,
            "-cp",
            libraries(release),
            "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            str(config),
        ]

    def _class_archive(self, release):
        """Half of what a JVM does until its server serves is to load classes."""
        archive = class_archive(release)
        return [f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off"] if archive.exists() else []

    def _read_log(self):
        serves = APACHE_SERVES if self.is_apache else CAUCUSD_SERVES
        process = self.process
        with open(self.log_path, "a") as log:
            for line in process.stderr:
                with self._log_grew:
                    log.write(line)
                    log.flush()
                    self._log_grew.notify_all()
                if serves.search(line):
                    self._serving.set()
        self._serving.set()  # The end of the log wakes who waits, too.

    log_path = property(lambda self: self.folder / "server.log")

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def wait_log(self, pattern, count=1, since=0, timeout_s=LOG_TIMEOUT_S):
        """Wait until the log, from the character `since` on, holds so many lines that match; returns the
        last of them."""
        def found():
            lines = [line for line in self.log()[since:].split("\n") if re.search(pattern, line)]
            return lines[-1] if len(lines) >= count else None

        with self._log_grew:
            line = self._log_grew.wait_for(found, timeout_s)
        assert line, f"no line with {pattern!r}:\n{self.log()[-4000:]}"
        return line

    def wait_serving(self):
        if not self._serving.wait(START_TIMEOUT_S):
            self.kill()
            raise AssertionError(f"{self.backend} does not serve:\n{self.log()[-4000:]}")
        if not self._reader.is_alive() or self.process.poll() is not None:
            code = self.process.wait(STOP_TIMEOUT_S)
            self.process = None
            raise AssertionError(f"{self.backend} ended with {code}:\n{self.log()[-4000:]}")

    def wait_end(self):
        """Wait for a server that ends by itself; returns its exit code."""
        code = self.process.wait(STOP_TIMEOUT_S)
        self._reader.join()
        self.process = None
        return code

    def stop(self):
        """SIGTERM. caucusd must exit with 0; the JVM says 143."""
        if self.process is None:
            return
        self.close_sessions()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.backend} did not stop:\n{self.log()[-4000:]}") from None
        self._reader.join()
        self.process = None
        assert code == (143 if self.is_apache else 0), f"exit {code}:\n{self.log()[-4000:]}"

    def kill(self):
        """SIGKILL."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def pause(self):
        """SIGSTOP. Returns when every thread stands still: the signal alone lets them go on a little."""
        self.process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        while any(_state(task) not in "TtZX" for task in tasks.iterdir()):
            assert time.monotonic() < deadline, f"{self.backend} does not stand still"

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    # --- ways in ---

    address = property(lambda self: ("127.0.0.1", self.port))
    hosts = property(lambda self: f"127.0.0.1:{self.port}")

    def conn(self, **kwargs):
        return rawzk.Conn(self.address, **kwargs)

    def session(self, **kwargs):
        """A raw session. Those still open at the end of the test are closed there."""
        session = self.raw_session(**kwargs)
        self._sessions.append(session)
        return session

    def raw_session(self, **kwargs):
        """One that nobody closes. ZOOKEEPER-4537, which 3.8.1 mended: 3.8.0 may overlook a commit, and answers
        nobody before the next one comes. The faster its leader, the more often; in tests nobody else may be there."""
        return rawzk.Session(self.address, wake=self._commit if self.backend == "apache38" else None, **kwargs)

    def _commit(self):
        try:
            rawzk.Session(self.address, timeout_s=3).close_session()
        except (OSError, rawzk.Closed):
            pass  # stopped, killed, or nobody leads: nor was an answer due

    def close_sessions(self):
        for session in self._sessions:
            session.close()
        self._sessions = []

    def four_letter(self, word):
        with self.conn() as c:
            c.send_bytes(word.encode() if isinstance(word, str) else word)
            return c.recv_until_closed().decode()

    def http(self, path, port=None, data=None, headers=None, method=None):
        """GET (or POST with data): (status, headers, body)."""
        port = port or self.config["admin.serverPort"]
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}", data=data, headers=headers or {}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as e:
            return e.code, e.headers, e.read()

    def admin(self, command, **kwargs):
        """The JSON of an admin command."""
        status, _, body = self.http(f"/commands/{command}", **kwargs)
        assert status == 200, (command, status, body)
        return json.loads(body)
