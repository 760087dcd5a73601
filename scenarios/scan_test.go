package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// tricky is TOML that a careless scanner trips over.
var tricky = []string{
	"",
	"\uFEFFa = 1",
	"a = 1\r\nb = 2\r\n",
	"# [no.table]\na = 1 # b = 2\n",
	"a.b.c = 1\na . d = 2\n\"a\".'e' = 3\n",
	"\"quoted \\\" = [x]\" = 1\n'lit # eral' = 2\n\"\\u0061\" = 3\n\"\" = 4\n",
	"a = \"\"\"\n[no]\nb = 1\n\\\"\"\"\" # \"\"\"\nc = 2\n",
	"a = '''\n[no]\nb = 1 ''\n'''\nc = 2\n",
	"a = \"\"\"x\"\"\"\"\"\nb = '''y'''''\nc = \"\"\nd = ''\n",
	"a = \"\\\\\"\nb = \"# no comment\"\nc = '\\'\n",
	"a = [1, [2, 3], # three\n  [\"]\", ']'],\n]\nb = 2\n",
	"a = { b = 1, c.d = [ { e = 2 }, {} ], \"f\" = { g = '}' } }\nh = 1\n",
	"a = {\n b = 1, # one\n c = 2,\n}\nd = 3\n",
	"[[a]]\nb = 1\n[[a.c]]\nd = 1\n[[a.c]]\n[a.e]\nf = 1\n[[a]]\nb = 2\n",
	"[a.b]\nc = 1\n[a]\nd = 2\n[ x . \"y.z\" ]\nw = 3\n",
	"a = 1979-05-27 07:32:00Z\nb = 07:32:00\nc = -inf\nd = 0xff\ne = 1_000.5e-3\nf = true\n",
	"a = [ { b = 1 }, { b = 2, c = 3 } ]\n",
	"a = \"x\" # \"\n\t b\t=\t2\n   [ c ]   # d\n   e=1\n",
	"a = \"\"\"\\\n   b = \\\n   \"\"\"\nc = 1",
}

func TestTheScannerFindsEveryKeyOfTrickyTOML(t *testing.T) {
	for _, src := range tricky {
		values, err := unmarshal([]byte(src))
		if err != nil {
			t.Errorf("%q is no TOML: %v", src, err)
			continue
		}
		seen := scan(src)
		if seen.deep != 0 || seen.twice != 0 {
			t.Errorf("%q: nested too deep at %d, twice at %d", src, seen.deep, seen.twice)
		}
		if lost := unplaced(src, seen.root, values, ""); len(lost) > 0 {
			t.Errorf("%q: no position, or a wrong one, for %q", src, lost)
		}
	}
}

func TestTheScannerGivesTheOffsetsOfKeysAndValues(t *testing.T) {
	src := "a.b = 1\n[c]\n[[d.e]]\nf = { g = [ 2, 3 ] }\n[[d.e]]\n"
	root := scan(src).root
	for _, want := range []struct {
		path    string
		key, at int
	}{
		{"a", 0, 0},
		{"a.b", 2, 6},
		{"c", 9, 8},
		{"d", 14, 12},
		{"d.e", 16, 12},
		{"d.e.0", 16, 12},
		{"d.e.0.f", 20, 24},
		{"d.e.0.f.g", 26, 30},
		{"d.e.0.f.g.1", 35, 35},
		{"d.e.1", 45, 41},
	} {
		n := root
		for key := range strings.SplitSeq(want.path, ".") {
			if n = n.child(key); n == nil {
				t.Fatalf("%s was not found", want.path)
			}
		}
		if n.key != want.key || n.at != want.at {
			t.Errorf("%s: key at %d, value at %d; want %d and %d", want.path, n.key, n.at, want.key, want.at)
		}
	}
}

func TestTheScannerStopsAtWhatIsNestedTooDeep(t *testing.T) {
	for src, want := range map[string]int{
		"a = " + strings.Repeat("[", 100):                              68,
		"a = " + strings.Repeat("{b=", 100):                            196,
		strings.Repeat("a.", 100) + "b = 1":                            127,
		"[" + strings.Repeat("a.", 100) + "b]":                         128,
		"a = " + strings.Repeat("[", 64) + strings.Repeat("]", 64):     0,
		"a = 1\n[" + strings.Repeat("a.", 63) + "b]\n" + "c = [[[1]]]": 0,
	} {
		if got := scan(src).deep; got != want {
			t.Errorf("%.20q...: stopped at %d, want %d", src, got, want)
		}
	}
}

// FuzzScan holds the scanner against the TOML library: whatever that finds, the scanner finds too.
func FuzzScan(f *testing.F) {
	for _, src := range tricky {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		seen := scan(src)
		if _, mistake := parseDocument("x.toml", []byte(src)); mistake != nil {
			return
		}
		values, err := unmarshal([]byte(src))
		if err != nil {
			t.Fatal(err)
		}
		if lost := unplaced(src, seen.root, values, ""); len(lost) > 0 {
			t.Errorf("no position, or a wrong one, for %q", lost)
		}
	})
}

// unplaced returns the paths of the values that have no node, or one whose key does not stand where it says.
func unplaced(src string, n *node, v any, at string) (lost []string) {
	entries := func(n int, get func(int) any, list []*node) {
		if len(list) != n {
			lost = append(lost, fmt.Sprintf("%s (%d entries, not %d)", at, len(list), n))
			return
		}
		for i, entry := range list {
			lost = append(lost, unplaced(src, entry, get(i), path(at, fmt.Sprint(i)))...)
		}
	}
	switch v := v.(type) {
	case map[string]any:
		if len(n.table) != len(v) {
			lost = append(lost, fmt.Sprintf("%s (%d keys, not %d)", at, len(n.table), len(v)))
		}
		for key, value := range v {
			child := n.table[key]
			if child == nil || !standsAt(src, child.key, key) {
				lost = append(lost, path(at, key))
				continue
			}
			lost = append(lost, unplaced(src, child, value, path(at, key))...)
		}
	case []map[string]any:
		entries(len(v), func(i int) any { return v[i] }, n.list)
	case []any:
		entries(len(v), func(i int) any { return v[i] }, n.list)
	}
	slices.Sort(lost)
	return lost
}

// standsAt says whether a key, bare or in quotes, begins at an offset.
func standsAt(src string, offset int, key string) bool {
	rest := src[offset:]
	return key != "" && strings.HasPrefix(rest, key) || strings.HasPrefix(rest, `"`) || strings.HasPrefix(rest, "'")
}
