package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// head is the beginning of most files below; it takes lines 1 and 2.
const head = "agents = [{ name = \"a\" }]\nrules.name = \"r\"\n"

func TestEveryMistakeSaysWhereAndWhat(t *testing.T) {
	for _, c := range []struct {
		src  string
		want string // a mistake on each line, its hint behind a |
	}{
		// No TOML.
		{"seed = \n", `x.toml:1:8: expected value but found '\n' instead|write a value behind the =, text in quotes like "..."`},
		{head + "model = sonnet\n", `x.toml:3:9: expected value but found "sonnet" instead|write a value behind the =, text in quotes like "..."`},
		{head + "seed = 1\nseed = 2\n", `x.toml:4:1: key 'seed' has already been defined|leave one of them out`},
		{head + "limits.turns = 1\nlimits = 2\n", `x.toml:4:1: this key has already been defined|leave one of them out`},
		{head + "[limits\n", `x.toml:3:8: expected '.' or ']' to end table name, but got '\n' instead|close it with a bracket`},
		{head + "prompt = \"\"\"\nabc\n", `x.toml:4:4: unexpected EOF; expected '"""'|something that was opened is not closed`},
		{head + "prompt = \"abc\n", `x.toml:3:14: strings cannot contain newlines|close it with a quote, or write a long text between three quotes on each side`},
		{head + "\tseed = 01\n", `x.toml:3:9: invalid integer "01": cannot have leading zeroes`},
		{head + "seed = 99999999999999999999\n", `x.toml:3:8: 99999999999999999999 is out of range for int64`},
		{"\uFEFFseed = ?\n", `x.toml:1:8: expected value but found '?' instead|write a value behind the =, text in quotes like "..."`},
		{"seed = 1\nname = \"\xff\"\n", `x.toml:2:9: file is not UTF-8`},
		{"a = " + strings.Repeat("[", 70), `x.toml:1:69: nested more than 64 deep`},

		// Keys.
		{head + "[limits]\nturn = 3\n", `x.toml:4:1: unknown key "turn"|did you mean "turns"?`},
		{head + "sede = 3\n", `x.toml:3:1: unknown key "sede"|did you mean "seed"?`},
		{head + "Seed = 3\n", `x.toml:3:1: unknown key "Seed"|did you mean "seed"?`},
		{head + "[purse]\nx = 3\n", `x.toml:3:2: unknown key "purse"|there are name, description, seed, schedule, rotate, model, thinking, max_tokens, tools, prompt, prompt_file, workdir, env, hosts, facts, rules, upstream, prices, budget, limits, restart, messages, phases, look, offline and agents`},
		{head + "limits.'on timeout' = 3\n", `x.toml:3:8: unknown key "on timeout"|did you mean "on_timeout"?`},
		{"[[agnets]]\nname = \"a\"\n[rules]\nname = \"r\"\n", "x.toml:1:1: missing key \"agents\"|write a table [[agents]] with a name for each agent\n" +
			`x.toml:1:3: unknown key "agnets"|did you mean "agents"?`},
		{"rules = { name = \"r\" }\nagents = [{ name = \"a\", polcy = 1 }]\n", `x.toml:2:25: unknown key "polcy"|did you mean "policy"?`},
		{"", "x.toml:1:1: missing key \"rules.name\"|write [rules] with a name, such as name = \"fishery\"\nx.toml:1:1: missing key \"agents\"|write a table [[agents]] with a name for each agent"},
		{"seed = 1\n[[agents]]\nname = \"a\"\n\n  [rules]\ncapacity = 1\n", `x.toml:5:3: missing key "rules.name"|write [rules] with a name, such as name = "fishery"`},
		{"rules.name = \"r\"\n[[agents]]\nname = \"a\"\n[[agents]]\n", `x.toml:4:1: missing key "agents.1.name"|` + nameHint},

		// Types.
		{head + "seed = \"1\"\n", `x.toml:3:8: seed must be a whole number, not the string "1"|write it without quotes`},
		{head + "seed = 1.0\n", `x.toml:3:8: seed must be a whole number, not the number 1|write it without a point`},
		{head + "model = 4\n", `x.toml:3:9: model must be a string, not the number 4|write it in quotes`},
		{head + "model = 1979-05-27\n", `x.toml:3:9: model must be a string, not a date or a time|write it in quotes`},
		{head + "limits = true\n", `x.toml:3:10: limits must be a table, not true|write [limits], and its keys below it`},
		{"agents = \"a\"\nrules.name = \"r\"\n", `x.toml:1:10: agents must be a list, not the string "a"|write it in brackets, like ["a", "b"]`},
		{"agents = [\"a\"]\nrules.name = \"r\"\n", `x.toml:1:11: agents.0 must be a table, not the string "a"`},
		{"[agents]\nname = \"a\"\n[rules]\nname = \"r\"\n", `x.toml:1:1: agents must be a list, not a table|write [[agents]], with two brackets`},
		{"rules = 3\nagents = [{ name = \"a\" }]\n", `x.toml:1:9: rules must be a table, not the number 3|write [rules], and its keys below it`},
		{head + "prompt = []\n", `x.toml:3:10: prompt must be a string, not a list`},

		// Values.
		{head + "seed = -1\n", `x.toml:3:8: seed must be at least 0, not -1|the default is 0`},
		{head + "[limits]\nturns = 0\n", `x.toml:4:9: limits.turns must be at least 1, not 0|the default is 1000`},
		{head + "[limits]\nact = 120\n", `x.toml:4:7: limits.act must be a duration, not the number 120|` + durationHint},
		{head + "[limits]\nact = \"2 minutes\"\n", `x.toml:4:7: limits.act must be a duration, not "2 minutes"|` + durationHint},
		{head + "[limits]\ntime = \"-1s\"\n", `x.toml:4:8: limits.time must be at least 1ms, not -1s|the default is 1h`},
		{head + "schedule = \"paralel\"\n", `x.toml:3:12: schedule must be parallel, sequential, shuffled or free, not "paralel"|did you mean "parallel"?`},
		{head + "rotate = true\n", `x.toml:3:10: rotate is for a sequential schedule, and there is none|write schedule = "sequential"`},
		{head + "limits.on_error = \"explode\"\n", `x.toml:3:19: limits.on_error must be pass, default or out, not "explode"`},
		{head + "name = \"My lake\"\n", `x.toml:3:8: name must match ^[a-z0-9][a-z0-9-]{0,63}$, not be "My lake"|` +
			`small letters, digits and -; the file's own name stands in for a missing one`},
		{head + "prompt = \"a\\u0000b\"\n", `x.toml:3:10: prompt must not hold a NUL character`},
		{"agents = []\nrules.name = \"r\"\n", `x.toml:1:10: agents must have at least 1 in it, not 0|write a table [[agents]] with a name for each agent`},

		// Limits and phases.
		{
			head + "schedule = \"free\"\nrotate = true\n[[phases]]\nname = \"talk\"\n",
			"x.toml:3:12: a free schedule has no phases|write parallel, sequential or shuffled, or leave [[phases]] out\n" +
				`x.toml:4:10: rotate is for a sequential schedule, and there is none|write schedule = "sequential"`,
		},
		{head + "limits.overtime = \"-1s\"\n", `x.toml:3:19: limits.overtime must be at least 0s, not -1s|the default is 0s`},
		{head + "limits.agent.disk = \"1kB\"\n", `x.toml:3:21: limits.agent.disk must be at least 1MiB, not 1kB|the default is 4GiB`},
		{head + "limits.agent.memory = \"511MiB\"\n", `x.toml:3:23: memory must be at least 512MiB for Claude Code|an agent of another kind may have less`},
		{
			"rules.name = \"r\"\n[limits.agent]\nprocesses = 20\nopen_files = 20\n" +
				"[[agents]]\nname = \"a\"\nlimits = { processes = 23, open_files = 64 }\n[[agents]]\nname = \"b\"\nkind = \"exec\"\ncommand = [\"sh\"]\n" +
				"[[agents]]\nname = \"c\"\nkind = \"scripted\"\nlimits.disk = \"1GB\"\n",
			"x.toml:7:24: processes must be at least 24 for Claude Code|an agent of another kind may have less\n" +
				`x.toml:15:1: limits are for an agent that is a process|this one is none`,
		},
		{head + "limits.agent.memory = 1000\n", `x.toml:3:23: limits.agent.memory must be a size, not the number 1000|write it like "512MiB", "2GiB" or "500MB"`},
		{head + "limits.agent.disk = \"big\"\n", `x.toml:3:21: limits.agent.disk must be a size, not "big"|write it like "512MiB", "2GiB" or "500MB"`},
		{head + "limits.agent.cpu = \"1ms\"\n", `x.toml:3:20: limits.agent.cpu must be 0s or at least 1s, not 1ms|the default is 0s`},
		{head + "[limits]\nmemory = \"2GiB\"\n", `x.toml:4:1: unknown key "memory"|it is a key of [limits.agent]`},
		{"rules.name = \"r\"\n[[agent]]\nname = \"a\"\n", "x.toml:1:1: missing key \"agents\"|write a table [[agents]] with a name for each agent\n" +
			`x.toml:2:3: unknown key "agent"|did you mean "agents"?`},
		{head + "agent.tokens = 3\n", `x.toml:3:1: unknown key "agent"|it is a key of [budget]`},
		{
			head + "seed = \"three\"\nbudget.tokens = \"many\"\nbudget.dollars = \"few\"\nlimits.min_level = \"Z\"\n",
			"x.toml:3:8: seed must be a whole number, not the string \"three\"|write it in digits, such as 20\n" +
				"x.toml:4:17: budget.tokens must be a whole number, not the string \"many\"|write it in digits, such as 20\n" +
				"x.toml:5:18: budget.dollars must be a finite number, not the string \"few\"|write it in digits, such as 0.5\n" +
				`x.toml:6:20: limits.min_level must be A+, A, B, C, D, E or F, not "Z"|A+ is the best; vitrine doctor says the level of this machine`,
		},
		{
			"rules.name = \"r\"\nphases = [{ name = \"p\", agents = [\"zoe\"] }]\nagents = [{ name = \"b\" }, { name = \"x\" }, { name = \"x\" }, {}]\n",
			"x.toml:2:35: no agent \"zoe\" in the scenario|there are b and x\n" +
				"x.toml:3:52: duplicate agent name \"x\", first on line 3|give it another name; agents that differ in nothing else are a group with a count\n" +
				`x.toml:3:59: missing key "agents.3.name"|a small letter, then small letters, digits, _ and -; at most 32`,
		},
		{head + "[restart]\nwindow = 0\n", `x.toml:4:10: restart.window must be at least 1, not 0|the default is 10`},
		{
			head + "[limits]\non_error = \"out\"\n[restart]\nbackoff = 9\n",
			"x.toml:4:12: who crashes is out, and nobody is left to be started again by [restart]|write on_error = \"pass\", or leave [restart] out\n" +
				"x.toml:5:1: restart.max_backoff, 8, is less than restart.backoff, 9|it is the most that it may become",
		},
		{
			head + "[limits]\non_timeout = \"default\"\non_error = \"default\"\n",
			"x.toml:4:14: limits.on_timeout asks for a default action, and there is none|" + defaultHint +
				"\nx.toml:5:12: limits.on_error asks for a default action, and there is none|" + defaultHint,
		},
		{head + "[limits]\ndefault = { acton = \"fish\" }\n", "x.toml:4:11: missing key \"limits.default.action\"|" + defaultHint +
			"\n" + `x.toml:4:13: unknown key "acton"|did you mean "action"?`},
		{
			head + "limits.default = { action = \"fish\", args = { when = 1979-05-27, tons = [nan] } }\n",
			"x.toml:3:53: limits.default.args.when must be a string, a number, true or false, a list or a table, not a date or a time\n" +
				`x.toml:3:73: limits.default.args.tons.0 must be a finite number, not the number NaN|write it in digits, such as 0.5`,
		},
		{head + "limits.default = { action = \"fish\", args = 3 }\n", `x.toml:3:44: limits.default.args must be a table, not the number 3`},
		{
			head + "rotate = true\nschedule = \"sequential\"\n[[phases]]\nname = \"talk\"\nschedule = \"shuffled\"\n",
			`x.toml:3:10: rotate is for a sequential schedule, and there is none|write schedule = "sequential"`,
		},
		{
			head + "[[phases]]\nname = \"talk\"\nagents = [\"a\",\n\"b\"]\nact = \"0s\"\n[[phases]]\nname = \"talk\"\nschedule = \"paralel\"\n[[phases]]\n",
			"x.toml:6:1: no agent \"b\" in the scenario|there is only a\n" +
				"x.toml:7:7: phases.0.act must be at least 1ms, not 0s\n" +
				"x.toml:9:8: duplicate phase name \"talk\", first on line 4|give it another name\n" +
				"x.toml:10:12: phases.1.schedule must be parallel, sequential or shuffled, not \"paralel\"|did you mean \"parallel\"?\n" +
				`x.toml:11:1: missing key "phases.2.name"|` + nameHint,
		},

		// The offline model.
		{head + "[offline]\nlatency = \"-1s\"\nrate = -1\n", "x.toml:4:11: offline.latency must be at least 0s, not -1s|the default is 0s\n" +
			`x.toml:5:8: offline.rate must be at least 0, not -1|the default is 0`},
		{
			head + "[[offline.script]]\nagents = [\"b\"]\nturns = [0,\n-1]\nargs = {}\n[[offline.script]]\ntools = [{ nam = \"Read\" }]\n",
			"x.toml:4:11: no agent \"b\" in the scenario|there is only a\n" +
				"x.toml:6:1: there is no turn -1|turns count from 0\n" +
				"x.toml:7:8: arguments without an action|write action = \"fish\" beside them\n" +
				"x.toml:9:10: missing key \"offline.script.1.tools.0.name\"|a tool that the agent has, such as \"Read\" or \"mcp__notes__add\"\n" +
				`x.toml:9:12: unknown key "nam"|did you mean "name"?`,
		},

		// Agents.
		{"rules.name = \"r\"\n[[agents]]\nname = \"A\"\n", `x.toml:3:8: agents.0.name must match ^[a-z][a-z0-9_-]{0,31}$, not be "A"|` + nameHint},
		{"rules.name = \"r\"\n[[agents]]\nname = \"a\"\n[[agents]]\nname = \"b\"\n[[agents]]\nname = \"a\"\n", `x.toml:7:8: duplicate agent name "a", first on line 3|give it another name; agents that differ in nothing else are a group with a count`},
		{"rules.name = \"r\"\n[[agents]]\nname = \"a\"\nkind = \"script\"\n", `x.toml:4:8: agents.0.kind must be claude, scripted, exec, plugin or human, not "script"|did you mean "scripted"?`},
		{
			"rules.name = \"r\"\n[[agents]]\nname = \"a\"\ntools = [\n  \"Read\",\n  \"WebFetch\",\n  \"read\" ]\nthinking = 5\n",
			"x.toml:6:3: agents.0.tools.1 must be Read, Write, Edit, Glob, Grep or Bash, not \"WebFetch\"\n" +
				"x.toml:7:3: agents.0.tools.2 must be Read, Write, Edit, Glob, Grep or Bash, not \"read\"|did you mean \"Read\"?\n" +
				`x.toml:8:12: agents.0.thinking must be 0 or at least 1024, not 5`,
		},

		// Groups, and prompts.
		{"rules.name = \"r\"\n[[agents]]\nname = \"a\"\ncount = 0\n", `x.toml:4:9: agents.0.count must be at least 1, not 0`},
		{
			"rules.name = \"r\"\n[[agents]]\nname = \"a\"\ncount = 4\nthinking = 5\nkindd = \"claude\"\n[[agents]]\nname = \"b\"\nmodel = 1\n",
			"x.toml:5:12: agents.0.thinking must be 0 or at least 1024, not 5\nx.toml:6:1: unknown key \"kindd\"|did you mean \"kind\"?\n" +
				`x.toml:9:9: agents.1.model must be a string, not the number 1|write it in quotes`,
		},
		{
			"rules.name = \"r\"\n[[agents]]\nname = \"a\"\ncount = 3\n[[agents]]\nname = \"a2\"\n",
			`x.toml:6:8: duplicate agent name "a2", first on line 3|give it another name; agents that differ in nothing else are a group with a count`,
		},
		{
			"rules.name = \"r\"\n[[agents]]\nname = \"" + strings.Repeat("a", 32) + "\"\ncount = 1\n",
			`x.toml:3:8: agents.0.name must match ^[a-z][a-z0-9_-]{0,31}$, not be "` + strings.Repeat("a", 32) + `1"|` + nameHint,
		},
		{"rules.name = \"r\"\n[[agents]]\nname = \"A\"\ncount = 2\n", `x.toml:3:8: agents.0.name must match ^[a-z][a-z0-9_-]{0,31}$, not be "A"|` + nameHint},
		{
			"rules.name = \"r\"\n[[agents]]\nname = \"a\"\ncount = 999\n[[agents]]\nname = \"b\"\n[[agents]]\nname = \"c\"\n",
			`x.toml:2:1: agents must have at most 1000 in it, not 1001|a group counts as many as its count`,
		},
		{
			"rules.name = \"r\"\n[[agents]]\nname = \"a\"\ncount = 2\n[[phases]]\nname = \"p\"\nagents = [\"a\", \"a2\", \"a3\"]\n",
			`x.toml:7:22: no agent "a3" in the scenario|did you mean "a1"?`,
		},
		{
			head + "[env]\nTZ = \"UTC\"\nHOME = \"/\"\nhome = \"/\"\nA = 1\nHTTPS_PROXY = \"x\"\n",
			"x.toml:5:1: env: HOME is the name of a variable that a scenario cannot set|" + envHint +
				"\nx.toml:6:1: env: the name of a variable must match ^[A-Z_][A-Z0-9_]*$, not be \"home\"|capital letters, digits and _" +
				"\nx.toml:7:5: env.A must be a string, not the number 1|write it in quotes" +
				"\nx.toml:8:1: env: HTTPS_PROXY is the name of a variable that a scenario cannot set|" + envHint,
		},
		{head + "workdir = \"none/\"\n", `x.toml:3:11: there is no folder "none" beside the scenario`},
		{head + "workdir = \"./x\"\n", `x.toml:3:11: workdir must be a path below the scenario's folder, not "./x"|write it like "template"`},
		{
			"rules.name = \"r\"\n[[agents]]\nname = \"a\"\ncount = 2\n[[agents.mcp]]\nname = \"world\"\ncommand = \"x\"\n[[agents.mcp]]\nname = \"b\"\n" +
				"[[agents.mcp]]\nname = \"b\"\ncommand = \"\"\nenv = { HOME = \"/\" }\n",
			"x.toml:6:8: \"world\" is the name of another MCP server of this agent|the world's own is called world\n" +
				"x.toml:8:1: missing key \"agents.0.mcp.1.command\"|the program to start, such as \"python3\"\n" +
				"x.toml:11:8: \"b\" is the name of another MCP server of this agent|the world's own is called world\n" +
				`x.toml:12:11: agents.0.mcp.2.command must match ., not be ""|the program to start, such as "python3"`,
		},
		{head + "prompt_file = \"../x.md\"\n", `x.toml:3:15: prompt_file must be a path below the scenario's folder, not "../x.md"|write it like "prompts/fisher.md"`},
		{head + "prompt_file = \"/etc/passwd\"\n", `x.toml:3:15: prompt_file must be a path below the scenario's folder, not "/etc/passwd"|write it like "prompts/fisher.md"`},
		{head + "prompt_file = \"x.md\"\nprompt = \"x\"\n", `x.toml:3:15: prompt_file says the prompt, and so does prompt|leave one of them out`},
		{head + "prompt_file = \"x.md\"\n", `x.toml:3:15: there is no file "x.md" beside the scenario`},
		{
			head + "[budget]\ntokens = 0\ndollars = \"5\"\n[budget.agent]\ndollars = 0\nrequest = 1\n",
			"x.toml:4:10: budget.tokens must be at least 1, not 0\nx.toml:5:11: budget.dollars must be a finite number, not the string \"5\"|write it without quotes\n" +
				"x.toml:7:11: budget.agent.dollars must be at least 0.000001, not 0\nx.toml:8:1: unknown key \"request\"|did you mean \"requests\"?",
		},
		{
			"rules.name = \"r\"\nmax_tokens = 2000\n[[agents]]\nname = \"a\"\nkind = \"human\"\nbudget = { tokens = 5 }\n[[agents]]\nname = \"b\"\nthinking = 2000\n",
			"x.toml:6:10: a budget is for an agent with a model|this one has none\n" +
				`x.toml:7:1: max_tokens, 2000, must be more than thinking, 2000|an answer holds its thoughts too`,
		},
		{
			head + "[look]\nkind = \"map\"\nlayers = [{ rows = \"a\", cells = \"b\" }, { color = \"red\" }]\n",
			"x.toml:4:8: look.kind must be board, places or ring, not \"map\"|board, places or ring\n" +
				"x.toml:5:11: a layer has one of rows, cells, pieces, things and owners|write a layer for each of them\n" +
				"x.toml:5:40: a layer has one of rows, cells, pieces, things and owners|write a layer for each of them\n" +
				"x.toml:5:50: look.layers.1.color must match ^#[0-9a-f]{6}$, not be \"red\"|a color like \"#56b4e9\"",
		},
		{
			"rules.name = \"r\"\nfacts = [\"/lake\", \"a/../b\", \"x/{nmae}\", \"lake/**\"]\n[[agents]]\nname = \"a\"\nfacts = [\"{name}/{x\"]\n",
			"x.toml:2:10: \"/lake\" is no path of a fact|paths of facts begin without a slash\n" +
				"x.toml:2:19: \"a/../b\" is no path of a fact|it is of facts and not of files\n" +
				"x.toml:2:29: \"x/{nmae}\" is no path of a fact|only {name} is filled in\n" +
				"x.toml:5:10: \"{name}/{x\" is no path of a fact|only {name} is filled in",
		},
		{head + "prices = \"/etc/prices.json\"\n", `x.toml:3:10: prices must be a path below the scenario's folder, not "/etc/prices.json"|write it like "prompts/fisher.md"`},
		{
			"rules.name = \"r\"\nprompt = \"You are {role}.\"\n[[agents]]\nname = \"a\"\nrole = \"poor\"\n[[agents]]\nname = \"b\"\ncount = 2\n",
			`x.toml:6:1: the prompt says {role}, and this agent has none|write role = "..."`,
		},
	} {
		_, err := Parse("x.toml", []byte(c.src), nil, nil)
		if got := withHints(err); got != c.want {
			t.Errorf("%.200q\n got %s\nwant %s", c.src, got, c.want)
		}
	}
}

