package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

func TestThePageShowsTheStateThatTheLogHasAtEachTurn(t *testing.T) {
	s := view(t, play(t, "pasture.toml"))
	p := browse(t, s.url)
	turns := p.state().Turns
	order := make([]int, 0, 3*turns)
	for turn := range turns + 1 {
		order = append(order, turn)
	}
	for turn := turns; turn >= 0; turn-- {
		order = append(order, turn)
	}
	order = append(order, rand.New(rand.NewPCG(1, 1)).Perm(turns+1)...)
	want := make(map[int]string)
	for _, turn := range order {
		if want[turn] == "" {
			want[turn] = get[struct{ Hash string }](t, s, fmt.Sprintf("api/state?turn=%d", turn)).Hash
		}
		got := eval[state](p, fmt.Sprintf(`(async () => { __viewer.seek(%d); await __viewer.settled(); return __viewer.state(); })()`, turn))
		if got.DrawnTurn != turn || got.Hash != want[turn] {
			t.Fatalf("turn %d: drawn is turn %d, %s, not %s", turn, got.DrawnTurn, got.Hash, want[turn])
		}
	}
	p.shoot("replay")
}

func TestAClickOnTheTimelineGoesToItsTurn(t *testing.T) {
	p := browse(t, view(t, play(t, "fishery.toml")).url)
	box := eval[[]float64](p, `(() => { const b = document.querySelector(".track").getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()`)
	for _, x := range []float64{0, 1, box[2] / 3, box[2] / 2, box[2] * 0.77, box[2] - 2} {
		p.do(chromedp.MouseClickXY(box[0]+x, box[1]+box[3]/2))
		p.settle()
		st := p.state()
		if want := int(x * float64(st.Turns) / box[2]); st.Turn != want {
			t.Errorf("a click at %g of %g goes to turn %d of %d, not %d", x, box[2], st.Turn, st.Turns, want)
		}
		head := eval[[]float64](p, `(() => { const b = document.querySelector(".playhead").getBoundingClientRect(); return [b.left, b.right]; })()`)
		if at := box[0] + x; at < head[0]-1 || at > head[1]+1 {
			t.Errorf("the playhead is at %v, and the click at %g", head, at)
		}
	}
	p.click(".end")
	if st := p.state(); st.Turn != st.Turns {
		t.Errorf("the end is turn %d of %d", st.Turn, st.Turns)
	}
}

func TestEveryTurnWithAConflictOrAnErrorHasAMark(t *testing.T) {
	story := begin(t, 3)
	for range 8 {
		story.turn("hello")
	}
	story.end()
	s := view(t, story.dir)
	p := browse(t, s.url)
	p.wait(`!document.querySelector(".track").matches("[aria-busy=true]")`)
	want := map[string]int{}
	for _, ev := range logOf(t, story.dir) {
		if slices.Contains([]string{"message", "refusal", "timeout"}, ev.Kind) {
			want[ev.Kind]++
		}
	}
	tips := eval[[]string](p, `(async () => {
		const track = document.querySelector(".track"), box = track.getBoundingClientRect(), turns = __viewer.state().turns;
		const texts = [];
		for (let t = 0; t < turns; t++) {
			track.dispatchEvent(new PointerEvent("pointermove", {clientX: box.x + (t + 0.5) * box.width / turns, clientY: box.y + 5}));
			await new Promise((done) => setTimeout(done));
			texts.push(track.querySelector("[role=tooltip]").textContent);
		}
		return texts;
	})()`)
	for turn, tip := range tips {
		for _, kind := range []string{"message", "refusal", "conflict"} {
			if strings.Contains(tip, kind) != (turn >= 3) {
				t.Errorf("turn %d says of a %s: %s", turn, kind, tip)
			}
		}
		if strings.Contains(tip, "timeout") != (turn >= 3 && turn%3 == 0) {
			t.Errorf("turn %d says of a timeout: %s", turn, tip)
		}
	}
	// In the lane of errors there are colored pixels above the turns that have some, and above no others.
	colored := eval[[]bool](p, `(() => {
		const canvas = document.querySelector(".ticks"), turns = __viewer.state().turns, c = canvas.getContext("2d");
		return Array.from({length: turns}, (_, t) => {
			const width = canvas.width / turns, lane = canvas.height / 4;
			const data = c.getImageData(t * width + 3, 3 * lane + 2, width - 6, lane - 4).data;
			for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200 && Math.max(data[i], data[i+1], data[i+2]) - Math.min(data[i], data[i+1], data[i+2]) > 60) return true;
			return false;
		});
	})()`)
	for turn, is := range colored {
		if is != (turn >= 3) {
			t.Errorf("in the lane of errors turn %d is colored: %v", turn, is)
		}
	}
	sum := map[string]int{}
	for _, turn := range get[struct {
		Turns []struct{ Marks map[string]int }
	}](t, s, "api/turns").Turns {
		for kind, n := range turn.Marks {
			sum[kind] += n
		}
	}
	for kind, n := range want {
		if sum[kind] != n {
			t.Errorf("%d marks of %s, and %d events", sum[kind], kind, n)
		}
	}
	eval[any](p, `(__viewer.select("c"), __viewer.seek(6), __viewer.settled().then(() => null))`)
	p.shoot("timeline marks")
}

