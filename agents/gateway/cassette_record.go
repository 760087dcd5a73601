package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

const (
	maxRecorded = 64 << 20 // bytes of an answer
	maxTape     = 1 << 30  // bytes of the cassette of an agent
)

// A Recorder is an upstream that passes everything on to another one, and writes down what it answers, in a [Cassette] for each agent. An
// exchange is written when its answer has ended. Requests that come through no [Endpoint] are not recorded.
//
// What cannot be written is no trouble of the agents: they go on, and nothing more is recorded of that agent. Close tells it.
type Recorder struct {
	upstream http.RoundTripper
	dir      string // of the cassettes
	run      string // the run's folder
	normal   *Normal

	mu    sync.Mutex
	tapes map[string]*tape           // nil: it cannot be written
	asked map[string]context.Context // by agent: that of its last request
	errs  []error
}

// NewRecorder returns an upstream that records into the folder dir what the agents of the run in a folder, an absolute path, are answered.
// What is there already stays, and is added to.
func NewRecorder(dir, run string, normal *Normal, upstream http.RoundTripper) *Recorder {
	return &Recorder{upstream: upstream, dir: dir, run: run, normal: normal, tapes: make(map[string]*tape), asked: make(map[string]context.Context)}
}

// RoundTrip passes a request on.
func (r *Recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	agent := AgentOf(req.Context())
	if agent == "" {
		return r.upstream.RoundTrip(req)
	}
	body, err := bodyOf(req)
	if err != nil {
		return nil, err
	}
	request := r.normal.Request(body)
	x := Exchange{Path: r.normal.path(req), Again: r.isAgain(agent, req)}
	resp, err := r.upstream.RoundTrip(req)
	if err != nil {
		x.End = endFailed
		switch {
		case gaveUp(req.Context()):
			x.End = endSilent
		case req.Context().Err() != nil:
			x.End = endLeft
		}
		r.write(agent, request, x)
		return nil, err
	}
	x.Status, x.Header = resp.StatusCode, r.recordedHeader(resp.Header)
	resp.Body = &recordedBody{ReadCloser: resp.Body, ctx: req.Context(), done: func(answer []byte, end string) {
		x.Answer, x.End = r.normal.hide(answer), end
		r.write(agent, request, x)
	}}
	return resp, nil
}

// refused writes down what an agent was answered by its endpoint itself, which decides by what is left of a budget, and would decide otherwise
// another time.
func (r *Recorder) refused(agent string, req *http.Request, body []byte, status int, answer []byte) {
	x := Exchange{Path: r.normal.path(req), Status: status, Header: map[string]string{"Content-Type": "application/json"}, Answer: answer}
	r.write(agent, r.normal.Request(body), x)
}

// isAgain says whether an agent's request is the one that was made last.
func (r *Recorder) isAgain(agent string, req *http.Request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	again := r.asked[agent] == req.Context()
	r.asked[agent] = req.Context()
	return again
}

// bodyOf returns the body of a request, which can still be sent afterwards.
func bodyOf(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	var read bytes.Buffer
	read.Grow(int(max(0, req.ContentLength)) + bytes.MinRead)
	_, err := read.ReadFrom(req.Body)
	if err = errors.Join(err, req.Body.Close()); err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	body := read.Bytes()
	req.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

// gaveUp says whether it was the gateway that wanted no more of an answer.
func gaveUp(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return errors.Is(cause, errStalled) || errors.Is(cause, errTooLong) || errors.Is(cause, errSpent)
}

// recordedHeader returns what an agent minds of a header.
func (r *Recorder) recordedHeader(h http.Header) map[string]string {
	kept := make(map[string]string)
	for _, name := range []string{"Content-Type", "Request-Id", "Retry-After", "Retry-After-Ms", "X-Should-Retry"} {
		if value := h.Get(name); value != "" {
			kept[name] = string(r.normal.hide([]byte(value)))
		}
	}
	return kept
}

func (r *Recorder) write(agent string, request []byte, x Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, opened := r.tapes[agent]
	var err error
	if !opened {
		t, err = openTape(r.dir, agent, r.run)
	}
	if t != nil {
		if len(x.Answer) > maxRecorded {
			err = fmt.Errorf("an answer of more than %d MiB", maxRecorded>>20)
		} else {
			err = t.add(request, x)
		}
		if err != nil {
			err = errors.Join(err, t.file.Close())
			t = nil
		}
	}
	r.tapes[agent] = t
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("record the model of %s: %w", agent, err))
	}
}

// Close ends the recording, and says what could not be recorded. Every endpoint is closed before.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	errs := r.errs
	for _, t := range r.tapes {
		if t != nil {
			errs = append(errs, t.file.Close())
		}
	}
	return errors.Join(errs...)
}

// A recordedBody keeps what is read through it, and tells it when it ends.
type recordedBody struct {
	io.ReadCloser
	ctx    context.Context
	answer []byte
	done   func(answer []byte, end string)
	once   sync.Once
}

func (b *recordedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if len(b.answer) <= maxRecorded {
		b.answer = append(b.answer, p[:n]...)
	}
	switch {
	case err == io.EOF:
		b.end("")
	case err != nil && b.ctx.Err() != nil && !gaveUp(b.ctx):
		b.end(endLeft)
	case err != nil:
		b.end(endCut)
	}
	return n, err
}

func (b *recordedBody) Close() error {
	if gaveUp(b.ctx) {
		b.end(endCut)
	}
	b.end(endLeft)
	return b.ReadCloser.Close()
}

// whole says whether the last event of a stream is there. No JSON holds a line break, so these words at the beginning of a line are the event's.
func (b *recordedBody) whole() bool { return bytes.Contains(b.answer, []byte("\nevent: message_stop")) }

// end tells how the answer ended, the first time. A stream whose last event was there is whole, even if nobody waited for its end.
func (b *recordedBody) end(how string) {
	b.once.Do(func() {
		if b.whole() {
			how = ""
		}
		b.done(b.answer, how)
	})
}
