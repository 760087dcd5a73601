package arena

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/scripted"
	"github.com/vitrine-sim/vitrine/world"
)

// counting is the least world: everybody adds 1 to a number of its own.
type counting struct{}

func counter(agent string) string { return "counters/" + agent }

func (counting) Reset(_ uint64, agents []string) ([]world.Event, error) {
	set := make(map[string]json.RawMessage)
	for _, agent := range agents {
		set[counter(agent)] = json.RawMessage("0")
	}
	return []world.Event{{Kind: "zero", Set: set}}, nil
}

func (counting) Observe(st world.State, agent string) (world.Observation, error) {
	n, _ := st.Fact(counter(agent))
	return world.Observation{Agent: agent, Turn: st.Turn, View: n, Actions: []world.ActionSpec{{Name: "add"}}}, nil
}

func (counting) Step(st world.State, actions []world.Action) ([]world.Event, error) {
	set := make(map[string]json.RawMessage, len(actions))
	for _, a := range actions {
		raw, _ := st.Fact(counter(a.Agent))
		n, err := strconv.Atoi(string(raw))
		if err != nil {
			return nil, err
		}
		set[counter(a.Agent)] = strconv.AppendInt(nil, int64(n)+1, 10)
	}
	return []world.Event{{Kind: "add", Set: set}}, nil
}

// addOne is the policy that always adds 1.
func addOne(world.Observation, *rand.Rand) world.Action {
	return world.Action{Name: "add", Args: json.RawMessage(`{"by":1}`)}
}

// seated returns the names and the seats of so many clerks.
func seated(clerks int) (names []string, seats []Seat) {
	start := func(context.Context, Fenced) (agents.Agent, error) { return scripted.Agent{Policy: addOne}, nil }
	for i := range clerks {
		names = append(names, fmt.Sprintf("agent%03d", i))
		seats = append(seats, Seat{Name: names[i], Start: start})
	}
	return names, seats
}

// perTurn plays a recorded episode of so many clerks and turns in dir, and returns what one of its turns takes. Without a schedule they run
// free.
func perTurn(b *testing.B, dir string, schedule Schedule, clerks, turns int) time.Duration {
	b.Helper()
	dir, err := os.MkdirTemp(dir, "run")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s, err := world.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var began time.Time
	e := Episode{
		Game:  Game{Rules: counting{}, Schedule: schedule, Free: schedule == nil, Turns: turns},
		Store: s, Act: time.Minute, Time: time.Hour, Starts: 2,
		OnTurn: func(st world.State) {
			if st.Turn == 0 {
				began = time.Now()
			}
		},
	}
	e.Agents, e.Seats = seated(clerks)
	out, err := e.Run(b.Context())
	if err != nil || out.State.Turn != turns {
		b.Fatalf("the episode ended in turn %d: %v", out.State.Turn, err)
	}
	return time.Since(began) / time.Duration(turns)
}

// barePerTurn is the limit: a loop that writes what the clerks do by hand, all of a turn at once.
func barePerTurn(b *testing.B, dir string, clerks, turns int) time.Duration {
	b.Helper()
	file, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	var names []string
	for i := range clerks {
		names = append(names, fmt.Sprintf("agent%03d", i))
	}
	began := time.Now()
	var buf []byte
	for turn := range turns {
		buf = buf[:0]
		for i, name := range names {
			buf = append(append(buf, `{"agent":"`...), name...)
			buf = append(buf, `","data":{"args":{"by":1},"name":"add"},"kind":"action","more":true,"seq":`...)
			buf = strconv.AppendInt(append(strconv.AppendInt(buf, int64(turn*clerks+i), 10), `,"turn":`...), int64(turn), 10)
			buf = append(buf, `,"proc":{"wall_ms":0.001},"time":"2026-01-02T15:04:05.000000006Z","crc":"00000000"}`+"\n"...)
		}
		if _, err := file.Write(buf); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began) / time.Duration(turns)
}

