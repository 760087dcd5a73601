package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever a container or a service may use is what agents can have, however little that is of the machine.
func TestMemoryThatAControlGroupDoesNotHaveIsNotThere(t *testing.T) {
	const (
		v2    = "30 23 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
		v1    = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
		grown = grownMemory >> 10 // in kB, as the kernel counts
	)
	for name, c := range map[string]struct {
		mounts, groups string
		files          map[string]string
		fit            int64
		of             string
	}{
		"no groups":  {"", "", nil, 20, "the machine"},
		"no limit":   {v2, "0::/\n", map[string]string{"memory.max": "max\n", "memory.current": "5\n"}, 20, "the machine"},
		"a limit":    {v2, "0::/\n", map[string]string{"memory.max": "2000M", "memory.current": "100M", "memory.stat": "anon 1\ninactive_file 50M\n"}, 4, "the control group /sys/fs/cgroup"},
		"a full one": {v2, "0::/\n", map[string]string{"memory.max": "100M", "memory.current": "101M"}, 0, "the control group /sys/fs/cgroup"},
		"one around": {
			v2, "0::/a.slice/b.scope\n",
			map[string]string{"a.slice/memory.max": "1000M", "a.slice/memory.current": "0M", "a.slice/b.scope/memory.max": "max", "a.slice/b.scope/memory.current": "0M"},
			2, "the control group /sys/fs/cgroup/a.slice",
		},
		"the inner one": {
			v2, "0::/a.slice/b.scope\n",
			map[string]string{"a.slice/memory.max": "9000M", "a.slice/memory.current": "0M", "a.slice/b.scope/memory.max": "500M", "a.slice/b.scope/memory.current": "0M"},
			1, "the control group /sys/fs/cgroup/a.slice/b.scope",
		},
		"a large one": {v2, "0::/\n", map[string]string{"memory.max": "900000M", "memory.current": "0M"}, 20, "the machine"},
		"version 1": {
			v1, "4:memory:/docker/x\n0::/\n",
			map[string]string{
				"memory/docker/x/memory.limit_in_bytes": "1000M", "memory/docker/x/memory.usage_in_bytes": "600M",
				"memory/docker/x/memory.stat": "inactive_file 1M\ntotal_inactive_file 160M\n",
			},
			1, "the control group /sys/fs/cgroup/memory/docker/x",
		},
		"a path from outside": {v2, "0::/../elsewhere\n", map[string]string{"memory.max": "100M", "memory.current": "0M"}, 20, "the machine"},
	} {
		root := t.TempDir()
		write := func(path, text string) {
			text = strings.ReplaceAll(text, "M", "000000")
			path = filepath.Join(root, path)
			if os.MkdirAll(filepath.Dir(path), 0o700) != nil || os.WriteFile(path, []byte(text), 0o600) != nil {
				t.Fatalf("%s cannot be written", path)
			}
		}
		write("proc/self/mountinfo", c.mounts)
		write("proc/self/cgroup", c.groups)
		if err := os.WriteFile(filepath.Join(root, "proc/meminfo"), []byte("MemTotal: 99 kB\nMemAvailable:  9437184 kB\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for path, text := range c.files {
			write(filepath.Join("sys/fs/cgroup", path), text)
		}
		got, err := admissionOf(root, 3)
		if err != nil || got.Fit != c.fit || strings.ReplaceAll(got.Of, root, "") != c.of {
			t.Errorf("%s: %d fit into what is available to %s, %v, want %d and %s", name, got.Fit, got.Of, err, c.fit, c.of)
		}
		if got.Agents != 3 || got.Grown != 3*grown<<10 || got.Start != 3*startMemory {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if _, err := admissionOf(t.TempDir(), 1); err == nil {
		t.Error("a machine that does not say what it has will do")
	}
}
