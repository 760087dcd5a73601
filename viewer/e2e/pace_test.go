package e2e

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// retime makes the turns of a run have taken as long as lasted says.
func retime(t *testing.T, dir string, lasted func(turn int) time.Duration) {
	t.Helper()
	path := filepath.Join(dir, "events.jsonl")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`"time":"[^"]*","crc":"[0-9a-f]*"}$`)
	at, turn := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), 0
	var log bytes.Buffer
	for i, ev := range logOf(t, dir) {
		if i == 0 || ev.Turn > turn {
			at, turn = at.Add(lasted(ev.Turn)), ev.Turn
		}
		line := strings.Split(string(raw), "\n")[i]
		line = line[:form.FindStringIndex(line)[0]] + fmt.Sprintf(`"time":%q`, at.Format(time.RFC3339Nano))
		sum := crc32.Checksum([]byte(line), crc32.MakeTable(crc32.Castagnoli))
		fmt.Fprintf(&log, "%s,\"crc\":%q}\n", line, hex.EncodeToString([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}))
	}
	if err := os.WriteFile(path, log.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// hurried is a clock that goes on by 50 ms with each picture, however soon that comes.
const hurried = `{
	let now = 0, waiting = [];
	const frame = () => {
		const due = waiting;
		waiting = [];
		now += 50;
		for (const f of due) f(now);
	};
	performance.now = () => now;
	globalThis.requestAnimationFrame = (f) => {
		if (waiting.length === 0) setTimeout(frame);
		return waiting.push(f);
	};
}`

func TestItPlaysForAsLongAsItSaysBefore(t *testing.T) {
	story := begin(t, 3)
	for turn := range 9 {
		story.turn([]string{"", "one says this", "another says that"}[turn%3])
	}
	story.end()
	retime(t, story.dir, func(turn int) time.Duration {
		return []time.Duration{100 * time.Millisecond, 3 * time.Second, 90 * time.Second}[turn%3]
	})
	p := newTab(t)
	p.before(hurried)
	p.media("prefers-color-scheme", "dark")
	p.open(view(t, story.dir).url)
	said := regexp.MustCompile(`plays in (.*?)( ms| s)(, without (.*) of waits)?$`)
	for _, pace := range []struct {
		mode  string
		speed int
		waits string
	}{{"per turn", 1, ""}, {"real time", 1, "5 min 40 s"}, {"reading", 1, ""}, {"real time", 8, "5 min 40 s"}, {"reading", 4, ""}} {
		eval[any](p, fmt.Sprintf(`(() => {
			__viewer.seek(0);
			const mode = document.querySelector("[aria-label=Pace]");
			mode.value = %q;
			mode.dispatchEvent(new Event("change"));
			__viewer.speed(%d);
			return __viewer.settled().then(() => null);
		})()`, pace.mode, pace.speed))
		text := eval[string](p, `document.querySelector(".length").textContent`)
		parts := said.FindStringSubmatch(text)
		if parts == nil {
			t.Fatalf("%s: the page says %q", pace.mode, text)
		}
		want, err := strconv.ParseFloat(parts[1], 64)
		if err != nil || parts[4] != pace.waits {
			t.Errorf("%s: the page says %q (%v)", pace.mode, text, err)
		}
		if parts[2] == " s" {
			want *= 1000
		}
		got := eval[float64](p, `(async () => {
			const begun = performance.now();
			__viewer.play(true);
			while (__viewer.state().playing) await new Promise((done) => setTimeout(done, 1));
			return performance.now() - begun;
		})()`)
		if st := p.state(); st.Turn != st.Turns {
			t.Errorf("%s: it stops in turn %d of %d", pace.mode, st.Turn, st.Turns)
		}
		t.Logf("%s at %dx: said %g ms, took %g", pace.mode, pace.speed, want, got)
		if got < 0.9*want || got > 1.1*want {
			t.Errorf("%s at %dx: it says %q and takes %g ms", pace.mode, pace.speed, text, got)
		}
	}
	// Of a wait one sees on the timeline that it is cut.
	tip := eval[string](p, `(async () => {
		const track = document.querySelector(".track"), box = track.getBoundingClientRect();
		track.dispatchEvent(new PointerEvent("pointermove", {clientX: box.x + 5.5 * box.width / __viewer.state().turns, clientY: box.y + 5}));
		await new Promise((done) => setTimeout(done));
		return track.querySelector("[role=tooltip]").textContent;
	})()`)
	if !strings.Contains(tip, "1 min 30 s · a wait, of which 1 min 25 s are not played") {
		t.Errorf("of a wait the timeline says %q", tip)
	}
	marked := func(mode string) []bool {
		return eval[[]bool](p, `(() => {
			const mode = document.querySelector("[aria-label=Pace]"), canvas = document.querySelector(".ticks"), turns = __viewer.state().turns;
			mode.value = "`+mode+`";
			mode.dispatchEvent(new Event("change"));
			return new Promise((done) => setTimeout(done)).then(() => Array.from({length: turns}, (_, t) => {
				const lane = canvas.height / 4, column = canvas.getContext("2d").getImageData(Math.round(t * canvas.width / turns), lane, 8, lane).data;
				let bright = 0;
				for (let i = 0; i < column.length; i += 4) bright += column[i] > 200 && column[i + 1] > 200 && column[i + 2] > 200 && column[i + 3] > 200;
				return bright > lane / 2;
			}));
		})()`)
	}
	for turn, is := range marked("real time") {
		if is != (turn%3 == 2) {
			t.Errorf("turn %d is marked as a cut: %v", turn, is)
		}
	}
	p.shoot("cut")
	for turn, is := range marked("per turn") {
		if is {
			t.Errorf("turn %d is marked as a cut, where each takes a second", turn)
		}
	}
}
