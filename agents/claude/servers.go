package claude

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

const (
	serversName = "mcp.json"
	serverPause = 20 * time.Millisecond // between looks at servers that are starting
)

// writeServers writes the configuration of the servers that Claude Code starts, if there are any.
func writeServers(cfg Config) error {
	if len(cfg.Servers) == 0 {
		return nil
	}
	servers := make(map[string]any)
	for _, s := range cfg.Servers {
		env := map[string]string{} // a server with null in its configuration is passed over without a word
		maps.Copy(env, s.Env)
		servers[s.Name] = map[string]any{"type": "stdio", "command": s.Command, "args": append([]string{}, s.Args...), "env": env}
	}
	return os.WriteFile(filepath.Join(cfg.Dir, serversName), world.JSON(map[string]any{"mcpServers": servers}), 0o600)
}

// awaitServers waits until all servers of the configuration are there. They connect in the background, and a message that came
// before would be read without their tools.
func (a *Agent) awaitServers(ctx context.Context) error {
	for {
		waits, err := a.missingServer(ctx)
		if err != nil || waits == "" {
			return err
		}
		select {
		case <-time.After(serverPause):
		case <-a.process.Done():
			return a.dead()
		case <-ctx.Done():
			return fmt.Errorf("MCP server %q does not answer: %w", waits, ctx.Err())
		}
	}
}

// missingServer returns the name of a server that is not there yet, empty if there is none. The error is of one that will not come.
func (a *Agent) missingServer(ctx context.Context) (string, error) {
	if len(a.cfg.Servers) == 0 {
		return "", nil
	}
	raw, err := a.stream.control(ctx, map[string]any{"subtype": "mcp_status"})
	if err != nil {
		return "", err
	}
	var all struct {
		Servers []struct{ Name, Status, Error string } `json:"mcpServers"`
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		return "", fmt.Errorf("mcp_status: %w", err)
	}
	status, cause := make(map[string]string), make(map[string]string)
	for _, s := range all.Servers {
		status[s.Name], cause[s.Name] = s.Status, s.Error
	}
	for _, s := range a.cfg.Servers {
		switch status[s.Name] {
		case "connected":
		case "pending", "":
			return s.Name, nil
		default:
			return "", fmt.Errorf("MCP server %q: %s: %s", s.Name, status[s.Name], cause[s.Name])
		}
	}
	return "", nil
}
