package chat

import (
	"net"
	"sync"
	"time"
)

// Member is one who is in a room, or was, or is a guest who may enter it. Its methods are called by the goroutine that
// reads the member's connection; Err by any.
type Member struct {
	room *Room
	name string // guarded by room.mu; a guest has none, or one that somebody else may bear
	conn net.Conn

	since int // bytes of the news that were there before the member; used by admit, then by tell

	mu      sync.Mutex
	outbox  [][]byte // shared with the other members' outboxes: never written to
	waiting int      // bytes in the outbox and in the writer's hands
	writing bool     // there is a writer
	last    bool     // nothing more is delivered, and the writer hangs up when nothing waits
	pace    pace
	eased   chan struct{} // closed when the member is no longer crowded; nil while nobody waits for that
	gone    chan struct{} // closed when the room has hung up; nil while nobody waits for that
	err     error         // why the room has hung up; nothing is delivered any more
}

// pace is how a member keeps up with what it is sent.
type pace uint8

const (
	keepsUp pace = iota
	crowded      // has much to read; counted in room.behind
	stalled      // had much to read and did not move for as long as a speaker waited
)

// Enter makes a guest a member under name. The greeting is the first that it hears as a member, and the notice is passed
// on to all the others, as with Join; each may be nil. The error is ErrNameInUse or ErrClosed, of which nobody is told,
// and the guest remains one. The greeting may not be changed any more.
func (m *Member) Enter(name string, greeting, notice []byte) error {
	first, err := m.room.admit(m, name, greeting, notice)
	if first {
		m.room.tell(nil, nil)
	}
	return err
}

// Exit makes a member a guest again; its name is free. What was sent to it before is still delivered, and nothing
// that is sent to its name comes after. Nobody is told.
func (m *Member) Exit() { m.room.dismiss(m, nil) }

// Send sends message, which may not be changed any more, to the member or guest itself. One that does not read what it
// is sent holds itself back: Send waits until that one has caught up, is hung up on, or is waited for no more by others.
func (m *Member) Send(message []byte) {
	m.awaitPace(0)
	m.deliver(message)
}

// Part ends the membership in good order: the name is free, and what waits for the member is still written, and message,
// which may be nil and may not be changed any more, as the last. Then the room hangs up on it, and Part returns; also
// when atMost is over. Nobody is told.
func (m *Member) Part(message []byte, atMost time.Duration) {
	m.Exit()
	written := m.sendLast(message)
	select {
	case <-written:
	case <-time.After(atMost):
	}
}

// sendLast delivers message, and nothing after it. The room hangs up on the member, with net.ErrClosed, when all is
// written; the channel is closed when it has hung up for this reason or another.
func (m *Member) sendLast(message []byte) (hungUp <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(message) > 0 {
		m.put(message)
	}
	if m.gone == nil {
		m.gone = make(chan struct{})
		if m.err != nil {
			close(m.gone)
		}
	}
	m.last = true
	if !m.writing {
		m.drop(net.ErrClosed)
	}
	return m.gone
}

// Say passes message, which may be several in a row, on to all others, in the order in which everybody else hears it
// too. It writes no socket, but it holds a speaker back for a while when others have too much to read already. Message
// is copied, once, and not at all when there is nobody to hear it. Who has left, or was hung up on, is not heard.
func (m *Member) Say(message []byte) {
	if m.Err() != nil {
		return
	}
	m.room.line.Lock()
	defer m.room.line.Unlock()
	m.room.awaitCrowd()
	m.room.tell(m, message)
}

// Leave ends the membership and passes notice on to those who stay; by then the name is free again. What was still
// waiting for the member is dropped. Leaving twice, or a closed room, tells nobody.
func (m *Member) Leave(notice []byte) {
	m.hangUp(net.ErrClosed)
	if m.room.dismiss(m, notice) {
		m.room.tell(nil, nil)
	}
}

// Err says why the room has hung up on the member: ErrOutboxFull, ErrClosed, net.ErrClosed after Leave or Part or a
// Farewell that was heard, or the error of a failed write. It is nil for a member in good standing.
func (m *Member) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// deliver appends frame to the outbox, and starts a writer if there is none.
func (m *Member) deliver(frame []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(frame)
}

