// The timeline: a tick for each turn, and lanes of marks for the world, the selected agent, and what went wrong. Where there are more turns than
// pixels, a pixel stands for several turns and shows the most important mark of them.
import { duration, el, plural, shapePath } from "./dom.js";
import { markOf, ranked } from "./marks.js";

const lanes = ["world", "agent", "errors"];
const names = { world: "world", agent: "agent", errors: "errors" };

export class Timeline {
  constructor(app, root) {
    Object.assign(this, { app, paths: new Map(), width: 0 });
    this.canvas = el("canvas", { class: "ticks" });
    this.head = el("div", { class: "playhead" });
    this.tip = el("div", { class: "tip", role: "tooltip", hidden: true });
    this.track = el("div", {
      class: "track", role: "slider", tabindex: "0", "aria-label": "Turn", "aria-valuemin": "0",
    }, this.head, this.canvas, this.tip);
    this.end = el("button", { type: "button", class: "end", on: { click: () => app.player.end() } });
    this.labels = el("div", { class: "lanes", "aria-hidden": "true" }, el("span", { text: "turns" }), lanes.map((l) => el("span", { text: names[l], data: { lane: l } })));
    root.append(el("div", { class: "strip" }, this.labels, this.track, this.end));
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.track);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    app.on("turns alive marked agent bookmarks mode scale", () => this.draw());
    app.on("turn turns seq alive", () => this.point());
    app.on("marked", () => this.track.setAttribute("aria-busy", String(app.index.partial)));
    app.on("agent", () => (this.labels.querySelector("[data-lane=agent]").textContent = app.state.agent || "agent"));
  }

  // bands is how many turns the track has room for: those that are over and, while the run goes on, the one that is being played.
  get bands() {
    const { turns, alive } = this.app.state;
    return alive ? turns + 1 : turns;
  }

  // turnAt is the turn at a pixel of the track: floor(x·bands/width). To the right of it is the end.
  turnAt(x) {
    const width = this.track.clientWidth;
    return x >= width ? this.app.state.turns : Math.max(0, Math.floor((x * this.bands) / width));
  }

  // left is where a turn begins.
  left(turn) {
    return (turn * this.width) / Math.max(1, this.bands);
  }

  listen() {
    const x = (event) => event.clientX - this.track.getBoundingClientRect().left;
    const seek = (event) => this.app.player.seek(this.turnAt(x(event)));
    this.track.addEventListener("pointerdown", (event) => {
      this.track.setPointerCapture(event.pointerId);
      this.app.player.play(false);
      seek(event);
    });
    this.track.addEventListener("pointermove", (event) => {
      if (event.buttons === 1) seek(event);
      this.tell(x(event));
    });
    this.track.addEventListener("pointerleave", () => (this.tip.hidden = true));
  }

  point() {
    const { turn, turns, seq, alive } = this.app.state;
    const within = turn < this.bands;
    const width = within ? Math.max(2, this.left(turn + 1) - this.left(turn)) : 2;
    this.head.style.transform = `translateX(${within ? this.left(turn) : this.width - 2}px)`;
    this.head.style.width = `${width}px`;
    this.track.setAttribute("aria-valuemax", turns);
    this.track.setAttribute("aria-valuenow", turn);
    this.track.setAttribute("aria-valuetext", `turn ${turn} of ${turns}${seq === null ? "" : `, event ${seq}`}`);
    this.end.textContent = alive ? "now" : "end";
    this.end.title = alive ? "Go to what happens now, and follow (End)" : "Go to the end (End)";
    this.end.setAttribute("aria-pressed", String(turn >= turns));
  }

  async tell(x) {
    const { app } = this;
    const turn = this.turnAt(x);
    const entry = app.index.near(turn);
    const { bucket } = app.index;
    const counts = ranked(entry?.marks ?? {}).map((kind) => plural(entry.marks[kind], markOf(kind).name));
    const note = app.bookmarks.get(turn);
    this.tip.textContent = [
      bucket > 1 && entry ? `turns ${entry.t}–${entry.t + bucket - 1}` : `turn ${turn}`, entry && plural(entry.events ?? 0, "event"),
      entry?.ms > 0 && duration(entry.ms), entry?.cut > 0 && `a wait, of which ${duration(entry.cut)} are not played in real time`, ...counts,
      note !== undefined && (note || "bookmark"),
    ].filter(Boolean).join(" · ");
    this.tip.hidden = false;
    this.tip.style.left = `${Math.max(0, Math.min(x - this.tip.offsetWidth / 2, this.track.clientWidth - this.tip.offsetWidth))}px`;
  }

  path(shape) {
    if (!this.paths.has(shape)) this.paths.set(shape, new Path2D(shapePath(shape)));
    return this.paths.get(shape);
  }

  draw() {
    const { app, canvas, track } = this;
    const [width, height] = [track.clientWidth, track.clientHeight];
    this.width = width; // known from here on: to ask for it makes the browser lay out the page
    if (!width || !height) return;
    const ratio = devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const c = canvas.getContext("2d");
    c.scale(ratio, ratio);
    const style = getComputedStyle(track);
    const colors = { edge: style.getPropertyValue("--text"), tick: style.getPropertyValue("--rim"), bar: style.getPropertyValue("--bar") };
    const row = height / 4;
    this.ticks(c, width, row, colors);
    for (const [i, lane] of lanes.entries()) this.lane(c, lane, width, row * (i + 1), row, colors);
    for (const [turn, note] of app.bookmarks) this.mark(c, "flag", "#E69F00", this.left(Math.min(turn, app.state.turns)) + 5, row / 2, row, colors.edge, note);
    this.point();
  }

  // ticks draws where turns begin, and how much happened in each.
  ticks(c, width, row, colors) {
    const { index } = this.app;
    const most = index.entries.reduce((n, e) => Math.max(n, e.events ?? 0), 1);
    c.fillStyle = colors.bar;
    for (const e of index.entries) {
      const [x, right] = [this.left(e.t), this.left(e.t + index.bucket)];
      const high = ((e.events ?? 0) / most) * row;
      c.fillRect(x, row - high, Math.max(1, right - x - (right - x > 4 ? 1 : 0)), high);
    }
    const every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000].find((n) => this.left(n) >= 56) ?? 50000;
    c.font = `${Math.min(12, row * 0.7)}px system-ui, sans-serif`;
    c.textBaseline = "middle";
    for (let t = 0; t < this.bands; t++) {
      const x = this.left(t);
      if (t % every && this.left(1) < 5) continue;
      c.fillStyle = colors.tick;
      c.fillRect(Math.round(x), t % every ? row * 0.6 : 0, 1, t % every ? row * 0.4 : row * 4);
      if (t % every) continue;
      c.fillStyle = colors.edge;
      c.fillText(String(t), x + 3, row * 0.5);
    }
  }

  // lane draws the marks of a lane, at most one for each place in which one fits.
  lane(c, lane, width, top, row, colors) {
    const { index, state } = this.app;
    c.fillStyle = colors.tick;
    c.fillRect(0, Math.round(top), width, 1);
    const wide = this.left(index.bucket);
    const places = new Map();
    for (const e of index.entries) {
      const x = this.left(e.t);
      const kinds = this.kinds(e, lane);
      const place = wide >= 4 ? e.t : Math.floor(x / 2);
      if (kinds.length > 0) places.set(place, { x: x + wide / 2, kinds: kinds.concat(places.get(place)?.kinds ?? []) });
      if (lane === "world" && state.mode === "real time" && e.cut > 0) this.cut(c, x, top, row, colors.edge);
    }
    for (const { x, kinds } of places.values()) {
      const room = Math.max(1, Math.min(row - 4, wide + 2));
      const fit = ranked(Object.fromEntries(kinds.map((k) => [k, 1]))).slice(0, Math.max(1, Math.floor(wide / room)));
      for (const [i, kind] of fit.entries()) {
        const { color, shape } = kind === "agent" ? { color: "#56B4E9", shape: "disc" } : markOf(kind);
        this.mark(c, shape, color, x + (i - (fit.length - 1) / 2) * room, top + row / 2, room, colors.edge);
      }
    }
  }

  // cut says that a wait before a turn is left out.
  cut(c, x, top, row, color) {
    c.fillStyle = color;
    for (const aside of [0, 4]) c.fillRect(Math.round(x) + aside, top + 1, 2, row - 1);
  }

  // kinds are the marks of an entry that belong in a lane.
  kinds(entry, lane) {
    if (lane === "agent") {
      const n = entry.agents?.[this.app.state.agent];
      return n ? [typeof n === "object" ? ranked(n)[0] : "agent"] : [];
    }
    return Object.keys(entry.marks ?? {}).filter((kind) => markOf(kind).lane === lane);
  }

  mark(c, shape, color, x, y, room, edge) {
    const size = Math.min(room, 14) - 2;
    c.save();
    c.translate(x, y);
    if (size < 4) {
      c.fillStyle = color;
      c.fillRect(-1, -5, Math.max(2, size), 10);
    } else {
      c.scale(size / 20, size / 20);
      c.translate(-10, -10);
      c.fillStyle = color;
      c.strokeStyle = edge;
      c.lineWidth = 20 / size;
      c.fill(this.path(shape));
      c.stroke(this.path(shape));
    }
    c.restore();
  }
}
