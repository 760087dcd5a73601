package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/world"
)

func TestWhatHappensInALiveRunIsSeenBeforeMoreHappens(t *testing.T) {
	story := begin(t, 3)
	p := browse(t, view(t, story.dir).url)
	p.wait(`document.getElementById("badge").textContent === "LIVE"`)
	drawn := func() {
		t.Helper()
		last := story.store.State()
		p.wait(fmt.Sprintf(`__viewer.state().drawnTurn === %d && __viewer.state().lastSeq === %d`, last.Turn, last.Seq))
	}
	for i := range 20 { // each of which is seen before the next one is played
		story.turn(fmt.Sprint("this is turn ", i))
		drawn()
	}
	tick := time.NewTicker(time.Second / 30)
	defer tick.Stop()
	for i := range 120 {
		<-tick.C
		story.turn(fmt.Sprint("this is one of many, turn ", i))
	}
	drawn()
	p.shoot("live")
	story.end()
	p.wait(`document.getElementById("badge").textContent === "REPLAY"`)
}

func TestAPageWhoseSocketIsKilledComesBackWithoutLossOrDuplicate(t *testing.T) {
	story := begin(t, 3)
	p := newTab(t)
	p.before(`
		const Socket = WebSocket;
		globalThis.told = [];
		globalThis.WebSocket = class extends Socket {
			constructor(url) {
				super(url);
				globalThis.socket = this;
				let at = 0; // a message tells, or skips, all events from there up to its own
				this.addEventListener("message", (m) => {
					const news = JSON.parse(m.data);
					if (news.seq === undefined) return;
					if (news.hello) return void (at = news.seq);
					if ((news.events?.length ?? 0) + (news.skipped ?? 0) !== news.seq - at) globalThis.told.push(-1);
					while (at < news.seq) globalThis.told.push(++at);
				});
			}
		};`)
	s := view(t, story.dir)
	p.open(s.url)
	p.wait(`document.getElementById("badge").textContent === "LIVE"`)
	first := story.store.State().Seq + 1
	tick := time.NewTicker(time.Second / 60)
	defer tick.Stop()
	for i := range 600 {
		<-tick.C
		story.turn("one more")
		if i%150 == 100 {
			eval[any](p, `(globalThis.socket.close(), null)`)
		}
	}
	last := story.store.State().Seq
	p.wait(fmt.Sprintf(`__viewer.state().lastSeq === %d && document.getElementById("badge").textContent === "LIVE"`, last))
	told := eval[[]int64](p, `globalThis.told`)
	for i, seq := range told {
		if seq != first+int64(i) {
			t.Fatalf("event %d came as number %d: %v", seq, i, told)
		}
	}
	if len(told) != int(last-first+1) {
		t.Errorf("%d events came of %d", len(told), last-first+1)
	}
	s.stop()
	p.wait(`document.getElementById("badge").textContent === "STALE"`)
	p.key("Home")
	p.wait(`__viewer.state().turn === 0`)
	p.shoot("stale")

	story.turn("while nobody showed it")
	if again := view(t, story.dir); again.url != s.url {
		t.Errorf("it is shown at another address than before")
	}
	last = story.store.State().Seq
	p.wait(fmt.Sprintf(`__viewer.state().lastSeq === %d && __viewer.state().socket === "open"`, last))
	if told := eval[[]int64](p, `globalThis.told`); int64(len(told)) != last-first+1 || told[len(told)-1] != last {
		t.Errorf("%d events came of %d, with a server that was gone for a while", len(told), last-first+1)
	}
}

func TestOnlyWhoIsAskedIsThinking(t *testing.T) {
	story := begin(t, 3, "--set", "schedule=sequential")
	p := browse(t, view(t, story.dir).url)
	p.wait(`document.getElementById("badge").textContent === "LIVE"`)
	doing := func(want string) {
		t.Helper()
		p.wait(`[...document.querySelectorAll("#agents .row .state")].map((n) => n.textContent).join(" ") === ` + quote(want))
	}
	doing("thinking waiting waiting waiting waiting")
	story.commit(world.Event{Kind: "action", Agent: "a", Data: []byte(`{"args":{"tons":1},"name":"fish"}`), Proc: []byte(`{"wall_ms":1}`)})
	doing("acting thinking waiting waiting waiting")
	story.commit(world.Event{Kind: "timeout", Agent: "b", Data: []byte(`{"consequence":"pass"}`), Proc: []byte(`{"wall_ms":1}`)})
	p.shoot("asked")
	doing("acting acting thinking waiting waiting")
}

