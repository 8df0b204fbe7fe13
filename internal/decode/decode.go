// Package decode finds the messages of a protocol in the streams of a capture.
//
// It uses the same [wire.Codec] that judges live connections, so what is
// decoded from a file is what the probe would have seen:
//
//	d := decode.New(codecs, 0, func(m *transcript.Decoded) error { ... })
//	stats, err := pcap.Read(file, d.Sink())
//
// Which of several codecs fits (another protocol, another byte order) is found
// out for each connection: it is the one that makes the most messages of what
// came until the first was complete.
package decode

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
)

// Codecs are the ways to read a protocol when some settings are given: one for
// each choice that the others leave open.
func Codecs(p *wire.Protocol, given map[string]string) ([]*wire.Codec, error) {
	values, err := p.Settle(given)
	if err != nil {
		return nil, err
	}
	var codecs []*wire.Codec
	for _, v := range p.Guesses(values) {
		c, err := p.Bind(v)
		if err != nil {
			return nil, err
		}
		codecs = append(codecs, c)
	}
	return codecs, nil
}

// A Decoder turns streams into messages. It is not safe for concurrent use.
type Decoder struct {
	Messages int // so far

	codecs    []*wire.Codec
	port      int
	emit      func(*transcript.Decoded) error
	err       error
	conns     map[int]*conn
	spoken    map[netip.AddrPort]*wire.Codec // how to read what was said with a server
	strangers []string
	unnamed   int // strangers beyond the limit
	frame     wire.Frame
	talks     talks
	order     order
}

// conn is a connection whose codec is known, or is not known yet.
type conn struct {
	codec *wire.Codec
	sides [2]side // client, server
	early []chunk // what came before the codec was known
	held  int
	alien bool
	ended int
}

// side is one direction of a connection.
type side struct {
	buf  []byte // the beginning of a message; all that came while the codec is not known
	need int    // bytes needed before buf is worth another look
	any  bool   // a message has come
	lost bool   // the stream cannot be read any further
}

// chunk is a piece of a stream that waits, or a gap in it.
type chunk struct {
	source pcap.Source
	data   []byte
	gap    int
}

// Limits on what is kept.
const (
	guessLimit   = 1 << 20  // of a connection until it is known how to read it
	messageLimit = 16 << 20 // of a message that is not complete
	maxStrangers = 50
	maxServers   = 1024
)

// New makes a decoder. With a port it looks only at connections that have it
// at one end. emit is given each message; after an error it is not called
// again, and the error is returned by [Decoder.Err].
func New(codecs []*wire.Codec, port int, emit func(*transcript.Decoded) error) *Decoder {
	d := &Decoder{
		port: port, emit: emit, conns: map[int]*conn{}, spoken: map[netip.AddrPort]*wire.Codec{},
		talks: talks{port: port, servers: map[netip.AddrPort]*wire.Codec{}, numbers: map[talk]int{}},
	}
	for _, c := range codecs {
		if c.IsDatagram(wire.Client) {
			d.talks.codecs = append(d.talks.codecs, c)
		} else {
			d.codecs = append(d.codecs, c)
		}
	}
	return d
}

// Err is the first error that emit returned.
func (d *Decoder) Err() error { return d.err }

// Strangers says which connections held no message at all.
func (d *Decoder) Strangers() []string {
	if d.unnamed == 0 {
		return d.strangers
	}
	return append(slices.Clip(d.strangers), fmt.Sprintf("and %d connections more without a message", d.unnamed))
}

// Sink is what [pcap.Read] is to be given.
func (d *Decoder) Sink() pcap.Sink {
	port := d.port
	if port == 0 && len(d.codecs) > 0 {
		port = d.codecs[0].Protocol.Port
	}
	return pcap.Sink{Data: d.data, Gap: d.gap, End: d.end, Datagram: d.datagram, ServerPort: uint16(port)}
}

// conn is the state of a connection that is to be read, or nil.
func (d *Decoder) conn(s pcap.Source) *conn {
	if d.err != nil || len(d.codecs) == 0 || d.port != 0 && int(s.From.Port()) != d.port && int(s.To.Port()) != d.port {
		return nil
	}
	c := d.conns[s.Conn.ID]
	if c == nil {
		c = &conn{}
		if len(d.codecs) == 1 {
			c.codec = d.codecs[0]
		}
		d.conns[s.Conn.ID] = c
	}
	return c
}

