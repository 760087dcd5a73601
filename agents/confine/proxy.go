package confine

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// ProxyAddress is where the proxy of an agent listens, on the loopback interface of the agent's own network.
const ProxyAddress = "127.0.0.1:3128"

const proxyPort = 3128

// WithProxy returns a boundary that lets agents with [Cell.Serve] connect to that, and to nothing else by TCP. The error says why that is not to be
// had here, and how it might be.
func (b Boundary) WithProxy() (Boundary, error) {
	switch {
	case !b.uses.Spaces:
		return b, errors.New("an agent needs a network of its own for that: " + b.Missing())
	case b.proxy != nil:
		return b, fmt.Errorf("the loopback interface of a network of its own: %w", b.proxy)
	}
	b.uses.Proxy = true
	return b, nil
}

// loopback brings up the loopback interface of this process's network, and returns a socket that listens there where a proxy does.
func loopback() (fd int, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, err
	}
	up, err := unix.NewIfreq("lo")
	if err == nil {
		up.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		err = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, up)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: proxyPort, Addr: [4]byte{127, 0, 0, 1}})
	}
	if err == nil {
		err = unix.Listen(fd, unix.SOMAXCONN)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// offerProxy gives the supervisor, at the other end of control, a socket that listens where the agent looks for its proxy. What goes with it means
// nothing before a line of JSON.
func offerProxy(control int) error {
	fd, err := loopback()
	if err != nil {
		return err
	}
	return errors.Join(unix.Sendmsg(control, []byte{'\n'}, unix.UnixRights(fd), nil, 0), unix.Close(fd))
}

// tryProxy demands that a proxy can be reached in namespaces of its own.
func tryProxy() error {
	fd, err := loopback()
	if err != nil {
		return err
	}
	return errors.Join(dial("tcp4", ProxyAddress), unix.Close(fd))
}

// A mailbox reads what a keeper says, and keeps the socket that it offers.
type mailbox struct {
	control *os.File
	offered *os.File // nil: none
}

// Read implements [io.Reader].
func (m *mailbox) Read(p []byte) (n int, err error) {
	raw, err := m.control.SyscallConn()
	if err != nil {
		return 0, err
	}
	var rights [64]byte
	var size int
	var readErr error
	err = raw.Read(func(fd uintptr) bool {
		for readErr = unix.EINTR; errors.Is(readErr, unix.EINTR); {
			n, size, _, _, readErr = unix.Recvmsg(int(fd), p, rights[:], unix.MSG_CMSG_CLOEXEC)
		}
		return !errors.Is(readErr, unix.EAGAIN)
	})
	if err = errors.Join(err, readErr); err != nil {
		return 0, err
	}
	if size > 0 {
		err = m.keep(rights[:size])
	}
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// keep keeps a socket that has come.
func (m *mailbox) keep(rights []byte) error {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return err
	}
	for _, message := range messages {
		fds, err := unix.ParseUnixRights(&message)
		if err != nil {
			return err
		}
		for _, fd := range fds {
			if m.offered != nil {
				return errors.Join(errors.New("two sockets"), unix.Close(fd))
			}
			m.offered = os.NewFile(uintptr(fd), "proxy")
		}
	}
	return nil
}

// close lets go of a socket that nobody has taken.
func (m *mailbox) close() {
	if m.offered != nil {
		_ = m.offered.Close() // it is only looked at
	}
	m.offered = nil
}

// listener returns the listener that the keeper has offered.
func (k *keeper) listener() (net.Listener, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.mail.close()
	if k.mail.offered == nil {
		return nil, errors.New("the keeper has offered no listener for a proxy")
	}
	return net.FileListener(k.mail.offered)
}
