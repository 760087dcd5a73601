package scenarios

import (
	"cmp"
	"strings"
)

// A scanner finds where the keys and values of a TOML file stand. It trusts that the TOML library has found the file valid;
// of another file it finds some keys, and stops.
type scanner struct {
	src   string
	i     int   // offset of the next byte
	root  *node // tree of the keys and values, without the scalars' values
	deep  int   // offset of what is nested too deep, 0 if nothing is; the scanner stops there
	twice int   // offset of a key that is there twice, 0 if none is; the TOML library does not find all of them
}

// maxDepth is how deep values may be nested, and how many parts a key may have: the TOML library needs time and memory in
// the square of both.
const maxDepth = 64

// A name is one part of a key.
type name struct {
	text string
	at   int // its offset
}

// scan returns a scanner that has seen all of src.
func scan(src string) *scanner {
	s := &scanner{src: src, i: byteOrderMark([]byte(src)), root: &node{table: map[string]*node{}}}
	for table := s.root; s.skip(" \t\r\n"); {
		if s.peek() == '[' {
			table = s.header()
		} else {
			s.pair(table, 0)
		}
	}
	return s
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.i >= len(s.src) {
		return 0
	}
	return s.src[s.i]
}

// skip skips the bytes in blanks, and comments. It says whether anything follows.
func (s *scanner) skip(blanks string) bool {
	for s.i < len(s.src) {
		switch c := s.src[s.i]; {
		case strings.IndexByte(blanks, c) >= 0:
			s.i++
		case c == '#':
			s.until("\n")
		default:
			return true
		}
	}
	return false
}

// until goes to the next byte in stops, or to the end.
func (s *scanner) until(stops string) {
	if n := strings.IndexAny(s.src[s.i:], stops); n >= 0 {
		s.i += n
	} else {
		s.i = len(s.src)
	}
}

// stop gives up because of what is nested too deep here.
func (s *scanner) stop() {
	s.deep = cmp.Or(s.deep, s.i)
	s.i = len(s.src)
}

// header scans [a.b] or [[a.b]] and returns the table that it begins.
func (s *scanner) header() *node {
	start := s.i
	brackets := 1
	if strings.HasPrefix(s.src[s.i:], "[[") {
		brackets = 2
	}
	s.i += brackets
	names := s.names()
	s.i = min(s.i+brackets, len(s.src))
	last := len(names) - 1
	parent := s.root
	for _, n := range names[:last] {
		parent = parent.enter(n, start)
	}
	n := names[last]
	if brackets == 1 {
		table := parent.enter(n, start)
		table.key, table.at = n.at, start // its own header counts for more than one of a table in it
		return table
	}
	list := parent.table[n.text]
	if list == nil {
		list = &node{key: n.at, at: start}
		parent.table[n.text] = list
	}
	table := &node{key: n.at, at: start, table: map[string]*node{}}
	list.list = append(list.list, table)
	return table
}

// enter returns the table at a key in n, of a list of tables its last one; it makes it if there is none.
func (n *node) enter(key name, at int) *node {
	child := n.table[key.text]
	if child == nil {
		child = &node{key: key.at, at: at}
		n.table[key.text] = child
	}
	if last := child.entry(len(child.list) - 1); last != nil {
		child = last
	}
	if child.table == nil {
		child.table = map[string]*node{}
	}
	return child
}

// names scans the parts of a key, at least one.
func (s *scanner) names() (names []name) {
	for {
		s.skip(" \t")
		names = append(names, s.name())
		s.skip(" \t")
		if s.peek() != '.' {
			return names
		}
		if len(names) == maxDepth {
			s.stop()
			return names
		}
		s.i++
	}
}

// name scans one part of a key.
func (s *scanner) name() name {
	start := s.i
	if c := s.peek(); c != '"' && c != '\'' {
		s.until(" \t.=]\r\n")
		return name{s.src[start:s.i], start}
	}
	s.text()
	quoted := s.src[start:s.i]
	values, err := unmarshal([]byte("key = " + quoted))
	if err != nil {
		return name{quoted, start}
	}
	text, _ := values["key"].(string)
	return name{text, start}
}

// pair scans key = value into a table that is in depth other values.
func (s *scanner) pair(table *node, depth int) {
	names := s.names()
	if s.peek() != '=' {
		s.i = len(s.src) // no TOML
		return
	}
	s.i++
	s.skip(" \t")
	last := len(names) - 1
	for _, n := range names[:last] {
		table = table.enter(n, n.at)
	}
	value := s.value(depth)
	value.key = names[last].at
	if table.table[names[last].text] != nil {
		s.twice = cmp.Or(s.twice, value.key)
		return
	}
	table.table[names[last].text] = value
}

// value scans a value that is in depth others.
func (s *scanner) value(depth int) *node {
	n := &node{key: s.i, at: s.i}
	if depth == maxDepth {
		s.stop()
	}
	switch s.peek() {
	case '"', '\'':
		s.text()
	case '[':
		s.i++
		for s.skip(" \t\r\n,") && s.peek() != ']' {
			n.list = append(n.list, s.value(depth+1))
		}
		s.i = min(s.i+1, len(s.src))
	case '{':
		s.i++
		n.table = map[string]*node{}
		for s.skip(" \t\r\n,") && s.peek() != '}' {
			s.pair(n, depth+1)
		}
		s.i = min(s.i+1, len(s.src))
	default:
		if s.until(",]}#\r\n"); s.i == n.at {
			s.i = len(s.src) // no TOML
		}
	}
	return n
}

// text scans a string, its quotes included.
func (s *scanner) text() {
	quote := s.src[s.i : s.i+1]
	ends := quote
	if strings.HasPrefix(s.src[s.i:], quote+quote+quote) {
		ends = quote + quote + quote
	}
	for s.i += len(ends); s.i < len(s.src) && !strings.HasPrefix(s.src[s.i:], ends); s.i++ {
		if quote == `"` && s.src[s.i] == '\\' {
			s.i++
		}
	}
	s.i = min(s.i+len(ends), len(s.src))
	for range len(ends) - 1 { // a long string may end with up to two quotes of its own
		if s.peek() == quote[0] {
			s.i++
		}
	}
}
