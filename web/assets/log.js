// @ts-check
// <log-view>: one stream of an attempt. The server renders the first screen; this goes on from it with the events of
// the page and with ranges of the log API. It holds a window of lines [first, last] that never grows beyond LIMIT, and
// it knows how many lines there are (`total`); a line is shown once and none is left out, because every batch says
// where it begins and what is missing is fetched.
import { on, say } from "./events.js";
import { CLUSTER, clock, element, numberOf, silence } from "./lines.js";
import { begin, count, followed, hold, mark, RANGE, target, views } from "./reader.js";

/** Lines in the page, at most. */
const LIMIT = 2000;
/** Between two paints, milliseconds. */
const PAUSE = 80;

/** @typedef {import("./lines.js").Line} Line */

let spoken = 0;

export class LogView extends HTMLElement {
  /** @type {Line[]} lines that came and are not painted yet; they continue each other */
  waiting = [];
  /** @type {Set<number>} */
  errors = new Set();
  errorWords = "";
  first = 1;
  last = 0;
  total = 0;
  /** Whether the window goes on with what comes; not so while the reader is far from the end. */
  isAttached = true;
  /** How many loads are under way, and the last of them. */
  loads = 0;
  /** @type {Promise<void>} */
  loaded = Promise.resolve();
  /** Where the range begins that {@link catchUp} fetches; 0: it does not run. */
  catching = 0;
  isPlanned = false;
  painted = -PAUSE;

  connectedCallback() {
    views.add(this);
    if (this.stream) return;
    this.stream = this.getAttribute("stream") ?? "";
    this.base = this.getAttribute("src") ?? "";
    this.log = /** @type {HTMLElement} */ (this.querySelector(".log"));
    this.learnErrors();
    const items = this.items();
    if (items.length) (this.first = numberOf(items[0])), (this.last = numberOf(items[items.length - 1]));
    this.total = Math.max(this.last, Number(this.getAttribute("lines")));
    if (!items.length) (this.first = this.total + 1), (this.last = this.total);
    this.isAttached = this.last === this.total;
    this.dress(items);
    this.edges();
    this.addEventListener("click", (event) => this.clicked(event));
    this.closest("details")?.addEventListener("toggle", () => this.opened());
    this.opened();
  }

  disconnectedCallback() {
    views.delete(this);
  }

  static observedAttributes = ["eof", "lines", "errors"];

  attributeChangedCallback() {
    if (!this.stream) return;
    this.learnErrors();
    this.total = Math.max(this.total, Number(this.getAttribute("lines")));
    this.edges();
    // The page knows more than its events have brought: they had a second, now fetch.
    if (this.isBehind) setTimeout(() => this.isBehind && this.catchUp(), 1000);
  }

  /** Which lines look like errors; the page says it, and it says more as time goes by. */
  learnErrors() {
    const words = this.getAttribute("errors") ?? "";
    if (words === this.errorWords) return;
    this.errorWords = words;
    this.errors = new Set(words.split(" ").filter(Boolean).map(Number));
    for (const n of this.errors) document.getElementById(`${this.stream}-L${n}`)?.classList.add("x");
  }

  get isOpen() {
    return this.closest("details")?.open ?? true;
  }

  /** The number of the line that is to come. */
  get next() {
    return (this.waiting.at(-1)?.n ?? this.last) + 1;
  }

  /** Whether lines of the end are missing, although they are wanted. */
  get isBehind() {
    return this.isAttached && this.next <= this.total;
  }

  /** @returns {HTMLLIElement[]} */
  items() {
    return this.log ? [.../** @type {NodeListOf<HTMLLIElement>} */ (this.log.querySelectorAll("li[id]"))] : [];
  }

  /** A log that was closed is empty, or behind: show its end. */
  opened() {
    if (!this.isOpen) return;
    if (this.last < this.first && this.total > 0) this.load(Math.max(1, this.total - RANGE + 1), this.total);
    else if (this.isBehind) this.catchUp();
  }

  /** Lines came. Those that are there already are dropped; a gap is fetched. @param {number} from @param {Line[]} lines */
  receive(from, lines) {
    const { next } = this;
    const wasBehind = this.isBehind && this.loads > 0;
    this.total = Math.max(this.total, from + lines.length - 1);
    if (!this.isOpen) return this.skip();
    if (!this.isAttached || wasBehind) return this.edges();
    if (from > next) return void this.catchUp();
    this.waiting.push(...lines.slice(next - from));
    // A page in the background is not painted: it keeps the end only.
    if (this.waiting.length > 2 * LIMIT) this.waiting.splice(0, this.waiting.length - LIMIT);
    this.plan();
  }

  /** A closed log shows nothing; it is filled when it is opened. */
  skip() {
    if (this.last >= this.first) return;
    this.first = this.total + 1;
    this.last = this.total;
  }

