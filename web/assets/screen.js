// @ts-check
// The screen of a terminal: bytes that a program writes become rows of styled cells. No DOM here. It knows what shells,
// line editors, pagers and editors use; colours and styles are read by ansi.js.
import { applied } from "./ansi.js";

/** @typedef {{ch: string, style: Record<string, any>}} Cell */

const PLAIN = Object.freeze({});
const CSI = /^\x1b\[([0-9;:<=>?]*)([ -/]*)([@-~])/;
const OTHER = /^\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]+[0-~]|[0-Z\\^-~])/;
/** A sequence that is longer than this was none. */
const LONGEST = 4096;

export class Screen {
  /** @param {number} cols @param {number} rows @param {(text: string) => void} answer what the terminal itself says */
  constructor(cols, rows, answer) {
    this.cols = cols;
    this.rows = rows;
    this.answer = answer;
    /** Rows that left at the top since they were taken. @type {Cell[][]} */
    this.gone = [];
    this.keys = { application: false, paste: false };
    this.shown = true;
    this.reset();
  }

  reset() {
    /** @type {Cell[][]} */
    this.grid = Array.from({ length: this.rows }, () => []);
    this.x = this.y = 0;
    this.style = PLAIN;
    this.top = 0;
    this.bottom = this.rows - 1;
    this.saved = { x: 0, y: 0, style: PLAIN };
    /** The main screen while a program has the other one. @type {Cell[][] | undefined} */
    this.main = undefined;
    this.rest = "";
  }

  /** @param {number} cols @param {number} rows */
  resize(cols, rows) {
    while (this.grid.length > rows && this.y < this.grid.length - 1) this.grid.pop();
    while (this.grid.length > rows) this.leave(this.grid.shift()), (this.y = Math.max(0, this.y - 1));
    while (this.grid.length < rows) this.grid.push([]);
    [this.cols, this.rows, this.top, this.bottom] = [cols, rows, 0, rows - 1];
    this.x = Math.min(this.x, cols - 1);
    this.y = Math.min(this.y, rows - 1);
  }

  /** @param {string} text */
  write(text) {
    text = this.rest + text;
    this.rest = "";
    for (let at = 0; at < text.length; ) {
      const ch = text[at];
      if (ch === "\x1b") {
        const tail = text.slice(at, at + LONGEST);
        const csi = CSI.exec(tail);
        const whole = csi ?? OTHER.exec(tail);
        if (!whole) {
          if (tail.length < LONGEST) return void (this.rest = text.slice(at));
          at += 1;
          continue;
        }
        if (csi) this.control(csi[1], csi[2], csi[3]);
        else this.escape(whole[0]);
        at += whole[0].length;
      } else if (ch < " " || ch === "\x7f") {
        this.single(ch);
        at += 1;
      } else {
        const point = String.fromCodePoint(/** @type {number} */ (text.codePointAt(at)));
        this.put(point);
        at += point.length;
      }
    }
  }

  /** @param {string} ch */
  put(ch) {
    if (/\p{M}/u.test(ch)) {
      const before = this.grid[this.y][Math.min(this.x, this.cols) - 1];
      if (before) before.ch += ch;
      return;
    }
    if (this.x >= this.cols) {
      this.x = 0;
      this.down();
    }
    this.pad(this.y, this.x);
    this.grid[this.y][this.x++] = { ch, style: this.style };
  }

  /** Fills a row with blanks up to a column. @param {number} y @param {number} x */
  pad(y, x) {
    const row = this.grid[y];
    while (row.length < x) row.push({ ch: " ", style: PLAIN });
  }

  /** @param {string} ch */
  single(ch) {
    if (ch === "\n" || ch === "\v" || ch === "\f") this.down();
    else if (ch === "\r") this.x = 0;
    else if (ch === "\b") this.x = Math.max(0, Math.min(this.x, this.cols - 1) - 1);
    else if (ch === "\t") this.x = Math.min(this.cols - 1, (Math.floor(this.x / 8) + 1) * 8);
  }

  down() {
    if (this.y === this.bottom) this.scroll(1);
    else this.y = Math.min(this.rows - 1, this.y + 1);
  }

  /** Rows of the scrolled part go up (or down when negative). @param {number} by */
  scroll(by) {
    for (; by > 0; by--) {
      const [row] = this.grid.splice(this.top, 1);
      if (this.top === 0 && !this.main) this.leave(row);
      this.grid.splice(this.bottom, 0, []);
    }
    for (; by < 0; by++) {
      this.grid.splice(this.bottom, 1);
      this.grid.splice(this.top, 0, []);
    }
  }

  /** @param {Cell[] | undefined} row */
  leave(row) {
    if (row) this.gone.push(row);
  }

  /** @param {string} text without CSI */
  escape(text) {
    if (text === "\x1bM") this.y === this.top ? this.scroll(-1) : (this.y = Math.max(0, this.y - 1));
    else if (text === "\x1bD") this.down();
    else if (text === "\x1bE") (this.x = 0), this.down();
    else if (text === "\x1b7") this.saved = { x: this.x, y: this.y, style: this.style };
    else if (text === "\x1b8") ({ x: this.x, y: this.y, style: this.style } = this.saved);
    else if (text === "\x1bc") this.reset();
  }

