package plugin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/confine"
	"github.com/vitrine-sim/vitrine/agents/tamper"
)

const maxLine = 4 << 10 // bytes of the line that says where a plugin listens

// A process is that of a plugin: an [agents.Process] as go-plugin wants it, with its first line looked at.
type process struct {
	*agents.Process                 // nil: it is not started
	cmd             *exec.Cmd       //
	starting        context.Context // it is ended with that, as long as it starts
	waited          func() bool     // says that it has started; false: it was ended before. nil: there is no process
	boundary        confine.Boundary
	cell            *confine.Cell // nil: none
	evidence        *tamper.Evidence
	sockets         string    // the folder that its socket must be in
	stdout          io.Reader // its first line, if that says where it listens

	mu      sync.Mutex
	mistake string // what is wrong with its first line
	killed  bool   // it had not ended by itself
}

var _ runner.Runner = (*process)(nil)

// adopt is [goplugin.ClientConfig.RunnerFunc]. What go-plugin wants a plugin to know is in the environment of spec.
func (p *process) adopt(_ hclog.Logger, spec *exec.Cmd, sockets string) (runner.Runner, error) {
	p.cmd.Env, p.sockets = append(p.cmd.Env, spec.Env...), sockets
	return p, nil
}

// begin starts the process, in its cell if it has one.
func (p *process) begin() (*agents.Process, error) {
	if p.cell == nil {
		return agents.StartProcess(p.cmd)
	}
	cell := *p.cell
	cell.Write = append(slices.Clone(cell.Write), p.sockets)
	return p.boundary.Start(p.cmd, cell)
}

// Start implements [runner.Runner].
func (p *process) Start(context.Context) error {
	started, err := p.begin()
	if err != nil {
		return err
	}
	p.Process = started
	p.waited = context.AfterFunc(p.starting, p.kill)
	hands, line := io.Pipe()
	p.stdout = hands
	go p.listen(line) // ends with the process's output, or a moment after the process
	return nil
}

// listen hands on the first line if it says where the plugin listens, and reads what follows, so that a plugin that prints does not wait for ever.
func (p *process) listen(to *io.PipeWriter) {
	go func() { // ends with the process; somebody that it has started may hold its output open
		<-p.Done()
		_ = p.Process.Stdout.SetReadDeadline(time.Now().Add(deathGrace))
	}()
	in := bufio.NewReaderSize(p.Process.Stdout, maxLine)
	line, err := in.ReadSlice('\n')
	if err == nil || len(line) > 0 {
		p.mu.Lock()
		p.mistake = p.judge(strings.TrimSpace(string(line)))
		p.mu.Unlock()
	} else {
		<-p.Done() // so that it has ended by itself, or because its time was up
	}
	if p.mistake == "" {
		_, _ = to.Write(line) // nobody reads it if the time is up
	}
	_ = to.Close()
	_, _ = io.Copy(io.Discard, tamper.Reader{Reader: in, Pace: new(tamper.Pace), Evidence: p.evidence, Stop: p.Done()})
}

// judge says what is wrong with a line that should say where the plugin listens; empty: nothing.
func (p *process) judge(line string) string {
	parts := strings.Split(line, "|")
	const core = goplugin.CoreProtocolVersion
	switch {
	case len(parts) < 5 || parts[4] != string(goplugin.ProtocolGRPC):
		return fmt.Sprintf("the first line that it prints is %.100q, which should be like \"%d|%d|unix|SOCKET|grpc\"", line, core, Version)
	case parts[0] != strconv.Itoa(core):
		return fmt.Sprintf("it speaks version %.20q of go-plugin's protocol, not %d", parts[0], core)
	case parts[1] != strconv.Itoa(Version):
		return fmt.Sprintf("it speaks version %.20q of the protocol, not %d", parts[1], Version)
	case parts[2] != "unix" || filepath.Dir(parts[3]) != p.sockets:
		return fmt.Sprintf("it listens on %.20s %.100q, not on a unix socket in $PLUGIN_UNIX_SOCKET_DIR", parts[2], parts[3])
	}
	return ""
}

// unstarted says why a plugin has not said where it listens.
func (p *process) unstarted(err error, output *agents.Stderr, limit time.Duration) error {
	p.mu.Lock()
	mistake, killed := p.mistake, p.killed
	p.mu.Unlock()
	switch {
	case !p.started():
		return err
	case mistake != "":
		return errors.New(mistake)
	case killed:
		return fmt.Errorf("it has not said within %v where it listens", limit)
	}
	<-p.Done()
	return p.Dead("", output.LastWords)
}

func (p *process) started() bool { return p.Process != nil }

func (p *process) ended() bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// endsWithin waits for the end of the process, and says whether it came.
func (p *process) endsWithin(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.Done():
	case <-timer.C:
	}
	return p.ended()
}

// Wait implements [runner.Runner].
func (p *process) Wait(context.Context) error {
	<-p.Done()
	return nil
}

// Kill implements [runner.Runner].
func (p *process) Kill(context.Context) error {
	p.kill()
	return nil
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = p.killed || !p.ended()
	p.Process.Kill()
}

func (p *process) closeInput() { _ = p.Stdin.Close() }

// stop ends the process, if it is started, and what it has started.
func (p *process) stop() error {
	if !p.started() {
		return nil
	}
	return p.Process.Stop(stopGrace)
}

// Stdout implements [runner.Runner].
func (p *process) Stdout() io.ReadCloser { return io.NopCloser(p.stdout) }

// Stderr implements [runner.Runner]. It is not go-plugin's to read.
func (p *process) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name implements [runner.Runner].
func (p *process) Name() string { return p.cmd.Path }

// ID implements [runner.Runner].
func (p *process) ID() string {
	if !p.started() {
		return ""
	}
	return strconv.Itoa(p.PID())
}

// Diagnose implements [runner.Runner].
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost implements [runner.Runner].
func (p *process) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin implements [runner.Runner].
func (p *process) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
