package draft

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
)

// A talk is one connection, or over UDP all that one address has said and
// heard.
type talk struct {
	id     int // connections: in order of appearance
	client netip.AddrPort
	opened bool // the capture shows how it began
	actor  *actor

	first     int // event, -1 if it has none
	begins    int // the event before which it is opened at the latest
	end       int // the event that ended it, -1 if none did
	lastHeard int // event, -1 if there is none
	said      stream
	heard     stream
	bursts    []burst
	burst     map[int]int   // which burst the segment of an event belongs to
	logins    map[int]login // what begins with a burst, as far as it was looked at

	lost    int     // bytes of the client that the capture does not have
	over    [2]bool // which sides have ended, the client's and the server's
	half    bool    // the client closed its side and heard more
	dropped bool    // what it is about is left to another
}

func newTalk(id int, client netip.AddrPort, opened bool) *talk {
	return &talk{id: id, client: client, opened: opened, first: -1, end: -1, lastHeard: -1, burst: map[int]int{}, logins: map[int]login{}}
}

// A login is the bursts that are one, and under which name.
type login struct {
	bursts int // 0: there is none
	name   string
	named  bool
	judged bool // the rest is known
	events []int
	how    outcome
}

// A stream is one direction of a talk.
type stream struct {
	data     []byte
	begins   []int // offsets at which segments begin
	events   []int // and the event of each
	messages int
	bad      bool // nothing more can be read
	torn     bool // because the capture does not have all of it
	read     int  // bytes that were messages
}

// An event is one thing that the capture shows.
type event struct {
	index int
	talk  *talk
	time  time.Time
	what  happening
	from  int         // said: offset of the segment
	frame *wire.Frame // heard
}

type happening int

const (
	said   happening = iota // the client has sent a segment
	heard                   // a whole message of the server has come
	closed                  // the client has closed its side
	reset                   // the client has reset
	cutOff                  // the server has closed or reset
)

// A burst is a run of messages of a client that share segments: a border
// between segments is a border between messages only at its ends.
type burst struct {
	data     []byte
	messages []*wire.Frame // all of data, or none: then it is no messages
	splits   []int         // where segments begin in it
	events   []int         // the event of each segment
}

// A record is what a capture shows of the conversation with one server.
type record struct {
	codec  *wire.Codec
	port   uint16
	talks  []*talk
	events []event
	until  time.Time // of the last packet
}

// record sorts the packets by conversation, and reads them.
func (c *Capture) record(with conversation) *record {
	r := &record{codec: c.choose(with), port: with.port}
	udp := r.codec.IsDatagram(wire.Client)
	streams, addresses := map[int]*talk{}, map[netip.AddrPort]*talk{}
	for _, p := range c.packets {
		if p.Time.After(r.until) {
			r.until = p.Time
		}
		fromClient := p.FromClient
		var t *talk
		switch {
		case udp != (p.what == datagramCame):
			continue
		case udp:
			known, ok := c.datagrams[p.Packet]
			if !ok || known.protocol != with.protocol {
				continue
			}
			fromClient = known.from == wire.Client
			client, server := p.From, p.To
			if !fromClient {
				client, server = server, client
			}
			if server.Port() != with.port {
				continue
			}
			if t = addresses[client]; t == nil {
				t = newTalk(len(addresses)+1, client, true)
				addresses[client] = t
				r.talks = append(r.talks, t)
			}
		default:
			protocol, ok := c.streams[p.Conn.ID]
			if p.Conn.Server.Port() != with.port || ok && protocol != with.protocol {
				continue
			}
			if t = streams[p.Conn.ID]; t == nil {
				t = newTalk(p.Conn.ID, p.Conn.Client, false)
				streams[p.Conn.ID] = t
				r.talks = append(r.talks, t)
			}
			t.opened = p.Conn.Opened
			p.data = c.fromMessage(p)
		}
		r.add(t, p, fromClient)
	}
	slices.SortStableFunc(r.talks, func(a, b *talk) int { return a.id - b.id })
	begins := len(r.events)
	for _, t := range slices.Backward(r.talks) {
		if t.first >= 0 {
			begins = min(begins, t.first)
		}
		t.begins = begins
		r.readBursts(t)
	}
	return r
}

// fromMessage is the data of a packet without what belongs to a message that
// began before the capture.
func (c *Capture) fromMessage(p packet) []byte {
	d := direction{p.Conn.ID, p.FromClient}
	n := min(c.begins[d], len(p.data))
	c.begins[d] -= n
	return p.data[n:]
}

