package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What the kernel allows a process beyond the agent's limits, so that whoever breaks one is seen to.
const (
	roomOfMemory    = 2 << 30 // bytes that a process may have asked for and not touched: Claude Code does not begin with 1.5 GiB in all
	roomOfProcesses = 8
	roomOfCPU       = 10 * time.Second
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
	if o.UID != 0 {
		if err := becomeUser(o.UID); err != nil {
			return err
		}
	}
	// Not before: whoever becomes a user with more processes than it may have cannot execute anything.
	if err := o.limit(); err != nil {
		return fmt.Errorf("set resource limits: %w", err)
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
	l := o.Cell.Limits
	limits := []struct {
		resource  int
		most      int64
		unbounded bool
	}{
		{unix.RLIMIT_CORE, 0, false},
		{unix.RLIMIT_DATA, l.Memory + roomOfMemory, l.Memory == 0},
		{unix.RLIMIT_FSIZE, l.FileSize + 1, l.FileSize == 0},
		{unix.RLIMIT_NOFILE, l.OpenFiles + 1, l.OpenFiles == 0},
		{unix.RLIMIT_CPU, int64((l.CPU + roomOfCPU) / time.Second), l.CPU == 0},
		{unix.RLIMIT_NPROC, l.Processes + roomOfProcesses, l.Processes == 0 || o.UID == 0}, // it counts all of a user's
	}
	for _, l := range limits {
		if l.unbounded {
			continue
		}
		var old unix.Rlimit
		if err := unix.Getrlimit(l.resource, &old); err != nil {
			return err
		}
		most := min(uint64(l.most), old.Max)
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
