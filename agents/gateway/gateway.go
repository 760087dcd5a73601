// Package gateway is the model endpoint of every agent process.
//
// # Architecture
//
// An agent's process has no key and needs no network. All it has is a unix socket in its own folder and a token of its
// own; [Gateway.Open] makes both good. A request that comes in there goes through these hands, in this order:
//
//	door       lets so many connections in at once, and what is too much for an agent in its own time
//	Endpoint   knows the agent by its socket and token; lets only the Messages API through
//	charge     sets aside what the request may use at most of the budgets of its agent and of the run
//	visit      takes the request upstream when there is room, and back into the line as long as that is asked too much (429, 529)
//	share      bounds the requests of all agents that are upstream at once, and lets agents in by turns
//	body       cuts an answer that stalls, is not taken, or never ends
//	meter      reads the answer as it passes, counts its tokens, and says what they cost
//	checked    takes note of what is wrong with the answer, see [Endpoint.Troubles]
//	Upstream   answers: [API] (anything that speaks the Messages API, with the key added) or [Offline] (a scripted model); [Faults] spoil it, a
//	           [Recorder] keeps what it says in a cassette, and a [Player] answers from one
//
// The answer passes through unchanged, but for a key that it repeats and for cookies, and chunk by chunk: status, headers, bytes, the pings of a
// stream. What the gateway itself has to say (403, 404, 413, 502, 504) has the form of the API's own errors:
//
//	{"type":"error","error":{"type":"permission_error","message":"..."}}
//
// A wrong token gets 403 and not 401, because Claude Code repeats a 401 for minutes.
//
// # Invariant
//
// No key ever reaches an agent, and no credential of an agent ever reaches the upstream. Where an answer repeats a key, [API] puts as many
// asterisks in its place.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/vitrine-sim/vitrine/agents/tamper"
)

// A Gateway gives every agent an endpoint of its own and sends their requests to one upstream. Its fields must not change
// after the first Open.
type Gateway struct {
	Upstream http.RoundTripper // answers requests to /v1/messages and /v1/messages/count_tokens; required
	InFlight int               // requests of all agents that may be upstream at once; 0: no limit
	Idle     time.Duration     // an answer is cut when a chunk of it takes so long to come or to be taken; 0: 2 minutes
	Total    time.Duration     // an answer that takes longer is cut; 0: 15 minutes
	Patience time.Duration     // how long a request is sent again that was turned away (429, 529), and all are kept back for that; 0: 2 minutes; less: it is not sent again
	Log      *slog.Logger      // what was refused, cut, or failed; nil: nowhere

	Prices  *Prices           // what models cost; nil: nothing
	Budget  Budget            // of all agents together
	Budgets map[string]Budget // of each agent, by its name
	// Offline says that Upstream is [Offline], of which nothing is unknown; what that says to a request is used by then, and no more.
	Offline bool
	// Recorded says whether Upstream gives answers of a recording: they count, but nothing is refused for want of a budget. nil: never.
	Recorded func() bool

	// Evidence takes note of what agents try, by their names. Of a request for the model that came with the token of another agent, see [Endpoint.Fence].
	Evidence map[string]*tamper.Evidence

	share  share
	books  books
	tokens sync.Map // of the agents that have an endpoint: their names, by token
}

// Open starts the endpoint of the agent called name: an HTTP server on a new unix socket that only the owner of this process
// may use. Its folder must exist; its path may be longer than the 108 bytes that the kernel takes, but its last element may
// not be longer than 80. A socket that a killed process left there is replaced; it is an error if somebody listens on it. The
// agent proves itself with token, which must not be empty. What the agent uses is recorded beside the socket, in usage.jsonl, and what is
// recorded there has been used already. An agent has one endpoint of a gateway.
func (g *Gateway) Open(name, socket, token string) (*Endpoint, error) {
	if token == "" {
		return nil, fmt.Errorf("open endpoint of %q: empty token", name)
	}
	dir, listener, err := listen(socket)
	if err != nil {
		return nil, fmt.Errorf("open endpoint of %q: %w", name, err)
	}
	log := g.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	record, models, err := openRecord(filepath.Join(filepath.Dir(socket), recordName))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open endpoint of %q: %w", name, err), listener.Close(), dir.Close())
	}
	e := &Endpoint{
		gateway: g, name: name, token: token, dir: dir, log: log.With("agent", name), served: make(chan struct{}),
		account: account{whose: name, limit: g.Budgets[name]}, record: record, models: models, answers: make(map[given]Tokens),
		places: make(chan struct{}, maxAtOnce), large: make(chan struct{}, 1), evidence: g.Evidence[name],
		pace: tamper.Pace{Burst: 1 << 20, Second: 64 << 10},
	}
	e.account.add(e.Usage())
	g.books.join(g.Budget, e.Usage())
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	g.tokens.Store(token, name)
	e.serve(ctx, listener)
	return e, nil
}

// listen binds a unix socket with mode 0600. The kernel takes no path over 108 bytes, so the socket's folder is opened and
// named by its descriptor. The folder must stay open as long as the listener, which removes the socket by that same name.
func listen(socket string) (dir *os.File, listener net.Listener, err error) {
	dir, err = os.Open(filepath.Dir(socket))
	if err != nil {
		return nil, nil, err
	}
	short := fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(socket))
	listener, err = net.Listen("unix", short)
	if errors.Is(err, syscall.EADDRINUSE) {
		if err = removeStale(short); err == nil {
			listener, err = net.Listen("unix", short)
		}
	}
	if err == nil {
		if err = os.Chmod(short, 0o600); err == nil {
			return dir, listener, nil
		}
		_ = listener.Close()
	}
	_ = dir.Close()
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		err = op.Err // without the short name, which means nothing to anybody
	}
	return nil, nil, fmt.Errorf("listen on %s: %w", socket, err)
}

// removeStale removes a socket on which nobody listens. Of two who do so at once one could remove the other's new socket: whoever
// opens endpoints holds the lease of the run that the folder belongs to.
func removeStale(socket string) error {
	info, err := os.Lstat(socket)
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return errors.New("there is something else of that name")
	}
	conn, err := net.Dial("unix", socket)
	switch {
	case err == nil:
		return errors.Join(errors.New("somebody listens there already"), conn.Close())
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(socket)
	}
	return err
}
