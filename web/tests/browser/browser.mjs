// Chromium, driven over WebDriver by Debian's chromedriver; as much of the protocol as these tests need.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--window-size=1280,900", "--enable-precise-memory-info",
];

export async function start() {
  const profile = mkdtempSync(join(tmpdir(), "browser-"));
  const driver = spawn("chromedriver", ["--port=0"], { stdio: ["ignore", "pipe", "inherit"] });
  const port = await new Promise((found, fail) => {
    driver.on("error", fail);
    driver.stdout.on("data", (text) => {
      const match = /successfully on port (\d+)/.exec(String(text));
      if (match) found(match[1]);
    });
  });
  /** @param {string} method @param {string} path @param {object} [body] */
  async function call(method, path, body) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, body: body && JSON.stringify(body) });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${value.message}`);
    return value;
  }
  const options = { args: [...FLAGS, `--user-data-dir=${profile}`] };
  const logs = { browser: "ALL" };
  const capabilities = { alwaysMatch: { browserName: "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logs } };
  const { sessionId } = await call("POST", "/session", { capabilities });
  const session = `/session/${sessionId}`;
  /** @param {string} script @param {unknown[]} args */
  const run = (script, ...args) => call("POST", `${session}/execute/sync`, { script, args });
  /** Waits for what the script's promise gives. @param {string} script @param {unknown[]} args */
  const wait = (script, ...args) => run(`return (async () => { ${script} })()`, ...args);
  return {
    run,
    wait,
    /**
     * Containers that come and go change the machine's network, and Chromium breaks off what it loads just then
     * (ERR_NETWORK_CHANGED): it is asked again. @param {string} url
     */
    async open(url) {
      for (let left = 3; left > 0; left -= 1) {
        await call("POST", `${session}/url`, { url });
        if (!(await run(`return location.protocol === "chrome-error:"`))) return;
      }
      throw new Error(`cannot load ${url}`);
    },
    /** Waits until the script gives something true, and gives that. @param {string} script @param {unknown[]} args */
    async until(script, ...args) {
      for (const end = Date.now() + 10_000; Date.now() < end; ) {
        const value = await run(script, ...args);
        if (value) return value;
        await new Promise((done) => setTimeout(done, 20));
      }
      throw new Error(`never true: ${script}`);
    },
    /** What the browser complained about, but for streams that a test broke. */
    async complaints() {
      const entries = await call("POST", `${session}/se/log`, { type: "browser" });
      return entries.filter((/** @type {any} */ entry) => entry.level === "SEVERE" && !entry.message.includes("/events?")).map((/** @type {any} */ entry) => entry.message);
    },
    /** Makes the window of a page so wide, smaller than a window on a screen can be. @param {number} width */
    async width(width) {
      const metrics = { width, height: 800, deviceScaleFactor: 1, mobile: width < 500 };
      await call("POST", `${session}/goog/cdp/execute`, { cmd: "Emulation.setDeviceMetricsOverride", params: metrics });
    },
    picture: () => call("GET", `${session}/screenshot`),
    async stop() {
      await call("DELETE", session);
      driver.kill();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
