package world

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// crcField is the end of a line.
const crcField = `,"crc":"%08x"}`

// docLine is the example in the package comment.
const docLine = `{"agent":"a","data":{"args":{"tons":10},"name":"fish"},"kind":"action","more":true,"seq":3,"turn":0,` +
	`"proc":{"wall_ms":12},"time":"2026-01-02T15:04:05.000000006Z","crc":"8bedfb01"}` + "\n"

func TestLineIsTheOneOfThePackageComment(t *testing.T) {
	source, err := os.ReadFile("world.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(source, []byte("//\t"+docLine)) {
		t.Error("the package comment has another line")
	}
	ev := Event{
		Agent: "a", Data: json.RawMessage(`{"args":{"tons":10},"name":"fish"}`), Kind: "action", More: true, Seq: 3,
		Proc: json.RawMessage(`{"wall_ms":12}`), Time: time.Date(2026, 1, 2, 15, 4, 5, 6, time.UTC),
	}
	line, world := encode(nil, &ev, nil, timeText(ev.Time))
	if string(line) != docLine {
		t.Errorf("encode gives %s", line)
	}
	if want := strings.Index(docLine, `,"proc"`); world != want {
		t.Errorf("the world part has %d bytes, want %d", world, want)
	}
	got, world2, err := decode(line, 3)
	if err != nil || world2 != world || fmt.Sprint(got) != fmt.Sprint(ev) {
		t.Errorf("decode gives %v, %d, error %v", got, world2, err)
	}
}

// reseal gives a line that was changed the checksum that it should have.
func reseal(t *testing.T, line string) string {
	t.Helper()
	body := line[:strings.LastIndex(line, `,"crc"`)]
	return body + fmt.Sprintf(crcField+"\n", crc32.Checksum([]byte(body), castagnoli))
}

func TestLineThatIsNotCanonicalIsRefusedThoughItsChecksumIsRight(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"white space":         {`{"agent"`, `{ "agent"`, "canonical"},
		"order of keys":       {`"args":{"tons":10},"name":"fish"`, `"name":"fish","args":{"tons":10}`, "canonical"},
		"a number":            {`"tons":10`, `"tons":10.0`, "canonical"},
		"an escape":           {`"fish"`, `"\u0066ish"`, "canonical"},
		"a key too many":      {`"kind"`, `"king":1,"kind"`, "canonical"},
		"a key in capitals":   {`"kind"`, `"Kind"`, "canonical"},
		"a key twice":         {`"kind"`, `"kind":"x","kind"`, "canonical"},
		"no kind":             {`"kind":"action",`, ``, "canonical"},
		"a null":              {`"turn"`, `"set":null,"turn"`, "canonical"},
		"process white space": {`{"wall_ms":12}`, `{"wall_ms": 12}`, "canonical"},
		"another time zone":   {`06Z`, `06+00:00`, "canonical"},
		"no time":             {`,"time":"2026-01-02T15:04:05.000000006Z"`, ``, "canonical"},
		"no object":           {docLine[:strings.Index(docLine, `,"crc"`)], `[1`, "not an event"},
		"a wrong type":        {`"turn":0`, `"turn":"0"`, "not an event"},
		"a number too great":  {`"tons":10`, `"tons":1e999`, "data is not JSON"},
		"a seq too great":     {`"seq":3`, `"seq":4`, "seq is 4, not 3"},
		"a seq too small":     {`"seq":3`, `"seq":2`, "seq is 2, not 3"},
	} {
		t.Run(name, func(t *testing.T) {
			line := reseal(t, strings.Replace(docLine, c.old, c.new, 1))
			if _, _, err := decode([]byte(line), 3); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	if _, _, err := decode([]byte(reseal(t, docLine)), 3); err != nil {
		t.Errorf("the line itself: %v", err)
	}
}

func TestHashIsOverTheWorldPartsOfAllEvents(t *testing.T) {
	dir, log, _ := sample(t)
	sum := sha256.New()
	for line := range strings.Lines(string(log)) {
		part, _, ok := strings.Cut(line, `,"proc":`)
		if !ok {
			part, _, _ = strings.Cut(line, `,"time":`)
		}
		fmt.Fprintln(sum, part+"}")
	}
	want := hex.EncodeToString(sum.Sum(nil))
	s := openStore(t, dir)
	if s.Hash() != want {
		t.Errorf("the store says %s, want %s", s.Hash(), want)
	}
	// The same commits on another day in another process are the same run.
	again := openStore(t, t.TempDir())
	var events []Event
	for ev, err := range Events(dir) {
		if err != nil {
			t.Fatal(err)
		}
		ev.Proc = JSON("another")
		if events = append(events, ev); !ev.More {
			commitAll(t, again, events...)
			events = nil
		}
	}
	if again.Hash() != want {
		t.Errorf("the same run has the hash %s, want %s", again.Hash(), want)
	}
	if commitAll(t, again, Event{Kind: "x"}); again.Hash() == want {
		t.Error("the hash does not change with another event")
	}
}

func TestLogCutAnywhereOpensWithTheWholeCommitsBeforeTheCut(t *testing.T) {
	_, log, states := sample(t)
	dir := t.TempDir()
	path := filepath.Join(dir, logName)
	whole := 0
	for cut := range len(log) + 1 {
		if _, ok := states[cut]; ok {
			whole = cut
		}
		_ = os.Remove(path) // writing anew is faster than over it
		if err := os.WriteFile(path, log[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		wantTorn := 0
		if whole < cut {
			wantTorn = bytes.Count(log[:whole], []byte("\n")) + 1
		}
		r := ReadLog(dir)
		for _, err := range r.Events() {
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
		}
		s, err := Open(dir)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if got, want := string(JSON(s.State())), string(JSON(states[whole])); got != want || s.Hash() != r.Hash() || r.Torn() != wantTorn {
			t.Fatalf("cut at %d: state %s, want %s; torn line %d, want %d", cut, got, want, r.Torn(), wantTorn)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, log[:whole]) {
			t.Fatalf("cut at %d: %d bytes are left, want %d", cut, len(left), whole)
		}
	}
}

func TestAnyByteThatIsChangedIsRefusedWithItsLine(t *testing.T) {
	dir, log, _ := sample(t)
	path := filepath.Join(dir, logName)
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	line := 1
	for i, old := range log {
		for _, changed := range []byte{old ^ 1, old ^ 0x20, old ^ 0x80, '\n', '0', '"', '}', 0} {
			if changed == old {
				continue
			}
			if _, err := file.WriteAt([]byte{changed}, int64(i)); err != nil {
				t.Fatal(err)
			}
			var readErr error
			r := ReadLog(dir)
			for _, readErr = range r.Events() {
			}
			if i == len(log)-1 {
				if readErr != nil || r.Torn() == 0 {
					t.Errorf("last newline as %q: error %v, torn line %d", changed, readErr, r.Torn())
				}
				continue
			}
			errs := []error{readErr}
			if changed == old^1 {
				_, err := Open(dir)
				errs = append(errs, err)
			}
			for _, err := range errs {
				var damage *LogError
				if !errors.As(err, &damage) || damage.Line != line || damage.File != path {
					t.Errorf("byte %d in line %d, %q as %q: error %v", i, line, old, changed, err)
				}
			}
			if want := fmt.Sprintf("%s:%d: ", path, line); readErr != nil && !strings.HasPrefix(readErr.Error(), want) {
				t.Errorf("error %v does not begin with %s", readErr, want)
			}
		}
		if _, err := file.WriteAt([]byte{old}, int64(i)); err != nil {
			t.Fatal(err)
		}
		if old == '\n' {
			line++
		}
	}
}

func TestLinesThatAreMissingTwiceOrSwappedAreRefused(t *testing.T) {
	dir, log, _ := sample(t)
	lines := strings.SplitAfter(strings.TrimSuffix(string(log), "\n"), "\n")
	lines[len(lines)-1] += "\n"
	for name, c := range map[string]struct {
		lines []string
		line  int
	}{
		"missing": {append(append([]string{}, lines[:2]...), lines[3:]...), 3},
		"twice":   {append(append([]string{}, lines[:3]...), lines[2:]...), 4},
		"swapped": {append([]string{lines[1], lines[0]}, lines[2:]...), 1},
		"blank":   {append([]string{lines[0], "\n"}, lines[1:]...), 2},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, logName), []byte(strings.Join(c.lines, "")), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir)
			var damage *LogError
			if !errors.As(err, &damage) || damage.Line != c.line {
				t.Errorf("error %v, want one for line %d", err, c.line)
			}
		})
	}
}

