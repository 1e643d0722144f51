"""Disks that make trouble, for servers that run as real processes.

    disk = ShimDisk(folder)                  # slow, stuck or broken: tests/lib/shim/disk_shim.c
    server = start_server(env=disk.env)
    with disk.held():                        # no sync comes back meanwhile
        ...

    with SmallDisk(folder, size="2m") as disk:      # full: a tmpfs that only the server sees
        server = start_server({"dataDir": disk.path}, prefix=disk.prefix)
        disk.fill()
"""

import contextlib
import fcntl
import mmap
import os
import pathlib
import select
import struct
import subprocess

from peers import ROOT, missing, program

SOURCE = ROOT / "tests/lib/shim/disk_shim.c"
_FIELDS = (
    "sync_count", "sync_error_from", "sync_error", "sync_delay_us",
    "write_count", "write_error_from", "write_error",
)


class ShimDisk:
    def __init__(self, folder):
        library = folder / "disk_shim.so"
        done = subprocess.run(
            [program("cc"), "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror",
             "-o", library, SOURCE, "-ldl"],
            capture_output=True, text=True,
        )
        assert done.returncode == 0, done.stderr
        self.control = folder / "disk_shim.control"
        self.control.write_bytes(bytes(8 * len(_FIELDS)))
        self.file = open(self.control, "r+b")  # open as long as the test runs
        self.memory = mmap.mmap(self.file.fileno(), 0)
        os.mkfifo(folder / "disk_shim.events")
        self.events = os.open(folder / "disk_shim.events", os.O_RDWR)
        self.env = {
            "LD_PRELOAD": str(library),
            # A server built with ASan minds who was loaded before it, unless told otherwise.
            "ASAN_OPTIONS": "verify_asan_link_order=0",
            "DISK_SHIM_CONTROL": str(self.control),
            "DISK_SHIM_EVENTS": str(folder / "disk_shim.events"),
        }

    def __getitem__(self, field):
        return struct.unpack_from("=q", self.memory, 8 * _FIELDS.index(field))[0]

    def __setitem__(self, field, value):
        struct.pack_into("=q", self.memory, 8 * _FIELDS.index(field), value)

    def fail(self, call, error, after=0):
        """After that many more calls ("sync" or "write") they fail."""
        self[f"{call}_error"] = error
        self[f"{call}_error_from"] = self[f"{call}_count"] + 1 + after

    def wait_failures(self, count, timeout_s=20):
        """Wait until so many more calls have failed."""
        for _ in range(count):
            ready, _, _ = select.select([self.events], [], [], timeout_s)
            assert ready, "no call fails any more"
            os.read(self.events, 1)

    def mend(self):
        self["sync_error_from"] = self["write_error_from"] = 0

    @contextlib.contextmanager
    def held(self):
        fcntl.flock(self.file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self.file, fcntl.LOCK_UN)


class SmallDisk:
    """A file system of a few megabytes in a mount namespace of its own. It outlives the server, and goes
    with the namespace: nothing is left behind."""

    def __init__(self, folder, size):
        self.path = pathlib.Path(folder) / "small"
        self.size = size

    def __enter__(self):
        if os.geteuid() != 0:
            missing("right to mount (root)")
        self.path.mkdir()
        self.holder = subprocess.Popen(
            [program("unshare"), "--mount", "sh", "-c",
             'mount -t tmpfs -o "size=$1" tmpfs "$2" && echo mounted && read -r line',
             "sh", self.size, str(self.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        if self.holder.stdout.readline() != "mounted\n":
            self.holder.wait()
            missing("mount namespace (unshare --mount, tmpfs)")
        self.prefix = [program("nsenter"), "--mount", "-t", str(self.holder.pid), "--"]
        # The same folder, seen from outside of the namespace.
        self.outside = pathlib.Path(f"/proc/{self.holder.pid}/root{self.path}")
        return self

    def __exit__(self, *_):
        self.holder.communicate("\n")

    def fill(self, leave=0):
        """Takes all space but `leave` bytes."""
        filler = self.outside / "filler"
        with open(filler, "ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        if leave:
            os.truncate(filler, filler.stat().st_size - leave)

    def free(self):
        (self.outside / "filler").unlink()
