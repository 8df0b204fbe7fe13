package engine

import (
	"net"

	"golang.org/x/sys/unix"
)

// quickAck acknowledges at once what has arrived. A server with Nagle's
// algorithm holds back a second small message until the first one is
// acknowledged, which would otherwise take the kernel 40 ms.
func quickAck(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
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
