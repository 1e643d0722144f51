"""Apache's C client (libzookeeper_mt), by a program of ours."""

import pathlib
import re
import subprocess

import pytest
from peers import ROOT, missing, program

SERVER_CONFIG = {"extendedTypesEnabled": "true", "znode.container.checkIntervalMs": 200}
SOURCE = ROOT / "tests/interop/c/interop.c"
CLAIMS = re.findall(r'^    \{"(\w+)", \w+\},$', SOURCE.read_text(), re.M)
CLAIMS.remove("hold")  # Part of another.


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    if not pathlib.Path("/usr/include/zookeeper/zookeeper.h").exists():
        missing("Apache's C client (libzookeeper-mt-dev)")
    path = tmp_path_factory.mktemp("c") / "interop"
    done = subprocess.run(
        [program("cc"), "-std=c17", "-D_GNU_SOURCE", "-DTHREADED", "-Wall", "-Wextra", "-O1", "-g",
         "-o", str(path), str(SOURCE), "-lzookeeper_mt", "-lpthread"],
        capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stderr
    return path


def test_the_program_holds_claims():
    assert len(CLAIMS) >= 12


@pytest.mark.parametrize("claim", CLAIMS)
def test_c_client(binary, module_server, claim):
    done = subprocess.run(
        [str(binary), module_server.hosts, claim], capture_output=True, text=True, timeout=100
    )
    assert done.stdout == "ok\n", done.stdout + done.stderr[-3000:]
