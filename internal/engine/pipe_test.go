package engine

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A stream is one direction of a connection in memory. Unlike net.Pipe it has
// a buffer, can be slow, and tells a close from a reset.
type stream struct {
	mu       sync.Mutex
	changed  *sync.Cond
	segments []segment
	size     int           // bytes in segments
	limit    int           // a writer waits while there are as many
	lag      time.Duration // until what was written can be read
	chop     int           // a read gives no more than so many bytes, at first; 0: any number
	chopped  int           // how many bytes were read like that
	ended    bool          // the writer has closed
	endedAt  time.Time
	reset    bool
	deaf     bool // the reader has closed
	refused  bool // and something was written since
	readBy   time.Time
	writeBy  time.Time
}

type segment struct {
	data []byte
	at   time.Time // when it can be read
}

func newStream(lag time.Duration) *stream {
	s := &stream{lag: lag, limit: 256 << 10}
	s.changed = sync.NewCond(&s.mu)
	return s
}

// with changes s and wakes those who wait for it.
func (s *stream) with(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.changed.Broadcast()
}

// await waits for a change, or until the earliest of the times that is set.
// s.mu is held.
func (s *stream) await(times ...time.Time) {
	for _, t := range times {
		if !t.IsZero() {
			defer time.AfterFunc(time.Until(t), func() { s.with(func() {}) }).Stop()
		}
	}
	s.changed.Wait()
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

func (s *stream) read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.deaf:
			return 0, net.ErrClosed
		case s.reset:
			return 0, syscall.ECONNRESET
		case passed(s.readBy):
			return 0, os.ErrDeadlineExceeded
		}
		if s.chop > 0 && s.chopped < 4096 {
			b = b[:min(len(b), s.chop)]
		}
		n := 0
		for len(s.segments) > 0 && n < len(b) && passed(s.segments[0].at) {
			k := copy(b[n:], s.segments[0].data)
			n += k
			if s.segments[0].data = s.segments[0].data[k:]; len(s.segments[0].data) == 0 {
				s.segments = s.segments[1:]
			}
		}
		if n > 0 {
			s.size -= n
			s.chopped += n
			s.changed.Broadcast()
			return n, nil
		}
		switch {
		case len(s.segments) > 0:
			s.await(s.segments[0].at, s.readBy)
		case s.ended && passed(s.endedAt):
			return 0, io.EOF
		case s.ended:
			s.await(s.endedAt, s.readBy)
		default:
			s.await(s.readBy)
		}
	}
}

func (s *stream) write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for {
		switch {
		case s.ended:
			return n, net.ErrClosed
		case s.reset:
			return n, syscall.ECONNRESET
		case s.refused:
			return n, syscall.EPIPE
		case s.deaf:
			s.refused = true
			return len(b), nil
		case n == len(b):
			return n, nil
		case passed(s.writeBy):
			return n, os.ErrDeadlineExceeded
		case s.size >= s.limit:
			s.await(s.writeBy)
			continue
		}
		k := min(len(b)-n, s.limit-s.size)
		s.segments = append(s.segments, segment{append([]byte(nil), b[n:n+k]...), time.Now().Add(s.lag)})
		s.size += k
		n += k
		s.changed.Broadcast()
	}
}

func (s *stream) end() {
	s.with(func() {
		if !s.ended {
			s.ended, s.endedAt = true, time.Now().Add(s.lag)
		}
	})
}

// A pipeConn is one end of a connection in memory.
type pipeConn struct {
	in, out *stream
	linger  bool // the next Close is a reset; under in.mu
}

func newPipe(lag time.Duration) (a, b *pipeConn) {
	ab, ba := newStream(lag), newStream(lag)
	return &pipeConn{in: ba, out: ab}, &pipeConn{in: ab, out: ba}
}

func (c *pipeConn) Read(b []byte) (int, error)  { return c.in.read(b) }
func (c *pipeConn) Write(b []byte) (int, error) { return c.out.write(b) }

func (c *pipeConn) CloseWrite() error {
	c.out.end()
	return nil
}

func (c *pipeConn) SetLinger(seconds int) error {
	c.in.with(func() { c.linger = seconds == 0 })
	return nil
}

func (c *pipeConn) Close() error {
	reset := false
	c.in.with(func() { reset = c.linger })
	if reset {
		for _, s := range []*stream{c.in, c.out} {
			s.with(func() { s.reset, s.segments, s.size = true, nil, 0 })
		}
	}
	c.in.with(func() { c.in.deaf, c.in.segments, c.in.size = true, nil, 0 })
	c.out.end()
	return nil
}

// Reset ends the connection with a reset.
func (c *pipeConn) Reset() {
	_ = c.SetLinger(0)
	_ = c.Close()
}

func (c *pipeConn) SetReadDeadline(t time.Time) error {
	c.in.with(func() { c.in.readBy = t })
	return nil
}

func (c *pipeConn) SetWriteDeadline(t time.Time) error {
	c.out.with(func() { c.out.writeBy = t })
	return nil
}

func (c *pipeConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "memory" }
func (pipeAddr) String() string  { return "memory" }

func (c *pipeConn) LocalAddr() net.Addr  { return pipeAddr{} }
func (c *pipeConn) RemoteAddr() net.Addr { return pipeAddr{} }
