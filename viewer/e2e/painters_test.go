package e2e

import (
	"bytes"
	"context"
	"image"
	"image/draw"
	"image/png"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// world returns what the browser shows of the world, without what the page lays over it.
func (p *page) world() *image.RGBA {
	p.t.Helper()
	eval[any](p, `(() => {
		for (const node of document.getElementById("stage").children) if (node.id !== "canvas" && node.tagName !== "IFRAME") node.style.visibility = "hidden";
		return new Promise((done) => setTimeout(done, 500)).then(() => null); // some frames of the browser
	})()`)
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	whole, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		p.t.Fatal(err)
	}
	box := eval[[]float64](p, `(({ x, y, width, height }) => [x, y, width, height])(document.getElementById("canvas").getBoundingClientRect())`)
	img := image.NewRGBA(image.Rect(0, 0, int(box[2]), int(box[3])))
	draw.Draw(img, img.Rect, whole, image.Pt(int(box[0]), int(box[1])), draw.Src)
	return img
}

// differ returns how many pixels differ, and how many there are.
func differ(t *testing.T, a, b *image.RGBA) (off, all int) {
	t.Helper()
	if len(a.Pix) != len(b.Pix) {
		t.Fatalf("pictures of %d and %d bytes", len(a.Pix), len(b.Pix))
	}
	for i := 0; i < len(a.Pix); i += 4 {
		for part := range 3 {
			if diff := int(a.Pix[i+part]) - int(b.Pix[i+part]); diff > 16 || diff < -16 {
				off++
				break
			}
		}
	}
	return off, len(a.Pix) / 4
}

// Of all pixels one in a thousand may be off, by more than 16 of 255.
func TestBothPaintersPaintTheSame(t *testing.T) {
	s := view(t, play(t, "harvest.toml", "--set", "rules.turns=8"))
	soft := browse(t, s.url+"?painter=soft#t=3&a=b")
	soft.await(`(await (await fetch("api/wasm")).json()).window !== "building"`, building)
	card := browse(t, s.url+"?painter=window#t=3&a=b")
	if name := card.state().Painter; name != "ebiten" {
		t.Fatalf("the painter is %q", name)
	}
	for _, turn := range []string{"3", "8", "0"} {
		for _, p := range []*page{soft, card} {
			eval[any](p, `__viewer.seek(`+turn+`), null`)
			p.settle()
		}
		for begun := time.Now(); ; {
			off, all := differ(t, soft.world(), card.world())
			if off <= all/1000 {
				break
			}
			if time.Since(begun) > patience { // a browser shows what was painted when it comes to it
				t.Errorf("turn %s: %d of %d pixels are off", turn, off, all)
				break
			}
		}
	}
	card.shoot("ebitengine")
}
