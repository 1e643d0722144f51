"""A client for Node from npm (node-zookeeper-client), by a program of ours."""

import os
import re
import subprocess

import pytest
from peers import PEERS, ROOT, missing, program

SOURCE = ROOT / "tests/interop/node/interop.js"
CLAIMS = re.findall(r"^  async (\w+)\(zk", SOURCE.read_text(), re.M)


def test_the_program_holds_claims():
    assert len(CLAIMS) >= 7


@pytest.mark.parametrize("claim", CLAIMS)
def test_node_client(module_server, claim):
    modules = PEERS / "node/node_modules"
    if not (modules / "node-zookeeper-client").exists():
        missing("npm package node-zookeeper-client")
    done = subprocess.run(
        [program("node"), str(SOURCE), module_server.hosts, claim],
        env=os.environ | {"NODE_PATH": str(modules)},
        capture_output=True, text=True, timeout=100,
    )
    assert done.stdout == "ok\n", done.stdout + done.stderr[-3000:]
