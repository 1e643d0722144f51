"""What the tests of faults share: a fleet (an ensemble per file and mix) that each test finds whole,
and load on it whose history is checked."""

import contextlib
import itertools
import os

import mixes
import pytest
from ensemble import Ensemble
from history import Load

# The last one leads first; who leads later, the faults decide.
FLEETS = {
    "ours": ["ours", "ours", "ours"],
    "mixed": ["ours", "apache39", "ours"],
    # One of 3.8 only, and with the number that leads last. ZOOKEEPER-4712, which 3.9.3 mended: a follower
    # that loses its leader under load brings its tree to the end of a log that its sync thread has not
    # finished; elected, it serves without what was acknowledged.
    "mixed with 3.8": ["apache38", "ours", "ours"],
}

# FLEETS="ours": only those.
if os.environ.get("FLEETS"):
    FLEETS = {name: FLEETS[name] for name in os.environ["FLEETS"].split(",")}

_serial = itertools.count(1)


@pytest.fixture(scope="module", params=FLEETS, ids=lambda name: name.replace(" ", "-"))
def fleet_of_the_file(request, backend, tmp_path_factory):
    ensemble = Ensemble(tmp_path_factory.mktemp("fleet"), mixes.kinds(FLEETS[request.param], backend),
                        config={"snapCount": 3000})
    ensemble.fuzzy = True
    try:
        ensemble.start()
        yield ensemble
        ensemble.stop()
        ensemble.check_same_logs()
    finally:
        ensemble.kill()


def make_whole(ensemble):
    for m in ensemble:
        m.resume()
        if m.running and m.process.poll() is not None:
            m.wait_end()
        if not m.running:
            m.start()
    ensemble.wait_settled()


@pytest.fixture
def fleet(fleet_of_the_file):
    make_whole(fleet_of_the_file)
    return fleet_of_the_file


@pytest.fixture
def load_on():
    """with load_on(ensemble) as load: ...; then its history is checked, and that all members have
    the same tree."""

    @contextlib.contextmanager
    def run(ensemble, expected_errors=(), servers=None, **kwargs):
        with Load(servers or ensemble, top=f"/load{next(_serial)}", **kwargs) as load:
            load.wait_acknowledged(50)
            yield load
            load.wait_all_write()
        load.check(expected_errors)
        ensemble.check_same_trees()

    return run
