package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/agents/scripted"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

func resumeFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	r := newRunner()
	flags.StringVar(&r.claude, "claude", "", "the Claude Code executable `PATH`, instead of the one on PATH or the pinned one")
	flags.StringVar(&r.least, "min-level", "", "refuse to play on where agents are kept apart at less than this `LEVEL` (default the run's)")
	r.access.flags(flags, "the run's")
	r.lookFlags(flags)
	return func(ctx context.Context, a *app, args []string) (any, error) {
		r.app = a
		if err := r.mayLook(); err != nil {
			return nil, err
		}
		return r.resume(ctx, args[0])
	}
}

// resume plays a run on from where its log ends.
func (r *runner) resume(ctx context.Context, dir string) (any, error) {
	m, result, err := openRun(dir)
	if err != nil {
		return nil, err
	}
	r.tellChanged(m)
	defer func() { r.setup.close() }()
	if r.setup, err = r.reload(ctx, m); err == nil {
		err = r.agrees(m)
	}
	if err != nil {
		return nil, fmt.Errorf("the manifest: %w", err)
	}
	if r.dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	game := r.game()
	st, stErr := world.Now(dir)
	over := stErr == nil && st.Seq > 0 && game.IsOver(st)
	if over && result != nil && result.Events == st.Seq {
		return nil, misuse("", "%s is over: %s, %s", dir, result.Status, result.Reason)
	}
	if stErr == nil && result != nil && result.Events > st.Seq {
		return nil, arena.Verified{Events: st.Seq}.Matches(*result, dir)
	}
	if what := repeats(dir, m); what != "" {
		return nil, misuse(anew(m), "%s, and goes on nowhere", what)
	}
	r.seat(m.Agents) // what the command line made of them
	if !over {
		if err := r.gone(m); err != nil {
			return nil, err
		}
	}
	r.resumed, r.silent = &m, !m.Cassette
	r.offline = m.Model == offlineModel
	r.fault = m.Fault
	r.endpoint = m.Endpoint
	if m.Actions != "" {
		if err := r.reread(m); err != nil {
			return nil, err
		}
	}
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	return r.play(ctx)
}

// reread reads the recorded actions that the run began with.
func (r *runner) reread(m arena.Manifest) error {
	path := filepath.Join(r.dir, arena.ActionsName)
	raw, err := os.ReadFile(path)
	if err == nil && sum(raw) != m.ActionsSHA256 {
		err = fmt.Errorf("%s is not the file any more that the run began with", path)
	}
	if err == nil {
		r.recording, err = scripted.ReadRecording(path, bytes.NewReader(raw))
	}
	r.actions, r.actionsRaw = m.Actions, raw
	return err
}

// rewound makes the players of recorded actions go on behind what of this turn is in the log.
func (r *runner) rewound(st world.State) error {
	for ev, err := range world.Turn(r.dir, st.Turn) {
		if err != nil {
			return err
		}
		if player := r.recorded[ev.Agent]; player != nil && arena.IsAct(ev) {
			if _, err := player.ActNow(world.Observation{Agent: ev.Agent, Turn: st.Turn}); err != nil {
				return err
			}
		}
	}
	return nil
}

// recall returns the conversation with which an agent goes on, and what it is told first, after what has happened to it.
func (r *runner) recall(a scenarios.Agent, what string) (transcript, told string, err error) {
	transcript, err = claude.Transcript(arena.AgentDir(r.dir, a.Name))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	st, stErr := world.Now(r.dir)
	if err = errors.Join(err, stErr); err != nil || st.Seq == 0 {
		return transcript, "", err
	}
	// The conversation may have lost more than the log: a transcript is written a moment after an act.
	const turns = 3
	var done []string
	for turn := max(0, st.Turn-turns+1); turn <= st.Turn; turn++ {
		for ev, err := range world.Turn(r.dir, turn) {
			if err != nil {
				return "", "", err
			}
			if ev.Agent == a.Name && arena.IsAct(ev) {
				done = append(done, fmt.Sprintf("turn %d: %s", turn, strings.TrimSpace(strings.TrimPrefix(tell(ev), ev.Agent))))
			}
		}
	}
	counts := "nothing that you have done counts yet"
	if len(done) > 0 {
		counts = "the last that counts of what you have done is: " + strings.Join(done, "; ")
	}
	return transcript, what + ". Whatever you remember, " + counts +
		". All else has not happened. The game goes on:", nil
}
