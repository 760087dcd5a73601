// Package web is the viewer's server: it shows one run to browsers, live or when it is over.
//
// It reads the run's folder and nothing else: the log through package world, and by the functions of a [Run] what only those know who have the
// rules, the manifest and the conversations. So a viewer can be in the process that plays the run, or in any other, at any time, and what it does
// never delays a turn: one goroutine follows the log, at most two requests at a time read it, and a client that does not read what it is sent is cut off.
//
// # Who may look
//
// It listens on the loopback interface. Everything is below a path of 128 random bits, the token. A name other than that of the loopback in Host, which is
// how a page of somebody else's would come here, is refused, and so is another Origin where that matters. Nothing can be changed unless the run has
// a Control. All text of agents leaves it without escape sequences and control characters, and as JSON; the page that it serves runs no script but its own.
//
// # Positions
//
// A position is a turn, or a turn and the number of an event in it. Turn T is the state as T begins, which for the first turn is that after the first
// commit, and what is shown besides is what happened in T. The number of turns that have ended is a turn as well: the present. With an event, it is the
// state after that, and what is shown is what came with it.
package web

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
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
	// Used returns what each agent with a model had used of it, as the event says that ends a turn.
	Used func(world.Event) map[string]Use
	// Say puts an event into words, without the name of its agent.
	Say func(world.Event) string

	Observe    func(st world.State, agent string) (world.Observation, error)        // what an agent sees, and may do; nil: the rules are not at hand
	Measure    func(ctx context.Context, turns []int) (map[string][]float64, error) // the metrics as they were when these turns, in their order, began; nil: likewise
	Transcript func(agent string) ([]Entry, error)                                  // of an agent's conversation; nil: nobody has one
	Memory     func(agent string) int64                                             // that its process took at most, in bytes; 0: it is not known
	Control    func(ctx context.Context, c Command) error                           // does what an operator wants; nil: nobody may. An error is told to them
}

// About is what the run's manifest says of it.
type About struct {
	Name        string   `json:"name"`
	Scenario    string   `json:"scenario"`
	Seed        uint64   `json:"seed"`
	Model       string   `json:"model"`
	Offline     bool     `json:"offline"` // the offline model plays
	Schedule    string   `json:"schedule"`
	Agents      []Agent  `json:"agents"` // in seat order
	Metrics     []Metric `json:"metrics"`
	Phases      []string `json:"phases"`
	Notes       []string `json:"notes"` // what people should know of what they see
	Description string   `json:"description"`
}

// An Agent is who sits in a seat, and how it is drawn.
type Agent struct {
	viewer.Agent
	Kind  string `json:"kind"`
	Role  string `json:"role"`
	Model string `json:"model"`
	Group string `json:"group"`
}

// A Metric is a figure of the run.
type Metric struct {
	Name    string `json:"name"`
	Unit    string `json:"unit"`
	Formula string `json:"formula"`
	Source  string `json:"source"`
}

// A Use is what an agent has used of its model.
type Use struct {
	TokensIn  int64    `json:"tokens_in"`
	TokensOut int64    `json:"tokens_out"`
	Dollars   *float64 `json:"dollars"` // null: nobody knows
	Requests  int64    `json:"requests"`
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

// A Server shows a run. Make one with [Open].
type Server struct {
	run   Run
	token string
	host  string // that it listens on
	http  http.Server
	ln    net.Listener

	ctx   context.Context // ends with Close
	close context.CancelFunc
	work  sync.WaitGroup

	reading chan struct{} // holds a token for each request that reads the log
	sockets chan struct{} // and this for each client that is told what happens
	pace    pace
	guessed atomic.Pointer[viewer.Look]
	live    *live
	index   *index
	states  states
	wasm    wasm
}

// writeBuffer is how many bytes the kernel keeps for a client that does not read, at least.
const writeBuffer = 128 << 10

// readers are how many requests read the log at a time.
const readers = 2

// Open begins to follow a run and listens on a port of the loopback interface; 0: any that is free.
func Open(run Run, port int) (*Server, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{
		run: run, token: rand.Text(), ln: ln, host: ln.Addr().String(), reading: make(chan struct{}, readers),
		sockets: make(chan struct{}, mostSockets), pace: usualPace(),
	}
	s.ctx, s.close = context.WithCancel(context.Background())
	if s.live, err = openLive(run); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	s.index = newIndex(run.About.Agents)
	s.states.dir = run.Dir
	s.http = http.Server{
		Handler: s.guarded(s.routes()), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			_ = c.(*net.TCPConn).SetWriteBuffer(writeBuffer) // else it has another one
			return ctx
		},
	}
	s.work.Go(func() { s.live.follow(s.ctx) })
	s.work.Go(func() { s.index.build(s.ctx, run.Dir, s.live) })
	s.work.Go(func() { _ = s.http.Serve(ln) }) // until Close
	return s, nil
}

// URL is where a browser finds the page. Whoever has it may look.
func (s *Server) URL() string { return "http://" + s.host + "/" + s.token + "/" }

// Close ends it, and all connections.
func (s *Server) Close() error {
	s.close()
	err := s.http.Close()
	s.work.Wait()
	return err
}
