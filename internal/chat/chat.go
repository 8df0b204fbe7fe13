// Package chat is the heart of the reference servers: a room, its members, and an outbox for each of them. It knows
// no protocol: what it passes on are bytes that somebody else has framed.
//
// One idea makes it quick. To say something is to append the same bytes, encoded once, to the outbox of every other
// member, which is a few nanoseconds each under that member's lock; no socket is written. When an outbox turns
// non-empty its writer starts, takes everything that waits, writes it at once, looks again, and ends when nothing is
// left. The busier the room, the more goes into one write. A member that nobody talks to costs no goroutine here.
//
//	room := chat.NewRoom(8 << 20)
//	alice, err := room.Join("alice", conn, []byte("alice is here\n")) // to all others, before anything she says
//	if err != nil {
//		return err // her name is in use, or the room is closed
//	}
//	alice.Say([]byte("alice: hello\n"))      // to all others
//	alice.Leave([]byte("alice has left\n")) // her name is free before anybody reads this
//
// Everybody hears everything in the same order, so that no answer overtakes its question.
//
// Where members come and go on one connection, and are told something in between, a guest is the way in:
//
//	guest := room.Meet(conn)
//	guest.Send([]byte("who are you?\n"))                        // to this one alone
//	err := guest.Enter("bob", []byte("welcome\n"), nil)         // a member now, and that is the first it hears
//	err = room.SendTo("alice", []byte("bob, to you: hello\n")) // to alice alone
//	guest.Exit()                                                // a guest again
//
// A member that reads too slowly is met twice. From a quarter of its outbox on it is crowded, and whoever speaks next
// is held back until it has caught up; this is what keeps a fast sender from drowning sound readers. Who does not
// move at all while a speaker waits is waited for no more. When its outbox is full the room hangs up on it.
//
// A Room serves protocols where one speaks to all, or to one. It has no limits but the outbox's: how many may connect,
// what a name may be, and how long a message, is for the protocol to say.
package chat

import (
	"bytes"
	"errors"
	"maps"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// patience is how long one speaker is held back for members that do not move.
const patience = 200 * time.Millisecond

// crowdedAt bounds, in bytes, what waits for a member that keeps up: enough for big writes, and few enough that what
// a thousand members are about to be sent is still in the processor's cache.
const crowdedAt = 256 << 10

// together is how many writers are started before they are given a chance to run and to end: what is told to ten
// thousand should not take ten thousand stacks.
const together = 256

// Why a room refuses a newcomer, hangs up on a member, or cannot deliver.
var (
	ErrNameInUse  = errors.New("name is in use")
	ErrClosed     = errors.New("room is closed")
	ErrOutboxFull = errors.New("reads too slowly: outbox is full")
	ErrNoMember   = errors.New("there is no member of that name")
)

// Room is a set of members, each under a name of its own. Its methods may be called from any goroutine.
type Room struct {
	limit   int // bytes that may wait in one outbox
	crowded int // bytes in an outbox from which on speakers wait for its member

	// The locks, in the order in which they are taken; a member's own comes last.
	line  sync.Mutex // held by the speaker whose turn it is, also while held back
	floor sync.Mutex // held while something is delivered: one order for everybody
	mu    sync.Mutex // guards what follows; held for moments only

	closed   bool
	members  []*Member          // replaced, or appended to, but never changed in place: see tell
	names    map[string]*Member // who bears which
	news     []byte             // notices that are yet to be delivered
	deserted chan struct{}      // closed when the room is and the last member has left

	behind   atomic.Int32  // members that are crowded
	caughtUp chan struct{} // told, without blocking, when behind becomes 0
	writers  sync.WaitGroup
}

// NewRoom returns an empty room where up to limit bytes may wait for each member. Whatever the limit, an empty outbox
// takes any one message.
func NewRoom(limit int) *Room {
	return &Room{
		limit:    limit,
		crowded:  min(limit/4, crowdedAt),
		caughtUp: make(chan struct{}, 1),
		names:    map[string]*Member{},
		deserted: make(chan struct{}),
	}
}

// Join makes conn a member under name and passes notice on to all the others: by the time that anybody is told of a
// newcomer, it is there. The newcomer itself gets no notice. A nil notice tells nobody.
//
// The room only ever writes to conn, and sets its deadline in order to hang up; reading and closing stay with the
// caller, who calls Leave when reading ends. The error is ErrNameInUse or ErrClosed.
func (r *Room) Join(name string, conn net.Conn, notice []byte) (*Member, error) {
	m := r.Meet(conn)
	if err := m.Enter(name, nil, notice); err != nil {
		return nil, err
	}
	return m, nil
}

// Meet returns a guest, who has no name, is not on the list, and hears nothing but what is sent to it alone. As with
// Join, reading and closing stay with the caller; a guest's connection is to be closed before the room is, which
// cannot hang up on one that it has not on its list.
func (r *Room) Meet(conn net.Conn) *Member { return &Member{room: r, conn: conn} }

// admit puts m on the list under name, the greeting first in its outbox, and its notice among the news, of which m is
// to hear what comes after that. First says that there were no other news, and that the caller is the one to tell them.
func (r *Room) admit(m *Member, name string, greeting, notice []byte) (first bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false, ErrClosed
	}
	if r.names[name] != nil {
		return false, ErrNameInUse
	}
	if len(greeting) > 0 {
		m.deliver(greeting)
	}
	first = len(r.news) == 0
	m.name = name
	r.names[name] = m
	r.members = append(r.members, m)
	r.news = append(r.news, notice...)
	m.since = len(r.news)
	return first, nil
}

