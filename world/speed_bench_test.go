package world

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// others returns a function that says how much of the machine's processor time since now was used by others than this process and its
// children, in percent.
func others(b *testing.B) func() float64 {
	b.Helper()
	used := func() (all, mine, idle float64) {
		raw, err := os.ReadFile("/proc/stat")
		if err != nil {
			return 0, 0, 0
		}
		var user, nice, system, free, wait, irq, soft, stolen float64
		_, _ = fmt.Sscanf(string(raw), "cpu %g %g %g %g %g %g %g %g", &user, &nice, &system, &free, &wait, &irq, &soft, &stolen)
		for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
			var u syscall.Rusage
			if err := syscall.Getrusage(who, &u); err == nil {
				mine += 100 * time.Duration(u.Utime.Nano()+u.Stime.Nano()).Seconds() // the kernel counts hundredths
			}
		}
		idle = free + wait
		return user + nice + system + irq + soft + stolen + idle, mine, idle
	}
	all, mine, idle := used()
	return func() float64 {
		all2, mine2, idle2 := used()
		return max(0, 100*((all2-all)-(idle2-idle)-(mine2-mine))/max(1, all2-all))
	}
}

// acts returns the events of a turn in which every agent does something: 64 and the end of the turn.
func acts(turn int) []Event {
	events := make([]Event, 0, benchAgents+1)
	for i := range benchAgents {
		name := fmt.Sprintf("agent%02d", i)
		events = append(events, Event{
			Kind: "action", Agent: name, Data: JSON(map[string]any{"name": "fish", "args": map[string]int{"tons": turn % 100}}),
			Set: facts("agents/"+name+"/tons", turn), Proc: JSON(map[string]float64{"wall_ms": float64(i) + 0.125}),
		})
	}
	return append(events, Event{Kind: KindTurn})
}

// A bareLog is the least program that makes a turn durable: it knows how its events are written, and writes them at once.
type bareLog struct {
	file *os.File
	seq  int
	buf  []byte
}

func newBareLog(b *testing.B) *bareLog {
	b.Helper()
	file, err := os.Create(filepath.Join(b.TempDir(), "file"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { file.Close() })
	return &bareLog{file: file}
}

// add adds a line like those of acts, as long as they are.
func (l *bareLog) add(agent string, turn int) {
	l.seq++
	l.buf = append(append(l.buf, `{"agent":"`...), agent...)
	l.buf = strconv.AppendInt(append(l.buf, `","data":{"args":{"tons":`...), int64(turn%100), 10)
	l.buf = strconv.AppendInt(append(l.buf, `},"name":"fish"},"kind":"action","more":true,"seq":`...), int64(l.seq), 10)
	l.buf = append(append(append(l.buf, `,"set":{"agents/`...), agent...), `/tons":`...)
	l.buf = strconv.AppendInt(append(strconv.AppendInt(l.buf, int64(turn), 10), `},"turn":`...), int64(turn), 10)
	l.buf = append(l.buf, `,"proc":{"wall_ms":10.125},"time":"`...)
	l.buf = append(time.Now().UTC().AppendFormat(l.buf, time.RFC3339Nano), `","crc":"00000000"}`+"\n"...)
}

func (l *bareLog) sync() error {
	_, err := l.file.Write(l.buf)
	l.buf = l.buf[:0]
	return errors.Join(err, datasync(l.file))
}

// BenchmarkDurableTurn compares the commit of a turn with the least program that does it.
func BenchmarkDurableTurn(b *testing.B) {
	s, bare := openStore(b, b.TempDir()), newBareLog(b)
	var turns [][]Event // made beforehand: what it takes to decide is not the store's
	for turn := range 100 {
		turns = append(turns, acts(turn))
	}
	var theirs, ours []time.Duration
	busy := others(b)
	for b.Loop() {
		turn := s.State().Turn
		events := turns[turn%len(turns)]
		theirs = append(theirs, timed(b, func() error {
			for _, ev := range events {
				bare.add(ev.Agent, turn)
			}
			return bare.sync()
		}))
		ours = append(ours, timed(b, func() error {
			_, err := s.Commit(b.Context(), func(State) ([]Event, error) { return events, nil })
			return err
		}))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(at(theirs, 0.5), "bare-us")
	b.ReportMetric(at(ours, 0.5)/at(theirs, 0.5), "p50/bare")
	b.ReportMetric(at(ours, 0.99)/at(theirs, 0.99), "p99/bare")
	b.ReportMetric(busy(), "others-%")
}
