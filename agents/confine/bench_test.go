package confine

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
)

// BenchmarkStart starts and ends a program with the strongest boundary there is, and without any in turn, so that both meet the same machine.
func BenchmarkStart(b *testing.B) {
	strongest := Find(b.Context())
	c := Cell{Dir: b.TempDir()}
	for _, dir := range c.writable() {
		if err := exec.Command("mkdir", "-m", "700", dir).Run(); err != nil {
			b.Fatal(err)
		}
	}
	command := func() *exec.Cmd {
		cmd := exec.Command("/bin/true")
		cmd.Dir = filepath.Join(c.Dir, "work")
		return cmd
	}
	var bare, confined time.Duration
	for b.Loop() {
		began := time.Now()
		p, err := agents.StartProcess(command())
		if err != nil {
			b.Fatal(err)
		}
		<-p.Done()
		bare += time.Since(began)
		began = time.Now()
		if p, err = strongest.Start(command(), c); err != nil {
			b.Fatal(err)
		}
		<-p.Done()
		confined += time.Since(began)
	}
	b.ReportMetric(float64(bare.Microseconds())/1000/float64(b.N), "ms/bare")
	b.ReportMetric(float64(confined.Microseconds())/1000/float64(b.N), "ms/confined")
}
