package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/vitrine-sim/vitrine/viewer/web"
	"github.com/vitrine-sim/vitrine/world"
)

// BenchmarkBudget measures what the viewer promises of a run of 10,000 turns and 1,000 agents, which takes a minute to write; of 500 with -short. The times are those of the
// page: what is measured ends when it is painted. "load" is how many processes wanted the machine in the minute before.
func BenchmarkBudget(b *testing.B) {
	turns := 10_000
	if testing.Short() {
		turns = 500
	}
	run, _ := crowd(b, 1000, turns)
	s := show(b, run)
	b.Run("usable", func(b *testing.B) { usable(b, s) })
	indexed(b, s)
	b.Run("seek", func(b *testing.B) { seek(b, s, turns) })
	b.Run("play", func(b *testing.B) { plays(b, s) })
	b.Run("move", func(b *testing.B) { moves(b, s) })
	b.Run("idle", func(b *testing.B) { idle(b, s) })
	b.Run("painters", func(b *testing.B) { painters(b, s) })
}

// BenchmarkBudgetOfMany is how fast the picture of 10,000 agents moves.
func BenchmarkBudgetOfMany(b *testing.B) {
	run, _ := crowd(b, 10_000, 40)
	s := show(b, run)
	indexed(b, s)
	b.Run("play", func(b *testing.B) { plays(b, s) })
	b.Run("move", func(b *testing.B) { moves(b, s) })
}

// usable is how long it takes from the address to a painted page, for a browser that has never seen it and for one that has.
func usable(b *testing.B, s *web.Server) {
	const visits = 7
	measure := reporter(b)
	browse(b, s.URL()) // the painter may have to be built
	var first, again []float64
	for range visits {
		p := newTab(b)
		p.before(`globalThis.usable = new Promise((done) => {
			const look = setInterval(() => {
				if (!globalThis.__viewer?.ready || !__viewer.stats().drawn) return;
				clearInterval(look);
				done(performance.now());
			}, 2);
		});`)
		p.do(chromedp.Navigate(s.URL()))
		first = append(first, eval[float64](p, `globalThis.usable`))
		p.do(chromedp.Navigate(s.URL() + "?again"))
		again = append(again, eval[float64](p, `globalThis.usable`))
		_ = chromedp.Cancel(p.ctx)
	}
	measure("ms-first", first, 50)
	measure("ms-again", again, 50)
}

// seek is how long it takes to see a turn that one goes to.
func seek(b *testing.B, s *web.Server, turns int) {
	const n = 120
	measure := reporter(b)
	p := browse(b, s.URL())
	random := rand.New(rand.NewPCG(1, 2))
	var took, scrubbed []float64
	for i := range 2 * n {
		ms := eval[float64](p, fmt.Sprintf(`(async () => {
			const begun = performance.now();
			__viewer.seek(%d);
			await __viewer.painted();
			return performance.now() - begun;
		})()`, random.IntN(turns)))
		if i < n {
			took = append(took, ms)
			p.rest(150)
		} else {
			scrubbed = append(scrubbed, ms)
		}
	}
	measure("ms-p50", took, 50)
	measure("ms-p95", took, 95)
	measure("ms-p95-scrubbing", scrubbed, 95)
}

// plays is how many pictures and turns a second one sees at a speed of 32.
func plays(b *testing.B, s *web.Server) {
	measure := reporter(b)
	p := browse(b, s.URL())
	eval[any](p, `(__viewer.speed(32), __viewer.play(true), null)`)
	p.rest(500)
	was := p.state().Turn
	frames := p.frames(func() { p.rest(5000) })
	measure("turns/s", []float64{float64(p.state().Turn-was) / 5}, 50)
	measure("frames/s", []float64{frames}, 50)
}

