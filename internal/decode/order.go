package decode

import (
	"cmp"
	"slices"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// An order keeps messages back until those before them are known too: while it
// is not known how a connection is to be read, what came later on others waits.
type order struct {
	since map[int]int // connections that wait, and the packet since which they do
	kept  []*transcript.Decoded
}

// maxKept bounds how many messages wait for one connection. Then they come as
// they are.
const maxKept = 10_000

func (o *order) wait(conn, packet int) {
	if o.since == nil {
		o.since = map[int]int{}
	}
	o.since[conn] = packet
}

// tell gives out a message, now or when it is its turn.
func (d *Decoder) tell(m *transcript.Decoded) {
	if len(d.order.since) == 0 && len(d.order.kept) == 0 {
		d.number(m)
		return
	}
	if d.order.kept = append(d.order.kept, m); len(d.order.kept) > maxKept {
		clear(d.order.since)
		d.giveOut()
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

// goOn says that a connection waits no longer.
func (d *Decoder) goOn(conn int) {
	if _, ok := d.order.since[conn]; ok {
		delete(d.order.since, conn)
		d.giveOut()
	}
}

// giveOut gives out all messages whose turn it is.
func (d *Decoder) giveOut() {
	kept := d.order.kept
	slices.SortStableFunc(kept, func(a, b *transcript.Decoded) int { return cmp.Compare(a.Packet, b.Packet) })
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
