package star

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

// Each of these is put into the reset of a file, and must end in an error that says this, soon and without much memory.
func TestAHostileFileIsAnErrorInBoundedTimeAndMemory(t *testing.T) {
	const steps = "this took more than 300000 steps"
	for name, c := range map[string]struct{ code, want string }{
		"an endless loop":            {"for i in range(1000000):\n  for j in range(1000000):\n   pass", steps},
		"recursion":                  {"f(1)", "function f called recursively"},
		"recursion by a key":         {"g([1])", "function g called recursively"},
		"a long range":               {"list(range(1 << 40))", "range: at most 1000000 numbers"},
		"ranges again and again":     {"for i in range(1000000):\n  sorted(range(1000000))", steps},
		"doubled text":               {"s = 'x'\n for i in range(99):\n  s += s", "a text of 131072 bytes; the longest is 65536"},
		"doubled text, spelled out":  {"s = 'x'\n for i in range(99):\n  s = s + s", "a text of 131072 bytes"},
		"doubled bytes":              {"s = b'x'\n for i in range(99):\n  s = s + s", steps},
		"doubled list":               {"s = [1]\n for i in range(99):\n  s += s", steps},
		"doubled list in a list":     {"s = [[1]]\n for i in range(99):\n  s[0] += s[0]", steps},
		"doubled list in a dict":     {"s = {1: [1]}\n for i in range(99):\n  s[1] += s[1]", steps},
		"extended list":              {"s = [1]\n for i in range(99):\n  s.extend(s)", steps},
		"extended by another name":   {"s = [1]\n e = s.extend\n for i in range(99):\n  e(s)", steps},
		"extended through getattr":   {"s = [1]\n for i in range(99):\n  getattr(s, 'extend')(s)", steps},
		"doubled tuple":              {"s = (1,)\n for i in range(99):\n  s = s + s", steps},
		"tuples in tuples":           {"s = (1,)\n for i in range(99):\n  s = (s, s)", "a tuple holds at most 1000 values"},
		"tuples by zip":              {"s = (1,)\n for i in range(99):\n  s = zip([s], [s])[0]\n {s: 1}", steps},
		"repeated text":              {"'x' * (1 << 29)", "a text of 536870912 bytes"},
		"repeated text, reversed":    {"(1 << 29) * 'x'", "a text of 536870912 bytes"},
		"repeated list":              {"[0] * (1 << 29)", steps},
		"repeated tuple":             {"(0,) * (1 << 29)", steps},
		"repeated without end":       {"[0] * (1 << 100)", steps},
		"kept slices":                {"a = [0] * 100000\n keep = []\n for i in range(1000000):\n  keep.append(a[1:])", steps},
		"kept copies":                {"a = [0] * 100000\n keep = []\n for i in range(1000000):\n  keep.append(list(a))", steps},
		"replaced text":              {"s = 'x' * 60000\n s.replace('x', s)", "replace: a text of 3600060000 bytes"},
		"replaced nothing":           {"s = 'x' * 60000\n s.replace('', s)", "replace: a text of 3600120000 bytes"},
		"joined text":                {"s = 'x' * 60000\n s.join([s] * 100)", "join: a text of more than 65536 bytes"},
		"formatted text":             {"s = 'x' * 60000\n ('{0}' * 1000).format(s)", "format: a text of 60071008 bytes"},
		"formatted by name":          {"s = 'x' * 60000\n ('{a}' * 1000).format(a = s)", "format: a text of 60071008 bytes"},
		"formatted with a percent":   {"s = 'x' * 60000\n '%s%s' % (s, s)", "a text of more than 65536 bytes"},
		"formatted with a name":      {"s = 'x' * 60000\n '%(a)s%(a)s' % {'a': s}", "a text of 180"},
		"a list in lists as text":    {"a = [1]\n for i in range(99):\n  a = [a, a]\n str(a)", "str: values are nested deeper than 100"},
		"a text of itself":           {"a = [1]\n a.append(a)\n str(a)", "nested deeper than 100"},
		"wide comparisons":           {"a, b = [0], [0]\n for i in range(9):\n  a, b = [a] * 1000, [b] * 1000\n a == b", steps},
		"wide search":                {"a, b = [0], [0]\n for i in range(9):\n  a, b = [a] * 1000, [b] * 1000\n b in [a]", steps},
		"wide keys":                  {"a = [0] * 1000000\n sorted(range(1000000), key = lambda _: a)", steps},
		"great factors":              {"n = 3\n for i in range(99):\n  n = n * n", "a whole number has at most 1024 bits"},
		"great factors in place":     {"n = 3\n for i in range(99):\n  n *= n", "a whole number has at most 1024 bits"},
		"shifts":                     {"n = 1\n for i in range(1000000):\n  n = n << 500", "a whole number has at most 1024 bits"},
		"a great number from text":   {"int('9' * 60000) * 2", "a whole number has at most 1024 bits"},
		"many arguments":             {"a = range(1000000)\n for i in range(1000000):\n  max(*a)", steps},
		"a function as data":         {"event('x', data = f)", "event: data: a function is no value in JSON"},
		"a list in itself":           {"a = []\n a.append(a)\n event('x', data = a)", "event: data: it is nested deeper than 100, or in itself"},
		"much data":                  {"event('x', data = ['x' * 60000] * 20)", "event: data: it is larger than 1048576 bytes"},
		"lists in lists":             {"a = [1]\n for i in range(90):\n  a = [a, a]\n event('x', data = a)", steps},
		"infinity":                   {"event('x', data = 1e308 * 10)", "event: data: +inf is no number in JSON"},
		"not a number":               {"event('x', set = {'a': float('nan')})", `event: fact "a": nan is no number in JSON`},
		"a great float":              {"event('x', data = 1e400)", "invalid float literal"},
		"a great integer":            {"event('x', data = 1 << 60)", "event: data: a whole number in it is beyond 2^53"},
		"text that is not UTF-8":     {"event('x', data = '\\xff')", "non-ASCII hex escape"},
		"half a character":           {"event('x', data = 'é'[:1])", "event: data: the text \"\\xc3\" is not UTF-8"},
		"half a path":                {"event('x', set = {'é'[:1]: 1})", "event: the path of a fact is a text of 1 to 1000 bytes"},
		"a number as a key":          {"event('x', data = {1: 2})", "event: data: the key 1 is no text"},
		"a number as a path":         {"event('x', set = {1: 2})", "event: the path of a fact is a text"},
		"a fact of the arena":        {"event('x', set = {'run/seed': 2})", `event: the fact "run/seed" is not for rules to change`},
		"to delete one":              {"event('x', delete = ['run/status/a'])", `event: the fact "run/status/a" is not for rules to change`},
		"to end a turn":              {"event('turn')", `event: no event of rules is a "turn"`},
		"a refusal by hand":          {"event('refusal')", "write refuse"},
		"an event without a kind":    {"event('')", "event: the kind and the agent must be texts"},
		"to change what it is given": {"agents.append('x')", "append: cannot append to frozen list"},
		"to change its globals":      {"params['n'] = 2", "cannot insert into frozen hash table"},
		"to change it in place":      {"params['n'] += 2", "cannot insert into frozen hash table"},
		"to load":                    {"load('x.star', 'y')", "a file of rules loads no other"},
		"to print":                   {"print('x')", "rules print nothing"},
		"many events":                {"return [event('x')] * 100001", "reset: it returns 100001 events; the most are 100000"},
		"many actions":               {"observation({}, [action('a')] * 1001)", "observation: there are 1001 actions; the most are 1000 give an action arguments"},
		"two actions of a name":      {"observation({}, [action('a'), action('a')])", `observation: there are two actions "a"`},
		"an action called pass":      {"action('pass')", "action: the name must match"},
		"actions of the terminated":  {"observation({}, [action('a')], terminated = True)", "who is terminated has no actions"},
		"an infinite reward":         {"observation({}, reward = float('inf'))", "the reward must be a finite number"},
		"an impossible number":       {"integer(3, 1)", "integer: the minimum, 3, is above the maximum, 1"},
		"half an integer":            {"integer(0.5, 1)", "integer: the bounds must be whole numbers"},
		"no choice":                  {"random.choice([])", "choice: the list is empty"},
		"no number":                  {"random.int(0)", "int: n is 0, want 1 to 2^53"},
		"the root of less than 0":    {"sqrt(-1)", "sqrt: -1 has none"},
		"an error of its own":        {"fail('so', 'it is')", "fail: so it is"},
	} {
		t.Run(name, func(t *testing.T) {
			source := "params = {'n': 1}\ndef f(x):\n return f(x)\ndef g(x):\n return sorted(x, key = lambda y: g(x))\n" +
				"def observe(state, agent):\n return None\ndef step(state, actions):\n return []\n" +
				"def reset(agents, random):\n " + c.code + "\n return []\n"
			begun, before := time.Now(), allocated()
			rules, err := load("hostile.star", []byte(source), nil, 300_000)
			if err == nil {
				_, err = rules.Reset(1, []string{"a"})
			}
			if err == nil || !strings.Contains(report(err), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "hostile.star:") {
				t.Errorf("no place in the file: %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one reason: %v", err)
			}
			if took := time.Since(begun); took > callTime {
				t.Errorf("took %v", took)
			}
			if made := allocated() - before; made > 1<<30 {
				t.Errorf("made %d MB", made>>20)
			}
		})
	}
}

