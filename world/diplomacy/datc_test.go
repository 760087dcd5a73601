package diplomacy

import (
	"strings"
	"testing"
)

// A datc is one of the Diplomacy Adjudicator Test Cases of L. B. Kruijswijk, by its number. A line has a power and its units with their orders; of a move
// it says whether it is made or fails, and of any unit that it is dislodged. All other units stay where they are.
type datc struct{ number, orders string }

func cases() []datc {
	return []datc{
		{"6.A.1", "england: F nth - pic = fails"},
		{"6.A.2", "england: A lvp - iri = fails"},
		{"6.A.3", "germany: F kie - mun = fails"},
		{"6.A.4", "germany: F kie - kie = fails"},
		{"6.A.5", "england: F nth C A yor - yor, A yor - yor = fails dislodged, A lvp S A yor - yor\ngermany: F lon - yor = made, A wal S F lon - yor"},
		{"6.A.6", "england: F lon\ngermany: F lon - nth = fails"},
		{"6.A.7", "england: F lon - bel = fails, F nth C A lon - bel"},
		{"6.A.8", "italy: A ven - tri = made, A tyr S A ven - tri\naustria: F tri S F tri = dislodged"},
		{"6.A.9", "italy: F rom - ven = fails"},
		{"6.A.10", "austria: A ven H\nitaly: F rom S A apu - ven, A apu - ven = fails"},
		{"6.A.11", "austria: A vie - tyr = fails\nitaly: A ven - tyr = fails"},
		{"6.A.12", "austria: A vie - tyr = fails\ngermany: A mun - tyr = fails\nitaly: A ven - tyr = fails"},

		{"6.C.1", "turkey: F ank - con = made, A con - smy = made, A smy - ank = made"},
		{"6.C.2", "turkey: F ank - con = made, A con - smy = made, A smy - ank = made, A bul S F ank - con"},
		{"6.C.3", "turkey: F ank - con = fails, A con - smy = fails, A smy - ank = fails, A bul - con = fails"},
		{"6.C.4", "austria: A tri - ser = made, A ser - bul = made\n" +
			"turkey: A bul - tri = made, F aeg C A bul - tri, F ion C A bul - tri, F adr C A bul - tri\nitaly: F nap - ion = fails"},
		{"6.C.5", "austria: A tri - ser = fails, A ser - bul = fails\n" +
			"turkey: A bul - tri = fails, F aeg C A bul - tri, F ion C A bul - tri = dislodged, F adr C A bul - tri\n" +
			"italy: F nap - ion = made, F tun S F nap - ion"},
		{"6.C.6", "england: F nth C A lon - bel, A lon - bel = made\nfrance: F eng C A bel - lon, A bel - lon = made"},
		{"6.C.7", "england: F nth C A lon - bel, A lon - bel = fails\nfrance: F eng C A bel - lon, A bel - lon = fails, A bur - bel = fails"},
		{"6.C.8", "turkey: F con - bla = fails, A bul - con = fails, A smy S A bul - con\nrussia: F bla - bul/ec = fails\naustria: A ser - bul = fails"},
		{"6.C.9", "turkey: F con - bla = fails, A smy S A bul - con\nrussia: F bla - bul/ec = fails\naustria: A ser - bul = fails, A bul - con = fails"},

		{"6.D.1", "austria: F adr S A tri - ven, A tri - ven = fails\nitaly: A ven H, A tyr S A ven"},
		{"6.D.2", "austria: F adr S A tri - ven, A tri - ven = made, A vie - tyr = fails\nitaly: A ven H = dislodged, A tyr S A ven"},
		{"6.D.3", "austria: F adr S A tri - ven, A tri - ven = fails\nitaly: A ven H, F ion - adr = fails"},
		{"6.D.4", "germany: A ber S F kie, F kie S A ber\nrussia: F bal S A pru - ber, A pru - ber = fails"},
		{"6.D.5", "germany: A ber S A mun - sil, F kie S A ber, A mun - sil = made\nrussia: F bal S A pru - ber, A pru - ber = fails"},
		{"6.D.6", "germany: A ber - swe = made, F bal C A ber - swe, F pru S F bal\nrussia: F lvn - bal = fails, F bot S F lvn - bal"},
		{"6.D.7", "germany: F bal - swe = fails dislodged, F pru S F bal\nrussia: F lvn - bal = made, F bot S F lvn - bal, A fin - swe = fails"},
		{"6.D.8", "austria: F ion H, A ser S A alb - gre, A alb - gre = made\nturkey: A gre - nap = fails dislodged, A bul S A gre"},
		{"6.D.9", "italy: A ven - tri = made, A tyr S A ven - tri\naustria: A alb S A tri - ser, A tri H = dislodged"},
		{"6.D.10", "germany: A ber H, F kie - ber = fails, A mun S F kie - ber"},
		{"6.D.11", "germany: A ber - pru = fails, F kie - ber = fails, A mun S F kie - ber\nrussia: A war - pru = fails"},
		{"6.D.12", "austria: F tri H, A vie S A ven - tri\nitaly: A ven - tri = fails"},
		{"6.D.13", "austria: F tri - adr = fails, A vie S A ven - tri\nitaly: A ven - tri = fails, F apu - adr = fails"},
		{"6.D.14", "austria: F tri H = dislodged, A vie S A ven - tri\nitaly: A ven - tri = made, A tyr S A ven - tri, F adr S A ven - tri"},
		{"6.D.15", "russia: F con S F bla - ank, F bla - ank = made\nturkey: F ank - con = fails dislodged"},
		{"6.D.16", "england: A lon H = dislodged, F nth C A bel - lon\nfrance: F eng S A bel - lon, A bel - lon = made"},
		{"6.D.17", "russia: F con S F bla - ank = dislodged, F bla - ank = fails\nturkey: F ank - con = made, A smy S F ank - con, A arm - ank = fails"},
		{"6.D.18", "russia: F con S F bla - ank, F bla - ank = made, A bul S F con\n" +
			"turkey: F ank - con = fails dislodged, A smy S F ank - con, A arm - ank = fails"},
		{"6.D.19", "russia: F con S F bla - ank, F bla - ank = made, A smy S F ank - con\nturkey: F ank - con = fails dislodged"},
		{"6.D.20", "england: F lon S F nth - eng, F nth - eng = made, A yor - lon = fails\nfrance: F eng H = dislodged"},
		{"6.D.21", "austria: F tri H\nitaly: A ven - tri = fails, A tyr S A ven - tri\n" +
			"germany: A mun - tyr = fails dislodged\nrussia: A sil - mun = made, A ber S A sil - mun"},
		{"6.D.22", "germany: F kie - mun = fails dislodged, A bur S F kie - mun\nrussia: A mun - kie = made, A ber S A mun - kie"},
		{"6.D.23", "italy: F lyo - spa/sc = made, F wes S F lyo - spa/sc\nfrance: F spa/nc - lyo = fails dislodged, F mar S F spa/nc - lyo"},
		{"6.D.24", "france: A mar - lyo = fails, F spa/sc S A mar - lyo\nitaly: F lyo H = dislodged\nturkey: F tys S F wes - lyo, F wes - lyo = made"},
		{"6.D.25", "germany: A ber S A pru, F kie S A ber\nrussia: F bal S A pru - ber, A pru - ber = fails"},
		{"6.D.26", "germany: A ber S A pru - sil, F kie S A ber\nrussia: F bal S A pru - ber, A pru - ber = fails"},
		{"6.D.27", "england: F swe - bal = fails, F den S F swe - bal\ngermany: A ber H\nrussia: F bal C A ber - lvn, F pru S F bal"},
		{"6.D.28", "austria: A bud S F rum\nrussia: F rum - hol = fails\nturkey: F bla - rum = fails, A bul S F bla - rum"},
		{"6.D.29", "austria: A bud S F rum\nrussia: F rum - bul/sc = fails\nturkey: F bla - rum = fails, A bul S F bla - rum"},
		{"6.D.30", "italy: F aeg S F con\nrussia: F con - bul = fails\nturkey: F bla - con = fails, A bul S F bla - con"},
		{"6.D.31", "austria: A rum - arm = fails\nturkey: F bla S A rum - arm"},
		{"6.D.32", "england: F edi S A lvp - yor, A lvp - yor = fails\nfrance: F lon S A yor\ngermany: A yor - hol = fails"},
		{"6.D.33", "austria: A ser - bud = made, A vie - bud = fails\nrussia: A gal S A ser - bud\nturkey: A bul - ser = made"},
		{"6.D.34", "germany: A ber - pru = made, A sil S A ber - pru, F bal S A ber - pru\n" +
			"italy: A pru S A lvn - pru = dislodged\nrussia: A war S A lvn - pru, A lvn - pru = fails"},
	}
}

