package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/viewer/web"
	"github.com/vitrine-sim/vitrine/world"
)

// A page is what a browser has of a viewer: its address.
type page struct {
	t   *testing.T
	url string
}

// pageOf runs a command in the background that shows a run, and returns its page, and what waits for its exit code.
func pageOf(t *testing.T, args ...string) (page, func() int) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	code, found := make(chan int, 1), make(chan string, 1)
	go func() { // ends with ctx at the latest
		code <- vitrine(ctx, args, write, write)
		write.Close()
	}()
	go func() { // ends with the command
		defer close(found)
		for lines := bufio.NewScanner(read); lines.Scan(); {
			if i := strings.Index(lines.Text(), "http://127.0.0.1:"); i >= 0 && len(found) == 0 {
				found <- strings.TrimSuffix(lines.Text()[i:], " until Ctrl-C")
			}
		}
	}()
	once := -1
	wait := func() int {
		if once < 0 {
			once = <-code
		}
		return once
	}
	t.Cleanup(func() {
		cancel()
		wait()
		read.Close()
	})
	address, ok := <-found
	if !ok {
		t.Fatalf("%v prints no address", args)
	}
	return page{t, address}, func() int {
		if !slices.Contains(args, "run") {
			cancel()
		}
		return wait()
	}
}

// get asks for JSON.
func (p page) get(path string, v any) {
	p.t.Helper()
	answer, err := http.Get(p.url + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || json.Unmarshal(raw, v) != nil {
		p.t.Fatalf("%s: %s, error %v: %s", path, answer.Status, err, raw)
	}
}

// post does what an operator wants, and returns why it does not work.
func (p page) post(command string) string {
	p.t.Helper()
	at, err := url.Parse(p.url)
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"api/control", strings.NewReader(command))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("X-Vitrine", "1")
	req.Header.Set("Origin", "http://"+at.Host)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	var said struct{ Error, Hint string }
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil || (said.Error == "") != (answer.StatusCode == http.StatusOK) {
		p.t.Fatalf("%s: %s, error %v", command, answer.Status, err)
	}
	return said.Error + said.Hint
}

// A standing is how a run stands.
type standing struct {
	State string
	Turns int
	Seq   int64
}

// until waits until a run stands as wanted.
func (p page) until(is func(standing) bool) (now standing) {
	p.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) { // nothing tells of it but the answers
		if p.get("api/run", &now); is(now) {
			return now
		}
	}
	p.t.Fatalf("it still stands like this: %+v", now)
	return now
}

func TestAnOperatorControlsARunFromItsPage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	p, wait := pageOf(t, "run", fisheryFile(), "--agents", "scripted", "--policy", "steady", "--out", dir, "--paused", "--view", "--control",
		"--set", "rules.turns=400", "--set", "limits.turns=400") // so that it is not over while it is slowed down, which takes 80 s then
	p.until(func(now standing) bool { return now.State == "paused" })
	for command, want := range map[string]string{
		`{"do":"tell","agent":"a","text":"be careful"}`:         "",
		`{"do":"tell","text":"all of you"}`:                     "",
		`{"do":"tell","agent":"zoe","text":"x"}`:                "none of a, b, c, d, e",
		`{"do":"set","path":"lake/tons","value":-1}`:            "the rules do not allow it",
		`{"do":"set","path":"lake/tons","value":60}`:            "",
		`{"do":"set","path":"note/x","value":"new","new":true}`: "",
		`{"do":"set","path":"lake/tuns","value":60}`:            "there is no fact",
		`{"do":"delete","path":"note/none"}`:                    "there is no fact",
		`{"do":"act","agent":"a","name":"fish"}`:                "no such seat",
		`{"do":"speed","value":-1}`:                             "is no speed",
		`{"do":"speed","value":1e-12}`:                          "is no speed",
		`{"do":"dance"}`:                                        "there is no command",
		`{"dance":1}`:                                           "this is no command",
	} {
		if got := p.post(command); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
	if said := p.post(`{"do":"step","turn":true}`); said != "" {
		t.Fatal(said)
	}
	p.until(func(now standing) bool { return now.State == "paused" && now.Turns == 1 })
	begun := time.Now()
	if said := p.post(`{"do":"speed","value":5}`); said != "" {
		t.Fatal(said)
	}
	p.until(func(now standing) bool { return now.Turns >= 5 })
	if took := time.Since(begun); took < 600*time.Millisecond {
		t.Errorf("4 turns at 5 a second took %v", took)
	}
	if said := p.post(`{"do":"speed","value":0}`); said != "" {
		t.Fatal(said)
	}
	if code := wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if result, err := arena.ReadResult(dir); err != nil || result.Status != arena.Terminated {
		t.Errorf("result %+v, error %v", result, err)
	}
	if _, err := http.Get(p.url); err == nil {
		t.Error("the page is still there when the run is over")
	}
}

