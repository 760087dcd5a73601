package e2e

import (
	"bytes"
	"context"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// saved does something by which the page saves a file, and returns the file's path.
func (p *page) saved(do func()) string {
	p.t.Helper()
	dir := p.t.TempDir()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir})
		return err
	}))
	do()
	for begun := time.Now(); time.Since(begun) < patience; {
		files, err := filepath.Glob(filepath.Join(dir, "*.*"))
		if err != nil {
			p.t.Fatal(err)
		}
		if len(files) == 1 && !strings.HasSuffix(files[0], ".crdownload") {
			return files[0]
		}
		eval[any](p, `new Promise((done) => setTimeout(() => done(null), 20))`)
	}
	p.t.Fatal("nothing was saved")
	return ""
}

func TestAPictureSavedFromThePageHasItsPixelsAndWhatIsSaid(t *testing.T) {
	story := begin(t, 3)
	story.turn("I take ten tons, as all of us should.")
	story.end()
	p := browse(t, view(t, story.dir).url)
	eval[any](p, `(__viewer.seek(3), __viewer.settled().then(() => null))`)
	picture := func() []byte {
		raw, err := os.ReadFile(p.saved(func() { p.key("p") }))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	// The bubbles as they are on the stage, in pixels of the canvas, with room for their edges and what points from them.
	type box struct{ X, Y, W, H float64 }
	bubbles := eval[[]box](p, `(() => {
		const canvas = document.getElementById("canvas"), to = canvas.getBoundingClientRect(), ratio = canvas.width / to.width;
		return [...document.querySelectorAll(".bubble")].map((n) => n.getBoundingClientRect())
			.map((b) => ({X: (b.x - to.x) * ratio, Y: (b.y - to.y) * ratio, W: b.width * ratio, H: b.height * ratio}));
	})()`)
	if len(bubbles) != 1 {
		t.Fatalf("there are %d bubbles", len(bubbles))
	}
	for _, with := range []bool{true, false} {
		img, err := png.Decode(bytes.NewReader(picture()))
		if err != nil {
			t.Fatal(err)
		}
		pixels := eval[struct {
			W, H int
			Pix  []uint32
		}](p, `(() => {
			const canvas = document.getElementById("canvas"), { width, height } = canvas;
			return {W: width, H: height, Pix: [...new Uint32Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer)]};
		})()`)
		if size := img.Bounds().Size(); size.X != pixels.W || size.Y != pixels.H {
			t.Fatalf("the picture is %v, and the canvas %d x %d", size, pixels.W, pixels.H)
		}
		var white, dark, off int
		b := bubbles[0]
		for i, want := range pixels.Pix {
			x, y := float64(i%pixels.W), float64(i/pixels.W)
			r, g, bl, _ := img.At(i%pixels.W, i/pixels.W).RGBA()
			inside := x > b.X+3 && x < b.X+b.W-3 && y > b.Y+3 && y < b.Y+b.H-3
			switch {
			case with && inside && r > 0xf000 && g > 0xf000 && bl > 0xf000:
				white++
			case with && inside && r < 0x6000:
				dark++
			case with && x > b.X-40 && x < b.X+b.W+40 && y > b.Y-60 && y < b.Y+b.H+60:
			case r>>8 != want&255 || g>>8 != want>>8&255 || bl>>8 != want>>16&255:
				off++
			}
		}
		if off > 0 {
			t.Errorf("bubbles %v: %d pixels are others than on the canvas", with, off)
		}
		if area := b.W * b.H; with && (float64(white) < area/3 || float64(dark) < area/100) {
			t.Errorf("in the place of the bubble there are %d white pixels, and %d of letters", white, dark)
		}
		eval[any](p, `(__viewer.cmd("bubbles"), __viewer.settled().then(() => null))`)
	}
}

func TestAFileSavedFromThePageHasItsBookmarksAndNotes(t *testing.T) {
	const note = `why </script><b>"ten"?`
	p := browse(t, view(t, play(t, "fishery.toml")).url+"#t=4")
	show := func() {
		if !eval[bool](p, `document.getElementById("drawerTab-bookmarks").ariaSelected === "true"`) {
			p.click("#drawerTab-bookmarks")
		}
	}
	mark := func(text string) {
		p.key("k")
		show()
		p.click(".bookmarks li:last-child input")
		p.do(chromedp.KeyEvent(text))
		p.key("Escape")
	}
	save := func() string {
		path := p.saved(func() {
			p.key("e")
			p.wait(`document.querySelector("dialog[open]")`)
			eval[any](p, `([...document.querySelectorAll("dialog button")].find((b) => b.textContent === "save as HTML").click(), null)`)
		})
		p.wait(`document.querySelector("dialog").textContent.includes("saved")`)
		p.shoot("share")
		p.key("Escape")
		return path
	}
	notes := func() string {
		show()
		return eval[string](p, `[...document.querySelectorAll(".bookmarks li")].map((li) => li.querySelector("button").textContent + ": " + li.querySelector("input").value).join("; ")`)
	}
	mark(note)
	p.open("file://" + save())
	if got, want := notes(), "turn 4: "+note; got != want {
		t.Errorf("the file has the bookmarks %q, not %q", got, want)
	}
	eval[any](p, `(__viewer.seek(9), __viewer.settled().then(() => null))`)
	mark("the end of it")
	again := save()
	eval[any](p, `(localStorage.clear(), null)`)
	p.open("file://" + again)
	if got, want := notes(), "turn 4: "+note+"; turn 9: the end of it"; got != want {
		t.Errorf("the file that was saved from a file has the bookmarks %q, not %q", got, want)
	}
	p.shoot("saved file")
}
