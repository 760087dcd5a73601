// Charts of the scenario's metrics over the turns, with a line at the turn shown; a click on one goes to its turn.
import { Latest, count, el, plural, put, svg } from "./dom.js";

const points = 500;
const width = 300; // units of a chart; it is drawn as wide as there is room
const height = 96;

// tables are links to the metrics as comma-separated values. A page that is a file has those of its turns in it.
export function tables({ run, source }) {
  const link = (href, name, text) => el("a", { href, download: name, text });
  const all = (href) => link(href, `${run.name}-turns.csv`, "metrics over the turns as CSV");
  if (run.metrics.length === 0) return [];
  if (source.table) return [all(`data:text/csv;charset=utf-8,${encodeURIComponent(source.table)}`)];
  return [link("api/metrics.csv", `${run.name}.csv`, "metrics as CSV"), all("api/metrics.csv?turns=1")];
}

export class Charts {
  constructor(app, root) {
    Object.assign(this, { app, cursors: [] });
    this.grid = el("div", { class: "charts" });
    this.note = el("p", { class: "quiet" });
    root.append(el("div", { class: "bar" }, this.note, el("span", { class: "gap" }), tables(app)), this.grid);
    this.loader = new Latest(() => this.load(), 1000);
    app.on("turns drawer drawerTab", () => this.open && this.loader.ask());
    app.on("turn drawer drawerTab", () => this.open && this.point());
  }

  get open() {
    return this.app.state.drawer && this.app.state.drawerTab === "charts";
  }

  async load() {
    if (this.loaded === this.app.state.turns) return;
    const { source, run } = this.app;
    const [data, other] = await Promise.all([source.get("metrics", { points }), run.other ? source.get("other/metrics", { points }) : null]);
    if (data.partial) this.loader.ask();
    else this.loaded = this.app.state.turns;
    this.cursors = [];
    this.note.textContent = data.series.length ? `${plural(data.series.length, "metric")}, ${plural(data.turns.length, "point")} each${other ? `; dashed: ${this.app.pair[1]}` : ""}` : "This scenario has no metrics.";
    const formula = (name) => run.metrics.find((m) => m.name === name)?.formula ?? "";
    put(this.grid, data.series.map((s) => {
      const second = other?.series.find((o) => o.name === s.name);
      return this.chart(s, data.turns, formula(s.name), second && { turns: other.turns, values: second.values });
    }));
    this.point();
  }

  chart({ name, values }, turns, formula, other) {
    const all = values.concat(other?.values ?? []).filter((v) => typeof v === "number");
    const [low, high] = [Math.min(...all, Infinity), Math.max(...all, -Infinity)];
    const last = Math.max(turns.at(-1) ?? 0, other?.turns.at(-1) ?? 0, 1);
    const x = (turn) => (turn / last) * width;
    const y = (v) => (high === low ? height / 2 : height - 4 - ((v - low) / (high - low)) * (height - 8));
    const line = (vs, ts) => {
      let pen = "M";
      return vs.map((v, i) => {
        if (typeof v !== "number") return (pen = "M") && "";
        const part = `${pen}${x(ts[i]).toFixed(1)} ${y(v).toFixed(1)}`;
        pen = "L";
        return part;
      }).join("");
    };
    const cursor = svg("line", { class: "cursor", y1: 0, y2: height });
    const dot = svg("circle", { class: "dot", r: 3 });
    const value = el("b");
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": `${name}: from ${count(low)} to ${count(high)}` },
      other && svg("path", { class: "line other", d: line(other.values, other.turns) }), svg("path", { class: "line", d: line(values, turns), data: { points: values.length } }), cursor, dot);
    const go = (event) => {
      if (event.type === "pointermove" && event.buttons !== 1) return;
      const box = picture.getBoundingClientRect();
      this.app.player.seek(Math.round(((event.clientX - box.left) / box.width) * last));
    };
    picture.addEventListener("pointerdown", go);
    picture.addEventListener("pointermove", go);
    this.cursors.push((turn) => {
      cursor.setAttribute("x1", x(turn));
      cursor.setAttribute("x2", x(turn));
      const i = turns.findLastIndex((t) => t <= turn);
      const v = values[i];
      value.textContent = typeof v === "number" ? count(v) : "–";
      dot.setAttribute("cx", x(turns[i] ?? 0));
      dot.setAttribute("cy", typeof v === "number" ? y(v) : -10);
    });
    return el("figure", { data: { metric: name } }, el("figcaption", { title: formula }, el("span", { text: name }), value),
      el("div", { class: "plot" }, el("small", { class: "high", text: count(high) }), picture, el("small", { class: "low", text: count(low) })));
  }

  point() {
    for (const cursor of this.cursors) cursor(this.app.state.turn);
  }
}
