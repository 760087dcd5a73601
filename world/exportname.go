package world

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"strings"
)

// fileOf returns the name of the file of a fact, and whether it may have one. It is another one for every path.
func fileOf(path string) (name string, ok bool) {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		var b strings.Builder
		size := 0 // since the last slash
		for _, c := range []byte(part) {
			char := string(rune(c))
			if !strings.Contains("abcdefghijklmnopqrstuvwxyz0123456789-_", char) {
				char = fmt.Sprintf("%%%02x", c)
			}
			if size+len(char) > maxPiece {
				b.WriteString("%/")
				size = 0
			}
			b.WriteString(char)
			size += len(char)
		}
		parts[i] = cmp.Or(b.String(), "%")
	}
	name = strings.Join(parts, "/") + ".json"
	return name, len(name) <= maxName && !strings.HasPrefix(path, RunFacts)
}

// pathOf returns the path of the fact that a file is of, and whether the file has the one name that fileOf gives it.
func pathOf(name string) (path string, ok bool) {
	parts := strings.Split(strings.TrimSuffix(name, ".json"), "/")
	for i, part := range parts {
		part, goesOn := strings.CutSuffix(part, "%")
		if plain, err := url.PathUnescape(part); err == nil {
			part = plain
		}
		path += part
		if i < len(parts)-1 && (!goesOn || part == "") {
			path += "/"
		}
	}
	again, ok := fileOf(path)
	return path, ok && again == name
}

// isFactFile says whether the file may be one of a fact; all others are left alone.
func isFactFile(name string) bool {
	hidden := strings.HasPrefix(name, ".") || strings.Contains(name, "/.")
	return !hidden && strings.HasSuffix(name, ".json") && len(path.Base(name)) <= maxPiece+len(".json")
}
