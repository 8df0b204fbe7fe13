package pcap

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/gopacket/layers"
)

// A packet is what a frame carries through the internet. One is filled in
// again for every frame.
type packet struct {
	number int
	time   time.Time
	route
	protocol byte
	data     []byte // what follows the headers that have been read
	missing  int    // bytes that follow data on the wire, cut off by the capture

	seq, ack uint32 // of TCP
	flags    byte
}

// Flags of TCP.
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	_
	flagACK
)

// A route is where a packet comes from and goes to. Made of numbers only, it is
// quick to compare and to look up.
type route struct {
	src, dst address
	ports    uint64 // that of src, and that of dst in the lower 16 bits
}

func (r *route) srcPort() uint16 { return uint16(r.ports >> 16) }
func (r *route) dstPort() uint16 { return uint16(r.ports) }

// An address is of IPv6, or of IPv4 in the form ::ffff:a.b.c.d.
type address struct{ high, low uint64 }

func address4(b []byte) address {
	return address{low: 0xffff<<32 | uint64(binary.BigEndian.Uint32(b))}
}

func address16(b []byte) address {
	return address{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

func (a address) withPort(port uint16) netip.AddrPort {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], a.high)
	binary.BigEndian.PutUint64(b[8:], a.low)
	return netip.AddrPortFrom(netip.AddrFrom16(b).Unmap(), port)
}

// Link types, by the numbers of the file formats. All kinds of raw IP are read
// alike: the first four bits say which it is.
const (
	linkNull     = 0
	linkEthernet = 1
	linkRawBSD   = 12
	linkRawOpen  = 14
	linkRaw      = 101
	linkLoop     = 108
	linkCooked   = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkCooked2  = 276 // what `tcpdump -i any` writes today
)

func linkKnown(link uint32) bool {
	switch link {
	case linkNull, linkEthernet, linkRawBSD, linkRawOpen, linkRaw, linkLoop, linkCooked, linkIPv4, linkIPv6, linkCooked2:
		return true
	}
	return false
}

func linkName(link uint32) string {
	if link > 255 {
		return fmt.Sprint(link)
	}
	return fmt.Sprintf("%d (%v)", link, layers.LinkType(link))
}

// What follows the header of a link.
const (
	etherIPv4    = 0x0800
	etherIPv6    = 0x86dd
	etherVLAN    = 0x8100
	etherQinQ    = 0x88a8
	etherOldQinQ = 0x9100
)

func isVLAN(ether uint16) bool {
	return ether == etherVLAN || ether == etherQinQ || ether == etherOldQinQ
}

// Protocols in IP.
const (
	protocolHopByHop    = 0
	protocolTCP         = 6
	protocolUDP         = 17
	protocolRouting     = 43
	protocolFragment    = 44
	protocolAuth        = 51
	protocolDestination = 60
	protocolMobility    = 135
)

// frame takes a frame apart from its link layer on. It reports whether the
// frame could be read and held TCP or UDP.
func (a *assembler) frame(f *frame) bool {
	if f.link == linkEthernet && a.plain(f) {
		return true
	}
	header, kind := 0, 0 // length of the link header, where it says what follows
	switch f.link {
	case linkEthernet:
		header, kind = 14, 12
	case linkCooked:
		header, kind = 16, 14
	case linkCooked2:
		header, kind = 20, 0
	case linkNull, linkLoop:
		// The header is a number for the kind of address, which differs between
		// systems and says no more than the packet itself.
		return a.internet(f, 4)
	default:
		return linkKnown(f.link) && a.internet(f, 0)
	}
	if len(f.data) < header {
		return false
	}
	ether := binary.BigEndian.Uint16(f.data[kind:])
	for isVLAN(ether) {
		if len(f.data) < header+4 {
			return false
		}
		ether = binary.BigEndian.Uint16(f.data[header+2:])
		header += 4
	}
	return (ether == etherIPv4 || ether == etherIPv6) && a.internet(f, header)
}

// plain takes the frame that comes nearly always: IPv4 without options, no
// fragment, with a TCP segment all of which was captured. It is only a shortcut
// for what follows, and leaves to that whatever is not so.
func (a *assembler) plain(f *frame) bool {
	const ip, tcp = 14, 14 + 20 // where the headers begin
	d := f.data
	if len(d) < tcp+20 || binary.BigEndian.Uint16(d[12:]) != etherIPv4 || d[ip] != 0x45 || d[ip+9] != protocolTCP ||
		binary.BigEndian.Uint16(d[ip+6:])&0x3fff != 0 {
		return false
	}
	end, body := ip+int(binary.BigEndian.Uint16(d[ip+2:])), tcp+int(d[tcp+12]>>4)*4
	if end > len(d) || body < tcp+20 || body > end {
		return false
	}
	p := &a.packet
	p.number, p.time = a.stats.Packets, f.time
	p.src, p.dst = address4(d[ip+12:]), address4(d[ip+16:])
	p.ports = uint64(binary.BigEndian.Uint32(d[tcp:]))
	p.seq, p.ack, p.flags = binary.BigEndian.Uint32(d[tcp+4:]), binary.BigEndian.Uint32(d[tcp+8:]), d[tcp+13]
	p.data, p.missing = d[body:end], 0
	a.stats.TCP++
	a.segment(p)
	return true
}

