// @ts-check
// xterm.js makes `<style>` elements and writes `style` attributes, which the pages' policy (`style-src 'self'`) forbids.
// The policy admits what a script does to style sheets and to `element.style`, so `createElement` gives elements that
// do that instead. Imported before xterm.js is used.

const createElement = document.createElement.bind(document);

/** An element that shows nothing; the text it gets becomes a style sheet of the page. */
function styleElement() {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets.push(sheet);
  return Object.defineProperty(createElement("template"), "textContent", { set: (css) => sheet.replaceSync(css) });
}

/** @this {HTMLElement} @param {string} name @param {string} value */
function setAttribute(name, value) {
  if (name === "style") this.style.cssText = value;
  else HTMLElement.prototype.setAttribute.call(this, name, value);
}

document.createElement = (/** @type {string} */ name) =>
  name === "style" ? styleElement() : name === "span" ? Object.assign(createElement(name), { setAttribute }) : createElement(name);
