package confine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
)

// grouped is a boundary with nothing but a control group.
func grouped(t *testing.T) uses {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("run the tests as root: else there are no control groups to be had")
	}
	has := Find(t.Context()).uses
	if has.Group == "" {
		t.Fatal("there are no control groups here: mount them (mount -t cgroup2 cgroup2 /sys/fs/cgroup), to be written to")
	}
	return uses{Group: has.Group}
}

func groupsIn(t *testing.T, parent string) map[string]bool {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(parent, groupPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, path := range found {
		names[path] = true
	}
	return names
}

func TestAnAgentIsInAControlGroupOfItsOwnUntilItEnds(t *testing.T) {
	for _, spaces := range []bool{false, true} {
		u := grouped(t)
		u.Spaces, u.UID = spaces, !spaces
		c := cell(t)
		p, err := start{u, c, []string{"/bin/sh", "-c", escape + "while :; do sleep 1; done"}}.start()
		if err != nil {
			t.Fatal(err)
		}
		readLine(t, p.Stdout)
		child, err := childOf(p.PID())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile("/proc/" + strconv.Itoa(child) + "/cgroup")
		_, path, _ := strings.Cut(string(raw), "0::")
		own := filepath.Join(u.Group, filepath.Base(strings.TrimSpace(path)))
		if err != nil || !strings.HasPrefix(filepath.Base(own), groupPrefix) {
			t.Fatalf("it is in %s, %v", raw, err)
		}
		members, err := os.ReadFile(filepath.Join(own, "cgroup.procs"))
		if n := len(strings.Fields(string(members))); err != nil || n < 60 {
			t.Errorf("%d processes are in %s, %v", n, own, err)
		}
		p.Kill()
		if err := p.Stop(2 * time.Second); err != nil {
			t.Error(err)
		}
		gone(t, c.Dir, 0)
		if groupsIn(t, u.Group)[own] {
			t.Errorf("%s is left", own)
		}
	}
}

func TestAProgramThatCannotBeginLeavesNoControlGroup(t *testing.T) {
	u := grouped(t)
	parent, err := os.MkdirTemp(u.Group, "test-") // in which nobody else has agents
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(parent)
	u.Group = parent
	if _, err := (start{u, cell(t), []string{"/no/such/program"}}).start(); err == nil {
		t.Error("it begins")
	}
	if left := groupsIn(t, parent); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

func TestAControlGroupThatNobodyUsesIsRemoved(t *testing.T) {
	parent := grouped(t).Group
	g, err := newGroup(parent)
	if err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(parent, g.name+"-left")
	if err := os.Mkdir(left, 0o755); err != nil {
		t.Fatal(err)
	}
	sweepGroups(parent)
	if got := groupsIn(t, parent); got[left] || !got[filepath.Join(parent, g.name)] {
		t.Errorf("groups %v, of which %s is used and %s is not", got, g.name, left)
	}
	if err := g.remove(); err != nil {
		t.Error(err)
	}
}

func TestAControlGroupCountsTheTimeOfThoseWhomNobodyWaitedFor(t *testing.T) {
	u := grouped(t)
	c := cell(t)
	c.Limits = agents.Limits{CPU: 500 * time.Millisecond}
	burn := `$SIG{CHLD} = "IGNORE"; while (1) { if (!fork) { $e = times + 0.04; 1 while times < $e; exit } wait }`
	p, err := start{u, c, []string{"/usr/bin/perl", "-e", burn}}.start()
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
	case <-time.After(time.Minute):
		t.Error("it burns on")
	}
	if err := p.Stop(0); err != nil {
		t.Error(err)
	}
	if b := endingOf(p).Breach; b == nil || b.Resource != agents.CPU {
		t.Errorf("it ended with %s, for %v", p.Exit(), b)
	}
	gone(t, c.Dir, 0)
}

// fakeGroup is a control group that is not the kernel's, with these files.
func fakeGroup(t *testing.T, files map[string]string) (*group, func(file string) string) {
	t.Helper()
	parent := t.TempDir()
	dir := filepath.Join(parent, "g")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	above, err := os.Open(parent)
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = above.Close(), in.Close() })
	return &group{parent: above, dir: in, name: "g"}, func(file string) string {
		raw, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
		}
		return string(raw)
	}
}

func TestTheKernelIsToldALimitInItsOwnWords(t *testing.T) {
	none := map[string]string{"memory.max": "", "memory.oom.group": "", "memory.swap.max": "", "pids.max": "", "cgroup.procs": "", "cgroup.kill": ""}
	g, says := fakeGroup(t, none)
	if err := g.bound(agents.Limits{Memory: 1 << 30, Processes: 100, CPU: time.Second}); err != nil {
		t.Fatal(err)
	}
	if err := g.join(17); err != nil {
		t.Fatal(err)
	}
	g.kill()
	for file, want := range map[string]string{
		"memory.max": "1140850688", "memory.oom.group": "1", "memory.swap.max": "0", "pids.max": "108", "cgroup.procs": "17", "cgroup.kill": "1",
	} {
		if got := says(file); got != want {
			t.Errorf("%s says %q, want %q", file, got, want)
		}
	}
	delete(none, "memory.swap.max")
	if g, _ = fakeGroup(t, none); g.bound(agents.Limits{Memory: 1}) != nil {
		t.Error("a kernel that does not swap does not do")
	}
	if g, _ = fakeGroup(t, nil); g.bound(agents.Limits{Memory: 1}) == nil || g.bound(agents.Limits{Processes: 1}) == nil {
		t.Error("a kernel without controllers will do")
	}
}