// internet takes the IP packet in a frame, behind the header of its link.
func (a *assembler) internet(f *frame, header int) bool {
	if len(f.data) <= header {
		return false
	}
	p := &a.packet
	p.number, p.time = a.stats.Packets, f.time
	data, size := f.data[header:], f.size-header
	switch data[0] >> 4 {
	case 4:
		return a.internet4(p, data, size)
	case 6:
		return a.internet6(p, data, size)
	}
	return false
}

// internet4 takes an IPv4 packet, which was size bytes long on the wire.
func (a *assembler) internet4(p *packet, data []byte, size int) bool {
	if len(data) < 20 {
		return false
	}
	header, total := int(data[0]&15)*4, int(binary.BigEndian.Uint16(data[2:]))
	if total == 0 {
		// The network card was to split a large packet and fill this in.
		total = size
	}
	if header < 20 || header > len(data) || header > total {
		return false
	}
	p.src, p.dst = address4(data[12:]), address4(data[16:])
	p.protocol = data[9]
	p.body(data[header:], total-header)
	field := binary.BigEndian.Uint16(data[6:])
	if offset, more := int(field&0x1fff)*8, field&0x2000 != 0; offset > 0 || more {
		id := uint32(binary.BigEndian.Uint16(data[4:]))
		whole, ok := a.fragments.take(p, id, offset, more)
		if whole == nil {
			return ok
		}
		p.data = whole // and counts as part of the packet that completed it
	}
	return a.transport(p)
}

// body sets what follows a header: size bytes on the wire, of which data has as
// many as were captured, and behind them what a link fills short packets up with.
func (p *packet) body(data []byte, size int) {
	p.missing = max(size-len(data), 0)
	p.data = data[:min(size, len(data))]
}

// internet6 takes an IPv6 packet, which was size bytes long on the wire.
func (a *assembler) internet6(p *packet, data []byte, size int) bool {
	const header = 40
	if len(data) < header {
		return false
	}
	length := int(binary.BigEndian.Uint16(data[4:]))
	if length == 0 {
		// As in IPv4; or it is longer than can be said here.
		length = max(size-header, 0)
	}
	p.src, p.dst = address16(data[8:]), address16(data[24:])
	p.protocol = data[6]
	p.body(data[header:], length)
	return a.extensions(p)
}

// extensions passes over the headers between IPv6 and what it carries.
func (a *assembler) extensions(p *packet) bool {
	for {
		length := 8 // that of the shortest
		switch p.protocol {
		case protocolHopByHop, protocolRouting, protocolDestination, protocolMobility, protocolAuth, protocolFragment:
			if len(p.data) < length {
				return false
			}
		default:
			return a.transport(p)
		}
		switch p.protocol {
		case protocolAuth:
			length += 4 * int(p.data[1])
		case protocolFragment:
			field, id := binary.BigEndian.Uint16(p.data[2:]), binary.BigEndian.Uint32(p.data[4:])
			if offset, more := int(field&^7), field&1 != 0; offset > 0 || more {
				p.protocol, p.data = p.data[0], p.data[length:]
				whole, ok := a.fragments.take(p, id, offset, more)
				if whole == nil {
					return ok
				}
				p.data = whole
				continue
			}
		default:
			length += 8 * int(p.data[1])
		}
		if length > len(p.data) {
			return false
		}
		p.protocol, p.data = p.data[0], p.data[length:]
	}
}

// transport takes what IP carries.
func (a *assembler) transport(p *packet) bool {
	switch {
	case p.protocol == protocolTCP && len(p.data) >= 20:
		return a.tcp(p)
	case p.protocol == protocolUDP && len(p.data) >= 8:
		a.udp(p)
		return true
	}
	return false
}

func (a *assembler) tcp(p *packet) bool {
	header := int(p.data[12]>>4) * 4
	if header < 20 || header > len(p.data)+p.missing {
		return false
	}
	p.ports = uint64(binary.BigEndian.Uint32(p.data))
	p.seq, p.ack = binary.BigEndian.Uint32(p.data[4:]), binary.BigEndian.Uint32(p.data[8:])
	p.flags = p.data[13]
	if header > len(p.data) { // cut inside the options
		p.missing -= header - len(p.data)
		header = len(p.data)
	}
	p.data = p.data[header:]
	a.stats.TCP++
	a.segment(p)
	return true
}

func (a *assembler) udp(p *packet) {
	p.ports = uint64(binary.BigEndian.Uint32(p.data))
	size := int(binary.BigEndian.Uint16(p.data[4:])) - 8
	p.data = p.data[8:]
	if size >= 0 && size <= len(p.data) {
		p.data, p.missing = p.data[:size], 0
	}
	a.stats.UDP++
	a.stats.Missing += int64(p.missing)
	if a.sink.Datagram != nil {
		from, to := p.src.withPort(p.srcPort()), p.dst.withPort(p.dstPort())
		a.sink.Datagram(Source{From: from, To: to, Packet: p.number, Time: p.time, Cut: p.missing}, p.data)
	}
}
