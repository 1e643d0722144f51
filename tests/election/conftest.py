import os

import pytest
import rawzk
from election import Election
from ensemble import Ensemble

ENSEMBLES = {
    "ours": ["caucusd"] * 3,
    "apache": ["apache39", "apache38", "apache39"],
}


def pytest_collection_modifyitems(config, items):
    """On Apache what depends on it, unless ELECTION_ON_APACHE asks for everything: time is short."""
    if "ELECTION_ON_APACHE" in os.environ:
        return
    left_out = [i for i in items if "[apache]" in i.name and not i.get_closest_marker("on_apache")
                and "coordination" in getattr(i, "fixturenames", ())]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [i for i in items if i not in left_out]


@pytest.fixture(scope="session", params=ENSEMBLES)
def coordination(request, tmp_path_factory):
    """An ensemble for all tests; each election has a path of its own in it."""
    ensemble = Ensemble(tmp_path_factory.mktemp("ensemble"), ENSEMBLES[request.param])
    try:
        ensemble.start()
        yield ensemble
        ensemble.stop()
    finally:
        ensemble.kill()


@pytest.fixture
def start_election(coordination, tmp_path):
    """start_election(states={code: voters}, before=..., **as Election): three servers, round 1 is open. `before` is called
    with the election before servers start."""
    started = []

    def start(states, open=True, before=lambda election: None, **more):
        for member in coordination:
            member.resume()
            if not member.running:
                member.start()
        coordination.wait_settled()
        name = f"election{len(started)}"
        chroot = f"/{tmp_path.name}-{name}"
        with coordination.leader.session() as s:
            s.ok(rawzk.create(chroot))
        started.append(Election(tmp_path / name, coordination.hosts + chroot, states, **more))
        before(started[-1])
        started[-1].start()
        if open:
            started[-1].open()
        return started[-1]

    yield start
    for election in started:
        election.kill()
