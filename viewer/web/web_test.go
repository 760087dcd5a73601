package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/viewer"
	"github.com/vitrine-sim/vitrine/viewer/draw"
	"github.com/vitrine-sim/vitrine/world"
)

// newRun makes a run in a new folder with so many turns, and a store in which it goes on.
func newRun(t testing.TB, turns int) (Run, *world.Store) {
	t.Helper()
	dir := t.TempDir()
	store, err := world.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	names := []string{"ann", "bob", "cat"}
	set := map[string]json.RawMessage{world.SeedFact: world.JSON(1)}
	for _, name := range names {
		set[world.StatusFact+"/"+name] = world.JSON("active")
		set["at/"+name] = world.JSON([]int{0, 0})
	}
	commit(t, store, world.Event{Kind: "start", Set: set})
	for range turns {
		playTurn(t, store)
	}
	run := Run{Dir: dir, Held: func(world.State) bool { return false }, Say: func(ev world.Event) string { return ev.Kind + " " + string(ev.Data) }}
	run.Used = func(ev world.Event) map[string]Use {
		var used map[string]Use
		_ = json.Unmarshal(ev.Proc, &used) // there may be none
		return used
	}
	run.Total = func(context.Context) map[string]Use { return nil }
	for _, look := range viewer.Agents(names, func(string) string { return "" }) {
		run.About.Agents = append(run.About.Agents, Agent{Agent: look, Kind: "scripted"})
	}
	return run, store
}

// commit commits events.
func commit(t testing.TB, store *world.Store, events ...world.Event) {
	t.Helper()
	if _, err := store.Commit(context.Background(), func(world.State) ([]world.Event, error) { return events, nil }); err != nil {
		t.Fatal(err)
	}
}

// playTurn plays a turn in which some move, ann and bob want the same every third time, and bob is late every fifth.
func playTurn(t testing.TB, store *world.Store) {
	t.Helper()
	turn := store.State().Turn
	random := world.NewRand(1, turn, "test")
	act := func(name string, data string) world.Event {
		return world.Event{Kind: viewer.KindAction, Agent: name, Data: json.RawMessage(data), Proc: json.RawMessage(`{"wall_ms":1.5}`)}
	}
	first := act("ann", `{"args":{"to":"N"},"name":"move"}`)
	first.Set = map[string]json.RawMessage{"at/ann": world.JSON([]int{random.IntN(9), turn})}
	step := []world.Event{first}
	if turn%3 == 0 {
		step[0].Set["cell"] = world.JSON("ann")
		step = append(step, act("bob", `{"args":{"to":"N"},"name":"move"}`), world.Action{Agent: "bob", Name: "move"}.Refuse("somebody is there"))
	}
	commit(t, store, step...)
	if turn%5 == 0 {
		commit(t, store, world.Event{Kind: "timeout", Agent: "bob", Data: json.RawMessage(`{"consequence":"pass"}`)})
	}
	if turn%4 == 0 {
		commit(t, store, world.Event{Kind: viewer.KindMessage, Agent: "cat", Data: world.JSON(map[string]string{"text": "turn " + strconv.Itoa(turn)})},
			world.Event{Kind: "drop", Del: []string{"gone/" + strconv.Itoa(turn-4)}, Set: map[string]json.RawMessage{"gone/" + strconv.Itoa(turn): world.JSON(turn)}})
	}
	commit(t, store, world.Event{Kind: world.KindTurn, Proc: world.JSON(map[string]Use{"cat": {TokensIn: int64(turn+1) * 10, Requests: int64(turn + 1), Cut: int64(turn), Assumed: int64(turn) * 100}})})
}