func TestWhatTheKernelSaysOfAGroupIsRead(t *testing.T) {
	stat := map[string]string{"cpu.stat": "usage_usec 1500000\nuser_usec 7\n", "memory.events": "low 0\nhigh 0\nmax 9\noom 1\noom_kill 2\n", "memory.peak": "67108864\n"}
	g, _ := fakeGroup(t, stat)
	if got, ok := g.cpu(); !ok || got != 1500*time.Millisecond {
		t.Errorf("processor time %v, %t", got, ok)
	}
	if b := g.breach(); b != nil {
		t.Errorf("without a limit: %v", b)
	}
	g.limits.Memory = 64 << 20
	want := agents.Breach{Resource: agents.Memory, Used: 64 << 20, Bound: 64 << 20, Unit: "bytes", Detail: "the kernel refused more"}
	if b := g.breach(); b == nil || *b != want {
		t.Errorf("%+v, want %+v", b, want)
	}
	for text, says := range map[string]string{
		"nothing was killed":                "oom 1\noom_kill 0\n",
		"it was the machine that was short": "oom 0\noom_kill 3\n",
	} {
		stat["memory.events"] = says
		g, _ = fakeGroup(t, stat)
		g.limits.Memory = 64 << 20
		if b := g.breach(); b != nil {
			t.Errorf("%s: %v", text, b)
		}
	}
	var no *group
	if _, ok := no.cpu(); ok || no.breach() != nil || no.join(1) != nil || no.remove() != nil {
		t.Error("no group says something")
	}
}

func TestTheOwnControlGroupIsFound(t *testing.T) {
	const (
		unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
		hybrid  = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
		partial = "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
	)
	for _, c := range []struct{ controller, mounts, groups, want string }{
		{"", unified, "0::/user.slice/run-1.scope\n", "/sys/fs/cgroup/user.slice/run-1.scope /sys/fs/cgroup/user.slice /sys/fs/cgroup"},
		{"", unified, "0::/\n", "/sys/fs/cgroup"},
		{"", hybrid, "9:name=systemd:/\n4:memory:/x\n0::/a\n", "/sys/fs/cgroup/unified/a /sys/fs/cgroup/unified"},
		{"memory", hybrid, "9:name=systemd:/\n4:memory:/x\n0::/a\n", "/sys/fs/cgroup/memory/x /sys/fs/cgroup/memory"},
		{"memory", unified, "0::/\n", ""},
		{"", partial, "0::/docker/abc/b\n", "/sys/fs/cgroup/b /sys/fs/cgroup"},
		{"", partial, "0::/elsewhere\n", ""},
		{"", unified, "4:memory:/x\n", ""},
		{"", unified, "0::/../elsewhere\n", ""},
		{"", "", "0::/\n", ""},
		{"", "x\n1 2 - \n", "\n:\n0::/\n", ""},
	} {
		root := t.TempDir()
		proc := filepath.Join(root, "proc", "self")
		if os.MkdirAll(proc, 0o700) != nil || os.WriteFile(filepath.Join(proc, "mountinfo"), []byte(c.mounts), 0o600) != nil ||
			os.WriteFile(filepath.Join(proc, "cgroup"), []byte(c.groups), 0o600) != nil {
			t.Fatal("the files cannot be written")
		}
		dirs, err := Groups(root, c.controller)
		if got := strings.ReplaceAll(strings.Join(dirs, " "), root, ""); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q in %q: %q, %v, want %q", c.groups, c.mounts, got, err, c.want)
		}
	}
}

func TestControllersArePassedOnIfTheyAreThere(t *testing.T) {
	for controllers, want := range map[string]string{"cpu io memory pids\n": "+memory +pids", "hugetlb\n": "", "memory\n": "", "": ""} {
		dir := t.TempDir()
		control := filepath.Join(dir, "cgroup.subtree_control")
		if os.WriteFile(filepath.Join(dir, "cgroup.controllers"), []byte(controllers), 0o600) != nil || os.WriteFile(control, nil, 0o600) != nil {
			t.Fatal("the files cannot be written")
		}
		err := passControllers(dir)
		if raw, readErr := os.ReadFile(control); readErr != nil || string(raw) != want || (err == nil) != (want != "") {
			t.Errorf("of %q it passes %q, %v", controllers, raw, err)
		}
	}
}

func TestABreachThatIsFoundWhenTheAgentEndsIsTold(t *testing.T) {
	for range 50 {
		cmd := exec.CommandContext(t.Context(), "/bin/true")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		exited, breached := make(chan syscall.WaitStatus, 1), make(chan *agents.Breach, 1)
		exited <- 0
		breached <- &agents.Breach{Resource: agents.Memory}
		if _, byItself, breach := (&kept{pid: cmd.Process.Pid}).await(nil, make(chan struct{}), exited, breached); byItself || breach == nil {
			t.Fatalf("it ended by itself: %t, for %v", byItself, breach)
		}
		_ = cmd.Wait() // it may have been killed
	}
}
