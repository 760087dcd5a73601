package claude

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/vitrine-sim/vitrine/world"
)

// protocolText follows the scenario's prompt in the system prompt.
const protocolText = `

You play by the act tool alone. What you see stands as JSON between <observation> and </observation>: "view" is what you see,
"messages" are what you were told since you last acted, "actions" are the actions that are legal now with the JSON schemas of their
arguments, "reward" is what you have earned so far, and "refused" says why your last action had no effect. For each observation call act exactly once.`

const reminderText = "You ended your turn without acting. Call the act tool once now, or you pass."

const brokenText = "Your answer broke off. Call the act tool once now, or you pass."

var (
	errLate   = errors.New("too late, the turn is over; wait for the next observation")
	errTwice  = errors.New("one action for each observation; you had not seen the newest one when you called this")
	errClosed = errors.New("your part is over; another process may have taken your place")
)

// observationText is an observation as the model reads it.
func observationText(obs world.Observation) string {
	return fmt.Sprintf("<observation>\n%s\n</observation>", world.JSON(obs))
}

// A Shown is what a Claude Code process of ours gives its model to read, besides what Claude Code adds by itself: a line about itself, the
// date, and the built-in tools that it was granted.
type Shown struct {
	System      string `json:"system,omitempty"` // system prompt
	Tool        Tool   `json:"tool,omitzero"`
	Observation string `json:"observation"` // a message, and later the result of the tool
}

// A Tool is a tool as the model gets it.
type Tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"input_schema"`
}

// Show returns what the model of an agent with that prompt reads when it is shown an observation.
func Show(prompt string, obs world.Observation) Shown {
	return Shown{
		System: prompt + protocolText, Observation: observationText(obs),
		Tool: Tool{Name: fullName, Description: actDescription, Schema: json.RawMessage(actSchema)},
	}
}
