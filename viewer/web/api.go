package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vitrine-sim/vitrine/viewer"
	"github.com/vitrine-sim/vitrine/world"
)

// routes returns what there is below the token.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	s.exhibit.routes(mux, "/api/")
	if s.other != nil {
		s.other.routes(mux, "/api/other/")
		mux.Handle("GET /api/parts", s.json(s.apiParts))
		mux.Handle("GET /api/other/run", answered(s.other.apiRun))
	}
	mux.Handle("GET /api/run", answered(s.apiRun))
	mux.Handle("GET /api/wasm", answered(s.apiWasm))
	mux.HandleFunc("GET /api/file", s.apiFile)
	mux.HandleFunc("POST /api/control", s.control)
	mux.HandleFunc("GET /ws", s.socket)
	mux.HandleFunc("GET /wasm/{name}", s.wasmFile)
	files := page()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		s.wasm.start(s.ctx, s.work) // for the page will want a painter
		files.ServeHTTP(w, r)
	})
	return mux
}

// routes adds what there is of a run.
func (s *exhibit) routes(mux *http.ServeMux, below string) {
	for path, answer := range map[string]func(*http.Request) (any, error){
		"state": s.apiState, "diff": s.apiDiff, "steps": s.apiSteps, "events": s.apiEvents, "agents": s.apiAgents, "agent": s.apiAgent,
		"transcript": s.apiTranscript,
	} {
		mux.Handle("GET "+below+path, s.json(answer))
	}
	mux.Handle("GET "+below+"turns", answered(s.apiTurns))
	mux.Handle("GET "+below+"metrics", answered(s.apiMetrics))
	mux.HandleFunc("GET "+below+"metrics.csv", s.metricsCSV)
	mux.HandleFunc("GET "+below+"frame", s.frame)
}

// answered answers a request with what a function makes of it.
func answered(answer func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		document, err := answer(r)
		if err != nil {
			failed(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(document) // whoever is gone hears nothing
	})
}

// json answers likewise where that reads the log. Few requests do so at a time.
func (s *exhibit) json(answer func(*http.Request) (any, error)) http.Handler {
	return answered(func(r *http.Request) (any, error) {
		done, err := s.reading.pass(r.Context())
		if err != nil {
			return nil, err
		}
		defer done()
		return answer(r)
	})
}

// A turnstile lets only so many requests at a time read a log: it holds a token for each.
type turnstile chan struct{}

// pass waits until a request may read. When it has, it calls done. The error is that of the context.
func (t turnstile) pass(ctx context.Context) (done func(), err error) {
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A runJSON is what a run is, and how it stands.
type runJSON struct {
	About
	Dir      string          `json:"dir_name"`
	Turns    int             `json:"turns"`
	Seq      int64           `json:"seq"`
	State    string          `json:"state"`
	End      json.RawMessage `json:"end"`
	Overlays []string        `json:"overlays"`
	Control  bool            `json:"control"`
	Controls []string        `json:"controls"`
	Other    *runJSON        `json:"other,omitempty"` // the run that it is compared with
}

// apiRun tells what the run is, and how it stands.
func (s *Server) apiRun(r *http.Request) (any, error) {
	answer, err := s.exhibit.apiRun(r)
	if run, ok := answer.(*runJSON); ok && s.other != nil {
		other, otherErr := s.other.apiRun(r)
		run.Other, err = other.(*runJSON), errors.Join(err, otherErr)
	}
	return answer, err
}

func (s *exhibit) apiRun(*http.Request) (any, error) {
	now := s.live.moment()
	run := &runJSON{
		About: s.run.About, Dir: clean(filepath.Base(s.run.Dir)), Turns: now.st.Turn, Seq: now.st.Seq, State: now.state, End: cleanJSON(orNull(now.end)),
		Overlays: overlays, Control: s.run.Control != nil, Controls: []string{},
	}
	if run.Control {
		run.Controls = Controls()
	}
	run.Notes = slices.Clone(run.Notes)
	for _, err := range []error{now.err, s.index.failed()} {
		if err != nil {
			run.Notes = append(run.Notes, clean("The log cannot be read any further: "+err.Error()))
		}
	}
	return run, nil
}

func orNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}

// The most that one answer holds.
const (
	mostFacts   = 5000
	mostChanges = 2000
	mostBytes   = 4 << 20
)

