package engine

import (
	"context"
	"net"
	"syscall"
)

// DialTCP is a [Target.Dial] that connects to addr.
func DialTCP(addr string) func(ctx context.Context, receiveBuffer int) (net.Conn, error) {
	return func(ctx context.Context, receiveBuffer int) (net.Conn, error) {
		d := net.Dialer{}
		if receiveBuffer > 0 {
			// The window that TCP offers is settled while it connects, so the
			// buffer must be small before that.
			d.Control = func(_, _ string, c syscall.RawConn) error {
				var err error
				if e := c.Control(func(fd uintptr) { err = setReceiveBuffer(fd, receiveBuffer) }); e != nil {
					return e
				}
				return err
			}
		}
		return d.DialContext(ctx, "tcp", addr)
	}
}
