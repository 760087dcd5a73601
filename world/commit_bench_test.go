package world

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	worldSize = 20 << 10 // bytes of the world that 64 processes change
	noteSize  = 250      // bytes of what one of them says of it
	roundTime = time.Second
	rounds    = 5 // of each way, in turn
)

// A served is what one process got in a round.
type served struct {
	Waits []int64 // nanoseconds from each request to its answer
}

// askUntil makes requests one after the other until the round is over, and prints a served.
func askUntil(end time.Duration, request func(n int) error) error {
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil { // all begin at once
		return err
	}
	var got served
	for began := time.Now(); time.Since(began) < end; {
		asked := time.Now()
		if err := request(len(got.Waits)); err != nil {
			return err
		}
		got.Waits = append(got.Waits, time.Since(asked).Nanoseconds())
	}
	return json.NewEncoder(os.Stdout).Encode(got)
}

// askSocket asks the server behind a socket for commits.
func askSocket(path, name string) error {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	return askUntil(roundTime, func(n int) error {
		text := fmt.Sprintf("%s %d ", name, n)
		if _, err := conn.Write(append(JSON(text+strings.Repeat("x", noteSize-len(text)-2)), '\n')); err != nil {
			return err
		}
		_, err := answers.ReadSlice('\n')
		return err
	})
}

// askFile does what a script would: under a lock it reads the world, writes all of it anew, and puts it in the place of the old one.
func askFile(dir, name string) error {
	path := filepath.Join(dir, "world.json")
	return askUntil(roundTime, func(n int) error {
		lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		defer lock.Close()
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
			return err
		}
		all, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		copy(all, fmt.Sprintf(`{"%s":%06d`, name, n))
		next, err := os.Create(path + ".next")
		if err != nil {
			return err
		}
		_, err = next.Write(all)
		return errors.Join(err, next.Sync(), next.Close(), os.Rename(path+".next", path), syncDir(dir))
	})
}