// inChunks reads a log of which no more than a few bytes come at a time.
func inChunks(log []byte, size int) (events []Event, c cursor, err error) {
	c = newCursor()
	load := func(off int64, n int) ([]byte, bool, error) {
		n = size * n / firstChunk
		left := log[off:]
		return left[:min(n, len(left))], n >= len(left), nil
	}
	for commit, err := range c.commits("log", load) {
		if err != nil {
			return events, c, err
		}
		events = append(events, commit...)
	}
	return events, c, nil
}

func TestLogThatComesInPiecesReadsTheSame(t *testing.T) {
	_, log, _ := sample(t)
	for cut := range len(log) {
		want, all, err := inChunks(log[:cut], len(log)+1)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{1, 7, 100, 500} {
			got, c, err := inChunks(log[:cut], size)
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want) || c.torn != all.torn || c.size != all.size {
				t.Fatalf("cut at %d in pieces of %d: %d events, torn %v, error %v", cut, size, len(got), c.torn, err)
			}
		}
	}
}

func FuzzEvents(f *testing.F) {
	_, log, _ := sample(f)
	f.Add(log, false)
	f.Add(log[:len(log)-1], false)
	f.Add([]byte("\n"), false)
	f.Add(regexp.MustCompile(`,"crc":"[^"]*"`).ReplaceAll(log, nil), true)
	f.Add([]byte(`{"kind":"x","seq":1,"turn":0,"time":"2026-01-02T15:04:05Z"}`), true)
	f.Fuzz(func(t *testing.T, log []byte, seal bool) {
		if seal { // get behind the checksum
			var sealed []byte
			for line := range bytes.Lines(log) {
				body := line[:max(0, bytes.LastIndexAny(line, ",}"))]
				sealed = append(sealed, body...)
				sealed = fmt.Appendf(sealed, crcField+"\n", crc32.Checksum(body, castagnoli))
			}
			log = sealed
		}
		events, c, err := inChunks(log, len(log)+1)
		var damage *LogError
		if err != nil && !errors.As(err, &damage) {
			t.Fatalf("error %v", err)
		}
		var again []byte
		for i, ev := range events {
			if ev.Seq != int64(i)+1 {
				t.Fatalf("event %d has seq %d", i+1, ev.Seq)
			}
			again, _ = encode(again, &ev, appendSets(nil, ev.Set), timeText(ev.Time))
		}
		if !bytes.HasPrefix(log, again) || c.size != int64(len(again)) || c.seq != int64(len(events)) {
			t.Fatalf("%d events are other bytes than the first %d of the log", len(events), c.size)
		}
		if n := len(events); n > 0 && events[n-1].More {
			t.Fatal("half a commit")
		}
		if err == nil && c.torn != (len(again) < len(log)) {
			t.Fatalf("torn is %v with %d of %d bytes read", c.torn, len(again), len(log))
		}
	})
}