// moves is how many pictures a second one sees while one drags the world about, and zooms by the wheel.
func moves(b *testing.B, s *web.Server) {
	measure := reporter(b)
	p := browse(b, s.URL())
	at := eval[[2]float64](p, `(() => { const box = document.getElementById("canvas").getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()`)
	mouse := func(kind input.DispatchMouseEventType, x, y float64, wheel float64) {
		p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			params := input.DispatchMouseEventParams{Type: kind, X: x, Y: y, Button: input.MouseButtonLeft, Buttons: 1, DeltaX: 1e-3, DeltaY: wheel} // a delta of 0 is none
			_, err := cdp.Call(ctx, t, input.DispatchMouseEvent, params)
			return err
		}))
	}
	mouse(input.DispatchMouseEventTypeMousePressed, at[0], at[1], 0)
	dragged := p.frames(func() {
		for begun := time.Now(); time.Since(begun) < 4*time.Second; {
			angle := time.Since(begun).Seconds()
			mouse(input.DispatchMouseEventTypeMouseMoved, at[0]+100*circle(angle), at[1]+100*circle(angle+0.25), 0)
		}
	})
	mouse(input.DispatchMouseEventTypeMouseReleased, at[0], at[1], 0)
	zoomed := p.frames(func() { // the driver would wait two frames for each turn of the wheel
		eval[any](p, fmt.Sprintf(`(async () => {
			const canvas = document.getElementById("canvas"), begun = performance.now();
			for (let now = begun; now < begun + 4000; now = await new Promise(requestAnimationFrame)) {
				canvas.dispatchEvent(new WheelEvent("wheel", { clientX: %g, clientY: %g, deltaY: 60 * Math.sin((now - begun) / 4000 * 2 * Math.PI), bubbles: true, cancelable: true }));
			}
		})()`, at[0], at[1]))
	})
	measure("frames/s-drag", []float64{dragged}, 50)
	measure("frames/s-zoom", []float64{zoomed}, 50)
}

// circle is where one is that goes from -1 to 1 and back once in a second.
func circle(seconds float64) float64 {
	part := seconds - float64(int(seconds))
	return 1 - 4*max(part-0.5, 0.5-part)
}

// idle is what a page costs that shows a turn, and what is drawn on it.
func idle(b *testing.B, s *web.Server) {
	measure := reporter(b)
	p := browse(b, s.URL())
	p.rest(2000)
	drawn, begun := eval[float64](p, `__viewer.stats().drawn`), processors(b)
	p.rest(5000)
	measure("cores", []float64{(processors(b) - begun) / 5}, 50)
	measure("drawn", []float64{eval[float64](p, `__viewer.stats().drawn`) - drawn}, 50)
}

// painters is how large they are.
func painters(b *testing.B, s *web.Server) {
	browse(b, s.URL()).wait(`fetch("api/wasm").then((answer) => answer.json()).then((state) => state.window !== "building")`)
	var state struct{ Bytes map[string]float64 }
	if err := json.Unmarshal(read(b, s.URL()+"api/wasm"), &state); err != nil {
		b.Fatal(err)
	}
	measure := reporter(b)
	for name, bytes := range state.Bytes {
		measure("bytes-"+name, []float64{bytes}, 50)
	}
}

// BenchmarkBudgetOfSearches is how long it takes to see the first of those events, of 100,000, that one searches for.
func BenchmarkBudgetOfSearches(b *testing.B) {
	const searches = 60
	run, _ := crowd(b, 1000, 91)
	s := show(b, run)
	indexed(b, s)
	measure := reporter(b)
	p := browse(b, s.URL())
	random := rand.New(rand.NewPCG(1, 2))
	var took []float64
	for i := range searches {
		label, value := "Agent in the log", fmt.Sprintf("agent%d", random.IntN(1000))
		switch i % 3 {
		case 1:
			label, value = "Text in the log", fmt.Sprintf(`"at/agent%d":[`, random.IntN(1000))
		case 2:
			label, value = "Kind of event", []string{"walked", "turn"}[i/3%2]
		}
		took = append(took, eval[float64](p, fmt.Sprintf(`(async () => {
			const begun = performance.now();
			const input = document.querySelector('[aria-label="%s"]'), status = input.parentNode.querySelector("[role=status]");
			await new Promise((done) => {
				new MutationObserver((_, observer) => (observer.disconnect(), done())).observe(status, { childList: true });
				input.value = %s;
				input.dispatchEvent(new Event("input"));
			});
			return performance.now() - begun;
		})()`, label, quote(value))))
		p.rest(200)
		eval[any](p, `([...document.querySelectorAll("#drawer button")].find((button) => button.textContent === "clear").click(), null)`)
		p.rest(400)
	}
	measure("ms-p50", took, 50)
	measure("ms-p95", took, 95)
}

