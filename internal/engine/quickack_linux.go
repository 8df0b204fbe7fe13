package engine

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// quickAck acknowledges at once what has arrived. A server with Nagle's
// algorithm holds back a second small message until the first one is
// acknowledged, which would otherwise take the kernel 40 ms.
func quickAck(conn net.Conn) {
	// Not *net.TCPConn: the connection may be one that is taken down.
	tcp, ok := conn.(interface {
		syscall.Conn
		SetLinger(seconds int) error // which UDP has not
	})
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
	})
}
