// The moment in the address: "#t=12&a=agent-003&x=4&y=5&z=20&b=3~why,17". A reload, a link and the back button lead there.
export function readHash(hash = location.hash) {
  const q = new URLSearchParams(hash.replace(/^#/, ""));
  const number = (name) => (q.has(name) && Number.isFinite(Number(q.get(name))) ? Number(q.get(name)) : null);
  const camera = number("z") > 0 ? { x: number("x") ?? 0, y: number("y") ?? 0, zoom: number("z") } : null;
  const bookmarks = (q.get("b") ?? "").split(",").filter(Boolean).map((b) => {
    const [turn, ...note] = b.split("~");
    return [Number(turn), note.join("~").replaceAll("%2C", ",")];
  }).filter(([turn]) => Number.isInteger(turn) && turn >= 0);
  return { turn: number("t"), seq: number("s"), agent: q.get("a"), overlay: q.get("o"), sees: q.get("h") === "1", camera, bookmarks };
}

export function writeHash(app, withBookmarks) {
  const { turn, seq, agent, overlay, sees, followLive } = app.state;
  const q = new URLSearchParams();
  const put = (name, value) => value !== null && value !== "" && value !== false && q.set(name, value === true ? "1" : value);
  put("t", followLive && !withBookmarks ? null : turn);
  put("s", seq);
  put("a", agent);
  put("o", overlay);
  put("h", sees);
  if (!app.stage.fitted && app.stage.painter) {
    const { x, y, zoom } = app.stage.camera();
    put("x", x.toFixed(2));
    put("y", y.toFixed(2));
    put("z", zoom.toFixed(3));
  }
  if (withBookmarks) put("b", app.bookmarks.sorted().map(([t, note]) => (note ? `${t}~${note.replaceAll(",", "%2C")}` : t)).join(","));
  return "#" + q;
}
