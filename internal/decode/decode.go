// Package decode finds the messages of a protocol in the streams of a capture.
//
// It uses the same [wire.Codec] that judges live connections, so what is
// decoded from a file is what the probe would have seen:
//
//	d := decode.New(codecs, 0, func(m *transcript.Decoded) error { ... })
//	stats, err := pcap.Read(file, d.Sink())
//
// A decoder of [NewText] writes a line for each message instead, in a tenth of
// the time; with [Behind] that is done while the next packets are read.
//
// Behind bytes that are missing or malformed, the next message is looked for.
// What was skipped is shown in its place.
//
// Which of several codecs fits (another protocol, another byte order) is found
// out for each connection: it is the one that makes the most messages of what
// came until the first was complete; [Decoder.Choices] says which it was.
package decode

import (
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
	several   bool // codecs to choose from
	emit      func(*transcript.Decoded) error
	text      *text // that emit belongs to, or nil
	err       error
	conns     map[int]*conn
	latest    *conn // one of conns, with latestID: mostly the next one, too
	latestID  int
	spoken    map[netip.AddrPort]*wire.Codec // how to read what was said with a server
	strangers []string
	unnamed   int // strangers beyond the limit
	frame     wire.Frame
	talks     talks
	choices   choices
	counts    []int // what guess found, by codec
	order     order
}

// conn is a connection whose codec is known, or is not known yet.
type conn struct {
	codec  *wire.Codec
	choice *choice // that led to the codec, or nil
	sides  [2]side // client, server
	early  []chunk // what came before the codec was known
	held   int
	alien  bool
	ended  int
}

// side is one direction of a connection.
type side struct {
	buf   []byte // the beginning of a message; all that came while the codec is not known
	need  int    // bytes needed before buf is worth another look
	begun bool   // some of the stream has come, or is known to be missing
	torn  bool   // bytes are missing behind buf, and the codec is not known
	any   bool   // a message has come
	waits bool   // others wait for what seek finds
	seek  *seek  // looks for the next message, or nil
	marks []mark // where the bytes of buf come from, while seek is not nil
	ends  []byte // the two addresses as a line of text has them
}

// A mark says that the bytes of a buffer up to end come from source.
type mark struct {
	end    int
	source pcap.Source
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
	maxEarly     = 1 << 13  // pieces of that
	messageLimit = 16 << 20 // of a message that is not complete
	maxStrangers = 50
	maxServers   = 1024
)

// New makes a decoder. With a port it looks only at connections that have it
// at one end. emit is given each message; after an error it is not called
// again, and the error is returned by [Decoder.Err].
func New(codecs []*wire.Codec, port int, emit func(*transcript.Decoded) error) *Decoder {
	d := &Decoder{
		port: port, emit: emit, several: len(codecs) > 1, conns: map[int]*conn{}, spoken: map[netip.AddrPort]*wire.Codec{},
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
	return pcap.Sink{Data: d.data, Gap: d.gap, End: d.end, Datagram: d.datagram, Wait: d.wakeUp, ServerPort: uint16(port)}
}

// wakeUp is for when nothing more may come for a while: what is known is said.
func (d *Decoder) wakeUp() {
	_ = d.Flush() // the error stays
}

// conn is the state of a connection that is to be read, or nil.
func (d *Decoder) conn(s *pcap.Source) *conn {
	if d.err != nil || len(d.codecs) == 0 || d.port != 0 && int(s.From.Port()) != d.port && int(s.To.Port()) != d.port {
		return nil
	}
	if d.latest != nil && d.latestID == s.Conn.ID {
		return d.latest
	}
	c := d.conns[s.Conn.ID]
	if c == nil {
		c = &conn{}
		if len(d.codecs) == 1 {
			d.choose(c, d.codecs[0], s.Conn.Server, false)
		}
		d.conns[s.Conn.ID] = c
	}
	d.latest, d.latestID = c, s.Conn.ID
	return c
}

func (c *conn) side(s *pcap.Source) *side {
	if s.FromClient {
		return &c.sides[0]
	}
	return &c.sides[1]
}

func speaker(s *pcap.Source) wire.Side {
	if s.FromClient {
		return wire.Client
	}
	return wire.Server
}

func (d *Decoder) data(s pcap.Source, b []byte) {
	c := d.conn(&s)
	switch {
	case c == nil || c.alien:
	case c.codec != nil:
		d.take(c, &s, b)
	default:
		d.wait(c, &s, b)
	}
}

func (d *Decoder) add(c *conn, s *pcap.Source, m *transcript.Message) {
	if d.err != nil {
		return
	}
	d.tell(&transcript.Decoded{
		Time: s.Time, Packet: s.Packet, Conn: s.Conn.ID,
		Sender: s.From.String(), Receiver: s.To.String(), Protocol: c.codec.Protocol.Name, Message: *m,
	})
}

// quick writes the message in d.frame as a line, if that can be done at once.
func (d *Decoder) quick(s *pcap.Source, ends []byte, m *wire.Message) bool {
	if !d.order.isFree() || d.err != nil {
		return false
	}
	done, err := d.text.frame(d.Messages+1, s.Time, ends, &d.frame, m)
	if done {
		d.Messages++
		d.err = err
	}
	return done
}

// found tells of the message in d.frame, which is called m.
func (d *Decoder) found(c *conn, s *pcap.Source, m *wire.Message) {
	if c.choice != nil {
		c.choice.messages++
	}
	if d.text != nil && d.quick(s, c.ends(s), m) {
		return
	}
	d.add(c, s, d.frame.Transcript(m, speaker(s)))
}

func bytesAre(n int) string {
	if n == 1 {
		return "1 byte is"
	}
	return fmt.Sprintf("%d bytes are", n)
}

// end tells of a message that was never completed.
func (d *Decoder) end(source pcap.Source, how pcap.End) {
	s := &source
	c := d.conn(s)
	if c == nil {
		return
	}
	c.ended++
	if c.ended == 2 {
		defer d.forget(s.Conn.ID)
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
		from := source
		if from.FromClient = i == 0; from.FromClient != s.FromClient {
			if c.ended < 2 {
				continue
			}
			from.From, from.To = s.To, s.From
		}
		if h := &c.sides[i]; c.codec != nil {
			if rest := d.rest(c, &from); len(rest) > 0 {
				d.malformed(c, &from, rest, fmt.Sprintf("cut off: %d of at least %d bytes came, then the connection was over (%s)", len(rest), h.need, how))
			}
		}
	}
}

// forget drops a connection that is over.
func (d *Decoder) forget(id int) {
	d.goOn(waiter{conn: id})
	delete(d.conns, id)
	d.latest = nil
}
