package scenarios

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// validator returns what validates a scenario by the shipped schema, which knows the parameters of rules.
func validator(t *testing.T) func(src string) error {
	t.Helper()
	shipped, err := os.ReadFile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(shipped, &schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		t.Fatal(err)
	}
	return func(src string) error {
		values, err := unmarshal([]byte(src))
		if err != nil {
			return err
		}
		raw, err := json.Marshal(values)
		if err != nil {
			return err
		}
		var plain any
		if err := json.Unmarshal(raw, &plain); err != nil {
			return err
		}
		return resolved.Validate(plain)
	}
}

func TestShippedScenariosAreValidByTheSchema(t *testing.T) {
	validate := validator(t)
	files, err := filepath.Glob("*.toml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(string(src)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// Each file of the script that checks broken scenarios is invalid by the schema too, unless only the rules, or two places
// together, say that it is broken.
func TestBrokenScenariosAreInvalidByTheSchema(t *testing.T) {
	script, err := os.ReadFile(filepath.Join("..", "cmd", "vitrine", "testdata", "broken.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	unknowable := regexp.MustCompile(`asks for a default|no agent "|free schedule|below the scenario's folder|but the rules have|` +
		`unknown rules|unknown policy|duplicate agent|no agent can be called|is the name of|no folder`)
	_, mistakes, _ := strings.Cut(string(script), "-- want --\n")
	validate := validator(t)
	invalid := 0
	parts := regexp.MustCompile(`(?m)^-- (\S+\.toml) --\n`).FindAllStringSubmatchIndex(string(script), -1)
	for i, part := range parts {
		end := strings.Index(string(script), "-- want --\n")
		if i+1 < len(parts) {
			end = parts[i+1][0]
		}
		name, src := string(script[part[2]:part[3]]), string(script[part[1]:end])
		mistake := regexp.MustCompile(`(?m)^vitrine: ` + regexp.QuoteMeta(name) + `:.*`).FindString(mistakes)
		err := validate(src)
		switch {
		case err != nil:
			invalid++
		case mistake == "":
			t.Errorf("%s is not broken", name)
		case !unknowable.MatchString(mistake):
			t.Errorf("%s is valid by the schema: %s", name, mistake)
		}
	}
	if len(parts) < 30 || invalid < 20 {
		t.Errorf("of %d broken files %d are invalid by the schema", len(parts), invalid)
	}
}

func TestTheSchemaKnowsTheParametersOfRules(t *testing.T) {
	validate := validator(t)
	for rules, valid := range map[string]bool{
		`rules = { name = "fishery", capacity = 50 }`:                        true,
		`rules = { name = "fishery", capacity = 0 }`:                         false,
		`rules = { name = "fishery", capacity = "many" }`:                    false,
		`rules = { name = "fishery", capasity = 50 }`:                        false,
		`rules = { name = "life", pattern = "acorn" }`:                       true,
		`rules = { name = "life", pattern = "oak" }`:                         false,
		`rules = { name = "bazaar", values = [9, 8] }`:                       true,
		`rules = { name = "village.star", anything = "go" }`:                 true,
		`rules = { name = "fishery", plugin = ["./lake"], anything = "go" }`: true,
		`rules = { name = "fishery", plugin = [] }`:                          false,
		`rules = "fishery"`: true,
	} {
		err := validate(rules + "\n[[agents]]\nname = \"a\"\n")
		if (err == nil) != valid {
			t.Errorf("%s: %v", rules, err)
		}
	}
}