func TestAPersonIsToldTheirMoveAndWhatItTakes(t *testing.T) {
	folder := t.TempDir()
	scenario := filepath.Join(folder, "seat.toml")
	text := "[rules]\nname = \"fishery\"\nturns = 3\n[messages]\nturn = 1\n[[agents]]\nname = \"a\"\nkind = \"scripted\"\n[[agents]]\nname = \"b\"\nkind = \"human\"\n"
	if err := os.WriteFile(scenario, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := command(t, "run", scenario, "--out", filepath.Join(folder, "run"), "--view", "--control")
	says, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	t.Cleanup(reading.Wait)
	t.Cleanup((&server{cmd: cmd}).stop)
	url := ""
	for lines := bufio.NewScanner(says); url == "" && lines.Scan(); {
		if i := strings.Index(lines.Text(), "http://"); i >= 0 {
			url = lines.Text()[i:]
		}
	}
	if url == "" {
		t.Fatal("it is not shown")
	}
	reading.Go(func() { _, _ = io.Copy(io.Discard, says) }) // until the run is stopped
	p := browse(t, url)
	p.click("#drawerTab-control")
	p.wait(`document.querySelector(".seat .move")?.textContent === "your move: b"`)
	p.wait(`[...document.querySelectorAll("#agents .row .state")].map((n) => n.textContent).join(" ").endsWith("your move")`)
	fill := func(selector, value string) {
		t.Helper()
		p.wait(`document.querySelector(` + quote(selector) + `)`)
		eval[any](p, fmt.Sprintf(`(() => { const n = document.querySelector(%s); n.value = %s; n.dispatchEvent(new Event("input")); n.dispatchEvent(new Event("change")); return null; })()`, quote(selector), quote(value)))
	}
	status := func(want string) {
		t.Helper()
		p.wait(`document.querySelector("#drawerTab-control-panel .answer").textContent === ` + quote(want))
	}
	fill(`[aria-label="what to tell"]`, "be careful")
	eval[any](p, `(document.querySelector('[aria-label="what to tell"]').form.requestSubmit(), __viewer.select("b"), null)`)
	p.wait(`document.querySelector("#tab-now-panel section > blockquote")?.textContent === "operator: be careful"`)
	p.wait(`[...document.querySelectorAll("#tab-now-panel dd .argument")].some((n) => n.textContent.startsWith("tons: whole number, 0 to 1000000"))`)
	send := func() { eval[any](p, `(document.querySelector(".seat").requestSubmit(), null)`) }
	fill(`.seat [aria-label=Action]`, "fish")
	p.wait(`document.querySelector(".seat [aria-label=tons]")`)
	send()
	status("tons is missing")
	p.shoot("seat")
	fill(`.seat [aria-label=Action]`, "say")
	p.wait(`document.querySelector(".seat textarea[aria-label=text]") && document.querySelector(".seat select[multiple][aria-label=to]")`)
	send()
	status("text is missing")
	fill(`.seat [aria-label=Action]`, "fish")
	fill(`.seat [aria-label=tons]`, "2.5")
	send()
	p.wait(`document.querySelector("#drawerTab-control-panel").textContent.includes("tons must be: whole number, 0 to 1000000")`)
	if st := p.state(); st.Turns != 0 {
		t.Errorf("turn %d has begun", st.Turns)
	}
	fill(`.seat [aria-label=tons]`, "2")
	send()
	status("done: act")
	p.wait(`__viewer.state().turns === 1 && document.querySelector(".seat [aria-label=tons]").value === ""`)
	p.shoot("seat acted")
}

func TestWhoLooksBackInALiveRunStaysThereUntilTheEndKey(t *testing.T) {
	story := begin(t, 3)
	p := browse(t, view(t, story.dir).url)
	p.wait(`document.getElementById("badge").textContent === "LIVE"`)
	p.key("ArrowLeft")
	p.wait(`document.getElementById("badge").textContent === "REPLAY"`)
	story.turn("you do not see this")
	p.wait(`__viewer.state().turns === 4`)
	if st := p.state(); st.Turn != 2 || st.Live {
		t.Errorf("who looked at turn 2 is at turn %d", st.Turn)
	}
	p.key("End")
	p.wait(`__viewer.state().drawnTurn === 4 && document.getElementById("badge").textContent === "LIVE"`)
	story.turn("what was said last stays until somebody acts")
	p.wait(`__viewer.state().drawnTurn === 5 && document.querySelector(".bubble[data-agent=a]")`)
	p.shoot("live bubble")
}
