package engine

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
)

// DialUDP is a [Target.Dial] that opens a socket of its own for talking to
// addr. It takes answers from any port of that machine, because a server may
// answer from another socket.
func DialUDP(addr string) func(ctx context.Context, receiveBuffer int) (net.Conn, error) {
	return func(ctx context.Context, _ int) (net.Conn, error) {
		d := net.Dialer{}
		route, err := d.DialContext(ctx, "udp", addr) // sends nothing: which of our addresses leads there
		if err != nil {
			return nil, err
		}
		local := route.LocalAddr().(*net.UDPAddr)
		remote := route.RemoteAddr().(*net.UDPAddr)
		_ = route.Close()
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: local.IP, Zone: local.Zone})
		if err != nil {
			return nil, err
		}
		_ = conn.SetReadBuffer(udpBuffer)
		return &udpConn{UDPConn: conn, server: remote.AddrPort()}, nil
	}
}

// DialUDPAnew is [DialUDP] for a server that knows addresses from before: it
// may hear from one that the system gives again. On this machine each socket
// has an address of its own out of 127.0.0.0/8, where the system has these.
func DialUDPAnew(addr string) func(ctx context.Context, receiveBuffer int) (net.Conn, error) {
	dial := DialUDP(addr)
	return func(ctx context.Context, receiveBuffer int) (net.Conn, error) {
		conn, err := dial(ctx, receiveBuffer)
		u, ok := conn.(*udpConn)
		if err != nil || !ok || !u.server.Addr().Unmap().Is4() || !u.server.Addr().Unmap().IsLoopback() {
			return conn, err
		}
		n := rand.Uint32()
		fresh, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, byte(n>>16)|1, byte(n>>8), byte(n)|1)})
		if err != nil {
			return conn, nil // only 127.0.0.1 is there
		}
		_ = conn.Close()
		_ = fresh.SetReadBuffer(udpBuffer)
		return &udpConn{UDPConn: fresh, server: u.server}, nil
	}
}

// udpBuffer is what is asked for; the system may give less.
const udpBuffer = 4 << 20

// A udpConn is a socket that talks to one server.
type udpConn struct {
	*net.UDPConn
	server netip.AddrPort
	sender netip.AddrPort // of what was read last
}

// Read takes one datagram from the server.
func (c *udpConn) Read(b []byte) (int, error) {
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil || from.Addr().Unmap() == c.server.Addr().Unmap() {
			c.sender = from
			return n, err
		}
	}
}

// Sender is who sent what Read has returned last: the server, from whichever
// port. Only who calls Read may ask.
func (c *udpConn) Sender() netip.AddrPort { return c.sender }

// Write sends one datagram to the server.
func (c *udpConn) Write(b []byte) (int, error) { return c.WriteToUDPAddrPort(b, c.server) }

// RemoteAddr is the server's address.
func (c *udpConn) RemoteAddr() net.Addr { return net.UDPAddrFromAddrPort(c.server) }

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
