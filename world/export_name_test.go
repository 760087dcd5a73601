package world

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFactsHaveFileNamesOfTheirOwn(t *testing.T) {
	long := strings.Repeat("x", 200)
	for path, want := range map[string]string{
		"lake/tons":         "lake/tons.json",
		"a":                 "a.json",
		"a/b":               "a/b.json",
		"a.json/b":          "a%2ejson/b.json",
		"a.json.refused":    "a%2ejson%2erefused.json",
		"Ann":               "%41nn.json",
		"ann":               "ann.json",
		"":                  "%.json",
		"/":                 "%/%.json",
		"//a/":              "%/%/a/%.json",
		".":                 "%2e.json",
		"..":                "%2e%2e.json",
		"../../etc/passwd":  "%2e%2e/%2e%2e/etc/passwd.json",
		"/etc/passwd":       "%/etc/passwd.json",
		`..\x`:              "%2e%2e%5cx.json",
		"a\x00b":            "a%00b.json",
		"a b\n*~":           "a%20b%0a%2a%7e.json",
		"%":                 "%25.json",
		"%2e":               "%252e.json",
		"é":                 "%c3%a9.json",
		"\xff":              "%ff.json",
		".vitrine-export":   "%2evitrine-export.json",
		long:                long + ".json",
		long + "y":          long + "%/y.json",
		long + "/y":         long + "/y.json",
		long + long + "y/z": long + "%/" + long + "%/y/z.json",
		long[1:] + ".":      long[1:] + "%/%2e.json",
		"run":               "run.json",
		"runs/x":            "runs/x.json",
		"Run/x":             "%52un/x.json",
	} {
		name, ok := fileOf(path)
		if name != want || !ok {
			t.Errorf("the file of %q is %q, %t; want %q", path, name, ok, want)
		}
		checkName(t, path)
	}
	for _, path := range []string{"run/", "run/seed", "run/../x", strings.Repeat("/", 2000), strings.Repeat("é", 400)} {
		if name, ok := fileOf(path); ok {
			t.Errorf("%q has the file %q", path, name)
		}
		checkName(t, path)
	}
	for _, name := range []string{"A.json", "%2E.json", "%61.json", "a.b.json", "/a.json", "a//b.json", "%/.json", "%%.json", "a%.json", "a%/b.json", "%zz.json", "run/a.json", "é.json"} {
		if path, ok := pathOf(name); ok {
			t.Errorf("%q is the file of %q", name, path)
		}
	}
}

// checkName fails unless the name of a fact leads back to it, and nowhere out of the folder, nor to any file that is not a fact's.
func checkName(t *testing.T, path string) {
	t.Helper()
	name, ok := fileOf(path)
	back, backOK := pathOf(name)
	if back != path || backOK != ok {
		t.Errorf("the file of %q is %q, %t, which is the file of %q, %t", path, name, ok, back, backOK)
	}
	if !filepath.IsLocal(name) || filepath.Clean(name) != name || ok && !isFactFile(name) {
		t.Errorf("the file of %q is %q", path, name)
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(name, ".json"), "/") {
		if part == "" || len(part) > 201 || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789_-%") != "" {
			t.Errorf("the file of %q is %q, in which %q is not safe", path, name, part)
		}
	}
}

func FuzzFileNamesLeadBackToTheirFacts(f *testing.F) {
	for _, path := range []string{"lake/tons", "", "../..", "%2e", "a\x00\xff/", strings.Repeat("É", 300), "run/x", "a%/b"} {
		f.Add(path, path+".json")
	}
	f.Fuzz(func(t *testing.T, path, name string) {
		checkName(t, path)
		if back, ok := pathOf(name); ok {
			if again, _ := fileOf(back); again != name {
				t.Errorf("%q is the file of %q, whose file is %q", name, back, again)
			}
		}
		if utf8.ValidString(name) { // a name of any kind
			checkName(t, name)
		}
	})
}
