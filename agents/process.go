package agents

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// killLimit is how long a process that is killed may take to be gone; the kernel may be busy with it, and so may the machine.
const killLimit = time.Minute

// A Process is a child with pipes to its standard input and output, in a process group of its own. It cannot outlive this
// process: the kernel kills it when its parent dies, however that happens, or its keeper does.
type Process struct {
	Stdin  *os.File // writes may have a deadline
	Stdout *Output

	cmd    *exec.Cmd
	keeper Keeper        // nil: none
	began  time.Time     //
	ending Ending        // once done is closed
	done   chan struct{} // closed once the process is reaped
}

// An Ending is how a process ended.
type Ending struct {
	Exit       string        // such as "exit status 1" or "signal: killed"
	PeakMemory int64         // bytes that it had resident at most, or all that it had started together
	Memory     int64         // bytes that it and all that it had started had when somebody looked last; 0: nobody has looked
	Lived      time.Duration // from its start to its end
	Breach     *Breach       // the limit that it was ended for; nil: it was not ended for that
}

// An Output is the standard output of a process. It counts what is read of it.
type Output struct {
	file  *os.File
	heard atomic.Int64
}

// Read implements [io.Reader].
func (o *Output) Read(p []byte) (int, error) {
	n, err := o.file.Read(p)
	o.heard.Add(int64(n))
	return n, err
}

// SetReadDeadline bounds reads as [os.File.SetReadDeadline] does.
func (o *Output) SetReadDeadline(t time.Time) error { return o.file.SetReadDeadline(t) }

// Close implements [io.Closer].
func (o *Output) Close() error { return o.file.Close() }

// Heard returns how many bytes were read so far.
func (o *Output) Heard() int64 { return o.heard.Load() }

// A Keeper is whoever stands between this program and a process: what is started is the keeper's own process, which has started the
// one that is meant, and ends after it and all that it has left.
type Keeper interface {
	// Kill makes it end everything at once. It may be called more than once, and by any goroutine.
	Kill()
	// Ending says how the process ended that is meant. It is called once, when the keeper's own process is gone.
	Ending(keeper Ending) Ending
}

// StartProcess starts cmd, whose Stdin, Stdout and SysProcAttr are for StartProcess to set.
func StartProcess(cmd *exec.Cmd) (*Process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return StartKept(cmd, nil)
}

// StartKept starts cmd, whose Stdin and Stdout are for StartKept to set. It is the keeper's own process, which passes SIGTERM on.
func StartKept(cmd *exec.Cmd, keeper Keeper) (*Process, error) {
	childIn, stdin, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	stdout, childOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, childIn.Close(), stdin.Close())
	}
	cmd.Stdin, cmd.Stdout = childIn, childOut
	cmd.SysProcAttr.Setpgid = true
	p := &Process{Stdin: stdin, Stdout: &Output{file: stdout}, cmd: cmd, keeper: keeper, done: make(chan struct{})}

	started := make(chan error)
	go p.run(started) // ends when the process is reaped
	err = <-started
	err = errors.Join(err, childIn.Close(), childOut.Close())
	if err != nil {
		return nil, errors.Join(err, stdin.Close(), stdout.Close())
	}
	return p, nil
}

// run owns the process. It keeps its thread for as long as the child lives, because the kernel sends a child its parent-death
// signal when the thread that started it ends.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p.began = time.Now()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = p.cmd.Wait() // what it says is in ProcessState
	_ = p.signal(syscall.SIGKILL)
	p.ending = Ending{Exit: p.cmd.ProcessState.String()}
	if usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		p.ending.PeakMemory = usage.Maxrss * 1024 // Linux counts kibibytes
	}
	if p.keeper != nil {
		p.ending = p.keeper.Ending(p.ending)
	}
	p.ending.Lived = time.Since(p.began)
	close(p.done)
}

// PID returns the process id, which is that of the keeper's own process if there is a keeper.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended and its group is killed.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit says how the process ended, such as "exit status 1" or "signal: killed".
func (p *Process) Exit() string {
	if !p.ended() {
		return "still running"
	}
	return p.ending.Exit
}

// PeakMemory returns the most bytes that the process had resident. 0 before Done is closed. The kernel counts from before
// the program was loaded, so it is never less than what this process had at most when it started that one.
func (p *Process) PeakMemory() int64 {
	if !p.ended() {
		return 0
	}
	return p.ending.PeakMemory
}

// Dead ends the process, if it has not ended yet, waits until it is gone, and says how it ended: for a limit that it broke or for a reason if
// there is one, else as it did by itself. said returns the last that it had to say.
func (p *Process) Dead(reason string, said func() string) *DeadError {
	p.Kill()
	dead := &DeadError{Reason: reason, Ending: Ending{Exit: "still there after SIGKILL"}}
	if p.wait(killLimit) {
		dead.Ending = p.ending
	}
	if dead.Ending.Breach != nil {
		reason = dead.Ending.Breach.String() // whatever came of it
	}
	dead.Detail = said()
	dead.Reason = cmp.Or(reason, dead.Ending.Exit)
	return dead
}

// Kill ends the process and its group at once, if it has not ended yet.
func (p *Process) Kill() {
	switch {
	case p.ended(): // its number may be another's by now
	case p.keeper != nil:
		p.keeper.Kill()
	default:
		_ = p.signal(syscall.SIGKILL)
	}
}

// Stop ends the process and its group: it closes standard input, then sends SIGTERM, then SIGKILL, and gives it grace before
// each signal. It closes standard output too. The error says that the process is there even a minute after the last.
func (p *Process) Stop(grace time.Duration) error {
	defer func() { _ = p.Stdout.Close() }()
	return p.End(grace)
}

// End ends the process as Stop does, but standard output stays open for whoever reads what it said last.
func (p *Process) End(grace time.Duration) error {
	_ = p.Stdin.Close() // a pipe that is already broken is as good as closed
	for _, end := range []func(){
		func() { _ = p.signal(syscall.SIGTERM) }, // it may have gone in between
		p.Kill,
	} {
		if p.wait(grace) {
			return nil
		}
		end()
	}
	if p.wait(killLimit) {
		return nil
	}
	return fmt.Errorf("stop process %d: still there after SIGKILL", p.PID())
}

func (p *Process) wait(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
	}
	return p.ended()
}

func (p *Process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// signal sends sig to the whole group.
func (p *Process) signal(sig syscall.Signal) error {
	return syscall.Kill(-p.PID(), sig)
}
