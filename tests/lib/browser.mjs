// One scenario in a browser, by its name, on the page at an address. The script of a page imports this and calls run.
//
//   node SCRIPT FOLDER_OF_MODULES serve CHROMIUM          a browser for all scenarios; prints its address, ends with stdin
//   node SCRIPT FOLDER_OF_MODULES SCENARIO BROWSER ADDRESS SCREENSHOTS
//
// Whoever started it (browser.py) is asked to change the world by a line on stdout, a JSON list of wishes, and answers with a line.
// The last line is "passed".
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [modules, scenario, browserAt, address, screenshots] = process.argv.slice(2);
const { chromium } = createRequire(modules + "/")("playwright-core");
const troubles = [];
/** What a page may say as an error: a server that is away is part of many scenarios. */
export const expected = [/ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY/];
let browser, answers;

export { address, screenshots };

export async function say(...lines) {
  console.log(JSON.stringify(lines));
  assert.equal((await answers.next()).value, "done");
}

export async function open(options = {}, path = "/") {
  const context = await browser.newContext({ viewport: { width: 1200, height: 1000 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  page.on("request", (r) => { if (!r.url().startsWith(address)) troubles.push(`asks ${r.url()}`); });
  page.on("pageerror", (e) => troubles.push(`fails: ${e.message}`));
  page.on("console", (m) => { if (m.type() === "error" && !expected.some((e) => e.test(m.text()))) troubles.push(`says: ${m.text()}`); });
  await page.goto(address + path);
  await page.waitForSelector('#live[data-live="yes"]');
  return page;
}

export const text = (page, selector) => page.locator(selector).innerText();
export const focused = (page) => page.evaluate(() => {
  const e = document.activeElement;
  return { tag: e.tagName, id: e.id, state: e.dataset.state ?? null, text: e.textContent.trim(), href: e.getAttribute("href") };
});
export const hasText = (page, selector, wanted) => page.waitForFunction(
  ([s, w]) => document.querySelector(s)?.textContent.includes(w), [selector, wanted]);
export const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

/** Goes through the page by the tabulator, from its beginning: what was reached. Each must show that it is. */
export async function tabThrough(page, visit = () => {}) {
  const reached = new Set();
  for (let i = 0; i < 250; i++) {
    const at = await focused(page);
    if (at.tag === "BODY" && i > 0) break;
    reached.add(`${at.tag} ${at.text.slice(0, 12)}`);
    visit(at);
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, "none", `no outline on ${at.text}`);
    await page.keyboard.press("Tab");
  }
  return [...reached];
}

/** Dark, and still to be read. */
export async function isDark(page) {
  const [paper, ink] = await page.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]);
  const light = (colour) => Number(colour.match(/\d+/)[0]);
  return light(paper) < 60 && light(ink) > 160;
}

async function serve() {
  const server = await chromium.launchServer({ executablePath: browserAt, args: ["--no-sandbox"] });
  console.log(server.wsEndpoint());
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.on("end", resolve));
  await server.close();
  process.exit(0);
}

export async function run(scenarios) {
  if (scenario === "serve") await serve();
  answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  browser = await chromium.connect(browserAt);
  try {
    await scenarios[scenario]();
    assert.deepEqual(troubles, []);
    console.log("passed");
  } catch (error) {
    console.log(String(error.stack ?? error).split("\n").concat(troubles).join(" | "));
    process.exitCode = 1;
  } finally {
    await browser.close();
    process.stdin.destroy();
  }
}
