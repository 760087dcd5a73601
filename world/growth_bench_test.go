package world

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const benchAgents = 64

// chatter returns the events of one turn in which every agent says something and earns something.
func chatter(turn int, random *rand.Rand) []Event {
	const letters = "etaoinshrdlu"
	events := make([]Event, 0, benchAgents+1)
	for i := range benchAgents {
		var text strings.Builder
		for range 8 + random.IntN(30) {
			word := random.IntN(2000) // of a vocabulary
			for range 2 + word%7 {
				text.WriteByte(letters[word%len(letters)])
				word = word*7 + 3
			}
			text.WriteByte(' ')
		}
		name := fmt.Sprintf("agent%02d", i)
		events = append(events, Event{
			Kind: "say", Agent: name, Data: JSON(map[string]string{"text": text.String()}),
			Set:  facts("agents/"+name+"/said", turn, "agents/"+name+"/tons", random.IntN(1000)),
			Proc: JSON(map[string]int{"wall_ms": random.IntN(100)}),
		})
	}
	return append(events, Event{Kind: KindTurn})
}

// talk makes a log of so many events, and a few more up to a keyframe, so that there is nothing to fold behind it.
func talk(b *testing.B, dir string, events int) {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	s := openStore(b, dir)
	defer s.Close()
	for turn := range (events + benchAgents) / (benchAgents + 1) {
		commitAll(b, s, chatter(turn, random)...)
	}
	for behind(s) > 0 {
		commitAll(b, s, chatter(0, random)...)
	}
}

// behind returns the bytes of the log behind its last keyframe, when none is being written.
func behind(s *Store) int64 {
	s.queue <- struct{}{}
	defer func() { <-s.queue }()
	return s.at.size - s.last.at.size
}

// A bareIndex is the least program that reads one turn: it knows where each begins, reads its bytes, and decodes its lines.
type bareIndex struct {
	file *os.File
	at   []int64 // by turn, and the end
}

func indexLog(b *testing.B, dir string) *bareIndex {
	b.Helper()
	log, err := os.ReadFile(filepath.Join(dir, logName))
	if err != nil {
		b.Fatal(err)
	}
	x := &bareIndex{at: []int64{0}}
	size := int64(0)
	for line := range bytes.Lines(log) {
		if size += int64(len(line)); bytes.Contains(line, []byte(`"kind":"turn"`)) {
			x.at = append(x.at, size)
		}
	}
	if x.file, err = os.Open(filepath.Join(dir, logName)); err != nil {
		b.Fatal(err)
	}
	return x
}

func (x *bareIndex) turn(turn int) (events []Event, err error) {
	raw := make([]byte, x.at[turn+1]-x.at[turn])
	if _, err := x.file.ReadAt(raw, x.at[turn]); err != nil {
		return nil, err
	}
	for line := range bytes.Lines(raw) {
		var ev Event
		if err := json.Unmarshal(line, &ev); err != nil {
			return nil, err
		}
		events = append(events, ev)
	}
	return events, nil
}

