package gateway

import (
	"context"
	"io"
	"time"
)

// never is a time that does not come.
const never = time.Duration(1<<63 - 1)

// A paced body comes in pieces, each of which is one Read, so that they pass one by one, and takes its time over each.
type paced struct {
	ctx  context.Context                                       // of the request; the body ends with it
	next func() (piece []byte, after time.Duration, err error) // the next piece, how long it takes to come, and what is there in its place
	left []byte
}

// atOnce is a body whose pieces take no time.
func atOnce(ctx context.Context, pieces ...[]byte) *paced {
	return &paced{ctx: ctx, next: func() ([]byte, time.Duration, error) {
		if len(pieces) == 0 {
			return nil, 0, io.EOF
		}
		piece := pieces[0]
		pieces = pieces[1:]
		return piece, 0, nil
	}}
}

// spread is a body whose pieces come evenly over a time.
func spread(ctx context.Context, takes time.Duration, pieces [][]byte) *paced {
	each := takes / time.Duration(max(1, len(pieces)))
	body := atOnce(ctx, pieces...)
	next := body.next
	body.next = func() ([]byte, time.Duration, error) {
		piece, _, err := next()
		if err != nil {
			return nil, 0, err
		}
		return piece, each, nil
	}
	return body
}

func (p *paced) Read(b []byte) (int, error) {
	for len(p.left) == 0 {
		piece, after, err := p.next()
		if stopped := pause(p.ctx, after); stopped != nil {
			return 0, stopped
		}
		if err != nil {
			return 0, err
		}
		p.left = piece
	}
	n := copy(b, p.left)
	p.left = p.left[n:]
	return n, nil
}

func (p *paced) Close() error { return nil }

// pause waits for a time, or for the end of ctx, which is an error.
func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
