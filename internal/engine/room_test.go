package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// rules are how a server of the framed protocol behaves. Their zero value is
// as plain as a correct server can be: a thread for each client, a lock,
// notices, no echo, a name that is in use is refused.
type rules struct {
	// Correct servers differ in these.
	little        bool          // byte order
	echo          bool          // a sender hears itself
	style         style         // who writes
	lag           time.Duration // each way
	chop          int           // the probe receives no more bytes at a time; 0: any number
	welcome       string        // what a newcomer is told
	tellSelf      bool          // a newcomer is told that it has arrived
	relayLogin    bool          // the first frame goes to the others like any other
	history       int           // how many old messages a newcomer receives
	listEvery     time.Duration // how often everybody is sent the list of users
	namesAll      bool          // a notice ends in the list of all users
	asUser        bool          // a notice stands under the name of whom it is about
	allowTwice    bool          // a name may be in use twice
	silentRefusal bool          // who may not come in is neither told nor cut off
	replaceName   bool          // what is said under another's name is said under one's own
	cutLiars      bool          // who speaks under another's name is cut off
	slowLogin     time.Duration // how long a login takes
	lateNotice    time.Duration // how long a notice waits
	slowLeave     time.Duration // how long it takes to notice that somebody has left

	// Wrong servers differ in these.
	refused bool                                   // nothing listens
	small   bool                                   // what waits for a client has little room
	serve   func(r *room, c *pipeConn)             // instead of all that follows
	relay   func(r *room, m *member, f frame) bool // instead of passing f on, if true
	joined  func(r *room, m *member)               // after the notice
	left    func(r *room, m *member) bool          // instead of the notice, if true

	prints  func(r *room) string // displayed every 50 ms; nil: the output cannot be seen
	process bool                 // it can be stopped, and seen to end
}

// style is who writes to a client.
type style int

const (
	direct     style = iota // the thread that has read, under the lock
	queued                  // a thread for each client
	perMessage              // a new thread for each message, so that they overtake each other
)

type frame struct{ user, text string }

func (f frame) bytes(order binary.ByteOrder) []byte {
	b := make([]byte, 6, 6+len(f.user)+len(f.text))
	order.PutUint16(b, uint16(len(f.user)))
	order.PutUint32(b[2:], uint32(len(f.text)))
	return append(append(b, f.user...), f.text...)
}

// A room is a running server in memory.
type room struct {
	rules
	order  binary.ByteOrder
	closed chan struct{}
	work   sync.WaitGroup

	mu      lock
	conns   []*pipeConn // as the server holds them
	members []*member
	said    []frame
	rng     *rand.Rand
	output  strings.Builder
	how     string // it has ended
	notify  func()
}

// A lock is a mutex in whose queue synctest lets the time pass.
type lock chan struct{}

func (l lock) Lock()   { l <- struct{}{} }
func (l lock) Unlock() { <-l }

type member struct {
	conn  *pipeConn
	name  string
	queue chan []byte
	gone  bool
}

func (rules rules) start() *room {
	r := &room{rules: rules, order: binary.BigEndian, closed: make(chan struct{}), rng: rand.New(rand.NewPCG(1, 2)), mu: make(lock, 1)}
	if r.little {
		r.order = binary.LittleEndian
	}
	if r.listEvery > 0 {
		r.every(r.listEvery, func() { r.tell(nil, frame{"server", "users: " + r.names()}) })
	}
	if r.prints != nil {
		r.every(50*time.Millisecond, func() { r.print(r.prints(r)) })
	}
	return r
}

// every calls f with r.mu held.
func (r *room) every(d time.Duration, f func()) {
	r.work.Go(func() {
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.mu.Lock()
				f()
				r.mu.Unlock()
			case <-r.closed:
				return
			}
		}
	})
}

