// The log viewer in a real browser, against the wire contract of the log API. Run with web/tests/run.sh.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import * as browserOf from "./browser.mjs";
import * as coordinatorOf from "./coordinator.mjs";

const folder = process.env.GALLERY;
assert.ok(folder, "GALLERY names the folder that `cargo run -p web --example gallery -- FOLDER` made");

/** @type {Awaited<ReturnType<typeof coordinatorOf.start>>} */
let coordinator;
/** @type {Awaited<ReturnType<typeof browserOf.start>>} */
let browser;

before(async () => {
  browser = await browserOf.start();
});
after(() => browser.stop());

beforeEach(async () => {
  await coordinator?.stop();
  coordinator = await coordinatorOf.start(/** @type {string} */ (folder));
  // The page's first screen has ten lines of step-1.
  coordinator.write(10);
});
after(() => coordinator.stop());

const VIEW = `const view = document.querySelector("log-view[stream=step-1]");
  const numbers = [...view.querySelectorAll("li[id]")].map((item) => Number(item.id.split("-L")[1]));`;

async function open(path = "/jobs/t20") {
  await browser.open(coordinator.url + path);
  await browser.until(`return document.querySelector("log-view[stream=step-1]").stream`);
  while (!coordinator.state.streams.size) await new Promise((done) => setTimeout(done, 10));
}

/** The numbers of the lines that are shown. @returns {Promise<number[]>} */
const shown = () => browser.run(`${VIEW} return numbers`);
/** @param {number} n */
const untilLast = (n) => browser.until(`${VIEW} return numbers.at(-1) === arguments[0]`, n);
/** @param {number} from @param {number} to */
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

test("lines appear as they are told, once and in order", async () => {
  await open();
  coordinator.tell(coordinator.write(5));
  await untilLast(15);
  coordinator.tell(coordinator.write(3));
  await untilLast(18);
  assert.deepEqual(await shown(), range(1, 18));
  assert.deepEqual(await browser.complaints(), []);
});

test("what is told twice is shown once, and what was not told is fetched", async () => {
  await open();
  coordinator.tell(coordinator.write(5));
  await untilLast(15);
  coordinator.tell(8);
  coordinator.tell(12, 2);
  const ahead = coordinator.write(200);
  coordinator.tell(ahead + 150, 10);
  coordinator.tell(ahead + 160);
  await untilLast(215);
  assert.deepEqual(await shown(), range(1, 215));
});

test("a connection that breaks leaves no gap and no doubling", async () => {
  await open();
  coordinator.tell(coordinator.write(5));
  await untilLast(15);
  coordinator.breakStreams();
  coordinator.write(30);
  while (!coordinator.state.streams.size) await new Promise((done) => setTimeout(done, 10));
  coordinator.tell(11);
  await untilLast(45);
  coordinator.tell(coordinator.write(1));
  await untilLast(46);
  assert.deepEqual(await shown(), range(1, 46));
  assert.equal(coordinator.state.resumed.at(-1), "step-1:15");
});

test("an event stream that brings nothing is made up for by the page's own state", async () => {
  await open();
  coordinator.write(40);
  coordinator.state.change = (html) => html.replace(/(id="log-0193a1-step-1"[^>]*) lines="10"/, '$1 lines="50"');
  coordinator.changed();
  await untilLast(50);
  assert.deepEqual(await shown(), range(1, 50));
});

test("a flood keeps the page small and the reader at the end", async () => {
  await open();
  for (let i = 0; i < 50; i++) coordinator.tell(coordinator.write(1000));
  await untilLast(50_010);
  const numbers = await shown();
  assert.ok(numbers.length <= 2000, `${numbers.length} lines are in the page`);
  assert.deepEqual(numbers, range(numbers[0], 50_010));
  assert.ok(await browser.run(`${VIEW} return view.getBoundingClientRect().bottom <= innerHeight + 60`), "the end is seen");
  const up = await browser.run(`${VIEW} return view.querySelector(".up").textContent`);
  assert.equal(up, `▲ ${(numbers[0] - 1).toLocaleString("en")} earlier lines`);
});