func open(t testing.TB, run Run) *Server {
	t.Helper()
	s, err := Open(run, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask asks for something below the token, and returns the answer and its body.
func ask(t testing.TB, s *Server, path string) (*http.Response, []byte) {
	t.Helper()
	answer, err := http.Get(s.URL() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, body
}

// get asks for JSON.
func get[T any](t testing.TB, s *Server, path string) (v T) {
	t.Helper()
	answer, body := ask(t, s, path)
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s", path, answer.Status, body)
	}
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%s: %v in %s", path, err, body)
	}
	return v
}

// A truth is a run as its log says it is, read apart from all that is tested.
type truth struct {
	events []world.Event
	turns  []map[string]json.RawMessage // facts as turns begin
	now    map[string]json.RawMessage
	after  map[int64]map[string]json.RawMessage // facts behind the last event of each commit
}

func readTruth(t testing.TB, dir string) truth {
	t.Helper()
	told := truth{now: map[string]json.RawMessage{}, after: map[int64]map[string]json.RawMessage{}}
	for ev, err := range world.Events(dir) {
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range ev.Del {
			delete(told.now, path)
		}
		maps.Copy(told.now, ev.Set)
		told.events = append(told.events, ev)
		if len(told.turns) == 0 && !ev.More || ev.Kind == world.KindTurn {
			told.turns = append(told.turns, maps.Clone(told.now))
		}
		if !ev.More || ev.Kind == world.KindTurn {
			told.after[ev.Seq] = maps.Clone(told.now)
		}
	}
	told.turns[len(told.turns)-1] = told.now
	return told
}

// hashOf returns the hash of facts.
func hashOf(facts map[string]json.RawMessage) string {
	h := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(facts)) {
		fmt.Fprintf(h, "%s %s\n", path, facts[path])
	}
	return hex.EncodeToString(h.Sum(nil))
}

type stateJSON struct {
	Turn  int
	Seq   int64
	Hash  string
	Facts map[string]json.RawMessage
	More  bool
}

func TestStatesAreThoseOfTheLogInAnyOrder(t *testing.T) {
	run, store := newRun(t, 60)
	for _, sealed := range []bool{false, true} {
		if sealed {
			store.Close()
			if _, _, err := world.Seal(run.Dir); err != nil {
				t.Fatal(err)
			}
		}
		sameStates(t, run)
	}
}

// sameStates demands that a server tells the states of a run as they are: forward, backward and at random, and after each commit.
func sameStates(t *testing.T, run Run) {
	t.Helper()
	want := readTruth(t, run.Dir)
	s := open(t, run)
	var turns []int
	for turn := range want.turns {
		turns = append(turns, turn)
	}
	backwards := slices.Clone(turns)
	slices.Reverse(backwards)
	random := slices.Clone(turns)
	rand.Shuffle(len(random), func(i, j int) { random[i], random[j] = random[j], random[i] })
	for _, turn := range slices.Concat(turns, backwards, random) {
		got := get[stateJSON](t, s, fmt.Sprintf("api/state?turn=%d&limit=5000", turn))
		if got.Hash != hashOf(want.turns[turn]) || got.Turn != turn {
			t.Fatalf("turn %d: %d facts with hash %s, want %d with %s", turn, len(got.Facts), got.Hash, len(want.turns[turn]), hashOf(want.turns[turn]))
		}
	}
	for turn := range turns {
		for _, step := range get[[]struct{ Seq int64 }](t, s, fmt.Sprintf("api/steps?turn=%d", turn)) {
			got := get[stateJSON](t, s, fmt.Sprintf("api/state?turn=%d&seq=%d", turn, step.Seq))
			if got.Seq != step.Seq || got.Hash != hashOf(want.after[step.Seq]) {
				t.Fatalf("turn %d, after event %d: event %d, hash %s, want %s", turn, step.Seq, got.Seq, got.Hash, hashOf(want.after[step.Seq]))
			}
		}
	}
}

func TestFramesBearTheHashOfTheirState(t *testing.T) {
	run, _ := newRun(t, 9)
	want := readTruth(t, run.Dir)
	s := open(t, run)
	for turn := range want.turns {
		answer, body := ask(t, s, fmt.Sprintf("api/frame?turn=%d&sees=ann", turn))
		if got := answer.Header.Get("X-Hash"); got != hashOf(want.turns[turn]) {
			t.Errorf("turn %d: hash %s", turn, got)
		}
		if kept := strings.Contains(answer.Header.Get("Cache-Control"), "max-age"); kept != (turn < 9) {
			t.Errorf("turn %d: Cache-Control is %q", turn, answer.Header.Get("Cache-Control"))
		}
		list, err := draw.Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, ok := list.Place("bob"); !ok {
			t.Errorf("turn %d: bob is not in the picture", turn)
		}
	}
	if answer, _ := ask(t, s, "api/frame?sees=zoe"); answer.StatusCode != http.StatusNotFound {
		t.Errorf("what nobody sees: %s", answer.Status)
	}
}

