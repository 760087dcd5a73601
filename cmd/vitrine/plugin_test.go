package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestPluginsDieWithTheSupervisor(t *testing.T) {
	path, err := exec.LookPath("vitrine")
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	r := program(path).start(t, []string{"TMPDIR=" + temp}, filepath.Join("..", "..", "examples", "plugin-python", "lake.toml"), "--paused")
	waitFor(t, filepath.Join(r.dir, "agents", "a", "stderr.log")) // by then both are connected
	var children []process
	for _, pid := range append(processes(r.dir), processes(temp)...) {
		children = append(children, watch(t, pid))
	}
	if len(children) != 2 {
		t.Errorf("it has started %d processes, want that of the rules and that of an agent", len(children))
	}
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	allGone(t, children, patience)
	sockets, err := filepath.Glob(filepath.Join(temp, "vitrine[0-9]*"))
	if err != nil || len(sockets) > 0 {
		t.Errorf("sockets are left: %q, %v", sockets, err)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "rules.log")); err != nil {
		t.Error(err)
	}
}
