// @ts-check
// Where the reader is among the logs of a page: at the end and following, at a line that the address points at, or
// somewhere above, to be left in peace and told of news.
import { numberOf, paint } from "./lines.js";

/** @typedef {import("./log.js").LogView} LogView */

/** Lines in one request. */
export const RANGE = 1000;

/** Every log of the page. @type {Set<LogView>} */
export const views = new Set();

/** Keeps what the reader looks at where it is. @param {Element | undefined} item @param {() => void} change */
export function hold(item, change) {
  const before = item?.getBoundingClientRect().top ?? 0;
  document.documentElement.style.overflowAnchor = "none";
  change();
  if (item?.isConnected) scrollBy(0, item.getBoundingClientRect().top - before);
  requestAnimationFrame(() => (document.documentElement.style.overflowAnchor = ""));
}

/** The logs that are open, downwards. @returns {LogView[]} */
function open() {
  const all = /** @type {NodeListOf<LogView>} */ (document.querySelectorAll("log-view"));
  return [...all].filter((view) => view.isOpen);
}

/** The log that the reader follows: the lowest live one whose end can be seen. @returns {LogView | undefined} */
export function followed() {
  return open().filter((view) => view.hasAttribute("live") && view.showsEnd && view.isAttached).pop();
}

// "▼ 312 new lines", while the reader is elsewhere.
const pill = document.createElement("button");
pill.className = "pill";
pill.hidden = true;
let news = 0;

/** Lines came that the reader does not see. @param {number} lines */
export function count(lines) {
  news += lines;
  pill.hidden = news === 0;
  pill.textContent = `▼ ${news.toLocaleString("en")} new line${news === 1 ? "" : "s"}`;
  if (!pill.isConnected) document.body.append(pill);
}

/** Shows the end of the lowest live log that has lines. */
export async function toEnd() {
  const filled = open().filter((view) => view.total);
  const view = filled.filter((candidate) => candidate.hasAttribute("live")).pop() ?? filled.pop();
  if (!view) return;
  if (!view.isAttached) await view.load(Math.max(1, view.total - RANGE + 1), view.total);
  view.showEnd();
  settle();
}

/** The reader is at the end again. */
function settle() {
  if (news && followed()) count(-news);
}

/** The lines that the address points at. */
export function target() {
  const [, stream, a, b] = /^#(.+?)-L(\d+)(?:-L(\d+))?$/.exec(location.hash) ?? [];
  const view = [...views].find((candidate) => candidate.stream === stream);
  return view && { view, from: Number(a), to: Number(b ?? a) };
}

/** Marks the lines that the address points at. */
export function mark() {
  for (const line of document.querySelectorAll(".log .hl")) line.classList.remove("hl");
  const { view, from, to } = target() ?? {};
  if (view) for (const item of view.items()) item.classList.toggle("hl", numberOf(item) >= (from ?? 0) && numberOf(item) <= (to ?? 0));
}

async function toTarget() {
  const place = target();
  if (!place) return false;
  const { view, from } = place;
  const part = view.closest("details");
  if (part) (part.open = true), part.setAttribute("data-touched", "");
  if (from < view.first || from > view.last) {
    view.clear(Math.max(1, from - RANGE / 2));
    await view.load(view.first, view.first + RANGE - 1);
  }
  mark();
  document.getElementById(`${view.stream}-L${from}`)?.scrollIntoView({ block: "center" });
  return true;
}

/** Goes to the next or previous line that looks like an error. @param {1 | -1} way */
export function toError(way) {
  const items = [...document.querySelectorAll("details[open] .log .x")];
  const middle = innerHeight / 2;
  const isBeyond = (/** @type {Element} */ item) => (item.getBoundingClientRect().top - middle) * way > 20;
  const next = way > 0 ? items.find(isBeyond) : items.filter(isBeyond).pop();
  next?.scrollIntoView({ block: "center" });
}

/** The first line of a failed step (else service) that looks like an error, when it is out of sight. */
function firstError() {
  const error = document.querySelector(".sec.fail[id^=sec-step] .x") ?? document.querySelector(".sec.fail .x");
  return error && error.getBoundingClientRect().bottom > innerHeight ? error : null;
}

/** Shows times anew after the reader chose how. */
export function redress() {
  for (const view of views) view.dress(view.items());
}

/** The first look, once the logs are there: the line of the address, else the end while it runs, else what failed. */
export async function begin() {
  for (const span of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-fg],[data-bg]"))) paint(span, span.dataset.fg, span.dataset.bg);
  addEventListener("hashchange", toTarget);
  addEventListener("scroll", settle, { passive: true });
  pill.addEventListener("click", toEnd);
  if (await toTarget()) return;
  if (document.querySelector("log-view[live]:not([eof])")) toEnd();
  else firstError()?.scrollIntoView({ block: "center" });
}
