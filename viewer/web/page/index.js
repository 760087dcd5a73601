// A TurnIndex knows what is marked in which turn. It holds an overview of the whole run, in which an entry stands for several turns where
// there are thousands, and the turns themselves only around where one looks.
const chunk = 500; // turns of one look at the server
const chunks = 20; // kept
const most = 2000; // turns that the overview has one by one

export class TurnIndex {
  constructor(source) {
    Object.assign(this, { source, bucket: 1, entries: [], partial: true, details: new Map() });
  }

  // refresh reads what is new, in a run that now has that many turns.
  async refresh(turns) {
    const grows = this.bucket === 1 && !this.partial && this.entries.length > 0 && turns <= most;
    const from = grows ? Math.max(0, this.entries.at(-1).t) : 0;
    const got = await this.source.get("turns", { from, to: turns });
    this.entries = grows ? this.entries.filter((e) => e.t < from).concat(got.turns) : got.turns;
    this.bucket = got.bucket ?? 1;
    this.partial = got.partial ?? false;
    this.details.clear();
  }

  // near returns the entry of the overview that a turn is in.
  near(turn) {
    const entry = this.entries[Math.floor((turn - (this.entries[0]?.t ?? 0)) / this.bucket)];
    return entry && entry.t <= turn && turn < entry.t + this.bucket ? entry : undefined;
  }

  // detail returns the entry of one turn.
  async detail(turn) {
    if (this.bucket === 1) return this.near(turn);
    const number = Math.floor(turn / chunk);
    if (!this.details.has(number)) {
      const got = this.source.get("turns", { from: number * chunk, to: (number + 1) * chunk - 1 });
      this.details.set(number, got.then((v) => new Map(v.turns.map((e) => [e.t, e]))));
      if (this.details.size > chunks) this.details.delete(this.details.keys().next().value);
    }
    return (await this.details.get(number)).get(turn);
  }

  // next returns the nearest turn in a direction (1 or -1) that bears a mark which wanted takes; none: -1.
  async next(turn, direction, wanted) {
    const has = (entry) => entry && Object.keys(entry.marks ?? {}).some(wanted);
    let i = Math.floor((turn - (this.entries[0]?.t ?? 0)) / this.bucket);
    for (i = Math.max(0, Math.min(i, this.entries.length - 1)); i >= 0 && i < this.entries.length; i += direction) {
      if (!has(this.entries[i])) continue;
      const first = this.entries[i].t;
      for (let k = 0; k < this.bucket; k++) {
        const t = direction > 0 ? first + k : first + this.bucket - 1 - k;
        if ((t - turn) * direction > 0 && has(await this.detail(t))) return t;
      }
    }
    return -1;
  }

  // shown returns for how many milliseconds the turns of an entry are shown, at a speed of 1 and a pace that looks at what they are.
  shown(entry, mode) {
    return mode === "reading" ? entry.read : Math.max(entry.ms - entry.cut, 1);
  }

  // time returns for how long one turn is shown.
  async time(turn, mode) {
    if (mode === "per turn") return 1000;
    const entry = await this.detail(turn);
    if (entry) return this.shown(entry, mode);
    const several = this.near(turn);
    return several ? this.shown(several, mode) / this.bucket : 1000;
  }

  // length returns how long a run of so many turns plays, and how much of it is left out as waits.
  length(turns, mode) {
    if (mode === "per turn") return { ms: 1000 * turns, cut: 0 };
    const entries = this.entries.filter((e) => e.t < turns);
    const sum = (of) => entries.reduce((n, e) => n + of(e), 0);
    return { ms: sum((e) => this.shown(e, mode)), cut: mode === "real time" ? sum((e) => e.cut) : 0 };
  }
}
