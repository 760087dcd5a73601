// A page that is a file has its answers with it: zipped, by what one would have asked a server. Searches are made here, over lists of everything.
import { Failure } from "./source.js";

// open unpacks what the file holds, starts the painter and then the page.
export async function open() {
  try {
    const whole = `<!doctype html>\n${document.documentElement.outerHTML}`; // as it came
    const data = JSON.parse(new TextDecoder().decode(await unzip("vitrine-data")));
    globalThis.vitrineSource = new FileSource(data, await unzip("vitrine-frames"), whole);
    const go = new globalThis.Go();
    const { instance } = await WebAssembly.instantiate(await unzip("vitrine-painter"), go.importObject);
    go.run(instance);
    for (let i = 0; !globalThis.vitrinePainter && i < 500; i++) await new Promise((done) => setTimeout(done, 10));
    await import("./app.js");
  } catch (err) {
    document.body.textContent = `This file cannot be shown by this browser: ${err.message}`;
    throw err;
  }
}

async function unzip(id) {
  const node = document.getElementById(id);
  const bytes = Uint8Array.from(atob(node.textContent), (letter) => letter.charCodeAt(0));
  node.remove();
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
}

function key(path, params) {
  const some = Object.entries(params).filter(([, value]) => value != null && value !== "");
  some.sort(([a], [b]) => (a < b ? -1 : 1));
  return `${path}?${new URLSearchParams(some)}`;
}

class FileSource {
  constructor({ answers, frames, from, to }, pictures, whole) {
    Object.assign(this, { answers, frames, from, to, pictures, whole });
    this.run = { ...answers.run, turns: to, state: "over", control: false, controls: [], other: null };
    this.lines = null;
    this.table = answers["metrics.csv"];
  }

  async get(path, params = {}) {
    switch (path) {
      case "run": return this.run;
      case "turns": return this.turns(params);
      case "events": return this.events(params);
      case "transcript": return this.transcript(params);
      case "state": return this.state(params);
      case "wasm": return { soft: "ready" };
    }
    return this.held(this.answers, path, params);
  }

  held(where, path, params) {
    const found = where[key(path, params)];
    if (found === undefined) throw new Failure("this file does not hold that", `it holds turns ${this.from} to ${this.to}, as they begin, with an overlay or with what one agent sees`, 404);
    return found;
  }

  async frame(params, path = "frame") {
    const { at, size, turn, seq, hash } = this.held(this.frames, path, params);
    return { bytes: this.pictures.slice(at, at + size), turn: Number(turn), seq: Number(seq), hash };
  }

  // turns are those that were asked for, each by itself, as long as the file has them so.
  turns({ from = 0, to = Infinity }) {
    const all = this.answers.turns;
    return { ...all, turns: all.turns.filter((t) => t.t >= from && t.t <= to) };
  }

  events({ from = 0, to = Infinity, agent, kind, q, after = 0, before = Infinity, limit = 100, order }) {
    this.lines ??= this.answers.events.map((e) => JSON.stringify(e).toLowerCase());
    const text = q?.toLowerCase();
    let found = this.answers.events.filter((e, i) => e.seq > after && e.seq < before && e.turn >= from && e.turn <= to &&
      (!agent || e.agent === agent) && (!kind || e.kind === kind) && (!text || this.lines[i].includes(text)));
    const total = found.length;
    if (order === "desc") found.reverse();
    found = found.slice(0, limit);
    return { events: found, next: total > found.length ? found.at(-1).seq : null, total };
  }

  transcript({ name, offset = 0, limit = 100 }) {
    const all = this.answers[key("transcript", { name })] ?? [];
    const first = Number(offset);
    return { entries: all.slice(first, first + limit), next: first + limit < all.length ? first + limit : null };
  }

  // state has the facts as the turn begins, whatever step of it is shown.
  state({ turn, prefix = "", q = "" }) {
    const all = this.held(this.answers, "state", { turn, limit: 2000 });
    return { ...all, facts: Object.fromEntries(Object.entries(all.facts).filter(([path]) => path.startsWith(prefix) && path.includes(q))) };
  }

  async file() { return this.whole; }

  control() { throw new Failure("a file cannot do that", "", 403); }

  socket() { return null; }
}
