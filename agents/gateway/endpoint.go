package gateway

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vitrine-sim/vitrine/agents/tamper"
)

const (
	messagesPath = "/v1/messages"
	countPath    = "/v1/messages/count_tokens"

	maxRequest = 32 << 20 // bytes of a request's body; the API takes no more
	maxSmall   = 1 << 20  // bytes of a request that has room beside others; of the larger ones of an agent one is read at a time
	maxAtOnce  = 32       // requests of an agent that are held in memory; others wait, unread

	defaultIdle  = 2 * time.Minute
	defaultTotal = 15 * time.Minute

	defaultPatience = 2 * time.Minute

	recordName = "usage.jsonl"

	notItsToken = "this is not the token of this agent"
)

var (
	errStalled = errors.New("the model endpoint fell silent")
	errTooLong = errors.New("the answer of the model endpoint took too long")
	errSpent   = errors.New("the answer of the model endpoint is longer than the budget allows")
)

// An Endpoint is the model endpoint of one agent.
type Endpoint struct {
	gateway  *Gateway
	name     string // of the agent
	token    string
	log      *slog.Logger
	server   http.Server
	cancel   context.CancelFunc // ends every request
	served   chan struct{}      // closed when the server has ended
	dir      *os.File           // the socket's folder
	troubles troubles
	prefix   prefix
	model    atomic.Pointer[string] // that answers in the place of the one that the agent asks for; nil: none does
	spent    atomic.Pointer[string] // why its last request did not fit into a budget; nil: none was refused for that

	account account          // these are guarded by the gateway's books
	record  *record          // of what is in models
	models  map[string]Usage // what was used of each model, by the name that it was asked for by
	answers map[given]Tokens // what the last answers have used
	order   []given          // the same, the oldest first
	last    []measured       // the last request of each of some kinds, the newest first

	mu     sync.Mutex
	closed bool
	busy   sync.WaitGroup // requests being served; none is added once closed

	asked  atomic.Int64 // requests that came with its token
	asking atomic.Int64 // of them, those that are not answered to their end

	places chan struct{} // has one element for each request that is held in memory
	large  chan struct{} // and one for the large one among them

	fenced   atomic.Pointer[func(action, reason string)] // nil: nobody is told
	evidence *tamper.Evidence
	pace     tamper.Pace  // of what is nothing but trouble
	refused  atomic.Int64 // requests
}

// Usage returns what the agent has used so far. A stream's tokens are counted before the agent sees the event that tells them.
func (e *Endpoint) Usage() Usage {
	var sum Usage
	for _, used := range e.Models() {
		sum = sum.plus(used, 1)
	}
	return sum
}

// Models returns what the agent has used of each model, by the name that it asked for; a request without one is of the model "".
func (e *Endpoint) Models() map[string]Usage {
	e.gateway.books.mu.Lock()
	defer e.gateway.books.mu.Unlock()
	return maps.Clone(e.models)
}

// Spent says why the last request of the agent did not fit into a budget; empty: none was refused for that.
func (e *Endpoint) Spent() string {
	if why := e.spent.Load(); why != nil {
		return *why
	}
	return ""
}

// Asked returns how often the agent has asked for something so far, and whether it waits for an answer now.
func (e *Endpoint) Asked() (times int64, waits bool) { return e.asked.Load(), e.asking.Load() > 0 }

// SetModel makes a model answer from now on what the agent asks, whichever it asks for: of each request the field "model" is changed, and nothing
// else. Claude Code takes no other model in the middle of a conversation.
func (e *Endpoint) SetModel(model string) { e.model.Store(&model) }

// Caching returns how well the agent's requests that were answered so far suit a prompt cache.
func (e *Endpoint) Caching() Caching { return e.prefix.get() }

// Close ends the endpoint, cuts its open requests, waits for them to end and removes the socket. It is called once.
func (e *Endpoint) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	err := e.server.Close()
	<-e.served
	e.busy.Wait()
	return errors.Join(err, e.record.file.Close(), e.dir.Close())
}

