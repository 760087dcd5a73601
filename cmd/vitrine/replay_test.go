package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/agents/gateway"
	"github.com/vitrine-sim/vitrine/agents/scripted"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
	"github.com/vitrine-sim/vitrine/world/fishery"
)

// TestRealProcessesPlayAgain records real Claude Code processes, five at most at a time, and plays them again.
func TestRealProcessesPlayAgain(t *testing.T) {
	p := build(t)
	t.Run("elsewhere, on another day, without a network", p.playAgainElsewhere)
	t.Run("with their files in another folder", p.playAgainWithFiles)
	t.Run("late and killed as they were", p.playAgainLateAndKilled)
	t.Run("after the troubles that their model had", p.playAgainAfterTroubles)
	t.Run("to go another way from turn 6", p.branchInTheSixthTurn)
	t.Run("or are asked about it", p.areAskedAboutIt)
	t.Run("or say what is not as it was", p.sayWhatIsNotAsItWas)
}

// again starts "vitrine replay --json" of a run, in a folder of its own, without a network if the machine has namespaces for that, and in any case
// with no way to the API.
func (p program) again(t *testing.T, dir string, args ...string) *run {
	t.Helper()
	out, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	nowhere := "http://127.0.0.1:1"
	env := []string{"ANTHROPIC_BASE_URL=" + nowhere, "HTTPS_PROXY=" + nowhere, "HTTP_PROXY=" + nowhere}
	args = append([]string{"replay", "--json", "--out", out, dir}, args...)
	namespace := &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
	}
	probe := exec.CommandContext(t.Context(), "true")
	probe.SysProcAttr = namespace
	if err := probe.Run(); err != nil {
		t.Logf("there is no namespace without a network here, so that only the API is out of reach: %v", err)
		namespace = nil
	}
	return p.startAs(t, namespace, out, env, args...)
}

// sameLog demands that two runs have the same log, but for times and facts of processes.
func sameLog(t *testing.T, got, want string) {
	t.Helper()
	var lines [2][]string
	for i, dir := range []string{got, want} {
		for ev, err := range world.Events(dir) {
			if err != nil {
				t.Fatal(err)
			}
			lines[i] = append(lines[i], string(ev.World()))
		}
	}
	for i, line := range lines[1] {
		if i >= len(lines[0]) || lines[0][i] != line {
			t.Fatalf("event %d of %d is not %s", i, len(lines[0]), line)
		}
	}
	if len(lines[0]) != len(lines[1]) || len(lines[0]) == 0 {
		t.Errorf("there are %d events, should be %d", len(lines[0]), len(lines[1]))
	}
}

// moved copies a run's folder to another place, and removes it where it was.
func moved(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "another folder")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	return to
}

