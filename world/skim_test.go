package world

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// sameSkimmed demands that the outlines behind an event are those of the events there.
func sameSkimmed(t *testing.T, dir string, after int64) {
	t.Helper()
	var want []Event
	for ev, err := range Events(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Seq > after {
			want = append(want, ev)
		}
	}
	for commit, err := range Skim(dir, after) {
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(commit, func(o Outline) bool { return !o.More }); i != len(commit)-1 {
			t.Fatalf("after %d: a commit of %d events ends with its event %d", after, len(commit), i)
		}
		for _, o := range commit {
			if len(want) == 0 {
				t.Fatalf("after %d: event %d is one too many", after, o.Seq)
			}
			ev, err := o.Event()
			w := want[0]
			if err != nil || string(ev.World()) != string(w.World()) || o.Seq != w.Seq || o.Turn != w.Turn || o.Kind != w.Kind || o.Agent != w.Agent ||
				o.More != w.More || string(o.Data()) != string(w.Data) || !o.Time().Equal(w.Time) {
				t.Fatalf("after %d: outline %+v of %s at %v, error %v", after, o, w.World(), w.Time, err)
			}
			want = want[1:]
		}
	}
	if len(want) > 0 {
		t.Fatalf("after %d: no outlines from event %d on", after, want[0].Seq)
	}
}

func TestSkimGivesTheOutlineOfEachEvent(t *testing.T) {
	dir := tale(t)
	s := openStore(t, dir)
	commitAll(t, s, Event{Kind: "a \"kind\"\u2028", Agent: "é\n", Data: JSON("\u0001"), Set: facts("x\x7f\"y", 1e300)}, Event{Kind: "last"})
	last := s.State().Seq
	for _, sealed := range []bool{false, true} {
		if sealed {
			sealRun(t, dir)
		}
		for after := int64(-1); after <= last+1; after += 7 {
			sameSkimmed(t, dir, after)
		}
		for _, after := range []int64{last - 2, last - 1, last, 1 << 40} {
			sameSkimmed(t, dir, after)
		}
	}
}

func TestOutlinesAreEqualWhereTheirEventsAreInTheWorld(t *testing.T) {
	dir, late, other := tale(t), tale(t), tale(t)
	odd := Event{Kind: "a \"kind\"\u2028", Data: JSON("\u0001")} // which is no plain line
	for i, d := range []string{dir, late, other} {
		commitAll(t, openStore(t, d), odd, Event{Kind: "x", Data: JSON(i / 2), Proc: JSON(i)})
	}
	read := func(dir string) (all []Outline) {
		for commit, err := range Skim(dir, 0) {
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range commit {
				all = append(all, o.Clone())
			}
		}
		return all
	}
	a, b, c := read(dir), read(late), read(other)
	for i := range a {
		last := i == len(a)-1
		if !a[i].Equal(b[i]) || a[i].Equal(c[i]) == last || i > 0 && a[i].Equal(a[i-1]) {
			t.Errorf("event %d: equal to that of another day: %v, of another run: %v", i+1, a[i].Equal(b[i]), a[i].Equal(c[i]))
		}
	}
}

func TestSkimStopsBeforeATornTailAndRefusesDamage(t *testing.T) {
	dir := tale(t)
	path := filepath.Join(dir, logName)
	raw := readFile(t, dir, logName)
	if err := os.WriteFile(path, raw[:len(raw)-10], 0o600); err != nil {
		t.Fatal(err)
	}
	sameSkimmed(t, dir, 0)
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range Skim(dir, 0) {
		last = err
	}
	if damage := (*LogError)(nil); !errors.As(last, &damage) {
		t.Errorf("error of a damaged log: %v", last)
	}
}

func BenchmarkSkim(b *testing.B) {
	dir := tale(b)
	b.SetBytes(int64(len(readFile(b, dir, logName))))
	events := 0
	for b.Loop() {
		for commit, err := range Skim(dir, 0) {
			if err != nil {
				b.Fatal(err)
			}
			events += len(commit)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
}
