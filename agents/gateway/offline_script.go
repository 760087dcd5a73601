package gateway

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/vitrine-sim/vitrine/world"
)

// A Line is what the offline model says and does about an observation, where its policy would leave it at an action and a short text. In its
// texts, and in those of its tools, {agent} and {turn} are filled in; and {action}, with the name of the action, where it is said or thought.
type Line struct {
	Agents []string      // for whose observations it is; empty: everybody's
	Turns  []int         // and in which turns; empty: all
	Think  string        // what it thinks, if the request lets it think; empty: nothing
	Say    string        // what it says; empty: which action it chooses
	Tools  []ToolUse     // tools that it calls, one after another, before it acts
	Action *world.Action // what it does; nil: what the policy says
}

// A ToolUse is a call of a tool.
type ToolUse struct {
	Name  string
	Input json.RawMessage // a JSON object
}

// lineFor returns the first line of a script that is for an observation; a line that says nothing if there is none.
func lineFor(script []Line, obs world.Observation) Line {
	i := slices.IndexFunc(script, func(l Line) bool {
		return (len(l.Agents) == 0 || slices.Contains(l.Agents, obs.Agent)) && (len(l.Turns) == 0 || slices.Contains(l.Turns, obs.Turn))
	})
	if i < 0 {
		return Line{}
	}
	return script[i]
}

// fill fills in a text.
func fill(text string, obs world.Observation, action string) string {
	return strings.NewReplacer("{agent}", obs.Agent, "{turn}", strconv.Itoa(obs.Turn), "{action}", action).Replace(text)
}

// fillInput fills in the input of a tool, a JSON document.
func fillInput(input json.RawMessage, obs world.Observation) json.RawMessage {
	inString := string(marshal(obs.Agent)) // it may hold what means something in JSON
	inString = inString[1 : len(inString)-1]
	return json.RawMessage(strings.NewReplacer("{agent}", inString, "{turn}", strconv.Itoa(obs.Turn)).Replace(string(input)))
}
