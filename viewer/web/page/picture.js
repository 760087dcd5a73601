// A picture of the stage: what the painter painted, and the bubbles over it.
export async function picture(stage) {
  if (!stage.painter || !stage.frame) return null;
  const { width, height } = stage.canvas;
  const copy = Object.assign(document.createElement("canvas"), { width, height });
  const c = copy.getContext("2d");
  stage.painter.paint();
  c.putImageData(new ImageData(stage.painter.pixels(), width, height), 0, 0);
  const size = stage.ratio * stage.app.state.scale;
  c.font = `${12 * size}px system-ui, sans-serif`;
  c.textBaseline = "middle";
  for (const b of stage.app.state.bubbles ? stage.painter.bubbles(size) : []) {
    c.fillStyle = "#ffffff";
    c.strokeStyle = "#000000";
    c.beginPath();
    c.roundRect(b.x, b.y, b.w, b.h, 6 * size);
    c.moveTo(b.x + b.w / 2, b.tipY > b.y ? b.y + b.h : b.y);
    c.lineTo(b.tipX, b.tipY);
    c.fill();
    c.stroke();
    c.fillStyle = "#000000";
    b.lines.forEach((line, i) => c.fillText(line, b.x + 6 * size, b.y + (6 + 16 * (i + 0.5)) * size, b.w - 8 * size));
  }
  return new Promise((done) => copy.toBlob(done, "image/png"));
}