// TestOrdersAreResolvedAsTheTestCasesSay plays all cases of the sections 6.A (basic), 6.C (circular movement) and 6.D (supports and
// dislodges), with their units in the order in which they stand here and in the reverse order.
func TestOrdersAreResolvedAsTheTestCasesSay(t *testing.T) {
	b := newBoard()
	sections := make(map[string]int)
	for _, c := range cases() {
		sections[c.number[:3]]++
		t.Run(c.number, func(t *testing.T) {
			for _, backwards := range []bool{false, true} {
				check(t, b, c.orders, backwards)
			}
		})
	}
	t.Logf("cases by section: %v", sections)
	if sections["6.A"] != 12 || sections["6.C"] != 9 || sections["6.D"] != 34 {
		t.Errorf("cases by section: %v, want 12 of 6.A, 9 of 6.C, 34 of 6.D", sections)
	}
}

// TestOrdersBeyondTheseSections are what the sections above do not tell apart.
func TestOrdersBeyondTheseSections(t *testing.T) {
	for what, orders := range map[string]string{
		"not even others help to dislodge one's own unit": "germany: A ber H, F kie - ber = fails\nrussia: A pru S F kie - ber, A sil S F kie - ber",
		"a unit dislodged has no effect where it was attacked from": "germany: A ber - pru = made, F kie - ber = made, A sil S A ber - pru\n" +
			"russia: A pru - ber = fails dislodged",
	} {
		t.Run(what, func(t *testing.T) { check(t, newBoard(), orders, false) })
	}
}

