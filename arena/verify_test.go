package arena

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

// A finished is the log of a finished episode, in lines, its game and its result.
type finished struct {
	game   Game
	lines  [][]byte // newlines included
	events []world.Event
	result Result
}

// finish plays a stage to its end.
func finish(t *testing.T, prepare func(s *stage)) finished {
	t.Helper()
	var f finished
	inBubble(t, func(t *testing.T, s *stage) {
		prepare(s)
		out := s.run()
		f.game, f.events = s.Game, s.events()
		f.result = Result{Events: out.State.Seq, Hash: s.Store.Hash()}
		raw, err := os.ReadFile(filepath.Join(s.dir, logFile))
		if err != nil {
			t.Fatal(err)
		}
		f.lines = slices.Collect(bytes.Lines(raw))
	})
	if len(f.lines) != len(f.events) || len(f.lines) == 0 {
		t.Fatalf("%d lines of %d events", len(f.lines), len(f.events))
	}
	return f
}

// playFinished plays an episode of 2 turns, in the second of which agents misbehave and are refused.
func playFinished(t *testing.T) finished {
	t.Helper()
	f := finish(t, func(s *stage) {
		s.Turns = 2
		s.Consequences = Consequences{Timeout: ConsequenceOut, Invalid: ConsequencePass, Error: ConsequencePass}
		fails := func(err error) func(context.Context) (world.Action, error) {
			return func(context.Context) (world.Action, error) { return world.Action{}, err }
		}
		s.sit("b", inTurn(1, fails(agents.ErrNoAction)))
		s.sit("c", inTurn(1, func(context.Context) (world.Action, error) { return ask(-1), nil }))
		s.sit("d", inTurn(1, sleeps))
		s.sit("e", inTurn(1, fails(errors.New("out of ink"))))
	})
	for _, kind := range []string{KindStart, KindAction, KindTimeout, KindInvalid, KindError, KindEnd, world.KindRefusal, world.KindTurn} {
		if lineOf(f, kind) == 0 {
			t.Fatalf("the episode has no %s event", kind)
		}
	}
	return f
}

// check verifies a log that consists of the given lines, with the result that the whole log had.
func (f finished) check(t *testing.T, dir string, lines ...[]byte) (Verified, error) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, logFile), bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := Verify(dir, f.game)
	if err == nil {
		err = v.Matches(f.result, dir)
	}
	return v, err
}

// wantLine checks that err names a line of the log in dir, and says a word about it.
func wantLine(t *testing.T, what string, err error, dir string, line int, word string) {
	t.Helper()
	var damage *world.LogError
	if !errors.As(err, &damage) {
		t.Errorf("%s: the error is %v, want one of line %d", what, err, line)
		return
	}
	if damage.Line != line || damage.File != filepath.Join(dir, logFile) || !strings.Contains(damage.Msg, word) {
		t.Errorf("%s: the error is %v, want one of line %d with %q", what, err, line, word)
	}
}

func TestVerifyAcceptsAFinishedLog(t *testing.T) {
	f := playFinished(t)
	v, err := f.check(t, t.TempDir(), f.lines...)
	if err != nil {
		t.Fatal(err)
	}
	want := Verified{Hash: f.result.Hash, Events: int64(len(f.lines)), Turns: 2, Over: true, End: End{Truncated, "limit of turns"}}
	if v.State.Seq != want.Events {
		t.Errorf("the state is the one after event %d, want %d", v.State.Seq, want.Events)
	}
	if v.State = (world.State{}); !reflect.DeepEqual(v, want) {
		t.Errorf("verified: %+v, want %+v", v, want)
	}
}

func TestVerifyRefusesEveryFlippedByteWithItsLine(t *testing.T) {
	f := finish(t, func(s *stage) { // as short as can be, for it is verified once for each of its bytes
		s.Agents, s.Seats, s.Turns = five[:2], s.Seats[:2], 1
		s.sit("b", inTurn(0, sleeps))
	})
	dir := t.TempDir()
	for i, line := range f.lines {
		for at := range line {
			bit := (i + at) % 8
			flipped := bytes.Clone(line)
			flipped[at] ^= 1 << bit
			lines := slices.Clone(f.lines)
			lines[i] = flipped
			_, err := f.check(t, dir, lines...)
			var damage *world.LogError
			if !errors.As(err, &damage) || damage.Line != i+1 {
				t.Fatalf("line %d, byte %d, bit %d: the error is %v", i+1, at, bit, err)
			}
		}
	}
}

