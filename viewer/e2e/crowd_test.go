package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/vitrine-sim/vitrine/viewer"
	"github.com/vitrine-sim/vitrine/viewer/web"
	"github.com/vitrine-sim/vitrine/world"
)

// crowd makes a run of so many agents and turns, in each of which all act and each tenth moves, and returns it with the store in which it goes on.
func crowd(b testing.TB, agents, turns int) (web.Run, *world.Store) {
	b.Helper()
	dir := b.TempDir()
	store, err := world.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	random := rand.New(rand.NewPCG(1, 2))
	wide := 2 // cells of a board on which each second one is free
	for wide*wide < 2*agents {
		wide++
	}
	var names []string
	set := map[string]json.RawMessage{world.SeedFact: world.JSON(1)}
	for i := range agents {
		names = append(names, fmt.Sprintf("agent%d", i))
		set[world.StatusFact+"/"+names[i]] = world.JSON("active")
		set["at/"+names[i]] = world.JSON([]int{random.IntN(wide), random.IntN(wide)})
	}
	tell(b, store, world.Event{Kind: "enter", Set: set})
	for range turns {
		tell(b, store, turnOf(names, random, wide)...)
	}
	run := web.Run{
		Dir: dir, Held: func(world.State) bool { return false }, Say: func(ev world.Event) string { return ev.Kind + " " + string(ev.Data) },
		Used:  func(world.Event) map[string]web.Use { return nil },
		Total: func(context.Context) map[string]web.Use { return nil },
		Look:  &viewer.Look{Kind: viewer.Board, Width: fmt.Sprint(wide), Height: fmt.Sprint(wide), Layers: []viewer.Layer{{Pieces: "at/{agent}"}}},
	}
	run.About.Name = fmt.Sprintf("%d agents", agents)
	for _, look := range viewer.Agents(names, func(string) string { return "" }) {
		run.About.Agents = append(run.About.Agents, web.Agent{Agent: look, Kind: "scripted"})
	}
	return run, store
}

// turnOf returns what happens in a turn.
func turnOf(names []string, random *rand.Rand, wide int) []world.Event {
	var acts, moves []world.Event
	for _, name := range names {
		act := world.Event{Kind: "action", Agent: name, Data: json.RawMessage(`{"name":"pass"}`), Proc: json.RawMessage(`{"wall_ms":1.5}`)}
		if random.IntN(10) == 0 {
			act.Data = json.RawMessage(`{"args":{"to":"N"},"name":"walk"}`)
			set := map[string]json.RawMessage{"at/" + name: fmt.Appendf(nil, "[%d,%d]", random.IntN(wide), random.IntN(wide))}
			moves = append(moves, world.Event{Kind: "walked", Agent: name, Set: set})
		}
		acts = append(acts, act)
	}
	return append(append(acts, moves...), world.Event{Kind: world.KindTurn})
}

func tell(b testing.TB, store *world.Store, events ...world.Event) {
	b.Helper()
	if _, err := store.Commit(context.Background(), func(world.State) ([]world.Event, error) { return events, nil }); err != nil {
		b.Fatal(err)
	}
}

// show serves a run until the benchmark ends.
func show(b testing.TB, run web.Run) *web.Server {
	b.Helper()
	s, err := web.Open(run, nil, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// indexed waits until a server knows what happened in all turns.
func indexed(b *testing.B, s *web.Server) {
	b.Helper()
	for {
		var turns struct{ Partial bool }
		if err := json.Unmarshal(read(b, s.URL()+"api/turns"), &turns); err != nil {
			b.Fatal(err)
		}
		if !turns.Partial {
			return
		}
	}
}

func read(b *testing.B, url string) []byte {
	b.Helper()
	answer, err := http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		b.Fatal(url, answer.Status, err)
	}
	return body
}

// BenchmarkRequests is how long what a page asks for takes in a run of 1,000 agents.
func BenchmarkRequests(b *testing.B) {
	const turns = 200
	run, _ := crowd(b, 1000, turns)
	s := show(b, run)
	indexed(b, s)
	random := rand.New(rand.NewPCG(1, 2))
	for name, path := range map[string]string{
		"frame": "frame?", "agents": "agents?", "agent": "agent?name=agent77&", "state": "state?limit=2000&", "diff": "diff?", "steps": "steps?",
		"message": "events?kind=message&to=100&", "text": "events?q=nothing&to=100&", "page": "events?",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				read(b, fmt.Sprintf("%sapi/%sturn=%d", s.URL(), path, random.IntN(turns)))
			}
		})
	}
}
