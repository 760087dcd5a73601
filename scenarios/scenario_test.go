package scenarios

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

// least is the smallest scenario there is.
const least = "rules.name = \"fishery\"\nagents = [{ name = \"a\" }]\n"

func TestTheFisheryIsWhatItSays(t *testing.T) {
	s, err := Load("fishery.toml", nil)
	if err != nil {
		t.Fatal(err)
	}
	rules := struct {
		Turns    int `toml:"turns"`
		Capacity int `toml:"capacity"`
		Collapse int `toml:"collapse"`
	}{}
	if err := Join(s.DecodeRules(&rules), s.TellRules()); err != nil {
		t.Fatal(err)
	}
	if rules.Turns != 12 || rules.Capacity != 100 || rules.Collapse != 5 {
		t.Errorf("the parameters of the rules are %+v", rules)
	}
	if s.Name != "fishery" || s.Rules.Name != "fishery" || s.Seed != 1 || s.Schedule != Parallel {
		t.Errorf("got name %q, rules %q, seed %d, schedule %q", s.Name, s.Rules.Name, s.Seed, s.Schedule)
	}
	want := Limits{Turns: 20, Time: time.Hour, Act: 2 * time.Minute, OnTimeout: Pass, OnInvalid: Pass, OnError: Pass, Hung: 3, OnBudget: Out, Agent: resources()}
	if !reflect.DeepEqual(s.Limits, want) {
		t.Errorf("the limits are %+v, want %+v", s.Limits, want)
	}
	if s.Limits.Turns <= rules.Turns {
		t.Error("the limit on turns ends the episode before the rules do")
	}
	var names []string
	for _, a := range s.Agents {
		names = append(names, a.Name)
		if a.Kind != Claude || a.Policy != "steady" || a.Model != "claude-sonnet-4-5" || a.Tools != nil || a.Thinking != 0 {
			t.Errorf("agent %+v", a)
		}
		if !strings.HasPrefix(a.Prompt, "You are "+a.Name+", one of five") || strings.Contains(a.Prompt, "{name}") ||
			strings.Contains(a.Prompt, "{rules.") || !strings.Contains(a.Prompt, "can hold 100 tons") {
			t.Errorf("agent %s is told %q", a.Name, a.Prompt)
		}
		if !strings.Contains(a.Prompt, `{"tons": n}`) {
			t.Errorf("agent %s is not told how to act", a.Name)
		}
	}
	if got := strings.Join(names, " "); got != "a b c d e" {
		t.Errorf("the agents are %s", got)
	}
}

// resources are those of an agent where nothing is said of them.
func resources() Resources {
	return Resources{Memory: 4 << 30, Processes: 512, FileSize: 1 << 30, OpenFiles: 4096, Disk: 4 << 30}
}

