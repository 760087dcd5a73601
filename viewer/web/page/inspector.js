// The inspector says of the selected agent what it saw, thought and did in the turn shown, and what it has cost so far.
import { Latest, avatar, button, bytes, count, dollars, duration, el, plural, put, swatch } from "./dom.js";
import { facts } from "./facts.js";
import { tree } from "./json.js";
import { markOf, summary } from "./marks.js";
import { args } from "./schema.js";
import { tabs } from "./tabs.js";
import { Transcript, entry } from "./transcript.js";

export class Inspector {
  constructor(app, root) {
    this.app = app;
    this.head = el("div", { class: "bar who" });
    this.now = el("div", { tabindex: "0" });
    this.stats = el("div", { tabindex: "0" });
    const transcript = el("div");
    const factsPanel = el("div");
    root.append(this.head, ...tabs(app, {
      label: "About the agent", value: "tab", panels: { now: this.now, transcript, facts: factsPanel, stats: this.stats },
    }));
    this.loader = new Latest(() => this.load(), 200);
    app.on("agent turn seq lastSeq runState tab", () => this.loader.ask());
    this.transcript = new Transcript(app, transcript);
    facts(app, factsPanel);
  }

  async load() {
    const { agent: name, turn, seq, tab } = this.app.state;
    const agent = this.app.agent(name);
    if (!agent) {
      put(this.head, el("h2", { text: "Nobody selected" }));
      const how = el("p", { class: "quiet", text: "Click an agent in the world or in the list, or press N." });
      put(this.now, how);
      return put(this.stats, how.cloneNode(true));
    }
    const at = await this.app.source.get("agent", { name, turn, seq }).catch((err) => {
      if (err.status === 0) this.gone(agent);
      throw err;
    });
    if (at.name !== this.app.state.agent) return;
    this.say(agent, at);
    if (tab === "now") this.showNow(at);
    if (tab === "stats") this.showStats(at);
  }

  // gone says that nothing is known of an agent, for the server is gone.
  gone(agent) {
    put(this.head, avatar(agent), el("h2", { text: agent.name }));
    const why = el("p", { class: "bad" }, "The server of this page is gone. Start it again with ", el("code", { text: this.app.view }), ": the page comes back by itself.");
    put(this.now, why);
    put(this.stats, why.cloneNode(true));
  }

  say(agent, at) {
    const step = (n, name, key) => button(name, () => this.app.command(n > 0 ? "next-agent" : "previous-agent"), { icon: n > 0 ? "step" : "back", key });
    put(this.head, avatar(agent), el("span", { class: "who" }, el("h2", { text: agent.name }),
      el("small", { text: [agent.kind, agent.model, agent.role, agent.group].filter(Boolean).join(" · ") }),
      el("small", { text: [at.status, at.reward != null && `reward ${count(at.reward)}`].filter(Boolean).join(" · ") })),
    step(-1, "Previous agent", "Shift+N"), step(1, "Next agent", "N"));
  }

  showNow(at) {
    const { app } = this;
    const thought = (at.transcript ?? []).filter((e) => e.kind !== "observation");
    const saw = [...at.acts.map((act) => act.observation), ...(at.next ? [at.observation] : [])];
    const rounds = saw.map((seen, i) => [section("Saw", this.saw(seen, saw[i - 1])), i < at.acts.length && section("Did", this.act(at.acts[i]))]);
    const actions = saw.at(-1)?.actions ?? [];
    put(this.now, rounds.flat(),
      at.acts.length === 0 && section("Did", el("p", { class: "quiet", text: "nothing yet in this turn" })),
      (at.says ?? []).length > 0 && section("Said", at.says.map((s) => el("blockquote", { text: typeof s === "string" ? s : s.text ?? "" }))),
      thought.length > 0 && section("Thought", thought.map((e) => entry(e))),
      actions.length > 0 && section("Could do", el("dl", {}, actions.map((a) => [el("dt", { text: a.name }), el("dd", {}, a.description,
        args(a).map((arg) => el("p", { class: "argument" }, el("b", { text: arg.name }), `: ${arg.words}`)))]))),
      (at.notes ?? []).length > 0 && section("Notes", at.notes.map((n) => el("p", { text: typeof n === "string" ? n : JSON.stringify(n) }))));
  }

