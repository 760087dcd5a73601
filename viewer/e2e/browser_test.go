// Package e2e drives the viewer as people do: a real server, a real browser, keys, clicks, and what then is on the page.
//
// Its tests need Chromium and fail where there is none. They leave screenshots in the folder that VITRINE_SCREENSHOTS names, or else among the
// artifacts of the test.
package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/vitrine-sim/vitrine/world"
)

// How long a test waits for what has to come; and for the first page, for which the painter may have to be built.
const (
	patience = time.Minute
	building = 5 * time.Minute
)

// vitrine is the program under test, built once.
var vitrine = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "vitrine-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "vitrine")
	out, err := exec.Command("go", "build", "-o", path, "../../cmd/vitrine").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build vitrine: %w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := vitrine(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// play plays a scenario with scripted agents, in a new folder that it returns.
func play(t *testing.T, scenario string, flags ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	args := append([]string{"run", "--agents", "scripted", "--out", dir}, flags...)
	out, err := command(t, append(args, filepath.Join("..", "..", "scenarios", scenario))...).CombinedOutput()
	if err != nil {
		t.Fatalf("vitrine %v: %v\n%s", args, err, out)
	}
	return dir
}

func command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	path, err := vitrine()
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(path, args...)
}

// A server is "vitrine view" of a run.
type server struct {
	url string
	cmd *exec.Cmd
}

// view serves a run until the test ends.
func view(t *testing.T, dir string, flags ...string) *server {
	t.Helper()
	cmd := command(t, append(append([]string{"view", "--json"}, flags...), dir)...)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{cmd: cmd}
	t.Cleanup(s.stop)
	var says struct {
		URL string `json:"url"`
	}
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&says); err != nil {
		t.Fatalf("what view prints: %v", err)
	}
	s.url = says.URL
	return s
}

func (s *server) stop() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Signal(syscall.SIGINT) // it may be gone
		_ = s.cmd.Wait()
	}
}

// get asks the server for JSON.
func get[T any](t *testing.T, s *server, path string) (v T) {
	t.Helper()
	if err := json.Unmarshal(fetch(t, s, path), &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

func fetch(t *testing.T, s *server, path string) []byte {
	t.Helper()
	answer, err := http.Get(s.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s (%v)", path, answer.Status, body, err)
	}
	return body
}

// logOf returns the events of a run.
func logOf(t *testing.T, dir string) (events []world.Event) {
	t.Helper()
	for ev, err := range world.Events(dir) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, ev)
	}
	return events
}

// A page is a tab of a browser.
type page struct {
	t   testing.TB
	ctx context.Context
}

// browse opens an address in a new browser, and waits until the viewer shows what it wants to show.
func browse(t testing.TB, url string, flags ...chromedp.ExecAllocatorOption) *page {
	t.Helper()
	p := newTab(t, flags...)
	p.open(url)
	return p
}

func newTab(t testing.TB, flags ...chromedp.ExecAllocatorOption) *page {
	t.Helper()
	path, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	options := append([]chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Headless, chromedp.NoFirstRun, chromedp.UserDataDir(t.TempDir()),
		chromedp.WindowSize(1280, 720), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", false),
		chromedp.WSURLReadTimeout(patience),
	}, flags...)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	p := &page{t, ctx}
	p.do(chromedp.EmulateViewport(1280, 720))
	return p
}

// chromium returns the path of the browser.
func chromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no Chromium, which these tests drive: apt-get install -y chromium, or make deps")
}

func (p *page) open(url string) {
	p.t.Helper()
	p.do(chromedp.Navigate(url))
	p.settle()
}

// before makes a script run in each page before its own.
func (p *page) before(script string) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	}))
}

// settle waits until the page shows what it wants to show.
func (p *page) settle() {
	p.t.Helper()
	p.await(`globalThis.__viewer && __viewer.ready`, building)
	eval[any](p, `__viewer.settled().then(() => null)`)
}

