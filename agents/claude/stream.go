package claude

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	maxLine = 64 << 20 // bytes of a line of the child; one that says more is ended
	maxKept = 4 << 20  // bytes of a line that is read; a longer one, such as that of a picture, is passed over
)

// writeLimit bounds one write to the child. Its pipe holds 64 kB, and a live Claude Code always reads.
const writeLimit = 10 * time.Second

// A stream speaks Claude Code's stream-json: a JSON document on each line, user messages and control requests one way, what
// became of them the other.
type stream struct {
	out *os.File
	in  io.Reader
	odd func(line []byte) // told of each line that is no JSON object; nil: nobody is

	writing sync.Mutex // one line at a time; guards broken
	broken  error      // why nothing more can be written: half a line may stand there

	mu      sync.Mutex
	waiting map[string]chan controlResponse // by id of our control request
}

// An inbound is a line from Claude Code: the fields that matter of all the types of line that matter.
type inbound struct {
	Type    string `json:"type"`
	Subtype string `json:"subtype"`

	RequestID string          `json:"request_id"` // control_request
	Request   controlRequest  `json:"request"`
	Response  controlResponse `json:"response"` // control_response

	Tools   []string `json:"tools"` // system/init: what the model may call
	Message message  `json:"message"`

	IsError bool     `json:"is_error"` // result
	Result  string   `json:"result"`
	Errors  []string `json:"errors"`
	Status  *int     `json:"api_error_status"`
}

// failure says why a result is none: a result of subtype success can still hold an error of the model's API.
func (in inbound) failure() error {
	if !in.IsError {
		return nil
	}
	if text := strings.TrimSpace(strings.Join(append(in.Errors, in.Result), " ")); text != "" {
		return errors.New(text)
	}
	return errors.New(in.Subtype)
}

// brokeOff says whether the model's answer did not come whole, so that it may be asked once more: all else that fails has a status, and
// Claude Code has tried it again as far as that makes sense.
func (in inbound) brokeOff() bool { return in.IsError && in.Subtype == "success" && in.Status == nil }

type controlRequest struct {
	Subtype string          `json:"subtype"`
	Server  string          `json:"server_name"`
	Message json.RawMessage `json:"message"`
}

type controlResponse struct {
	Subtype   string          `json:"subtype"`
	RequestID string          `json:"request_id"`
	Error     string          `json:"error"`
	Response  json.RawMessage `json:"response"`
}

// A message is what the model said: the id of its reply, and the tools it calls in it.
type message struct {
	ID      string       `json:"id"`
	Content contentBlock `json:"content"`
}

// contentBlock is a message's content, which is text or a list of blocks; only the blocks are of interest.
type contentBlock []struct {
	Type  string          `json:"type"`
	ID    string          `json:"id"` // tool_use
	Name  string          `json:"name"`
	Input json.RawMessage `json:"input"`

	ToolUse string          `json:"tool_use_id"` // tool_result
	IsError bool            `json:"is_error"`
	Content json.RawMessage `json:"content"`
}

func (c *contentBlock) UnmarshalJSON(raw []byte) error {
	if len(raw) == 0 || raw[0] != '[' {
		return nil
	}
	type blocks contentBlock
	return json.Unmarshal(raw, (*blocks)(c))
}

func newStream(out *os.File, in io.Reader) *stream {
	return &stream{out: out, in: in, waiting: make(map[string]chan controlResponse)}
}

// read calls handle for every line until the child closes its output. Answers to control requests go to those who wait for
// them. Lines that are not JSON objects are skipped: some builds print notes there.
func (s *stream) read(handle func(inbound)) error {
	r := bufio.NewReaderSize(s.in, 64<<10)
	for {
		line, err := readLine(r)
		var in inbound
		switch line = bytes.TrimSpace(line); {
		case len(line) == 0:
		case line[0] != '{' || !readable(json.Unmarshal(line, &in)):
			if s.odd != nil {
				s.odd(line)
			}
		case in.Type == "control_response":
			s.answer(in.Response)
		default:
			handle(in)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readLine reads a line of at most maxLine bytes, and returns it if it has at most maxKept.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for size := 0; ; {
		piece, err := r.ReadSlice('\n')
		if size += len(piece); size > maxLine {
			return nil, fmt.Errorf("a line of more than %d bytes", maxLine)
		}
		if size > maxKept {
			line = nil
		} else {
			line = append(line, piece...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// readable says whether a line was read, but for fields of a type that this program does not know.
func readable(err error) bool {
	var unknown *json.UnmarshalTypeError
	return err == nil || errors.As(err, &unknown)
}

func (s *stream) answer(resp controlResponse) {
	s.mu.Lock()
	ch := s.waiting[resp.RequestID]
	delete(s.waiting, resp.RequestID)
	s.mu.Unlock()
	if ch != nil {
		ch <- resp // has room for the one answer
	}
}

// send writes one line.
func (s *stream) send(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.broken != nil {
		return s.broken
	}
	if err := s.out.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return err
	}
	_, s.broken = s.out.Write(append(line, '\n'))
	return s.broken
}

// user sends a user message, which starts a turn of the model.
func (s *stream) user(text string) error {
	return s.send(map[string]any{"type": "user", "message": map[string]any{"role": "user", "content": text}})
}

// control sends a control request and waits for its answer.
func (s *stream) control(ctx context.Context, request map[string]any) (json.RawMessage, error) {
	answer := make(chan controlResponse, 1)
	id := newID()
	s.mu.Lock()
	s.waiting[id] = answer
	s.mu.Unlock()
	if err := s.sendRequest(id, request); err != nil {
		return nil, err
	}
	select {
	case resp := <-answer:
		if resp.Subtype != "success" {
			return nil, fmt.Errorf("%s: %s", request["subtype"], resp.Error)
		}
		return resp.Response, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", request["subtype"], ctx.Err())
	}
}

// request sends a control request whose answer is of no interest.
func (s *stream) request(request map[string]any) error { return s.sendRequest(newID(), request) }

func (s *stream) sendRequest(id string, request map[string]any) error {
	return s.send(map[string]any{"type": "control_request", "request_id": id, "request": request})
}

// reply answers a control request of the child.
func (s *stream) reply(requestID string, response any) error {
	return s.send(map[string]any{
		"type": "control_response",
		"response": map[string]any{
			"subtype": "success", "request_id": requestID, "response": response,
		},
	})
}

// refuse answers a control request of the child that is not for us.
func (s *stream) refuse(requestID, why string) error {
	return s.send(map[string]any{
		"type":     "control_response",
		"response": map[string]any{"subtype": "error", "request_id": requestID, "error": why},
	})
}