// ServeHTTP answers one request of the agent.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c, ok := r.Context().Value(callerKey{}).(*caller); ok {
		c.asked.Store(true)
	}
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	e.busy.Add(1)
	e.mu.Unlock()
	defer e.busy.Done()

	switch {
	case r.Method == http.MethodHead && r.URL.Path == "/": // Claude Code asks this at start, without a token
	case r.Method != http.MethodPost || r.URL.Path != messagesPath && r.URL.Path != countPath:
		e.evidence.Sawf(tamper.Garbage, "to its gateway: %s %s", r.Method, r.URL.Path)
		e.refuse(w, r, http.StatusNotFound, "not_found_error", "there is only POST "+messagesPath+" and POST "+countPath+" here")
	case !e.proves(r.Header):
		e.report(r.Header)
		e.refuse(w, r, http.StatusForbidden, "permission_error", notItsToken)
	default:
		e.forward(w, r)
	}
}

// proves reports whether the request holds the agent's token. The time it takes tells nothing about the token but its length.
func (e *Endpoint) proves(h http.Header) bool {
	found := proofs(h)
	return subtle.ConstantTimeCompare([]byte(found[0]), []byte(e.token))|
		subtle.ConstantTimeCompare([]byte(found[1]), []byte(e.token)) == 1
}

// report tells of a request that did not come with the token of this agent.
func (e *Endpoint) report(h http.Header) {
	for _, token := range proofs(h) {
		if owner, known := e.gateway.tokens.Load(token); known {
			if fenced := e.fenced.Load(); fenced != nil {
				(*fenced)("a request to its model", fmt.Sprintf("it came with the token of %s", owner))
			}
			return
		}
	}
	e.evidence.Saw(tamper.Token, notItsToken)
}

// Fence makes fenced be told of each request with the token of another agent, which is refused: what was asked and why not. It is an act of whoever
// has the socket, and not of whose token it is, from whom it may have been taken. Any goroutine may call fenced until Close has returned.
func (e *Endpoint) Fence(fenced func(action, reason string)) { e.fenced.Store(&fenced) }

// proofs returns what a request proves itself with.
func proofs(h http.Header) [2]string {
	bearer, _ := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	return [2]string{bearer, h.Get("X-Api-Key")}
}

// forward reads the request, waits for a place upstream, and passes the answer on as it comes.
func (e *Endpoint) forward(w http.ResponseWriter, r *http.Request) {
	e.asked.Add(1)
	e.asking.Add(1)
	defer e.asking.Add(-1)
	select {
	case e.places <- struct{}{}:
		defer func() { <-e.places }()
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
	request, leave, err := e.read(w, r)
	defer leave()
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		e.refuse(w, r, http.StatusRequestEntityTooLarge, "request_too_large", "a request may hold 32 MiB, and 1 MiB if it does not say how many")
		return
	}
	if err != nil {
		e.refuse(w, r, http.StatusBadRequest, "invalid_request_error", "the request ended early")
		return
	}
	if model := e.model.Load(); model != nil {
		request = withModel(request, *model)
	}
	c, err := e.admit(r, request)
	if spent := (*spentError)(nil); errors.As(err, &spent) {
		if e.spent.Swap(&spent.why) == nil {
			e.log.Warn(spent.why)
		}
		if recorder, ok := e.gateway.Upstream.(*Recorder); ok {
			recorder.refused(e.name, r, request, http.StatusForbidden, errorBody("permission_error", spent.why))
		}
		e.slow(costOfCall+len(request), r.Context().Done())
		answerError(w, http.StatusForbidden, "permission_error", spent.why)
		return
	}
	if err != nil {
		panic(http.ErrAbortHandler) // nobody is there to be answered
	}
	defer c.settle()
	ctx, stop := context.WithCancelCause(r.Context())
	defer stop(nil)
	v := e.visit(c, stop)
	defer v.end()

	answer := &body{ctx: ctx, stop: stop, idle: v.idle, watch: v.watch, client: http.NewResponseController(w)}
	if c != nil {
		defer e.prefix.see(request, time.Now()) // when nobody waits for it
	}
	r = r.WithContext(context.WithValue(c.trace(ctx), agentKey{}, e.name))
	r.ContentLength, r.TransferEncoding, r.Trailer = int64(len(request)), nil, nil
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(request)), nil }
	r.Body, _ = r.GetBody()
	proxy := httputil.ReverseProxy{
		Transport:     v,
		Rewrite:       rewrite,
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(e.log.Handler(), slog.LevelDebug), // we have warned of it
		ErrorHandler:  e.fail,
		ModifyResponse: func(resp *http.Response) error {
			// To Claude Code a 401 is a sign-in that it lacks: it hides the body and tries again for a while. The agent has no
			// part in the key that was refused.
			if resp.StatusCode == http.StatusUnauthorized {
				resp.StatusCode, resp.Status = http.StatusForbidden, "403 Forbidden"
			}
			resp.Header.Del("Set-Cookie") // its session with the upstream is the gateway's, as the key is
			answer.begin(resp, c)
			return nil
		},
	}
	proxy.ServeHTTP(w, r)
}

