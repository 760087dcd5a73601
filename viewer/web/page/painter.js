// Which painter paints the world: the one that needs no graphics card, or the one that has it. Both are programs in WebAssembly that leave
// globalThis.vitrinePainter behind.
const software = /swiftshader|llvmpipe|software|basic render/i;

// wanted says which painter suits this browser; "?painter=" in the address overrules it.
export function wanted() {
  const asked = new URLSearchParams(location.search).get("painter");
  if (asked === "soft" || asked === "window") return asked;
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return "soft";
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const name = gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return software.test(name) ? "soft" : "window";
}

// A Loading loads the painter, from the moment it is made on: that takes longer than all else of the page.
export class Loading {
  constructor(source) {
    this.text = "";
    this.listener = () => {};
    this.begun = new Promise((begun) => { // that the browser compiles it, beside all else, or that it would take long until then
      this.painter = load(source, (text) => this.listener((this.text = text)), begun); // a promise of it, or of null where there is none
      this.painter.then(begun, begun);
    });
  }

  // tell has f told why one has to wait.
  tell(f) {
    this.listener = f;
    f(this.text);
  }
}

async function load(source, say, begun) {
  if (globalThis.vitrinePainter) return globalThis.vitrinePainter;
  let which = wanted();
  for (let wait = 50; ; wait = Math.min(1000, wait * 1.5)) {
    const state = await source.get("wasm").catch((err) => ({ soft: "none", why: err.message }));
    if (which === "window" && state.window !== "ready") which = "soft";
    if (state[which] === "ready") break;
    if (state[which] !== "building") {
      say(`No picture: ${state.why || "this server has no painter"}. All panels work without it.`);
      return null;
    }
    say("building the painter… (the first time takes up to a minute; all panels work meanwhile)");
    begun();
    await new Promise((done) => setTimeout(done, wait));
  }
  say("loading the painter…");
  if (which === "window") {
    begun();
    return framed(say);
  }
  try {
    const code = fetch(`wasm/${which}.wasm`);
    const compiled = WebAssembly.compileStreaming(code);
    code.then(begun, begun);
    const [module] = await Promise.all([compiled, script("wasm/wasm_exec.js")]);
    const go = new globalThis.Go();
    const instance = await WebAssembly.instantiate(module, go.importObject);
    go.run(instance).catch((err) => say(`The painter ended: ${err.message}`));
    for (let i = 0; !globalThis.vitrinePainter && i < 500; i++) await new Promise((done) => setTimeout(done, 10));
    if (!globalThis.vitrinePainter) throw new Error("it does not answer");
  } catch (err) {
    say(`No picture: the painter does not start: ${err.message}. All panels work without it.`);
    return null;
  }
  return globalThis.vitrinePainter;
}

// framed returns the painter with the graphics card. It makes a canvas over all of the document that it is in, and so has one of its own under the
// stage's, in a frame.
async function framed(say) {
  const frame = Object.assign(document.createElement("iframe"), { src: "window.html", className: "painter", tabIndex: -1, title: "painter" });
  frame.setAttribute("aria-hidden", "true");
  document.getElementById("stage").prepend(frame);
  for (let i = 0; i < 1000; i++) {
    const { vitrinePainter, vitrineFailure } = frame.contentWindow ?? {};
    if (vitrinePainter) return vitrinePainter;
    if (vitrineFailure) {
      say(`No picture: the painter does not start: ${vitrineFailure}. All panels work without it.`);
      return null;
    }
    await new Promise((done) => setTimeout(done, 20));
  }
  say("No picture: the painter does not answer. All panels work without it.");
  return null;
}

function script(src) {
  return new Promise((done, fail) => {
    const node = document.createElement("script");
    Object.assign(node, { src, onload: done, onerror: () => fail(new Error(`${src} is missing`)) });
    document.head.append(node);
  });
}
