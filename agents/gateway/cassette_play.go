package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"sync"
)

// A Player is an upstream that answers from cassettes: each agent gets what it got when they were recorded, if it asks what it asked then. The
// requests of an agent come in the order of their recording, but for those that say the same as a later one.
//
// Any other request is a mismatch. It is answered with an error that Claude Code does not repeat.
type Player struct {
	normal *Normal
	from   string // folder of the recorded run
	to     string // folder of the one that plays it again

	mu       sync.Mutex
	live     http.RoundTripper // who answers now; nil: the cassettes do
	agents   map[string]*playedTape
	mismatch error

	// Mismatched is told of the first request that was not recorded. Left is told when an agent has been given all of an answer that it did not
	// wait for when it was recorded, and waits. Any goroutine may call them.
	Mismatched func(error)
	Left       func(agent string)
}

// A playedTape is the cassette of an agent, and how far it has been played.
type playedTape struct {
	*Cassette
	played []bool // by the index of the exchange
	asked  int    // requests so far
}

// find returns the index of the first exchange with a request that was not played yet, of those whose answer the agent has heard; -1: there is
// none.
func (t *playedTape) find(path, sum string) int {
	found := -1
	for i, x := range t.Exchanges {
		switch {
		case t.played[i] || x.Path != path || x.SHA256 != sum:
		case found < 0:
			found = i
		case x.Again:
			t.played[found], found = true, i
		default:
			return found
		}
	}
	return found
}

// mismatch is a request that is not the one that should come.
func (t *playedTape) mismatch(agent, path string, body []byte) *MismatchError {
	err := &MismatchError{Agent: agent, Request: t.asked, Of: len(t.Exchanges), Path: path, Body: body}
	if i := slices.Index(t.played, false); i >= 0 {
		err.RecordedPath, err.Recorded = t.Exchanges[i].Path, t.Request(i)
	}
	return err
}

// NewPlayer returns an upstream that answers agents from what was recorded of them in the folder dir, in the run in another folder. An
// agent of whom there is nothing may not ask anything.
func NewPlayer(dir, run string, normal *Normal, agents []string) (*Player, error) {
	p := &Player{normal: normal, to: run, agents: make(map[string]*playedTape)}
	for _, agent := range agents {
		c, err := ReadCassette(dir, agent)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		p.agents[agent] = &playedTape{Cassette: c, played: make([]bool, len(c.Exchanges))}
		p.from = c.Run
	}
	if p.from != "" {
		normal.AddRun(p.from)
	}
	return p, nil
}

// GoLive makes another upstream answer from now on.
func (p *Player) GoLive(upstream http.RoundTripper) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live = upstream
}

// Recorded says whether answers are still those of the recording.
func (p *Player) Recorded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.live == nil
}

// Unasked returns how many recorded requests an agent has not made again.
func (p *Player) Unasked(agent string) int {
	n := 0
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.agents[agent]; t != nil {
		for _, played := range t.played {
			if !played {
				n++
			}
		}
	}
	return n
}

// Mismatch returns the first mismatch, nil if there was none.
func (p *Player) Mismatch() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mismatch
}

// RoundTrip answers a request of an agent.
func (p *Player) RoundTrip(req *http.Request) (*http.Response, error) {
	p.mu.Lock()
	live := p.live
	p.mu.Unlock()
	if live != nil {
		return live.RoundTrip(req)
	}
	body, err := bodyOf(req)
	if err != nil {
		return nil, err
	}
	agent := AgentOf(req.Context())
	x, err := p.next(agent, p.normal.path(req), p.normal.Request(body))
	if err != nil {
		return respond(req, http.StatusBadRequest, "application/json", errorBody("invalid_request_error", "this was not asked when it was recorded")), nil
	}
	return p.answer(req, agent, x)
}

// next returns what an agent was answered to a request.
func (p *Player) next(agent, path string, body []byte) (Exchange, error) {
	p.mu.Lock()
	t := p.agents[agent]
	if t == nil {
		t = &playedTape{Cassette: &Cassette{Agent: agent}}
		p.agents[agent] = t
	}
	t.asked++
	if i := t.find(path, hash(body)); i >= 0 {
		t.played[i] = true
		p.mu.Unlock()
		return t.Exchanges[i], nil
	}
	if i := t.find(path, hash(inAnotherForm(body))); i >= 0 {
		t.played[i] = true
		p.mu.Unlock()
		return reformed(t.Exchanges[i]), nil
	}
	err := t.mismatch(agent, path, body)
	first := p.mismatch == nil
	if first {
		p.mismatch = err
	}
	p.mu.Unlock()
	if first && p.Mismatched != nil {
		p.Mismatched(err)
	}
	return Exchange{}, err
}

// answer answers a request as it was answered.
func (p *Player) answer(req *http.Request, agent string, x Exchange) (*http.Response, error) {
	switch {
	case x.End == endFailed:
		return nil, errors.New("it failed when it was recorded")
	case x.End == endSilent:
		return respond(req, http.StatusGatewayTimeout, "application/json", errorBody("timeout_error", errStalled.Error())), nil
	case x.End == endLeft && x.Status == 0:
		return nil, p.wait(req.Context(), agent)
	}
	answer := replaceSaid(x.Answer, p.from+"/agents/", p.to+"/agents/")
	resp := respond(req, x.Status, "", bytes.SplitAfter(answer, []byte("\n\n"))...) // event by event
	resp.Header = make(http.Header)
	for name, value := range x.Header {
		resp.Header.Set(name, value)
	}
	switch x.End {
	case endCut:
		resp.Body = &brokenBody{resp.Body, func() error { return io.ErrUnexpectedEOF }}
	case endLeft:
		resp.Body = &brokenBody{resp.Body, func() error { return p.wait(req.Context(), agent) }}
	}
	return resp, nil
}

// wait waits until the agent goes away again.
func (p *Player) wait(ctx context.Context, agent string) error {
	if p.Left != nil {
		p.Left(agent)
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// A brokenBody is an answer that ends in an error.
type brokenBody struct {
	io.ReadCloser
	end func() error
}

func (b *brokenBody) Read(buf []byte) (int, error) {
	n, err := b.ReadCloser.Read(buf)
	if err == io.EOF {
		err = b.end()
	}
	return n, err
}

// A MismatchError says that an agent asks what it did not ask when it was recorded.
type MismatchError struct {
	Agent        string
	Request      int    // number of the request, from 1
	Of           int    // how many were recorded
	Path         string // of the request, with its query
	Body         []byte // normalised
	RecordedPath string // of the request that should have come
	Recorded     []byte // nil: none is left
}

func (e *MismatchError) Error() string {
	what := fmt.Sprintf("agent %q, request %d of %d", e.Agent, e.Request, e.Of)
	switch {
	case e.Of == 0:
		return fmt.Sprintf("agent %q: a request, and none was recorded:\n%s", e.Agent, excerpt(e.Body, 0))
	case e.Recorded == nil:
		return fmt.Sprintf("agent %q: one more request than the %d that were recorded; it ends with:\n%s", e.Agent, e.Of, excerpt(e.Body, len(e.Body)))
	case e.RecordedPath != e.Path:
		return fmt.Sprintf("%s: to another path\nrecorded: %s\nnow:      %s", what, e.RecordedPath, e.Path)
	}
	at := commonPrefix(e.Recorded, e.Body)
	return fmt.Sprintf("%s, at %s (byte %d):\nrecorded: %s\nnow:      %s", what, pathAt(e.Body, at), at, excerpt(e.Recorded, at), excerpt(e.Body, at))
}