// onAnotherDay returns an executable that is Claude Code in a time zone where it is another day than in UTC now.
func onAnotherDay(t *testing.T) string {
	t.Helper()
	binary, err := claude.Locate(t.Context(), os.Getenv("VITRINE_TEST_CLAUDE"), nil)
	if err != nil {
		t.Fatal(err)
	}
	zone := "Etc/GMT+12" // twelve hours behind
	if time.Now().UTC().Hour() >= 11 {
		zone = "Pacific/Kiritimati" // fourteen hours ahead
	}
	path := filepath.Join(t.TempDir(), "claude")
	script := fmt.Sprintf("#!/bin/sh\nTZ=%s exec '%s' \"$@\"\n", zone, binary.Path)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func (p program) playAgainElsewhere(t *testing.T) {
	key := []string{"ANTHROPIC_API_KEY=" + canary, "TZ=UTC"}
	first := p.start(t, key, fisheryFile(), "--offline", "--prices", shippedFile(t))
	want := first.exits(t, 0)
	first.hides(t, canary)
	if want.Used.Dollars == nil || *want.Used.Dollars == 0 {
		t.Errorf("it has used %+v", want.Used)
	}
	dir := moved(t, first.dir)

	r := p.again(t, dir, "--claude", onAnotherDay(t))
	got := r.exits(t, 0)
	sameLog(t, r.dir, dir)
	if got.Hash != want.Hash || got.Model != want.Model || got.Turns != 12 {
		t.Errorf("it ends with the hash %s of model %q after %d turns, not %s", got.Hash, got.Model, got.Turns, want.Hash)
	}
	for i, a := range got.Agents {
		if a.Kind != "claude" || !reflect.DeepEqual(a.Metered, want.Agents[i].Metered) || a.PeakMemory < 50<<20 {
			t.Errorf("agent %+v was %+v", a, want.Agents[i])
		}
		if c := a.Caching; c == nil || c.Kept != 1 || c.Share < 0.5 || c.Over5m > 0 {
			t.Errorf("the requests of %s repeat each other as %+v", a.Name, c)
		}
	}
	if v := r.verify(t); !v.Over || v.Hash != want.Hash {
		t.Errorf("verify says %+v", v)
	}
	t.Logf("five processes took %d ms, and again %d ms", want.WallMS, got.WallMS)

	began := time.Now()
	r = p.again(t, r.dir, "--agents", "recorded") // of what is a repetition itself
	got = r.exits(t, 0)
	sameLog(t, r.dir, dir)
	if got.Hash != want.Hash || got.Agents[0].Kind != "recorded" || got.Agents[0].ModelRequests != 0 {
		t.Errorf("without processes it is %+v", got)
	}
	t.Logf("without processes it takes %d ms, with its start %v", got.WallMS, time.Since(began).Round(time.Millisecond))
}

// shippedFile returns a file with the prices that come along.
func shippedFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "prices.json")
	if err := os.WriteFile(file, gateway.ShippedPrices(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// stream is an answer of the API that calls a tool.
func stream(tool string, input any) string {
	var out strings.Builder
	send := func(kind, data string) { fmt.Fprintf(&out, "event: %s\ndata: {\"type\":%q,%s}\n\n", kind, kind, data) }
	send("message_start", `"message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`)
	send("content_block_start", fmt.Sprintf(`"index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":%q,"input":{}}`, tool))
	for text := string(world.JSON(input)); text != ""; {
		n := min(7, len(text)) // so that paths come in pieces
		send("content_block_delta", fmt.Sprintf(`"index":0,"delta":{"type":"input_json_delta","partial_json":%s}`, world.JSON(text[:n])))
		text = text[n:]
	}
	send("content_block_stop", `"index":0`)
	send("message_delta", `"delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}`)
	send("message_stop", `"index":0`)
	return out.String()
}

func (p program) playAgainWithFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "notes.toml")
	scenario := "prompt = \"You are {name}.\"\n[rules]\nname = \"fishery\"\nturns = 2\n[[agents]]\nname = \"a\"\ntools = [\"Read\", \"Write\"]\n"
	if err := os.WriteFile(file, []byte(scenario), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	upstream := gateway.NewOffline(func(string) world.Policy { return fishery.Policies()["steady"] }, 1)
	m := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		if !bytes.Contains(body, []byte("tool_result")) {
			note := map[string]string{"file_path": filepath.Join(dir, "agents", "a", "work", "note.txt"), "content": "remember the lake\n"}
			_, _ = io.WriteString(w, stream("Write", note))
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if resp, err := upstream.RoundTrip(r); err == nil {
			_, _ = io.Copy(w, resp.Body)
		}
	}))
	t.Cleanup(m.Close)
	first := p.startIn(t, dir, []string{"ANTHROPIC_API_KEY=" + canary}, "run", "--json", "--out", dir, file, "--base-url", m.URL)
	want := first.exits(t, 0)
	from := moved(t, dir)
	r := p.again(t, from)
	if got := r.exits(t, 0); got.Hash != want.Hash || got.Agents[0].ModelRequests != 3 {
		t.Errorf("it ends with the hash %s after %d requests, not %s", got.Hash, got.Agents[0].ModelRequests, want.Hash)
	}
	for _, folder := range []string{from, r.dir} {
		if raw, err := os.ReadFile(filepath.Join(arena.AgentDir(folder, "a"), "work", "note.txt")); string(raw) != "remember the lake\n" {
			t.Errorf("the note is %q: %v", raw, err)
		}
	}
	if found := filesWith(arena.AgentDir(r.dir, "a"), dir); len(found) > 0 {
		t.Errorf("the folder that is gone is in %q", found)
	}
}

