package web

import (
	"context"
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
	Observation json.RawMessage `json:"observation"` // what it sees in the state of the position; null: the rules are not at hand
	Next        bool            `json:"next"`        // false: a turn is shown as a whole, and what it saw there is with its acts
	Actions     []actionJSON    `json:"actions_legal"`
	Acts        []actJSON       `json:"acts"` // of the turn, up to the position
	Says        []string        `json:"says"`
	Transcript  []Entry         `json:"transcript"` // likewise
	Usage       struct {
		Turn  Use `json:"turn"`
		Total Use `json:"total"`
	} `json:"usage"`
	Memory   *int64      `json:"memory_bytes"` // null: it is not known
	Crashes  []crashJSON `json:"crashes"`      // up to the position, those of the latest turn first
	Refusals int         `json:"refusals"`     // up to the position
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
	if err := s.inspect(&a, p); err != nil {
		return nil, err
	}
	for _, ev := range p.events {
		var data struct{ Text string }
		if ev.Kind == viewer.KindMessage && ev.Agent == name && json.Unmarshal(ev.Data, &data) == nil {
			a.Says = append(a.Says, clean(data.Text))
		}
	}
	if err := s.account(r.Context(), &a, p); err != nil {
		return nil, err
	}
	if s.run.Memory != nil {
		if bytes := s.run.Memory(name); bytes > 0 {
			a.Memory = &bytes
		}
	}
	err = s.wrongs(&a, p)
	return a, err
}

// wrongs fills in what went wrong up to a position.
func (s *exhibit) wrongs(a *inspected, p position) error {
	before := p.turn - 1
	a.Refusals, _ = s.index.sums(a.Name, markOf(world.KindRefusal), before, 0)
	for _, ev := range p.events {
		if ev.Kind == world.KindRefusal && ev.Agent == a.Name {
			a.Refusals++
		}
	}
	a.Crashes = crashes(p.events, a.Name)
	_, crashed := s.index.sums(a.Name, markOf(viewer.KindCrash), before, mostCrashes)
	_, failed := s.index.sums(a.Name, markOf(viewer.KindError), before, mostCrashes)
	turns := slices.Concat(crashed, failed)
	slices.Sort(turns)
	for _, turn := range slices.Backward(slices.Compact(turns)) {
		events, err := eventsOf(s.run.Dir, turn)
		if err != nil {
			return fmt.Errorf("read turn %d: %w", turn, err)
		}
		a.Crashes = append(a.Crashes, crashes(events, a.Name)...)
	}
	if _, _, ok := s.index.at(before); !ok && p.turn > 0 {
		a.note("the log is still being read: there may be more refusals and crashes")
	}
	return nil
}

// inspect fills in what the rules and the conversation say.
func (s *exhibit) inspect(a *inspected, p position) error {
	var err error
	if a.Acts, err = s.acts(p, a.Name); err != nil {
		return err
	}
	for i := range a.Acts {
		a.Acts[i].Observation, _ = s.sees(a, a.Acts[i].saw)
	}
	var specs []world.ActionSpec
	a.Observation, specs = s.sees(a, p.st)
	for _, spec := range specs {
		a.Actions = append(a.Actions, actionJSON{clean(spec.Name), clean(spec.Description), cleanJSON(spec.Schema)})
	}
	a.Next = len(a.Acts) == 0 || p.part || !p.ended
	if s.run.Transcript == nil {
		return nil
	}
	entries, err := s.run.Transcript(a.Name)
	if err != nil {
		a.note("its conversation cannot be read: " + err.Error())
	}
	for _, e := range entries {
		if e.Turn == p.turn && !(p.part && e.Time.After(p.events[len(p.events)-1].Time)) {
			a.Transcript = append(a.Transcript, e.clean())
		}
	}
	return nil
}

// sees returns what the agent sees in a state, and what it may do there. Where that is not known, it notes why.
func (s *exhibit) sees(a *inspected, st world.State) (json.RawMessage, []world.ActionSpec) {
	if s.run.Observe == nil {
		a.note("the rules are not at hand, so it is not known what it sees")
		return nil, nil
	}
	obs, err := s.run.Observe(st, a.Name)
	if err != nil {
		a.note("what it sees is not known: " + err.Error())
		return nil, nil
	}
	return cleanJSON(world.JSON(obs)), obs.Actions
}

// note adds a note, once.
func (a *inspected) note(text string) {
	if text = clean(text); !slices.Contains(a.Notes, text) {
		a.Notes = append(a.Notes, text)
	}
}

// clean returns the entry with clean text.
func (e Entry) clean() Entry {
	e.Kind, e.Name, e.Text = clean(e.Kind), clean(e.Name), clean(e.Text)
	return e
}

// sawAt returns the state that an agent saw that did in the state st what an event says: st, or an earlier one where the event says so.
func (s *exhibit) sawAt(p position, st world.State, ev world.Event) (world.State, error) {
	var data struct{ Saw int64 }
	if json.Unmarshal(ev.Data, &data) != nil || data.Saw <= 0 {
		return st, nil
	}
	seen, events, err := p.before(), p.events, error(nil)
	for turn := p.turn - 1; turn >= 0 && seen.Seq > data.Saw; turn-- {
		if seen, err = s.states.at(turn); err != nil {
			return st, err
		}
		if events, err = s.states.played.events(turn); err != nil {
			return st, err
		}
	}
	for _, earlier := range events {
		if seen.Seq < earlier.Seq && earlier.Seq <= data.Saw {
			seen = seen.Apply(earlier)
		}
	}
	return seen, nil
}

// account fills in what it has used of its model.
func (s *exhibit) account(ctx context.Context, a *inspected, p position) error {
	used, err := s.used(ctx, p)
	if err != nil {
		return err
	}
	a.Usage.Total = used[a.Name]
	if !p.ended && !s.last(p) {
		a.Usage.Turn = Use{Dollars: new(float64)} // it is told when the turn ends
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
	d := Use{
		TokensIn: u.TokensIn - before.TokensIn, TokensOut: u.TokensOut - before.TokensOut,
		Requests: u.Requests - before.Requests, Cut: u.Cut - before.Cut, Assumed: u.Assumed - before.Assumed,
	}
	if u.Dollars != nil {
		dollars := *u.Dollars
		if before.Dollars != nil {
			dollars -= *before.Dollars
		}
		d.Dollars = &dollars
	}
	return d
}

// crashes tells of the events in which an agent could not act.
func crashes(events []world.Event, agent string) []crashJSON {
	all := []crashJSON{}
	for _, ev := range events {
		if ev.Agent == agent && (ev.Kind == viewer.KindError || ev.Kind == viewer.KindCrash) {
			var why struct{ Reason, Detail string }
			_ = json.Unmarshal(ev.Proc, &why) // which may be missing
			all = append(all, crashJSON{ev.Turn, ev.Seq, clean(why.Reason), clean(why.Detail)})
		}
	}
	return all
}
