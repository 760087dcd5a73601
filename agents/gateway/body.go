package gateway

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// A body is the answer of the upstream on its way to the agent. Reading it feeds the meter, and gives first the upstream and
// then the client the idle time for one chunk: so neither can hold a place in the queue for ever.
type body struct {
	io.ReadCloser
	ctx    context.Context
	idle   time.Duration
	watch  *time.Timer              // runs while the upstream has the word
	stop   context.CancelCauseFunc  // ends the request
	client *http.ResponseController // whose write deadline runs while the client has it
	meter  *meter                   // nil: not counted
}

// begin puts b in the place of the response's body. A mistake costs nothing.
func (b *body) begin(resp *http.Response, c *charge) {
	b.watch.Stop()
	b.ReadCloser, resp.Body = resp.Body, b
	switch {
	case c == nil:
	case resp.StatusCode != http.StatusOK:
		c.free = true
	default:
		c.answered = true
		stream := strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream")
		b.meter = &meter{stream: stream, learn: c.learn}
	}
}

func (b *body) Read(p []byte) (int, error) {
	b.watch.Reset(b.idle)
	n, err := b.ReadCloser.Read(p)
	b.watch.Stop()
	_ = b.client.SetWriteDeadline(time.Now().Add(b.idle))
	if b.meter != nil {
		if !b.meter.write(p[:n]) {
			b.stop(errSpent)
			return 0, errSpent
		}
		if err != nil {
			b.meter.end(err == io.EOF)
		}
	}
	if err != nil && err != io.EOF && b.ctx.Err() != nil {
		err = context.Cause(b.ctx) // says more than the upstream's "canceled"
	}
	return n, err
}

func (b *body) Close() error {
	if b.meter != nil {
		b.meter.end(false)
	}
	return b.ReadCloser.Close()
}
