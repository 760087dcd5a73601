// A Store is what the page knows of itself: where in the run it is, who is selected, what is open. All parts of the page read it; whoever
// changes it calls set, and whoever shows some of it listens. Listeners hear of many changes at once, never within set.
const rest = 120; // milliseconds between two looks at what changes with the turn, of those who do not listen at once
const patience = 250; // milliseconds for which they wait for the picture, at most
const drawn = ["drawnTurn", "drawnSeq", "hash"];
const running = new Set(["turn", "seq", "turns", "lastSeq", "drawnTurn", "drawnSeq", "hash", "marked", "tokens", "dollars"]);

export class Store {
  constructor(values) {
    Object.assign(this, { values, prompt: [], patient: [], changed: null, missed: new Set(), told: 0, waiting: 0 });
  }

  set(values) {
    for (const [name, value] of Object.entries(values)) {
      if (!(name in this.values)) throw new Error(`the page has no value ${name}`);
      if (this.values[name] === value) continue;
      this.values[name] = value;
      if (!this.changed) {
        this.changed = new Set();
        queueMicrotask(() => this.flush());
      }
      this.changed.add(name);
    }
  }

  // on calls f now, and again whenever one of the named values is another than before. What changes with the turn it is told of when that is drawn, and
  // while turn follows turn now and then, so that the picture need not wait for the panels.
  on(names, f) {
    this.patient.push([names.split(" "), f]);
    f();
  }

  // atOnce is on for what the picture depends on.
  atOnce(names, f) {
    this.prompt.push([names.split(" "), f]);
    f();
  }

  // again calls all who listen, as if everything had changed.
  again() {
    const all = new Set(Object.keys(this.values));
    tell(this.prompt, all);
    tell(this.patient, all);
  }

  flush() {
    const { changed } = this;
    this.changed = null;
    tell(this.prompt, changed);
    for (const name of changed) this.missed.add(name);
    const wait = this.told + rest - performance.now();
    const seen = drawn.some((name) => changed.has(name));
    if ((seen && wait <= 0) || [...changed].some((name) => !running.has(name))) return this.inform();
    if (seen) clearTimeout(this.waiting);
    if (seen || !this.waiting) this.waiting = setTimeout(() => this.inform(), seen ? wait : Math.max(wait, patience));
  }

  inform() {
    const { missed } = this;
    clearTimeout(this.waiting);
    Object.assign(this, { missed: new Set(), waiting: 0, told: performance.now() });
    tell(this.patient, missed);
  }
}

function tell(listeners, changed) {
  for (const [names, f] of listeners) if (names.some((name) => changed.has(name))) f();
}
