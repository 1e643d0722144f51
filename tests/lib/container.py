"""Containers without a container engine, as far as a program can tell: a root of its own that cannot be written to, a
network of its own (netlab), names of hosts, a user without any privilege, number 1 of its own processes.

    with Netlab(2) as net:
        c = Container(image, "zk1", net.places[1], {"zk1": "10.77.1.2"}, env={...}, mounts={"/data": folder})
        c.start(["caucusd"])
        c.run(["caucus-container", "ready"])    # another process of it; its status and output
    c.beside([...])                         # the same, while the test goes on
        c.stop(grace_s=30)                      # SIGTERM; its status

Made by bubblewrap, which takes its programs down when the test ends, however it ends.
"""

import json
import os
import pathlib
import signal
import subprocess

from peers import program


class Container:
    def __init__(self, image, name, place, hosts, env=(), mounts=(), tmpfs=(), log=None):
        """`image` has /usr/local of it; `mounts` are paths in it and the folders that are there."""
        self.image, self.name, self.place = image, name, place
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOSTNAME": name, **dict(env)}
        self.mounts, self.tmpfs = dict(mounts), list(tmpfs)
        self.folder = pathlib.Path(log).parent
        self.log_path = pathlib.Path(log)
        self.process = None
        self._etc = self.folder / f"{name}.etc"
        self._etc.mkdir()
        (self._etc / "hosts").write_text("127.0.0.1 localhost\n" + "".join(f"{ip} {host}\n" for host, ip in hosts.items()))
        (self._etc / "nsswitch.conf").write_text("passwd: files\nhosts: files\n")
        (self._etc / "passwd").write_text("caucus:x:1000:1000::/data:/usr/sbin/nologin\n")

    def __repr__(self):
        return f"<{self.name}>"

    def _prefix(self):
        words = [*self.place.prefix, program("bwrap"), "--unshare-user", "--unshare-pid", "--unshare-uts", "--hostname",
                 self.name, "--die-with-parent", "--as-pid-1", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL",
                 "--ro-bind", "/usr", "/usr", "--ro-bind", self.image / "usr/local", "/usr/local", "--proc", "/proc",
                 "--dev", "/dev", "--ro-bind", self._etc, "/etc"]
        for link in ("bin", "lib", "lib64", "sbin"):
            words += ["--symlink", f"usr/{link}", f"/{link}"]
        for path in self.tmpfs:
            words += ["--tmpfs", path]
        for path, folder in self.mounts.items():
            words += ["--bind", folder, path]
        words += ["--remount-ro", "/", "--clearenv"]
        for name, value in self.env.items():
            words += ["--setenv", name, value]
        return [str(w) for w in words]

    def start(self, words):
        assert self.process is None
        read, write = os.pipe()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self._prefix(), "--info-fd", str(write), *words], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, pass_fds=[write])
        os.close(write)
        with os.fdopen(read) as info:
            text = info.read()
        assert text, f"{self}:\n{self.log()}"
        self.pid = json.loads(text)["child-pid"]
        return self

    def beside(self, words):
        return subprocess.Popen([*self._prefix(), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def run(self, words):
        process = self.beside(words)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def stop(self, grace_s, sig=signal.SIGTERM):
        """As an engine stops it: whoever is not done after the grace is a failure here."""
        process, self.process = self.process, None
        os.kill(self.pid, sig)
        try:
            return process.wait(grace_s)
        finally:
            process.kill()
            process.wait()

    def kill(self):
        if self.process is not None:
            self.stop(10, signal.SIGKILL)

    def log(self):
        return self.log_path.read_text(errors="replace")
