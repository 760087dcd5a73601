package conform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vitrine-sim/vitrine/world"
)

// A Finding is the first time that rules did not keep what they must. It is an error.
type Finding struct {
	What   string // in words
	Call   string // of which function it came: reset, observe, step, check, hidden or measure
	Seed   uint64 // of the episode
	Turn   int    // in which it was; -1: before the first one
	Agent  string // whom it is about; may be empty
	Action string // what was asked for, a name and arguments; may be empty
	Want   string // of two things that should be the same, the first one, around the first difference; may be empty
	Got    string // and the second
	Err    error  // what the rules returned; may be nil
}

// Error gives all in one line.
func (f *Finding) Error() string {
	where := []string{fmt.Sprintf("seed %d", f.Seed)}
	if f.Turn >= 0 {
		where = append(where, fmt.Sprintf("turn %d", f.Turn))
	}
	if f.Agent != "" {
		where = append(where, "agent "+f.Agent)
	}
	if f.Action != "" {
		where = append(where, "action "+f.Action)
	}
	text := fmt.Sprintf("%s in %s: %s", strings.Join(where, ", "), f.Call, f.What)
	if f.Want != f.Got {
		text += fmt.Sprintf(": %s and %s", f.Want, f.Got)
	}
	return text
}

// Unwrap returns what the rules returned.
func (f *Finding) Unwrap() error { return f.Err }

// describe returns actions as text.
func describe(actions ...world.Action) string {
	texts := make([]string, len(actions))
	for i, a := range actions {
		texts[i] = a.Name
		if a.Name == "" || !json.Valid([]byte(`"`+a.Name+`"`)) {
			texts[i] = fmt.Sprintf("%q", a.Name)
		}
		switch {
		case len(a.Args) == 0:
		case json.Valid(a.Args):
			texts[i] += " " + string(a.Args)
		default:
			texts[i] += fmt.Sprintf(" %q", a.Args)
		}
	}
	if len(texts) > 5 {
		texts = append(texts[:5], fmt.Sprintf("and %d more", len(texts)-5))
	}
	return strings.Join(texts, ", ")
}

// fault returns a finding in the state in which an episode is.
func (e *episode) fault(agent, action, format string, args ...any) *Finding {
	return &Finding{What: fmt.Sprintf(format, args...), Seed: e.seed, Turn: e.st.Turn, Agent: agent, Action: action}
}

// differ returns nil if both are the same, and else a finding that says where they begin to differ.
func (e *episode) differ(agent, action string, want, got []byte, format string, args ...any) error {
	if bytes.Equal(want, got) {
		return nil
	}
	f := e.fault(agent, action, format, args...)
	f.Want, f.Got = Around(want, got)
	return f
}

// Around returns the parts of the lines of two texts that are around the first byte in which they differ.
func Around(a, b []byte) (string, string) {
	at := firstDifference(a, b)
	cut := func(text []byte) string {
		line := text[bytes.LastIndexByte(text[:at], '\n')+1:]
		at := at - (len(text) - len(line))
		line, _, _ = bytes.Cut(line, []byte("\n"))
		if len(line) == 0 {
			return "nothing"
		}
		return strings.ToValidUTF8(string(line[max(0, at-80):min(len(line), at+80)]), "?")
	}
	return cut(a), cut(b)
}

func firstDifference(a, b []byte) int {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	return i
}

// sameRecord returns nil if two recordings are the same, and else a finding with the seed, the turn and the agent where they begin to differ. Where the
// recordings do not say it, seed is their seed.
func sameRecord(want, got []byte, seed uint64, format string, args ...any) error {
	if bytes.Equal(want, got) {
		return nil
	}
	f := &Finding{What: fmt.Sprintf(format, args...), Call: "observe", Seed: seed, Turn: -1}
	f.Want, f.Got = Around(want, got)
	at := firstDifference(want, got)
	for line := range bytes.Lines(want) {
		var says struct {
			Seed  *uint64 `json:"seed"`
			Turn  *int    `json:"turn"`
			Agent string  `json:"agent"`
			Kind  string  `json:"kind"`
		}
		if json.Unmarshal(line, &says) == nil {
			if says.Seed != nil {
				f.Seed = *says.Seed
			}
			if says.Turn != nil {
				f.Turn, f.Agent = *says.Turn, says.Agent
			}
			if f.Call = "observe"; says.Kind != "" {
				f.Call = "step"
			}
		}
		if at -= len(line); at < 0 {
			break
		}
	}
	return f
}