  // saw shows an observation; closed, if it is the same as the one before.
  saw(seen, before) {
    if (seen == null) return el("p", { class: "quiet", text: this.app.run.notes?.[0] ?? "no observation in this turn" });
    const told = (seen.messages ?? []).map((m) => el("blockquote", {}, el("b", { text: m.from }), `: ${m.text}`));
    const all = [told, seen.refused && el("p", { class: "bad", text: `refused: ${seen.refused}` }), tree(seen.view ?? seen),
      seen.view && el("details", {}, el("summary", { class: "quiet", text: "all that it was told" }), tree(seen))];
    if (before === undefined || JSON.stringify(seen) !== JSON.stringify(before)) return all;
    return el("details", {}, el("summary", { class: "quiet", text: "the same as before" }), all);
  }

  act(act) {
    const { app } = this;
    const mark = markOf(act.kind);
    const see = button(`event ${act.seq}`, () => app.player.event({ turn: app.state.turn, seq: act.seq, agent: app.state.agent }), { class: "link" });
    return el("div", { class: "act" },
      el("p", {}, act.kind !== "action" && swatch(mark.shape, mark.color), act.kind !== "action" && `${mark.name} `, el("b", { text: act.name ?? "" }), " ",
        see, el("span", { class: "quiet", text: act.wall_ms == null ? "" : ` ${duration(act.wall_ms)}` })),
      act.args && Object.keys(act.args).length > 0 && tree(act.args),
      (act.outcome ?? []).map((ev) => el("p", { class: "outcome" }, swatch(markOf(ev.kind).shape, markOf(ev.kind).color), el("b", { text: markOf(ev.kind).name }), ` ${summary(ev)}`)),
      (act.troubles ?? []).map((t) => el("p", { class: "outcome" }, "trouble: ", typeof t === "string" ? t : tree(t))));
  }

  // refused leads to the refusals of an agent, with their reasons, in the log.
  refused({ name, refusals }) {
    return button(`${refusals}: why?`, () => {
      this.app.open("events");
      this.app.events.set({ agent: name, kind: "refusal", q: "", from: "", to: "" });
    }, { class: "link" });
  }

  showStats(at) {
    const { turn, total } = at.usage ?? {};
    const row = (name, a, b) => el("tr", {}, el("th", { scope: "row", text: name }), el("td", { text: a }), el("td", { text: b }));
    put(this.stats,
      el("table", {}, el("thead", {}, el("tr", {}, el("td"), el("th", { scope: "col", text: "this turn" }), el("th", { scope: "col", text: "so far" }))), el("tbody", {},
        row("tokens read", count(turn?.tokens_in), count(total?.tokens_in)), row("tokens written", count(turn?.tokens_out), count(total?.tokens_out)),
        row("dollars", dollars(turn?.dollars), dollars(total?.dollars)), row("requests", count(turn?.requests), count(total?.requests)),
        total?.cut > 0 && [row("requests cut", count(turn?.cut), count(total.cut)), row("tokens assumed of them", count(turn?.assumed), count(total.assumed))])),
      el("dl", {}, pair("reward", at.reward == null ? null : count(at.reward)), pair("refused acts", at.refusals > 0 ? this.refused(at) : at.refusals), pair("memory", at.memory_bytes == null ? null : bytes(at.memory_bytes))),
      section("Crashes", (at.crashes ?? []).length === 0 ? el("p", { class: "quiet", text: "none" })
        : at.crashes.map((c) => el("p", {}, button(`turn ${c.turn}`, () => this.app.player.seek(c.turn), { class: "link" }), ` ${[c.reason, c.detail].filter(Boolean).join(": ")}`))),
      el("p", { class: "quiet", text: `${plural((at.acts ?? []).length, "act")} in this turn` }));
  }
}

function pair(name, value) {
  return value == null ? [] : [el("dt", { text: name }), el("dd", {}, value)];
}

export function section(name, ...children) {
  return el("section", {}, el("h3", { text: name }), ...children);
}