func TestEachKeyDoesWhatTheTableSays(t *testing.T) {
	p := browse(t, view(t, play(t, "fishery.toml")).url)
	turns := p.state().Turns
	steps := []struct {
		key       string
		modifiers []chromedp.Modifier
		want      func(before, after state) bool
	}{
		{"ArrowRight", nil, func(b, a state) bool { return a.Turn == b.Turn+1 }},
		{"ArrowLeft", nil, func(b, a state) bool { return a.Turn == b.Turn-1 }},
		{"ArrowRight", shift, func(_, a state) bool { return a.Turn == 10 }},
		{"ArrowLeft", shift, func(_, a state) bool { return a.Turn == 0 }},
		{"End", nil, func(_, a state) bool { return a.Turn == turns }},
		{"Home", nil, func(_, a state) bool { return a.Turn == 0 }},
		{"n", nil, func(_, a state) bool { return a.Agent == "a" }},
		{"n", nil, func(_, a state) bool { return a.Agent == "b" }},
		{"N", shift, func(_, a state) bool { return a.Agent == "a" }},
		{".", nil, func(_, a state) bool { return a.Event != nil }},
		{",", nil, func(b, a state) bool { return a.Event == nil || b.Event == nil || *a.Event <= *b.Event }},
		{"f", nil, func(_, a state) bool { return a.Follow }},
		{"f", nil, func(_, a state) bool { return !a.Follow }},
		{"h", nil, func(_, a state) bool { return a.Sees }},
		{"h", nil, func(_, a state) bool { return !a.Sees }},
		{"o", nil, func(b, a state) bool { return b.Overlay == "" && a.Overlay != "" }},
		{"b", nil, func(_, a state) bool { return !a.Bubbles }},
		{"m", nil, func(_, a state) bool { return !a.Minimap }},
		{"t", nil, func(_, a state) bool { return a.Unit == "agent" }},
		{"t", nil, func(_, a state) bool { return a.Unit == "turn" }},
		{"1", nil, func(_, a state) bool { return a.Speed == 0.5 }},
		{"3", nil, func(_, a state) bool { return a.Speed == 2 }},
		{"4", nil, func(_, a state) bool { return a.Speed == 4 }},
		{"5", nil, func(_, a state) bool { return a.Speed == 8 }},
		{"6", nil, func(_, a state) bool { return a.Speed == 16 }},
		{"7", nil, func(_, a state) bool { return a.Speed == 32 }},
		{"ArrowDown", nil, func(_, a state) bool { return a.Speed == 16 }},
		{"ArrowUp", nil, func(_, a state) bool { return a.Speed == 32 }},
		{"2", nil, func(_, a state) bool { return a.Speed == 1 }},
		{"D", shift, func(_, a state) bool { return a.Drawer && a.DrawerTab == "diff" }},
		{"g", nil, func(_, a state) bool { return a.Drawer && a.DrawerTab == "charts" }},
		{"l", nil, func(_, a state) bool { return a.Drawer && a.DrawerTab == "events" }},
		{"l", nil, func(_, a state) bool { return !a.Drawer }},
		{" ", nil, func(_, a state) bool { return a.Playing }},
		{" ", nil, func(_, a state) bool { return !a.Playing }},
		{"Escape", nil, func(_, a state) bool { return a.Agent == "" }},
	}
	for i, step := range steps {
		before := p.state()
		p.key(step.key, step.modifiers...)
		deadline := time.Now().Add(patience)
		for !step.want(before, p.state()) {
			if time.Now().After(deadline) {
				t.Fatalf("step %d, %q: before %+v, after %+v", i, step.key, before, p.state())
			}
		}
	}
	tested := map[string]string{
		"x": "the next conflict", "Alt+ArrowLeft": "marks", "Alt+ArrowRight": "marks", "k": "bookmarks", "p": "pictures", "e": "files", "v": "compared runs",
		"?": "help", "Ctrl+k": "the palette", "+": "here", "=": "here", "-": "here", "0": "here", "w": "here", "a": "here", "s": "here", "d": "here", "/": "here",
	}
	for _, step := range steps {
		name := strings.Replace(step.key, " ", "Space", 1)
		if step.modifiers != nil && len(name) == 1 {
			name = strings.ToLower(name)
		}
		if step.modifiers != nil {
			name = "Shift+" + name
		}
		tested[name] = "here"
	}
	for _, key := range eval[[]string](p, `__viewer.commands().flatMap((c) => c.keys)`) {
		if tested[key] == "" {
			t.Errorf("no test presses the key %s", key)
		}
	}
	zoom := `__viewer.camera().zoom`
	for _, key := range []string{"+", "=", "-", "0"} {
		before := eval[float64](p, zoom)
		p.key(key)
		if after := eval[float64](p, zoom); (key == "+" || key == "=") && after <= before || key == "-" && after >= before {
			t.Errorf("%s: zoom %g, then %g", key, before, after)
		}
	}
	for key, moves := range map[string]string{"w": "y", "a": "x", "s": "y", "d": "x"} {
		before := eval[float64](p, "__viewer.camera()."+moves)
		p.key(key)
		if after := eval[float64](p, "__viewer.camera()."+moves); after == before {
			t.Errorf("%s does not pan", key)
		}
	}
	p.key("/")
	p.key("w")
	p.key(" ")
	if st := p.state(); st.Playing || st.Query != "w " {
		t.Errorf("keys in a field are commands: %+v", st)
	}
}