// read reads a request's body. Whoever has read it calls leave when it is of no use any more. A large one must say how long it is, so that there
// is room for it once and no more.
func (e *Endpoint) read(w http.ResponseWriter, r *http.Request) (request []byte, leave func(), err error) {
	leave = func() {}
	limit := int64(maxRequest)
	if r.ContentLength < 0 {
		limit = maxSmall
	}
	if r.ContentLength > limit {
		_, _ = io.CopyN(io.Discard, r.Body, limit) // an agent that is still writing does not read the refusal
		return nil, leave, &http.MaxBytesError{Limit: limit}
	}
	body := http.MaxBytesReader(w, r.Body, limit)
	var read bytes.Buffer
	read.Grow(int(max(0, min(r.ContentLength, maxSmall))) + bytes.MinRead)
	n, err := read.ReadFrom(io.LimitReader(body, maxSmall))
	if err != nil || n < maxSmall {
		return read.Bytes(), leave, err
	}
	select {
	case e.large <- struct{}{}:
	case <-r.Context().Done():
		return nil, leave, context.Cause(r.Context())
	}
	read.Grow(int(max(0, r.ContentLength-n)) + bytes.MinRead)
	_, err = read.ReadFrom(body)
	return read.Bytes(), func() { <-e.large }, err
}

// admit opens the charge of a request; nil: it costs nothing. An error is [*spentError], or nobody waits for the answer any more.
func (e *Endpoint) admit(r *http.Request, request []byte) (*charge, error) {
	if r.URL.Path != messagesPath {
		return nil, nil
	}
	c, err := e.charge(r.Context(), e.weigh(request))
	if err == nil {
		e.spent.Store(nil)
	}
	return c, err
}

// An agentKey is the key of the agent's name in the context of a request.
type agentKey struct{}

// AgentOf returns the name of the agent whose request an upstream answers; "" if it comes through no endpoint.
func AgentOf(ctx context.Context) string {
	name, _ := ctx.Value(agentKey{}).(string)
	return name
}

// rewrite makes the request that goes upstream: the agent's without its credentials and without what is meant for
// this connection only.
func rewrite(p *httputil.ProxyRequest) {
	p.Out.URL = &url.URL{Path: p.In.URL.Path, RawQuery: p.In.URL.RawQuery}
	p.Out.Host = ""
	for _, name := range []string{
		"Authorization", "X-Api-Key", "Cookie", "Accept-Encoding", "Connection", "Upgrade", "Te", "Expect",
	} {
		p.Out.Header.Del(name)
	}
}

// fail answers a request that the upstream did not answer. It tells the agent no more than it has to know.
func (e *Endpoint) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch cause := context.Cause(r.Context()); {
	case cause == errStalled || cause == errTooLong:
		e.warn(cause.Error())
		answerError(w, http.StatusGatewayTimeout, "timeout_error", cause.Error())
	case cause != nil: // the client went away, or the endpoint is being closed
		panic(http.ErrAbortHandler)
	default:
		e.warn("the model endpoint gave no answer: " + err.Error())
		answerError(w, http.StatusBadGateway, "api_error", "the model endpoint gave no answer")
	}
}

// refuse answers what the agent had no business to ask, in the agent's time, and logs the first of it.
func (e *Endpoint) refuse(w http.ResponseWriter, r *http.Request, status int, kind, message string) {
	if e.refused.Add(1) <= maxComplaints {
		e.log.Warn("request refused", "status", status, "method", r.Method, "path", tamper.Line(r.URL.Path), "reason", message)
	}
	e.slow(costOfCall, r.Context().Done())
	answerError(w, status, kind, message)
}

// answerError answers as the API answers a mistake.
func answerError(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(errorBody(kind, message))
}

// errorBody returns an error in the form of the Messages API.
func errorBody(kind, message string) []byte {
	return marshal(object{"type": "error", "error": object{"type": kind, "message": message}})
}
