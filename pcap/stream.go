package pcap

import "slices"

// A half is one direction of a connection: a stream of bytes of which some have
// been handed out, and some wait because others before them have not come.
//
// Sequence numbers wrap at 2^32, so inside a half all is counted in offsets,
// which do not: offset 0 is the first byte. Everything before pos has been
// handed out, or declared missing.
type half struct {
	route
	c       *connection
	src     Source // of the latest packet of this direction
	started bool   // a packet has come that says what first is
	unseen  bool   // none has come, but the receiver has confirmed what was sent from first on
	guessed bool   // from a packet without bytes; earlier ones may come
	fin     bool   // last is known
	resets  bool   // by a RST, which is the end of the other direction, too
	over    bool
	stuck   int32  // packets since it seemed that what is missing will not come
	first   uint32 // sequence number at offset 0
	next    uint32 // sequence number at pos
	pos     int64
	acked   int64 // the receiver has confirmed everything before this
	last    int64 // the stream ends here

	waiting []piece // sorted, not overlapping, all after pos; they own their bytes
	held    int     // what waiting takes up
	waiter  node[half]
	recent  []byte // the latest bytes before pos
}

// Bounds on what waits for missing bytes. A receiver's window is smaller.
const (
	maxHeld      = 4 << 20  // in one direction
	maxHeldTotal = 16 << 20 // in all of them
	maxPieces    = 8192     // in one direction
)

// patience is how many more packets of the receiver may come before bytes that
// it has confirmed are declared missing. They may just be displaced: who captures
// on several processors gets packets in disorder.
const patience = 1024

// The latest bytes are kept, so that a repetition can be compared with them; in
// so many directions at once and no more.
const (
	maxRecent  = 2048
	maxRecents = 2048
)

func (d *half) start(seq uint32, guessed bool) {
	d.started, d.guessed, d.first, d.next, d.acked = true, guessed, seq, seq, 0
}

// offset is where a sequence number lies in the stream. A window is at most
// 2^30 bytes, so nothing that is further behind than that is meant as a
// repetition: then it is ahead, and much is missing.
func (d *half) offset(seq uint32) int64 {
	ahead := int64(seq - d.next)
	if ahead >= 1<<32-1<<30 {
		ahead -= 1 << 32
	}
	return d.pos + ahead
}

// furthest is the end of all that has come.
func (d *half) furthest() int64 {
	if n := len(d.waiting); n > 0 {
		return d.waiting[n-1].end()
	}
	return d.pos
}

// take deals with a segment.
func (d *half) take(p *packet) {
	if d.over {
		d.late(p)
		return
	}
	fin := p.flags&flagFIN != 0
	if p.seq == d.next && d.started && len(d.waiting) == 0 && p.missing == 0 && len(p.data) > 0 && !fin && !d.fin {
		d.hand(p.data) // as nearly always
		return
	}
	empty := len(p.data)+p.missing == 0
	if !d.started {
		d.start(p.seq, empty && !fin)
	}
	s := piece{d.offset(p.seq), p.data, p.missing, p.number, p.time}
	if d.guessed && !empty && s.offset < 0 && s.offset > -1<<20 && len(d.waiting) == 0 {
		// The guess was made from a packet that had overtaken this one.
		d.start(p.seq, false)
		s.offset = 0
	}
	if fin && !d.fin && s.end() >= d.furthest() {
		d.fin, d.last = true, s.end()
	}
	if d.fin && s.end() > d.last {
		s = s.until(max(d.last, s.offset))
	}
	switch {
	case s.end() == s.offset:
	case s.offset == d.pos && len(d.waiting) == 0:
		d.deliver(s)
	case s.offset > d.pos:
		d.hold(s)
	default:
		d.overlap(s)
	}
	d.finish()
}

// late counts a segment that comes when the direction is over.
func (d *half) late(p *packet) {
	size := len(p.data) + p.missing
	d.count(size > 0 && d.started && d.offset(p.seq)+int64(size) <= d.pos, false)
}

// finish ends the direction if all of it has been handed out.
func (d *half) finish() {
	if d.fin && d.pos >= d.last {
		d.end(Closed)
	}
}

// overlap takes a piece that begins at pos or before it.
func (d *half) overlap(p piece) {
	if p.end() == d.pos && p.offset == d.pos-1 {
		// A byte just before pos is how some systems ask whether the other is
		// still there; its value means nothing.
		return
	}
	differs := d.differs(&p)
	repeated := p.end() <= d.pos
	for p.end() > d.pos {
		p = p.from(d.pos)
		if len(d.waiting) == 0 || p.end() <= d.waiting[0].offset {
			d.deliver(p)
		} else {
			w := &d.waiting[0]
			differs = differs || w.conflicts(&p)
			d.deliver(p.until(w.offset))
		}
		d.drain()
	}
	d.count(repeated, differs)
}

// differs compares a piece with the bytes that were handed out before.
func (d *half) differs(p *piece) bool {
	return (&piece{offset: d.pos - int64(len(d.recent)), data: d.recent}).conflicts(p)
}

// count counts a packet that brings what had come before.
func (d *half) count(repeated, differs bool) {
	if repeated {
		d.c.a.stats.Repeated++
	}
	if differs {
		d.c.a.stats.Conflict++
	}
}

// deliver hands out a piece that begins at pos.
func (d *half) deliver(p piece) {
	latest, at := d.src.Packet, d.src.Time
	d.src.Packet, d.src.Time = p.packet, p.time
	if len(p.data) > 0 {
		d.hand(p.data)
	}
	if p.missing > 0 {
		d.gap(int64(p.missing))
	}
	d.src.Packet, d.src.Time = latest, at
}

