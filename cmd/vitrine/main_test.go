package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vitrine-sim/vitrine/agents/confine"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/world"
)

// The scripts call the command by its name; then the test binary is the command.
func TestMain(m *testing.M) {
	confine.Main()
	testscript.Main(m, map[string]func(){"vitrine": main})
}

var update = flag.Bool("update", false, "write what the scripts print into their golden text")

// Each script in testdata is a behaviour that a user sees. It finds the first scenario as fishery.toml and has these commands of its own:
//
//	exits CODE PROGRAM ARG...  run a program that must end with this exit code
//	replace OLD NEW FROM TO    write FROM to TO with NEW for each OLD, of which there must be one
//	shape FILE                 write the keys and types of a JSON document to the file "shape"
//	mask FILE                  write a text without its times to the file "masked"
//	flip FILE LINE             flip one bit in the middle of a line
//	cut FILE BYTES             cut off the end of a file
//	hold RUN                   hold the lease of a run until the script ends
//	await FILE                 wait until there is a file
//	logged RUN WHAT            wait until an operator has done that, or there is an event of that kind
//	build PACKAGE FILE         build a program of this module, whose folder of examples is $EXAMPLES
//	crowd N FILE               write a scenario with N agents
//	[!] within DIR TEXT        a file below the folder holds the text
//	[!] control FILE           the text holds a control character other than a line break
//
// A FILE may be stdout or stderr.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		UpdateScripts:      *update,
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			for _, path := range []string{
				"scenarios/cleanup.toml", "scenarios/fishery.toml", "scenarios/harvest.toml", "scenarios/life.toml", "scenarios/werewolf.toml",
				"scenarios/pasture.toml", "scenarios/pollution.toml", "scenarios/pasture.star", "world/star/testdata/fishery.star",
				"scenarios/prisoners.toml", "scenarios/prisoners.star", "scenarios/publicgoods.toml", "scenarios/publicgoods.star",
				"scenarios/matrix.star", "scenarios/rps.toml", "scenarios/staghunt.toml", "scenarios/chicken.toml", "scenarios/bos.toml",
				"scenarios/auction.toml", "scenarios/auction.star", "scenarios/village.toml", "scenarios/village.star",
			} {
				src, err := os.ReadFile(filepath.Join("..", "..", path))
				if err == nil {
					err = os.WriteFile(filepath.Join(env.WorkDir, filepath.Base(path)), src, 0o600)
				}
				if err != nil {
					return err
				}
			}
			path, err := exec.LookPath("vitrine")
			if err != nil {
				return err
			}
			examples, err := filepath.Abs(filepath.Join("..", "..", "examples"))
			if err != nil {
				return err
			}
			env.Setenv("EXAMPLES", examples)
			env.Setenv("VITRINE", path)
			env.Setenv("GORACE", "atexit_sleep_ms=0")    // else the race detector sleeps a second at each exit
			env.Setenv("PID", strconv.Itoa(os.Getpid())) // of whoever holds a lease
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "shape": writeShape, "mask": mask, "flip": flip, "cut": cut, "hold": hold, "crowd": crowd,
			"within": within, "control": control, "replace": replace, "await": await, "logged": logged, "build": buildProgram,
		},
	})
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit := (*exec.ExitError)(nil)
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code is %d, want %d", got, want)
	}
}

func writeShape(ts *testscript.TestScript, _ bool, args []string) {
	var doc any
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(dec.Decode(&doc))
	if dec.More() {
		ts.Fatalf("%s holds more than one document", args[0])
	}
	lines := shape("", doc)
	slices.Sort(lines)
	ts.Check(os.WriteFile(ts.MkAbs("shape"), []byte(strings.Join(slices.Compact(lines), "\n")+"\n"), 0o600))
}

