package confine

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vitrine-sim/vitrine/agents"
)

// groupPrefix begins the names of control groups that are ours. Whoever uses one holds a lock on it.
const groupPrefix = "vitrine-"

// A group is the control group (version 2) of one agent. Its files are reached by descriptors, for they may not be there under their names in the
// keeper's view of the files. A nil group is none.
type group struct {
	parent, dir *os.File
	name        string
	limits      agents.Limits // that it keeps
}

// newGroup makes a group in another one.
func newGroup(parent string) (*group, error) {
	above, err := os.Open(parent)
	if err != nil {
		return nil, err
	}
	for range 3 { // somebody who removes what nobody uses may be faster than the lock
		g := &group{parent: above, name: groupPrefix + strings.ToLower(rand.Text()[:12])}
		if err = unix.Mkdirat(int(above.Fd()), g.name, 0o755); err != nil {
			break
		}
		if g.dir, err = openAt(above, g.name, unix.O_RDONLY|unix.O_DIRECTORY); err != nil {
			continue
		}
		err = unix.Flock(int(g.dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			_, err = g.read("cgroup.procs")
		}
		if err == nil {
			return g, nil
		}
		_ = g.dir.Close()
	}
	return nil, errors.Join(fmt.Errorf("make a control group in %s: %w", parent, err), above.Close())
}

// openAt opens what a folder holds.
func openAt(dir *os.File, name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, flags|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// bound makes the kernel keep limits of the group: of memory, and the whole group ends when that is not enough; and of processes. There is some room
// beyond, for what the kernel needs itself, and so that whoever breaks a limit is seen to.
func (g *group) bound(l agents.Limits) error {
	g.limits = l
	if l.Memory > 0 {
		if err := errors.Join(g.write("memory.max", l.Memory+l.Memory/16), g.write("memory.oom.group", 1)); err != nil {
			return err
		}
		if err := g.write("memory.swap.max", 0); err != nil && !errors.Is(err, unix.ENOENT) { // a kernel that does not swap has none
			return err
		}
	}
	if l.Processes > 0 {
		return g.write("pids.max", l.Processes+roomOfProcesses)
	}
	return nil
}

// join puts a process into the group, and with it all that it starts from then on.
func (g *group) join(pid int) error {
	if g == nil {
		return nil
	}
	return g.write("cgroup.procs", int64(pid))
}

// kill ends all processes in the group at once.
func (g *group) kill() {
	if g != nil {
		_ = g.write("cgroup.kill", 1) // who is in it will be found otherwise too
	}
}

// cpu returns the processor time that all processes of the group have used.
func (g *group) cpu() (time.Duration, bool) {
	if g == nil {
		return 0, false
	}
	n, err := g.number("cpu.stat", "usage_usec")
	return time.Duration(n) * time.Microsecond, err == nil
}

// breach says whether the kernel has ended the group because of its memory, and not because the machine or a group around it had none left.
func (g *group) breach() *agents.Breach {
	if g == nil || g.limits.Memory == 0 {
		return nil
	}
	for _, happened := range []string{"oom", "oom_kill"} { // it was at its own limit, and somebody was killed
		if n, err := g.number("memory.events", happened); err != nil || n == 0 {
			return nil
		}
	}
	b := &agents.Breach{
		Resource: agents.Memory, Used: g.limits.Memory + g.limits.Memory/16, Bound: g.limits.Memory, Unit: "bytes", Detail: "the kernel refused more",
	}
	if peak, err := g.number("memory.peak", ""); err == nil { // not of older kernels
		b.Used = peak
	}
	return b
}

// remove removes the group once the last process in it is gone.
func (g *group) remove() error {
	if g == nil {
		return nil
	}
	defer g.parent.Close()
	defer g.dir.Close()
	for until := time.Now().Add(stopLimit); ; time.Sleep(sweepPause) {
		err := unix.Unlinkat(int(g.parent.Fd()), g.name, unix.AT_REMOVEDIR)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(until) {
			return fmt.Errorf("remove the control group %s: %w", g.name, err)
		}
	}
}

func (g *group) write(file string, n int64) error {
	f, err := openAt(g.dir, file, unix.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.FormatInt(n, 10))
	return errors.Join(err, f.Close())
}

func (g *group) read(file string) ([]byte, error) {
	f, err := openAt(g.dir, file, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// number returns the number behind a key in a file, or the only one there.
func (g *group) number(file, key string) (int64, error) {
	raw, err := g.read(file)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(raw) {
		words := strings.Fields(string(line))
		if key == "" && len(words) == 1 || len(words) == 2 && words[0] == key {
			return strconv.ParseInt(words[len(words)-1], 10, 64)
		}
	}
	return 0, fmt.Errorf("no %s in %s", key, file)
}
