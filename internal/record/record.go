// Package record takes down the traffic of a play and writes it as a capture,
// so that a verdict can be looked at in Wireshark. It needs no privileges: what
// goes through the probe's own connections is noted, and the packets that would
// have carried it are made up.
//
//	dir, err := record.Create("evidence")
//	...
//	log := record.NewLog()
//	conn = log.Conn(conn) // use it as before
//	...
//	err = dir.Write(record.Play{Suite: "framed", Scenario: "two-clients-chat"}, log, nil)
//
// # What a capture says
//
// What the probe sent stands there at the time at which it called Write, what it
// received at the time at which Read returned it. All that one play did is in
// the order in which the probe saw it, so an answer never stands before its
// question, whichever connection it came on.
//
// One write or read is one packet, unless it is longer than an IP packet. The
// packets on the network may have been cut otherwise, and bytes that arrived and
// that the probe never read are not there.
package record

import (
	"bytes"
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/chatprobe/chatprobe/pcap"
)

// MaxKept is how many bytes one Log keeps, with what it needs to keep them. Of
// what comes later only the number of bytes is known: on a TCP connection it
// stands in the capture as packets without contents, so that sequence numbers
// stay right; UDP datagrams are left out.
const MaxKept = 64 << 20

// A Log is the traffic of one play. It is safe for concurrent use.
type Log struct {
	limit int

	mu      sync.Mutex
	began   time.Time
	flows   []flow
	entries []entry // in the order in which it happened
	kept    int     // bytes that entries take up
	full    bool
	leftOut int64
	chunk   []byte // what is left of the memory for short messages
}

// A flow is two ends that talk. A UDP socket has one with each end it hears from.
type flow struct {
	local, remote netip.AddrPort
	accepted      bool // the other end has opened it
}

// An entry is one thing that happened.
type entry struct {
	at   time.Duration // since the log began
	flow int
	what kind
	data []byte
	cut  int64 // bytes behind data that were not kept
}

type kind uint8

const (
	nothing    kind = iota // it turned out not to have happened
	opened                 // a TCP connection
	sent                   // on it, by the probe
	received               //
	closed                 // the probe has sent its last byte
	reset                  // the probe has reset it
	peerClosed             //
	peerReset              //
	refused                // a TCP connection that was not made
	unanswered             //
	datagramSent
	datagramReceived
)

// entryCost is what an entry takes up besides its bytes.
const entryCost = 64

// NewLog is an empty log that begins now.
func NewLog() *Log {
	return &Log{limit: MaxKept, began: time.Now()}
}

// LeftOut is how many bytes are not in the capture because they came after
// MaxKept others.
func (l *Log) LeftOut() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leftOut
}

// addFlow makes a new flow known. l.mu is held.
func (l *Log) addFlow(f flow) int {
	l.flows = append(l.flows, f)
	return len(l.flows) - 1
}

// note adds an entry without bytes, and returns its index. l.mu is held.
//
// The time is taken under the lock, so the order of the entries is that of
// their times too.
func (l *Log) note(flow int, what kind) int {
	l.entries = append(l.entries, entry{at: time.Since(l.began), flow: flow, what: what})
	return len(l.entries) - 1
}

// room is how many of n more bytes can be kept; the others count as left out.
// Once some could not, nothing is kept any more: what is missing is then the end
// of the play and not its middle. l.mu is held.
func (l *Log) room(n int) int {
	fits := max(0, min(n, l.limit-l.kept-entryCost))
	if l.full {
		fits = 0
	}
	l.full = l.full || fits < n || l.kept+entryCost > l.limit
	l.leftOut += int64(n - fits)
	return fits
}

// keep copies b. l.mu is held.
func (l *Log) keep(b []byte) []byte {
	l.kept += len(b)
	if len(b) > 4<<10 {
		return bytes.Clone(b)
	}
	if len(b) > len(l.chunk) {
		// Most plays say little.
		l.chunk = make([]byte, max(len(b), min(1<<10+l.kept, 64<<10)))
	}
	kept := l.chunk[:len(b):len(b)]
	l.chunk = l.chunk[copy(kept, b):]
	return kept
}

// WriteCapture writes what has happened so far as a pcap file. It is meant to
// be called when all connections are closed; what a Write that has not returned
// is about to send is in it.
func (l *Log) WriteCapture(w io.Writer) error {
	l.mu.Lock()
	flows, entries := slices.Clone(l.flows), slices.Clone(l.entries)
	l.mu.Unlock()
	// The wall clock may have been set since; what was measured is not.
	began := l.began.Round(0)
	out := pcap.NewWriter(w)
	streams := make([]stream, len(flows))
	for _, e := range entries {
		if from, ok := e.sender(&flows[e.flow]); ok {
			streams[e.flow].to(from).left++
		}
	}
	for _, e := range entries {
		f, s := &flows[e.flow], &streams[e.flow]
		at := began.Add(e.at)
		switch from, isData := e.sender(f); {
		case isData:
			s.Data(at, from, e.data)
			s.Cut(at, from, e.cut)
			s.to(from).left--
			s.end(at)
		case e.what == opened:
			client, server := f.ends()
			s.Recording = out.Open(at, client, server)
		case e.what == closed, e.what == peerClosed:
			s.to((e.what == closed) != f.accepted).fin = true
			s.end(at)
		case e.what == reset, e.what == peerReset:
			if !s.reset {
				s.reset, s.resetBy = true, (e.what == reset) != f.accepted
			}
			s.end(at)
		case e.what == refused:
			out.Refused(at, f.local, f.remote)
		case e.what == unanswered:
			out.Unanswered(at, f.local, f.remote)
		case e.what == datagramSent:
			out.Datagram(at, f.local, f.remote, e.data)
		case e.what == datagramReceived:
			out.Datagram(at, f.remote, f.local, e.data)
		}
	}
	return out.Flush()
}

// sender says whether the client has sent what e is, if e is bytes on a
// connection.
func (e *entry) sender(f *flow) (fromClient, ok bool) {
	return (e.what == sent) != f.accepted, e.what == sent || e.what == received
}

// ends are the ends in order.
func (f *flow) ends() (client, server netip.AddrPort) {
	if f.accepted {
		return f.remote, f.local
	}
	return f.local, f.remote
}

// A stream is a connection that is being written. Its ends may have been noted
// a moment too early: bytes that Read was just taking when the connection was
// closed are noted after that, though they had come before.
type stream struct {
	*pcap.Recording
	sides   [2]direction // from the client, from the server
	reset   bool
	resetBy bool // the client
	over    bool
}

type direction struct {
	left int // entries with bytes that are still to come
	fin  bool
}

func (s *stream) to(fromClient bool) *direction {
	if fromClient {
		return &s.sides[0]
	}
	return &s.sides[1]
}

// end writes what ends the stream, as soon as no bytes follow.
func (s *stream) end(at time.Time) {
	for _, fromClient := range []bool{true, false} {
		if d := s.to(fromClient); d.fin && d.left == 0 {
			s.Close(at, fromClient) // once
		}
	}
	if s.reset && !s.over && s.sides[0].left+s.sides[1].left == 0 {
		s.over = true
		s.Reset(at, s.resetBy)
	}
}
