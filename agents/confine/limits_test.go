package confine

import (
	"os"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
)

// behind runs a shell script with limits behind each boundary that differs in how processes are looked at, and behind the strongest, and gives what
// became of it.
func behind(t *testing.T, limits agents.Limits, script string, judge func(u uses, c Cell, ending agents.Ending)) {
	t.Helper()
	strongest := Find(t.Context())
	if !strongest.uses.Bounds {
		t.Logf("NOT RUN: limits that the kernel keeps of a control group: %v", strongest.Tried[4].Err)
	}
	all := []uses{strongest.uses}
	if os.Getuid() == 0 { // another user's tests are a part of ours
		all = append(all, processBoundaries(t)...)
	}
	for _, u := range all {
		c := cell(t)
		c.Limits = limits
		_, ending := run(t, u, c, script)
		judge(u, c, ending)
		gone(t, c.Dir, 0)
	}
}

// Each script breaks one limit, and would go on for a minute if nobody minded.
func TestAnAgentThatBreaksALimitIsEndedForIt(t *testing.T) {
	const rest = "; sleep 60; exit 9"
	for name, breach := range map[string]struct {
		limits agents.Limits
		script string
		unit   string
		most   int64 // that may have been used
	}{
		agents.Memory:    {agents.Limits{Memory: 24 << 20}, `x=$(head -c 40m /dev/zero | tr "\0" x)`, "bytes", 400 << 20},
		agents.CPU:       {agents.Limits{CPU: time.Second}, `while :; do :; done`, "ms", 3000},
		agents.Processes: {agents.Limits{Processes: 20}, `i=0; while [ $i -lt 60 ]; do sleep 60 & i=$((i+1)); done`, "", 70},
		agents.FileSize:  {agents.Limits{FileSize: 1 << 20}, `head -c 3m /dev/zero >big`, "bytes", 1<<20 + 1},
		agents.Disk:      {agents.Limits{Disk: 16 << 20}, `i=0; while [ $i -lt 16 ]; do head -c 4m /dev/zero >$i; i=$((i+1)); done`, "bytes", 70 << 20},
		agents.OpenFiles: {agents.Limits{OpenFiles: 20}, `exec perl -e 'for (1..40) { open($f[$_], "<", "/dev/null") } sleep 60'`, "", 21},
	} {
		behind(t, breach.limits, breach.script+rest, func(u uses, _ Cell, ending agents.Ending) {
			b := ending.Breach
			if b == nil || b.Resource != name || b.Used <= b.Bound || b.Used > breach.most || b.Unit != breach.unit {
				t.Errorf("%+v: %s: it ended with %+v, for %+v", u, name, ending, b)
				return
			}
			if ending.Exit != "signal: killed" && ending.Exit != "exit status 2" { // a shell that cannot fork
				t.Errorf("%+v: %s: it ended with %q", u, name, ending.Exit)
			}
		})
	}
}
