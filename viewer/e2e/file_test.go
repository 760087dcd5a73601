package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// exported writes a run as a page that needs no server, and returns its address and size.
func exported(t *testing.T, dir string, flags ...string) (url string, size int64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run.html")
	out, err := command(t, append(append([]string{"export", "--html", path}, flags...), dir)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return "file://" + path, info.Size()
}

func TestAFileShowsWhatTheServerShows(t *testing.T) {
	dir := play(t, "harvest.toml", "--set", "rules.turns=12")
	url, size := exported(t, dir)
	if size > 2_500_000 {
		t.Errorf("it has %d bytes, for a run of %d", size, len(fetchLog(t, dir)))
	}
	s := view(t, dir)
	const moment = "#t=7&a=c&x=10&y=6&z=40"
	served, file := browse(t, s.url+moment), browse(t, url+moment)
	for _, p := range []*page{served, file} {
		p.wait(`document.querySelector("#inspector").innerText.includes("DID")`)
		if at := p.state(); at.Turn != 7 || at.Agent != "c" || at.Painter != "soft" {
			t.Errorf("it shows %+v", at)
		}
	}
	for _, what := range []string{
		`__viewer.frameHash()`, `JSON.stringify(__viewer.camera())`, `__viewer.state().hash`, `document.querySelector("#inspector").innerText`,
		`document.querySelector("#timeline").innerText`,
	} {
		if a, b := eval[string](served, what), eval[string](file, what); a != b || a == "" {
			t.Errorf("%s\nserved: %.300s\nfile:   %.300s", what, a, b)
		}
	}
	for turn := range 13 {
		seek := fmt.Sprintf(`__viewer.seek(%d)`, turn)
		for _, p := range []*page{served, file} {
			eval[any](p, seek+`, null`)
			p.settle()
		}
		if a, b := served.state().Hash, file.state().Hash; a != b {
			t.Errorf("turn %d: state %s served, %s in the file", turn, a, b)
		}
	}
	// Both have the metrics over the turns as a table.
	const table = `fetch(document.querySelector("a[download$='-turns.csv']").href).then((r) => r.text())`
	held := eval[string](file, `decodeURIComponent(document.querySelector("a[download$='-turns.csv']").href.split(",").slice(1).join(","))`)
	if got := eval[string](served, table); got != held || strings.Count(got, "\n") < 12 {
		t.Errorf("the metrics over the turns\nserved: %.300s\nfile:   %.300s", got, held)
	}
	// Overlays with what their colors mean, what an agent sees, and what the turn changed are in it as well.
	overlays := eval[[]string](served, `[...document.querySelectorAll("[aria-label=Overlay] option")].map((o) => o.value).filter(Boolean)`)
	if len(overlays) < 4 {
		t.Errorf("there are the overlays %q", overlays)
	}
	shown := make(map[string]bool)
	for _, show := range append(overlays, "") {
		for _, p := range []*page{served, file} {
			eval[any](p, fmt.Sprintf(`(__viewer.seek(7), __viewer.overlay(%q), null)`, show))
			if show == "" {
				p.key("h")
			}
			p.settle()
		}
		const legend = `document.getElementById("legend").innerText`
		a, b := eval[string](served, `__viewer.frameHash()`), eval[string](file, `__viewer.frameHash()`)
		if a != b || shown[a] && show != "refusals" && show != "failures" && show != "messages" { // of which there may be none
			t.Errorf("%s: picture %s served, %s in the file", show, a, b)
		}
		shown[a] = true
		if a, b := eval[string](served, legend), eval[string](file, legend); a != b || show == "visits" && !strings.Contains(b, "visits: ") {
			t.Errorf("%s: legend %q served, %q in the file", show, a, b)
		}
		if show == "visits" {
			file.shoot("file overlay")
		}
	}
	for _, p := range []*page{served, file} {
		p.key("D", shift...)
		p.wait(`document.querySelector("#drawerTab-diff-panel .changes tr:nth-child(2)")`)
	}
	const diff = `document.querySelector("#drawerTab-diff-panel").innerText`
	if a, b := eval[string](served, diff), eval[string](file, diff); a != b || !strings.Contains(a, "turn 7") {
		t.Errorf("the turn changed\nserved: %.300s\nfile:   %.300s", a, b)
	}
	if n := eval[int](file, `performance.getEntriesByType("resource").filter((e) => !e.name.startsWith("data:") && !e.name.startsWith("blob:")).length`); n > 0 {
		t.Errorf("the file has asked for %d things outside of it", n)
	}
	file.shoot("file")
}

func TestAFileToShareCanLeaveConversationsOut(t *testing.T) {
	dir := play(t, "fishery.toml")
	manifest := filepath.Join(dir, "manifest.json")
	raw, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	raw = bytes.Replace(raw, []byte(`"kind": "scripted"`), []byte(`"kind": "claude"`), 1) // who alone has conversations
	if err := os.WriteFile(manifest, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	const secret = "I mean to take it all"
	transcript := fmt.Sprintf(`{"type":"assistant","timestamp":"2030-01-01T00:00:00Z","message":{"role":"assistant","content":[{"type":"text","text":%q}]}}`+"\n", secret)
	if err := os.MkdirAll(filepath.Join(dir, "agents", "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "agents", "a", "transcript.jsonl"), []byte(transcript), 0o600); err != nil {
		t.Fatal(err)
	}
	for flag, want := range map[string]bool{"--redact=false": true, "--redact": false} {
		url, _ := exported(t, dir, flag)
		p := browse(t, url+"#t=12&a=a")
		if noted := eval[bool](p, `vitrineSource.run.redacted !== undefined`); noted == want {
			t.Errorf("%s: it says that conversations are left out: %v", flag, noted)
		}
		held := eval[string](p, `vitrineSource.get("transcript", { name: "a" }).then((t) => JSON.stringify(t) + JSON.stringify(vitrineSource.answers))`)
		if strings.Contains(held, secret) != want {
			t.Errorf("%s: the conversation is in it: %v", flag, !want)
		}
	}
}

func fetchLog(t *testing.T, dir string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
