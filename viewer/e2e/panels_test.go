package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/vitrine-sim/vitrine/world"
)

func TestTheInspectorSaysWhatTheLogSays(t *testing.T) {
	dir := play(t, "bazaar.toml")
	p := browse(t, view(t, dir).url)
	events := logOf(t, dir)
	random := rand.New(rand.NewPCG(2, 2))
	for range 20 {
		ev := events[random.IntN(len(events))]
		if ev.Kind != "action" {
			continue
		}
		var act struct {
			Name string         `json:"name"`
			Args map[string]any `json:"args"`
		}
		if err := json.Unmarshal(ev.Data, &act); err != nil {
			t.Fatal(err)
		}
		eval[any](p, fmt.Sprintf(`(__viewer.select(%s), __viewer.seek(%d), null)`, quote(ev.Agent), ev.Turn))
		p.wait(fmt.Sprintf(`document.querySelector("#inspector h2").textContent === %s && [...document.querySelectorAll(".act")].some((a) => a.textContent.includes("event %d"))`,
			quote(ev.Agent), ev.Seq))
		got := eval[string](p, fmt.Sprintf(`[...document.querySelectorAll(".act")].find((a) => a.textContent.includes("event %d")).textContent`, ev.Seq))
		if !strings.HasPrefix(got, act.Name+" event") {
			t.Errorf("turn %d, %s: %q is not %q", ev.Turn, ev.Agent, got, act.Name)
		}
		for name, value := range act.Args {
			if want := fmt.Sprintf("%q: %s", name, world.JSON(value)); !strings.Contains(got, want) {
				t.Errorf("turn %d, %s: no %s in %q", ev.Turn, ev.Agent, want, got)
			}
		}
	}
	p.shoot("inspector")
}

// Where agents act several times in a turn, each act stands below what its agent saw then, and nothing that comes later is there.
func TestWhatAnAgentSawStandsAboveWhatItDidThen(t *testing.T) {
	dir := play(t, "village.toml")
	events := logOf(t, dir)
	var turn, steps int
	var went world.Event // somewhere else, with acts before or after it in the same turn
	for _, ev := range events {
		var act struct {
			Name string
			Args struct{ To string }
		}
		if ev.Kind == "action" && json.Unmarshal(ev.Data, &act) == nil && act.Name == "go" && ev.Turn > 0 {
			went, turn = ev, ev.Turn
			break
		}
	}
	s := view(t, dir)
	url, _ := exported(t, dir)
	moment := fmt.Sprintf("#t=%d&a=%s", turn, went.Agent)
	served, file := browse(t, s.url+moment), browse(t, url+moment)
	const heads = `[...document.querySelectorAll("#tab-now-panel h3")].map((h) => h.textContent).filter((h) => h === "Saw" || h === "Did").join(" ")`
	const place = `document.querySelector("#tab-now-panel section").textContent`
	var at string // as the turn begins
	if err := json.Unmarshal(get[struct{ Facts map[string]json.RawMessage }](t, s, fmt.Sprintf("api/state?turn=%d&limit=5000", turn)).Facts["at/"+went.Agent], &at); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*page{served, file} {
		p.wait(heads + `.startsWith("Saw Did Saw Did")`)
		if got := eval[string](p, heads); strings.HasSuffix(got, "Saw") {
			t.Errorf("a turn that is over has %s", got)
		}
		if got := eval[string](p, place); !strings.Contains(got, `you_are_at: "`+at+`"`) {
			t.Errorf("who was at %s saw %s", at, got)
		}
	}
	served.shoot("saw and did")
	for _, step := range get[[]struct{ Seq int64 }](t, s, fmt.Sprintf("api/steps?turn=%d", turn)) {
		acts := 0
		for _, ev := range events {
			if ev.Turn == turn && ev.Seq <= step.Seq && ev.Agent == went.Agent && ev.Kind == "action" {
				acts++
			}
		}
		for _, p := range []*page{served, file} {
			eval[any](p, fmt.Sprintf(`(__viewer.seek(%d, %d), null)`, turn, step.Seq))
			want := strings.Repeat("Saw Did ", acts) + "Saw"
			if acts == 0 {
				want += " Did" // nothing yet
			}
			p.wait(heads + ` === ` + quote(want))
		}
		const text = `document.querySelector("#tab-now-panel").innerText`
		if a, b := eval[string](served, text), eval[string](file, text); a != b {
			t.Errorf("event %d\nserved: %s\nfile:   %s", step.Seq, a, b)
		}
		steps++
	}
	if steps < 2 {
		t.Errorf("turn %d has %d steps", turn, steps)
	}
	served.shoot("saw next")
}

