// The player moves through the run: by a click, by steps, by the clock, and behind a run that is being played.
import { Latest } from "./dom.js";

export const speeds = [0.5, 1, 2, 4, 8, 16, 32];
export const modes = ["per turn", "real time", "reading"];

export class Player {
  constructor(app) {
    Object.assign(this, { app, steps: new Map(), late: 0, lasts: 0 });
    app.atOnce("playing speed mode unit", () => this.clock());
    app.atOnce("turns lastSeq followLive", () => this.chase());
  }

  // seek goes to a position, which is a turn and perhaps a commit within it. Whoever goes to the end of a run that is being played follows it.
  seek(turn, seq = null, event = null) {
    const { turns, alive } = this.app.state;
    turn = Math.max(0, Math.min(turns, Math.floor(turn)));
    this.app.set({ turn, seq, event, followLive: alive && turn === turns && seq === null && event === null });
  }

  // end goes to the end, and follows what comes.
  end() {
    const { turns, alive } = this.app.state;
    this.app.set({ turn: turns, seq: null, event: null, followLive: alive, playing: false });
  }

  // commits returns the numbers of the last events of a turn's commits.
  async commits(turn) {
    const ended = turn < this.app.state.turns;
    if (!ended || !this.steps.has(turn)) {
      const got = this.app.source.get("steps", { turn }).then((steps) => steps.map((s) => s.seq));
      if (!ended) return got;
      this.steps.set(turn, got);
      if (this.steps.size > 100) this.steps.delete(this.steps.keys().next().value);
    }
    return this.steps.get(turn);
  }

  // step goes n turns on, or back; where one steps by agents, n commits.
  async step(n) {
    const { state } = this.app;
    if (state.unit === "turn") return this.seek(n < 0 && state.seq !== null ? state.turn + n + 1 : state.turn + n);
    for (; n > 0; n--) await this.commit(1);
    for (; n < 0; n++) await this.commit(-1);
  }

  // commit goes to the next commit, or to the one before. The state after the last commit of a turn is the one in which the next turn begins.
  async commit(direction) {
    const { turn, seq, turns } = this.app.state;
    const inner = async (t) => (await this.commits(t)).slice(0, t < turns ? -1 : undefined);
    if (direction > 0) {
      const next = (await inner(turn)).find((s) => s > (seq ?? -1));
      if (next !== undefined) this.seek(turn, next);
      else if (turn < turns) this.seek(turn + 1);
    } else if (seq !== null) {
      this.seek(turn, (await inner(turn)).findLast((s) => s < seq) ?? null);
    } else if (turn > 0) {
      this.seek(turn - 1, (await inner(turn - 1)).at(-1) ?? null);
    }
  }

  // event goes to an event of the log, selects who did it, and shows the state after its commit.
  async event(event) {
    if (event.agent && this.app.agent(event.agent)) this.app.set({ agent: event.agent });
    const commits = await this.commits(event.turn);
    const at = commits.find((s) => s >= event.seq) ?? null;
    const last = event.turn < this.app.state.turns && at === commits.at(-1);
    this.seek(event.turn, last ? null : at, event.seq);
  }

  // play runs the clock, from the start if one is at the end of a run that is over.
  play(on) {
    const { turn, turns, alive } = this.app.state;
    if (on && turn >= turns && !alive) this.seek(0);
    this.app.set({ playing: on && turns > 0 });
  }

  clock() {
    if (!this.app.state.playing || this.ticking) return;
    this.ticking = true;
    let last = performance.now();
    this.late = 0;
    const tick = async (now) => {
      const { state } = this.app;
      if (!state.playing) {
        this.ticking = false;
        return;
      }
      this.late += Math.min(2000, now - last) * state.speed;
      last = now;
      await this.advance().catch((err) => this.app.notice(err));
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  // advance plays what has become due. Where many turns are due it goes over those between.
  async advance() {
    const { app } = this;
    const { state } = app;
    let turn = state.turn;
    for (;;) {
      if (turn >= state.turns) {
        this.late = 0;
        if (state.turn !== turn) this.seek(turn);
        return state.alive ? app.set({ followLive: true, playing: false }) : app.set({ playing: false });
      }
      const due = (await app.index.time(turn, state.mode)) / (state.unit === "agent" ? Math.max(1, (await this.commits(turn)).length) : 1);
      this.lasts = due / state.speed; // milliseconds for which the turn is shown
      if (this.late < due) break;
      this.late -= due;
      if (state.unit === "agent") {
        await this.commit(1);
        turn = state.turn;
      } else {
        turn++;
      }
    }
    if (turn !== state.turn) this.seek(turn);
  }

  // chase brings who follows to the newest turn.
  chase() {
    const { turns, followLive } = this.app.state;
    if (followLive) this.app.set({ turn: turns, seq: null, event: null });
  }
}

// A Live hears of what happens in a run, and of a run that is over whether the server is still there. It comes again by itself when it was cut off.
export class Live {
  constructor(app) {
    Object.assign(this, { app, tries: 0, index: new Latest(() => this.grow(), 250) });
  }

  open() {
    const socket = this.app.source.socket(this.app.state.lastSeq);
    if (!socket) return;
    socket.onmessage = (message) => this.hear(JSON.parse(message.data));
    socket.onclose = () => {
      this.app.set({ socket: "lost" });
      setTimeout(() => this.open(), Math.min(10000, 250 * 2 ** this.tries++));
    };
    this.socket = socket;
  }

  hear(news) {
    const { app } = this;
    if (news.ping) return;
    this.tries = 0;
    const known = app.state;
    const wasOver = known.runState === "over";
    const grew = (news.turn ?? 0) > known.turns || (news.seq ?? 0) > known.lastSeq;
    app.set({
      socket: "open", runState: news.state ?? known.runState, turns: Math.max(known.turns, news.turn ?? 0),
      lastSeq: Math.max(known.lastSeq, news.seq ?? 0),
    });
    app.set({ alive: known.runState === "running" || known.runState === "paused" });
    for (const event of news.events ?? []) app.news(event);
    if (grew || news.skipped) this.index.ask();
    if (known.runState === "over" && !wasOver) app.reload();
  }

  async grow() {
    await this.app.index.refresh(this.app.state.turns);
    this.app.set({ marked: this.app.state.marked + 1 });
    if (this.app.index.partial) this.index.next ??= [];
  }
}
