package decode

import (
	"cmp"
	"slices"

	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// An order keeps messages back until those before them are known too: while it
// is not known how a connection is to be read, what came later on others waits.
type order struct {
	since map[waiter]int // who waits, and the packet since which
	kept  []*transcript.Decoded
}

// A waiter is a connection that it is not known how to read, or one direction
// of which the next message is looked for.
type waiter struct {
	conn int
	from wire.Side // empty for all of the connection
}

// maxKept bounds how many messages wait for one connection. Then they come as
// they are.
const maxKept = 1000

func (o *order) wait(w waiter, packet int) {
	if o.since == nil {
		o.since = map[waiter]int{}
	}
	o.since[w] = packet
}

// isFree says that what is found now may be given out at once.
func (o *order) isFree() bool { return len(o.since) == 0 && len(o.kept) == 0 }

// tell gives out a message, now or when it is its turn.
func (d *Decoder) tell(m *transcript.Decoded) {
	if d.order.isFree() {
		d.number(m)
		return
	}
	if d.order.kept = append(d.order.kept, m); len(d.order.kept) > maxKept {
		d.goOnAll()
	}
}

func (d *Decoder) number(m *transcript.Decoded) {
	if d.err != nil {
		return
	}
	d.Messages++
	m.Number = d.Messages
	d.err = d.emit(m)
}

// goOn says that somebody waits no longer.
func (d *Decoder) goOn(w waiter) {
	if _, ok := d.order.since[w]; ok {
		delete(d.order.since, w)
		d.giveOut()
	}
}

// goOnAll ends all waiting: nothing more may come for a while.
func (d *Decoder) goOnAll() {
	if !d.order.isFree() {
		clear(d.order.since)
		d.giveOut()
	}
}

// giveOut gives out all messages whose turn it is.
func (d *Decoder) giveOut() {
	kept := d.order.kept
	byPacket := func(a, b *transcript.Decoded) int { return cmp.Compare(a.Packet, b.Packet) }
	if !slices.IsSortedFunc(kept, byPacket) {
		slices.SortStableFunc(kept, byPacket)
	}
	n := len(kept)
	for _, packet := range d.order.since {
		i, _ := slices.BinarySearchFunc(kept, packet, func(m *transcript.Decoded, packet int) int { return cmp.Compare(m.Packet, packet) })
		n = min(n, i)
	}
	for _, m := range kept[:n] {
		d.number(m)
	}
	d.order.kept = slices.Delete(kept, 0, n)
}
