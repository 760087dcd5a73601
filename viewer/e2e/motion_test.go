package e2e

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

func TestAgentsGlideWhileARunPlaysAndStandWhereTheTurnHasThemWhenItDoesNot(t *testing.T) {
	run, _ := crowd(t, 60, 5)
	p := browse(t, show(t, run).URL())
	at := func(turn int, agent string) [2]float64 {
		return eval[[2]float64](p, fmt.Sprintf(`(__viewer.seek(%d), __viewer.settled().then(() => { const { x, y } = __viewer.screenOf(%q); return [x, y]; }))`, turn, agent))
	}
	var agent string
	var from, to [2]float64
	for i := 0; from == to; i++ {
		agent = fmt.Sprint("agent", i)
		from, to = at(1, agent), at(2, agent)
	}
	stood := eval[string](p, `__viewer.frameHash()`)
	part := func(at [2]float64) float64 { // of the way
		return math.Hypot(at[0]-from[0], at[1]-from[1]) / math.Hypot(to[0]-from[0], to[1]-from[1])
	}
	played := func() (between int) {
		at(1, agent)
		way := eval[[][2]float64](p, fmt.Sprintf(`new Promise((done) => {
			const way = [];
			__viewer.speed(1);
			__viewer.play(true);
			const look = () => {
				const { x, y } = __viewer.screenOf(%q);
				if (__viewer.state().drawnTurn === 2) way.push([x, y]);
				if (__viewer.state().drawnTurn > 2) done(way);
				else requestAnimationFrame(look);
			};
			look();
		})`, agent))
		eval[any](p, `(__viewer.play(false), null)`)
		for _, at := range way {
			if part(at) > 1.001 {
				t.Errorf("on the way from %v to %v it is at %v", from, to, at)
			}
			if part(at) > 0.001 && part(at) < 0.999 {
				between++
			}
		}
		if end := way[len(way)-1]; part(end) < 0.999 {
			t.Errorf("the turn ends with it at %v, not at %v", end, to)
		}
		return between
	}
	if played() == 0 {
		t.Error("it jumps")
	}

	at(1, agent)
	paused := eval[string](p, `new Promise((done) => {
		__viewer.play(true);
		const look = () => {
			if (__viewer.state().drawnTurn < 2) return requestAnimationFrame(look);
			__viewer.play(false);
			__viewer.settled().then(() => done(__viewer.frameHash()));
		};
		look();
	})`)
	if paused != stood {
		t.Error("who pauses on the way sees another picture than who goes to the turn")
	}

	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		features := []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
		return err
	}))
	if n := played(); n > 0 {
		t.Errorf("%d times it is between two turns for somebody who wants no motion", n)
	}
}
