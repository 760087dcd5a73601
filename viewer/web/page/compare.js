// Another run beside this one, at the same turn: its picture on the right half of the stage, and here the facts in which the two differ.
import { Latest, button, el, put } from "./dom.js";
import { json } from "./marks.js";

const limit = 2000;

// happened says in words what an event is; null: there is none.
const happened = (ev) => (ev ? [ev.agent, ev.text || ev.kind].filter(Boolean).join(" ") : "it ends there");

export function compare(app, root) {
  const [first, name] = app.pair;
  const head = el("div", { class: "bar" });
  const facts = el("div", { class: "fill scroll", tabindex: "0", role: "region", "aria-label": "Facts that differ" });
  root.append(head, facts);

  const loader = new Latest(async () => {
    const { turn, drawer, drawerTab } = app.state;
    if (!drawer || drawerTab !== "compare") return app.stage.second && app.stage.beside(null);
    const { source } = app;
    const [parts, one, two, frame] = await Promise.all([
      source.get("parts"), source.get("state", { turn, limit }), source.get("other/state", { turn, limit }).catch(() => ({ facts: {} })),
      source.frame({ turn }, "other/frame").catch(() => null)]);
    const apart = parts.turn >= 0;
    put(head, ...parts.begin.map(({ name: setting, values }) => el("span", { text: `${setting}: ${values.map((v, i) => `${app.pair[i]} has ${v === null ? "none" : json(v).slice(0, 80)}`).join(", ")}.` })),
      apart ? el("span", { text: `They part in turn ${parts.turn}. ${parts.events.map((ev, i) => `${app.pair[i]}: ${happened(ev)}`).join("; ")}.` })
        : el("span", { text: parts.begin.length > 0 ? "The same happens in both." : "The two runs are the same." }),
      apart && button(`go to turn ${parts.turn}`, () => app.player.seek(parts.turn)));
    const paths = [...new Set([...Object.keys(one.facts), ...Object.keys(two.facts)])].sort();
    const text = (f, path) => (path in f ? json(f[path]) : "");
    const differ = paths.filter((path) => text(one.facts, path) !== text(two.facts, path));
    put(facts, differ.length === 0 ? el("p", { class: "quiet", text: `No fact differs in turn ${turn}.` }) : el("table", { class: "changes" },
      el("thead", {}, el("tr", {}, ["path", first, name].map((n) => el("th", { scope: "col", text: n })))),
      el("tbody", {}, differ.slice(0, 300).map((path) => el("tr", {}, el("th", { scope: "row", text: path }),
        el("td", { text: text(one.facts, path).slice(0, 200) }), el("td", { text: text(two.facts, path).slice(0, 200) }))))));
    if (app.state.painter && app.state.turn === turn) app.stage.beside(frame?.bytes ?? null, app.pair);
  }, 300);
  app.on("turn turns drawer drawerTab painter", () => loader.ask());
}
