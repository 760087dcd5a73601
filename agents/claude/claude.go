// Package claude is Claude Code as an agent: one long-lived child process that plays a whole episode in one conversation.
//
// The child speaks stream-json on its standard input and output. Its one tool, act, is an MCP server of ours that talks through
// the same two pipes, so the process needs no port, and the pipe itself says who is acting. The result of act is held
// open until the agent has something new to see: the next observation is that result. A hundred actions are thus a hundred
// requests to the model, and the conversation only ever grows at its end, which is what a prompt cache wants.
//
// The model's traffic goes to a unix socket in the agent's own folder, where the gateway listens; the process holds a
// token of its own and no key. The folder has this form:
//
//	work/             the agent's working directory
//	home/             its HOME, with Claude Code's configuration
//	tmp/              its temporary files
//	world, facts/     the facts that the agent may read, if there are any, see [world.FactFiles]
//	api.sock          the gateway
//	prompt.txt        the system prompt
//	mcp.json          the MCP servers that it starts, if it starts any
//	stderr.log        what the process wrote to standard error
//	transcript.jsonl  the conversation, there once the agent is closed
//
// What a killed process left of its conversation another one can go on with. Claude Code writes it down a tenth of a second behind what
// happens, and forgets the call of act that was held open. So the next process has to be told what came of it: the next
// observation reaches it as a message, after a text that says so.
//
// At the end of an episode nothing more is said to the model: that would be one more request over the whole conversation, for
// an answer that nobody reads.
package claude

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/confine"
	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/world"
)

const (
	startLimit = 2 * time.Minute // from exec to the answer to initialize
	stopGrace  = 2 * time.Second // before each of two signals: what is deaf to the first is gone within 5 s as well

	// maxObservation is the longest observation in bytes that the model gets to read. Of a longer one Claude Code shows only the
	// beginning, without a word: results of tools are whole up to 40 kB (measured), and not from 60 kB.
	maxObservation = 40_000

	closed = -2 // generation of an agent that is closed
)

// A Config says how to run one Claude Code process.
type Config struct {
	Binary    string   // path of the claude executable
	Version   string   // of vitrine, told to the MCP client
	Dir       string   // the agent's folder, absolute; made if it is not there
	Token     string   // what the gateway knows the agent by
	Model     string   // name of the model
	Prompt    string   // system prompt
	Tools     []string // built-in tools granted, of Read, Write, Edit, Glob and Grep; they reach the working directory only
	MaxTokens int      // of one answer at most; 0: up to Claude Code
	Thinking  int      // tokens that the model may think before it answers; 0: it does not
	Env       []string // variables of its environment besides its own, as NAME=value; its own count
	Servers   []Server // MCP servers that it starts beside the world's, in its working directory
	Log       *slog.Logger

	Boundary confine.Boundary   // what keeps the process away from others
	Read     []string           // files and folders, absolute, that it may read besides the system's and its own
	Hidden   string             // a folder that it must not see, but for Dir in it
	Serve    func(net.Listener) // its proxy, see [confine.Cell]; nil: it has none
	Facts    bool               // there are [world.FactFiles] in its folder, which it may read
	Limits   agents.Limits      // what it and all that it starts may use of the machine

	// Resume is the absolute path of the transcript of a conversation to go on with, see [Transcript]; it is in Dir, and no process may be writing it.
	// What a killed process left of its last line is cut off. Empty: a new conversation.
	Resume string
	Told   string // what the agent reads ahead of its first observation; empty: nothing

	// Fenced is told of each call of act that was refused because it was no answer to what the agent was shown last: it came after
	// the deadline or between observations, it was the second of one reply, or the agent was being closed. The action names no agent,
	// for it can only be that of the process that called; the reason is what the model reads; newest is false if it is known to be no answer to the
	// newest observation. Such an action has no effect. Any goroutine may call Fenced until Close has returned, and the agent waits for it. nil:
	// nobody is told.
	Fenced func(action world.Action, reason string, newest bool)

	Evidence *tamper.Evidence // takes note of what the agent tries; nil: nobody does
}

// A Server is an MCP server on standard input and output, a process that Claude Code starts and ends. The model may call all its tools,
// which it knows as mcp__NAME__TOOL.
type Server struct {
	Name    string // neither another's nor "world"
	Command string
	Args    []string
	Env     map[string]string // added to that of the agent's process
}

// Socket returns the path of the unix socket on which the process in dir looks for its gateway.
func Socket(dir string) string { return filepath.Join(dir, socketName) }

// An Agent is one Claude Code process. It implements [agents.Vital].
type Agent struct {
	cfg     Config
	process *agents.Process
	stderr  *agents.Stderr
	stream  *stream
	mcp     *transport
	server  *mcp.ServerSession

	calls   chan *call    // acts that wait to be taken
	results chan inbound  // ends of the model's turns
	closing chan struct{} // closed by Close, releases calls that are held

	// awaited is how many messages of ours have no result yet, at most one; a result without one is not ours.
	awaited atomic.Int64

	// generation numbers the observations. It is odd while an Act waits for an answer to one; a call that comes at another
	// time, or was made before the newest observation was seen, is refused. After Close was called it is closed.
	generation atomic.Int64

	watch watch       // of read alone
	pace  tamper.Pace // of read

	mu     sync.Mutex
	last   message // the model's newest reply that calls tools
	cause  string  // why we killed the process, if we did
	name   string  // of the agent
	called int     // calls of act since the newest observation

	// Act alone uses what follows.
	held     *call  // the act whose result will be the next observation
	told     string // what the model shall read ahead of the next observation
	answered string // id of the reply that held the last action
	running  bool   // the model's turn goes on
}

