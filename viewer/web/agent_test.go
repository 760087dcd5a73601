package web

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/viewer"
	"github.com/vitrine-sim/vitrine/world"
)

// seenSeq returns the number of the event after which an observation was made, by the rules of [seesSeq].
func seenSeq(t *testing.T, observation json.RawMessage) (seq int64) {
	t.Helper()
	var seen world.Observation
	if err := json.Unmarshal(observation, &seen); err != nil || json.Unmarshal(seen.View, &seq) != nil {
		t.Fatalf("it saw %s, error %v", observation, err)
	}
	return seq
}

// seesSeq is what rules show that show the number of the last event.
func seesSeq(st world.State, agent string) (world.Observation, error) {
	return world.Observation{Agent: agent, Turn: st.Turn, View: world.JSON(st.Seq)}, nil
}

func TestEachActIsToldWithWhatWasSeenThen(t *testing.T) {
	run, store := newRun(t, 1)
	run.Observe = seesSeq
	act := func(agent, data string) world.Event {
		return world.Event{Kind: viewer.KindAction, Agent: agent, Data: json.RawMessage(data)}
	}
	begin := store.State().Seq
	commit(t, store, act("ann", `{"name":"go"}`), act("bob", `{"name":"go"}`))                // sees begin
	commit(t, store, act("cat", fmt.Sprintf(`{"name":"go","saw":%d}`, begin)))                // sees begin as well
	commit(t, store, act("ann", `{"name":"tell"}`), world.Action{Agent: "ann"}.Refuse("why")) // sees begin+3
	commit(t, store, world.Event{Kind: world.KindTurn})
	commit(t, store, act("bob", fmt.Sprintf(`{"name":"late","saw":%d}`, begin+2))) // what was so in the turn before
	commit(t, store, act("bob", `{"name":"last"}`))
	run.Transcript = func(string) ([]Entry, error) {
		return []Entry{{Turn: 1, Text: "early", Time: time.Now().Add(-time.Hour)}, {Turn: 1, Text: "late", Time: time.Now().Add(time.Hour)}}, nil
	}
	s := open(t, run)
	whole(t, s)
	for path, want := range map[string]struct {
		acts     []int64 // upon what they were done
		seen     int64
		next     bool
		thought  int
		refusals int
	}{
		"name=ann&turn=1": {[]int64{begin, begin + 3}, begin, false, 2, 1},
		fmt.Sprintf("name=ann&turn=1&seq=%d", begin+2): {[]int64{begin}, begin + 2, true, 1, 0},
		fmt.Sprintf("name=ann&turn=1&seq=%d", begin+5): {[]int64{begin, begin + 3}, begin + 5, true, 1, 1},
		fmt.Sprintf("name=cat&turn=1&seq=%d", begin+2): {nil, begin + 2, true, 1, 0},
		"name=cat&turn=1": {[]int64{begin}, begin, false, 2, 0},
		"name=bob&turn=2": {[]int64{begin + 2, begin + 7}, begin + 8, true, 0, 1},
		"name=ann&turn=2": {nil, begin + 8, true, 0, 1},
	} {
		got := get[inspected](t, s, "api/agent?"+path)
		var acts []int64
		for _, act := range got.Acts {
			acts = append(acts, seenSeq(t, act.Observation))
		}
		if seen := seenSeq(t, got.Observation); !slices.Equal(acts, want.acts) || seen != want.seen || got.Next != want.next ||
			len(got.Transcript) != want.thought || got.Refusals != want.refusals {
			t.Errorf("%s: acts upon %v, then sees %d, next %v, %d thoughts, %d refusals, want %+v", path, acts, seen, got.Next, len(got.Transcript), got.Refusals, want)
		}
	}
	run.Observe = nil
	if got := get[inspected](t, open(t, run), "api/agent?name=ann&turn=1"); len(got.Acts) != 2 || string(got.Acts[0].Observation) != "null" ||
		strings.Count(strings.Join(got.Notes, "\n"), "not at hand") != 1 {
		t.Errorf("without rules: %+v", got)
	}
}
