package claude_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/claude"
	"github.com/vitrine-sim/vitrine/agents/gateway"
	"github.com/vitrine-sim/vitrine/world"
)

func TestTranscriptIsTheNewestConversation(t *testing.T) {
	const (
		queued = `{"type":"queue-operation","content":"{\"type\":\"user\"}"}` + "\n"
		said   = queued + `{"parentUuid":null,"type":"user"}` + "\n"
	)
	tests := []struct {
		name  string
		files []string // from the oldest to the newest
		want  int      // -1: none
	}{
		{"nothing", nil, -1},
		{"an empty one", []string{""}, -1},
		{"nothing said yet", []string{queued}, -1},
		{"the first message torn", []string{said[:len(said)-3]}, -1},
		{"the newline torn off", []string{said[:len(said)-1]}, -1},
		{"one", []string{said}, 0},
		{"torn later", []string{said + `{"ty`}, 0},
		{"two", []string{said, said}, 1},
		{"a newer one in which nothing was said", []string{said, queued}, 0},
	}
	for _, test := range tests {
		dir := filepath.Join(t.TempDir(), "a[1]*")
		projects := filepath.Join(dir, "home", ".claude", "projects")
		var paths []string
		for i, text := range test.files {
			path := filepath.Join(projects, fmt.Sprint(9-i), "id.jsonl")
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			when := time.Unix(int64(i), 0)
			if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, when, when)); err != nil {
				t.Fatal(err)
			}
			paths = append(paths, path)
		}
		got, err := claude.Transcript(dir)
		if test.want < 0 && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v", test.name, got, err)
		}
		if test.want >= 0 && (err != nil || got != paths[test.want]) {
			t.Errorf("%s: %q, %v; want %q", test.name, got, err, paths[test.want])
		}
	}
}

func TestResumeOfNothingFails(t *testing.T) {
	cfg := config(t)
	cfg.Resume = filepath.Join(t.TempDir(), "none.jsonl")
	if _, err := claude.Start(t.Context(), cfg); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("resume of nothing: %v, want %v", err, fs.ErrNotExist)
	}
}

// killWhenWritten kills a process that holds an act, once its transcript has the words, and returns the transcript.
func killWhenWritten(t *testing.T, agent *claude.Agent, dir, words string) string {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(time.Minute); ; <-tick.C {
		path, err := claude.Transcript(dir)
		if raw, readErr := os.ReadFile(path); err == nil && readErr == nil && bytes.Contains(raw, []byte(words)) {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("the transcript has no %s: %v", words, err)
		}
	}
	if err := syscall.Kill(claude.Kept(t, agent.PID()), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var dead *agents.DeadError
	if _, err := agent.Act(t.Context(), observe(1000)); !errors.As(err, &dead) {
		t.Fatalf("act of a killed agent: %v", err)
	}
	path, err := claude.Transcript(dir)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// lastMessage returns the role and the text of the last message of a request; the text is empty if it is the result of a tool.
func lastMessage(t *testing.T, request []byte) (role, said string) {
	t.Helper()
	var body struct {
		Messages []struct {
			Role    string
			Content json.RawMessage // a text, or a list of blocks
		}
	}
	if err := json.Unmarshal(request, &body); err != nil {
		t.Fatal(err)
	}
	last := body.Messages[len(body.Messages)-1]
	var blocks []struct{ Text string }
	if err := json.Unmarshal(last.Content, &blocks); err != nil {
		t.Fatal(err)
	}
	return last.Role, blocks[len(blocks)-1].Text
}

func TestKilledAgentGoesOnInItsConversation(t *testing.T) {
	for _, torn := range []bool{false, true} {
		t.Run(fmt.Sprintf("torn %t", torn), func(t *testing.T) {
			m := &model{answer: func(_ *http.Request, n int) ([]block, int) {
				return []block{act(fmt.Sprintf("toolu_%d", n), "fish", n)}, http.StatusOK
			}}
			cfg := config(t)
			cfg.Fenced = func(action world.Action, reason string, _ bool) { t.Errorf("%+v was refused: %s", action, reason) }
			agent := start(t, m, func(c *claude.Config) { *c = cfg })
			turn := 0
			var conversation string
			for round := range 3 {
				if round > 0 {
					cfg.Resume, cfg.Told = conversation, fmt.Sprintf("cut %d", round)
					agent = resume(t, cfg)
				}
				first := turn
				for range 3 {
					wantTons(t, mustAct(t, agent, turn), turn)
					turn++
				}
				requests := m.requests()
				if len(requests) != turn {
					t.Fatalf("%d requests for %d actions", len(requests), turn)
				}
				if round > 0 {
					wantResumed(t, requests[first], first, cfg.Told)
				}
				path := killWhenWritten(t, agent, cfg.Dir, fmt.Sprintf(`"toolu_%d"`, turn-1))
				if conversation != "" && path != conversation {
					t.Errorf("the conversation went from %s to %s", conversation, path)
				}
				conversation = path
				wantLines(t, path)
				if torn {
					tear(t, path)
				}
			}
		})
	}
}

// resume starts a process whose gateway is there already.
func resume(t *testing.T, cfg claude.Config) *claude.Agent {
	t.Helper()
	agent, err := claude.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := agent.Close(); err != nil {
			t.Error(err)
		}
	})
	return agent
}

