package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/vitrine-sim/vitrine/world"
)

// Faults is an upstream that stands before another and does to requests what happens to them in the world, so that one can see how agents
// and scenarios take it. A specification says what and how often, in a list such as
//
//	429:0.1,stall:0.05,cut@3
//
// where KIND:SHARE befalls that share of the requests to /v1/messages, and KIND@N the Nth of each agent, counted from 1. One fault befalls a
// request at most; the first in the list that is due does. Which ones, the seed decides, for each agent by itself: the same seed gives the
// same faults again, however the agents' requests come together. A request that is sent again is another request.
//
// These never reach the upstream behind, so they cost nothing:
//
//	401        the key is refused
//	429        too many requests; come again in a second
//	500        an error inside
//	529        overloaded, without a word of when to come again
//	refused    nobody listens there
//	empty      an answer with nothing in it
//	chatter    twice as much text as the request allows
//	endless    text without an end, a thousand tokens a second
//
// These spoil an answer that it gave:
//
//	cut        the connection breaks in the middle
//	short      the answer ends in the middle as if that were its end
//	malformed  in the middle comes what is no JSON
//	stall      half of it comes, and then silence
//	drip       a byte in ten milliseconds
type Faults struct {
	upstream http.RoundTripper
	plan     []fault
	seed     uint64

	mu    sync.Mutex
	asked map[string]int // requests of each agent
}

// A fault is one item of a specification.
type fault struct {
	kind  string
	share float64 // 0: it has a number
	at    int     // number of the request, from 1
}

// FaultKinds returns the kinds of faults that there are.
func FaultKinds() []string {
	return []string{
		"401", "429", "500", "529", "refused", "empty", "chatter", "endless", "cut", "short", "malformed", "stall", "drip",
	}
}

// An UnknownFaultError is a specification with a kind of fault that there is not.
type UnknownFaultError struct{ Kind string }

func (e *UnknownFaultError) Error() string { return fmt.Sprintf("there is no fault %q", e.Kind) }

// NewFaults returns an upstream that does to requests what the specification says, and else lets the other one answer.
func NewFaults(upstream http.RoundTripper, specification string, seed uint64) (*Faults, error) {
	f := &Faults{upstream: upstream, seed: seed, asked: make(map[string]int)}
	sum := 0.0
	for item := range strings.SplitSeq(specification, ",") {
		one, err := parseFault(strings.TrimSpace(item))
		if err != nil {
			return nil, err
		}
		f.plan = append(f.plan, one)
		sum += one.share
	}
	if sum > 1 {
		return nil, fmt.Errorf("the shares come to %v, which is more than 1", sum)
	}
	return f, nil
}

// parseFault reads KIND:SHARE or KIND@N.
func parseFault(item string) (fault, error) {
	at := strings.IndexAny(item, ":@")
	if at < 0 {
		return fault{}, fmt.Errorf("%q says nothing of how often", item)
	}
	one, number := fault{kind: item[:at]}, item[at+1:]
	if !slices.Contains(FaultKinds(), one.kind) {
		return one, &UnknownFaultError{one.kind}
	}
	var err error
	if item[at] == ':' {
		one.share, err = strconv.ParseFloat(number, 64)
		if err != nil || !(one.share > 0 && one.share <= 1) {
			return one, fmt.Errorf("%q: a share is a number over 0, and 1 at most", item)
		}
		return one, nil
	}
	if one.at, err = strconv.Atoi(number); err != nil || one.at < 1 {
		return one, fmt.Errorf("%q: requests are counted from 1", item)
	}
	return one, nil
}

// RoundTrip answers a request, or spoils its answer.
func (f *Faults) RoundTrip(r *http.Request) (*http.Response, error) {
	kind := f.befalls(r)
	if inPlace, ok := answersInPlace()[kind]; ok {
		raw, err := readRequest(r)
		if err != nil {
			return nil, err
		}
		return inPlace(r, raw)
	}
	resp, err := f.upstream.RoundTrip(r)
	if spoil := spoils()[kind]; spoil != nil && err == nil && resp.StatusCode == http.StatusOK {
		return spoilt(r, resp, spoil)
	}
	return resp, err
}

// befalls says what befalls a request; empty: nothing.
func (f *Faults) befalls(r *http.Request) string {
	if r.URL.Path != messagesPath {
		return ""
	}
	agent := AgentOf(r.Context())
	f.mu.Lock()
	f.asked[agent]++
	n := f.asked[agent]
	f.mu.Unlock()
	for _, one := range f.plan {
		if one.at == n {
			return one.kind
		}
	}
	drawn := world.NewRand(f.seed, n, "fault/"+agent).Float64()
	for _, one := range f.plan {
		if drawn -= one.share; drawn < 0 {
			return one.kind
		}
	}
	return ""
}

// errBroken is how a connection breaks.
var errBroken = errors.New("connection reset by peer")
