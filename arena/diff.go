package arena

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Differences says where JSON documents differ: each as "path is found, should be wanted", sorted, at most five of them.
func Differences(found, want json.RawMessage) string {
	got, should := make(map[string]string), make(map[string]string)
	flatten("", found, got)
	flatten("", want, should)
	all := maps.Clone(got)
	maps.Copy(all, should)
	var lines []string
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if a, b := orNothing(got, path), orNothing(should, path); a != b {
			lines = append(lines, fmt.Sprintf("%s is %s, should be %s", path, a, b))
		}
	}
	if most := 5; len(lines) > most {
		lines = append(lines[:most], fmt.Sprintf("and %d more", len(lines)-most))
	}
	return strings.Join(lines, "; ")
}

func orNothing(leaves map[string]string, path string) string {
	if leaf, ok := leaves[path]; ok {
		return leaf
	}
	return "missing"
}

// flatten puts the scalars of a JSON document into leaves, by their dotted path.
func flatten(path string, raw json.RawMessage, leaves map[string]string) {
	if path != "" {
		path += "."
	}
	var object map[string]json.RawMessage
	var array []json.RawMessage
	switch {
	case json.Unmarshal(raw, &object) == nil && len(object) > 0:
		for key, value := range object {
			flatten(path+key, value, leaves)
		}
	case json.Unmarshal(raw, &array) == nil && len(array) > 0:
		for i, value := range array {
			flatten(path+strconv.Itoa(i), value, leaves)
		}
	default:
		leaves[strings.TrimSuffix(path, ".")] = string(raw)
	}
}
