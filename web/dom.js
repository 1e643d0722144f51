// Elements and numbers.

/** el("a", {href: "#/CA", class: "tile"}, "CA", child): an element. Values null and false are left out. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("--")) element.style.setProperty(key, value);
    else if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

/** Changes an element's text only if it is another: screen readers and selections are left alone. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const integers = new Intl.NumberFormat("en-US");
export const number = (n) => integers.format(n);

/** "48.2 %"; nothing of nothing is nothing. Never "100.0 %" or "0.0 %" for what is not quite that. */
export function percent(part, whole) {
  if (!whole || !part) return whole ? "0 %" : "";
  if (part === whole) return "100 %";
  const value = Math.min(99.9, Math.max(0.1, (100 * part) / whole));
  return `${value.toFixed(1)} %`;
}

export const plural = (n, one, many = one + "s") => `${number(n)} ${n === 1 ? one : many}`;

export function clock(ms) {
  return new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}