// However many want at once that it goes slowly, it stands still when somebody has paused it.
func TestAPausedRunStandsStillWhoeverSlowedItDown(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	p, wait := pageOf(t, "run", fisheryFile(), "--agents", "scripted", "--policy", "steady", "--out", dir, "--paused", "--view")
	p.until(func(now standing) bool { return now.State == "paused" })
	c := &controls{app: new(app), dir: dir}
	var slowing sync.WaitGroup
	for range 8 {
		slowing.Go(func() {
			if err := c.try(t.Context(), web.Command{Do: web.DoSpeed, Value: json.RawMessage("0.5")}); err != nil {
				t.Error(err)
			}
		})
	}
	slowing.Wait()
	if err := c.try(t.Context(), web.Command{Do: web.DoPause}); err != nil {
		t.Fatal(err)
	}
	stacks := make([]byte, 1<<20)
	if n := bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("controls).pace(")); n > 0 {
		t.Errorf("%d still let it go on", n)
	}
	if err := c.try(t.Context(), web.Command{Do: web.DoContinue}); err != nil {
		t.Fatal(err)
	}
	if code := wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// Whoever looks and has slowed it down may go.
func TestARunThatIsSlowedDownGoesOnWhenTheViewerEnds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	p, wait := pageOf(t, "run", fisheryFile(), "--agents", "scripted", "--policy", "steady", "--out", dir, "--paused", "--view")
	p.until(func(now standing) bool { return now.State == "paused" })
	w := &window{controls: &controls{app: new(app), dir: dir}}
	if err := w.controls.try(t.Context(), web.Command{Do: web.DoSpeed, Value: json.RawMessage("0.001")}); err != nil {
		t.Fatal(err)
	}
	w.close()
	if st, err := world.Now(dir); err != nil || arena.Held(st) {
		t.Fatalf("it stands still: %v", err)
	}
	if code := wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// The viewer of a run that is interrupted goes after it.
func TestARunThatWasInterruptedWhileItWasSlowedDownIsNotPaused(t *testing.T) {
	dir := unfinished(t)
	lease, err := world.Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	w := &window{controls: &controls{app: new(app), dir: dir}}
	err = w.controls.try(t.Context(), web.Command{Do: web.DoSpeed, Value: json.RawMessage("0.001")})
	if err = errors.Join(err, lease.Release()); err != nil {
		t.Fatal(err)
	}
	w.close()
	if st, err := world.Now(dir); err != nil || arena.Held(st) {
		t.Errorf("it stands still: %v", err)
	}
}

// Who slows a run down in the page has no say any more when somebody pauses it from a terminal.
func TestARunThatIsSlowedDownStandsStillWhenAnotherOperatorPausesIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	p, wait := pageOf(t, "run", fisheryFile(), "--agents", "scripted", "--policy", "steady", "--out", dir, "--paused", "--view", "--set", "rules.turns=100000", "--set", "limits.turns=100000")
	p.until(func(now standing) bool { return now.State == "paused" })
	c := &controls{app: new(app), dir: dir}
	begun, err := c.intervene(t.Context(), dir, arena.Command{Do: arena.DoPause})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var pacing sync.WaitGroup
	pacing.Go(func() { c.pace(ctx, begun.Seq, time.Millisecond) })
	p.until(func(now standing) bool { return now.Turns > 3 })
	for _, command := range []arena.Command{{Do: arena.DoTell, To: "a", Text: "go on"}, {Do: arena.DoSet, Path: "lake/tons", Value: json.RawMessage("90")}} {
		told, err := c.intervene(t.Context(), dir, command) // which says nothing of how it goes on
		if err != nil {
			t.Fatal(err)
		}
		p.until(func(now standing) bool { return now.Turns > told.Turn+3 })
	}
	if code := vitrine(t.Context(), []string{"pause", dir}, io.Discard, os.Stderr); code != 0 {
		t.Errorf("pause: exit code %d", code)
	}
	defer time.AfterFunc(patience, cancel).Stop()
	pacing.Wait()
	if ctx.Err() != nil {
		t.Error("it goes on playing turns")
	}
	if code := vitrine(t.Context(), []string{"stop", dir}, io.Discard, os.Stderr); code != 0 {
		t.Errorf("stop: exit code %d", code)
	}
	wait()
}

