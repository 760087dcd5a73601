package web

import (
	"net"
	"sync"
)

const (
	mostConnections = 256
	writeBuffer     = 128 << 10 // bytes that the kernel keeps for a client that does not read, at least
)

// A limited listener has as many connections at a time as there is room for; all others wait. So nobody on this machine, with the token or without it,
// takes files and memory from the run that the same process plays.
type limited struct {
	net.Listener
	room chan struct{} // holds a token for each connection
}

// Accept implements [net.Listener].
func (l limited) Accept() (net.Conn, error) {
	l.room <- struct{}{}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.room
		return nil, err
	}
	tcp := conn.(*net.TCPConn)
	_ = tcp.SetWriteBuffer(writeBuffer) // else it has another one
	return &counted{TCPConn: tcp, leave: sync.OnceFunc(func() { <-l.room })}, nil
}

// A counted connection makes room for another one when it is closed.
type counted struct {
	*net.TCPConn
	leave func()
}

// Close implements [net.Conn].
func (c *counted) Close() error {
	defer c.leave()
	return c.TCPConn.Close()
}
