// Bookmarks are turns with notes. They stay in this browser, for this run, and go along in a link and in a file of the run that is saved from the page.
import { button, el, put } from "./dom.js";

const place = '<script type="application/json" id="vitrine-notes">'; // in a page that is a file

// noted returns such a page with these bookmarks in it.
export function noted(html, bookmarks) {
  const begin = html.indexOf(place) + place.length;
  return html.slice(0, begin) + JSON.stringify(bookmarks).replaceAll("<", "\\u003c") + html.slice(html.indexOf("</script>", begin));
}

export class Bookmarks extends Map {
  constructor(run) {
    super();
    const inFile = document.getElementById("vitrine-notes")?.textContent ?? "[]";
    this.key = `vitrine bookmarks ${run}${inFile === "[]" ? "" : ` ${inFile}`}`; // files with other notes do not share them
    try {
      for (const [turn, note] of JSON.parse(localStorage.getItem(this.key) ?? inFile)) this.set(Number(turn), String(note));
    } catch {
      // A browser that keeps nothing, or kept something else, has no bookmarks.
    }
  }

  save() {
    try {
      localStorage.setItem(this.key, JSON.stringify(this.sorted()));
    } catch {
      // They last as long as the page.
    }
  }

  sorted() {
    return [...this].sort(([a], [b]) => a - b);
  }
}

export function bookmarksPanel(app, root) {
  const body = el("div", { class: "fill scroll" });
  root.append(body);
  app.on("bookmarks", () => {
    if (body.contains(document.activeElement)) return; // somebody writes a note
    put(body, app.bookmarks.size === 0 && el("p", { class: "quiet", text: "None yet. K sets one at the turn shown; here you can add a note to it." }),
      el("ul", { class: "bookmarks" }, app.bookmarks.sorted().map(([turn, note]) => el("li", {},
        button(`turn ${turn}`, () => app.player.seek(turn), { class: "link" }),
        el("input", { value: note, placeholder: "note", "aria-label": `Note at turn ${turn}`, on: { input: (event) => app.bookmark(turn, event.target.value) } }),
        button(`Remove the bookmark at turn ${turn}`, () => app.bookmark(turn, null), { icon: "close" })))));
  });
}
