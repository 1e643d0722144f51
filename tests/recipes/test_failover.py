"""Leaders go on being elected while the servers' own leader dies."""

import itertools

import pytest
import rawzk
from talk import Talk

TIMEOUT_MS = 4000
CANDIDATES = 4
# What the servers take to elect (a second on a busy machine), a session that ends meanwhile at the latest, and the way
# back to a server.
BOUND_NS = (1000 + TIMEOUT_MS * 4 // 3 + 2000) * 1_000_000


@pytest.mark.parametrize("policy", ["strict", "lost"])
def test_terms_follow_each_other_while_the_servers_leader_is_killed(start_ensemble, policy):
    ensemble = start_ensemble(["caucusd"] * 3)
    t = Talk("election_talk", ensemble.hosts, TIMEOUT_MS, "/app/leader", policy, CANDIDATES)
    try:
        for number in range(CANDIDATES):
            t.ask(f"stand {number}", "stands", number)

        def run_terms(count):
            for _ in range(count):
                t.say(f"resign {t.hear_any('elected')}")

        run_terms(5)
        for _ in range(3):
            killed = ensemble.leader
            killed.kill()
            run_terms(5)
            killed.start()
            ensemble.wait_settled()
        lines = [line.split() for line in t.heard]
        ends = {words[2]: int(words[4]) for words in lines if words[1] == "dismissed"}
        terms = [(int(words[2]), int(words[3]), ends[words[2]]) for words in lines
                 if words[1] == "elected" and words[2] in ends]  # the last one may still be in office
        assert len(terms) >= 19
        for before, after in itertools.pairwise(terms):
            assert before[0] < after[0] and before[2] <= after[1]
        gap_ns = max(after[1] - before[2] for before, after in itertools.pairwise(terms))
        print(f"{len(terms)} terms; at most {gap_ns / 1e6:.0f} ms without a leader")
        assert gap_ns < BOUND_NS
        t.quit()
        with ensemble.leader.session() as s:
            assert s.ok(rawzk.get_children("/app/leader")) == []
    finally:
        t.kill()
