// @ts-check
// Log lines as nodes. Text becomes text nodes only; nothing of a log is ever read as markup.
import { parse } from "./ansi.js";

/** @typedef {{n: number, t: number, s: "o" | "e" | "s", text: string}} Line as the log API sends it */

/** Lines in a cluster; web/src/log.rs has the same number. */
export const CLUSTER = 50;
/** A silence of so many microseconds between two lines is shown. */
const SILENCE = 5_000_000;

/** @param {Line} line @param {string} stream @param {boolean} isError @returns {HTMLLIElement} */
export function element(line, stream, isError) {
  const item = document.createElement("li");
  item.id = `${stream}-L${line.n}`;
  item.className = [line.s === "e" ? "e" : line.s === "s" ? "y" : "", isError ? "x" : ""].join(" ").trim();
  item.dataset.t = String(line.t);
  const number = document.createElement("a");
  number.href = `#${item.id}`;
  number.dataset.n = String(line.n);
  number.setAttribute("aria-label", `Line ${line.n}`);
  item.append(number);
  for (const { text, class: names, fg, bg, href } of parse(line.text)) {
    if (!names && !fg && !bg && !href) {
      item.append(text);
      continue;
    }
    const span = document.createElement(href ? "a" : "span");
    span.textContent = text;
    if (names) span.className = names;
    if (span instanceof HTMLAnchorElement) {
      span.href = href ?? "";
      span.rel = "noreferrer nofollow";
    }
    paint(span, fg, bg);
    item.append(span);
  }
  return item;
}

/** Colours beyond the sixteen have no class. @param {HTMLElement} span @param {string} [fg] @param {string} [bg] */
export function paint(span, fg, bg) {
  if (fg) span.style.color = fg;
  if (bg) span.style.backgroundColor = bg;
}

/** @param {Element} item @returns {number} */
export const numberOf = (item) => Number(item.id.slice(item.id.lastIndexOf("-L") + 2));

/** The time as it is to be shown, or "". @param {number} t microseconds @param {string} mode @param {number} start */
export function clock(t, mode, start) {
  const date = new Date(t / 1000);
  if (mode === "relative") {
    const seconds = Math.max(0, t - start) / 1e6;
    return seconds < 60 ? `+${seconds.toFixed(3)}` : `+${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
  }
  if (mode === "utc") return date.toISOString().slice(11, 23) + "Z";
  if (mode !== "local") return "";
  const two = (/** @type {number} */ n, width = 2) => String(n).padStart(width, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${two(date.getMilliseconds(), 3)}`;
}

/** "41 s silent" between two lines, when it was long. @param {number} before @param {number} t @returns {string} */
export function silence(before, t) {
  return before && t - before >= SILENCE ? `⏱ ${Math.round((t - before) / 1e6)} s silent` : "";
}
