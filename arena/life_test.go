package arena

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/scripted"
	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/life"
)

// population plays Life on four tiles, which meet in the middle of the pattern, through the whole engine,
// verifies its log, and returns how many cells there are at the end.
func population(t *testing.T, config life.Config, schedule Schedule) float64 {
	t.Helper()
	rules, err := life.New(config)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	store, err := world.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	e := Episode{
		Game: Game{Rules: rules, Schedule: schedule, Turns: 2 * config.Turns},
		Dir:  dir, Store: store, Act: time.Minute, Time: time.Hour, Starts: 1,
	}
	for i := range 4 {
		name := fmt.Sprintf("tile-%02d", i)
		e.Agents = append(e.Agents, name)
		e.Seats = append(e.Seats, Seat{Name: name, Start: func(context.Context, Fenced) (agents.Agent, error) {
			return scripted.Agent{Policy: life.Policies()["life"]}, nil
		}})
	}
	out, err := e.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkEnd(t, out, End{Terminated, "by the rules"}, config.Turns)
	if v, err := Verify(dir, e.Game); err != nil || v.Hash != store.Hash() {
		t.Errorf("verify: %+v, %v", v, err)
	}
	metrics, err := life.Measure(world.Events(dir))
	if err != nil {
		t.Fatal(err)
	}
	return metrics["population"]
}

func TestParallelIsSimultaneousAndSequentialIsNot(t *testing.T) {
	pentomino := life.Config{Side: 352, Columns: 2, Pattern: "r-pentomino", Turns: 1103}
	diehard := life.Config{Side: 64, Columns: 2, Pattern: "diehard", Turns: 130}
	for _, test := range []struct {
		name     string
		config   life.Config
		schedule Schedule
		want     float64
		is       bool // else it must be anything but want
	}{
		{"R-pentomino, parallel", pentomino, Parallel, 116, true},
		{"diehard, parallel", diehard, Parallel, 0, true},
		{"diehard, sequential", diehard, Sequential, 0, false},
		{"diehard, shuffled", diehard, Shuffled(1, ""), 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := population(t, test.config, test.schedule); (got == test.want) != test.is {
				t.Errorf("there are %v cells after %d turns, and with everybody at once %v", got, test.config.Turns, test.want)
			}
		})
	}
}
