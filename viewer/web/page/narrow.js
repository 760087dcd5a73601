// Where there is little room, for the window is narrow or the letters are large, the panels beside and below the world become tabs under it.
const panels = ["agents", "inspector", "drawer"];
const names = { agents: "Agents", inspector: "Inspector", drawer: "Log, charts, diff" };

import { el } from "./dom.js";

export function narrow(app, root) {
  const buttons = panels.map((name) => el("button", {
    type: "button", role: "tab", "aria-controls": name, text: names[name], data: { panel: name }, on: { click: () => app.set({ narrowPanel: name }) },
  }));
  root.append(...buttons);
  root.addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!move) return;
    event.preventDefault();
    const to = (panels.indexOf(app.state.narrowPanel) + move + panels.length) % panels.length;
    app.set({ narrowPanel: panels[to] });
    buttons[to].focus();
  });
  const measure = () => {
    document.documentElement.style.fontSize = `${app.state.scale * 100}%`;
    app.set({ narrow: innerWidth < 900 || innerWidth / app.state.scale < 1000 });
  };
  addEventListener("resize", measure);
  app.on("scale", measure);
  app.on("narrow narrowPanel", () => {
    document.body.classList.toggle("narrow", app.state.narrow);
    document.body.dataset.narrowPanel = app.state.narrowPanel;
    for (const b of buttons) {
      b.setAttribute("aria-selected", String(b.dataset.panel === app.state.narrowPanel));
      b.tabIndex = b.dataset.panel === app.state.narrowPanel ? 0 : -1;
    }
  });
}
