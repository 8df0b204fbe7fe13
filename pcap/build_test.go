package pcap

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// The ends of the connections that tests build, unless they say otherwise.
var (
	client = netip.MustParseAddrPort("10.0.0.1:50000")
	server = netip.MustParseAddrPort("10.0.0.2:4445")
	epoch  = time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)
)

// A seg is a TCP segment that a test builds.
type seg struct {
	from  string // ">" from the client, "<" from the server
	flags string // any of S, A, F, R
	seq   uint32
	ack   uint32 // sets A
	data  string
	cut   int    // so many bytes at the end are not captured
	port  uint16 // of the server, if it is not 4445
}

// ip is the segment as an IP packet, and how long it was on the wire.
func (s seg) ip() (data []byte, size int) {
	from, to := client, server
	if s.port != 0 {
		to = netip.AddrPortFrom(to.Addr(), s.port)
	}
	if s.from == "<" {
		from, to = to, from
	}
	t := &layers.TCP{
		SrcPort: layers.TCPPort(from.Port()), DstPort: layers.TCPPort(to.Port()), Seq: s.seq, Ack: s.ack, Window: 65535,
		SYN: strings.Contains(s.flags, "S"), FIN: strings.Contains(s.flags, "F"), RST: strings.Contains(s.flags, "R"),
		ACK: strings.Contains(s.flags, "A") || s.ack != 0,
	}
	network := ip4(layers.IPProtocolTCP)
	network.SrcIP, network.DstIP = from.Addr().AsSlice(), to.Addr().AsSlice()
	b := serialize(network, t, gopacket.Payload(s.data))
	return b[:len(b)-s.cut], len(b)
}

func ip4(protocol layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: protocol, SrcIP: net.IP{10, 0, 0, 1}, DstIP: net.IP{10, 0, 0, 2}}
}

func ip6(next layers.IPProtocol) *layers.IPv6 {
	return &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: next, SrcIP: net.ParseIP("fd00::1"), DstIP: net.ParseIP("fd00::2")}
}

func serialize(l ...gopacket.SerializableLayer) []byte {
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, l...); err != nil {
		panic(err)
	}
	return bytes.Clone(buf.Bytes())
}

// rawFile is a capture of segments, as raw IP.
func rawFile(segs ...seg) []byte {
	var frames []frame
	for _, s := range segs {
		data, size := s.ip()
		frames = append(frames, frame{data: data, size: size})
	}
	return pcapFileOf(linkRaw, frames...)
}

// pcapFileOf is a pcap file in nanoseconds.
func pcapFileOf(link uint32, frames ...frame) []byte {
	var b bytes.Buffer
	w := pcapgo.NewWriterNanos(&b)
	if err := w.WriteFileHeader(maxPacket, layers.LinkTypeRaw); err != nil {
		panic(err)
	}
	copy(b.Bytes()[20:], []byte{byte(link), byte(link >> 8), byte(link >> 16), byte(link >> 24)})
	for i, f := range frames {
		at := epoch.Add(time.Duration(i) * time.Millisecond)
		size := max(f.size, len(f.data))
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(f.data), Length: size}, f.data); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

// A listener notes what a capture holds.
type listener struct {
	streams map[string]string // by connection and direction, as "1>"
	events  []string
	conns   []*Conn
	ended   map[string]bool
	bad     []string
}

func (l *listener) sink() Sink {
	l.streams, l.ended = map[string]string{}, map[string]bool{}
	return Sink{
		Data: func(s Source, b []byte) {
			l.note(s, string(b))
			l.event(s, "%q", b)
		},
		Gap: func(s Source, n int) {
			l.note(s, fmt.Sprintf("[%d missing]", n))
			l.event(s, "%d missing", n)
			if n <= 0 {
				l.bad = append(l.bad, fmt.Sprintf("a gap of %d bytes", n))
			}
		},
		End: func(s Source, how End) {
			l.note(s, "|"+how.String())
			l.event(s, "%v", how)
			l.ended[l.key(s)] = true
		},
		Datagram: func(s Source, b []byte) {
			l.streams["udp"] += fmt.Sprintf("%d>%d %s", s.From.Port(), s.To.Port(), b)
			if s.Cut > 0 {
				l.streams["udp"] += fmt.Sprintf("[%d missing]", s.Cut)
			}
			l.streams["udp"] += ";"
		},
	}
}

func (l *listener) key(s Source) string {
	from, to, arrow := s.Conn.Client, s.Conn.Server, ">"
	if !s.FromClient {
		from, to, arrow = to, from, "<"
	}
	if s.From != from || s.To != to {
		l.bad = append(l.bad, fmt.Sprintf("%v is from %v to %v", s.Conn, s.From, s.To))
	}
	return fmt.Sprint(s.Conn.ID, arrow)
}

func (l *listener) note(s Source, text string) {
	key := l.key(s)
	if l.ended[key] {
		l.bad = append(l.bad, key+" goes on after its end")
	}
	if len(l.conns) < s.Conn.ID {
		l.conns = append(l.conns, make([]*Conn, s.Conn.ID-len(l.conns))...)
	}
	l.conns[s.Conn.ID-1] = s.Conn
	l.streams[key] += text
}

func (l *listener) event(s Source, format string, args ...any) {
	l.events = append(l.events, fmt.Sprintf("packet %d %s ", s.Packet, l.key(s))+fmt.Sprintf(format, args...))
}

// listen reads a capture that is whole.
func listen(t testing.TB, file []byte) (*listener, Stats) {
	t.Helper()
	var l listener
	stats, err := Read(bytes.NewReader(file), l.sink())
	if err != nil {
		t.Fatal(err)
	}
	l.check(t, stats)
	return &l, stats
}

// check holds what was heard against what a Sink is promised.
func (l *listener) check(t testing.TB, stats Stats) {
	t.Helper()
	for _, b := range l.bad {
		t.Error(b)
	}
	if len(l.ended) != 2*stats.Conns {
		t.Errorf("%d ends of %d connections", len(l.ended), stats.Conns)
	}
}

func (l *listener) want(t testing.TB, want map[string]string) {
	t.Helper()
	for k, v := range want {
		if l.streams[k] != v {
			t.Errorf("stream %s is\n%.300q, not\n%.300q", k, l.streams[k], v)
		}
	}
	for k, v := range l.streams {
		if _, ok := want[k]; !ok && v != "" {
			t.Errorf("unexpected stream %s: %.300q", k, v)
		}
	}
}
