package record

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
)

// Conn takes down what goes over c, which the probe has just opened. The
// connection that it returns is to be used in place of c. It is no *net.TCPConn,
// but offers CloseWrite, SetLinger and SyscallConn where c offers all of them. A
// connection that is neither TCP nor UDP cannot be taken down and is returned
// as it is.
//
// A UDP socket may have Sender() netip.AddrPort, which says who sent what Read
// returned last, where that is not always RemoteAddr.
func (l *Log) Conn(c net.Conn) net.Conn { return l.tap(c, false) }

// Accepted is [Log.Conn] for a connection that the other end has opened.
func (l *Log) Accepted(c net.Conn) net.Conn { return l.tap(c, true) }

func (l *Log) tap(c net.Conn, accepted bool) net.Conn {
	switch c.LocalAddr().(type) {
	case *net.TCPAddr:
		f := flow{addrPort(c.LocalAddr()), addrPort(c.RemoteAddr()), accepted}
		if !f.local.IsValid() || !f.remote.IsValid() {
			return c
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		t := &tap{Conn: c, log: l, linger: -1}
		t.flow = l.addFlow(f)
		l.note(t.flow, opened)
		if c, ok := c.(controlled); ok {
			return &controlledTap{t, c}
		}
		return t
	case *net.UDPAddr:
		return &socket{Conn: c, log: l}
	}
	return c
}

// controlled is what a *net.TCPConn can do besides.
type controlled interface {
	CloseWrite() error
	SetLinger(seconds int) error
	syscall.Conn
}

// A tap is a TCP connection that is being taken down.
type tap struct {
	net.Conn
	log  *Log
	flow int
	// What is noted must be in the order of the bytes on the connection, so
	// there is one Write at a time, and one Read. The connection sees to that
	// too, only further down.
	writing, reading sync.Mutex

	// These are under log.mu.
	linger     int
	halfClosed bool
	over       bool   // the probe has closed it
	peer       kind   // how the other end has ended it
	gap        [2]int // 1 + the entry of what is not kept: sent, received
	unread     int    // bytes that Close found waiting, and which nobody has read since
	end        int    // the entry of that Close
}

// Read reads from the connection.
func (t *tap) Read(b []byte) (int, error) {
	t.reading.Lock()
	defer t.reading.Unlock()
	n, err := t.Conn.Read(b)
	t.log.mu.Lock()
	defer t.log.mu.Unlock()
	if n > 0 {
		t.add(received, b[:n])
		t.nowRead(n)
	}
	if err != nil {
		t.failed(err)
	}
	return n, err
}

// Write writes to the connection.
func (t *tap) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return t.Conn.Write(b)
	}
	t.writing.Lock()
	defer t.writing.Unlock()
	// It is noted before it is sent, or the answer might be noted first.
	t.log.mu.Lock()
	at, cut := t.add(sent, b)
	t.log.mu.Unlock()
	n, err := t.Conn.Write(b)
	if err == nil {
		return n, nil
	}
	t.log.mu.Lock()
	defer t.log.mu.Unlock()
	t.takeBack(at, cut, len(b)-n)
	t.failed(err)
	return n, err
}

// add notes bytes, and returns the entry and how many of them it only counts.
// log.mu is held.
func (t *tap) add(what kind, b []byte) (at, cut int) {
	l, gap := t.log, &t.gap[what-sent]
	room := l.room(len(b))
	cut = len(b) - room
	if *gap > 0 {
		at = *gap - 1
	} else {
		at = l.note(t.flow, what)
		l.kept += entryCost
		l.entries[at].data = l.keep(b[:room])
	}
	if cut > 0 {
		l.entries[at].cut += int64(cut)
		*gap = at + 1
	}
	return at, cut
}

// takeBack corrects an entry, whose last n bytes were not sent. log.mu is held.
func (t *tap) takeBack(at, cut, n int) {
	e := &t.log.entries[at]
	counted := min(cut, n)
	e.cut -= int64(counted)
	t.log.leftOut -= int64(counted)
	e.data = e.data[:len(e.data)-(n-counted)]
}

