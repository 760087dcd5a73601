//go:build containers

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/agents/claude"
)

// bare is the name of an image that holds what Debian calls its smallest base, and curl.
const bare = "docker.io/library/debian:bookworm-slim"

// five are the capabilities of a supervisor that gives each agent a user of its own.
var five = []string{"--cap-add", "SETUID,SETGID,KILL,CHOWN,DAC_OVERRIDE"}

// containers are those of a store of their own, which is gone with the test.
type containers struct {
	dir     string // that any user can get to
	vitrine program
	profile string // Docker's default seccomp profile
}

// TestInContainers lets real Claude Code processes play, and attack each other, in containers: by podman with runc, and with runsc, which is
// gVisor. What this machine cannot run fails and says NOT RUN. It takes minutes; "make containers" installs what it needs.
func TestInContainers(t *testing.T) {
	for _, tool := range []string{"podman", "runc", "debootstrap", "dpkg-deb", "apt-get"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Errorf("NOT RUN: %v: make containers installs it on Debian", err)
		}
	}
	if os.Getuid() != 0 {
		t.Error("NOT RUN: the image is made by root")
	}
	if t.Failed() {
		return
	}
	c := newContainers(t)
	docker := []string{"--security-opt", "seccomp=" + c.profile}
	everywhere := []string{"ask netlink for the network's interfaces"}
	one := append(slices.Clone(everywhere), "open a pidfd of the neighbour")
	same := []string{
		"ask netlink for the network's interfaces", "chmod the neighbour's file", "connect to the neighbour's unix socket", "open a pidfd of the neighbour",
		"set the neighbour's priority", "set the neighbour's processors", "set the times of the neighbour's file", "stat the neighbour's file",
	}
	t.Run("root with five capabilities, Docker's profile", func(t *testing.T) {
		c.carries(t, place{user: 0, level: "A", flags: slices.Concat(docker, five), works: one, fight: true})
	})
	t.Run("a user, Docker's profile", func(t *testing.T) {
		c.carries(t, place{user: 1000, level: "C", flags: docker, works: same, fight: true})
	})
	t.Run("a user, Podman's profile", func(t *testing.T) {
		c.carries(t, place{user: 1000, level: "B", works: everywhere})
	})
	t.Run("gVisor, which does not keep agents apart", func(t *testing.T) {
		if _, err := exec.LookPath("runsc"); err != nil {
			t.Fatalf("NOT RUN: %v: make containers installs it on Debian", err)
		}
		c.refusesToPlay(t, place{user: 0, level: "D", flags: five, runtime: "runsc"}, []string{
			"list the neighbour's /proc/PID/fd", "read the neighbour's /proc/PID/environ", "read the neighbour's /proc/PID/maps",
			"set the neighbour's priority", "set the neighbour's processors",
		})
		c.refusesToPlay(t, place{user: 1000, level: "F", runtime: "runsc"}, nil)
	})
}

// newContainers makes the image, and the command to run in it.
func newContainers(t *testing.T) *containers {
	t.Helper()
	c := &containers{dir: openDir(t)}
	c.vitrine = program(filepath.Join(c.dir, "vitrine"))
	c.profile = filepath.Join(c.dir, "docker.json")
	if err := errors.Join(os.Link(string(build(t)), string(c.vitrine)), os.Link(claude.CachePath(), filepath.Join(c.dir, "claude"))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, args := range [][]string{{"rm", "--all", "--force", "--time", "0"}, {"rmi", "--all", "--force"}} {
			if out, err := exec.Command("podman", c.podman("", args...)...).CombinedOutput(); err != nil {
				t.Errorf("podman %q: %v: %s", args, err, out)
			}
		}
		_ = exec.Command("umount", filepath.Join(c.dir, "store", "overlay")).Run() // it may not be mounted
	})
	root := filepath.Join(c.dir, "root")
	must(t, c.dir, "debootstrap", "--variant=minbase", "--include=curl", "bookworm", root)
	must(t, c.dir, "tar", "-C", root, "-cf", "root.tar", ".")
	must(t, c.dir, "podman", c.podman("", "import", "root.tar", bare)...)
	must(t, c.dir, "apt-get", "download", "golang-github-docker-docker-dev")
	packages, err := filepath.Glob(filepath.Join(c.dir, "*.deb"))
	if err != nil || len(packages) != 1 {
		t.Fatalf("the packages with Docker's profile are %q, %v", packages, err)
	}
	must(t, c.dir, "dpkg-deb", "-x", packages[0], "docker")
	const at = "docker/usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/default.json"
	if err := os.Rename(filepath.Join(c.dir, at), c.profile); err != nil {
		t.Fatal(err)
	}
	return c
}

