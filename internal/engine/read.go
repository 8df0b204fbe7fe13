package engine

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A delivery is a message that arrived.
type delivery struct {
	frame *wire.Frame
	taken bool   // by a step
	setUp bool   // it belongs to the set-up
	token *token // it carries one
	about bool   // it is about the hidden client and nobody else
	noise bool   // the protocol says that it means nothing

	mangled bool // it carries a token, and is not the message that should
	seq     int  // its number among all messages of the play
}

// skip says that no step may see d.
func (d *delivery) skip() bool { return d.taken || d.setUp || d.token != nil || d.about || d.noise }

// read takes what arrives until the connection ends.
func (c *client) read(conn net.Conn, number int, resume <-chan struct{}) {
	p := c.play
	defer p.readers.Done()
	buf := make([]byte, 16<<10)
	datagrams := p.codec.IsDatagram(p.peer)
	if datagrams {
		buf = make([]byte, 64<<10)
	}
	for {
		n, err := conn.Read(buf)
		quickAck(conn)
		p.mu.Lock()
		if c.number != number || c.over == weClosed {
			p.mu.Unlock()
			return
		}
		if n > 0 || datagrams && err == nil {
			c.arrive(buf[:n])
		}
		// The only deadline is the one by which stall stops this reader. By
		// now it may be told to read again.
		paused := errors.Is(err, os.ErrDeadlineExceeded)
		stalled := paused && c.stalled
		if err != nil && !paused && c.over == notOver {
			c.end(err)
		}
		stop := c.over != notOver
		p.mu.Unlock()
		if err == io.EOF && p.host != nil {
			_ = conn.Close() // as servers do: the program may be waiting for that
		}
		p.changed()
		if stop {
			return
		}
		if stalled {
			<-resume
		}
	}
}

// end notes how the connection ended. play.mu is held.
func (c *client) end(err error) {
	if codec, peer := c.play.codec, c.play.peer; len(c.partial) > 0 && (codec.Unframed(peer) || codec.Pauses(peer)) {
		c.takeMessages(codec.DecodeQuiet)
	}
	c.over = serverClosed
	kind := transcript.Closed
	if !errors.Is(err, io.EOF) {
		c.over, kind = serverReset, transcript.WasReset
	}
	e := event{Event: transcript.Event{Kind: kind, Client: c.label}}
	if len(c.partial) > 0 {
		body := transcript.NewBody(c.partial)
		e.Body = &body
	}
	c.play.recordLocked(e)
}

// arrive takes bytes apart into messages. play.mu is held.
func (c *client) arrive(b []byte) {
	c.received += int64(len(b))
	c.lastBytes = time.Now()
	if c.malformed != nil {
		return
	}
	if c.need > maxReceived && len(c.partial) >= keptOfHuge {
		// It will never be whole here, so why keep it.
		c.lost += len(b)
	} else {
		c.partial = append(c.partial, b...)
	}
	codec, peer := c.play.codec, c.play.peer
	if codec.Unframed(peer) {
		if c.lookAgain(chunkWait); len(c.partial) > longestChunk {
			c.takeMessages(codec.DecodeQuiet) // it never pauses
		}
		if len(c.inbox) > maxMessages || c.received > c.mostReceived() {
			c.flood()
		}
		return
	}
	if len(c.partial) < c.need {
		if codec.Pauses(peer) {
			c.lookAgain(idleWait)
		}
		if c.received > maxReceived {
			c.flood()
		}
		return
	}
	c.takeMessages(codec.Decode)
	if len(c.partial) > 0 && codec.Pauses(peer) {
		c.lookAgain(idleWait)
	}
	if len(c.inbox) > maxMessages || c.received > maxReceived {
		c.flood()
	}
}

