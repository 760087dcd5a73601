// Package web is the viewer's server: it shows one run to browsers, live or when it is over, and makes pictures and files of it.
//
// It reads the run's folder and nothing else: the log through package world, and by the functions of a [Run] what only those know who have the
// rules, the manifest and the conversations. So a viewer can be in the process that plays the run, or in any other, at any time, and what it does
// never delays a turn: one goroutine follows the log, at most two requests at a time read it, two more for pictures and one for a file, and a client that does not read
// what it is sent is cut off.
//
// # Who may look
//
// It listens on the loopback interface, and answers to no other user of this machine but root. Everything is below a path of 128 random bits, the token, which is the same
// when the user shows the run again. A name other than that of the loopback in Host, which is
// how a page of somebody else's would come here, is refused, and so is another Origin where that matters. Nothing can be changed unless the run has
// a Control. All text of agents leaves it without escape sequences and control characters, and as JSON; the page that it serves runs no script but its own.
//
// # Positions
//
// A position is a turn, or a turn and the number of an event in it. Turn T is the state as T begins, which for the first turn is that after the first
// commit, and what is shown besides is what happened in T. The number of turns that have ended is a turn as well: the present. With an event, it is the
// state after that, and what is shown is what came with it.
//
// # Conflicts
//
// That several agents wanted one thing is told by rules that make an event of the kind "conflict", whose data is a [world.Conflict], or that say
// "contested":true and, as numbers, "asked" and what was got in the data of what came of an act. Else it is made out where some of those who did the
// same in one step were refused, and another one changed a fact that is not its own.
package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/vitrine-sim/vitrine/viewer"
	"github.com/vitrine-sim/vitrine/world"
)

// A Run is what is shown: a folder, and what its log alone does not tell. All functions can be called at the same time.
type Run struct {
	Dir   string
	About About
	Look  *viewer.Look // nil: it is guessed

	// Held says whether an operator holds the game in a state.
	Held func(world.State) bool
	// Left says whether the run goes on nowhere when nobody plays it; nil: it never does.
	Left func() bool
	// Used returns what each agent with a model had used of it, as the event says that ends a turn.
	Used func(world.Event) map[string]Use
	// Total returns what each agent with a model has used of it in a run that nobody plays any more, for which it may wait until ctx ends: answers may have
	// been counted after the last turn. Nobody is in it where nobody knows.
	Total func(ctx context.Context) map[string]Use
	// Say puts an event into words, without the name of its agent.
	Say func(world.Event) string

	// Observe returns what an agent sees in a state, and may do there; nil: the rules are not at hand.
	Observe func(st world.State, agent string) (world.Observation, error)
	// Asked returns who is asked to act in a state, after these events of a turn that began with the state begin; nil: as above.
	Asked func(begin, now world.State, events []world.Event) ([]string, error)
	// Measure returns the metrics as they were when each of some turns began, which are in order; the last ones are as they are now. nil: as above.
	Measure func(ctx context.Context, turns []int) (map[string][]float64, error)
	// MetricsCSV returns the metrics as they are now or, of some turns, as they were when each had been played, as comma-separated values; nil: as above.
	MetricsCSV func(ctx context.Context, turns []int) ([]byte, error)
	// Transcript returns an agent's conversation; nil: nobody has one.
	Transcript func(agent string) ([]Entry, error)
	// Memory returns how many bytes an agent's process took at most, or 0 if that is not known; nil: it never is.
	Memory func(agent string) int64
	// Control does what an operator wants. Of what does not work it says why, and what to do about it. nil: nobody may.
	Control func(ctx context.Context, c Command) (hint string, err error)
}

// About is what the run's manifest says of it.
type About struct {
	Name        string         `json:"name"`
	Path        string         `json:"path"` // of its folder, as one types it in a shell; not in a file
	Scenario    string         `json:"scenario"`
	Seed        uint64         `json:"seed"`
	Model       string         `json:"model"`
	Offline     bool           `json:"offline"` // the offline model plays
	Schedule    string         `json:"schedule"`
	Agents      []Agent        `json:"agents"` // in seat order
	Metrics     []world.Metric `json:"metrics"`
	Phases      []string       `json:"phases"`
	Notes       []string       `json:"notes"` // what people should know of what they see
	Description string         `json:"description"`
}

// An Agent is who sits in a seat, and how it is drawn.
type Agent struct {
	viewer.Agent
	Kind  string `json:"kind"`
	Role  string `json:"role"`
	Model string `json:"model"`
	Group string `json:"group"`
}

// A Use is what an agent has used of its model.
type Use struct {
	TokensIn  int64    `json:"tokens_in"`
	TokensOut int64    `json:"tokens_out"`
	Dollars   *float64 `json:"dollars"` // null: nobody knows
	Requests  int64    `json:"requests"`
	Cut       int64    `json:"cut"`     // of those, how many broke off before all their tokens were reported
	Assumed   int64    `json:"assumed"` // tokens that these may have used besides, at most: budgets count them
}

