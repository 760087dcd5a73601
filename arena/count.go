package arena

import (
	"encoding/json"
	"iter"
	"math"

	"github.com/vitrine-sim/vitrine/world"
)

// A Tally is what one agent did in an episode, turn by turn.
type Tally struct {
	Actions  int `json:"actions"`  // that it asked for, refused or not
	Refusals int `json:"refusals"` // of those, how many were illegal
	Passes   int `json:"passes"`   // times it chose to do nothing
	Timeouts int `json:"timeouts"` // times it was late
	Invalids int `json:"invalids"` // times it did nothing, or nothing legal, whatever followed; the refusals are among them
	Errors   int `json:"errors"`   // times it could not act
	Crashes  int `json:"crashes"`  // times its process was gone, or did not start
	Restarts int `json:"restarts"` // times it was started again after that, and acted
	Backoffs int `json:"backoffs"` // times it was not asked, because it was to be started again later
	Budgets  int `json:"budgets"`  // times it could not act because a budget was spent
	Defaults int `json:"defaults"` // times the default action was done in its place; no action of its own
	Messages int `json:"messages"` // of its actions, how many said something to others
	Fenced   int `json:"fenced"`   // times it acted when nobody had asked it, which had no effect; not among its actions
	Tampers  int `json:"tampers"`  // times it was seen to try something beside the game
	Troubles int `json:"troubles"` // times its model did not do as it should, whatever came of it

	Breaches int `json:"breaches"` // times it was ended because it used more of the machine than it may

	WallMS float64 `json:"wall_ms"` // milliseconds that were waited for its acts
}

// count adds what an event says of its agent.
func (t *Tally) count(ev world.Event) {
	var p proc
	if len(ev.Proc) > 0 && json.Unmarshal(ev.Proc, &p) == nil {
		t.WallMS = math.Round((t.WallMS+p.WallMS)*1000) / 1000
		if p.Started != nil {
			t.Restarts++
		}
		for _, trouble := range p.Troubles {
			t.Troubles += trouble.Times
		}
		if p.Breach != nil {
			t.Breaches++
		}
	}
	switch ev.Kind {
	case KindMessage:
		t.Messages++
	case KindFenced:
		if r, err := fencedOf(ev); err == nil {
			t.Fenced += r.Times
		}
	case KindTamper:
		if a, err := AttemptOf(ev); err == nil {
			t.Tampers += a.Times
		}
	case KindAction:
		a, err := actOf(ev, 0)
		if err == nil && a.action.Name == world.Pass {
			t.Passes++
		} else {
			t.Actions++
		}
	case world.KindRefusal:
		t.Refusals++
		t.Invalids++
	case KindTimeout:
		t.Timeouts++
	case KindInvalid:
		if len(ev.Proc) > 0 { // else it follows from a refusal, and is no act
			t.Invalids++
		}
	case KindError:
		t.Errors++
	case KindCrash:
		t.Crashes++
	case KindBackoff:
		t.Backoffs++
	case KindBudget:
		t.Budgets++
	}
}

// standsIn says whether after an event the default action stands in for what its agent did, where the event tells.
func standsIn(ev world.Event) (now, tells bool) {
	switch ev.Kind {
	case KindAction:
		return false, true
	case KindTimeout, KindInvalid, KindError, KindCrash, KindBackoff, KindBudget:
		var data struct {
			Consequence Consequence `json:"consequence"`
		}
		err := json.Unmarshal(ev.Data, &data)
		return err == nil && data.Consequence == ConsequenceDefault, true
	}
	return false, false
}

// Count counts what the agents did, by name, from the log alone. That a default action was refused counts for nothing.
func Count(events iter.Seq2[world.Event, error]) (map[string]Tally, error) {
	tallies := make(map[string]Tally)
	byDefault := make(map[string]bool)
	for ev, err := range events {
		if err != nil {
			return nil, err
		}
		if ev.Agent == "" || ev.Kind == KindOperator || ev.Kind == world.KindRefusal && byDefault[ev.Agent] {
			continue
		}
		t := tallies[ev.Agent]
		t.count(ev)
		if now, tells := standsIn(ev); tells {
			byDefault[ev.Agent] = now
			if now {
				t.Defaults++
			}
		}
		tallies[ev.Agent] = t
	}
	return tallies, nil
}