// The pause may come between two looks of who slows it down: one whether the run stands still, and one whether somebody else has said how it goes on.
func TestNoTurnIsPlayedThatSomebodyHasPausedBefore(t *testing.T) {
	dir := unfinished(t)
	c := &controls{app: new(app), dir: dir}
	pause := func() world.State {
		t.Helper()
		if _, err := c.intervene(t.Context(), dir, arena.Command{Do: arena.DoPause}); err != nil {
			t.Fatal(err)
		}
		st, err := world.Now(dir)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	before, now := pause(), pause()
	if _, err := c.another(t.Context(), before); !errors.Is(err, arena.ErrMoved) {
		t.Errorf("error %v", err)
	}
	if st, err := world.Now(dir); err != nil || st.Seq != now.Seq {
		t.Errorf("after event %d comes %d: %v", now.Seq, st.Seq, err)
	}
	if turn, err := c.another(t.Context(), now); err != nil || turn.Seq != now.Seq+1 {
		t.Errorf("then a turn more: %+v, %v", turn, err)
	}
}

// A run's manifest names the program that has its rules, and whoever sends somebody a run can have written there what they like.
func TestOfARunThatSomebodySentNoProgramIsStarted(t *testing.T) {
	folder := t.TempDir()
	dir, proof := filepath.Join(folder, "run"), filepath.Join(folder, "proof")
	if code := vitrine(t.Context(), []string{"run", fisheryFile(), "--agents", "scripted", "--policy", "steady", "--out", dir}, io.Discard, os.Stderr); code != 0 {
		t.Fatal("exit code", code)
	}
	path := filepath.Join(dir, "manifest.json")
	raw, err := os.ReadFile(path)
	var manifest map[string]any
	if err != nil || json.Unmarshal(raw, &manifest) != nil {
		t.Fatal("no manifest:", err)
	}
	program := []string{"/bin/sh", "-c", "touch " + proof}
	manifest["set"], manifest["rules_plugin"] = []string{"rules.plugin=" + string(world.JSON(program))}, program
	if err := os.WriteFile(path, world.JSON(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	p, _ := pageOf(t, "view", dir, "--control")
	var about struct{ Notes []string }
	if p.get("api/run", &about); !strings.Contains(strings.Join(about.Notes, "\n"), "touch") || !strings.Contains(strings.Join(about.Notes, "\n"), "--trust") {
		t.Errorf("it says %q", about.Notes)
	}
	if refusal := p.post(`{"do":"set","path":"lake/tons","value":1}`); !strings.Contains(refusal, "--trust") {
		t.Errorf("an operator is told %q", refusal)
	}
	export := []string{"export", dir, "--png", filepath.Join(folder, "a.png")}
	if code := vitrine(t.Context(), export, io.Discard, os.Stderr); code != 0 {
		t.Errorf("export: exit code %d", code)
	}
	if _, err := os.Stat(proof); err == nil {
		t.Fatal("it was started")
	}
	if code := vitrine(t.Context(), append(export, "--trust"), io.Discard, os.Stderr); code != 0 {
		t.Errorf("export --trust: exit code %d", code)
	}
	if _, err := os.Stat(proof); err != nil {
		t.Error("it is not started where it shall be:", err)
	}
}

func TestAtTheEndOfAStoppedRunAllIsCountedThatItUsed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	p, wait := pageOf(t, "run", fisheryFile(), "--agents", "scripted", "--policy", "steady", "--out", dir, "--paused", "--view", "--control", "--set", "schedule=sequential")
	at := p.until(func(now standing) bool { return now.State == "paused" })
	for _, command := range []string{`{"do":"step","turn":true}`, `{"do":"step"}`} {
		if said := p.post(command); said != "" {
			t.Fatal(said)
		}
		at = p.until(func(now standing) bool { return now.State == "paused" && now.Turns == 1 && now.Seq > at.Seq+1 }) // so somebody has acted
	}
	if said := p.post(`{"do":"stop"}`); said != "" {
		t.Fatal(said)
	}
	wait()
	result, err := arena.ReadResult(dir)
	if err != nil || result.Status != arena.Truncated || result.Turns != 1 {
		t.Fatalf("result %+v, error %v", result, err)
	}
	for i := range result.Agents[:2] { // as if they had asked models in the turn that was cut
		dollars := float64(i+1) / 4
		result.Agents[i].Metered = arena.Metered{ModelRequests: 2, TokensIn: 100, TokensOut: int64(i + 10), Dollars: &dollars}
		result.Used = result.Used.Add(result.Agents[i].Metered)
	}
	if err := arena.WriteResult(dir, result); err != nil {
		t.Fatal(err)
	}
	p, _ = pageOf(t, "view", dir)
	for turn, want := range []arena.Metered{{Dollars: new(float64)}, result.Used} {
		var agents []struct {
			Name string
			web.Use
		}
		p.get(fmt.Sprintf("api/agents?turn=%d", turn), &agents)
		sum := arena.Metered{Dollars: new(float64)}
		for i, a := range agents {
			var told struct{ Usage struct{ Turn, Total web.Use } }
			p.get(fmt.Sprintf("api/agent?name=%s&turn=%d", a.Name, turn), &told)
			if !reflect.DeepEqual(told.Usage.Total, a.Use) || !reflect.DeepEqual(told.Usage.Turn.TokensIn, a.TokensIn) {
				t.Errorf("turn %d: %s has used %+v in a list, by itself %+v", turn, a.Name, a.Use, told.Usage)
			}
			if a.Dollars == nil {
				a.Dollars = new(float64)
			}
			if (a.TokensIn > 0) != (turn == 1 && i < 2) {
				t.Errorf("turn %d: %s has used %+v", turn, a.Name, a.Use)
			}
			sum = sum.Add(arena.Metered{ModelRequests: a.Requests, TokensIn: a.TokensIn, TokensOut: a.TokensOut, Dollars: a.Dollars})
		}
		if !reflect.DeepEqual(sum, want) {
			t.Errorf("turn %d: all have used %s, want %s", turn, world.JSON(sum), world.JSON(want))
		}
	}
}

func TestNoCellOfMetricsIsAFormula(t *testing.T) {
	m := measurement{Metrics: []measured{{Metric: world.Metric{Name: "=cmd|' /C calc'!A0", Unit: "@SUM(1)"}, Value: -1}}}
	rows, err := csv.NewReader(bytes.NewReader(m.csv(arena.Manifest{Scenario: "-2+3"}))).ReadAll()
	if want := []string{"'-2+3", "0", "'=cmd|' /C calc'!A0", "-1", "'@SUM(1)"}; err != nil || !slices.Equal(rows[1], want) {
		t.Errorf("%q, error %v", rows, err)
	}
}

func TestAPersonPlaysASeatFromThePage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	scenario := filepath.Join(t.TempDir(), "seats.toml")
	text := "[rules]\nname = \"fishery\"\nturns = 3\n[[agents]]\nname = \"a\"\nkind = \"scripted\"\n[[agents]]\nname = \"b\"\nkind = \"human\"\n"
	if err := os.WriteFile(scenario, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, wait := pageOf(t, "run", scenario, "--out", dir, "--view", "--control")
	if err := appears(filepath.Join(arena.AgentDir(dir, "b"), "seat.sock")); err != nil {
		t.Fatal(err)
	}
	p.until(func(now standing) bool { return now.Turns == 0 })
	if said := p.post(`{"do":"act","agent":"b","name":"fly"}`); !strings.Contains(said, "is refused that") || !strings.Contains(said, "fly") {
		t.Errorf("of an act that is refused it says %q", said)
	}
	for turn := 1; turn < 3; turn++ {
		p.until(func(now standing) bool { return now.Turns == turn })
		if said := p.post(`{"do":"act","agent":"b","name":"fish","args":{"tons":3}}`); said != "" {
			t.Fatal(said)
		}
	}
	if code := wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	result, err := arena.ReadResult(dir)
	if err != nil || result.Agents[1].Reward != 6 {
		t.Errorf("what was caught: %+v, error %v", result.Agents, err)
	}
}

// Whoever answers a seat from the page may have waited for its turn, and for the log, as long as one waits for its turn.
func TestASeatIsAnsweredHoweverLongItTookToAsk(t *testing.T) {
	here, seat := net.Pipe()
	defer seat.Close()
	if err := here.SetDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the pipe
		said := bufio.NewScanner(seat)
		said.Scan()
		fmt.Fprintf(seat, "{\"refused\":%q}\n", "no "+said.Text())
	}()
	if err := reply(here, bufio.NewReader(here), []byte("pass")); err == nil || err.Error() != "no pass" {
		t.Errorf("error %v", err)
	}
}

func TestMetricsOfThePageAreThoseOfTheCommandLine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if code := vitrine(t.Context(), []string{"run", fisheryFile(), "--agents", "scripted", "--policy", "greedy", "--seed", "4", "--out", dir}, io.Discard, os.Stderr); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	p, _ := pageOf(t, "view", dir)
	var series struct {
		Turns  []int
		Series []struct {
			Name   string
			Values []float64
		}
	}
	p.get("api/metrics", &series)
	file := filepath.Join(t.TempDir(), "metrics.csv")
	if code := vitrine(t.Context(), []string{"metrics", dir, "--csv", file}, io.Discard, os.Stderr); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(want)).ReadAll()
	if err != nil || len(rows) != len(series.Series)+1 || len(series.Turns) == 0 {
		t.Fatalf("%d metrics, %d turns, %d rows, error %v", len(series.Series), len(series.Turns), len(rows), err)
	}
	for i, row := range rows[1:] {
		got := series.Series[i]
		if last := strconv.FormatFloat(got.Values[len(got.Values)-1], 'g', -1, 64); got.Name != row[2] || last != row[3] || len(got.Values) != len(series.Turns) {
			t.Errorf("%s is %v over %d turns, want %s %s", got.Name, got.Values, len(series.Turns), row[2], row[3])
		}
		if !slices.IsSorted(got.Values) && got.Name == "total" {
			t.Errorf("the total goes down: %v", got.Values)
		}
	}
	over, err := http.Get(p.url + "api/metrics.csv?turns=1")
	if err != nil {
		t.Fatal(err)
	}
	defer over.Body.Close()
	if rows, err := csv.NewReader(over.Body).ReadAll(); err != nil || len(rows) != len(series.Series)*len(series.Turns)+1 {
		t.Errorf("over the turns there are %d rows, error %v", len(rows), err)
	}
	answer, err := http.Get(p.url + "api/metrics.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got, err := io.ReadAll(answer.Body); err != nil || !bytes.Equal(got, want) {
		t.Errorf("metrics.csv is %q, error %v, want %q", got, err, want)
	}
}

