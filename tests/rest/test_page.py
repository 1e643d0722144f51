"""The page in a browser (browser/page.mjs)."""

import pytest
from browser import Browser
from peers import ROOT

SCENARIOS = ["fills", "wins", "keyboard", "state", "away", "hidden", "phone", "spoken"]
STATES = ROOT / "elections/us-2024/states.csv"


@pytest.fixture(scope="module")
def browser():
    """One for all scenarios."""
    with Browser(ROOT / "tests/rest/browser/page.mjs") as browser:
        yield browser


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_page_in_a_browser(scenario, browser, start_door):
    options = ["--states", STATES] + (["--hidden", "--strict"] if scenario == "hidden" else ["--console", "http://127.0.0.1:8080/console/"] if scenario == "fills" else [])
    door = start_door(*options)
    port = door.port
    door.say("phase OPEN")

    def grant(wish):
        if wish == "stop":
            door.end()
        elif wish == "start":
            door.__init__("--port", port, *options)
        else:
            door.say(wish)

    browser.run(scenario, f"http://127.0.0.1:{port}", grant)


def test_every_file_of_the_page_is_served_as_what_it_is(start_door):
    door = start_door()
    types = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    for path in (ROOT / "web").glob("*.*"):
        if path.suffix == ".md":
            continue
        status, headers, body = door.ask("GET", f"/{path.name}")
        assert status == 200 and body == path.read_bytes()
        assert headers["Content-Type"].startswith(types[path.suffix]) and headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert door.ask("GET", f"/{path.name}", headers={"If-None-Match": headers["ETag"]})[::2] == (304, b"")
    assert door.ask("GET", "/")[2] == (ROOT / "web/index.html").read_bytes()


def test_the_page_names_no_other_host():
    for path in (ROOT / "web").rglob("*.*"):
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text and "https://" not in text and "//cdn" not in text, path
