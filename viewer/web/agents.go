package web

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/vitrine-sim/vitrine/viewer"
	"github.com/vitrine-sim/vitrine/world"
)

// What an agent does at a moment.
const (
	doingOut      = "out"      // it never acts again, and was not there to the end
	doingDone     = "done"     // it was there to the end
	doingActing   = "acting"   // it has acted in the turn that is shown
	doingThinking = "thinking" // it is its turn to act
	doingWaiting  = "waiting"
)

// An agentJSON is how an agent stands.
type agentJSON struct {
	Name   string   `json:"name"`
	Status string   `json:"status"`
	Reward *float64 `json:"reward"` // null: the rules are not at hand
	Use
	Last  *lastJSON `json:"last"` // what it did last in the turn; null: nothing
	Alive bool      `json:"alive"`
	Doing string    `json:"doing"`
}

// A lastJSON is an event in words.
type lastJSON struct {
	Seq  int64  `json:"seq"`
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// apiAgents tells how all agents stand.
func (s *exhibit) apiAgents(r *http.Request) (any, error) {
	p, err := s.position(r, true)
	if err != nil {
		return nil, err
	}
	used, err := s.used(r.Context(), p)
	if err != nil {
		return nil, err
	}
	last := make(map[string]*lastJSON)
	acted := make(map[string]bool)
	for _, ev := range p.events {
		if isAct(ev.Kind) || ev.Kind == viewer.KindMessage || ev.Kind == world.KindRefusal {
			last[ev.Agent] = &lastJSON{ev.Seq, ev.Kind, s.words(ev)}
		}
		acted[ev.Agent] = acted[ev.Agent] || isAct(ev.Kind)
	}
	asked, err := s.turnOf(p)
	if err != nil {
		return nil, err
	}
	look, err := s.look()
	if err != nil {
		return nil, err
	}
	standing := look.Standing(p.st, s.looks())
	agents := []agentJSON{}
	for i, a := range s.run.About.Agents {
		j := agentJSON{Name: a.Name, Use: used[a.Name], Last: last[a.Name]}
		j.Status, j.Alive = s.status(p, a.Name), standing[i] == ""
		j.Reward = s.reward(p.st, a.Name)
		j.Doing = doing(standing[i], asked[a.Name], acted[a.Name])
		agents = append(agents, j)
	}
	return agents, nil
}

// words returns an event in words.
func (s *exhibit) words(ev world.Event) string {
	ev.Data, ev.Proc = cleanJSON(ev.Data), cleanJSON(ev.Proc) // before they become a part of a text
	return clean(s.run.Say(ev))
}

// status returns the status of an agent.
func (s *exhibit) status(p position, agent string) string {
	var status string
	_ = p.st.Get(world.StatusFact+"/"+agent, &status) // before the first event it has none
	return clean(status)
}

// reward returns what an agent has earned; nil: it is not known.
func (s *exhibit) reward(st world.State, agent string) *float64 {
	if s.run.Observe == nil || st.Seq == 0 {
		return nil
	}
	obs, err := s.run.Observe(st, agent)
	if err != nil {
		return nil
	}
	return &obs.Reward
}

// turnOf returns whose turn it is to act at a position: nobody in a turn that is over, and where the rules are not at hand everybody who has not acted in it.
func (s *exhibit) turnOf(p position) (map[string]bool, error) {
	asked := make(map[string]bool)
	if p.ended || p.st.Seq == 0 || s.live.moment().state != stateRunning {
		return asked, nil
	}
	if s.run.Asked != nil {
		agents, err := s.run.Asked(p.begin, p.st, p.events)
		for _, agent := range agents {
			asked[agent] = true
		}
		return asked, err
	}
	for _, a := range s.run.About.Agents {
		asked[a.Name] = !slices.ContainsFunc(p.events, func(ev world.Event) bool { return ev.Agent == a.Name && isAct(ev.Kind) })
	}
	return asked, nil
}

// doing says what an agent does that stands as [viewer.Look.Standing] says, is asked to act, or has acted in the turn.
func doing(standing string, asked, acted bool) string {
	switch {
	case standing == doingDone:
		return doingDone
	case standing != "":
		return doingOut
	case asked:
		return doingThinking
	case acted:
		return doingActing
	}
	return doingWaiting
}

// longestCount is how long it may take until all is counted that was used in a run that is over.
const longestCount = 3 * time.Second

// used returns what each agent had used of its model at a position: by the end of the turn if it has ended, else by the end of the one before; at the
// end of a run, in all.
func (s *exhibit) used(ctx context.Context, p position) (map[string]Use, error) {
	if n := len(p.events); n > 0 && p.events[n-1].Kind == world.KindTurn {
		return s.run.Used(p.events[n-1]), nil
	}
	used, err := s.usedIn(p.turn - 1)
	if err != nil || !s.last(p) {
		return used, err
	}
	ctx, end := context.WithTimeout(ctx, longestCount)
	defer end()
	all := make(map[string]Use)
	maps.Copy(all, used)
	maps.Copy(all, s.run.Total(ctx))
	return all, nil
}

// last says whether a position is where a run has come that nobody plays any more.
func (s *exhibit) last(p position) bool {
	state := s.live.moment().state
	return !p.ended && !p.part && (state == stateOver || state == stateIdle)
}

// usedIn returns what each agent had used of its model by the end of a turn.
func (s *exhibit) usedIn(turn int) (map[string]Use, error) {
	if turn < 0 {
		return nil, nil
	}
	events, err := s.states.played.events(turn)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	return s.run.Used(events[len(events)-1]), nil
}

// An actJSON is what an agent did, and what came of it.
type actJSON struct {
	Observation json.RawMessage `json:"observation"` // what it saw as it did that; null: the rules are not at hand
	Seq         int64           `json:"seq"`
	Kind        string          `json:"kind"`
	Name        string          `json:"name"`
	Args        json.RawMessage `json:"args,omitempty"`
	Text        string          `json:"text"`
	WallMS      float64         `json:"wall_ms"`
	Outcome     []eventJSON     `json:"outcome"`
	Troubles    []string        `json:"troubles"`

	saw world.State
}

// acts returns what an agent did in the events of a position, and upon which states.
func (s *exhibit) acts(p position, agent string) ([]actJSON, error) {
	all, st := []actJSON{}, p.before()
	for _, commit := range commits(p.events) {
		var outcome []eventJSON
		first := len(all)
		for _, ev := range commit {
			if ev.Agent != agent {
				continue
			}
			if !isAct(ev.Kind) || len(all) > first {
				outcome = append(outcome, clear(ev))
				continue
			}
			var data struct {
				Name string
				Args json.RawMessage
			}
			var proc struct {
				WallMS   float64 `json:"wall_ms"`
				Troubles []struct{ What string }
			}
			_ = json.Unmarshal(ev.Data, &data) // what does not act has no action
			_ = json.Unmarshal(ev.Proc, &proc) // nor does all that acts have a process
			saw, err := s.sawAt(p, st, ev)
			if err != nil {
				return nil, err
			}
			act := actJSON{
				Seq: ev.Seq, Kind: ev.Kind, Name: clean(data.Name), Args: cleanJSON(data.Args), Text: s.words(ev), WallMS: proc.WallMS,
				Troubles: []string{}, saw: saw,
			}
			for _, t := range proc.Troubles {
				act.Troubles = append(act.Troubles, clean(t.What))
			}
			all = append(all, act)
		}
		if len(all) > first {
			all[first].Outcome = slices.Concat([]eventJSON{}, outcome)
		}
		st = st.Apply(commit...)
	}
	return all, nil
}
