package web

import (
	"encoding/binary"
	"net"
	"syscall"
)

// Of sock_diag(7): a request for one socket, and its answer.
const (
	netlinkSockDiag  = 4
	sockDiagByFamily = 20
	headSize         = syscall.NLMSG_HDRLEN
	requestSize      = headSize + 8 + 48                      // family, protocol and states, then the addresses
	userAt           = headSize + 4 + 48 + 12                 // behind the addresses and what is on its way
	portsAt          = headSize + 8                           // from, to
	fromAt, toAt     = portsAt + 4, portsAt + 4 + net.IPv6len // addresses
	cookieAt         = toAt + net.IPv6len + 4
)

// userOf returns the user whose socket leads from one address to another on this machine, both of the fourth version.
func userOf(from, to *net.TCPAddr) (user int, ok bool) {
	kernel, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, netlinkSockDiag)
	if err != nil {
		return 0, false
	}
	defer syscall.Close(kernel)
	request := make([]byte, requestSize)
	binary.NativeEndian.PutUint32(request, requestSize)
	binary.NativeEndian.PutUint16(request[4:], sockDiagByFamily)
	binary.NativeEndian.PutUint16(request[6:], syscall.NLM_F_REQUEST)
	request[headSize], request[headSize+1] = syscall.AF_INET, syscall.IPPROTO_TCP
	binary.BigEndian.PutUint16(request[portsAt:], uint16(from.Port))
	binary.BigEndian.PutUint16(request[portsAt+2:], uint16(to.Port))
	copy(request[fromAt:], from.IP.To4())
	copy(request[toAt:], to.IP.To4())
	binary.NativeEndian.PutUint64(request[cookieAt:], 1<<64-1) // any
	if err := syscall.Sendto(kernel, request, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return 0, false
	}
	answer := make([]byte, 1<<12)
	n, _, err := syscall.Recvfrom(kernel, answer, syscall.MSG_DONTWAIT) // which is there when the request was sent
	if err != nil || n < userAt+4 || binary.NativeEndian.Uint16(answer[4:]) != sockDiagByFamily {
		return 0, false
	}
	return int(binary.NativeEndian.Uint32(answer[userAt:])), true
}