// serve answers each line of each connection with what commit returns, until the listener is closed.
func serve(b *testing.B, listener net.Listener, commit func(line []byte) (int64, error)) {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		all.Go(func() { // ends with the process on the other side
			defer conn.Close()
			lines := bufio.NewReader(conn)
			for {
				line, err := lines.ReadSlice('\n')
				if err != nil {
					return
				}
				seq, err := commit(bytes.TrimSuffix(line, []byte("\n")))
				if err == nil {
					_, err = conn.Write(strconv.AppendInt(nil, seq, 10))
					_, err2 := io.WriteString(conn, "\n")
					err = errors.Join(err, err2)
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
}

// A bareGroup is the least program in which those who wait together share one write and one sync.
type bareGroup struct {
	log   *bareLog
	mu    sync.Mutex
	wake  sync.Cond
	lines []byte // of the next batch
	batch int    // number of the next batch
	done  int    // number of the last batch that is on the disk
	busy  bool
	err   error
}

func (g *bareGroup) commit(note []byte) (int64, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.log.seq++
	seq := int64(g.log.seq)
	g.lines = append(append(g.lines, `{"agent":"`...), note[1:9]...)
	g.lines = append(append(g.lines, `","data":`...), note...)
	g.lines = strconv.AppendInt(append(g.lines, `,"kind":"note","seq":`...), seq, 10)
	g.lines = append(append(g.lines, `,"set":{"agents/`...), note[1:9]...)
	g.lines = strconv.AppendInt(append(g.lines, `/note":`...), seq, 10)
	g.lines = append(time.Now().UTC().AppendFormat(append(g.lines, `},"turn":0,"time":"`...), time.RFC3339Nano), `","crc":"00000000"}`+"\n"...)
	mine := g.batch
	for g.done <= mine && g.busy {
		g.wake.Wait()
	}
	if g.done > mine {
		return seq, g.err
	}
	g.busy = true
	g.log.buf, g.lines = g.lines, g.log.buf
	g.batch++
	g.mu.Unlock()
	err := g.log.sync()
	g.mu.Lock()
	g.busy, g.done, g.err = false, g.batch, errors.Join(g.err, err)
	g.wake.Broadcast()
	return seq, g.err
}

// round lets 64 processes ask at once, and returns what each got.
func round(b *testing.B, role string, args ...string) (all []served) {
	b.Helper()
	var processes []*process
	for i := range benchAgents {
		processes = append(processes, start(b, role, append(args, fmt.Sprintf("%-8s", "agent"+strconv.Itoa(i)))...))
	}
	for _, p := range processes {
		if _, err := p.in.Write([]byte("x")); err != nil {
			b.Fatal(err)
		}
	}
	for _, p := range processes {
		p.out.Buffer(nil, 1<<24)
		var got served
		p.out.Scan()
		if err := json.Unmarshal(p.out.Bytes(), &got); err != nil {
			b.Fatal(err, p.stderr.String())
		}
		if err := p.Wait(); err != nil {
			b.Fatal(err, p.stderr.String())
		}
		all = append(all, got)
	}
	return all
}

// A way is one of the ways in which 64 processes can commit, and what came of it, by round.
type way struct {
	role, arg        string
	rate, p99, least []float64 // commits a second; milliseconds; the most served against the least
}

func (w *way) round(b *testing.B) {
	b.Helper()
	var waits []time.Duration
	least, most := 1<<62, 0
	for _, got := range round(b, w.role, w.arg) {
		for _, wait := range got.Waits {
			waits = append(waits, time.Duration(wait))
		}
		least, most = min(least, len(got.Waits)), max(most, len(got.Waits))
	}
	w.rate = append(w.rate, float64(len(waits))/roundTime.Seconds())
	w.p99 = append(w.p99, at(waits, 0.99)/1e3)
	w.least = append(w.least, float64(most)/float64(max(1, least)))
}

// median returns the median of what each round says.
func median(rounds []float64) float64 {
	return slices.Sorted(slices.Values(rounds))[len(rounds)/2]
}

// ratios returns what each round of one way says against that of another.
func ratios(a, b []float64) []float64 {
	var all []float64
	for i := range a {
		all = append(all, a[i]/b[i])
	}
	return all
}

// BenchmarkProcesses compares 64 processes that commit through one store, with a world of 20 KiB, with the same through the least program
// that does it, and with 64 that write a file of that size anew under a lock. One op is so many rounds of each,
// in turn, of which the median counts.
func BenchmarkProcesses(b *testing.B) {
	dir := b.TempDir()
	s := openStore(b, dir)
	set := make(map[string]json.RawMessage)
	for i := range benchAgents {
		for j := range 4 {
			set[fmt.Sprintf("agents/agent%d/fact%d", i, j)] = JSON(strings.Repeat("x", worldSize/benchAgents/4-len(`"agents/agent00/fact0":"",`)))
		}
	}
	commitAll(b, s, Event{Kind: "begin", Set: set})
	if err := os.WriteFile(filepath.Join(dir, "world.json"), bytes.Repeat([]byte("x"), worldSize), 0o600); err != nil {
		b.Fatal(err)
	}
	bare := &bareGroup{log: newBareLog(b)}
	bare.wake.L = &bare.mu
	commits := map[string]func([]byte) (int64, error){
		"ours": func(note []byte) (int64, error) {
			st, err := s.Commit(b.Context(), func(st State) ([]Event, error) {
				name := string(note[1:9])
				set := map[string]json.RawMessage{"agents/" + name + "/note": strconv.AppendInt(nil, st.Seq+1, 10)}
				return []Event{{Kind: "note", Agent: name, Data: note, Set: set}}, nil
			})
			return st.Seq, err
		},
		"bare": bare.commit,
	}
	for name, commit := range commits {
		listener, err := net.Listen("unix", filepath.Join(dir, name))
		if err != nil {
			b.Fatal(err)
		}
		var serving sync.WaitGroup
		serving.Go(func() { serve(b, listener, commit) })
		defer serving.Wait()
		defer listener.Close()
	}
	ours, least := &way{role: "ask socket", arg: filepath.Join(dir, "ours")}, &way{role: "ask socket", arg: filepath.Join(dir, "bare")}
	script := &way{role: "ask file", arg: dir}
	busy := others(b)
	for b.Loop() {
		for i := range 3 * rounds {
			[]*way{script, ours, least}[i%3].round(b)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ours.rate), "commits/s")
	b.ReportMetric(median(ratios(ours.rate, script.rate)), "rate/script")
	b.ReportMetric(median(ratios(script.p99, ours.p99)), "script-p99/p99")
	b.ReportMetric(median(ratios(ours.rate, least.rate)), "rate/bare")
	b.ReportMetric(median(ratios(ours.p99, least.p99)), "p99/bare")
	b.ReportMetric(median(ours.least), "most/least")
	b.ReportMetric(median(least.least), "bare-most/least")
	b.ReportMetric(float64(len(ours.rate)), "rounds")
	b.ReportMetric(busy(), "others-%")
}

// BenchmarkFairWait compares how long 64 agents wait for the commits of which each holds the world for a millisecond with how long they
// wait for a lock that is granted in the order of asking, and held as long. Rounds are as above.
func BenchmarkFairWait(b *testing.B) {
	s := openStore(b, b.TempDir())
	lock := make(chan struct{}, 1)
	const hold = time.Millisecond
	edit := map[string]func() error{
		"ours": func() error {
			_, err := s.Commit(b.Context(), func(State) ([]Event, error) {
				time.Sleep(hold)
				return []Event{{Kind: "x"}}, nil
			})
			return err
		},
		"bare": func() error {
			lock <- struct{}{}
			time.Sleep(hold)
			<-lock
			return nil
		},
	}
	p99, spread := make(map[string][]float64), make(map[string][]float64)
	busy := others(b)
	for b.Loop() {
		for i := range 2 * rounds {
			name := []string{"bare", "ours"}[i%2]
			all := make([][]time.Duration, benchAgents)
			var agents sync.WaitGroup
			for end, i := time.Now().Add(roundTime), 0; i < benchAgents; i++ {
				agents.Go(func() {
					for time.Now().Before(end) {
						all[i] = append(all[i], timed(b, edit[name]))
					}
				})
			}
			agents.Wait()
			least, most := 1<<62, 0
			for _, one := range all {
				least, most = min(least, len(one)), max(most, len(one))
			}
			p99[name] = append(p99[name], at(slices.Concat(all...), 0.99)/1e3)
			spread[name] = append(spread[name], float64(most)/float64(least))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(p99["bare"]), "bare-p99-ms")
	b.ReportMetric(median(ratios(p99["ours"], p99["bare"])), "p99/bare")
	b.ReportMetric(median(spread["ours"]), "most/least")
	b.ReportMetric(median(spread["bare"]), "bare-most/least")
	b.ReportMetric(busy(), "others-%")
}
