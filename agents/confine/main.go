package confine

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// The first argument of this program where it plays a part of its own, and the parts, which are the second.
const (
	hidden       = "confined-agent"
	keeperRole   = "keep"
	agentRole    = "enter"
	tryRole      = "try" // and what, as the third
	victimRole   = "suffer"
	attackerRole = "assail" // behind what, as the third
)

// Main plays the part of this program between supervisor and agent, if it was started for that, and does not return then. A program
// that starts agents calls it before anything else.
func Main() {
	if len(os.Args) < 3 || os.Args[1] != hidden {
		return
	}
	unix.Umask(0o022)      // not the supervisor's
	runtime.LockOSThread() // the kernel counts the thread that started a child as its parent
	var err error
	switch os.Args[2] {
	case keeperRole:
		err = keep()
	case agentRole:
		err = enter()
	case tryRole:
		err = try(os.Args[3])
	case victimRole:
		err = suffer()
	case attackerRole:
		err = assail(os.Args[3])
	}
	if err != nil {
		fmt.Fprint(os.Stderr, err)
		unix.Exit(1)
	}
	unix.Exit(0)
}

// controlFD is where a keeper has the socket to its supervisor.
const controlFD = 3

// keep is a keeper's life.
func keep() error {
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	control := os.NewFile(controlFD, "supervisor")
	orders := bufio.NewReader(control)
	var o order
	line, err := orders.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &o)
	}
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { // ends with this process
		_, _ = io.Copy(io.Discard, orders)
		close(ended)
	}()
	say := json.NewEncoder(control)
	pid, err := startAgent(&o)
	if err != nil {
		r := report{Error: err.Error()}
		_ = errors.As(err, &r.Errno) // it stays 0
		return say.Encode(r)
	}
	_ = say.Encode(report{}) // if the supervisor is gone, the next thing is to end
	exited, none := make(chan syscall.WaitStatus, 1), make(chan struct{})
	go reap(pid, exited, none) // ends when no child is left
	var status syscall.WaitStatus
	for waiting := true; waiting; {
		select {
		case <-terms:
			_ = unix.Kill(-pid, unix.SIGTERM) // it may have gone in between
		case <-ended:
			_ = unix.Kill(pid, unix.SIGKILL)
			if err := sweep(o.Uses.Spaces, none); err != nil {
				return err
			}
			status, waiting = <-exited, false
		case status = <-exited:
			waiting = false
		}
	}
	if err := sweep(o.Uses.Spaces, none); err != nil {
		return err
	}
	if o.Loose {
		if err := sweepUser(o.UID); err != nil {
			return err
		}
	}
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &usage); err != nil {
		return err
	}
	_ = say.Encode(report{Exit: exitText(status), Peak: usage.Maxrss * 1024}) // the supervisor may be gone
	return nil
}

// exitText says how a process ended, as [os.ProcessState] does.
func exitText(status syscall.WaitStatus) string {
	if status.Signaled() {
		text := "signal: " + status.Signal().String()
		if status.CoreDump() {
			text += " (core dumped)"
		}
		return text
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

// reap waits for every child, and for all that the agent has left to us, until there is none.
func reap(pid int, exited chan<- syscall.WaitStatus, none chan<- struct{}) {
	defer close(none)
	for {
		var status syscall.WaitStatus
		got, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return
		case got == pid:
			exited <- status
		}
	}
}

// startAgent starts the agent's process and waits until it has become the agent's program.
func startAgent(o *order) (int, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		if o.UID == 0 {
			return 0, fmt.Errorf("become the subreaper of what it starts, which some kernels (gVisor's) do not offer: %w", err)
		}
		o.Loose = true
	}
	if o.Uses.Spaces {
		var err error
		if o.Proc, err = build(o.Cell, o.Path); err != nil {
			return 0, fmt.Errorf("build the cell: %w", err)
		}
	}
	if o.Uses.Proxy {
		if err := offerProxy(controlFD); err != nil {
			return 0, fmt.Errorf("offer a proxy: %w", err)
		}
	}
	orderIn, orderOut, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	failIn, failOut, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	cmd := selfCommand(agentRole)
	child, err := os.StartProcess(cmd.Path, cmd.Args, &os.ProcAttr{
		Env: cmd.Env, Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, orderIn, failOut},
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return 0, err
	}
	_, _ = orderIn.Close(), failOut.Close()
	if err := silence(); err != nil {
		return 0, err
	}
	if err := errors.Join(json.NewEncoder(orderOut).Encode(o), orderOut.Close()); err != nil {
		return 0, err
	}
	raw, err := io.ReadAll(failIn)
	if err != nil {
		return 0, err
	}
	if len(raw) > 0 {
		var r report
		if err := json.Unmarshal(raw, &r); err != nil {
			return 0, err
		}
		return 0, &startError{r.Error, r.Errno}
	}
	return child.Pid, nil
}

// silence lets go of the agent's standard input, output and error, so that they end when the agent closes its own.
func silence() error {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	for fd := range 3 {
		if err := unix.Dup3(null, fd, 0); err != nil {
			return err
		}
	}
	return nil
}
