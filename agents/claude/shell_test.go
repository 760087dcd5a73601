package claude_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/agents/claude"
)

// What a real Claude Code process with a shell tries against everything around it. Each line prints a word if it works.
const assault = `echo hello from the shell
cat %[1]s && echo READ-SECRET
echo forged >>%[2]s && echo WROTE-LOG
cat %[2]s && echo READ-LOG
ls %[3]s/agents/b && echo LISTED-NEIGHBOUR
kill -9 %[4]d && echo KILLED-SUPERVISOR
tr '\0' '\n' </proc/%[4]d/environ && echo READ-ENVIRON
(exec 5<>/dev/tcp/127.0.0.1/%[5]d) && echo REACHED-TCP
curl -s -m 2 http://127.0.0.1:%[5]d && echo CURLED
cat ../stderr.log && echo READ-STDERR
setsid sh -c 'trap "" TERM HUP; while :; do sleep 1; done' >/dev/null 2>&1 &
(setsid sleep 1000 >/dev/null 2>&1 &)
for i in $(seq 40); do (trap "" TERM; setsid sleep 1000 >/dev/null 2>&1 &); done
echo mine >note && cat note && echo done with it`

func TestAnAgentWithAShellReachesNothingButItsOwn(t *testing.T) {
	run := t.TempDir()
	secret, log := filepath.Join(run, "agents", "b", "work", "secret"), filepath.Join(run, "events.jsonl")
	if err := os.MkdirAll(filepath.Dir(secret), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{secret: "the-secret", log: "the-log"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	t.Setenv("ANTHROPIC_API_KEY", "canary-key")
	script := fmt.Sprintf(assault, secret, log, run, os.Getpid(), listener.Addr().(*net.TCPAddr).Port)
	m := &model{answer: func(_ *http.Request, n int) ([]block, int) {
		if n == 0 {
			return []block{{"type": "tool_use", "id": "toolu_s", "name": "Bash", "input": map[string]any{"command": script}}}, http.StatusOK
		}
		return []block{act("toolu_a", "fish", 3)}, http.StatusOK
	}}
	dir := filepath.Join(run, "agents", "a")
	t.Run("play", func(t *testing.T) {
		agent := start(t, m, func(cfg *claude.Config) { cfg.Dir, cfg.Hidden, cfg.Tools = dir, run, []string{"Bash"} })
		wantTons(t, mustAct(t, agent, 0), 3)
		requests := m.requests()
		if len(requests) < 2 {
			t.Fatal("the model is not told what the shell said")
		}
		said := requests[1][bytes.LastIndex(requests[1], []byte("tool_result")):]
		for _, words := range []string{"hello from the shell", `mine\ndone with it`} {
			if !bytes.Contains(said, []byte(words)) {
				t.Errorf("the shell does not say %q: %s", words, said)
			}
		}
		for _, words := range []string{"-SECRET", "-LOG", "LISTED", "KILLED", "-ENVIRON", "REACHED", "CURLED", "the-secret", "the-log", "canary-key"} {
			if bytes.Contains(said, []byte(words)) {
				t.Errorf("the shell says %q: %s", words, said)
			}
		}
		if living := livingIn(dir); len(living) < 40 {
			t.Errorf("only %d processes have begun", len(living))
		}
	})
	if left := livingIn(dir); len(left) > 0 {
		t.Errorf("processes %v are still there", left)
	}
	if raw, err := os.ReadFile(log); err != nil || strings.Contains(string(raw), "forged") {
		t.Errorf("the log is %q, %v", raw, err)
	}
}
