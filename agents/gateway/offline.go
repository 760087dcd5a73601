package gateway

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

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
// model ends its turn with a line of text. A script makes it say, think and do more; an action that it calls for, no rules need allow.
//
// Its token counts are estimates: a token is four bytes, of the JSON of the blocks of a request and of the answer's texts and input. Which of
// them are read from the prompt cache and written to it, it says by the API's rules. A request that does not mark anything to be cached
// has all of them as plain input.
//
// The fields must not change after the first request.
type Offline struct {
	Script  []Line        // the first line that is for an observation counts
	Latency time.Duration // before an answer begins
	Rate    float64       // tokens in a second, as an answer comes; 0: all at once

	policy func(agent string) world.Policy
	seed   uint64
	cache  promptCache
}

// NewOffline returns the offline model. The policy of an agent, which is named by the observation, is policy(name); nil if there
// is none. It decides in the run with that seed, as it does in scripted agents.
func NewOffline(policy func(agent string) world.Policy, seed uint64) *Offline {
	return &Offline{policy: policy, seed: seed}
}

const eventStream = "text/event-stream; charset=utf-8"

// RoundTrip answers a request to /v1/messages or /v1/messages/count_tokens.
func (o *Offline) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, err := readRequest(r)
	if err != nil {
		return nil, err
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
		return respond(r, http.StatusOK, "application/json", marshal(object{"input_tokens": promptTokens(raw)})), nil
	}
	rep, err := o.decide(req)
	if err != nil {
		return nil, err
	}
	rep.id, rep.model, rep.in = "msg_"+rand.Text(), req.Model, o.cache.use(promptBlocks(raw), time.Now())
	if err := pause(r.Context(), o.Latency); err != nil {
		return nil, err
	}
	return o.respond(r, rep, req.Stream)
}

// respond sends a reply as fast as the model speaks.
func (o *Offline) respond(r *http.Request, rep reply, stream bool) (*http.Response, error) {
	var takes time.Duration
	if o.Rate > 0 {
		takes = time.Duration(float64(rep.out()) / o.Rate * float64(time.Second))
	}
	if !stream {
		if err := pause(r.Context(), takes); err != nil {
			return nil, err
		}
		return respond(r, http.StatusOK, "application/json", rep.message()), nil
	}
	resp := respond(r, http.StatusOK, eventStream)
	resp.Body = spread(r.Context(), takes, rep.events())
	return resp, nil
}

// decide says what to answer.
func (o *Offline) decide(req request) (reply, error) {
	tool := req.actTool()
	if tool == "" {
		return reply{text: "I have no tool to act with."}, nil
	}
	text, called, ok := req.unanswered(tool)
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
	line := lineFor(o.Script, obs)
	action, known := o.act(line, obs)
	if !known {
		return reply{text: fmt.Sprintf("I know no policy for the agent %q.", obs.Agent)}, nil
	}
	rep := reply{text: fmt.Sprintf("Turn %d: I choose %q.", obs.Turn, action.Name), use: "toolu_" + rand.Text()}
	if line.Say != "" {
		rep.text = fill(line.Say, obs, action.Name)
	}
	if req.thinks() {
		rep.think = fill(line.Think, obs, action.Name)
	}
	if called < len(line.Tools) {
		use := line.Tools[called]
		rep.text, rep.tool, rep.input = fmt.Sprintf("Turn %d: first I use %s.", obs.Turn, use.Name), use.Name, fillInput(use.Input, obs)
		return rep, nil
	}
	input, err := json.Marshal(struct {
		Action string          `json:"action"`
		Args   json.RawMessage `json:"args,omitempty"`
	}{action.Name, action.Args})
	if err != nil {
		return reply{}, fmt.Errorf("policy of agent %q: arguments of %q: %w", obs.Agent, action.Name, err)
	}
	rep.tool, rep.input = tool, bytes.ToValidUTF8(input, []byte("\uFFFD"))
	return rep, nil
}

// act returns what the script says that an agent does, or else its policy, if it has one.
func (o *Offline) act(line Line, obs world.Observation) (action world.Action, known bool) {
	if line.Action != nil {
		return *line.Action, true
	}
	policy := o.policy(obs.Agent)
	if policy == nil {
		return action, false
	}
	action = policy.Decide(o.seed, obs)
	if action.Name == "" {
		action.Name = world.Pass
	}
	return action, true
}

// tokens estimates the tokens of n bytes.
func tokens(n int) int { return n/bytesPerToken + 1 }

const bytesPerToken = 4

// oneLine returns s with its line breaks shown.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", `\n`) }

// respond returns the response to r whose body comes in these pieces.
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
		Body:          atOnce(r.Context(), body...),
		ContentLength: -1,
		Request:       r,
	}
}
