package diplomacy

import (
	"slices"
	"strings"
)

// armyBorders are the borders that armies cross, each named once or twice: a province, and those beside it.
const armyBorders = `
boh gal mun sil tyr vie; bud gal rum ser tri vie; gal rum sil ukr vie war; tri alb ser tyr ven vie; tyr mun pie ven vie
cly edi lvp; edi lvp yor; lvp wal yor; lon wal yor; wal yor
bre gas par pic; bur bel gas mar mun par pic ruh; gas mar par spa; mar pie spa; par pic; pic bel
ber kie mun pru sil; kie den hol mun ruh; mun ruh sil; pru lvn sil war; ruh bel hol; sil war
apu nap rom ven; nap rom; pie tus ven; rom tus ven; tus ven
fin nwy stp swe; lvn mos stp war; mos sev stp ukr war; sev arm rum ukr; stp nwy; ukr rum war
ank arm con smy; arm smy syr; con bul smy; smy syr
alb gre ser; bel hol; bul gre rum ser; den swe; gre ser; nwy swe; naf tun; por spa; rum ser`

// fleetBorders are those that fleets cross; spa/sc is the south coast of Spain.
const fleetBorders = `
adr alb apu ion tri ven; aeg bul/sc con eas gre ion smy; bal ber bot den kie lvn pru swe; bar nwg nwy stp/nc; bla ank arm bul/ec con rum sev
eas ion smy syr; eng bel bre iri lon mid nth pic wal; bot fin lvn stp/sc swe; lyo mar pie spa/sc tus tys wes; hel den hol kie nth
ion alb apu gre nap tun tys; iri lvp mid nat wal; mid bre gas naf nat por spa/nc spa/sc wes; nat cly lvp nwg
nth bel den edi hol lon nwg nwy ska yor; nwg cly edi nwy; ska den nwy swe; tys nap rom tun tus wes; wes naf spa/sc tun
alb gre tri; ank arm con; apu nap ven; arm sev; bel hol pic; ber kie pru; bre gas pic; bul/ec con rum; bul/sc con gre; cly edi lvp; con smy
den kie swe; edi yor; fin stp/sc swe; gas spa/nc; hol kie; lvn pru stp/sc; lon wal yor; lvp wal; mar pie spa/sc; nap rom; naf tun
nwy stp/nc swe; pie tus; por spa/nc spa/sc; rom tus; rum sev; smy syr; tri ven`

// supplyCenters are the provinces that count.
const supplyCenters = "ank bel ber bre bud bul con den edi gre hol kie lon lvp mar mos mun nap nwy par por rom rum ser sev smy spa stp swe tri tun ven vie war"

// homes are the powers, in seat order, each with the units with which it begins.
func homes() []string {
	return []string{
		"austria A bud,A vie,F tri", "england A lvp,F edi,F lon", "france A mar,A par,F bre", "germany A ber,A mun,F kie",
		"italy A rom,A ven,F nap", "russia A mos,A war,F sev,F stp/sc", "turkey A con,A smy,F ank",
	}
}

// A board is the map: which places are beside each other, for armies and for fleets.
type board struct {
	army, fleet map[string][]string // sorted
}

// newBoard returns the map of the standard game.
func newBoard() board {
	read := func(text string) map[string][]string {
		beside := make(map[string][]string)
		for list := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ';' || r == '\n' }) {
			places := strings.Fields(list)
			for _, other := range places[1:] {
				beside[places[0]] = append(beside[places[0]], other)
				beside[other] = append(beside[other], places[0])
			}
		}
		for place, others := range beside { // each in its own place
			slices.Sort(others)
			beside[place] = slices.Compact(others)
		}
		return beside
	}
	return board{army: read(armyBorders), fleet: read(fleetBorders)}
}

// province returns the province of a place, which may be a coast of it.
func province(place string) string {
	name, _, _ := strings.Cut(place, "/")
	return name
}

// isSea says whether a place is a province without land.
func (b board) isSea(place string) bool { return len(b.army[place]) == 0 && len(b.fleet[place]) > 0 }

// isCoastal says whether a province has both land and sea.
func (b board) isCoastal(name string) bool {
	if len(b.army[name]) == 0 {
		return false
	}
	return len(b.fleet[name]) > 0 || slices.ContainsFunc(b.coasts(name), func(c string) bool { return len(b.fleet[c]) > 0 })
}

// coasts returns the names that the coasts of a province could have.
func (b board) coasts(name string) []string {
	return []string{name + "/ec", name + "/nc", name + "/sc"}
}

// stands says whether such a unit can be at a place.
func (b board) stands(fleet bool, place string) bool {
	if fleet {
		return len(b.fleet[place]) > 0
	}
	return len(b.army[place]) > 0
}

// reach returns the places to which a unit can move by itself.
func (b board) reach(fleet bool, from string) []string {
	if fleet {
		return b.fleet[from]
	}
	return b.army[from]
}

// touches says whether a unit can move by itself to some place of a province.
func (b board) touches(fleet bool, from, name string) bool {
	return slices.ContainsFunc(b.reach(fleet, from), func(to string) bool { return province(to) == name })
}

// joined says whether the seas make a way between two coastal provinces.
func (b board) joined(from, to string, seas []string) bool {
	reached := []string{}
	for _, sea := range seas {
		if b.touches(true, sea, from) {
			reached = append(reached, sea)
		}
	}
	for i := 0; i < len(reached); i++ {
		if b.touches(true, reached[i], to) {
			return true
		}
		for _, sea := range seas {
			if slices.Contains(b.fleet[reached[i]], sea) && !slices.Contains(reached, sea) {
				reached = append(reached, sea)
			}
		}
	}
	return false
}