func TestWhoFollowsARunSeesThePresentAsWhoComesToItLater(t *testing.T) {
	run, store := newRun(t, 3)
	following := open(t, run)
	same := func() {
		t.Helper()
		for now := following.live.moment(); now.st.Seq < store.State().Seq; now = following.live.moment() {
			<-now.moved
		}
		later := open(t, run)
		present := fmt.Sprintf("?turn=%d", store.State().Turn)
		for _, path := range []string{"frame" + present, "frame" + present + fmt.Sprintf("&seq=%d", store.State().Seq), "diff" + present, "agents" + present, "steps" + present} {
			_, got := ask(t, following, "api/"+path)
			if _, want := ask(t, later, "api/"+path); !bytes.Equal(got, want) {
				t.Errorf("%s differs", path)
			}
		}
	}
	for range 3 {
		playTurn(t, store)
		same()
		commit(t, store, world.Event{Kind: viewer.KindMessage, Agent: "cat", Data: json.RawMessage(`{"text":"now"}`)})
		same()
	}
	commit(t, store, world.Event{Kind: world.KindTurn}, world.Event{Kind: viewer.KindMessage, Agent: "bob", Data: json.RawMessage(`{"text":"in the same commit"}`)})
	same()
}

// whole waits until the index holds all turns, and returns them.
type timeline struct {
	Partial bool
	Bucket  int
	Turns   []turnJSON
}

func whole(t testing.TB, s *Server) timeline {
	t.Helper()
	for {
		if got := get[timeline](t, s, "api/turns"); !got.Partial {
			return got
		}
	}
}

func TestTurnsAreMarkedWithWhatHappenedInThem(t *testing.T) {
	run, _ := newRun(t, 40)
	want := readTruth(t, run.Dir)
	s := open(t, run)
	got := whole(t, s)
	if len(got.Turns) != 40 { // the last one has no events yet
		t.Fatalf("%d turns", len(got.Turns))
	}
	for _, turn := range got.Turns {
		marked, byAgent := map[string]int{}, map[string]int{}
		var first, last int64
		for _, ev := range want.events {
			if ev.Turn != turn.T {
				continue
			}
			if first == 0 {
				first = ev.Seq
			}
			last = ev.Seq
			if markOf(ev.Kind) >= 0 {
				marked[ev.Kind]++
				byAgent[ev.Agent]++
			}
		}
		if turn.T%3 == 0 {
			marked["conflict"]++
			byAgent["ann"]++
			byAgent["bob"]++
		}
		if !maps.Equal(turn.Marks, marked) || !maps.Equal(turn.Agents, byAgent) || turn.Seq != [2]int64{first, last} || turn.Events != last-first+1 {
			t.Errorf("turn %d: %+v, want events %d to %d, %v and %v", turn.T, turn, first, last, marked, byAgent)
		}
	}
}

func TestConflictsHaveAWinnerALoserAndAReason(t *testing.T) {
	run, _ := newRun(t, 5)
	s := open(t, run)
	got := get[struct {
		Changes   []changeJSON
		Conflicts []world.Conflict
	}](t, s, "api/diff?turn=3")
	if len(got.Conflicts) != 1 {
		t.Fatalf("conflicts: %+v", got.Conflicts)
	}
	c := got.Conflicts[0]
	if len(c.Claims) != 2 || !slices.Equal(c.Winners, []string{"ann"}) || !slices.Equal(c.Losers, []string{"bob"}) || c.Reason != "somebody is there" {
		t.Errorf("conflict: %+v", c)
	}
	want := readTruth(t, run.Dir)
	if got := get[struct{ Conflicts []world.Conflict }](t, s, "api/diff?turn=2"); len(got.Conflicts) > 0 {
		t.Errorf("conflicts of a turn without any: %+v", got.Conflicts)
	}
	changed := map[string]bool{}
	for path, raw := range want.turns[4] {
		changed[path] = string(want.turns[3][path]) != string(raw)
	}
	for _, c := range got.Changes {
		if !changed[c.Path] || string(c.After) != string(want.turns[4][c.Path]) || string(c.Before) != string(want.turns[3][c.Path]) {
			t.Errorf("change: %s from %s to %s", c.Path, c.Before, c.After)
		}
		delete(changed, c.Path)
	}
	for path, is := range changed {
		if is {
			t.Errorf("%s has changed, and is not told", path)
		}
	}
}

