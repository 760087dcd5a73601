//go:build ebiten_desktop

// Package display tests the desktop window on a display of its own, from outside, because a program with Ebitengine in it does not begin without one.
package display

import (
	"bufio"
	"fmt"
	"image"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"github.com/vitrine-sim/vitrine/viewer/draw"
	"github.com/vitrine-sim/vitrine/viewer/soft"
)

// screenW and screenH are the size of the display, and of the window when it opens.
const screenW, screenH = 1280, 720

// lastTurn is that of the run which the window shows.
const lastTurn = 30

// turnList is what turn n looks like: everything that a painter can be asked for.
func turnList(n int) *draw.List {
	l := &draw.List{W: 16, H: 9, Ground: 0x22282fff}
	for i := range 7 {
		x, y := float32(2*i+2), float32(3+(n+i)%4)
		name := fmt.Sprint("agent", i)
		l.Shapes = append(l.Shapes,
			draw.Shape{Form: draw.Rect, X: x, Y: y + 0.8, W: 1, H: 0.2, Fill: 0x56b4e9ff},
			draw.Shape{Form: draw.Form(1 + i%6), X: x, Y: y, W: 1.2, H: 1.2, Fill: 0xe69f00ff, Stroke: 0xe8ecefff, Width: 2, Label: "AB", Ink: 0x14181cff, Agent: name})
	}
	l.Shapes = append(l.Shapes,
		draw.Shape{Form: draw.Disc, X: 12, Y: 4, W: 6, H: 6, Fill: 0x009e7380}, draw.Shape{Form: draw.Text, X: 8, Y: 1, W: 4, H: 0.5, Label: fmt.Sprint("turn ", n), Ink: 0xffffffff},
		draw.Shape{Form: draw.Line, X: 8, Y: 8, W: 12, H: 0, Stroke: 0xcc79a7ff, Width: 4}, draw.Shape{Form: draw.Line, X: 8, Y: 7, W: 9, H: -2, Stroke: 0xf0e442ff, Width: 3})
	return l
}

// A display is a program Xvfb and a connection to it.
type display struct {
	name string
	conn *xgb.Conn
	root xproto.Window
}

func newDisplay(t *testing.T) *display {
	t.Helper()
	for _, program := range []string{"Xvfb", "xdotool"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v; install the Debian packages xvfb and xdotool", err)
		}
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", fmt.Sprintf("%dx%dx24", screenW, screenH), "-nolisten", "tcp")
	cmd.ExtraFiles = []*os.File{write}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // if the test is killed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	write.Close()
	number, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatal("Xvfb has ended:", err)
	}
	d := &display{name: ":" + strings.TrimSpace(number)}
	if d.conn, err = xgb.NewConnDisplay(d.name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.conn.Close)
	d.root = xproto.Setup(d.conn).DefaultScreen(d.conn).Root
	return d
}

// picture returns what is on the display.
func (d *display) picture(t *testing.T) *image.RGBA {
	t.Helper()
	got, err := xproto.GetImage(d.conn, xproto.ImageFormatZPixmap, xproto.Drawable(d.root), 0, 0, screenW, screenH, ^uint32(0)).Reply()
	if err != nil {
		t.Fatal(err)
	}
	img := image.NewRGBA(image.Rect(0, 0, screenW, screenH))
	for i := 0; i < len(img.Pix); i += 4 {
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = got.Data[i+2], got.Data[i+1], got.Data[i], 255
	}
	return img
}

// press hits a key until something comes of it, because a window of few frames a second does not see all that are short.
func (d *display) press(t *testing.T, key string) {
	t.Helper()
	for _, what := range []string{"keydown", "keyup"} {
		cmd := exec.CommandContext(t.Context(), "xdotool", what, key)
		cmd.Env = append(os.Environ(), "DISPLAY="+d.name)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("xdotool: %v\n%s", err, out)
		}
	}
}

func TestAWindowShowsTheTurnsThatKeysAskFor(t *testing.T) {
	d := newDisplay(t)
	asked := make(chan int, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/token/api/run":
			fmt.Fprintf(w, `{"name":"lake","turns":%d}`, lastTurn)
		case "/token/api/frame":
			n, err := strconv.Atoi(r.FormValue("turn"))
			if err != nil || n > lastTurn {
				http.Error(w, "no such turn", http.StatusNotFound)
				return
			}
			_, _ = w.Write(turnList(n).Encode(nil))
			asked <- n
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)

	program := filepath.Join(t.TempDir(), "window")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-tags", "ebiten_desktop", "-o", program, "..").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program, server.URL+"/token/")
	cmd.Env = append(os.Environ(), "DISPLAY="+d.name, "LIBGL_ALWAYS_SOFTWARE=1")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })

	at := <-asked
	if at != 0 {
		t.Fatalf("it begins with turn %d", at)
	}
	d.shows(t, at)
	for _, key := range []struct {
		name string
		turn int
	}{{"End", lastTurn}, {"Left", lastTurn - 1}, {"Home", 0}, {"Right", 1}} {
		d.press(t, key.name)
		if at := <-asked; at != key.turn {
			t.Fatalf("key %s: turn %d, not %d", key.name, at, key.turn)
		}
		d.shows(t, key.turn)
	}
	d.press(t, "Escape")
	if err := <-closed; err != nil {
		t.Errorf("it has ended with %v", err)
	}
}

// shows waits until the display shows a turn as the painter without a graphics card paints it. Of all pixels one in a thousand may be off, by more than 16 of 255.
func (d *display) shows(t *testing.T, turn int) {
	t.Helper()
	l := turnList(turn)
	want := image.NewRGBA(image.Rect(0, 0, screenW, screenH))
	var p soft.Painter
	p.Paint(want, l, draw.Fit(l, screenW, screenH), soft.Options{Bubbles: true, Caption: fmt.Sprintf("lake   turn %d of %d", turn, lastTurn)})
	for off := screenW * screenH; off > screenW*screenH/1000; {
		if t.Context().Err() != nil {
			t.Fatalf("turn %d: %d pixels are off", turn, off)
		}
		got := d.picture(t)
		off = 0
		for i := 0; i < len(want.Pix); i += 4 {
			for part := range 3 {
				if diff := int(want.Pix[i+part]) - int(got.Pix[i+part]); diff > 16 || diff < -16 {
					off++
					break
				}
			}
		}
	}
}
