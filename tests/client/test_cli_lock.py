"""caucus lock: a command runs while its caucus holds a lock. What ends it is what ends that of elect."""

import signal

import pytest
from cli import CONNECTION, NO, USAGE, Cli
from holders import CONFIG, GENTLE, SHORT_MS, STUBBORN, begun, make  # CONFIG: of conftest's server
from ports import free_port
from talk import wait_for_children

READ = 'echo "begin $CAUCUS_FENCING_TOKEN $$"; exec sleep 1000'


@pytest.fixture(scope="module")
def kind():
    return "caucusd"


def test_one_has_it_and_then_the_other(running, path, follower, resource):
    s = make(running, path)
    one = follower("-s", running.hosts, "lock", path, "--", "sh", "-c", GENTLE, resource)
    first, _ = begun(one)
    two = follower("-s", running.hosts, "lock", "--wait=60000", path, "--", "sh", "-c", GENTLE, resource)
    wait_for_children(s, 2, path)
    assert one.end(signal.SIGTERM) == 128 + 15
    second, _ = begun(two)
    assert second > first
    assert two.end(signal.SIGTERM) == 128 + 15
    wait_for_children(s, 0, path)


def test_readers_share_it_and_a_writer_waits(running, path, follower):
    s = make(running, path)
    readers = [follower("-s", running.hosts, "lock", "--shared", path, "--", "sh", "-c", READ) for _ in range(2)]
    for reader in readers:
        begun(reader)
    writer = follower("-s", running.hosts, "lock", path, "--", "sh", "-c", READ)
    wait_for_children(s, 3, path)
    for reader in readers:
        assert writer.out.empty()
        reader.end(signal.SIGTERM)
    begun(writer)


def test_whoever_does_not_wait_is_told(cli, path, follower):
    holder = follower("-s", cli.hosts, "lock", path, "--", "sh", "-c", READ)
    begun(holder)
    assert f"{path}: is not free" in cli.fails(NO, "lock", "-n", path, "--", "true")
    assert f"{path}: did not become free in time" in cli.fails(NO, "lock", "-w", "100", path, "--", "true")
    cli.fails(9, "lock", "-n", "-E", "9", path, "--", "true")
    cli.fails(9, "lock", "-w", "0", "-E", "9", path, "--", "true")
    holder.end(signal.SIGTERM)
    assert cli.run("lock", "-n", path, "--", "sh", "-c", "exit 5").returncode == 5
    assert cli.ok("lock", "-w", "0", path, "--", "echo", "-n", "words") == b"words"


def test_a_lock_that_is_lost_has_ended_its_command_before_the_next_has_it(
        running, path, follower, proxied, resource):
    s = make(running, path)
    proxy = proxied(running)
    old = follower("-s", proxy.hosts, "-t", str(SHORT_MS), "lock", path, "--", "sh", "-c", STUBBORN, resource)
    first, _ = begun(old)
    new = follower("-s", running.hosts, "lock", path, "--", "sh", "-c", GENTLE, resource)
    wait_for_children(s, 2, path)
    proxy.silence()
    assert old.line() == "term"
    second, _ = begun(new)
    assert second > first
    assert old.end() == CONNECTION


@pytest.mark.parametrize("words", [
    [], ["/l"], ["/", "--", "true"], ["l", "--", "true"], ["-w", "-5", "/l", "--", "true"], ["-E", "256", "/l", "--", "true"],
    ["-w", "x", "/l", "true"], ["--policy", "mild", "/l", "--", "true"]])
def test_bad_words_are_refused_before_a_server_is_asked(words):
    Cli("127.0.0.1:1").fails(USAGE, "lock", *words)


def test_no_server_is_one_line_and_a_code():
    hosts = f"127.0.0.1:{free_port()}"
    assert hosts in Cli(hosts).fails(CONNECTION, "lock", "/l", "--", "true", front=("-t", "300"))
