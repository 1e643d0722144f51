"""What the tests of faults share: a fleet (an ensemble per file and mix) that each test finds whole,
and load on it whose history is checked."""

import contextlib
import itertools
import os
import shutil

import mixes
import pytest
import zkfiles
from ensemble import Ensemble
from history import Load

# The last one leads first; who leads later, the faults decide.
FLEETS = {
    "ours": ["ours", "ours", "ours"],
    "mixed": ["ours", "apache39", "ours"],
    # One of 3.8 only, and with the number that leads last. ZOOKEEPER-4712, which 3.9.3 mended and no 3.8:
    # a follower that loses its leader under load does not stop the thread that writes its log, so its tree
    # and its log come apart; elected, it serves without what was acknowledged.
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


def forget_logs_with_holes(ensemble):
    """The other half of ZOOKEEPER-4712: what is in that thread's queue never gets into the log, though the
    server has it in its tree and goes on from behind it. Started again, it would serve a tree with a hole. At
    the end of the test before, its tree was as the others', so the hole is its own: it gets everything anew
    from the leader. 3.9.5 and caucusd are not forgiven."""
    for m in ensemble:
        if m.backend in ("apache38", "apache386") and (missing := ensemble.missing_in_log(m)):
            print(f"{m} did not write {len(missing)} transactions, 0x{missing[0]:x} to 0x{missing[-1]:x}")
            m.kill()
            shutil.rmtree(zkfiles.version_dir(m.data_dir))
            m.start()
            ensemble.wait_settled()


@pytest.fixture
def fleet(fleet_of_the_file):
    make_whole(fleet_of_the_file)
    forget_logs_with_holes(fleet_of_the_file)
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
