"""The page in a browser (tests/rest/browser/page.mjs). Screenshots are kept in build/test-logs."""

import json
import subprocess

import pytest
from door import Door
from peers import BUILD, PEERS, ROOT, missing, program

SCENARIOS = ["fills", "wins", "keyboard", "state", "away", "hidden", "phone", "spoken"]
STATES = ROOT / "elections/us-2024/states.csv"


@pytest.fixture(scope="module")
def page():
    """page(scenario, address): the process of a scenario, in one browser for all of them."""
    modules = PEERS / "browser"
    if not (modules / "node_modules/playwright-core").is_dir():
        missing("playwright-core")
    screenshots = BUILD / "test-logs"
    screenshots.mkdir(parents=True, exist_ok=True)
    start = lambda *words: subprocess.Popen([program("node"), ROOT / "tests/rest/browser/page.mjs", modules, *words], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    browser = start("serve", program("chromium-headless-shell"))
    try:
        at = browser.stdout.readline().strip()
        assert at.startswith("ws://"), at + browser.stdout.read()
        yield lambda scenario, address: start(scenario, at, address, screenshots)
        browser.communicate(timeout=30)
    finally:
        browser.kill()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_page_in_a_browser(scenario, page, start_door):
    options = ["--states", STATES] + (["--hidden", "--strict"] if scenario == "hidden" else [])
    door = start_door(*options)
    port = door.port
    door.say("phase OPEN")
    browser = page(scenario, f"http://127.0.0.1:{port}")
    try:
        for line in browser.stdout:
            if not line.startswith("["):
                break
            for wish in json.loads(line):
                if wish == "stop":
                    door.end()
                elif wish == "start":
                    door.__init__("--port", port, *options)
                else:
                    door.say(wish)
            browser.stdin.write("done\n")
            browser.stdin.flush()
        assert line == "passed\n"
    finally:
        browser.kill()
        browser.communicate()


def test_every_file_of_the_page_is_served_as_what_it_is(start_door):
    door = start_door()
    types = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    for path in (ROOT / "web").iterdir():
        if path.suffix == ".md":
            continue
        status, headers, body = door.ask("GET", f"/{path.name}")
        assert status == 200 and body == path.read_bytes()
        assert headers["Content-Type"].startswith(types[path.suffix]) and headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert door.ask("GET", f"/{path.name}", headers={"If-None-Match": headers["ETag"]})[::2] == (304, b"")
    assert door.ask("GET", "/")[2] == (ROOT / "web/index.html").read_bytes()


def test_the_page_names_no_other_host():
    for path in (ROOT / "web").iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text and "https://" not in text and "//cdn" not in text, path
