package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/vitrine-sim/vitrine/viewer"
	"github.com/vitrine-sim/vitrine/viewer/draw"
	"github.com/vitrine-sim/vitrine/world"
)

// frame answers with the picture of a position, as an encoded draw list.
func (s *exhibit) frame(w http.ResponseWriter, r *http.Request) {
	p, list, err := s.asked(r)
	if err != nil {
		failed(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("X-Turn", strconv.Itoa(p.turn))
	h.Set("X-Seq", strconv.FormatInt(p.st.Seq, 10))
	h.Set("X-Hash", viewer.Hash(p.st))
	if p.ended {
		h.Set("Cache-Control", "private, max-age=600")
	}
	_, _ = w.Write(list.Encode(nil)) // whoever is gone does not need it
}

// asked returns the position that a request names, and its picture.
func (s *exhibit) asked(r *http.Request) (p position, list *draw.List, err error) {
	done, err := s.drawing.pass(r.Context())
	if err != nil {
		return p, nil, err
	}
	defer done()
	if p, err = s.position(r, true); err != nil {
		return p, nil, err
	}
	var view viewer.View
	if view.Sees, err = s.known(r.FormValue("sees")); err != nil {
		return p, nil, err
	}
	view.Seen, _ = s.seen(p, view.Sees) // else its window counts
	list, err = s.picture(p, view, r.FormValue("overlay"))
	return p, list, err
}

// Picture returns that of a turn, and in it dimmed what an agent does not see, unless that is empty.
func (s *Server) Picture(turn int, sees string) (*draw.List, error) {
	p, err := s.find(turn, 0, true)
	if err != nil {
		return nil, err
	}
	view := viewer.View{Sees: sees}
	if view.Seen, err = s.seen(p, sees); err != nil {
		return nil, err
	}
	return s.picture(p, view, "")
}

// seen returns what an agent sees at a position, as JSON; empty for nobody, and where the rules are not at hand.
func (s *exhibit) seen(p position, agent string) (string, error) {
	if agent == "" || s.run.Observe == nil {
		return "", nil
	}
	obs, err := s.run.Observe(p.st, agent)
	return string(obs.View), err
}

// picture returns that of a position, with an overlay unless that is empty.
func (s *exhibit) picture(p position, view viewer.View, overlay string) (*draw.List, error) {
	view.Agents = s.looks()
	var err error
	if view.Turn, err = s.orBefore(p); err != nil {
		return nil, err
	}
	look, err := s.look()
	if err != nil {
		return nil, err
	}
	if p.st.Seq == 0 {
		overlay = "" // there may be no log yet
	}
	if view.Heat, err = s.heat(overlay, p.turn, look); err != nil {
		return nil, err
	}
	list := look.Draw(p.st, view)
	for i := range list.Shapes {
		list.Shapes[i].Label = clean(list.Shapes[i].Label)
	}
	for i := range list.Says {
		list.Says[i].Text = clean(list.Says[i].Text)
	}
	return list, nil
}

// shown returns the events that a picture shows: those of the turn, or of the part of a turn the last commit.
func (p position) shown() []world.Event {
	if !p.part {
		return p.events
	}
	steps := commits(p.events)
	return steps[len(steps)-1]
}

// orBefore returns what is shown of a turn. As long as nobody has done anything in the one that is being played, it is what happened in the one before, so
// that those who watch have the time to read it.
func (s *exhibit) orBefore(p position) ([]world.Event, error) {
	shown, over := p.shown(), s.live.moment().end != nil
	if over || p.ended || p.turn == 0 || slices.ContainsFunc(shown, func(ev world.Event) bool { return ev.Agent != "" }) {
		return shown, nil
	}
	if p.past != nil {
		return p.past, nil
	}
	return s.states.played.events(p.turn - 1)
}

// known returns an agent's name if there is such an agent; empty is nobody.
func (s *exhibit) known(agent string) (string, error) {
	if agent == "" {
		return "", nil
	}
	for _, a := range s.run.About.Agents {
		if a.Name == agent {
			return agent, nil
		}
	}
	return "", missing(fmt.Sprintf("there is no agent %.40q", agent), "api/run lists them")
}

// looks returns how the agents look.
func (s *exhibit) looks() []viewer.Agent {
	looks := make([]viewer.Agent, len(s.run.About.Agents))
	for i, a := range s.run.About.Agents {
		looks[i] = a.Agent
	}
	return looks
}

// look returns how the world looks: as the scenario says or, if it does not, as can be guessed from the state as turn 1 begins.
func (s *exhibit) look() (viewer.Look, error) {
	if s.run.Look != nil {
		return *s.run.Look, nil
	}
	if look := s.guessed.Load(); look != nil {
		return *look, nil
	}
	now := s.live.moment().st
	st, err := s.states.at(min(1, now.Turn))
	if err != nil {
		return viewer.Look{}, err
	}
	look := viewer.Guess(st, s.looks())
	if now.Turn > 0 {
		s.guessed.Store(&look)
	}
	return look, nil
}
