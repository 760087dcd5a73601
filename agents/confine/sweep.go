package confine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// sweepPause is between looks at what is left.
const sweepPause = time.Millisecond

// sweepLimit is how long a keeper tries to end everything: whoever has killed it waits a little longer.
const sweepLimit = 50 * time.Second

// sweep ends every process that has come from this one, until none is left: first it stops them, so that none can start others, then it
// kills them. As the subreaper this process is an ancestor of all of them, whatever they have done to get away. none is closed once this
// process has no child any more. In a PID namespace of its own, alone says, it can kill all the others there at once.
//
// A control group has them all as well, and they can be killed at once there too.
func sweep(alone bool, g *group, none <-chan struct{}) error {
	for until := time.Now().Add(sweepLimit); ; {
		select {
		case <-none: // mostly at once; to look for processes takes long where there are many on the machine
			return nil
		case <-time.After(sweepPause):
		}
		if time.Now().After(until) {
			return fmt.Errorf("processes are left after %v", sweepLimit)
		}
		g.kill()
		if alone && os.Getpid() == 1 {
			_ = unix.Kill(-1, unix.SIGKILL) // there may be none
		} else if err := killDescendants(); err != nil {
			return err
		}
	}
}

func killDescendants() error {
	found, err := descendants(os.Getpid())
	killAll(found)
	return err
}

// killAll stops processes before it kills any of them.
func killAll(found []proc) {
	for _, sig := range []unix.Signal{unix.SIGSTOP, unix.SIGKILL} {
		for _, p := range found {
			p.signal(sig)
		}
	}
}

// A proc is a process. Its number can be another's later; the time of its start tells them apart.
type proc struct {
	pid, parent int
	start       string
	threads     int64
	cpu         time.Duration // that it and those whom it has waited for have used
}

// signal sends a signal to the process, and to no other that has its number by now.
func (p proc) signal(sig unix.Signal) {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		if !errors.Is(err, unix.ESRCH) && p.same() { // the kernel has no such descriptors
			_ = unix.Kill(p.pid, sig)
		}
		return
	}
	defer unix.Close(fd)
	if p.same() {
		_ = unix.PidfdSendSignal(fd, sig, nil, 0) // it may have gone in between
	}
}

func (p proc) same() bool {
	now, ok := look(p.pid)
	return ok && now.start == p.start
}

// look returns what the kernel says of a process, unless it is gone. One that only seems to wait to be reaped may have threads that live on.
func look(pid int) (proc, bool) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return proc{}, false
	}
	fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:]) // of proc(5) from the third on
	if len(fields) < 20 {
		return proc{}, false
	}
	var n [20]int64
	for i, field := range fields[:len(n)] {
		n[i], _ = strconv.ParseInt(string(field), 10, 64) // the state is no number
	}
	return proc{
		pid: pid, parent: int(n[1]), start: string(fields[19]), threads: n[17],
		cpu: time.Duration(n[11]+n[12]+n[13]+n[14]) * time.Second / ticksPerSec,
	}, true
}

// descendants returns the processes that have come from one, its children first.
func descendants(of int) ([]proc, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	children := make(map[int][]proc)
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, ok := look(pid); ok {
				children[p.parent] = append(children[p.parent], p)
			}
		}
	}
	var found []proc
	for next := []int{of}; len(next) > 0; next = next[1:] {
		found = append(found, children[next[0]]...)
		for _, p := range children[next[0]] {
			next = append(next, p.pid)
		}
	}
	return found, nil
}