// wantLines checks that a transcript is JSON on each line.
func wantLines(t *testing.T, path string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(raw) {
		if !json.Valid(line) {
			t.Errorf("a line of the transcript is %s", line)
		}
	}
}

// tear cuts a file in the middle of its last line.
func tear(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()-50)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// wantResumed checks the first request of a resumed conversation: it holds all observations before, and at its end, as a
// message, what was cut and the newest one. The act that was held is not there.
func wantResumed(t *testing.T, request []byte, turn int, told string) {
	t.Helper()
	for before := range turn {
		if !bytes.Contains(request, fmt.Appendf(nil, `m%d\"`, before)) {
			t.Errorf("observation %d is lost: %s", before, request)
		}
	}
	if bytes.Contains(request, fmt.Appendf(nil, `toolu_%d`, turn-1)) {
		t.Errorf("the act that was held is there: %s", request)
	}
	role, said := lastMessage(t, request)
	if role != "user" || !strings.HasPrefix(said, told+"\n\n<observation>\n") || !strings.Contains(said, fmt.Sprintf(`"m%d"`, turn)) {
		t.Errorf("the last message is of %s: %q", role, said)
	}
}

func TestOfflineModelPlaysOnInAResumedConversation(t *testing.T) {
	offline := gateway.NewOffline(func(string) world.Policy {
		return func(obs world.Observation, _ *rand.Rand) world.Action {
			return world.Action{Name: "fish", Args: world.JSON(map[string]int{"tons": 10 * obs.Turn})}
		}
	}, 1)
	cfg := config(t)
	t.Run("play", func(t *testing.T) {
		agent := start(t, offline, func(c *claude.Config) { *c = cfg })
		wantTons(t, mustAct(t, agent, 1), 10)
		wantTons(t, mustAct(t, agent, 2), 20)
		cfg.Resume = killWhenWritten(t, agent, cfg.Dir, `"tons":20`)
		cfg.Told = "You were cut off."
		agent = resume(t, cfg)
		wantTons(t, mustAct(t, agent, 2), 20)
		wantTons(t, mustAct(t, agent, 3), 30)
	})
	raw, err := os.ReadFile(filepath.Join(cfg.Dir, claude.TranscriptName))
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{`m1\"`, "You were cut off.", `"tons":30`} {
		if !bytes.Contains(raw, []byte(words)) {
			t.Errorf("the transcript that is kept has no %s:\n%s", words, raw)
		}
	}
}
