package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/viewer/draw"
	"github.com/vitrine-sim/vitrine/viewer/film"
	"github.com/vitrine-sim/vitrine/viewer/soft"
	"github.com/vitrine-sim/vitrine/viewer/web"
	"github.com/vitrine-sim/vitrine/world"
)

// An exported is what "export --json" prints.
type exported struct {
	Files []exportedFile `json:"files"`
}

type exportedFile struct {
	File   string `json:"file"`
	Turns  []int  `json:"turns"` // the first and the last that is in it
	Frames int    `json:"frames"`
	Bytes  int64  `json:"bytes"`
}

// An exporting is what pictures are made of.
type exporting struct {
	shown    window
	about    web.About
	w, h     int
	from, to int
	every    int // of so many turns one is a frame
	show     time.Duration
	agent    string // that is marked, and whose view is shown with sees
	sees     bool
	redact   bool
	painter  soft.Painter
	img      *image.RGBA
	camera   draw.Camera
}

func exportFlags(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	pictures := map[string]*string{
		"png":  flags.String("png", "", "write the picture of turn --from to a `FILE`"),
		"gif":  flags.String("gif", "", "write a film of the turns to a `FILE`"),
		"html": flags.String("html", "", "write the viewer with the run in it to a `FILE` that needs no server"),
		"mp4":  flags.String("mp4", "", "write a film of the turns to a `FILE`, with the program ffmpeg"),
	}
	redact := flags.Bool("redact", false, "leave out of the HTML the conversations of agents with their models (what they were asked, said and thought, and what their tools answered), the text of messages to some and not to all, and what processes printed; what agents saw and did stays, and what was said to all")
	from := flags.Int("from", -1, "the first turn, from 0 (default 0; of a PNG the end)")
	to := flags.Int("to", -1, "the last `turn`; the number of turns is the end (default the end)")
	every := flags.Int("every", 1, "a frame is of each `N`th turn")
	size := flags.String("size", "1280x720", "pixels, `WIDTHxHEIGHT`")
	show := flags.Duration("show", 250*time.Millisecond, "how long each turn is shown")
	agent := flags.String("agent", "", "mark an agent of that `NAME`")
	sees := flags.Bool("sees", false, "dim what that agent does not see")
	return func(ctx context.Context, a *app, args []string) (any, error) {
		for _, kind := range exportKinds() {
			if path := *pictures[kind]; path != "" && !strings.EqualFold(filepath.Ext(path), "."+kind) {
				return nil, misuse("name it "+strings.TrimSuffix(path, filepath.Ext(path))+"."+kind, "--%s: %s is no name of such a file", kind, path)
			}
		}
		e := &exporting{from: *from, to: *to, every: *every, show: *show, agent: *agent, sees: *sees, redact: *redact}
		defer e.shown.close()
		if err := e.open(ctx, a, args[0], *size); err != nil {
			return nil, err
		}
		if *pictures["png"] == "" && *pictures["gif"] == "" && *pictures["mp4"] == "" && *pictures["html"] == "" {
			return nil, misuse("write --html FILE, --png FILE, --gif FILE or --mp4 FILE", "export: nothing is to be written")
		}
		var all exported
		for _, kind := range exportKinds() {
			if path := *pictures[kind]; path != "" {
				file, err := e.write(ctx, kind, path)
				if err != nil {
					return nil, err
				}
				all.Files = append(all.Files, file)
				fmt.Fprintf(a.out, "%s: frames: %d, turns %d to %d, %d kB\n", path, file.Frames, file.Turns[0], file.Turns[1], file.Bytes/1000)
			}
		}
		return all, nil
	}
}

// exportKinds are those of files that are written, in the order in which they are.
func exportKinds() []string { return []string{"png", "gif", "mp4", "html"} }

