package pcap

import (
	"bytes"
	"time"
)

// A piece is a part of a stream, from one packet. Of the bytes that it spans
// the capture has only the first ones, if it has cut the packet.
type piece struct {
	offset  int64
	data    []byte
	missing int // bytes behind data
	packet  int
	time    time.Time
}

func (p *piece) end() int64 { return p.offset + int64(len(p.data)+p.missing) }

// cost is what a piece that waits takes up, itself included.
func (p *piece) cost() int { return cap(p.data) + 128 }

// from is the part of a piece from offset on, which lies inside it.
func (p piece) from(offset int64) piece {
	n := int(offset - p.offset)
	has := min(n, len(p.data))
	p.offset, p.data, p.missing = offset, p.data[has:], p.missing-(n-has)
	return p
}

// until is the part of a piece before offset, which lies inside it.
func (p piece) until(offset int64) piece {
	n := int(offset - p.offset)
	has := min(n, len(p.data))
	p.data, p.missing = p.data[:has], n-has
	return p
}

// conflicts says that two pieces have different bytes at the same place.
func (p *piece) conflicts(q *piece) bool {
	from := max(p.offset, q.offset)
	to := min(p.offset+int64(len(p.data)), q.offset+int64(len(q.data)))
	return from < to && !bytes.Equal(p.data[from-p.offset:to-p.offset], q.data[from-q.offset:to-q.offset])
}
