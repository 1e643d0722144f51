"""A wall clock that the test sets, for one server; the steady clock goes on (tests/lib/shim/clock_shim.c).

    clock = ShimClock(folder)
    server = start_server(env=clock.env)
    clock.jump(-3600)               # the server's wall clock is an hour behind from now on
"""

import mmap
import struct
import subprocess

from peers import ROOT, program

SOURCE = ROOT / "tests/lib/shim/clock_shim.c"


class ShimClock:
    def __init__(self, folder):
        library = folder / "clock_shim.so"
        done = subprocess.run(
            [program("cc"), "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror",
             "-o", library, SOURCE, "-ldl"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        control = folder / "clock_shim.control"
        control.write_bytes(bytes(8))
        self._file = open(control, "r+b")
        self._memory = mmap.mmap(self._file.fileno(), 0)
        self._offset_s = 0
        self.env = {
            "LD_PRELOAD": str(library),
            # A server built with ASan minds who was loaded before it, unless told otherwise.
            "ASAN_OPTIONS": "verify_asan_link_order=0",
            "CLOCK_SHIM_CONTROL": str(control),
        }

    def jump(self, seconds):
        self._offset_s += seconds
        struct.pack_into("=q", self._memory, 0, self._offset_s * 1_000_000_000)
