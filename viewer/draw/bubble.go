package draw

import (
	"strings"
	"unicode/utf8"
)

// MaxBubbles are shown at once, so that one can still read them.
const MaxBubbles = 12

// The measures of a bubble, in pixels, at a size of type of 1.
const (
	lineHeight  = 16
	letterWidth = 7
	lineLetters = 28
	bubbleLines = 4
	bubblePad   = 6
)

// A Bubble is where a say goes in a picture, in pixels.
type Bubble struct {
	Say
	X, Y, W, H float64  // its box, from its upper left corner
	TipX, TipY float64  // where it points to
	Lines      []string // the text, broken and cut to fit
}

// Bubbles lays out what is said in a picture of w by h pixels, with letters size times as large as usual. No two overlap, none
// leaves the picture, and where there is no room for one it is left out; the first ones get their places first.
func (c Camera) Bubbles(l *List, w, h int, size float64) []Bubble {
	var placed []Bubble
	for _, say := range l.Says {
		if len(placed) == MaxBubbles {
			break
		}
		x, y, r, ok := l.Place(say.Agent)
		if !ok {
			continue
		}
		px, py := c.Screen(x, y, w, h)
		if px < 0 || py < 0 || px > float64(w) || py > float64(h) {
			continue
		}
		b := Bubble{Say: say, TipX: px, TipY: py, Lines: breakLines(say.Text)}
		letters := 0
		for _, line := range b.Lines {
			letters = max(letters, utf8.RuneCountInString(line))
		}
		b.W = size * (float64(letters*letterWidth) + 2*bubblePad)
		b.H = size * (float64(len(b.Lines)*lineHeight) + 2*bubblePad)
		gap := r*c.Zoom + 8*size
		for _, at := range [][2]float64{
			{px - b.W/2, py - gap - b.H},
			{px - b.W/2, py + gap},
			{px + gap, py - b.H/2},
			{px - gap - b.W, py - b.H/2},
			{px + gap/2, py - gap - b.H},
			{px - gap/2 - b.W, py - gap - b.H},
			{px + gap/2, py + gap},
			{px - gap/2 - b.W, py + gap},
		} {
			b.X, b.Y = at[0], at[1]
			if b.X >= 0 && b.Y >= 0 && b.X+b.W <= float64(w) && b.Y+b.H <= float64(h) && b.free(placed) {
				placed = append(placed, b)
				break
			}
		}
	}
	return placed
}

func (b *Bubble) free(others []Bubble) bool {
	for _, o := range others {
		if b.X < o.X+o.W && o.X < b.X+b.W && b.Y < o.Y+o.H && o.Y < b.Y+b.H {
			return false
		}
	}
	return true
}

// breakLines returns a text as at most bubbleLines lines of at most lineLetters letters; what is too much ends in an ellipsis.
func breakLines(text string) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		for len(lines) <= bubbleLines { // nobody sees what comes behind
			if n := utf8.RuneCountInString(line); n > 0 && n+1+utf8.RuneCountInString(word) <= lineLetters {
				line += " " + word
				break
			} else if n > 0 {
				lines, line = append(lines, line), ""
			}
			head := firstLetters(word)
			if head == word {
				line = word
				break
			}
			lines, word = append(lines, head), word[len(head):]
		}
		if len(lines) > bubbleLines {
			break
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	if len(lines) > bubbleLines {
		lines = lines[:bubbleLines]
		last := []rune(lines[bubbleLines-1])
		lines[bubbleLines-1] = string(last[:min(len(last), lineLetters-1)]) + "…"
	}
	return lines
}

// firstLetters returns as much of a word as a line has room for.
func firstLetters(word string) string {
	n := 0
	for i := range word {
		if n++; n > lineLetters {
			return word[:i]
		}
	}
	return word
}
