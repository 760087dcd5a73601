package e2e

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

func TestWithoutAGraphicsCardTheSoftPainterPaints(t *testing.T) {
	s := view(t, play(t, "fishery.toml"))
	for name, flags := range map[string][]chromedp.ExecAllocatorOption{
		"software":   {chromedp.Flag("use-gl", "angle"), chromedp.Flag("use-angle", "swiftshader"), chromedp.Flag("enable-unsafe-swiftshader", true)},
		"none":       {chromedp.Flag("disable-webgl", true), chromedp.Flag("disable-3d-apis", true)},
		"as it came": nil,
	} {
		p := browse(t, s.url, flags...)
		if st := p.state(); st.Painter != "soft" {
			t.Errorf("%s: the painter is %q", name, st.Painter)
		}
		if colors := eval[int](p, `(() => {
			const c = document.getElementById("canvas"), data = c.getContext("2d").getImageData(0, 0, c.width, c.height).data, seen = new Set();
			for (let i = 0; i < data.length; i += 4) seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
			return seen.size;
		})()`); colors < 10 {
			t.Errorf("%s: the picture has %d colors", name, colors)
		}
	}
}

func TestWithoutAPainterThePanelsWorkAndThePageSaysWhy(t *testing.T) {
	p := newTab(t)
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: []*network.BlockPattern{{URLPattern: "*://*:*/*/wasm/*", Block: true}}})
		return err
	}))
	p.open(view(t, play(t, "fishery.toml")).url)
	if says := eval[string](p, `document.querySelector("#painting").textContent`); len(says) < 20 {
		t.Errorf("the page says %q", says)
	}
	p.key("ArrowRight")
	p.key("n")
	p.wait(`__viewer.state().drawnTurn === 1 && document.querySelector(".act") && document.querySelectorAll("#drawer .event").length > 0`)
	p.shoot("no painter")
}

func TestZoomKeepsThePointUnderTheCursor(t *testing.T) {
	p := browse(t, view(t, play(t, "pasture.toml")).url)
	box := eval[[]float64](p, `(() => { const b = document.getElementById("canvas").getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()`)
	type camera struct{ X, Y, Zoom float64 }
	look := func() camera { return eval[camera](p, `__viewer.camera()`) }
	at := func(c camera, x, y float64) (float64, float64) {
		return (x-box[2]/2)/c.Zoom + c.X, (y-box[3]/2)/c.Zoom + c.Y
	}
	x, y := math.Round(box[0]+box[2]*0.7)-box[0], math.Round(box[1]+box[3]*0.3)-box[1] // a mouse is at whole pixels
	for _, turn := range []float64{-300, -300, 200, -700} {
		before := look()
		p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, input.DispatchMouseEvent, input.DispatchMouseEventParams{
				Type: input.DispatchMouseEventTypeMouseWheel, X: box[0] + x, Y: box[1] + y, DeltaX: 0.01, DeltaY: turn,
			})
			return err
		}))
		p.wait(fmt.Sprintf(`__viewer.camera().zoom !== %v`, before.Zoom))
		after := look()
		bx, by := at(before, x, y)
		ax, ay := at(after, x, y)
		if math.Hypot(bx-ax, by-ay)*after.Zoom > 1 {
			t.Errorf("zoom from %g to %g: the point under the cursor was %g,%g and is %g,%g", before.Zoom, after.Zoom, bx, by, ax, ay)
		}
	}
	p.shoot("zoomed")
}

func TestTheSmallMapGoesWhereOneClicks(t *testing.T) {
	p := browse(t, view(t, play(t, "pasture.toml")).url)
	if eval[bool](p, `document.getElementById("minimap").checkVisibility()`) {
		t.Error("there is a small map where all is in sight")
	}
	eval[any](p, `(__viewer.camera({zoom: __viewer.camera().zoom * 6}), __viewer.settled().then(() => null))`)
	p.wait(`document.getElementById("minimap").checkVisibility()`)
	before := eval[[]float64](p, `(() => { const {x, y} = __viewer.camera(); return [x, y]; })()`)
	box := eval[[]float64](p, `(() => { const b = document.getElementById("minimap").getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()`)
	p.do(chromedp.MouseClickXY(box[0]+box[2]*0.35, box[1]+box[3]*0.4))
	p.settle()
	after := eval[[]float64](p, `(() => { const {x, y} = __viewer.camera(); return [x, y]; })()`)
	if after[0] >= before[0] || after[1] >= before[1] {
		t.Errorf("a click left of and above the middle led from %v to %v", before, after)
	}
	p.shoot("small map")
}