func (r *room) dial(ctx context.Context, _ int) (net.Conn, error) {
	// In a bubble even the shortest time passes only when all others wait: the
	// server is done with those who came before.
	select {
	case <-time.After(max(2*r.lag, 1)):
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused || r.how != "" {
		return nil, syscall.ECONNREFUSED
	}
	ours, theirs := newPipe(r.lag)
	ours.in.chop = r.chop
	if !r.small {
		ours.in.limit = 1 << 30
	}
	r.conns = append(r.conns, theirs)
	r.work.Go(func() {
		if r.serve != nil {
			r.serve(r, theirs)
			return
		}
		r.session(theirs)
		_ = theirs.Close()
	})
	return ours, nil
}

// print adds a line to the output. r.mu is held.
func (r *room) print(line string) {
	r.output.WriteString(line + "\n")
	if r.notify != nil {
		r.notify()
	}
}

// take reads one frame.
func (r *room) take(c io.Reader) (frame, error) {
	head := make([]byte, 6)
	if _, err := io.ReadFull(c, head); err != nil {
		return frame{}, err
	}
	name, text := r.order.Uint16(head), r.order.Uint32(head[2:])
	if text > 1<<20 {
		return frame{}, errors.New("too long")
	}
	body := make([]byte, int(name)+int(text))
	if _, err := io.ReadFull(c, body); err != nil {
		return frame{}, err
	}
	return frame{string(body[:name]), string(body[name:])}, nil
}

// session serves one client.
func (r *room) session(c *pipeConn) {
	first, err := r.take(c)
	if err != nil || first.user == "" {
		return
	}
	time.Sleep(r.slowLogin)
	m := r.join(c, first.user)
	if m == nil {
		if r.silentRefusal {
			_, _ = io.Copy(io.Discard, c)
			return
		}
		_, _ = c.Write(frame{"server", "the name is taken"}.bytes(r.order))
		return
	}
	for f := first; ; {
		if f != first || f.text != "" || r.relayLogin {
			if f.user != m.name && r.cutLiars {
				break
			}
			r.heard(m, f)
		}
		if f, err = r.take(c); err != nil {
			break
		}
		first.user = "" // so that what says the same again is no login
	}
	time.Sleep(r.slowLeave)
	r.depart(m)
}

// join makes the client a member, unless the name is taken.
func (r *room) join(c *pipeConn, name string) *member {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.allowTwice && slices.ContainsFunc(r.members, func(m *member) bool { return m.name == name }) {
		return nil
	}
	m := &member{conn: c, name: name}
	if r.style == queued {
		m.queue = make(chan []byte, 100_000)
		r.work.Go(func() {
			for b := range m.queue {
				_, _ = m.conn.Write(b)
			}
		})
	}
	r.members = append(r.members, m)
	if r.welcome != "" {
		r.send(m, frame{"server", r.welcome})
	}
	for _, f := range r.said[max(0, len(r.said)-r.history):] {
		r.send(m, f)
	}
	r.notice(m, " has joined", r.tellSelf)
	if r.joined != nil {
		r.joined(r, m)
	}
	return m
}

func (r *room) depart(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members = slices.DeleteFunc(r.members, func(o *member) bool { return o == m })
	m.gone = true
	if m.queue != nil {
		close(m.queue)
	}
	if r.left == nil || !r.left(r, m) {
		r.notice(m, " has left", false)
	}
}

// notice tells the others about m. r.mu is held.
func (r *room) notice(m *member, what string, self bool) {
	f := frame{"server", m.name + what}
	if r.namesAll {
		f.text += "; here are now: " + r.names()
	}
	if r.asUser {
		f.user = m.name
	}
	except := m
	if self {
		except = nil
	}
	if r.lateNotice > 0 {
		r.work.Go(func() {
			time.Sleep(r.lateNotice)
			r.mu.Lock()
			defer r.mu.Unlock()
			r.tell(except, f)
		})
		return
	}
	r.tell(except, f)
}

// names are those of the members. r.mu is held.
func (r *room) names() string {
	var names []string
	for _, m := range r.members {
		names = append(names, m.name)
	}
	return strings.Join(names, ", ")
}

// heard passes on what m said.
func (r *room) heard(m *member, f frame) {
	if f.user != m.name {
		if !r.replaceName {
			return
		}
		f.user = m.name
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, f)
	if r.relay != nil && r.relay(r, m, f) {
		return
	}
	except := m
	if r.echo {
		except = nil
	}
	r.tell(except, f)
}

// tell sends f to everybody else. r.mu is held.
func (r *room) tell(except *member, f frame) {
	for _, m := range r.members {
		if m != except {
			r.send(m, f)
		}
	}
}

// send sends f to m. r.mu is held.
func (r *room) send(m *member, f frame) {
	b := f.bytes(r.order)
	switch {
	case m.gone:
	case r.style == queued:
		m.queue <- b
	case r.style == perMessage:
		late := time.Duration(r.rng.IntN(2000)) * time.Microsecond
		r.work.Go(func() {
			time.Sleep(late)
			_, _ = m.conn.Write(b)
		})
	default:
		_, _ = m.conn.Write(b)
	}
}

// find is the member of that name, or nil. r.mu is held.
func (r *room) find(name string) *member {
	for _, m := range r.members {
		if m.name == name {
			return m
		}
	}
	return nil
}
