package pcap

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// A Writer writes a capture of conversations that nobody captured: it makes the
// packets that would have carried them. It needs no privileges, and what it
// writes opens in Wireshark as the same streams.
//
//	w := pcap.NewWriter(file)
//	r := w.Open(at, client, server)
//	r.Data(at, true, []byte("hello"))
//	r.Close(at, true)
//	r.Close(at, false)
//	err := w.Flush()
//
// Every write becomes a packet (or several, if it is long), which the other side
// confirms at once. Bytes that are not known any more can be left out: see
// [Recording.Cut]. The first error stops all writing and is returned by Flush.
// A Writer is not safe for concurrent use.
type Writer struct {
	buf    *bufio.Writer
	file   *pcapgo.Writer
	packet gopacket.SerializeBuffer
	opened uint32 // connections so far, and attempts
	err    error
}

// A Recording is a connection that is being written.
type Recording struct {
	w    *Writer
	ends [2]netip.AddrPort // client, server
	next [2]uint32         // sequence number of what each sends next
	over [2]bool           // each has closed
}

const (
	// maxSegment is the most that goes into one packet. Linux sends as much
	// over the loopback interface.
	maxSegment = 1<<16 - 512
	// maxDatagramBody is the most that UDP can carry over IPv4.
	maxDatagramBody = 1<<16 - 1 - 20 - udpHeader
	udpHeader       = 8
)

// NewWriter begins a capture: a pcap file of raw IP packets, with times in
// nanoseconds.
func NewWriter(w io.Writer) *Writer {
	b := bufio.NewWriterSize(w, 1<<16)
	n := &Writer{buf: b, file: pcapgo.NewWriterNanos(b), packet: gopacket.NewSerializeBuffer()}
	n.err = n.file.WriteFileHeader(maxPacket, layers.LinkTypeRaw)
	return n
}

// Flush writes out what is buffered, and returns the first error of all writing.
func (w *Writer) Flush() error {
	if w.err == nil {
		w.err = w.buf.Flush()
	}
	if w.err != nil {
		return fmt.Errorf("write capture: %w", w.err)
	}
	return nil
}

// Open records that client has connected to server. Both must have addresses of
// the same family.
func (w *Writer) Open(at time.Time, client, server netip.AddrPort) *Recording {
	r := w.attempt(at, client, server)
	r.segment(at, false, &layers.TCP{SYN: true, ACK: true}, nil)
	r.next[1]++
	r.segment(at, true, &layers.TCP{ACK: true}, nil)
	return r
}

// Refused records that client tried to connect to server, where nothing
// listens: a SYN that is answered by a reset.
func (w *Writer) Refused(at time.Time, client, server netip.AddrPort) {
	r := w.attempt(at, client, server)
	r.next[1] = 0 // who refuses has no numbers
	r.Reset(at, false)
}

// Unanswered records that client tried to connect to server and heard nothing.
func (w *Writer) Unanswered(at time.Time, client, server netip.AddrPort) {
	w.attempt(at, client, server)
}

// attempt writes the SYN of a connection.
func (w *Writer) attempt(at time.Time, client, server netip.AddrPort) *Recording {
	w.opened++
	// The numbers are fixed, so that the same run writes the same file, and
	// differ, so that the same ends may meet again.
	r := &Recording{
		w:    w,
		ends: [2]netip.AddrPort{client, server},
		next: [2]uint32{w.opened * 1_000_003, w.opened*1_000_003 + 1<<31},
	}
	r.segment(at, true, &layers.TCP{SYN: true}, nil)
	r.next[0]++
	return r
}

// Data records that one side has sent b.
func (r *Recording) Data(at time.Time, fromClient bool, b []byte) {
	for len(b) > 0 {
		n := min(len(b), maxSegment)
		r.segment(at, fromClient, &layers.TCP{ACK: true, PSH: n == len(b)}, b[:n])
		r.next[side(fromClient)] += uint32(n)
		r.segment(at, !fromClient, &layers.TCP{ACK: true}, nil)
		b = b[n:]
	}
}

// Cut records that one side has sent n bytes which are not known any more. They
// become packets of which only the headers were captured, as with a snapshot
// length: the numbers that follow are right, and readers say what is missing.
func (r *Recording) Cut(at time.Time, fromClient bool, n int64) {
	for n > 0 {
		size := int(min(n, maxSegment))
		r.cut(at, fromClient, &layers.TCP{ACK: true}, make([]byte, size), size)
		r.next[side(fromClient)] += uint32(size)
		r.segment(at, !fromClient, &layers.TCP{ACK: true}, nil)
		n -= int64(size)
	}
}