func TestThePageShowsTheStatesThatTheLogGives(t *testing.T) {
	for _, scenario := range []string{"fishery", "village", "werewolf"} {
		dir := played(t, filepath.Join("..", "..", "scenarios", scenario+".toml"))
		facts := make(map[string]json.RawMessage)
		hash := func() string {
			h := sha256.New()
			for _, path := range slices.Sorted(maps.Keys(facts)) {
				fmt.Fprintf(h, "%s %s\n", path, facts[path])
			}
			return hex.EncodeToString(h.Sum(nil))
		}
		var want []string // by turn
		for ev, err := range world.Events(dir) {
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range ev.Del {
				delete(facts, path)
			}
			maps.Copy(facts, ev.Set)
			if len(want) == 0 && !ev.More || ev.Kind == world.KindTurn {
				want = append(want, hash())
			}
		}
		want[len(want)-1] = hash() // the end
		var turns []int
		for turn := range want {
			turns = append(turns, turn)
		}
		back, random := slices.Clone(turns), slices.Clone(turns)
		slices.Reverse(back)
		rand.Shuffle(len(random), func(i, j int) { random[i], random[j] = random[j], random[i] })
		p, _ := pageOf(t, "view", dir)
		for _, turn := range slices.Concat(turns, back, random) {
			var state struct{ Hash string }
			if p.get(fmt.Sprintf("api/state?limit=0&turn=%d", turn), &state); state.Hash != want[turn] {
				t.Errorf("%s, turn %d: hash %s, want %s", scenario, turn, state.Hash, want[turn])
			}
		}
		t.Logf("%s: %d turns", scenario, len(turns))
	}
}

