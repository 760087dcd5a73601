package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/vitrine-sim/vitrine/world"
)

// hostile is what an agent may say: markup, terminal escapes, and letters that need fonts.
const hostile = `<img src=x onerror="globalThis.pwned=1"><script>globalThis.pwned=1</script>` + " \x1b[31mred\x1b[0m 魚は少ない 🐟"

// A story is a run of the fishery in which a test says what happens. Somebody holds it as long as the test lasts, so that it counts as live.
type story struct {
	t     *testing.T
	dir   string
	store *world.Store
	lease *world.Lease
}

// begin begins a story with some turns of a run that was played.
func begin(t *testing.T, turns int, flags ...string) *story {
	t.Helper()
	played := play(t, "fishery.toml", flags...)
	s := &story{t: t, dir: filepath.Join(t.TempDir(), "story")}
	if err := os.CopyFS(s.dir, os.DirFS(played)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"events.jsonl", "keyframes.jsonl", "result.json"} {
		if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if s.lease, err = world.Acquire(s.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.lease.Release() })
	if s.store, err = world.Open(s.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.store.Close() })
	var commit []world.Event
	for _, ev := range logOf(t, played) {
		if ev.Turn >= turns {
			break
		}
		if commit = append(commit, ev); !ev.More {
			s.commit(commit...)
			commit = nil
		}
	}
	return s
}

func (s *story) commit(events ...world.Event) {
	s.t.Helper()
	if _, err := s.store.Commit(s.t.Context(), func(world.State) ([]world.Event, error) { return events, nil }); err != nil {
		s.t.Fatal(err)
	}
}

// turn plays a turn in which agent "a" says something, and "b" and "c" want the same boat, which "b" gets; every third time "d" is late.
func (s *story) turn(text string) {
	s.t.Helper()
	turn := s.store.State().Turn
	boat := fmt.Sprintf("boats/%d", turn%3)
	act := func(agent, name string, args any) world.Event {
		return world.Event{Kind: "action", Agent: agent, Data: world.JSON(map[string]any{"name": name, "args": args}), Proc: []byte(`{"wall_ms":12.5}`)}
	}
	take := map[string]string{"boat": boat}
	won := act("b", "take", take)
	won.Set = map[string]json.RawMessage{boat: world.JSON("b")}
	lost := act("c", "take", take)
	events := []world.Event{won, lost, world.Action{Agent: "c", Name: "take"}.Refuse("b has taken " + boat)}
	if text != "" {
		events = append(events, world.Event{Kind: "message", Agent: "a", Data: world.JSON(map[string]string{"text": text})})
	}
	if turn%3 == 0 {
		events = append(events, world.Event{Kind: "timeout", Agent: "d", Data: []byte(`{"consequence":"pass"}`)})
	}
	s.commit(events...)
	s.commit(world.Event{Kind: world.KindTurn})
}

// end ends the run.
func (s *story) end() {
	s.commit(world.Event{Kind: "end", Data: []byte(`{"status":"terminated","reason":"the test is over"}`)})
}
