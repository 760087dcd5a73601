// The draw list of a frame as far as the small map needs it; all else the painter knows. The format is that of package draw.
const magic = 0x316c6476; // "vdl1"

// forms are the names of the forms of shapes, by their numbers.
export const forms = ["rect", "disc", "triangle", "diamond", "hexagon", "cross", "star", "ring", "line", "text"];

// decode reads where the world is, its ground, and the boxes and colors of the shapes in it.
export function decode(data) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let at = 4;
  const float = () => view.getFloat32((at += 4) - 4, true);
  const color = () => view.getUint32((at += 4) - 4, true);
  const byte = () => view.getUint8(at++);
  const number = () => {
    for (let n = 0, scale = 1; ; scale *= 128) {
      const b = byte();
      n += (b & 127) * scale;
      if (b < 128) return n;
    }
  };
  const skip = () => {
    const size = number();
    at += size;
  };
  const many = (one) => Array.from({ length: number() }, one);

  if (data.length < 4 || view.getUint32(0, true) !== magic) throw new Error("the server sends a picture that this page cannot read");
  const list = { x: float(), y: float(), w: float(), h: float(), ground: color() };
  skip(); // the title
  many(skip); // the names
  list.shapes = many(() => {
    const shape = { form: forms[byte()], x: float(), y: float(), w: float(), h: float() };
    at += 8; // the width of the stroke, and from which zoom on
    shape.fill = color();
    at += 8; // the stroke and the ink
    number(); // the label
    number(); // the agent
    return shape;
  });
  return list;
}

// css writes 0xRRGGBBAA as "#rrggbbaa".
export const css = (color) => "#" + color.toString(16).padStart(8, "0");
