package pcap

import "slices"

// An assembler puts the connections of a capture together, packet by packet.
type assembler struct {
	sink      Sink
	stats     Stats
	packet    packet // the one that is being dealt with
	fragments fragments

	conns   map[flow]*connection
	quick   [2048]*connection   // some of conns, by flow.hash: a map takes longer
	open    *list[connection]   // the first has been silent for the longest
	closed  *list[connection]   // the first was closed first
	servers map[socket]struct{} // who was seen accepting connections

	waiters *list[half] // those that hold pieces, in the order in which they began to
	held    int         // what all pieces take up
	recents int         // how many halves keep recent bytes
}

// Bounds on what is remembered. Of connections that are over the latest are
// kept, so that packets that come late are not taken for new connections.
const (
	maxOpen    = 1 << 17
	maxClosed  = 1024
	maxServers = 1024
)

// A flow is what the packets of a connection have in common, whoever sends them:
// its two ends, the smaller first. Made of numbers only, it is quick to look up.
type flow struct {
	low, high address
	ports     uint64
}

// hash is a place in assembler.quick.
func (f *flow) hash() uint64 {
	x := (f.low.low ^ f.high.low<<1 ^ f.ports) * 0x9e3779b97f4a7c15
	return x >> (64 - 11)
}

// A socket is one end of a flow.
type socket struct {
	address
	port uint64
}

func (s socket) less(t socket) bool {
	switch {
	case s.high != t.high:
		return s.high < t.high
	case s.low != t.low:
		return s.low < t.low
	}
	return s.port < t.port
}

// flow is which flow a packet belongs to, and whether its lower end sent it.
func (p *packet) flow() (f flow, fromLow bool) {
	src, dst := p.sockets()
	if src.less(dst) {
		return flow{p.src, p.dst, src.port<<16 | dst.port}, true
	}
	return flow{p.dst, p.src, dst.port<<16 | src.port}, false
}

func (p *packet) sockets() (src, dst socket) {
	return socket{p.src, uint64(p.srcPort)}, socket{p.dst, uint64(p.dstPort)}
}

// A connection is the state of a Conn while it is put together.
type connection struct {
	Conn
	a         *assembler
	flow      flow
	lowClient bool    // the client is the lower end of the flow
	half      [2]half // from the client, from the server
	place     node[connection]
}

func newAssembler(sink Sink) *assembler {
	return &assembler{
		sink:    sink,
		conns:   map[flow]*connection{},
		open:    newList[connection](),
		closed:  newList[connection](),
		servers: map[socket]struct{}{},
		waiters: newList[half](),
	}
}

// segment takes a TCP segment.
func (a *assembler) segment(p *packet) {
	flow, fromLow := p.flow()
	quick := &a.quick[flow.hash()]
	c := *quick
	if c == nil || c.flow != flow {
		c = a.conns[flow]
	}
	syn := p.flags&flagSYN != 0
	if c != nil && syn && c.renewed(p, fromLow) {
		a.forget(c)
		c = nil
	}
	if c == nil {
		if !syn && len(p.data)+p.missing == 0 {
			return // nothing begins with this
		}
		c = a.begin(p, flow, fromLow)
	}
	*quick = c
	d, peer := c.halves(fromLow)
	if d.over && peer.over {
		d.late(p)
		return
	}
	d.packet, d.time = p.number, p.time
	a.touch(c)
	switch {
	case syn:
		c.handshake(p, d, peer)
	case p.flags&flagRST != 0:
		d.reset(p, peer)
	default:
		d.take(p)
	}
	if p.flags&flagACK != 0 && !syn {
		peer.confirm(p.ack)
	}
}

// halves are the direction that a packet belongs to, and the other one.
func (c *connection) halves(fromLow bool) (d, peer *half) {
	if fromLow == c.lowClient {
		return &c.half[0], &c.half[1]
	}
	return &c.half[1], &c.half[0]
}