// takeMessages takes from c.partial what is whole. play.mu is held.
func (c *client) takeMessages(decode func(*wire.Frame, []byte, wire.Side) (int, error)) {
	at := 0
	var frame wire.Frame
	datagram := c.play.codec.IsDatagram(c.play.peer)
	for (at < len(c.partial) || datagram) && c.over == notOver {
		n, err := decode(&frame, c.partial[at:], c.play.peer)
		if errors.Is(err, wire.ErrShort) {
			c.need = n
			break
		}
		if err != nil {
			c.malformed = err
			body := transcript.NewBody(c.partial[at:])
			c.play.recordLocked(event{Event: transcript.Event{
				Kind: transcript.Receive, Client: c.label, Body: &body, Text: err.Error(),
			}})
			c.partial = c.partial[at:]
			return
		}
		frame.SetFirst(!c.heard)
		c.heard = true
		c.deliver(frame.Clone())
		at += n
		c.need = 0
		if datagram {
			break
		}
	}
	if c.partial = c.partial[at:]; len(c.partial) == 0 {
		c.partial = nil
	}
}

// lookAgain looks at c.partial when nothing more has come for a while. play.mu
// is held.
func (c *client) lookAgain(after time.Duration) {
	p, number, last := c.play, c.number, c.lastBytes
	if c.quiet != nil {
		c.quiet.Stop()
	}
	c.quiet = time.AfterFunc(after, func() {
		p.mu.Lock()
		if c.number == number && c.lastBytes.Equal(last) && c.over != weClosed && c.malformed == nil && len(c.partial) > 0 {
			c.takeMessages(p.codec.DecodeQuiet)
		}
		p.mu.Unlock()
		p.changed()
	})
}

// flood gives up on a connection that never stops. play.mu is held.
func (c *client) flood() {
	c.over = flooded
	c.partial = nil
	c.play.recordLocked(event{Event: transcript.Event{Kind: transcript.Remark, Client: c.label, Text: "flooded: the probe stops reading here"}})
}

// deliver puts a message into the inbox. play.mu is held.
func (c *client) deliver(f *wire.Frame) {
	p := c.play
	d := &delivery{frame: f}
	if d.token = p.tokenIn(f); d.token == nil || d.token.question {
		d.token = c.answered(f)
	}
	purpose := transcript.Purpose("")
	switch {
	case d.token != nil:
		purpose = transcript.Token
		d.mangled = !p.arrives(d.token, f)
		if !d.mangled {
			c.seen[d.token] = true
		}
	case !p.ready:
		purpose = transcript.Setup
	}
	d.about = p.isAboutHidden(f.Raw)
	if protocol := p.codec.Protocol; len(protocol.Answers)+len(protocol.Ignore) > 0 {
		if m := p.codec.Name(f, p.peer); m != nil {
			d.noise = slices.Contains(protocol.Ignore, m.Name) || c.answer(m, f)
		}
	}
	p.seq++
	d.seq = p.seq
	c.inbox = append(c.inbox, d)
	p.recordLocked(event{
		Event: transcript.Event{Kind: transcript.Receive, Client: c.label, Purpose: purpose},
		frame: f, from: p.peer,
	})
}

// isAboutHidden says that a message names the hidden client and none of the
// others: a notice about alice that ends in a list of all users is about
// alice. play.mu is held.
func (p *play) isAboutHidden(raw []byte) bool {
	if p.hidden == nil || !bytes.Contains(raw, []byte(p.hidden.name)) {
		return false
	}
	return !slices.ContainsFunc(p.scenario.Clients, func(c *scenario.Client) bool {
		return bytes.Contains(raw, []byte(c.Name))
	})
}

// answer has c answer f, if the protocol says that it does so by itself.
// play.mu is held.
func (c *client) answer(question *wire.Message, f *wire.Frame) bool {
	p := c.play
	answer := p.codec.Message(p.codec.Protocol.Answers[question.Name])
	if answer == nil {
		return false
	}
	args := wire.Args{}
	question.Match(f, nil, args)
	b, err := p.codec.Encode(answer, args, nil)
	if err != nil {
		return false
	}
	body := transcript.NewBody(b)
	p.recordLocked(event{Event: transcript.Event{
		Kind: transcript.Send, Client: c.label, Purpose: transcript.Setup, Body: &body, Text: "answered by itself: " + answer.Name,
	}})
	conn := c.live
	p.readers.Go(func() { _, _ = conn.Write(b) })
	return true
}
