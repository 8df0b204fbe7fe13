package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/chatprobe/chatprobe/internal/sockets"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// A client is one of the probe's own clients. It may connect several times;
// what it has received stays in one inbox.
type client struct {
	play   *play
	label  string // its name in the scenario and in events
	stalls bool   // it will stop reading some time

	// Only the player touches these.
	name    string // on the wire
	conn    net.Conn
	local   netip.AddrPort
	remote  netip.AddrPort
	sent    uint64 // bytes, on this connection
	spoke   bool   // it has sent a message on this connection
	inRoom  bool   // it has logged in on this connection
	settled bool   // it can be heard and can hear
	deaf    bool   // the target has not read what it sent last
	far     bool   // the target's end cannot be looked at
	held    []byte // what a cut message still lacks
	whole   []byte // that message
	half    bool   // it has closed its sending side
	goodbye bool   // it has said that it leaves
	byHand  bool   // a step has sent its login: a fence must not do so again
	begun   bool   // what it sent last is the beginning of a message, for the target
	leftAt  int    // play.seq when it last closed
	resume  chan struct{}

	// These are shared with the reader, under play.mu.
	number    int // of the connection, from 1
	inbox     []*delivery
	partial   []byte // what has arrived and is no whole message yet
	lost      int    // how many bytes more, which were not kept
	need      int    // bytes needed before partial is worth looking at again
	heard     bool   // a message has arrived on this connection
	received  int64  // bytes, over all connections
	lastBytes time.Time
	stalled   bool
	over      overKind
	malformed error
	seen      map[*token]bool
	asked     []*token    // questions that the server has not answered yet
	live      net.Conn    // the connection that is being read
	quiet     *time.Timer // runs while a message may be over
}

// overKind is how a connection ended.
type overKind int

const (
	notOver overKind = iota
	serverClosed
	serverReset
	flooded
	weClosed
)

func (p *play) newClient(label string, stalls bool) *client {
	return &client{play: p, label: label, stalls: stalls, name: label + p.suffix, seen: map[*token]bool{}}
}

// String is what c is called in a sentence.
func (c *client) String() string {
	switch {
	case c == c.play.hidden:
		return "another client"
	case c.play.host != nil:
		return "the program"
	}
	return c.label
}

// isOver says that nothing more will come. play.mu is held.
func (c *client) isOver() bool { return c.over != notOver || c.malformed != nil }

// mostReceived is how many bytes are taken from a target before it counts as
// flooding.
func (c *client) mostReceived() int64 {
	if c.play.codec.Unframed(c.play.peer) {
		return maxUnframed
	}
	return maxReceived
}

// isOpen says that c has a connection that it can send on.
func (c *client) isOpen() bool {
	if c.conn == nil {
		return false
	}
	c.play.mu.Lock()
	defer c.play.mu.Unlock()
	return c.over == notOver
}

// overReason puts the end of the connection into words. play.mu is held.
func (c *client) overReason() string {
	if c.play.host != nil {
		return c.programOverReason()
	}
	switch {
	case c.malformed != nil:
		return fmt.Sprintf("what the server sent to %s is no message of the protocol: %v", c, c.malformed)
	case c.over == serverReset:
		return fmt.Sprintf("the server reset the connection of %s", c)
	case c.over == flooded:
		return fmt.Sprintf("the server flooded %s: more than %d messages or %d MiB", c, maxMessages, c.mostReceived()>>20)
	case c.over == weClosed:
		return fmt.Sprintf("%s has closed its connection", c)
	}
	return fmt.Sprintf("the server closed the connection of %s", c)
}

// programOverReason is overReason for the connection of a client program.
func (c *client) programOverReason() string {
	switch {
	case c.malformed != nil:
		return fmt.Sprintf("what the program sent is no message of the protocol: %v", c.malformed)
	case c.over == serverReset:
		return "the program reset its connection"
	case c.over == flooded:
		return fmt.Sprintf("the program flooded the server: more than %d messages or %d MiB", maxMessages, c.mostReceived()>>20)
	case c.over == weClosed:
		return "the server has closed the connection"
	}
	return "the program closed its connection"
}

// fresh counts the messages that no step has taken. play.mu is held.
func (c *client) fresh() int {
	n := 0
	for _, d := range c.inbox {
		if !d.skip() {
			n++
		}
	}
	return n
}

// forget makes all that has come part of the set-up. play.mu is held.
func (c *client) forget() {
	for _, d := range c.inbox {
		if !d.taken {
			d.setUp = true
		}
	}
}

// connect opens a connection. An earlier one is closed.
func (p *play) connect(c *client) *failure {
	p.close(c, transcript.Close)
	buffer := 0
	if c.stalls {
		buffer = stalledBuffer
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.deadline)
	defer cancel()
	conn, err := p.target.Dial(ctx, buffer)
	if err != nil {
		return fail(nil, fmt.Sprintf("%s can connect", c), "%s", dialReason(err, p)).unreached()
	}
	p.begin(c, conn, true)
	p.sleep(p.pause)
	return nil
}

