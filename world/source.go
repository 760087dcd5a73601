package world

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// A source is the bytes of a log, or of its keyframes.
type source interface {
	io.ReaderAt
	io.Closer
	size() (int64, error)
}

// A plain source is a file as it is.
type plain struct{ *os.File }

func (p plain) size() (int64, error) {
	info, err := p.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// before returns the part of src that holds the last line before the turn, if there is one: all of it, unless src has an index.
func before(src source, turn int) (span, error) {
	if indexed, ok := src.(interface{ before(turn int) span }); ok {
		return indexed.before(turn), nil
	}
	size, err := src.size()
	return span{0, size}, err
}

// A span is where a line begins and ends, newline included.
type span struct{ begin, end int64 }

// search returns the last line between two places of src that is whole and comes before what is looked for; the span is empty if there is
// none. Lines are sorted: whatever is before a line that comes before comes before as well. Lines that are not whole are skipped. The
// place lo is the beginning of a line. The time depends on the logarithm of the distance.
func search(src io.ReaderAt, lo, hi int64, before func(line []byte) bool) (last span, err error) {
	last = span{lo, lo}
	tried := span{-1, -1} // the line that was last found not to come before
	for lo < hi {
		mid := lo + (hi-lo)/2
		line, at, err := lineAfter(src, lo, mid, hi)
		for err == nil && line != nil && at != tried && !isWhole(line) {
			line, at, err = lineAfter(src, at.end, at.end, hi)
		}
		switch {
		case err != nil:
			return last, err
		case line != nil && at != tried && before(line):
			last, lo = at, at.end
		default:
			hi = mid
			if line != nil {
				tried = at
			}
		}
	}
	return last, nil
}

// lineAfter returns the first line of src that begins at mid or later and before hi, or nil if there is none that has an end. The
// place lo <= mid is the beginning of a line.
func lineAfter(src io.ReaderAt, lo, mid, hi int64) ([]byte, span, error) {
	from := max(lo, mid-1) // the byte before mid says whether a line begins at mid
	for n := 4 << 10; ; n *= 2 {
		b := make([]byte, n)
		got, err := src.ReadAt(b, from)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, span{}, err
		}
		b = b[:got]
		begin := 0
		if mid > lo {
			begin = bytes.IndexByte(b, '\n') + 1
		}
		if from+int64(begin) >= hi {
			return nil, span{}, nil
		}
		if mid == lo || begin > 0 {
			if size := bytes.IndexByte(b[begin:], '\n') + 1; size > 0 {
				at := from + int64(begin)
				return b[begin : begin+size], span{at, at + int64(size)}, nil
			}
		}
		if got < n || mid > lo && begin == 0 && from+int64(n) >= hi {
			return nil, span{}, nil
		}
	}
}

// lineBefore returns the line of src that ends at end, which is more than 0.
func lineBefore(src io.ReaderAt, end int64) ([]byte, error) {
	for n := int64(1 << 10); ; n *= 2 {
		b := make([]byte, min(n, end))
		if _, err := src.ReadAt(b, end-int64(len(b))); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		begin := bytes.LastIndexByte(b[:len(b)-1], '\n') + 1
		if begin > 0 || int64(len(b)) == end {
			return b[begin:], nil
		}
	}
}
