package viewer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/vitrine-sim/vitrine/viewer/draw"
	"github.com/vitrine-sim/vitrine/world"
)

// state returns one with these facts.
func state(facts map[string]any) world.State {
	set := make(map[string]json.RawMessage)
	for path, v := range facts {
		set[path] = world.JSON(v)
	}
	return world.State{}.Apply(world.Event{Kind: "facts", Set: set})
}

func alone(string) string { return "" }

func TestAWorldOfWhichNobodySaysWhatItLooksLikeHasALook(t *testing.T) {
	agents := []string{"ada", "bob"}
	for name, c := range map[string]struct {
		facts  map[string]any
		kind   string
		layers int
		bars   string
		pools  string
	}{
		"a lake":            {map[string]any{"lake/tons": 60, "lake/capacity": 100, "agents/ada/total": 5, "agents/bob/total": 7, "lake/turn": 1}, Ring, 0, "total", "tons"},
		"a board of pieces": {map[string]any{"at/ada": []int{1, 2}, "at/bob": []int{3, 0}}, Board, 1, "", ""},
		"a board with walls": {map[string]any{
			"maze/rows": []string{"####", "#..#", "####"}, "who/ada": map[string]any{"at": []int{1, 1}, "hp": 3}, "who/bob": map[string]any{"at": []int{2, 1}, "hp": 1},
		}, Board, 2, "hp", ""},
		"a village": {map[string]any{"at/ada": "cafe", "at/bob": "park"}, Places, 1, "", ""},
		"nothing":   {map[string]any{"run/seed": 3}, Ring, 0, "", ""},
	} {
		cast := Agents(agents, alone)
		look := Guess(state(c.facts), cast)
		var bars, pools []string
		for _, b := range look.Bars {
			bars = append(bars, b.Name)
		}
		for _, b := range look.Pools {
			pools = append(pools, b.Name)
		}
		if look.Kind != c.kind || len(look.Layers) != c.layers || strings.Join(bars, " ") != c.bars || strings.Join(pools, " ") != c.pools {
			t.Errorf("%s: %+v", name, look)
		}
		l := look.Draw(state(c.facts), View{Agents: cast})
		for _, agent := range agents {
			if _, _, _, ok := l.Place(agent); !ok {
				t.Errorf("%s: %s is not in the picture", name, agent)
			}
		}
		for _, s := range l.Shapes {
			if s.Agent == "" {
				continue
			}
			if s.X < l.X || s.Y < l.Y || s.X > l.X+l.W || s.Y > l.Y+l.H {
				t.Errorf("%s: %q of %s is outside of the world", name, s.Label, s.Agent)
			}
		}
	}
}

func TestPiecesStandOnTheirCells(t *testing.T) {
	st := state(map[string]any{"at/ada": []int{1, 2}, "at/bob": map[string]int{"x": 3, "y": 0}})
	l := Look{Kind: Board, Width: "5", Height: "4", Layers: []Layer{{Pieces: "at/{agent}"}}}.Draw(st, View{Agents: Agents([]string{"ada", "bob"}, alone)})
	for agent, want := range map[string][2]float64{"ada": {1.5, 2.5}, "bob": {3.5, 0.5}} {
		if x, y, _, ok := l.Place(agent); !ok || x != want[0] || y != want[1] {
			t.Errorf("%s is at %g, %g", agent, x, y)
		}
	}
}

func TestPiecesInOneCellStandBesideEachOtherWithWhatTheyHold(t *testing.T) {
	st := state(map[string]any{"at/ada": []int{1, 1}, "at/bob": []int{1, 1}, "at/cleo": []int{1, 1}, "gold/ada": 3, "mood/ada": "glad"})
	look := Look{Kind: Board, Width: "4", Height: "4", Layers: []Layer{{Pieces: "at/{agent}"}}, Bars: []Bar{{Fact: "gold/{agent}"}}, Text: "mood/{agent}"}
	l := look.Draw(st, View{Agents: Agents([]string{"ada", "bob", "cleo"}, alone)})
	seen := make(map[[2]float64]string)
	for _, agent := range []string{"ada", "bob", "cleo"} {
		x, y, r, ok := l.Place(agent)
		if other := seen[[2]float64{x, y}]; !ok || other != "" || x-r < 1 || x+r > 2 || y-r < 1 || y+r > 2 {
			t.Errorf("%s is at %g, %g, as %q", agent, x, y, other)
		}
		seen[[2]float64{x, y}] = agent
	}
	var labels []string
	for _, s := range l.Shapes {
		labels = append(labels, s.Label)
	}
	if !slices.Contains(labels, "3") || !slices.Contains(labels, "glad") {
		t.Errorf("labels %q", labels)
	}
}

