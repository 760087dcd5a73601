package world

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
)

func TestChangesMakeOneStateOfAnother(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	states := []State{{}}
	for i := range 400 {
		ev := Event{Kind: "e", Seq: int64(i + 1), Set: make(map[string]json.RawMessage)}
		for range random.IntN(8) {
			ev.Set[fmt.Sprint(random.IntN(200))] = JSON(random.IntN(3))
		}
		for range random.IntN(4) {
			ev.Del = append(ev.Del, fmt.Sprint(random.IntN(200)))
		}
		states = append(states, states[random.IntN(len(states))].Apply(ev)) // not always of the last one
	}
	for range 5000 {
		from, to := states[random.IntN(len(states))], states[random.IntN(len(states))]
		set, gone := to.Changes(from)
		for path, raw := range set {
			if was, ok := from.Fact(path); ok && string(was) == string(raw) {
				t.Fatalf("the fact %q does not change", path)
			}
		}
		got := from.Apply(Event{Kind: "e", Set: set, Del: gone})
		if !maps.EqualFunc(got.facts.all(), to.facts.all(), func(a, b json.RawMessage) bool { return string(a) == string(b) }) {
			t.Fatalf("from %d facts to %d: %d are set and %d gone, which gives %d", len(from.Paths("")), len(to.Paths("")), len(set), len(gone), len(got.Paths("")))
		}
	}
}

// A step that changes a few facts of many must not look at all of them. Now and then layers are merged; so it is the mean that counts.
func TestChangesCostWhatHasChanged(t *testing.T) {
	const many, few, steps = 20_000, 5, 1000
	ev := Event{Kind: "e", Set: make(map[string]json.RawMessage)}
	for i := range many {
		ev.Set[fmt.Sprint(i)] = JSON(i)
	}
	st := State{}.Apply(ev)
	looked := 0
	for i := range steps {
		set := make(map[string]json.RawMessage)
		for k := range few {
			set[fmt.Sprint((i*few+k)%many)] = JSON("new")
		}
		next := st.Apply(Event{Kind: "e", Set: set})
		if got, gone := next.Changes(st); len(got) != few || len(gone) > 0 {
			t.Fatalf("step %d: %d facts are set and %d gone", i, len(got), len(gone))
		}
		for _, layers := range [][2]layers{{next.facts, st.facts}, {st.facts, next.facts}} {
			for i, layer := range layers[0] {
				if i >= len(layers[1]) || !isSame(layer, layers[1][i]) {
					looked += len(layer)
				}
			}
		}
		st = next
	}
	if mean := looked / steps; mean > many/50 {
		t.Errorf("a step looks at %d facts of %d on average", mean, many)
	} else {
		t.Logf("a step that changes %d facts of %d looks at %d on average, n = %d", few, many, mean, steps)
	}
}
