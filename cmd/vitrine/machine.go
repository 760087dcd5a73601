package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"github.com/vitrine-sim/vitrine/agents/confine"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

// Memory of a Claude Code process: at its start, and after hundreds of turns.
const (
	startMemory = 250 << 20
	grownMemory = 450 << 20
)

// An admission says whether agents with a model fit into the memory that there is.
type admission struct {
	Agents    int    `json:"agents"`
	Start     int64  `json:"start_bytes"`     // of all of them when they have begun
	Grown     int64  `json:"grown_bytes"`     // of all of them after hundreds of turns
	Available int64  `json:"available_bytes"` // now
	Of        string `json:"of"`              // whose memory that is
	Fit       int64  `json:"fit"`             // so many of them would fit once grown
	AtOnce    int    `json:"at_once"`         // start at a time; the others wait for them
}

// admissionOf says whether so many agents with a model fit on a machine whose files are below root.
func admissionOf(root string, n int) (admission, error) {
	free, of, err := availableMemory(root)
	if err != nil {
		return admission{}, fmt.Errorf("read available memory: %w", err)
	}
	return admission{n, int64(n) * startMemory, int64(n) * grownMemory, free, of, free / grownMemory, runtime.GOMAXPROCS(0)}, nil
}

func (a admission) String() string {
	return fmt.Sprintf("%s with a model: %d x %d MiB = %d MiB once grown (%d MiB at start); %d MiB are available to %s, for at most %d of them; %d start at once",
		plural(a.Agents, "agent"), a.Agents, grownMemory>>20, a.Grown>>20, a.Start>>20, a.Available>>20, a.Of, a.Fit, a.AtOnce)
}

// admit refuses more agents with a model than the memory carries once they are grown. How many start at a time is up to the processors.
func (r *runner) admit() error {
	a, err := admissionOf("/", r.modelled())
	if err == nil && a.Grown > a.Available {
		msg := fmt.Sprintf("%d agents are too many for this machine: they need %d x %d MiB = %d MiB once grown (%d MiB at start), and %d MiB are available to %s",
			a.Agents, a.Agents, grownMemory>>20, a.Grown>>20, a.Start>>20, a.Available>>20, a.Of)
		return r.Error("agents", msg, fmt.Sprintf("at most %d of them fit; --agents scripted needs none of it", a.Fit))
	}
	return err
}

// tellBeyond says which agents may use more memory than the machine has: that is no mistake of the scenario, which may have been written for
// another machine, but nothing ends them before this one is full.
func (r *runner) tellBeyond() error {
	kib, err := readField("/proc/meminfo", "MemTotal:")
	if err != nil {
		return fmt.Errorf("read memory: %w", err)
	}
	has := scenarios.Size(kib << 10)
	var names []string
	var most scenarios.Size
	for _, a := range r.Agents {
		if a.IsProcess() && a.Limits.Memory > has {
			names, most = append(names, a.Name), max(most, a.Limits.Memory)
		}
	}
	if len(names) > 0 {
		r.tell("%s may use up to %v of memory each, and this machine has %d MiB: nothing ends them before it is full", strings.Join(names, ", "), most, has>>20)
	}
	return nil
}

// availableMemory returns how many bytes new processes can have, and to whom: what the kernel says is available to the machine, or what is left to
// the control group that this process is in or to one around it, whichever is less.
func availableMemory(root string) (free int64, of string, err error) {
	kib, err := readField(filepath.Join(root, "proc/meminfo"), "MemAvailable:")
	if err != nil {
		return 0, "", err
	}
	free, of = kib<<10, "the machine"
	for _, version := range []struct{ controller, limit, used, cache string }{
		{"", "memory.max", "memory.current", "inactive_file"},
		{"memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"},
	} {
		groups, _ := confine.Groups(root, version.controller) // there may be none
		for _, group := range groups {
			// A file without a number says that there is no limit. What is cached of files counts as used there, and makes room when somebody needs it.
			limit, err1 := readNumber(filepath.Join(group, version.limit))
			used, err2 := readNumber(filepath.Join(group, version.used))
			if err1 != nil || err2 != nil {
				continue
			}
			cached, _ := readField(filepath.Join(group, "memory.stat"), version.cache)
			if left := max(0, limit-used+cached); left < free {
				free, of = left, "the control group "+group
			}
		}
	}
	return free, of, nil
}

func readNumber(path string) (int64, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
}

// readField returns the number behind a name at the beginning of a line.
func readField(path, name string) (int64, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			return strconv.ParseInt(fields[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("no %s in %s", name, path)
}

// isTerminal reports whether a person is likely to look at f.
func isTerminal(f *os.File) bool {
	var settings syscall.Termios
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&settings)))
	return errno == 0
}

// A progress is one line on a terminal that says how far the run in dir is. Elsewhere it is nothing. Crashes of agents it tells anywhere.
type progress struct {
	to      *app
	dir     string
	shown   bool
	crashes int
}

func (p *progress) turn(st world.State) {
	if !isTerminal(p.to.err) {
		return
	}
	p.shown = true
	fmt.Fprintf(p.to.err, "\r\x1b[Kturn %d", st.Turn)
}

// toldCrashes is how many crashes are told as they happen, at most.
const toldCrashes = 10

func (p *progress) crash(turn int, ev world.Event) {
	if p.crashes++; p.crashes > toldCrashes {
		return
	}
	p.done()
	var data map[string]json.RawMessage
	_ = json.Unmarshal(ev.Data, &data) // it is what it was written from
	p.to.tell("turn %d: %s has crashed, so it %s: %s", turn, ev.Agent, followsCrash(ev, data), reasonOf(ev))
	if p.crashes == toldCrashes {
		p.to.tell("what crashes from now on is told by %s show %s", self(), relative(p.dir))
	}
}

func (p *progress) done() {
	if p.shown {
		fmt.Fprint(p.to.err, "\r\x1b[K")
	}
}