// apiState tells the facts of a state.
func (s *exhibit) apiState(r *http.Request) (any, error) {
	p, err := s.position(r, false)
	if err != nil {
		return nil, err
	}
	limit, err := number(r, "limit", 500, 0, mostFacts)
	if err != nil {
		return nil, err
	}
	facts := make(map[string]json.RawMessage)
	query, more, size := []byte(strings.ToLower(r.FormValue("q"))), false, 0
	for _, path := range p.st.Paths(r.FormValue("prefix")) {
		raw, _ := p.st.Fact(path)
		if len(query) > 0 && !strings.Contains(strings.ToLower(path), string(query)) && !bytes.Contains(bytes.ToLower(raw), query) {
			continue
		}
		if more = len(facts) >= limit || size > mostBytes; more {
			break
		}
		facts[clean(path)] = cleanJSON(raw)
		size += len(path) + len(raw)
	}
	return map[string]any{"turn": p.turn, "seq": p.st.Seq, "hash": viewer.Hash(p.st), "facts": facts, "more": more}, nil
}

// A changeJSON is what became of a fact.
type changeJSON struct {
	Path   string          `json:"path"`
	Before json.RawMessage `json:"before,omitempty"` // missing: there was none
	After  json.RawMessage `json:"after,omitempty"`
}

// apiDiff tells what a turn, or the part of it up to an event, has changed, and where agents wanted the same.
func (s *exhibit) apiDiff(r *http.Request) (any, error) {
	p, err := s.position(r, true)
	if err != nil {
		return nil, err
	}
	was := p.before()
	set, gone := p.after().Changes(was)
	paths := slices.Clone(gone)
	for path := range set {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	changes, more, size := []changeJSON{}, false, 0
	for _, path := range paths {
		if more = len(changes) == mostChanges || size > mostBytes; more {
			break
		}
		before, _ := was.Fact(path)
		changes = append(changes, changeJSON{clean(path), cleanJSON(before), cleanJSON(set[path])})
		size += len(path) + len(before) + len(set[path])
	}
	clashes := []world.Conflict{}
	for _, step := range commits(p.events) {
		for _, c := range conflicts(step) {
			clashes = append(clashes, cleanConflict(c))
		}
	}
	return map[string]any{"turn": p.turn, "changes": changes, "conflicts": clashes, "more": more}, nil
}

// commits divides events into commits.
func commits(events []world.Event) [][]world.Event {
	var all [][]world.Event
	begin := 0
	for i, ev := range events {
		if !ev.More || i == len(events)-1 {
			all, begin = append(all, events[begin:i+1]), i+1
		}
	}
	return all
}

// apiSteps tells the commits of a turn in which agents acted.
func (s *exhibit) apiSteps(r *http.Request) (any, error) {
	p, err := s.position(r, true)
	if err != nil {
		return nil, err
	}
	type step struct {
		Seq    int64    `json:"seq"`
		Agents []string `json:"agents"`
		Phase  string   `json:"phase"`
	}
	steps := []step{}
	var phase string
	_ = p.before().Get(world.PhaseFact, &phase) // there may be none
	for _, commit := range commits(p.events) {
		next := step{Seq: commit[len(commit)-1].Seq, Agents: []string{}, Phase: clean(phase)}
		for _, ev := range commit {
			if isAct(ev.Kind) && !slices.Contains(next.Agents, ev.Agent) {
				next.Agents = append(next.Agents, clean(ev.Agent))
			}
			if raw, ok := ev.Set[world.PhaseFact]; ok {
				_ = json.Unmarshal(raw, &phase)
			}
		}
		if len(next.Agents) == 0 && commit[0].Kind == kindPhase {
			next.Phase = clean(phase)
		}
		steps = append(steps, next)
	}
	return steps, nil
}

// isAct says whether an event of a kind is what came of an agent's turn to act.
func isAct(kind string) bool {
	return kind == viewer.KindAction || viewer.Failed(kind)
}

// seqParam reads the number of an event from a request.
func seqParam(r *http.Request, name string, other int64) (int64, error) {
	text := r.FormValue(name)
	if text == "" {
		return other, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, invalid(name+" is not the number of an event", "")
	}
	return n, nil
}