func TestWhatAgentsWriteIsOnlyText(t *testing.T) {
	story := begin(t, 3)
	story.turn(hostile)
	story.turn("")
	story.end()
	p := browse(t, view(t, story.dir).url)
	eval[any](p, `(__viewer.select("a"), __viewer.seek(3), __viewer.settled().then(() => null))`)
	p.wait(`document.querySelector("#inspector").textContent.includes("onerror") && document.querySelector("#drawer").textContent.includes("onerror")`)
	for _, tab := range []string{"diff", "charts", "bookmarks", "events"} {
		eval[any](p, `(document.querySelector("#drawerTab-`+tab+`").click(), null)`)
	}
	for _, tab := range []string{"transcript", "facts", "stats", "now"} {
		eval[any](p, `(document.querySelector("#tab-`+tab+`").click(), null)`)
	}
	p.settle()
	if eval[bool](p, `Boolean(globalThis.pwned || document.querySelector("body img, #inspector script, #drawer script"))`) {
		t.Error("what an agent wrote has become a part of the page")
	}
	if text := eval[string](p, `document.body.textContent`); strings.ContainsRune(text, '\x1b') {
		t.Error("an escape character is on the page")
	} else if !strings.Contains(text, "魚は少ない 🐟") {
		t.Error("letters are missing")
	}
	p.shoot("hostile")
}

// Rules, or whoever has sent a run, can write events of any kind with any data. One that the page does not understand keeps none of the others from sight.
func TestOddEventsAreInTheLogLikeOthers(t *testing.T) {
	story := begin(t, 1)
	deep := strings.Repeat("[", 900) + strings.Repeat("]", 900)
	odd := []world.Event{
		{Kind: "message", Agent: "a", Data: []byte(`{"text":{"a":1},"to":"bob"}`)},
		{Kind: "message", Agent: "a", Data: []byte(`7`)},
		{Kind: "message", Agent: "a", Data: []byte(`{"to":[{}]}`)},
		{Kind: "__proto__", Agent: "a", Data: []byte(`{"__proto__":{"x":1},"constructor":null}`)},
		{Kind: "constructor", Data: []byte(`[]`)},
		{Kind: "toString"},
		{Kind: "action", Agent: "b", Data: []byte(`{"args":` + deep + `,"name":"x"}`)},
		{Kind: "action", Agent: "b", Data: []byte(`{"args":"text","name":[]}`)},
		{Kind: "refusal", Agent: "c", Data: []byte(`[1]`)},
		{Kind: "tamper", Agent: "c", Data: []byte(`"x"`), Proc: []byte(`3`)},
		{Kind: "conflict", Data: []byte(`{"claims":5}`)},
		{Kind: "error", Agent: "d", Data: []byte(`false`), Proc: []byte(`[]`)},
		{Kind: "phase", Data: []byte(`9`)},
		{Kind: "x", Data: []byte(deep)},
		{Kind: "x", Set: map[string]json.RawMessage{"__proto__": []byte(`{"a":` + deep + `}`), "constructor": []byte("1"), "hasOwnProperty": []byte("null")}},
	}
	story.commit(odd...)
	story.commit(world.Event{Kind: world.KindTurn})
	story.commit(world.Event{Kind: "last"})
	p := newTab(t)
	p.before(`globalThis.failures = []; addEventListener("error", (e) => failures.push(e.message)); addEventListener("unhandledrejection", (e) => failures.push(String(e.reason)))`)
	p.before(`const { warn } = console; console.warn = (...args) => (failures.push(args.join(" ")), warn(...args))`)
	p.open(view(t, story.dir).url)
	eval[any](p, `(__viewer.select("b"), __viewer.seek(1), __viewer.settled().then(() => null))`)
	for _, kind := range []string{"__proto__", "constructor", "toString", "conflict", "phase", "message", "action", "refusal", "tamper", "error", "x", "last"} {
		eval[any](p, fmt.Sprintf(`(() => { const kind = document.querySelector('[aria-label="Kind of event"]'); kind.value = %q; kind.dispatchEvent(new Event("input")); return null; })()`, kind))
		p.wait(fmt.Sprintf(`((kinds) => kinds.length > 0 && kinds.every((e) => e.textContent === %q))([...document.querySelectorAll("#drawer .event .kind")])`, kind))
	}
	for _, tab := range []string{"now", "facts", "stats", "transcript"} {
		eval[any](p, `(document.querySelector("#tab-`+tab+`").click(), null)`)
		p.settle()
	}
	for _, tab := range []string{"diff", "charts", "bookmarks", "events"} {
		eval[any](p, `(document.querySelector("#drawerTab-`+tab+`").click(), null)`)
		p.settle()
	}
	for turn := range 2 {
		eval[any](p, fmt.Sprintf(`(__viewer.seek(%d), __viewer.settled().then(() => null))`, turn))
	}
	if failures := eval[[]string](p, `failures`); len(failures) > 0 {
		t.Errorf("the page fails: %q", failures)
	}
}

