package fishery

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/worldtest"
)

func TestMetricsOfAnEpisodeWithoutFish(t *testing.T) {
	g := newGame(t, Default(), 1, seats...)
	for range 2 {
		g.Step(asks(seats, []int{0, 0, 0, 0, 0})...)
		g.EndTurn()
	}
	g.EndTurn() // nobody acts
	m, err := Measure(worldtest.Sequence(g.Log...))
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]float64{"survival_time": 3, "efficiency": 0, "equality": 100, "over_usage": 0, "total": 0}
	for name, want := range wanted {
		if m[name] != want {
			t.Errorf("%s is %v, want %v", name, m[name], want)
		}
	}
}

// The one ton of the smallest lake is more than can be caught without the lake shrinking: efficiency is no more than 100.
func TestMetricsOfAnEpisodeThatHasOnlyBegun(t *testing.T) {
	g := newGame(t, Config{Capacity: 1, Collapse: 0, Turns: 1}, 1, "a")
	m, err := Measure(worldtest.Sequence(g.Log...))
	if err != nil {
		t.Fatal(err)
	}
	if m["survival_time"] != 0 || m["over_usage"] != 0 || m["efficiency"] != 100 {
		t.Errorf("before the first turn the metrics are %v", m)
	}
	if _, err := json.Marshal(m); err != nil {
		t.Error(err)
	}
	g.Step(asks([]string{"a"}, []int{1})...)
	m, err = Measure(worldtest.Sequence(g.Log...))
	if err != nil {
		t.Fatal(err)
	}
	if m["survival_time"] != 1 || m["over_usage"] != 100 || m["efficiency"] != 100 {
		t.Errorf("after its only ton the metrics are %v", m)
	}
}

func TestMetricsRefuseALogThatIsNoFisherys(t *testing.T) {
	broken := errors.New("line 7 is damaged")
	g := newGame(t, Default(), 1, seats...)
	torn := func(yield func(world.Event, error) bool) { yield(world.Event{}, broken) }
	if _, err := Measure(torn); !errors.Is(err, broken) {
		t.Errorf("an error of the log became %v", err)
	}
	for name, log := range map[string][]world.Event{
		"empty":        nil,
		"other world":  {{Kind: "chess", Data: json.RawMessage(`{}`)}},
		"no stock":     {{Kind: kindCatch, Agent: "a", Data: json.RawMessage(`{"asked":1,"caught":1}`)}},
		"stock of six": {{Kind: kindStock, Data: json.RawMessage(`6`)}},
		"lake of text": append(g.Log[:len(g.Log):len(g.Log)], world.Event{Kind: kindLake, Data: json.RawMessage(`"x"`)}),
	} {
		if m, err := Measure(worldtest.Sequence(log...)); err == nil {
			t.Errorf("%s: the metrics are %v", name, m)
		}
	}
}

// All five ask for the whole lake of 10 tons, far more than the share of 1, but who is paid no more than 1 overuses nothing.
func TestOverUsageCountsWhatWasCaughtNotWhatWasAskedFor(t *testing.T) {
	spared := 0
	for seed := range uint64(20) {
		g := newGame(t, Config{Capacity: 10, Collapse: 5, Turns: 12}, seed, seats...)
		g.Step(asks(seats, []int{10, 10, 10, 10, 10})...)
		m, err := Measure(worldtest.Sequence(g.Log...))
		if err != nil {
			t.Fatal(err)
		}
		overs := countOver(g.caught(seats), 1)
		spared += 5 - overs
		if want := 100 * float64(overs) / 5; !near(m["over_usage"], want) {
			t.Errorf("caught %v: over-usage is %v, want %v", g.caught(seats), m["over_usage"], want)
		}
	}
	if spared == 0 {
		t.Error("nobody was paid so little: the test shows nothing")
	}
}
