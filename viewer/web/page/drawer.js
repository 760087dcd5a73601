// The drawer below the timeline: the log, charts, what a turn changed, another run, bookmarks, and what an operator may do.
import { el } from "./dom.js";
import { bookmarksPanel } from "./bookmarks.js";
import { Charts } from "./charts.js";
import { compare } from "./compare.js";
import { control } from "./control.js";
import { diff } from "./diff.js";
import { Events } from "./events.js";
import { tabs } from "./tabs.js";

export function drawer(app, root) {
  const panels = { events: el("div"), charts: el("div"), diff: el("div"), bookmarks: el("div") };
  if (app.run.other) panels.compare = el("div");
  if (app.run.control) panels.control = el("div");
  const grip = el("div", {
    class: "grip", role: "separator", tabindex: "0", "aria-label": "Height of the drawer", "aria-orientation": "horizontal", "aria-valuemin": "8", "aria-valuemax": "40",
  });
  root.append(grip, ...tabs(app, {
    label: "Drawer", value: "drawerTab", panels, open: () => app.state.drawer,
    pressed: (name) => app.set({ drawerTab: name, drawer: !(app.state.drawer && app.state.drawerTab === name) }) ?? true,
  }));
  app.events = new Events(app, panels.events);
  new Charts(app, panels.charts);
  diff(app, panels.diff);
  bookmarksPanel(app, panels.bookmarks);
  if (panels.compare) compare(app, panels.compare);
  if (panels.control) control(app, panels.control);
  app.on("drawer", () => root.classList.toggle("closed", !app.state.drawer));
  resize(app, root, grip);
}

// resize lets one drag the upper edge of the drawer, or move it with the arrow keys.
function resize(app, root, grip) {
  const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);
  const set = (height) => {
    const size = Math.max(8, Math.min(40, height));
    document.body.style.setProperty("--drawer", `${size}rem`);
    grip.setAttribute("aria-valuenow", Math.round(size));
    app.set({ drawer: true });
  };
  grip.setAttribute("aria-valuenow", "12");
  grip.addEventListener("pointerdown", (event) => grip.setPointerCapture(event.pointerId));
  grip.addEventListener("pointermove", (event) => {
    if (event.buttons === 1) set((root.getBoundingClientRect().bottom - event.clientY) / rem());
  });
  grip.addEventListener("keydown", (event) => {
    const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    set(root.getBoundingClientRect().height / rem() + by);
  });
}
