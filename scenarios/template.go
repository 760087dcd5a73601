package scenarios

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

//go:embed template.txt
var template string

// Template returns a commented scenario file to begin with. The error of what can be no scenario's name says what can.
func Template(name string) ([]byte, error) {
	if spec := fieldSpec[Scenario]("Name"); !regexp.MustCompile(spec.pattern).MatchString(name) {
		return nil, fmt.Errorf("a name must match %s, not be %q", spec.pattern, name)
	}
	return []byte(strings.ReplaceAll(template, "NAME", name)), nil
}
