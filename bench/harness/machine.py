"""Facts about the machine, and what it allows at best."""

import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import time

FILES_WANTED = 65536
DISCARD_S = 1


def raise_file_limit():
    """As many open files as we can get; the servers inherit it. Returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= FILES_WANTED:
        return soft
    for limits in ((FILES_WANTED, max(hard, FILES_WANTED)), (hard, hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            return limits[0]
        except (ValueError, PermissionError):
            continue
    return soft


def wipe(folder):
    """Removes it, and waits until the disk has done with it. Where a file system tells the disk at once what it
    may forget (mount option discard), removed files hold up everybody's syncs with the next commit of its journal,
    up to 5 s later: 31 ms for 180 MB on one machine. That is no delay of the next server's."""
    shutil.rmtree(folder, ignore_errors=True)
    os.sync()
    time.sleep(DISCARD_S)


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def memory_gib():
    kib = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1))
    return round(kib / 1024 / 1024, 1)


def filesystem_of(path):
    """Type of the file system that holds `path`: the longest mount point above it."""
    path = os.path.realpath(path)
    best, fs_type = "", "unknown"
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, mount, kind = line.split()[:3]
        inside = path == mount or path.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, fs_type = mount, kind
    return fs_type


def facts(data_dir):
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": cpu_model(),
        "memory_gib": memory_gib(),
        "kernel": re.match(r"[0-9.]*[0-9]", os.uname().release).group(0),
        "disk_fs": filesystem_of(data_dir),
        "tcp_congestion_control": pathlib.Path(
            "/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
    }


def fsync_table(program, data_dir, quick):
    """The lines of bench_fsync for a small and a batched append."""
    table = []
    for size in (200, 20000):
        out = subprocess.run(
            [program, "--json", "--dir", data_dir, "--bytes", str(size), "--seconds",
             "0.1" if quick else "0.2", "--rounds", "1" if quick else "3"],
            check=True, capture_output=True, text=True).stdout
        table += [json.loads(line) for line in out.splitlines()]
    return table


def rss_bytes(pid):
    """Resident memory; smaps_rollup is exact where the counters in statm are not."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Rss:\s+(\d+) kB", text, re.M).group(1)) * 1024
