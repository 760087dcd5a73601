// A Store is what the page knows of itself: where in the run it is, who is selected, what is open. All parts of the page read it; whoever
// changes it calls set, and whoever shows some of it listens with on. Listeners hear of many changes at once, never within set.
export class Store {
  constructor(values) {
    this.values = values;
    this.listeners = [];
    this.changed = null;
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

  // on calls f now, and again whenever one of the named values is another than before.
  on(names, f) {
    this.listeners.push([names.split(" "), f]);
    f();
  }

  flush() {
    const changed = this.changed;
    this.changed = null;
    for (const [names, f] of this.listeners) if (names.some((name) => changed.has(name))) f();
  }
}
