package confine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vitrine-sim/vitrine/agents"
)

// useGroups finds whether agents can have control groups in that of this process, and says why not: for their limits, and for their ends.
func (u *uses) useGroups(try func(what, parent string) error) (bound, kill error) {
	own, err := Groups("/", "")
	if err != nil {
		return err, err
	}
	parent := own[0]
	sweepGroups(parent)
	if err := try("group", parent); err != nil {
		return err, err
	}
	u.Group = parent
	if err := passControllers(parent); err != nil {
		return err, nil
	}
	if err := try("bound", parent); err != nil {
		return err, nil
	}
	u.Bounds = true
	return nil, nil
}

// Groups returns the folder of the control group that this process is in, and those of the groups around it as far as they can be seen here, the
// innermost first. A controller names a hierarchy of version 1; empty: version 2. They are looked for below root, which is "/" but for tests.
func Groups(root, controller string) ([]string, error) {
	raw, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return nil, err
	}
	own := ""
	for line := range strings.Lines(string(raw)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 && slices.Contains(strings.Split(parts[1], ","), controller) {
			own = parts[2]
		}
	}
	if raw, err = os.ReadFile(filepath.Join(root, "proc/self/mountinfo")); err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(raw)) {
		mount, kind, _ := strings.Cut(line, " - ")
		fields, kinds := strings.Fields(mount), strings.Fields(kind)
		outside := strings.HasPrefix(own, "/..") // of what can be seen here
		if own == "" || outside || len(fields) < 5 || len(kinds) < 3 || !isHierarchy(kinds, controller) {
			continue
		}
		below, err := filepath.Rel(fields[3], own)
		if err != nil || !filepath.IsLocal(below) {
			continue
		}
		top := filepath.Join(root, fields[4])
		dirs := []string{filepath.Join(top, below)}
		for dir := dirs[0]; dir != top; {
			dir = filepath.Dir(dir)
			dirs = append(dirs, dir)
		}
		return dirs, nil
	}
	return nil, errors.New("there are no such control groups here")
}

// isHierarchy says whether a mount, of which the file system's type, source and options are given, is that of a controller; empty: of version 2.
func isHierarchy(mount []string, controller string) bool {
	if controller == "" {
		return mount[0] == "cgroup2"
	}
	return mount[0] == "cgroup" && slices.Contains(strings.Split(mount[2], ","), controller)
}

// sweepGroups removes groups in another one that whoever used them has left behind.
func sweepGroups(parent string) {
	found, _ := filepath.Glob(filepath.Join(parent, groupPrefix+"*"))
	for _, path := range found {
		dir, err := os.Open(path)
		if err != nil {
			continue // it is gone
		}
		if unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = unix.Rmdir(path) // one with processes in it stays
		}
		_ = dir.Close()
	}
}

// passControllers lets the groups in a group have limits. A group that passes them on can hold no processes itself, unless it is the root of all:
// this one and those that it has started move to a group beside those of agents.
func passControllers(parent string) error {
	raw, err := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
	if err != nil {
		return err
	}
	has := strings.Fields(string(raw))
	if !slices.Contains(has, "memory") || !slices.Contains(has, "pids") {
		return fmt.Errorf("of the controllers memory and pids %s has only %q", parent, has)
	}
	pass := func() error {
		return os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+memory +pids"), 0o644)
	}
	if err = pass(); !errors.Is(err, unix.EBUSY) {
		return err
	}
	beside, err := newGroup(parent)
	if err != nil {
		return err
	}
	moved, err := ours(parent)
	for _, pid := range moved {
		err = errors.Join(err, beside.join(pid))
	}
	if err == nil {
		err = pass()
	}
	if err == nil {
		return errors.Join(beside.dir.Close(), beside.parent.Close()) // nobody can remove it as long as we are in it
	}
	for _, pid := range moved {
		back := os.WriteFile(filepath.Join(parent, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644)
		err = errors.Join(err, back)
	}
	return errors.Join(fmt.Errorf("others are in the control group %s: %w", parent, err), beside.remove())
}

// ours returns which processes of a group are this one and those that it has started.
func ours(parent string) ([]int, error) {
	raw, err := os.ReadFile(filepath.Join(parent, "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	family, err := descendants(os.Getpid())
	family = append(family, proc{pid: os.Getpid()})
	var pids []int
	for word := range strings.FieldsSeq(string(raw)) {
		pid, _ := strconv.Atoi(word)
		if slices.ContainsFunc(family, func(p proc) bool { return p.pid == pid }) {
			pids = append(pids, pid)
		}
	}
	return pids, err
}

// eaten is how many bytes of memory a process uses that tries the limits of its group.
const eaten = 64 << 20

// tryGroup tries in a group in another one to kill a process, or to let it use too much memory.
func tryGroup(parent string, memory bool) error {
	g, err := newGroup(parent)
	if err != nil {
		return err
	}
	if memory {
		err = g.bound(agents.Limits{Memory: eaten / 2, Processes: 100})
	}
	if err == nil {
		err = g.try(memory)
	}
	return errors.Join(err, g.remove())
}

// try starts a process in the group that shall not end but by it.
func (g *group) try(memory bool) error {
	cmd := selfCommand(tryRole)
	cmd.Args = append(cmd.Args, "eat")
	begin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	if err = g.join(cmd.Process.Pid); err == nil && memory {
		err = begin.Close()
	} else {
		g.kill()
	}
	if err != nil {
		_ = cmd.Process.Kill()
	}
	_ = cmd.Wait() // what it says is in ProcessState
	switch {
	case err != nil:
		return err
	case cmd.ProcessState.String() != "signal: killed":
		return fmt.Errorf("what should have been killed in its control group ended with %s", cmd.ProcessState)
	case memory && g.breach() == nil:
		return errors.New("the control group does not say that its memory was not enough")
	}
	return nil
}

// eat uses memory when its input ends.
func eat() error {
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	food := make([]byte, eaten)
	for i := range food {
		food[i] = 1
	}
	return fmt.Errorf("there were %d bytes to be used", len(bytes.TrimRight(food, "\x00")))
}
