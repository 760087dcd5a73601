// Package plugin is rules and agents from other programs, in any language: each a process that is started here and answers calls of gRPC, as
// github.com/hashicorp/go-plugin has them do.
//
// The protocol is the file proto/vitrine/v1/vitrine.proto, which says all that a program must do. One in Go calls [Serve] with what it has of
// [world.Rules] and players.
//
// # What a plugin gets
//
// A process of its own in a private folder with an environment of its own, nothing of this process's, like any program of an agent. It listens on a unix
// socket in a private folder, and nowhere else. It is killed when this process ends, however that happens. Its standard error
// is kept, up to 1 MiB.
//
// # The state
//
// A plugin of rules does not get the whole state with each question. It keeps the facts of one state, and before it is asked in another one it is told
// which facts differ ([world.State.Changes]); so a call costs what has changed, in a long run as in a short one. When it has not answered, or
// not taken a change, it is told all facts anew.
//
// # What it does wrong
//
// A program that does not start, crashes, hangs, says too much, or something else than the protocol has, is an error of the call in which that shows:
// for rules it ends the run; for an agent it is what [agents.Agent] says. No answer has more than 8 MiB.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/confine"
	"github.com/vitrine-sim/vitrine/agents/tamper"
)

const (
	// Version is that of the protocol.
	Version = 1

	// The cookie tells a plugin in Go that it was not a person who started it.
	cookie, cookieValue = "VITRINE_PLUGIN", "1"

	maxAnswer    = 8 << 20 // bytes of a message from a plugin
	maxHeaders   = 64 << 10
	defaultLimit = time.Minute
	stopGrace    = 3 * time.Second // until a plugin that was told to go is killed
	deathGrace   = time.Second     // from the end of a connection to the end of its process
	lastGrace    = time.Second     // for an answer of rules that nobody has patience with any more: a run that is interrupted asks some things still
)

// A Config says how to run a plugin.
type Config struct {
	Command []string // the program and its arguments
	Dir     string   // its private folder, absolute; made if it is not there: work/, where it runs, home/ and tmp/
	Env     []string // besides PATH, HOME, TMPDIR and what the protocol has, as NAME=value
	// Limit is how long it may take to start, and how long a call of rules may take; 0: a minute.
	Limit time.Duration

	Boundary confine.Boundary // what keeps it away from others, if it has a cell
	Cell     *confine.Cell    // what an agent may reach; its folder is Dir
	Evidence *tamper.Evidence // takes note of what an agent tries; nil: nobody does
}

// A program is a plugin that runs, and the connection to it.
type program struct {
	limit   time.Duration
	client  *goplugin.Client
	conn    *grpc.ClientConn
	process *process
	output  *agents.Stderr
	sockets string // the folder above that of its socket
}

// start starts a plugin and connects to it. What it says on its standard error is written to output. It is ended if ctx ends before.
func start(ctx context.Context, cfg Config, output *agents.Stderr) (*program, error) {
	if len(cfg.Command) == 0 {
		return nil, errors.New("no command")
	}
	if cfg.Limit == 0 {
		cfg.Limit = defaultLimit
	}
	cmd := exec.Command(cfg.Command[0], cfg.Command[1:]...)
	if err := agents.Settle(cmd, cfg.Dir, cfg.Env); err != nil {
		return nil, err
	}
	cmd.Stderr, cmd.WaitDelay = output, deathGrace
	sockets, err := os.MkdirTemp(shortTemp(), "vitrine") // not in Dir, whose path may be too long for a socket's
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(sockets, 0o711); err != nil { // the folder in it is the plugin's own, which may be another user
		return nil, errors.Join(err, os.Remove(sockets))
	}
	p := &program{limit: cfg.Limit, process: &process{cmd: cmd, starting: ctx, boundary: cfg.Boundary, cell: cfg.Cell, evidence: cfg.Evidence}, output: output, sockets: sockets}
	p.client = goplugin.NewClient(p.config())
	err = p.connect()
	if p.process.started() && !p.process.waited() {
		err = errors.Join(context.Cause(ctx), err)
	}
	// A socket that is connected needs no name any more; so nothing is left of it, even if this process is killed.
	if err = errors.Join(err, os.RemoveAll(sockets)); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// shortTemp returns a folder for temporary files with room for what go-plugin puts behind it: the path of a socket has at most 108 bytes.
func shortTemp() string {
	if dir := os.TempDir(); len(dir) <= 50 {
		return dir
	}
	return "/tmp"
}

// config is what go-plugin needs to know.
func (p *program) config() *goplugin.ClientConfig {
	return &goplugin.ClientConfig{
		HandshakeConfig:  handshake(),
		Plugins:          goplugin.PluginSet{}, // it is only the connection that is asked for
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		RunnerFunc:       p.process.adopt,
		SkipHostEnv:      true,
		StartTimeout:     p.limit,
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: p.sockets},
		SyncStdout:       p.output, // a plugin in Go sends both through the connection
		SyncStderr:       p.output,
		Logger:           hclog.NewNullLogger(),
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
			grpc.WithMaxHeaderListSize(maxHeaders),
			grpc.WithIdleTimeout(0), // there is no socket to connect to anew
			grpc.WithStreamInterceptor(withoutBroker),
		},
	}
}