// must runs a program that must not fail.
func must(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("NOT RUN: %s %q: %v: %s", name, args, err, out)
	}
}

// podman returns the arguments of a podman that has a store of its own.
func (c *containers) podman(runtime string, args ...string) []string {
	all := []string{"--root", filepath.Join(c.dir, "store"), "--runroot", filepath.Join(c.dir, "state"), "--cgroup-manager", "cgroupfs"}
	switch runtime {
	case "runsc":
		all = append(all, "--runtime", "runsc", "--runtime-flag", "platform=ptrace", "--runtime-flag", "network=none")
	default:
		all = append(all, "--runtime", "runc")
	}
	return append(all, args...)
}

// A place is a container of a kind, and what is to be found in it.
type place struct {
	user    int
	flags   []string // of podman run, besides those that all have
	runtime string   // empty: runc
	level   string
	works   []string // of the canary's attacks, in the order of their names
	fight   bool     // the shells of real agents attack each other as well
}

// in returns the command in such a container. It sees these folders, and plays in dir.
func (c *containers) in(t *testing.T, at place, dir string, sees ...string) program {
	t.Helper()
	if err := os.Chown(dir, at.user, at.user); err != nil {
		t.Fatal(err)
	}
	args := c.podman(at.runtime, "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
		"--ulimit", "nofile=20000:20000", "--ulimit", "nproc=4096:4096", "--user", fmt.Sprintf("%d:%d", at.user, at.user),
		"--tmpfs", "/tmp:rw,mode=1777,size=128m", "--env", "HOME=/tmp", "--env", "ANTHROPIC_API_KEY", "--volume", dir+":"+dir,
		"--volume", string(c.vitrine)+":/usr/local/bin/vitrine:ro", "--volume", filepath.Join(c.dir, "claude")+":/usr/local/bin/claude:ro")
	for _, path := range sees {
		args = append(args, "--volume", path+":"+path+":ro")
	}
	var script strings.Builder
	script.WriteString("#!/bin/sh\nexec podman")
	for _, arg := range slices.Concat(args, at.flags, []string{bare, "vitrine"}) {
		script.WriteString(" '" + arg + "'")
	}
	script.WriteString(" \"$@\"\n")
	path := filepath.Join(t.TempDir(), "vitrine")
	if err := os.WriteFile(path, []byte(script.String()), 0o700); err != nil {
		t.Fatal(err)
	}
	return program(path)
}