// dismiss takes m off the list, if it is on it, and puts its notice among the news. First is as with admit.
func (r *Room) dismiss(m *Member, notice []byte) (first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.names[m.name] != m {
		return false
	}
	delete(r.names, m.name)
	if r.closed { // where ten thousand leave at once, and nobody is told
		if len(r.names) == 0 {
			close(r.deserted)
		}
		return false
	}
	first = len(r.news) == 0
	seat := slices.Index(r.members, m)
	r.members = slices.Concat(r.members[:seat], r.members[seat+1:])
	r.news = append(r.news, notice...)
	return first
}

// tell delivers the news to everybody, then message, which may be empty, to everybody but from. It copies message.
//
// Ten thousand who come at once would have fifty million notices delivered one by one. But while one of them tells
// the news, the others only add theirs; all of these are then told in one.
func (r *Room) tell(from *Member, message []byte) {
	r.floor.Lock()
	defer r.floor.Unlock()

	r.mu.Lock()
	news, members := r.news, r.members
	r.news = nil
	r.mu.Unlock()

	if len(news)+len(message) == 0 {
		return // somebody who spoke in the meantime has told the news
	}
	if len(members) > 1 {
		message = bytes.Clone(message)
	}
	for i, m := range members {
		if i%together == together-1 {
			runtime.Gosched()
		}
		if len(news) > m.since {
			m.deliver(news[m.since:])
		}
		m.since = 0
		if m != from && len(message) > 0 {
			m.deliver(message)
		}
	}
}

// Names returns the members' names, sorted.
func (r *Room) Names() []string {
	r.mu.Lock()
	names := slices.AppendSeq(make([]string, 0, len(r.names)), maps.Keys(r.names))
	r.mu.Unlock()
	slices.Sort(names)
	return names
}

// SendTo passes message, which may not be changed any more, on to the member of that name and to nobody else. It holds
// its caller back for a while if that member has too much to read already, and nobody else. What has been sent to a
// member is in its outbox before it can exit. The error is ErrNoMember.
func (r *Room) SendTo(name string, message []byte) error {
	r.mu.Lock()
	m := r.names[name]
	r.mu.Unlock()
	if m != nil {
		m.awaitPace(patience)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m = r.names[name]
	if m == nil {
		return ErrNoMember
	}
	m.deliver(message)
	return nil
}

// Farewell closes the room as Close does, but first sends message to every member, as the last that it hears. The room
// hangs up on each as soon as that is written, and on those that are left after atMost. Farewell returns when the
// members have left, so that they may take their time to hang up in turn, or when atMost is over.
func (r *Room) Farewell(message []byte, atMost time.Duration) {
	r.mu.Lock()
	r.closed = true
	members := r.members
	empty := len(r.names) == 0
	r.mu.Unlock()
	for i, m := range members {
		if i%together == together-1 {
			runtime.Gosched()
		}
		m.sendLast(message)
	}
	if !empty {
		select {
		case <-r.deserted:
		case <-time.After(atMost):
		}
	}
	r.Close()
}

// Close hangs up on every member and returns when the last writer has ended. Nobody is told that the others leave.
func (r *Room) Close() {
	r.mu.Lock()
	r.closed = true
	members := r.members
	r.mu.Unlock()
	for _, m := range members {
		m.hangUp(ErrClosed)
	}
	r.writers.Wait()
}

// awaitCrowd returns when no member is crowded. Those that have not caught up within patience are not waited for
// again until they move. The caller holds r.line, so that there is never more than one who waits.
func (r *Room) awaitCrowd() {
	if r.behind.Load() == 0 {
		return
	}
	enough := time.NewTimer(patience)
	defer enough.Stop()
	for r.behind.Load() > 0 {
		select {
		case <-r.caughtUp:
		case <-enough.C:
			r.mu.Lock()
			members := r.members
			r.mu.Unlock()
			for _, m := range members {
				m.giveUpOn()
			}
			return
		}
	}
}
