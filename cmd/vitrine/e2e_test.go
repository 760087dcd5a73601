package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/agents/gateway"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// canary is a key that must not turn up anywhere.
const canary = "sk-canary-in-the-environment"

// TestRealProcesses plays with real Claude Code processes: five of them, and twelve in one test. All of it takes a minute or two on two
// cores. Claude Code is fetched if it is not there yet.
func TestRealProcesses(t *testing.T) {
	p := build(t)
	t.Run("play the fishery, with one request for each action", p.playTheFishery)
	t.Run("do what scripted agents do", p.doWhatScriptedAgentsDo)
	t.Run("play on when one of them is killed", p.playOnWhenOneIsKilled)
	t.Run("go on with their conversations when they are killed again and again", p.goOnWhenTheyAreKilled)
	t.Run("die with the supervisor, and go on where they were", p.dieWithTheSupervisor)
	t.Run("talk in private", p.talkInPrivate)
	t.Run("play while an operator, a designer and a follower are at their world", p.playWhileOthersAreThere)
	t.Run("are gone after an interruption", p.areGoneAfterAnInterruption)
	t.Run("reach a model by its URL without its key", p.reachAModelWithoutItsKey)
	t.Run("keep their key secret", p.keepTheirKeySecret)
	t.Run("pass when the model is silent", p.passWhenTheModelIsSilent)
	t.Run("run out of their budgets", p.runOutOfTheirBudgets)
	t.Run("keep their budgets when the supervisor is killed", p.keepTheirBudgets)
	t.Run("play on whatever befalls their model", p.playOnWhateverBefallsTheirModel)
	t.Run("are seen when they tamper", p.areSeenWhenTheyTamper)
	t.Run("are ended beyond their limits", p.areEndedBeyondTheirLimits)
	t.Run("play on whatever one of them says", p.playOnWhateverOneOfThemSays)
	t.Run("can be twelve", p.canBeTwelve)
	t.Run("can be a program with the Agent SDK", p.canBeAProgramWithTheAgentSDK)
}

func (p program) playTheFishery(t *testing.T) {
	r := p.start(t, []string{"ANTHROPIC_API_KEY=" + canary}, fisheryFile(), "--offline")
	result := r.exits(t, 0)
	if result.Model != "offline" || result.Status != arena.Terminated || result.Turns != 12 || len(result.Agents) != 5 {
		t.Errorf("%d agents with model %q: %s after %d turns", len(result.Agents), result.Model, result.Status, result.Turns)
	}
	var requests, peak int64
	for _, a := range result.Agents {
		if a.Kind != "claude" || a.Status != arena.StatusDone || a.Actions != 12 || a.Refusals != 0 || a.Reward != 120 {
			t.Errorf("agent %+v", a)
		}
		if over := a.ModelRequests - int64(a.Actions); over < 0 || over > 1 {
			t.Errorf("agent %s makes %d requests for %d actions", a.Name, a.ModelRequests, a.Actions)
		}
		if a.TokensIn == 0 || a.TokensOut == 0 || a.WallMS == 0 || a.PeakMemory < 50<<20 {
			t.Errorf("agent %s is not measured: %+v", a.Name, a)
		}
		requests += a.ModelRequests
		peak = max(peak, a.PeakMemory)
		transcript, err := os.ReadFile(filepath.Join(arena.AgentDir(r.dir, a.Name), "transcript.jsonl"))
		if err != nil || strings.Count(string(transcript), `"tool_use"`) < 12 {
			t.Errorf("transcript of agent %s has %d bytes: %v", a.Name, len(transcript), err)
		}
		if _, err := os.Stat(filepath.Join(arena.AgentDir(r.dir, a.Name), "stderr.log")); err != nil {
			t.Error(err)
		}
	}
	usage := r.cmd.ProcessState
	t.Logf("%d ms, %.1f s of processor time, %d requests, %d MiB at most in one process", result.WallMS,
		(usage.UserTime() + usage.SystemTime()).Seconds(), requests, peak>>20)

	if v := r.verify(t); !v.Over || v.Hash != result.Hash || v.Events != result.Events {
		t.Errorf("verify says %+v, the result %+v", v, result)
	}
	if want := p.start(t, nil, fisheryFile(), "--agents", "scripted").exits(t, 0).Hash; result.Hash != want {
		t.Errorf("hash is %s, that of scripted agents %s", result.Hash, want)
	}
	showsConversations(t, r.dir, result)
	r.hides(t, canary)
}

