package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/vitrine-sim/vitrine/viewer"
	"github.com/vitrine-sim/vitrine/world"
)

// mostCrashes is how many of an agent's crashes are told, the latest ones.
const mostCrashes = 20

// An actionJSON is what an agent may do.
type actionJSON struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"schema,omitempty"`
}

// A crashJSON is when an agent could not act, and why.
type crashJSON struct {
	Turn   int    `json:"turn"`
	Seq    int64  `json:"seq"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
}

// An inspected is all that there is to say of an agent at a position.
type inspected struct {
	Name        string          `json:"name"`
	Turn        int             `json:"turn"`
	Status      string          `json:"status"`
	Reward      *float64        `json:"reward"`
	Observation json.RawMessage `json:"observation"` // what it saw when it acted or, if it has not, what it sees; null: the rules are not at hand
	Actions     []actionJSON    `json:"actions_legal"`
	Acts        []actJSON       `json:"acts"`
	Says        []string        `json:"says"`
	Transcript  []Entry         `json:"transcript"` // of the turn
	Usage       struct {
		Turn  Use `json:"turn"`
		Total Use `json:"total"`
	} `json:"usage"`
	Memory   *int64      `json:"memory_bytes"` // null: it is not known
	Crashes  []crashJSON `json:"crashes"`      // up to the turn, the latest first
	Refusals int         `json:"refusals"`     // up to the turn
	Notes    []string    `json:"notes"`        // what is not known, and why
}

// apiAgent tells all of an agent at a position.
func (s *exhibit) apiAgent(r *http.Request) (any, error) {
	p, err := s.position(r, true)
	if err != nil {
		return nil, err
	}
	name, err := s.known(r.FormValue("name"))
	if err == nil && name == "" {
		err = invalid("which agent?", "say name=")
	}
	if err != nil {
		return nil, err
	}
	a := inspected{Name: name, Turn: p.turn, Actions: []actionJSON{}, Says: []string{}, Transcript: []Entry{}, Crashes: []crashJSON{}, Notes: []string{}}
	a.Status = s.status(p, name)
	a.Reward = s.reward(p.st, name)
	a.Acts = s.acts(p.events, name)
	s.inspect(&a, p)
	for _, ev := range p.events {
		var data struct{ Text string }
		if ev.Kind == viewer.KindMessage && ev.Agent == name && json.Unmarshal(ev.Data, &data) == nil {
			a.Says = append(a.Says, clean(data.Text))
		}
	}
	if err := s.account(&a, p); err != nil {
		return nil, err
	}
	if s.run.Memory != nil {
		if bytes := s.run.Memory(name); bytes > 0 {
			a.Memory = &bytes
		}
	}
	var turns []int
	a.Refusals, _ = s.index.sums(name, markOf(world.KindRefusal), p.turn, 0)
	_, turns = s.index.sums(name, markOf(viewer.KindCrash), p.turn, mostCrashes)
	_, failed := s.index.sums(name, markOf(viewer.KindError), p.turn, mostCrashes)
	turns = slices.Concat(turns, failed)
	slices.Sort(turns)
	slices.Reverse(turns)
	turns = slices.Compact(turns)
	if _, _, ok := s.index.at(p.turn - 1); !ok && p.turn > 0 {
		a.Notes = append(a.Notes, "the log is still being read: there may be more refusals and crashes")
	}
	a.Crashes, err = s.crashes(name, turns)
	return a, err
}

// inspect fills in what the rules and the conversation say.
func (s *exhibit) inspect(a *inspected, p position) {
	if s.run.Observe == nil {
		a.Notes = append(a.Notes, "the rules are not at hand, so it is not known what it sees")
	} else if obs, err := s.run.Observe(p.seenBy(a.Name), a.Name); err != nil {
		a.Notes = append(a.Notes, clean("what it sees is not known: "+err.Error()))
	} else {
		for _, spec := range obs.Actions {
			a.Actions = append(a.Actions, actionJSON{clean(spec.Name), clean(spec.Description), cleanJSON(spec.Schema)})
		}
		a.Observation = cleanJSON(world.JSON(obs))
	}
	if s.run.Transcript == nil {
		return
	}
	entries, err := s.run.Transcript(a.Name)
	if err != nil {
		a.Notes = append(a.Notes, clean("its conversation cannot be read: "+err.Error()))
	}
	for _, e := range entries {
		if e.Turn == p.turn {
			a.Transcript = append(a.Transcript, e.clean())
		}
	}
}

// clean returns the entry with clean text.
func (e Entry) clean() Entry {
	e.Kind, e.Name, e.Text = clean(e.Kind), clean(e.Name), clean(e.Text)
	return e
}

// seenBy returns the state that an agent saw when it acted last in the events; the state of the position if it did not.
func (p position) seenBy(agent string) world.State {
	st := p.before()
	seen, ok := st, false
	for _, commit := range commits(p.events) {
		for _, ev := range commit {
			if isAct(ev.Kind) && ev.Agent == agent {
				seen, ok = p.sawBefore(st, ev), true
				break
			}
		}
		st = st.Apply(commit...)
	}
	if ok {
		return seen
	}
	return p.st
}

// sawBefore returns the state that an agent saw that did what an event says: st, or an earlier one of this turn, where the event says so.
func (p position) sawBefore(st world.State, ev world.Event) world.State {
	var data struct{ Saw int64 }
	if json.Unmarshal(ev.Data, &data) != nil || data.Saw <= p.before().Seq {
		return st
	}
	seen := p.before()
	for _, earlier := range p.events {
		if earlier.Seq <= data.Saw {
			seen = seen.Apply(earlier)
		}
	}
	return seen
}

// account fills in what it has used of its model.
func (s *exhibit) account(a *inspected, p position) error {
	used, err := s.used(p)
	if err != nil {
		return err
	}
	a.Usage.Total = used[a.Name]
	a.Usage.Turn = a.Usage.Total
	if p.turn == 0 || !p.ended {
		if !p.ended {
			a.Usage.Turn = Use{Dollars: new(float64)} // it is told when the turn ends
		}
		return nil
	}
	before, err := s.usedIn(p.turn - 1)
	if err != nil {
		return err
	}
	a.Usage.Turn = a.Usage.Total.minus(before[a.Name])
	return nil
}

// minus returns what was used between two moments.
func (u Use) minus(before Use) Use {
	d := Use{TokensIn: u.TokensIn - before.TokensIn, TokensOut: u.TokensOut - before.TokensOut, Requests: u.Requests - before.Requests}
	if u.Dollars != nil {
		dollars := *u.Dollars
		if before.Dollars != nil {
			dollars -= *before.Dollars
		}
		d.Dollars = &dollars
	}
	return d
}

// crashes tells of the events of turns in which an agent could not act.
func (s *exhibit) crashes(agent string, turns []int) ([]crashJSON, error) {
	all := []crashJSON{}
	for _, turn := range turns {
		for ev, err := range world.Turn(s.run.Dir, turn) {
			if err != nil {
				return nil, fmt.Errorf("read turn %d: %w", turn, err)
			}
			if ev.Agent != agent || ev.Kind != viewer.KindError && ev.Kind != viewer.KindCrash {
				continue
			}
			var why struct{ Reason, Detail string }
			_ = json.Unmarshal(ev.Proc, &why) // which may be missing
			all = append(all, crashJSON{turn, ev.Seq, clean(why.Reason), clean(why.Detail)})
		}
	}
	return all, nil
}
