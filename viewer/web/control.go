package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// mostCommand is how many bytes a command has at most.
const mostCommand = 64 << 10

// A Command is what an operator wants from the page.
type Command struct {
	Do    string          `json:"do"`    // one of Controls
	Agent string          `json:"agent"` // whom to tell, or whose seat; empty: everybody
	Text  string          `json:"text"`  // what to tell
	Path  string          `json:"path"`  // of a fact
	Value json.RawMessage `json:"value"` // of the fact; of speed, turns in a second, 0 being as fast as it goes
	Name  string          `json:"name"`  // of the action
	Args  json.RawMessage `json:"args"`
	Turn  bool            `json:"turn"` // step to the end of the turn
	New   bool            `json:"new"`  // the fact that is set is not there yet
}

// What an operator can want.
const (
	DoPause    = "pause"
	DoContinue = "continue"
	DoStep     = "step"
	DoStop     = "stop"
	DoTell     = "tell"
	DoSet      = "set"
	DoDelete   = "delete"
	DoAct      = "act"   // in a seat that is played by hand
	DoSpeed    = "speed" // how fast turns follow each other
)

// Controls returns all that an operator can want.
func Controls() []string {
	return []string{DoPause, DoContinue, DoStep, DoStop, DoTell, DoSet, DoDelete, DoAct, DoSpeed}
}

// control does what an operator wants who may.
func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	if s.run.Control == nil {
		fail(w, http.StatusForbidden, "this viewer only shows", "start it with --control")
		return
	}
	if r.Header.Get("X-Vitrine") != "1" { // which the pages of others cannot send
		fail(w, http.StatusForbidden, "only the page can ask this", "")
		return
	}
	var c Command
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostCommand))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		fail(w, http.StatusBadRequest, "this is no command: "+err.Error(), "")
		return
	}
	if !slices.Contains(Controls(), c.Do) {
		fail(w, http.StatusBadRequest, fmt.Sprintf("there is no command %.40q", c.Do), "api/run lists them")
		return
	}
	if hint, err := s.run.Control(r.Context(), c); err != nil {
		fail(w, http.StatusConflict, err.Error(), hint)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"ok":true}` + "\n")) // whoever is gone sees it in the log
}
