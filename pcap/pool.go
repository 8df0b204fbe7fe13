package pcap

// A pool keeps memory for pieces that wait, so that a stream with many displaced
// packets does not need new memory for each. What it hands out is as long as it
// was asked for, of any contents.
type pool struct {
	small [][]byte
	large [][]byte
}

const (
	smallPiece = 256  // most chat messages
	largePiece = 2048 // what fits into an Ethernet frame
	maxPooled  = 512  // of each kind
)

func (o *pool) get(n int) []byte {
	switch {
	case n <= smallPiece:
		return take(&o.small, n, smallPiece)
	case n <= largePiece:
		return take(&o.large, n, largePiece)
	}
	return make([]byte, n)
}

func take(list *[][]byte, n, size int) []byte {
	last := len(*list) - 1
	if last < 0 {
		return make([]byte, n, size)
	}
	b := (*list)[last]
	*list = (*list)[:last]
	return b[:n]
}

// put takes back what get handed out and nobody looks at any more.
func (o *pool) put(b []byte) {
	switch {
	case cap(b) == smallPiece && len(o.small) < maxPooled:
		o.small = append(o.small, b)
	case cap(b) == largePiece && len(o.large) < maxPooled:
		o.large = append(o.large, b)
	}
}