func TestWhatAnAgentDoesNotSeeIsDimmed(t *testing.T) {
	st := state(map[string]any{"at/ada": []int{4, 4}, "facing/ada": "E"})
	look := Look{Kind: Board, Width: "10", Height: "8", Window: Window{At: "at/{agent}", Facing: "facing/{agent}", Ahead: 3, Behind: 1, Aside: 1}}
	l := look.Draw(st, View{Agents: Agents([]string{"ada"}, alone), Sees: "ada"})
	dimmed := make(map[[2]int]bool)
	for _, s := range l.Shapes {
		if s.Fill == fog {
			for x := s.X - s.W/2; x < s.X+s.W/2; x++ {
				dimmed[[2]int{int(x), int(s.Y)}] = true
			}
		}
	}
	for y := range 8 {
		for x := range 10 {
			seen := x >= 3 && x <= 7 && y >= 3 && y <= 5
			if dimmed[[2]int{x, y}] == seen {
				t.Errorf("cell %d, %d: seen %v, dimmed %v", x, y, seen, dimmed[[2]int{x, y}])
			}
		}
	}
}

func TestWhatAgentsDoAndSayIsSeen(t *testing.T) {
	st := state(map[string]any{"purse/ada": 3})
	turn := []world.Event{
		{Kind: "action", Agent: "ada", Data: json.RawMessage(`{"name":"give","args":{"to":"bob","coins":2}}`)},
		{Kind: "message", Agent: "bob", Data: json.RawMessage(`{"text":"thanks","to":["ada"]}`)},
		{Kind: "timeout", Agent: "bob"},
		{Kind: "crash", Agent: "cat"},
		{Kind: "backoff", Agent: "dan"},
	}
	cast := Agents([]string{"ada", "bob", "cat", "dan"}, alone)
	l := Guess(st, cast).Draw(st, View{Agents: cast, Turn: turn})
	var labels []string
	lines := 0
	for _, s := range l.Shapes {
		labels = append(labels, s.Label)
		if s.Form == draw.Line {
			lines++
		}
	}
	for _, did := range []string{"give 2 bob", "timeout", "crash", "backoff"} {
		if !slices.Contains(labels, did) || lines != 3 {
			t.Errorf("no %q: %d lines, labels %q", did, lines, labels)
		}
	}
	if len(l.Says) != 1 || l.Says[0] != (draw.Say{Agent: "bob", Text: "→ ada: thanks"}) {
		t.Errorf("said: %+v", l.Says)
	}
}

func TestNoArrowComesFromWhereNobodyStoodAnyMore(t *testing.T) {
	act := func(agent, to string) world.Event {
		return world.Event{Kind: "action", Agent: agent, Data: world.JSON(map[string]any{"name": "tell", "args": map[string]string{"to": to}})}
	}
	walked := world.Event{Kind: "walked", Agent: "bob", Set: map[string]json.RawMessage{"at/bob": world.JSON("park")}}
	cast := Agents([]string{"ada", "bob", "cat"}, alone)
	look := Look{Kind: Places, Places: []Place{{Name: "cafe"}, {Name: "park"}}, Layers: []Layer{{Pieces: "at/{agent}"}}}
	st := state(map[string]any{"at/ada": "cafe", "at/bob": "cafe", "at/cat": "park"})
	for name, c := range map[string]struct {
		turn   []world.Event
		arrows int
	}{
		"before":   {[]world.Event{act("ada", "bob"), act("bob", "cat"), walked}, 2},
		"of both":  {[]world.Event{walked, act("ada", "bob"), act("bob", "cat")}, 0},
		"of other": {[]world.Event{walked, act("ada", "cat")}, 1},
	} {
		lines := 0
		for _, s := range look.Draw(st, View{Agents: cast, Turn: c.turn}).Shapes {
			if s.Form == draw.Line {
				lines++
			}
		}
		if lines != 3*c.arrows {
			t.Errorf("%s: %d lines for %d arrows", name, lines, c.arrows)
		}
	}
}

