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

  /** One server, with a few znodes: see test_console_page.py. */
  async tree() {
    const page = await open({}, "/console/#/tree/app");
    assert.equal(await text(page, "#tree h1"), "/app");
    await page.waitForSelector(".children li");
    assert.deepEqual(await page.locator(".children .name").allInnerTexts(), ["binary", "json", "long", "many", "markup", "secret", "text", "weird é%2F ?#"]);
    assert.match(await page.locator(".children li", { hasText: "secret" }).innerText(), /not readable/);
    assert.match(await page.locator(".children li", { hasText: "many" }).innerText(), /250 children/);

    await page.locator(".children a", { hasText: "json" }).click();
    await hasText(page, ".data", '"big": 12345678901234567890'); // as it was written, and a line of its own
    assert.match(await text(page, ".data"), /^\{\n  "name": "caucus",\n  "big": 12345678901234567890,\n  "list": \[\n    1,\n    \{\}\n  \]\n\}$/);
    await page.locator(".choices .button", { hasText: "Text" }).click();
    assert.match(await text(page, ".data"), /^\{"name":/);
    await page.locator(".choices .button", { hasText: "Hex" }).click();
    assert.match(await text(page, ".data"), /^000000 {2}7b 22 6e/);
    assert.match(await text(page, "#tree"), /digest|world\s+anyone\s+create, delete, read, write, administer/);
    await page.screenshot({ path: `${screenshots}/console-tree.png`, fullPage: true });

    await page.goBack();
    await page.locator(".children a", { hasText: "binary" }).click();
    await page.waitForSelector('.data[data-form="hex"]');
    assert.match(await text(page, ".data"), /^000000 {2}00 ff fe/);

    // What somebody wrote is text.
    await page.locator("#goto").fill("/app/markup");
    await page.locator("#goto").press("Enter");
    await hasText(page, ".data", "<img src=x onerror=alert(1)><script>alert(2)</script>");
    assert.equal(await page.locator("main img, main script").count(), 0);

    await page.locator("#goto").fill("/app/weird é%2F ?#");
    await page.locator("#goto").press("Enter");
    await hasText(page, ".data", "odd");

    // Who is not everybody.
    await page.locator("#goto").fill("/app/secret");
    await page.locator("#goto").press("Enter");
    await hasText(page, "#tree .notice", "ACL does not let");
    assert.equal(await page.locator(".data").count(), 0);
    await page.locator("#goto").fill("/nothing/here");
    await page.locator("#goto").press("Enter");
    await hasText(page, "#tree .notice", "no such znode");

    // Pieces and pages.
    await page.locator("#goto").fill("/app/long");
    await page.locator("#goto").press("Enter");
    await hasText(page, ".choices .dim", "bytes 0 to 32,768 of");
    await page.locator(".button", { hasText: "Behind" }).click();
    await hasText(page, ".choices .dim", "bytes 32,768 to 50,000 of");
    await page.locator("#goto").fill("/app/many");
    await page.locator("#goto").press("Enter");
    await page.locator(".button", { hasText: "150 left" }).click();
    await page.locator(".button", { hasText: "50 left" }).click();
    await page.waitForFunction(() => document.querySelectorAll(".children li").length === 250);

    // It is live.
    await page.locator("#goto").fill("/app/text");
    await page.locator("#goto").press("Enter");
    await hasText(page, ".data", "before");
    await say("set /app/text after");
    await hasText(page, ".data", "after");
    await say("create /app/text/child");
    await hasText(page, ".children", "child");
  },

  async sessions() {
    await say("create /Election", "create /Election/Global", "create /Election/Global/LiveNodes", "create /Election/Global/LiveNodes/0000 name=one\\nrest=127.0.0.1:9999");
    const page = await open({}, "/console/#/sessions");
    await hasText(page, "#sessions", "1 session");
    assert.match(await text(page, "#sessions section:first-of-type table"), /0x[0-9a-f]+\s+60 s\s+in \d+ s\s+127\.0\.0\.1/);
    await say("watch /app/text");
    await hasText(page, "#sessions", "1 data watch");
    await page.locator('#sessions a[href="#/tree/app/text"]').waitFor();
    assert.equal(await page.locator("#election").getAttribute("href"), "//127.0.0.1:9999/");
    await page.screenshot({ path: `${screenshots}/console-sessions.png`, fullPage: true });
  },

  async keyboard() {
    const page = await open();
    await page.keyboard.press("Tab");
    assert.equal((await focused(page)).href, "#main");
    const first = await tabThrough(page);
    for (const wanted of ["A Coordination", "A Ensemble", "A Tree", "A Sessions and", "BUTTON Elections", "BUTTON Pause", "A Commands", "A Metrics"]) {
      assert.ok(first.some((r) => r.startsWith(wanted.slice(0, 12))), `${wanted} is not reached: ${first}`);
    }
    await page.locator('.tabs a[data-part="tree"]').focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector("#tree h1:focus");
    await page.locator(".children a", { hasText: "app" }).focus();
    await page.keyboard.press("Enter");
    await hasText(page, "#tree h1", "/app");
    await page.waitForSelector("#tree h1:focus");
    await page.waitForSelector("#acl-title");
    await page.keyboard.press("Tab");
    const tree = await tabThrough(page);
    for (const wanted of ["INPUT", "BUTTON Go", "A json", "A secret", "A weird"]) assert.ok(tree.some((r) => r.startsWith(wanted)), `${wanted} is not reached: ${tree}`);
    await page.locator('.tabs a[data-part="sessions"]').focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector("#sessions h1:focus");
    assert.equal(await page.locator('.tabs a[aria-current="page"]').innerText(), "Sessions and watches");
    await page.goBack();
    await hasText(page, "#tree h1", "/app");
  },

  async writes() {
    const page = await open({}, "/console/#/tree/app/secret");
    await hasText(page, "#tree .notice", "ACL does not let");
    const login = async (password) => {
      await page.locator("#user").fill("alice");
      await page.locator("#password").fill(password);
      await page.locator("#password").press("Enter");
    };
    await page.locator("#login-button").focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector("#user:focus");
    await login("guess");
    await hasText(page, "#login-fault", "no ACL here names");
    await login("secret");
    await hasText(page, "#login-button", "Log out alice");
    await hasText(page, ".data", "her data");
    await page.locator("#new-data").fill("by hand <b>&amp;");
    await page.screenshot({ path: `${screenshots}/console-edit.png`, fullPage: true });
    await page.locator(".button", { hasText: "Save" }).click();
    await hasText(page, ".data", "by hand <b>&amp;");
    await page.locator("#new-name").fill("below");
    await page.locator("#new-text").fill("new");
    await page.locator(".button", { hasText: "Create" }).click();
    await page.locator(".children a", { hasText: "below" }).click();
    await hasText(page, ".data", "new");
    await page.locator(".button", { hasText: "Delete" }).click();
    await page.locator(".button", { hasText: "Really delete it" }).click();
    await page.waitForURL(/#\/tree\/app\/secret$/);
    await hasText(page, "#children-title", "No children");
    await page.locator("#login-button").click();
    await hasText(page, "#tree .notice", "ACL does not let");
    assert.equal(await page.locator(".data, .edit").count(), 0);
  },

  async phone() {
    const page = await open({ viewport: { width: 360, height: 740 }, colorScheme: "dark", deviceScaleFactor: 2, isMobile: true, hasTouch: true });
    await hasText(page, "#headline", "One server, alone");
    await page.waitForSelector(".plot .curve[d*=L]", { state: "attached" });
    assert.ok(await fits(page), "wider than the screen");
    assert.ok(await isDark(page));
    await page.screenshot({ path: `${screenshots}/console-phone-dark.png`, fullPage: true });
    await page.locator('.tabs a[data-part="tree"]').tap();
    await page.locator(".children a", { hasText: "app" }).tap();
    await page.locator(".children a", { hasText: "json" }).tap();
    await hasText(page, ".data", "caucus");
    assert.ok(await fits(page), "a znode is wider than the screen");
    await page.screenshot({ path: `${screenshots}/console-phone-tree-dark.png`, fullPage: true });
    await page.locator('.tabs a[data-part="sessions"]').tap();
    await page.waitForSelector("#sessions table");
    assert.ok(await fits(page), "sessions are wider than the screen");
    for (const box of await page.locator(".tabs a").all()) assert.ok((await box.boundingBox()).height >= 32);
  },

  async spoken() {
    const page = await open();
    await page.waitForSelector(".plot .curve[d*=L]", { state: "attached" });
    assert.equal(await page.locator("html").getAttribute("lang"), "en");
    assert.equal(await page.locator("#servers caption").count(), 1);
    assert.match(await page.locator(".plot svg[role=img]").first().getAttribute("aria-label"), /^Requests per second, now: reads [\d,]+, writes [\d,]+; highest of five minutes: /);
    assert.equal(await page.locator("#live").getAttribute("role"), "status");
    assert.equal(await page.locator('.choices .button[aria-pressed="true"]').count(), 4);
    await page.locator(".button", { hasText: "Znodes" }).click();
    await say("create /app/heard");
    await page.waitForSelector('#events li[data-kind="created"]', { state: "attached" });
    assert.equal(await page.locator('#events li[data-kind="created"]').first().isVisible(), false);
    await page.locator(".button", { hasText: "Znodes" }).click();
    await hasText(page, '#events li[data-kind="created"]', "/app/heard created by session 0x");
  },
};

await run(scenarios);