func (p *page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(first(p.ctx, ctx), actions...); err != nil {
		p.t.Fatal(err)
	}
}

// first returns the context for what is done in a tab: the first of all lives as long as its browser, all others have a time.
func first(tab, bounded context.Context) context.Context {
	if chromedp.FromContext(tab).Target == nil {
		return tab
	}
	return bounded
}

// eval returns the value of an expression on the page, or of what it promises.
func eval[T any](p *page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// wait waits until an expression is true on the page.
func (p *page) wait(expression string) {
	p.t.Helper()
	p.await(expression, patience)
}

func (p *page) await(expression string, longest time.Duration) {
	p.t.Helper()
	for begun := time.Now(); ; {
		ok := eval[bool](p, `(async () => {
			for (const end = performance.now() + 2000; performance.now() < end; await new Promise((done) => setTimeout(done, 20)))
				if (`+expression+`) return true;
			return false;
		})()`)
		if ok {
			return
		}
		if time.Since(begun) > longest {
			p.shoot("waited")
			p.t.Fatalf("it never came: %s", expression)
		}
	}
}

// key presses a key with modifiers, by the names that they have in a browser.
func (p *page) key(name string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	var bits int64
	for _, m := range modifiers {
		bits |= int64(m)
	}
	down := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: name, Modifiers: bits}
	if len(name) == 1 && bits&^int64(chromedp.ModifierShift) == 0 {
		down.Text = name
	}
	if name == "Escape" {
		down.WindowsVirtualKeyCode = 27 // by this it closes a dialog
	}
	up := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyUp, Key: name, Modifiers: bits}
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.DispatchKeyEvent, down)
		if err == nil {
			_, err = cdp.Call(ctx, t, input.DispatchKeyEvent, up)
		}
		return err
	}))
}

// click clicks the middle of the first thing that a selector means.
func (p *page) click(selector string) {
	p.t.Helper()
	p.wait(`document.querySelector(` + quote(selector) + `)`)
	at := eval[[2]float64](p, `(() => {
		const node = document.querySelector(`+quote(selector)+`);
		node.scrollIntoView({block: "nearest"});
		const box = node.getBoundingClientRect();
		return [box.x + box.width / 2, box.y + box.height / 2];
	})()`)
	p.do(chromedp.MouseClickXY(at[0], at[1]))
}

func quote(s string) string { return string(world.JSON(s)) }

// media makes the system want something of pages: a feature and its value.
func (p *page) media(feature, value string) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		features := []*emulation.MediaFeature{{Name: feature, Value: value}}
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
		return err
	}))
}

// shoot leaves a screenshot where a person can look at it.
func (p *page) shoot(name string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	dir := os.Getenv("VITRINE_SCREENSHOTS")
	if dir == "" {
		dir = p.t.ArtifactDir()
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".png"), picture, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// A state is what the page knows of itself.
type state struct {
	Turn      int     `json:"turn"`
	Seq       *int64  `json:"seq"`
	Event     *int64  `json:"event"`
	Turns     int     `json:"turns"`
	LastSeq   int64   `json:"lastSeq"`
	Agent     string  `json:"agent"`
	Playing   bool    `json:"playing"`
	Speed     float64 `json:"speed"`
	Unit      string  `json:"unit"`
	Sees      bool    `json:"sees"`
	Overlay   string  `json:"overlay"`
	Bubbles   bool    `json:"bubbles"`
	Minimap   bool    `json:"minimap"`
	Follow    bool    `json:"followAgent"`
	Live      bool    `json:"followLive"`
	Drawer    bool    `json:"drawer"`
	DrawerTab string  `json:"drawerTab"`
	Query     string  `json:"query"`
	Hash      string  `json:"hash"`
	Painter   string  `json:"painter"`
	DrawnTurn int     `json:"drawnTurn"`
	Socket    string  `json:"socket"`
}

func (p *page) state() state {
	p.t.Helper()
	return eval[state](p, `__viewer.state()`)
}
