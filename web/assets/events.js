// @ts-check
// The page's one event stream. The browser reconnects by itself and names the last event it saw.

const target = new EventTarget();
/** @type {EventSource | undefined} */
let source;

/** Calls back for every event of that kind; its data is JSON or text. `open` tells of each (re)connection.
 * @param {"change" | "lines" | "open"} kind @param {(data: any) => void} callback @returns {() => void} stops it */
export function on(kind, callback) {
  const listener = (/** @type {Event} */ event) => callback(/** @type {CustomEvent} */ (event).detail);
  target.addEventListener(kind, listener);
  return () => target.removeEventListener(kind, listener);
}

/** @param {string | undefined} address */
export function connect(address) {
  if (!address) return;
  source = new EventSource(address);
  source.addEventListener("open", () => tell("open", null));
  for (const kind of ["change", "lines"]) {
    source.addEventListener(kind, (event) => tell(kind, event.data));
  }
  source.addEventListener("error", () => {
    // Closed for good (an error status, a proxy): try again from the page's own place, not in a hurry.
    if (source?.readyState === EventSource.CLOSED) setTimeout(() => connect(address), 5000);
  });
  addEventListener("pagehide", () => source?.close(), { once: true });
  addEventListener("pageshow", (event) => event.persisted && location.reload(), { once: true });
}

/** @param {string} kind @param {string | null} data */
function tell(kind, data) {
  let detail = data;
  try {
    detail = JSON.parse(data ?? "null");
  } catch {
    // Plain text is fine.
  }
  target.dispatchEvent(new CustomEvent(kind, { detail }));
}

/** Says something to people who listen to the page instead of looking at it. @param {string} text */
export function say(text) {
  const place = document.getElementById("say");
  if (place && place.textContent !== text) place.textContent = text;
}
