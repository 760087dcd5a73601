package world

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readings is what the readers of a log say of the one in a folder.
type readings struct {
	events []Event
	states []State // after each commit, the first before all
	hash   string
	torn   bool
}

// readAll reads the log in dir in the way that proves all of it.
func readAll(dir string) (r readings, err error) {
	r.states = []State{{}}
	log := ReadLog(dir)
	var commit []Event
	for ev, err := range log.Events() {
		if err != nil {
			return r, err
		}
		r.events = append(r.events, ev)
		if commit = append(commit, ev); !ev.More {
			r.states = append(r.states, r.states[len(r.states)-1].Apply(commit...))
			commit = nil
		}
	}
	r.hash, r.torn = log.Hash(), log.Torn() > 0
	return r, nil
}

// last returns the state after all commits.
func (r readings) last() State { return r.states[len(r.states)-1] }

// begun returns the states as the turns begin, of which there can be several in one commit.
func (r readings) begun() map[int]State {
	turns := map[int]State{0: {}}
	var st State
	for _, ev := range r.events {
		turn := st.Turn
		if st = st.Apply(ev); st.Turn != turn {
			turns[st.Turn] = st
		}
	}
	return turns
}

// agree fails unless those who seek in the log in dir find what is read in it from the beginning.
func (r readings) agree(t *testing.T, dir string) {
	t.Helper()
	turns := r.begun()
	if len(turns) > 100 {
		t.Skip("too many turns to seek them all")
	}
	for turn, want := range turns {
		if got, err := StateAt(dir, turn); err != nil || string(JSON(got)) != string(JSON(want)) {
			t.Fatalf("the state of turn %d is %s, error %v, not %s", turn, JSON(got), err, JSON(want))
		}
		n := 0
		for ev, err := range Turn(dir, turn) {
			if err != nil || ev.Turn != turn {
				t.Fatalf("turn %d has the event %+v, error %v", turn, ev, err)
			}
			n++
		}
		for _, ev := range r.events {
			if ev.Turn == turn {
				n--
			}
		}
		if n != 0 {
			t.Fatalf("turn %d has %d events more than there are", turn, n)
		}
	}
	if _, err := StateAt(dir, r.last().Turn+1); err == nil {
		t.Fatal("a turn that has not begun has a state")
	}
}

// withChecksums gives each line of text the checksum that it should have, in place of the one that it has, if any.
func withChecksums(text []byte) []byte {
	var sealed []byte
	for line := range bytes.Lines(text) {
		body, _, found := bytes.Cut(line, []byte(`,"crc":"`))
		if !found {
			body = line[:max(0, bytes.LastIndexByte(line, '}'))]
		}
		sealed = appendEnd(append(sealed, body...), body)
	}
	return sealed
}

// FuzzOpen opens what is read without a fault, and sees that it is mended, and goes on as it was.
func FuzzOpen(f *testing.F) {
	_, log, _ := sample(f)
	f.Add(log, false)
	f.Add(log[:len(log)-1], false)
	f.Add(log[:len(log)/2], false)
	f.Add(append(bytes.Clone(log), "nonsense\n"...), false)
	f.Add([]byte("\n"), false)
	f.Add(log, true)
	f.Add([]byte(`{"kind":"turn","seq":1,"turn":0,"time":"2026-01-02T15:04:05Z"}`+"\n"), true)
	f.Add([]byte(`{"kind":"turn","seq":1,"turn":7,"time":"2026-01-02T15:04:05Z"}`+"\n"), true)
	f.Fuzz(func(t *testing.T, log []byte, checksums bool) {
		if checksums {
			log = withChecksums(log)
		}
		dir := t.TempDir()
		writeFile(t, dir, logName, log)
		r, readErr := readAll(dir)
		s, err := Open(dir)
		if (err == nil) != (readErr == nil) {
			t.Fatalf("reading says %v, opening %v", readErr, err)
		}
		var damage *LogError
		if err != nil {
			if !errors.As(err, &damage) || !errors.As(readErr, &damage) {
				t.Fatalf("reading says %v, opening %v", readErr, err)
			}
			return
		}
		defer s.Close()
		if string(JSON(s.State())) != string(JSON(r.last())) || s.Hash() != r.hash {
			t.Fatalf("the store has %s, the log %s", JSON(s.State()), JSON(r.last()))
		}
		commitAll(t, s, Event{Kind: "more"})
		again, err := readAll(dir)
		if err != nil || again.torn || len(again.events) != len(r.events)+1 || again.hash != s.Hash() {
			t.Fatalf("%d events and one more are %d, torn %v, error %v", len(r.events), len(again.events), again.torn, err)
		}
		again.agree(t, dir)
	})
}

