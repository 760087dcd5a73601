package web

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/world"
)

// Kinds of events of the log that matter here.
const (
	kindAction   = "action"
	kindMessage  = "message"
	kindPhase    = "phase"
	kindConflict = "conflict" // rules say themselves who wanted the same, in the form of a Conflict
)

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

// conflictsIn returns the conflicts of a commit. Only where there is a refusal, or the rules say so, can be one.
func conflictsIn(commit []world.Outline) []Conflict {
	if !slices.ContainsFunc(commit, func(o world.Outline) bool { return o.Kind == world.KindRefusal || o.Kind == kindConflict }) {
		return nil
	}
	var events []world.Event
	for _, o := range commit {
		if ev, err := o.Event(); err == nil {
			events = append(events, ev)
		}
	}
	return conflicts(events)
}

// conflicts returns the conflicts of a commit: those of which the rules say that they are, and acts that several agents did in the same way in one
// step, and some of them were refused.
func conflicts(commit []world.Event) []Conflict {
	var all []Conflict
	var claims []Claim
	reasons := make(map[string]string) // of those who were refused
	for _, ev := range commit {
		switch ev.Kind {
		case kindConflict:
			var c Conflict
			if json.Unmarshal(ev.Data, &c) == nil {
				all = append(all, c)
			}
		case kindAction:
			var data struct {
				Name string
				Args json.RawMessage
			}
			if json.Unmarshal(ev.Data, &data) == nil && data.Name != world.Pass {
				claims = append(claims, Claim{ev.Agent, data.Name, data.Args})
			}
		case world.KindRefusal:
			var data struct{ Reason string }
			_ = json.Unmarshal(ev.Data, &data) // a refusal without a reason
			reasons[ev.Agent] = data.Reason
		}
	}
	for len(claims) > 0 {
		c := rivals(claims, reasons)
		if len(c.Winners) > 0 && len(c.Losers) > 0 {
			all = append(all, c)
		}
		claims = slices.DeleteFunc(claims, func(other Claim) bool {
			return slices.ContainsFunc(c.Claims, func(claim Claim) bool { return claim.Agent == other.Agent })
		})
	}
	return all
}

// rivals returns what the first of some claims and others like it come to.
func rivals(claims []Claim, reasons map[string]string) Conflict {
	first := claims[0]
	c := Conflict{What: strings.TrimSpace(first.Action + " " + string(first.Args))}
	for _, claim := range claims {
		if claim.Action != first.Action || string(claim.Args) != string(first.Args) {
			continue
		}
		c.Claims = append(c.Claims, claim)
		if reason, refused := reasons[claim.Agent]; refused {
			c.Losers, c.Reason = append(c.Losers, claim.Agent), reason
		} else {
			c.Winners = append(c.Winners, claim.Agent)
		}
	}
	return c
}

// clean returns the conflict with clean text.
func (c Conflict) clean() Conflict {
	c.What, c.Reason = clean(c.What), clean(c.Reason)
	for i, claim := range c.Claims {
		c.Claims[i] = Claim{clean(claim.Agent), clean(claim.Action), cleanJSON(claim.Args)}
	}
	c.Winners, c.Losers = cleanAll(c.Winners), cleanAll(c.Losers)
	return c
}

// cleanAll returns a list that JSON shows as one.
func cleanAll(texts []string) []string {
	all := []string{}
	for _, text := range texts {
		all = append(all, clean(text))
	}
	return all
}
