// The transport: the buttons that move through the run, how fast and by what it plays, and what is at the turn that one is in.
import { button, duration, el, icon } from "./dom.js";
import { modes, speeds } from "./player.js";

export function transport(app, root) {
  const run = (id) => () => app.command(id);
  const play = button("Play", run("play"), { icon: "play", key: "Space", class: "play" });
  app.on("playing", () => {
    const name = app.state.playing ? "Pause" : "Play";
    play.replaceChildren(icon(app.state.playing ? "pause" : "play"));
    play.setAttribute("aria-label", name);
    play.title = `${name} (Space)`;
  });

  const speed = el("select", { "aria-label": "Speed", title: "Speed (↑ ↓, 1–7)", on: { change: () => app.set({ speed: Number(speed.value) }) } },
    speeds.map((x) => el("option", { value: x, text: x === 0.5 ? "½×" : `${x}×` })));
  app.on("speed", () => (speed.value = app.state.speed));

  const mode = el("select", { "aria-label": "Pace", title: "Pace: a second each turn, as it was, or as long as reading takes", on: { change: () => app.set({ mode: mode.value }) } },
    modes.map((name) => el("option", { value: name, text: name })));
  app.on("mode", () => (mode.value = app.state.mode));

  const unit = button("by agent", run("unit"), { key: "T" });
  app.on("unit", () => unit.setAttribute("aria-pressed", String(app.state.unit === "agent")));

  const turn = el("input", {
    type: "number", min: 0, "aria-label": "Turn", class: "turn",
    on: {
      change: () => app.toTurn(Number(turn.value) || 0),
      keydown: (event) => event.key === "Enter" && turn.blur(),
    },
  });
  const where = el("span", { class: "where" });
  const length = el("span", { class: "quiet length", title: "From start to end, at this speed and pace" });
  app.on("turn turns seq", () => {
    if (document.activeElement !== turn) turn.value = app.state.turn;
    turn.max = app.state.turns;
    where.textContent = `/ ${app.state.turns}${app.state.seq === null ? "" : ` · event ${app.state.seq}`}`;
  });
  app.on("mode speed turns marked", () => {
    const { mode, speed, turns } = app.state;
    const { ms, cut } = app.index.length(turns, mode);
    length.textContent = turns > 0 ? `plays in ${duration(ms / speed)}${cut > 0 ? `, without ${duration(cut)} of waits` : ""}` : "";
  });

  const flag = button("Bookmark", run("bookmark"), { icon: "flag", key: "K" });
  app.on("turn bookmarks", () => flag.setAttribute("aria-pressed", String(app.bookmarks.has(app.state.turn))));

  root.prepend(el("div", { class: "transport", role: "toolbar", "aria-label": "Playback" },
    button("Start", run("start"), { icon: "start", key: "Home" }), button("Step back", run("back"), { icon: "back", key: "←" }), play,
    button("Step", run("step"), { icon: "step", key: "→" }), button("End, and follow", run("end"), { icon: "end", key: "End" }),
    speed, mode, unit, el("label", { class: "where" }, "turn ", turn), where, flag, length));
}
