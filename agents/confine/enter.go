package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Resource limits of an agent's processes.
const (
	maxData      = 4 << 30 // bytes of memory that a process can write to; Claude Code maps far more than it writes to
	maxProcesses = 512     // of its user, where that is its own; threads count
	maxFile      = 1 << 30 // bytes of one file
	maxOpen      = 4096    // files of a process
)

// enter gives away what the agent must not have, and becomes its program. It does not return unless that fails.
func enter() error {
	failed := os.NewFile(4, "keeper")
	orders := os.NewFile(3, "order")
	var o order
	err := json.NewDecoder(orders).Decode(&o)
	if err = errors.Join(err, orders.Close()); err == nil {
		err = o.become()
	}
	r := report{Error: err.Error()}
	_ = errors.As(err, &r.Errno) // it stays 0
	return json.NewEncoder(failed).Encode(r)
}

// become executes the program of the order, confined.
func (o order) become() error {
	parent := os.Getppid()
	if err := o.limit(); err != nil {
		return fmt.Errorf("set resource limits: %w", err)
	}
	if o.UID != 0 {
		if err := becomeUser(o.UID); err != nil {
			return err
		}
	}
	if err := dropCapabilities(); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	// The kernel forgets it with a change of user.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	if os.Getppid() != parent {
		return errors.New("the keeper is gone")
	}
	if err := os.Chdir(o.Dir); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	if o.Uses.Landlock {
		if err := o.restrictFiles(); err != nil {
			return fmt.Errorf("landlock: %w", err)
		}
	}
	if o.Uses.Seccomp {
		if err := filterCalls(o.Uses.Proxy); err != nil {
			return fmt.Errorf("seccomp: %w", err)
		}
	}
	// What the supervisor has inherited itself must not reach the agent. Some kernels take no higher number.
	if err := unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close descriptors: %w", err)
	}
	if err := syscall.Exec(o.Path, o.Args, o.Env); err != nil {
		return &os.PathError{Op: "exec", Path: o.Path, Err: err}
	}
	return nil
}

// limit sets resource limits. None is above what it was.
func (o order) limit() error {
	limits := []struct {
		resource int
		most     uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_DATA, maxData},
		{unix.RLIMIT_FSIZE, maxFile},
		{unix.RLIMIT_NOFILE, maxOpen},
	}
	if o.UID != 0 {
		limits = append(limits, struct {
			resource int
			most     uint64
		}{unix.RLIMIT_NPROC, maxProcesses})
	}
	for _, l := range limits {
		var old unix.Rlimit
		if err := unix.Getrlimit(l.resource, &old); err != nil {
			return err
		}
		most := min(l.most, old.Max)
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return err
		}
	}
	return nil
}

// becomeUser becomes the user and the group of that number and of no other, and demands that it is so.
func becomeUser(uid int) error {
	err := syscall.Setgroups([]int{})
	if err == nil {
		err = syscall.Setresgid(uid, uid, uid)
	}
	if err == nil {
		err = syscall.Setresuid(uid, uid, uid)
	}
	if err != nil {
		return fmt.Errorf("become user %d: %w", uid, err)
	}
	r, e, s := unix.Getresuid()
	rg, eg, sg := unix.Getresgid()
	if r != uid || e != uid || s != uid || rg != uid || eg != uid || sg != uid || syscall.Setuid(0) == nil {
		return fmt.Errorf("become user %d: it did not come to be so", uid)
	}
	return nil
}

// dropCapabilities gives up what a namespace has lent.
func dropCapabilities() error {
	if os.Getuid() == 0 {
		return nil // at a level where agents share the user root, which the kernel gives them back with each program
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0]) // ambient ones go with the permitted ones
}
