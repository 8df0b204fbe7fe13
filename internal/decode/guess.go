package decode

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"

	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
)

// wait keeps what comes until it is known how to read it.
func (d *Decoder) wait(c *conn, s *pcap.Source, b []byte) {
	h := c.side(s)
	if c.held == 0 {
		d.order.wait(waiter{conn: s.Conn.ID}, s.Packet)
	}
	c.held += len(b)
	c.early = append(c.early, chunk{source: *s, data: bytes.Clone(b)})
	if !h.torn {
		h.buf = append(h.buf, b...)
	}
	if !h.torn && len(h.buf) >= h.need {
		if codec := d.guess(h, speaker(s), false); codec != nil {
			d.replay(c, codec, s.Conn.Server, true)
			return
		}
	}
	if (c.held > guessLimit || len(c.early) > maxEarly) && !d.settle(c, s.Conn.Server) {
		d.giveUp(c, s)
	}
}

// tieLimit is how many messages several codecs may agree about before the
// first of them is taken.
const tieLimit = 16

// guess is the codec that makes the most messages of what one side has said.
// It is nil as long as none makes any, or several make the same number and
// more may decide between them. last says that no more will come.
func (d *Decoder) guess(h *side, from wire.Side, last bool) *wire.Codec {
	var best *wire.Codec
	most, tie, need := 0, false, math.MaxInt
	d.counts = d.counts[:0]
	for _, codec := range d.codecs {
		n, short := d.messages(codec, h.buf, from)
		d.counts = append(d.counts, n)
		need = min(need, short)
		switch {
		case n > most:
			best, most, tie = codec, n, false
		case n == most:
			tie = true
		}
	}
	if most == 0 || tie && !last && most < tieLimit {
		h.need = need
		return nil
	}
	return best
}

// messages counts the messages in b that have a name of their own, and says how
// many bytes there must be before it is worth counting again.
func (d *Decoder) messages(codec *wire.Codec, b []byte, from wire.Side) (count, need int) {
	at := 0
	for at < len(b) {
		n, err := codec.Decode(&d.frame, b[at:], from)
		if err == wire.ErrShort {
			return count, saturate(at, n)
		}
		if err != nil {
			return count, math.MaxInt // no more will come of this
		}
		d.frame.SetFirst(at == 0)
		if m := codec.Name(&d.frame, from); m != nil && !m.IsCatchAll() {
			count++ // what has an end and no name may be anything
		}
		at += n
	}
	return count, len(b) + 1
}

func saturate(a, b int) int {
	if b > math.MaxInt-a {
		return math.MaxInt
	}
	return a + b
}

// settle takes the best guess there is at the end of a connection: what its
// own bytes say, or how others spoke with the same server.
func (d *Decoder) settle(c *conn, server netip.AddrPort) bool {
	for i, from := range []wire.Side{wire.Client, wire.Server} {
		if codec := d.guess(&c.sides[i], from, true); codec != nil {
			d.replay(c, codec, server, true)
			return true
		}
	}
	if codec := d.spoken[server]; codec != nil {
		d.replay(c, codec, server, false)
		return true
	}
	return false
}

// choose says how a connection is to be read. guessed says that d.counts tell
// why.
func (d *Decoder) choose(c *conn, codec *wire.Codec, server netip.AddrPort, guessed bool) {
	c.codec = codec
	if !d.several {
		return
	}
	o := d.choices.of(server, codec)
	if o.codec == codec {
		c.choice = o
	}
	if guessed {
		for i, n := range d.counts {
			o.samples[d.codecs[i]] += n
		}
	}
}

// replay reads what has waited, in the order in which it came.
func (d *Decoder) replay(c *conn, codec *wire.Codec, server netip.AddrPort, guessed bool) {
	if len(d.spoken) < maxServers {
		d.spoken[server] = codec
	}
	d.choose(c, codec, server, guessed)
	early := c.early
	c.early, c.sides = nil, [2]side{}
	for _, e := range early {
		if e.gap > 0 {
			d.gap(e.source, e.gap)
			continue
		}
		d.take(c, &e.source, e.data)
	}
	if len(early) > 0 {
		d.goOn(waiter{conn: early[0].source.Conn.ID})
	}
}

// giveUp drops a connection that nothing can be made of.
func (d *Decoder) giveUp(c *conn, s *pcap.Source) {
	const shown = 24
	c.alien = true
	defer d.goOn(waiter{conn: s.Conn.ID})
	held, early := c.held, c.early
	c.early, c.sides = nil, [2]side{}
	if len(d.strangers) == maxStrangers {
		d.unnamed++
		return
	}
	var head []byte
	for _, e := range early {
		if len(e.data) > 0 {
			head = e.data[:min(len(e.data), shown)]
			break
		}
	}
	noun := "bytes"
	if held == 1 {
		noun = "byte"
	}
	d.strangers = append(d.strangers, fmt.Sprintf("connection %d, %s -> %s: no message in %d %s that begin with \"%s\"",
		s.Conn.ID, s.Conn.Client, s.Conn.Server, held, noun, transcript.Printable(head)))
}
