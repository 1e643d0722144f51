"""Counts as they change, to many who look."""

import resource
import time

import pytest

IDLE_SPECTATORS = 2000


def names(burst):
    return [name for name, _, _ in burst]


def states(burst):
    return [data["state"] for name, data, _ in burst if name == "state"]


def news(s):
    """The states of the first burst that has any: who comes may be told how it stood a moment before."""
    while not (told := states(s.burst())):
        pass
    return told


def test_it_begins_with_all_there_is(door):
    with door.stream() as s:
        assert s.status == 200 and s.headers["content-type"] == "text/event-stream"
        burst = s.burst()
        assert names(burst) == ["phase", "state", "state", "state", "nation"] and states(burst) == ["CA", "ME", "OH"]
        assert burst[0][1]["phase"] == "OPEN" and burst[0][1]["shown"] is True


def test_what_changes_comes_as_a_whole(door):
    with door.stream() as s:
        s.burst()
        door.say("votes OH trump 5")
        burst = s.burst()
        assert names(burst) == ["state", "nation"]
        assert burst[0][1] == door.json("GET", "/v1/states/OH/status")[1]
        assert burst[1][1]["leader"] == "trump"


def test_what_changes_often_comes_at_a_pace(door):
    with door.stream() as s:
        s.burst()
        began = time.monotonic()
        changes, bursts, seen = 0, 0, 0
        while seen < 500 or changes < 500:
            if changes < 500:
                door.say("votes OH trump 1")
                changes += 1
            if changes % 100 == 0:
                burst = s.burst()
                bursts += 1
                seen = burst[0][1]["voters"]
        assert bursts <= 2 + (time.monotonic() - began) / 0.25


def test_who_comes_back_is_sent_what_changed(door):
    with door.stream() as s:
        s.burst()
        last = s.last_id
    door.say("votes OH trump 5")
    with door.stream(last) as s:
        assert news(s) == ["OH"]
        last = s.last_id
    with door.stream(last) as s:
        assert names(s.burst()) == ["phase", "nation"]  # nothing but how it stands
    with door.stream(path=f"/v1/results/stream?since={last}") as s:
        assert names(s.burst()) == ["phase", "nation"]
    for wrong in ["x", "AA", last[:-2]]:
        with door.stream(wrong) as s:
            assert states(s.burst()) == ["CA", "ME", "OH"]


def test_it_can_be_resumed_on_another_server(door, start_door):
    other = start_door()
    other.say("phase OPEN", "votes OH trump 5")
    with door.stream() as s:
        s.burst()
        last = s.last_id
    with other.stream(last) as s:
        assert news(s) == ["OH"]


def test_another_round_is_told_from_the_beginning(door):
    with door.stream() as s:
        s.burst()
        last = s.last_id
        door.say("phase CLOSED", "phase OPEN")
        phase = s.until(lambda name, data: name == "phase" and data["round"] == 2)
        assert phase[1]["phase"] == "OPEN"
    with door.stream(last) as s:
        assert states(s.burst()) == ["CA", "ME", "OH"]


def test_a_state_that_is_lost_and_found(door):
    with door.stream() as s:
        s.burst()
        door.say("lose OH")
        burst = s.burst()
        assert burst[0][1]["known"] is False and burst[1][1]["unavailable"] == ["OH"]
        door.say("find OH")
        assert s.burst()[0][1]["known"] is True


def test_final_is_told_although_nothing_was_counted(door):
    with door.stream() as s:
        s.burst()
        door.say("phase CLOSED", "final OH")
        assert s.until(lambda name, data: name == "state" and data["final"])[1]["state"] == "OH"


@pytest.fixture
def hidden(start_door):
    door = start_door("--hidden", "--strict")
    door.say("phase OPEN", "votes CA harris 5")
    return door


def test_while_counts_are_hidden_there_are_phases_alone(hidden):
    with hidden.stream() as s:
        burst = s.burst()
        assert names(burst) == ["phase"] and burst[0][1]["shown"] is False
        hidden.say("votes CA harris 5", "phase CLOSING")
        burst = s.burst()
        assert names(burst) == ["phase"] and burst[0][1]["phase"] == "CLOSING"
        hidden.say("phase CLOSED")
        burst = s.burst()
        assert names(burst) == ["phase", "state", "state", "state", "nation"] and burst[1][1]["voters"] == 10


def test_a_token_from_the_hidden_time_hides_nothing_later(hidden):
    with hidden.stream() as s:
        s.burst()
        last = s.last_id
    hidden.say("phase CLOSED")
    with hidden.stream(last) as s:
        assert news(s) == ["CA", "ME", "OH"]


def test_the_committee_sees_what_is_hidden(start_door):
    door = start_door("--hidden")
    door.say("phase OPEN", "votes CA harris 5")
    with door.stream() as s:
        assert states(s.burst()) == ["CA", "ME", "OH"]
        door.say("votes OH trump 1")
        assert states(s.burst()) == ["OH"]


def test_streams_have_a_bound(start_door):
    door = start_door("--streams", 2)
    first, second = door.stream(), door.stream()
    third = door.stream()
    assert (first.status, second.status, third.status) == (200, 200, 503)
    assert int(third.headers["retry-after"]) > 0
    for s in (first, second, third):
        s.close()


def test_two_thousand_idle_spectators(start_door):
    """They cost nobody else anything, and all hear of a change."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 2 * IDLE_SPECTATORS), hard), hard))
    door = start_door("--connections", IDLE_SPECTATORS + 100, "--streams", IDLE_SPECTATORS)
    door.say("phase OPEN")
    spectators = [door.stream() for _ in range(IDLE_SPECTATORS)]
    for s in spectators:
        s.burst()
    began = time.monotonic()
    for i in range(20):
        assert door.vote(voter=f"v{i}")[0] == 200
    assert time.monotonic() - began < 10
    for s in spectators:
        while s.burst()[-1][1]["voters"] < 20:
            pass
        s.close()


def test_a_slow_reader_gets_the_newest_and_holds_nobody_up(door):
    slow = door.stream(receive_bytes=1024)
    slow.burst()
    with door.stream() as quick:
        quick.burst()
        for i in range(60):  # far more than fits between
            door.say("votes CA harris 1", "votes OH trump 1", "votes ME trump 1")
            while quick.burst()[-1][1]["voters"] < 3 * (i + 1):
                pass
            if i == 8:
                break
    door.say("votes CA harris 1000")
    seen = 0
    while slow.burst()[-1][1]["voters"] < 1027:
        seen += 1
    assert seen < 27
    slow.close()
