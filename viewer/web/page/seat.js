// A seat that is played by hand: whose move it is, what it may do, and a field for each argument of that.
import { Latest, el, put } from "./dom.js";
import { args } from "./schema.js";

// seat returns the form in which a person plays a seat of those that are played by hand. It sends commands by send,
// which promises whether they were done, and says what is missing before that.
export function seat(app, seats, send, say) {
  let [known, moves] = ["", []];
  const who = el("select", { "aria-label": "Seat", on: { change: () => loader.ask() } }, seats.map((a) => el("option", { value: a.name, text: a.name })));
  const what = el("select", { "aria-label": "Action", on: { change: () => choose() } });
  const turn = el("p", { role: "status" });
  const about = el("p", { class: "quiet" });
  const fields = el("div");
  let inputs = [];

  let shown = "";

  const choose = () => {
    const typed = new Map(what.value === shown ? inputs.map(({ arg, input }) => [arg.name, input.value]) : []);
    shown = what.value;
    const action = moves.find((a) => a.name === what.value) ?? {};
    about.textContent = action.description ?? "";
    inputs = args(action).map((arg) => ({ arg, ...field(arg) }));
    for (const { arg, input } of inputs) if (typed.get(arg.name)) input.value = typed.get(arg.name);
    put(fields, inputs.map(({ arg, input }) => el("label", { class: "argument" }, el("b", { text: arg.name }), input, el("small", { text: arg.words }))));
  };

  const loader = new Latest(async () => {
    const { drawer, drawerTab, turns } = app.state;
    if (!drawer || drawerTab !== "control" || app.state.runState === "over") return;
    const all = await app.source.get("agents", { turn: turns });
    const asked = all.filter((a) => a.doing === "thinking" && seats.some((s) => s.name === a.name)).map((a) => a.name);
    turn.textContent = asked.length > 0 ? `your move: ${asked.join(", ")}` : "nobody waits for you";
    turn.className = asked.length > 0 ? "move" : "quiet";
    if (known === "" && asked.length > 0) who.value = asked[0];
    const at = await app.source.get("agent", { name: who.value, turn: turns });
    const now = JSON.stringify([at.name, at.actions_legal]);
    if (now === known) return;
    known = now;
    moves = [...at.actions_legal, { name: "pass", description: "Do nothing this once." }];
    const was = what.value;
    put(what, moves.map((a) => el("option", { value: a.name, text: a.name })));
    if (moves.some((a) => a.name === was)) what.value = was;
    choose();
  }, 250);
  app.on("lastSeq runState drawer drawerTab", () => loader.ask());

  const command = () => {
    const given = inputs.map(({ arg, value }) => [arg.name, value()]).filter(([, value]) => value !== undefined);
    return { do: "act", agent: who.value, name: what.value, args: Object.fromEntries(given) };
  };
  const form = el("form", {
    class: "seat", novalidate: true, on: {
      submit: async (event) => {
        event.preventDefault();
        const wrong = inputs.filter(({ input }) => !input.checkValidity());
        if (wrong.length === 0) return (await send(command())) && form.reset();
        say(wrong.map(({ arg, input }) => (input.validity.valueMissing ? `${arg.name} is missing` : `${arg.name} must be: ${arg.words}`)).join("; "));
        wrong[0].input.focus();
      },
    },
  }, turn, el("div", { class: "bar" }, who, what), about, fields, el("button", { type: "submit", text: "act" }));
  return form;
}

// field returns an input for an argument, and what reads its value; undefined: it is left out.
function field({ name, schema, needed }) {
  const props = { "aria-label": name, required: needed };
  if (schema.type === "array" && Array.isArray(schema.items?.enum)) {
    const input = el("select", { ...props, multiple: true }, options(schema.items.enum));
    return { input, value: () => (input.selectedOptions.length > 0 || needed ? [...input.selectedOptions].map((o) => JSON.parse(o.value)) : undefined) };
  }
  const choices = schema.type === "boolean" ? [true, false] : schema.enum;
  if (Array.isArray(choices)) {
    const input = el("select", props, el("option", { value: "", text: "" }), options(choices));
    return { input, value: () => (input.value === "" ? undefined : JSON.parse(input.value)) };
  }
  if (schema.type === "integer" || schema.type === "number") {
    const input = el("input", { ...props, type: "number", min: schema.minimum, max: schema.maximum, step: schema.type === "integer" ? 1 : "any" });
    return { input, value: () => (input.value === "" ? undefined : input.valueAsNumber) };
  }
  if (schema.type === "string") {
    const input = el("textarea", { ...props, rows: 2, minlength: schema.minLength, maxlength: schema.maxLength });
    return { input, value: () => (input.value === "" && !needed ? undefined : input.value) };
  }
  const input = el("textarea", {
    ...props, rows: 2, placeholder: "as JSON", on: { input: () => input.setCustomValidity(input.value === "" || isJSON(input.value) ? "" : "this is no JSON") },
  });
  return { input, value: () => (input.value === "" ? undefined : JSON.parse(input.value)) };
}

const options = (values) => values.map((value) => el("option", { value: JSON.stringify(value), text: typeof value === "string" ? value : JSON.stringify(value) }));

function isJSON(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
