// The list of agents: who they are, what each is doing, what it costs.
import { Latest, avatar, dollars, count, el, swatch } from "./dom.js";
import { VirtualList } from "./vlist.js";

const doing = {
  waiting: { shape: "ring", color: "#56B4E9" }, thinking: { shape: "hexagon", color: "#E69F00" }, acting: { shape: "disc", color: "#009E73" },
  out: { shape: "cross", color: "#D55E00" }, done: { shape: "square", color: "#B0BAC3" },
};

export class Agents {
  constructor(app, root) {
    Object.assign(this, { app, facts: new Map(), shown: app.run.agents });
    this.filter = el("input", { type: "search", placeholder: "filter agents", "aria-label": "Filter agents", on: { input: () => this.sift() } });
    this.sort = el("select", { "aria-label": "Order of agents", on: { change: () => this.sift() } },
      ["seat", "name", "cost", "reward", "state"].map((name) => el("option", { value: name, text: `by ${name}` })));
    this.total = el("span", { class: "quiet" });
    const rows = el("div", { class: "fill" });
    root.append(el("div", { class: "bar" }, el("h2", { text: "Agents" }), this.total), el("div", { class: "bar" }, this.filter, this.sort), rows);
    this.list = new VirtualList(rows, {
      label: "Agents", height: 2.75, row: (i) => this.row(this.shown[i]),
      take: (i) => app.set({ agent: this.shown[i].name }),
    });
    this.loader = new Latest(() => this.load(), 250);
    app.on("turn lastSeq runState", () => this.loader.ask());
    app.on("agent scale narrow", () => this.point());
    this.sift();
  }

  async load() {
    const { app } = this;
    const rows = await app.source.get("agents", { turn: app.state.turn });
    this.facts = new Map(rows.map((row) => [row.name, row]));
    const sum = (name) => rows.reduce((n, row) => (row[name] == null ? n : (n ?? 0) + row[name]), null);
    app.set({ tokens: sum("tokens_in") + sum("tokens_out"), dollars: sum("dollars") });
    if (["cost", "reward", "state"].includes(this.sort.value)) this.sift();
    else this.list.draw();
  }

  sift() {
    const q = this.filter.value.trim().toLowerCase();
    const fact = (agent, name) => this.facts.get(agent.name)?.[name];
    const all = this.app.run.agents;
    this.shown = all.filter((a) => [a.name, a.role, a.model, a.group, fact(a, "doing"), fact(a, "status")].join(" ").toLowerCase().includes(q));
    const by = {
      name: (a, b) => a.name.localeCompare(b.name), cost: (a, b) => (fact(b, "dollars") ?? 0) - (fact(a, "dollars") ?? 0),
      reward: (a, b) => (fact(b, "reward") ?? 0) - (fact(a, "reward") ?? 0),
      state: (a, b) => String(fact(a, "doing")).localeCompare(String(fact(b, "doing"))),
    }[this.sort.value];
    if (by) this.shown.sort(by);
    this.total.textContent = q ? `${this.shown.length} of ${all.length}` : all.length;
    this.point();
    this.list.update(this.shown.length);
  }

  point() {
    const i = this.shown.findIndex((a) => a.name === this.app.state.agent);
    if (i >= 0) this.list.choose(i);
    else this.list.chosen = -1;
    this.list.draw();
  }

  row(agent) {
    const fact = this.facts.get(agent.name) ?? {};
    const state = doing[fact.doing];
    const reward = fact.reward == null ? "" : count(fact.reward);
    const does = agent.kind === "human" && fact.doing === "thinking" ? "your move" : fact.doing;
    const words = [does, !["active", "done"].includes(fact.status) && fact.status].filter(Boolean).join(", ");
    return {
      selected: agent.name === this.app.state.agent, class: fact.doing === "out" ? "row agent out" : "row agent",
      label: `${agent.name}, ${words}, ${reward && "reward " + reward}, ${dollars(fact.dollars)}`,
      cells: [
        avatar(agent),
        el("span", { class: "who" }, el("b", { text: agent.name }),
          el("small", { text: [agent.role, agent.group, agent.model || agent.kind].filter(Boolean).join(" · "), title: agent.model })),
        el("span", { class: "state" }, state && swatch(state.shape, state.color), words),
        el("span", { class: "figures" }, el("b", { text: reward }), el("small", { text: fact.dollars == null ? "" : dollars(fact.dollars) })),
      ],
    };
  }
}