var _ agents.Vital = (*Agent)(nil)

// Start starts the process and waits until it answers.
func Start(ctx context.Context, cfg Config) (*Agent, error) {
	if cfg.Resume != "" {
		if err := cutTornLine(cfg.Dir, cfg.Resume); err != nil {
			return nil, fmt.Errorf("resume claude: %w", err)
		}
	}
	cmd, stderr, err := command(cfg)
	if err != nil {
		return nil, fmt.Errorf("start claude: %w", err)
	}
	process, err := cfg.Boundary.Start(cmd, cell(cfg))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start claude: %w", err), stderr.Close())
	}
	a := &Agent{
		cfg: cfg, told: cfg.Told, process: process, stderr: stderr,
		watch: watch{evidence: cfg.Evidence, dir: cfg.Dir, hidden: cfg.Hidden},
		calls: make(chan *call), results: make(chan inbound, 1), closing: make(chan struct{}),
	}
	a.stream = newStream(process.Stdin, tamper.Reader{Reader: process.Stdout, Pace: &a.pace, Evidence: cfg.Evidence, Stop: process.Done()})
	a.stream.odd = func(line []byte) { cfg.Evidence.Sawf(tamper.Garbage, "%.100q", line) }
	a.mcp = newTransport(a.stream)
	a.mcp.evidence = cfg.Evidence
	go a.read() // ends with the process's output

	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	err = a.initialize(ctx)
	if err == nil {
		err = a.awaitServers(ctx)
	}
	if err != nil {
		_, closeErr := a.Close()
		return nil, errors.Join(fmt.Errorf("start claude: %w", err), closeErr)
	}
	return a, nil
}

func (a *Agent) initialize(ctx context.Context) error {
	server, err := newServer(a.cfg.Version, a.take).Connect(ctx, a.mcp, nil)
	if err != nil {
		return err
	}
	a.server = server
	answer := make(chan error, 1)
	go func() { // ends with ctx at the latest
		_, err := a.stream.control(ctx, map[string]any{
			"subtype": "initialize", "hooks": nil, "sdkMcpServers": []string{serverName},
		})
		answer <- err
	}()
	select {
	case err := <-answer:
		if errors.Is(err, syscall.EPIPE) {
			return a.broken(err) // says why nobody reads
		}
		return err
	case <-a.process.Done():
		return a.dead()
	}
}

// PID returns the process id of its keeper, whose child the process is.
func (a *Agent) PID() int { return a.process.PID() }

// read handles the child's lines until it closes its output.
func (a *Agent) read() {
	err := a.stream.read(func(in inbound) {
		switch in.Type {
		case "system":
			if in.Subtype == "init" && !slices.Contains(in.Tools, fullName) {
				a.kill("this version of Claude Code does not offer the act tool")
			}
		case "assistant":
			a.watch.called(in.Message)
			a.note(in.Message)
		case "user":
			a.watch.answered(in.Message)
		case "result":
			if a.awaited.CompareAndSwap(1, 0) {
				a.results <- in // has room for it
			}
		case "control_request":
			a.pace.Hear(tamper.CostOfLine, a.cfg.Evidence, a.process.Done())
			if in.Request.Subtype == "mcp_message" && in.Request.Server == serverName {
				a.mcp.deliver(in.RequestID, in.Request.Message)
			} else {
				a.cfg.Evidence.Sawf(tamper.Garbage, "a control request %q", in.Request.Subtype)
				_ = a.stream.refuse(in.RequestID, "not supported here") // a broken pipe shows as the end of the stream
			}
		}
	})
	cause := "it closed its output"
	if err != nil {
		cause = "its output cannot be read: " + err.Error()
	}
	select {
	case <-a.process.Done(): // which is why
	case <-time.After(stopGrace):
		a.kill(cause)
	}
}

// kill ends the process for a reason of ours.
func (a *Agent) kill(cause string) {
	a.mu.Lock()
	a.cause = cause
	a.mu.Unlock()
	a.process.Kill()
}

// broken says why the process cannot be written to; it is gone afterwards.
func (a *Agent) broken(err error) error {
	select {
	case <-a.process.Done():
	case <-time.After(stopGrace):
		a.kill("it does not read: " + err.Error())
	}
	return a.dead()
}

// dead says how the process ended, or why it was killed if it had not ended by itself meanwhile.
func (a *Agent) dead() error {
	a.mu.Lock()
	cause := a.cause
	a.mu.Unlock()
	dead := a.Kill(cause)
	if cause == dead.Reason && dead.Ending.Exit != "signal: killed" {
		dead.Reason = cmp.Or(dead.Ending.Exit, cause)
	}
	return dead
}

// Heard implements [agents.Vital].
func (a *Agent) Heard() int64 { return a.process.Stdout.Heard() }

// Kill implements [agents.Vital].
func (a *Agent) Kill(reason string) *agents.DeadError {
	return a.process.Dead(reason, a.stderr.LastWords)
}

// Close implements [agents.Agent].
func (a *Agent) Close() (agents.Usage, error) {
	a.generation.Store(closed)
	// The act that is held open is not answered before the process is gone: the model would go on from there.
	_ = a.stream.request(map[string]any{"subtype": "end_session"}) // one that cannot hear it is stopped
	err := a.process.Stop(stopGrace)
	close(a.closing)
	if a.server != nil {
		err = errors.Join(err, a.mcp.Close(), a.server.Close())
	}
	err = errors.Join(err, a.stderr.Close(), keepTranscript(a.cfg.Dir))
	return agents.Usage{PeakMemory: a.process.PeakMemory()}, err
}