func TestTheLogFindsWhatASearchOfTheFileFinds(t *testing.T) {
	dir := play(t, "life.toml")
	s := view(t, dir)
	p := browse(t, s.url)
	p.wait(`document.querySelectorAll("#drawer .event").length > 0`)
	events := logOf(t, dir)
	if sum := eval[string](p, `document.querySelector("#drawer [role=status]").textContent`); sum != fmt.Sprintf("%d events", len(events)) {
		t.Errorf("%q for %d events", sum, len(events))
	}
	count := func(takes func(world.Event) bool) (n int) {
		for _, ev := range events {
			if takes(ev) {
				n++
			}
		}
		return n
	}
	filter := func(values map[string]string) string {
		return `(async () => {
			for (const [name, value] of Object.entries(` + string(world.JSON(values)) + `)) {
				const node = document.querySelector("#drawer [aria-label='" + name + "']");
				node.value = value;
				node.dispatchEvent(new Event("input", {bubbles: true}));
			}
		})()`
	}
	for _, search := range []struct {
		values map[string]string
		takes  func(world.Event) bool
	}{
		{
			map[string]string{"Agent in the log": "c", "Kind of event": "tile", "from turn": "5", "to turn": "9"},
			func(ev world.Event) bool { return ev.Agent == "c" && ev.Kind == "tile" && ev.Turn >= 5 && ev.Turn <= 9 },
		},
		{
			map[string]string{"Agent in the log": "", "Kind of event": "turn", "from turn": "", "to turn": "99"},
			func(ev world.Event) bool { return ev.Kind == "turn" && ev.Turn <= 99 },
		},
	} {
		eval[any](p, filter(search.values))
		want := fmt.Sprintf("%d found", count(search.takes))
		p.wait(`document.querySelector("#drawer [role=status]").textContent === ` + quote(want))
	}
	if rows := eval[int](p, `document.querySelectorAll("#drawer .event").length`); rows == 0 || rows > 200 {
		t.Errorf("%d rows are in the page", rows)
	}
	// A click on a row goes to its event.
	p.click("#drawer .event:nth-child(3)")
	p.wait(`__viewer.state().event !== null`)
	if st := p.state(); st.Turn != 2 && st.Turn != 3 {
		t.Errorf("the third turn event led to turn %d", st.Turn)
	}
	p.shoot("log")
}

