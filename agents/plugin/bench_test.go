package plugin

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/fishery"
)

// BenchmarkTurn is a turn of five fishers who act at once: six questions, and one change of the state.
func BenchmarkTurn(b *testing.B) {
	builtIn, err := fishery.New(fishery.Config{Capacity: 100, Collapse: 5, Turns: 100_000})
	if err != nil {
		b.Fatal(err)
	}
	lake, err := filepath.Abs(filepath.Join("..", "..", "examples", "plugin-python", "lake.py"))
	if err != nil {
		b.Fatal(err)
	}
	started := func(cfg Config) *Rules {
		r, err := StartRules(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = r.Close() })
		params := r.Params()
		params["turns"] = int64(100_000)
		if err := r.Configure(params); err != nil {
			b.Fatal(err)
		}
		return r
	}
	for _, c := range []struct {
		name  string
		rules world.Rules
	}{
		{"built in", builtIn},
		{"Go", started(Config{Command: []string{os.Args[0]}, Env: []string{part + "=good"}})},
		{"Python", started(Config{Command: []string{"/usr/bin/python3", lake}})},
	} {
		b.Run(c.name, func(b *testing.B) {
			agents := []string{"a", "b", "c", "d", "e"}
			var st world.State
			commit := func(events []world.Event, err error) {
				if err == nil {
					events, err = st.Stamp(events)
				}
				if err != nil {
					b.Fatal(err)
				}
				st = st.Apply(events...)
			}
			commit(c.rules.Reset(1, agents))
			for b.Loop() {
				var actions []world.Action
				for _, agent := range agents {
					obs, err := c.rules.Observe(st, agent)
					if err != nil {
						b.Fatal(err)
					}
					actions = append(actions, fishery.Policies()["steady"].Decide(1, obs))
				}
				commit(c.rules.Step(st, actions))
				commit([]world.Event{{Kind: world.KindTurn}}, nil)
			}
		})
	}
}
