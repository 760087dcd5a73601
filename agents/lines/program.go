package lines

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/confine"
	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/world"
)

const (
	stopGrace  = 1500 * time.Millisecond // before each of two signals: what is deaf to the first is gone within 5 s as well
	writeLimit = 10 * time.Second
	deathGrace = time.Second // for what somebody whom it has started still says when it is gone
)

// A Config says how to run a program as an agent. Its folder gets these: work/, where it runs; home/ and tmp/, its HOME and TMPDIR; and
// stderr.log.
type Config struct {
	Command []string // the program and its arguments
	Env     []string // besides PATH, HOME and TMPDIR, as NAME=value

	Boundary confine.Boundary // what keeps the program away from others
	Cell     confine.Cell     // what it has; its folder is made if it is not there
	Fenced   Fenced

	Evidence *tamper.Evidence // takes note of what the program tries; nil: nobody does
}

// A Program is a child process as an agent. It implements [agents.Vital].
type Program struct {
	desk    *desk
	process *agents.Process
	stderr  *agents.Stderr
	gone    chan struct{} // closed once the process has ended, and what it said last is taken
	shows   order
	writing sync.Mutex
	deaf    atomic.Bool // it was ended because it does not read
}

var _ agents.Vital = (*Program)(nil)

// Start starts the program. That it runs is all that is known of it then.
func Start(cfg Config) (*Program, error) {
	if len(cfg.Command) == 0 {
		return nil, errors.New("start program: no command")
	}
	cmd := exec.Command(cfg.Command[0], cfg.Command[1:]...)
	if err := agents.Settle(cmd, cfg.Cell.Dir, cfg.Env); err != nil {
		return nil, fmt.Errorf("start program: %w", err)
	}
	stderr := &agents.Stderr{Evidence: cfg.Evidence}
	if err := stderr.KeepIn(filepath.Join(cfg.Cell.Dir, "stderr.log")); err != nil {
		return nil, fmt.Errorf("start program: %w", err)
	}
	cmd.Stderr = stderr
	process, err := cfg.Boundary.Start(cmd, cfg.Cell)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start program: %w", err), stderr.Close())
	}
	p := &Program{desk: newDesk(cfg.Fenced, cfg.Evidence), process: process, stderr: stderr, gone: make(chan struct{})}
	go p.listen(cfg.Evidence) // ends with the process's output, or a moment after the process
	return p, nil
}

// listen takes what the program says.
func (p *Program) listen(evidence *tamper.Evidence) {
	defer close(p.gone)
	ended := p.process.Done()
	go func() { // ends with the process
		<-ended
		_ = p.process.Stdout.SetReadDeadline(time.Now().Add(deathGrace))
	}()
	pace := new(tamper.Pace)
	read(tamper.Reader{Reader: p.process.Stdout, Pace: pace, Evidence: evidence, Stop: ended}, func(raw []byte) {
		if reply := p.desk.take(raw); reply != nil {
			pace.Hear(tamper.CostOfLine, evidence, ended)
			p.write(reply)
		}
	})
	<-ended
}

// Act implements [agents.Agent].
func (p *Program) Act(ctx context.Context, obs world.Observation) (world.Action, error) {
	if err := ctx.Err(); err != nil {
		return world.Action{}, err
	}
	question := p.desk.lay(obs)
	written := p.shows.next(func() { p.write(question) }) // it takes no longer than a program that does not read may live
	action, err := p.desk.await(ctx, p.gone)
	if !errors.Is(err, errDead) {
		return action, err
	}
	dead := p.Kill("")
	<-written
	if p.deaf.Load() {
		dead.Reason += "; it does not read"
	}
	return world.Action{}, dead
}

// Heard implements [agents.Vital].
func (p *Program) Heard() int64 { return p.process.Stdout.Heard() }

// Kill implements [agents.Vital].
func (p *Program) Kill(reason string) *agents.DeadError {
	return p.process.Dead(reason, p.stderr.LastWords)
}

// write says a line to the program. One that does not read is ended; one that is gone shows at the next observation.
func (p *Program) write(line []byte) {
	p.writing.Lock()
	defer p.writing.Unlock()
	err := p.process.Stdin.SetWriteDeadline(time.Now().Add(writeLimit))
	if err == nil {
		_, err = p.process.Stdin.Write(line)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.deaf.Store(true)
		p.process.Kill()
	}
}

// PID returns the process id of the program's keeper, whose child it is.
func (p *Program) PID() int { return p.process.PID() }

// Close implements [agents.Agent].
func (p *Program) Close() (agents.Usage, error) {
	err := p.process.End(stopGrace)
	if err == nil {
		<-p.gone
	}
	_ = p.process.Stdout.Close()
	return agents.Usage{PeakMemory: p.process.PeakMemory()}, errors.Join(err, p.stderr.Close())
}
