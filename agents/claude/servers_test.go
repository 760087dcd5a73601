package claude_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/agents/claude"
)

func TestAgentUsesAnMCPServerOfItsOwn(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m := &model{answer: func(_ *http.Request, n int) ([]block, int) {
		if n == 0 {
			return []block{{"type": "tool_use", "id": "toolu_n", "name": "mcp__notes__write", "input": map[string]any{"text": "hello"}}}, http.StatusOK
		}
		return []block{act("toolu_a", "fish", 3)}, http.StatusOK
	}}
	var dir string
	t.Run("play", func(t *testing.T) {
		agent := start(t, m, func(cfg *claude.Config) {
			dir = cfg.Dir
			cfg.Env = []string{"TZ=Mars", "HOME=/nowhere"}
			cfg.Servers = []claude.Server{{Name: "notes", Command: self, Args: []string{claude.NotesServer}, Env: map[string]string{"NOTES": "ink"}}}
		})
		wantTons(t, mustAct(t, agent, 0), 3)
		requests := m.requests()
		if len(requests) != 2 {
			t.Fatalf("%d requests, want one for the note and one for the act", len(requests))
		}
		found := regexp.MustCompile(`wrote \{.{0,4}text.{0,6}hello.{0,4}\} with ink and Mars in (\S+) as process [0-9]+\.`).FindSubmatch(requests[1])
		if found == nil {
			t.Fatalf("the model is not told what the tool said: %s", requests[1])
		}
		if got, want := string(found[1]), filepath.Join(dir, "work"); got != want {
			t.Errorf("the server runs in %s, want %s", got, want)
		}
		if living := livingIn(dir); len(living) < 2 {
			t.Errorf("processes %v live in the agent's folder, want it and the server", living)
		}
		environ, err := os.ReadFile("/proc/" + strconv.Itoa(claude.Kept(t, agent.PID())) + "/environ")
		if err != nil || !bytes.Contains(environ, []byte("HOME="+filepath.Join(dir, "home"))) || bytes.Contains(environ, []byte("/nowhere")) {
			t.Errorf("the environment of the agent is %q, %v", environ, err)
		}
	})
	if left := livingIn(dir); len(left) > 0 {
		t.Errorf("processes %v are still there", left)
	}
}

// livingIn returns the processes whose working directory is in a folder, whoever started them.
func livingIn(dir string) []int {
	var pids []int
	links, _ := filepath.Glob("/proc/[0-9]*/cwd") // the pattern is right
	for _, link := range links {
		cwd, err := os.Readlink(link)
		if pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil && strings.HasPrefix(cwd, dir+"/") {
			pids = append(pids, pid)
		}
	}
	return pids
}

func TestMCPServerThatDoesNotStartIsAnErrorWithItsName(t *testing.T) {
	cfg := config(t)
	cfg.Servers = []claude.Server{{Name: "notes", Command: "/bin/false"}}
	agent, err := claude.Start(t.Context(), cfg)
	if err == nil {
		_, _ = agent.Close()
	}
	if err == nil || !strings.Contains(err.Error(), `MCP server "notes": failed`) {
		t.Errorf("start with a server that ends: %v", err)
	}
}

func TestWhatIsShownIsWhatTheModelGets(t *testing.T) {
	m := &model{answer: func(_ *http.Request, n int) ([]block, int) { return []block{act("toolu_a", "fish", 3)}, http.StatusOK }}
	agent := start(t, m, func(cfg *claude.Config) { cfg.Prompt = "You fish, \"or\" not." })
	mustAct(t, agent, 0)
	shown := claude.Show("You fish, \"or\" not.", observe(0))
	var request struct {
		System []struct{ Text string }
		Tools  []struct {
			Name, Description string
			Schema            json.RawMessage `json:"input_schema"`
		}
		Messages json.RawMessage
	}
	if err := json.Unmarshal(m.requests()[0], &request); err != nil {
		t.Fatal(err)
	}
	var system strings.Builder
	for _, block := range request.System {
		system.WriteString(block.Text)
	}
	if !strings.Contains(system.String(), shown.System) {
		t.Errorf("the system prompt is %q, want %q", system.String(), shown.System)
	}
	if len(request.Tools) != 1 || request.Tools[0].Name != shown.Tool.Name || request.Tools[0].Description != shown.Tool.Description {
		t.Errorf("the tools are %+v, want %+v", request.Tools, shown.Tool)
	}
	quoted, err := json.Marshal(shown.Observation)
	if err != nil {
		t.Fatal(err)
	}
	plain := func(raw []byte) string {
		return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(strings.Trim(string(raw), `"`))
	}
	if !strings.Contains(plain(request.Messages), plain(quoted)) {
		t.Errorf("the messages are %s, want %s in them", request.Messages, quoted)
	}
}