  plan() {
    if (this.isPlanned) return;
    this.isPlanned = true;
    const wait = Math.max(0, PAUSE - (performance.now() - this.painted));
    setTimeout(() => requestAnimationFrame(() => this.flush()), wait);
  }

  flush() {
    this.isPlanned = false;
    this.painted = performance.now();
    const lines = this.waiting.splice(0);
    if (!lines.length) return;
    const lowest = followed();
    const isNew = this.last < this.first;
    const follower = lowest && isNew && lowest.compareDocumentPosition(this) & Node.DOCUMENT_POSITION_FOLLOWING ? this : lowest;
    if (lines.length > LIMIT) lines.splice(0, lines.length - LIMIT);
    const isFull = lines.length + this.last - this.first + 1 > LIMIT;
    if (isFull && follower !== this && this.last >= this.first) {
      this.isAttached = false;
      this.edges();
      return count(lines.length);
    }
    this.addBelow(lines);
    while (this.last - this.first + 1 > LIMIT) this.drop("first");
    this.edges();
    follower?.showEnd();
    if (!follower) count(lines.length);
    this.speak();
  }

  /** @param {Line[]} lines they follow the window, or begin a new one */
  addBelow(lines) {
    if (!lines.length) return;
    if (lines[0].n !== this.last + 1) this.clear(lines[0].n);
    const made = lines.map((line) => element(line, this.stream ?? "", this.errors.has(line.n)));
    let cluster = this.log?.lastElementChild;
    for (const item of made) {
      const key = String(Math.floor((numberOf(item) - 1) / CLUSTER));
      if (!(cluster instanceof HTMLElement) || cluster.dataset.c !== key) {
        cluster = newCluster(key);
        this.log?.append(cluster);
      }
      cluster.append(item);
    }
    this.last = lines[lines.length - 1].n;
    this.dress(made);
    this.querySelector(".none")?.remove();
  }

  /** @param {Line[]} lines they end just before the window */
  addAbove(lines) {
    const made = lines.map((line) => element(line, this.stream ?? "", this.errors.has(line.n)));
    let cluster = this.log?.firstElementChild;
    for (const item of made.reverse()) {
      const key = String(Math.floor((numberOf(item) - 1) / CLUSTER));
      if (!(cluster instanceof HTMLElement) || cluster.dataset.c !== key) {
        cluster = newCluster(key);
        this.log?.prepend(cluster);
      }
      cluster.prepend(item);
    }
    this.first = lines[0].n;
    this.dress(made.reverse());
  }

  /** @param {number} next the number of the line to come */
  clear(next) {
    this.log?.replaceChildren();
    this.first = next;
    this.last = next - 1;
  }

  /** Takes a cluster off one end. @param {"first" | "last"} side */
  drop(side) {
    (side === "first" ? this.log?.firstElementChild : this.log?.lastElementChild)?.remove();
    const items = this.items();
    this.first = numberOf(items[0]);
    this.last = numberOf(items[items.length - 1]);
    if (side === "last") this.isAttached = false;
  }

  /** Fetches a range and makes it, or adds it to, the window; one after the other. @param {number} from @param {number} to */
  load(from, to) {
    this.loads++;
    const done = () => this.fill(from, to).finally(() => this.loads--);
    return (this.loaded = this.loaded.then(done, done));
  }

  /** @param {number} from @param {number} to */
  async fill(from, to) {
    const found = await this.range(from, to);
    if (this.waiting.length) this.flush();
    const lines = found.filter((line) => line.n < this.first || line.n > this.last);
    if (!lines.length || (from === this.catching && !this.isAttached)) return;
    if (lines[lines.length - 1].n === this.first - 1 && this.last >= this.first) {
      hold(this.items()[0], () => this.addAbove(lines));
      while (this.last - this.first + 1 > LIMIT) this.drop("last");
    } else {
      this.addBelow(lines);
      while (this.last - this.first + 1 > LIMIT) hold(this.items()[LIMIT], () => this.drop("first"));
      if (this.last >= this.total) this.isAttached = true;
      else if (from !== this.catching) this.isAttached = false;
    }
    this.edges();
  }

  /** Fetches until the window reaches the end; far behind it jumps there. */
  async catchUp() {
    if (this.loads || this.catching || !this.isOpen || !this.isAttached) return;
    this.catching = -1;
    try {
      const answer = await fetch(`${this.base}/meta`);
      if (answer.ok) this.total = Math.max(this.total, (await answer.json()).lines);
      while (this.isBehind) {
        const { next } = this;
        const from = this.total - next > LIMIT ? this.total - RANGE + 1 : next;
        const [follower, held] = [followed(), this.last];
        if (follower !== this && this.last - this.first + 1 >= LIMIT) {
          this.isAttached = false;
          this.edges();
          break;
        }
        this.catching = from;
        await this.load(from, Math.min(this.total, from + RANGE - 1));
        if (this.last === held) break;
        follower?.showEnd();
      }
      this.speak();
    } catch {
      // The connection is gone; the next event or the next state of the page tries again.
    } finally {
      this.catching = 0;
    }
  }