// hand hands out the next bytes, which came in the packet that src says.
func (d *half) hand(b []byte) {
	if data := d.c.a.sink.Data; data != nil {
		data(d.src, b)
	}
	d.remember(b)
	d.advance(int64(len(b)))
}

// gap declares the next n bytes missing, in or before the packet that src says.
func (d *half) gap(n int64) {
	d.c.a.stats.Missing += n
	if d.c.a.sink.Gap != nil {
		d.c.a.sink.Gap(d.src, int(n))
	}
	d.recent = d.recent[:0] // what it holds no longer ends at pos
	d.advance(n)
}

func (d *half) advance(n int64) {
	d.guessed = false
	d.pos += n
	d.next += uint32(n)
}

// remember keeps the end of what was handed out.
func (d *half) remember(b []byte) {
	if d.recent == nil {
		if d.c.a.recents == maxRecents {
			return
		}
		d.c.a.recents++
		d.recent = make([]byte, 0, 2*maxRecent)
	}
	if len(b) >= maxRecent {
		d.recent = append(d.recent[:0], b[len(b)-maxRecent:]...)
		return
	}
	if len(d.recent)+len(b) > cap(d.recent) {
		keep := maxRecent - len(b)
		d.recent = d.recent[:copy(d.recent, d.recent[len(d.recent)-keep:])]
	}
	d.recent = append(d.recent, b...)
}

// hold keeps a copy of what came too early, except of what waits already.
func (d *half) hold(p piece) {
	i, _ := slices.BinarySearchFunc(d.waiting, p.offset, func(w piece, offset int64) int {
		if w.end() <= offset {
			return -1
		}
		return 1
	})
	// All before i ends before p begins.
	differs, repeated := false, true
	for p.offset < p.end() {
		if i == len(d.waiting) || p.end() <= d.waiting[i].offset {
			d.insert(i, p)
			repeated = false
			break
		}
		w := d.waiting[i]
		differs = differs || w.conflicts(&p)
		if p.offset < w.offset {
			d.insert(i, p.until(w.offset))
			repeated = false
			i++
		}
		p = p.from(min(w.end(), p.end()))
		i++
	}
	d.count(repeated, differs)
	for d.held > maxHeld || len(d.waiting) > maxPieces {
		d.skip()
	}
	for d.c.a.held > maxHeldTotal {
		d.c.a.waiters.first().skip()
	}
}

func (d *half) insert(i int, p piece) {
	if len(d.waiting) == 0 {
		d.c.a.waiters.add(&d.waiter)
	}
	p.data = append(d.c.a.pool.get(len(p.data))[:0], p.data...)
	d.waiting = slices.Insert(d.waiting, i, p)
	d.held += p.cost()
	d.c.a.held += p.cost()
}

// drain hands out what waited for the bytes that have just come.
func (d *half) drain() {
	n := 0
	for n < len(d.waiting) && d.waiting[n].offset == d.pos {
		w := d.waiting[n]
		d.held -= w.cost()
		d.c.a.held -= w.cost()
		d.deliver(w)
		d.c.a.pool.put(w.data)
		n++
	}
	if n == 0 {
		return
	}
	d.stuck = 0
	d.waiting = slices.Delete(d.waiting, 0, n)
	if len(d.waiting) == 0 {
		d.c.a.waiters.remove(&d.waiter)
		if cap(d.waiting) > 64 {
			d.waiting = nil
		}
	}
}

// skip declares missing what the first piece waits for.
func (d *half) skip() {
	w := d.waiting[0]
	d.deliver(piece{offset: d.pos, missing: int(w.offset - d.pos), packet: w.packet, time: w.time})
	d.drain()
	d.finish()
}

// confirm takes what the receiver says it has got.
func (d *half) confirm(ack uint32) {
	switch {
	case d.over:
		return
	case !d.started && !d.unseen:
		d.unseen, d.first = true, ack
		return
	case !d.started:
		// Who captures one direction only can still count what was said in the other.
		if n := int64(ack - d.first); n > d.acked && n-d.acked < 1<<30 {
			d.acked = n
		}
		return
	}
	if to := d.offset(ack); to > d.acked && to-d.pos < 1<<30 {
		d.acked = to
	}
	if len(d.waiting) == 0 || d.acked < d.waiting[0].offset {
		return
	}
	if d.stuck++; d.stuck > patience {
		d.skip()
	}
}

// end ends the direction, and says what is missing at its end.
func (d *half) end(how End) {
	for len(d.waiting) > 0 {
		d.skip()
	}
	if d.over {
		return
	}
	d.over = true
	peer := d.peer()
	missing := d.acked - d.pos
	if missing == 1 {
		missing = 0 // that is a FIN which the capture does not have
	}
	switch {
	case d.resets || peer.resets:
		how = Reset
	case d.fin:
		how = Closed
	}
	if d.fin {
		missing = d.last - d.pos
	}
	if missing > 0 {
		d.gap(missing)
	}
	if d.recent != nil {
		d.recent = nil
		d.c.a.recents--
	}
	if d.c.a.sink.End != nil {
		d.c.a.sink.End(d.src, how)
	}
	switch {
	case peer.over:
		d.c.a.retire(d.c)
	case d.resets:
		peer.src.Packet, peer.src.Time = d.src.Packet, d.src.Time
		peer.end(Reset)
	}
}
