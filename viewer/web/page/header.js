// The header: which run this is, whether it is live, where one is in it, what it has cost, and the search.
import { button, count, dollars, el, put } from "./dom.js";

export function header(app, root) {
  const { run } = app;
  const badge = el("span", { id: "badge", role: "status" });
  const cure = el("span", { id: "cure" });
  app.on("followLive alive socket runState", () => {
    const [text, why, words, command] = state(app);
    badge.textContent = text;
    badge.title = why;
    cure.hidden = !words;
    put(cure, words, command && el("code", { text: command }));
    badge.dataset.state = text.toLowerCase();
    document.title = `${text === "LIVE" ? "● " : ""}${run.name} · vitrine`;
  });

  const turn = el("span", { class: "figure", title: "Turn" });
  const tokens = el("span", { class: "figure", title: "Tokens of all agents, up to this turn" });
  const cost = el("span", { class: "figure", title: "Dollars of all agents, up to this turn" });
  app.on("turn turns", () => (turn.textContent = `turn ${app.state.turn}/${app.state.turns}`));
  app.on("tokens", () => {
    tokens.hidden = !app.state.tokens;
    tokens.textContent = `${count(app.state.tokens)} tokens`;
  });
  app.on("dollars", () => {
    cost.hidden = app.state.dollars === null;
    cost.textContent = dollars(app.state.dollars);
  });

  const search = el("input", {
    type: "search", id: "search", placeholder: "search the log", "aria-label": "Search the log", title: "Search the log (/)",
    on: {
      input: () => {
        app.set({ query: search.value });
        app.open("events");
      },
      keydown: (event) => event.key === "Enter" && app.open("events"),
    },
  });
  app.on("query", () => search.value !== app.state.query && (search.value = app.state.query));

  root.append(
    el("h1", { title: run.description || run.name }, run.name),
    el("span", { class: "quiet about", text: [run.scenario, `seed ${run.seed}`, run.offline ? "offline" : run.model].filter(Boolean).join(" · ") }),
    badge, cure, turn, tokens, cost, el("span", { class: "gap" }), search,
    button("Link to this moment", () => app.command("share"), { icon: "share" }),
    button("Text and pace", () => app.command("settings"), { icon: "gear" }),
    button("Commands", () => app.command("palette"), { icon: "palette", key: "Ctrl+K" }),
    button("Help", () => app.command("help"), { icon: "help", key: "?" }));
}

// state is what the run, and the page in it, are doing, why, and where something has to be done, what.
function state(app) {
  const { socket, alive, followLive, runState } = app.state;
  if (socket === "lost") return ["STALE", "The server does not answer: what you see may be old. The page tries again by itself.", "the server is gone; this starts it again: ", app.view];
  if (runState === "paused") return ["PAUSED", "An operator holds the run."];
  if (alive && followLive) return ["LIVE", "You see what happens now."];
  if (runState === "idle") return ["IDLE", "Nobody plays this run at present, and it is not over.", "nobody plays it now; this goes on: ", app.shell("resume")];
  if (runState === "left") return ["IDLE", "Nobody plays this run any more. It is not over, and has no turn of its own.", "nobody plays it any more; it goes on nowhere"];
  return ["REPLAY", alive ? "The run goes on. Press End to see what happens now." : "The run is over."];
}
