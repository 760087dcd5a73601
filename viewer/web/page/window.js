// The document in which the painter with the graphics card has its canvas; the page looks into it for globalThis.vitrinePainter.
const go = new globalThis.Go();
WebAssembly.instantiateStreaming(fetch("wasm/window.wasm"), go.importObject)
  .then(({ instance }) => go.run(instance))
  .catch((err) => (globalThis.vitrineFailure = err.message));
