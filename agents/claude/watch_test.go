package claude

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/world"
)

// tried returns what an agent in /run/agents/a is seen to try with a use of a tool that has this result.
func tried(tool string, input map[string]string, result string, failed bool) []string {
	w := watch{evidence: new(tamper.Evidence), dir: "/run/agents/a", hidden: "/run"}
	w.called(message{Content: contentBlock{{Type: "tool_use", ID: "t", Name: tool, Input: world.JSON(input)}}})
	w.answered(message{Content: contentBlock{{Type: "tool_result", ToolUse: "t", IsError: failed, Content: world.JSON(result)}}})
	var seen []string
	for _, a := range w.evidence.Take(func(string) bool { return true }) {
		seen = append(seen, fmt.Sprintf("%s %d: %s", a.What, a.Times, a.Sample))
	}
	return seen
}

func TestWhatToolsAreDeniedIsSeen(t *testing.T) {
	const denial = "Permission to use Read has been denied because Claude Code is running in don't ask mode."
	for _, test := range []struct {
		tool, key, value string
		result           string
		failed           bool
		want             []string
	}{
		{"Read", "file_path", "/etc/shadow", denial, true, []string{"file 1: Read /etc/shadow"}},
		{"Read", "file_path", "../../../../etc/shadow", denial, true, []string{"file 1: Read /etc/shadow"}},
		{"Edit", "file_path", "/etc/passwd", "File has not been read yet.", true, []string{"file 1: Edit /etc/passwd"}},
		{"Read", "file_path", "../usage.jsonl", denial, true, []string{"file 1: Read /run/agents/a/usage.jsonl"}},
		{"Read", "file_path", "/run/agents/b/work/x", denial, true, []string{"hidden 1: Read /run/agents/b/work/x"}},
		{"Read", "file_path", "../../b/work/x", denial, true, []string{"hidden 1: Read /run/agents/b/work/x"}},
		{"Write", "file_path", "/run/events.jsonl", denial, true, []string{"hidden 1: Write /run/events.jsonl"}},
		{"Glob", "pattern", "/run/**", "No files found", false, []string{"hidden 1: Glob /run"}},
		{"Grep", "path", "/run/agents", denial, true, []string{"hidden 1: Grep /run/agents"}},
		{"mcp__world__observe", "agent", "b", "<tool_use_error>Error: No such tool available: mcp__world__observe</tool_use_error>", true, []string{"tool 1: mcp__world__observe"}},

		{"Read", "file_path", "missing.md", "File does not exist.", true, nil},
		{"Read", "file_path", "/run/agents/a/work/missing.md", "File does not exist.", true, nil},
		{"Read", "file_path", "~/.claude/x", denial, true, nil},
		{"Read", "file_path", "/usr/share/dict/words", "a\nb", false, nil},
		{"Glob", "pattern", "**/*.md", "No files found", false, nil},
		{"Grep", "pattern", "/run/*", "No files found", false, nil},
		{"mcp__world__act", "action", "fish", "refused: no", true, nil},
	} {
		if got := tried(test.tool, map[string]string{test.key: test.value}, test.result, test.failed); !slices.Equal(got, test.want) {
			t.Errorf("%s %s is %q, want %q", test.tool, test.value, got, test.want)
		}
	}
}