// long makes a log with keyframes in a new folder, and returns the folder, the bytes of the keyframes and what there is to read.
func long(f *testing.F) (dir string, keyframes []byte, r readings) {
	f.Helper()
	dir = f.TempDir()
	s := openStore(f, dir)
	padding := JSON(strings.Repeat("x", 6000))
	for i := range 24 {
		commitAll(f, s, Event{Kind: "x", Data: padding, Set: facts("a", i)}, Event{Kind: KindTurn})
	}
	s.Close()
	keyframes, err := os.ReadFile(filepath.Join(dir, keyframesName))
	if err != nil {
		f.Fatal(err)
	}
	if r, err = readAll(dir); err != nil {
		f.Fatal(err)
	}
	return dir, keyframes, r
}

// FuzzKeyframes sees that nothing depends on keyframes, unless they are forged with all that belongs to them.
func FuzzKeyframes(f *testing.F) {
	from, keyframes, r := long(f)
	log, err := os.ReadFile(filepath.Join(from, logName))
	if err != nil {
		f.Fatal(err)
	}
	lines := bytes.SplitAfter(keyframes, []byte("\n"))
	f.Add(keyframes, false)
	f.Add(keyframes[:len(keyframes)-1], false)
	f.Add(lines[0], false)
	f.Add(bytes.Join([][]byte{lines[1], lines[0]}, nil), false)
	f.Add(bytes.ReplaceAll(keyframes, []byte(`"turn":`), []byte(`"turn":1`)), true)
	f.Add(bytes.ReplaceAll(keyframes, []byte(`"size":`), []byte(`"size":-`)), true)
	f.Add(bytes.ReplaceAll(keyframes, []byte(`"sum":"`), []byte(`"sum":"AAAA`)), true)
	f.Add(bytes.ReplaceAll(keyframes, []byte(`"facts":{`), []byte(`"facts":[`)), true)
	f.Fuzz(func(t *testing.T, keyframes []byte, checksums bool) {
		if checksums {
			keyframes = withChecksums(keyframes)
		}
		dir := t.TempDir()
		writeFile(t, dir, logName, log)
		writeFile(t, dir, keyframesName, keyframes)
		st, err := StateAt(dir, 23)
		if !checksums && (err != nil || string(JSON(st)) != string(JSON(r.begun()[23]))) {
			t.Fatalf("the state of turn 23 is %s, error %v", JSON(st), err)
		}
		s, err := Open(dir)
		if err != nil {
			if checksums {
				return
			}
			t.Fatal(err)
		}
		defer s.Close()
		if !checksums && (string(JSON(s.State())) != string(JSON(r.last())) || s.Hash() != r.hash) {
			t.Fatalf("the store has %s, the log %s", JSON(s.State()), JSON(r.last()))
		}
		commitAll(t, s, Event{Kind: "more"}) // which may write a keyframe behind those
	})
}

// FuzzSealed reads sealed logs with other bytes somewhere, which must be told or read as before.
func FuzzSealed(f *testing.F) {
	dir, _, r := long(f)
	if _, _, err := Seal(dir); err != nil {
		f.Fatal(err)
	}
	sealed, err := os.ReadFile(filepath.Join(dir, logName+sealedSuffix))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint(0), []byte{})
	f.Add(uint(4), []byte{0xff})                                    // in the head of a frame
	f.Add(uint(len(sealed)/2), []byte("\x00\xff"))                  // in a frame
	f.Add(uint(len(sealed)-footerSize), []byte{0xff, 0xff})         // in the number of frames
	f.Add(uint(len(sealed)-footerSize-2), []byte{0xff, 0xff})       // in the size of what is in a frame
	f.Add(uint(len(sealed)-footerSize-entrySize), []byte{1, 0})     // in the size of a frame
	f.Add(uint(len(sealed)-1), []byte("more bytes behind the end")) // and a longer file
	f.Fuzz(func(t *testing.T, at uint, patch []byte) {
		at %= uint(len(sealed))
		text := append(bytes.Clone(sealed[:at]), patch...)
		if end := int(at) + len(patch); end < len(sealed) {
			text = append(text, sealed[end:]...)
		}
		dir := t.TempDir()
		writeFile(t, dir, logName+sealedSuffix, text)
		got, err := readAll(dir)
		if err == nil && (got.hash != r.hash || got.torn) {
			t.Fatalf("it reads another log: %d events instead of %d", len(got.events), len(r.events))
		}
		if st, err := StateAt(dir, 23); err == nil && string(JSON(st)) != string(JSON(r.begun()[23])) {
			t.Fatalf("the state of turn 23 is %s", JSON(st))
		}
		for ev, err := range Turn(dir, 7) {
			if err == nil && string(JSON(ev)) != string(JSON(r.events[ev.Seq-1])) {
				t.Fatalf("turn 7 has the event %+v", ev)
			}
		}
		if _, err := Open(dir); !errors.Is(err, errSealed) {
			t.Fatalf("it opens with error %v", err)
		}
	})
}