// put is deliver for callers that hold m.mu.
func (m *Member) put(frame []byte) {
	if m.err != nil || m.last {
		return
	}
	if m.waiting > 0 && m.waiting+len(frame) > m.room.limit {
		m.drop(ErrOutboxFull)
		return
	}
	m.outbox = append(m.outbox, frame)
	m.waiting += len(frame)
	if m.pace == keepsUp {
		m.setPace()
	}
	if !m.writing {
		m.writing = true
		m.room.writers.Add(1)
		go m.write()
	}
}

// write is the member's writer: it takes all that waits and writes it, until nothing waits.
func (m *Member) write() {
	defer m.room.writers.Done()
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.outbox) > 0 {
		taken, size := m.outbox, m.waiting
		m.outbox = nil
		m.mu.Unlock()
		err := writeAll(m.conn, taken)
		m.mu.Lock()
		if err != nil {
			m.drop(err)
		}
		if m.err != nil {
			break
		}
		m.waiting -= size
		m.setPace()
		if m.outbox == nil && cap(taken) <= keptOutbox {
			clear(taken)
			m.outbox = taken[:0]
		}
	}
	m.writing = false
	if m.last {
		m.drop(net.ErrClosed)
	}
}

// keptOutbox is how many messages' places an empty outbox keeps: enough for talk, next to nothing for ten thousand.
const keptOutbox = 2

// setPace says anew whether the member keeps up, after something was delivered or written. The caller holds m.mu.
func (m *Member) setPace() {
	was := m.pace
	m.pace = keepsUp
	if m.waiting > m.room.crowded {
		m.pace = crowded
	}
	switch {
	case was != crowded && m.pace == crowded:
		m.room.behind.Add(1)
	case was == crowded && m.pace != crowded:
		m.uncount()
	}
}

// giveUpOn lets nobody wait for a crowded member, until its writer has got something done.
func (m *Member) giveUpOn() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pace == crowded {
		m.pace = stalled
		m.uncount()
	}
}

// awaitPace returns when the member is not crowded, or, if atMost is not 0, when that has passed: then nobody waits for
// it again until it moves.
func (m *Member) awaitPace(atMost time.Duration) {
	m.mu.Lock()
	if m.pace != crowded {
		m.mu.Unlock()
		return
	}
	if m.eased == nil {
		m.eased = make(chan struct{})
	}
	eased := m.eased
	m.mu.Unlock()

	var enough <-chan time.Time // nil: never
	if atMost != 0 {
		enough = time.After(atMost)
	}
	select {
	case <-eased:
	case <-enough:
		m.giveUpOn()
	}
}

// uncount takes a member that was crowded out of the count, and wakes those who wait for that.
func (m *Member) uncount() {
	if m.eased != nil {
		close(m.eased)
		m.eased = nil
	}
	if m.room.behind.Add(-1) == 0 {
		select {
		case m.room.caughtUp <- struct{}{}:
		default:
		}
	}
}

// hangUp ends all traffic with the member, for the reason err, unless that has been done before.
func (m *Member) hangUp(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(err)
}

// drop is hangUp for callers that hold m.mu. A deadline in the past wakes both who reads and who writes; to close the
// connection here would be to wait for them.
func (m *Member) drop(err error) {
	if m.err != nil {
		return
	}
	m.err = err
	if m.gone != nil {
		close(m.gone)
	}
	m.outbox = nil
	m.waiting = 0
	m.setPace()
	m.conn.SetDeadline(time.Unix(1, 0))
}

// gathered is the size of the buffer in which small messages become one write, in bytes.
const gathered = 16 << 10

var gatherers = sync.Pool{New: func() any { return new([gathered]byte) }}

// writeAll writes frames, gathering small ones. It does not use net.Buffers: writev keeps an array of up to 16 KiB
// with every connection that has ever had a thousand small messages to write.
func writeAll(conn net.Conn, frames [][]byte) error {
	if len(frames) == 1 {
		_, err := conn.Write(frames[0])
		return err
	}
	gatherer := gatherers.Get().(*[gathered]byte)
	defer gatherers.Put(gatherer)
	buf := gatherer[:0]
	for _, frame := range frames {
		if len(buf)+len(frame) > gathered && len(buf) > 0 {
			if _, err := conn.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
		if len(frame) > gathered {
			if _, err := conn.Write(frame); err != nil {
				return err
			}
			continue
		}
		buf = append(buf, frame...)
	}
	if len(buf) == 0 {
		return nil
	}
	_, err := conn.Write(buf)
	return err
}
