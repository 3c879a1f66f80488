// @ts-check
// How the reader wants logs: times, wrapping; and the keys. Kept on this browser only.
import { redress, toEnd, toError } from "./reader.js";

const TIMES = ["off", "relative", "local", "utc"];
const root = document.documentElement;

/** @param {string} name @param {string} value */
function prefer(name, value) {
  if (value && value !== "off") root.setAttribute(`data-${name}`, value);
  else root.removeAttribute(`data-${name}`);
  try {
    localStorage.setItem(`drover-${name}`, value);
  } catch {
    // A browser that keeps nothing still shows it.
  }
  reflect();
  if (name === "time") redress();
}

/** Shows what is chosen on the controls. */
function reflect() {
  for (const button of document.querySelectorAll("[data-pref=time] button")) {
    const isChosen = button.getAttribute("data-value") === (root.dataset.time ?? "off");
    button.setAttribute("aria-pressed", String(isChosen));
  }
  const box = document.querySelector("input[data-pref=nowrap]");
  if (box instanceof HTMLInputElement) box.checked = root.hasAttribute("data-nowrap");
}

/** @param {string} name */
function kept(name) {
  try {
    return localStorage.getItem(`drover-${name}`) ?? "";
  } catch {
    return "";
  }
}

addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-pref=time] button") : null;
  if (button) prefer("time", button.getAttribute("data-value") ?? "off");
});
addEventListener("change", (event) => {
  const box = event.target;
  if (box instanceof HTMLInputElement && box.dataset.pref === "nowrap") prefer("nowrap", box.checked ? "on" : "");
});
addEventListener("keydown", (event) => {
  const isTyping = event.target instanceof Element && event.target.closest("input, select, textarea");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !document.querySelector("log-view")) return;
  if (event.key === "t") prefer("time", TIMES[(TIMES.indexOf(root.dataset.time ?? "off") + 1) % TIMES.length]);
  else if (event.key === "w") prefer("nowrap", root.hasAttribute("data-nowrap") ? "" : "on");
  else if (event.key === "n") toError(1);
  else if (event.key === "p") toError(-1);
  else if (event.key === "G") toEnd();
});

addEventListener("live", reflect);
root.dataset.script = "";
prefer("time", kept("time"));
prefer("nowrap", kept("nowrap"));
