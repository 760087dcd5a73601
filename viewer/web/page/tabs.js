// Tabs are panels of which one is shown. Arrow keys move between their names.
import { el } from "./dom.js";

// tabs makes a list of tabs; panels is an object of nodes by name. The name of the open one is a value of the page.
export function tabs(app, { label, value, panels, extra = [], open = () => true, pressed = () => {} }) {
  const names = Object.keys(panels);
  const go = (name) => {
    app.set({ [value]: name });
    list.querySelector(`[data-tab="${name}"]`).focus();
  };
  const list = el("div", {
    role: "tablist", "aria-label": label, class: "tabs",
    on: {
      keydown: (event) => {
        const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!move || event.altKey || event.shiftKey || !event.target.dataset.tab) return;
        event.preventDefault();
        go(names[(names.indexOf(event.target.dataset.tab) + move + names.length) % names.length]);
      },
    },
  }, names.map((name) => el("button", {
    type: "button", role: "tab", id: `${value}-${name}`, data: { tab: name }, "aria-controls": `${value}-${name}-panel`,
    on: { click: () => pressed(name) || app.set({ [value]: name }) },
  }, name[0].toUpperCase() + name.slice(1))), extra);
  for (const [name, node] of Object.entries(panels)) {
    Object.assign(node, { id: `${value}-${name}-panel` });
    node.setAttribute("role", "tabpanel");
    node.setAttribute("aria-labelledby", `${value}-${name}`);
    node.classList.add("panel");
  }
  app.on(`${value} drawer`, () => {
    for (const name of names) {
      const on = app.state[value] === name;
      const tab = list.querySelector(`[data-tab="${name}"]`);
      tab.setAttribute("aria-selected", String(on && open()));
      tab.tabIndex = on ? 0 : -1;
      panels[name].hidden = !on || !open();
    }
  });
  return [list, ...Object.values(panels)];
}
