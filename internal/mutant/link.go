package mutant

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// mostQueued is how many bytes wait for a client that does not read before the
// server has to wait too.
const mostQueued = 64 << 10

// A guest is what is known about who is behind a connection. It is under
// room.mu.
type guest struct {
	number  int    // from 1, in order of connecting
	user    string // that it has logged in as, or tried to
	entered bool   // it has sent a login
	logins  int    // how many
	written int64  // bytes
	reads   stream // what comes from the server
	writes  stream // what the client sends
	queued  int    // bytes that the client has not read yet
	left    bool   // the client has closed the connection
	half    bool   // the client sends no more
}

// A link is one connection of a client through the room. It is the net.Conn
// that the engine uses; the embedded one leads to the server.
type link struct {
	net.Conn
	*guest
	room *room

	// One write reaches the server at a time.
	writing sync.Mutex

	// All of the following is under room.mu.
	woken    sync.Cond // on room.mu: the client may have something to read
	onward   []byte    // what is to be passed to the server next
	waiting  [][]byte
	flusher  bool     // somebody waits to pass on what waits
	inbox    []packet // what the client has not read yet
	end      error    // what the client reads after that
	deadline time.Time
	linger   bool           // Close is a reset
	gone     bool           // the connection to the server is closed
	drained  bool           // all that the server has sent has come
	arrived  netip.AddrPort // who sent what has come last
	sender   netip.AddrPort // who sent what the client has read last
}

// packet is a piece of what a client is to read.
type packet struct {
	data []byte
	from netip.AddrPort // of a datagram
}

// deliver has the client get b. mu is held.
func (l *link) deliver(b []byte) {
	if l.room.isShadow || l.left || l.end != nil || len(b) == 0 && !l.room.udp {
		return
	}
	l.inbox = append(l.inbox, packet{b, l.arrived})
	l.queued += len(b)
	l.woken.Broadcast()
}

// pass has the server get b. mu is held.
func (l *link) pass(b []byte) {
	if l.room.isShadow {
		return
	}
	if l.room.udp {
		l.waiting = append(l.waiting, b)
		return
	}
	l.onward = append(l.onward, b...)
}

// cut ends the connection as if the server had done so. mu is held.
func (l *link) cut(reset bool) {
	if l.end == nil {
		l.end = io.EOF
		if reset {
			l.end = syscall.ECONNRESET
		}
	}
	l.shut(reset)
	l.woken.Broadcast()
	l.room.changed.Broadcast()
}

// shut ends the connection to the server. mu is held.
func (l *link) shut(reset bool) {
	if l.gone || l.room.isShadow {
		return
	}
	l.gone = true
	if c, ok := l.Conn.(interface{ SetLinger(int) error }); ok && reset {
		_ = c.SetLinger(0)
	}
	_ = l.Conn.Close()
}

// pump carries what the server sends to the client until one of them has had
// enough.
func (l *link) pump() {
	r := l.room
	defer r.work.Done()
	buf := make([]byte, 64<<10)
	for {
		n, err := l.Conn.Read(buf)
		r.mu.Lock()
		for !r.closed && !l.gone && (r.isWaiting(l) || !r.udp && l.queued > mostQueued && !l.left && l.end == nil) {
			r.changed.Wait()
		}
		if s, ok := l.Conn.(interface{ Sender() netip.AddrPort }); ok {
			l.arrived = s.Sender()
		}
		if n > 0 || err == nil {
			l.fromServer(append([]byte(nil), buf[:n]...))
		}
		if err != nil {
			if !l.gone {
				l.reads.rest(l.deliver)
				r.cast(l, func(s *room, l *link) {
					if s.serverCloses != nil {
						s.serverCloses(l)
					}
				})
				if r.serverCloses == nil || r.serverCloses(l) {
					l.serverEnd(err)
				}
			}
			l.drained = true
			l.woken.Broadcast()
			if r.notify != nil {
				go r.notify()
			}
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
	}
}

// serverEnd passes the end of the server's side on. mu is held.
func (l *link) serverEnd(err error) {
	if l.end == nil {
		l.end = err
		if !errors.Is(err, io.EOF) {
			l.end = syscall.ECONNRESET
		}
	}
}

// fromServer deals with what the server has sent. mu is held.
func (l *link) fromServer(b []byte) {
	r := l.room
	if r.down == nil && len(r.shadows) == 0 {
		l.deliver(b)
		return
	}
	l.reads.take(r.codec, wire.Server, b, func(m *message) {
		r.cast(l, func(s *room, l *link) {
			if s.down != nil {
				s.down(l, m)
			}
		})
		if r.down == nil {
			l.deliver(m.raw)
		} else {
			r.down(l, m)
		}
	}, l.deliver)
}

// fromClient deals with one segment. mu is held.
func (l *link) fromClient(b []byte) {
	r := l.room
	l.written += int64(len(b))
	r.cast(l, func(s *room, l *link) {
		if s.segment != nil {
			s.segment(l, bytes.Clone(b))
		}
		if s.waits != nil {
			s.waits(l)
		}
	})
	if r.up == nil {
		on := b
		if r.segment != nil {
			on = r.segment(l, bytes.Clone(b))
		}
		if len(on) > 0 || r.udp {
			l.pass(on)
		}
		l.writes.take(r.codec, wire.Client, b, l.listen, nil)
		return
	}
	l.writes.take(r.codec, wire.Client, b, func(m *message) {
		r.up(l, m)
		l.listen(m)
	}, l.pass)
}

// listen learns from a message who is behind l. mu is held.
func (l *link) listen(m *message) {
	l.room.cast(l, func(s *room, l *link) {
		if s.up != nil {
			s.up(l, m)
		}
		if s.heard != nil {
			s.heard(l, m)
		}
	})
	if l.room.heard != nil {
		l.room.heard(l, m)
	}
	if m.isLogin() {
		l.user, l.entered = m.text("user"), true
		l.logins++
	}
}