func (p program) playAgainLateAndKilled(t *testing.T) {
	m := serve(t, func(obs world.Observation) bool {
		return obs.Agent == "b" && obs.Turn == 1 || obs.Agent == "c" && obs.Turn == 2
	})
	first := p.start(t, []string{"ANTHROPIC_API_KEY=" + canary}, fisheryFile(), "--base-url", m.URL,
		"--set", "limits.turns=4", "--set", "agents.b.act=15s")
	m.waitHeld(t) // b is late in turn 1
	m.waitHeld(t)
	if err := syscall.Kill(first.agent(t, "c"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	want := first.exits(t, 0)
	if b, c := want.Agents[1], want.Agents[2]; b.Timeouts != 1 || b.Actions != 3 || c.Status != arena.StatusError || c.Actions != 2 {
		t.Fatalf("b is %+v, c is %+v", b, c)
	}
	m.release()
	r := p.again(t, first.dir)
	got := r.exits(t, 0)
	sameLog(t, r.dir, first.dir)
	for i, a := range got.Agents {
		if a.Status != want.Agents[i].Status || a.Timeouts != want.Agents[i].Timeouts || a.Kind != "claude" {
			t.Errorf("agent %+v was %+v", a, want.Agents[i])
		}
	}
	if got.WallMS > want.WallMS+60_000 {
		t.Errorf("it took %d ms, and takes %d", want.WallMS, got.WallMS)
	}
	r.hides(t, canary)
}

func (p program) playAgainAfterTroubles(t *testing.T) {
	first := p.start(t, nil, fisheryFile(), "--offline", "--fault", "429@1,cut@2,500@4,malformed@5,empty@7,cut@9", "--set", "rules.turns=5",
		"--set", "agents.c.kind=scripted", "--set", "agents.d.kind=scripted", "--set", "agents.e.kind=scripted")
	want := first.exits(t, 0)
	if a := want.Agents[0]; a.Troubles < 4 || a.Actions == 0 {
		t.Errorf("agent %+v", a)
	}
	r := p.again(t, first.dir)
	if got := r.exits(t, 0); got.Agents[0].Metered.ModelRequests != want.Agents[0].ModelRequests {
		t.Errorf("there are %d requests, and were %d", got.Agents[0].ModelRequests, want.Agents[0].ModelRequests)
	}
	sameLog(t, r.dir, first.dir)
}

func (p program) sayWhatIsNotAsItWas(t *testing.T) {
	first := p.start(t, nil, fisheryFile(), "--offline", "--set", "rules.turns=2", "--set", "agents.d.kind=scripted", "--set", "agents.e.kind=scripted",
		"--set", "agents.c.kind=scripted")
	first.exits(t, 0)
	cassettes := arena.CassetteDir(first.dir)
	a, b := filepath.Join(cassettes, "a.jsonl.gz"), filepath.Join(cassettes, "b.jsonl.gz")
	raw, err := os.ReadFile(b)
	if err == nil {
		err = os.WriteFile(a, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := p.again(t, first.dir)
	<-r.done
	var printed struct{ Errors []report }
	if err := json.Unmarshal(r.stdout.Bytes(), &printed); err != nil || r.cmd.ProcessState.ExitCode() != exitFailed || len(printed.Errors) != 3 {
		t.Fatalf("it ends with code %d and prints %s: %v", r.cmd.ProcessState.ExitCode(), &r.stdout, err)
	}
	for i, want := range []string{`a request is not the one that was recorded: agent "a", request 1 of `, "recorded: ", "now:      "} {
		if got := printed.Errors[i].Message; !strings.HasPrefix(got, want) {
			t.Errorf("line %d is %s, want %s", i, got, want)
		}
	}
	if !strings.Contains(printed.Errors[1].Message, `\"agent\":\"b\"`) || !strings.Contains(printed.Errors[2].Message, `\"agent\":\"a\"`) {
		t.Errorf("it does not show the difference: %s", &r.stdout)
	}
	if left := processes(r.dir); len(left) > 0 {
		t.Errorf("processes %v are still there", left)
	}
	out, err := exec.CommandContext(t.Context(), string(p), "resume", r.dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "goes on nowhere") {
		t.Errorf("it can be resumed: %v: %s", err, out)
	}
}

// A patient agent acts when nothing happens any more, unless it was called off.
type patient struct{ scripted.Agent }

// Act implements [agents.Agent].
func (patient) Act(ctx context.Context, _ world.Observation) (world.Action, error) {
	synctest.Wait()
	return world.Action{Name: world.Pass}, ctx.Err()
}

func TestWhatAnAgentLeftTooLateDoesNotEndItsNextAct(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := make(chan struct{}, 1)
		left <- struct{}{} // its act was over when it asked what was not answered then
		if _, err := (&repeating{Agent: patient{}, left: left}).Act(t.Context(), world.Observation{}); err != nil {
			t.Errorf("error %v", err)
		}
	})
}

// branch starts "vitrine branch --json" of a run, in a folder of its own.
func (p program) branch(t *testing.T, env []string, dir string, args ...string) *run {
	t.Helper()
	out, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return p.startIn(t, out, env, append([]string{"branch", "--json", "--out", out, dir}, args...)...)
}

func (p program) branchInTheSixthTurn(t *testing.T) {
	first := p.start(t, nil, fisheryFile(), "--offline", "--policy", "random")
	want := first.exits(t, 0)
	b := p.branch(t, nil, first.dir, "--turn", "6", "--seed", "5", "--model", "claude-haiku-4-5", "--agent", "a=steady")
	got := b.exits(t, 0)
	if b.verify(t); got.Hash == want.Hash || got.Seed != 5 || got.Turns < 7 {
		t.Errorf("the branch is %+v", got)
	}
	var lines [2][]string
	for i, dir := range []string{first.dir, b.dir} {
		for ev, err := range world.Events(dir) {
			if err != nil {
				t.Fatal(err)
			}
			if ev.Turn < 6 {
				lines[i] = append(lines[i], string(ev.World()))
			}
		}
	}
	if !slices.Equal(lines[0], lines[1]) || len(lines[0]) == 0 {
		t.Errorf("the first six turns are others")
	}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		before, err := gateway.ReadCassette(arena.CassetteDir(first.dir), name)
		if err != nil {
			t.Fatal(err)
		}
		after, err := gateway.ReadCassette(arena.CassetteDir(b.dir), name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 6 {
			if !bytes.Equal(before.Request(i), after.Request(i)) || !bytes.Equal(before.Exchanges[i].Answer, after.Exchanges[i].Answer) {
				t.Errorf("request %d of %s is another", i, name)
			}
		}
		sixth := string(after.Request(6))
		if !strings.Contains(sixth, `"model":"claude-haiku-4-5"`) || !strings.Contains(sixth, `\"turn\":0`) || !strings.Contains(sixth, `\"turn\":6`) {
			t.Errorf("the conversation of %s goes on as %.60s", name, sixth)
		}
	}
	var c comparison
	out, err := exec.CommandContext(t.Context(), string(p), "compare", "--json", first.dir, b.dir).Output()
	if err := errors.Join(err, json.Unmarshal(out, &c)); err != nil || c.Same || c.Part.Turn != 6 || c.Turns[0].Turn != 6 {
		t.Errorf("they part as %s: %v", out, err)
	}
	r := p.again(t, b.dir)
	if again := r.exits(t, 0); again.Hash != got.Hash {
		t.Errorf("the branch has the hash %s, and again %s", got.Hash, again.Hash)
	}
}

// treeHash returns a hash over the names and contents of all files below a folder.
func treeHash(t *testing.T, dir string) string {
	t.Helper()
	var all []byte
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		all = fmt.Appendf(all, "%s %s\n", path, sum(raw))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum(all)
}

func (p program) areAskedAboutIt(t *testing.T) {
	m := serve(t, func(world.Observation) bool { return false })
	env := []string{"ANTHROPIC_API_KEY=" + canary}
	first := p.start(t, env, fisheryFile(), "--base-url", m.URL, "--set", "rules.turns=4", "--set", "agents.b.kind=scripted",
		"--set", "agents.c.kind=scripted", "--set", "agents.d.kind=scripted", "--set", "agents.e.kind=scripted")
	first.exits(t, 0)
	before := treeHash(t, first.dir)
	for _, tt := range []struct {
		args     []string
		has, not []string
	}{
		{nil, []string{`\"turn\":0`, `\"turn\":3`}, []string{"The game stands still here."}},
		{[]string{"--turn", "1"}, []string{`\"turn\":0`, `\"turn\":1`, `"The game stands still here."`}, []string{`\"turn\":2`}},
	} {
		asked := len(m.seen())
		cmd := exec.CommandContext(t.Context(), string(p), append([]string{"ask", first.dir, "a", "why", "so much?", "--json", "--base-url", m.URL}, tt.args...)...)
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.Output()
		var said interview
		if err = errors.Join(err, json.Unmarshal(out, &said)); err != nil || said.Answer != "There is nothing new to answer." || said.ModelRequests != 1 {
			t.Errorf("it prints %s: %v", out, err)
		}
		seen := m.seen()
		if len(seen) != asked+1 {
			t.Fatalf("the model is asked %d times", len(seen)-asked)
		}
		request := seen[asked].body
		for _, want := range append(tt.has, "why so much?", "mcp__world__act", "You are a, one of five fishers") {
			if !strings.Contains(request, want) {
				t.Errorf("%v: the model is not told %s", tt.args, want)
			}
		}
		for _, no := range tt.not {
			if strings.Contains(request, no) {
				t.Errorf("%v: the model is told %s", tt.args, no)
			}
		}
	}
	if after := treeHash(t, first.dir); after != before {
		t.Error("the run is not as it was")
	}
	for _, tt := range []struct{ agent, turn, want string }{
		{"b", "1", "only Claude Code has a conversation to ask"}, {"z", "1", `there is no agent "z"`}, {"a", "9", "its turns are 0 to 4"},
	} {
		out, err := exec.CommandContext(t.Context(), string(p), "ask", first.dir, tt.agent, "why?", "--turn", tt.turn, "--offline").CombinedOutput()
		if err == nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("agent %s in turn %s: %v: %s", tt.agent, tt.turn, err, out)
		}
	}
	first.verify(t)
}
