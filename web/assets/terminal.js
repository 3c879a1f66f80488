// @ts-check
// <drover-terminal socket="/api/v1/jobs/…/shell" wish='{"place": …}'>: xterm.js in a step, a service or a held job.
// Keys go out and bytes come in by one WebSocket.
import { FitAddon } from "./addon-fit.mjs";
import { Unicode11Addon } from "./addon-unicode11.mjs";
import { Terminal } from "./xterm.mjs";
import "./xterm-styles.js";

/** The sixteen colours as the log has them, and what is not a colour of the log. */
const THEME = {
  background: "#0b0e13", foreground: "#c9d1d9", cursor: "#c9d1d9", cursorAccent: "#0b0e13", selectionBackground: "#3f78d8",
  black: "#7a8491", red: "#ff7b72", green: "#5fd39b", yellow: "#e3b341", blue: "#79b0ff", magenta: "#d2a8ff", cyan: "#56d4dd",
  white: "#c9d1d9", brightBlack: "#7a8491", brightRed: "#ff7b72", brightGreen: "#5fd39b", brightYellow: "#e3b341",
  brightBlue: "#79b0ff", brightMagenta: "#d2a8ff", brightCyan: "#56d4dd", brightWhite: "#ffffff",
};

class DroverTerminal extends HTMLElement {
  connectedCallback() {
    const { fontFamily, fontSize } = getComputedStyle(this);
    this.terminal = new Terminal({
      allowProposedApi: true, fontFamily, fontSize: Number.parseFloat(fontSize), lineHeight: 1.2, minimumContrastRatio: 4.5,
      scrollback: 2000, theme: THEME,
    });
    const fit = new FitAddon();
    this.terminal.loadAddon(fit);
    this.terminal.loadAddon(new Unicode11Addon());
    this.terminal.unicode.activeVersion = "11";
    this.terminal.attachCustomKeyEventHandler((event) => !this.isOfBrowser(event));
    this.terminal.open(this);
    this.terminal.textarea?.setAttribute("aria-label", "Terminal. Shift-Tab leaves it.");
    const encoder = new TextEncoder();
    this.terminal.onData((text) => this.send(encoder.encode(text)));
    this.terminal.onBinary((bytes) => this.send(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))));
    this.terminal.onResize(({ cols, rows }) => this.send(JSON.stringify({ type: "resize", cols, rows })));
    new ResizeObserver(() => fit.fit()).observe(this);
    fit.fit();
    document.getElementById("again")?.addEventListener("click", () => location.reload());
    this.connect();
  }

  connect() {
    const address = new URL(this.getAttribute("socket") ?? "", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = (this.socket = new WebSocket(address));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      const { cols, rows } = /** @type {Terminal} */ (this.terminal);
      this.send(JSON.stringify({ ...JSON.parse(this.getAttribute("wish") ?? "{}"), terminal: { cols, rows } }));
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.word(JSON.parse(data));
      else this.terminal?.write(new Uint8Array(data));
    };
    socket.onclose = () => this.over("The connection broke off.");
  }

  /** @param {{type: string, place?: string, code?: number, message?: string}} word */
  word({ type, place, code, message }) {
    if (type === "ready") {
      this.say(`In ${place}.`);
      this.terminal?.focus();
    } else if (type === "exit") this.over(`The shell ended with ${code}.`);
    else if (type === "failed") this.over(`${message?.charAt(0).toUpperCase()}${message?.slice(1)}.`);
  }

  /** @param {string} why */
  over(why) {
    if (this.classList.contains("over")) return;
    this.classList.add("over");
    this.say(why);
    this.terminal?.textarea?.setAttribute("disabled", "");
    this.socket?.close();
    document.getElementById("again")?.removeAttribute("hidden");
  }

  /** @param {string} text */
  say(text) {
    const status = document.getElementById("shell-status");
    if (status) status.textContent = text;
  }

  /** @param {string | Uint8Array<ArrayBuffer>} frame */
  send(frame) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(frame);
  }

  /** Shift-Tab leaves the terminal; Ctrl-C copies what is selected. @param {KeyboardEvent} event */
  isOfBrowser({ key, ctrlKey, shiftKey }) {
    return (key === "Tab" && shiftKey) || (ctrlKey && key === "c" && !!this.terminal?.hasSelection());
  }
}

customElements.define("drover-terminal", DroverTerminal);
