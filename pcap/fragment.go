package pcap

import "slices"

// fragments are the IP packets of which some pieces have come.
type fragments struct {
	packets map[fragmentKey]*fragmented
	order   []fragmentKey // the oldest first
}

type fragmentKey struct {
	src, dst address
	id       uint32
	protocol byte
}

// A fragmented packet owns the bytes of its pieces, which are sorted and do not
// overlap.
type fragmented struct {
	pieces []fragmentPiece
	held   int
	size   int // of the whole, -1 as long as the last piece is missing
}

type fragmentPiece struct {
	offset int
	data   []byte
}

// Bounds on what waits for its other pieces. The oldest is given up first.
const (
	maxFragmented = 64
	maxDatagram   = 1<<16 - 1
)

// take takes a piece of an IP packet, and returns the whole when this completes
// it. ok is false for a piece that is of no use.
func (f *fragments) take(p *packet, id uint32, offset int, more bool) (whole []byte, ok bool) {
	end := offset + len(p.data)
	if p.missing > 0 || len(p.data) == 0 || end > maxDatagram || more && len(p.data)%8 != 0 {
		return nil, false
	}
	key := fragmentKey{p.src, p.dst, id, p.protocol}
	d := f.packets[key]
	if d == nil {
		d = &fragmented{size: -1}
		f.add(key, d)
	}
	if !more && d.size < 0 {
		d.size = end
	}
	d.insert(offset, p.data)
	if d.size < 0 || d.held < d.size || d.end() != d.held {
		return nil, true
	}
	delete(f.packets, key)
	f.order = slices.DeleteFunc(f.order, func(k fragmentKey) bool { return k == key })
	whole = make([]byte, 0, d.held)
	for _, piece := range d.pieces {
		whole = append(whole, piece.data...)
	}
	return whole[:d.size], true
}

// end is where the last piece ends. There are no holes if as much is held.
func (d *fragmented) end() int {
	last := d.pieces[len(d.pieces)-1]
	return last.offset + len(last.data)
}

func (f *fragments) add(key fragmentKey, d *fragmented) {
	if f.packets == nil {
		f.packets = map[fragmentKey]*fragmented{}
	}
	if len(f.order) == maxFragmented {
		delete(f.packets, f.order[0])
		f.order = slices.Delete(f.order, 0, 1)
	}
	f.packets[key] = d
	f.order = append(f.order, key)
}

// insert keeps a copy of what is new of data. Bytes that came first count.
func (d *fragmented) insert(offset int, data []byte) {
	for i := 0; len(data) > 0; i++ {
		if i < len(d.pieces) {
			piece := &d.pieces[i]
			end := piece.offset + len(piece.data)
			if end <= offset {
				continue
			}
			if piece.offset <= offset {
				skip := min(end-offset, len(data))
				offset, data = offset+skip, data[skip:]
				continue
			}
		}
		room := len(data)
		if i < len(d.pieces) {
			room = min(room, d.pieces[i].offset-offset)
		}
		d.pieces = slices.Insert(d.pieces, i, fragmentPiece{offset, slices.Clone(data[:room])})
		d.held += room
		offset, data = offset+room, data[room:]
	}
}
