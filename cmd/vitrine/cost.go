package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/scenarios"
)

// A cost is what a run may use.
type cost struct {
	Requests  int64 `json:"requests"`
	TokensIn  int64 `json:"tokens_in"`
	TokensOut int64 `json:"tokens_out"`
	Memory    int64 `json:"memory_bytes"` // of all processes with a model together, once they are grown; what programs without one take is not known
}

// What goes into an estimate.
const (
	bytesPerToken = 4       // roughly; the same as the offline model counts
	overheadBytes = 1_100   // that Claude Code adds to each request
	wrapBytes     = 130     // that it puts around an observation in its conversation
	answerBytes   = 330     // of an answer with one act, as it stands in the conversation
	answerTokens  = 32_000  // of an answer at most, by Claude Code's own default
	contextTokens = 200_000 // of a request at most, whereupon Claude Code compacts the conversation
)

// estimate says how the figures come about.
var estimate = fmt.Sprintf("These are estimates: a token is %d bytes, and each request holds all that was said before it: the system prompt, and for each act "+
	"an observation as long as the first one and an answer of %d bytes, up to %d tokens. At worst an answer has %d tokens, or max_tokens, the process must be "+
	"reminded to act each time, and everybody says all that may be said. Use of other tools comes on top.",
	bytesPerToken, answerBytes, contextTokens, answerTokens)

func (c cost) add(d cost) cost {
	return cost{c.Requests + d.Requests, c.TokensIn + d.TokensIn, c.TokensOut + d.TokensOut, c.Memory + d.Memory}
}

func (c cost) String() string {
	return fmt.Sprintf("%s, %s tokens in, %s out, %d MiB of memory", plural(int(c.Requests), "request"), thousands(c.TokensIn), thousands(c.TokensOut), c.Memory>>20)
}

// thousands prints a number with a comma every three digits.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// modelOf returns the model of an agent.
func modelOf(a scenarios.Agent) string { return cmp.Or(a.Model, defaultModel) }

// longestAnswer returns how many tokens an answer may have.
func longestAnswer(a scenarios.Agent) int { return cmp.Or(a.MaxTokens, answerTokens) }

// actsIn returns how often an agent acts in a turn.
func (s *setup) actsIn(agent string) int {
	if len(s.Phases) == 0 {
		return 1
	}
	acts := 0
	for _, p := range s.Phases {
		if len(p.Agents) == 0 || slices.Contains(p.Agents, agent) {
			acts++
		}
	}
	return acts
}

// likely is what an agent uses that acts so often in each turn, at its first try.
func (s *setup) likely(shown claude.Shown, acts int) cost {
	n := int64(s.Limits.Turns) * int64(acts)
	return cost{
		Requests: n, TokensIn: conversation(shown, n, int64(len(shown.Observation)), answerBytes),
		TokensOut: n * answerBytes / bytesPerToken, Memory: grownMemory,
	}
}

// worst is what an agent uses that acts so often in each turn, but never before it was reminded.
func (s *setup) worst(shown claude.Shown, acts int, a scenarios.Agent) cost {
	most := int64(longestAnswer(a))
	n := 2 * int64(s.Limits.Turns) * int64(acts)
	said := (len(s.Agents) - 1) * min(acts, s.Messages.Turn) * s.Messages.Length
	return cost{
		Requests: n, TokensIn: conversation(shown, n, int64(len(shown.Observation)+said), most*bytesPerToken),
		TokensOut: n * most, Memory: grownMemory,
	}
}

// conversation returns the tokens of n requests, each of which holds all that was said before it.
func conversation(shown claude.Shown, n, observation, answer int64) int64 {
	first := overheadBytes + int64(len(shown.System)+len(shown.Tool.Description)+len(shown.Tool.Schema)) + wrapBytes + observation
	more := wrapBytes + observation + answer // with each request
	// The first whole requests fit, up to the one that fills the context; the others are as large as that.
	whole := min(n, max(0, (contextTokens*bytesPerToken-first)/more+1))
	bytes := whole*first + more*(whole*(whole-1)/2)
	return bytes/bytesPerToken + (n-whole)*contextTokens
}
