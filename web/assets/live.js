// @ts-check
// <live-region src="…?live=1" on="change" every="5">: fetches its own fragment again when the page's events say so, and
// fits the new state into the old nodes, so that focus, open parts and logs stay. Also the clocks of the page.
import { on, say } from "./events.js";

class LiveRegion extends HTMLElement {
  connectedCallback() {
    this.stop = on("change", () => this.refresh());
    this.stopOpen = on("open", () => (this.seen ? this.refresh() : (this.seen = true)));
    const every = Number(this.getAttribute("every"));
    if (every) this.timer = setInterval(() => document.hidden || this.refresh(), every * 1000);
  }

  disconnectedCallback() {
    this.stop?.();
    this.stopOpen?.();
    clearInterval(this.timer);
  }

  /** One fetch at a time; what comes meanwhile makes one more. */
  async refresh() {
    if (this.busy) return void (this.again = true);
    this.busy = true;
    try {
      const answer = await fetch(this.getAttribute("src") ?? "", { headers: { accept: "text/html" } });
      if (answer.status === 401) return location.reload();
      if (answer.ok) this.show(await answer.text());
    } catch {
      // The event stream notices a lost connection and refreshes when it is back.
    }
    await new Promise((done) => setTimeout(done, 250));
    this.busy = false;
    if (this.again) {
      this.again = false;
      this.refresh();
    }
  }

  /** @param {string} html from our own server, escaped there */
  show(html) {
    const page = new DOMParser().parseFromString(html, "text/html");
    const fresh = document.createElement("live-region");
    fresh.append(...page.body.childNodes);
    children(this, fresh);
    const state = /** @type {HTMLElement | null} */ (this.querySelector("#state"));
    if (state?.dataset.title) {
      const title = `${state.dataset.title} · Drover`;
      if (document.title !== title) say(state.dataset.title);
      document.title = title;
      document.getElementById("favicon")?.setAttribute("href", state.dataset.icon ?? "");
    }
    if (!this.querySelector("[data-since]")) clearInterval(this.timer);
    tick();
    dispatchEvent(new Event("live"));
  }
}

/** Makes the children of `old` what those of `fresh` are: nodes with an id are found by it, others by their kind, in
 * order; what stands between is gone. @param {Node} old @param {Node} fresh */
function children(old, fresh) {
  /** @type {Map<string, Element>} */
  const named = new Map();
  for (const node of old.childNodes) if (node instanceof Element && node.id) named.set(node.id, node);
  const kept = new Set([...fresh.childNodes].map((node) => (node instanceof Element && node.id) || ""));
  const isKept = (/** @type {Node} */ node) => node instanceof Element && node.id !== "" && kept.has(node.id);
  let at = old.firstChild;
  for (const node of [...fresh.childNodes]) {
    if (node instanceof Element) while (at && !(at instanceof Element)) at = drop(at);
    const match = node instanceof Element && node.id ? named.get(node.id) : alike(at, node);
    if (!match) {
      old.insertBefore(node, at);
      continue;
    }
    while (at && at !== match && !isKept(at)) at = drop(at);
    if (at === match) at = match.nextSibling;
    else old.insertBefore(match, at);
    same(match, node);
  }
  while (at) at = drop(at);
}

/** The first node from `at` on that can become `node`; text only at once. @param {ChildNode | null} at @param {Node} node */
function alike(at, node) {
  if (!(node instanceof Element)) return at instanceof Element ? null : at;
  const isAlike = (/** @type {Node} */ other) => other.nodeName === node.nodeName && other instanceof Element && !other.id;
  if (at && isAlike(at)) return at;
  for (; at; at = at.nextSibling) if (isAlike(at) && /** @type {Element} */ (at).className === node.className) return at;
  return null;
}

/** @param {ChildNode} node @returns {ChildNode | null} */
function drop(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

/** Makes `old` what `fresh` is. @param {Node} old @param {Node} fresh */
function same(old, fresh) {
  if (!(old instanceof Element) || !(fresh instanceof Element)) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.hasAttribute("data-keep") || old === document.activeElement?.closest("input, select")) return;
  for (const { name } of [...old.attributes]) {
    // What is open stays open, whoever opened it; what the reader closed stays closed.
    if (!fresh.hasAttribute(name) && name !== "data-touched" && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name === "open" && old.hasAttribute("data-touched")) continue;
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (old.localName !== "log-view") children(old, fresh);
}

addEventListener("click", (event) => {
  const summary = event.target instanceof Element ? event.target.closest("summary") : null;
  summary?.parentElement?.setAttribute("data-touched", "");
});

/** As job_specs::units says it. @param {number} seconds */
function duration(seconds) {
  const units = [86400, 3600, 60, 1];
  const unit = seconds < 1 ? 3 : units.findIndex((unit) => seconds >= unit);
  const rest = unit < 3 ? Math.floor((seconds % units[unit]) / units[unit + 1]) : 0;
  const whole = `${Math.floor(seconds / units[unit])}${"dhms"[unit]}`;
  return rest ? `${whole} ${String(rest).padStart(2, "0")}${"dhms"[unit + 1]}` : whole;
}

/** @param {number} seconds @param {string} said what the server said, for times long ago */
function ago(seconds, said) {
  if (seconds < 10) return "just now";
  for (const [unit, length] of /** @type {[string, number][]} */ ([["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]])) {
    const n = Math.floor(seconds / length);
    if (n >= 30 && unit === "day") return said;
    if (n) return `${n} ${unit}${n === 1 ? "" : "s"} ago`;
  }
  return said;
}

/** The server's clock less this browser's, in milliseconds. */
const skew = Number(document.body.dataset.now) / 1000 - Date.now();

function tick() {
  const now = Date.now() + skew;
  for (const node of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-since]"))) {
    const text = duration(Math.max(0, (now - Number(node.dataset.since) / 1000) / 1000));
    if (node.textContent !== text) node.textContent = text;
  }
  for (const node of /** @type {NodeListOf<HTMLTimeElement>} */ (document.querySelectorAll("time[data-ago]"))) {
    const at = new Date(node.dateTime);
    const text = ago((now - at.getTime()) / 1000, node.textContent ?? "");
    if (node.textContent !== text) node.textContent = text;
    node.title ||= at.toLocaleString();
  }
}

customElements.define("live-region", LiveRegion);
setInterval(() => document.hidden || tick(), 1000);
tick();
