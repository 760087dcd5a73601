package worldtest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/conform"
)

// A calendar is rules that show everybody the year, of the day it is or of a day that never changes.
type calendar struct{ year func() int }

func (calendar) Reset(uint64, []string) ([]world.Event, error) {
	return []world.Event{{Kind: "begin", Set: map[string]json.RawMessage{"begun": world.JSON(true)}}}, nil
}

func (c calendar) Observe(st world.State, agent string) (world.Observation, error) {
	return world.Observation{Agent: agent, Turn: st.Turn, View: world.JSON(c.year())}, nil
}

func (calendar) Step(world.State, []world.Action) ([]world.Event, error) { return nil, nil }

func TestRulesThatLookAtAClockAreFound(t *testing.T) {
	same := func(year func() int) bool {
		return sameInThePast(t, conform.Config{
			New:    func() (conform.Subject, error) { return conform.Subject{Rules: calendar{year}}, nil },
			Agents: []string{"a"}, Seeds: []uint64{1}, Turns: 3, Time: time.Minute,
		})
	}
	if same(func() int { return time.Now().Year() }) {
		t.Error("the check does not find it")
	}
	if !same(func() int { return 1984 }) {
		t.Error("the check finds it in rules that look at none")
	}
}
