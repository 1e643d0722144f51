"""A server's wall clock jumps, an hour forth and a day back: elections, sessions and order do not
care. Nodes carry the time of whoever led when they were made."""

import time

import mixes
import pytest
from clock import ShimClock
from conftest import FLEETS
from ensemble import Ensemble
from rawzk import EPHEMERAL, create, exists

HOUR_S = 3600
DAY_S = 24 * HOUR_S


@pytest.mark.parametrize("who", ["leader", "follower"])
@pytest.mark.parametrize("name", FLEETS, ids=lambda name: name.replace(" ", "-"))
def test_wall_clock_jumps(tmp_path, backend, load_on, name, who):
    clock = ShimClock(tmp_path)
    sid = 3 if who == "leader" else 1
    fleet = Ensemble(tmp_path / "fleet", mixes.kinds(FLEETS[name], backend),
                     how={sid: {"env": clock.env}})
    try:
        leader = fleet.start(leader=3)
        s = fleet[sid].session(timeout_ms=20_000)
        path = s.ok(create("/ephemeral", flags=EPHEMERAL))
        with load_on(fleet, timeout_ms=20_000) as load:
            for jump_s in (HOUR_S, -DAY_S, DAY_S):
                clock.jump(jump_s)
                load.wait_acknowledged(200)
                # Sessions that only listen, and those who are served by others, live on.
                assert s.ok(exists(path)).ephemeral_owner == s.id
                assert fleet.leader is leader
        # Now it is an hour ahead.
        made = s.ok(exists(s.ok(create("/dated"))))
        ahead_s = made.ctime / 1000 - time.time()
        assert abs(ahead_s - (HOUR_S if who == "leader" else 0)) < 600
        # And who leads next takes over without harm.
        leader.stop()
        fleet.wait_settled()
        again = fleet[2].session(session_id=s.id, password=s.password)
        assert again.id == s.id
        assert again.ok(exists(path)).ephemeral_owner == s.id
    finally:
        fleet.kill()
