"""Pages in Chromium: a script of scenarios (browser.mjs) and what they wish for. Screenshots are kept in build/test-logs.

    with Browser(ROOT / "tests/rest/browser/page.mjs") as browser:
        browser.run("fills", "http://127.0.0.1:8080", grant)      # grant(wish) for each wish of the scenario
"""

import json
import subprocess

from peers import BUILD, PEERS, missing, program


class Browser:
    def __init__(self, script):
        self.script = script
        self.modules = PEERS / "browser"
        if not (self.modules / "node_modules/playwright-core").is_dir():
            missing("playwright-core")
        self.screenshots = BUILD / "test-logs"
        self.screenshots.mkdir(parents=True, exist_ok=True)

    def _start(self, *words):
        return subprocess.Popen([program("node"), self.script, self.modules, *words], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __enter__(self):
        self.process = self._start("serve", program("chromium-headless-shell"))
        self.at = self.process.stdout.readline().strip()
        if not self.at.startswith("ws://"):
            self.process.kill()
            raise AssertionError(self.at + self.process.stdout.read())
        return self

    def __exit__(self, *raised):
        try:
            self.process.communicate(timeout=30)
        finally:
            self.process.kill()

    def run(self, scenario, address, grant):
        process = self._start(scenario, self.at, address, self.screenshots)
        try:
            line = ""
            for line in process.stdout:
                if not line.startswith("["):
                    break
                for wish in json.loads(line):
                    grant(wish)
                process.stdin.write("done\n")
                process.stdin.flush()
            assert line == "passed\n", line
        finally:
            process.kill()
            process.communicate()
