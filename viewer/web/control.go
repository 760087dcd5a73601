package web

import "encoding/json"

// A Command is what an operator wants from the page.
type Command struct {
	Do    string          `json:"do"` // one of Controls
	Agent string          `json:"agent"`
	Text  string          `json:"text"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"`
	Name  string          `json:"name"` // of the action
	Args  json.RawMessage `json:"args"`
	Turn  bool            `json:"turn"` // step to the end of the turn
}

// Controls are what an operator can want.
func Controls() []string {
	return []string{"pause", "continue", "step", "stop", "tell", "set", "delete", "act", "speed"}
}