func TestConflictsAreOfThoseWhoWantOneThing(t *testing.T) {
	act := func(agent, args, sets string) world.Event {
		ev := world.Event{Kind: viewer.KindAction, Agent: agent, Data: json.RawMessage(`{"args":` + args + `,"name":"take"}`)}
		if sets != "" {
			ev.Set = map[string]json.RawMessage{sets: world.JSON(agent)}
		}
		return ev
	}
	refused := func(agent string) world.Event { return world.Action{Agent: agent, Name: "take"}.Refuse("gone") }
	said := world.Conflict{What: "a cell", Winners: []string{"a"}, Losers: []string{"b"}, Reason: "lots"}
	tests := map[string]struct {
		commit []world.Event
		want   string // winners, losers
	}{
		"one thing":                     {[]world.Event{act("a", "1", "thing/1"), act("b", "1", ""), refused("b")}, "[[a] [b]]"},
		"one thing, the second gets it": {[]world.Event{act("a", "1", ""), act("b", "1", "thing/1"), refused("a")}, "[[b] [a]]"},
		"two things":                    {[]world.Event{act("a", "1", "thing/1"), act("b", "2", ""), refused("b")}, "[]"},
		"a way of their own":            {[]world.Event{act("a", "1", "at/a"), act("b", "1", ""), refused("b")}, "[]"},
		"enough for all":                {[]world.Event{act("a", "1", "thing/1"), act("b", "1", "thing/1")}, "[]"},
		"for nobody":                    {[]world.Event{act("a", "1", ""), act("b", "1", ""), refused("a"), refused("b")}, "[]"},
		"the rules say so":              {[]world.Event{{Kind: world.KindConflict, Data: world.JSON(said)}}, "[[a] [b]]"},
		"the rules say what cannot be":  {[]world.Event{{Kind: world.KindConflict, Data: json.RawMessage(`[1]`)}}, "[]"},
		"more than there is": {[]world.Event{
			act("a", "1", ""), act("b", "1", ""),
			{Kind: "catch", Agent: "a", Data: json.RawMessage(`{"asked":8,"caught":8,"contested":true}`)},
			{Kind: "catch", Agent: "b", Data: json.RawMessage(`{"asked":9,"caught":2,"contested":true}`)},
		}, "[[a] [b]]"},
		"what two take, and one of each": {[]world.Event{act("a", "1", "x"), act("b", "1", ""), refused("b"), act("c", "2", "y"), act("d", "2", ""), refused("d")}, "[[a] [b] [c] [d]]"},
	}
	for name, tt := range tests {
		sides := [][]string{}
		for _, c := range conflicts(tt.commit) {
			sides = append(sides, c.Winners, c.Losers)
		}
		if got := fmt.Sprint(sides); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestAnAgentIsToldWithWhatItDidAndUsed(t *testing.T) {
	run, _ := newRun(t, 8)
	run.Observe = func(st world.State, agent string) (world.Observation, error) {
		at, _ := st.Fact("at/" + agent)
		return world.Observation{Agent: agent, Turn: st.Turn, View: at, Reward: float64(st.Seq), Actions: []world.ActionSpec{{Name: "move"}}}, nil
	}
	run.Transcript = func(agent string) ([]Entry, error) {
		return []Entry{{Turn: 2, Kind: "text", Text: agent + " two"}, {Turn: 3, Kind: "text", Text: agent + " three\x1b[31m"}}, nil
	}
	want := readTruth(t, run.Dir)
	s := open(t, run)
	whole(t, s)
	bob := get[inspected](t, s, "api/agent?name=bob&turn=3")
	if len(bob.Acts) != 1 || bob.Acts[0].Name != "move" || string(bob.Acts[0].Args) != `{"to":"N"}` || bob.Acts[0].WallMS != 1.5 ||
		len(bob.Acts[0].Outcome) != 1 || bob.Acts[0].Outcome[0].Kind != world.KindRefusal || bob.Refusals != 2 {
		t.Errorf("bob in turn 3: %+v", bob)
	}
	if len(bob.Transcript) != 1 || bob.Transcript[0].Text != "bob three" {
		t.Errorf("its transcript: %+v", bob.Transcript)
	}
	ann := get[inspected](t, s, "api/agent?name=ann&turn=3")
	var seen world.Observation
	if err := json.Unmarshal(ann.Observation, &seen); err != nil || string(seen.View) != string(want.turns[3]["at/ann"]) || len(ann.Actions) != 1 {
		t.Errorf("ann saw %s in turn 3, error %v", ann.Observation, err)
	}
	cat := get[inspected](t, s, "api/agent?name=cat&turn=4")
	if !slices.Equal(cat.Says, []string{"turn 4"}) || cat.Usage.Total.TokensIn != 50 || cat.Usage.Turn.TokensIn != 10 || cat.Usage.Turn.Requests != 1 ||
		cat.Usage.Total.Cut != 4 || cat.Usage.Turn.Cut != 1 || cat.Usage.Total.Assumed != 400 || cat.Usage.Turn.Assumed != 100 {
		t.Errorf("cat in turn 4: says %q, has used %+v", cat.Says, cat.Usage)
	}
	agents := get[[]agentJSON](t, s, "api/agents?turn=4")
	if len(agents) != 3 || agents[2].TokensIn != 50 || *agents[0].Reward == 0 || agents[2].Last == nil || agents[2].Last.Kind != viewer.KindMessage {
		t.Errorf("agents in turn 4: %+v", agents)
	}
}

func TestEventsAreThoseThatAFilterTakes(t *testing.T) {
	run, _ := newRun(t, 200)
	want := readTruth(t, run.Dir)
	s := open(t, run)
	passed := func(f func(world.Event) bool) (seqs []int64) {
		for _, ev := range want.events {
			if f(ev) {
				seqs = append(seqs, ev.Seq)
			}
		}
		return seqs
	}
	for query, f := range map[string]func(world.Event) bool{
		"":                                func(world.Event) bool { return true },
		"agent=bob":                       func(ev world.Event) bool { return ev.Agent == "bob" },
		"kind=message":                    func(ev world.Event) bool { return ev.Kind == viewer.KindMessage },
		"from=17&to=23":                   func(ev world.Event) bool { return ev.Turn >= 17 && ev.Turn <= 23 },
		"q=Turn+12":                       func(ev world.Event) bool { return strings.Contains(string(ev.Data), "turn 12") },
		"after=100&before=300":            func(ev world.Event) bool { return ev.Seq > 100 && ev.Seq < 300 },
		"agent=zoe":                       func(world.Event) bool { return false },
		"agent=bob&kind=timeout&from=100": func(ev world.Event) bool { return ev.Agent == "bob" && ev.Kind == "timeout" && ev.Turn >= 100 },
	} {
		for _, order := range []string{"asc", "desc"} {
			var got []int64
			next := ""
			for {
				page := get[found](t, s, "api/events?limit=37&order="+order+next+"&"+query) // of two values of one name the first counts
				for _, ev := range page.Events {
					got = append(got, ev.Seq)
				}
				if (page.Next == nil) != (page.Total != nil) {
					t.Errorf("%q %s: a page that goes on at %v has a total of %v", query, order, page.Next, page.Total)
				}
				if page.Next == nil {
					break
				}
				next = fmt.Sprintf("&%s=%d", map[string]string{"asc": "after", "desc": "before"}[order], *page.Next)
			}
			if order == "desc" {
				slices.Reverse(got)
			}
			if exp := passed(f); !slices.Equal(got, exp) {
				t.Errorf("%q %s: %d events %v, want %d %v", query, order, len(got), got, len(exp), exp)
			}
		}
	}
}
