package main

import (
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/arena"
)

func TestAWarningSaysWhoPaysForItsConversationAgain(t *testing.T) {
	agent := func(requests int64, c *arena.Caching) arena.Result {
		return arena.Result{Agents: []arena.AgentResult{{Name: "a", Metered: arena.Metered{ModelRequests: requests}, Caching: c}}}
	}
	for _, tt := range []struct {
		name   string
		result arena.Result
		want   string // of the only warning; empty: there is none
	}{
		{"no model", agent(0, nil), ""},
		{"a conversation that grows", agent(12, &arena.Caching{Share: 0.4, Kept: 1}), ""},
		{"few requests", agent(3, &arena.Caching{Share: 0.1, Kept: 0.1, Changed: "system"}), ""},
		{"a clock in the prompt", agent(4, &arena.Caching{Share: 0.1, Kept: 0.1, Changed: "system"}), "only 10 % of a request is how the next one begins; what changes is in its system"},
		{"slow turns", agent(12, &arena.Caching{Share: 0.9, Kept: 1, Over5m: 7}), "7 of its 12 requests came more than 5 minutes after the one before"},
		{"some slow turns", agent(12, &arena.Caching{Share: 0.9, Kept: 1, Over5m: 2}), ""},
	} {
		got := strings.Join(cacheWarnings(tt.result), "\n")
		if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") || strings.Contains(got, "\n") {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