func TestHeatIsCountedAndSeenWhereAgentsWere(t *testing.T) {
	agents := Agents([]string{"ada", "bob", "cleo"}, alone)
	look := Look{Kind: Board, Width: "5", Height: "5", Layers: []Layer{{Pieces: "who/{agent}#at"}}, Hidden: "who/{agent}#away"}
	st := state(map[string]any{
		"who/ada": map[string]any{"at": []int{1, 2}}, "who/bob": map[string]any{"at": []int{1, 2}, "away": false}, "who/cleo": map[string]any{"at": []int{3, 3}, "away": true},
	})
	if got := look.Where(st, agents); !slices.Equal(got, []string{"1,2", "1,2"}) {
		t.Errorf("they are at %q", got)
	}
	places := Look{Kind: Places, Layers: []Layer{{Pieces: "at/{agent}"}}}
	if got := places.Where(state(map[string]any{"at/ada": "cafe", "at/bob": ""}), agents); !slices.Equal(got, []string{"cafe"}) {
		t.Errorf("they are at %q", got)
	}
	l := look.Draw(st, View{Agents: agents, Heat: &Heat{Name: "visits", Counts: map[string]int{"1,2": 7, "4,4": 1}}})
	var seen []string
	cells, ada := 0, slices.IndexFunc(l.Shapes, func(s draw.Shape) bool { return s.Agent == "ada" })
	for i, s := range l.Shapes {
		if s.Fill == heat(7, 7) || s.Fill == heat(1, 7) {
			seen = append(seen, at(float64(s.X-0.5), float64(s.Y-0.5))+": "+l.Shapes[i+1].Label)
			cells = i
		}
	}
	if !slices.Equal(seen, []string{"1,2: 7", "4,4: 1"}) || cells > ada {
		t.Errorf("seen: %q, as number %d, and an agent as number %d", seen, cells, ada)
	}
	// What is counted of agents is seen at them, whatever the world looks like; and the legend says what it is.
	for name, look := range map[string]Look{
		"board": look, "board without them": {Kind: Board, Width: "5", Height: "5"}, "ring": {Kind: Ring},
		"places": {Kind: Places, Layers: []Layer{{Pieces: "place/{agent}"}}}, "away": {Kind: Places},
	} {
		st := state(map[string]any{"who/ada": map[string]any{"at": []int{1, 2}}, "place/ada": "cafe"})
		l := look.Draw(st, View{Agents: agents[:1], Heat: &Heat{Name: "messages", Counts: map[string]int{"ada": 3}}})
		told := slices.ContainsFunc(l.Shapes, func(s draw.Shape) bool { return s.Form == draw.Text && s.Label == "3" })
		if !told || len(l.Legend) != 2 || l.Legend[0].Text != "messages: 3" {
			t.Errorf("%s: the count is seen: %v; legend %v", name, told, l.Legend)
		}
	}
}

func TestAgentsCanBeToldApart(t *testing.T) {
	names := make([]string, 40)
	for i := range names {
		names[i] = "agent" + string(rune('a'+i%26)) + string(rune('a'+i/26))
	}
	seen := make(map[string]string)
	for _, a := range Agents(names, alone) {
		if other := seen[a.Color+a.Shape]; other != "" {
			t.Errorf("%s looks like %s", a.Name, other)
		}
		seen[a.Color+a.Shape] = a.Name
	}
	grouped := Agents([]string{"cod1", "cod2", "eel1"}, func(name string) string { return name[:3] })
	if grouped[0].Color != grouped[1].Color || grouped[0].Color == grouped[2].Color || grouped[0].Initials == grouped[1].Initials {
		t.Errorf("groups: %+v", grouped)
	}
}