func TestVerifyRefusesALineThatIsSplitOrJoined(t *testing.T) {
	f := playFinished(t)
	dir := t.TempDir()
	for i, line := range f.lines {
		lines := slices.Clone(f.lines)
		lines[i] = slices.Concat(line[:10], []byte("\n"), line[10:])
		_, err := f.check(t, dir, lines...)
		wantLine(t, "split", err, dir, i+1, "")
		lines[i] = line[:len(line)-1]
		_, err = f.check(t, dir, lines...)
		wantLine(t, "joined with the next", err, dir, i+1, "")
		lines[i] = slices.Concat([]byte("\n"), line)
		_, err = f.check(t, dir, lines...)
		wantLine(t, "an empty line before it", err, dir, i+1, "")
	}
}

func TestVerifyRefusesDeletedSwappedAndDoubledLines(t *testing.T) {
	f := playFinished(t)
	dir := t.TempDir()
	n := len(f.lines)
	for i := range n {
		_, err := f.check(t, dir, slices.Delete(slices.Clone(f.lines), i, i+1)...)
		word := "out of order"
		if i == n-1 {
			word = "the log ends before this line"
		}
		wantLine(t, "deleted", err, dir, i+1, word)

		_, err = f.check(t, dir, slices.Insert(slices.Clone(f.lines), i, f.lines[i])...)
		wantLine(t, "doubled", err, dir, i+2, "out of order")

		if i+1 < n {
			lines := slices.Clone(f.lines)
			lines[i], lines[i+1] = lines[i+1], lines[i]
			_, err = f.check(t, dir, lines...)
			wantLine(t, "swapped", err, dir, i+1, "out of order")
		}
	}
	whole, err := f.check(t, dir, f.lines...)
	if err != nil {
		t.Fatal(err)
	}
	short := f.result
	short.Events -= 2
	wantLine(t, "a result of a shorter log", whole.Matches(short, dir), dir, n-1, "the result does not know this line")
	other := f.result
	other.Hash = strings.Repeat("0", 64)
	if err := whole.Matches(other, dir); err == nil || !strings.Contains(err.Error(), f.result.Hash) {
		t.Errorf("the result of another log matches: %v", err)
	}
}

func TestVerifyAcceptsAnUnfinishedLogUpToItsLastWholeCommit(t *testing.T) {
	f := playFinished(t)
	dir := t.TempDir()
	whole, turns := 0, 0 // lines and turns of the commits that are whole
	for i := range len(f.lines) {
		torn := 0
		if whole < i {
			torn = whole + 1
		}
		want := Verified{Events: int64(whole), Turns: turns, TornLine: torn}
		check := func(what string, lines ...[]byte) {
			t.Helper()
			v, err := f.check(t, dir, lines...)
			wantLine(t, what, err, dir, whole+1, fmt.Sprintf("the result speaks of %d", len(f.lines)))
			if v.Hash == "" || v.Hash == f.result.Hash {
				t.Errorf("%s: the hash is %q", what, v.Hash)
			}
			if v.Hash, v.State = "", (world.State{}); !reflect.DeepEqual(v, want) {
				t.Errorf("%s: verified %+v, want %+v", what, v, want)
			}
		}
		check(fmt.Sprintf("%d lines", i), f.lines[:i]...)
		want.TornLine = whole + 1
		check(fmt.Sprintf("%d lines and a half", i), slices.Concat(f.lines[:i], [][]byte{f.lines[i][:20]})...)
		if f.events[i].Kind == world.KindTurn {
			turns++
		}
		if !f.events[i].More {
			whole = i + 1
		}
	}
}

func TestVerifyOfAFolderWithoutALogIsAnError(t *testing.T) {
	f := playFinished(t)
	if _, err := Verify(t.TempDir(), f.game); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
	if _, err := Verify(filepath.Join(t.TempDir(), "none"), f.game); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
}

