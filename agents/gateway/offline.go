package gateway

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/vitrine-sim/vitrine/world"
)

// An Offline is an upstream without a network: a scripted model that speaks the Messages API, so that real agent processes
// play without a key. It decides only from what a request holds, so an action of it proves that the observation went
// through the agent's process. The same request always gets the same action.
//
// The newest observation of a conversation is the last one in its user messages: the JSON of a [world.Observation] between
// the lines <observation> and </observation> in a text or in the result of a tool. As long as the model has not answered it
// with a call of the tool "act" (or of one whose name ends with "__act"), it does so, with the input
//
//	{"action":"fish","args":{"tons":10}}
//
// where args is left out if the policy gives none. Otherwise, or if the observation says that the agent's part is over, the
// model ends its turn with a line of text.
//
// Its token counts are estimates: a token is four bytes, of the request's body in and of the answer's text and input out.
type Offline struct {
	policy func(agent string) world.Policy
	seed   uint64
}

// NewOffline returns the offline model. The policy of an agent, which is named by the observation, is policy(name); nil if there
// is none. It decides in the run with that seed, as it does in scripted agents.
func NewOffline(policy func(agent string) world.Policy, seed uint64) *Offline {
	return &Offline{policy: policy, seed: seed}
}

// RoundTrip answers a request to /v1/messages or /v1/messages/count_tokens.
func (o *Offline) RoundTrip(r *http.Request) (*http.Response, error) {
	var raw []byte
	if r.Body != nil {
		defer r.Body.Close()
		var err error
		if raw, err = io.ReadAll(r.Body); err != nil {
			return nil, fmt.Errorf("read request: %w", err)
		}
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	counting := strings.HasSuffix(r.URL.Path, countPath)
	req, err := parseRequest(raw, counting)
	if err != nil {
		return respond(r, http.StatusBadRequest, "application/json", errorBody("invalid_request_error", err.Error())), nil
	}
	if counting {
		return respond(r, http.StatusOK, "application/json", marshal(object{"input_tokens": tokens(len(raw))})), nil
	}
	rep, err := o.decide(req)
	if err != nil {
		return nil, err
	}
	rep.id, rep.model, rep.in = "msg_"+rand.Text(), req.Model, tokens(len(raw))
	if req.Stream {
		return respond(r, http.StatusOK, "text/event-stream; charset=utf-8", rep.events()...), nil
	}
	return respond(r, http.StatusOK, "application/json", rep.message()), nil
}

// decide says what to answer.
func (o *Offline) decide(req request) (reply, error) {
	tool := req.actTool()
	if tool == "" {
		return reply{text: "I have no tool to act with."}, nil
	}
	text, ok := req.unanswered(tool)
	if !ok {
		return reply{text: "There is nothing new to answer."}, nil
	}
	var obs world.Observation
	if err := json.Unmarshal([]byte(text), &obs); err != nil {
		return reply{text: "I cannot read the observation: " + oneLine(err.Error())}, nil
	}
	if obs.Terminated {
		return reply{text: "My part is over."}, nil
	}
	policy := o.policy(obs.Agent)
	if policy == nil {
		return reply{text: fmt.Sprintf("I know no policy for the agent %q.", obs.Agent)}, nil
	}
	action := policy.Decide(o.seed, obs)
	if action.Name == "" {
		action.Name = world.Pass
	}
	input, err := json.Marshal(struct {
		Action string          `json:"action"`
		Args   json.RawMessage `json:"args,omitempty"`
	}{action.Name, action.Args})
	if err != nil {
		return reply{}, fmt.Errorf("policy of agent %q: arguments of %q: %w", obs.Agent, action.Name, err)
	}
	return reply{
		text:  fmt.Sprintf("Turn %d: I choose %q.", obs.Turn, action.Name),
		tool:  tool,
		use:   "toolu_" + rand.Text(),
		input: bytes.ToValidUTF8(input, []byte("\uFFFD")),
	}, nil
}

// tokens estimates the tokens of n bytes.
func tokens(n int) int { return n/4 + 1 }

// oneLine returns s with its line breaks shown.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", `\n`) }

// respond returns the response to r whose body is the chunks, each of which is one Read, so that they pass one by one.
func respond(r *http.Request, status int, contentType string, body ...[]byte) *http.Response {
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", status, http.StatusText(status)),
		StatusCode: status,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header: http.Header{
			"Content-Type": {contentType},
			"Request-Id":   {"req_" + rand.Text()},
		},
		Body:          io.NopCloser(&chunks{body}),
		ContentLength: -1,
		Request:       r,
	}
}

// chunks reads byte slices one after another.
type chunks struct{ left [][]byte }

func (c *chunks) Read(p []byte) (int, error) {
	for len(c.left) > 0 && len(c.left[0]) == 0 {
		c.left = c.left[1:]
	}
	if len(c.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.left[0])
	c.left[0] = c.left[0][n:]
	return n, nil
}
