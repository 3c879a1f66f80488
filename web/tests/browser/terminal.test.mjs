// The terminal's page in a real browser, under the policy of all pages. Run with web/tests/run.sh. What is typed into a
// real shell is tested by cli/tests/it/browser.rs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as browserOf from "./browser.mjs";
import * as coordinatorOf from "./coordinator.mjs";

const folder = process.env.GALLERY;
assert.ok(folder, "GALLERY names the folder that `cargo run -p web --example gallery -- FOLDER` made");

/** @type {Awaited<ReturnType<typeof coordinatorOf.start>>} */
let coordinator;
/** @type {Awaited<ReturnType<typeof browserOf.start>>} */
let browser;

before(async () => {
  coordinator = await coordinatorOf.start(folder);
  browser = await browserOf.start();
  await browser.open(`${coordinator.url}/shell.html`);
  await browser.until(`return document.querySelector(".xterm-rows > div")`);
});
after(async () => {
  await browser.stop();
  await coordinator.stop();
});

const TERMINAL = `const element = document.querySelector("drover-terminal"), { terminal } = element;
  const span = (text) => [...element.querySelectorAll(".xterm-rows span")].find((span) => span.textContent.includes(text));`;

test("colours are colours and wide characters are two cells wide", async () => {
  await browser.wait(`${TERMINAL} await new Promise((done) => terminal.write("\\x1b[31mred\\x1b[0m \\x1b[38;2;255;128;0mhot\\x1b[0m\\r\\n漢字\\r\\nfour", done))`);
  await browser.until(`${TERMINAL} return span("four")`);
  const { width, ...colours } = await browser.run(`${TERMINAL} const colour = (text) => getComputedStyle(span(text)).color;
    const [wide, four] = ["漢字", "four"].map((text) => span(text).getBoundingClientRect().width);
    return { red: colour("red"), hot: colour("hot"), width: wide - four }`);
  assert.deepEqual(colours, { red: "rgb(255, 123, 114)", hot: "rgb(255, 128, 0)" });
  assert.ok(Math.abs(width) < 1, `${width} px apart`);
});

test("Ctrl-C and Shift-Tab are the browser's when there is something to copy or to leave", async () => {
  const [copied, ...taken] = await browser.run(`${TERMINAL}
    const key = (init) => !terminal.textarea.dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...init }));
    const copy = { key: "c", keyCode: 67, ctrlKey: true }, clipboardData = new DataTransfer();
    terminal.select(0, 0, 3);
    terminal.textarea.dispatchEvent(new ClipboardEvent("copy", { bubbles: true, clipboardData }));
    const selected = key(copy);
    terminal.clearSelection();
    return [clipboardData.getData("text/plain"), selected, key(copy), key({ key: "Tab", keyCode: 9, shiftKey: true })]`);
  assert.equal(copied, "red");
  assert.deepEqual(taken, [false, true, false]);
});

test("the terminal is as large as its room, and the policy has nothing to forbid", async () => {
  const columns = `${TERMINAL} return terminal.cols`;
  const before = await browser.run(columns);
  await browser.width(360);
  await browser.until(`${TERMINAL} return terminal.cols < arguments[0] / 2`, before);
  const complaints = await browser.complaints();
  assert.deepEqual(complaints.filter((/** @type {string} */ text) => !text.includes("WebSocket connection to")), []);
});