func TestWhoFollowsAnAgentHasItInTheMiddle(t *testing.T) {
	p := browse(t, view(t, play(t, "segregation.toml")).url)
	name := eval[string](p, `document.querySelector("#agents .row b").textContent`)
	eval[any](p, `(async () => {
		__viewer.select(`+quote(name)+`);
		__viewer.camera({zoom: __viewer.camera().zoom * 3});
		__viewer.follow(true);
		await __viewer.settled();
	})()`)
	for turn := range min(50, p.state().Turns) {
		off := eval[[]float64](p, fmt.Sprintf(`(async () => {
			__viewer.seek(%d);
			await __viewer.settled();
			const at = __viewer.screenOf(%s), box = document.getElementById("canvas").getBoundingClientRect();
			return at ? [at.x - box.width / 2, at.y - box.height / 2, __viewer.camera().zoom] : [0, 0, 1];
		})()`, turn, quote(name)))
		if math.Hypot(off[0], off[1]) > off[2] {
			t.Errorf("turn %d: it is %v pixels off the middle, and a tile has %g", turn, off[:2], off[2])
		}
	}
	p.shoot("follow")
}

func TestAClickOnAnAgentSelectsItAndADragPans(t *testing.T) {
	p := browse(t, view(t, play(t, "fishery.toml")).url)
	at := eval[[]float64](p, `(() => { const at = __viewer.screenOf("d"), b = document.getElementById("canvas").getBoundingClientRect(); return [b.x + at.x, b.y + at.y]; })()`)
	p.do(chromedp.MouseClickXY(at[0], at[1]))
	p.wait(`__viewer.state().agent === "d" && document.querySelector("#inspector h2").textContent === "d"`)
	mouse := func(kind input.DispatchMouseEventType, x, y float64) {
		p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: kind, X: x, Y: y, Button: input.MouseButtonLeft, Buttons: 1, ClickCount: 1})
			return err
		}))
	}
	before := eval[map[string]float64](p, `__viewer.screenOf("d")`)
	mouse(input.DispatchMouseEventTypeMousePressed, at[0], at[1])
	mouse(input.DispatchMouseEventTypeMouseMoved, at[0]+20, at[1]-10)
	mouse(input.DispatchMouseEventTypeMouseMoved, at[0]+60, at[1]-30)
	mouse(input.DispatchMouseEventTypeMouseReleased, at[0]+60, at[1]-30)
	after := eval[map[string]float64](p, `__viewer.screenOf("d")`)
	if dx, dy := after["x"]-before["x"], after["y"]-before["y"]; math.Abs(dx-60) > 1.5 || math.Abs(dy+30) > 1.5 {
		t.Errorf("a drag by 60, -30 pixels moved the picture by %g, %g", dx, dy)
	}
}

func TestWhoSpeaksHasABubbleInThatTurnOnly(t *testing.T) {
	story := begin(t, 3)
	story.turn("I take ten tons, as all of us should.")
	story.turn("")
	story.turn("")
	story.end()
	p := browse(t, view(t, story.dir).url)
	for turn, want := range map[int]int{2: 0, 3: 1, 5: 0} {
		eval[any](p, fmt.Sprintf(`(__viewer.seek(%d), __viewer.settled().then(() => null))`, turn))
		if n := eval[int](p, `document.querySelectorAll(".bubble[data-agent=a]").length`); n != want {
			t.Errorf("turn %d: %d bubbles", turn, n)
		}
		if turn == 3 {
			p.shoot("bubble")
		}
	}
}
