//go:build ebiten_desktop

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hajimehoshi/ebiten/v2"
	"github.com/hajimehoshi/ebiten/v2/inpututil"

	"github.com/vitrine-sim/vitrine/viewer/draw"
	"github.com/vitrine-sim/vitrine/viewer/soft"
)

const usage = `usage: window URL

URL is what vitrine view RUN prints. Keys: left and right a turn, with shift ten; home, end; space plays; + and - or the wheel zoom, 0 fits;
dragging moves; a click selects; escape closes.
`

// A window shows a run that a viewer's server has.
type window struct {
	soft.Painter
	*surface
	url  string
	name string

	turn     int // that is wanted
	shown    atomic.Pointer[shot]
	turns    atomic.Int64 // that have ended
	wanted   chan int     // holds the newest turn that is wanted and was not asked for yet
	playing  bool
	advanced time.Time
	camera   draw.Camera
	fitted   bool
	selected string
	dragged  [2]int

	painted scene // what is in the window
}

// A shot is the picture of a turn.
type shot struct {
	turn int
	list *draw.List
	err  error
}

// A scene is all that a picture depends on.
type scene struct {
	*shot
	camera   draw.Camera
	selected string
	turns    int64
	w, h     int
}

func main() {
	if len(os.Args) != 2 || !strings.HasPrefix(os.Args[1], "http") {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	w := &window{surface: newSurface(), url: strings.TrimSuffix(os.Args[1], "/"), wanted: make(chan int, 1)}
	if err := w.ask(); err != nil {
		fmt.Fprintln(os.Stderr, "vitrine:", err)
		os.Exit(1)
	}
	go w.fetch()
	go w.watch()
	w.want(0)
	ebiten.SetWindowSize(1280, 720)
	ebiten.SetWindowTitle("vitrine: " + w.name)
	ebiten.SetWindowResizingMode(ebiten.WindowResizingModeEnabled)
	ebiten.SetScreenClearedEveryFrame(false)
	if err := ebiten.RunGame(w); err != nil {
		fmt.Fprintln(os.Stderr, "vitrine:", err)
		os.Exit(1)
	}
}

// get reads a document of the server.
func (w *window) get(path string) ([]byte, error) {
	res, err := http.Get(w.url + "/api/" + path)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", path, res.Status, b)
	}
	return b, err
}

// ask finds out how far the run is.
func (w *window) ask() error {
	b, err := w.get("run")
	if err != nil {
		return err
	}
	var run struct {
		Name  string
		Turns int64
	}
	if err := json.Unmarshal(b, &run); err != nil {
		return err
	}
	w.name = run.Name
	w.turns.Store(run.Turns)
	return nil
}

// watch asks how far the run is for as long as the window is open.
func (w *window) watch() {
	for range time.Tick(time.Second) {
		_ = w.ask() // what is not there now may be there again in a second
	}
}

// want makes a turn the one that is shown next.
func (w *window) want(turn int) {
	w.turn = max(0, min(turn, int(w.turns.Load())))
	select {
	case <-w.wanted:
	default:
	}
	w.wanted <- w.turn
}

// fetch gets the pictures of the turns that are wanted.
func (w *window) fetch() {
	for turn := range w.wanted {
		b, err := w.get(fmt.Sprint("frame?turn=", turn))
		s := &shot{turn: turn, err: err}
		if err == nil {
			s.list, s.err = draw.Decode(b)
		}
		w.shown.Store(s)
	}
}

// Update implements [ebiten.Game].
func (w *window) Update() error {
	if inpututil.IsKeyJustPressed(ebiten.KeyEscape) {
		return ebiten.Termination
	}
	step := 1
	if ebiten.IsKeyPressed(ebiten.KeyShift) {
		step = 10
	}
	for key, turn := range map[ebiten.Key]int{
		ebiten.KeyArrowLeft: w.turn - step, ebiten.KeyArrowRight: w.turn + step, ebiten.KeyHome: 0, ebiten.KeyEnd: int(w.turns.Load()),
	} {
		if inpututil.IsKeyJustPressed(key) {
			w.want(turn)
		}
	}
	if inpututil.IsKeyJustPressed(ebiten.KeySpace) {
		w.playing = !w.playing
	}
	if w.playing && time.Since(w.advanced) > 250*time.Millisecond && w.turn < int(w.turns.Load()) {
		w.advanced = time.Now()
		w.want(w.turn + 1)
	}
	w.look()
	return nil
}

// look moves the camera as keys and the mouse say.
func (w *window) look() {
	shot := w.shown.Load()
	if shot == nil || shot.list == nil || w.target == nil {
		return
	}
	wide, high := w.Size()
	if !w.fitted || inpututil.IsKeyJustPressed(ebiten.Key0) {
		w.camera, w.fitted = draw.Fit(shot.list, wide, high), true
	}
	x, y := ebiten.CursorPosition()
	_, wheel := ebiten.Wheel()
	factor := 1 + 0.15*max(-3, min(3, wheel))
	if inpututil.IsKeyJustPressed(ebiten.KeyEqual) || inpututil.IsKeyJustPressed(ebiten.KeyKPAdd) {
		factor, x, y = 1.25, wide/2, high/2
	}
	if inpututil.IsKeyJustPressed(ebiten.KeyMinus) || inpututil.IsKeyJustPressed(ebiten.KeyKPSubtract) {
		factor, x, y = 0.8, wide/2, high/2
	}
	if factor != 1 {
		w.camera = w.camera.ZoomAt(float64(x), float64(y), factor, wide, high)
	}
	switch {
	case inpututil.IsMouseButtonJustPressed(ebiten.MouseButtonLeft):
		w.dragged = [2]int{x, y}
		w.selected = w.camera.Pick(shot.list, float64(x), float64(y), wide, high)
	case ebiten.IsMouseButtonPressed(ebiten.MouseButtonLeft):
		w.camera.X -= float64(x-w.dragged[0]) / w.camera.Zoom
		w.camera.Y -= float64(y-w.dragged[1]) / w.camera.Zoom
		w.dragged = [2]int{x, y}
	}
}

// Draw implements [ebiten.Game]. It paints only what has changed.
func (w *window) Draw(target *ebiten.Image) {
	w.target = target
	shot := w.shown.Load()
	if shot == nil {
		return
	}
	now := scene{shot, w.camera, w.selected, w.turns.Load(), target.Bounds().Dx(), target.Bounds().Dy()}
	if w.painted == now {
		return
	}
	w.painted = now
	list, caption := shot.list, fmt.Sprintf("%s   turn %d of %d", w.name, shot.turn, now.turns)
	if shot.err != nil {
		list, caption = &draw.List{Ground: 0x22282fff}, shot.err.Error()
	}
	w.PaintOn(w, list, w.camera, soft.Options{Selected: w.selected, Bubbles: true, Caption: caption})
	w.flush()
}

// Layout implements [ebiten.Game].
func (w *window) Layout(wide, high int) (int, int) { return wide, high }
