package decode

import (
	"fmt"
	"slices"

	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
)

// take decodes what b completes.
func (d *Decoder) take(c *conn, s *pcap.Source, b []byte) {
	h := c.side(s)
	if !h.begun {
		h.begun = true
		if !s.Conn.Opened && c.codec.LineEnd(speaker(s)) == nil && !c.codec.Unframed(speaker(s)) {
			h.seek = &seek{start: true}
		}
	}
	if len(h.buf) > 0 {
		h.buf = append(h.buf, b...)
		b = h.buf
	}
	if h.seek != nil {
		h.marks = append(h.marks, mark{len(b), *s})
	} else if len(b) < h.need && len(b) <= messageLimit && len(h.buf) > 0 {
		return
	}
	h.need = 0
	h.keep(b, d.read(c, s, b, false))
	if h.waits && h.seek == nil {
		d.waitNoMore(h, s)
	}
}

// waitNoMore lets the messages come that were kept back during a search.
func (d *Decoder) waitNoMore(h *side, s *pcap.Source) {
	h.waits = false
	d.goOn(waiter{s.Conn.ID, speaker(s)})
}

// read decodes the messages in b, which is all that is there of a direction,
// and returns where the rest of it begins. last says that no more will come.
func (d *Decoder) read(c *conn, s *pcap.Source, b []byte, last bool) (at int) {
	h, from := c.side(s), speaker(s)
	for at < len(b) && d.err == nil {
		if k := h.seek; k != nil {
			n := d.search(c.codec, k, b[at:], from, last)
			if n < 0 {
				at += k.pass(b[at:])
				break
			}
			d.skipped(c, h.source(at+n, s), k, b[at:at+n], true)
			at += n
			h.seek = nil
			continue
		}
		n, err := c.codec.Decode(&d.frame, b[at:], from)
		if err == wire.ErrShort {
			h.need = n
			break
		}
		if err != nil {
			d.lookOn(h, s, len(b), &seek{why: err.Error(), next: 1})
			continue
		}
		d.frame.SetFirst(!h.any)
		h.any = true
		d.found(c, h.source(at+n, s), c.codec.Name(&d.frame, from))
		at += n
	}
	if k := h.seek; k != nil && k.mayBegin() {
		h.need = k.open[0].need
	}
	if len(b)-at > messageLimit && d.err == nil {
		h.seek = nil
		d.malformed(c, s, b[at:], fmt.Sprintf("a message of at least %d bytes; more than %d are not kept", max(h.need, messageLimit), messageLimit))
		at = len(b)
		d.lookOn(h, s, at, &seek{})
	}
	return at
}

// lookOn begins to look for the next message in a buffer of size bytes.
func (d *Decoder) lookOn(h *side, s *pcap.Source, size int, k *seek) {
	h.seek, h.waits = k, true
	d.order.wait(waiter{s.Conn.ID, speaker(s)}, s.Packet)
	if size > 0 && len(h.marks) == 0 {
		h.marks = append(h.marks, mark{size, *s})
	}
}

// source is where the byte before end comes from: from s, if nothing else is
// known.
func (h *side) source(end int, s *pcap.Source) *pcap.Source {
	for i := range h.marks {
		if h.marks[i].end >= end {
			return &h.marks[i].source
		}
	}
	return s
}

// keep keeps b from an offset on.
func (h *side) keep(b []byte, at int) {
	const large = 64 << 10
	switch {
	case at == len(b) && cap(h.buf) > large:
		h.buf = nil
	case at > 0 || len(h.buf) == 0:
		h.buf = append(h.buf[:0], b[at:]...)
	}
	if h.seek == nil {
		h.marks = nil
		return
	}
	gone := 0
	for i := range h.marks {
		if h.marks[i].end -= at; h.marks[i].end <= 0 {
			gone = i + 1
		}
	}
	h.marks = slices.Delete(h.marks, 0, gone)
}

// gap tells of bytes that are missing. What comes next may be the middle of a
// message.
func (d *Decoder) gap(source pcap.Source, n int) {
	s := &source
	c := d.conn(s)
	if c == nil || c.alien {
		return
	}
	h := c.side(s)
	if c.codec == nil {
		c.early = append(c.early, chunk{source: source, gap: n})
		h.torn = true
		return
	}
	rest := d.rest(c, s)
	where := "here"
	if len(rest) > 0 && h.need >= len(rest)+n {
		where = "in this message"
	}
	d.malformed(c, s, rest, fmt.Sprintf("%s missing %s in the capture", bytesAre(n), where))
	h.begun, h.any = true, true
	if !c.codec.Unframed(speaker(s)) {
		d.lookOn(h, s, 0, &seek{})
	}
}

// rest takes what can be taken of a direction that is interrupted, and returns
// the beginning of a message that is left.
func (d *Decoder) rest(c *conn, s *pcap.Source) []byte {
	h := c.side(s)
	b := h.buf
	at := 0
	if h.seek != nil {
		at = d.read(c, s, b, true)
		if k := h.seek; k != nil && !k.mayBegin() {
			d.skipped(c, s, k, b[at:], false)
			at = len(b)
		}
	}
	if h.waits {
		d.waitNoMore(h, s)
	}
	h.buf, h.seek, h.marks = nil, nil, nil
	return b[at:]
}
