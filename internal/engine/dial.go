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
//
// On this machine all sockets of one DialUDP share an address of their own out
// of 127.0.0.0/8, where the system has these: a server goes on sending to
// clients that have gone, and a client of another play may have got the port
// of one of them.
func DialUDP(addr string) func(ctx context.Context, receiveBuffer int) (net.Conn, error) {
	ip := ownLoopback()
	return func(ctx context.Context, _ int) (net.Conn, error) { return dialUDP(ctx, addr, ip) }
}

// DialUDPAnew is [DialUDP] for a server that knows addresses from before: it
// may hear from one that the system gives again. On this machine each socket
// has an address of its own.
func DialUDPAnew(addr string) func(ctx context.Context, receiveBuffer int) (net.Conn, error) {
	return func(ctx context.Context, _ int) (net.Conn, error) { return dialUDP(ctx, addr, ownLoopback()) }
}

// ownLoopback is an address of this machine that hardly anybody else uses.
func ownLoopback() net.IP {
	n := rand.Uint32()
	return net.IPv4(127, byte(n>>16)|1, byte(n>>8), byte(n)|1)
}

// dialUDP opens a socket for talking to addr: at ip where addr is on this
// machine and has an address like that.
func dialUDP(ctx context.Context, addr string, ip net.IP) (net.Conn, error) {
	d := net.Dialer{}
	route, err := d.DialContext(ctx, "udp", addr) // sends nothing: which of our addresses leads there
	if err != nil {
		return nil, err
	}
	local, remote := route.LocalAddr().(*net.UDPAddr), route.RemoteAddr().(*net.UDPAddr)
	_ = route.Close()
	var conn *net.UDPConn
	if to := remote.AddrPort().Addr().Unmap(); to.Is4() && to.IsLoopback() {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: ip})
	}
	if conn == nil || err != nil { // some systems have only 127.0.0.1
		conn, err = net.ListenUDP("udp", &net.UDPAddr{IP: local.IP, Zone: local.Zone})
	}
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(udpBuffer)
	return &udpConn{UDPConn: conn, server: remote.AddrPort()}, nil
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
