package agents

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// A Process is a child with pipes to its standard input and output, in a process group of its own. It cannot outlive this
// process: the kernel kills it when its parent dies, however that happens.
type Process struct {
	Stdin  *os.File // writes may have a deadline
	Stdout *os.File

	cmd  *exec.Cmd
	done chan struct{} // closed once the process is reaped
}

// StartProcess starts cmd, whose Stdin, Stdout and SysProcAttr are for StartProcess to set.
func StartProcess(cmd *exec.Cmd) (*Process, error) {
	childIn, stdin, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	stdout, childOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, childIn.Close(), stdin.Close())
	}
	cmd.Stdin, cmd.Stdout = childIn, childOut
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &Process{Stdin: stdin, Stdout: stdout, cmd: cmd, done: make(chan struct{})}

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
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = p.cmd.Wait() // what it says is in ProcessState
	_ = p.signal(syscall.SIGKILL)
	close(p.done)
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended and its group is killed.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit says how the process ended, such as "exit status 1" or "signal: killed".
func (p *Process) Exit() string {
	if !p.ended() {
		return "still running"
	}
	return p.cmd.ProcessState.String()
}

// PeakMemory returns the most bytes that the process had resident. 0 before Done is closed. The kernel counts from before
// the program was loaded, so it is never less than what this process had at most when it started that one.
func (p *Process) PeakMemory() int64 {
	if !p.ended() {
		return 0
	}
	usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return usage.Maxrss * 1024 // Linux counts kibibytes
}

// Kill ends the process and its group at once, if it has not ended yet.
func (p *Process) Kill() {
	if !p.ended() { // else its number may be another's by now
		_ = p.signal(syscall.SIGKILL)
	}
}

// Stop ends the process and its group: it closes standard input, then sends SIGTERM, then SIGKILL, and gives it grace before
// each signal. The error says that the process would not go.
func (p *Process) Stop(grace time.Duration) error {
	_ = p.Stdin.Close() // a pipe that is already broken is as good as closed
	defer func() { _ = p.Stdout.Close() }()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if p.wait(grace) {
			return nil
		}
		_ = p.signal(sig) // it may have gone in between
	}
	if p.wait(grace) {
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
