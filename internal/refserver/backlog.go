package refserver

import (
	"net/netip"
	"sync"
)

// datagram is one that has been received.
type datagram struct {
	from    netip.AddrPort
	payload []byte
}

// datagramCost is what an empty datagram counts in a backlog, in bytes, since it takes some to keep.
const datagramCost = 64

// backlog holds datagrams between the goroutine that receives them and the one that deals with them. It is full when
// they come to limit bytes; then receiving waits, and it is the system's own buffer that fills up.
type backlog struct {
	limit int

	mu      sync.Mutex
	changed sync.Cond // of mu
	queue   []datagram
	size    int // of the queue, in bytes
	closed  bool
}

func newBacklog(limit int) *backlog {
	b := &backlog{limit: limit}
	b.changed.L = &b.mu
	return b
}

// put appends d, once there is room for it. An empty backlog takes any one datagram, a closed one none.
func (b *backlog) put(d datagram) {
	size := datagramCost + len(d.payload)
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.size > 0 && b.size+size > b.limit && !b.closed {
		b.changed.Wait()
	}
	b.queue = append(b.queue, d)
	b.size += size
	b.changed.Broadcast()
}

// takeAll waits until there is something, and takes it out. It reports false once the backlog is closed, whatever is
// left in it.
func (b *backlog) takeAll() (queue []datagram, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.queue) == 0 && !b.closed {
		b.changed.Wait()
	}
	queue, b.queue, b.size = b.queue, nil, 0
	b.changed.Broadcast()
	return queue, !b.closed
}

// close ends all waiting.
func (b *backlog) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.changed.Broadcast()
}
