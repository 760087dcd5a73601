package scenarios

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// An Error is one mistake in a scenario file or in an override.
type Error struct {
	File      string // the file's name, or "--set " and the override
	Line, Col int    // from 1, Col in bytes; both 0 for an override
	Msg       string // what is wrong
	Hint      string // what to do about it; may be empty
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Msg
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
}

// Errors are all mistakes of a file, in its order, then those of files beside it, and then those of the overrides. There is at least one.
type Errors []*Error

// Error gives one line for each mistake, without the hints.
func (errs Errors) Error() string {
	lines := make([]string, len(errs))
	for i, e := range errs {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted returns the mistakes in their order, each once, or nil if there are none.
func (errs Errors) sorted() error {
	if len(errs) == 0 {
		return nil
	}
	seen := make(map[Error]bool) // the members of a group have all its mistakes
	errs = slices.DeleteFunc(slices.Clone(errs), func(e *Error) bool {
		was := seen[*e]
		seen[*e] = true
		return was
	})
	rank := make(map[string]int) // of files, in the order in which they come
	for _, e := range errs {
		if _, ok := rank[e.File]; !ok {
			rank[e.File] = len(rank)
		}
	}
	slices.SortStableFunc(errs, func(a, b *Error) int {
		if a.Line == 0 || b.Line == 0 { // overrides
			return cmp.Compare(min(1, b.Line), min(1, a.Line))
		}
		return cmp.Or(cmp.Compare(rank[a.File], rank[b.File]), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return errs
}

// Join returns the mistakes in all of errs, each an [Errors], an [*Error] or nil, as one Errors; nil if there are none. If one of
// errs is another error, that one is returned.
func Join(errs ...error) error {
	var all Errors
	for _, err := range errs {
		var many Errors
		var one *Error
		switch {
		case err == nil:
		case errors.As(err, &many):
			all = append(all, many...)
		case errors.As(err, &one):
			all = append(all, one)
		default:
			return err
		}
	}
	return all.sorted()
}

// Nearest returns which of the known words was meant by one that is none of them; empty if none is near.
func Nearest(word string, known []string) string {
	best, nearest := 1+min(max(1, len(word)/3), len(word)-1), "" // a third of it may be wrong, but not all of it
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < best {
			best, nearest = d, k
		}
	}
	return nearest
}

// Suggest returns a hint for a word that is none of the known ones: the one that was meant, if one is near, or else all of them.
func Suggest(word string, known []string) string {
	nearest := Nearest(word, known)
	told := map[string]bool{"": true} // of a file with mistakes a name may be missing, or there twice
	known = slices.DeleteFunc(slices.Clone(known), func(k string) bool {
		was := told[k]
		told[k] = true
		return was
	})
	switch {
	case nearest != "":
		return fmt.Sprintf("did you mean %q?", nearest)
	case len(known) == 0:
		return ""
	case len(known) == 1:
		return "there is only " + known[0]
	}
	return "there are " + list(known, "and")
}

// list returns words as "a, b and c".
func list(words []string, and string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " " + and + " " + words[last]
}

// distance returns how many bytes must be put in, left out, changed or swapped with their neighbour to make b of a.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b) // no word that anybody mistyped
	}
	// before, above and row are the distances of the prefixes of a of lengths i-2, i-1 and i to all prefixes of b.
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, above, row = above, row, before
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(above[j]+cost, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
