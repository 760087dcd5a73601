// The log of the run, filtered and searched by the server. Its rows come in pages, as they are scrolled into sight.
import { Latest, button, el, plural, swatch } from "./dom.js";
import { markOf, marks, summary } from "./marks.js";
import { VirtualList } from "./vlist.js";

const page = 200; // events of one look at the server
const kinds = ["action", ...Object.keys(marks), "start", "turn", "phase", "end"];

export class Events {
  constructor(app, root) {
    Object.assign(this, { app, pages: new Map(), found: [], next: null, total: 0 });
    const changed = { on: { input: () => this.filter() } };
    const number = (label) => el("input", { type: "number", min: 0, placeholder: label, "aria-label": label, ...changed });
    this.q = el("input", { type: "search", placeholder: "text", "aria-label": "Text in the log", on: { input: () => app.set({ query: this.q.value }) } });
    this.agent = el("input", { type: "search", placeholder: "agent", "aria-label": "Agent in the log", list: "log-agents", ...changed });
    this.kind = el("input", { type: "search", placeholder: "kind", "aria-label": "Kind of event", list: "log-kinds", ...changed });
    this.from = number("from turn");
    this.to = number("to turn");
    this.follow = el("input", { type: "checkbox", checked: true });
    this.sum = el("span", { class: "quiet", role: "status" });
    const body = el("div", { class: "fill" });
    root.append(
      el("div", { class: "bar" }, this.q, this.agent, this.kind, this.from, this.to,
        button("clear", () => this.clear()), el("label", {}, this.follow, " follow the turn"), this.sum),
      el("datalist", { id: "log-agents" }, app.run.agents.slice(0, 1000).map((a) => el("option", { value: a.name }))),
      el("datalist", { id: "log-kinds" }, kinds.map((k) => el("option", { value: k }))), body);
    this.list = new VirtualList(body, {
      label: "Log", height: 1.6, row: (i) => this.row(i), take: (i) => this.at(i) && app.player.event(this.at(i)), seen: (i, n) => this.need(i, n),
    });
    this.loader = new Latest((i) => this.fetch(i));
    this.growing = new Latest(() => this.grow(), 300);
    this.search = new Latest(() => this.first(), 120);
    app.on("query", () => {
      if (this.q.value !== app.state.query) this.q.value = app.state.query;
      this.filter();
    });
    app.on("lastSeq", () => this.growing.ask());
    app.on("turn seq event marked", () => this.pursue());
  }

  get filters() {
    const value = (input) => input.value.trim();
    return { q: value(this.q), agent: value(this.agent), kind: value(this.kind), from: value(this.from), to: value(this.to) };
  }

  get filtered() {
    return Object.values(this.filters).some(Boolean);
  }

  clear() {
    for (const input of [this.agent, this.kind, this.from, this.to]) input.value = "";
    this.app.set({ query: "" });
    this.filter();
  }

  // set shows the log by some filters.
  set(filters) {
    for (const [name, value] of Object.entries(filters)) this[name].value = value;
    if (filters.q !== undefined) this.app.set({ query: filters.q });
    this.filter();
  }

  filter() {
    this.search.ask();
  }

  // first begins anew, by filters that have changed.
  async first() {
    const key = JSON.stringify(this.filters);
    if (key === this.key) return;
    Object.assign(this, { key, found: [], next: 0, total: this.filtered ? 0 : this.app.state.lastSeq });
    this.pages.clear();
    this.list.chosen = -1;
    await this.fetch(0);
    this.list.root.scrollTop = 0;
    this.pursue();
  }

  // fetch gets a page of the whole log, in which an event's number is its place; or, with filters, what follows the events found so far.
  async fetch(i) {
    if (this.filtered) return this.more();
    const { key } = this;
    if (this.pages.has(i)) return;
    const events = [];
    for (let after = i * page; after !== null && events.length < page;) { // an answer may be too large, or take too long, for all of it
      const got = await this.app.source.get("events", { after, limit: page - events.length, order: "asc" });
      if (this.key !== key) return;
      events.push(...got.events);
      after = got.next ?? null;
    }
    this.pages.set(i, events);
    this.sum.textContent = plural(this.total, "event");
    this.list.update(this.total);
  }

  async more() {
    const { key } = this;
    const wanted = this.found.length + 1;
    while (this.next !== null && this.found.length < wanted) {
      const { next } = this;
      const got = await this.app.source.get("events", { ...this.filters, after: next, limit: page, order: "asc" });
      if (this.key !== key || this.next !== next) return; // others have them already
      this.found.push(...got.events);
      this.next = got.next ?? null;
      const some = this.next !== null;
      this.total = this.found.length + (some ? 1 : 0);
      this.sum.textContent = `${this.found.length}${some ? "+" : ""} found${some && got.events.length < page ? ", looking on…" : ""}`;
      if (got.events.length > 0 || !some) this.list.update(this.total);
    }
  }

  // grow takes in that the log has become longer.
  async grow() {
    if (this.key === undefined) return;
    if (this.filtered) {
      this.next ??= this.found.at(-1)?.seq ?? 0;
      await this.more();
    } else {
      this.total = this.app.state.lastSeq;
      const last = Math.floor((this.total - 1) / page);
      for (const p of [last - 1, last]) if ((this.pages.get(p)?.length ?? page) < page) this.pages.delete(p);
      await this.fetch(last);
    }
    this.pursue();
  }

  need(i, n) {
    if (this.key === undefined) return;
    if (this.filtered) return i + n > this.found.length && this.next !== null && this.loader.ask(0);
    for (const p of new Set([Math.floor(i / page), Math.floor((i + n - 1) / page)])) {
      if (!this.pages.has(p) && i < this.total) this.loader.ask(p);
    }
  }

  at(i) {
    return this.filtered ? this.found[i] : this.pages.get(Math.floor(i / page))?.[i % page];
  }

  // pursue brings the event that one sought, or the first one of the turn, into sight.
  async pursue() {
    const { event, turn, turns, lastSeq, followLive } = this.app.state;
    if (!this.follow.checked || this.key === undefined) return this.list.draw();
    let seq = event;
    if (seq === null && !this.filtered) {
      if (followLive && turn >= turns) seq = lastSeq;
      else seq = (await this.app.index.detail(turn))?.seq?.[0] ?? null;
    }
    if (seq === null || this.app.state.turn !== turn) return this.list.draw();
    const i = this.filtered ? this.found.findIndex((e) => e.seq === seq) : seq - 1;
    if (i < 0) return this.list.draw();
    if (event === null) this.list.chosen = -1;
    else this.list.chosen = i;
    this.list.show(i + (event === null && !followLive ? this.list.shown - 1 : 0));
    this.list.show(i);
    this.list.draw();
  }

  row(i) {
    const event = this.at(i);
    if (!event) return null;
    const mark = markOf(event.kind);
    const text = summary(event);
    return {
      class: event.turn === this.app.state.turn ? "row event here" : "row event",
      label: `event ${event.seq}, turn ${event.turn}, ${event.kind}, ${event.agent ?? ""} ${text}`,
      cells: [
        el("span", { class: "number", text: event.seq }), el("span", { class: "number", text: `t${event.turn}` }),
        el("span", { class: "kind" }, Object.hasOwn(marks, event.kind) && swatch(mark.shape, mark.color), event.kind),
        el("b", { text: event.agent ?? "" }), el("span", { class: "value", text, title: text }),
      ],
    };
  }
}