// report returns an error with its hint.
func report(err error) string {
	if e := (*Error)(nil); errors.As(err, &e) {
		return err.Error() + " " + e.Hint
	}
	return err.Error()
}

// allocated returns how many bytes have been allocated so far, freed or not.
func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

func TestASourceThatIsNestedDeepIsNoCrash(t *testing.T) {
	for name, source := range map[string]string{
		"brackets":    strings.Repeat("(", maxSource),
		"lists":       strings.Repeat("[", maxSource/2) + strings.Repeat("]", maxSource/2),
		"signs":       strings.Repeat("-", maxSource-1) + "1",
		"nots":        strings.Repeat("not ", maxSource/4-1) + "1",
		"lambdas":     strings.Repeat("lambda:", maxSource/7-1) + "1",
		"conditions":  strings.Repeat("1 if 1 else ", maxSource/12-1) + "1",
		"sums":        strings.Repeat("x+", maxSource/8) + "1",
		"calls":       "f" + strings.Repeat("()", maxSource/8),
		"dots":        "f" + strings.Repeat(".f", maxSource/2-1),
		"dicts":       strings.Repeat("{1:", maxSource/4) + "1" + strings.Repeat("}", maxSource/4-1),
		"indices":     strings.Repeat("x[", maxSource/3) + "1" + strings.Repeat("]", maxSource/3-1),
		"blocks":      nestedBlocks(),
		"too long":    strings.Repeat("#", maxSource+1),
		"not UTF-8":   "x = '\xff'",
		"NUL":         "x = '\x00'\n\x00",
		"no newline":  "def",
		"only spaces": " ",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Load("deep.star", []byte(source), nil); err == nil || !strings.HasPrefix(err.Error(), "deep.star:") {
				t.Errorf("%.100v", err)
			}
		})
	}
}

