// The transcript: what an agent was told, thought, said and did with its tools, in one turn or over the whole run.
import { Latest, button, el, put } from "./dom.js";

const page = 50; // entries of one look at the server
const most = 150; // entries in the page

const names = { observation: "observation", text: "said", thinking: "thought", tool_use: "tool", tool_result: "result", told: "told" };
const folded = new Set(["observation", "thinking", "tool_use", "tool_result"]);

// entry is one entry of a transcript. What is long or noisy begins closed.
export function entry(e, open = false) {
  const text = e.text ?? "";
  const head = [el("b", { text: names[e.kind] ?? e.kind }), e.name && el("code", { text: e.name }), e.error && el("span", { class: "bad", text: "error" })];
  const body = el("div", { class: "said", text });
  if (!folded.has(e.kind)) return el("div", { class: `entry ${e.kind}` }, el("p", { class: "kind" }, head), body);
  const first = text.trim().split("\n", 1)[0].slice(0, 120);
  return el("details", { class: `entry ${e.kind}`, open: open || text.length < 200 && e.kind === "thinking" },
    el("summary", {}, head, el("span", { class: "quiet first", text: first })), body);
}

export class Transcript {
  constructor(app, root) {
    Object.assign(this, { app, root, entries: [], first: 0, next: 0, all: false });
    this.scope = el("select", { "aria-label": "Part of the transcript", on: { change: () => this.again() } },
      el("option", { value: "turn", text: "this turn" }), el("option", { value: "all", text: "whole run" }));
    this.q = el("input", { type: "search", placeholder: "find", "aria-label": "Find in the transcript", on: { input: () => this.draw() } });
    this.open = button("open all", () => {
      this.unfolded = !this.unfolded;
      this.open.setAttribute("aria-pressed", String(this.unfolded));
      this.draw();
    }, { "aria-pressed": "false" });
    this.body = el("div", { class: "fill entries", tabindex: "0", role: "feed", "aria-label": "Transcript" });
    root.append(el("div", { class: "bar" }, this.scope, this.q, this.open), this.body);
    this.loader = new Latest(() => this.load(), 200);
    app.on("agent turn lastSeq tab", () => this.ask());
  }

  ask() {
    if (this.app.state.tab !== "transcript") return;
    if (this.scope.value === "turn" || this.name !== this.app.state.agent) this.loader.ask();
    else if (this.sought !== this.app.state.turn) this.entries.some((e) => e.turn === this.app.state.turn) ? this.draw(true) : this.loader.ask();
  }

  again() {
    this.name = "";
    this.loader.ask();
  }

  async load() {
    const { agent, turn } = this.app.state;
    if (!agent) return put(this.body, el("p", { class: "quiet", text: "Select an agent." }));
    this.name = agent;
    if (this.scope.value === "turn") {
      const at = await this.app.source.get("agent", { name: agent, turn });
      Object.assign(this, { entries: (at.transcript ?? []).map((e) => ({ turn, ...e })), first: 0, next: null });
    } else {
      const first = await this.offset(turn);
      Object.assign(this, { entries: [], first, next: first });
      await this.more();
    }
    this.draw(this.scope.value === "all");
  }

  // offset finds the first entry of a turn by halves, for the turns of entries never go back.
  async offset(turn) {
    const one = (offset) => this.app.source.get("transcript", { name: this.name, offset, limit: 1 });
    let [low, high] = [0, (await one(0)).total];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((await one(middle)).entries[0].turn < turn) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // more fetches the entries that follow, and lets go of the first ones.
  async more() {
    const got = await this.app.source.get("transcript", { name: this.name, offset: this.next, limit: page });
    this.entries.push(...got.entries);
    this.next = got.next ?? null;
    const over = Math.max(0, this.entries.length - most);
    this.entries.splice(0, over);
    this.first += over;
  }

  async earlier() {
    this.next = Math.max(0, this.first - page);
    Object.assign(this, { entries: [], first: this.next });
    await this.more();
    this.draw();
  }

  // draw shows the entries that have the sought text; with seek, it scrolls to those of the turn.
  draw(seek = false) {
    const q = this.q.value.trim().toLowerCase();
    const found = this.entries.filter((e) => !q || `${e.name ?? ""} ${e.text ?? ""}`.toLowerCase().includes(q));
    let turn = null;
    const rows = found.flatMap((e) => {
      const head = this.scope.value === "all" && e.turn !== turn ? [this.headline(turn = e.turn)] : [];
      return [...head, entry(e, this.unfolded || q !== "")];
    });
    put(this.body,
      this.scope.value === "all" && this.first > 0 && button("earlier", () => this.earlier(), { class: "more" }), rows,
      rows.length === 0 && el("p", { class: "quiet", text: q ? "Nothing here has that text." : this.app.run.redacted ?? "No transcript: this agent has said nothing here, or is of a kind that keeps none." }),
      this.next !== null && button("later", async () => {
        await this.more();
        this.draw();
      }, { class: "more" }));
    if (!seek) return;
    this.sought = this.app.state.turn;
    this.body.querySelector(`[data-turn="${this.sought}"]`)?.scrollIntoView({ block: "start" });
  }

  headline(turn) {
    return button(`turn ${turn}`, () => this.app.player.seek(turn), { class: "headline", "data-turn": turn });
  }
}
