// Package confine is the sandbox of agents: it keeps their processes away from each other, from the run's own files, from the network, and from outliving
// anything.
//
// # Levels
//
// What a machine offers is found by trying it in children ([Find]), and all that works is used. How strong it is together has a name:
//
//	A+  A or B, and a control group for each agent
//	A   a user of its own for each agent, Landlock with scopes, seccomp
//	B   namespaces of its own for each agent, Landlock with scopes, seccomp
//	C   Landlock with scopes, seccomp
//	D   a user of its own for each agent, seccomp
//	E   namespaces of its own for each agent, seccomp
//	F   less
//
// Where namespaces can be had besides a user of its own they are used as well.
//
// # Processes
//
//	supervisor ── keeper ── agent ── whatever it starts
//
// The keeper is this program again, by a hidden first argument ([Main]). It is the subreaper of all that the agent starts, or the first
// process of their PID namespace, or where the kernel has neither it knows them by the agent's user. It ends when the agent ends, when it
// is told to, and when the supervisor is gone, however that happened; before it ends it has ended all of them. The agent begins as this
// program too, and gives away what it must not have, in this order: user, resource limits, capabilities, Landlock, seccomp. Then
// it executes the agent's program.
//
// Between supervisor and keeper is a socket: one way goes the order, as a line of JSON, and the end of it is the order to end everything;
// the other way come two lines, that the program has begun or why not, and how it ended.
//
// # What an agent reaches
//
// The system's programs, libraries and settings, to read; what its [Cell] names, to read; work, home and tmp in its own folder, to
// write; where it has namespaces, an empty /tmp and /dev/shm of its own. No network: of sockets it can have unix ones, and those that ask the kernel about the network.
//
// An agent in namespaces can have a proxy: the keeper brings up the loopback interface of the agent's network, which leads nowhere, listens there, and
// hands the listener to the supervisor, whose [Cell.Serve] serves it. So nothing stands between the agent and the proxy, and the agent is known by its
// network. It may then make sockets of TCP, and with Landlock connect them to that one port. Where agents have no network of their own none
// of them gets a proxy: Landlock knows ports and no addresses, and has not seen every way to connect.
//
// # Limits
//
// The keeper looks again and again at what all the agent's processes use together, and at its folders; the longer a look takes the rarer they are.
// Whoever uses more than [agents.Limits] is ended, and its ending says of what and how much. That is so at each level. The kernel's own limits lie a
// little above, so that whoever is faster than a look does not get far: of each process everywhere, of an agent's processes where it has a user of its
// own, and of its memory and processes where it has a control group with controllers.
//
// What a look does not see: memory that processes share since one has started the other counts for each of them; the space of a file that is
// open and has no name any more; the time of processes that came and went between two looks and that nobody waited for, without a control group.
package confine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/vitrine-sim/vitrine/agents"
)

// A Cell is what one agent has for itself, and what it may reach besides. All paths are absolute.
type Cell struct {
	Dir    string   // its folder; work, home and tmp in it are there, and its own to write
	Files  []string // names in Dir that it may read, with all in them if they are folders, or connect to if they are sockets
	Read   []string // files and folders elsewhere that it may read and execute
	Write  []string // folders elsewhere that are its own to write
	Hidden string   // a folder that it must not see, but for Dir in it, even if it may read one above

	// Serve gets a listener on [ProxyAddress] in the agent's network when the agent has begun. It closes it one day, and returns at once. nil: the agent
	// has no network. It takes a boundary with [Boundary.WithProxy].
	Serve func(net.Listener) `json:"-"`

	Limits agents.Limits // of what its processes use of the machine together
}

// The folders of a cell that its agent may write.
func (c Cell) writable() []string {
	return append([]string{filepath.Join(c.Dir, "work"), c.home(), filepath.Join(c.Dir, "tmp")}, c.Write...)
}

func (c Cell) home() string { return filepath.Join(c.Dir, "home") }

// An order is what a keeper gets to do.
type order struct {
	Path string
	Args []string
	Env  []string
	Dir  string
	Cell Cell
	UID  int // of the agent, and its group; 0: those of the supervisor
	Uses uses

	// The keeper finds out:
	Proc  bool // the agent has a /proc of its own
	Loose bool // what the agent has started and left is not the keeper's, and is known by its user only
}

