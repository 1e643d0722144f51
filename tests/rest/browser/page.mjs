// What a browser makes of the results page (tests/lib/browser.mjs). Wishes: lines of the script, or "stop" or "start" for the server.
import assert from "node:assert/strict";
import { fits, focused, hasText, isDark, open, run, say, screenshots, tabThrough, text } from "../../lib/browser.mjs";

const tile = (page, code) => page.locator(`.tile[data-state="${code}"]`);
const kind = (page, code, wanted) => page.waitForSelector(`.tile[data-state="${code}"][data-kind="${wanted}"]`);
/** What is said of the electors changes with the nation, which comes behind its states. */
const electors = (page, pattern) => page.waitForFunction(
  (source) => new RegExp(source).test(document.querySelector(".electors")?.getAttribute("aria-label")), pattern.source);
const counted = (page, code) => tile(page, code).evaluate((t) => Number(t.style.getPropertyValue("--counted")));

const scenarios = {
  async fills() {
    const page = await open();
    assert.equal(await page.locator(".tile").count(), 51);
    assert.equal(await text(page, "#headline"), "No votes counted yet");
    for (const code of ["CA", "TX", "ME"]) {
      assert.equal(await tile(page, code).getAttribute("data-kind"), "none");
      assert.equal(await counted(page, code), 0);
    }
    assert.equal(await page.locator("#console").getAttribute("href"), "http://127.0.0.1:8080/console/");
    await say("votes CA harris 9000", "votes TX trump 4000", "votes NY harris 70", "votes NY trump 70", "lose FL", "votes ME harris 9", "votes ME trump 4");
    await kind(page, "CA", "leads");
    await kind(page, "TX", "leads");
    await kind(page, "NY", "tie");
    await kind(page, "FL", "unknown");
    await kind(page, "ME", "leads");
    assert.equal(await tile(page, "CA").locator(".sign").innerText(), "●");
    assert.equal(await tile(page, "TX").locator(".sign").innerText(), "■");
    assert.equal(await tile(page, "NY").locator(".sign").innerText(), "=");
    assert.equal(await tile(page, "ME").locator(".pip").count(), 2);
    const early = await counted(page, "CA");
    assert.ok(early > 0.1 && early < 0.3, `${early}`);
    await hasText(page, "#headline", "Kamala D. Harris leads");
    await say("votes CA harris 18000");
    await page.waitForFunction((before) => Number(document.querySelector('.tile[data-state="CA"]').style.getPropertyValue("--counted")) > before, early);
    const row = page.locator("#table tbody tr", { hasText: "California" });
    await hasText(page, "#table tbody", "27,000");
    assert.match(await row.innerText(), /Harris leads/);
    await page.screenshot({ path: `${screenshots}/page-counting.png`, fullPage: true });

    await say("phase CLOSED", "final CA", "final TX", "find FL");
    await kind(page, "CA", "won");
    assert.equal(await tile(page, "CA").locator(".sign").innerText(), "●✓");
    assert.match(await row.innerText(), /Harris won/);
    assert.match(await text(page, "#phase"), /not yet final/);
    await electors(page, /Harris .*54 won/);
    assert.match(await text(page, "#headline"), /leads/); // 54 of 538 is no majority
  },

  async wins() {
    const page = await open();
    const states = await page.evaluate(async () => (await (await fetch("/v1/election")).json()).states.map((s) => s.code));
    const red = new Set(["AK", "AL", "AR", "AZ", "FL", "GA", "IA", "ID", "IN", "KS", "KY", "LA", "MI", "MO", "MS", "MT", "NC", "ND", "NE", "NV", "OH", "OK", "PA", "SC",
      "SD", "TN", "TX", "UT", "WI", "WV", "WY"]);
    await say(...states.flatMap((s, i) => [`votes ${s} ${red.has(s) ? "trump" : "harris"} ${1500 + 40 * i}`, `votes ${s} ${red.has(s) ? "harris" : "trump"} ${1200 - 9 * i}`]));
    await hasText(page, "#headline", "Donald J. Trump leads");
    await hasText(page, ".end.right", "312");
    await say("phase CLOSED", ...states.map((s) => `final ${s}`));
    await hasText(page, "#headline", "Donald J. Trump wins");
    await hasText(page, "#phase", ": final"); // all of them
    assert.equal(await page.locator('.tile[data-kind="won"]').count(), 51);
    await page.screenshot({ path: `${screenshots}/page-final.png`, fullPage: true });
  },

  async keyboard() {
    await say("votes CA harris 10", "votes OH trump 10");
    const page = await open();
    await page.keyboard.press("Tab");
    assert.equal((await focused(page)).href, "#table");
    const states = new Set();
    const reached = await tabThrough(page, (at) => { if (at.state) states.add(at.state); });
    assert.equal(states.size, 51);
    for (const wanted of ["A Presidential", "BUTTON State", "BUTTON Electors", "BUTTON Margin", "A Wyoming", "A CSV", "A JSON"]) {
      assert.ok(reached.some((r) => r.startsWith(wanted.slice(0, 14))), `${wanted} is not reached`);
    }

    await tile(page, "OH").focus();
    const path = [];
    for (const key of ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"]) {
      await page.keyboard.press(key);
      path.push((await focused(page)).state);
    }
    assert.deepEqual(path, ["PA", "VA", "WV", "OH"]);

    await page.keyboard.press("Enter");
    await page.waitForSelector("#state h1:focus");
    assert.equal(await text(page, "#state h1"), "Ohio");
    assert.match(await page.title(), /^Ohio/);
    await page.locator(".back").focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector('.tile[data-state="OH"]:focus');

    const electors = page.locator("thead button", { hasText: "Electors" });
    await electors.focus();
    await page.keyboard.press("Enter");
    assert.equal(await page.locator('th[aria-sort="descending"]').innerText(), "Electors");
    assert.match(await page.locator("#table tbody tr").first().innerText(), /^California/);
  },

  async state() {
    await say("votes ME harris 5", "votes ME trump 4");
    const page = await open({}, "/#/me");
    assert.equal(await text(page, "#state h1"), "Maine");
    await hasText(page, "#state .subline", "9 voters counted");
    assert.equal(await page.locator("#state h2", { hasText: "District" }).count(), 2);
    await page.waitForSelector("#state table");
    assert.match(await text(page, "#state table"), /s1\s+leads/);
    assert.match(await text(page, "#state table"), /s2\s+away/);
    const result = await page.evaluate(async () => (await fetch("/v1/states/ME/status")).json());
    assert.equal(await page.locator("#state code").first().innerText(), result.root);
    await say("votes ME trump 40");
    await hasText(page, "#state .subline", "Trump leads");
    await page.screenshot({ path: `${screenshots}/page-state.png`, fullPage: true });
  },

  async away() {
    const page = await open();
    await say("votes CA harris 10");
    await kind(page, "CA", "leads");
    await say("stop");
    await page.waitForSelector('#live[data-live="no"]');
    assert.match(await text(page, "#live"), /^Not live since/);
    await say("start");
    await say("phase OPEN", "votes OH trump 10");
    await page.waitForSelector('#live[data-live="yes"]');
    await kind(page, "OH", "leads");
    await kind(page, "CA", "none"); // what it knew is gone: another server's counts are what counts
  },

  async hidden() {
    const page = await open();
    await say("votes CA harris 10");
    assert.equal(await text(page, "#headline"), "Voting is under way");
    assert.equal(await tile(page, "CA").getAttribute("data-kind"), "none");
    assert.doesNotMatch(await text(page, "body"), /\b10\b votes/);
    await say("phase CLOSED", "final CA");
    await kind(page, "CA", "won");
  },

  async phone() {
    await say("votes CA harris 9000", "votes CA trump 5000", "votes TX trump 20000", "votes ME harris 100", "votes NY harris 9", "votes NY trump 9");
    const page = await open({ viewport: { width: 360, height: 740 }, colorScheme: "dark", deviceScaleFactor: 2, isMobile: true, hasTouch: true });
    await kind(page, "CA", "leads");
    assert.ok(await fits(page), "wider than the screen");
    const size = await tile(page, "CA").boundingBox();
    assert.ok(size.width >= 24 && Math.abs(size.width - size.height) < 2, JSON.stringify(size));
    assert.ok(await isDark(page));
    await page.screenshot({ path: `${screenshots}/page-phone-dark.png`, fullPage: true });
    await tile(page, "CA").tap();
    await page.waitForSelector("#state h1");
    assert.ok(await fits(page), "the state's page is wider than the screen");
  },

  async spoken() {
    await say("votes CA harris 5850", "votes CA trump 3830", "votes CA other 320", "votes NY harris 9", "votes NY trump 9", "lose FL");
    const page = await open();
    await kind(page, "CA", "leads");
    await kind(page, "NY", "tie");
    await kind(page, "FL", "unknown");
    const name = async (code) => (await tile(page, code).locator(".unseen").textContent());
    assert.equal(await name("CA"), "California, 54 electors: Harris leads, 58.5 % to 38.3 %, 18.5 % counted");
    assert.match(await name("NY"), /^New York, 28 electors: tied so far/);
    assert.match(await name("FL"), /^Florida, 30 electors: not known now/);
    assert.match(await name("WY"), /^Wyoming, 3 electors: no votes yet/);
    await electors(page, /Kamala D\. Harris 54 electors \(0 won, 54 leading\)\. 270 win\./);
    assert.equal(await page.locator("main table caption").count(), 1);
    assert.equal(await page.locator("html").getAttribute("lang"), "en");
    await say("votes CA trump 9000");
    await hasText(page, "#news", "California: Trump leads.");
  },
};

await run(scenarios);
