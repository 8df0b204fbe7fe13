package pcap

import "slices"

// An assembler puts the connections of a capture together, packet by packet.
type assembler struct {
	sink      Sink
	stats     Stats
	packet    packet // the one that is being dealt with
	fragments fragments

	conns   map[flow]*connection
	quick   [4096]*half         // some halves of conns, by route.hash: a map takes longer
	knocks  *list[connection]   // of these only SYNs of the client have come; the first is the oldest
	open    *list[connection]   // see silent
	closed  *list[connection]   // the first was closed first
	servers map[socket]struct{} // who was seen accepting connections

	waiters *list[half] // those that hold pieces, in the order in which they began to
	held    int         // what all pieces take up
	pool    pool        // for the bytes of pieces
	recents int         // how many halves keep recent bytes
}

// Bounds on what is remembered. Of connections that are over the latest are
// kept, so that packets that come late are not taken for new connections.
const (
	maxOpen    = 1 << 17
	maxKnocks  = 1 << 13 // who scans ports begins many that nobody answers
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
func (r *route) hash() uint64 {
	x := (r.src.low ^ r.dst.low<<1 ^ r.ports) * 0x9e3779b97f4a7c15
	return x >> (64 - 12)
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

// flow is the flow of which a route is one direction.
func (r *route) flow() flow {
	src, dst := r.sockets()
	if src.less(dst) {
		return flow{r.src, r.dst, r.ports}
	}
	return flow{r.dst, r.src, dst.port<<16 | src.port}
}

// back is the other direction.
func (r *route) back() route {
	return route{r.dst, r.src, r.ports&0xffff<<16 | r.ports>>16}
}

func (r *route) sockets() (src, dst socket) {
	return socket{r.src, uint64(r.srcPort())}, socket{r.dst, uint64(r.dstPort())}
}

// A connection is the state of a Conn while it is put together.
type connection struct {
	Conn
	a      *assembler
	half   [2]half           // from the client, from the server
	shaken bool              // a SYN has come
	list   *list[connection] // where it is: one of knocks, open, closed
	place  node[connection]
	placed int // the latest packet when it was put into the list of open ones
}

func newAssembler(sink Sink) *assembler {
	return &assembler{
		sink:    sink,
		conns:   map[flow]*connection{},
		knocks:  newList[connection](),
		open:    newList[connection](),
		closed:  newList[connection](),
		servers: map[socket]struct{}{},
		waiters: newList[half](),
	}
}

// segment takes a TCP segment.
func (a *assembler) segment(p *packet) {
	quick := &a.quick[p.hash()]
	d := *quick
	if d == nil || d.route != p.route {
		d = a.lookUp(&p.route)
	}
	syn := p.flags&flagSYN != 0
	if d != nil && syn && d.renewed(p) {
		a.forget(d.c)
		d = nil
	}
	if d == nil {
		if !syn && len(p.data)+p.missing == 0 {
			return // nothing begins with this
		}
		d = a.begin(p)
	}
	*quick = d
	if d.c.list == a.knocks && p.flags&(flagSYN|flagACK) != flagSYN {
		a.admit(d.c)
	}
	peer := d.peer()
	if d.over && peer.over {
		d.late(p)
		return
	}
	d.src.Packet, d.src.Time = p.number, p.time
	switch {
	case syn:
		d.handshake(p, peer)
	case p.flags&flagRST != 0:
		d.reset(p, peer)
	default:
		d.take(p)
	}
	if p.flags&flagACK != 0 && !syn {
		peer.confirm(p.ack)
	}
}

// lookUp finds the direction of a connection that a packet belongs to.
func (a *assembler) lookUp(r *route) *half {
	c := a.conns[r.flow()]
	switch {
	case c == nil:
		return nil
	case c.half[0].route == *r:
		return &c.half[0]
	}
	return &c.half[1]
}

// peer is the other direction.
func (d *half) peer() *half {
	if d.src.FromClient {
		return &d.c.half[1]
	}
	return &d.c.half[0]
}

// renewed says that a SYN begins another connection between the same ends, and
// is not one of this connection that comes again, or late.
func (d *half) renewed(p *packet) bool {
	peer := d.peer()
	other := d.started && d.first != p.seq+1
	if other && !d.c.shaken {
		// The first bytes may have overtaken it.
		other = d.first-(p.seq+1) > 1<<16
	}
	if p.flags&flagACK == 0 {
		// A capture of several interfaces may have all packets of one before
		// those of the other. Their time tells them from a new connection.
		return other || d.over && p.time.After(d.src.Time)
	}
	// It answers a SYN. What had come with that may be confirmed already.
	sent := uint32(min(peer.pos, 1<<16))
	return other || peer.started && p.ack-peer.first > sent
}

// handshake takes a SYN.
func (d *half) handshake(p *packet, peer *half) {
	d.c.shaken = true
	if d.pos == 0 && peer.pos == 0 && !d.over && !peer.over {
		// Nobody has been told of the connection yet, and may look at it elsewhere.
		d.c.Opened = true
	}
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
	ahead := int64(0)
	if d.started {
		ahead = d.offset(p.seq) - d.pos
	}
	switch {
	case ahead < -window || ahead > window:
		return
	case ahead > 1 && !d.fin: // by 1, if the capture does not have a FIN
		// It may have overtaken what was sent before. A second one ends the waiting.
		d.fin, d.resets, d.last = true, true, d.pos+ahead
		return
	}
	peer.src.Packet, peer.src.Time = d.src.Packet, d.src.Time
	d.end(Reset)
	peer.end(Reset)
}

// begin makes a new connection, and returns the direction of its first packet.
func (a *assembler) begin(p *packet) *half {
	if a.knocks.len == maxKnocks {
		a.forget(a.knocks.first())
	}
	a.stats.Conns++
	src, dst := p.sockets()
	up, first := p.route, 0
	if !a.fromClient(p, src, dst) {
		src, dst = dst, src
		up, first = p.back(), 1
	}
	c := &connection{a: a, placed: p.number}
	c.ID = a.stats.Conns
	c.Client, c.Server = up.src.withPort(up.srcPort()), up.dst.withPort(up.dstPort())
	if p.flags&flagSYN != 0 && len(a.servers) < maxServers {
		a.servers[dst] = struct{}{}
	}
	for i := range c.half {
		d := &c.half[i]
		d.c = c
		d.src = Source{Conn: &c.Conn, FromClient: i == 0, From: c.Client, To: c.Server, Packet: p.number, Time: p.time}
		d.waiter.value = d
	}
	down := &c.half[1]
	down.src.From, down.src.To = c.Server, c.Client
	c.half[0].route, down.route = up, up.back()
	c.place.value = c
	a.conns[p.flow()] = c
	c.list = a.knocks // for as long as nothing else has come
	a.knocks.add(&c.place)
	return &c.half[first]
}

// move puts a connection at the end of a list.
func (c *connection) move(to *list[connection]) {
	c.list.remove(&c.place)
	c.list = to
	to.add(&c.place)
}

// admit takes a connection for one that takes place.
func (a *assembler) admit(c *connection) {
	if a.open.len == maxOpen {
		a.forget(a.silent())
	}
	c.move(a.open)
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
	case hint != 0 && (p.srcPort() == hint) != (p.dstPort() == hint):
		return p.dstPort() == hint
	}
	return p.srcPort() >= p.dstPort()
}

// silent is an open connection that has been silent for long. Nothing is noted
// in the list when a packet comes; so those that have spoken since they were put
// into it go to its end now.
func (a *assembler) silent() *connection {
	for {
		c := a.open.first()
		latest := max(c.half[0].src.Packet, c.half[1].src.Packet)
		if latest == c.placed {
			return c
		}
		c.placed = latest
		c.move(a.open)
	}
}

// retire is called when both directions of a connection are over.
func (a *assembler) retire(c *connection) {
	c.move(a.closed)
	if a.closed.len > maxClosed {
		a.forget(a.closed.first())
	}
}

// forget drops a connection, and ends it if need be.
func (a *assembler) forget(c *connection) {
	c.half[0].end(Unseen)
	c.half[1].end(Unseen)
	c.list.remove(&c.place)
	delete(a.conns, c.half[0].flow())
	for i := range c.half {
		d := &c.half[i]
		if quick := &a.quick[d.hash()]; *quick == d {
			*quick = nil
		}
	}
}

// finish ends what the capture has left open, in order of appearance.
func (a *assembler) finish() {
	var left []*connection
	for _, l := range []*list[connection]{a.knocks, a.open} {
		for n := l.root.next; n.value != nil; n = n.next {
			left = append(left, n.value)
		}
	}
	slices.SortFunc(left, func(c, d *connection) int { return c.ID - d.ID })
	for _, c := range left {
		c.half[0].end(CaptureUp)
		c.half[1].end(CaptureUp)
	}
}