func TestColorsOfAgentsStandOutFromTheGround(t *testing.T) {
	luminance := func(c draw.Color) float64 {
		r, g, b, _ := c.RGBA()
		var sum float64
		for i, v := range []uint8{r, g, b} {
			l := float64(v) / 255
			if l <= 0.04045 {
				l /= 12.92
			} else {
				l = math.Pow((l+0.055)/1.055, 2.4)
			}
			sum += l * [...]float64{0.2126, 0.7152, 0.0722}[i]
		}
		return sum
	}
	for _, c := range palette {
		for _, below := range []draw.Color{ground, floor} {
			if contrast := (luminance(color(c, 0)) + 0.05) / (luminance(below) + 0.05); contrast < 3 {
				t.Errorf("%s on %08x: %.2f to 1", c, below, contrast)
			}
		}
	}
}

func TestAHashIsThatOfAllFacts(t *testing.T) {
	sum := sha256.Sum256([]byte("a/b {\"x\":1}\nc 2\n"))
	if got := Hash(state(map[string]any{"c": 2, "a/b": map[string]int{"x": 1}})); got != hex.EncodeToString(sum[:]) {
		t.Error(got)
	}
}

func FuzzLook(f *testing.F) {
	f.Add(`{"kind":"board","layers":[{"cells":"c"},{"pieces":"at/{agent}"},{"rows":"r"}]}`, `{"c":[[1,2],[1e300,-4]],"at/a":[0,0],"r":["##"]}`)
	f.Add(`{"kind":"places","places":[{"name":"x","at":[1,1]},{"name":"y","at":[1,1]}],"layers":[{"pieces":"at/{agent}"}]}`, `{"at/a":"x"}`)
	f.Add(`{"bars":[{"fact":"n/{agent}","of":"0"}],"pools":[{"fact":"m"}]}`, `{"n/a":-1,"m":1e308}`)
	f.Fuzz(func(t *testing.T, look, facts string) {
		var lk Look
		var set map[string]any
		if json.Unmarshal([]byte(look), &lk) != nil || json.Unmarshal([]byte(facts), &set) != nil {
			return
		}
		st := state(set)
		cast := Agents([]string{"a"}, alone)
		for _, lk := range []Look{lk, Guess(st, cast)} {
			l := lk.Draw(st, View{Agents: cast, Sees: "a"})
			if _, err := draw.Decode(l.Encode(nil)); err != nil {
				t.Fatalf("%+v: what it draws cannot be read: %v", lk, err)
			}
		}
	})
}

