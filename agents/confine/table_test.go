package confine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

var update = flag.Bool("update", false, "write what works behind each boundary into the golden tables")

// A row is a boundary and what works behind it.
type row struct {
	Uses  uses
	Error string // it does not hold, or was not tried
	Works []string
}

// whatWorks makes the attacks behind each boundary that this user can have.
func whatWorks(ctx context.Context) []row {
	var rows []row
	for _, u := range parts(Find(ctx).uses) {
		outcomes, err := Boundary{uses: u}.Canary(ctx)
		r := row{Uses: u}
		if err != nil {
			r.Error = err.Error()
		}
		for _, o := range outcomes {
			if o.Worked {
				r.Works = append(r.Works, o.Attack)
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// short names a boundary in the head of a table.
func (u uses) short() string {
	var name strings.Builder
	for _, m := range []struct {
		used bool
		name string
	}{{u.UID, "U"}, {u.Spaces, "N"}, {u.Landlock, "L"}, {u.Seccomp, "S"}} {
		if m.used {
			name.WriteString(m.name)
		}
	}
	return cmp.Or(name.String(), "-")
}

// table says of each attack behind which boundaries it works.
func table(rows []row) string {
	var out strings.Builder
	line := func(name string, cell func(row) string) {
		cells := []string{fmt.Sprintf("%-42s", name)}
		for _, r := range rows {
			cells = append(cells, fmt.Sprintf("%-4s", cell(r)))
		}
		fmt.Fprintln(&out, strings.TrimRight(strings.Join(cells, " "), " "))
	}
	line("level", func(r row) string { return string(Boundary{uses: r.Uses}.Level()) })
	line("uses", func(r row) string { return r.Uses.short() })
	for _, a := range attacks() {
		line(a.name, func(r row) string {
			if slices.Contains(r.Works, a.name) {
				return "yes"
			}
			return "."
		})
	}
	return out.String()
}

// The tables say what works, so that an attack that begins to work is seen, and one that is stopped by more than before. In their heads U is
// a user of its own for each agent, N namespaces, L Landlock, and S seccomp.
func TestWhatWorksBehindEachBoundaryIsInTheTables(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("run the tests as root: else only half of the tables can be tried")
	}
	for name, rows := range map[string][]row{"root": whatWorks(t.Context()), "other": whatWorksForAnother(t)} {
		path := filepath.Join("testdata", "works_"+name+".txt")
		got, tried := table(rows), 0
		for _, r := range rows {
			if tried++; r.Error != "" {
				t.Errorf("%s: %s: %s", name, r.Uses.short(), r.Error)
			}
		}
		if want := map[string]int{"root": 16, "other": 8}[name]; tried != want {
			t.Errorf("%s: of %d boundaries %d were not run, because this machine lacks what they use: %s", name, want, want-tried, Find(t.Context()).Missing())
		}
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Error(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || got != string(want) {
			t.Errorf("%s: what works is not what %s says: %v\n%s", name, path, err, got)
		}
	}
}

// whatWorksForAnother makes the attacks behind the boundaries of a user that is not root.
func whatWorksForAnother(t *testing.T) []row {
	t.Helper()
	self, tmp := forOther(t)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Dir, cmd.Env = tmp, append(os.Environ(), "TMPDIR="+tmp, "HOME="+tmp, roleVar+"=table")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: testUID, Gid: testUID}}
	out, err := cmd.Output()
	var rows []row
	if err = errors.Join(err, json.Unmarshal(out, &rows)); err != nil {
		t.Errorf("as user %d: %v: %s", testUID, err, out)
	}
	return rows
}
