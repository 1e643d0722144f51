"""libcaucus against real servers: caucusd and Apache ZooKeeper 3.8.0, 3.8.6 and 3.9.5, with threads and in a loop of
one's own."""

import signal
import subprocess

import pytest
import rawzk
from client_talk import LONG_TIMEOUT_MS, PROGRAMS
from server import BACKENDS

RELEASES = {"caucusd": "3.9", "apache39": "3.9", "apache386": "3.8.6", "apache38": "3.8.0"}
# Sessions of 2 ticks and more; connections of one client may be many.
CONFIG = {"tickTime": 200, "extendedTypesEnabled": "true", "maxClientCnxns": 0, "maxSessionTimeout": 60000}

backends = pytest.mark.parametrize("backend", BACKENDS)
drivers = pytest.mark.parametrize("driver", ["threads", "loop"])
# What a driver does with a connection does not depend on whose it is, and what a server says not on who hears it: each
# kind of server and each driver once are enough. Releases differ in what they answer: test_every_operation.
pairs = pytest.mark.parametrize("backend, driver", [
    ("caucusd", "threads"), ("caucusd", "loop"), ("apache38", "loop"), ("apache39", "threads")])


def hosts(*servers):
    return ",".join(f"127.0.0.1:{s.port}" for s in servers)


def end_session(server, session_id, password):
    with server.session(session_id=session_id, password=password) as s:
        s.close_session()


def session_of(t):
    _, number, password, generation = t.ask("session", "session ").split()
    return int(number), bytes.fromhex(password), int(generation)