func TestVerifyDemandsTheGameThatWasPlayed(t *testing.T) {
	f := playFinished(t)
	dir := t.TempDir()
	for _, test := range []struct {
		name   string
		change func(*Game)
		line   int
	}{
		{"another seed", func(g *Game) { g.Seed++ }, 1},
		{"other agents", func(g *Game) { g.Agents = []string{"a", "b", "c", "e", "d"} }, 1},
		{"another schedule", func(g *Game) { g.Schedule = Sequential }, 4},
		{"another consequence", func(g *Game) { g.Consequences.Timeout = ConsequencePass }, lineOf(f, KindTimeout)},
		{"fewer turns", func(g *Game) { g.Turns = 1 }, firstOfTurn(f, 1)},
		{"more turns", func(g *Game) { g.Turns = 3 }, len(f.lines)},
	} {
		other := f
		test.change(&other.game)
		_, err := other.check(t, dir, f.lines...)
		wantLine(t, test.name, err, dir, test.line, "")
	}
}

// lineOf returns the line of the first event of that kind.
func lineOf(f finished, kind string) int {
	return slices.IndexFunc(f.events, func(ev world.Event) bool { return ev.Kind == kind }) + 1
}

func firstOfTurn(f finished, turn int) int {
	return slices.IndexFunc(f.events, func(ev world.Event) bool { return ev.Turn == turn }) + 1
}

var crcAtEnd = regexp.MustCompile(`,"crc":"[0-9a-f]{8}"}\n$`)

