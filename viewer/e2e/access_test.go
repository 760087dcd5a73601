package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// unnamed is a script that lists the controls which have no name that could be spoken.
func (p *page) unnamed() (bad []string) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		tree, err := cdp.Call(ctx, t, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			return err
		}
		spoken := []string{"button", "link", "textbox", "searchbox", "combobox", "slider", "spinbutton", "checkbox", "radio", "tab", "option", "listbox", "image", "separator", "dialog"}
		for _, node := range tree.Nodes {
			if node.Ignored || node.Role == nil {
				continue
			}
			role, name := unquote(node.Role.Value), ""
			if node.Name != nil {
				name = unquote(node.Name.Value)
			}
			if slices.Contains(spoken, role) && name == "" {
				bad = append(bad, fmt.Sprintf("%s %v", role, node.NodeID))
			}
		}
		return nil
	}))
	return bad
}

func unquote(raw []byte) string {
	if len(raw) < 2 {
		return ""
	}
	return string(raw[1 : len(raw)-1])
}

func TestEveryControlHasANameAndTabReachesIt(t *testing.T) {
	story := begin(t, 3)
	for range 3 {
		story.turn("hello")
	}
	p := browse(t, view(t, story.dir, "--control", "--with", play(t, "fishery.toml")).url)
	eval[any](p, `(__viewer.select("b"), __viewer.seek(3), null)`)
	p.wait(`document.querySelector(".act")`)
	p.key("k")
	named := func(what string) {
		eval[any](p, `new Promise((done) => setTimeout(() => done(null), 200))`) // for what is shown there to come
		if bad := p.unnamed(); len(bad) > 0 {
			t.Errorf("%s: no names: %v", what, bad)
		}
	}
	tabs := eval[[]string](p, `[...document.querySelectorAll(".tabs [role=tab]")].map((n) => n.id)`)
	if len(tabs) != 10 {
		t.Errorf("there are the tabs %q", tabs)
	}
	for _, tab := range append(tabs, "tab-now", "drawerTab-diff", "drawerTab-events") {
		eval[any](p, `(document.getElementById("`+tab+`").click(), null)`)
		named(tab)
	}
	for _, command := range []string{"share", "settings", "palette", "help"} {
		eval[any](p, `(__viewer.cmd("`+command+`"), null)`)
		p.wait(`document.querySelector("dialog[open]")`)
		named(command)
		if lost := eval[bool](p, `!document.querySelector("dialog").contains(document.activeElement)`); lost {
			t.Errorf("%s: the focus is not in the dialog", command)
		}
		p.key("Escape")
		p.wait(`!document.querySelector("dialog")`)
	}
	reached := map[string]bool{}
	eval[any](p, `(document.activeElement.blur(), null)`)
	for range 150 {
		p.do(chromedp.KeyEvent("\t"))
		id := eval[string](p, `(() => { const all = [...document.querySelectorAll("*")]; return String(all.indexOf(document.activeElement)); })()`)
		if reached[id] {
			break
		}
		reached[id] = true
	}
	missed := eval[[]string](p, fmt.Sprintf(`(() => {
		const reached = new Set(%s), all = [...document.querySelectorAll("*")];
		return all.filter((n, i) => n.matches("button, input, select, a[href], [tabindex='0']") && n.checkVisibility() && !n.disabled && n.tabIndex >= 0 && !reached.has(String(i)))
			.map((n) => n.outerHTML.slice(0, 120));
	})()`, keysOf(reached)))
	if len(missed) > 0 {
		t.Errorf("Tab does not reach %q", missed)
	}
}

func keysOf(set map[string]bool) string {
	var text strings.Builder
	text.WriteString("[")
	for key := range set {
		text.WriteString(quote(key) + ",")
	}
	return text.String() + "]"
}

// colors are functions of scripts: how well two colors can be told from each other, and what a node stands on.
const colors = `
	const rgb = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
	const full = (text) => text.startsWith("color(") ? rgb(text).map((v, i) => i < 3 ? v * 255 : v) : rgb(text);
	const over = (top, under) => { const a = top[3] ?? 1; return [0, 1, 2].map((i) => top[i] * a + under[i] * (1 - a)); };
	const light = (c) => c.map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((n, v, i) => n + v * [0.2126, 0.7152, 0.0722][i], 0);
	const ground = (node) => {
		const layers = [];
		for (let n = node; n; n = n.parentElement) layers.push(full(getComputedStyle(n).backgroundColor));
		return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
	};
	const ratio = (top, under) => {
		const [a, b] = [light(over(top, under)), light(under)];
		return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
	};
`

