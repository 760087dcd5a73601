package scenarios

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// keysOf returns the keys of a struct and of all tables in it.
func keysOf(t reflect.Type) (keys []string) {
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for field := range t.Fields() {
		if key, ok := field.Tag.Lookup("toml"); ok {
			keys = append(append(keys, key), keysOf(field.Type)...)
		}
	}
	return keys
}

func TestTheTemplateSaysEveryKeyThereIs(t *testing.T) {
	src, err := Template("pond")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keysOf(reflect.TypeFor[Scenario]()) {
		if !regexp.MustCompile(`(?m)^(#?` + key + ` =|#?\[+([a-z]+\.)?` + key + `\]|#.*\{ ` + key + ` =|#.*, ` + key + ` =)`).Match(src) {
			t.Errorf("the template says nothing of %q", key)
		}
	}
	if err := validator(t)(string(src)); err != nil {
		t.Error(err)
	}
}

// What stands behind a # is a default or an example. Either can be had by taking the # away.
func TestTheTemplateStaysGoodWithWhatItHasInComments(t *testing.T) {
	template, err := Template("pond")
	if err != nil {
		t.Fatal(err)
	}
	src := string(template)
	good, err := Parse("pond.toml", []byte(src), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile(`^#(limits|model|thinking|tools|max_tokens|budget|requests|tokens|dollars|base_url|headers|env|hosts|facts|min_level|read|default|plugin|schedule = "seq|act = "1|agents|prompt|kind = "exec|turns|think|say|action|text|edge|gone|hidden|sees|colors|width|height|layers|window|places|links)`)
	together := regexp.MustCompile(`^#(prompt_file|prices|ca|workdir|\[\[|name|args|env = \{ D|command|gateway|kind = "exec|tools = \[\{|agents = \["crook|turns|think|say|action)`) // wrong without something else
	commented := 0
	for line := range strings.Lines(src) {
		if !regexp.MustCompile(`^#([a-z_]+ = |\[)`).MatchString(line) {
			continue
		}
		commented++
		got, err := Parse("pond.toml", []byte(strings.Replace(src, line, line[1:], 1)), nil, nil)
		switch {
		case together.MatchString(line):
		case err != nil:
			t.Errorf("with %s%v", line, err)
		case !examples.MatchString(line):
			got.doc, got.Source, good.doc, good.Source = nil, nil, nil, nil
			if !reflect.DeepEqual(got, good) {
				t.Errorf("%sis no default:\ngot  %+v\nwant %+v", line, got, good)
			}
		}
	}
	if commented < 20 {
		t.Errorf("%d keys are commented", commented)
	}
}

func TestTheTemplateIsForGoodNamesOnly(t *testing.T) {
	for _, name := range []string{"", "A", "..", "a/b", "a b"} {
		if _, err := Template(name); err == nil {
			t.Errorf("the name %q is taken", name)
		}
	}
}
