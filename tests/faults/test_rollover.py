"""Epochs whose counter comes to its end (caucus.zxidCounterMax ends them early): the next one begins
with the same leader, under load, and nobody loses anything."""

import re

import mixes
import pytest
from ensemble import Ensemble

FLEETS = {
    "ours": ["ours", "ours", "ours"],
    "ours leads 3.9.5 and 3.8.0": ["apache39", "ours", "apache38"],
}
EPOCH_TXNS = 400


def epoch(member):
    """Of the last zxid that it shows; 0 while it does not serve."""
    found = re.search(r"^Zxid: 0x([0-9a-f]+)", member.word("srvr"), re.M)
    return int(found[1], 16) >> 32 if found else 0


@pytest.mark.caucusd_only
@pytest.mark.parametrize("kinds", FLEETS.values(), ids=[n.replace(" ", "-") for n in FLEETS])
def test_leader_leads_on_in_the_next_epoch(kinds, backend, tmp_path, load_on):
    ensemble = Ensemble(tmp_path / "fleet", mixes.kinds(kinds, backend),
                        config={"snapCount": 3000, "caucus.zxidCounterMax": EPOCH_TXNS})
    # Of equals the largest number wins: 2 stays the leader of 1 and 3 by its log alone.
    leader = ensemble[2]
    ensemble.fuzzy = True
    try:
        ensemble.start(leader=2)
        began = epoch(leader)
        with load_on(ensemble, clients=6) as load:
            while epoch(leader) < began + 5:
                load.wait_acknowledged(EPOCH_TXNS // 4)
            load.wait_all_write()
            assert ensemble.leader is leader
        log = leader.log()
        assert log.count("the epoch has no zxid left") >= 5
        assert log.count("event=elected") == log.count("event=elected leader=2")
        ensemble.stop()
        ensemble.check_same_logs()
    finally:
        ensemble.kill()
