package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/vitrine-sim/vitrine/agents/claude"
)

// A finding is what doctor says of one thing: what is there, and what follows.
type finding struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Found   string `json:"found"`
	Follows string `json:"follows"`
}

// A diagnosis is what "doctor --json" prints. OK says that Claude Code can play here.
type diagnosis struct {
	OK       bool      `json:"ok"`
	Findings []finding `json:"findings"`
}

// doctor says what this machine has, by trying it.
func doctor(ctx context.Context, a *app, _ []string) (any, error) {
	npm := findTool(ctx, "npm", "fetches Claude Code where there is none", "--version")
	bin := findClaude(ctx, npm.OK)
	memory := findMemory()
	doc := diagnosis{OK: bin.OK && memory.OK, Findings: []finding{
		findTool(ctx, "go", "only builds vitrine; playing does not need it", "version"),
		npm, bin, memory,
		{"cores", true, fmt.Sprint(runtime.GOMAXPROCS(0)), "as many agents start at once, and as many requests to the offline model run at once"},
		findLandlock(), findUserNamespaces(ctx), findControlGroups(),
	}}
	for _, f := range doc.Findings {
		mark := "ok"
		if !f.OK {
			mark = "--"
		}
		fmt.Fprintf(a.out, "%s  %-16s %s\n    %-16s %s\n", mark, f.Name, f.Found, "", f.Follows)
	}
	if !doc.OK {
		return doc, errors.New("no Claude Code can play here; scripted agents can: --agents scripted --policy steady")
	}
	return doc, nil
}

func findTool(ctx context.Context, name, follows string, args ...string) finding {
	path, err := exec.LookPath(name)
	if err != nil {
		return finding{name, false, "not on PATH", follows}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).Output()
	if err != nil {
		return finding{name, false, fmt.Sprintf("%s: %v", path, err), follows}
	}
	return finding{name, true, strings.TrimSpace(string(out)) + " at " + path, follows}
}

func findClaude(ctx context.Context, npm bool) finding {
	f := finding{Name: "claude code"}
	path, cached := claude.Cached()
	onPath, err := exec.LookPath("claude")
	if err == nil {
		bin, err := claude.Inspect(ctx, onPath)
		switch {
		case err == nil && bin.Tested:
			return finding{f.Name, true, bin.Version + " at " + onPath, "a tested version, used as it is"}
		case err != nil:
			f.Found = err.Error() + "; "
		default:
			f.Found = bin.Version + " at " + onPath + " is not a tested version; "
		}
	}
	pinned := claude.Tested()[0]
	switch {
	case cached:
		f.OK, f.Found, f.Follows = true, f.Found+pinned+" at "+path, "the pinned version, used as it is"
	case npm:
		f.OK, f.Found, f.Follows = true, f.Found+"none yet", "the first run fetches "+pinned+" through npm into "+path
	default:
		f.Found, f.Follows = f.Found+"none", "install npm, or name an executable with --claude; scripted agents play without it"
	}
	return f
}

func findMemory() finding {
	free, err := availableMemory()
	if err != nil {
		return finding{"memory", false, err.Error(), "how many agents fit is not known, so none is started"}
	}
	return finding{
		"memory", free >= grownMemory, fmt.Sprintf("%d MiB available", free>>20),
		fmt.Sprintf("at most %d Claude Code agents: each needs %d MiB at start and %d MiB once grown", free/grownMemory, startMemory>>20, grownMemory>>20),
	}
}

// findLandlock asks the kernel for the version of its Landlock (landlock_create_ruleset(2) with LANDLOCK_CREATE_RULESET_VERSION).
func findLandlock() finding {
	const createRuleset, askVersion = 444, 1
	abi, _, errno := syscall.Syscall(createRuleset, 0, 0, askVersion)
	if errno != 0 {
		return finding{"landlock", false, "not here: " + errno.Error(), "the kernel cannot keep a process to its own files; not used yet"}
	}
	return finding{"landlock", true, fmt.Sprintf("ABI %d", abi), "the kernel can keep a process to its own files; not used yet"}
}

// findUserNamespaces makes one in a child.
func findUserNamespaces(ctx context.Context) finding {
	follows := "the way to an empty network and a private /proc without being root; not used yet"
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{os.Args[0], "version"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if err := cmd.Run(); err != nil {
		return finding{"user namespaces", false, "refused: " + err.Error(), follows}
	}
	return finding{"user namespaces", true, "allowed, tried in a child", follows}
}

// findControlGroups makes a group of its own where it may, and removes it again.
func findControlGroups() finding {
	follows := "a limit on each agent's memory and processor time by the kernel; not used yet"
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(root + "/cgroup.controllers"); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		group := fmt.Sprintf("%s/vitrine-doctor-%d", root, os.Getpid())
		if err := os.Mkdir(group, 0o755); err != nil {
			return finding{"control groups", false, "version 2 at " + root + ", not ours to use: " + err.Error(), follows}
		}
		if err := os.Remove(group); err != nil {
			return finding{"control groups", false, err.Error(), follows}
		}
		return finding{"control groups", true, "version 2 at " + root + ", tried", follows}
	}
	return finding{"control groups", false, "no version 2 here", follows}
}
