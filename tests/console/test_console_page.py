"""The console in a browser (browser/console.mjs)."""

import pytest
from browser import Browser
from peers import ROOT
from server import free_port


@pytest.fixture(scope="module")
def browser():
    """One for all scenarios."""
    with Browser(ROOT / "tests/console/browser/console.mjs") as browser:
        yield browser


def with_console(**more):
    return {"admin.enableServer": "true", "admin.serverAddress": "127.0.0.1", "admin.serverPort": free_port()} | more


def test_the_console_follows_an_election(browser, start_ensemble):
    ensemble = start_ensemble(["caucusd"] * 3, leader=3, config={1: with_console(), "reconfigEnabled": "true"})

    def grant(wish):
        what, sid = wish.split()
        member = ensemble[int(sid)]
        member.kill() if what == "kill" else member.start()

    browser.run("election", f"http://127.0.0.1:{ensemble[1].config['admin.serverPort']}", grant)
