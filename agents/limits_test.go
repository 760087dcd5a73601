package agents

import "testing"

func TestABreachSaysItsFigures(t *testing.T) {
	for _, c := range []struct {
		breach Breach
		want   string
	}{
		{Breach{Resource: Memory, Used: 70<<20 + 300<<10, Bound: 64 << 20, Unit: "bytes"}, "over its limit of memory: 70.3 MiB, and 64 MiB allowed"},
		{Breach{Resource: Disk, Used: 5 << 30, Bound: 4 << 30, Unit: "bytes"}, "over its limit of disk: 5120 MiB, and 4096 MiB allowed"},
		{Breach{Resource: CPU, Used: 61_250, Bound: 60_000, Unit: "ms"}, "over its limit of cpu: 1m1.25s, and 1m0s allowed"},
		{Breach{Resource: FileSize, Used: 1<<20 + 1, Bound: 1 << 20, Unit: "bytes"}, "over its limit of file_size: 1048577, and 1048576 bytes allowed"},
		{
			Breach{Resource: Processes, Used: 62, Bound: 20, Detail: "threads count"},
			"over its limit of processes: 62, and 20 allowed (threads count)",
		},
		{Breach{Resource: Disk, Used: 4 << 10, Bound: 1 << 20, Unit: "bytes"}, "over its limit of disk: 4096 bytes, and 1024 KiB allowed"},
	} {
		if got := c.breach.String(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.breach, got, c.want)
		}
	}
}
