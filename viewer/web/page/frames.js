// Frames are the draw lists of positions. Those of turns that are over never change, and a few of them are kept.
const kept = 48;

export class Frames {
  constructor(app) {
    Object.assign(this, { app, cache: new Map() });
  }

  // wanted is what is to be seen now, as parameters of the API.
  wanted(turn = this.app.state.turn, seq = this.app.state.seq) {
    const { agent, sees, overlay } = this.app.state;
    return { turn, seq, sees: sees ? agent : "", overlay };
  }

  // key tells frames apart; one of a turn that goes on is another after each event.
  key(params) {
    const { turns, lastSeq } = this.app.state;
    return JSON.stringify([params, params.turn >= turns ? lastSeq : 0]);
  }

  async get(params) {
    const key = this.key(params);
    let frame = this.cache.get(key);
    if (!frame) {
      frame = this.app.source.frame(params).then((f) => Object.assign(f, { key }));
      frame.catch(() => this.cache.delete(key));
    }
    this.cache.delete(key);
    this.cache.set(key, frame);
    if (this.cache.size > kept) this.cache.delete(this.cache.keys().next().value);
    return frame;
  }

  // ahead fetches what will be wanted next: the faster it plays, the more.
  ahead() {
    const { turn, seq, turns, playing, speed } = this.app.state;
    if (!playing || seq !== null) return;
    const last = Math.min(turns - 1, turn + (speed >= 8 ? 4 : 1));
    for (let next = turn + 1; next <= last; next++) this.get(this.wanted(next)).catch(() => {});
  }
}