// Close records that one side has closed its direction.
func (r *Recording) Close(at time.Time, fromClient bool) {
	if r.over[side(fromClient)] {
		return
	}
	r.over[side(fromClient)] = true
	r.segment(at, fromClient, &layers.TCP{FIN: true, ACK: true}, nil)
	r.next[side(fromClient)]++
	r.segment(at, !fromClient, &layers.TCP{ACK: true}, nil)
}

// Reset records that one side has reset the connection.
func (r *Recording) Reset(at time.Time, fromClient bool) {
	r.segment(at, fromClient, &layers.TCP{RST: true, ACK: true}, nil)
	r.over = [2]bool{true, true}
}

func side(fromClient bool) int {
	if fromClient {
		return 0
	}
	return 1
}

// segment writes a packet of the connection.
func (r *Recording) segment(at time.Time, fromClient bool, t *layers.TCP, b []byte) {
	r.cut(at, fromClient, t, b, 0)
}

// cut writes a packet of the connection without its last bytes, missing of them.
func (r *Recording) cut(at time.Time, fromClient bool, t *layers.TCP, b []byte, missing int) {
	i := side(fromClient)
	from, to := r.ends[i], r.ends[1-i]
	t.SrcPort, t.DstPort = layers.TCPPort(from.Port()), layers.TCPPort(to.Port())
	t.Seq, t.Window = r.next[i], 1<<16-1
	if t.ACK {
		t.Ack = r.next[1-i]
	}
	if t.SYN {
		// A window of 64 KiB × 128, so that no packet seems to exceed it.
		t.Options = []layers.TCPOption{{OptionType: layers.TCPOptionKindWindowScale, OptionLength: 3, OptionData: []byte{7}}}
	}
	r.w.write(at, from, to, t, b, missing)
}

// Datagram records a UDP datagram.
func (w *Writer) Datagram(at time.Time, from, to netip.AddrPort, b []byte) {
	if len(b) > maxDatagramBody && w.err == nil {
		w.err = fmt.Errorf("a datagram of %d bytes is longer than UDP allows", len(b))
	}
	w.write(at, from, to, &layers.UDP{SrcPort: layers.UDPPort(from.Port()), DstPort: layers.UDPPort(to.Port())}, b, 0)
}

// transport is TCP or UDP, whose checksum covers the addresses.
type transport interface {
	gopacket.SerializableLayer
	SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
}

// write writes a packet with the payload b, of which so many bytes at the end
// are left out of the file.
func (w *Writer) write(at time.Time, from, to netip.AddrPort, t transport, b []byte, missing int) {
	if w.err != nil {
		return
	}
	network, err := networkLayer(from.Addr().Unmap(), to.Addr().Unmap(), t)
	if err != nil {
		w.err = err
		return
	}
	if w.err = t.SetNetworkLayerForChecksum(network); w.err != nil {
		return
	}
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	w.err = gopacket.SerializeLayers(w.packet, options, network.(gopacket.SerializableLayer), t, gopacket.Payload(b))
	if w.err != nil {
		return
	}
	data := w.packet.Bytes()
	if header := data[len(data)-len(b)-udpHeader:]; t.LayerType() == layers.LayerTypeUDP && header[6]|header[7] == 0 {
		header[6], header[7] = 0xff, 0xff // the same sum; 0 would mean that there is none
	}
	size := len(data)
	data = data[:size-missing]
	w.err = w.file.WritePacket(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(data), Length: size}, data)
}

func networkLayer(from, to netip.Addr, t transport) (gopacket.NetworkLayer, error) {
	protocol := layers.IPProtocolTCP
	if t.LayerType() == layers.LayerTypeUDP {
		protocol = layers.IPProtocolUDP
	}
	switch {
	case !from.IsValid() || !to.IsValid():
		return nil, errors.New("a connection without addresses")
	case from.Is4() && to.Is4():
		return &layers.IPv4{
			Version: 4, IHL: 5, TTL: 64, Protocol: protocol, Flags: layers.IPv4DontFragment,
			SrcIP: from.AsSlice(), DstIP: to.AsSlice(),
		}, nil
	case from.Is6() && to.Is6():
		return &layers.IPv6{
			Version: 6, HopLimit: 64, NextHeader: protocol,
			SrcIP: from.AsSlice(), DstIP: to.AsSlice(),
		}, nil
	}
	return nil, fmt.Errorf("a connection between %v and %v, which are not of one family", from, to)
}
