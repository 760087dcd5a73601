package claude

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/confine"
	"github.com/vitrine-sim/vitrine/world"
)

const (
	promptName = "prompt.txt"
	socketName = "api.sock"
	stderrName = "stderr.log"
)

// command makes the agent's folder and the command that runs in it, with the file of its standard error.
func command(cfg Config) (*exec.Cmd, *agents.Stderr, error) {
	work := filepath.Join(cfg.Dir, "work")
	home := filepath.Join(cfg.Dir, "home")
	tmp := filepath.Join(cfg.Dir, "tmp")
	for _, dir := range []string{work, home, tmp} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, nil, err
		}
	}
	prompt := filepath.Join(cfg.Dir, promptName)
	if err := os.WriteFile(prompt, []byte(cfg.Prompt+protocolText), 0o600); err != nil {
		return nil, nil, err
	}
	if err := writeServers(cfg); err != nil {
		return nil, nil, err
	}
	stderr := &agents.Stderr{Evidence: cfg.Evidence}
	if err := stderr.KeepIn(filepath.Join(cfg.Dir, stderrName)); err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(cfg.Binary, arguments(cfg, prompt)...)
	cmd.Dir = work
	cmd.Stderr = stderr
	cmd.Env = append(slices.Clone(cfg.Env), // of a variable that is there twice the last value counts
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"HOME="+home,
		"CLAUDE_CONFIG_DIR="+filepath.Join(home, ".claude"),
		"TMPDIR="+tmp,
		"CLAUDE_CODE_TMPDIR="+tmp,
		"MAX_THINKING_TOKENS="+strconv.Itoa(cfg.Thinking),
		// An act is held open until everybody has acted.
		"MCP_TOOL_TIMEOUT=604800000",
		"CLAUDE_CODE_MCP_TOOL_IDLE_TIMEOUT=0",
		// The arena has the clock, and the gateway the patience.
		"CLAUDE_CODE_MAX_RETRIES=2",
		"CLAUDE_CODE_EAGER_FLUSH=1",
		"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
		"CLAUDE_CODE_DISABLE_AUTO_MEMORY=1",
		"CLAUDE_CODE_DISABLE_CLAUDE_MDS=1",
		"CLAUDE_CODE_DISABLE_BUNDLED_SKILLS=1",
		"CLAUDE_CODE_DISABLE_ATTACHMENTS=1",
		"DISABLE_AUTOUPDATER=1",
	)
	cmd.Env = append(append(cmd.Env, GatewayEnv(cfg.Token)...), AnswerEnv(cfg.MaxTokens)...)
	return cmd, stderr, nil
}

// cell returns what the process may reach.
func cell(cfg Config) confine.Cell {
	c := confine.Cell{
		Dir: cfg.Dir, Files: []string{promptName, serversName, socketName}, Read: slices.Clone(cfg.Read), Hidden: cfg.Hidden, Limits: cfg.Limits,
		Serve: cfg.Serve,
	}
	if cfg.Facts {
		c.Files = append(c.Files, world.FactsFolder)
	}
	for _, server := range cfg.Servers {
		if filepath.IsAbs(server.Command) {
			c.Read = append(c.Read, server.Command)
		}
	}
	return c
}

// GatewayEnv returns the variables by which Claude Code finds the gateway at [Socket] of its agent's folder, when it runs in a folder of that.
func GatewayEnv(token string) []string {
	return []string{
		// The path is relative to the working directory, because the path of a unix socket has at most 108 bytes.
		"ANTHROPIC_BASE_URL=http://gateway",
		"ANTHROPIC_UNIX_SOCKET=" + filepath.Join("..", socketName),
		"ANTHROPIC_AUTH_TOKEN=" + token,
	}
}

// AnswerEnv returns the variables by which Claude Code knows how many tokens an answer may have; 0: its own limit.
func AnswerEnv(maxTokens int) []string {
	if maxTokens == 0 {
		return nil
	}
	return []string{"CLAUDE_CODE_MAX_OUTPUT_TOKENS=" + strconv.Itoa(maxTokens)}
}

func arguments(cfg Config, prompt string) []string {
	allowed := []string{"mcp__" + serverName}
	if slices.ContainsFunc(cfg.Tools, func(t string) bool { return t == "Read" || t == "Glob" || t == "Grep" }) {
		allowed = append(allowed, "Read(./**)")
		if cfg.Facts { // a path that begins with two slashes is one of the machine
			allowed = append(allowed, "Read(/"+filepath.Join(cfg.Dir, world.FactsLink)+"/**)", "Read(/"+filepath.Join(cfg.Dir, world.FactsFolder)+"/**)")
		}
	}
	if slices.ContainsFunc(cfg.Tools, func(t string) bool { return t == "Write" || t == "Edit" }) {
		allowed = append(allowed, "Edit(./**)") // governs Write as well
	}
	if slices.Contains(cfg.Tools, "Bash") {
		allowed = append(allowed, "Bash")
	}
	for _, server := range cfg.Servers {
		allowed = append(allowed, "mcp__"+server.Name)
	}
	conversation := "--session-id=" + newID()
	if cfg.Resume != "" {
		conversation = "--resume=" + cfg.Resume
	}
	args := []string{
		"-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose",
		"--model=" + cfg.Model,
		conversation,
		"--system-prompt-file=" + prompt,
		"--tools=" + strings.Join(cfg.Tools, ","),
		"--permission-mode=dontAsk",
		"--allowedTools=" + strings.Join(allowed, ","),
		"--strict-mcp-config",
		"--setting-sources=",
		"--disable-slash-commands",
	}
	if len(cfg.Servers) > 0 {
		args = append(args, "--mcp-config="+filepath.Join(cfg.Dir, serversName))
	}
	return args
}

// newID returns a random UUID (RFC 9562, version 4).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