// seal gives a line the checksum that it should have, so that only the rules can tell that it was altered.
func seal(line []byte) []byte {
	body := crcAtEnd.ReplaceAll(line, nil)
	return fmt.Appendf(bytes.Clone(body), `,"crc":"%08x"}`+"\n", crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

// number gives a line another seq.
func number(line []byte, seq int) []byte {
	return regexp.MustCompile(`"seq":[0-9]+`).ReplaceAll(line, fmt.Appendf(nil, `"seq":%d`, seq))
}

func TestVerifyRefusesSealedAlterationsWithTheirLine(t *testing.T) {
	f := playFinished(t)
	dir := t.TempDir()
	if sealed := seal(f.lines[3]); !bytes.Equal(sealed, f.lines[3]) {
		t.Fatalf("a sealed line is %s, not %s", sealed, f.lines[3])
	}
	find := func(kind, agent string) int {
		t.Helper()
		i := slices.IndexFunc(f.events, func(ev world.Event) bool { return ev.Kind == kind && ev.Agent == agent })
		if i < 0 {
			t.Fatalf("no %s event of %q", kind, agent)
		}
		return i
	}
	for _, test := range []struct {
		name     string
		at       int // index of the line that is altered
		old, new string
		line     int // where the rules see it first
		word     string
	}{
		{"the seed", 0, `"seed":7`, `"seed":8`, 1, "does not follow from the actions"},
		{"a status at the start", 0, `"run/status/a":"active"`, `"run/status/a":"done"`, 1, "does not follow from the actions"},
		{"the capacity", 1, `"lake/capacity":100`, `"lake/capacity":101`, 2, "does not follow from the actions"},
		{"an action", find(KindAction, "b"), `"tons":5`, `"tons":6`, find("lake", "") + 1, "does not follow from the actions"},
		{"the name of an action", find(KindAction, "b"), `"fish"`, `"fise"`, find("lake", "") + 1, "does not follow from the actions"},
		{"a key that actions do not have", find(KindAction, "b"), `"name":"fish"`, `"name":"fish","note":"x"`, find(KindAction, "b") + 1, "does not follow from the actions"},
		{"an action of another type", find(KindAction, "b"), `"name":"fish"`, `"name":7`, find(KindAction, "b") + 1, "what b did"},
		{"an action without data", find(KindAction, "b"), `"data":{"args":{"tons":5},"name":"fish"},`, ``, find(KindAction, "b") + 1, "what b did"},
		{"who acted", find(KindAction, "b"), `"agent":"b"`, `"agent":"c"`, find(KindAction, "b") + 1, "what b did"},
		{"the kind of an act", find(KindAction, "b"), `"kind":"action"`, `"kind":"catch"`, find(KindAction, "b") + 1, "a catch event is no act"},
		{"an effect on the lake", find("lake", ""), `"lake/tons":75`, `"lake/tons":76`, find("lake", "") + 1, "does not follow from the actions"},
		{"an effect on an agent", find("catch", "d"), `"agents/d/total":5`, `"agents/d/total":6`, find("catch", "d") + 1, "does not follow from the actions"},
		{"what a catch says", find("catch", "d"), `"caught":5`, `"caught":6`, find("catch", "d") + 1, "does not follow from the actions"},
		{"a reason", find(world.KindRefusal, "c"), `must be`, `must by`, find(world.KindRefusal, "c") + 1, "does not follow from the actions"},
		{"a consequence", find(KindTimeout, "d"), `"consequence":"out"`, `"consequence":"pass"`, find(KindTimeout, "d") + 1, "does not follow from the actions"},
		{
			"a consequence and its effect", find(KindTimeout, "d"), `"consequence":"out"},"kind":"timeout","more":true,"seq":18,"set":{"run/status/d":"timeout"},`,
			`"consequence":"pass"},"kind":"timeout","more":true,"seq":18,`, find(KindTimeout, "d") + 1, "does not follow from the actions",
		},
		{"a consequence that is not declared", find(KindInvalid, "b"), `"consequence":"pass"`, `"consequence":"out"`, find(KindInvalid, "b") + 1, "does not follow from the actions"},
		{"the kind of a misdeed", find(KindInvalid, "b"), `"kind":"invalid"`, `"kind":"timeout"`, find(KindInvalid, "b") + 1, "does not follow from the actions"},
		{"the turn of an event", find(KindAction, "b"), `"turn":0`, `"turn":1`, find(KindAction, "b") + 1, "does not follow from the actions"},
		{"a commit in two", find("lake", ""), `"more":true,`, ``, find("lake", "") + 1, "does not follow from the actions"},
		{"two commits in one", find(world.KindTurn, ""), `"kind":"turn",`, `"kind":"turn","more":true,`, find(world.KindTurn, "") + 1, "does not follow from the actions"},
		{"the status of the end", len(f.lines) - 1, `"truncated"`, `"terminated"`, len(f.lines), "does not follow from the actions"},
		{"the reason of the end", len(f.lines) - 1, `limit of turns`, `limit of time`, len(f.lines), "does not follow from the actions"},
		{"a status at the end", len(f.lines) - 1, `"run/status/a":"done"`, `"run/status/a":"error"`, len(f.lines), "does not follow from the actions"},
	} {
		lines := slices.Clone(f.lines)
		if !bytes.Contains(lines[test.at], []byte(test.old)) {
			t.Errorf("%s: no %s in %s", test.name, test.old, lines[test.at])
			continue
		}
		lines[test.at] = seal(bytes.Replace(lines[test.at], []byte(test.old), []byte(test.new), 1))
		_, err := f.check(t, dir, lines...)
		wantLine(t, test.name, err, dir, test.line, test.word)
	}
}

func TestVerifyRefusesSealedLinesThatAreTooManyOrMissing(t *testing.T) {
	f := playFinished(t)
	dir := t.TempDir()
	renumber := func(lines [][]byte) [][]byte {
		for i := range lines {
			lines[i] = seal(number(lines[i], i+1))
		}
		return lines
	}
	catch := slices.IndexFunc(f.events, func(ev world.Event) bool { return ev.Kind == "catch" && ev.Agent == "c" })
	lines := renumber(slices.Delete(slices.Clone(f.lines), catch, catch+1))
	_, err := f.check(t, dir, lines...)
	wantLine(t, "an event left out", err, dir, catch+1, "does not follow from the actions")

	lines = renumber(slices.Insert(slices.Clone(f.lines), catch, f.lines[catch]))
	_, err = f.check(t, dir, lines...)
	wantLine(t, "an event twice", err, dir, catch+2, "does not follow from the actions")

	turn := lineOf(f, world.KindTurn)
	lines = slices.Clone(f.lines[:turn-1])
	lines[turn-2] = seal(bytes.Replace(lines[turn-2], []byte(`"more":true,`), nil, 1))
	_, err = f.check(t, dir, lines...)
	wantLine(t, "the last event of a commit left out", err, dir, turn-1, "does not follow from the actions")

	n := len(f.lines)
	lines = append(slices.Clone(f.lines), seal(number(f.lines[n-1], n+1)))
	_, err = f.check(t, dir, lines...)
	wantLine(t, "a second end", err, dir, n+1, "the log goes on after the end of the episode")

	lines = append(slices.Clone(f.lines), seal(number(f.lines[2], n+1)))
	_, err = f.check(t, dir, lines...)
	wantLine(t, "half a commit after the end", err, dir, n+1, "cut off")

	_, err = f.check(t, dir, append(slices.Clone(f.lines), []byte("{"))...)
	wantLine(t, "half a line after the end", err, dir, n+1, "cut off")

	_, err = f.check(t, dir, append(slices.Clone(f.lines), []byte("{}\n"))...)
	wantLine(t, "damage after the end", err, dir, n+1, "checksum")

	v, err := f.check(t, dir, f.lines[:n-1]...)
	wantLine(t, "no end", err, dir, n, "the log ends before this line")
	if v.Over || v.Turns != 2 {
		t.Errorf("verified: %+v", v)
	}

	end := seal(number(f.lines[n-1], firstOfTurn(f, 1)))
	_, err = f.check(t, dir, append(slices.Clone(f.lines[:firstOfTurn(f, 1)-1]), end)...)
	wantLine(t, "an end before its time", err, dir, firstOfTurn(f, 1), "does not follow from the actions")
}

// What a log says of processes and of time is no part of the world: the checksum guards it, the rules do not know it.
func TestVerifyDoesNotJudgeProcessFactsAndTimes(t *testing.T) {
	f := playFinished(t)
	for i, line := range f.lines {
		line = regexp.MustCompile(`"wall_ms":[0-9]+`).ReplaceAll(line, []byte(`"wall_ms":123456`))
		f.lines[i] = seal(regexp.MustCompile(`"time":"2000`).ReplaceAll(line, []byte(`"time":"2999`)))
	}
	if _, err := f.check(t, t.TempDir(), f.lines...); err != nil {
		t.Error(err)
	}
}

// Whoever is dead is out even where errors have no consequence, so of an error either consequence can be true.
func TestVerifyTellsTheDeadFromThoseWhoErr(t *testing.T) {
	for _, dead := range []bool{false, true} {
		inBubble(t, func(t *testing.T, s *stage) {
			s.sit("b", inTurn(1, func(context.Context) (world.Action, error) {
				if dead {
					return world.Action{}, &agents.DeadError{Reason: "exit status 1"}
				}
				return world.Action{}, errors.New("out of ink")
			}))
			s.run()
			if !s.verify().Over {
				t.Error("not over")
			}
		})
	}
}

func TestALogOfAnEpisodeWhoseTimeWasUpHoldsWhereverItEnds(t *testing.T) {
	for turn := range 4 {
		for _, schedule := range []Schedule{Parallel, Sequential} {
			inBubble(t, func(t *testing.T, s *stage) {
				s.Schedule, s.Act, s.Time = schedule, time.Hour, time.Minute
				s.sit(five[turn], inTurn(turn, sleeps))
				checkEnd(t, s.run(), End{Truncated, TimeLimit}, turn)
				if !s.verify().Over {
					t.Error("not over")
				}
			})
		}
	}
}

// FuzzVerify alters one line of a log and seals it: whatever stands there, it is refused with a line, or it was no alteration.
func FuzzVerify(f *testing.F) {
	var log finished
	f.Add(2, 30, []byte("x"))
	f.Add(2, 60, []byte(`"args":null`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, line, at int, with []byte) {
		if log.lines == nil {
			log = playFinished(t)
		}
		if line < 0 || line >= len(log.lines) || at < 0 || bytes.ContainsRune(with, '\n') {
			return
		}
		lines := slices.Clone(log.lines)
		old := lines[line]
		at = min(at, len(old)-1)
		altered := slices.Concat(old[:at], with, old[min(at+len(with), len(old)-1):])
		lines[line] = seal(altered)
		_, err := log.check(t, dir, lines...)
		var damage *world.LogError
		if err != nil && !errors.As(err, &damage) {
			t.Fatalf("the error is %v", err)
		}
		if err == nil && !bytes.Equal(worldOf(old), worldOf(lines[line])) {
			t.Fatalf("accepted %s", lines[line])
		}
	})
}

// worldOf returns the world part of a line.
func worldOf(line []byte) []byte {
	var ev world.Event
	if json.Unmarshal(line, &ev) != nil {
		return nil
	}
	return ev.World()
}