func (c *conn) side(s pcap.Source) *side {
	if s.FromClient {
		return &c.sides[0]
	}
	return &c.sides[1]
}

func speaker(s pcap.Source) wire.Side {
	if s.FromClient {
		return wire.Client
	}
	return wire.Server
}

func (d *Decoder) data(s pcap.Source, b []byte) {
	c := d.conn(s)
	switch {
	case c == nil || c.alien:
	case c.codec != nil:
		d.take(c, s, b)
	default:
		d.wait(c, s, b)
	}
}

func (d *Decoder) add(c *conn, s pcap.Source, m *transcript.Message) {
	if d.err != nil {
		return
	}
	d.tell(&transcript.Decoded{
		Time: s.Time, Packet: s.Packet, Conn: s.Conn.ID,
		Sender: s.From.String(), Receiver: s.To.String(), Protocol: c.codec.Protocol.Name, Message: *m,
	})
}

// lose tells of bytes that are no message, after which nothing of that
// direction can be read.
func (d *Decoder) lose(c *conn, s pcap.Source, b []byte, why string, args ...any) {
	h := c.side(s)
	h.buf, h.lost = nil, true
	d.add(c, s, &transcript.Message{From: string(speaker(s)), Bytes: transcript.NewBody(b), Malformed: fmt.Sprintf(why, args...)})
}

// take decodes what b completes.
func (d *Decoder) take(c *conn, s pcap.Source, b []byte) {
	h := c.side(s)
	if h.lost {
		return
	}
	if len(h.buf) > 0 {
		h.buf = append(h.buf, b...)
		if len(h.buf) < h.need && len(h.buf) <= messageLimit {
			return
		}
		b = h.buf
	}
	at := 0
	for at < len(b) && d.err == nil {
		n, err := c.codec.Decode(&d.frame, b[at:], speaker(s))
		if errors.Is(err, wire.ErrShort) {
			h.need = n
			break
		}
		if err != nil {
			d.lose(c, s, b[at:], "%v", err)
			return
		}
		d.frame.SetFirst(!h.any)
		h.any = true
		d.add(c, s, d.frame.Transcript(c.codec.Name(&d.frame, speaker(s)), speaker(s)))
		at += n
	}
	if len(b)-at > messageLimit {
		d.lose(c, s, b[at:], "a message of at least %d bytes; more than %d are not kept", h.need, messageLimit)
		return
	}
	h.buf = append(h.buf[:0], b[at:]...)
}

// gap ends what can be read of a direction: where the next message begins
// after missing bytes, nobody knows.
func (d *Decoder) gap(s pcap.Source, n int) {
	c := d.conn(s)
	if c == nil || c.alien {
		return
	}
	if c.codec == nil {
		c.early = append(c.early, chunk{source: s, gap: n})
		c.side(s).lost = true
		return
	}
	h := c.side(s)
	switch {
	case h.lost:
	case len(h.buf) > 0 && h.need >= len(h.buf)+n:
		d.lose(c, s, h.buf, "%s missing in this message in the capture; what follows cannot be read", bytesAre(n))
	default:
		d.lose(c, s, h.buf, "%s missing here in the capture; what follows cannot be read", bytesAre(n))
	}
}

func bytesAre(n int) string {
	if n == 1 {
		return "1 byte is"
	}
	return fmt.Sprintf("%d bytes are", n)
}

// end tells of a message that was never completed.
func (d *Decoder) end(s pcap.Source, how pcap.End) {
	c := d.conn(s)
	if c == nil {
		return
	}
	c.ended++
	if c.ended == 2 {
		defer delete(d.conns, s.Conn.ID)
		defer d.goOn(s.Conn.ID)
	}
	if c.alien {
		return
	}
	if c.codec == nil {
		if c.ended < 2 {
			return
		}
		// That may be all of a conversation with a server that is known.
		if c.held > 0 && !d.settle(c, s.Conn.Server) {
			d.giveUp(c, s)
			return
		}
	}
	for i := range c.sides {
		from := s
		if from.FromClient = i == 0; from.FromClient != s.FromClient {
			if c.ended < 2 {
				continue
			}
			from.From, from.To = s.To, s.From
		}
		if h := &c.sides[i]; len(h.buf) > 0 && !h.lost && c.codec != nil {
			d.lose(c, from, h.buf, "cut off: %d of at least %d bytes came, then the connection was over (%s)", len(h.buf), h.need, how)
		}
	}
}