func TestALongLogScrollsToAnyOfItsEvents(t *testing.T) {
	dir := play(t, "life.toml")
	p := browse(t, view(t, dir).url)
	p.wait(`document.querySelectorAll("#drawer .event").length > 0`)
	last := len(logOf(t, dir))
	eval[any](p, `(() => { const list = document.querySelector("#drawer .list"); list.scrollTop = list.scrollHeight; return null; })()`)
	p.wait(fmt.Sprintf(`[...document.querySelectorAll("#drawer .event .number")].some((n) => n.textContent === "%d")`, last))
	if rows := eval[int](p, `document.querySelectorAll("#drawer [role=option]").length`); rows > 200 {
		t.Errorf("%d rows are in the page", rows)
	}
}

func TestALinkAsksForNoOtherTurnThanItsOwn(t *testing.T) {
	p := browse(t, view(t, play(t, "village.toml")).url+"#t=3&a=isa")
	if st := p.state(); st.Turn != 3 || st.Agent != "isa" || st.DrawnTurn != 3 {
		t.Errorf("the page is at turn %d, with that of turn %d drawn, and %q selected", st.Turn, st.DrawnTurn, st.Agent)
	}
	asked := eval[[]string](p, `performance.getEntriesByType("resource").map((e) => new URL(e.name)).filter((u) => u.searchParams.has("turn")).map((u) => u.pathname.replace(/.*[/]api/, "api") + " " + u.searchParams.get("turn"))`)
	for _, one := range asked {
		if !strings.HasSuffix(one, " 3") {
			t.Errorf("it asks for %s", one)
		}
	}
	if !slices.Contains(asked, "api/frame 3") {
		t.Errorf("it asks for %q, and for no frame", asked)
	}
	p.shoot("link")
}

func TestALinkToATurnShowsTheLogThere(t *testing.T) {
	s := view(t, play(t, "life.toml"))
	for range 3 { // the log may come before it is known which events are of which turn, and after it
		p := browse(t, s.url+"#t=9")
		p.wait(`document.querySelector("#drawer .event.here") !== null`)
	}
}

