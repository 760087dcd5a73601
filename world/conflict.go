package world

import "encoding/json"

// A Conflict is what several agents wanted at once and not all of them could have.
type Conflict struct {
	What    string   `json:"what"`
	Claims  []Claim  `json:"claims"`
	Winners []string `json:"winners"`
	Losers  []string `json:"losers"`
	Reason  string   `json:"reason"`
}

// A Claim is what one of them did.
type Claim struct {
	Agent  string          `json:"agent"`
	Action string          `json:"action"`
	Args   json.RawMessage `json:"args,omitempty"`
}
