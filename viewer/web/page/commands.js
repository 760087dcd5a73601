// The commands: all that a key, the palette and the help know. A command has a name, its keys, the group it belongs to, and what it does; each is
// in the help and in the palette because it is here.
import { speeds } from "./player.js";

export function commands(app) {
  const { player, stage } = app;
  const toggle = (value) => () => app.set({ [value]: !app.state[value] });
  const open = (tab) => () => {
    const { drawer, drawerTab, narrow, narrowPanel } = app.state;
    if (drawer && drawerTab === tab && (!narrow || narrowPanel === "drawer")) app.set({ drawer: false });
    else app.open(tab);
  };
  const faster = (n) => () => {
    const i = speeds.indexOf(app.state.speed) + n;
    app.set({ speed: speeds[Math.max(0, Math.min(speeds.length - 1, i))] });
  };
  const pan = (dx, dy) => () => {
    app.set({ followAgent: false });
    stage.pan(dx, dy);
  };
  const command = (group, id, keys, name, run) => ({ group, id, keys, name, run });
  return [
    command("Time", "play", ["Space"], "Play or pause", () => player.play(!app.state.playing)),
    command("Time", "back", ["ArrowLeft"], "One step back", () => player.step(-1)),
    command("Time", "step", ["ArrowRight"], "One step on", () => player.step(1)),
    command("Time", "back-ten", ["Shift+ArrowLeft"], "Ten turns back", () => player.seek(app.state.turn - 10)),
    command("Time", "step-ten", ["Shift+ArrowRight"], "Ten turns on", () => player.seek(app.state.turn + 10)),
    command("Time", "previous-mark", ["Alt+ArrowLeft"], "Previous marked turn", () => app.toMark(-1)),
    command("Time", "next-mark", ["Alt+ArrowRight"], "Next marked turn", () => app.toMark(1)),
    command("Time", "unit", ["t"], "Step by agents, or by turns", () => app.set({ unit: app.state.unit === "turn" ? "agent" : "turn" })),
    command("Time", "start", ["Home"], "Go to the start", () => player.seek(0)),
    command("Time", "end", ["End"], "Go to the end, and follow a live run", () => player.end()),
    command("Time", "faster", ["ArrowUp"], "Faster", faster(1)),
    command("Time", "slower", ["ArrowDown"], "Slower", faster(-1)),
    ...speeds.map((speed, i) => command("Time", `speed-${i + 1}`, [String(i + 1)], `Speed ${speed === 0.5 ? "½" : speed}×`, () => app.set({ speed }))),
    command("Time", "bookmark", ["k"], "Set or take away a bookmark", () => app.bookmark(app.state.turn, app.bookmarks.has(app.state.turn) ? null : "")),
    command("Agents", "next-agent", ["n"], "Next agent", () => app.nextAgent(1)),
    command("Agents", "previous-agent", ["Shift+n"], "Previous agent", () => app.nextAgent(-1)),
    command("Agents", "next-event", ["."], "Next event of the selected agent", () => app.toEvent(1)),
    command("Agents", "previous-event", [","], "Previous event of the selected agent", () => app.toEvent(-1)),
    command("Agents", "follow", ["f"], "Follow the selected agent; again: fit", () => app.follow(!app.state.followAgent)),
    command("Agents", "sees", ["h"], "What the selected agent sees", toggle("sees")),
    command("View", "fit", ["0"], "Fit the world", () => stage.fit()),
    command("View", "zoom-in", ["+", "="], "Zoom in", () => stage.zoom(1.3)),
    command("View", "zoom-out", ["-"], "Zoom out", () => stage.zoom(1 / 1.3)),
    command("View", "pan-up", ["w"], "Pan up", pan(0, 60)),
    command("View", "pan-left", ["a"], "Pan left", pan(60, 0)),
    command("View", "pan-down", ["s"], "Pan down", pan(0, -60)),
    command("View", "pan-right", ["d"], "Pan right", pan(-60, 0)),
    command("View", "bubbles", ["b"], "Bubbles", toggle("bubbles")),
    command("View", "minimap", ["m"], "Small map", toggle("minimap")),
    command("View", "overlay", ["o"], "Next overlay", () => app.nextOverlay()),
    command("View", "larger", [], "Larger text", () => app.set({ scale: Math.min(2, Math.round(app.state.scale * 10 + 1) / 10) })),
    command("View", "smaller", [], "Smaller text", () => app.set({ scale: Math.max(0.8, Math.round(app.state.scale * 10 - 1) / 10) })),
    command("View", "settings", [], "Text and pace", () => app.dialogs.settings()),
    command("Look for", "conflict", ["x"], "Next conflict", () => app.toMark(1, "conflict")),
    command("Look for", "previous-conflict", [], "Previous conflict", () => app.toMark(-1, "conflict")),
    command("Look for", "diff", ["Shift+d"], "What the turn changed", open("diff")),
    command("Look for", "log", ["l"], "The log", open("events")),
    command("Look for", "charts", ["g"], "Charts", open("charts")),
    command("Look for", "compare", ["v"], "Compare with another run", () => (app.run.other ? open("compare")() : app.notice(new Error("start the viewer with two runs to compare them: vitrine view RUN --with OTHER")))),
    command("Look for", "search", ["/"], "Search the log", () => document.getElementById("search").focus()),
    command("Share", "share", [], "Link to this moment", () => app.dialogs.share()),
    command("Share", "screenshot", ["p"], "Picture of the world", () => app.screenshot()),
    command("Share", "export", ["e"], "Export", () => app.dialogs.share()),
    command("Help", "palette", ["Ctrl+k"], "All commands", () => app.dialogs.palette()),
    command("Help", "help", ["?"], "Keys", () => app.dialogs.help()),
    command("Help", "clear", ["Escape"], "Close, clear, select nobody", () => app.clear()),
  ];
}

const symbols = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" };

// keyName writes a key as people do.
export const keyName = (key) => key.split("+").map((part) => symbols[part] ?? (/^[a-z]$/.test(part) ? part.toUpperCase() : part) ).join("+").replace(/^\+$/, "+") || "+";

// keyOf returns the name that a pressed key has in the table. Shift counts with letters and with keys that write nothing.
export function keyOf(event) {
  const key = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const shift = event.shiftKey && (key.length > 1 || /[a-z]/.test(key));
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.altKey ? "Alt+" : ""}${shift ? "Shift+" : ""}${key}`;
}

// listen runs commands by their keys, but never while one writes into a field, and leaves to a button what a button does by itself.
export function listen(app, table) {
  const byKey = new Map(table.flatMap((c) => c.keys.map((key) => [key, c])));
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented) return;
    const { target } = event;
    const key = keyOf(event);
    if (target.closest("input, textarea, select, [contenteditable]")) {
      if (key === "Escape") target.blur();
      if (key !== "Ctrl+k") return;
    }
    if (document.querySelector("dialog[open]")) return;
    if ((key === "Space" || key === "Enter") && target.closest("button, a, summary, [role=option]")) return;
    const command = byKey.get(key);
    if (!command) return;
    event.preventDefault();
    app.command(command.id);
  });
}