  /** @param {string} parameters @param {string} between @param {string} final */
  control(parameters, between, final) {
    if (between) return;
    if (parameters.startsWith("?")) return this.mode(parameters.slice(1), final);
    if (/^[<=>]/.test(parameters)) return;
    if (final === "m") return void (this.style = applied(this.style, parameters));
    const [first, second] = parameters.split(";").map((text) => Number.parseInt(text, 10));
    const n = Math.min(Math.max(1, first || 1), 9999);
    const row = this.grid[this.y];
    const x = Math.min(this.x, this.cols - 1);
    if (final === "A") this.y = Math.max(this.y >= this.top ? this.top : 0, this.y - n);
    else if (final === "B" || final === "e") this.y = Math.min(this.y <= this.bottom ? this.bottom : this.rows - 1, this.y + n);
    else if (final === "C" || final === "a") this.x = Math.min(this.cols - 1, x + n);
    else if (final === "D") this.x = Math.max(0, x - n);
    else if (final === "E") (this.x = 0), (this.y = Math.min(this.rows - 1, this.y + n));
    else if (final === "F") (this.x = 0), (this.y = Math.max(0, this.y - n));
    else if (final === "G" || final === "`") this.x = Math.min(this.cols, n) - 1;
    else if (final === "d") this.y = Math.min(this.rows, n) - 1;
    else if (final === "H" || final === "f") (this.y = Math.min(this.rows, n) - 1), (this.x = Math.min(this.cols, Math.max(1, second || 1)) - 1);
    else if (final === "J") this.erase(first || 0);
    else if (final === "K") this.eraseLine(first || 0, x);
    else if (final === "X") this.blank(x, Math.min(this.cols, x + n));
    else if (final === "P") row.splice(x, n);
    else if (final === "@") this.pad(this.y, x), row.splice(x, 0, ...this.blanks(n)), row.splice(this.cols);
    else if (final === "L" || final === "M") {
      if (this.y < this.top || this.y > this.bottom) return;
      for (let i = 0; i < Math.min(n, this.rows); i++) {
        this.grid.splice(final === "L" ? this.bottom : this.y, 1);
        this.grid.splice(final === "L" ? this.y : this.bottom, 0, []);
      }
    } else if (final === "S") this.scroll(Math.min(n, this.rows));
    else if (final === "T") this.scroll(-Math.min(n, this.rows));
    else if (final === "r") {
      [this.top, this.bottom] = [n - 1, Math.min(this.rows, second || this.rows) - 1];
      if (this.top >= this.bottom) [this.top, this.bottom] = [0, this.rows - 1];
      this.x = this.y = 0;
    } else if (final === "s") this.saved = { x: this.x, y: this.y, style: this.style };
    else if (final === "u") ({ x: this.x, y: this.y, style: this.style } = this.saved);
    else if (final === "n" && first === 6) this.answer(`\x1b[${this.y + 1};${x + 1}R`);
    else if (final === "n" && first === 5) this.answer("\x1b[0n");
    else if (final === "c") this.answer("\x1b[?6c");
  }

  /** @param {string} numbers @param {string} final */
  mode(numbers, final) {
    if (final !== "h" && final !== "l") return;
    const on = final === "h";
    for (const number of numbers.split(";")) {
      if (number === "1") this.keys.application = on;
      else if (number === "25") this.shown = on;
      else if (number === "2004") this.keys.paste = on;
      else if (["47", "1047", "1049"].includes(number)) this.swap(on);
    }
  }

  /** A program takes the whole screen, or gives it back. @param {boolean} on */
  swap(on) {
    if (on === !!this.main) return;
    if (on) {
      this.saved = { x: this.x, y: this.y, style: this.style };
      this.main = this.grid;
      this.grid = Array.from({ length: this.rows }, () => []);
    } else {
      this.grid = /** @type {Cell[][]} */ (this.main);
      this.main = undefined;
      ({ x: this.x, y: this.y, style: this.style } = this.saved);
      this.resize(this.cols, this.rows);
    }
  }

  /** @param {number} what 0 below, 1 above, 2 all, 3 what has left too */
  erase(what) {
    if (what === 0) this.eraseLine(0, this.x);
    if (what === 1) this.eraseLine(1, this.x);
    const from = what === 0 ? this.y + 1 : 0;
    const to = what === 1 ? this.y : this.rows;
    if (what <= 2) for (let y = from; y < to; y++) this.grid[y] = [];
  }

  /** @param {number} what 0 to the right, 1 to the left, 2 all @param {number} x */
  eraseLine(what, x) {
    if (what === 0) this.style.bg === undefined ? this.grid[this.y].splice(x) : this.blank(x, this.cols);
    else if (what === 1) this.blank(0, x + 1);
    else this.grid[this.y] = [];
  }

  /** @param {number} from @param {number} to */
  blank(from, to) {
    this.pad(this.y, from);
    this.grid[this.y].splice(from, to - from, ...this.blanks(to - from));
  }

  /** @param {number} n @returns {Cell[]} */
  blanks(n) {
    const { bg } = this.style;
    return Array.from({ length: Math.min(n, this.cols) }, () => ({ ch: " ", style: bg === undefined ? PLAIN : { bg } }));
  }
}
