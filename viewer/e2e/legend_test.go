package e2e

import (
	"strings"
	"testing"
)

func TestTheListAndTheLegendSayWhoIsOutAndWhoPlayedToTheEnd(t *testing.T) {
	p := browse(t, view(t, play(t, "werewolf.toml", "--seed", "1")).url)
	dead := 0
	for _, end := range []bool{false, true} {
		turn, last := "1", "acting"
		if end {
			turn, last = "__viewer.state().turns", "done"
		}
		eval[any](p, "__viewer.seek("+turn+")")
		p.settle()
		p.wait(`(s => s.length == 7 && s.some((e) => e.textContent == "out") && s.some((e) => e.textContent == "` + last + `"))([...document.querySelectorAll(".row.agent .state")])`)
		words := eval[[]string](p, `[...document.querySelectorAll(".row.agent .state")].map((e) => e.textContent)`)
		out := 0
		for _, word := range words {
			switch {
			case word == "out":
				out++
			case (word == "done") != end:
				t.Errorf("end %v: the list says %q", end, words)
			}
		}
		if out <= dead {
			t.Errorf("end %v: of %q too few are out", end, words)
		}
		dead = out - 1
		legend := eval[string](p, `document.getElementById("legend").innerText`)
		if !strings.Contains(legend, "wolf") || !strings.Contains(legend, "out") || strings.Contains(legend, "done") != end {
			t.Errorf("end %v: the legend is %q", end, legend)
		}
		p.shoot("werewolf-" + map[bool]string{false: "1", true: "end"}[end])
	}
	// The sign of who is out is one of strokes from corner to corner, as it is painted.
	sign := `[...document.querySelectorAll("#legend li")].find((e) => e.textContent == "out").querySelector("path")`
	if !eval[bool](p, sign+`.isPointInFill(new DOMPoint(4, 4))`) || eval[bool](p, sign+`.isPointInFill(new DOMPoint(10, 3))`) {
		t.Error("in the legend the sign of who is out is not that of the picture")
	}
}
