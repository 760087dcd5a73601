package confine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Level says how well agents are kept apart, from "A+" to "F". The package comment lists them.
type Level string

// None is the level where nothing keeps agents apart.
const None Level = "F"

// Levels returns all levels, the strongest first.
func Levels() []Level { return []Level{"A+", "A", "B", "C", "D", "E", None} }

// Under says whether a level is weaker than another. No level, "", is weaker than any.
func (l Level) Under(least Level) bool {
	at := func(l Level) int {
		if i := slices.Index(Levels(), l); i >= 0 {
			return i
		}
		return len(Levels())
	}
	return at(l) > at(least)
}

// A Boundary is what keeps agents apart. The zero value keeps them apart by nothing but what Claude Code promises, which is level F; what they
// have started is ended with them all the same.
type Boundary struct {
	Tried []Trial // what was tried, in a fixed order
	proxy error   // why an agent in namespaces cannot have one; nil: it can
	uses  uses
}

// A Trial is a mechanism that was tried.
type Trial struct {
	Name  string // such as "landlock"
	What  string // what it is good for
	Err   error  // why it cannot be had; nil: it can
	Raise string // how it might be had
}

// uses says which mechanisms are used.
type uses struct {
	UID      bool // a user of its own for each agent
	Landlock bool
	Seccomp  bool
	Spaces   bool // mount, PID, network and IPC namespaces
	Proxy    bool // an agent may have one, and sockets of TCP for it

	Group  string // the control group in which each agent gets its own; empty: none
	Bounds bool   // and the kernel keeps limits of that
}

// Level returns how strong the boundary is.
func (b Boundary) Level() Level {
	u := b.uses
	switch {
	case !u.Seccomp:
		return None
	case u.Landlock && u.Bounds && (u.UID || u.Spaces):
		return "A+"
	case u.Landlock && u.UID:
		return "A"
	case u.Landlock && u.Spaces:
		return "B"
	case u.Landlock:
		return "C"
	case u.UID:
		return "D"
	case u.Spaces:
		return "E"
	}
	return None
}

// String says what keeps agents apart, for people and manifests.
func (b Boundary) String() string {
	var used []string
	for _, t := range b.Tried {
		if t.Err == nil {
			used = append(used, t.Name)
		}
	}
	if len(used) == 0 {
		used = append(used, "nothing but private folders")
	}
	return fmt.Sprintf("level %s: %s", b.Level(), strings.Join(used, ", "))
}

// Missing says what would be needed for more, and how to get it.
func (b Boundary) Missing() string {
	var lines []string
	for _, t := range b.Tried {
		if t.Err != nil {
			lines = append(lines, fmt.Sprintf("%s: %v; %s", t.Name, t.Err, t.Raise))
		}
	}
	return strings.Join(lines, ". ")
}

// tryLimit is for a mechanism to be tried.
const tryLimit = 20 * time.Second