// Whatever facts say, what is drawn can be painted: a list with a number that is none is refused by whoever reads it.
func TestOddFactsMakeNoPictureThatCannotBePainted(t *testing.T) {
	agents := []string{"ada", "bob", "cat"}
	odd := []any{
		0, -1, 0.5, 1e308, -1e308, 5e-324, nil, true, "", "ada", "\u202ex",
		[]any{},
		[]any{1e308, -1e308},
		[]any{-0.5, 1e9},
		[]any{[]any{0, 1e300}, "x", nil},
		[]any{"##", "#.#", 3},
		[]any{map[string]any{"at": []any{1e200, 0}, "owner": "ada"}, map[string]any{"at": "park/x"}},
		map[string]any{"x": 1e307, "y": -3},
		map[string]any{"park": "ada", "": 7},
	}
	full := Look{
		Width: "w", Height: "h", Places: []Place{{"park", []float64{1, 2}, ""}, {"far", []float64{1e300, 0}, "x"}, {"none", nil, ""}}, Links: [][]string{{"park", "far"}, {"a", "park"}},
		Layers: []Layer{
			{Rows: "rows"}, {Cells: "cells"}, {Cells: "cells/{agent}", Side: "side", Columns: "columns"}, {Pieces: "at/{agent}", Facing: "facing/{agent}"}, {Things: "things", Owner: "owner"}, {Owners: "owners"},
		},
		Bars: []Bar{{Fact: "bar/{agent}", Of: "of"}, {Fact: "bar/{agent}"}}, Pools: []Bar{{Fact: "pool", Of: "of"}, {Fact: "pool"}}, Text: "text/{agent}", Edge: "edge/{agent}", Hidden: "hidden/{agent}",
		Window: Window{At: "at/{agent}", Facing: "facing/{agent}", Ahead: 3, Aside: 2}, Colors: []Tint{{"#", "#ffffff"}},
	}
	paths := []string{"w", "h", "rows", "cells", "side", "columns", "things", "owners", "of", "pool"}
	for _, name := range agents {
		for _, path := range []string{"cells/", "at/", "facing/", "bar/", "text/", "edge/", "hidden/"} {
			paths = append(paths, path+name)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		facts := make(map[string]any)
		for _, path := range paths {
			facts[path] = odd[random.IntN(len(odd))]
		}
		st := state(facts)
		view := View{Agents: Agents(agents, alone), Sees: "ada", Heat: &Heat{Name: "visits", Counts: make(map[string]int)}}
		for _, kind := range []string{Board, Places, Ring, ""} {
			look := full
			if look.Kind = kind; kind == "" {
				look = Guess(st, view.Agents)
			}
			for _, name := range look.Where(st, view.Agents) {
				view.Heat.Counts[name]++
			}
			if l := look.Draw(st, view); !decodes(l) {
				t.Fatalf("picture %d, of kind %q, cannot be read: facts %v", i, kind, facts)
			}
		}
	}
}

func decodes(l *draw.List) bool {
	_, err := draw.Decode(l.Encode(nil))
	return err == nil
}

func TestWhoActsNoMoreHasASignAndTheLegendExplainsIt(t *testing.T) {
	names := []string{"ada", "bob", "cleo", "dan"}
	facts := map[string]any{"run/status/ada": "active", "run/status/bob": "timeout", "run/status/cleo": "done", "run/status/dan": "quarantined"}
	l := Look{Kind: Ring}.Draw(state(facts), View{Agents: Agents(names, alone)})
	want := map[string]draw.Form{"bob": draw.Cross, "cleo": draw.Rect, "dan": draw.Diamond}
	for _, name := range names {
		x, y, r, _ := l.Place(name)
		var found []draw.Form
		for _, s := range l.Shapes {
			if dx, dy := float64(s.X)-x, y-float64(s.Y); s.Agent == "" && s.Label == "" && dx > 0 && dy > 0 && dx < r && dy < r {
				found = append(found, s.Form)
			}
		}
		if form, ok := want[name]; ok != (len(found) > 0) || ok && found[len(found)-1] != form {
			t.Errorf("%s has the signs %v", name, found)
		}
	}
	if explained := texts(l); !slices.Equal(explained, []string{"out", "done", "quarantined"}) {
		t.Errorf("the legend explains %v", explained)
	}
	if l = (Look{Kind: Ring}).Draw(state(nil), View{Agents: Agents(names, alone)}); len(l.Legend) > 0 {
		t.Errorf("where all act the legend explains %v", l.Legend)
	}
}

// Whatever stands under it, the edge of an agent and the letters below it can be told from what is beside them: by 3 and by 4.5 to 1.
func TestAgentsStandOutFromLightAndDarkGround(t *testing.T) {
	for _, ground := range slices.Concat(palette[:], []string{"#ffffff", "#cccccc", "#888888", "#444444", "#000000", "#f7f2d0"}) {
		look := Look{
			Kind: Board, Layers: []Layer{{Rows: "map"}, {Pieces: "at/{agent}"}}, Colors: []Tint{{Of: ".", Color: ground}},
			Bars: []Bar{{Fact: "gold/{agent}"}}, Text: "says/{agent}",
		}
		facts := map[string]any{"map": []string{".....", ".....", "....."}, "at/ada": []int{2, 1}, "gold/ada": 3, "says/ada": "fish"}
		l := look.Draw(state(facts), View{Agents: Agents([]string{"ada"}, alone)})
		outermost, texts := draw.Color(0), 0
		for _, s := range l.Shapes {
			switch {
			case s.Form == draw.Text:
				texts++
				if s.Stroke&0xff == 0 || contrast(s.Ink, s.Stroke) < 4.5 {
					t.Errorf("on %s the letters of %q do not stand out from what is around them", ground, s.Label)
				}
			case outermost == 0 && s.X == 2.5 && s.Y == 1.5 && s.W != 1 && s.W < 2: // the cell is 1 by 1, and the first layer lies under the others
				if outermost = s.Stroke; outermost == 0 {
					outermost = s.Fill
				}
			}
		}
		best := contrast(outermost, color(ground, 0))
		if texts < 2 || best < 3 {
			t.Errorf("on %s there are %d texts, and the edge of an agent stands out by %.1f", ground, texts, best)
		}
	}
}

// texts returns what the legend of a picture says.
func texts(l *draw.List) (said []string) {
	for _, e := range l.Legend {
		said = append(said, e.Text)
	}
	return said
}

func TestTheLegendExplainsWhatIsDrawn(t *testing.T) {
	agents := Agents([]string{"ada", "bob"}, alone)
	things := []Layer{{Things: "flowers", Form: "star", Name: "flower"}, {Cells: "mud", Color: "#112233", Name: "mud"}}
	facts := map[string]any{"flowers": []any{map[string]any{"at": "park"}}, "role/ada": "wolf", "role/bob": "sheep"}
	for _, kind := range []string{Board, Places} {
		l := Look{Kind: kind, Layers: things}.Draw(state(facts), View{Agents: agents})
		if got := texts(l); !slices.Equal(got, []string{"flower", "mud"}) || l.Legend[0].Form != draw.Star || l.Legend[1].Color != 0x112233ff {
			t.Errorf("%s: the legend is %+v", kind, l.Legend)
		}
	}
	look := Look{Kind: Ring, Edge: "role/{agent}", Colors: []Tint{{"wolf", "#d55e00"}, {"bear", "#56b4e9"}}}
	if l := look.Draw(state(facts), View{Agents: agents}); len(l.Legend) != 1 || l.Legend[0] != (draw.Legend{Color: 0xd55e00ff, Form: draw.Ring, Text: "wolf"}) {
		t.Errorf("of roles the legend is %+v", l.Legend)
	}
}

func TestWhatShowsNothingSaysSo(t *testing.T) {
	agents := Agents([]string{"ada", "bob"}, alone)
	ring, board := Look{Kind: Ring}, Look{Kind: Board, Width: "3", Height: "3", Window: Window{At: "at", Ahead: 1, Behind: 1, Aside: 1}}
	st := state(map[string]any{"at": []int{1, 1}})
	for want, l := range map[string]*draw.List{
		"messages: none up to here":  ring.Draw(st, View{Agents: agents, Heat: &Heat{Name: "messages"}}),
		"ada sees all agents":        ring.Draw(st, View{Agents: agents, Sees: "ada", Seen: `{"others":["bob"]}`}),
		"ada sees all cells":         board.Draw(st, View{Agents: agents, Sees: "ada"}),
		"what ada sees is not known": ring.Draw(st, View{Agents: agents, Sees: "ada"}),
		"":                           ring.Draw(st, View{Agents: agents, Sees: "ada", Seen: `{}`}),
	} {
		if got := strings.Join(texts(l), "; "); got != want {
			t.Errorf("the legend is %q, not %q", got, want)
		}
	}
}

func TestWhoIsGoneIsOutAtTheEndTooAndWhoPlayedToItIsDone(t *testing.T) {
	agents := Agents([]string{"ada", "bob", "cleo"}, alone)
	look := Look{Kind: Ring, Gone: "dead/{agent}"}
	facts := map[string]any{"dead/bob": map[string]any{"by": "wolves"}, "run/status/ada": "active", "run/status/bob": "active", "run/status/cleo": "quarantined"}
	if got := look.Standing(state(facts), agents); !slices.Equal(got, []string{"", "out", "quarantined"}) {
		t.Errorf("during the game they stand as %q", got)
	}
	facts["run/status/ada"], facts["run/status/bob"] = "done", "done"
	if got := look.Standing(state(facts), agents); !slices.Equal(got, []string{"done", "out", "quarantined"}) {
		t.Errorf("at the end they stand as %q", got)
	}
}

func TestThingsOfOneFactMayDifferAndPlacesHaveTheColorOfTheirKind(t *testing.T) {
	look := Look{
		Kind: Places, Places: []Place{{"nth", []float64{0, 0}, "sea"}, {"lon", []float64{3, 0}, ""}}, Colors: []Tint{{"sea", "#234a66"}},
		Layers: []Layer{{Things: "units", Where: "fleet", Form: "disc", Name: "fleet"}, {Things: "units", Where: "!fleet", Form: "square", Name: "army"}},
	}
	l := look.Draw(state(map[string]any{"units": []any{
		map[string]any{"at": "nth", "fleet": true}, map[string]any{"at": "lon", "fleet": false},
	}}), View{})
	forms, fills := make(map[int]draw.Form), make(map[int]draw.Color)
	for _, s := range l.Shapes {
		if s.Form == draw.Hexagon {
			fills[int(s.X)] = s.Fill
		} else if s.Form != draw.Text {
			forms[int(s.X)] = s.Form
		}
	}
	if forms[0] != draw.Disc || forms[3] != draw.Rect || fills[0] != 0x234a66ff || fills[3] != floor || strings.Join(texts(l), " ") != "fleet army sea" {
		t.Errorf("forms %v, fills %x, legend %q", forms, fills, texts(l))
	}
}

func TestOfALargeBoardOfCellsThePartInUseIsShownAndAllWhoPlayAreBelowIt(t *testing.T) {
	agents := Agents([]string{"ada", "bob"}, alone)
	look := Look{Kind: Board, Width: "704", Height: "704", Layers: []Layer{{Cells: "cells/{agent}"}}}
	l := look.Draw(state(map[string]any{"cells/ada": [][]int{{350, 351}, {352, 351}}, "cells/bob": [][]int{}}), View{Agents: agents})
	if l.X > 346 || l.Y > 347 || l.X+l.W < 357 || l.W > 80 || l.H > 100 {
		t.Errorf("it shows %g by %g from %g, %g", l.W, l.H, l.X, l.Y)
	}
	for _, a := range agents {
		if x, y, r, ok := l.Place(a.Name); !ok || y < 355 || x-r < float64(l.X) || y+r > float64(l.Y+l.H) {
			t.Errorf("%s is at %g, %g", a.Name, x, y)
		}
	}
}

func TestSmallAgentsHaveSmallCaptions(t *testing.T) {
	agents := Agents([]string{"ada", "bob", "cleo", "dan"}, alone)
	look := Look{Kind: Board, Width: "4", Height: "4", Layers: []Layer{{Pieces: "at/{agent}"}}, Bars: []Bar{{Fact: "gold"}}}
	facts := map[string]any{"gold": 3}
	for _, a := range agents {
		facts["at/"+a.Name] = []int{1, 1}
	}
	for _, s := range look.Draw(state(facts), View{Agents: agents}).Shapes {
		if s.Form == draw.Text && (s.H > 0.12 || s.From < 60) {
			t.Errorf("in a fourth of a cell stands a number %g high from a zoom of %g on", s.H, s.From)
		}
	}
}

func TestCellsTouchAndLinesAreSeenOfLargeOnesOnly(t *testing.T) {
	l := Look{Kind: Board, Width: "3", Height: "2", Layers: []Layer{{Cells: "cells"}}}.Draw(state(map[string]any{"cells": [][]int{{0, 0}, {1, 0}, {2, 1}}}), View{})
	cells, lines := 0, 0
	for _, s := range l.Shapes {
		switch {
		case s.W == 1 && s.H == 1 && s.From == 0:
			cells++
		case (s.W == 0 || s.H == 0) && s.From == 10:
			lines++
		}
	}
	if cells != 3 || lines != 3 {
		t.Errorf("there are %d cells and %d lines", cells, lines)
	}
}
