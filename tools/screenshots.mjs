// node tools/screenshots.mjs URL FILE.png [WIDTHxHEIGHT]: what docs/images has, from a cluster that runs (./run). The browser is the tests'.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const peers = process.env.PEERS ?? fileURLToPath(new URL('../build/peers/browser/', import.meta.url));
const { chromium } = createRequire(`${peers}/`)('playwright-core');
const [url, file, size = '1200x860'] = process.argv.slice(2);
const [width, height] = size.split('x').map(Number);

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium-headless-shell', args: ['--no-sandbox'] });
const page = await browser.newPage({ viewport: { width, height } });
await page.goto(url);
await page.waitForFunction(() => document.body.innerText.length > 200);
await page.waitForTimeout(3000); // what comes by streams has come, plots have points
await page.screenshot({ path: file });
await browser.close();