func TestAConflictNamesWinnerLoserAndReason(t *testing.T) {
	story := begin(t, 3)
	for range 4 {
		story.turn("mine")
	}
	story.end()
	p := browse(t, view(t, story.dir).url)
	eval[any](p, `(__viewer.speed(0.5), __viewer.play(true), null)`)
	p.key("x")
	p.wait(`__viewer.state().turn === 3 && !__viewer.state().playing && document.querySelector(".conflict")`)
	text := eval[string](p, `document.querySelector(".conflict").textContent`)
	for _, want := range []string{"won: b", "lost: c", "b has taken boats/0"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
	p.wait(`document.querySelector(".changes [data-path='boats/0'] .after")?.textContent === '"b"'`)
	p.key("x")
	p.wait(`__viewer.state().turn === 4`)
	p.shoot("conflict")
	p.key("ArrowRight", chromedp.ModifierAlt)
	p.wait(`__viewer.state().turn === 5`)
	p.key("ArrowLeft", chromedp.ModifierAlt)
	p.wait(`__viewer.state().turn === 4`)
}

func TestEachCommandIsInTheHelpAndThePalette(t *testing.T) {
	p := browse(t, view(t, play(t, "fishery.toml")).url)
	var ids, keys []string
	for _, c := range eval[[]struct {
		ID   string
		Keys []string
		Name string
	}](p, `__viewer.commands()`) {
		if c.Name == "" || slices.Contains(ids, c.ID) {
			t.Errorf("command %q has no name, or is there twice", c.ID)
		}
		ids = append(ids, c.ID)
		for _, key := range c.Keys {
			if slices.Contains(keys, key) {
				t.Errorf("two commands have the key %s", key)
			}
			keys = append(keys, key)
		}
	}
	slices.Sort(ids)
	for _, key := range []string{"?", "Ctrl+k"} {
		if key == "?" {
			p.key("?", shift...)
		} else {
			p.key("k", chromedp.ModifierCtrl)
		}
		p.wait(`document.querySelector("dialog[open]")`)
		shown := eval[[]string](p, `[...document.querySelectorAll("dialog [data-command]")].map((n) => n.dataset.command)`)
		slices.Sort(shown)
		if !slices.Equal(shown, ids) {
			t.Errorf("%s shows %v, not %v", key, shown, ids)
		}
		if n := eval[int](p, `[...document.querySelectorAll("dialog dt")].filter((n) => !n.textContent.trim()).length`); n > 0 {
			t.Errorf("%s: %d commands have nothing where their keys are", key, n)
		}
		p.shoot("dialog " + key)
		p.key("Escape")
		p.wait(`!document.querySelector("dialog")`)
	}
	p.key("k", chromedp.ModifierCtrl)
	p.wait(`document.activeElement.getAttribute("aria-label") === "Command"`)
	p.do(chromedp.KeyEvent("turn 7\r"))
	p.wait(`__viewer.state().turn === 7 && !document.querySelector("dialog")`)
}

func TestBookmarksStayAndGoAlongInALink(t *testing.T) {
	s := view(t, play(t, "fishery.toml"))
	p := browse(t, s.url+"#t=4&a=c")
	if st := p.state(); st.Turn != 4 || st.Agent != "c" {
		t.Fatalf("the link leads to turn %d, agent %q", st.Turn, st.Agent)
	}
	p.key("k")
	p.click("#drawerTab-bookmarks")
	p.click(".bookmarks input")
	p.do(chromedp.KeyEvent("why, 10?"))
	eval[any](p, `(__viewer.seek(9), null)`)
	p.wait(`location.hash.includes("t=9")`)
	p.do(chromedp.Navigate("about:blank"))
	p.open(s.url)
	p.click("#drawerTab-bookmarks")
	p.wait(`document.querySelector(".bookmarks input").value === "why, 10?"`)
	p.shoot("bookmarks")
	eval[any](p, `(__viewer.cmd("share"), null)`)
	link := eval[string](p, `document.querySelector("dialog input").value`)
	eval[any](p, `(localStorage.clear(), null)`)
	p.do(chromedp.Navigate("about:blank"))
	p.open(link)
	p.wait(`document.querySelector(".bookmarks input")?.value === "why, 10?"`)
}

func TestThePageSaysThatATurnIsNotThere(t *testing.T) {
	s := view(t, play(t, "fishery.toml"))
	p := browse(t, s.url)
	said := func(how string) {
		p.wait(`document.getElementById("notice").checkVisibility()`)
		if got := eval[string](p, `document.getElementById("notice").textContent`); !strings.Contains(got, "there is no turn 99") || p.state().Turn != p.state().Turns {
			t.Errorf("%s: the page is at turn %d and says %q", how, p.state().Turn, got)
		}
	}
	eval[any](p, `(() => {
		const turn = document.querySelector(".transport .turn");
		turn.value = "99";
		turn.dispatchEvent(new Event("change"));
		return null;
	})()`)
	said("field")
	p.do(chromedp.Navigate("about:blank"))
	p.open(s.url + "#t=99")
	said("link")
	p.do(chromedp.Navigate("about:blank"))
	p.open(s.url)
	p.key("k", chromedp.ModifierCtrl)
	p.wait(`document.activeElement.getAttribute("aria-label") === "Command"`)
	p.do(chromedp.KeyEvent("99\r"))
	said("palette")
}

func TestTheRefusalsOfAnAgentAreFoundWithTheirReasons(t *testing.T) {
	story := begin(t, 3)
	for range 4 {
		story.turn("")
	}
	story.end()
	p := browse(t, view(t, story.dir).url)
	eval[any](p, `(__viewer.select("c"), __viewer.seek(6), document.getElementById("tab-stats").click(), null)`)
	p.wait(`document.querySelector("#inspector dl button")?.textContent === "4: why?"`)
	p.click("#inspector dl button")
	p.wait(`document.querySelector("#drawer [role=status]").textContent === "4 found"`)
	if rows := eval[[]string](p, `[...document.querySelectorAll("#drawer .event .value")].map((n) => n.textContent)`); len(rows) != 4 || rows[0] != "take: b has taken boats/0" {
		t.Errorf("the log shows %q", rows)
	}
	p.shoot("refusals")
}
