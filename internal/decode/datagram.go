package decode

import (
	"fmt"
	"net/netip"

	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
)

// talks are the conversations over UDP. A datagram says nothing about who is
// the server: it is who was sent something that only a client sends, or who has
// sent what only a server does.
type talks struct {
	codecs  []*wire.Codec
	port    int // of the server, where that is known
	servers map[netip.AddrPort]*wire.Codec
	numbers map[talk]int
	ends    []byte // of the latest datagram, as a line of text has them
}

// A talk is a client and a server.
type talk struct{ client, server netip.AddrPort }

// maxTalks bounds how many conversations are told apart.
const maxTalks = 1 << 16

// datagram decodes one datagram.
func (d *Decoder) datagram(s pcap.Source, b []byte) {
	if d.err != nil || d.port != 0 && int(s.From.Port()) != d.port && int(s.To.Port()) != d.port {
		return
	}
	codec, from := d.talks.speaker(s, b)
	if codec == nil {
		return
	}
	server, client := s.To, s.From
	if from == wire.Server {
		server, client = s.From, s.To
	}
	if len(d.talks.servers) < maxServers {
		d.talks.servers[server] = codec
	}
	number, known := d.talks.numbers[talk{client, server}]
	if !known {
		number = len(d.talks.numbers) + 1
		if number <= maxTalks {
			d.talks.numbers[talk{client, server}] = number
		}
	}
	if d.several {
		d.choices.of(server, codec).messages++
	}
	m := &transcript.Message{From: string(from)}
	switch _, err := codec.Decode(&d.frame, b, from); {
	case err != nil:
		m.Malformed, m.Bytes = err.Error(), transcript.NewBody(b)
	case s.Cut > 0:
		m.Malformed, m.Bytes = fmt.Sprintf("%s missing at the end of this datagram in the capture", bytesAre(s.Cut)), transcript.NewBody(b)
	default:
		d.frame.SetFirst(!known)
		name := codec.Name(&d.frame, from)
		if d.text != nil && name != nil {
			d.talks.ends = appendEnds(d.talks.ends[:0], &s)
			if d.quick(&s, d.talks.ends, name) {
				return
			}
		}
		if m = d.frame.Transcript(name, from); name == nil {
			m.Malformed = "this is no message of the protocol"
		}
	}
	d.tell(&transcript.Decoded{
		Time: s.Time, Packet: s.Packet, Conn: number,
		Sender: s.From.String(), Receiver: s.To.String(), Protocol: codec.Protocol.Name, Message: *m,
	})
}

// speaker says who sent a datagram, and in which protocol; no codec if it
// belongs to none.
func (t *talks) speaker(s pcap.Source, b []byte) (*wire.Codec, wire.Side) {
	var f wire.Frame
	said := func(codec *wire.Codec, from wire.Side) bool {
		_, err := codec.Decode(&f, b, from)
		f.SetFirst(true)
		return err == nil && codec.Name(&f, from) != nil
	}
	to, from := t.servers[s.To], t.servers[s.From]
	switch {
	case to != nil && from != nil && !said(to, wire.Client) && said(from, wire.Server):
		return from, wire.Server // a client has the port of a server that was there before
	case to != nil:
		return to, wire.Client
	case from != nil:
		return from, wire.Server
	}
	for _, codec := range t.codecs {
		for _, from := range []wire.Side{wire.Client, wire.Server} {
			if said(codec, from) {
				return codec, from
			}
		}
	}
	if len(t.codecs) == 0 || t.port == 0 {
		return nil, ""
	}
	switch t.port {
	case int(s.To.Port()):
		return t.codecs[0], wire.Client
	case int(s.From.Port()):
		return t.codecs[0], wire.Server
	}
	return nil, ""
}
