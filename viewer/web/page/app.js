// The viewer's page. It begins here: read what the run is, make the panels, load the painter, and go to the moment that the address names. Each
// file of the page is one part of it; they know each other only through the App, and what they all look at is the Store.
import { Agents } from "./agents.js";
import { Bookmarks, noted } from "./bookmarks.js";
import { commands, listen } from "./commands.js";
import { dialogs } from "./dialogs.js";
import { Latest, el, plural } from "./dom.js";
import { drawer } from "./drawer.js";
import { header } from "./header.js";
import { TurnIndex } from "./index.js";
import { Inspector } from "./inspector.js";
import { markOf, ranked } from "./marks.js";
import { narrow } from "./narrow.js";
import { Loading } from "./painter.js";
import { Live, Player } from "./player.js";
import { picture } from "./picture.js";
import { readHash, writeHash } from "./share.js";
import { Source } from "./source.js";
import { Stage } from "./stage.js";
import { Store } from "./store.js";
import { viewerForTests } from "./testing.js";
import { Timeline } from "./timeline.js";
import { transport } from "./transport.js";

const nothing = {
  turn: 0, seq: null, event: null, turns: 0, lastSeq: 0, runState: "idle", alive: false, socket: "none", followLive: false, marked: 0, playing: false, speed: 1,
  mode: "per turn", unit: "turn", agent: "", followAgent: false, overlay: "", sees: false, bubbles: true, minimap: true, painter: "", drawnTurn: -1, drawnSeq: null,
  hash: "", tokens: null, dollars: null, query: "", drawer: true, drawerTab: "events", tab: "now", scale: 1, narrow: false, narrowPanel: "agents", bookmarks: 0,
};

class App {
  constructor(source, loading, run) {
    const moment = readHash();
    Object.assign(this, { source, loading, run, moment, camera: moment.camera, names: new Map(run.agents.map((a) => [a.name, a])) });
    run.overlays ??= [];
    run.metrics ??= [];
    this.store = new Store({ ...nothing, turns: run.turns, lastSeq: run.seq, runState: run.state, alive: run.state === "running" || run.state === "paused" });
    this.state = this.store.values;
    this.bookmarks = new Bookmarks(run.dir_name ?? run.name);
    for (const [turn, note] of moment.bookmarks) this.bookmarks.set(turn, note);
    this.index = new TurnIndex(source);
    this.player = new Player(this);
  }

  set(values) {
    this.store.set(values);
  }

  on(names, f) {
    this.store.on(names, f);
  }

  atOnce(names, f) {
    this.store.atOnce(names, f);
  }

  agent(name) {
    return this.names.get(name);
  }

  // go makes the page go to a moment; without a turn, to the end of a run that is being played and to the start of any other.
  go({ turn, seq, agent, overlay, sees }) {
    if (agent && this.agent(agent)) this.set({ agent });
    this.set({ overlay: this.run.overlays.includes(overlay) ? overlay : "", sees: Boolean(sees && agent) });
    if (turn !== null) this.toTurn(turn, seq);
    else if (this.state.alive) this.player.end();
    else this.player.seek(0);
  }

  // open shows a panel of the drawer.
  open(drawerTab) {
    this.set({ drawer: true, drawerTab, narrowPanel: "drawer" });
  }

  // toTurn goes to a turn that somebody named, and says so if there is no such turn.
  toTurn(turn, seq = null) {
    const { turns } = this.state;
    if (turn > turns) this.notice(new Error(`there is no turn ${turn}: this is the last one, ${turns}`));
    this.player.seek(turn, seq);
  }

  async start() {
    const root = (id) => document.getElementById(id);
    this.go(this.moment); // before there is anybody who asks for what is shown
    header(this, root("header"));
    this.stage = new Stage(this, root("stage"));
    this.table = commands(this);
    this.dialogs = dialogs(this, this.table);
    listen(this, this.table);
    this.agentList = new Agents(this, root("agents"));
    this.inspector = new Inspector(this, root("inspector"));
    this.timeline = new Timeline(this, root("timeline"));
    transport(this, root("timeline"));
    drawer(this, root("drawer"));
    narrow(this, root("narrow"));
    globalThis.__viewer = viewerForTests(this);
    if (this.run.other) this.open("compare");
    addEventListener("hashchange", () => {
      this.moment = readHash();
      if (this.moment.camera) this.stage.camera(this.moment.camera);
      this.go(this.moment);
    });
    addEventListener("vitrine-server", ({ detail: answers }) => {
      if (!answers) this.set({ socket: "lost" });
      else if (this.state.socket === "lost" && !this.state.alive) this.set({ socket: "over" });
    });
    let lost = false;
    this.on("socket", () => {
      const back = lost && this.state.socket !== "lost";
      lost = this.state.socket === "lost";
      if (back) this.store.again(); // for whoever has asked meanwhile got no answer
    });
    this.on("turn seq agent overlay sees followLive", () => this.moved());
    this.announce();
    this.live = new Live(this);
    this.live.index.ask();
    this.live.open();
    await this.stage.start();
  }

  // moved writes the moment into the address, a while after the last move.
  moved() {
    clearTimeout(this.writing);
    this.writing = setTimeout(() => {
      const hash = writeHash(this, false);
      if (hash !== location.hash) history.replaceState(null, "", hash);
    }, 400);
  }

