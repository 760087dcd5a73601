package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents/lines"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

func TestWhoWaitsForARunHearsOfItsEndAlsoWhenNobodyPlaysItAnyMore(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := played(t, fisheryFile())
	for _, what := range []string{arena.DoPause, arena.DoStep, arena.DoStop} {
		h := &halt{change{Seq: 9, Turn: 1}, haltAsked}
		if err := h.wait(ctx, dir, what); err != nil || h.State != "over" || h.Turn != 12 {
			t.Errorf("%s: %+v, %v", what, h, err)
		}
	}
	if idle, who := idle(dir), whoPlays(dir); idle != "" || who != "it is over now" {
		t.Errorf("of a run that is over it says %q and %q", idle, who)
	}

	reopen(t, dir, 3000)
	lease, err := world.Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	h, ended := &halt{change{Seq: 9, Turn: 1}, haltAsked}, make(chan error)
	go func() { ended <- h.wait(ctx, dir, arena.DoStop) }() // ends with ctx at the latest
	if err := lease.Release(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil || h.State != haltAsked {
		t.Errorf("of a run that is left it hears %+v, %v", h, err)
	}
	if idle := idle(dir); !strings.Contains(idle, "nobody plays this run now") {
		t.Errorf("it says %q", idle)
	}
}

func TestWhoStopsARunHasItsResult(t *testing.T) {
	dir := played(t, fisheryFile())
	result, err := os.ReadFile(arena.ResultFile(dir))
	if err == nil {
		err = os.Remove(arena.ResultFile(dir))
	}
	if err != nil {
		t.Fatal(err)
	}
	lease, err := world.Acquire(dir) // of who is about to write it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lease.Release() }()
	short, cancel := context.WithCancel(t.Context())
	defer cancel()
	h := &halt{change{Seq: 9, Turn: 1}, haltAsked}
	var asked atomic.Int64 // how often it is asked whether to go on waiting for a result
	once := ending{short, cancel, func() bool { return h.State == haltOver && asked.Add(1) > 1 }}
	if err := h.wait(once, dir, arena.DoStop); err != nil || h.State != "over" || short.Err() == nil {
		t.Errorf("before there is one: %+v, %v", h, err)
	}
	long, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error)
	h.State, h.Seq = haltAsked, 9
	go func() { ended <- h.wait(long, dir, arena.DoStop) }() // ends with its context at the latest
	if err := os.WriteFile(arena.ResultFile(dir), result, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil || h.State != "over" || long.Err() != nil {
		t.Errorf("when there is one: %+v, %v", h, err)
	}
}

// A second may be too short for it, and there are many of them.
func TestWhoWaitsForAHaltReadsAllThatThereIsHoweverLongThatTakes(t *testing.T) {
	dir := played(t, fisheryFile())
	up, cancel := context.WithCancel(t.Context()) // the second
	cancel()
	h := &halt{change{Seq: 9, Turn: 1}, haltAsked}
	if seen, err := h.look(up, dir, arena.DoStop, 9, true); err != nil || h.State != haltOver || seen != h.Seq {
		t.Errorf("it sees event %d, and hears %+v: %v", seen, h, err)
	}
	h = &halt{change{Seq: 9, Turn: 1}, haltAsked}
	if seen, err := h.look(up, dir, arena.DoStop, 1<<40, true); err != nil || h.State != haltAsked || seen != 1<<40 {
		t.Errorf("behind the end it sees event %d, and hears %+v: %v", seen, h, err)
	}
}

func TestWhoWaitsForAPauseHearsThatSomebodyHasTakenItBack(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := played(t, fisheryFile(), "--set", "limits.turns=1")
	reopen(t, dir, 10)
	for _, args := range [][]string{{"pause", "--no-wait", dir}, {"continue", dir}} {
		if code := vitrine(ctx, args, io.Discard, os.Stderr); code != 0 {
			t.Fatalf("%v: exit code %d", args, code)
		}
	}
	lease, err := world.Acquire(dir) // by somebody who is busy
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lease.Release() }()
	st, err := world.Now(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := &halt{change{Seq: st.Seq - 1, Turn: st.Turn}, haltAsked}
	if err := h.wait(ctx, dir, arena.DoPause); err == nil || !strings.Contains(err.Error(), "somebody has let it go on before it was paused") {
		t.Errorf("it hears %+v, %v", h, err)
	}
}

func TestWhoWaitsForAHaltIsToldWhatForAndHowLongAndThatItStays(t *testing.T) {
	path, err := exec.LookPath("vitrine")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "hand.toml")
	const text = `rules = { name = "fishery" }
limits = { act = "3m" }
agents = [{ name = "p", kind = "human", act = "10m" }, { name = "q", kind = "human", overtime = "8m" }]
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := program(path).start(t, nil, file)
	sits(t, r.dir, "p")
	for _, c := range []struct {
		command        []string
		awaited, stays string
	}{
		{[]string{"step"}, "step", "the run plays that step all the same, and then it pauses"},
		{[]string{"step", "--turn"}, "turn", "the run plays on to the end of that turn all the same, and then it pauses"},
		{[]string{"pause"}, "step", "the pause that was asked for stays"},
	} {
		cmd := exec.CommandContext(t.Context(), path, append(c.command, r.dir)...)
		said, err := cmd.StderrPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		line := make([]byte, 1000)
		n, err := said.Read(line) // when it is told
		if got := string(line[:n]); err != nil || got != "vitrine: waiting until the "+c.awaited+" is over: an act may take up to 11m0s\n" {
			t.Errorf("%q, %v", got, err)
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		n, _ = said.Read(line)
		if got := string(line[:n]); !strings.HasPrefix(got, "vitrine: interrupted; "+c.stays+"\n") {
			t.Errorf("%q", got)
		}
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
			t.Error(err)
		}
	}
	if st, err := world.Now(r.dir); err != nil || !arena.Held(st) {
		t.Errorf("it is not paused: %v", err)
	}
	if got := awaited(r.dir, arena.DoStop); got != "the episode is over" { // what agents are thinking about is lost
		t.Errorf("a stop waits until %s", got)
	}
}

// sits takes a seat, and returns when it is asked.
func sits(t *testing.T, dir, seat string) {
	t.Helper()
	err := appears(filepath.Join(arena.AgentDir(dir, seat), "seat.sock"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := lines.Dial(t.Context(), arena.AgentDir(dir, seat))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}
