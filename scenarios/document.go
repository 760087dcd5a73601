package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// A document is a TOML file as a tree that knows where everything in it stands.
type document struct {
	file string
	src  []byte
	root *node
}

// A node is one value of a document. It is a table, a list, or a scalar.
type node struct {
	key   int    // offset in the source of its key; of a list's entry, of its value
	at    int    // offset of its value; of a table or list with headers, of the first one
	set   string // the override that it comes from; then key and at mean nothing
	group string // of a member of a group of agents: its name

	table map[string]*node // nil: no table
	list  []*node          // nil: no list
	of    []int            // of a list with members of groups in it: the index that each entry has in the file
	val   any              // string, bool, int64, float64 or time.Time
}

// emptyTable returns a table that stands in for one that parent lacks.
func emptyTable(parent *node) *node {
	return &node{key: parent.at, at: parent.at, set: parent.set, table: map[string]*node{}}
}

// parseDocument reads the TOML in src.
func parseDocument(file string, src []byte) (*document, *Error) {
	d := &document{file: file, src: src}
	if len(src) > maxSize {
		return nil, d.mistakeAt(0, fmt.Sprintf("file is larger than %d bytes", maxSize), "")
	}
	if !utf8.Valid(src) {
		invalid := bytes.IndexRune(src, utf8.RuneError)
		return nil, d.mistakeAt(invalid, "file is not UTF-8", "")
	}
	seen := scan(string(src))
	if seen.deep > 0 {
		return nil, d.mistakeAt(seen.deep, fmt.Sprintf("nested more than %d deep", maxDepth), "")
	}
	values, err := unmarshal(src)
	if syntax := (toml.ParseError{}); errors.As(err, &syntax) {
		msg := strings.TrimSuffix(syntax.Message, ".")
		if !strings.HasPrefix(msg, "TOML ") {
			msg = strings.ToLower(msg[:1]) + msg[1:]
		}
		return nil, d.mistakeAt(syntax.Position.Start+byteOrderMark(src), msg, syntaxHint(msg))
	} else if err != nil {
		return nil, d.mistakeAt(0, err.Error(), "")
	}
	if seen.twice > 0 {
		return nil, d.mistakeAt(seen.twice, "this key has already been defined", twiceHint)
	}
	d.root = seen.root
	d.root.fill(values)
	return d, nil
}

const twiceHint = "leave one of them out"

// syntaxHint returns what to do about a mistake that the TOML library has found.
func syntaxHint(msg string) string {
	for _, h := range []struct{ part, hint string }{
		{"already been defined", twiceHint},
		{"expected value but found", `write a value behind the =, text in quotes like "..."`},
		{"strings cannot contain newlines", "close it with a quote, or write a long text between three quotes on each side"},
		{"unexpected EOF", "something that was opened is not closed"},
		{"to end table name", "close it with a bracket"},
		{"expected '.' or '='", "write a key, = and a value"},
		{"array terminator", "close the list with ], or put a comma between its entries"},
	} {
		if strings.Contains(msg, h.part) {
			return h.hint
		}
	}
	return ""
}

// unmarshal returns the values in src.
func unmarshal(src []byte) (values map[string]any, err error) {
	err = toml.Unmarshal(src, &values)
	return values, err
}

// byteOrderMark returns the length of the mark that some editors put in front of a file.
func byteOrderMark(src []byte) int {
	if bytes.HasPrefix(src, []byte("\uFEFF")) {
		return len("\uFEFF")
	}
	return 0
}

// fill puts the values of a TOML table, list or scalar into a tree of positions. Whatever has no position has that of what
// it is in.
func (n *node) fill(v any) {
	old := *n
	*n = node{key: n.key, at: n.at, set: n.set}
	switch v := v.(type) {
	case map[string]any:
		n.table = make(map[string]*node, len(v))
		for key, value := range v { // order does not matter: each goes to a place of its own
			n.table[key] = n.within(old.table[key], value)
		}
	case []map[string]any:
		n.list = make([]*node, len(v))
		for i, value := range v {
			n.list[i] = n.within(old.entry(i), value)
		}
	case []any:
		n.list = make([]*node, len(v))
		for i, value := range v {
			n.list[i] = n.within(old.entry(i), value)
		}
	default:
		n.val = v
	}
}

// within fills the child of n, which may be nil, with a value.
func (n *node) within(child *node, value any) *node {
	if child == nil {
		child = &node{key: n.at, at: n.at, set: n.set}
	}
	child.fill(value)
	return child
}

// entry returns the entry of a list at an index, or nil.
func (n *node) entry(i int) *node {
	if i < 0 || i >= len(n.list) {
		return nil
	}
	return n.list[i]
}

// child returns what n has at a key or, in a list, at an index or under a name; nil if there is none.
func (n *node) child(key string) *node {
	if n.list != nil {
		return n.entry(n.index(key))
	}
	return n.table[key]
}

// index returns the index of the entry of a list with the key as its name or as its index, or -1.
func (n *node) index(key string) int {
	if i := slices.Index(n.names(), key); i >= 0 {
		return i
	}
	if i, err := strconv.Atoi(key); err == nil && i < len(n.list) {
		return i
	}
	return -1
}

// written returns the index that an entry of a list has in the file.
func (n *node) written(i int) int {
	if n.of != nil {
		return n.of[i]
	}
	return i
}

// names returns the names of the entries of a list, empty where there is none; nothing of what is no list.
func (n *node) names() []string {
	if n == nil {
		return nil
	}
	names := make([]string, len(n.list))
	for i, entry := range n.list {
		if name := entry.table["name"]; name != nil {
			names[i], _ = name.val.(string)
		}
	}
	return names
}

// mistake returns an error at a node: at its override, or else at an offset in the source.
func (d *document) mistake(n *node, offset int, msg, hint string) *Error {
	if n.set != "" {
		return &Error{File: "--set " + n.set, Msg: msg, Hint: hint}
	}
	return d.mistakeAt(offset, msg, hint)
}

// mistakeAt returns an error at an offset in the source.
func (d *document) mistakeAt(offset int, msg, hint string) *Error {
	line, col := d.position(offset)
	return &Error{File: d.file, Line: line, Col: col, Msg: msg, Hint: hint}
}

// position returns the line and the column of an offset in the source, which may lie outside.
func (d *document) position(offset int) (line, col int) {
	start := byteOrderMark(d.src)
	before := d.src[start:max(start, min(offset, len(d.src)))]
	return 1 + bytes.Count(before, []byte("\n")), len(before) - bytes.LastIndexByte(before, '\n')
}

// where says where a node stands.
func (d *document) where(n *node) string {
	if n.set != "" {
		return "in --set " + n.set
	}
	line, _ := d.position(n.at)
	return fmt.Sprintf("on line %d", line)
}

// path joins keys with dots.
func path(keys ...string) string {
	return strings.TrimPrefix(strings.Join(keys, "."), ".")
}
