package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/viewer/draw"
)

// framed returns the picture of a turn with what an agent sees.
func framed(t *testing.T, s *server, turn int, agent string) *draw.List {
	t.Helper()
	list, err := draw.Decode(fetch(t, s, fmt.Sprintf("api/frame?turn=%d&sees=%s", turn, agent)))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A cell is one of a board.
type cell struct{ x, y int }

// fogged returns the cells that are dimmed.
func fogged(list *draw.List) map[cell]bool {
	dimmed := make(map[cell]bool)
	for _, s := range list.Shapes {
		if s.Fill == 0x10141899 {
			for x := s.X - s.W/2; x < s.X+s.W/2; x++ {
				dimmed[cell{int(x), int(s.Y)}] = true
			}
		}
	}
	return dimmed
}

// cast returns the names of the agents of a run, and how many turns it has.
func cast(t *testing.T, s *server) (names []string, turns int) {
	t.Helper()
	run := get[struct {
		Agents []struct{ Name string }
		Turns  int
	}](t, s, "api/run")
	for _, a := range run.Agents {
		names = append(names, a.Name)
	}
	return names, run.Turns
}

func TestOfABoardTheCellsThatAnAgentSawAreNotDimmed(t *testing.T) {
	s := view(t, play(t, "harvest.toml", "--policy", "random", "--set", "rules.turns=30"))
	type window struct {
		At     [2]int // x, y
		Away   bool
		Facing string
		Others []struct{ Name string }
		Window []string
	}
	agents, turns := cast(t, s)
	away := 0
	for turn := range turns {
		for _, agent := range agents {
			saw := get[struct{ Observation struct{ View window } }](t, s, fmt.Sprintf("api/agent?turn=%d&name=%s", turn, agent)).Observation.View
			if saw.Away {
				away++
			}
			list := framed(t, s, turn, agent)
			dimmed := fogged(list)
			// The window is turned so that the agent faces up, from the farthest row ahead, which is the tenth, to the one behind.
			letters := make(map[cell]byte)
			for i, row := range saw.Window {
				for j, letter := range []byte(row) {
					ahead, right := 9-i, j-5
					at := map[string]cell{
						"N": {saw.At[0] + right, saw.At[1] - ahead}, "E": {saw.At[0] + ahead, saw.At[1] + right},
						"S": {saw.At[0] - right, saw.At[1] + ahead}, "W": {saw.At[0] - ahead, saw.At[1] - right},
					}[saw.Facing]
					letters[at] = letter
				}
			}
			board := list.Shapes[0]
			for y := range int(board.H) {
				for x := range int(board.W) {
					if _, seen := letters[cell{x, y}]; seen == dimmed[cell{x, y}] {
						t.Fatalf("turn %d, %s: it sees the cell %d,%d: %v, and that is dimmed: %v", turn, agent, x, y, seen, dimmed[cell{x, y}])
					}
				}
			}
			apples, others, drawn := make(map[cell]bool), []string{}, make(map[string]bool)
			for _, shape := range list.Shapes {
				at := cell{int(shape.X), int(shape.Y)}
				drawn[shape.Agent] = true
				switch {
				case dimmed[at] || shape.From > 0:
				case shape.Fill == 0x7ac74fff:
					apples[at] = true
				case shape.Agent != "" && shape.Agent != agent:
					others = append(others, shape.Agent)
				}
			}
			for at, letter := range letters {
				if apples[at] && !strings.ContainsRune("*@^", rune(letter)) { // those under agents are not seen, and some grow as the turn begins
					t.Fatalf("turn %d, %s: in the cell %v it sees %q, and an apple is drawn", turn, agent, at, letter)
				}
			}
			var named []string
			for _, other := range saw.Others {
				if drawn[other.Name] { // who comes back in this turn is not there as it begins
					named = append(named, other.Name)
				}
			}
			slices.Sort(named)
			slices.Sort(others)
			if !slices.Equal(named, others) {
				t.Fatalf("turn %d: %s sees %v, and not dimmed are %v", turn, agent, named, others)
			}
		}
	}
	if away == 0 {
		t.Error("nobody was ever away, who would see nothing")
	}
}

func TestOfPlacesThoseWhomAnAgentSawAreNotDimmed(t *testing.T) {
	s := view(t, play(t, "village.toml"))
	agents, turns := cast(t, s)
	for turn := range turns {
		for _, agent := range agents {
			// First of all in a turn they act upon what they saw as it began, and may see somebody else when they have gone elsewhere.
			saw := get[struct {
				Acts []struct {
					Observation struct{ View struct{ Here []string } }
				}
			}](t, s, fmt.Sprintf("api/agent?turn=%d&name=%s", turn, agent)).Acts[0].Observation.View.Here
			var clear []string
			for _, shape := range framed(t, s, turn, agent).Shapes {
				if shape.Agent != "" && shape.From == 0 && shape.Fill&0xff > 0x80 {
					clear = append(clear, shape.Agent)
				}
			}
			want := append(slices.Clone(saw), agent)
			slices.Sort(want)
			slices.Sort(clear)
			if !slices.Equal(want, clear) || len(clear) == len(agents) && turn > 0 {
				t.Fatalf("turn %d: %s sees %v besides itself, and not dimmed are %v", turn, agent, saw, clear)
			}
		}
	}
}
