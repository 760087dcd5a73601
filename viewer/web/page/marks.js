// What is marked on the timeline and in the log: each kind of event has a name, a color of Okabe and Ito's palette, a shape, and a lane. The
// first ones are the most important and lie above the others.
export const marks = {
  crash: { name: "crash", color: "#D55E00", shape: "star", lane: "errors" },
  backoff: { name: "waits for its restart", color: "#E69F00", shape: "bar", lane: "errors" },
  breach: { name: "breach of a limit", color: "#D55E00", shape: "hexagon", lane: "errors" },
  error: { name: "error", color: "#D55E00", shape: "cross", lane: "errors" },
  timeout: { name: "timeout", color: "#E69F00", shape: "square", lane: "errors" },
  invalid: { name: "invalid act", color: "#E69F00", shape: "down", lane: "errors" },
  budget: { name: "budget spent", color: "#E69F00", shape: "bar", lane: "errors" },
  refusal: { name: "refusal", color: "#CC79A7", shape: "down", lane: "errors" },
  tamper: { name: "tampering", color: "#D55E00", shape: "triangle", lane: "errors" },
  fenced: { name: "act at the wrong time", color: "#CC79A7", shape: "hexagon", lane: "errors" },
  conflict: { name: "conflict", color: "#F0E442", shape: "diamond", lane: "world" },
  operator: { name: "operator", color: "#009E73", shape: "star", lane: "world" },
  held: { name: "held", color: "#009E73", shape: "bar", lane: "world" },
  resume: { name: "resumed", color: "#009E73", shape: "triangle", lane: "world" },
  branch: { name: "branched", color: "#009E73", shape: "diamond", lane: "world" },
  message: { name: "message", color: "#56B4E9", shape: "disc", lane: "world" },
};

const other = { color: "#999999", shape: "square", lane: "world" };

// markOf returns how a kind of event is shown.
export const markOf = (kind) => (Object.hasOwn(marks, kind) ? marks[kind] : { name: kind, ...other });

// ranked returns the kinds of an object of counts, the most important ones first.
export function ranked(counts) {
  const order = Object.keys(marks);
  const rank = (kind) => (order.indexOf(kind) + order.length + 1) % (order.length + 1);
  return Object.keys(counts).sort((a, b) => rank(a) - rank(b));
}

// summary is what an event says, in one line.
export function summary(event) {
  const data = event.data ?? {};
  const act = (name, args) => (name ? `${name}${args && Object.keys(args).length ? " " + json(args) : ""}` : "");
  switch (event.kind) {
    case "message": return `${Array.isArray(data.to) && data.to.length ? `to ${data.to.join(", ")}: ` : ""}“${data.text ?? ""}”`;
    case "action": return act(data.name, data.args);
    case "refusal": case "fenced": return [data.action, data.reason].filter(Boolean).join(": ");
    case "tamper": {
      const { sample, times } = event.proc ?? {};
      return [`${data.what}${times > 1 ? ` (${times} times)` : ""}`, sample].filter(Boolean).join(": ");
    }
    case "timeout": case "invalid": case "error": case "budget": case "crash": case "backoff":
      return [event.proc?.reason, event.proc?.detail, `then ${data.consequence ?? "nothing"} ${act(data.name, data.args)}`.trim()].filter(Boolean).join("; ");
    case "end": return [data.status, data.reason].filter(Boolean).join(": ");
    case "phase": return data.name ?? "";
    default: return event.data == null ? "" : json(event.data);
  }
}

// json writes a value in one line, with a little room in it.
export function json(value) {
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "";
  if (Array.isArray(value)) return `[${value.map(json).join(", ")}]`;
  return `{${Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${json(member)}`).join(", ")}}`;
}
