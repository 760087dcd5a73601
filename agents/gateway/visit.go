package gateway

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// statusOverloaded is what the Messages API answers when it is asked too much by everybody together.
const statusOverloaded = 529

// A visit is the way of one request through the share to the upstream, which it may have to make several times. It implements
// [http.RoundTripper].
//
// An upstream that is asked too much has done nothing yet. So the visit takes the request back into the line, where it keeps its rank, and
// the agent hears nothing of it, unless the gateway's patience ends; nor does the upstream get more time than that for itself. Every other answer passes as it is: what has cost something is
// never asked for twice.
type visit struct {
	endpoint *Endpoint
	charge   *charge     // nil: it costs nothing
	watch    *time.Timer // runs while the upstream has the word
	idle     time.Duration
	limit    *time.Timer // runs while it waits in line, and anew while it is inside
	total    time.Duration
	inside   bool
}

// visit begins the visit of a request with a charge, which stop cuts when it takes too long.
func (e *Endpoint) visit(c *charge, stop context.CancelCauseFunc) *visit {
	v := &visit{endpoint: e, charge: c, idle: cmp.Or(e.gateway.Idle, defaultIdle), total: cmp.Or(e.gateway.Total, defaultTotal)}
	v.limit = time.AfterFunc(v.total, func() { stop(errTooLong) })
	v.watch = time.AfterFunc(v.idle, func() { stop(errStalled) })
	v.watch.Stop() // it waits in line first
	return v
}

// end ends it.
func (v *visit) end() {
	v.watch.Stop()
	v.limit.Stop()
	v.leave()
}

// RoundTrip waits for a place upstream and returns the answer. The place is held until leave.
func (v *visit) RoundTrip(r *http.Request) (*http.Response, error) {
	g := v.endpoint.gateway
	longest := cmp.Or(g.Patience, defaultPatience)
	patience := time.Now().Add(longest)
	for {
		entry, err := g.share.enter(r.Context(), v.endpoint.name, g.InFlight)
		if err != nil {
			return nil, err
		}
		v.inside = true
		v.watch.Reset(v.idle)
		v.limit.Reset(v.total)
		v.charge.leave()
		resp, err := g.Upstream.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		wait, busy := asksTooMuch(resp)
		if !busy {
			g.share.answered(v.endpoint.name, entry, g.InFlight)
			if resp.StatusCode == http.StatusUnauthorized {
				v.endpoint.warn("the model endpoint refused the key")
			} else if resp.StatusCode >= http.StatusBadRequest {
				v.endpoint.warn("the model endpoint answered " + strings.TrimSpace(resp.Status))
			} else {
				v.endpoint.check(r, resp)
			}
			return resp, nil
		}
		v.charge.unsent()
		trouble := "the model endpoint is asked too much: " + strings.TrimSpace(resp.Status)
		if longest > 0 && wait > longest { // else one answer could keep everybody waiting for as long as the episode lasts
			trouble += fmt.Sprintf("; it wants to be left alone for %v, and is for %v, the longest that an act may take", wait.Round(time.Second), longest)
			wait = longest
			resp.Header.Set("Retry-After", strconv.Itoa(int(math.Ceil(longest.Seconds()))))
		}
		wait = g.share.turnedAway(v.endpoint.name, entry, wait)
		v.endpoint.warn(trouble)
		if !time.Now().Add(wait).Before(patience) {
			return resp, nil
		}
		v.watch.Stop()
		v.limit.Reset(wait + v.total)
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
		_ = resp.Body.Close()
		v.leave()
		if r.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
}

// leave gives the place back, if there is one.
func (v *visit) leave() {
	if v.inside {
		v.inside = false
		v.endpoint.gateway.share.leave(v.endpoint.gateway.InFlight)
	}
}

// asksTooMuch says whether an answer means that the upstream is asked too much, and for how long it wants nothing more; less than 0: it
// does not say. An upstream that does not want to be asked again at all says so with a header of the Messages API.
func asksTooMuch(resp *http.Response) (wait time.Duration, yes bool) {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != statusOverloaded ||
		resp.Header.Get("X-Should-Retry") == "false" {
		return 0, false
	}
	after := resp.Header.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(after, 64); err == nil && 0 <= seconds && seconds < 1e9 {
		return time.Duration(seconds * float64(time.Second)), true
	}
	if date, err := http.ParseTime(after); err == nil {
		return max(0, time.Until(date)), true
	}
	return -1, true
}
