// Elements of the page, and how its figures are written. Whatever an agent wrote enters the page here, as text and never as markup.

// el makes an element. Of its properties, "on" is an object of listeners, "data" one of data attributes, and "text" its text; a boolean
// sets or leaves out an attribute. Children are nodes, texts, or lists of them; null is left out.
export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

// svg is el for drawings.
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (name === "on") for (const [event, f] of Object.entries(value)) node.addEventListener(event, f);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "text") node.textContent = value;
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  for (const child of children.flat(2)) if (child != null && child !== false) node.append(child);
  return node;
}

// put replaces what is in a node, but only its children, so that focus and listeners of the node stay.
export function put(node, ...children) {
  node.replaceChildren(...children.flat(2).filter((c) => c != null && c !== false));
}

const icons = {
  start: "M3 3v10M13 3 6 8l7 5z", end: "M13 3v10M3 3l7 5-7 5z", back: "M11 3 5 8l6 5z", step: "M5 3l6 5-6 5z",
  play: "M4 2.5 13 8l-9 5.5z", pause: "M4 3h3v10H4zM9 3h3v10H9z", fit: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
  plus: "M8 3v10M3 8h10", minus: "M3 8h10", follow: "M8 1v4M8 11v4M1 8h4M11 8h4M8 6a2 2 0 1 0 0 4 2 2 0 0 0 0-4",
  bubble: "M2 3h12v8H8l-3 3v-3H2z", map: "M2 3l4-1 4 1 4-1v11l-4 1-4-1-4 1zM6 2v11M10 3v11",
  eye: "M1 8c3-6 11-6 14 0-3 6-11 6-14 0M8 6a2 2 0 1 0 0 4 2 2 0 0 0 0-4", flag: "M4 15V2h9l-2 3 2 3H4",
  share: "M6 9l4-4M5 6 3 8a3 3 0 0 0 5 5l2-2M11 10l2-2a3 3 0 0 0-5-5L6 5", help: "M5 6a3 3 0 1 1 4 3c-1 .5-1 1-1 2M8 13.5v.5",
  palette: "M2 4h12M2 8h12M2 12h7", close: "M3 3l10 10M13 3 3 13", camera: "M1 5h3l1-2h6l1 2h3v8H1zM8 7a2 2 0 1 0 0 4 2 2 0 0 0 0-4",
  gear: "M2 4h6M11 4h3M9.500 2.500v3M2 8h2M7 8h7M5.500 6.500v3M2 12h7M12 12h2M10.500 10.500v3", save: "M8 2v8M5 7l3 3 3-3M2 13h12",
  layers: "M8 2l6 3-6 3-6-3zM2 8l6 3 6-3M2 11l6 3 6-3",
};

// icon returns a small drawing that no reader speaks; whoever uses it names the control.
export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: icons[name] }));
}

// button makes a button with a name; with an icon, the name is what is spoken and shown when one points at it.
export function button(name, run, { icon: picture, key, ...props } = {}) {
  const title = key ? `${name} (${key})` : name;
  const label = picture ? { "aria-label": name, title } : { title: key ? title : null };
  return el("button", { type: "button", on: { click: run }, ...label, ...props }, picture ? icon(picture) : name);
}

// shapePath is the outline of a shape in a box of 20 by 20. Agents and marks are told apart by it where colors are not.
export function shapePath(shape) {
  return {
    disc: "M10 1a9 9 0 1 0 0 18 9 9 0 0 0 0-18", square: "M2 2h16v16H2z", rect: "M2 2h16v16H2z", triangle: "M10 1l9 17H1z",
    diamond: "M10 0l10 10-10 10L0 10z", hexagon: "M5 1.500h10l5 8.500-5 8.500H5L0 10z", cross: "M4 1l6 6 6-6 3 3-6 6 6 6-3 3-6-6-6 6-3-3 6-6-6-6z",
    star: "M10 0l2.600 6.800L20 7.300l-5.700 4.600L16.200 19 10 15l-6.200 4 1.900-7.100L0 7.300l7.400-.5z",
    ring: "M10 1a9 9 0 1 0 0 18 9 9 0 0 0 0-18M10 5a5 5 0 1 1 0 10 5 5 0 0 1 0-10", line: "M1 8h18v4H1z", text: "M3 3h14v3h-5v12H8V6H3z",
    bar: "M8 1h4v18H8z", flag: "M4 1h13l-3 5 3 5H7v8H4z", down: "M10 19L1 2h18z",
  }[shape] ?? "M2 2h16v16H2z";
}

// avatar is an agent's color, shape and initials.
export function avatar(agent) {
  return svg("svg", { class: "avatar", viewBox: "-1 -1 22 22", "aria-hidden": "true" },
    svg("path", { d: shapePath(agent.shape), fill: agent.color, class: "edge" }),
    svg("text", { x: 10, y: agent.shape === "triangle" ? 15 : 13.5, "text-anchor": "middle", fill: inkOn(agent.color) }, agent.initials));
}

// swatch is a small filled shape.
export function swatch(shape, color) {
  return svg("svg", { class: "swatch", viewBox: "-1 -1 22 22", "aria-hidden": "true" }, svg("path", { d: shapePath(shape), fill: color, class: "edge" }));
}

// inkOn returns black or white, whichever is easier to read on a color "#rrggbb".
export function inkOn(color) {
  const [r, g, b] = [1, 3, 5].map((i) => (parseInt(color.slice(i, i + 2), 16) / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000000" : "#ffffff";
}

// count writes a whole number in little room: 950, 12.3k, 4.5M.
export function count(n) {
  if (n == null) return "–";
  for (const [unit, name] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(n) >= unit) return (n / unit).toFixed(Math.abs(n) >= 100 * unit ? 0 : 1) + name;
  }
  return String(Math.round(n * 1000) / 1000);
}

export const dollars = (n) => (n == null ? "–" : "$" + (n && n < 1 ? n.toFixed(4) : n.toFixed(2)));

export const bytes = (n) => `${Math.floor(n / 2 ** 20)} MiB`;

export function duration(ms) {
  if (ms == null) return "–";
  if (ms < 1000) return `${Math.round(ms * 10) / 10} ms`;
  if (ms < 60e3) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60e3);
  return minutes < 60 ? `${minutes} min ${Math.round(ms / 1000) % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// plural writes "1 turn" and "2 turns".
export const plural = (n, one) => `${n} ${one}${n === 1 ? "" : "s"}`;

// A Latest does one piece of work at a time, and rests between them for some milliseconds and at least for as long as the work took; of what is asked for
// meanwhile only the last counts. So what is seldom looked at never slows down what is looked at.
export class Latest {
  constructor(work, rest = 0) {
    Object.assign(this, { work, rest, busy: false, next: null });
  }

  ask(...args) {
    this.next = args;
    if (!this.busy) this.run();
  }

  async run() {
    this.busy = true;
    while (this.next) {
      const args = this.next;
      this.next = null;
      const begun = performance.now();
      await this.work(...args).catch((err) => console.warn("viewer:", err.message));
      if (this.rest) await new Promise((done) => setTimeout(done, Math.max(this.rest, performance.now() - begun)));
    }
    this.busy = false;
  }
}