// scenarioDir is where the scenarios are, as it is called in a container too.
func scenarioDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Dir(fisheryFile()))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// carries demands that the level and the canary are what they should be, and that five agents play there as they do elsewhere.
func (c *containers) carries(t *testing.T, at place) {
	t.Helper()
	dir, scenarios := openDir(t), scenarioDir(t)
	p := c.in(t, at, dir, scenarios)
	if d := p.diagnose(t); !d.OK || d.level() != at.level || !slices.Equal(d.works(), at.works) {
		t.Errorf("doctor finds level %s, and what works is %q: %s", d.level(), d.works(), d)
	}
	want := c.vitrine.start(t, nil, fisheryFile(), "--agents", "scripted").exits(t, 0)
	got := p.startIn(t, dir, nil, "run", "--json", "--out", dir, filepath.Join(scenarios, "fishery.toml"), "--offline").exits(t, 0)
	if got.Hash != want.Hash || len(got.Agents) != 5 {
		t.Errorf("%d agents play to the hash %s, not %s", len(got.Agents), got.Hash, want.Hash)
	}
	t.Logf("level %s, %d attacks of the canary work: %q; five agents play in %d ms to the hash %s", at.level, len(at.works), at.works, got.WallMS, got.Hash)
	if at.fight {
		file, dir := writeBesieged(t), openDir(t)
		p := c.in(t, at, dir, filepath.Dir(file))
		r := p.startIn(t, dir, []string{"ANTHROPIC_API_KEY=" + canary}, "run", "--json", "--out", dir, file, "--offline")
		holdsOut(t, r, at.level, inContainer)
	}
}

// inContainer returns the number of a process in its innermost PID namespace.
func inContainer(pid int) int {
	status, _ := os.ReadFile(procFile(pid, "status"))
	numbers := strings.Fields(string(regexp.MustCompile(`(?m)^NSpid:.*$`).Find(status)))
	if len(numbers) < 2 {
		return 0
	}
	pid, _ = strconv.Atoi(numbers[len(numbers)-1])
	return pid
}

// refusesToPlay demands that agents are not let loose on each other where the canary sees that they could reach each other.
func (c *containers) refusesToPlay(t *testing.T, at place, leaks []string) {
	t.Helper()
	dir, scenarios := openDir(t), scenarioDir(t)
	p := c.in(t, at, dir, scenarios)
	d := p.diagnose(t)
	if got := d.broken(); d.OK || d.level() != at.level || !slices.Equal(got, leaks) {
		t.Errorf("doctor finds level %s, and what works that must not is %q: %s", d.level(), got, d)
	}
	out, err := exec.CommandContext(t.Context(), string(p), "run", "--out", dir, filepath.Join(scenarios, "fishery.toml"), "--offline").CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() > 2 {
		t.Errorf("the run ends with %v: %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "agents")); err == nil {
		t.Error("agents have begun")
	}
	t.Logf("NOT RUN with agents: at level %s the canary fails with %q, so a run is refused: %s", at.level, leaks, bytes.TrimSpace(out))
	args := []string{"run", "--json", "--out", dir, filepath.Join(scenarios, "fishery.toml"), "--agents", "scripted", "--policy", "steady"}
	if result := p.startIn(t, dir, nil, args...).exits(t, 0); result.Turns != 12 {
		t.Errorf("scripted agents play %d turns", result.Turns)
	}
}

// diagnose asks doctor.
func (p program) diagnose(t *testing.T) diagnosis {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), string(p), "doctor", "--json")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output() // it fails where nothing can play
	var d diagnosis
	if jsonErr := json.Unmarshal(out, &d); jsonErr != nil {
		t.Fatalf("NOT RUN: doctor says %q: %v: %s", out, err, &stderr)
	}
	return d
}

func (d diagnosis) level() string {
	at := slices.IndexFunc(d.Findings, func(f finding) bool { return f.Name == "isolation" })
	return strings.TrimPrefix(d.Findings[at].Found, "level ")
}

// works returns the attacks that work, and broken those of them that must not.
func (d diagnosis) works() []string { return d.attacks(false) }

func (d diagnosis) broken() []string { return d.attacks(true) }

func (d diagnosis) attacks(must bool) []string {
	var names []string
	for _, o := range d.Attacks {
		if o.Worked && (o.Must || !must) {
			names = append(names, o.Attack)
		}
	}
	slices.Sort(names)
	return names
}

func (d diagnosis) String() string {
	raw, err := json.Marshal(d.Findings)
	return fmt.Sprintf("%s, %v", raw, err)
}