// choose is the codec that makes the most messages of what was said.
func (c *Capture) choose(with conversation) *wire.Codec {
	var best *wire.Codec
	most := -1
	for _, codec := range c.codecs {
		if codec.Protocol.Name != with.protocol {
			continue
		}
		n := 0
		streams := map[direction][]byte{}
		for _, p := range c.packets {
			if p.what == bytesCame && c.streams[p.Conn.ID] == with.protocol && p.Conn.Server.Port() == with.port {
				d := direction{p.Conn.ID, p.FromClient}
				streams[d] = append(streams[d], p.data...)
			}
		}
		for d, b := range streams {
			side := wire.Server
			if d.fromClient {
				side = wire.Client
			}
			n += count(codec, b[min(c.begins[d], len(b)):], side)
		}
		if n > most {
			best, most = codec, n
		}
	}
	return best
}

func count(codec *wire.Codec, b []byte, from wire.Side) int {
	var f wire.Frame
	n := 0
	for first := true; len(b) > 0; first = false {
		size, err := codec.Decode(&f, b, from)
		if err != nil {
			break
		}
		f.SetFirst(first)
		if m := codec.Name(&f, from); m != nil && !m.IsCatchAll() {
			n++
		}
		b = b[size:]
	}
	return n
}

// add makes events of a packet.
func (r *record) add(t *talk, p packet, fromClient bool) {
	e := event{talk: t, time: p.Time}
	switch {
	case p.what == bytesMissing && fromClient:
		t.lost += p.missing
		return
	case p.what == bytesMissing:
		t.heard.bad, t.heard.torn = true, true
		return
	case p.what == ended:
		r.end(t, p, e)
		return
	case len(p.data) == 0:
		return
	case fromClient:
		e.what, e.from = said, len(t.said.data)
		t.said.begins = append(t.said.begins, e.from)
		t.said.events = append(t.said.events, len(r.events))
		t.said.data = append(t.said.data, p.data...)
		r.append(e)
		return
	}
	t.half = t.half || t.over[0]
	s := &t.heard
	if r.codec.IsDatagram(wire.Server) || r.codec.Unframed(wire.Server) {
		s.data, s.read = s.data[:0], 0
	}
	s.data = append(s.data, p.data...)
	for !s.bad && s.read < len(s.data) {
		var f wire.Frame
		n, err := r.codec.Decode(&f, s.data[s.read:], wire.Server)
		if errors.Is(err, wire.ErrShort) {
			break
		}
		if err != nil {
			s.bad = true
			break
		}
		f.SetFirst(s.messages == 0)
		s.messages++
		s.read += n
		e.what, e.frame = heard, f.Clone()
		r.append(e)
	}
}

func (r *record) append(e event) {
	if e.talk.first < 0 {
		e.talk.first = len(r.events)
	}
	e.index = len(r.events)
	if e.what == heard {
		e.talk.lastHeard = len(r.events)
	}
	r.events = append(r.events, e)
}

// end makes an event of the end of one direction.
func (r *record) end(t *talk, p packet, e event) {
	side := 0
	if !p.FromClient {
		side = 1
	}
	if p.how == pcap.CaptureUp || p.how == pcap.Unseen || t.over[side] {
		return
	}
	other := t.over[1-side]
	t.over[side] = true
	switch {
	case p.how == pcap.Reset:
		t.over = [2]bool{true, true} // it ends both; the first is whose it is
		if e.what = reset; side == 1 {
			e.what = cutOff
		}
	case side == 1:
		e.what = cutOff
	default:
		e.what = closed
	}
	if other && !(t.half && e.what == cutOff) {
		return // the other side has ended it before
	}
	t.end = len(r.events)
	r.append(e)
}

// readBursts finds the messages of a client, and which share segments.
func (r *record) readBursts(t *talk) {
	s := &t.said
	alone := r.codec.IsDatagram(wire.Client) || r.codec.Unframed(wire.Client)
	ends := append(slices.Clone(s.begins), len(s.data))[min(1, len(s.begins)):]
	segment, at := 0, 0
	// take makes a burst of what lies before end.
	take := func(end int, messages []*wire.Frame) {
		b := burst{data: s.data[at:end], messages: messages}
		for ; segment < len(s.begins) && s.begins[segment] < end; segment++ {
			if s.begins[segment] > at {
				b.splits = append(b.splits, s.begins[segment]-at)
			}
			b.events = append(b.events, s.events[segment])
			t.burst[s.events[segment]] = len(t.bursts)
		}
		t.bursts = append(t.bursts, b)
		at = end
	}
	var list []*wire.Frame
	for end := 0; end < len(s.data); {
		rest := s.data[end:]
		if alone {
			rest = s.data[end:ends[segment]]
		}
		var f wire.Frame
		n, err := r.codec.Decode(&f, rest, wire.Client)
		switch {
		case err != nil && alone:
			take(ends[segment], nil)
			end = at
			continue
		case err != nil:
			// Bytes that are no message, and all that follows.
			for segment < len(s.begins) {
				take(ends[segment], nil)
			}
			return
		}
		f.SetFirst(s.messages == 0)
		s.messages++
		list = append(list, f.Clone())
		end += n
		if _, ok := slices.BinarySearch(s.begins, end); ok || end == len(s.data) {
			take(end, list)
			list = nil
		}
	}
}
