package claude

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/world"
)

// serverName is the MCP server's name; the model sees its tool as mcp__world__act.
const (
	serverName = "world"
	toolName   = "act"
	fullName   = "mcp__" + serverName + "__" + toolName
)

const (
	maxAction = 64 << 10 // bytes of an action that is handed on: rules want a few numbers or a speech, not a file
	maxOpen   = 64       // calls of an agent that wait for their results
)

// actSchema is what the tool takes. It is the same in every turn, so that requests keep their beginning and the model's prompt
// cache holds; which actions are legal stands in each observation.
const actSchema = `{
  "type": "object",
  "properties": {
    "action": {"type": "string", "description": "name of one of the legal actions of the newest observation, or \"pass\""},
    "args": {"type": "object", "description": "its arguments, as its schema says"}
  },
  "required": ["action"]
}`

const actDescription = "Do one legal action. The result is your next observation: it arrives when everybody " +
	"has acted, which may take a while. Call it exactly once for each observation."

// A call is one call of the act tool, held open until there is something new to see.
type call struct {
	ctx        context.Context // ends when Claude Code gives the call up
	action     world.Action
	generation int64  // of the Act that was waiting when the call came; see Agent.generation
	reply      string // id of the model's reply that holds the call
	result     chan callResult
}

type callResult struct {
	text string
	err  error
}

// newServer returns the MCP server of one agent. Its one tool gives take the action and the id of the tool use; what take returns
// is the tool's result, an error if it is one.
func newServer(version string, take func(ctx context.Context, toolUse string, action world.Action) (string, error)) *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: serverName, Version: version}, nil)
	tool := &mcp.Tool{Name: toolName, Description: actDescription, InputSchema: json.RawMessage(actSchema)}
	server.AddTool(tool, func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		var text string
		action, err := decodeAction(req.Params.Arguments)
		if err == nil {
			toolUse, _ := req.Params.Meta["claudecode/toolUseId"].(string)
			text, err = take(ctx, toolUse, action)
		}
		if err != nil {
			text = "refused: " + err.Error()
		}
		return &mcp.CallToolResult{IsError: err != nil, Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil
	})
	return server
}

// decodeAction reads the arguments of the act tool. Whether the action is legal is for the rules to say. It names an agent if somebody says who
// acts, who need not be the one.
func decodeAction(args json.RawMessage) (world.Action, error) {
	if len(args) > maxAction {
		return world.Action{}, fmt.Errorf("an action has at most %d bytes", maxAction)
	}
	var in struct {
		Action string          `json:"action"`
		Args   json.RawMessage `json:"args"`
		Agent  json.RawMessage `json:"agent"` // the schema has none
	}
	if err := json.Unmarshal(args, &in); err != nil {
		return world.Action{}, fmt.Errorf("not an action: %w", err)
	}
	if in.Action == "" {
		return world.Action{}, errors.New(`"action" is missing`)
	}
	action := world.Action{Name: in.Action, Args: in.Args}
	_ = json.Unmarshal(in.Agent, &action.Agent) // what is no text names nobody
	return action, nil
}

// A transport carries MCP messages inside the control requests of a stream. It is an [mcp.Transport] and its one [mcp.Connection].
type transport struct {
	stream *stream
	in     chan jsonrpc.Message
	closed chan struct{}
	once   sync.Once

	evidence *tamper.Evidence

	mu       sync.Mutex
	requests map[jsonrpc.ID]string // control request that carries the MCP request with that id
}

func newTransport(s *stream) *transport {
	return &transport{
		stream: s, in: make(chan jsonrpc.Message), closed: make(chan struct{}), requests: make(map[jsonrpc.ID]string),
	}
}

// deliver hands one MCP message from the child to the server.
func (t *transport) deliver(requestID string, raw json.RawMessage) {
	msg, err := jsonrpc.DecodeMessage(raw)
	if err != nil {
		return // a message that is none gets no answer
	}
	req, ok := msg.(*jsonrpc.Request)
	if ok && req.IsCall() {
		t.mu.Lock()
		_, doubled := t.requests[req.ID]
		full := len(t.requests) >= maxOpen
		if !doubled && !full {
			t.requests[req.ID] = requestID
		}
		t.mu.Unlock()
		t.watch(req)
		switch {
		case doubled:
			return // the one before it is being answered
		case full:
			t.evidence.Sawf(tamper.Acts, "more than %d at once", maxOpen)
			_ = t.stream.refuse(requestID, "too many calls at once")
			return
		}
	} else {
		// A notification has no answer in MCP, but the control request that carries it does.
		ack := map[string]any{"mcp_response": map[string]any{"jsonrpc": "2.0", "result": map[string]any{}}}
		_ = t.stream.reply(requestID, ack) // a broken pipe shows as the end of the stream
	}
	select {
	case t.in <- msg:
	case <-t.closed:
	}
}

// watch takes note of a call of a tool that there is not.
func (t *transport) watch(req *jsonrpc.Request) {
	var params struct{ Name string }
	if req.Method == "tools/call" && json.Unmarshal(req.Params, &params) == nil && params.Name != toolName {
		t.evidence.Sawf(tamper.Tool, "%s of the world", params.Name)
	}
}

func (t *transport) Connect(context.Context) (mcp.Connection, error) { return t, nil }

func (t *transport) Read(ctx context.Context) (jsonrpc.Message, error) {
	select {
	case msg := <-t.in:
		return msg, nil
	case <-t.closed:
		return nil, io.EOF
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (t *transport) Write(_ context.Context, msg jsonrpc.Message) error {
	resp, ok := msg.(*jsonrpc.Response)
	if !ok {
		return nil // Claude Code takes no requests or notifications of ours; the server has none that matter
	}
	t.mu.Lock()
	requestID, ok := t.requests[resp.ID]
	delete(t.requests, resp.ID)
	t.mu.Unlock()
	if !ok {
		return nil // an error would end the session; a request that nobody made needs no answer
	}
	raw, err := jsonrpc.EncodeMessage(resp)
	if err != nil {
		return err
	}
	return t.stream.reply(requestID, map[string]any{"mcp_response": json.RawMessage(raw)})
}

func (t *transport) Close() error {
	t.once.Do(func() { close(t.closed) })
	return nil
}

func (t *transport) SessionID() string { return "" }
