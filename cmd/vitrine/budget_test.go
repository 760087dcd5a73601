package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/arena"
)

func TestWhatIsAssumedIsToldApartFromWhatWasUsed(t *testing.T) {
	before := arena.Metered{ModelRequests: 8, Cut: 1, TokensIn: 14190, TokensOut: 96, Dollars: new(float64), Assumed: &arena.Assumed{Tokens: 32000, Dollars: 0.5}}
	now := before.Add(arena.Metered{ModelRequests: 2, Cut: 1, TokensIn: 10, TokensOut: 4, Dollars: new(float64), Assumed: &arena.Assumed{Tokens: 1000, Dollars: 0.25}})
	for _, test := range []struct{ got, want string }{
		{printedUse(now), "10 requests, 14,200 tokens in, 100 out, $0.00; 2 cut, of which budgets assume 33,000 tokens more, $0.75"},
		{usedSince(before, now), "models: 2 requests, 10 tokens in, 4 out, $0.00; 1 cut, of which budgets assume 1,000 tokens more, $0.25"},
		{usedSince(arena.Metered{Dollars: new(float64)}, before), "models: 8 requests, 14,190 tokens in, 96 out, $0.00; 1 cut, of which budgets assume 32,000 tokens more, $0.50"},
		{usedSince(now, now), ""},
		{printedUse(arena.Metered{ModelRequests: 2, Cut: 1, TokensIn: 10, TokensOut: 4, Dollars: new(float64)}), "2 requests, 10 tokens in, 4 out, $0.00; 1 cut"},
	} {
		if test.got != test.want {
			t.Errorf("it says %q, want %q", test.got, test.want)
		}
	}
	if before.Assumed.Tokens != 32000 || useOf(now).Cut != 2 || useOf(now).Assumed != 33000 {
		t.Errorf("before it is %+v, on the page %+v", before.Assumed, useOf(now))
	}
}

// asked waits until an agent's model is answering a request; requests count from 0.
func (r *run) asked(t *testing.T, agent, request string) {
	t.Helper()
	file := filepath.Join(arena.AgentDir(r.dir, agent), "usage.jsonl")
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if raw, err := os.ReadFile(file); err == nil && bytes.Contains(raw, []byte(`{"n":`+request+`,`)) {
			return
		}
	}
	t.Fatalf("agent %s does not make request %s", agent, request)
}

// keepTheirBudgets kills the supervisor three times while the offline model is in the middle of an answer to each agent. Were those answers assumed to
// have the 32,000 tokens that they may have, then nobody would have enough left for the last turn.
func (p program) keepTheirBudgets(t *testing.T) {
	r := p.start(t, nil, fisheryFile(), "--offline", "--fault", "stall@2", "--set", "offline.latency=1ms", "--set", "rules.turns=4", "--set", "budget.agent.tokens=110000")
	for _, request := range []string{"1", "3", "5"} {
		for _, agent := range []string{"a", "b", "c", "d", "e"} {
			r.asked(t, agent, request)
		}
		children := r.children(t)
		if err := r.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		allGone(t, children, patience)
		<-r.done
		r = p.resume(t, nil, r)
	}
	result := r.exits(t, 0)
	if want := p.start(t, nil, fisheryFile(), "--agents", "scripted", "--set", "rules.turns=4").exits(t, 0); result.Hash != want.Hash {
		t.Errorf("it goes on to the hash %s, not %s", result.Hash, want.Hash)
	}
	for _, a := range result.Agents {
		if a.Status != arena.StatusDone || a.ModelRequests != 7 || a.TokensOut > 7*32 {
			t.Errorf("agent %s is %s; it has used %d tokens of answers in %d requests", a.Name, a.Status, a.TokensOut, a.ModelRequests)
		}
	}
	r.verify(t)
}