func TestTwoRunsAreShownWithWhereTheyPart(t *testing.T) {
	temp := t.TempDir()
	for name, policy := range map[string]string{"a": "steady", "b": "greedy"} {
		if code := vitrine(t.Context(), []string{"run", fisheryFile(), "--agents", "scripted", "--policy", policy, "--out", filepath.Join(temp, name)}, io.Discard, os.Stderr); code != 0 {
			t.Fatalf("exit code %d", code)
		}
	}
	type parts struct {
		Turn   int
		Seq    *int64
		Events [2]*struct{ Agent, Text string }
		Begin  []struct {
			Name   string
			Values [2]json.RawMessage
		}
	}
	var got, same, seeded parts
	p, _ := pageOf(t, "view", filepath.Join(temp, "a"), "--with", filepath.Join(temp, "b"))
	p.get("api/parts", &got)
	if got.Turn != 0 || got.Seq == nil || *got.Seq != 3 || got.Events[0] == nil || got.Events[1] == nil ||
		*got.Events[0] == *got.Events[1] || got.Events[0].Agent != "a" || !strings.HasPrefix(got.Events[0].Text, "asks for fish tons=") || len(got.Begin) > 0 {
		t.Errorf("they part like this: %+v", got)
	}
	var run struct{ Other struct{ Name string } }
	if p.get("api/run", &run); run.Other.Name != "b" {
		t.Errorf("the other run is %q", run.Other.Name)
	}
	var state, other struct{ Hash string }
	p.get("api/state", &state)
	p.get("api/other/state", &other)
	if state.Hash == other.Hash || other.Hash == "" {
		t.Errorf("states %s and %s", state.Hash, other.Hash)
	}
	p, _ = pageOf(t, "view", filepath.Join(temp, "a"), "--with", filepath.Join(temp, "a"))
	if p.get("api/parts", &same); same.Turn != -1 || same.Seq != nil {
		t.Errorf("a run parts from itself like this: %+v", same)
	}
	if code := vitrine(t.Context(), []string{"run", fisheryFile(), "--agents", "scripted", "--policy", "greedy", "--seed", "7", "--out", filepath.Join(temp, "c")}, io.Discard, os.Stderr); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	p, _ = pageOf(t, "view", filepath.Join(temp, "a"), "--with", filepath.Join(temp, "c"))
	p.get("api/parts", &seeded)
	if len(seeded.Begin) != 1 || seeded.Begin[0].Name != "seed" || string(seeded.Begin[0].Values[1]) != "7" || seeded.Seq == nil || *seeded.Seq != 3 {
		t.Errorf("runs of other seeds part like this: %+v", seeded)
	}
}

