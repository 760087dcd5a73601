package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestChartsHaveTheFiguresOfTheMetricsAndFollowTheTurn(t *testing.T) {
	s := view(t, play(t, "fishery.toml"))
	p := browse(t, s.url)
	p.key("g")
	p.wait(`document.querySelectorAll("[data-metric]").length > 0`)
	figure := func(turn int, metric string) float64 {
		eval[any](p, fmt.Sprintf(`(__viewer.seek(%d), __viewer.settled().then(() => null))`, turn))
		return eval[float64](p, fmt.Sprintf(`Number(document.querySelector("[data-metric='%s'] figcaption b").textContent)`, metric))
	}
	near := func(a, b float64) bool { return a > b-0.001 && a < b+0.001 }
	plot := get[struct {
		Turns  []int
		Series []struct {
			Name   string
			Values []*float64
		}
	}](t, s, "api/metrics?points=500")
	for _, series := range plot.Series {
		for i, want := range series.Values {
			if got := figure(plot.Turns[i], series.Name); want != nil && !near(got, *want) {
				t.Errorf("turn %d: %s is %g, not %g", plot.Turns[i], series.Name, got, *want)
			}
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(string(fetch(t, s, "api/metrics.csv"))), "\n")[1:] {
		cells := strings.Split(line, ",") // scenario, seed, metric, value, unit
		want, err := strconv.ParseFloat(cells[3], 64)
		if got := figure(p.state().Turns, cells[2]); err != nil || !near(got, want) {
			t.Errorf("at the end %s is %g, and in the file %s", cells[2], got, cells[3])
		}
	}
	if n := eval[int](p, `Math.max(...[...document.querySelectorAll(".line")].map((l) => Number(l.dataset.points)))`); n > 500 {
		t.Errorf("a chart has %d points", n)
	}
	eval[any](p, `(__viewer.seek(0), null)`)
	box := eval[[]float64](p, `(() => { const b = document.querySelector(".plot svg").getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()`)
	p.do(chromedp.MouseClickXY(box[0], box[1]))
	if st := p.state(); st.Turn < st.Turns/2-1 || st.Turn > st.Turns/2+1 {
		t.Errorf("a click in the middle of a chart leads to turn %d of %d", st.Turn, st.Turns)
	}
	p.shoot("charts")
}

func TestTwoRunsAreSeenBesideEachOtherFromWhereTheyPart(t *testing.T) {
	one, other, same := play(t, "fishery.toml"), play(t, "fishery.toml", "--policy", "greedy"), play(t, "fishery.toml")
	p := browse(t, view(t, one, "--with", other).url)
	p.wait(`document.querySelector("#drawerTab-compare-panel").textContent.includes("They part in turn 0. ` + one + `: a asks for fish tons=10; ` + other + `: a asks for fish tons=100.")`)
	p.wait(`document.querySelector("p.first").innerText === ` + quote(one) + ` && document.querySelector("p.second").innerText === ` + quote(other) + ` && document.querySelector("canvas.second").checkVisibility()`)
	p.key("ArrowRight")
	p.wait(`document.querySelector("#drawerTab-compare-panel table")?.textContent.includes("lake/tons")`)
	if differ := eval[bool](p, `(() => {
		const pixels = (c) => c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
		const [a, b] = [pixels(document.getElementById("canvas")), pixels(document.querySelector("canvas.second"))];
		return a.length === b.length && a.some((v, i) => v !== b[i]);
	})()`); !differ {
		t.Error("both halves of the stage are the same, or not of one size")
	}
	p.shoot("compare")
	p.key("l")
	p.wait(`!document.querySelector("canvas.second").checkVisibility()`)

	// Their metrics lie over each other: each chart has a line for either run, at the figures of that run.
	lines := func(p *page) (first, second []string) {
		t.Helper()
		p.key("g")
		p.wait(`document.querySelectorAll("[data-metric]").length > 0`)
		return eval[[]string](p, `[...document.querySelectorAll(".line:not(.other)")].map((l) => l.getAttribute("d"))`),
			eval[[]string](p, `[...document.querySelectorAll(".line.other")].map((l) => l.getAttribute("d"))`)
	}
	first, second := lines(p)
	if len(first) == 0 || len(first) != len(second) || slices.Equal(first, second) {
		t.Errorf("the charts have the lines %q of one run and %q of the other", first, second)
	}
	p.shoot("compare charts")

	p = browse(t, view(t, one, "--with", same).url)
	p.wait(`document.querySelector("#drawerTab-compare-panel").textContent.includes("are the same")`)
	if first, second := lines(p); len(first) == 0 || !slices.Equal(first, second) {
		t.Errorf("of two runs that are the same the charts have the lines %q and %q", first, second)
	}
	p.key("v")
	p.wait(`document.querySelector("#drawerTab-compare-panel").textContent.includes("are the same") && document.querySelector("#drawerTab-compare-panel").textContent.includes("No fact differs")`)
	for turn := range p.state().Turns + 1 {
		eval[any](p, fmt.Sprintf(`(__viewer.seek(%d), __viewer.settled().then(() => null))`, turn))
		p.wait(fmt.Sprintf(`document.querySelector("#drawerTab-compare-panel").textContent.includes("No fact differs in turn %d.")`, turn))
		p.wait(`document.querySelector("canvas.second").checkVisibility()`)
		if apart := eval[bool](p, `(async () => {
			await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
			const pixels = (c) => c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
			const [a, b] = [pixels(document.getElementById("canvas")), pixels(document.querySelector("canvas.second"))];
			return a.length !== b.length || a.some((v, i) => v !== b[i]);
		})()`); apart {
			t.Errorf("turn %d: the two halves of the stage differ", turn)
		}
	}
}

func TestAnOperatorControlsTheRunFromThePageIfItMay(t *testing.T) {
	story := begin(t, 3)
	story.turn("hello")
	p := browse(t, view(t, story.dir, "--control").url)
	p.click("#drawerTab-control")
	eval[any](p, `(() => {
		const form = [...document.querySelectorAll("#drawerTab-control-panel form")].find((f) => f.textContent.includes("tell"));
		form.querySelector("select").value = "b";
		form.querySelector("input").value = "be kind";
		form.requestSubmit();
		return null;
	})()`)
	p.wait(`document.querySelector("#drawerTab-control-panel [role=status]").textContent === "done: tell"`)
	// The turn that is being played has a band, the last one of the track, and in it the mark of the operator.
	p.wait(`(() => {
		const { turns } = __viewer.state(), canvas = document.querySelector(".ticks"), { width, height } = canvas, x = width * turns / (turns + 1);
		const pixels = canvas.getContext("2d").getImageData(x + 2, height / 4, width - x - 2, height / 4).data;
		for (let i = 0; i < pixels.length; i += 4) if (pixels[i] === 0 && pixels[i + 1] === 158 && pixels[i + 2] === 115) return true;
		return false;
	})()`)
	p.wait(`(() => {
		const { turns } = __viewer.state(), [track, head] = [".track", ".playhead"].map((s) => document.querySelector(s).getBoundingClientRect());
		return Math.abs(head.x - track.x - track.width * turns / (turns + 1)) < 3 && Math.abs(head.width - track.width / (turns + 1)) < 3;
	})()`)
	p.shoot("control")
	told := 0
	for _, ev := range logOf(t, story.dir) {
		if ev.Kind == "operator" && strings.Contains(string(ev.Data), "be kind") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the log has %d events of what the operator said", told)
	}
	p = browse(t, view(t, story.dir).url)
	if eval[bool](p, `Boolean(document.querySelector("#drawerTab-control"))`) {
		t.Error("a page that may not has controls")
	}
}

func TestWhoLooksAtARepetitionThatNobodyPlaysIsNotToldToResumeIt(t *testing.T) {
	story := begin(t, 3)
	file := filepath.Join(story.dir, "manifest.json")
	manifest, err := os.ReadFile(file)
	if err == nil {
		manifest = bytes.Replace(manifest, []byte("{"), []byte(`{"repeats":"another",`), 1)
		err = errors.Join(os.WriteFile(file, manifest, 0o600), story.lease.Release())
	}
	if err != nil {
		t.Fatal(err)
	}
	p := browse(t, view(t, story.dir).url)
	p.wait(`document.getElementById("badge").textContent === "IDLE"`)
	if cure := eval[string](p, `document.getElementById("cure").innerText`); cure != "nobody plays it any more; it goes on nowhere" {
		t.Errorf("beside its badge it says %q", cure)
	}
}

func TestWhoControlsARunThatNobodyPlaysIsToldSo(t *testing.T) {
	story := begin(t, 3)
	p := browse(t, view(t, story.dir, "--control").url)
	p.click("#drawerTab-control")
	p.click("#drawerTab-control-panel .danger")
	p.wait(`document.querySelector("#drawerTab-control-panel .danger").textContent === "really stop it?"`)
	p.wait(`document.querySelector("#drawerTab-control-panel .danger").textContent === "stop the run"`) // by itself
	if err := story.lease.Release(); err != nil {
		t.Fatal(err)
	}
	p.wait(`document.getElementById("badge").textContent === "IDLE"`)
	resume := "resume " + story.dir
	if cure := eval[string](p, `document.getElementById("cure").innerText`); !strings.Contains(cure, "nobody plays it now") || !strings.Contains(cure, "vitrine "+resume) {
		t.Errorf("beside its badge it says %q", cure)
	}
	for _, what := range []string{"pause", "step", "tell"} {
		refused := eval[string](p, `(async () => {
			const panel = document.querySelector("#drawerTab-control-panel");
			const said = panel.querySelector("[role=status]");
			said.textContent = "";
			panel.querySelector("[aria-label='what to tell']").value = "be kind";
			[...panel.querySelectorAll("button")].find((b) => b.textContent === `+quote(what)+`).click();
			while (["", "…"].includes(said.textContent)) await new Promise((done) => requestAnimationFrame(done));
			return said.textContent;
		})()`)
		if !strings.Contains(refused, "nobody plays this run now; ") || !strings.Contains(refused, resume+" goes on") {
			t.Errorf("%s: it says %q", what, refused)
		}
	}
	p.shoot("idle")
	for _, ev := range logOf(t, story.dir) {
		if ev.Kind == "operator" {
			t.Errorf("the log has what was refused: %s", ev.Data)
		}
	}
	story.end()
	p.wait(`document.querySelector("#drawerTab-control-panel").innerText.includes("The run is over") && ![...document.querySelectorAll("#drawerTab-control-panel button")].some((b) => b.checkVisibility())`)
}

func TestAPageWhoseServerIsGoneSaysSoAndComesBack(t *testing.T) {
	dir := play(t, "fishery.toml")
	s := view(t, dir)
	p := browse(t, s.url)
	p.wait(`__viewer.state().socket === "open"`)
	s.stop()
	p.wait(`document.getElementById("badge").textContent === "STALE" && document.getElementById("cure").innerText.includes("vitrine view ` + dir + `")`)
	p.key("n")
	p.wait(`document.getElementById("inspector").innerText.includes("The server of this page is gone")`)
	p.shoot("stale")
	if again := view(t, dir); again.url != s.url {
		t.Fatalf("it comes again at %s, not at %s", again.url, s.url)
	}
	p.wait(`document.getElementById("badge").textContent === "REPLAY" && document.getElementById("inspector").innerText.includes("DID")`)
}