// rulesPerTurn is what of a turn is not the program's: its rules, its clerks and the facts that they change, with nothing checked, nothing
// kept and nobody waited for.
func rulesPerTurn(b *testing.B, clerks, turns int) time.Duration {
	b.Helper()
	names, _ := seated(clerks)
	events, err := counting{}.Reset(0, names)
	if err != nil {
		b.Fatal(err)
	}
	st := world.State{}.Apply(events...)
	began := time.Now()
	for turn := range turns {
		actions := make([]world.Action, 0, clerks)
		for _, name := range names {
			obs, err := counting{}.Observe(st, name)
			if err != nil {
				b.Fatal(err)
			}
			a := world.Policy(addOne).Decide(0, obs)
			a.Agent = name
			actions = append(actions, a)
		}
		events, err := counting{}.Step(st, actions)
		if err != nil {
			b.Fatal(err)
		}
		st = st.Apply(append(events, world.Event{Kind: world.KindTurn, Turn: turn})...)
	}
	return time.Since(began) / time.Duration(turns)
}

// median returns the median of what was measured, in seconds.
func median(all []time.Duration) float64 {
	return slices.Sorted(slices.Values(all))[len(all)/2].Seconds()
}

const benchRounds = 5 // of each way, in turn

// BenchmarkTurns compares the turns of 64 agents that cost nothing with the limit, and with those of 1,000. In the folder in memory a
// sync costs nothing, so what is left is what the program itself takes. One op is some episodes
// of each, in turn, of which the median counts.
func BenchmarkTurns(b *testing.B) {
	memory, err := os.MkdirTemp("/dev/shm", "bench")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(memory)
	const few, many, agentTurns = 64, 1000, 64_000
	disk := b.TempDir()
	var onDisk, inMemory, ofMany, rules, limit, limitOfMany []time.Duration
	for b.Loop() {
		for range benchRounds {
			limit = append(limit, barePerTurn(b, memory, few, agentTurns/few))
			rules = append(rules, rulesPerTurn(b, few, agentTurns/few))
			inMemory = append(inMemory, perTurn(b, memory, Parallel, few, agentTurns/few))
			ofMany = append(ofMany, perTurn(b, memory, Parallel, many, agentTurns/many))
			limitOfMany = append(limitOfMany, barePerTurn(b, memory, many, agentTurns/many))
			onDisk = append(onDisk, perTurn(b, disk, Parallel, few, agentTurns/few))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(1/median(onDisk), "durable-turns/s")
	b.ReportMetric(1/median(inMemory), "turns/s")
	b.ReportMetric(1e6*(median(onDisk)-median(inMemory)), "disk-us/turn")
	b.ReportMetric(1/median(limit), "limit-turns/s")
	b.ReportMetric(median(limit)/median(inMemory), "of-limit")
	b.ReportMetric(median(limit)/median(rules), "rules-of-limit")
	b.ReportMetric(median(ofMany)/many/(median(inMemory)/few), "agent-turn-1000/64")
	b.ReportMetric(median(limitOfMany)/many/(median(limit)/few), "limit-1000/64")
}

// BenchmarkSteps compares the acts of 64 agents, each of which is a commit of its own, with those of 1,000. It does so in memory, since
// to a disk all commits are alike. There are twenty acts of each agent at least, so that little of what is measured is its start and its end.
func BenchmarkSteps(b *testing.B) {
	memory, err := os.MkdirTemp("/dev/shm", "bench")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(memory)
	const few, many, acts = 64, 1000, 20_000
	for _, way := range []struct {
		name     string
		schedule Schedule
	}{{"sequential", Sequential}, {"free", nil}} {
		b.Run(way.name, func(b *testing.B) {
			var ofFew, ofMany []time.Duration
			for b.Loop() {
				for range benchRounds {
					ofFew = append(ofFew, perTurn(b, memory, way.schedule, few, acts/few)/few)
					ofMany = append(ofMany, perTurn(b, memory, way.schedule, many, acts/many)/many)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(1e6*median(ofFew), "us/act")
			b.ReportMetric(median(ofMany)/median(ofFew), "1000/64")
		})
	}
}
