package world

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
)

// Changes returns what makes the facts of s of those of another state: the facts that are new or others in s, and the sorted paths of those that are
// gone. It looks at the layers only that the two do not share; so it costs what has happened between them and hardly what there is.
func (s State) Changes(from State) (set map[string]json.RawMessage, gone []string) {
	shared := 0
	for shared < min(len(s.facts), len(from.facts)) && isSame(s.facts[shared], from.facts[shared]) {
		shared++
	}
	set = make(map[string]json.RawMessage)
	for _, layer := range slices.Concat(s.facts[shared:], from.facts[shared:]) {
		for path := range layer { // order does not matter: each path comes to the same each time
			was, had := from.facts.get(path)
			is, has := s.facts.get(path)
			switch {
			case has && !(had && bytes.Equal(is, was)):
				set[path] = is
			case had && !has:
				gone = append(gone, path)
			}
		}
	}
	slices.Sort(gone)
	return set, slices.Compact(gone)
}

// isSame says whether two layers are one.
func isSame(a, b map[string]json.RawMessage) bool {
	return reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer()
}
