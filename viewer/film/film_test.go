package film

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// walk is a film in which a square goes from left to right.
func walk(frames int) Film {
	img := image.NewRGBA(image.Rect(0, 0, 320, 180))
	return Film{Frames: frames, Show: 100 * time.Millisecond, Frame: func(i int) (*image.RGBA, error) {
		draw.Draw(img, img.Rect, image.NewUniform(color.RGBA{0x22, 0x28, 0x2f, 255}), image.Point{}, draw.Src)
		draw.Draw(img, image.Rect(i*10, 80, i*10+20, 100), image.NewUniform(color.RGBA{0xe6, 0x9f, 0, 255}), image.Point{}, draw.Src)
		return img, nil
	}}
}

func TestAGIFShowsEachFrame(t *testing.T) {
	var file bytes.Buffer
	f := walk(20)
	if err := f.GIF(&file); err != nil {
		t.Fatal(err)
	}
	got, err := gif.DecodeAll(&file)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Image) != 20 || got.Delay[0] != 10 {
		t.Fatalf("%d frames, delay %d", len(got.Image), got.Delay[0])
	}
	screen := image.NewRGBA(image.Rect(0, 0, 320, 180))
	for i, frame := range got.Image {
		draw.Draw(screen, frame.Rect, frame, frame.Rect.Min, draw.Over)
		want, _ := f.Frame(i)
		for n := range want.Pix {
			if d := int(want.Pix[n]) - int(screen.Pix[n]); d > 8 || d < -8 {
				t.Fatalf("frame %d: byte %d is %d, not %d", i, n, screen.Pix[n], want.Pix[n])
			}
		}
		if i > 0 && frame.Rect.Dy() > 20 {
			t.Errorf("frame %d is %v, though only the square has moved", i, frame.Rect)
		}
	}
}

func TestTheSameFramesAreTheSameBytes(t *testing.T) {
	var a, b bytes.Buffer
	if err := errors.Join(walk(5).GIF(&a), walk(5).GIF(&b)); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error(err)
	}
}

func TestAFilmThatCannotBeMadeSaysWhy(t *testing.T) {
	for _, n := range []int{0, MostFrames + 1} {
		if err := walk(n).GIF(&bytes.Buffer{}); err == nil {
			t.Errorf("%d frames", n)
		}
	}
	torn := errors.New("torn")
	f := walk(3)
	f.Frame = func(int) (*image.RGBA, error) { return nil, torn }
	if err := f.GIF(&bytes.Buffer{}); !errors.Is(err, torn) {
		t.Error(err)
	}
	t.Setenv("PATH", t.TempDir())
	if err := walk(3).MP4(t.Context(), filepath.Join(t.TempDir(), "x.mp4")); !errors.Is(err, ErrNoFFmpeg) {
		t.Error(err)
	}
}

// What ffmpeg gets is seen by a program in its place, so that the test needs none.
func TestFFmpegGetsAllPixels(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\nfor last; do :; done\necho \"$@\" > " + dir + "/args\nexec /bin/cat > \"$last\"\n"
	if err := os.WriteFile(filepath.Join(dir, "ffmpeg"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	out := filepath.Join(dir, "x.mp4")
	if err := walk(7).MP4(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	pixels, _ := os.ReadFile(out)
	args, _ := os.ReadFile(filepath.Join(dir, "args"))
	if len(pixels) != 7*320*180*4 || !strings.Contains(string(args), "-s 320x180 -r 1000/100 -i -") {
		t.Errorf("%d bytes, %s", len(pixels), args)
	}
	if err := os.WriteFile(filepath.Join(dir, "ffmpeg"), []byte("#!/bin/sh\necho no such codec >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var status *exec.ExitError
	if err := walk(7).MP4(t.Context(), out); !errors.As(err, &status) || !strings.Contains(fmt.Sprint(err), "no such codec") {
		t.Error(err)
	}
}

func TestAFilmThatIsInterruptedSaysSo(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ffmpeg"), []byte("#!/bin/sh\nexec /bin/cat > /dev/null\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	ctx, cancel := context.WithCancel(t.Context())
	f := walk(7)
	frame := f.Frame
	f.Frame = func(i int) (*image.RGBA, error) {
		if i == 3 {
			cancel()
		}
		return frame(i)
	}
	if err := f.MP4(ctx, filepath.Join(dir, "x.mp4")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func BenchmarkGIF(b *testing.B) {
	for b.Loop() {
		var file bytes.Buffer
		if err := walk(30).GIF(&file); err != nil {
			b.Fatal(err)
		}
	}
}
