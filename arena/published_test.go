package arena

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/scripted"
	"github.com/vitrine-sim/vitrine/world"
)

// A publishedRound is one round of a published run: tons in the lake, what each agent wanted and got, tons left.
type publishedRound struct {
	before        int
	wanted, given []int
	after         int
}

// A publishedRun is the rounds of one run of github.com/pedrocurvo/GovSim at 4b52a82, simulation/results.
type publishedRun struct {
	name   string
	rounds []publishedRound
}

// typedIn are some of the published rounds, each from the first of its run on.
func typedIn() []publishedRun {
	return []publishedRun{
		{"fishing_v6.4/blooming-leaf-15", []publishedRound{
			{100, []int{10, 10, 10, 10, 10}, []int{10, 10, 10, 10, 10}, 50},
			{100, []int{10, 20, 4, 10, 10}, []int{10, 20, 4, 10, 10}, 46},
			{92, []int{9, 8, 3, 8, 18}, []int{9, 8, 3, 8, 18}, 46},
			{92, []int{46, 9, 3, 8, 9}, []int{46, 9, 3, 8, 9}, 17},
		}},
		{"fishing_v6.4/crimson-bush-40", []publishedRound{
			{100, []int{20, 20, 20, 20, 6}, []int{20, 20, 20, 20, 6}, 14},
			{28, []int{15, 15, 5, 10, 5}, []int{7, 4, 5, 10, 2}, 0},
		}},
		{"fishing_v6.4/playful-rain-110", []publishedRound{{100, []int{0, 10, 60, 10, 150}, []int{0, 10, 37, 10, 43}, 0}}},
		{"fishing_v7.0/Qwen2.5-7B/dry-salad-130", []publishedRound{{100, []int{25, 30, 25, 25, 50}, []int{17, 30, 15, 21, 17}, 0}}},
	}
}

func TestPublishedRoundsTypedInAreReplayedThroughTheWholeEngine(t *testing.T) {
	for _, run := range typedIn() {
		t.Run(run.name, func(t *testing.T) { replay(t, run) })
	}
}

func TestEveryPublishedRoundIsReplayedThroughTheWholeEngine(t *testing.T) {
	const name = "../../shared/data/govsim_fishery_rounds.csv"
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("NOT CHECKED against the published runs: there is no %s", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	in := csv.NewReader(file)
	in.FieldsPerRecord = 14
	rows, err := in.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var runs []publishedRun
	for _, row := range rows[1:] {
		n := make([]int, len(row))
		for i, cell := range row[1:] {
			if n[i+1], err = strconv.Atoi(cell); err != nil {
				t.Fatal(err)
			}
		}
		if n[1] == 0 {
			runs = append(runs, publishedRun{name: row[0]})
		}
		run := &runs[len(runs)-1]
		if row[0] != run.name || n[1] != len(run.rounds) {
			t.Fatalf("round %d of %s follows on round %d of %s", n[1], row[0], len(run.rounds)-1, run.name)
		}
		run.rounds = append(run.rounds, publishedRound{n[2], n[3:8], n[8:13], n[13]})
	}
	if len(runs) != 25 || len(rows) != 131 {
		t.Errorf("%d runs in %d rows, want 25 in 131", len(runs), len(rows))
	}
	for _, run := range runs {
		t.Run(run.name, func(t *testing.T) { replay(t, run) })
	}
}

// replay plays a published run as a recording, from the text of its file to the events in the log, and verifies it.
func replay(t *testing.T, run publishedRun) {
	var text strings.Builder
	for turn, r := range run.rounds {
		for i, tons := range r.wanted {
			fmt.Fprintf(&text, `{"turn":%d,"agent":%q,"action":"fish","args":{"tons":%d}}`+"\n", turn, five[i], tons)
		}
	}
	recording, err := scripted.ReadRecording("published.jsonl", strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	s.Turns = 12
	for _, name := range five {
		s.starts(name, func(context.Context, Fenced) (agents.Agent, error) { return recording.Player(name), nil })
	}
	out, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	events := s.events()
	if refusals := of(events, world.KindRefusal, ""); len(refusals) > 0 {
		t.Fatalf("refused: %s", world.JSON(refusals))
	}
	totals := make([]int, len(five))
	for turn, r := range run.rounds {
		given := checkRound(t, events, turn, r)
		for i := range totals {
			totals[i] += given[i]
		}
	}
	turns := 12 // nobody fishes any more where a run was broken off
	if last := run.rounds[len(run.rounds)-1]; last.after < 5 {
		turns = len(run.rounds)
	}
	checkEnd(t, out, End{Terminated, "by the rules"}, turns)
	for i, seat := range out.Seats {
		if seat.Reward != float64(totals[i]) || seat.Status != StatusDone {
			t.Errorf("%s has %v and is %s, the log gives it %d", seat.Name, seat.Reward, seat.Status, totals[i])
		}
	}
	if v := s.verify(); !v.Over || v.Turns != out.State.Turn || v.Events != int64(len(events)) {
		t.Errorf("verified: %+v", v)
	}
}

// checkRound compares a turn in the log with the published round, and returns what each agent got. How a contested lake was
// shared out is a matter of lots; all else must be as published.
func checkRound(t *testing.T, events []world.Event, turn int, r publishedRound) []int {
	t.Helper()
	var lake struct{ Before, Caught, After int }
	given := make([]int, len(five))
	for _, ev := range events {
		if ev.Turn != turn {
			continue
		}
		switch ev.Kind {
		case "lake":
			decode(t, ev, &lake)
		case "catch":
			var catch struct{ Asked, Caught int }
			decode(t, ev, &catch)
			i := slices.Index(five, ev.Agent)
			if given[i] = catch.Caught; catch.Asked != r.wanted[i] || catch.Caught > catch.Asked {
				t.Errorf("turn %d: %s asked for %d and got %d, published: %d", turn, ev.Agent, catch.Asked, catch.Caught, r.wanted[i])
			}
		}
	}
	sum, wanted := 0, 0
	for i := range given {
		sum, wanted = sum+r.given[i], wanted+r.wanted[i]
	}
	if lake.Before != r.before || lake.Caught != sum || lake.After != r.after {
		t.Errorf("turn %d: the lake is %+v, published: %d, %d, %d", turn, lake, r.before, sum, r.after)
	}
	if wanted <= r.before && !slices.Equal(given, r.given) {
		t.Errorf("turn %d gives %v, published: %v", turn, given, r.given)
	}
	return given
}

func decode(t *testing.T, ev world.Event, v any) {
	t.Helper()
	if err := json.Unmarshal(ev.Data, v); err != nil {
		t.Fatalf("%s: %v", ev.Data, err)
	}
}
