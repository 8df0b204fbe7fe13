package mutant

import (
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// Read gives the client what it gets.
func (l *link) Read(b []byte) (int, error) {
	r := l.room
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		switch {
		case l.left:
			return 0, net.ErrClosed
		case !l.deadline.IsZero() && !time.Now().Before(l.deadline):
			return 0, os.ErrDeadlineExceeded
		case len(l.inbox) > 0:
			return l.read(b), nil
		case l.end != nil:
			return 0, l.end
		}
		l.woken.Wait()
	}
}

// read takes from the inbox. mu is held.
func (l *link) read(b []byte) int {
	total := 0
	for len(l.inbox) > 0 && total < len(b) {
		p := &l.inbox[0]
		n := copy(b[total:], p.data)
		total += n
		if l.room.udp {
			n = len(p.data)
			l.sender = p.from
		}
		l.queued -= n
		if p.data = p.data[n:]; len(p.data) == 0 {
			l.inbox = l.inbox[1:]
		}
		if l.room.udp {
			break
		}
	}
	if !l.room.udp {
		l.room.changed.Broadcast() // who waits for room in the inbox
	}
	return total
}

// Write takes what the client sends, in one segment.
func (l *link) Write(b []byte) (int, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	r := l.room
	r.mu.Lock()
	switch {
	case l.left:
		r.mu.Unlock()
		return 0, net.ErrClosed
	case l.end != nil && l.end != io.EOF:
		r.mu.Unlock()
		return 0, syscall.EPIPE
	case l.gone:
		r.mu.Unlock()
		return len(b), nil
	}
	l.fromClient(append([]byte(nil), b...))
	out := l.outgoing()
	if r.waits != nil {
		r.changed.Broadcast()
	}
	if len(out) > 0 && (l.flusher || r.isWaiting(l)) {
		l.waiting = append(l.waiting, out...)
		if !l.flusher {
			l.flusher = true
			r.work.Add(1)
			go l.flush()
		}
		out = nil
	}
	r.mu.Unlock()
	for _, piece := range out {
		if _, err := l.Conn.Write(piece); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// outgoing is what has been passed on. mu is held.
func (l *link) outgoing() [][]byte {
	if l.flusher {
		return nil // it stands in waiting, or will
	}
	out := l.waiting
	l.waiting = nil
	if len(l.onward) > 0 {
		out = append(out, l.onward)
		l.onward = nil
	}
	return out
}

// flush passes on what has waited, and ends when nothing waits any more.
func (l *link) flush() {
	r := l.room
	defer r.work.Done()
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		for !r.closed && !l.gone && r.isWaiting(l) {
			r.changed.Wait()
		}
		if len(l.onward) > 0 {
			l.waiting = append(l.waiting, l.onward)
			l.onward = nil
		}
		if r.closed || l.gone || len(l.waiting) == 0 {
			l.flusher = false
			if l.left && !l.gone {
				l.shut(l.linger)
			}
			return
		}
		out := l.waiting
		l.waiting = nil
		r.mu.Unlock()
		for _, piece := range out {
			if _, err := l.Conn.Write(piece); err != nil {
				break
			}
		}
		r.mu.Lock()
	}
}

// Close ends the connection from the client's side.
func (l *link) Close() error {
	r := l.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.left {
		return net.ErrClosed
	}
	how := closes
	if l.linger {
		how = resets
	}
	r.castLeaving(l, how)
	told := r.leaves == nil || r.leaves(l, how)
	l.left = true
	l.endOfClient()
	if told && !l.flusher {
		l.shut(l.linger)
	}
	l.woken.Broadcast()
	r.changed.Broadcast()
	return nil
}

// endOfClient passes on what has been held back of an unfinished message. mu is
// held.
func (l *link) endOfClient() {
	if l.room.up == nil || l.gone || l.half {
		return
	}
	l.writes.rest(l.pass)
	l.passNow()
}

// passNow has the server get what was to be passed to it, before the
// connection ends. mu is held.
func (l *link) passNow() {
	if l.room.isShadow {
		return
	}
	for _, piece := range l.outgoing() {
		// It fits into the socket's buffer, or the server has stopped reading.
		_ = l.Conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = l.Conn.Write(piece)
	}
}

// CloseWrite says that the client sends no more.
func (l *link) CloseWrite() error {
	r := l.room
	r.mu.Lock()
	defer r.mu.Unlock()
	r.castLeaving(l, halfCloses)
	l.endOfClient()
	l.half = true
	if l.left || l.gone || r.leaves != nil && !r.leaves(l, halfCloses) {
		return nil
	}
	if c, ok := l.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// SetLinger says what Close does: 0 makes it a reset.
func (l *link) SetLinger(seconds int) error {
	l.room.mu.Lock()
	defer l.room.mu.Unlock()
	l.linger = seconds == 0
	return nil
}

// SetReadDeadline stops a Read at some time.
func (l *link) SetReadDeadline(t time.Time) error {
	r := l.room
	r.mu.Lock()
	defer r.mu.Unlock()
	l.deadline = t
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		time.AfterFunc(wait, l.woken.Broadcast)
	}
	l.woken.Broadcast()
	return nil
}

// A packetLink is a link over UDP.
type packetLink struct{ *link }

// Sender is who sent what Read has returned last.
func (l *packetLink) Sender() netip.AddrPort {
	l.room.mu.Lock()
	defer l.room.mu.Unlock()
	return l.link.sender
}
