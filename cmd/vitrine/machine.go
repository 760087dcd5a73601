package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"github.com/vitrine-sim/vitrine/world"
)

// Memory of a Claude Code process: at its start, and after hundreds of turns.
const (
	startMemory = 250 << 20
	grownMemory = 450 << 20
)

// admit refuses more Claude Code processes than the machine's memory carries once they are grown.
func (r *runner) admit() error {
	n := r.modelled()
	free, err := availableMemory()
	if err != nil {
		return fmt.Errorf("read available memory: %w", err)
	}
	if need := int64(n) * grownMemory; need > free {
		msg := fmt.Sprintf("%d agents are too many for this machine: they need %d x %d MiB = %d MiB once grown (%d MiB at start), and %d MiB are available",
			n, n, grownMemory>>20, need>>20, int64(n)*startMemory>>20, free>>20)
		return r.Error("agents", msg, fmt.Sprintf("at most %d of them fit; --agents scripted needs none of it", free/grownMemory))
	}
	return nil
}

// availableMemory returns how many bytes new processes can have: what the kernel says is available, or what the control group leaves,
// whichever is less.
func availableMemory() (int64, error) {
	kib, err := readField("/proc/meminfo", "MemAvailable:")
	if err != nil {
		return 0, err
	}
	free := kib << 10
	for _, group := range []struct{ limit, used, stat, cache string }{
		{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat", "inactive_file"},
		{
			"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes",
			"/sys/fs/cgroup/memory/memory.stat", "total_inactive_file",
		},
	} {
		// The root of what this process sees is its container's group; a file without a number says that there is no limit. What is
		// cached of files counts as used there, and makes room when somebody needs it.
		limit, err1 := readNumber(group.limit)
		used, err2 := readNumber(group.used)
		if err1 == nil && err2 == nil {
			cached, _ := readField(group.stat, group.cache)
			free = min(free, limit-used+cached)
		}
	}
	return max(0, free), nil
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

// A progress is one line on a terminal that says how far the run is. Elsewhere it is nothing.
type progress struct {
	to    *app
	shown bool
}

func (p *progress) turn(st world.State) {
	if !isTerminal(p.to.err) {
		return
	}
	p.shown = true
	fmt.Fprintf(p.to.err, "\r\x1b[Kturn %d", st.Turn)
}

func (p *progress) done() {
	if p.shown {
		fmt.Fprint(p.to.err, "\r\x1b[K")
	}
}