// A report is what a keeper says.
type report struct {
	Error string        `json:",omitempty"` // why the program could not begin
	Errno syscall.Errno `json:",omitempty"` // of that, if there is one

	Exit   string         `json:",omitempty"` // how it ended
	Peak   int64          `json:",omitempty"` // bytes resident at most
	Last   int64          `json:",omitempty"` // bytes that all its processes used when it was looked at last
	Breach *agents.Breach `json:",omitempty"` // the limit that it was ended for
}

// Start starts cmd in a cell of its own. What cmd says of descriptors besides its standard ones, and of system attributes, is for Start
// to set. The folder of the cell, and what of it the agent may reach, are made its own.
func (b Boundary) Start(cmd *exec.Cmd, cell Cell) (*agents.Process, error) {
	if cmd.Err != nil {
		return nil, cmd.Err
	}
	if cell.Serve != nil && !b.uses.Proxy {
		return nil, errors.New("the boundary has no proxy")
	}
	o := order{Path: cmd.Path, Args: cmd.Args, Env: cmd.Environ(), Dir: cmd.Dir, Cell: cell, Uses: b.uses}
	var user *os.File // holds the agent's
	o.Uses.Proxy = cell.Serve != nil
	if b.uses.UID {
		var err error
		if o.UID, user, err = takeUID(cell); err != nil {
			return nil, err
		}
		defer user.Close() // the keeper has it
	}
	if err := b.prepare(o); err != nil {
		return nil, err
	}
	p, k, err := startKeeper(b.uses, cmd.Stderr, user)
	if err != nil {
		return nil, fmt.Errorf("start the keeper: %w", err)
	}
	if err := k.begin(o); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", cmd.Path, err), p.Stop(stopLimit))
	}
	if cell.Serve != nil {
		l, err := k.listener()
		if err != nil {
			return nil, errors.Join(err, p.Stop(stopLimit))
		}
		cell.Serve(l)
	}
	return p, nil
}

// prepare sees to it that the agent can reach what it must, and nothing that it must not.
func (b Boundary) prepare(o order) error {
	if real, err := filepath.EvalSymlinks(o.Path); err == nil && real != o.Path && (b.uses.Spaces || b.uses.Landlock) && !o.Cell.mayRead(real) {
		return fmt.Errorf("%s leads to %s, which the agent may not read: let it read the folder that this needs, such as read = [%q]", o.Path, real, home(real))
	}
	if !b.uses.Spaces {
		for _, path := range o.Cell.Read {
			if within(o.Cell.Hidden, path) {
				return fmt.Errorf("an agent may read %s, and in it is the run's folder: choose another with --out", path)
			}
		}
	}
	if o.UID == 0 {
		return nil
	}
	if err := handOver(o.Cell, o.UID); err != nil {
		return fmt.Errorf("give the agent its folder: %w", err)
	}
	if b.uses.Spaces {
		return nil // all folders above are the cell's own
	}
	if err := closeToOthers(o.Cell); err != nil {
		return fmt.Errorf("close the run's folder: %w", err)
	}
	for _, path := range append(slices.Clone(o.Cell.Read), o.Cell.Dir, o.Path) {
		if within(path, o.Cell.Dir) && path != o.Cell.Dir {
			continue
		}
		if err := open(path); err != nil {
			return err
		}
	}
	return nil
}

// mayRead says whether the agent may read a file outside of its folder.
func (c Cell) mayRead(path string) bool {
	return slices.ContainsFunc(append(system(), c.Read...), func(dir string) bool { return within(path, dir) })
}

// home returns the folder that a program is installed in.
func home(program string) string {
	dir := filepath.Dir(program)
	if filepath.Base(dir) == "bin" {
		return filepath.Dir(dir)
	}
	return dir
}

// IsSystem says whether a file is one of those that every agent may read.
func IsSystem(path string) bool { return Cell{}.mayRead(path) }

// open says which folder above path keeps other users out.
func open(path string) error {
	for above := filepath.Dir(path); above != "/"; above = filepath.Dir(above) {
		info, err := os.Stat(above)
		if err != nil {
			return nil // what is not there the agent will find out
		}
		if info.Mode().Perm()&1 == 0 {
			return fmt.Errorf("%s is closed to the users that agents run as here, who need %s: use a folder that is open to all, or chmod o+x %s",
				above, path, above)
		}
	}
	return nil
}

// within says whether path is dir or in it. Nothing is in "".
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return path != "" && err == nil && filepath.IsLocal(rel)
}
