package web

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/viewer"
	"github.com/vitrine-sim/vitrine/world"
)

// kindPhase is the kind of the event that begins a phase.
const kindPhase = "phase"

// mostRivals is how many agents can want one thing. Where more do the same, it is not one thing that they want.
const mostRivals = 32

// conflictsIn returns the conflicts of a commit, and decodes no more of it than it must.
func conflictsIn(commit []world.Outline) []world.Conflict {
	refused, rulesSay := make(map[string]bool), make(map[string]bool)
	for i := range commit {
		o := &commit[i]
		if o.Kind == world.KindRefusal {
			refused[o.Agent] = true
		}
		if o.Kind == world.KindConflict || bytes.Contains(o.Data(), []byte(`"contested":true`)) {
			rulesSay[o.Agent] = true
		}
	}
	if len(refused) == 0 && len(rulesSay) == 0 {
		return nil
	}
	wanted := make(map[string]int) // what the refused did, and by how many agents
	for i := range commit {
		if o := &commit[i]; o.Kind == viewer.KindAction && refused[o.Agent] {
			wanted[string(o.Data())] = 0
		}
	}
	rivals := make(map[string]string) // what they did, by agent
	for i := range commit {
		o := &commit[i]
		if n, ok := wanted[string(o.Data())]; ok && o.Kind == viewer.KindAction {
			wanted[string(o.Data())] = n + 1
			rivals[o.Agent] = string(o.Data())
		}
	}
	var events []world.Event
	for i := range commit {
		o := &commit[i]
		n := wanted[rivals[o.Agent]]
		if rulesSay[o.Agent] || n > 1 && n <= mostRivals {
			if ev, err := o.Event(); err == nil {
				events = append(events, ev)
			}
		}
	}
	return conflicts(events)
}

// conflicts returns the conflicts of a commit: those of which the rules say that they are, by an event of their own or by the data of what came of acts;
// and acts that several agents did in the same way in one step, of whom some were refused and others changed a fact that is not their own, which has
// their name in its path.
func conflicts(commit []world.Event) []world.Conflict {
	all := contests(commit)
	var groups []world.Conflict
	group := make(map[string]int) // by what they did
	reasons := make(map[string]string)
	took := make(map[string]bool) // who has changed such a fact
	for _, ev := range commit {
		switch ev.Kind {
		case world.KindConflict:
			var c world.Conflict
			if json.Unmarshal(ev.Data, &c) == nil {
				all = append(all, c)
			}
		case viewer.KindAction:
			var data struct {
				Name string
				Args json.RawMessage
			}
			if json.Unmarshal(ev.Data, &data) != nil || data.Name == world.Pass {
				continue
			}
			what := strings.TrimSpace(data.Name + " " + string(data.Args))
			i, ok := group[what]
			if !ok {
				i = len(groups)
				group[what], groups = i, append(groups, world.Conflict{What: what})
			}
			groups[i].Claims = append(groups[i].Claims, world.Claim{Agent: ev.Agent, Action: data.Name, Args: data.Args})
		case world.KindRefusal:
			var data struct{ Reason string }
			_ = json.Unmarshal(ev.Data, &data) // a refusal without a reason
			reasons[ev.Agent] = data.Reason
		}
		took[ev.Agent] = took[ev.Agent] || changesShared(ev)
	}
	for _, c := range groups {
		if len(c.Claims) > mostRivals {
			continue
		}
		for _, claim := range c.Claims {
			if reason, refused := reasons[claim.Agent]; refused {
				c.Losers, c.Reason = append(c.Losers, claim.Agent), reason
			} else if took[claim.Agent] {
				c.Winners = append(c.Winners, claim.Agent)
			}
		}
		if len(c.Winners) > 0 && len(c.Losers) > 0 {
			all = append(all, c)
		}
	}
	return all
}

// contests returns the one conflict of a commit in which events about agents say {"contested":true,"asked":n} and how much each of them has got, if one is.
func contests(commit []world.Event) []world.Conflict {
	c := world.Conflict{What: "more than there was", Reason: "all together asked for more than there was"}
	did := make(map[string]world.Claim)
	for _, ev := range commit {
		var data struct {
			Name      string
			Args      json.RawMessage
			Contested bool
		}
		if ev.Agent == "" || json.Unmarshal(ev.Data, &data) != nil {
			continue
		}
		if ev.Kind == viewer.KindAction {
			did[ev.Agent] = world.Claim{Agent: ev.Agent, Action: data.Name, Args: data.Args}
		}
		if !data.Contested {
			continue
		}
		c.Claims = append(c.Claims, did[ev.Agent])
		if gotLess(ev.Data) {
			c.Losers = append(c.Losers, ev.Agent)
		} else {
			c.Winners = append(c.Winners, ev.Agent)
		}
	}
	if len(c.Losers) == 0 {
		return nil
	}
	return []world.Conflict{c}
}

// gotLess says whether a number of an object is less than the one that it calls asked.
func gotLess(raw json.RawMessage) bool {
	var data map[string]any
	_ = json.Unmarshal(raw, &data) // what is no object has no numbers
	asked, ok := data["asked"].(float64)
	for _, v := range data { // order does not matter
		if got, isNumber := v.(float64); ok && isNumber && got < asked {
			return true
		}
	}
	return false
}

// changesShared says whether an event of an agent sets or deletes a fact without its name in the path.
func changesShared(ev world.Event) bool {
	own := func(path string) bool {
		for part := range strings.SplitSeq(path, "/") {
			if part == ev.Agent {
				return true
			}
		}
		return strings.HasPrefix(path, world.RunFacts)
	}
	for path := range ev.Set {
		if !own(path) {
			return true
		}
	}
	return slices.ContainsFunc(ev.Del, func(path string) bool { return !own(path) })
}

// cleanConflict returns a conflict with clean text.
func cleanConflict(c world.Conflict) world.Conflict {
	c.What, c.Reason = clean(c.What), clean(c.Reason)
	for i, claim := range c.Claims {
		c.Claims[i] = world.Claim{Agent: clean(claim.Agent), Action: clean(claim.Action), Args: cleanJSON(claim.Args)}
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
