// The facts of the world at the position shown: those about the selected agent, or all.
import { Latest, el, put } from "./dom.js";
import { tree } from "./json.js";
import { json } from "./marks.js";
import { VirtualList } from "./vlist.js";

const limit = 2000;

export function facts(app, root) {
  let rows = [];
  let loaded = "";
  const q = el("input", { type: "search", placeholder: "part of a path", "aria-label": "Filter facts by path", on: { input: () => loader.ask() } });
  const own = el("input", { type: "checkbox", on: { change: () => loader.ask() } });
  const detail = el("div", { class: "detail", "aria-live": "polite" });
  const sum = el("span", { class: "quiet" });
  const body = el("div", { class: "fill" });
  root.append(el("div", { class: "bar" }, q, el("label", {}, own, " about this agent"), sum), body, detail);
  const list = new VirtualList(body, {
    label: "Facts", height: 1.6,
    row: (i) => ({ class: "row fact", cells: [el("span", { class: "key", text: rows[i][0], title: rows[i][0] }), el("span", { class: "value", text: json(rows[i][1]).slice(0, 200) })] }),
    take: (i) => put(detail, el("p", {}, el("code", { text: rows[i][0] })), tree(rows[i][1])),
  });
  const loader = new Latest(async () => {
    const { turn, seq, agent, tab, lastSeq, turns } = app.state;
    if (tab !== "facts") return;
    const about = own.checked && agent;
    const params = { turn, seq, q: about || q.value.trim(), limit };
    const key = JSON.stringify([params, q.value, turn >= turns ? lastSeq : 0]);
    if (key === loaded) return;
    const got = await app.source.get("state", params);
    loaded = key;
    rows = Object.entries(got.facts).filter(([path]) => !about || path.includes(q.value.trim()));
    rows.sort(([a], [b]) => (a < b ? -1 : 1));
    sum.textContent = `${rows.length}${got.more ? "+" : ""} facts`;
    put(detail);
    list.update(rows.length);
  }, 200);
  app.on("turn seq lastSeq agent tab", () => loader.ask());
}
