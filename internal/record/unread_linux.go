package record

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// unread is how many bytes have arrived that nobody has read. Linux resets a
// connection that is closed when there are some.
func unread(c syscall.Conn) int {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	n := 0
	_ = raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCINQ) })
	if err != nil {
		return 0
	}
	return n
}