func (p program) doWhatScriptedAgentsDo(t *testing.T) {
	for _, set := range [][]string{
		{"rules.turns=3", "agents.d.policy=random", "agents.e.policy=random", "seed=3"},
		{"rules.turns=3", "agents.d.policy=random", "agents.e.policy=greedy"}, // contested: lots are drawn
		{"rules.turns=2", "agents.b.kind=scripted", "agents.b.policy=random", "schedule=sequential"},
		{"rules.turns=2", "rotate=true", "messages={turn=1}", `phases=[{name="talk",agents=["b","d"],actions=["say"]},{name="harvest",schedule="sequential",act="1m"}]`},
	} {
		args := []string{fisheryFile(), "--offline"}
		for _, s := range set {
			args = append(args, "--set", s)
		}
		got := p.start(t, nil, args...).exits(t, 0)
		want := p.start(t, nil, append(args, "--agents", "scripted")...).exits(t, 0)
		if got.Hash != want.Hash || got.Turns == 0 {
			t.Errorf("%v: hash of real processes is %s after %d turns, of scripted agents %s after %d", set, got.Hash, got.Turns,
				want.Hash, want.Turns)
		}
	}
}

// holdC holds agent c in a turn.
func holdC(turn int) func(world.Observation) bool {
	return func(obs world.Observation) bool { return obs.Agent == "c" && obs.Turn == turn }
}

func (p program) playOnWhenOneIsKilled(t *testing.T) {
	m := serve(t, holdC(2))
	r := p.start(t, []string{"ANTHROPIC_API_KEY=" + canary}, fisheryFile(), "--base-url", m.URL)
	r.reaches(t, 2)
	m.waitHeld(t)
	pid := r.agent(t, "c")
	victim := watch(t, pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !victim.gone(time.Now().Add(patience)) {
		t.Error("it does not die")
	}
	result := r.exits(t, 0)
	if result.Turns != 12 || result.Status != arena.Terminated || result.Model != "claude-sonnet-4-5" {
		t.Errorf("model %q: %s after %d turns", result.Model, result.Status, result.Turns)
	}
	for _, a := range result.Agents {
		status, actions := arena.StatusDone, 12
		if a.Name == "c" {
			status, actions = arena.StatusError, 2
		}
		if a.Status != status || a.Actions != actions {
			t.Errorf("agent %s is %s after %d actions, want %s after %d", a.Name, a.Status, a.Actions, status, actions)
		}
	}
	errs := r.events(t, arena.KindCrash)
	if len(errs) != 1 || errs[0].Agent != "c" || errs[0].Turn != 2 || !strings.Contains(string(errs[0].Proc), "signal: killed") {
		t.Errorf("crashes in the log: %s", world.JSON(errs))
	}
	if v := r.verify(t); !v.Over || v.Hash != result.Hash {
		t.Errorf("verify says %+v, the result %+v", v, result)
	}
}

func (p program) dieWithTheSupervisor(t *testing.T) {
	m := serve(t, holdC(1))
	r := p.start(t, []string{"ANTHROPIC_API_KEY=" + canary}, fisheryFile(), "--base-url", m.URL)
	r.reaches(t, 1)
	m.waitHeld(t)
	children := r.children(t)
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	allGone(t, children, patience)
	<-r.done
	if left := processes(r.dir); len(left) > 0 {
		t.Errorf("processes %v are still there", left)
	}
	if v := r.verify(t); v.Over || v.Turns != 1 || v.TornLine != 0 {
		t.Errorf("verify says %+v", v)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "result.json")); err == nil {
		t.Error("the run has a result")
	}
	m.release()
	again := p.resume(t, []string{"ANTHROPIC_API_KEY=" + canary}, r)
	result := again.exits(t, 0)
	if want := p.start(t, nil, fisheryFile(), "--agents", "scripted").exits(t, 0); result.Hash != want.Hash {
		t.Errorf("it goes on to the hash %s, not %s", result.Hash, want.Hash)
	}
	for _, a := range result.Agents {
		if a.Actions != 12 || a.ModelRequests < 12 || a.ModelRequests > 14 {
			t.Errorf("agent %s makes %d requests for %d actions", a.Name, a.ModelRequests, a.Actions)
		}
		// Of the request that was under way nobody knows what it has used; its answer may have had 32,000 tokens.
		if a.TokensOut > 14*32 || a.Name == "c" && (a.Cut != 1 || a.Assumed == nil || a.Assumed.Tokens < 32000) {
			t.Errorf("agent %s has used %d tokens of answers; of %d requests that were cut are assumed %s", a.Name, a.TokensOut, a.Cut, world.JSON(a.Assumed))
		}
		transcript, err := os.ReadFile(filepath.Join(arena.AgentDir(r.dir, a.Name), "transcript.jsonl"))
		told := "the last that counts of what you have done is: turn 0: asks for fish tons=10."
		if err != nil || !strings.Contains(string(transcript), told) || strings.Count(string(transcript), `\"turn\":0`) == 0 {
			t.Errorf("agent %s does not go on in its conversation: %v", a.Name, err)
		}
	}
	again.verify(t)
	again.hides(t, canary)
}

