// What a browser makes of the console (tests/lib/browser.mjs). Wishes: ["kill leader"], ["create PATH DATA"], ... (test_console_page.py).
import assert from "node:assert/strict";
import { expected, fits, focused, hasText, isDark, open, run, say, screenshots, tabThrough, text } from "../../lib/browser.mjs";

// A znode that is not shown is an answer with a status.
expected.push(/the server responded with a status of 40[0134]/);

const role = (page, sid, wanted) => page.waitForSelector(`#servers tr[data-sid="${sid}"] .role[data-role="${wanted}"]`);
const leaders = (page) => page.locator('#servers .role[data-role="leader"]').count();

const scenarios = {
  /** Three servers; the page is a follower's, 1. 3 leads. */
  async election() {
    const page = await open();
    await hasText(page, "#headline", "Server 3 leads an ensemble of 3");
    await role(page, 1, "follower");
    await role(page, 2, "follower");
    await role(page, 3, "leader");
    assert.equal(await leaders(page), 1);
    assert.match(await text(page, '#servers tr[data-sid="2"]'), /3\.9\.5-caucus/);
    assert.match(await text(page, "#servers"), /0x[0-9a-f]+/);
    assert.match(await text(page, "#asked"), /2 other servers were asked/);
    await page.waitForSelector(".plot .curve[d*=L]", { state: "attached" }); // two samples
    await page.screenshot({ path: `${screenshots}/console-ensemble.png`, fullPage: true });
    await say("kill 3");
    await hasText(page, "#headline", "Server 2 leads");
    await role(page, 2, "leader");
    await role(page, 3, "none");
    assert.equal(await leaders(page), 1);
    await hasText(page, "#events", "looks for a leader");
    await hasText(page, "#events", "follows server 2");
    await hasText(page, "#news", "Server 2 leads");
    await page.screenshot({ path: `${screenshots}/console-election.png`, fullPage: true });
    await say("start 3");
    await role(page, 3, "follower");
  },
};

await run(scenarios);