  link() {
    return location.href.replace(/#.*$/, "") + writeHash(this, true);
  }

  // pair is what this run and the one it is compared with are called.
  get pair() {
    const runs = [this.run, this.run.other];
    return runs.map((run) => (runs[0].name === runs[1].name ? run.path : run.name));
  }

  // shell is a command of the program for this run, as one types it where the program was started.
  shell(verb, flags = "") {
    return `vitrine ${verb} ${this.run.path}${flags}`;
  }

  // view is the command that shows the run as this page does.
  get view() {
    const { control, other } = this.run;
    return this.shell("view", `${control ? " --control" : ""}${other ? ` --with ${other.path}` : ""}`);
  }

  // command runs a command of the table.
  command(id) {
    return Promise.resolve(this.table.find((c) => c.id === id).run()).catch((err) => this.notice(err));
  }

  // notice tells people of what went wrong, for a while.
  notice(err) {
    const node = document.getElementById("notice");
    node.textContent = [err.message, err.hint].filter(Boolean).join(" – ");
    node.hidden = false;
    clearTimeout(this.noticed);
    this.noticed = setTimeout(() => (node.hidden = true), 6000);
  }

  // describe says in a line who an agent is and what it does.
  describe(name) {
    const fact = this.agentList.facts.get(name) ?? {};
    return [name, this.agent(name)?.role, fact.doing, fact.last && [fact.last.kind, fact.last.text].filter(Boolean).join(": ")].filter(Boolean).join(" · ");
  }

  // news takes an event of a run that is being played. What is shown comes from the log; here it only counts.
  news(event) {
    if (event.kind === "message" && this.state.followLive) this.say(`${event.agent} says: ${event.data?.text ?? ""}`);
  }

  // reload reads how the run ended.
  async reload() {
    Object.assign(this.run, await this.source.get("run"));
    this.set({ turns: this.run.turns, lastSeq: this.run.seq, runState: this.run.state });
    this.live.index.ask();
  }

  // announce says to those who hear the page which turn is shown, but not each of many that pass by.
  announce() {
    const speak = new Latest(async () => {
      const { turn, turns } = this.state;
      const counts = (await this.index.detail(turn))?.marks ?? {};
      this.say([`Turn ${turn} of ${turns}`, ...ranked(counts).map((kind) => plural(counts[kind], markOf(kind).name))].join(", "));
    }, 2000);
    this.on("turn", () => this.state.playing && this.state.speed > 1 ? null : speak.ask());
  }

  say(text) {
    document.getElementById("said").textContent = text;
  }

  nextAgent(n) {
    const agents = this.agentList.shown;
    if (agents.length === 0) return;
    const i = agents.findIndex((a) => a.name === this.state.agent);
    this.set({ agent: agents[(i < 0 && n < 0 ? 0 : i + n + agents.length) % agents.length].name });
  }

  nextOverlay() {
    const all = ["", ...this.run.overlays];
    this.set({ overlay: all[(all.indexOf(this.state.overlay) + 1) % all.length] });
  }

  follow(on) {
    this.set({ followAgent: on && this.state.agent !== "" });
    if (!on) return this.stage.fit();
    if (this.state.agent) this.stage.centre(this.state.agent);
  }

  // toMark goes to the nearest turn with a mark, of one kind or of any but those that every turn has.
  async toMark(direction, kind) {
    this.set({ playing: false });
    const turn = await this.index.next(this.state.turn, direction, (k) => (kind ? k === kind : k !== "message"));
    if (turn < 0) return this.say(`No ${kind ?? "mark"} ${direction > 0 ? "after" : "before"} this turn`);
    this.player.seek(turn);
    if (kind === "conflict") this.open("diff");
  }

  // toEvent goes to the next or the previous event of the selected agent.
  async toEvent(direction) {
    const { agent, event, turn, seq } = this.state;
    if (!agent) return this.notice(new Error("select an agent first"));
    const here = event ?? seq ?? ((await this.index.detail(turn))?.seq?.[0] ?? this.state.lastSeq + 1) - (direction > 0 ? 1 : 0);
    const params = direction > 0 ? { after: here, order: "asc" } : { before: here, order: "desc" };
    const { events } = await this.source.get("events", { agent, limit: 1, ...params });
    if (events.length === 0) return this.say("No more events of this agent");
    return this.player.event(events[0]);
  }

  // bookmark sets a note at a turn; null takes it away.
  bookmark(turn, note) {
    if (note === null) this.bookmarks.delete(turn);
    else this.bookmarks.set(turn, note);
    this.bookmarks.save();
    this.set({ bookmarks: this.state.bookmarks + 1 });
  }

  async screenshot() {
    const blob = await picture(this.stage);
    if (!blob) return this.notice(new Error("there is no picture yet"));
    download(blob, `${this.run.name}-turn-${this.state.turn}.png`);
  }

  // save keeps the run as a page that needs no server, with the bookmarks of this one.
  async save(redact) {
    const html = noted(await this.source.file(redact), this.bookmarks.sorted());
    download(new Blob([html], { type: "text/html" }), `${this.run.name}.html`);
  }

  clear() {
    if (this.state.query) this.set({ query: "" });
    else this.set({ agent: "", followAgent: false, sees: false, playing: false });
  }
}

function download(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

async function start() {
  const source = globalThis.vitrineSource ?? new Source();
  const loading = new Loading(source);
  try {
    const run = await source.get("run");
    await loading.begun;
    const app = new App(source, loading, run);
    await app.start();
  } catch (err) {
    const text = [`The viewer cannot start: ${err.message}.`, err.hint ?? "Is the server of this page still running?"].join(" ");
    document.body.replaceChildren(el("p", { class: "full", role: "alert", text }));
    throw err;
  }
}

start();
