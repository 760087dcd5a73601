// Package film makes files of pictures: an animated GIF in Go alone, and where the program ffmpeg is, an MP4.
//
// A GIF has 256 colors. They are the most frequent ones of a few frames, to eight steps of each part, and each other color becomes the nearest of them; one of
// the 256 says that a pixel is as it was. So a frame is the box in which something has changed, and in it most often that one color, which
// makes it small. The same frames are always the same bytes.
package film

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// A Film is frames that can be made in any order, any number of times. All are of one size.
type Film struct {
	Frames int
	Frame  func(i int) (*image.RGBA, error) // the image may be used again for the next one
	Show   time.Duration                    // how long each frame is shown
}

// MostFrames are those of a GIF, all of whose frames are in memory until it is written.
const MostFrames = 2000

// GIF writes a film that begins again when it is over.
func (f Film) GIF(w io.Writer) error {
	if f.Frames < 1 || f.Frames > MostFrames {
		return fmt.Errorf("make a GIF: it can have 1 to %d frames, not %d", MostFrames, f.Frames)
	}
	p, err := f.palette()
	if err != nil {
		return err
	}
	out := &gif.GIF{}
	var before *image.RGBA
	for i := range f.Frames {
		now, err := f.Frame(i)
		if err != nil {
			return err
		}
		box := now.Rect
		if before != nil {
			box = changed(before, now)
		} else {
			before = image.NewRGBA(now.Rect)
		}
		out.Image = append(out.Image, p.paint(before, now, box, i == 0))
		out.Delay = append(out.Delay, max(2, int(f.Show/(10*time.Millisecond)))) // browsers slow down what is faster
		out.Disposal = append(out.Disposal, gif.DisposalNone)
		copy(before.Pix, now.Pix)
	}
	out.Config = image.Config{ColorModel: p.colors, Width: before.Rect.Dx(), Height: before.Rect.Dy()}
	return gif.EncodeAll(w, out)
}

// changed returns the box in which two images of one size differ; one pixel, if they do not.
func changed(a, b *image.RGBA) image.Rectangle {
	box := image.Rectangle{}
	w, h := b.Rect.Dx(), b.Rect.Dy()
	for y := range h {
		rowA, rowB := a.Pix[y*a.Stride:y*a.Stride+4*w], b.Pix[y*b.Stride:y*b.Stride+4*w]
		if string(rowA) == string(rowB) {
			continue
		}
		left, right := 0, w-1
		for string(rowA[4*left:4*left+4]) == string(rowB[4*left:4*left+4]) {
			left++
		}
		for string(rowA[4*right:4*right+4]) == string(rowB[4*right:4*right+4]) {
			right--
		}
		box = box.Union(image.Rect(left, y, right+1, y+1))
	}
	if box.Empty() {
		return image.Rect(0, 0, 1, 1)
	}
	return box
}

// A palette is the colors of a GIF. The first one says that a pixel is as it was.
type palette struct {
	colors color.Palette
	near   map[uint32]uint8 // by the three parts of a color
}

// samples are the frames whose colors count.
const samples = 8

func (f Film) palette() (*palette, error) {
	counts := make(map[uint32]int)
	for s := range min(samples, f.Frames) {
		img, err := f.Frame(s * (f.Frames - 1) / max(1, min(samples, f.Frames)-1))
		if err != nil {
			return nil, err
		}
		for i := 0; i < len(img.Pix); i += 4 {
			counts[rough(img.Pix[i:])]++
		}
	}
	found := slices.SortedFunc(maps.Keys(counts), func(a, b uint32) int { return cmp.Or(-cmp.Compare(counts[a], counts[b]), cmp.Compare(a, b)) })
	p := &palette{colors: color.Palette{color.RGBA{}}, near: make(map[uint32]uint8)}
	for _, c := range found[:min(255, len(found))] {
		p.colors = append(p.colors, color.RGBA{uint8(c >> 16), uint8(c >> 8), uint8(c), 255})
	}
	return p, nil
}

// rough returns a pixel's color, in steps of eight.
func rough(pixel []uint8) uint32 {
	step := func(v uint8) uint32 { return min(255, (uint32(v)+4)&^7) }
	return step(pixel[0])<<16 | step(pixel[1])<<8 | step(pixel[2])
}

// paint returns the box of a frame, in colors of the palette.
func (p *palette) paint(before, now *image.RGBA, box image.Rectangle, all bool) *image.Paletted {
	img := image.NewPaletted(box, p.colors)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			i := now.PixOffset(x, y)
			if all || string(now.Pix[i:i+4]) != string(before.Pix[i:i+4]) {
				img.Pix[img.PixOffset(x, y)] = p.nearest(rough(now.Pix[i:]))
			}
		}
	}
	return img
}

func (p *palette) nearest(c uint32) uint8 {
	if n, ok := p.near[c]; ok {
		return n
	}
	n := uint8(1 + p.colors[1:].Index(color.RGBA{uint8(c >> 16), uint8(c >> 8), uint8(c), 255}))
	p.near[c] = n
	return n
}

// ErrNoFFmpeg says that there is no program ffmpeg.
var ErrNoFFmpeg = errors.New("an MP4 needs the program ffmpeg, and there is none on the PATH")

// MP4 writes a film to a file with the program ffmpeg. Its error is [ErrNoFFmpeg] if there is none. Width and height must be even.
func (f Film) MP4(ctx context.Context, path string) error {
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		return ErrNoFFmpeg
	}
	first, err := f.Frame(0)
	if err != nil {
		return err
	}
	making, cancel := context.WithCancel(ctx)
	defer cancel() // of a film that breaks off
	cmd := exec.CommandContext(making, program, "-loglevel", "error", "-y",
		"-f", "rawvideo", "-pix_fmt", "rgba", "-s", fmt.Sprintf("%dx%d", first.Rect.Dx(), first.Rect.Dy()),
		"-r", fmt.Sprintf("1000/%d", f.Show.Milliseconds()), "-i", "-",
		"-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p", "-f", "mp4", path)
	var said strings.Builder
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = f.send(in)
	if err != nil {
		cancel()
	}
	ended := errors.Join(in.Close(), cmd.Wait())
	if err = cmp.Or(err, ctx.Err()); ended != nil && err == nil {
		err = fmt.Errorf("ffmpeg: %w\n%s", ended, strings.TrimSpace(said.String()))
	}
	return err
}

// send writes the pixels of all frames, until nobody reads them any more.
func (f Film) send(w io.Writer) error {
	for i := range f.Frames {
		img, err := f.Frame(i)
		if err != nil {
			return err
		}
		if _, err := w.Write(img.Pix); err != nil {
			return nil // ffmpeg has ended, and says why
		}
	}
	return nil
}
