package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// looks is what an agent does in its shell to read the facts that it may, those that it may not, and to change them.
const looks = `exec 2>/dev/null
cat ../world/lake/tons.json
(cd ../world && find . -name '*.json' | sort | tr '\n' ' '); echo
cat ../../../events.jsonl && echo READ-LOG
echo 1000 >../world/lake/tons.json && echo WROTE
echo 1000 >../world/new.json && echo MADE
rm -r ../world ../facts && echo REMOVED
mv ../facts ../gone && echo MOVED
ln -sf /etc ../facts/now && echo LINKED
cat ../../*/world/agents/*/total.json`

// seen returns the state that agents saw in a turn in which all act at once.
func (r *run) seen(t *testing.T, turn int) world.State {
	t.Helper()
	var st world.State
	for ev, err := range world.Events(r.dir) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Kind == arena.KindAction && ev.Turn == turn {
			return st
		}
		st = st.Apply(ev)
	}
	t.Fatalf("nobody acts in turn %d", turn)
	return st
}

func TestAgentsReadTheFactsThatTheirScenarioShows(t *testing.T) {
	p := build(t)
	dir := t.TempDir()
	script := "(" + looks + ") >>said"
	writeFisher(t, dir, "", script)
	scenario := filepath.Join(dir, "pond.toml")
	if err := os.WriteFile(scenario, fmt.Appendf(nil, `workdir = "template"
prompt = "Fish."
facts = ["lake/tons", "agents/{name}/*"]
rules = { name = "fishery", turns = 3 }
[[offline.script]]
tools = [
  { name = "Bash", args = { command = %s } },
  { name = "Read", args = { file_path = "../world/lake/tons.json" } },
  { name = "Read", args = { file_path = "../world/lake/turns.json" } },
]
[[agents]]
name = "a"
tools = ["Bash", "Read"]
policy = "steady"
[[agents]]
name = "b"
kind = "exec"
command = ["bash", "player.sh"]
[[agents]]
name = "c"
kind = "exec"
command = ["bash", "player.sh"]
facts = []
`, world.JSON(script)), 0o644); err != nil {
		t.Fatal(err)
	}
	r := p.start(t, nil, scenario, "--offline")
	result := r.exits(t, 0)
	r.verify(t)
	for _, a := range result.Agents {
		folder := arena.AgentDir(r.dir, a.Name)
		raw, err := os.ReadFile(filepath.Join(folder, "work", "said"))
		if err != nil {
			t.Fatal(err)
		}
		var want strings.Builder
		for turn := range 3 {
			var tons, total int
			st := r.seen(t, turn)
			if err := errors.Join(st.Get("lake/tons", &tons), st.Get("agents/"+a.Name+"/total", &total)); err != nil {
				t.Fatal(err)
			}
			files := "./lake/tons.json"
			for _, name := range []string{"turn", "total", "caught", "asked"} {
				files = fmt.Sprintf("./agents/%s/%s.json %s", a.Name, name, files)
			}
			fmt.Fprintf(&want, "%d\n%s \n%d\n", tons, files, total)
		}
		if a.Name == "c" {
			want.Reset()
			want.WriteString("\n\n\n")
			for _, name := range []string{world.FactsLink, world.FactsFolder} {
				if _, err := os.Lstat(filepath.Join(folder, name)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s of %s: %v", name, a.Name, err)
				}
			}
		}
		if string(raw) != want.String() {
			t.Errorf("%s says %q, want %q", a.Name, raw, want.String())
		}
		if a.Status != arena.StatusDone || a.Actions != 3 {
			t.Errorf("%s is %s after %d actions", a.Name, a.Status, a.Actions)
		}
	}
	transcript, err := os.ReadFile(filepath.Join(arena.AgentDir(r.dir, "a"), "transcript.jsonl"))
	if err != nil || strings.Count(string(transcript), `1\t100`) == 0 && strings.Count(string(transcript), `1→100`) == 0 || strings.Contains(string(transcript), "denied") {
		t.Errorf("the tool Read has not read the facts: %s, %v", transcript, err)
	}
}