// BenchmarkBudgetOfLive is how long after it is on the disk a turn is seen, in which somebody says 2 kB, when there are 60 of them a second.
func BenchmarkBudgetOfLive(b *testing.B) {
	run, store := crowd(b, 100, 200)
	lease, err := world.Acquire(run.Dir)
	if err != nil {
		b.Fatal(err)
	}
	defer lease.Release()
	measure := reporter(b)
	p := browse(b, show(b, run).URL())
	p.wait(`document.getElementById("badge").textContent === "LIVE"`)
	eval[any](p, `(globalThis.seen = {}, globalThis.watch = setInterval(() => { const t = __viewer.state().drawnTurn; globalThis.seen[t] ??= Date.now(); }, 1), null)`)
	played := make(map[int]time.Time)
	tick := time.NewTicker(time.Second / 60)
	defer tick.Stop()
	for i := range 600 {
		<-tick.C
		text := fmt.Sprint("this is message ", i, strings.Repeat(" and so on", 200))
		tell(b, store, world.Event{Kind: "message", Agent: fmt.Sprint("agent", i%100), Data: world.JSON(map[string]string{"text": text})}, world.Event{Kind: world.KindTurn})
		played[store.State().Turn] = time.Now()
	}
	last := store.State().Turn
	p.wait(fmt.Sprintf(`__viewer.state().drawnTurn === %d`, last))
	seen := eval[map[int]int64](p, `globalThis.seen`)
	var late []float64
	for turn, at := range played {
		for next := turn; next <= last; next++ { // a turn is seen when it, or a later one, is drawn
			if ms, ok := seen[next]; ok {
				late = append(late, float64(time.UnixMilli(ms).Sub(at).Microseconds())/1000)
				break
			}
		}
	}
	measure("ms-p50", late, 50)
	measure("ms-p95", late, 95)
	measure("drawn-of-600", []float64{float64(len(seen))}, 50)
}

// reporter returns a function that reports a percentile of what was measured.
func reporter(b *testing.B) func(unit string, values []float64, percent int) {
	b.ReportMetric(0, "ns/op")
	return func(unit string, values []float64, percent int) {
		slices.Sort(values)
		b.ReportMetric(values[min(len(values)-1, len(values)*percent/100)], unit)
		raw, err := os.ReadFile("/proc/loadavg")
		load, _, _ := strings.Cut(string(raw), " ")
		if n, parseErr := strconv.ParseFloat(load, 64); err == nil && parseErr == nil {
			b.ReportMetric(n, "load")
		}
	}
}

// rest lets the page do what it wants for some milliseconds.
func (p *page) rest(ms int) {
	eval[any](p, fmt.Sprintf(`new Promise((done) => setTimeout(() => done(null), %d))`, ms))
}

// frames returns how many pictures a second are painted while something is done.
func (p *page) frames(do func()) float64 {
	type moment struct{ Drawn, Now float64 }
	const now = `({ drawn: __viewer.stats().drawn, now: performance.now() })`
	begun := eval[moment](p, now)
	do()
	ended := eval[moment](p, now)
	return 1000 * (ended.Drawn - begun.Drawn) / (ended.Now - begun.Now)
}

// processors returns how many seconds of processors this process and all that it has begun, which are the server and the browsers, have used.
func processors(b *testing.B) (seconds float64) {
	b.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	parents, used := make(map[int]int), make(map[int]float64)
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it is gone
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:])) // from the third one on
		parents[pid], _ = strconv.Atoi(fields[1])
		user, _ := strconv.Atoi(fields[11])
		system, _ := strconv.Atoi(fields[12])
		used[pid] = float64(user+system) / 100
	}
	for pid := range used {
		for up := pid; up > 1; up = parents[up] {
			if up == syscall.Getpid() {
				seconds += used[pid]
				break
			}
		}
	}
	return seconds
}
