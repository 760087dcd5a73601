// What a turn changed, and who wanted the same thing in it.
import { Latest, button, el, plural, put } from "./dom.js";
import { section } from "./inspector.js";
import { json } from "./marks.js";

export function diff(app, root) {
  const head = el("div", { class: "bar" });
  const body = el("div", { class: "fill scroll", tabindex: "0", role: "region", "aria-label": "What the turn changed" });
  root.append(head, body);
  const who = (agents) => (agents ?? []).map((name) => button(name, () => app.set({ agent: name }), { class: "link" }));
  const loader = new Latest(async () => {
    const { turn, drawer, drawerTab } = app.state;
    if (!drawer || drawerTab !== "diff") return;
    const got = await app.source.get("diff", { turn });
    const { changes = [], conflicts = [] } = got;
    put(head, el("span", { class: "quiet", text: `turn ${turn}: ${plural(changes.length, "changed fact")}${got.more ? " and more" : ""}, ${plural(conflicts.length, "conflict")}` }),
      button("previous conflict", () => app.command("previous-conflict")), button("next conflict", () => app.command("conflict"), { key: "X" }));
    put(body, el("div", { class: "columns" },
      conflicts.length > 0 && section("Conflicts", conflicts.map((c) => el("div", { class: "conflict" },
        el("h4", { text: c.what }),
        el("ul", {}, (c.claims ?? []).map((claim) => el("li", {}, who([claim.agent]), ` ${claim.action ?? ""} ${claim.args ? json(claim.args) : ""}`))),
        el("p", {}, (c.winners ?? []).length > 0 && ["won: ", ...who(c.winners)], (c.losers ?? []).length > 0 && [" lost: ", ...who(c.losers)]),
        c.reason && el("p", { class: "quiet", text: c.reason })))),
      section("Facts", changes.length === 0 ? el("p", { class: "quiet", text: "nothing" }) : el("table", { class: "changes" },
        el("thead", {}, el("tr", {}, ["path", "before", "after"].map((name) => el("th", { scope: "col", text: name })))),
        el("tbody", {}, changes.slice(0, 500).map((c) => el("tr", { data: { path: c.path } }, el("th", { scope: "row", text: c.path }),
          cell(c, "before"), cell(c, "after"))))))));
  }, 200);
  app.on("turn lastSeq drawer drawerTab", () => loader.ask());
}

function cell(change, side) {
  const text = change[side] === undefined ? "" : json(change[side]);
  return el("td", { class: change[side] === undefined ? "none" : side, text: text.slice(0, 400), title: text.length > 400 ? text.slice(0, 4000) : null });
}
