package confine

import (
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
)

// A contender is a way to keep an agent, and how long that took, each time.
type contender struct {
	name  string
	start func(cmd *exec.Cmd, cell Cell) (*agents.Process, error)
	took  []time.Duration
}

// contenders are all levels that this machine offers, and none at all, which comes first.
func contenders(b *testing.B) []*contender {
	b.Helper()
	all := []*contender{{name: "none", start: func(cmd *exec.Cmd, _ Cell) (*agents.Process, error) { return agents.StartProcess(cmd) }}}
	for _, u := range parts(Find(b.Context()).uses) {
		if bound := (Boundary{uses: u}); bound.Level() != None || u == (uses{}) {
			all = append(all, &contender{name: fmt.Sprintf("%s/%s", bound.Level(), u.short()), start: bound.Start})
		}
	}
	return all
}

// compare says how long each took, in the median, as a ratio to the first.
func compare(b *testing.B, all []*contender) {
	b.Helper()
	first := median(all[0].took)
	for _, c := range all {
		b.ReportMetric(float64(median(c.took).Microseconds()), "us/"+c.name)
		b.ReportMetric(float64(median(c.took))/float64(first), "x/"+c.name)
	}
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// BenchmarkStart starts and ends a program at each level in turn, so that all meet the same machine.
func BenchmarkStart(b *testing.B) {
	all, cell := contenders(b), cell(b)
	for b.Loop() {
		for _, c := range all {
			cmd := exec.Command("/bin/true")
			cmd.Dir = filepath.Join(cell.Dir, "work")
			began := time.Now()
			p, err := c.start(cmd, cell)
			if err != nil {
				b.Fatal(err)
			}
			<-p.Done()
			c.took = append(c.took, time.Since(began))
		}
	}
	compare(b, all)
}

// BenchmarkTurn lets a program at each level in turn answer a line that makes it read a file and start a process.
func BenchmarkTurn(b *testing.B) {
	all := contenders(b)
	var programs []*agents.Process
	for _, c := range all {
		cell := cell(b)
		cmd := exec.Command("/bin/sh", "-c", "while read line; do read first <note; /bin/true; echo $first; done")
		cmd.Dir = filepath.Join(cell.Dir, "work")
		if err := exec.Command("sh", "-c", "echo note >"+filepath.Join(cmd.Dir, "note")).Run(); err != nil {
			b.Fatal(err)
		}
		p, err := c.start(cmd, cell)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = p.Stop(stopLimit) }()
		programs = append(programs, p)
	}
	answer := make([]byte, len("note\n"))
	for b.Loop() {
		for i, c := range all {
			began := time.Now()
			if _, err := programs[i].Stdin.Write([]byte("line\n")); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(programs[i].Stdout, answer); err != nil {
				b.Fatal(err)
			}
			c.took = append(c.took, time.Since(began))
		}
	}
	compare(b, all)
}
