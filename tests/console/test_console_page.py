"""The console in a browser (browser/console.mjs)."""

import pytest
import rawzk
from browser import Browser
from console import with_console
from peers import ROOT


@pytest.fixture(scope="module")
def browser():
    """One for all scenarios."""
    with Browser(ROOT / "tests/console/browser/console.mjs") as browser:
        yield browser


def test_the_console_follows_an_election(browser, start_ensemble):
    ensemble = start_ensemble(["caucusd"] * 3, leader=3, config={1: with_console(), "reconfigEnabled": "true"})

    def grant(wish):
        what, sid = wish.split()
        member = ensemble[int(sid)]
        member.kill() if what == "kill" else member.start()

    browser.run("election", f"http://127.0.0.1:{ensemble[1].config['admin.serverPort']}", grant)


SCENARIOS = ["tree", "sessions", "keyboard", "phone", "spoken", "writes"]
ALICE = [rawzk.Acl(rawzk.ALL, "auth", "")]
ZNODES = {
    "": b"", "/json": b'{"name":"caucus","big":12345678901234567890, "list":[1,{}]}', "/binary": b"\0\xff\xfe\x01", "/text": b"before",
    "/markup": b"<img src=x onerror=alert(1)><script>alert(2)</script>", "/long": b"x" * 50_000, "/many": b"", "/weird \u00e9%2F ?#": b"odd",
}


def plant(server):
    with server.session() as s:
        for name, data in ZNODES.items():
            s.ok(rawzk.create("/app" + name, data))
        s.ok(rawzk.multi(*(rawzk.create(f"/app/many/n{i:03}") for i in range(250))))
        s.authenticate("digest", b"alice:secret")
        s.ok(rawzk.create("/app/secret", b"her data", acl=ALICE))
        s.close_session()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_console_in_a_browser(scenario, browser, start_server):
    server = start_server(with_console({"caucus.console.write": "true"} if scenario == "writes" else None))
    plant(server)
    s = server.session(timeout_ms=60_000)

    def grant(wish):
        what, *words = wish.split()
        if what == "create":
            s.ok(rawzk.create(words[0], " ".join(words[1:]).replace("\\n", "\n").encode()))
        elif what == "set":
            s.ok(rawzk.set_data(words[0], words[1].encode()))
        else:
            s.ok(rawzk.exists(words[0], watch=True))

    browser.run(scenario, f"http://127.0.0.1:{server.config['admin.serverPort']}", grant)
