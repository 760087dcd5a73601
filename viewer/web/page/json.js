// A value of JSON as a tree that one can open and close, all of it text.
import { el, plural } from "./dom.js";
import { json } from "./marks.js";

const short = 60; // letters that fit in a line
const many = 200; // members shown at once

// tree returns a node for a value, with its name before it. Small values are one line; of large ones the first level is open.
export function tree(value, open = true, name = null) {
  const key = name === null ? [] : [el("span", { class: "key", text: name }), ": "];
  const scalar = value === null || typeof value !== "object";
  const entries = scalar ? [] : Object.entries(value);
  const line = json(value);
  if (scalar || line.length <= short || entries.length === 0) {
    return el("div", {}, key, el("span", { class: `json ${scalar ? typeof value : ""}`, text: line }));
  }
  const body = el("div", { class: "members" });
  const details = el("details", { class: "json", open, on: { toggle: () => grow() } },
    el("summary", {}, key, plural(entries.length, Array.isArray(value) ? "item" : "field")), body);
  const grow = () => {
    if (!details.open || body.childElementCount > 0) return;
    body.append(...entries.slice(0, many).map(([field, member]) => tree(member, false, field)));
    if (entries.length > many) body.append(el("div", { class: "quiet", text: `… and ${entries.length - many} more` }));
  };
  grow();
  return details;
}
