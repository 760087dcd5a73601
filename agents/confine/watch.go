package confine

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vitrine-sim/vitrine/agents"
)

// How often it is looked at what an agent uses: at most once in share times as long as a look takes, and within these bounds.
const (
	share       = 100
	mostOften   = 100 * time.Millisecond
	mostRarely  = time.Second
	surePause   = 3 * time.Millisecond // before a second look at memory that is too much
	ticksPerSec = 100                  // of the kernel's figures of processor time, on all machines
	diskOften   = 200 * time.Millisecond
	diskRarely  = 10 * time.Second
)

// A watch looks at what the processes of an agent use, all that have come from this process, and finds the limit that they do not keep to.
type watch struct {
	limits agents.Limits
	self   int      // number of this process in /proc
	user   int      // who has all processes of the agent, if they cannot be known by where they have come from; else 0
	dirs   []string // the agent's own folders
	group  *group   // nil: it has none

	last, peak atomic.Int64 // bytes of memory
}

func newWatch(o order, g *group) (*watch, error) {
	link, err := os.Readlink("/proc/self") // which may count otherwise than this process's namespace
	if err != nil {
		return nil, err
	}
	self, err := strconv.Atoi(link)
	if err != nil {
		return nil, err
	}
	w := &watch{limits: o.Cell.Limits, self: self, dirs: o.Cell.writable(), group: g}
	if o.Loose {
		w.user = o.UID
	}
	return w, nil
}

// family returns the processes of the agent.
func (w *watch) family() ([]proc, error) {
	if w.user != 0 {
		found, _, err := ofUser(w.user)
		return found, err
	}
	return descendants(w.self)
}

// start looks until this process ends, and says the first limit that is not kept to.
func (w *watch) start(found chan<- *agents.Breach) {
	say := func(b *agents.Breach) {
		select {
		case found <- b:
		default: // another one is on its way
		}
	}
	go repeat(mostOften, mostRarely, func() { // ends with this process
		if b := w.processes(); b != nil {
			say(b)
		}
	})
	if w.boundsFiles() {
		go repeat(diskOften, diskRarely, func() { // likewise
			if b := w.disk(time.Time{}); b != nil {
				say(b)
			}
		})
	}
}

// boundsFiles says whether there is a limit of files.
func (w *watch) boundsFiles() bool { return w.limits.Disk > 0 || w.limits.FileSize > 0 }

// repeat does something again and again, and more rarely the longer it takes.
func repeat(often, rarely time.Duration, do func()) {
	for {
		began := time.Now()
		do()
		time.Sleep(min(max(often, share*time.Since(began)), rarely))
	}
}

// A usage is what processes use at a time.
type usage struct {
	memory, processes, files int64
	cpu                      time.Duration
}

// processes looks at all processes once, and returns the limit that they do not keep to.
func (w *watch) processes() *agents.Breach {
	now := w.look()
	if over(now.memory, w.limits.Memory) {
		// A process that is just starting another one by vfork has its memory twice for a moment.
		time.Sleep(surePause)
		now.memory = min(now.memory, w.look().memory)
	}
	w.last.Store(now.memory)
	w.peak.Store(max(w.peak.Load(), now.memory))
	return w.judge(now)
}

// judge returns the limit that a usage is over.
func (w *watch) judge(now usage) *agents.Breach {
	l := w.limits
	switch {
	case over(now.memory, l.Memory):
		return &agents.Breach{Resource: agents.Memory, Used: now.memory, Bound: l.Memory, Unit: "bytes"}
	case over(int64(now.cpu), int64(l.CPU)):
		return &agents.Breach{Resource: agents.CPU, Used: now.cpu.Milliseconds() + 1, Bound: l.CPU.Milliseconds(), Unit: "ms"}
	case over(now.processes, l.Processes):
		return &agents.Breach{Resource: agents.Processes, Used: now.processes, Bound: l.Processes, Detail: "threads count"}
	case over(now.files, l.OpenFiles):
		return &agents.Breach{Resource: agents.OpenFiles, Used: now.files, Bound: l.OpenFiles, Detail: "of one process"}
	}
	return nil
}

func over(used, bound int64) bool { return bound > 0 && used > bound }

// look adds up what all processes use. One that comes or goes meanwhile may be left out.
func (w *watch) look() usage {
	var sum usage
	var gone unix.Rusage // those that have ended and were waited for
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &gone); err == nil {
		sum.cpu = time.Duration(gone.Utime.Nano() + gone.Stime.Nano())
	}
	found, err := w.family()
	if err != nil {
		return sum // the next look may see more
	}
	for _, p := range found {
		sum.cpu += p.cpu
		sum.processes += p.threads
		sum.memory += memoryOf(p.pid)
		if info, err := os.Stat(fmt.Sprintf("/proc/%d/fd", p.pid)); err == nil {
			sum.files = max(sum.files, info.Size()) // older kernels say 0
		}
	}
	if exact, ok := w.group.cpu(); ok { // those too whom nobody waited for
		sum.cpu = max(sum.cpu, exact)
	}
	return sum
}

// memoryOf returns the bytes of memory that a process would give back if it ended: what it has written, and what it shares with others but
// for files.
func memoryOf(pid int) int64 {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	return kibibytes(raw, "RssAnon:") + kibibytes(raw, "RssShmem:")
}

// kibibytes returns the bytes that a line of a status says, which counts in kB.
func kibibytes(status []byte, name string) int64 {
	_, rest, _ := bytes.Cut(status, []byte("\n"+name))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	number, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
	n, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return 0 // a process that is gone but for its number has none
	}
	return n << 10
}

// disk looks at the agent's folders once, no longer than until then if that is a time, and returns the limit that it does not keep to.
func (w *watch) disk(until time.Time) *agents.Breach {
	if !w.boundsFiles() {
		return nil
	}
	tally := diskTally{most: cmp.Or(w.limits.Disk, 1<<62), until: until}
	for _, dir := range w.dirs {
		tally.folder(dir)
	}
	switch {
	case over(tally.bytes, w.limits.Disk):
		return &agents.Breach{Resource: agents.Disk, Used: tally.bytes, Bound: w.limits.Disk, Unit: "bytes"}
	case over(tally.largest, w.limits.FileSize):
		return &agents.Breach{Resource: agents.FileSize, Used: tally.largest, Bound: w.limits.FileSize, Unit: "bytes"}
	case tally.hidden != "" && w.limits.Disk > 0:
		return &agents.Breach{Resource: agents.Disk, Used: tally.bytes, Bound: w.limits.Disk, Unit: "bytes", Detail: "as far as can be seen: " + tally.hidden}
	}
	return nil
}
