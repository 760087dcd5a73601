package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

// Memory of a Claude Code process: at its start, and after hundreds of turns.
const (
	startMemory = 250 << 20
	grownMemory = 450 << 20
)

// admit refuses more Claude Code processes than the machine's memory carries once they are grown.
func (r *runner) admit() error {
	n := r.count(scenarios.Claude)
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
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var free int64 = -1
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 1 && fields[0] == "MemAvailable:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				return 0, err
			}
			free = kib << 10
		}
	}
	if free < 0 {
		return 0, fmt.Errorf("no MemAvailable in /proc/meminfo")
	}
	// The root of what this process sees is its container's group; a file without a number says that there is no limit.
	for _, group := range [][2]string{
		{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
		{"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"},
	} {
		limit, err1 := readNumber(group[0])
		used, err2 := readNumber(group[1])
		if err1 == nil && err2 == nil {
			free = min(free, limit-used)
		}
	}
	return free, nil
}

func readNumber(path string) (int64, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
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
