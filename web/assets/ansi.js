// @ts-check
// Terminal output to styled spans: the browser's half of a reading that web/src/ansi.rs does too.
// tests/ansi.json holds the vectors that both must pass; change them together.

/** @typedef {{text: string, class?: string, fg?: string, bg?: string, href?: string}} Span */
/** @typedef {number | string} Colour a number for the first sixteen, else "r,g,b" */

const MAX_SPANS = 200;
const DROPPED = /[\0-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;
const FLAGS = /** @type {const} */ ([
  ["bold", "ab"], ["dim", "ad"], ["italic", "ai"], ["underline", "au"], ["strike", "as"], ["inverse", "av"],
]);
// CSI, OSC and other strings, charset and other short escapes, lone ESC; then \r; then text.
const TOKEN = new RegExp(
  "\\x1b(?:\\[([0-?]*)([ -/]*)([@-~]?)|\\]([^\\x07\\x1b]*)(?:\\x07|\\x1b\\\\?|$)|[PX^_][^\\x07\\x1b]*(?:\\x07|\\x1b\\\\?|$)" +
    "|[ -/]+[0-~]?|[0-~])?|(\\r)|([^\\x1b\\r]+)", "g");

/** @param {string} line @returns {Span[]} */
export function parse(line) {
  /** @type {Span[]} */
  let spans = [];
  /** @type {Record<string, any>} */
  let style = {};
  let href = "", last = "", returned = false;
  for (const [, parameters, between, final, osc, carriage, text] of line.matchAll(TOKEN)) {
    if (text !== undefined) {
      const kept = text.replace(DROPPED, "");
      if (!kept) continue;
      if (returned) spans = [], last = "", returned = false;
      const key = JSON.stringify([style.fg, style.bg, href, FLAGS.map(([flag]) => !!style[flag])]);
      if (spans.length && (key === last || spans.length >= MAX_SPANS)) spans[spans.length - 1].text += kept;
      else spans.push(span(kept, style, href)), (last = key);
    } else if (carriage) returned = true;
    else if (final === "m" && !between && !/[<-?]/.test(parameters)) style = applied(style, parameters);
    else if (osc?.startsWith("8;")) {
      const address = osc.slice(osc.indexOf(";", 2) + 1);
      if (osc.indexOf(";", 2) > 0) href = /^https?:\/\//.test(address) ? address.replace(DROPPED, "") : "";
    }
  }
  return spans;
}

/** @param {string} text @param {Record<string, any>} style @param {string} href @returns {Span} */
function span(text, style, href) {
  const classes = FLAGS.filter(([flag]) => style[flag]).map(([, name]) => /** @type {string} */ (name));
  if (typeof style.fg === "number") classes.push("f" + style.fg);
  if (typeof style.bg === "number") classes.push("b" + style.bg);
  /** @type {Span} */
  const out = { text };
  if (classes.length) out.class = classes.join(" ");
  if (typeof style.fg === "string") out.fg = hex(style.fg, style.bg === undefined && !style.inverse);
  if (typeof style.bg === "string") out.bg = hex(style.bg, false);
  if (href) out.href = href;
  return out;
}

/** @param {Record<string, any>} old @param {string} parameters */
function applied(old, parameters) {
  let style = { ...old };
  const groups = parameters.split(";");
  const next = () => number(groups.shift());
  while (groups.length) {
    const [code, ...details] = /** @type {string} */ (groups.shift()).split(":").map(number);
    if (code === 38) style.fg = colour(details, next) ?? style.fg;
    else if (code === 48) style.bg = colour(details, next) ?? style.bg;
    else if (code === 0) style = {};
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.underline = details[0] !== 0;
    else if (code === 7) style.inverse = true;
    else if (code === 9) style.strike = true;
    else if (code === 21) style.underline = true;
    else if (code === 22) style.bold = style.dim = false;
    else if (code === 23) style.italic = false;
    else if (code === 24) style.underline = false;
    else if (code === 27) style.inverse = false;
    else if (code === 29) style.strike = false;
    else if (code === 39) style.fg = undefined;
    else if (code === 49) style.bg = undefined;
    else if (code >= 30 && code <= 37) style.fg = code - 30;
    else if (code >= 40 && code <= 47) style.bg = code - 40;
    else if (code >= 90 && code <= 97) style.fg = code - 82;
    else if (code >= 100 && code <= 107) style.bg = code - 92;
  }
  return style;
}

/** "" is 0; what is no small number is NaN. @param {string | undefined} text */
function number(text) {
  return text === "" ? 0 : /^\d{1,5}$/.test(text ?? "-") ? Number(text) : NaN;
}

/** @param {number[]} details @param {() => number} next @returns {Colour | undefined} */
function colour(details, next) {
  let [kind, ...parts] = details;
  if (!details.length) {
    kind = next();
    parts = kind === 5 ? [next()] : kind === 2 ? [next(), next(), next()] : [];
  }
  const isByte = (/** @type {number | undefined} */ n) => n !== undefined && n >= 0 && n <= 255;
  if (kind === 5) return isByte(parts[0]) ? indexed(parts[0]) : undefined;
  if (kind !== 2) return undefined;
  const rgb = parts.length > 3 ? parts.slice(1, 4) : parts;
  return rgb.length === 3 && rgb.every(isByte) ? rgb.join() : undefined;
}

/** @param {number} n @returns {Colour} */
function indexed(n) {
  if (n < 16) return n;
  if (n >= 232) return Array(3).fill(8 + 10 * (n - 232)).join();
  const step = (/** @type {number} */ i) => (i ? 55 + 40 * i : 0);
  return [Math.floor((n - 16) / 36), Math.floor((n - 16) / 6) % 6, (n - 16) % 6].map(step).join();
}

/** "#rrggbb", light enough for the dark log when asked; whole numbers only. @param {string} rgb @param {boolean} lifts */
function hex(rgb, lifts) {
  let parts = rgb.split(",").map(Number);
  const light = Math.floor((2126 * parts[0] + 7152 * parts[1] + 722 * parts[2]) / 10000);
  if (lifts && light < 96) {
    const share = Math.ceil((255 * (96 - light)) / (255 - light));
    parts = parts.map((c) => c + Math.floor(((255 - c) * share) / 255));
  }
  return "#" + parts.map((c) => c.toString(16).padStart(2, "0")).join("");
}
