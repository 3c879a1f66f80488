// A coordinator that is only its HTTP: the sample pages, the log API over lines that a test writes, and the event
// stream, which a test can hold back, break and repeat.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join, normalize } from "node:path";

const TYPES = { html: "text/html", css: "text/css", js: "text/javascript", mjs: "text/javascript", svg: "image/svg+xml" };
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'";

/** @param {string} folder the gallery's */
export async function start(folder) {
  const state = {
    /** @type {{n: number, t: number, s: string, text: string}[]} lines of step-1 */
    lines: [],
    /** @type {Set<import("node:http").ServerResponse>} */
    streams: new Set(),
    /** @type {(string | undefined)[]} Last-Event-ID of each connection */
    resumed: [],
    /** @type {string[]} ranges that were asked for */
    ranges: [],
    change: (/** @type {string} */ html) => html,
    eof: false,
  };
  const text = (/** @type {string} */ name) => readFileSync(join(folder, normalize(name)), "utf8");
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://x");
    const send = (/** @type {string} */ type, /** @type {string} */ body) =>
      response.writeHead(200, { "content-type": type, "content-security-policy": POLICY }).end(body);
    const log = /^\/api\/v1\/attempts\/0193a1\/logs\/step-1\/(meta|lines)$/.exec(url.pathname);
    try {
      if (url.pathname === "/events") {
        response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" }).write("retry: 100\n\n");
        state.streams.add(response);
        state.resumed.push(/** @type {string | undefined} */ (request.headers["last-event-id"]));
        response.on("close", () => state.streams.delete(response));
      } else if (log?.[1] === "meta") {
        send("application/json", JSON.stringify({ lines: state.lines.length, bytes: 0, eof: state.eof, marks: [] }));
      } else if (log) {
        const [from, n] = ["from", "n"].map((key) => Number(url.searchParams.get(key)));
        state.ranges.push(`${from}+${n}`);
        send("application/json", JSON.stringify({ from, lines: state.lines.slice(from - 1, from - 1 + n), total: state.lines.length }));
      } else if (url.pathname === "/jobs/t20") {
        const name = url.searchParams.has("live") ? "job-running-live.html" : "job-running.html";
        send("text/html; charset=utf-8", state.change(text(name)));
      } else {
        send(TYPES[/** @type {keyof TYPES} */ (url.pathname.split(".").pop())] ?? "text/plain", text(url.pathname));
      }
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", () => done(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());

  return {
    state,
    url: `http://127.0.0.1:${port}`,
    /** Makes lines; they are in the log from now on. @param {number} count @param {(n: number) => string} words */
    write(count, words = (n) => `line ${n}`) {
      const first = state.lines.length + 1;
      for (let n = first; n < first + count; n++) state.lines.push({ n, t: 1_795_176_240_000_000 + n * 1000, s: n % 7 ? "o" : "e", text: words(n) });
      return first;
    },
    /** Tells lines of the log to every open page. @param {number} from @param {number} [count] */
    tell(from, count = state.lines.length - from + 1) {
      const lines = state.lines.slice(from - 1, from - 1 + count);
      const data = JSON.stringify({ attempt: "0193a1", stream: "step-1", from, lines });
      for (const stream of state.streams) stream.write(`event: lines\nid: step-1:${from + count - 1}\ndata: ${data}\n\n`);
    },
    changed() {
      for (const stream of state.streams) stream.write("event: change\ndata: {}\n\n");
    },
    breakStreams() {
      for (const stream of state.streams) stream.destroy();
    },
    stop: () => new Promise((done) => (server.closeAllConnections(), server.close(done))),
  };
}
