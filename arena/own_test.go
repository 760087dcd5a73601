package arena

import (
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/fishery"
)

// A forger is rules that make an event of a kind.
type forger struct {
	world.Rules
	kind string
}

func (f forger) Reset(uint64, []string) ([]world.Event, error) {
	return []world.Event{{Kind: "begin"}, {Kind: f.kind, Agent: "a"}}, nil
}

func (f forger) Step(world.State, []world.Action) ([]world.Event, error) {
	return []world.Event{{Kind: f.kind, Agent: "a"}}, nil
}

func TestRulesCannotMakeTheEventsOfTheArena(t *testing.T) {
	rules, err := fishery.New(fishery.Default())
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{
		world.KindTurn, KindStart, KindPhase, KindAction, KindTimeout, KindInvalid, KindError, KindCrash, KindBackoff, KindBudget, KindMessage, KindEnd,
		KindOperator, KindHeld, KindResume, KindBranch, KindFenced, KindTamper,
	} {
		want := `an event "` + kind + `", which is not theirs to make`
		g := Game{Rules: forger{rules, kind}, Agents: five, Turns: 1, Schedule: Parallel}
		if _, err := g.opening(world.State{}); err == nil || !strings.Contains(err.Error(), "reset: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("the world begins with %q: %v", kind, err)
		}
		for _, on := range []Consequence{ConsequencePass, ConsequenceDefault} {
			g.Consequences.Invalid = on
			if _, err := g.consider(world.State{}, nil, &Phase{}, nil); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("from a step follows %q: %v", kind, err)
			}
		}
	}
	g := Game{Rules: forger{rules, world.KindRefusal}, Agents: five, Turns: 1, Schedule: Parallel}
	if _, err := g.consider(world.State{}, nil, &Phase{}, nil); err != nil {
		t.Errorf("a refusal is theirs: %v", err)
	}
}