@backends
def test_every_operation(start_server, backend):
    server = start_server(CONFIG, backend=backend)
    run = subprocess.run([PROGRAMS / "client_suite", hosts(server), RELEASES[backend]],
                         capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stdout + run.stderr


@pairs
def test_a_server_that_is_killed_and_started_again_finds_the_session(start_server, talk, backend, driver):
    server = start_server(CONFIG, backend=backend)
    t = talk(driver, hosts(server), timeout_ms=LONG_TIMEOUT_MS)
    t.hear("state CONNECTED renewed")
    t.ask("auth digest u:p", "auth digest CAUCUS_OK")
    t.ask("create /secret secret 0", "create /secret CAUCUS_OK")
    t.ask("create /e data 1", "create /e CAUCUS_OK")
    t.ask("get /e watch", "get /e CAUCUS_OK data")
    t.ask("exists /absent watch", "exists /absent CAUCUS_NONODE")
    t.ask("watch / 1", "watch / CAUCUS_OK")
    before = session_of(t)
    server.kill()
    t.hear("state SUSPENDED")
    server.start()
    assert t.hear("state ") == "state RECONNECTED"
    t.hear("event WATCH_REARMED /")
    assert session_of(t) == before
    t.ask("get /secret", "get /secret CAUCUS_OK secret")
    t.say("set /e changed")
    t.hear("event NODE_DATA_CHANGED /e last")
    t.hear("event NODE_DATA_CHANGED /e")
    t.hear("set /e CAUCUS_OK")
    t.say("create /absent x 0")
    t.hear("event NODE_CREATED /absent last")
    t.close()


@pairs
def test_a_change_during_the_disconnection_reaches_the_watch(start_server, talk, backend, driver):
    server = start_server(CONFIG, backend=backend)
    t = talk(driver, hosts(server), timeout_ms=LONG_TIMEOUT_MS)
    t.ask("create /w x 0", "create /w CAUCUS_OK")
    t.ask("get /w watch", "get /w CAUCUS_OK")
    t.ask("children /w watch", "children /w CAUCUS_OK")
    t.ask("exists /later watch", "exists /later CAUCUS_NONODE")
    session_id, _, _ = session_of(t)
    t.signal(signal.SIGSTOP)
    rawzk.cut(server.address, session_id)
    s = server.session()
    s.ok(rawzk.set_data("/w", b"y"))
    s.ok(rawzk.create("/later"))
    t.signal(signal.SIGCONT)
    t.hear("state SUSPENDED")
    t.hear("state RECONNECTED")
    events = {t.hear("event ") for _ in range(2)}
    assert events == {"event NODE_DATA_CHANGED /w last", "event NODE_CREATED /later last"}
    s.ok(rawzk.create("/w/child"))
    t.hear("event NODE_CHILDREN_CHANGED /w last")
    t.close()


@pairs
def test_a_session_that_is_ended_by_others_is_lost_and_followed(start_server, talk, backend, driver):
    server = start_server(CONFIG, backend=backend)
    t = talk(driver, hosts(server), timeout_ms=LONG_TIMEOUT_MS)
    t.ask("create /e data 1", "create /e CAUCUS_OK")
    t.ask("get /e watch", "get /e CAUCUS_OK")
    t.ask("watch /p 0", "watch /p CAUCUS_OK")
    session_id, password, generation = session_of(t)
    t.signal(signal.SIGSTOP)  # or it would take the session back between our two steps
    end_session(server, session_id, password)
    t.signal(signal.SIGCONT)
    t.hear("state LOST")
    t.hear("state RECONNECTED renewed")
    lost = [line for line in t.heard if line.startswith("event WATCH_LOST") and line.endswith("last")]
    deleted = [line for line in t.heard if line == "event NODE_DELETED /e last"]
    assert len(lost) + len(deleted) == 2
    assert session_of(t)[2] == generation + 1
    t.ask("exists /e", "exists /e CAUCUS_NONODE")
    t.close()


@pairs
def test_a_server_that_stops_answering_is_noticed_by_the_local_clock(start_server, talk, backend, driver):
    server = start_server(CONFIG, backend=backend)
    t = talk(driver, hosts(server), timeout_ms=900)
    t.insist("watch /p 1", "watch /p CAUCUS_OK")
    server.pause()
    t.say("get /e")
    t.hear("state SUSPENDED")
    t.hear("get /e CAUCUS_CONNECTIONLOSS")
    t.hear("state LOST")
    t.hear("event WATCH_LOST /p last")
    t.say("get /e")
    t.hear("get /e CAUCUS_OPERATIONTIMEOUT")
    server.resume()
    t.hear("state RECONNECTED renewed")
    t.close()


@drivers
def test_a_client_that_was_stopped_for_too_long_knows_it(start_server, talk, driver):
    server = start_server(CONFIG, backend="caucusd")
    t = talk(driver, hosts(server), timeout_ms=600)
    t.insist("create /e data 1", "create /e CAUCUS_OK", "create /e CAUCUS_NODEEXISTS")
    s = server.session()
    t.signal(signal.SIGSTOP)
    while s.call(rawzk.exists("/e", watch=True)).err == 0:  # until the server has ended the session
        s.event()
    t.signal(signal.SIGCONT)
    t.hear("state LOST")
    t.hear("state RECONNECTED renewed")
    t.close()


@pytest.mark.parametrize("kinds", [["caucusd"] * 3, ["caucusd", "apache39", "caucusd"]], ids=["ours", "mixed"])
@drivers
def test_another_server_is_found(start_ensemble, talk, driver, kinds):
    ensemble = start_ensemble(kinds)
    t = talk(driver, ensemble.hosts, timeout_ms=LONG_TIMEOUT_MS)
    t.ask("create /e data 1", "create /e CAUCUS_OK")
    t.ask("get /e watch", "get /e CAUCUS_OK")
    before = session_of(t)
    for member in ensemble:
        member.kill()
        while not t.ask("get /e", "get /e ").endswith("CAUCUS_OK data"):
            pass  # lost with the connection: asked again, it waits for the next one
        member.start()
        ensemble.wait_settled()
    t.ask("set /e new", "event NODE_DATA_CHANGED /e last")
    assert session_of(t) == before
    assert "state SUSPENDED" in t.heard and "state LOST" not in t.heard
    t.close()


@drivers
def test_hosts_that_are_not_there_are_passed_over(start_server, talk, driver):
    server = start_server(CONFIG, backend="caucusd")
    t = talk(driver, f"127.0.0.1:1,nowhere.invalid:2181,{hosts(server)},[::1]:1")
    t.hear("state CONNECTED renewed")
    t.close()


@pytest.mark.parametrize("threads", [1, 8])
def test_threads_block_on_one_handle_while_its_connections_are_lost(start_server, proxied, threads):
    count = 240 // threads
    server = start_server(CONFIG, backend="caucusd")
    proxy = proxied(server)
    run = subprocess.Popen([PROGRAMS / "client_crowd", ",".join([proxy.hosts] * 100), str(threads), str(count)],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert run.stdout.readline().startswith("begun ")
        for cut in range(6):
            proxy.break_at("answer" if cut % 2 else "request", 40)
            assert proxy.lost.wait(30)
        proxy.cut()
        out, _ = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == 0, out
    times, answered, lost, changes, events = map(int, out.splitlines()[-1].split())
    assert times >= threads * count and answered == 2 * times and lost >= 1 and 0 < events <= changes + lost + 7, out


@pytest.mark.parametrize("driver", ["threads", "loop"])
def test_a_program_that_forks_keeps_what_it_has(start_server, driver):
    server = start_server(CONFIG, backend="caucusd")
    run = subprocess.run([PROGRAMS / "client_fork", driver, hosts(server)], capture_output=True, text=True, timeout=100)
    assert (run.returncode, run.stdout, run.stderr) == (0, "passed\n", "")