// secretive is a lake where c has a secret from e.
const secretive = `
[rules]
name = "fishery"
turns = 2
[messages]
turn = 1
[[phases]]
name = "talk"
actions = ["say"]
[[phases]]
name = "fish"
actions = ["fish"]
[[agents]]
name = "c"
[[agents]]
name = "d"
[[agents]]
name = "e"
`

func (p program) talkInPrivate(t *testing.T) {
	const secret = "psst-nobody-else"
	file := filepath.Join(t.TempDir(), "talk.toml")
	if err := os.WriteFile(file, []byte(secretive), 0o600); err != nil {
		t.Fatal(err)
	}
	m := serveSaying(t, func(world.Observation) bool { return false }, func(obs world.Observation) world.Action {
		mayTalk := slices.ContainsFunc(obs.Actions, func(spec world.ActionSpec) bool { return spec.Name == arena.Say })
		if obs.Agent != "c" || obs.Turn > 0 || !mayTalk {
			return world.Action{}
		}
		return world.Action{Name: arena.Say, Args: world.JSON(map[string]any{"text": secret, "to": []string{"d"}})}
	})
	r := p.start(t, []string{"ANTHROPIC_API_KEY=" + canary}, file, "--base-url", m.URL)
	result := r.exits(t, 0)
	if result.Agents[0].Messages != 1 {
		t.Errorf("c has said %d messages", result.Agents[0].Messages)
	}
	if len(filesWith(arena.AgentDir(r.dir, "d"), secret)) == 0 {
		t.Error("d does not know it")
	}
	if found := filesWith(arena.AgentDir(r.dir, "e"), secret); len(found) > 0 {
		t.Errorf("e knows it, from %q", found)
	}
	r.verify(t)
}

