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
	tryRole      = "try" // and what, as the third, and with what
	victimRole   = "suffer"
	attackerRole = "assail" // behind what, as the third
	killerRole   = "kill"   // which user, as the third
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
		err = try(os.Args[3], os.Args[4:]...)
	case victimRole:
		err = suffer()
	case attackerRole:
		err = assail(os.Args[3])
	case killerRole:
		err = killOwn(os.Args[3])
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
	k, err := startAgent(&o)
	if err != nil {
		r := report{Error: err.Error()}
		_ = errors.As(err, &r.Errno) // it stays 0
		return say.Encode(r)
	}
	_ = say.Encode(report{}) // if the supervisor is gone, the next thing is to end
	r, err := k.attend(terms, ended)
	if err != nil {
		return err
	}
	_ = say.Encode(r) // the supervisor may be gone
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
