// Run with `node --test web/tests/js/`. The same vectors are read by web/src/ansi.rs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "../../assets/ansi.js";

const vectors = JSON.parse(readFileSync(new URL("../ansi.json", import.meta.url), "utf8"));

for (const { name, text, spans } of vectors) {
  test(`ansi: ${name}`, () => assert.deepEqual(parse(text), spans));
}

test("ansi: a hostile line stays small and loses no text", () => {
  const line = Array.from({ length: 10000 }, (_, n) => `\x1b[3${n % 8}mx`).join("");
  const spans = parse(line);
  assert.equal(spans.length, 200);
  assert.equal(spans.reduce((sum, span) => sum + span.text.length, 0), 10000);
});
