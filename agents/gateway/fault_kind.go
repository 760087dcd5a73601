package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// answersInPlace returns how to answer a request, whose body is given, in the place of the upstream.
func answersInPlace() map[string]func(r *http.Request, body []byte) (*http.Response, error) {
	status := func(code int, kind, message string) func(*http.Request, []byte) (*http.Response, error) {
		return func(r *http.Request, _ []byte) (*http.Response, error) {
			return respond(r, code, "application/json", errorBody(kind, message)), nil
		}
	}
	return map[string]func(*http.Request, []byte) (*http.Response, error){
		"401": status(http.StatusUnauthorized, "authentication_error", "invalid x-api-key"),
		"429": func(r *http.Request, _ []byte) (*http.Response, error) {
			resp := respond(r, http.StatusTooManyRequests, "application/json", errorBody("rate_limit_error", "too many requests"))
			resp.Header.Set("Retry-After", "1")
			return resp, nil
		},
		"500": status(http.StatusInternalServerError, "api_error", "internal server error"),
		"529": status(statusOverloaded, "overloaded_error", "overloaded"),
		"refused": func(*http.Request, []byte) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		},
		"empty": func(r *http.Request, _ []byte) (*http.Response, error) {
			return respond(r, http.StatusOK, "application/json"), nil
		},
		"chatter": chatter,
		"endless": endless,
	}
}

// readRequest reads the body of a request whole.
func readRequest(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	defer r.Body.Close()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	return raw, nil
}

// ofFault is an answer that a fault has made up.
func ofFault(text string, body []byte) (reply, bool) {
	var req struct {
		Model  string
		Stream bool
	}
	_ = json.Unmarshal(body, &req) // to what is no request it answers as well
	return reply{id: "msg_" + rand.Text(), model: req.Model, text: text, in: Tokens{Input: promptTokens(body)}}, req.Stream
}

// chatter answers with twice as many tokens as the request allows.
func chatter(r *http.Request, body []byte) (*http.Response, error) {
	var req struct {
		Max int `json:"max_tokens"`
	}
	_ = json.Unmarshal(body, &req)
	const most = 1 << 20
	rep, stream := ofFault(strings.Repeat("and ", 2*min(max(1, req.Max), most)), body)
	if stream {
		return respond(r, http.StatusOK, eventStream, rep.events()...), nil
	}
	return respond(r, http.StatusOK, "application/json", rep.message()), nil
}

// endless begins to answer.
func endless(r *http.Request, body []byte) (*http.Response, error) {
	rep, stream := ofFault("and ", body)
	resp := respond(r, http.StatusOK, "application/json")
	begin, more := rep.message(), []byte("and ")
	begin = begin[:bytes.Index(begin, more)]
	if stream {
		resp.Header.Set("Content-Type", eventStream)
		events := rep.events()
		const first = 3 // the message, its text, and a ping
		begin, more = bytes.Join(events[:first], nil), events[first]
	}
	resp.Body = &paced{ctx: r.Context(), next: func() ([]byte, time.Duration, error) {
		if begin != nil {
			piece := begin
			begin = nil
			return piece, 0, nil
		}
		return more, time.Millisecond, nil
	}}
	return resp, nil
}

// A spoil makes of a whole answer what comes of it, where its middle is between two events if it is a stream.
type spoil func(ctx context.Context, answer []byte, middle int) io.ReadCloser

// spoils returns how to spoil an answer.
func spoils() map[string]spoil {
	return map[string]spoil{
		"cut": func(ctx context.Context, answer []byte, middle int) io.ReadCloser {
			return thenEnds(ctx, answer[:middle], 0, errBroken)
		},
		"short": func(ctx context.Context, answer []byte, middle int) io.ReadCloser {
			return atOnce(ctx, answer[:middle])
		},
		"malformed": func(ctx context.Context, answer []byte, middle int) io.ReadCloser {
			return atOnce(ctx, answer[:middle], []byte("event: content_block_delta\ndata: {\"type\":content_block\n\n"), answer[middle:])
		},
		"stall": func(ctx context.Context, answer []byte, middle int) io.ReadCloser {
			return thenEnds(ctx, answer[:middle], never, io.EOF)
		},
		"drip": func(ctx context.Context, answer []byte, _ int) io.ReadCloser {
			return &paced{ctx: ctx, next: func() ([]byte, time.Duration, error) {
				if len(answer) == 0 {
					return nil, 0, io.EOF
				}
				drop := answer[:1]
				answer = answer[1:]
				return drop, 10 * time.Millisecond, nil
			}}
		},
	}
}

// thenEnds is a body that ends so, after a time.
func thenEnds(ctx context.Context, piece []byte, after time.Duration, end error) io.ReadCloser {
	return &paced{ctx: ctx, next: func() ([]byte, time.Duration, error) {
		if piece != nil {
			first := piece
			piece = nil
			return first, 0, nil
		}
		return nil, after, end
	}}
}

// spoilt returns a response whose answer is spoilt.
func spoilt(r *http.Request, resp *http.Response, by spoil) (*http.Response, error) {
	answer, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	middle := len(answer) / 2
	if end := bytes.Index(answer[middle:], []byte("\n\n")); end >= 0 && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		middle += end + 2
	}
	resp.Body, resp.ContentLength = by(r.Context(), answer, middle), -1
	resp.Header.Del("Content-Length")
	return resp, nil
}