// failed notes what an error of Read or Write says of the other end. log.mu is
// held.
func (t *tap) failed(err error) {
	switch {
	case t.peer == peerReset:
		// What the system says afterwards is no news, also if it is an end of file.
	case errors.Is(err, io.EOF):
		if t.peer == nothing {
			t.peer = peerClosed
			t.log.note(t.flow, peerClosed)
		}
	case !t.over && isReset(err, t.halfClosed):
		t.peer = peerReset
		t.log.note(t.flow, peerReset)
	}
}

// Windows has numbers of its own for these errors. No other system uses them.
const (
	wsaConnAborted = syscall.Errno(10053)
	wsaConnReset   = syscall.Errno(10054)
	wsaConnRefused = syscall.Errno(10061)
)

// isReset says that an error means that the other end has reset the connection.
func isReset(err error, halfClosed bool) bool {
	for _, reset := range []error{syscall.ECONNRESET, syscall.ECONNABORTED, wsaConnReset, wsaConnAborted} {
		if errors.Is(err, reset) {
			return true
		}
	}
	return errors.Is(err, syscall.EPIPE) && !halfClosed // else it is our own doing
}

// Close closes the connection.
func (t *tap) Close() error {
	t.log.mu.Lock()
	if !t.over {
		t.over = true
		if c, ok := t.Conn.(syscall.Conn); ok && t.peer != peerReset {
			t.unread = unread(c)
		}
		what := closed
		if t.linger == 0 || t.unread > 0 {
			what = reset // a system that closes what has not been read says so
		}
		if t.peer != peerReset {
			t.end = t.log.note(t.flow, what)
		}
	}
	t.log.mu.Unlock()
	return t.Conn.Close()
}

// nowRead notes that n bytes were read after all which Close found waiting.
// log.mu is held.
func (t *tap) nowRead(n int) {
	if t.unread == 0 {
		return
	}
	if t.unread = max(0, t.unread-n); t.unread == 0 && t.linger != 0 {
		t.log.entries[t.end].what = closed
	}
}

// A controlledTap is a tap of a connection that can do more.
type controlledTap struct {
	*tap
	inner controlled
}

// CloseWrite says that the probe sends no more.
func (t *controlledTap) CloseWrite() error {
	l := t.log
	l.mu.Lock()
	at := -1
	if !t.over && !t.halfClosed && t.peer != peerReset {
		at = l.note(t.flow, closed)
		t.halfClosed = true
	}
	l.mu.Unlock()
	err := t.inner.CloseWrite()
	if err != nil && at >= 0 {
		l.mu.Lock()
		l.entries[at].what = nothing
		t.halfClosed = false
		l.mu.Unlock()
	}
	return err
}

// SetLinger sets what Close does; 0 makes it a reset.
func (t *controlledTap) SetLinger(seconds int) error {
	err := t.inner.SetLinger(seconds)
	if err == nil {
		t.log.mu.Lock()
		t.linger = seconds
		t.log.mu.Unlock()
	}
	return err
}

// SyscallConn gives access to the socket.
func (t *controlledTap) SyscallConn() (syscall.RawConn, error) { return t.inner.SyscallConn() }

// Failed takes down a TCP connection that could not be made: one that was
// refused or not answered. err is what a net.Dialer returned; other errors mean
// that nothing was sent, and are ignored. The port from which it was tried is
// not known and becomes 0.
func (l *Log) Failed(err error) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "dial" {
		return
	}
	to, ok := op.Addr.(*net.TCPAddr)
	if !ok || !addrPort(to).IsValid() {
		return
	}
	what := nothing
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, wsaConnRefused):
		what = refused
	case op.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
		what = unanswered
	default:
		return
	}
	f := flow{local: netip.AddrPortFrom(sourceOf(to), 0), remote: addrPort(to)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note(l.addFlow(f), what)
}

// sourceOf is which address of this machine leads to another one.
func sourceOf(to *net.TCPAddr) netip.Addr {
	remote := addrPort(to).Addr()
	// This sends nothing.
	c, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: to.IP, Port: max(to.Port, 1), Zone: to.Zone})
	if err != nil {
		return unspecified(remote)
	}
	defer func() { _ = c.Close() }()
	return addrPort(c.LocalAddr()).Addr()
}

func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		ap = a.AddrPort()
	case *net.UDPAddr:
		ap = a.AddrPort()
	}
	if !ap.IsValid() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// unspecified is no address in particular, of the family of another.
func unspecified(like netip.Addr) netip.Addr {
	if like.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}