const envHint = "the isolation of agents, or the way to their models, depends on it"

const nameHint = "a small letter, then small letters, digits, _ and -; at most 32"

func TestMistakesOfOverridesNameTheOverride(t *testing.T) {
	for set, want := range map[string]string{
		"seed":                   `--set seed: no = in it|write dotted.path=value`,
		"=1":                     `--set =1: empty key in the path|write dotted.path=value`,
		"limits..act=1s":         `--set limits..act=1s: empty key in the path|write dotted.path=value`,
		"seed = 1":               `--set seed = 1: unknown key "seed "|did you mean "seed"?`,
		"sede=1":                 `--set sede=1: unknown key "sede"|did you mean "seed"?`,
		"limts.act=1s":           `--set limts.act=1s: unknown key "limts"|did you mean "limits"?`,
		"limits.act=10":          `--set limits.act=10: limits.act must be a duration, not the number 10|` + durationHint,
		"seed=x":                 `--set seed=x: seed must be a whole number, not the string "x"|write it in digits, such as 20`,
		"seed.x=1":               `--set seed.x=1: seed is no table`,
		"agents.b.policy=p":      `--set agents.b.policy=p: agents has no entry "b"|there are a and bob`,
		"agents.bop.policy=p":    `--set agents.bop.policy=p: agents has no entry "bop"|did you mean "bob"?`,
		"agents.2.policy=p":      `--set agents.2.policy=p: agents has no entry "2"|there are a and bob`,
		"agents.-1.policy=p":     `--set agents.-1.policy=p: agents has no entry "-1"|there are a and bob`,
		"agents.bob.name=a":      `--set agents.bob.name=a: duplicate agent name "a", first on line 2|give it another name; agents that differ in nothing else are a group with a count`,
		"agents.a.name=bob":      `x.toml:2:36: duplicate agent name "bob", first in --set agents.a.name=bob|give it another name; agents that differ in nothing else are a group with a count`,
		"agents.a.thinking=1":    `--set agents.a.thinking=1: agents.0.thinking must be 0 or at least 1024, not 1`,
		"agents.bob={}":          `--set agents.bob={}: missing key "agents.1.name"|` + nameHint,
		"rules={ capacity = 1 }": `--set rules={ capacity = 1 }: missing key "rules.name"|write [rules] with a name, such as name = "fishery"`,
		"prompt=" + strings.Repeat("[", 80) + strings.Repeat("]", 80): ``,
	} {
		_, err := Parse("x.toml", []byte("seed = 1\nagents = [{ name = \"a\" }, { name = \"bob\" }]\nrules.name = \"r\"\n"), []string{set}, nil)
		if got := withHints(err); got != want {
			t.Errorf("--set %s\n got %s\nwant %s", set, got, want)
		}
	}
}