func handshake() goplugin.HandshakeConfig {
	return goplugin.HandshakeConfig{ProtocolVersion: Version, MagicCookieKey: cookie, MagicCookieValue: cookieValue}
}

// withoutBroker refuses the stream by which go-plugin would let a plugin ask for more connections.
func withoutBroker(
	ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, stream grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	if strings.HasPrefix(method, "/plugin.GRPCBroker/") {
		return nil, status.Error(codes.Unimplemented, "plugins have one connection")
	}
	return stream(ctx, desc, conn, method, opts...)
}

// connect starts the process and connects to it.
func (p *program) connect() error {
	if _, err := p.client.Start(); err != nil {
		return p.process.unstarted(err, p.output, p.limit)
	}
	timer := time.AfterFunc(p.limit, p.process.kill)
	client, err := p.client.Client()
	if !timer.Stop() {
		return fmt.Errorf("it has said where it listens, and does not answer there within %v", p.limit)
	}
	if err != nil {
		return p.explain(context.Background(), err)
	}
	connected, ok := client.(*goplugin.GRPCClient)
	if !ok {
		return fmt.Errorf("it speaks %T, not gRPC", client)
	}
	p.conn = connected.Conn
	ctx, cancel := context.WithTimeout(context.Background(), p.limit)
	defer cancel()
	state := p.conn.GetState()
	for state == connectivity.Connecting && p.conn.WaitForStateChange(ctx, state) { // it is told a moment after it is so
		state = p.conn.GetState()
	}
	switch {
	case state == connectivity.Ready:
		return nil
	case p.process.endsWithin(deathGrace):
		return p.dead()
	}
	return errors.New("nobody answers where it says that it listens")
}

// call asks the plugin something. An error is an [*agents.DeadError] if it is gone.
func (p *program) call(ctx context.Context, ask func(context.Context) error) error {
	if p.process.ended() {
		return p.dead()
	}
	return p.explain(ctx, ask(ctx))
}

// explain says in our words what came of a call that had until the end of ctx.
func (p *program) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	said, code := status.Convert(err), status.Code(err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return errNoPatience
	case (code == codes.Unavailable || code == codes.Canceled) && (p.process.endsWithin(deathGrace) || p.isCut()):
		return p.dead()
	case isLate(ctx, err):
		return fmt.Errorf("no answer within %v", p.limit)
	case code == codes.ResourceExhausted:
		return fmt.Errorf("its answer is too great, or the question: %.200s", said.Message())
	case code == codes.Unimplemented:
		return fmt.Errorf("it does not do what the protocol asks for: %.200s", said.Message())
	}
	return &saidError{fmt.Sprintf("%.2000s", said.Message())}
}

// isCut says whether the connection is lost, of which there is no other: whatever still runs then, nobody can ask it anything.
func (p *program) isCut() bool { return p.conn != nil && p.conn.GetState() != connectivity.Ready }

// errNoPatience says that a call was given up because nobody waits for it any more.
var errNoPatience = fmt.Errorf("it has not answered when it was not waited for any more: %w", context.Canceled)

// isLate says whether an error is that of a call whose time is up, and not of a deadline of the plugin's own. The plugin's clock may be a moment ahead.
func isLate(ctx context.Context, err error) bool {
	end, ok := ctx.Deadline()
	return ok && status.Code(err) == codes.DeadlineExceeded && time.Until(end) < deathGrace
}

// A saidError is an error that the plugin itself has answered.
type saidError struct{ msg string }

func (e *saidError) Error() string { return e.msg }

// dead says how the process ended.
func (p *program) dead() error {
	return p.process.Dead("", p.output.LastWords)
}

// close ends the process and whatever it has started.
func (p *program) close() error {
	if p.process.started() {
		p.process.closeInput()
		timer := time.AfterFunc(stopGrace, p.process.kill) // one that hangs would be waited for
		defer timer.Stop()
		p.client.Kill() // which asks it to go first
	}
	return errors.Join(p.process.stop(), p.output.Close())
}
