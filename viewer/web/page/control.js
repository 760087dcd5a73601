// What an operator may do to the run, where the viewer was started for that. All of it goes into the log.
import { button, el } from "./dom.js";
import { section } from "./inspector.js";
import { seat } from "./seat.js";

const patience = 4000; // milliseconds after which one who has not said twice that the run shall stop has not meant it

export function control(app, root) {
  const may = (name) => (app.run.controls ?? []).includes(name);
  const answer = el("p", { role: "status", class: "quiet answer" });
  const send = async (command) => {
    answer.textContent = "…";
    try {
      await app.source.control(command);
      answer.textContent = `done: ${command.do}`;
      return true;
    } catch (err) {
      answer.textContent = [err.message, err.hint].filter(Boolean).join(" – ");
      return false;
    }
  };
  const say = (text) => (answer.textContent = text);
  const form = (name, fields, command) => el("form", {
    class: "bar", on: {
      submit: (event) => {
        event.preventDefault();
        try {
          send(command());
        } catch (err) {
          answer.textContent = err.message;
        }
      },
    },
  }, ...fields, el("button", { type: "submit", text: name }));
  const field = (label, props = {}) => el("input", { "aria-label": label, placeholder: label, ...props });

  const stop = button("stop the run", () => {
    if (stop.dataset.sure) send({ do: "stop" });
    sure(!stop.dataset.sure);
  }, { class: "danger" });
  let calm = 0;
  const sure = (is) => {
    stop.dataset.sure = is ? "yes" : "";
    stop.textContent = is ? "really stop it?" : "stop the run";
    clearTimeout(calm);
    if (is) calm = setTimeout(() => sure(false), patience);
  };
  const to = el("select", { "aria-label": "Agent" },
    el("option", { value: "", text: "everybody" }), app.run.agents.map((a) => el("option", { value: a.name, text: a.name })));
  const text = field("what to tell", { required: true });
  const [path, value] = [field("path of a fact", { required: true }), field("value, as JSON")];
  const fresh = el("input", { type: "checkbox" });
  const seats = app.run.agents.filter((a) => a.kind === "human");
  const json = (input, name) => {
    try {
      return JSON.parse(input.value);
    } catch {
      throw new Error(`${name} is no JSON: ${input.value}`);
    }
  };
  const all = el("div", { class: "fill scroll columns" }, answer,
    may("act") && seats.length > 0 && section("Play a seat", seat(app, seats, send, say)),
    section("The run", el("div", { class: "bar" }, ["pause", "continue", "step"].filter(may).map((name) => button(name, () => send({ do: name }))), may("stop") && stop)),
    may("tell") && section("Tell", form("tell", [to, text], () => ({ do: "tell", agent: to.value, text: text.value }))),
    (may("set") || may("delete")) && section("Facts",
      form("set", [path, value, el("label", {}, fresh, " a new one")], () => ({ do: "set", path: path.value, value: json(value, "the value"), new: fresh.checked })),
      may("delete") && button("delete that fact", () => path.reportValidity() && send({ do: "delete", path: path.value }))));
  const over = el("p", { class: "quiet fill", text: "The run is over: nobody can change it any more." });
  root.append(all, over);
  app.on("runState", () => {
    all.hidden = app.state.runState === "over";
    over.hidden = !all.hidden;
  });
}