// shape returns the path and the type of every value in a JSON document, in no order.
func shape(path string, v any) []string {
	var lines []string
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			lines = append(lines, shape(path+"."+key, value)...)
		}
	case []any:
		for _, value := range v {
			lines = append(lines, shape(path+"[]", value)...)
		}
	default:
		lines = append(lines, fmt.Sprintf("%s %T", path, v))
	}
	return lines
}

func mask(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	for pattern, mask := range map[string]string{
		`\d+\.\d s`:                      "#.# s",
		`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`: "DATE",
		`\d+ MiB are available to .*, for at most \d+ of them; \d+ start`: "# MiB are available to the machine, for at most # of them; # start",
	} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, mask)
	}
	ts.Check(os.WriteFile(ts.MkAbs("masked"), []byte(text), 0o600))
}

func flip(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	lines := strings.SplitAfter(ts.ReadFile(args[0]), "\n")
	line := []byte(lines[n-1])
	line[len(line)/2] ^= 1
	lines[n-1] = string(line)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(lines, "")), 0o600))
}

func cut(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), int64(len(ts.ReadFile(args[0]))-n)))
}

func hold(ts *testscript.TestScript, _ bool, args []string) {
	lease, err := world.Acquire(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Defer(func() { ts.Check(lease.Release()) })
}

func await(ts *testscript.TestScript, _ bool, args []string) { ts.Check(appears(ts.MkAbs(args[0]))) }

// logged waits until an operator has done something of that kind in a run, or there is an event of that kind.
func logged(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for ev, err := range world.Follow(ctx, ts.MkAbs(args[0]), 0) {
		ts.Check(err)
		if ev.Kind == args[1] || ev.Kind == arena.KindOperator && strings.Contains(string(ev.Data), `"do":"`+args[1]+`"`) {
			return
		}
	}
	ts.Fatalf("there is no %s in %s within a minute", args[1], args[0])
}

func buildProgram(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command("go", "build", "-o", ts.MkAbs(args[1]), args[0])
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		ts.Fatalf("%v: %s", err, out)
	}
}

func crowd(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(crowdScenario(n)), 0o600))
}

// crowdScenario returns a lake with n agents, two turns long.
func crowdScenario(n int) string {
	var text strings.Builder
	text.WriteString("[rules]\nname = \"fishery\"\nturns = 2\n")
	for i := range n {
		fmt.Fprintf(&text, "\n[[agents]]\nname = \"a%d\"\npolicy = \"steady\"\n", i)
	}
	return text.String()
}

func within(ts *testscript.TestScript, neg bool, args []string) {
	found := filesWith(ts.MkAbs(args[0]), args[1])
	if neg && len(found) > 0 || !neg && len(found) == 0 {
		ts.Fatalf("files below %s that hold %q: %q", args[0], args[1], found)
	}
}

// filesWith returns the files below a folder that hold a text, compressed or not, or have it in their name.
func filesWith(dir, text string) []string {
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Type().IsRegular() {
			raw, err := os.ReadFile(path)
			if err == nil && strings.HasSuffix(path, ".gz") {
				raw, err = unzipped(raw)
			}
			if err != nil {
				return err
			}
			if strings.Contains(string(raw), text) || strings.Contains(d.Name(), text) {
				found = append(found, path)
			}
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
	return found
}

func unzipped(raw []byte) ([]byte, error) {
	unzip, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unzip)
}

func control(ts *testscript.TestScript, neg bool, args []string) {
	at := strings.IndexFunc(ts.ReadFile(args[0]), func(r rune) bool {
		return r < ' ' && r != '\n' || 0x7f <= r && r < 0xa0 || r == 0x202e
	})
	if neg != (at < 0) {
		ts.Fatalf("first control character of %s is at %d", args[0], at)
	}
}

func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: replace OLD NEW FROM TO")
	}
	text := ts.ReadFile(args[2])
	if !strings.Contains(text, args[0]) {
		ts.Fatalf("%s does not hold %q", args[2], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(strings.ReplaceAll(text, args[0], args[1])), 0o600))
}
