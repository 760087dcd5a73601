package web

import (
	"context"
	"net"
	"os"
	"strconv"
	"sync"
)

// foreignKey is the key of a context of a connection whose value, a func() bool, says whether that is one of another user.
type foreignKey struct{}

// withPeer adds to the context of a connection whose it is. That is found out when somebody asks for something through it.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, foreignKey{}, sync.OnceValue(func() bool { return isForeign(conn) }))
}

// isForeign says whether the program at the other end of a connection is another user's of this machine, neither this one's nor that of who has
// become root by sudo, nor root's. Where the system does not tell, it is not.
func isForeign(conn net.Conn) bool {
	theirs, isTheirs := conn.RemoteAddr().(*net.TCPAddr)
	ours, isOurs := conn.LocalAddr().(*net.TCPAddr)
	if !isTheirs || !isOurs {
		return false
	}
	user, ok := userOf(theirs, ours)
	return ok && user != 0 && user != os.Geteuid() && strconv.Itoa(user) != os.Getenv("SUDO_UID")
}
