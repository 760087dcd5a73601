package world

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tale makes a log of about 600 kB and 24 turns in a new folder: turns of many commits and of one, and commits that reach from one turn
// into another.
func tale(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := openStore(t, dir)
	defer s.Close()
	random := rand.New(rand.NewPCG(3, 4))
	for turn := range 24 {
		for range random.IntN(36) {
			agent := strconv.Itoa(random.IntN(8))
			commitAll(t, s, Event{Kind: "say", Agent: agent, Data: JSON(strings.Repeat("<b>", random.IntN(600))), Set: facts("said/"+agent, turn)},
				Event{Kind: "forget", Del: []string{"said/" + strconv.Itoa(random.IntN(8))}})
		}
		end := []Event{{Kind: KindTurn}}
		if turn%3 == 0 {
			end = append(end, Event{Kind: "begins", Set: facts("mood/"+strconv.Itoa(turn), "a&b", "last", nil)})
		}
		commitAll(t, s, end...)
	}
	return dir
}

// A telling is what a log says, read from its beginning.
type telling struct {
	events [][]Event // by turn
	states []string  // by turn, as it begins
	last   string    // state
	hash   string
}

func tell(t testing.TB, dir string) telling {
	t.Helper()
	var st State
	told := telling{}
	log := ReadLog(dir)
	for ev, err := range log.Events() {
		if err != nil {
			t.Fatal(err)
		}
		for len(told.states) <= ev.Turn {
			told.states = append(told.states, string(JSON(st)))
			told.events = append(told.events, nil)
		}
		told.events[ev.Turn] = append(told.events[ev.Turn], ev)
		st = st.Apply(ev)
	}
	if st.Turn == len(told.states) { // nothing has happened in it yet
		told.states, told.events = append(told.states, string(JSON(st))), append(told.events, nil)
	}
	told.last, told.hash = string(JSON(st)), log.Hash()
	return told
}

// sameSeeking demands that seeking in dir gives the same as reading all of it has given.
func sameSeeking(t *testing.T, dir string, want telling) {
	t.Helper()
	for turn := range want.states {
		st, err := StateAt(dir, turn)
		if got := string(JSON(st)); err != nil || got != want.states[turn] {
			t.Fatalf("state at %d is %.200s, error %v; want %.200s", turn, got, err, want.states[turn])
		}
		var events []Event
		for ev, err := range Turn(dir, turn) {
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, ev)
		}
		if got, want := fmt.Sprint(events), fmt.Sprint(want.events[turn]); got != want {
			t.Fatalf("turn %d is %.200s, want %.200s", turn, got, want)
		}
	}
	for _, none := range []int{-1, len(want.states), 1 << 40} {
		if _, err := StateAt(dir, none); err == nil || !strings.HasPrefix(err.Error(), "seek turn "+strconv.Itoa(none)+": no such turn") {
			t.Errorf("state at %d: error %v", none, err)
		}
		for ev, err := range Turn(dir, none) {
			t.Errorf("turn %d has %v, %v", none, ev, err)
		}
	}
}

// sameOpening demands that a store opened in dir has read the same.
func sameOpening(t *testing.T, dir string, want telling) {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := string(JSON(s.State())); got != want.last || s.Hash() != want.hash {
		t.Fatalf("opens with %.200s and hash %s, want %.200s and %s", got, s.Hash(), want.last, want.hash)
	}
}

func lastKeyframe(t *testing.T, dir string) place {
	t.Helper()
	src, err := openSource(filepath.Join(dir, logName))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	return nearest(dir, src, anyTurn, func(keyframe) bool { return true })
}

