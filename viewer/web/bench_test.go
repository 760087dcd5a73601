package web

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/vitrine-sim/vitrine/viewer"
	"github.com/vitrine-sim/vitrine/world"
)

// crowd makes a run of so many agents and turns, in each of which all act and each tenth moves, and opens it. Its index is complete.
func crowd(b *testing.B, agents, turns int) *Server {
	b.Helper()
	run, store := newRun(b, 0)
	run.About.Agents = nil
	random := rand.New(rand.NewPCG(1, 2))
	set := make(map[string]json.RawMessage)
	var names []string
	for i := range agents {
		names = append(names, fmt.Sprintf("agent%d", i))
		set[world.StatusFact+"/"+names[i]] = world.JSON(active)
		set["at/"+names[i]] = world.JSON([]int{i % 40, i / 40})
	}
	commit(b, store, world.Event{Kind: "enter", Set: set})
	for range turns {
		var acts, moves []world.Event
		for i, name := range names {
			act := world.Event{Kind: kindAction, Agent: name, Data: json.RawMessage(`{"name":"pass"}`), Proc: json.RawMessage(`{"wall_ms":1.5}`)}
			if random.IntN(10) == 0 {
				act.Data = json.RawMessage(`{"args":{"to":"N"},"name":"walk"}`)
				set := map[string]json.RawMessage{"at/" + name: world.JSON([]int{i % 40, random.IntN(30)})}
				moves = append(moves, world.Event{Kind: "walked", Agent: name, Set: set})
			}
			acts = append(acts, act)
		}
		commit(b, store, append(append(acts, moves...), world.Event{Kind: world.KindTurn})...)
	}
	for _, look := range viewer.Agents(names, func(string) string { return "" }) {
		run.About.Agents = append(run.About.Agents, Agent{Agent: look, Kind: "scripted"})
	}
	run.Look = &viewer.Look{Kind: viewer.Board, Layers: []viewer.Layer{{Pieces: "at/{agent}"}}}
	s := open(b, run)
	for {
		if _, partial := s.index.tell(0, turns, 1, nil); !partial {
			return s
		}
	}
}

// BenchmarkRequests is how long what a page asks for takes in a run of 1,000 agents.
func BenchmarkRequests(b *testing.B) {
	const turns = 200
	s := crowd(b, 1000, turns)
	random := rand.New(rand.NewPCG(1, 2))
	for name, path := range map[string]string{
		"frame": "frame?", "agents": "agents?", "agent": "agent?name=agent77&", "state": "state?limit=2000&", "diff": "diff?", "steps": "steps?",
		"message": "events?kind=message&to=100&", "text": "events?q=nothing&to=100&", "page": "events?",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				answer, err := http.Get(fmt.Sprintf("%sapi/%sturn=%d", s.URL(), path, random.IntN(turns)))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
					b.Fatal(answer.Status, err)
				}
				answer.Body.Close()
			}
		})
	}
}
