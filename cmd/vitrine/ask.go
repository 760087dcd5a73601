package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/agents/gateway"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
	"github.com/vitrine-sim/vitrine/world"
)

// askLimit is how long an answer may take.
const askLimit = 10 * time.Minute

// An interview is what "ask --json" prints.
type interview struct {
	Agent    string `json:"agent"`
	Turn     *int   `json:"turn,omitempty"` // after which it was asked; missing: after its last
	Question string `json:"question"`
	Answer   string `json:"answer"`
	Model    string `json:"model"` // "offline" where the offline model answered
	arena.Metered
}

func askFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	r := newRunner()
	turn := allTurns
	flags.Func("turn", "ask it as it was when it had acted in turn `K`; turns count from 0", func(s string) error {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return errors.New("a turn is a whole number from 0")
		}
		turn = int(n)
		return nil
	})
	flags.BoolVar(&r.offline, "offline", false, "ask the offline model, whichever played; it only shows that it can be asked")
	flags.StringVar(&r.model, "model", "", "the model `M` to ask, instead of the agent's")
	flags.StringVar(&r.claude, "claude", "", "the Claude Code executable `PATH`, instead of the one on PATH or the pinned one")
	r.access.flags(flags, "the run's")
	return func(ctx context.Context, a *app, args []string) (any, error) {
		r.app = a
		return r.interview(ctx, args[0], args[1], strings.Join(args[2:], " "), turn)
	}
}

// interview asks an agent's conversation something, in a copy of it: the run stays as it is.
func (r *runner) interview(ctx context.Context, dir, name, question string, turn int) (any, error) {
	defer func() { r.setup.close() }()
	agent, err := r.interviewee(ctx, dir, name)
	if err != nil {
		return nil, err
	}
	if st, err := world.Now(dir); err == nil && turn > st.Turn {
		return nil, misuse(fmt.Sprintf("its turns are 0 to %d", st.Turn), "there is no turn %d in %s", turn, dir)
	}
	conversation, err := conversationOf(r.dir, agent, turn)
	if err != nil {
		return nil, err
	}
	if r.upstream, err = r.chooseUpstream(); err != nil {
		return nil, err
	}
	if err := r.locate(ctx); err != nil {
		return nil, err
	}
	if err := r.enclose(ctx); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "vitrine-ask-")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	said := interview{Agent: name, Question: question, Model: agent.Model}
	if r.offline {
		said.Model = offlineModel
	}
	if turn != allTurns {
		said.Turn = &turn
	}
	said.Answer, said.Metered, err = r.ask(ctx, temp, agent, conversation, question)
	if err = errors.Join(err, os.RemoveAll(temp)); err != nil {
		return nil, fmt.Errorf("ask %s: %w", name, err)
	}
	fmt.Fprintln(r.out, strings.TrimSpace(said.Answer))
	return said, nil
}

// interviewee returns the agent of that name in the run in dir, which is the runner's then.
func (r *runner) interviewee(ctx context.Context, dir, name string) (scenarios.Agent, error) {
	m, _, err := openRun(dir)
	if err != nil {
		return scenarios.Agent{}, err
	}
	if r.setup, err = r.reload(ctx, m); err != nil {
		return scenarios.Agent{}, fmt.Errorf("the manifest: %w", err)
	}
	r.seat(m.Agents)
	for i := range r.Agents {
		r.Agents[i].Hosts = nil // who is asked reaches nothing
	}
	r.offline = r.offline || m.Model == offlineModel
	r.endpoint = m.Endpoint
	if r.dir, err = filepath.Abs(dir); err != nil {
		return scenarios.Agent{}, err
	}
	i := slices.Index(r.names(), name)
	if i < 0 {
		return scenarios.Agent{}, misuse(scenarios.Suggest(name, r.names()), "there is no agent %q in %s", name, dir)
	}
	agent := r.Agents[i]
	if agent.Kind != scenarios.Claude {
		return agent, misuse("", "agent %s is of kind %s: only Claude Code has a conversation to ask", name, agent.Kind)
	}
	if r.model != "" {
		agent.Model = r.model
	}
	return agent, nil
}

// conversationOf returns the transcript of an agent's conversation up to a turn.
func conversationOf(dir string, agent scenarios.Agent, turn int) ([]byte, error) {
	file, err := claude.OpenTranscript(arena.AgentDir(dir, agent.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, misuse("", "agent %s has no conversation: it never came so far", agent.Name)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	raw, err := io.ReadAll(file)
	if err != nil || turn == allTurns {
		return raw, err
	}
	cut, err := claude.CutTranscript(raw, turn)
	if err != nil {
		err = misuse("choose a later turn", "agent %s cannot be asked about turn %d: %w", agent.Name, turn, err)
	}
	return cut, err
}

// ask asks a conversation in a folder of its own, with a gateway there.
func (r *runner) ask(ctx context.Context, dir string, agent scenarios.Agent, conversation []byte, question string) (string, arena.Metered, error) {
	transcript := filepath.Join(dir, "home", "conversation.jsonl")
	err := os.Mkdir(filepath.Dir(transcript), 0o700)
	if err == nil {
		err = os.WriteFile(transcript, conversation, 0o600)
	}
	if err != nil {
		return "", arena.Metered{}, err
	}
	gw := &gateway.Gateway{Upstream: r.upstream, Log: r.log, Prices: r.prices}
	const token = "interview" // nobody else can reach the socket
	endpoint, err := gw.Open(agent.Name, claude.Socket(dir), token)
	if err != nil {
		return "", arena.Metered{}, err
	}
	answer := ""
	process, err := claude.Start(ctx, claude.Config{
		Binary: r.binary.Path, Version: version, Dir: dir, Token: token, Model: agent.Model, Prompt: agent.Prompt,
		Thinking: agent.Thinking, MaxTokens: agent.MaxTokens, Log: r.log, Resume: transcript, Boundary: r.boundary, Hidden: r.dir,
	})
	if err == nil {
		answer, err = process.Ask(ctx, question)
		_, closeErr := process.Close()
		err = errors.Join(err, closeErr)
	}
	err = errors.Join(err, endpoint.Close())
	return answer, meter(endpoint)(), err
}
