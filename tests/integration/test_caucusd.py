"""What is caucusd's own: its command line, its log, its probes, its refusals."""

import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest
import rawzk
import zkfiles
from peers import caucusd
from ports import free_port
from rawzk import create, get_data, set_data

pytestmark = pytest.mark.caucusd_only


def run(*arguments):
    return subprocess.run(
        [caucusd(), *map(str, arguments)], capture_output=True, text=True, timeout=20
    )


def write_config(folder, **settings):
    path = folder / "zoo.cfg"
    settings = {"dataDir": folder / "data", "clientPort": free_port()} | settings
    path.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
    return path


# --- command line --------------------------------------------------------------------


def test_version_and_help():
    version = run("--version")
    assert version.returncode == 0 and re.search(r"\d+\.\d+", version.stdout)
    usage = run("--help")
    assert usage.returncode == 0
    for option in ("--data", "--port", "--check-config", "--version"):
        assert option in usage.stdout


def test_unknown_option_is_refused_with_an_exit_code():
    done = run("--nonsense")
    assert done.returncode != 0
    assert "--nonsense" in done.stderr


def test_missing_configuration_file_is_named(tmp_path):
    done = run(tmp_path / "none.cfg")
    assert done.returncode != 0
    assert "none.cfg" in done.stderr


def test_check_config_accepts_a_good_file_and_starts_nothing(tmp_path):
    done = run("--check-config", write_config(tmp_path, tickTime=2000))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("key, value", [
    ("tickTime", "soon"), ("tickTime", "-1"), ("clientPort", "70000"), ("snapCount", "many"),
    ("maxClientCnxns", "x"), ("autopurge.snapRetainCount", "none"),
])
def test_wrong_value_is_refused_with_file_and_line(tmp_path, key, value):
    path = tmp_path / "zoo.cfg"
    path.write_text(f"# first line\ndataDir={tmp_path}\n{key}={value}\n")
    done = run("--check-config", path)
    assert done.returncode != 0
    assert f"{path}:3" in done.stderr, done.stderr
    assert key in done.stderr


@pytest.mark.parametrize("key", ["clientPort", "admin.serverPort", "metricsProvider.httpPort"])
def test_a_port_that_cannot_be_had_is_named_by_its_key(tmp_path, key):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = {
            "clientPortAddress": "127.0.0.1", "admin.serverAddress": "127.0.0.1", "admin.serverPort": free_port(),
            "metricsProvider.className": "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
            "metricsProvider.httpHost": "127.0.0.1", "metricsProvider.httpPort": free_port()}
        done = run(write_config(tmp_path, **(settings | {key: port})))
    assert done.returncode == 1
    assert re.search(rf'event=start_failed reason="{key}: listen on .*{port}.*: Address already in use"', done.stderr), done.stderr


def test_data_and_port_are_enough(tmp_path):
    port = free_port()
    process = subprocess.Popen(
        [caucusd(), "--data", tmp_path / "data", "--port", str(port)],
        stderr=subprocess.PIPE, text=True,
    )
    try:
        for line in process.stderr:
            if "event=serving" in line:
                assert f"port={port}" in line
                break
        else:
            pytest.fail("ended without serving")
    finally:
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        assert process.wait(20) == 0


def signals_blocked(task):
    """The mask of a thread, from /proc: bit n - 1 is signal n."""
    return int(re.search(r"^SigBlk:\s*([0-9a-f]+)$", (task / "status").read_text(), re.M)[1], 16)


def test_a_signal_that_comes_again_does_not_disturb_the_end(start_server):
    """Whatever threads there are by then: of the log, of a purge, of a crowd that was told. Once the first one ends, whoever does
    not block the signal would be ended by the next."""
    server = start_server({"maxClientCnxns": 0, "autopurge.purgeInterval": 1})
    s = server.session()
    s.ok(create("/a"))
    for start in range(0, 20_000, 500):
        batch = [create(f"/a/{n}") for n in range(start, start + 500)]
        s.send_all(batch)
        for _ in batch:
            assert s.reply().err == 0
    watchers = [server.session() for _ in range(600)]
    for watcher in watchers:
        watcher.send(get_data("/a", watch=True))
    for watcher in watchers:
        assert watcher.reply().err == 0
    s.ok(set_data("/a", b"1"))
    server.wait_log(r"event=purge\b")

    process = server.process
    of_signals = 1 << (signal.SIGTERM - 1) | 1 << (signal.SIGINT - 1)
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        blocked = signals_blocked(task) & of_signals
        assert blocked == (0 if task.name == str(process.pid) else of_signals), (task / "comm").read_text()
    until = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < until:
        process.send_signal(signal.SIGTERM)
    assert server.wait_end() == 0
    assert re.search(r"event=stopped\b.*exit=0", server.log())


# --- log and probes ------------------------------------------------------------------


def test_log_is_logfmt(start_server):
    server = start_server()
    server.session()
    server.stop()
    lines = [line for line in server.log().split("\n") if line]
    assert lines
    word = r"[A-Za-z0-9_.]+=(\"([^\"\\]|\\.)*\"|[^\s\"]*)"
    for line in lines:
        assert re.fullmatch(rf"{word}( {word})*", line), line
    serving = [line for line in lines if "event=serving" in line]
    assert len(serving) == 1 and f"port={server.port}" in serving[0]


def test_key_without_effect_is_warned_of_and_unknown_ones_do_not_stop_the_start(start_server):
    server = start_server({"electionAlg": 3, "some.unknown.key": "x"})
    server.session().ok(create("/a"))


def test_livez_and_readyz_need_no_white_list(start_server):
    server = start_server({"admin.enableServer": "true", "admin.serverPort": free_port()})
    for path in ("/livez", "/readyz"):
        status, _, _ = server.http(path)
        assert status == 200, path


# --- protocol ------------------------------------------------------------------------


def test_create_session_of_a_client_is_an_unknown_operation(start_server):
    s = start_server().session()
    reply = s.call(rawzk.Op(rawzk.CREATESESSION, rawzk.i32(5000), None))
    assert (reply.err, reply.body) == (rawzk.UNIMPLEMENTED, b"")
    s.expect_closed()


# --- damage --------------------------------------------------------------------------


def test_damaged_middle_of_the_log_is_refused_with_file_and_offset(start_server):
    server = start_server()
    s = server.session()
    for n in range(20):
        s.ok(create(f"/{n}", b"x" * 100))
    server.kill()
    _, path = zkfiles.logs(server.data_dir)[-1]
    data = bytearray(path.read_bytes())
    at = data.index(b"/5\0")
    data[at] ^= 0xFF
    path.write_bytes(data)
    server.start(wait=False)
    assert server.wait_end() != 0
    complaint = [line for line in server.log().split("\n") if path.name in line]
    assert complaint and any(re.search(r"offset \d+", line) for line in complaint), server.log()
    assert path.read_bytes() == bytes(data), "the damaged file was changed"
