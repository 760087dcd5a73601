// What mouse, pen and fingers do on the stage: drag to pan, wheel or pinch to zoom, click to select, rest to be told who it is.
const slack = 4; // pixels that a click may move

export function handle(stage) {
  const { canvas, app, tip } = stage;
  const fingers = new Map();
  let moved = 0;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    if (fingers.size === 0) moved = 0;
    fingers.set(event.pointerId, place(event));
    tip.hidden = true;
  });

  canvas.addEventListener("pointermove", (event) => {
    const to = place(event);
    const from = fingers.get(event.pointerId);
    if (!from) return hover(to);
    moved += Math.hypot(to.x - from.x, to.y - from.y);
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    fingers.set(event.pointerId, to);
    if (moved <= slack) return;
    app.set({ followAgent: false });
    if (other) {
      const apart = (p) => Math.max(1, Math.hypot(p.x - other.x, p.y - other.y));
      stage.zoom(apart(to) / apart(from), other.x, other.y);
    } else {
      stage.pan(to.x - from.x, to.y - from.y);
    }
  });

  const up = (event) => {
    if (!fingers.delete(event.pointerId) || event.type !== "pointerup" || moved > slack) return;
    const agent = stage.pick(...Object.values(place(event)));
    if (agent) app.set({ agent });
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => (tip.hidden = true));
  canvas.addEventListener("dblclick", (event) => stage.zoom(2, ...Object.values(place(event))));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const { x, y } = place(event);
    stage.zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0015)), x, y);
  }, { passive: false });

  function hover({ x, y }) {
    const name = stage.pick(x, y);
    canvas.style.cursor = name ? "pointer" : "";
    tip.hidden = !name;
    if (!name) return;
    tip.textContent = app.describe(name);
    tip.style.left = `${Math.min(x + 14, stage.width - tip.offsetWidth - 4)}px`;
    tip.style.top = `${Math.min(y + 14, stage.height - tip.offsetHeight - 4)}px`;
  }
}