  /** @param {number} from @param {number} to @returns {Promise<Line[]>} */
  async range(from, to) {
    const answer = await fetch(`${this.base}/lines?from=${from}&n=${to - from + 1}`);
    if (!answer.ok) return [];
    const body = await answer.json();
    this.total = Math.max(this.total, body.total ?? 0);
    const lines = /** @type {Line[]} */ (Array.isArray(body) ? body : body.lines);
    return lines.filter((line) => line.n >= from && line.n <= to);
  }

  /** The links at both ends, and what they say. */
  edges() {
    const hasLines = this.last >= this.first;
    this.edge("up", hasLines ? this.first - 1 : 0, "▲", "earlier");
    this.edge("down", hasLines && !this.waiting.length ? this.total - this.last : 0, "▼", "later");
    const foot = this.querySelector(".logfoot");
    if (foot && this.total && !foot.firstChild) {
      const raw = document.createElement("a");
      raw.href = `${this.base}/raw`;
      raw.textContent = "Download raw";
      foot.append(raw);
    }
  }

  /** @param {string} side @param {number} count @param {string} arrow @param {string} word */
  edge(side, count, arrow, word) {
    let link = this.querySelector(`.${side}`);
    if (count <= 0) return link?.remove();
    if (!(link instanceof HTMLAnchorElement)) {
      link = document.createElement("a");
      link.className = `more ${side}`;
      link.setAttribute("href", `${this.base}/raw`);
      side === "up" ? this.log?.before(link) : this.log?.after(link);
    }
    link.textContent = `${arrow} ${count.toLocaleString("en")} ${word} line${count === 1 ? "" : "s"}`;
  }

  /** Times, marks of errors, rules for silence. @param {Element[]} items */
  dress(items) {
    const mode = document.documentElement.dataset.time ?? "";
    for (const item of /** @type {HTMLElement[]} */ (items)) {
      const t = Number(item.dataset.t);
      const at = clock(t, mode, Number(this.getAttribute("start")));
      if (at) item.dataset.at = at;
      else delete item.dataset.at;
      if (item.dataset.dressed) continue;
      item.dataset.dressed = "1";
      const before = item.previousElementSibling ?? item.parentElement?.previousElementSibling?.lastElementChild;
      const text = silence(Number(before instanceof HTMLElement ? before.dataset.t : 0) || 0, t);
      if (!text) continue;
      const rule = document.createElement("li");
      rule.className = "gap";
      rule.textContent = text;
      item.before(rule);
    }
  }

  /** @param {MouseEvent} event */
  clicked(event) {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (link?.classList.contains("more")) {
      event.preventDefault();
      if (link.classList.contains("up")) this.load(Math.max(1, this.first - RANGE), this.first - 1);
      else this.load(this.last + 1, Math.min(this.total, this.last + RANGE));
    } else if (link?.dataset.n && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const from = target()?.view === this && event.shiftKey ? target()?.from : undefined;
      const [a, b] = [from ?? Number(link.dataset.n), Number(link.dataset.n)].sort((x, y) => x - y);
      history.replaceState(null, "", `#${this.stream}-L${a}${a === b ? "" : `-L${b}`}`);
      mark();
    }
  }

  /** Whether the end of the log can be seen. */
  get showsEnd() {
    if (!this.isOpen) return false;
    const { bottom, top } = this.getBoundingClientRect();
    return bottom > 0 && top < innerHeight && bottom <= innerHeight + 60;
  }

  showEnd() {
    const { bottom } = this.getBoundingClientRect();
    if (bottom > innerHeight - 16) scrollBy(0, bottom - innerHeight + 24);
  }

  speak() {
    if (performance.now() - spoken < 10_000) return;
    spoken = performance.now();
    const name = this.log?.getAttribute("aria-label") ?? "Log";
    say(`${name}: ${this.total.toLocaleString("en")} lines`);
  }
}

/** @param {string} key */
function newCluster(key) {
  const cluster = document.createElement("ol");
  cluster.className = "c";
  cluster.dataset.c = key;
  return cluster;
}

customElements.define("log-view", LogView);
on("lines", ({ stream, attempt, from, lines }) => {
  const view = [...views].find((candidate) => candidate.stream === stream && candidate.hasAttribute("live"));
  if (view && (!attempt || attempt === view.getAttribute("attempt"))) view.receive(from, lines);
});
on("open", () => {
  for (const view of views) if (view.hasAttribute("live") && !view.hasAttribute("eof")) view.catchUp();
});
begin();
