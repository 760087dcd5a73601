// The stage shows the world: a canvas that a painter paints, what agents say in bubbles above it, a legend, a small map, and the controls of all
// that. It paints when something has changed, and at no other time.
import { Latest, button, el, put, swatch } from "./dom.js";
import { Frames } from "./frames.js";
import { css, forms } from "./list.js";
import { Minimap } from "./minimap.js";
import { handle } from "./pointer.js";

const longestWay = 500; // milliseconds for which agents glide, at most
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Stage {
  constructor(app, root) {
    Object.assign(this, { app, root, painter: null, frame: null, fitted: true, about: { title: "", legend: [] }, way: null, painted: 0, waiting: [] });
    this.frames = new Frames(app);
    this.loader = new Latest(() => this.load());
    this.canvas = el("canvas", { id: "canvas", tabindex: "0", role: "img", "aria-label": "The world" });
    this.canvas2 = el("canvas", { class: "second", role: "img", "aria-label": "The world of the other run", hidden: true });
    this.names = ["first", "second"].map((side) => el("p", { class: side, hidden: true }));
    this.bubbles = el("div", { id: "bubbles" });
    this.message = el("p", { id: "painting", role: "status", text: "loading…" });
    this.tip = el("div", { id: "tip", role: "tooltip", hidden: true });
    this.legend = el("ul", { id: "legend", "aria-label": "Legend" });
    this.minimap = new Minimap(this);
    root.append(this.canvas, this.canvas2, ...this.names, this.bubbles, this.message, this.minimap.canvas, this.legend, this.tip);
    this.tools(document.getElementById("tools"));
    handle(this);
    new ResizeObserver(() => this.resize()).observe(root);
    app.atOnce("turn seq sees overlay lastSeq", () => this.loader.ask());
    app.atOnce("agent", () => {
      this.painter?.select(app.state.agent);
      if (app.state.sees) this.loader.ask();
      this.dirty();
    });
    app.atOnce("bubbles minimap scale", () => this.dirty());
    app.atOnce("followAgent agent", () => {
      if (app.state.followAgent && app.state.agent) this.centre(app.state.agent);
      this.dirty();
    });
  }

  tools(root) {
    const { app } = this;
    const toggle = (name, value, icon, key) => {
      const b = button(name, () => app.set({ [value]: !app.state[value] }), { icon, key });
      app.on(value, () => b.setAttribute("aria-pressed", String(app.state[value])));
      return b;
    };
    const overlay = el("select", { "aria-label": "Overlay", title: "Overlay (O)", on: { change: () => app.set({ overlay: overlay.value }) } },
      el("option", { value: "", text: "no overlay" }), app.run.overlays.map((name) => el("option", { value: name, text: name })));
    app.on("overlay", () => (overlay.value = app.state.overlay));
    const sees = toggle("What the agent sees", "sees", "eye", "H");
    app.on("agent", () => (sees.disabled = !app.state.agent));
    root.append(el("div", { class: "bar", role: "toolbar", "aria-label": "View of the world" },
      button("Zoom in", () => this.zoom(1.3), { icon: "plus", key: "+" }), button("Zoom out", () => this.zoom(1 / 1.3), { icon: "minus", key: "-" }),
      button("Fit", () => this.fit(), { icon: "fit", key: "0" }), toggle("Follow the selected agent", "followAgent", "follow", "F"),
      sees, toggle("Bubbles", "bubbles", "bubble", "B"), toggle("Small map", "minimap", "map", "M"),
      app.run.overlays.length > 0 && overlay));
  }

  // start waits for the painter. All else on the page goes on meanwhile.
  async start() {
    const { loading } = this.app;
    loading.tell((text) => this.say(text));
    const painter = await loading.painter;
    this.ready = true;
    if (!painter) return this.settle();
    this.painter = painter;
    painter.attach(this.canvas);
    this.resize();
    painter.select(this.app.state.agent);
    this.app.set({ painter: painter.name });
    if (this.frame) this.show(this.frame);
  }

  say(text) {
    this.message.textContent = text;
    this.message.hidden = !text;
  }

  // ratio is how many pixels of the canvas make one of the page.
  get ratio() {
    return Math.min(2, devicePixelRatio || 1);
  }

  resize() {
    this.width = this.second ? Math.floor(this.root.clientWidth / 2) : this.root.clientWidth;
    this.height = this.root.clientHeight;
    if (!this.painter || !this.width || !this.height) return;
    this.canvas.width = Math.round(this.width * this.ratio);
    this.canvas.height = Math.round(this.height * this.ratio);
    this.canvas.style.width = `${this.width}px`;
    this.canvas.style.height = `${this.height}px`;
    this.painter.size(this.canvas.width, this.canvas.height);
    if (this.fitted && this.frame) this.painter.fit();
    this.dirty();
  }

  async load() {
    const frames = this.frames;
    const params = frames.wanted();
    if (this.frame?.key === frames.key(params)) return this.settle();
    try {
      const frame = await frames.get(params);
      frame.at = params;
      this.show(frame);
      frames.ahead();
    } catch (err) {
      if (err.status !== undefined || !this.frame) this.app.notice(err);
    }
    if (frames.key(frames.wanted()) !== frames.key(params)) this.loader.ask();
  }

  // show paints a frame. Those who are elsewhere than in the one before glide there, if the run is played: for as long as the turn is shown, at most.
  show(frame) {
    const before = this.frame;
    this.frame = frame;
    if (this.painter) {
      this.painter.load(frame.bytes);
      const was = this.about;
      this.about = this.painter.about();
      if (!this.begun) this.first();
      else if (this.fitted && ["x", "y", "w", "h"].some((side) => was[side] !== this.about[side])) this.painter.fit();
      const { playing } = this.app.state;
      const lasts = before && playing && !this.second && !still.matches ? Math.min(longestWay, this.app.player.lasts) : 0;
      this.way = { begun: performance.now(), lasts };
    }
    this.describe(frame);
    this.dirty();
  }

  // move brings those who glide to where they are now, and looks where the one is whom one follows. At the end of the way, and when playing ends, all are
  // where the turn has them.
  move(now) {
    const { playing, followAgent, agent } = this.app.state;
    const { begun, lasts } = this.way;
    const part = playing && lasts > 0 ? (now - begun) / lasts : 1;
    this.painter.blend(part);
    if (part >= 1) this.way = null;
    if (followAgent && agent) this.centre(agent);
  }

  // first sets the camera of the first picture: that of the link, or all of the world.
  first() {
    this.begun = true;
    const { camera } = this.app;
    if (camera) this.camera(camera);
    else this.fit();
    this.say("");
  }

  describe(frame) {
    const { title, legend } = this.about;
    this.canvas.setAttribute("aria-label", title || `The world in turn ${frame.at.turn}`);
    const key = JSON.stringify(legend);
    if (key !== this.legendKey) put(this.legend, legend.map((l) => el("li", {}, swatch(forms[l.form], css(l.color)), l.text)));
    this.legendKey = key;
    this.legend.hidden = legend.length === 0;
  }

  // dirty has the picture painted before the browser shows the next one.
  dirty() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame((now) => {
      if (this.way) this.move(now);
      this.due = false;
      this.paint();
      if (this.way) this.dirty();
    });
  }

  paint() {
    if (this.painter && this.frame) {
      const start = performance.now();
      if (this.second) this.paintSecond();
      this.painter.paint();
      this.painted = performance.now() - start;
      this.speak();
      this.minimap.draw();
      this.app.moved();
    }
    if (this.frame) this.app.set({ drawnTurn: this.frame.at.turn, drawnSeq: this.frame.at.seq, hash: this.frame.hash });
    this.settle();
  }

  // speak puts the bubbles where the painter has room for them.
  speak() {
    const { bubbles, scale, agent } = this.app.state;
    const all = bubbles ? this.painter.bubbles(this.ratio * scale) : [];
    const key = JSON.stringify([agent, all.map((b) => [b.agent, b.text, b.thought])]);
    if (key !== this.spoken) put(this.bubbles, all.map((b) => this.bubble(b)));
    this.spoken = key;
    for (const [i, b] of all.entries()) {
      const node = this.bubbles.children[i];
      const box = { left: b.x, top: b.y, width: b.w, height: b.h };
      for (const [name, value] of Object.entries(box)) node.style[name] = `${value / this.ratio}px`;
      node.style.setProperty("--tip-x", `${Math.max(8, Math.min(b.w - 8, b.tipX - b.x)) / this.ratio}px`);
      for (const [side, is] of Object.entries({ down: b.tipY > b.y + b.h, up: b.tipY < b.y, beside: b.tipY >= b.y && b.tipY <= b.y + b.h })) node.classList.toggle(side, is);
    }
  }

  bubble(b) {
    const classes = ["bubble", b.thought && "thought", b.agent === this.app.state.agent && "selected"];
    return el("button", {
      type: "button", class: classes.filter(Boolean).join(" "), tabindex: "-1", title: `${b.agent}: ${b.text}`, data: { agent: b.agent },
      on: { click: () => this.app.set({ agent: b.agent }) },
    }, el("span", { text: b.text }));
  }

  // camera is what is in the middle, and how many pixels of the page a unit of the world has; with a camera, it is set.
  camera(to) {
    if (!this.painter) return { x: 0, y: 0, zoom: 1 };
    const now = this.painter.view();
    if (!to) return { x: now.x, y: now.y, zoom: now.zoom / this.ratio };
    this.fitted = false;
    this.painter.view({ x: to.x ?? now.x, y: to.y ?? now.y, zoom: to.zoom ? to.zoom * this.ratio : now.zoom });
    this.dirty();
    return this.camera();
  }

  fit() {
    if (!this.painter) return;
    this.fitted = true;
    this.painter.fit();
    this.dirty();
  }

  // zoom makes all factor times as large around a point of the stage, or around its middle.
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    if (!this.painter) return;
    this.fitted = false;
    this.painter.zoomAt(x * this.ratio, y * this.ratio, factor);
    this.dirty();
  }

  // pan moves the picture by pixels of the page.
  pan(dx, dy) {
    const { x, y, zoom } = this.camera();
    this.camera({ x: x - dx / zoom, y: y - dy / zoom });
  }

  centre(agent) {
    const at = this.screenOf(agent);
    if (at) this.pan(this.width / 2 - at.x, this.height / 2 - at.y);
  }

  screenOf(agent) {
    const at = this.painter?.screenOf(agent);
    return at ? { x: at.x / this.ratio, y: at.y / this.ratio, r: at.r / this.ratio } : null;
  }

  pick(x, y) {
    return this.painter?.pick(x * this.ratio, y * this.ratio) ?? "";
  }

  // beside shows another draw list in the right half of the stage, as seen from the same place, and in either half the name of its run; null makes an end of that.
  beside(bytes, names) {
    this.second = bytes;
    this.canvas2.hidden = !bytes;
    this.names.forEach((node, i) => {
      node.hidden = !bytes;
      node.textContent = names?.[i] ?? "";
    });
    this.resize();
    this.dirty();
  }

  // paintSecond paints what is beside, which the painter then forgets again.
  paintSecond() {
    const { painter, canvas, canvas2 } = this;
    painter.load(this.second);
    painter.paint();
    if (canvas2.width !== canvas.width || canvas2.height !== canvas.height) Object.assign(canvas2, { width: canvas.width, height: canvas.height });
    canvas2.getContext("2d").putImageData(new ImageData(painter.pixels(), canvas.width, canvas.height), 0, 0);
    painter.load(this.frame.bytes);
  }

  // settled is a promise that what is shown is what is wanted.
  settled() {
    return new Promise((done) => {
      this.waiting.push(done);
      this.dirty();
    });
  }

  settle() {
    if (!this.ready || this.due || this.frames.key(this.frames.wanted()) !== this.frame?.key) return;
    for (const done of this.waiting.splice(0)) done();
  }
}
