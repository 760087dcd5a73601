// The draw list of a frame as the page reads it, for the legend, the small map and what is spoken. The format is that of package draw.
const forms = ["rect", "disc", "triangle", "diamond", "hexagon", "cross", "star", "ring", "line", "text"];
const magic = 0x316c6476; // "vdl1"

// decode reads a list. Of the shapes it keeps what a map of them needs.
export function decode(data) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const utf8 = new TextDecoder();
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
  const text = () => {
    const size = number();
    return utf8.decode(data.subarray(at, (at += size)));
  };
  const many = (one) => Array.from({ length: number() }, one);

  if (data.length < 4 || view.getUint32(0, true) !== magic) throw new Error("the server sends a picture that this page cannot read");
  const list = { x: float(), y: float(), w: float(), h: float(), ground: color(), title: text() };
  const names = many(text);
  list.shapes = many(() => {
    const shape = { form: forms[byte()], x: float(), y: float(), w: float(), h: float() };
    at += 8; // the width of the stroke, and from which zoom on
    shape.fill = color();
    shape.stroke = color();
    at += 4; // the ink
    shape.label = names[number()];
    shape.agent = names[number()];
    return shape;
  });
  list.says = many(() => ({ agent: text(), text: text(), thought: byte() !== 0 }));
  list.legend = many(() => ({ color: css(color()), shape: forms[byte()], text: text() }));
  return list;
}

// css writes 0xRRGGBBAA as "#rrggbbaa".
export const css = (color) => "#" + color.toString(16).padStart(8, "0");
