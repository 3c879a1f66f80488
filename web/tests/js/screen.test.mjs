// Run with `node --test web/tests/js/`: what programs write, and what a person then sees.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Screen } from "../../assets/screen.js";

/** What stands on a screen after that text, and where the cursor is. */
function after(text, cols = 10, rows = 4) {
  const said = [];
  const screen = new Screen(cols, rows, (answer) => said.push(answer));
  for (const piece of Array.isArray(text) ? text : [text]) screen.write(piece);
  const lines = (grid) => grid.map((row) => row.map(({ ch }) => ch).join("").trimEnd());
  return { rows: lines(screen.grid), gone: lines(screen.gone), at: [screen.x, screen.y], said, screen };
}

test("lines wrap and leave at the top", () => {
  const { rows, gone, at } = after("one\r\ntwo\r\n0123456789ab\r\nend");
  assert.deepEqual(gone, ["one"]);
  assert.deepEqual(rows, ["two", "0123456789", "ab", "end"]);
  assert.deepEqual(at, [3, 3]);
});

test("a line editor moves, inserts and erases", () => {
  assert.deepEqual(after("$ ech hi\x1b[3D\x1b[1@o\r\n").rows[0], "$ echo hi");
  assert.deepEqual(after("abc\b\b\x1b[K").rows[0], "a");
  assert.deepEqual(after("abcdef\x1b[3D\x1b[2P").rows[0], "abcf");
  assert.deepEqual(after("\x1b[3;4Hx\x1b[H\x1b[2Ky").rows, ["y", "", "   x", ""]);
  assert.deepEqual(after("a\x1b[2J\x1b[Hb").rows[0], "b");
});

test("an editor takes the whole screen and gives it back", () => {
  const edit = "shell\r\n\x1b[?1049h\x1b[H~ file\x1b[2;3r\x1b[3;1Hlast\r\nnew";
  assert.deepEqual(after(edit).rows, ["~ file", "last", "new", ""]);
  assert.deepEqual(after(edit + "\x1b[?1049l$ ").rows, ["shell", "$", "", ""]);
});

test("a sequence may come in pieces, and nonsense does no harm", () => {
  const { rows, screen } = after(["a\x1b[3", "1mb\x1b]0;ti", "tle\x07c\x1b[?25", "l\x1b[99999;99999Hz\x1b[999999G"]);
  assert.deepEqual([rows[0], rows[3]], ["abc", "         z"]);
  assert.deepEqual([screen.grid[0][1].style.fg, screen.shown], [1, false]);
});

test("it answers where the cursor is, and knows how keys are wanted", () => {
  const { said, screen } = after("ab\x1b[6n\x1b[?1h\x1b[?2004h");
  assert.deepEqual([said, screen.keys], [["\x1b[1;3R"], { application: true, paste: true }]);
});

test("another size keeps what stands at the end", () => {
  const { screen } = after("1\r\n2\r\n3\r\n4");
  screen.resize(10, 2);
  assert.deepEqual([screen.grid.length, screen.gone.length, screen.y], [2, 2, 1]);
  screen.resize(10, 5);
  assert.equal(screen.grid.length, 5);
});
