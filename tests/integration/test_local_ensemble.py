"""caucusd --ensemble N: several servers from one command."""

import os
import pathlib
import re
import select
import signal
import socket
import subprocess

import pytest
import rawzk
from peers import caucusd
from ports import free_port
from rawzk import create, get_data, sync

pytestmark = pytest.mark.caucusd_only
TIMEOUT_S = 20


class Local:
    def __init__(self, folder, port, *more):
        self.folder = folder
        self.process = subprocess.Popen(
            [caucusd(), "--ensemble", "3", "--data", str(folder), "--port", str(port),
             "-D", "preAllocSize=256", "-DtickTime=300", *more],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )

    def wait_addresses(self):
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return [(host, int(port)) for host, port in
                (place.split(":") for place in line.strip().split(","))]

    def pids(self):
        """Of the servers, by number: those of our child's children that run on its folders."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = {}
        for pid in children.read_text().split():
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            found[int(re.search(rb"/(\d+)/zoo\.cfg", words[-2])[1])] = int(pid)
        return found

    def log(self, number):
        return (self.folder / str(number) / "caucusd.log").read_text()

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(TIMEOUT_S)
        return self.process.returncode, self.process.stderr.read()


@pytest.fixture
def local(tmp_path):
    started = []

    def start(*more, port=None):
        started.append(Local(tmp_path / "servers", port or free_port(), *more))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end()
        one.process.stdout.close()
        one.process.stderr.close()


def write_through_each(addresses, name):
    for i, address in enumerate(addresses):
        with rawzk.Session(address) as s:
            s.ok(create(f"/{name}{i}", name.encode()))


def read_through_each(addresses, name, count=3):
    for address in addresses:
        with rawzk.Session(address) as s:
            s.ok(sync("/"))
            for i in range(count):
                assert s.ok(get_data(f"/{name}{i}"))[0] == name.encode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_three_servers_start_serve_and_stop_together(local, number):
    one = local()
    addresses = one.wait_addresses()
    assert len(addresses) == 3
    write_through_each(addresses, "a")
    read_through_each(addresses, "a")
    pids = one.pids()
    assert sorted(pids) == [1, 2, 3]
    assert one.end(number) == (0, "")
    for pid in pids.values():
        assert not os.path.exists(f"/proc/{pid}")


def test_the_same_command_brings_the_data_back(local):
    one = local()
    write_through_each(one.wait_addresses(), "a")
    assert one.end()[0] == 0
    again = local()
    read_through_each(again.wait_addresses(), "a")


def test_a_server_that_dies_is_told_and_the_others_go_on(local):
    one = local()
    addresses = one.wait_addresses()
    victim = next(n for n in (1, 2, 3) if "role=follower" in one.log(n))
    os.kill(one.pids()[victim], signal.SIGKILL)
    assert f"server {victim} was ended by signal 9" in one.process.stderr.readline()
    del addresses[victim - 1]
    write_through_each(addresses, "b")
    code, _ = one.end()
    assert code == 1


def test_ports_that_are_taken_are_passed_over(local):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        taken = s.getsockname()[1]
        addresses = local(port=taken).wait_addresses()
        assert taken not in [port for _, port in addresses]


def test_what_keeps_servers_from_starting_is_shown(local):
    one = local("-D", "syncLimit=soon")
    one.process.wait(TIMEOUT_S)
    assert one.process.returncode == 1
    assert "syncLimit" in one.process.stderr.read()


def test_servers_end_when_who_started_them_is_killed(local):
    one = local()
    one.wait_addresses()
    pids = one.pids().values()
    descriptors = [os.pidfd_open(pid) for pid in pids]
    one.process.kill()
    one.process.wait(TIMEOUT_S)
    for fd in descriptors:
        assert select.select([fd], [], [], TIMEOUT_S)[0], "a server lives on"
        os.close(fd)
