// A Source is where the page has its data from: the server that it came from, whose paths all lie under the page's own. A page that is a file
// brings a source of its own along, as globalThis.vitrineSource with the same methods.

// ask is fetch, and tells the page whether the server answers.
async function ask(url, options) {
  try {
    const answer = await fetch(url, options);
    dispatchEvent(new CustomEvent("vitrine-server", { detail: true }));
    return answer;
  } catch (err) {
    if (err.name === "AbortError") throw err;
    dispatchEvent(new CustomEvent("vitrine-server", { detail: false }));
    throw new Failure("the server of this page does not answer", "start it again with vitrine view; the page comes back by itself", 0);
  }
}

export class Source {
  // get returns the JSON at a path of the API. Parameters that are null or empty are left out.
  async get(path, params = {}, signal) {
    const answer = await ask(address(path, params), { signal });
    const value = await answer.json().catch(() => ({ error: `the server answers ${answer.status}` }));
    if (!answer.ok) throw new Failure(value.error ?? `the server answers ${answer.status}`, value.hint, answer.status);
    return value;
  }

  // frame returns the draw list of a position, and which state it shows.
  async frame(params, path = "frame") {
    const answer = await ask(address(path, params), { priority: "high" });
    if (!answer.ok) {
      const { error, hint } = await answer.json().catch(() => ({}));
      throw new Failure(error ?? `no frame: the server answers ${answer.status}`, hint, answer.status);
    }
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const head = (name) => answer.headers.get(name);
    return { bytes, turn: Number(head("X-Turn")), seq: Number(head("X-Seq")), hash: head("X-Hash") ?? "" };
  }

  // file returns the run as a page that needs no server.
  async file(redact) {
    const answer = await ask(address("file", { redact: redact ? 1 : null }));
    if (!answer.ok) {
      const { error, hint } = await answer.json().catch(() => ({}));
      throw new Failure(error ?? `no file: the server answers ${answer.status}`, hint, answer.status);
    }
    return answer.text();
  }

  // control asks the supervisor to do something, which only a page that may has.
  async control(command) {
    const answer = await ask("api/control", {
      method: "POST", headers: { "Content-Type": "application/json", "X-Vitrine": "1" }, body: JSON.stringify(command),
    });
    const value = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Failure(value.error ?? `the server answers ${answer.status}`, value.hint, answer.status);
    return value;
  }

  // socket opens the stream of events that follow the numbered one.
  socket(seq) {
    const url = new URL("ws", document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.hash = "";
    url.search = `?from=${seq}`;
    return new WebSocket(url);
  }
}

// A Failure is what the server says instead of data.
export class Failure extends Error {
  constructor(message, hint, status) {
    super(message);
    this.hint = hint;
    this.status = status;
  }
}

export function address(path, params) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value != null && value !== "") query.set(name, value);
  const text = query.toString();
  return `api/${path}${text ? "?" + text : ""}`;
}