// begin gives c a connection, and begins to read from it. With told, the
// transcript says that it was made.
func (p *play) begin(c *client, conn net.Conn, told bool) {
	c.conn, c.sent, c.held, c.whole = conn, 0, nil, nil
	c.spoke, c.inRoom, c.settled, c.deaf, c.far, c.begun, c.half, c.goodbye, c.byHand = false, false, false, false, false, false, false, false, false
	c.local, c.remote = addrPort(conn.LocalAddr()), addrPort(conn.RemoteAddr())
	c.resume = make(chan struct{}, 1)
	p.mu.Lock()
	c.number++
	c.partial, c.lost, c.need, c.heard, c.over, c.malformed, c.stalled = nil, 0, 0, false, notOver, nil, false
	c.asked, c.live = nil, conn
	number := c.number
	if told {
		p.recordLocked(event{Event: transcript.Event{
			Kind: transcript.Connect, Client: c.label, Purpose: p.purpose(c),
			Local: conn.LocalAddr().String(), Text: conn.RemoteAddr().String(),
		}})
	}
	p.mu.Unlock()
	p.readers.Add(1)
	go c.read(conn, number, c.resume)
}

func dialReason(err error, p *play) string {
	if how, ended := p.exited(); ended {
		return "the program " + how
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused: nothing listens at that address"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "the server did not take the connection in time"
	}
	return err.Error()
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
		return ap
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// purpose marks what is no part of the play.
func (p *play) purpose(c *client) transcript.Purpose {
	if p.setUp || c == p.hidden {
		return transcript.Setup
	}
	return ""
}

// write sends bytes in one write, when the target has read what c sent before.
// The caller has recorded them.
func (p *play) write(c *client, b []byte) *failure {
	if c.conn == nil {
		return fail(c, fmt.Sprintf("%s can send", c), "%s is not connected", c)
	}
	if p.codec.IsDatagram(p.own) {
		if f := p.limitBurst(c, len(b)); f != nil {
			return f
		}
	}
	p.awaitRead(c)
	for _, o := range p.all() {
		if o != c && len(o.held) > 0 {
			// What comes now is meant to meet half a message.
			p.awaitRead(o)
		}
	}
	conn := c.conn
	_ = conn.SetWriteDeadline(time.Now().Add(p.deadline + readWait))
	stop := context.AfterFunc(p.ctx, func() { _ = conn.SetWriteDeadline(time.Unix(1, 0)) })
	n, err := conn.Write(b)
	stop()
	c.sent += uint64(n)
	if err == nil && p.codec.Unframed(p.own) {
		p.sleep(chunkPause)
	}
	if err == nil {
		return nil
	}
	// The reader learns how the connection ended.
	e := p.wait(quietWindow, c, func() bool { return false })
	got := p.why(e, c)
	if e == timedOut {
		got = fmt.Sprintf("the server does not read what %s sends: after %d bytes the connection is full", c, c.sent)
	}
	return fail(c, fmt.Sprintf("%s can send", c), "%s", got)
}

// awaitRead waits until the target has read what c sent last, so that the
// probe never runs ahead of it. It gives up on a target that does not read,
// and does not wait again before that one has.
func (p *play) awaitRead(c *client) {
	if c.sent == 0 || c.conn == nil || p.codec.IsDatagram(p.own) || p.target.Prompt {
		return
	}
	table := p.session.Sockets
	if table == nil || !c.remote.IsValid() || c.far {
		if c.remote.IsValid() {
			p.sleep(remotePause)
		}
		return
	}
	give := time.Now().Add(readWait)
	if c.deaf {
		give = time.Now()
	}
	extra := 0
	for i := 0; ; i++ {
		end, err := table.Peer(c.local, c.remote)
		switch {
		case errors.Is(err, sockets.ErrNotFound):
			// Gone, or on another machine: the connection itself tells which.
			c.far = c.isOpen()
			return
		case err != nil:
			p.sleep(remotePause)
			return
		case end.HasRead(c.sent):
			c.deaf = false
			return
		case !time.Now().Before(give):
			if extra < maxDelays && p.session.Busy != nil && p.session.Busy() {
				extra++
				give = time.Now().Add(2 * readWait)
				continue
			}
			c.deaf = true
			return
		case i < 20:
			runtime.Gosched()
		default:
			p.sleep(min(time.Duration(i)*5*time.Microsecond, time.Millisecond))
		}
	}
}

// close ends c's connection from our side.
func (p *play) close(c *client, kind transcript.Kind) {
	if c.conn == nil {
		return
	}
	p.record(event{Event: transcript.Event{Kind: kind, Client: c.label, Purpose: p.purpose(c)}})
	if kind == transcript.HalfClose {
		if half, ok := c.conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
			c.half = true
		}
		return
	}
	p.mu.Lock()
	wasOver := c.over
	c.over = weClosed
	c.leftAt = p.seq
	p.mu.Unlock()
	if conn, ok := c.conn.(interface{ SetLinger(seconds int) error }); ok && kind == transcript.Reset && wasOver != serverReset {
		_ = conn.SetLinger(0)
	}
	_ = c.conn.Close()
	if c.quiet != nil {
		c.quiet.Stop()
	}
	c.wakeReader()
	c.conn, c.inRoom, c.settled = nil, false, false
}

func (c *client) wakeReader() {
	select {
	case c.resume <- struct{}{}:
	default:
	}
}

// stall stops or resumes reading.
func (p *play) stall(c *client, stop bool) {
	p.mu.Lock()
	c.stalled = stop
	p.mu.Unlock()
	if c.conn == nil {
		return
	}
	if stop {
		_ = c.conn.SetReadDeadline(time.Unix(1, 0))
		return
	}
	_ = c.conn.SetReadDeadline(time.Time{})
	c.wakeReader()
}
