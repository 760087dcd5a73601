// A value of JSON as a tree that one can open and close, all of it text.
import { el } from "./dom.js";
import { json } from "./marks.js";

const short = 60; // letters that fit in a line
const many = 200; // members shown at once

// tree returns a node for a value. Small values are one line; of large ones the first level is open.
export function tree(value, open = true) {
  if (value === null || typeof value !== "object") return el("span", { class: `json ${value === null ? "null" : typeof value}`, text: json(value) });
  const entries = Object.entries(value);
  const line = json(value);
  if (line.length <= short || entries.length === 0) return el("span", { class: "json", text: line });
  const name = Array.isArray(value) ? `${entries.length} items` : `${entries.length} fields`;
  const body = el("div", { class: "members" });
  const details = el("details", { class: "json", open, on: { toggle: () => grow() } }, el("summary", { text: name }), body);
  const grow = () => {
    if (!details.open || body.childElementCount > 0) return;
    body.append(...entries.slice(0, many).map(([key, member]) => el("div", { class: "member" }, el("span", { class: "key", text: key }), ": ", tree(member, false))));
    if (entries.length > many) body.append(el("div", { class: "quiet", text: `… and ${entries.length - many} more` }));
  };
  grow();
  return details;
}