// An Entry is one part of an agent's conversation.
type Entry struct {
	Turn  int       `json:"turn"` // that of the observation that came before it; -1: there was none yet
	Kind  string    `json:"kind"` // observation, text, thinking, tool_use, tool_result or told
	Name  string    `json:"name,omitempty"`
	Text  string    `json:"text"`
	Time  time.Time `json:"time,omitzero"`
	Error bool      `json:"error,omitempty"`
}

// A Server shows a run, and perhaps another one beside it. Make one with [Open] or [New].
type Server struct {
	*exhibit
	other *exhibit // nil: there is none

	token string
	host  string // that it listens on
	http  http.Server
	close context.CancelFunc

	sockets chan struct{} // holds a token for each client that is told what happens
	filing  turnstile     // for requests that want a file, which takes much memory: one at a time
	pace    pace
	wasm    wasm
}

// An exhibit is one run that is shown.
type exhibit struct {
	run     Run
	ctx     context.Context // ends with the server
	work    *work
	reading turnstile // for requests that read a log
	drawing turnstile // for those that want a picture, which do not wait for the others
	live    *live
	index   *index
	states  states
	plot    plot
	heats   heats
	guessed atomic.Pointer[viewer.Look]
}

// readers are how many requests pass a turnstile at a time.
const readers = 2

// Open shows a run, and another one to compare it with unless that is nil, on a port of the loopback interface; 0: the one on which the run was
// shown last, or any that is free.
func Open(run Run, other *Run, port int) (*Server, error) {
	s, err := New(run, other)
	if err != nil {
		return nil, err
	}
	if err := s.listen(port); err != nil {
		return nil, fmt.Errorf("show %s: %w", run.Dir, errors.Join(err, s.Close()))
	}
	return s, nil
}

// New begins to follow a run, and another one unless that is nil, for a server that listens nowhere: for its pictures and files.
func New(run Run, other *Run) (*Server, error) {
	s := &Server{sockets: make(chan struct{}, mostSockets), filing: make(turnstile, 1), pace: usualPace()}
	ctx, end := context.WithCancel(context.Background())
	s.close = end
	work, reading, drawing := new(work), make(turnstile, readers), make(turnstile, readers)
	var err error
	if s.exhibit, err = newExhibit(ctx, run, work, reading, drawing); err == nil && other != nil {
		s.other, err = newExhibit(ctx, *other, work, reading, drawing)
	}
	if err != nil {
		end()
		return nil, fmt.Errorf("show %s: %w", run.Dir, err)
	}
	for _, x := range []*exhibit{s.exhibit, s.other} {
		if x != nil {
			work.Go(func() { x.live.follow(ctx) })
			work.Go(func() { x.index.build(ctx, x.run.Dir, x.live) })
		}
	}
	return s, nil
}

// listen lets browsers come to a port.
func (s *Server) listen(port int) error {
	last := lastAddress(s.run.Dir)
	ln, err := last.listen(port)
	if err != nil {
		return err
	}
	s.token, s.host = last.token, ln.Addr().String()
	s.http = http.Server{
		Handler: s.guarded(s.routes()), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ConnContext: withPeer,
	}
	s.work.Go(func() { _ = s.http.Serve(limited{ln, make(chan struct{}, mostConnections)}) }) // until Close
	return nil
}

func newExhibit(ctx context.Context, run Run, work *work, reading, drawing turnstile) (*exhibit, error) {
	var err error
	if run.About, err = run.About.clean(); err != nil {
		return nil, err
	}
	x := &exhibit{run: run, ctx: ctx, work: work, reading: reading, drawing: drawing, index: newIndex(run.About.Agents), states: states{played: played{dir: run.Dir}}}
	x.live, err = openLive(run)
	return x, err
}

// URL is where a browser finds the page. Whoever has it may look.
func (s *Server) URL() string { return "http://" + s.host + "/" + s.token + "/" }

// Linger gives those who look the time to hear that the run is over: a second at most.
func (s *Server) Linger() {
	end := time.After(time.Second)
	for now := s.live.moment(); now.state != stateOver; now = s.live.moment() {
		select {
		case <-now.moved:
		case <-end:
			return
		}
	}
	if len(s.sockets) > 0 {
		<-end
	}
}

// lastAnswers is how long those who have asked something wait for its answer when the server ends.
const lastAnswers = time.Second

// Close ends it, and all connections. Whoever has just asked something is answered before, as who did the last that a run has waited for.
func (s *Server) Close() error {
	s.close()
	ctx, end := context.WithTimeout(context.Background(), lastAnswers)
	defer end()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	s.work.end()
	return err
}
