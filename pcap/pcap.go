// Package pcap reads and writes captures: files of packets as tcpdump and
// Wireshark make them.
//
// A reader of a chat protocol wants to know what was said and not how the
// network carried it. [Read] takes a capture apart, puts the TCP connections in
// it together, and hands out the bytes of each direction in order:
//
//	stats, err := pcap.Read(file, pcap.Sink{
//		Data: func(s pcap.Source, b []byte) { fmt.Printf("%s -> %s: %q\n", s.From, s.To, b) },
//	})
//
// Packets out of order, repeated, overlapping, cut or lost are dealt with:
//
//   - What comes too early waits for what is missing. It waits until the gap is
//     filled, or until it is certain that nothing will fill it: the receiver has
//     confirmed those bytes long ago, the connection or the capture is over, or
//     more waits than any receiver would allow. Then the sink is told of a gap.
//   - Of bytes that were sent twice and differ, the first ones captured count.
//     Each packet that disagrees is counted in [Stats].
//   - IP packets that came in fragments are put together first.
//   - Checksums are not looked at: on the sending machine the network card fills
//     them in after the packet was captured.
//
// Memory is bounded by what is out of order and by how many connections are open
// at once, never by the length of the file; nothing is allocated because a field
// in the file says so.
//
// [Follow] opens a file that is still being written, and [Live] captures from a
// network interface without any file. Both hand out the same in the same way.
//
// A [Writer] goes the other way. It makes packets of what was said on a
// connection, so that it can be looked at in Wireshark though nobody captured it.
//
// This is the only package that imports gopacket. Only its writer and its names
// are used: its reader of pcapng allocates what a file claims, and mistakes the
// resolution of a clock; it does not know what `tcpdump -i any` writes today; and
// its packages reassembly and tcpassembly register flags of the whole program, and
// panic on streams that are both cut and out of order.
package pcap

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"
)

// A Conn is one TCP connection in a capture. It does not change any more once a
// sink has been told of it, which may keep it and look at it at any time.
type Conn struct {
	ID     int            // from 1, in order of appearance
	Client netip.AddrPort // who opened it
	Server netip.AddrPort
	// Opened says that the capture shows how the connection was opened. Where
	// it does not, the server is who was seen accepting connections, who has
	// Sink.ServerPort, or who has the lower port, in this order.
	Opened bool
}

// A Source says where bytes come from.
type Source struct {
	Conn       *Conn // nil for a datagram
	FromClient bool
	From, To   netip.AddrPort
	Packet     int       // number of the packet in the file, from 1, in which the bytes are
	Time       time.Time // when that packet was captured, in UTC; zero where the file does not say
	Cut        int       // bytes at the end of a datagram that the capture does not have
}

// A Sink is given what a capture holds, in order. Functions may be nil; they
// are never called at the same time.
type Sink struct {
	// Data is given the next bytes of one direction of a connection. b is only
	// valid during the call.
	Data func(s Source, b []byte)
	// Gap says that n bytes are missing there; they are not in the capture.
	// The stream goes on behind them.
	Gap func(s Source, n int)
	// End says that one direction is over. It is called once for each direction
	// of each connection, also if no byte came.
	End func(s Source, how End)
	// Datagram is given a UDP datagram. b is only valid during the call.
	Datagram func(s Source, b []byte)

	// Wait says that what has come so far has been dealt with, and that more
	// may take its time. Who buffers what it writes can write it out.
	Wait func()

	// ServerPort is a hint: of two ends neither of which was seen to open the
	// connection, the one with this port is the server. 0 is no hint.
	ServerPort uint16
}

// End is how one direction of a connection ended.
type End int

// The ends.
const (
	Closed    End = iota // FIN
	Reset                // RST, from either side
	CaptureUp            // the capture is over
	Unseen               // it must have ended, but the capture does not show how
)

// String is the end in words.
func (e End) String() string {
	return [...]string{"closed", "reset", "the capture ends", "its end is not in the capture"}[e]
}

// Stats counts what was read.
type Stats struct {
	Packets  int
	TCP, UDP int // packets
	Conns    int
	Other    int   // packets that are neither, or that cannot be read
	Repeated int   // packets all of whose bytes had come before
	Conflict int   // packets that repeat bytes with other contents
	Dropped  int   // packets that came too fast; only Live knows
	Missing  int64 // bytes that the capture does not have
}

// ErrFormat means that the input is no capture.
var ErrFormat = errors.New("this is not a capture file")

// Read reads a pcap or pcapng file, plain or compressed by gzip or zstd, to its
// end. An error says where the file stops making sense; what came before has been
// handed out by then, all connections have been ended, and Stats counts it.
//
// A packet is dealt with as soon as r has brought all of it, so r may as well be
// a pipe from tcpdump, or a file that grows: see [Follow].
func Read(r io.Reader, sink Sink) (Stats, error) {
	src, err := open(r, sink.Wait)
	if err != nil {
		return Stats{}, err
	}
	a := newAssembler(sink)
	err = a.readAll(src)
	a.finish()
	return a.stats, err
}

func (a *assembler) readAll(src packets) error {
	unread := 0 // packets of a link type that is not known
	link := uint32(0)
	var f frame
	for {
		switch err := src.next(&f); {
		case err == nil:
		case err == io.EOF:
			if unread > 0 && unread == a.stats.Packets {
				return fmt.Errorf("read capture: its packets are of link type %s, which cannot be read", linkName(link))
			}
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("read capture: the file ends in the middle of packet %d", a.stats.Packets+1)
		case err != nil:
			return fmt.Errorf("read capture: packet %d: %w", a.stats.Packets+1, err)
		}
		a.stats.Packets++
		if !a.frame(&f) {
			a.stats.Other++
			if !linkKnown(f.link) {
				unread++
				link = f.link
			}
		}
	}
}