// showsConversations demands that the page of a run of the fishery shows what its agents, which are Claude Code, said and used.
func showsConversations(t *testing.T, dir string, result arena.Result) {
	t.Helper()
	p, _ := pageOf(t, "view", dir)
	for _, agent := range result.Agents {
		var used int64
		for turn := range result.Turns {
			var a struct {
				Transcript []web.Entry
				Acts       []struct{ Name string }
				Usage      struct{ Turn, Total web.Use }
				Memory     int64 `json:"memory_bytes"`
			}
			p.get(fmt.Sprintf("api/agent?name=%s&turn=%d", agent.Name, turn), &a)
			var kinds []string
			for _, e := range a.Transcript {
				kinds = append(kinds, e.Kind)
			}
			if turn == result.Turns-1 && len(kinds) > 3 {
				kinds = kinds[:3] // it was ended then, which it may have been told
			}
			if !slices.Equal(kinds, []string{claude.PartObservation, claude.PartText, claude.PartToolUse}) || len(a.Acts) != 1 || a.Acts[0].Name != "fish" ||
				a.Memory != agent.PeakMemory {
				t.Errorf("agent %s in turn %d: %v, %+v, %d bytes", agent.Name, turn, kinds, a.Acts, a.Memory)
			}
			if used += a.Usage.Turn.TokensIn; used != a.Usage.Total.TokensIn {
				t.Errorf("agent %s has used %d tokens up to turn %d, and %d when its turns are added", agent.Name, a.Usage.Total.TokensIn, turn, used)
			}
		}
		if used == 0 || used > agent.TokensIn {
			t.Errorf("agent %s has used %d tokens in all turns, and %d in all", agent.Name, used, agent.TokensIn)
		}
	}
}