// contrast lists the texts whose color is too near to that of what they stand on.
const contrast = `(() => {` + colors + `	const bad = [];
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let text = walk.nextNode(); text; text = walk.nextNode()) {
		const node = text.parentElement;
		if (!text.textContent.trim() || !node.checkVisibility() || node.closest("svg, :disabled, .unseen, .skip, noscript, option, datalist, #painting")) continue;
		const got = ratio(full(getComputedStyle(node).color), ground(node));
		if (got < 4.5) bad.push(text.textContent.trim().slice(0, 40) + " " + got.toFixed(2));
	}
	return bad;
})()`

// graphics lists what is no text and has a color too near to that of what is beside it: edges of controls and of shapes, lines of charts, what shows
// where the focus is, and marks on the timeline, each of whose pixels has one near it that stands out.
const graphics = `(() => {` + colors + `
	const bad = [];
	const want = (what, top, under) => ratio(top, under) < 3 && bad.push(what + " " + ratio(top, under).toFixed(2));
	const seen = (selector) => [...document.querySelectorAll(selector)].filter((n) => n.checkVisibility() && !n.disabled && n.getBoundingClientRect().width > 0);
	const name = (n) => n.outerHTML.slice(0, 90);
	for (const n of seen("button:not([role=tab], .link, .bubble), input, select")) {
		const style = getComputedStyle(n), under = ground(n.parentElement);
		if (ratio(full(style.backgroundColor), under) < 3) want("edge of " + name(n), full(style.borderTopColor), under);
	}
	for (const n of seen(".edge")) want("shape " + name(n), full(getComputedStyle(n).stroke), ground(n.parentElement));
	for (const n of seen(".line, .cursor")) want("line " + name(n), full(getComputedStyle(n).stroke), ground(n.closest(".plot")));
	for (const n of seen("button, input, select, a[href], summary, [tabindex='0']")) {
		n.focus({ focusVisible: true });
		const style = getComputedStyle(n), inside = parseFloat(style.outlineOffset) < 0;
		if (document.activeElement !== n) continue;
		if (style.outlineStyle === "none") bad.push("no focus seen at " + name(n));
		else want("focus of " + name(n), full(style.outlineColor), ground(inside ? n : n.parentElement));
	}
	document.activeElement.blur();
	const canvas = document.querySelector(".ticks"), { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
	const under = ground(canvas.parentElement);
	const strong = Array.from({length: data.length / 4}, (_, i) => data[4 * i + 3] > 0 && ratio([data[4 * i], data[4 * i + 1], data[4 * i + 2], data[4 * i + 3] / 255], under) >= 3);
	let weak = 0, painted = 0;
	for (let y = 0; y < canvas.height; y++) for (let x = 0; x < canvas.width; x++) {
		if (data[4 * (y * canvas.width + x) + 3] < 128) continue;
		painted++;
		let near = false;
		for (let dy = -7; dy <= 7 && !near; dy++) for (let dx = -7; dx <= 7 && !near; dx++) near = strong[(y + dy) * canvas.width + x + dx];
		weak += !near;
	}
	if (weak > 0 || painted < 1000) bad.push(weak + " of " + painted + " pixels of the timeline");
	return bad;
})()`

func TestTextAndGraphicsStandOutFromTheirGround(t *testing.T) {
	story := begin(t, 3)
	for range 4 {
		story.turn("hello")
	}
	story.end()
	p := browse(t, view(t, story.dir).url)
	eval[any](p, `(__viewer.select("c"), __viewer.seek(4), null)`)
	p.wait(`document.querySelector(".act")`)
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error { // else a page in the background has no focus to be seen
		_, err := cdp.Call(ctx, t, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
		return err
	}))
	for _, scheme := range []string{"dark", "light"} {
		p.media("prefers-color-scheme", scheme)
		for _, tab := range []string{"events", "diff", "charts"} {
			eval[any](p, `(document.querySelector("#drawerTab-`+tab+`").click(), new Promise((done) => setTimeout(() => done(null), 400)))`)
			if bad := eval[[]string](p, contrast); len(bad) > 0 {
				t.Errorf("%s, %s: too little contrast: %q", scheme, tab, bad)
			}
			if bad := eval[[]string](p, graphics); len(bad) > 0 {
				t.Errorf("%s, %s: too little contrast of graphics: %q", scheme, tab, bad)
			}
		}
		p.shoot("scheme " + scheme)
	}
}

