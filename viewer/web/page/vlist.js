// A VirtualList shows any number of rows of one height, of which only those that are seen are in the page. It is a list box: Tab goes to it,
// arrows move within it, Enter takes a row.
import { el, put } from "./dom.js";

const tallest = 8e6; // pixels; browsers cannot show taller things, so that a longer list scrolls by more than what the wheel says

export class VirtualList {
  // row returns the cells of a row, or null while they are not known; take is called with the number of a row that is chosen.
  constructor(root, { label, height, row, take, seen }) {
    Object.assign(this, { root, height, row, take, seen, count: 0, at: 0, chosen: -1, id: `list-${label.replace(/\W+/g, "-")}` });
    this.space = el("div", { class: "space", role: "presentation" });
    root.classList.add("list");
    for (const [name, value] of Object.entries({ role: "listbox", tabindex: "0", "aria-label": label })) root.setAttribute(name, value);
    root.append(this.space);
    root.addEventListener("scroll", () => this.draw());
    root.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    root.addEventListener("click", (event) => {
      const node = event.target.closest("[role=option]");
      if (node) this.choose(Number(node.dataset.row), true);
    });
    new ResizeObserver(() => this.draw()).observe(root);
  }

  get rowHeight() {
    return Math.round(this.height * parseFloat(getComputedStyle(document.documentElement).fontSize));
  }

  // shown is how many whole rows are in sight.
  get shown() {
    return Math.max(1, Math.floor(this.root.clientHeight / this.rowHeight));
  }

  // scale is how many pixels one scrolls for a pixel of rows; less than 1 in a list that is too long for a browser.
  get scale() {
    return Math.min(1, tallest / Math.max(1, this.count * this.rowHeight));
  }

  update(count) {
    this.count = count;
    this.draw();
  }

  // choose marks a row, brings it into sight, and takes it if told so.
  choose(i, take = false) {
    this.chosen = Math.max(0, Math.min(this.count - 1, i));
    this.show(this.chosen);
    this.draw();
    if (take && this.count > 0) this.take(this.chosen);
  }

  // show scrolls until a row is in sight.
  show(i) {
    const { rowHeight, scale } = this;
    const top = this.root.scrollTop / scale;
    if (i * rowHeight < top) this.root.scrollTop = i * rowHeight * scale;
    else if ((i + 1) * rowHeight > top + this.root.clientHeight) this.root.scrollTop = ((i + 1) * rowHeight - this.root.clientHeight) * scale;
  }

  draw() {
    const { root } = this;
    const { clientHeight, scrollTop } = root; // before anything is written: to ask for them then would make the browser lay out the page once more
    if (clientHeight === 0) return;
    const { rowHeight, scale } = this;
    const first = Math.max(0, Math.min(Math.floor(scrollTop / scale / rowHeight), this.count - 1));
    const rows = Math.min(this.count - first, Math.max(1, Math.floor(clientHeight / rowHeight)) + 2, 190);
    this.seen?.(first, rows);
    const offset = scale === 1 ? first * rowHeight : scrollTop;
    this.space.style.height = `${Math.min(tallest, this.count * rowHeight)}px`;
    put(this.space, Array.from({ length: Math.max(0, rows) }, (_, k) => this.node(first + k, offset + k * rowHeight, rowHeight)));
    if (this.chosen >= 0) root.setAttribute("aria-activedescendant", `${this.id}-${this.chosen}`);
    else root.removeAttribute("aria-activedescendant");
  }

  node(i, top, height) {
    const cells = this.row(i);
    const node = el("div", {
      role: "option", id: `${this.id}-${i}`, data: { row: i }, class: cells?.class ?? "row", "aria-setsize": this.count, "aria-posinset": i + 1,
      "aria-selected": String(cells?.selected ?? i === this.chosen), "aria-label": cells?.label,
    }, cells?.cells ?? "…");
    if (i === this.chosen) node.classList.add("chosen");
    node.style.transform = `translateY(${top}px)`;
    node.style.height = `${height}px`;
    return node;
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const to = {
      ArrowDown: this.chosen + 1, ArrowUp: this.chosen - 1, PageDown: this.chosen + this.shown, PageUp: this.chosen - this.shown,
      Home: 0, End: this.count - 1, Enter: this.chosen,
    }[event.key];
    if (to === undefined || this.count === 0) return;
    event.preventDefault();
    this.choose(to, event.key === "Enter");
  }

  wheel(event) {
    if (this.scale === 1) return;
    event.preventDefault();
    this.root.scrollTop += event.deltaY * this.scale;
  }
}
