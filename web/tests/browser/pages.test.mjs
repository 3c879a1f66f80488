// Every page that there is, in a real browser: what axe-core says of it on a phone and on a screen, in both colour
// schemes, and that a phone never scrolls a page sideways. Run with web/tests/run.sh.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as browserOf from "./browser.mjs";
import * as coordinatorOf from "./coordinator.mjs";

const { GALLERY, AXE, PICTURES } = process.env;
assert.ok(GALLERY, "GALLERY names the folder that `cargo run -p web --example gallery -- FOLDER` made");
assert.ok(AXE, "AXE names the script of axe-core (`npm install axe-core`: node_modules/axe-core/axe.min.js)");
const axe = readFileSync(AXE, "utf8");
const PHONE = 360;
const SCREEN = 1280;

/** What only makes sense inside a page. */
const pages = readdirSync(GALLERY).filter((name) => name.endsWith(".html") && !name.endsWith("-live.html"));

/** @type {Awaited<ReturnType<typeof coordinatorOf.start>>} */
let coordinator;
/** @type {Awaited<ReturnType<typeof browserOf.start>>} */
let browser;

before(async () => {
  coordinator = await coordinatorOf.start(GALLERY);
  browser = await browserOf.start();
});
after(async () => {
  await browser.stop();
  await coordinator.stop();
});

/** @param {string} page @param {number} width */
async function open(page, width) {
  await browser.width(width);
  await browser.open(`${coordinator.url}/${page}`);
  await browser.run(`for (const details of document.querySelectorAll("main details")) details.open = true`);
  if (PICTURES) {
    mkdirSync(PICTURES, { recursive: true });
    writeFileSync(join(PICTURES, `${page.replace("/", "-")}-${width}.png`), await browser.picture(), "base64");
  }
}

/**
 * What axe-core finds: the rule and the element, one line each. What is stuck to an edge covers lines until one scrolls,
 * and lines that the browser has not laid out yet have no place: neither is looked at as it is.
 */
async function findings() {
  await browser.run(`
    for (const item of document.querySelectorAll(".top, .side, summary, .pill")) item.style.position = "static";
    for (const item of document.querySelectorAll(".c")) item.style.contentVisibility = "visible";`);
  await browser.run(axe);
  return browser.wait(`
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => id + ": " + node.html.slice(0, 200)));`);
}

/** How far the page scrolls sideways, and the last elements that reach beyond its right edge. */
const beyond = () =>
  browser.run(`
    const width = document.documentElement.clientWidth;
    const out = [...document.querySelectorAll("body *")].filter((item) => item.getBoundingClientRect().right > width + 1);
    return { scrolls: document.documentElement.scrollWidth - width, width, out: out.slice(-5).map((item) => item.outerHTML.slice(0, 120)) };`);

test("there are pages of every kind", () => {
  const kinds = ["agents", "artifact", "build", "builds", "job", "login", "repositories", "repository", "shell", "tokens", "404"];
  assert.deepEqual(kinds.filter((kind) => !pages.includes(`${kind}.html`)), []);
});

for (const page of pages) {
  test(`${page}: a phone does not scroll it sideways`, async () => {
    await open(page, PHONE);
    const { scrolls, width, out } = await beyond();
    assert.equal(width, PHONE);
    assert.deepEqual(scrolls > 0 ? [`${scrolls} px`, ...out] : [], []);
  });

  for (const [scheme, folder] of [["light", ""], ["dark", "dark/"]]) {
    for (const width of [PHONE, SCREEN]) {
      test(`${page}: axe-core finds nothing, ${scheme}, ${width} px`, async () => {
        await open(folder + page, width);
        assert.deepEqual(await findings(), []);
      });
    }
  }
}
