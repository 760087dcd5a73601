package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// A checked body is an answer of the upstream, which passes as it is, and takes note of what is wrong with it: that it breaks off, or is none.
type checked struct {
	io.ReadCloser
	ctx     context.Context
	trouble func(string)

	stream bool
	some   bool   // there were bytes
	ended  bool   // of a stream: there was an event that says that it ends
	kept   []byte // the line of a stream so far; or the document
	long   bool   // more than is kept
	over   bool
}

// check makes a response's body take note of what is wrong with it.
func (e *Endpoint) check(r *http.Request, resp *http.Response) {
	resp.Body = &checked{
		ReadCloser: resp.Body, ctx: r.Context(), trouble: e.warn, stream: strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"),
	}
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.look(p[:n])
	if err != nil {
		c.tell(c.verdict(err))
	}
	return n, err
}

// tell tells what is wrong with the answer, once; empty: nothing is.
func (c *checked) tell(what string) {
	if !c.over && what != "" {
		c.trouble(what)
	}
	c.over = true
}

// look takes the next bytes of the answer.
func (c *checked) look(p []byte) {
	c.some = c.some || len(p) > 0
	for c.stream && len(p) > 0 {
		line, rest, ended := bytes.Cut(p, []byte("\n"))
		c.keep(line)
		if ended {
			c.line()
		}
		p = rest
	}
	c.keep(p)
}

func (c *checked) keep(p []byte) {
	if c.long = c.long || len(c.kept)+len(p) > maxKept; !c.long {
		c.kept = append(c.kept, p...)
	}
}

// line looks at a line of a stream.
func (c *checked) line() {
	if data, ok := bytes.CutPrefix(c.kept, []byte("data:")); ok && !c.long {
		if !json.Valid(data) && string(bytes.TrimSpace(data)) != "[DONE]" {
			c.tell(noJSON) // before the agent sees it, and goes away
		}
		c.ended = c.ended || slices.ContainsFunc([]string{`"message_stop"`, `"stop_reason":"`, `"error"`}, func(word string) bool {
			return bytes.Contains(data, []byte(word))
		})
	}
	c.kept, c.long = c.kept[:0], false
}

const noJSON = "the answer of the model endpoint holds what is no JSON"

// verdict says what is wrong with an answer that is over; empty: nothing that is the upstream's.
func (c *checked) verdict(end error) string {
	const answer = "the answer of the model endpoint "
	cause := context.Cause(c.ctx)
	switch {
	case errors.Is(cause, errStalled) || errors.Is(cause, errTooLong):
		return cause.Error()
	case cause != nil: // the agent went away
		return ""
	case end != io.EOF:
		return answer + fmt.Sprintf("broke off: %v", end)
	case !c.some:
		return answer + "is empty"
	case !c.stream && !c.long && !json.Valid(c.kept):
		return noJSON
	case c.stream && !c.ended:
		return answer + "ended early"
	}
	return ""
}
