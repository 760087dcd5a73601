// The dialogs: palette, help, link and export, and settings.
import { button, el, put } from "./dom.js";
import { tables } from "./charts.js";
import { keyName } from "./commands.js";
import { modes } from "./player.js";

export function dialogs(app, table) {
  const dialog = (name, ...children) => {
    const node = el("dialog", { "aria-label": name }, el("header", {}, el("h2", { text: name }), button("Close", () => node.close(), { icon: "close" })), ...children);
    node.addEventListener("close", () => node.remove());
    node.addEventListener("click", (event) => event.target === node && node.close());
    document.body.append(node);
    node.showModal();
    return node;
  };
  const keys = (c) => c.keys.map((key) => el("kbd", { text: keyName(key) }));
  const ways = (c) => (c.keys.length > 0 ? keys(c) : el("span", { class: "quiet", text: "by name" }));

  function help() {
    const groups = Object.groupBy(table, (c) => c.group);
    dialog("Keys", el("div", { class: "help" }, Object.entries(groups).map(([group, list]) => el("section", {}, el("h3", { text: group }),
      el("dl", {}, list.map((c) => [el("dt", { data: { command: c.id } }, ways(c)), el("dd", { text: c.name })]))))),
    el("p", { class: "quiet", text: "Arrow keys move within lists and tabs that have the focus. Keys do nothing while you write in a field. What has no key is found by its name, with Ctrl+K." }),
    el("p", { class: "quiet", text: "Why was an act refused? Select the agent: the reason stands under what it did. All refusals of an agent are listed from its Stats, and those of everybody by the kind refusal in the log." }));
  }

  function palette() {
    let found = table;
    let at = 0;
    const items = el("ul", { role: "listbox", id: "palette", "aria-label": "Commands" });
    const input = el("input", {
      type: "text", role: "combobox", autofocus: true, placeholder: "what to do, turn 12, or an agent", "aria-label": "Command", "aria-controls": "palette", "aria-expanded": "true", on: {
        input: () => {
          found = find(input.value);
          at = 0;
          draw();
        },
        keydown: (event) => {
          const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
          if (move) at = (at + move + found.length) % Math.max(1, found.length);
          else if (event.key === "Enter" && found[at]) run(found[at]);
          else return;
          event.preventDefault();
          draw();
        },
      },
    });
    const node = dialog("Commands", input, items);
    node.classList.add("palette");
    const run = (c) => {
      node.close();
      c.run();
    };
    const draw = () => {
      put(items, found.map((c, i) => el("li", { role: "option", id: `palette-${i}`, "aria-selected": String(i === at), data: { command: c.id }, on: { click: () => run(c) } },
        el("span", { text: c.name }), el("span", { class: "quiet", text: c.group }), el("span", {}, keys(c)))));
      input.setAttribute("aria-activedescendant", `palette-${at}`);
      items.children[at]?.scrollIntoView({ block: "nearest" });
    };
    draw();
  }

  // find returns the commands whose name has the letters of a text, and besides them the turn and the agents that it names.
  function find(text) {
    const q = text.trim().toLowerCase();
    const words = q.split(/\s+/);
    const named = table.filter((c) => words.every((w) => `${c.name} ${c.group}`.toLowerCase().includes(w)));
    const turn = q.match(/^(?:turn )?(\d+)$/);
    const jump = turn ? [{ id: "turn", group: "Time", keys: [], name: `Go to turn ${turn[1]}`, run: () => app.toTurn(Number(turn[1])) }] : [];
    const agents = q === "" ? [] : app.run.agents.filter((a) => a.name.toLowerCase().includes(q)).slice(0, 20);
    return [...jump, ...named, ...agents.map((a) => ({ id: `agent-${a.name}`, group: "Agents", keys: [], name: `Select ${a.name}`, run: () => app.set({ agent: a.name }) }))];
  }

  function share() {
    const link = el("input", { readonly: true, value: app.link(), "aria-label": "Link", class: "wide" });
    const copied = el("span", { role: "status", class: "quiet" });
    const copy = button("copy", async () => {
      link.select();
      await navigator.clipboard?.writeText(link.value).catch(() => document.execCommand("copy"));
      copied.textContent = "copied";
    });
    const { turn } = app.state;
    const served = location.protocol !== "file:";
    const redact = el("input", { type: "checkbox" });
    const saved = el("span", { role: "status", class: "quiet" });
    const save = button("save as HTML", async () => {
      save.disabled = true;
      saved.textContent = "making the file…";
      saved.textContent = await app.save(redact.checked).then(() => "saved", (err) => [err.message, err.hint].filter(Boolean).join(" – "));
      save.disabled = false;
    });
    dialog("Share", el("h3", { text: "Link to this moment" }), el("div", { class: "bar" }, link, copy, copied),
      el("p", { class: "quiet", text: "It holds the turn, the agent, what is in sight, and your bookmarks. " + (served ? "It works for as long as this viewer runs, on this machine." : "It works wherever this file is.") }),
      el("h3", { text: "Picture" }), el("div", { class: "bar" }, button("save as PNG", () => app.screenshot(), { key: "P" }), ...tables(app)),
      el("h3", { text: "The run as a file" }), el("div", { class: "bar" }, save, served && el("label", {}, redact, " without conversations and private messages"), saved),
      el("p", { class: "quiet", text: "A page that needs no server, with all turns and with your bookmarks and notes." }),
      served && el("p", { class: "quiet", text: "Without conversations and private messages: left out is what agents were asked by prompts, said and thought, and what their tools answered; the text of messages to some and not to all, those of an operator too; and what processes printed. What agents saw and did stays, and what was said to all." }),
      served && el("h3", { text: "For others, from the command line" }),
      served && el("pre", { text: ["--html run.html", `--png picture.png --from ${turn}`, "--gif film.gif"].map((what) => app.shell("export", ` ${what}`)).join("\n") }));
    link.select();
  }

  function settings() {
    const scale = el("input", { type: "range", min: 0.8, max: 2, step: 0.1, value: app.state.scale, "aria-label": "Size of text", on: { input: () => app.set({ scale: Number(scale.value) }) } });
    dialog("Text and pace", el("label", { class: "bar" }, "size of text ", scale),
      el("fieldset", {}, el("legend", { text: "pace of playing" }), modes.map((mode) => el("label", { class: "choice" },
        el("input", { type: "radio", name: "mode", value: mode, checked: app.state.mode === mode, on: { change: () => app.set({ mode }) } }),
        ` ${mode}: ${{ "per turn": "a second for each turn", "real time": "as long as it took; of a wait, five seconds", reading: "as long as it takes to read what is said" }[mode]}`))),
      el("p", { class: "quiet", text: "Light or dark, and less motion, are as your system says." }));
  }

  return { help, palette, share, settings };
}