// overlaps lists controls that lie on each other or reach out of the window.
const overlaps = `(() => {
	const boxes = [...document.querySelectorAll("#header > *, .transport > *, #tools .bar > *, #canvas, #timeline .strip > *, .tabs > *, #narrow > *, .bar > *")]
		.filter((n) => n.checkVisibility()).map((n) => [n, n.getBoundingClientRect()]).filter(([, b]) => b.width > 0 && b.height > 0);
	const bad = [];
	for (const [n, b] of boxes) {
		if (b.right > innerWidth + 1 || b.left < -1) bad.push("out of the window: " + n.outerHTML.slice(0, 80));
		for (const [m, c] of boxes) {
			if (n === m || n.contains(m) || m.contains(n)) continue;
			if (b.left < c.right - 1 && c.left < b.right - 1 && b.top < c.bottom - 1 && c.top < b.bottom - 1) bad.push(n.outerHTML.slice(0, 60) + " on " + m.outerHTML.slice(0, 60));
		}
	}
	return bad;
})()`

func TestLettersOfAnySizeLeaveRoomForAll(t *testing.T) {
	p := browse(t, view(t, play(t, "fishery.toml")).url)
	eval[any](p, `(__viewer.select("b"), __viewer.seek(3), __viewer.settled().then(() => null))`)
	p.key("e")
	p.key("Escape")
	for range 4 {
		eval[any](p, `(__viewer.cmd("smaller"), null)`)
	}
	for scale := 0.8; scale < 2.05; scale += 0.1 {
		p.settle()
		if bad := eval[[]string](p, overlaps); len(bad) > 0 {
			t.Errorf("letters of %.1f: %q", scale, bad)
		}
		if got := eval[float64](p, `parseFloat(getComputedStyle(document.documentElement).fontSize) / 16`); got < scale-0.01 || got > scale+0.01 {
			t.Errorf("letters are %.2f times as large, not %.1f", got, scale)
		}
		if int(scale*10+0.5)%6 == 2 {
			p.shoot(fmt.Sprintf("letters %.1f", scale))
		}
		eval[any](p, `(__viewer.cmd("larger"), new Promise((done) => setTimeout(() => done(null), 50)))`)
	}
}

func TestWhoWantsLessMotionHasNone(t *testing.T) {
	p := browse(t, view(t, play(t, "fishery.toml")).url)
	const moving = `[...document.querySelectorAll("*")].filter((n) => {
		const style = getComputedStyle(n);
		return style.transitionDuration !== "0s" || style.animationName !== "none" || style.scrollBehavior !== "auto";
	}).length`
	for preference, want := range map[string]bool{"no-preference": true, "reduce": false} {
		p.media("prefers-reduced-motion", preference)
		if n := eval[int](p, moving); (n > 0) != want {
			t.Errorf("%s: %d nodes move", preference, n)
		}
	}
}

func TestANarrowWindowHasTabsUnderTheWorld(t *testing.T) {
	p := browse(t, view(t, play(t, "fishery.toml")).url)
	p.do(chromedp.EmulateViewport(700, 900))
	p.wait(`document.body.classList.contains("narrow")`)
	for _, panel := range []string{"agents", "inspector", "drawer"} {
		p.click(`[data-panel=` + panel + `]`)
		shown := eval[[]string](p, `["agents", "inspector", "drawer"].filter((id) => document.getElementById(id).checkVisibility())`)
		if !slices.Equal(shown, []string{panel}) {
			t.Errorf("with the tab %s one sees %v", panel, shown)
		}
		if bad := eval[[]string](p, overlaps); len(bad) > 0 {
			t.Errorf("%s: %q", panel, bad)
		}
		p.shoot("narrow " + panel)
	}
}

func TestInANarrowWindowASearchShowsWhatItFinds(t *testing.T) {
	s := view(t, play(t, "fishery.toml"))
	p := browse(t, s.url)
	p.do(chromedp.EmulateViewport(800, 900))
	p.wait(`document.body.classList.contains("narrow") && !document.getElementById("drawer").checkVisibility()`)
	p.key("/")
	for _, letter := range "collapse" {
		p.key(string(letter))
	}
	p.key("Enter")
	p.wait(`document.getElementById("drawer").checkVisibility() && document.querySelector("#drawerTab-events-panel .event")?.checkVisibility()`)
	found := get[struct{ Total int }](t, s, "api/events?q=collapse")
	p.wait(fmt.Sprintf(`/(^|\D)%d found/.test(document.getElementById("drawer").innerText)`, found.Total))
	p.shoot("narrow search")
}