func TestAnAgentHasLimitsOfItsOwnOrThoseOfAll(t *testing.T) {
	s, err := Parse("x.toml", []byte(`
rules.name = "r"
[limits.agent]
cpu = "10m"
disk = "100MB"
[[agents]]
name = "a"
[[agents]]
name = "b"
limits = { memory = "1.5GiB", disk = "64MiB" }
`), []string{"agents.a.limits.open_files=100"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := resources()
	all.CPU, all.Disk = 10*time.Minute, 100_000_000
	a, b := OwnResources(all), OwnResources(all)
	a.OpenFiles, b.Memory, b.Disk = 100, 3<<29, 64<<20
	if s.Limits.Agent != all || s.Agents[0].Limits != a || s.Agents[1].Limits != b {
		t.Errorf("all %+v, a %+v, b %+v", s.Limits.Agent, s.Agents[0].Limits, s.Agents[1].Limits)
	}
}

func TestWhatAScenarioDoesNotSayHasADefault(t *testing.T) {
	s, err := Parse("some/where/my-lake.toml", []byte(least), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.doc, s.Source = nil, nil
	want := &Scenario{
		Name: "my-lake", Schedule: "parallel", Rules: Rules{Name: "fishery"},
		Limits: Limits{Turns: 1000, Time: time.Hour, Act: 2 * time.Minute, OnTimeout: "pass", OnInvalid: "pass", OnError: "pass", Hung: 3, OnBudget: "out", Agent: resources()},
		Agents: []Agent{{Name: "a", Kind: "claude", Limits: OwnResources(resources())}},
		File:   "some/where/my-lake.toml",
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
}

func TestAnAgentHasWhatItSaysAndTheRestFromItsScenario(t *testing.T) {
	s, err := Parse("x.toml", []byte(`
model = "big"
prompt = """
All: {name}.
"""
rules.name = "r"
[[agents]]
name = "a"
[[agents]]
name = "b_2"
kind = "scripted"
policy = "greedy"
model = "small"
prompt = " Only {name}. \n"
tools = ["Read", "Grep"]
thinking = 1024
`), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Agent{
		{Name: "a", Kind: "claude", Model: "big", Prompt: "All: a.", Limits: OwnResources(resources())},
		{
			Name: "b_2", Kind: "scripted", Policy: "greedy", Model: "small", Prompt: "All: b_2.\n\nOnly b_2.",
			Tools: []string{"Read", "Grep"}, Thinking: 1024, Limits: OwnResources(resources()),
		},
	}
	if !reflect.DeepEqual(s.Agents, want) {
		t.Errorf("got  %+v\nwant %+v", s.Agents, want)
	}
	if s.Prompt != "All: {name}.\n" {
		t.Errorf("the scenario's prompt is %q", s.Prompt)
	}
}

func TestAnAgentHasABudgetOfItsOwnOrThatOfAll(t *testing.T) {
	s, err := Parse("x.toml", []byte(`
rules.name = "r"
max_tokens = 4000
[budget]
dollars = 5
[budget.agent]
tokens = 1000
dollars = 0.5
[[agents]]
name = "a"
[[agents]]
name = "b"
max_tokens = 8000
budget = { requests = 3, dollars = 2.25 }
`), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := (RunBudget{Dollars: 5, Agent: Budget{Tokens: 1000, Dollars: 0.5}}); s.Budget != want {
		t.Errorf("the budget is %+v, want %+v", s.Budget, want)
	}
	for i, want := range []Agent{
		{Name: "a", Kind: "claude", MaxTokens: 4000, Budget: Budget{Tokens: 1000, Dollars: 0.5}},
		{Name: "b", Kind: "claude", MaxTokens: 8000, Budget: Budget{Requests: 3, Tokens: 1000, Dollars: 2.25}},
	} {
		want.Limits = OwnResources(resources())
		if !reflect.DeepEqual(s.Agents[i], want) {
			t.Errorf("agent %+v, want %+v", s.Agents[i], want)
		}
	}
}

func TestAGroupIsAsManyAgents(t *testing.T) {
	src := `
model = "big"
thinking = 2048
tools = ["Read"]
prompt = "{name} of {agents}, {role}."
rules.name = "r"
[[agents]]
name = "first"
role = "one"
thinking = 0
tools = []
[[agents]]
name = "wolf"
count = 3
policy = "howl"
role = "of many"
[[phases]]
name = "night"
agents = ["wolf", "first"]
[[offline.script]]
agents = ["first", "wolf"]
say = "howl"
`
	first := Agent{Name: "first", Kind: Claude, Role: "one", Model: "big", Tools: []string{}, Prompt: "first of 4, one.", Limits: OwnResources(resources())}
	wolf := func(name string) Agent {
		return Agent{
			Name: name, Count: 3, Kind: Claude, Policy: "howl", Role: "of many", Model: "big", Thinking: 2048, Tools: []string{"Read"},
			Prompt: name + " of 4, of many.", Limits: OwnResources(resources()),
		}
	}
	wolf2 := wolf("wolf2")
	wolf2.Role, wolf2.Model, wolf2.Prompt = "the second", "small", "wolf2 of 4, the second."
	s, err := Parse("x.toml", []byte(src), []string{"agents.wolf2.role=the second", "agents.wolf.count=3", "agents.wolf2.model=small"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Agent{first, wolf("wolf1"), wolf2, wolf("wolf3")}; !reflect.DeepEqual(s.Agents, want) {
		t.Errorf("got  %+v\nwant %+v", s.Agents, want)
	}
	if got := strings.Join(s.Phases[0].Agents, " "); got != "wolf1 wolf2 wolf3 first" {
		t.Errorf("the phase has %s", got)
	}
	if got := strings.Join(s.Offline.Script[0].Agents, " "); got != "first wolf1 wolf2 wolf3" {
		t.Errorf("the offline model's script is for %s", got)
	}
	if e := s.Error("agents.3.policy", "", ""); e.Line != 15 {
		t.Errorf("the policy of wolf3 is on line %d, want 15", e.Line)
	}
}

func TestAnAgentHasTheOvertimeOfAllOrItsOwnAndAClockOnlyIfItSaysSo(t *testing.T) {
	src := `
rules.name = "r"
limits = { act = "1m", overtime = "30s" }
[[agents]]
name = "a"
[[agents]]
name = "b"
count = 2
act = "10s"
overtime = "0s"
`
	s, err := Parse("x.toml", []byte(src), []string{"agents.b2.act=20s", "agents.b2.overtime=5s"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][2]time.Duration{{0, 30 * time.Second}, {10 * time.Second, 0}, {20 * time.Second, 5 * time.Second}} {
		if a := s.Agents[i]; a.Act != want[0] || a.Overtime != want[1] {
			t.Errorf("%s has %v for an act and %v of overtime, want %v", a.Name, a.Act, a.Overtime, want)
		}
	}
}

func TestTheSizeOfAGroupCanBeSet(t *testing.T) {
	src := "rules.name = \"r\"\n[[agents]]\nname = \"a\"\ncount = 2\n[[agents]]\nname = \"b\"\n"
	for _, c := range []struct{ set, want string }{
		{"agents.a.count=1", "a1 b"},
		{"agents.a.count=3", "a1 a2 a3 b"},
		{"agents.0.count=3", "a1 a2 a3 b"},
		{"agents.b.count=2", "a1 a2 b1 b2"},
		{"agents.a.name=c", "c1 c2 b"},
		{"agents.a2.name=c", "a1 c b"},
		{`agents=[{name="x", count=2}]`, "x1 x2"},
	} {
		s, err := Parse("x.toml", []byte(src), []string{c.set}, nil)
		if err != nil {
			t.Errorf("--set %s: %v", c.set, err)
			continue
		}
		var names []string
		for _, a := range s.Agents {
			names = append(names, a.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("--set %s: got %s, want %s", c.set, got, c.want)
		}
	}
	for set, want := range map[string]string{
		"agents.a3.policy=p": `--set agents.a3.policy=p: agents has no entry "a3"`,
		"agents.a2.count=3":  `--set agents.a2.count=3: agents.a2 is one member of a group`,
		"agents.2.policy=p":  `--set agents.2.policy=p: agents has no entry "2"`, // there are two tables
	} {
		if _, err := Parse("x.toml", []byte(src), []string{set}, nil); message(err) != want {
			t.Errorf("got %q, want %q", message(err), want)
		}
	}
}

func TestPromptsStandInFilesOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"x.toml":       "prompt_file = \"all.md\"\nrules.name = \"r\"\nagents = [{ name = \"a\", count = 2, prompt_file = \"prompts/a.md\" }]\n",
		"all.md":       "All: {name}.\n",
		"prompts/a.md": " Some: {rules.capacity}.",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Load(filepath.Join(dir, "x.toml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(s.File, s.Source, s.Set, s.Files) // the files that are there by now do not matter
	if err != nil || !reflect.DeepEqual(s, again) {
		t.Errorf("got  %+v (%v)\nwant %+v", again, err, s)
	}
	params := struct {
		Capacity int `toml:"capacity"`
	}{7}
	if err := Join(s.DecodeRules(&params), s.TellRules()); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Agents[1].Prompt, "All: a2.\n\nSome: 7."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(s.Files) != 2 {
		t.Errorf("the scenario names %d files, want 2", len(s.Files))
	}
}

func TestWorkdirsAreReadWithTheScenario(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "x.toml")
	write("x.toml", `
rules.name = "r"
workdir = "all/"
env = { A = "1", B = "2" }
agents = [{ name = "a", count = 2 }, { name = "b", workdir = "b", env = { B = "3" } }, { name = "c", workdir = "" }]
`)
	write("all/notes.md", "notes")
	write("all/deep/down/x.bin", "\xff\x00")
	write("b/own.md", "own")
	s, err := Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{"notes.md": []byte("notes"), "deep/down/x.bin": []byte("\xff\x00")}
	again, err := Parse(s.File, s.Source, s.Set, s.Files)
	if err != nil || !reflect.DeepEqual(s, again) {
		t.Errorf("got  %+v (%v)\nwant %+v", again, err, s)
	}
	for i, want := range []map[string][]byte{all, all, {"own.md": []byte("own")}, nil} {
		if got := s.Agents[i].Work; !reflect.DeepEqual(got, want) {
			t.Errorf("agent %d has %q, want %q", i, got, want)
		}
	}
	if got := s.Agents[1].Env; !reflect.DeepEqual(got, Env{"A": "1", "B": "2"}) {
		t.Errorf("a2 has %v", got)
	}
	if got := s.Agents[2].Env; !reflect.DeepEqual(got, Env{"A": "1", "B": "3"}) {
		t.Errorf("b has %v", got)
	}

	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "all", "deep", "link")); err != nil {
		t.Fatal(err)
	}
	want := file + ":3:11: read all: all/deep/link is neither a file nor a folder"
	if _, err := Load(file, nil); message(err) != want {
		t.Errorf("got %q, want %q", message(err), want)
	}
	if err := os.Remove(filepath.Join(dir, "all", "deep", "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file, []string{"workdir=x.toml"}); message(err) != "--set workdir=x.toml: read x.toml: it is no folder" {
		t.Errorf("of a file: %v", err)
	}
	for i := range maxFiles {
		write(fmt.Sprintf("b/%d", i), "")
	}
	if _, err := Load(file, nil); err == nil || !strings.Contains(err.Error(), "the scenario has more than 1000 files") {
		t.Errorf("of %d files: %v", maxFiles+3, err)
	}
}

func TestFilesThatLieElsewhereAreRefused(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	for file, text := range map[string]string{
		outside: "a secret", filepath.Join(dir, "prompt.md"): "x", filepath.Join(dir, "large"): strings.Repeat("x", maxBytes+1),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(
		os.Symlink(outside, filepath.Join(dir, "link")), os.Symlink("prompt.md", filepath.Join(dir, "inside")),
		os.Mkdir(filepath.Join(dir, "folder"), 0o700), syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"prompt.md": "",
		"inside":    "",
		"link":      "read link: path escapes from parent",
		"folder":    "read folder: it is no file",
		"pipe":      "read pipe: it is no file",
		"promt.md":  `there is no file "promt.md" beside the scenario|did you mean "prompt.md"?`,
		"none/x":    `there is no file "none/x" beside the scenario`,
		"large":     "with large the files of the scenario have more than 8388608 bytes",
	} {
		file := filepath.Join(dir, "x.toml")
		if err := os.WriteFile(file, []byte(least+"prompt_file = \""+name+"\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(file, nil)
		if want != "" {
			want = file + ":3:15: " + want
		}
		if got := withHints(err); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestAPhaseHasWhatItSaysAndTheRestFromItsScenario(t *testing.T) {
	s, err := Parse("x.toml", []byte(least+`
schedule = "sequential"
limits.act = "1m"
[[phases]]
name = "talk"
[[phases]]
name = "vote"
schedule = "shuffled"
actions = ["yes", "no"]
act = "5s"
agents = ["a"]
`), []string{"phases.vote.act=6s"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Phase{
		{Name: "talk", Schedule: Sequential, Act: time.Minute},
		{Name: "vote", Schedule: Shuffled, Actions: []string{"yes", "no"}, Act: 6 * time.Second, Agents: []string{"a"}},
	}
	if !reflect.DeepEqual(s.Phases, want) {
		t.Errorf("got  %+v\nwant %+v", s.Phases, want)
	}
}

func TestADefaultActionHasAnyArguments(t *testing.T) {
	s, err := Parse("x.toml", []byte(least+`
[limits]
overtime = "30s"
on_timeout = "default"
default = { action = "move", args = { to = [1, 2.5], gently = true, how = { word = "so" } } }
`), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default{"move", map[string]any{
		"to": []any{int64(1), 2.5}, "gently": true, "how": map[string]any{"word": "so"},
	}}
	if !reflect.DeepEqual(s.Limits.Default, want) || s.Limits.OnTimeout != ByDefault || s.Limits.Overtime != 30*time.Second {
		t.Errorf("got  %+v\nwant %+v", s.Limits, want)
	}
}

func TestPlaceholdersInAPromptBecomeValues(t *testing.T) {
	s, err := Parse("x.toml", []byte(`
prompt = "{name}: {rules.capacity} tons, {rules.growth} times, {rules.open}, {rules.word}; {\"tons\": n} {} {names}"
rules = { name = "r", capacity = 100, growth = 1.5, word = "{name}" }
agents = [{ name = "a", prompt = "{rules.season}" }]
`), []string{"rules.capacity=50"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	params := struct {
		Capacity int           `toml:"capacity"`
		Growth   float64       `toml:"growth"`
		Open     bool          `toml:"open"`
		Word     string        `toml:"word"`
		Season   time.Duration `toml:"season"`
	}{Open: true, Season: time.Minute} // what the file does not say is a default of the rules
	if err := Join(s.DecodeRules(&params), s.TellRules()); err != nil {
		t.Fatal(err)
	}
	want := "a: 50 tons, 1.5 times, true, {name}; {\"tons\": n} {} {names}\n\n1m0s"
	if got := s.Agents[0].Prompt; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestOverridesSetValues(t *testing.T) {
	src := least + "seed = 3\nlimits = { turns = 7 }\n"
	for _, c := range []struct {
		set  []string
		got  func(*Scenario) any
		want any
	}{
		{[]string{"seed=7"}, func(s *Scenario) any { return s.Seed }, uint64(7)},
		{[]string{"seed=7", "seed=8"}, func(s *Scenario) any { return s.Seed }, uint64(8)},
		{[]string{"limits.act=10s"}, func(s *Scenario) any { return s.Limits.Act }, 10 * time.Second},
		{[]string{`limits.act="10s"`}, func(s *Scenario) any { return s.Limits.Act }, 10 * time.Second},
		{[]string{"limits.act=10s"}, func(s *Scenario) any { return s.Limits.Turns }, 7},
		{[]string{"limits.turns=1_000"}, func(s *Scenario) any { return s.Limits.Turns }, 1000},
		{[]string{"rules.name=grid"}, func(s *Scenario) any { return s.Rules.Name }, "grid"},
		{[]string{"agents.a.policy=greedy"}, func(s *Scenario) any { return s.Agents[0].Policy }, "greedy"},
		{[]string{"agents.0.policy=greedy"}, func(s *Scenario) any { return s.Agents[0].Policy }, "greedy"},
		{[]string{`agents.a.tools=["Read"]`}, func(s *Scenario) any { return s.Agents[0].Tools }, []string{"Read"}},
		{[]string{"agents.a.name=z", "agents.z.policy=p"}, func(s *Scenario) any { return s.Agents[0].Policy }, "p"},
		{[]string{`agents=[{name="x"},{name="y"}]`}, func(s *Scenario) any { return s.Agents[1].Name }, "y"},
		{[]string{"prompt="}, func(s *Scenario) any { return s.Prompt }, ""},
		{[]string{"prompt=a = b, 'c"}, func(s *Scenario) any { return s.Prompt }, "a = b, 'c"},
		{[]string{"prompt=1\nb=2"}, func(s *Scenario) any { return s.Prompt }, "1\nb=2"},
		{[]string{"name=other"}, func(s *Scenario) any { return s.Name }, "other"},
	} {
		s, err := Parse("x.toml", []byte(src), c.set, nil)
		if err != nil {
			t.Errorf("--set %q: %v", c.set, err)
			continue
		}
		if got := c.got(s); !reflect.DeepEqual(got, c.want) {
			t.Errorf("--set %q gives %#v, want %#v", c.set, got, c.want)
		}
	}
}

func TestAnOverrideMendsAMistakeOfTheFile(t *testing.T) {
	s, err := Parse("x.toml", []byte(least+"seed = 'x'\n"), []string{"seed=4"}, nil)
	if err != nil || s.Seed != 4 {
		t.Errorf("seed is %d, error is %v", s.Seed, err)
	}
}

func TestSourceAndOverridesGiveTheScenarioAgain(t *testing.T) {
	set := []string{"rules.capacity=50", "agents.b.policy=greedy", "limits.act=10s"}
	s, err := Load("fishery.toml", set)
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile("fishery.toml")
	if err != nil {
		t.Fatal(err)
	}
	if string(s.Source) != string(src) || !reflect.DeepEqual(s.Set, set) {
		t.Errorf("source or overrides were changed: %q", s.Set)
	}
	again, err := Parse(s.File, s.Source, s.Set, s.Files)
	if err != nil || !reflect.DeepEqual(s, again) {
		t.Errorf("got  %+v (%v)\nwant %+v", again, err, s)
	}
}

func TestParseKeepsNothingOfItsArguments(t *testing.T) {
	src, set := []byte(least), []string{"seed=1"}
	s, err := Parse("x.toml", src, set, nil)
	if err != nil {
		t.Fatal(err)
	}
	src[0], set[0] = 'x', "x"
	if s.Source[0] == 'x' || s.Set[0] == "x" {
		t.Error("the scenario changed with the arguments of Parse")
	}
}

func TestAFileThatCannotBeReadIsAnError(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.toml"), nil)
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "read scenario: ") {
		t.Errorf("got %v", err)
	}
	if _, err := Load(t.TempDir(), nil); err == nil || !strings.HasPrefix(err.Error(), "read scenario: ") {
		t.Errorf("of a folder: %v", err)
	}
}

func TestALargeFileIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "large.toml")
	fits := least + strings.Repeat("#", maxSize-len(least))
	for src, want := range map[string]string{
		fits:       "",
		fits + "#": file + ":1:1: file is larger than 1048576 bytes",
	} {
		if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(file, nil)
		if got := message(err); got != want {
			t.Errorf("%d bytes: %q, want %q", len(src), got, want)
		}
	}
}

func TestMoreThanAThousandAgentsAreRefused(t *testing.T) {
	var src strings.Builder
	src.WriteString("rules.name = \"r\"\n")
	for i := range 1001 {
		src.WriteString("[[agents]]\nname = \"a" + strings.Repeat("x", i%20) + "\"\n")
	}
	_, err := Parse("x.toml", []byte(src.String()), nil, nil)
	if got, want := message(err), "x.toml:2:1: agents must have at most 1000 in it, not 1001"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// message is the text of an error, empty if there is none.
func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRulesAreATableOrAName(t *testing.T) {
	const agents = "\n[[agents]]\nname = \"a\"\n"
	for _, c := range []struct {
		src  string
		set  []string
		name string
	}{
		{"rules = \"fishery\"", nil, "fishery"},
		{"rules = \"fishery\"", []string{"rules.capacity=7"}, "fishery"},
		{"rules = \"fishery\"", []string{"rules=other"}, "other"},
		{"rules.name = \"fishery\"", []string{"rules=other", "rules.capacity=7"}, "other"},
		{"rules = \"law/village.star\"", nil, "law/village.star"},
	} {
		s, err := Parse("x.toml", []byte(c.src+agents), c.set, Files{"law/village.star": []byte("# the law")})
		if err != nil || s.Rules.Name != c.name {
			t.Errorf("%s, %q: %+v, %v", c.src, c.set, s.Rules, err)
			continue
		}
		if got := string(s.Files[c.name]); s.Rules.InFile() != (got == "# the law") {
			t.Errorf("%s: the file holds %q", c.src, got)
		}
	}
	for src, want := range map[string]string{
		"rules = 3":             "x.toml:1:9: rules must be a table, not the number 3",
		"rules = \"none.star\"": `x.toml:1:9: there is no file "none.star" beside the scenario`,
		"rules = \"../x.star\"": `x.toml:1:9: rules.name must be a path below the scenario's folder, not "../x.star"`,
	} {
		if _, err := Parse("x.toml", []byte(src+agents), nil, nil); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", src, err, want)
		}
	}
}
