package lines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/world"
)

// socketName is the socket in a seat's folder where it can be taken.
const socketName = "seat.sock"

// A Seat is an agent that somebody plays who connects to it, speaks the protocol there, and may leave and come back. While nobody is there an
// act waits, until its time is up. It implements [agents.Agent].
type Seat struct {
	desk     *desk
	listener net.Listener
	dir      string // its folder
	serving  sync.WaitGroup

	mu     sync.Mutex
	taken  net.Conn // whoever plays it; nil: nobody
	shows  order    // of what they are shown
	closed bool
}

var _ agents.Agent = (*Seat)(nil)

// Listen opens the seat whose folder is dir, absolute; it is made if it is not there.
func Listen(dir string, fenced Fenced) (*Seat, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open seat: %w", err)
	}
	link, path, err := shorten(dir)
	if err != nil {
		return nil, fmt.Errorf("open seat: %w", err)
	}
	early := filepath.Join(filepath.Dir(path), "seat.new") // until somebody who comes is heard
	_ = os.Remove(early)                                   // what a killed supervisor has left
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: early, Net: "unix"})
	if err == nil {
		listener.SetUnlinkOnClose(false) // by then there is no such path any more
		err = errors.Join(os.Chmod(early, 0o600), os.Rename(early, path))
	}
	if err = errors.Join(err, os.RemoveAll(link)); err != nil { // now, for a supervisor that is killed removes nothing
		return nil, fmt.Errorf("open seat: %w", err)
	}
	s := &Seat{desk: newDesk(fenced, nil), listener: listener, dir: dir}
	s.serving.Go(s.serve)
	return s, nil
}

// shorten returns a path of the socket in dir that the kernel takes, which has at most 108 bytes, and the folder that makes it short.
func shorten(dir string) (link, path string, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return "", "", err
	}
	if link, err = os.MkdirTemp("", "seat"); err != nil {
		return "", "", err
	}
	if err := os.Symlink(dir, filepath.Join(link, "s")); err != nil {
		return "", "", errors.Join(err, os.RemoveAll(link))
	}
	return link, filepath.Join(link, "s", socketName), nil
}

// serve lets one after the other take the seat, until the listener is closed.
func (s *Seat) serve() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		if !s.take(conn) {
			_ = say(conn, line(question{Refused: "somebody has this seat already"}))
			conn.Close()
			continue
		}
		s.serving.Go(func() { s.play(conn) })
	}
}

// take gives somebody the seat, if it is free, and shows them the observation that waits there.
func (s *Seat) take(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken != nil || s.closed {
		return false
	}
	s.taken, s.shows = conn, order{}
	if waiting := s.desk.lying(); waiting != nil {
		s.shows.next(func() { _ = say(conn, waiting) })
	}
	return true
}

// play listens to whoever has the seat, until they leave.
func (s *Seat) play(conn net.Conn) {
	read(conn, func(raw []byte) {
		if reply := s.desk.take(raw); reply != nil {
			_ = say(conn, reply)
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = nil
	conn.Close()
}

// say writes a line. Whoever does not read it loses the seat.
func say(conn net.Conn, line []byte) error {
	err := conn.SetWriteDeadline(time.Now().Add(writeLimit))
	if err == nil {
		_, err = conn.Write(line)
	}
	if err != nil {
		conn.Close()
	}
	return err
}

// Act implements [agents.Agent].
func (s *Seat) Act(ctx context.Context, obs world.Observation) (world.Action, error) {
	if err := ctx.Err(); err != nil {
		return world.Action{}, err
	}
	s.mu.Lock() // either take gets this line, or Act gets who took the seat
	question := s.desk.lay(obs)
	if conn := s.taken; conn != nil {
		s.shows.next(func() { _ = say(conn, question) }) // it takes no longer than writeLimit, after which there is no connection any more
	}
	s.mu.Unlock()
	return s.desk.await(ctx, nil)
}

// Close implements [agents.Agent].
func (s *Seat) Close() (agents.Usage, error) {
	s.mu.Lock()
	s.closed = true
	if s.taken != nil {
		s.taken.Close()
	}
	s.mu.Unlock()
	_ = os.Remove(filepath.Join(s.dir, socketName)) // somebody may have removed it already
	err := s.listener.Close()
	s.serving.Wait()
	return agents.Usage{}, err
}

// Dial takes the seat whose folder is dir. Nobody listening there is an error.
func Dial(ctx context.Context, dir string) (*net.UnixConn, error) {
	link, path, err := shorten(dir)
	if err != nil {
		return nil, fmt.Errorf("take seat: %w", err)
	}
	defer os.RemoveAll(link)
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("take seat: %w", err)
	}
	return conn.(*net.UnixConn), nil
}

// Leave leaves a seat. When it returns somebody else can take it, unless it is deaf for writeLimit.
func Leave(conn *net.UnixConn) {
	defer conn.Close()
	if conn.SetReadDeadline(time.Now().Add(writeLimit)) == nil && conn.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, conn) // it closes its end when it is free
	}
}