var shift = []chromedp.Modifier{chromedp.ModifierShift}

func TestAStepForwardAndBackIsTheSamePicture(t *testing.T) {
	p := browse(t, view(t, play(t, "bazaar.toml")).url)
	hash := func(script string) string {
		return eval[string](p, `(async () => { `+script+`; await __viewer.settled(); return __viewer.frameHash(); })()`)
	}
	first := hash(`__viewer.seek(4)`)
	next := hash(`await __viewer.step(1)`)
	if back := hash(`await __viewer.step(-1)`); back != first || next == first || first == "" {
		t.Errorf("pictures %s, %s, %s", first, next, back)
	}
	// By agents: the state after each commit of a turn, there and back again.
	eval[any](p, `(__viewer.cmd("unit"), null)`)
	for _, n := range []int{1, 1, 1, -1, -1, -1} {
		eval[any](p, fmt.Sprintf(`(async () => { await __viewer.step(%d); await __viewer.settled(); return null; })()`, n))
	}
	if st := p.state(); st.Turn != 4 || st.Seq != nil || hash(``) != first {
		t.Errorf("three steps by agents and back are at turn %d, event %v", st.Turn, st.Seq)
	}
}

func TestItPlaysAsFastAsItSays(t *testing.T) {
	p := newTab(t)
	p.before(hurried)
	p.open(view(t, play(t, "life.toml")).url)
	rate := eval[float64](p, `(async () => {
		const until = async (end) => { while (performance.now() < end) await new Promise((done) => setTimeout(done, 1)); };
		__viewer.seek(0);
		__viewer.speed(32);
		__viewer.play(true);
		await until(performance.now() + 300);
		const [begun, turn] = [performance.now(), __viewer.state().turn];
		await until(begun + 4000);
		const rate = (__viewer.state().turn - turn) / (performance.now() - begun) * 1000;
		__viewer.play(false);
		return rate;
	})()`)
	t.Logf("%.1f turns a second", rate)
	if rate < 30 || rate > 34 {
		t.Errorf("at 32x it plays %.1f turns a second", rate)
	}
}

func TestNothingIsDrawnWhileNothingChanges(t *testing.T) {
	p := browse(t, view(t, play(t, "fishery.toml")).url)
	drawn := eval[[2]int](p, `(async () => {
		let before;
		do { // what a page does once, a while after it came
			before = __viewer.stats().drawn;
			await new Promise((done) => setTimeout(done, 2000));
		} while (before === 0 || __viewer.stats().drawn !== before);
		await new Promise((done) => setTimeout(done, 5000));
		return [before, __viewer.stats().drawn];
	})()`)
	if drawn[0] != drawn[1] || drawn[0] == 0 {
		t.Errorf("in five idle seconds the number of pictures went from %d to %d", drawn[0], drawn[1])
	}
}