func (p program) playWhileOthersAreThere(t *testing.T) {
	m := serve(t, holdC(2))
	r := p.start(t, []string{"ANTHROPIC_API_KEY=" + canary}, fisheryFile(), "--base-url", m.URL)
	r.reaches(t, 2)
	m.waitHeld(t)
	folder := filepath.Join(t.TempDir(), "facts")
	export := p.begin(t, "world", "export", r.dir, folder)
	follower := p.begin(t, "world", "log", r.dir, "--follow", "--json")
	r.refusesAnother(t)
	export.prints(t, "keeping the facts of")
	fact := filepath.Join(folder, "lake", "capacity.json")
	waitFor(t, fact)
	if err := os.WriteFile(fact, []byte("200\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	export.prints(t, "lake/capacity is 200")
	if err := os.WriteFile(filepath.Join(folder, "lake", "tons.json"), []byte("-5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	waitFor(t, filepath.Join(folder, "lake", "tons.json.refused"))
	p.does(t, "tell", r.dir, "a", "a storm is coming")
	p.does(t, "pause", "--no-wait", r.dir)
	m.release()
	r.reaches(t, 3)
	p.does(t, "world", "set", r.dir, "lake/collapse", "6")
	p.does(t, "step", r.dir)
	r.reaches(t, 4)
	p.does(t, "continue", r.dir)
	result := r.exits(t, 0)
	if v := r.verify(t); !v.Over || v.Hash != result.Hash {
		t.Errorf("verify says %+v, the result %+v", v, result)
	}
	st, err := world.Now(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"lake/capacity": "200", "lake/collapse": "6"} {
		if got, _ := st.Fact(path); string(got) != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	if commands := r.events(t, arena.KindOperator); len(commands) != 6 {
		t.Errorf("the operator's events are %s", world.JSON(commands))
	}
	if len(filesWith(arena.AgentDir(r.dir, "a"), "a storm is coming")) == 0 {
		t.Error("a is not told")
	}
	if got := follower.count(t); got != int(result.Events) {
		t.Errorf("the follower has seen %d events of %d", got, result.Events)
	}
}

func (p program) areGoneAfterAnInterruption(t *testing.T) {
	m := serve(t, holdC(1))
	r := p.start(t, []string{"ANTHROPIC_API_KEY=" + canary}, fisheryFile(), "--base-url", m.URL)
	r.reaches(t, 1)
	m.waitHeld(t)
	children := r.children(t)
	r.refusesAnother(t)
	began := time.Now()
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	result := r.exits(t, 130)
	t.Logf("ended %.1f s after the interruption", time.Since(began).Seconds())
	allGone(t, children, 0)
	if result.Status != arena.Interrupted || result.Turns != 1 {
		t.Errorf("%s after %d turns", result.Status, result.Turns)
	}
	if v := r.verify(t); v.Over || v.Turns != 1 || v.TornLine != 0 || v.Hash != result.Hash {
		t.Errorf("verify says %+v, the result %+v", v, result)
	}
}

func (p program) reachAModelWithoutItsKey(t *testing.T) {
	m := serve(t, holdC(1))
	r := p.start(t, []string{"ANTHROPIC_API_KEY=" + canary}, fisheryFile(), "--base-url", m.URL, "--set", "rules.turns=3",
		"--model", "claude-haiku-4-5")
	m.waitHeld(t)
	var tokens []string
	for _, child := range r.children(t) {
		for _, name := range []string{"environ", "cmdline"} {
			raw := child.read(t, name)
			if strings.Contains(raw, canary) {
				t.Errorf("the key is in the %s of process %d", name, child.pid)
			}
			for v := range strings.SplitSeq(raw, "\x00") {
				if token, ok := strings.CutPrefix(v, "ANTHROPIC_AUTH_TOKEN="); ok {
					tokens = append(tokens, token)
				}
			}
		}
	}
	r.refusesTheTokenOf(t, "a", "b")
	slices.Sort(tokens)
	if tokens = slices.Compact(tokens); len(tokens) != 5 {
		t.Fatalf("%d tokens for five agents", len(tokens))
	}
	m.release()
	result := r.exits(t, 0)
	if result.Model != "claude-haiku-4-5" || result.Turns != 3 {
		t.Errorf("model %q, %d turns", result.Model, result.Turns)
	}
	var requests int64
	for _, a := range result.Agents {
		if requests += a.ModelRequests; a.Actions != 3 || a.ModelRequests < 3 || a.ModelRequests > 4 {
			t.Errorf("agent %s makes %d requests for %d actions", a.Name, a.ModelRequests, a.Actions)
		}
	}
	seen := m.seen()
	if int64(len(seen)) != requests {
		t.Errorf("the model has seen %d requests, the agents count %d", len(seen), requests)
	}
	fences := r.events(t, arena.KindFenced)
	if len(fences) != 1 || fences[0].Agent != "b" || tell(fences[0]) != "b            is fenced off a request to its model: it came with the token of a" {
		t.Errorf("the log tells of the token of another agent: %s", world.JSON(fences))
	}
	if a, b := result.Agents[0], result.Agents[1]; a.Fenced+a.Tampers != 0 || b.Fenced != 1 {
		t.Errorf("it is counted for %+v and %+v", a, b)
	}
	for _, req := range seen {
		if !strings.Contains(req.body, `"model":"claude-haiku-4-5"`) {
			t.Errorf("the model is asked by another name: %.200s", req.body)
		}
		if got := req.header.Values("X-Api-Key"); !slices.Equal(got, []string{canary}) {
			t.Errorf("the model gets the key %q", got)
		}
		if got := req.header.Values("Authorization"); got != nil {
			t.Errorf("the model gets the authorization %q", got)
		}
		for _, token := range tokens {
			if strings.Contains(string(world.JSON(req.header))+req.body, token) {
				t.Errorf("the model gets the token of an agent")
			}
		}
	}
	r.hides(t, canary)
}

// refusesTheTokenOf demands that the token of an agent is refused on the socket of another one.
func (r *run) refusesTheTokenOf(t *testing.T, agent, other string) {
	t.Helper()
	raw, err := os.ReadFile(procFile(r.agent(t, agent), "environ"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(raw), "ANTHROPIC_AUTH_TOKEN=")
	token, _, _ := strings.Cut(after, "\x00")
	dir, err := os.Open(arena.AgentDir(r.dir, other)) // the path of a socket may be too long
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	socket := fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(claude.Socket("")))
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://gateway/v1/messages", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden || token == "" {
		t.Errorf("%s with the token %q of %s: %s", other, token, agent, resp.Status)
	}
}

// keepTheirKeySecret looks for the key wherever an agent could, when it comes from a file and from a descriptor.
func (p program) keepTheirKeySecret(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	inherited := filepath.Join(t.TempDir(), "vitrine")
	script := fmt.Sprintf("#!/bin/sh\nexec %s \"$@\" --key-fd 7 7<%s\n", p, key)
	if err := os.WriteFile(inherited, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	for from, p := range map[string]program{"file": p, "descriptor": program(inherited)} {
		t.Run(from, func(t *testing.T) {
			m := serve(t, holdC(1))
			args := []string{fisheryFile(), "--base-url", m.URL, "--set", "rules.turns=2", "--header", "X-Gate: $GATE", "--header", "X-Team: fishers"}
			if from == "file" {
				args = append(args, "--key-file", key)
			}
			r := p.start(t, []string{"GATE=" + canary + "-of-the-gate"}, args...)
			m.waitHeld(t)
			for _, child := range r.children(t) {
				for _, name := range []string{"environ", "cmdline"} {
					if strings.Contains(child.read(t, name), canary) {
						t.Errorf("the %s of process %d holds the key", name, child.pid)
					}
				}
				fds, err := filepath.Glob(procFile(child.pid, "fd/*"))
				if err != nil || len(fds) == 0 && !child.gone(time.Now()) {
					t.Errorf("process %d has no file descriptors: %v", child.pid, err)
				}
				for _, fd := range fds {
					if open, _ := os.Readlink(fd); open == key {
						t.Errorf("process %d has the file of the key open", child.pid)
					}
				}
			}
			m.release()
			if result := r.exits(t, 0); result.Turns != 2 {
				t.Errorf("%d turns", result.Turns)
			}
			for _, req := range m.seen() {
				if h := req.header; h.Get("X-Api-Key") != canary || h.Get("X-Gate") != canary+"-of-the-gate" || h.Get("X-Team") != "fishers" {
					t.Fatalf("the model gets %v", h)
				}
			}
			r.hides(t, canary)
		})
	}
}

func (p program) passWhenTheModelIsSilent(t *testing.T) {
	m := serve(t, func(world.Observation) bool { return true })
	r := p.start(t, []string{"ANTHROPIC_API_KEY=" + canary}, fisheryFile(), "--base-url", m.URL,
		"--set", "limits.act=3s", "--set", "limits.turns=2", "--paused")
	r.logs(t, func(ev world.Event) bool { return ev.Kind == arena.KindHeld })
	p.does(t, "step", "--turn", r.dir)
	children := r.children(t)
	p.does(t, "continue", r.dir)
	result := r.exits(t, 1) // no agent ever acted
	allGone(t, children, 0)
	if len(m.held) == 0 {
		t.Error("the model is not asked")
	}
	if result.Status != arena.Truncated || result.Reason != "limit of turns" || result.Turns != 2 {
		t.Errorf("%s (%s) after %d turns", result.Status, result.Reason, result.Turns)
	}
	for _, a := range result.Agents {
		if a.Status != arena.StatusDone || a.Actions != 0 || a.Timeouts != 2 || a.Reward != 0 || a.WallMS < 6000 {
			t.Errorf("agent %+v", a)
		}
	}
	timeouts := r.events(t, arena.KindTimeout)
	if len(timeouts) != 10 {
		t.Errorf("%d timeouts in the log, want one for each of five agents in two turns", len(timeouts))
	}
	for _, ev := range timeouts {
		if string(ev.Data) != `{"consequence":"pass"}` || !strings.Contains(string(ev.Proc), "no action within 3s") {
			t.Errorf("timeout is %s", world.JSON(ev))
		}
	}
	r.verify(t)
}

func (p program) runOutOfTheirBudgets(t *testing.T) {
	// One agent has less than the others; it is out, and they go on.
	r := p.start(t, nil, fisheryFile(), "--offline", "--set", "max_tokens=300", "--set", "agents.c.budget.tokens=9000", "--set", "rules.turns=7")
	result := r.exits(t, 0)
	if result.Status != arena.Terminated || result.Turns != 7 || result.Metrics["total"] == 0 || result.Equal {
		t.Errorf("%s after %d turns, %v, with equal terms: %t", result.Status, result.Turns, result.Metrics, result.Equal)
	}
	for _, a := range result.Agents {
		if a.Name != "c" {
			if a.Status != arena.StatusDone || a.Actions != 7 || a.Budget != nil {
				t.Errorf("agent %+v", a)
			}
			continue
		}
		if a.Status != arena.StatusBudget || a.Actions == 0 || a.Budgets != 1 || a.TokensIn+a.TokensOut > 9000 || a.Budget == nil || a.Budget.Tokens != 9000 {
			t.Errorf("agent %+v has a budget of %+v", a, a.Budget)
		}
	}
	spent := r.events(t, arena.KindBudget)
	if len(spent) != 1 || spent[0].Agent != "c" || !strings.Contains(string(spent[0].Proc), "of 9000 tokens are used") {
		t.Errorf("the budget's events are %s", world.JSON(spent))
	}
	r.verify(t)
	again := p.again(t, r.dir)
	again.exits(t, 0)
	sameLog(t, again.dir, r.dir) // without a budget: what was refused is in the recording

	// All have one in dollars, by prices that make the offline model cost something. With it the episode ends, and is scored.
	prices := filepath.Join(t.TempDir(), "prices.json")
	if err := os.WriteFile(prices, gateway.ShippedPrices(), 0o600); err != nil {
		t.Fatal(err)
	}
	r = p.start(t, nil, fisheryFile(), "--offline", "--prices", prices, "--set", "max_tokens=300", "--set", "budget.dollars=0.12", "--set", "limits.on_budget=end")
	result = r.exits(t, 3)
	if result.Status != arena.Truncated || result.Reason != arena.BudgetLimit || result.Turns == 0 || result.Metrics["total"] == 0 || !result.Equal {
		t.Errorf("%s (%s) after %d turns, %v, with equal terms: %t", result.Status, result.Reason, result.Turns, result.Metrics, result.Equal)
	}
	if d := result.Used.Dollars; d == nil || *d <= 0 || *d > 0.12 || result.Budget == nil || result.Budget.Dollars != 0.12 {
		t.Errorf("it has used %s of %+v", world.JSON(result.Used), result.Budget)
	}
	if !strings.Contains(r.stderr.String(), "a budget is spent: ") {
		t.Errorf("it says %s", &r.stderr)
	}
	r.verify(t)
}

func (p program) canBeTwelve(t *testing.T) {
	if free, _, err := availableMemory("/"); err != nil || free < 12*grownMemory {
		t.Skipf("%d MiB are not enough for twelve agents: %v", free>>20, err)
	}
	file := filepath.Join(t.TempDir(), "crowd.toml")
	if err := os.WriteFile(file, []byte(crowdScenario(12)), 0o600); err != nil {
		t.Fatal(err)
	}
	r := p.start(t, nil, file, "--offline")
	result := r.exits(t, 0)
	if len(result.Agents) != 12 || result.Turns != 2 {
		t.Errorf("%d agents, %d turns", len(result.Agents), result.Turns)
	}
	for _, a := range result.Agents {
		if a.Kind != "claude" || a.Status != arena.StatusDone || a.Actions != 2 || a.Refusals != 0 || a.Reward == 0 {
			t.Errorf("agent %+v", a)
		}
	}
	if v := r.verify(t); !v.Over || v.Hash != result.Hash {
		t.Errorf("verify says %+v, the result %+v", v, result)
	}
}

// refusesAnother demands that nobody else can supervise the run while it goes on.
func (r *run) refusesAnother(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), string(r.program), "run", fisheryFile(), "--agents", "scripted", "--out", r.dir)
	out, err := cmd.CombinedOutput()
	want := fmt.Sprintf("run is held by process %d since ", r.cmd.Process.Pid)
	if err == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), want) {
		t.Errorf("a second supervisor: %v: %s, want %q", err, out, want)
	}
}

// children watches all processes that live in the run's folder; there is at least one for each agent.
func (r *run) children(t *testing.T) []process {
	t.Helper()
	var children []process
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		r.agent(t, name)
	}
	for _, pid := range processes(r.dir) {
		children = append(children, watch(t, pid))
	}
	return children
}

func allGone(t *testing.T, children []process, within time.Duration) {
	t.Helper()
	began := time.Now()
	for _, child := range children {
		if !child.gone(began.Add(within)) {
			t.Errorf("process %d is still there after %v", child.pid, within)
		}
	}
	t.Logf("%d processes gone after %v", len(children), time.Since(began).Round(time.Millisecond))
}

// hides demands that a secret is neither in the run's folder nor in what the command printed.
func (r *run) hides(t *testing.T, secret string) {
	t.Helper()
	if found := filesWith(r.dir, secret); len(found) > 0 {
		t.Errorf("the key is in %q", found)
	}
	if strings.Contains(r.stdout.String()+r.stderr.String(), secret) {
		t.Error("the key is in what vitrine prints")
	}
	var doc map[string]any
	if err := json.Unmarshal(r.stdout.Bytes(), &doc); err != nil || doc["hash"] == nil {
		t.Errorf("what vitrine prints is no result: %v", err)
	}
}