func copyRun(t *testing.T, from string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func readFile(t testing.TB, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t testing.TB, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSeekingGivesEveryTurnWithAndWithoutKeyframes(t *testing.T) {
	dir := tale(t)
	want := tell(t, dir)
	if n := bytes.Count(readFile(t, dir, keyframesName), []byte("\n")); n < 6 {
		t.Fatalf("there are only %d keyframes", n)
	}
	sameSeeking(t, dir, want)
	sameOpening(t, dir, want)
	if err := os.Remove(filepath.Join(dir, keyframesName)); err != nil {
		t.Fatal(err)
	}
	sameSeeking(t, dir, want)
	sameOpening(t, dir, want)
}

func TestSeekingSeesOnlyWholeCommits(t *testing.T) {
	dir, log, _ := sample(t)
	for cut := range len(log) + 1 {
		writeFile(t, dir, logName, log[:cut])
		sameSeeking(t, dir, tell(t, dir))
	}
}

func TestSeekingInNoLogIsAnError(t *testing.T) {
	dir := t.TempDir()
	_, err := StateAt(dir, 0)
	errs := []error{err}
	for _, err := range Turn(dir, 0) {
		errs = append(errs, err)
	}
	for _, err := range errs {
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("error %v", err)
		}
	}
	if len(errs) != 2 {
		t.Errorf("%d errors, want 2", len(errs))
	}
}

// Whoever reads from the beginning stumbles over the damage there.
func TestKeyframesSpareReadingFromTheBeginning(t *testing.T) {
	dir := tale(t)
	want := tell(t, dir)
	log := readFile(t, dir, logName)
	log[10] ^= 1
	writeFile(t, dir, logName, log)
	sameOpening(t, dir, want)
	last := len(want.states) - 1
	if st, err := StateAt(dir, last); err != nil || string(JSON(st)) != want.states[last] {
		t.Errorf("state at %d is %.200s, error %v", last, JSON(st), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	after := want.events[last-1][0].Seq
	for ev, err := range Follow(ctx, dir, after) {
		if err != nil || ev.Seq != after+1 {
			t.Fatalf("after event %d follows %d, error %v", after, ev.Seq, err)
		}
		break
	}
	for _, err := range Events(dir) {
		if !isDamage(err) {
			t.Errorf("error %v", err)
		}
	}
	_, err := StateAt(dir, 1)
	if !isDamage(err) {
		t.Errorf("state at 1: error %v", err)
	}
	if err := os.Remove(filepath.Join(dir, keyframesName)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !isDamage(err) {
		t.Errorf("open without keyframes: error %v", err)
	}
}

func TestTurnThatIsDamagedIsRefusedWithItsLineAndNeverShort(t *testing.T) {
	dir := tale(t)
	want := tell(t, dir)
	whole := readFile(t, dir, logName)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	at := 0
	for i, line := range lines[:len(lines)-1] {
		at += len(line)
		if i%11 != 0 {
			continue
		}
		log := bytes.Clone(whole)
		log[at-len(line)/2] ^= 1
		writeFile(t, dir, logName, log)
		turn := slices.IndexFunc(want.events, func(events []Event) bool { return events[len(events)-1].Seq > int64(i) })
		n, last := 0, error(nil)
		for _, err := range Turn(dir, turn) {
			if n++; err != nil {
				last = err
			}
		}
		var damage *LogError
		if !errors.As(last, &damage) || damage.Line != i+1 {
			t.Fatalf("line %d in turn %d is damaged: %d events, error %v", i+1, turn, n, last)
		}
	}
}

func TestKeyframesThatAreHarmedAreIgnoredAndMended(t *testing.T) {
	dir := tale(t)
	want := tell(t, dir)
	whole := readFile(t, dir, keyframesName)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	lines = lines[:len(lines)-1] // the last is empty
	other := readFile(t, tale(t), keyframesName)
	each := func(change func(line []byte) []byte) []byte {
		var all []byte
		for _, line := range lines {
			all = append(all, change(bytes.Clone(line))...)
		}
		return all
	}
	flip := func(line []byte) []byte { line[len(line)/2] ^= 1; return line }
	swapped := slices.Clone(lines)
	slices.Reverse(swapped)
	for name, harmed := range map[string][]byte{
		"empty":                 {},
		"cut in the last":       whole[:len(whole)-10],
		"cut in the first":      whole[:10],
		"without last newline":  whole[:len(whole)-1],
		"flipped in the last":   append(bytes.Join(lines[:len(lines)-1], nil), flip(bytes.Clone(lines[len(lines)-1]))...),
		"all flipped":           each(flip),
		"every second flipped":  bytes.Join([][]byte{lines[0], flip(bytes.Clone(lines[1])), lines[2], flip(bytes.Clone(lines[3]))}, nil),
		"swapped":               bytes.Join(swapped, nil),
		"first missing":         bytes.Join(lines[3:], nil),
		"all the same":          each(func([]byte) []byte { return lines[4] }),
		"of another run":        other,
		"of another run behind": append(bytes.Join(lines[:5], nil), other[len(other)/2:]...),
		"zeros":                 make([]byte, len(whole)),
		"zeros at the end":      append(bytes.Clone(whole), make([]byte, 5000)...),
		"newlines":              bytes.Repeat([]byte("\n"), 5000),
		"lines of the log":      readFile(t, dir, logName),
		"with a sum of nothing": each(func(line []byte) []byte {
			i := bytes.Index(line, []byte(`"sum":"`)) + len(`"sum":"`)
			body := append(line[:i:i], line[i+bytes.IndexByte(line[i:], '"'):len(line)-endSize]...)
			return appendEnd(body, body)
		}),
		"of no facts": each(func(line []byte) []byte {
			head, _, _ := bytes.Cut(line, []byte(`,"facts":`))
			body := append(bytes.Clone(head), `,"facts":null`...)
			return appendEnd(body, body)
		}),
		"of no size": each(func(line []byte) []byte {
			body := append([]byte(`{"size":-1,`), line[bytes.IndexByte(line, ',')+1:len(line)-endSize]...)
			return appendEnd(body, body)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := copyRun(t, dir)
			writeFile(t, dir, keyframesName, harmed)
			sameSeeking(t, dir, want)
			sameOpening(t, dir, want)
			s := openStore(t, dir)
			for range 4 {
				commitAll(t, s, Event{Kind: "long", Data: JSON(strings.Repeat("x", keyframeGap/2))})
			}
			st := s.State()
			if got := lastKeyframe(t, dir).state.Seq; got < st.Seq-2 {
				t.Errorf("the last keyframe is at %d of %d", got, st.Seq)
			}
			sameOpening(t, dir, tell(t, dir))
		})
	}
}

func TestKeyframesOfALogThatWasCutAreIgnored(t *testing.T) {
	whole := tale(t)
	log := readFile(t, whole, logName)
	for part := range 5 {
		dir := copyRun(t, whole)
		writeFile(t, dir, logName, log[:part*len(log)/5])
		want := tell(t, dir)
		sameSeeking(t, dir, want)
		sameOpening(t, dir, want)
		s := openStore(t, dir) // and grows again with other events
		for range 12 {
			commitAll(t, s, Event{Kind: "other", Data: JSON(strings.Repeat("x", 20_000))}, Event{Kind: KindTurn})
		}
		want = tell(t, dir)
		sameSeeking(t, dir, want)
		sameOpening(t, dir, want)
	}
}

func TestKeyframesTakeABoundedShareWhateverTheSizeOfTheState(t *testing.T) {
	for _, paths := range []int{1, 300, 3000} {
		dir := t.TempDir()
		s := openStore(t, dir)
		random := rand.New(rand.NewPCG(1, 2))
		events := make([]Event, 200)
		for range 60 {
			for i := range events {
				events[i] = Event{Kind: "x", Set: facts("path/"+strconv.Itoa(random.IntN(paths)), random.IntN(1000))}
			}
			commitAll(t, s, events...)
		}
		log, keyframes := len(readFile(t, dir, logName)), readFile(t, dir, keyframesName)
		all := bytes.SplitAfter(keyframes, []byte("\n"))
		behind := log - int(lastKeyframe(t, dir).at.size)
		last := len(all[len(all)-2])
		if most := log/keyframeShare + last; len(keyframes) > most {
			t.Errorf("%d paths: %d bytes of keyframes for %d of log", paths, len(keyframes), log)
		}
		commit := log / 60 * 2
		if most := max(keyframeGap, keyframeShare*last) + commit; behind > most {
			t.Errorf("%d paths: %d bytes behind the last keyframe, want at most %d", paths, behind, most)
		}
	}
}

func TestFolderThatTakesNoKeyframesTakesCommits(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, keyframesName), 0o700); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, dir)
	for range 10 {
		commitAll(t, s, Event{Kind: "x", Data: JSON(strings.Repeat("x", keyframeGap))})
	}
	sameOpening(t, dir, tell(t, dir))
}

func TestKilledWritersOfKeyframesLeaveALogThatOpensTheSame(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 4 {
		acknowledged := killed(t, dir, strconv.Itoa(round), random.IntN(10), 9000)
		want := tell(t, dir)
		last := len(want.states) - 1
		if st, err := StateAt(dir, last); err != nil || string(JSON(st)) != want.states[last] {
			t.Fatalf("state at %d is %.200s, error %v", last, JSON(st), err)
		}
		bare := copyRun(t, dir)
		if err := os.Remove(filepath.Join(bare, keyframesName)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		sameOpening(t, bare, want)
		sameOpening(t, dir, want)
		if st := audit(t, dir); st.Seq < acknowledged {
			t.Errorf("%d events were acknowledged, %d are left", acknowledged, st.Seq)
		}
	}
	if n := bytes.Count(readFile(t, dir, keyframesName), []byte("\n")); n == 0 {
		t.Error("there is no keyframe")
	}
}

// The keyframe of one great fact is a little longer than the log that sets it. The system kills the writer where the file may not grow.
func TestWriterKilledInTheMiddleOfAKeyframeHasCommitted(t *testing.T) {
	dir := t.TempDir()
	const fact, most = keyframeGap, keyframeGap + 200
	p := start(t, "keyframe", dir, strconv.Itoa(fact), strconv.Itoa(most))
	if err := p.Wait(); err == nil || !strings.Contains(err.Error(), "file size limit exceeded") {
		t.Fatalf("ended with %v: %s", err, p.stderr.String())
	}
	if n := len(readFile(t, dir, keyframesName)); n != most {
		t.Fatalf("the keyframe was cut at %d, not at %d", n, most)
	}
	want := tell(t, dir)
	sameSeeking(t, dir, want)
	sameOpening(t, dir, want)
	if s := openStore(t, dir); s.State().Seq != 1 {
		t.Errorf("%d events", s.State().Seq)
	}
}
