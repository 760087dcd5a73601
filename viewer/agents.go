package viewer

import (
	"strings"
	"unicode"
)

// The colors are those of Okabe and Ito ("Color Universal Design", 2008), which people who do not see all colors can tell apart, but the
// blue one: theirs is too dark for a dark ground, and were it lighter it would be like the sky blue; so it has more red. Shapes and initials say the same once more.
var (
	palette = [...]string{"#e69f00", "#56b4e9", "#009e73", "#f0e442", "#706eee", "#d55e00", "#cc79a7"}
	shapes  = [...]string{"disc", "square", "triangle", "diamond", "hexagon", "star"}
)

// Agents returns how agents look, from their names in seat order and the groups that they belong to. Those of one group have one color, where there are
// several groups; else each has its own.
func Agents(names []string, group func(name string) string) []Agent {
	colors := make(map[string]int)
	for _, name := range names {
		if g := group(name); g != "" && !has(colors, g) {
			colors[g] = len(colors)
		}
	}
	grouped := len(colors) > 1
	taken := make(map[string]bool)
	agents := make([]Agent, len(names))
	for i, name := range names {
		n := i
		if grouped {
			n = len(colors) + i
			if c, ok := colors[group(name)]; ok {
				n = c
			}
		}
		agents[i] = Agent{Name: name, Color: palette[n%len(palette)], Shape: shapes[n/len(palette)%len(shapes)], Initials: initials(name, taken)}
	}
	return agents
}

func has(m map[string]int, key string) bool { _, ok := m[key]; return ok }

// initials returns up to three letters that tell a name from those before it, as long as that can be.
func initials(name string, taken map[string]bool) string {
	letters := []rune(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToUpper(r)
		}
		return -1
	}, name))
	if len(letters) == 0 {
		return "?"
	}
	tries := []string{string(letters[:1])}
	if n := len(letters); n > 1 {
		tries = []string{string(letters[:2]), string(letters[0]) + string(letters[n-1])}
		if n > 2 {
			tries = append(tries, string(letters[0])+string(letters[n-2:]))
		}
	}
	for _, try := range tries {
		if !taken[try] {
			taken[try] = true
			return try
		}
	}
	return tries[len(tries)-1]
}