test("a reader who scrolls up is left in peace, told of new lines, and brought back by the pill", async () => {
  await open();
  coordinator.tell(coordinator.write(1500));
  await untilLast(1510);
  await browser.run(`document.getElementById("step-1-L300").scrollIntoView({ block: "center" })`);
  const place = `return Math.round(document.getElementById("step-1-L300").getBoundingClientRect().top)`;
  await browser.until(`return new Promise((done) => setTimeout(() => done(true), 300))`);
  const before = await browser.run(place);
  for (let i = 0; i < 5; i++) {
    coordinator.tell(coordinator.write(300));
    await browser.until(`return [...document.querySelectorAll(".pill")].some((pill) => pill.textContent.includes("new lines"))`);
    await new Promise((done) => setTimeout(done, 120));
  }
  assert.ok(Math.abs((await browser.run(place)) - before) <= 1, "the line has not moved");
  const numbers = await shown();
  assert.ok(numbers.length <= 2000 && numbers[0] === 1, `from ${numbers[0]}, ${numbers.length} lines`);
  await browser.run(`document.querySelector(".pill").click()`);
  await untilLast(3010);
  await browser.until(`return document.querySelector(".pill").hidden`);
  coordinator.tell(coordinator.write(2));
  await untilLast(3012);
});

test("earlier lines come above without moving what is read", async () => {
  await open();
  for (let i = 0; i < 6; i++) coordinator.tell(coordinator.write(1000));
  await untilLast(6010);
  const first = (await shown())[0];
  await browser.run(`document.querySelector("log-view[stream=step-1] .up").scrollIntoView({ block: "center" })`);
  await browser.until(`return new Promise((done) => setTimeout(() => done(true), 300))`);
  const place = `return Math.round(document.getElementById("step-1-L${first}").getBoundingClientRect().top)`;
  const before = await browser.run(place);
  await browser.run(`document.querySelector("log-view[stream=step-1] .up").click()`);
  await browser.until(`${VIEW} return numbers[0] < arguments[0]`, first);
  const numbers = await shown();
  assert.deepEqual(numbers, range(first - 1000, numbers.at(-1)));
  assert.ok(numbers.length <= 2000);
  assert.ok(Math.abs((await browser.run(place)) - before) <= 24, "the line has not moved by more than the link's height");
});

test("a link to a line far away shows that line, marked", async () => {
  coordinator.write(90_000);
  await open("/jobs/t20#step-1-L45000-L45002");
  await browser.until(`return document.getElementById("step-1-L45000")?.classList.contains("hl")`);
  const marked = await browser.run(`return [...document.querySelectorAll(".hl")].map((item) => item.id)`);
  assert.deepEqual(marked, ["step-1-L45000", "step-1-L45001", "step-1-L45002"]);
  const top = await browser.run(`return document.getElementById("step-1-L45000").getBoundingClientRect().top`);
  assert.ok(top > 0 && top < 900, `it is at ${top}`);
  coordinator.tell(coordinator.write(1));
  await browser.until(`return document.querySelector("log-view[stream=step-1] .down")?.textContent.includes("later lines")`);
  assert.ok(!(await shown()).includes(90_011), "what comes does not tear the reader away");
});

test("the state of the page changes around the logs, which stay", async () => {
  await open();
  coordinator.tell(coordinator.write(5));
  await untilLast(15);
  await browser.run(`const part = document.querySelector("#sec-step-0"); part.querySelector("summary").click();
    window.kept = document.querySelector("#step-1-L12")`);
  coordinator.state.change = (html) => html.replaceAll("upload coverage", "upload the coverage").replaceAll('class="sec run" id="sec-step-1"', 'class="sec ok" id="sec-step-1"');
  coordinator.changed();
  await browser.until(`return document.querySelector("#sec-step-2 .t").textContent === "upload the coverage"`);
  assert.ok(await browser.run(`return window.kept.isConnected && document.querySelector("#sec-step-0").open`));
  assert.ok(await browser.run(`return document.querySelector("#sec-step-1").className === "sec ok"`));
  assert.deepEqual(await shown(), range(1, 15));
});

test("text stays text, colours are colours, times can be shown", async () => {
  await open();
  const text = "\x1b[38;2;255;128;0mhot\x1b[0m <img src=x onerror=alert(1)> \x1b]8;;https://example.org/\x1b\\link\x1b]8;;\x1b\\";
  coordinator.tell(coordinator.write(1, () => text));
  await untilLast(11);
  const line = await browser.run(`const item = document.getElementById("step-1-L11");
    return { text: item.textContent, images: item.querySelectorAll("img").length, colour: getComputedStyle(item.querySelector("span")).color,
      link: item.querySelector("a:not([data-n])").href }`);
  assert.deepEqual(line, { text: "hot <img src=x onerror=alert(1)> link", images: 0, colour: "rgb(255, 128, 0)", link: "https://example.org/" });
  await browser.run(`document.querySelector("[data-pref=time] [data-value=utc]").click()`);
  assert.equal(await browser.run(`return document.getElementById("step-1-L11").dataset.at`), "12:04:00.011Z");
  assert.deepEqual(await browser.complaints(), []);
});