func check(t *testing.T, b board, lines string, backwards bool) {
	t.Helper()
	var units []unit
	want := make(map[string]string) // what becomes of a unit, by its province
	texts := make(map[string][]string)
	var powers []string
	for line := range strings.SplitSeq(lines, "\n") {
		power, orders, _ := strings.Cut(line, ": ")
		powers = append(powers, power)
		for text := range strings.SplitSeq(orders, ", ") {
			text, outcome, _ := strings.Cut(text, " = ")
			place := strings.Fields(text)[1]
			if _, there := want[province(place)]; !there {
				u := unit{Fleet: text[0] == 'F', Place: place, Power: power}
				if !b.stands(u.Fleet, u.Place) {
					t.Fatalf("no %s can be at %s", u, place)
				}
				units = append(units, u)
			}
			want[province(place)] = outcome
			texts[power] = append(texts[power], text)
		}
	}
	if backwards {
		for i, j := 0, len(units)-1; i < j; i, j = i+1, j-1 {
			units[i], units[j] = units[j], units[i]
		}
	}
	orders := make([]order, len(units))
	for _, power := range powers {
		assign(units, orders, power, texts[power])
	}
	for _, res := range b.resolve(units, orders) {
		expected := want[province(res.unit.Place)]
		made := res.order.kind == move && res.succeeds
		if made != strings.HasPrefix(expected, "made") || res.dislodged != strings.HasSuffix(expected, "dislodged") {
			t.Errorf("%s (backwards: %v): made %v, dislodged %v; want %q", res.order.text(res.unit, units), backwards, made, res.dislodged, expected)
		}
	}
}