// open finds the run, and out what of it is meant.
func (e *exporting) open(ctx context.Context, a *app, dir, size string) error {
	run, err := e.shown.find(ctx, a, dir)
	if err != nil {
		return err
	}
	if e.shown.server, err = web.New(run, nil); err != nil {
		return err
	}
	e.about = run.About
	if n, err := fmt.Sscanf(size, "%dx%d", &e.w, &e.h); n != 2 || err != nil || e.w < 16 || e.h < 16 || e.w > 4096 || e.h > 4096 || e.w%2+e.h%2 > 0 {
		return misuse("write it like 1280x720; even numbers up to 4096", "--size: %q is no size", size)
	}
	now, err := world.Now(dir)
	if err != nil {
		return err
	}
	if e.to < 0 {
		e.to = now.Turn
	}
	switch {
	case e.from > now.Turn || e.to > now.Turn || max(0, e.from) > e.to:
		return misuse(fmt.Sprintf("the run has turns 0 to %d, of which the last is the end", now.Turn), "there are no turns %d to %d", max(0, e.from), e.to)
	case e.every < 1:
		return misuse("write 1 or more", "--every: %d is no number of turns", e.every)
	case e.show < 20*time.Millisecond || e.show > time.Minute:
		return misuse("write 20ms to 1m", "--show: a turn cannot be shown for %s", e.show)
	case e.sees && e.agent == "":
		return misuse("write --agent NAME as well", "--sees: nobody's view is meant")
	case e.agent != "" && !slices.ContainsFunc(e.about.Agents, func(a web.Agent) bool { return a.Name == e.agent }):
		return misuse("vitrine show lists them", "--agent: there is no agent %q", e.agent)
	}
	e.img = image.NewRGBA(image.Rect(0, 0, e.w, e.h))
	return nil
}

// write makes a file whole or not at all.
func (e *exporting) write(ctx context.Context, kind, path string) (exportedFile, error) {
	from := max(0, e.from)
	if kind == "png" && e.from < 0 {
		from = e.to
	}
	if kind == "html" {
		return e.page(ctx, path)
	}
	frames := 1
	if kind != "png" {
		frames = (e.to-from+e.every-1)/e.every + 1 // the last turn is always one
	}
	turn := func(i int) int { return min(from+i*e.every, e.to) }
	first, err := e.list(turn(0))
	if err != nil {
		return exportedFile{}, err
	}
	e.camera = draw.Fit(first, e.w, e.h)
	f := film.Film{Frames: frames, Show: e.show, Frame: func(i int) (*image.RGBA, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return e.picture(turn(i))
	}}
	err = arena.WriteWhole(path, func(file *os.File) error {
		switch kind {
		case "mp4":
			return f.MP4(ctx, file.Name())
		case "gif":
			return f.GIF(file)
		}
		img, err := f.Frame(0)
		if err != nil {
			return err
		}
		return (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(file, img)
	})
	if errors.Is(err, film.ErrNoFFmpeg) {
		err = &failure{code: exitFailed, err: err, hint: "install ffmpeg, or write --gif, which needs nothing"}
	}
	if err != nil {
		return exportedFile{}, err
	}
	return described(path, from, turn(frames-1), frames)
}

// described says what was written.
func described(path string, from, to, frames int) (exportedFile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return exportedFile{}, err
	}
	return exportedFile{File: path, Turns: []int{from, to}, Frames: frames, Bytes: info.Size()}, nil
}

// page writes the viewer as a file.
func (e *exporting) page(ctx context.Context, path string) (exportedFile, error) {
	from := max(0, e.from)
	err := arena.WriteWhole(path, func(file *os.File) error {
		return e.shown.server.File(ctx, file, web.FileOptions{From: from, To: e.to, Redact: e.redact})
	})
	if tooLarge := (*web.TooLargeError)(nil); errors.As(err, &tooLarge) {
		err = &failure{code: exitUsage, err: err, hint: "write --from and --to"}
	}
	if err != nil {
		return exportedFile{}, err
	}
	return described(path, from, e.to, e.to-from+1)
}

// list returns the picture of a turn as a list.
func (e *exporting) list(turn int) (*draw.List, error) {
	sees := ""
	if e.sees {
		sees = e.agent
	}
	return e.shown.server.Picture(turn, sees)
}

// picture returns that of a turn. The next call paints over it.
func (e *exporting) picture(turn int) (*image.RGBA, error) {
	l, err := e.list(turn)
	if err != nil {
		return nil, err
	}
	caption := fmt.Sprintf("%s   turn %d of %d", e.about.Scenario, turn, e.to)
	if e.about.Offline {
		caption += "   offline model"
	}
	e.painter.Paint(e.img, l, e.camera, soft.Options{Selected: e.agent, Bubbles: true, Caption: caption})
	return e.img, nil
}