// A lake is the parameters of some rules.
type lake struct {
	Capacity int           `toml:"capacity" min:"1" max:"1000000"`
	Growth   float64       `toml:"growth" min:"0" max:"10"`
	Mode     string        `toml:"mode" enum:"calm,stormy"`
	Open     bool          `toml:"open"`
	Season   time.Duration `toml:"season" max:"24h"`
	Payoffs  [][]float64   `toml:"payoffs" max:"2"`
	Fleet    struct {
		Boats uint8 `toml:"boats"`
	} `toml:"fleet"`
	Ports []struct {
		Name string `toml:"name" required:"true"`
	} `toml:"ports"`
	Other int // not from the file
}

func TestRulesReadTheirParameters(t *testing.T) {
	src := head + `
[rules.fleet]
boats = 200
[rules]
capacity = 50
growth = 2
open = true
season = "90s"
payoffs = [[3, 0], [5, 1.5]]
ports = [{ name = "x" }, { name = "y" }]
`
	src = strings.Replace(src, "rules.name = \"r\"\n", "", 1) + "name = \"r\"\n"
	s, err := Parse("x.toml", []byte(src), []string{"rules.mode=calm"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := lake{Mode: "stormy", Other: 3}
	if err := s.DecodeRules(&got); err != nil {
		t.Fatal(err)
	}
	if got.Capacity != 50 || got.Growth != 2 || !got.Open || got.Season != 90*time.Second || got.Mode != "calm" ||
		got.Payoffs[1][1] != 1.5 || got.Fleet.Boats != 200 || got.Ports[1].Name != "y" || got.Other != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestParametersThatAreNotGivenKeepTheirDefault(t *testing.T) {
	s, err := Parse("x.toml", []byte(head), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := lake{Capacity: 7, Growth: 1.5}
	if err := s.DecodeRules(&got); err != nil || got.Capacity != 7 || got.Growth != 1.5 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestMistakesInAPromptSayWhereAndWhat(t *testing.T) {
	src := "prompt = \"\"\"\nfirst {rules.open}\n{rules.capacty} {name} {x}\n\"\"\"\nagents = [{ name = \"a\", prompt = \"{rules.}\" }]\nrules.name = \"r\"\n"
	s, err := Parse("x.toml", []byte(src), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	params := struct {
		Open     bool   `toml:"open"`
		Capacity int    `toml:"capacity"`
		Ports    []int  `toml:"ports"`
		Other    string // no parameter
	}{}
	want := `x.toml:3:1: prompt says {rules.capacty}, but the rules have no "capacty"|did you mean "capacity"?
x.toml:5:35: prompt says {rules.}, but the rules have no ""|there are capacity and open`
	if err := s.DecodeRules(&params); err != nil {
		t.Error(err)
	}
	if got := withHints(s.TellRules()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestMistakesInAPromptFileSayWhereInIt(t *testing.T) {
	src := "prompt_file = \"p/all.md\"\nrules.name = \"r\"\n[[agents]]\nname = \"a\"\ncount = 2\nprompt_file = \"p/a.md\"\n"
	files := Files{"p/all.md": []byte("{rules.capacity}\n {rules.capacty} {rules.capacty}\n"), "p/a.md": []byte("\xff"), "other": nil}
	s, err := Parse("dir/x.toml", []byte(src), nil, files)
	if got, want := withHints(err), `dir/x.toml:6:15: p/a.md is no text|a prompt is UTF-8, without NUL characters`; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	params := struct {
		Capacity int `toml:"capacity"`
	}{}
	want := "dir/p/all.md:2:2: prompt says {rules.capacty}, but the rules have no \"capacty\"|did you mean \"capacity\"?\n" +
		"dir/p/all.md:2:18: prompt says {rules.capacty}, but the rules have no \"capacty\"|did you mean \"capacity\"?"
	if err := s.DecodeRules(&params); err != nil {
		t.Error(err)
	}
	if got := withHints(s.TellRules()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWordsThatAreNearlyFilledInAreMistakesOfAFileAndNotOfARunThatHasBegun(t *testing.T) {
	for prompt, want := range map[string]string{
		"{nme}":            "{name}",
		"{Role}":           "{role}",
		"of {agent}":       "{agents}",
		"{rule.capacity}":  "{rules.capacity}",
		"{RULES.capacity}": "{rules.capacity}",
		"{ nme }":          "",
		"{tons}":           "",
		"{\"nme\": 1}":     "",
		"{name.x}":         "",
		"{}":               "",
		"{nme":             "",
	} {
		src := []byte("prompt = '" + prompt + "'\nrules = \"r\"\n[[agents]]\nname = \"a\"\n")
		file := filepath.Join(t.TempDir(), "x.toml")
		if err := os.WriteFile(file, src, 0o600); err != nil {
			t.Fatal(err)
		}
		if want != "" {
			at := strings.Index(string(src), "{")
			want = fmt.Sprintf("%s:1:%d: prompt says %s, which is not filled in|did you mean %s? With a space after the brace it is text",
				file, at+1, prompt[at-len("prompt = '"):], want)
		}
		if _, err := Load(file, nil); withHints(err) != want {
			t.Errorf("%s: got %s, want %s", prompt, withHints(err), want)
		}
		if _, err := Parse(file, src, nil, nil); err != nil {
			t.Errorf("%s: %v", prompt, err)
		}
	}
}

func TestMistakesInTheParametersSayWhereAndWhat(t *testing.T) {
	src := "agents = [{ name = \"a\" }]\n[rules]\nname = \"r\"\n" +
		"capacty = 1\ncapacity = 0\ngrowth = nan\nmode = \"stomy\"\nopen = 1\nseason = \"25h\"\npayoffs = [[1], [2], [3]]\n" +
		"ports = [{}]\nfleet.boats = 256\n"
	s, err := Parse("x.toml", []byte(src), []string{"rules.capcity=50"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `x.toml:4:1: unknown key "capacty"|did you mean "capacity"?
x.toml:5:12: rules.capacity must be at least 1, not 0
x.toml:6:10: rules.growth must be a finite number, not the number NaN|write it in digits, such as 0.5
x.toml:7:8: rules.mode must be calm or stormy, not "stomy"|did you mean "stormy"?
x.toml:8:8: rules.open must be true or false, not the number 1|write true or false, without quotes
x.toml:9:10: rules.season must be at most 24h, not 25h
x.toml:10:11: rules.payoffs must have at most 2 in it, not 3
x.toml:11:10: missing key "rules.ports.0.name"
x.toml:12:15: rules.fleet.boats must be a smaller number than 256
--set rules.capcity=50: unknown key "capcity"|did you mean "capacity"?`
	if got := withHints(s.DecodeRules(&lake{})); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	want = `--set rules.capcity=50: unknown key "capcity"|there are name and plugin`
	if got := withHints(s.DecodeRules(&struct{}{})); !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant at the end\n%s", got, want)
	}
}

func TestTheMistakesOfAllReadersAreOneList(t *testing.T) {
	src := "seed = -1\nagents = [{ name = \"a\", policy = \"p\" }]\n[rules]\nname = \"fishry\"\nfish = 1\n"
	s, err := Parse("x.toml", []byte(src), nil, nil)
	all := Join(
		s.Error("rules.name", `unknown rules "fishry"`, `did you mean "fishery"?`),
		err, nil,
		s.DecodeRules(&struct{}{}),
		s.Error("agents.0.policy", `unknown policy "p"`, ""),
		s.Error("agents.a.model", "no model", ""),
		s.Error("limits.act", "too short", ""),
	)
	want := `x.toml:1:1: too short
x.toml:1:8: seed must be at least 0, not -1|the default is 0
x.toml:2:11: no model
x.toml:2:34: unknown policy "p"
x.toml:4:8: unknown rules "fishry"|did you mean "fishery"?
x.toml:5:1: unknown key "fish"|there are name and plugin`
	if got := withHints(all); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := Join(nil, nil); err != nil {
		t.Errorf("no mistakes give %v", err)
	}
	if err := Join(all, fs.ErrPermission); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("another error gives %v", err)
	}
}

func TestSuggestNamesWhatWasMeant(t *testing.T) {
	known := []string{"steady", "greedy", "random"}
	for word, want := range map[string]string{
		"stedy":  `did you mean "steady"?`,
		"GREEDY": `did you mean "greedy"?`,
		"rnadom": `did you mean "random"?`,
		"replay": "there are steady, greedy and random",
		"":       "there are steady, greedy and random",
		"z":      "there are steady, greedy and random",
	} {
		if got := Suggest(word, known); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
	if got := Suggest("x", nil); got != "" {
		t.Errorf("with nothing known: %s", got)
	}
}

func TestDistanceCountsSlips(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"abc", "abc", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"abc", "acb", 1},
		{"abc", "abxc", 1},
		{"abcd", "acd", 1},
		{"abcd", "badc", 2},
		{"kitten", "sitting", 3},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("from %q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// FuzzParse holds that no file and no override makes Parse panic, and that every mistake is in the file or in the override.
func FuzzParse(f *testing.F) {
	for _, src := range tricky {
		f.Add([]byte(src), "seed=1")
	}
	f.Add([]byte(least), "agents.a.policy=greedy")
	f.Add([]byte(head+"[limits]\nact = 3\ntime = \"x\"\n"), "rules.x={a=[1]}")
	f.Add([]byte("rules = 1\n[[agents]]\ntools = [1]\n"), "agents.0=1")
	f.Fuzz(func(t *testing.T, src []byte, set string) {
		s, err := Parse("x.toml", src, []string{set}, nil)
		if s != nil {
			err = Join(err, s.misnamed().sorted(), s.DecodeRules(&lake{}), s.TellRules())
			again, first := Parse(s.File, s.Source, s.Set, s.Files)
			if withHints(err) != withHints(Join(first, again.misnamed().sorted(), again.DecodeRules(&lake{}), again.TellRules())) {
				t.Error("the same file has other mistakes the second time")
			}
		}
		var errs Errors
		if err != nil && !errors.As(err, &errs) {
			t.Fatalf("%T is not Errors", err)
		}
		lines := bytes.Split(src, []byte("\n"))
		for _, e := range errs {
			inSet := e.File == "--set "+set && e.Line == 0 && e.Col == 0
			inFile := e.File == "x.toml" && e.Line >= 1 && e.Line <= len(lines) && e.Col >= 1 && e.Col <= len(lines[e.Line-1])+1
			if !inSet && !inFile || e.Msg == "" {
				t.Errorf("%s (%+v)", e, *e)
			}
		}
	})
}

// withHints gives a line for each mistake, with its hint, if any, behind a |.
func withHints(err error) string {
	var errs Errors
	if !errors.As(err, &errs) {
		return message(err)
	}
	lines := make([]string, len(errs))
	for i, e := range errs {
		lines[i] = e.Error()
		if e.Hint != "" {
			lines[i] += "|" + e.Hint
		}
	}
	return strings.Join(lines, "\n")
}