func nestedBlocks() string {
	var b strings.Builder
	for i := 0; b.Len() < maxSource-2000; i++ {
		b.WriteString(strings.Repeat(" ", i) + "if 1:\n")
	}
	return b.String()
}

// FuzzRules demands that no file whatever is a crash or takes for ever.
func FuzzRules(f *testing.F) {
	for _, name := range []string{"fishery", "grid", "matrix"} {
		source, err := os.ReadFile("testdata/" + name + ".star")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(source), "fish", `{"tons":1}`)
	}
	f.Add("x = 1 +", "", "")
	f.Fuzz(func(t *testing.T, source, action, args string) {
		rules, err := Load("fuzz.star", []byte(source), nil)
		if err != nil {
			return
		}
		events, err := rules.Reset(1, []string{"a", "b"})
		if err != nil {
			return
		}
		events, err = world.State{}.Stamp(events)
		if err != nil {
			t.Fatalf("no store takes the events of reset: %v", err)
		}
		st := world.State{}.Apply(events...)
		_ = rules.Check(st)
		if obs, err := rules.Observe(st, "a"); err == nil {
			for _, policy := range rules.Policies() {
				_ = policy.Decide(1, obs)
			}
		}
		events, err = rules.Step(st, []world.Action{{Agent: "a", Name: action, Args: []byte(args)}, {Agent: "b", Name: world.Pass}})
		if err != nil {
			return
		}
		if _, err := st.Stamp(events); err != nil {
			t.Fatalf("no store takes the events of step: %v", err)
		}
	})
}