func timed(b *testing.B, f func() error) time.Duration {
	b.Helper()
	began := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// at returns the duration that so much of all are shorter than, in microseconds.
func at(all []time.Duration, share float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return float64(sorted[int(share*float64(len(sorted)-1))].Nanoseconds()) / 1e3
}

func BenchmarkGrowth(b *testing.B) {
	const many, few = 1_000_000, 1_000
	long, short := b.TempDir(), b.TempDir()
	talk(b, short, few)
	talk(b, long, many)
	x := indexLog(b, long)
	defer x.file.Close()
	turns := len(x.at) - 1
	b.Run("open", func(b *testing.B) {
		var of [2][]time.Duration
		for b.Loop() {
			for i, dir := range []string{short, long} {
				of[i] = append(of[i], timed(b, func() error {
					s, err := Open(dir)
					if err != nil {
						return err
					}
					return s.Close()
				}))
			}
		}
		b.ReportMetric(at(of[0], 0.5), "short-us")
		b.ReportMetric(at(of[1], 0.5)/at(of[0], 0.5), "long/short")
	})
	seekBench(b, "plain", long, x, turns)
	sealed := filepath.Join(b.TempDir(), "sealed")
	if err := os.CopyFS(sealed, os.DirFS(long)); err != nil {
		b.Fatal(err)
	}
	b.Run("seal", func(b *testing.B) {
		var before, after int64
		for b.Loop() { // all but the first time it only looks
			var err error
			if before, after, err = Seal(sealed); err != nil {
				b.Fatal(err)
			}
		}
		log := sizeOf(b, long, logName)
		b.ReportMetric(sizeOf(b, sealed, logName+sealedSuffix)/log, "sealed/log")
		b.ReportMetric(float64(after)/log, "sealed-with-keyframes/log")
		b.ReportMetric(float64(after)/float64(before), "after/before")
	})
	seekBench(b, "sealed", sealed, x, turns)
	b.Run("commit", func(b *testing.B) { // last, for it makes the logs longer
		stores := []*Store{openStore(b, short), openStore(b, long)}
		bare, err := os.Create(filepath.Join(b.TempDir(), "file"))
		if err != nil {
			b.Fatal(err)
		}
		defer bare.Close()
		random := rand.New(rand.NewPCG(5, 6))
		var of [3][]time.Duration
		for b.Loop() {
			said := chatter(turns, random)
			for i, s := range stores {
				of[i] = append(of[i], timed(b, func() error {
					_, err := s.Commit(b.Context(), func(State) ([]Event, error) { return said, nil })
					return err
				}))
			}
			lines := make([]byte, (x.at[turns]-x.at[0])/int64(turns))
			of[2] = append(of[2], timed(b, func() error {
				_, err := bare.Write(lines)
				return errors.Join(err, datasync(bare))
			}))
		}
		b.ReportMetric(at(of[2], 0.5), "bare-us")
		b.ReportMetric(at(of[0], 0.5), "short-us")
		b.ReportMetric(at(of[1], 0.5)/at(of[0], 0.5), "long/short")
		b.ReportMetric(sizeOf(b, long, keyframesName)/sizeOf(b, long, logName), "keyframes/log")
	})
}

func sizeOf(b *testing.B, dir, name string) float64 {
	b.Helper()
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		b.Fatal(err)
	}
	return float64(info.Size())
}

// seekBench measures seeking random turns against the bare index.
func seekBench(b *testing.B, name, dir string, x *bareIndex, turns int) {
	random := rand.New(rand.NewPCG(1, 2))
	b.Run(name+" turn", func(b *testing.B) {
		var bare, ours []time.Duration
		for b.Loop() {
			turn := random.IntN(turns)
			bare = append(bare, timed(b, func() error { _, err := x.turn(turn); return err }))
			ours = append(ours, timed(b, func() error {
				n := 0
				for _, err := range Turn(dir, turn) {
					if n++; err != nil {
						return err
					}
				}
				if n != benchAgents+1 {
					return fmt.Errorf("turn %d has %d events", turn, n)
				}
				return nil
			}))
		}
		b.ReportMetric(at(bare, 0.5), "bare-us")
		b.ReportMetric(at(ours, 0.5)/at(bare, 0.5), "turn/bare")
		b.ReportMetric(at(ours, 0.99)/at(bare, 0.99), "p99/bare")
	})
	b.Run(name+" state", func(b *testing.B) {
		var ours []time.Duration
		for b.Loop() {
			turn := random.IntN(turns)
			ours = append(ours, timed(b, func() error { _, err := StateAt(dir, turn); return err }))
		}
		b.ReportMetric(at(ours, 0.5), "p50-us")
		b.ReportMetric(at(ours, 0.99), "p99-us")
	})
}
