// @ts-check
// <drover-terminal socket="/api/v1/jobs/…/shell" wish='{"place": …}'>: a terminal in a step, a service or a held job.
// Keys go out and bytes come in by one WebSocket; what the screen looks like is screen.js's.
import { span } from "./ansi.js";
import { paint } from "./lines.js";
import { Screen } from "./screen.js";

/** Rows that have left the screen and can be scrolled to. */
const KEPT = 2000;
const ARROWS = { ArrowUp: "A", ArrowDown: "B", ArrowRight: "C", ArrowLeft: "D", Home: "H", End: "F" };
const KEYS = {
  Enter: "\r", Backspace: "\x7f", Tab: "\t", Escape: "\x1b", Delete: "\x1b[3~", Insert: "\x1b[2~", PageUp: "\x1b[5~",
  PageDown: "\x1b[6~", F1: "\x1bOP", F2: "\x1bOQ", F3: "\x1bOR", F4: "\x1bOS", F5: "\x1b[15~", F6: "\x1b[17~",
  F7: "\x1b[18~", F8: "\x1b[19~", F9: "\x1b[20~", F10: "\x1b[21~", F11: "\x1b[23~", F12: "\x1b[24~",
};

class DroverTerminal extends HTMLElement {
  connectedCallback() {
    this.past = this.appendChild(document.createElement("div"));
    this.view = this.appendChild(document.createElement("div"));
    this.input = this.appendChild(document.createElement("textarea"));
    this.input.setAttribute("aria-label", "Terminal. Shift-Tab leaves it.");
    for (const name of ["autocapitalize", "autocomplete", "autocorrect", "spellcheck"]) this.input.setAttribute(name, "off");
    this.input.rows = 1;
    this.decoder = new TextDecoder();
    this.screen = new Screen(80, 24, (text) => this.send(text));
    this.listen();
    this.fit();
    new ResizeObserver(() => this.fit()).observe(this);
    this.connect();
  }

  listen() {
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("input", (event) => {
      if (/** @type {InputEvent} */ (event).isComposing) return;
      this.send(this.input.value.replaceAll("\n", "\r"));
      this.input.value = "";
    });
    this.input.addEventListener("compositionend", () => {
      this.send(this.input.value);
      this.input.value = "";
    });
    this.input.addEventListener("paste", (event) => {
      const text = (event.clipboardData?.getData("text") ?? "").replace(/\r?\n/g, "\r");
      event.preventDefault();
      this.send(this.screen.keys.paste ? `\x1b[200~${text}\x1b[201~` : text);
    });
    this.addEventListener("mouseup", () => getSelection()?.isCollapsed && this.input.focus({ preventScroll: true }));
    document.getElementById("again")?.addEventListener("click", () => location.reload());
  }

  connect() {
    const address = new URL(this.getAttribute("socket") ?? "", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = (this.socket = new WebSocket(address));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      const { cols, rows } = this.screen;
      socket.send(JSON.stringify({ ...JSON.parse(this.getAttribute("wish") ?? "{}"), terminal: { cols, rows } }));
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") return this.word(JSON.parse(data));
      this.screen.write(this.decoder.decode(data, { stream: true }));
      this.draw();
    };
    socket.onclose = () => this.over("The connection broke off.");
  }

  /** @param {{type: string, place?: string, code?: number, message?: string}} word */
  word({ type, place, code, message }) {
    if (type === "ready") {
      this.say(`In ${place}.`);
      this.input.focus({ preventScroll: true });
    } else if (type === "exit") this.over(`The shell ended with ${code}.`);
    else if (type === "failed") this.over(`${message?.charAt(0).toUpperCase()}${message?.slice(1)}.`);
  }

  /** @param {string} why */
  over(why) {
    if (this.classList.contains("over")) return;
    this.classList.add("over");
    this.say(why);
    this.input.disabled = true;
    this.socket?.close();
    document.getElementById("again")?.removeAttribute("hidden");
    this.draw();
  }

  /** @param {string} text */
  say(text) {
    const status = document.getElementById("shell-status");
    if (status) status.textContent = text;
  }

  /** @param {string} text */
  send(text) {
    if (text && this.socket?.readyState === WebSocket.OPEN) this.socket.send(new TextEncoder().encode(text));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { key, ctrlKey, altKey, metaKey, shiftKey } = event;
    if (event.isComposing || metaKey || (key === "Tab" && shiftKey)) return;
    if (ctrlKey && shiftKey && /^[cv]$/i.test(key)) return;
    if (ctrlKey && key === "c" && !getSelection()?.isCollapsed) return;
    let text;
    if (key in ARROWS) text = (this.screen.keys.application && !ctrlKey ? "\x1bO" : ctrlKey ? "\x1b[1;5" : "\x1b[") + ARROWS[/** @type {keyof ARROWS} */ (key)];
    else if (key in KEYS) text = KEYS[/** @type {keyof KEYS} */ (key)];
    else if (ctrlKey && !altKey && /^[a-z@[\\\]^_ ]$/i.test(key)) text = String.fromCharCode(key.toUpperCase().charCodeAt(0) & 31);
    else if (altKey && key.length === 1) text = "\x1b" + key;
    if (text === undefined) return;
    event.preventDefault();
    this.send(text);
  }

  /** As many columns and rows as there is room for. */
  fit() {
    const row = this.view.appendChild(document.createElement("p"));
    const probe = row.appendChild(document.createElement("span"));
    probe.textContent = "0".repeat(50);
    const { width } = probe.getBoundingClientRect();
    const { height } = row.getBoundingClientRect();
    row.remove();
    if (!width) return;
    const style = getComputedStyle(this);
    const room = this.clientWidth - Number.parseFloat(style.paddingLeft) * 2;
    const cols = Math.max(20, Math.min(500, Math.floor((room * 50) / width)));
    const rows = Math.max(5, Math.min(200, Math.floor((this.clientHeight - Number.parseFloat(style.paddingTop) * 2) / height)));
    if (cols === this.screen.cols && rows === this.screen.rows) return;
    this.screen.resize(cols, rows);
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type: "resize", cols, rows }));
    this.draw();
  }

  draw() {
    this.waits ??= requestAnimationFrame(() => {
      this.waits = undefined;
      const atEnd = this.scrollHeight - this.scrollTop - this.clientHeight < 40;
      this.past.append(...this.screen.gone.splice(0).map((row) => line(row, -1)));
      while (this.past.childElementCount > KEPT) this.past.firstChild?.remove();
      const { grid, x, y, shown } = this.screen;
      const cursor = shown && !this.classList.contains("over");
      this.view.replaceChildren(...grid.map((row, at) => line(row, cursor && at === y ? x : -1)));
      if (atEnd) this.scrollTop = this.scrollHeight;
    });
  }
}

/** A row as a node; cells of one style are one span. @param {import("./screen.js").Cell[]} row @param {number} cursor */
function line(row, cursor) {
  const item = document.createElement("p");
  const cells = [...row];
  while (cells.length <= cursor) cells.push({ ch: " ", style: {} });
  let text = "";
  for (let at = 0; at < cells.length; at++) {
    text += cells[at].ch;
    const next = cells[at + 1];
    if (next && next.style === cells[at].style && at !== cursor && at + 1 !== cursor) continue;
    const { class: names, fg, bg } = span(text, cells[at].style, "");
    const node = document.createElement("span");
    node.textContent = text;
    node.className = [names, at === cursor ? "cursor" : ""].filter(Boolean).join(" ");
    paint(node, fg, bg);
    item.append(node);
    text = "";
  }
  return item;
}

customElements.define("drover-terminal", DroverTerminal);
