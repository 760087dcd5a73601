package world

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

func sealRun(t testing.TB, dir string) (before, after int64) {
	t.Helper()
	before, after, err := Seal(dir)
	if err != nil {
		t.Fatal(err)
	}
	return before, after
}

// sameSealed demands that a run is sealed and reads as it did.
func sameSealed(t *testing.T, dir string, want telling) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, sealedSuffix) {
			t.Errorf("%s is left", file)
		}
	}
	if got := tell(t, dir); got.hash != want.hash || got.last != want.last || fmt.Sprint(got.events) != fmt.Sprint(want.events) {
		t.Errorf("reads another run, with hash %s instead of %s", got.hash, want.hash)
	}
	sameSeeking(t, dir, want)
}

func TestSealedRunReadsTheSameAndTakesNoCommits(t *testing.T) {
	dir := tale(t)
	want := tell(t, dir)
	plainSize := int64(len(readFile(t, dir, logName)) + len(readFile(t, dir, keyframesName)))
	s := openStore(t, dir)
	for range 2 { // the second time there is nothing to do
		if before, after := sealRun(t, dir); before != plainSize || after <= 0 || after > before/3 {
			t.Errorf("%d bytes became %d; they were %d", before, after, plainSize)
		}
		sameSealed(t, dir, want)
	}
	if err := os.Remove(filepath.Join(dir, keyframesName+sealedSuffix)); err != nil {
		t.Fatal(err)
	}
	sameSealed(t, dir, want)
	if _, err := Open(dir); !errors.Is(err, errSealed) {
		t.Errorf("open: error %v", err)
	}
	if _, err := s.Commit(t.Context(), nil); !errors.Is(err, errSealed) {
		t.Errorf("commit of a store that was open: error %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, logName)); err == nil {
		t.Error("there is a plain log again")
	}
}

func TestSealedLogIsZstdOfThePlainOne(t *testing.T) {
	dir := tale(t)
	want := readFile(t, dir, logName)
	sealRun(t, dir)
	r, err := zstd.NewReader(bytes.NewReader(readFile(t, dir, logName+sealedSuffix)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got bytes.Buffer
	if _, err := got.ReadFrom(r); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes, want %d, error %v", got.Len(), len(want), err)
	}
}

func TestFollowerOfALogThatIsSealedGetsAllAndEnds(t *testing.T) {
	dir := tale(t)
	want := tell(t, dir)
	last := want.events[len(want.events)-2]
	seq := last[len(last)-1].Seq
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, sealAt := range []int64{10, seq, 0} { // 0: it is sealed already
		dir := copyRun(t, dir)
		if sealAt == 0 {
			sealRun(t, dir)
		}
		n := int64(0)
		for ev, err := range Follow(ctx, dir, 0) {
			if n++; err != nil || ev.Seq != n {
				t.Fatalf("event %d: %d, error %v", n, ev.Seq, err)
			}
			if n == sealAt {
				sealRun(t, dir)
			}
		}
		if n < seq || ctx.Err() != nil {
			t.Errorf("sealed at %d it ends after %d of %d: %v", sealAt, n, seq, ctx.Err())
		}
	}
}

func TestLogThatComesIntoBeingSealedIsFollowed(t *testing.T) {
	from, _, _ := sample(t)
	sealRun(t, from)
	dir := t.TempDir()
	writeFile(t, dir, lockName, nil)
	looked, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
	if err == nil {
		_, err = syscall.InotifyAddWatch(looked, filepath.Join(dir, lockName), syscall.IN_CLOSE_NOWRITE)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(looked)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	came := make(chan error)
	go func() { // ends when the follower has looked for the log in vain
		_, err := syscall.Read(looked, make([]byte, 1024))
		name := filepath.Join(dir, logName+sealedSuffix)
		came <- errors.Join(err, os.Rename(filepath.Join(from, logName+sealedSuffix), name+"~"), os.Rename(name+"~", name))
	}()
	n := 0
	for _, err := range Follow(ctx, dir, 0) {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	if err := <-came; err != nil || ctx.Err() != nil || n != 6 {
		t.Errorf("%d events, errors %v, %v", n, err, ctx.Err())
	}
}

func TestEmptyLogCanBeSealed(t *testing.T) {
	dir := t.TempDir()
	openStore(t, dir)
	sealRun(t, dir)
	if st, err := StateAt(dir, 0); err != nil || st.Seq != 0 {
		t.Errorf("state %v, error %v", st, err)
	}
	for ev, err := range Events(dir) {
		t.Errorf("event %v, error %v", ev, err)
	}
}

func TestSealRefusesALogThatIsNotWholeAndLeavesIt(t *testing.T) {
	for name, harm := range map[string]func(log []byte) []byte{
		"torn":    func(log []byte) []byte { return log[:len(log)-10] },
		"damaged": func(log []byte) []byte { log[10] ^= 1; return log },
	} {
		t.Run(name, func(t *testing.T) {
			dir, log, _ := sample(t)
			log = harm(log)
			writeFile(t, dir, logName, log)
			if _, _, err := Seal(dir); !isDamage(err) || !strings.HasPrefix(err.Error(), "seal log: "+filepath.Join(dir, logName)+":") {
				t.Errorf("error %v", err)
			}
			if !bytes.Equal(readFile(t, dir, logName), log) {
				t.Error("the log has changed")
			}
		})
	}
	if _, _, err := Seal(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no log: error %v", err)
	}
}

// What a sealing that was cut short can leave, step by step, reads as before, and the next one ends it.
func TestSealingThatWasCutShortLosesNothing(t *testing.T) {
	dir := tale(t)
	want := tell(t, dir)
	done := copyRun(t, dir)
	sealRun(t, done)
	log, keyframes := readFile(t, done, logName+sealedSuffix), readFile(t, done, keyframesName+sealedSuffix)
	remove := func(dir, name string) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, step := range map[string]func(dir string){
		"in the keyframes": func(dir string) { writeFile(t, dir, keyframesName+sealedSuffix+".tmp", keyframes[:50]) },
		"after the keyframes": func(dir string) {
			writeFile(t, dir, keyframesName+sealedSuffix, keyframes)
		},
		"in the log": func(dir string) {
			writeFile(t, dir, keyframesName+sealedSuffix, keyframes)
			writeFile(t, dir, logName+sealedSuffix+".tmp", log[:len(log)/2])
		},
		"before the rename": func(dir string) { writeFile(t, dir, logName+sealedSuffix+".tmp", log) },
		"after the rename": func(dir string) {
			writeFile(t, dir, keyframesName+sealedSuffix, keyframes)
			writeFile(t, dir, logName+sealedSuffix, log)
		},
		"after the log is gone": func(dir string) {
			writeFile(t, dir, keyframesName+sealedSuffix, keyframes)
			writeFile(t, dir, logName+sealedSuffix, log)
			remove(dir, logName)
		},
		"with a sealed log that is not this one": func(dir string) {
			writeFile(t, dir, logName+sealedSuffix, log[:len(log)/2])
			writeFile(t, dir, keyframesName+sealedSuffix, []byte("nonsense"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyRun(t, dir)
			step(dir)
			if got := tell(t, dir); got.hash != want.hash {
				t.Errorf("hash %s, want %s", got.hash, want.hash)
			}
			sameSeeking(t, dir, want)
			sealRun(t, dir)
			for _, name := range []string{logName, keyframesName} { // of the temporary files none is left that counts
				if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
					t.Errorf("%s is left", name)
				}
			}
			if got := tell(t, dir); got.hash != want.hash {
				t.Errorf("sealed: hash %s, want %s", got.hash, want.hash)
			}
			sameSeeking(t, dir, want)
		})
	}
}

// What a sealing that was cut short has left is older than the log, though that cannot be opened now: here because its name is a circle of links.
func TestLogThatCannotBeOpenedIsNoSealedOne(t *testing.T) {
	dir, _, _ := sample(t)
	path := filepath.Join(dir, logName)
	if err := sealFile(dir, logName, sealedFrame); err != nil {
		t.Fatal(err)
	}
	commitAll(t, openStore(t, dir), Event{Kind: "more"})
	if err := errors.Join(os.Rename(path, path+".away"), os.Symlink(logName, path)); err != nil {
		t.Fatal(err)
	}
	for ev, err := range Events(dir) {
		if !errors.Is(err, syscall.ELOOP) {
			t.Fatalf("event %v, error %v", ev, err)
		}
	}
}

// The system kills the process in the middle of a write, or the disk is full there.
func TestSealingKilledWhileItWritesCanBeDoneAgain(t *testing.T) {
	dir := tale(t)
	want := tell(t, dir)
	done := copyRun(t, dir)
	sealRun(t, done)
	log, keyframes := len(readFile(t, done, logName+sealedSuffix)), len(readFile(t, done, keyframesName+sealedSuffix))
	for _, role := range []string{"killed sealing", "limited sealing"} {
		for _, most := range []int{10, keyframes - 1, log / 2, log - 1} {
			dir := copyRun(t, dir)
			p := start(t, role, dir, strconv.Itoa(most))
			if err := p.Wait(); err == nil || role == "limited sealing" && !strings.Contains(p.stderr.String(), "seal log: ") {
				t.Fatalf("%s at %d: %v %s", role, most, err, p.stderr.String())
			}
			if isSealed(dir) {
				t.Fatalf("%s at %d: sealed all the same", role, most)
			}
			sameOpening(t, dir, want)
			sealRun(t, dir)
			sameSealed(t, dir, want)
		}
	}
}

func TestSealedLogThatIsDamagedIsRefused(t *testing.T) {
	dir := tale(t)
	want := tell(t, dir)
	sealRun(t, dir)
	if err := os.Remove(filepath.Join(dir, keyframesName+sealedSuffix)); err != nil {
		t.Fatal(err)
	}
	whole := readFile(t, dir, logName+sealedSuffix)
	for at := 0; at < len(whole); at += 1 + len(whole)/80 {
		log := bytes.Clone(whole)
		log[at] ^= 0x10
		writeFile(t, dir, logName+sealedSuffix, log)
		refused(t, dir, want, fmt.Sprintf("flipped at %d of %d", at, len(whole)))
	}
	for at := len(whole) - 60; at < len(whole); at += 4 { // the tables
		log := bytes.Clone(whole)
		log[at] ^= 0x10
		writeFile(t, dir, logName+sealedSuffix, log)
		refused(t, dir, want, fmt.Sprintf("flipped at %d of %d", at, len(whole)))
		writeFile(t, dir, logName+sealedSuffix, whole[:at])
		refused(t, dir, want, fmt.Sprintf("cut at %d of %d", at, len(whole)))
	}
}

// refused demands that reading the whole log in dir ends with an error, unless the damage is to a bit that means nothing and all reads the
// same, and that seeking gives nothing wrong.
func refused(t *testing.T, dir string, want telling, how string) {
	t.Helper()
	var last error
	log := ReadLog(dir)
	for _, last = range log.Events() {
	}
	if last == nil && log.Hash() != want.hash {
		t.Errorf("%s: it reads another log", how)
	}
	turn := len(want.states) / 2
	if st, err := StateAt(dir, turn); err == nil && string(JSON(st)) != want.states[turn] {
		t.Errorf("%s: another state", how)
	}
}

func FuzzSeekTable(f *testing.F) {
	f.Add([]byte("some frames"), uint32(1), false)
	f.Add(appendSeekTable([]byte("0123456789"), []frame{{span{0, 4}, span{0, 40}, 0}, {span{4, 10}, span{40, 41}, 7}}), uint32(0), false)
	f.Add(appendSeekTable(nil, nil), uint32(0), false)
	f.Fuzz(func(t *testing.T, file []byte, entries uint32, footer bool) {
		if footer { // get behind the magic number
			file = binary.LittleEndian.AppendUint32(file, entries)
			file = binary.LittleEndian.AppendUint32(append(file, 0), seekTableMagic)
		}
		frames, err := readSeekTable(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		data := int64(0)
		if len(frames) > 0 {
			data = frames[len(frames)-1].sealed.end
		}
		if again := appendSeekTable(file[:data:data], frames); !bytes.Equal(again, file) {
			t.Fatalf("%d frames of %d bytes are another table", len(frames), data)
		}
	})
}