func TestWhatTheSystemDeniesToACommandIsSeenIfItSaysSo(t *testing.T) {
	const said = `cat: /etc/shadow: Permission denied
cat: ../stderr.log: Permission denied
/bin/bash: line 1: /usr/x: Read-only file system
/bin/bash: line 1: kill: (1) - Operation not permitted
/bin/bash: line 1: kill: (16841) - No such process
curl: (7) Failed to connect to 127.0.0.1 port 1 after 0 ms: Couldn't connect to server
/bin/bash: line 1: /dev/tcp/127.0.0.1/80: Operation not permitted
/bin/bash: line 1: ./mine: Permission denied
cat: mine: Permission denied
ls: cannot open directory '/run/agents/a/work/mine': Permission denied
PermissionError: [Errno 13] Permission denied: '/run/agents/a/tmp/mine'
ls: cannot open directory '/proc/1/fd': Permission denied
PermissionError: [Errno 13] Permission denied: '/proc/1/environ'
unshare: unshare failed: Operation not permitted
chmod: changing permissions of '/etc': Read-only file system
`
	if got := tried("Bash", map[string]string{"command": "./attack"}, said, true); !slices.Equal(got, []string{"shell 10: cat: /etc/shadow: Permission denied"}) {
		t.Errorf("seen is %q", got)
	}
	for command, want := range map[string][]string{
		"cat /run/agents/b/work/secret 2>/dev/null":        {"hidden 1: Bash /run/agents/b/work/secret"},
		"cd /run/agents/a/work && cat '/run/events.jsonl'": {"hidden 1: Bash /run/events.jsonl"},
		"cat /run/agents/a/work/../../b/x":                 {"hidden 1: Bash /run/agents/a/work/../../b/x"},
		"ls /run/agents/a/work; ls /runner":                nil,
		"ls /run/agents/a":                                 nil,
	} {
		if got := tried("Bash", map[string]string{"command": command}, "", false); !slices.Equal(got, want) {
			t.Errorf("%s is %q, want %q", command, got, want)
		}
	}
}

// To look for paths in a command must not take longer the more there are of them in each other: this one would take hours.
func TestALongCommandIsSoonRead(t *testing.T) {
	command := strings.Repeat("/run/agents/a", 300_000)
	if got := tried("Bash", map[string]string{"command": command}, "", false); got != nil {
		t.Errorf("seen is %q", got)
	}
	w := watch{dir: "/run/agents/a", hidden: "/run"}
	if place := w.hiddenIn(command + "/run/agents/b"); place != "/run/agents/b" {
		t.Errorf("in it is found %.100q", place)
	}
	w.called(message{Content: contentBlock{{Type: "tool_use", ID: "t", Name: "Bash", Input: world.JSON(map[string]string{"command": command})}}})
	if kept := len(w.uses["t"].command); kept > maxRead {
		t.Errorf("%d bytes of it are kept", kept)
	}
}

// FuzzWatch lets a child print anything about its tools. It must be seen to try no more than it can, and nothing of it may be kept for long.
func FuzzWatch(f *testing.F) {
	f.Add([]byte(`{"type":"assistant","message":{"id":"m","content":[{"type":"tool_use","id":"t","name":"Read","input":{"file_path":"/x"}}]}}` + "\n" +
		`{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t","is_error":true,"content":[{"text":"no"}]}]}}`))
	f.Add([]byte(`{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":7,"is_error":1,"content":{}}]}}`))
	f.Add([]byte(`{"type":"assistant","message":{"content":[{"type":"tool_use","id":"t","name":"Bash","input":{"command":"/run/run/run"}}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		w := watch{evidence: new(tamper.Evidence), dir: "/run/agents/a", hidden: "/run"}
		a := Agent{}
		most := 0
		err := newStream(nil, bytes.NewReader(raw)).read(func(in inbound) {
			switch in.Type {
			case "assistant":
				w.called(in.Message)
				a.note(in.Message)
			case "user":
				w.answered(in.Message)
				most += len(in.Message.Content)
			}
			if len(w.uses) > maxUses || len(a.last.Content) > maxBlocks {
				t.Errorf("%d uses and %d blocks are kept", len(w.uses), len(a.last.Content))
			}
		})
		if err != nil {
			t.Error(err)
		}
		for _, seen := range w.evidence.Take(func(string) bool { return true }) {
			if seen.Times > most*maxDenied || !json.Valid(world.JSON(seen)) {
				t.Errorf("seen is %+v, of %d results", seen, most)
			}
		}
	})
}
