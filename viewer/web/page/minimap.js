// The small map shows the whole world, and which part of it is on the stage. It is seen only where that is not all.
import { el } from "./dom.js";
import { css, decode } from "./list.js";

const width = 168;
const height = 110;

export class Minimap {
  constructor(stage) {
    this.stage = stage;
    this.canvas = el("canvas", { id: "minimap", width, height, role: "img", "aria-label": "Small map: click to go there", hidden: true });
    this.world = el("canvas", { width, height });
    const go = (event) => {
      if (event.buttons !== 1) return;
      const box = this.canvas.getBoundingClientRect();
      const { list, scale, left, top } = this;
      const x = (event.clientX - box.left) * (width / box.width);
      const y = (event.clientY - box.top) * (height / box.height);
      this.stage.app.set({ followAgent: false });
      this.stage.camera({ x: list.x + (x - left) / scale, y: list.y + (y - top) / scale });
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      go(event);
    });
    this.canvas.addEventListener("pointermove", go);
  }

  draw() {
    const { stage } = this;
    const { about, frame } = stage;
    const { x, y, zoom } = stage.camera();
    const half = { w: stage.width / zoom / 2, h: stage.height / zoom / 2 };
    const whole = x - half.w <= about.x && y - half.h <= about.y && x + half.w >= about.x + about.w && y + half.h >= about.y + about.h;
    this.canvas.hidden = whole || !stage.app.state.minimap;
    if (this.canvas.hidden) return;
    if (this.painted !== frame) this.paint(frame);
    const { list } = this;
    const c = this.canvas.getContext("2d");
    c.clearRect(0, 0, width, height);
    c.drawImage(this.world, 0, 0);
    c.lineWidth = 2;
    for (const [color, grow] of [["#000000", 1], ["#ffffff", 0]]) {
      c.strokeStyle = color;
      c.strokeRect(this.left + (x - half.w - list.x) * this.scale - grow, this.top + (y - half.h - list.y) * this.scale - grow,
        half.w * 2 * this.scale + 2 * grow, half.h * 2 * this.scale + 2 * grow);
    }
  }

  // paint paints the world of a frame.
  paint(frame) {
    const list = decode(frame.bytes);
    const scale = Math.min(width / list.w, height / list.h) || 1;
    const [left, top] = [(width - list.w * scale) / 2, (height - list.h * scale) / 2];
    Object.assign(this, { painted: frame, list, scale, left, top });
    const c = this.world.getContext("2d");
    c.fillStyle = css(list.ground);
    c.fillRect(0, 0, width, height);
    for (const s of list.shapes) {
      if (s.form === "text" || s.form === "line" || !(s.fill & 255)) continue;
      const w = Math.max(1, s.w * scale);
      const h = Math.max(1, s.h * scale);
      c.fillStyle = css(s.fill);
      c.fillRect(left + (s.x - list.x) * scale - w / 2, top + (s.y - list.y) * scale - h / 2, w, h);
    }
  }
}
