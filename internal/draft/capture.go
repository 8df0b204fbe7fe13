// Package draft makes a scenario of a capture: what the clients did in it is
// done again, and what the server answered is expected.
//
//	c := draft.New(codecs, 0)
//	stats, err := pcap.Read(file, c.Sink())
//	...
//	err = c.Write(os.Stdout, suites, draft.About{File: "chat.pcap"})
//
// A scenario is a play and no recording. Clients have names, which stand for
// themselves in what is said; what a step expects stands behind the step that
// caused it; and what would be different the next time (a time of day, a list
// that the server tells in its own words) is left open, with a comment.
//
// What was captured is kept in memory until it is written; there is a limit.
package draft

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/chatprobe/chatprobe/internal/decode"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
)

// Limits on what is made into a scenario. It is meant to be read.
const (
	maxKept    = 16 << 20 // bytes
	maxPackets = 20_000
	maxSteps   = 2000
)

// A Capture is what was said in a capture. It is not safe for concurrent use.
type Capture struct {
	decoder *decode.Decoder
	codecs  []*wire.Codec

	packets []packet
	kept    int
	tooMuch bool

	conns     map[int]*pcap.Conn   // copies
	streams   map[int]string       // protocols of connections
	begins    map[direction]int    // bytes at the beginning of a direction that are the end of something
	datagrams map[int]told         // and of datagrams, by packet
	found     map[conversation]int // messages
}

// A packet is what one packet adds to a conversation.
type packet struct {
	pcap.Source
	what    kind
	data    []byte
	missing int // bytes
	how     pcap.End
}

type kind int

const (
	bytesCame kind = iota
	bytesMissing
	ended
	datagramCame
)

// A direction is what one side of a connection says.
type direction struct {
	conn       int
	fromClient bool
}

// told is what is known of a datagram.
type told struct {
	protocol string
	from     wire.Side
}

// A conversation is what is said with one server. Its address may differ from
// client to client, not its port.
type conversation struct {
	protocol string
	port     uint16
}

// New is a Capture that holds nothing yet. codecs and port are those of
// [decode.New].
func New(codecs []*wire.Codec, port int) *Capture {
	c := &Capture{
		codecs: codecs, conns: map[int]*pcap.Conn{}, streams: map[int]string{}, begins: map[direction]int{},
		datagrams: map[int]told{}, found: map[conversation]int{},
	}
	c.decoder = decode.New(codecs, port, c.message)
	return c
}

// message learns which protocol is spoken where.
func (c *Capture) message(m *transcript.Decoded) error {
	server := m.Receiver
	if m.From == string(wire.Server) {
		server = m.Sender
	}
	addr, err := netip.ParseAddrPort(server)
	if err != nil {
		return fmt.Errorf("read address: %w", err)
	}
	if c.codec(m.Protocol).IsDatagram(wire.Client) {
		c.datagrams[m.Packet] = told{m.Protocol, wire.Side(m.From)}
	} else {
		c.streams[m.Conn] = m.Protocol
		d := direction{m.Conn, m.From == string(wire.Client)}
		if _, known := c.begins[d]; !known {
			c.begins[d] = 0
			if m.Malformed != "" && !c.conns[m.Conn].Opened {
				c.begins[d] = m.Bytes.Length
			}
		}
	}
	if m.Malformed == "" {
		c.found[conversation{m.Protocol, addr.Port()}]++
	}
	return nil
}

// codec is the first way to read a protocol.
func (c *Capture) codec(protocol string) *wire.Codec {
	for _, codec := range c.codecs {
		if codec.Protocol.Name == protocol {
			return codec
		}
	}
	return nil
}

// Sink is what [pcap.Read] is to be given.
func (c *Capture) Sink() pcap.Sink {
	sink := c.decoder.Sink()
	inner := sink
	sink.Data = func(s pcap.Source, b []byte) {
		c.keep(packet{Source: s, what: bytesCame, data: b})
		inner.Data(s, b)
	}
	sink.Gap = func(s pcap.Source, n int) {
		c.keep(packet{Source: s, what: bytesMissing, missing: n})
		inner.Gap(s, n)
	}
	sink.End = func(s pcap.Source, how pcap.End) {
		c.keep(packet{Source: s, what: ended, how: how})
		inner.End(s, how)
	}
	sink.Datagram = func(s pcap.Source, b []byte) {
		c.keep(packet{Source: s, what: datagramCame, data: b})
		inner.Datagram(s, b)
	}
	return sink
}

// keep copies a packet, as long as there are not too many.
func (c *Capture) keep(p packet) {
	if p.Conn != nil {
		if c.conns[p.Conn.ID] == nil {
			conn := *p.Conn
			c.conns[conn.ID] = &conn
		}
		p.Conn = c.conns[p.Conn.ID]
	}
	c.kept += len(p.data)
	if c.tooMuch = c.tooMuch || c.kept > maxKept || len(c.packets) >= maxPackets; !c.tooMuch {
		p.data = bytes.Clone(p.data)
		c.packets = append(c.packets, p)
	}
}

// pick finds the one server of the capture.
func (c *Capture) pick() (conversation, error) {
	if c.tooMuch {
		return conversation{}, refuse("the capture is too long for a scenario: more than %d packets or %d MiB; "+
			"capture only what it is to be about, or choose a server with --port", maxPackets, maxKept>>20)
	}
	list := slices.SortedFunc(maps.Keys(c.found), func(a, b conversation) int {
		return cmp.Or(cmp.Compare(c.found[b], c.found[a]), cmp.Compare(a.port, b.port), strings.Compare(a.protocol, b.protocol))
	})
	switch {
	case len(list) == 0:
		return conversation{}, refuse("no message is in the capture, so nothing can be played again")
	case len(list) > 1 && list[0].port == list[1].port:
		return conversation{}, refuse("with the server on port %d both %s and %s seem to be spoken: choose one with --protocol",
			list[0].port, list[0].protocol, list[1].protocol)
	case len(list) > 1:
		return conversation{}, refuse("the capture has conversations with servers on ports %d and %d, and a scenario has one server: choose it with --port",
			list[0].port, list[1].port)
	}
	return list[0], nil
}

// suite finds the suite that a codec is of.
func suiteOf(suites []*scenario.Suite, codec *wire.Codec) *scenario.Suite {
	i := slices.IndexFunc(suites, func(s *scenario.Suite) bool { return s.Protocol == codec.Protocol })
	if i < 0 {
		return nil
	}
	return suites[i]
}