// renewed says that a SYN begins another connection between the same ends, and
// is not one of this connection that comes again, or late.
func (c *connection) renewed(p *packet, fromLow bool) bool {
	d, peer := c.halves(fromLow)
	other := d.started && d.first != p.seq+1
	if other && !c.Opened {
		// The first bytes may have overtaken it.
		other = d.first-(p.seq+1) > 1<<16
	}
	if p.flags&flagACK == 0 {
		// A capture of several interfaces may have all packets of one before
		// those of the other. Their time tells them from a new connection.
		return other || d.over && p.time.After(d.time)
	}
	// It answers a SYN. What had come with that may be confirmed already.
	sent := uint32(min(peer.pos, 1<<16))
	return other || peer.started && p.ack-peer.first > sent
}

// handshake takes a SYN.
func (c *connection) handshake(p *packet, d, peer *half) {
	c.Opened = true
	if !d.started {
		d.start(p.seq+1, false)
	}
	if p.flags&flagACK != 0 && !peer.started {
		peer.start(p.ack, false)
	}
	if len(p.data)+p.missing > 0 {
		p.seq++
		d.take(p)
	}
}

// reset takes a RST, unless it is so far from what was sent that the receiver
// would not believe it.
func (d *half) reset(p *packet, peer *half) {
	const window = 1 << 24
	if ahead := d.offset(p.seq) - d.pos; d.started && (ahead < -window || ahead > window) {
		return
	}
	peer.packet, peer.time = d.packet, d.time
	d.end(Reset)
	peer.end(Reset)
}

// begin makes a new connection.
func (a *assembler) begin(p *packet, flow flow, fromLow bool) *connection {
	if a.open.len == maxOpen {
		a.forget(a.open.first())
	}
	a.stats.Conns++
	src, dst := p.sockets()
	fromClient := a.fromClient(p, src, dst)
	c := &connection{a: a, flow: flow, lowClient: fromLow == fromClient}
	c.ID = a.stats.Conns
	c.Client, c.Server = p.src.withPort(p.srcPort), p.dst.withPort(p.dstPort)
	if !fromClient {
		c.Client, c.Server = c.Server, c.Client
		src, dst = dst, src
	}
	if p.flags&flagSYN != 0 && len(a.servers) < maxServers {
		a.servers[dst] = struct{}{}
	}
	for i := range c.half {
		d := &c.half[i]
		d.c, d.fromClient, d.packet, d.time = c, i == 0, p.number, p.time
		d.waiter.value = d
	}
	c.place.value = c
	a.conns[flow] = c
	a.open.add(&c.place)
	return c
}

// fromClient finds out whether the client sent the first packet.
func (a *assembler) fromClient(p *packet, src, dst socket) bool {
	if p.flags&flagSYN != 0 {
		return p.flags&flagACK == 0
	}
	_, srcServes := a.servers[src]
	_, dstServes := a.servers[dst]
	switch hint := a.sink.ServerPort; {
	case srcServes != dstServes:
		return dstServes
	case hint != 0 && (p.srcPort == hint) != (p.dstPort == hint):
		return p.dstPort == hint
	}
	return p.srcPort >= p.dstPort
}

// touch notes that a connection is not silent.
func (a *assembler) touch(c *connection) {
	if a.open.last() != c {
		a.open.remove(&c.place)
		a.open.add(&c.place)
	}
}

// retire is called when both directions of a connection are over.
func (a *assembler) retire(c *connection) {
	a.open.remove(&c.place)
	a.closed.add(&c.place)
	if a.closed.len > maxClosed {
		a.forget(a.closed.first())
	}
}

// forget drops a connection, and ends it if need be.
func (a *assembler) forget(c *connection) {
	c.half[0].end(Unseen)
	c.half[1].end(Unseen)
	a.closed.remove(&c.place)
	delete(a.conns, c.flow)
	if quick := &a.quick[c.flow.hash()]; *quick == c {
		*quick = nil
	}
}

// finish ends what the capture has left open, in order of appearance.
func (a *assembler) finish() {
	var left []*connection
	for n := a.open.root.next; n.value != nil; n = n.next {
		left = append(left, n.value)
	}
	slices.SortFunc(left, func(c, d *connection) int { return c.ID - d.ID })
	for _, c := range left {
		c.half[0].end(CaptureUp)
		c.half[1].end(CaptureUp)
	}
}