// Find finds what this machine offers, by trying each mechanism in a child.
func Find(ctx context.Context) Boundary {
	b := Boundary{Tried: []Trial{
		{Name: "own user", What: "files, processes and signals of agents are closed to each other", Raise: "run as root, or in a container with the capabilities SETUID, SETGID, CHOWN, KILL and DAC_OVERRIDE"},
		{Name: "landlock", What: "an agent opens no files but its own and the system's", Raise: "a kernel from Linux 6.12 on with Landlock switched on (lsm=...,landlock)"},
		{Name: "seccomp", What: "an agent has no network, and cannot reach into other processes", Raise: "a kernel with seccomp filters, which a container may refuse"},
		{Name: "namespaces", What: "an agent sees no other processes, files or networks than its own, and nothing of it outlives it", Raise: "run as root, or let users make namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces, and no AppArmor rule against it); Docker's default profile forbids it"},
		{Name: "control groups", What: "the kernel itself limits the memory and the processes of each agent", Raise: "run where control groups of version 2 are delegated, as by systemd-run --user --scope -p Delegate=yes vitrine, or in a container that may write its own /sys/fs/cgroup"},
		{Name: "group kill", What: "all that an agent has started is ended at once, and all its processor time is counted", Raise: "as for control groups, and Linux 5.14 or newer"},
	}}
	names := []string{"user", "landlock", "seccomp", "spaces"}
	var trying sync.WaitGroup
	for i, name := range names {
		trying.Go(func() { b.Tried[i].Err = tryInChild(ctx, name) })
	}
	trying.Go(func() { b.proxy = tryInChild(ctx, "proxy") })
	trying.Wait()
	b.uses = uses{UID: b.Tried[0].Err == nil, Landlock: b.Tried[1].Err == nil, Seccomp: b.Tried[2].Err == nil, Spaces: b.Tried[3].Err == nil}
	b.Tried[4].Err, b.Tried[5].Err = b.uses.useGroups(func(what, parent string) error { return tryInChild(ctx, what, parent) })
	return b
}

// tryInChild tries a mechanism in a child of this program.
func tryInChild(ctx context.Context, what string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, tryLimit)
	defer cancel()
	cmd := selfCommand(tryRole)
	cmd.Args = append(append(cmd.Args, what), args...)
	if what == "spaces" || what == "proxy" {
		cmd.SysProcAttr = uses{Spaces: true}.attributes()
	}
	cmd.SysProcAttr.Pdeathsig = 0 // the thread that starts it may end first; it has a time limit
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	if err := cmd.Wait(); err != nil {
		if said.Len() > 0 {
			return errors.New(said.String())
		}
		return err
	}
	return nil
}

// attributes returns those of a keeper that uses these mechanisms. One that is not the first process of a PID namespace must live to end
// everything when the supervisor dies.
func (u uses) attributes() *syscall.SysProcAttr {
	if !u.Spaces {
		return &syscall.SysProcAttr{}
	}
	a := &syscall.SysProcAttr{
		Pdeathsig:  syscall.SIGKILL,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
	}
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		a.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN}
	}
	return a
}

// try tries a mechanism in this process, which is a child for that.
func try(what string, args ...string) error {
	switch what {
	case "user":
		return tryUser()
	case "landlock":
		return tryLandlock()
	case "seccomp":
		return trySeccomp()
	case "spaces":
		return trySpaces()
	case "proxy":
		return tryProxy()
	case "group", "bound":
		return tryGroup(args[0], what == "bound")
	case "eat":
		return eat()
	}
	return fmt.Errorf("nothing is known of %q", what)
}

// tryUser gives a folder to another user and becomes it.
func tryUser() error {
	dir, err := os.MkdirTemp("", "vitrine-try-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(dir) }() // by name, in a folder where it may not be ours to remove any more
	err = os.Lchown(dir, lastUID, lastUID)
	if err = errors.Join(err, os.Remove(dir)); err != nil {
		return err
	}
	return becomeUser(lastUID)
}

// trySeccomp filters its own calls and demands that one fails which nobody else forbids.
func trySeccomp() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := filterCalls(false); err != nil {
		return err
	}
	if _, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0); !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("the filter does not hold: %v", err)
	}
	return nil
}

// trySpaces builds a cell in its namespaces and demands that nothing else is there.
func trySpaces() error {
	const outside = "/var" // which no cell has
	if _, err := build(Cell{Dir: "/none"}, "/none"); err != nil {
		return err
	}
	if os.Getpid() != 1 {
		return fmt.Errorf("the process is number %d in its namespace", os.Getpid())
	}
	if _, err := os.Lstat(outside); err == nil {
		return fmt.Errorf("files outside can be seen")
	}
	interfaces, err := net.Interfaces()
	if err == nil && len(interfaces) > 1 {
		err = fmt.Errorf("there are %d network interfaces", len(interfaces))
	}
	return err
}
