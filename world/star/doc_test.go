package star

import (
	"os"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/worldtest"
)

// example returns the file that stands in the package comment.
func example(t *testing.T) []byte {
	t.Helper()
	doc, err := os.ReadFile("star.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "# A whole file\n//\n")
	file, _, ok := strings.Cut(rest, "\n//\n// # What a file defines")
	if !ok {
		t.Fatal("the package comment has no whole file")
	}
	return []byte(strings.ReplaceAll(strings.ReplaceAll(file, "//\t", ""), "//\n", "\n") + "\n")
}

func TestTheFileInThePackageCommentIsOne(t *testing.T) {
	rules, err := Load("pot.star", example(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	events, err := rules.Reset(1, seats)
	if err != nil {
		t.Fatal(err)
	}
	st := world.State{}.Apply(events...)
	var actions []world.Action
	for _, agent := range seats {
		obs, err := rules.Observe(st, agent)
		if err != nil {
			t.Fatal(err)
		}
		actions = append(actions, rules.Policies()["modest"].Decide(1, obs))
	}
	more, err := rules.Step(st, actions)
	if err != nil {
		t.Fatal(err)
	}
	taken, err := rules.Measure(func(yield func(world.Event, error) bool) {
		for _, ev := range append(events, more...) {
			if !yield(ev, nil) {
				return
			}
		}
	})
	if err != nil || taken["taken"] != 5 {
		t.Errorf("%v, %v", taken, err)
	}
}

func TestTheFileInThePackageCommentIsPure(t *testing.T) {
	worldtest.TestRules(t, func() (world.Rules, error) { return Load("pot.star", example(t), nil) }, seats)
}

func BenchmarkStep(b *testing.B) {
	source, err := os.ReadFile("testdata/fishery.star")
	if err != nil {
		b.Fatal(err)
	}
	rules, err := Load("fishery.star", source, nil)
	if err != nil {
		b.Fatal(err)
	}
	events, err := rules.Reset(1, seats)
	if err != nil {
		b.Fatal(err)
	}
	st := world.State{}.Apply(events...)
	var actions []world.Action
	for _, agent := range seats {
		actions = append(actions, world.Action{Agent: agent, Name: "fish", Args: []byte(`{"tons":10}`)})
	}
	for b.Loop() {
		if _, err := rules.Step(st, actions); err != nil {
			b.Fatal(err)
		}
	}
}
