package mutant

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A room is one mutant at work: all connections of one server, and what is
// known about who is behind them.
type room struct {
	behaviour
	server *engine.Target
	codec  *wire.Codec
	udp    bool
	// occasions counts how often the behaviour has shown.
	occasions *atomic.Int64
	// shadows are rooms that see what happens in this one and cannot change it;
	// isShadow says that this is one of them.
	shadows  []*room
	isShadow bool
	// endsByReset says that a reset is the end of the play.
	endsByReset bool

	mu      sync.Mutex
	changed sync.Cond // on mu: broadcast whenever anything is different
	links   []*link   // in the order in which they came
	died    string    // how the program has ended, if the mutant says so
	hangs   bool      // nothing goes on any more
	closed  bool
	notify  func()
	work    sync.WaitGroup
}

func newRoom(server *engine.Target, codec *wire.Codec) *room {
	r := &room{server: server, codec: codec, udp: codec.IsDatagram(wire.Client)}
	r.changed.L = &r.mu
	return r
}

// target is the mutant as the engine sees it.
func (r *room) target() *engine.Target {
	t := *r.server
	t.Dial, t.Prompt = r.dial, true
	t.Close = r.close
	if t.Exited != nil {
		t.Exited = r.exited
	}
	if t.Notify != nil {
		t.Notify = func(f func()) {
			r.mu.Lock()
			r.notify = f
			r.mu.Unlock()
			r.server.Notify(f)
		}
	}
	if t.Stop != nil && (r.stops != nil || len(r.shadows) > 0) {
		t.Stop = r.stop
	}
	if t.Printed != nil && r.printed != nil {
		t.Printed = r.printedSince
	}
	return &t
}

func (r *room) dial(ctx context.Context, receiveBuffer int) (net.Conn, error) {
	r.mu.Lock()
	dead := r.died != ""
	r.mu.Unlock()
	if dead {
		return nil, syscall.ECONNREFUSED
	}
	inner, err := r.server.Dial(ctx, receiveBuffer)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := &link{Conn: inner, room: r, guest: &guest{number: len(r.links) + 1}}
	l.woken.L = &r.mu
	r.links = append(r.links, l)
	for _, s := range r.shadows {
		s.links = append(s.links, &link{Conn: inner, room: s, guest: l.guest})
	}
	r.cast(l, func(s *room, l *link) {
		if s.opened != nil {
			s.opened(l)
		}
	})
	if r.opened != nil {
		r.opened(l)
	}
	r.work.Add(1)
	go l.pump()
	if r.udp {
		return &packetLink{l}, nil
	}
	return l, nil
}

// close ends the server behind it, and all that is left of its connections.
func (r *room) close() {
	r.mu.Lock()
	r.closed = true
	if len(r.shadows) > 0 && r.server.Printed != nil {
		r.castPrinted()
	}
	for _, l := range r.links {
		l.gone = true
		_ = l.Conn.Close()
		l.woken.Broadcast()
	}
	r.changed.Broadcast()
	r.mu.Unlock()
	r.server.Close()
	r.work.Wait()
}

// exited says how the program has ended, once all that it has sent before has
// come.
func (r *room) exited() (string, bool) {
	how, ended := r.server.Exited()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.died != "" {
		return r.died, true
	}
	for _, l := range r.links {
		if ended && !r.udp && !l.drained && !l.gone && l.queued <= mostQueued && !r.isWaiting(l) {
			return "", false
		}
	}
	if ended && r.exits != nil && !r.exits() {
		return "", false
	}
	return how, ended
}

func (r *room) stop(how string) error {
	r.mu.Lock()
	r.castStop(how)
	obeys := r.stops == nil || r.stops(how)
	r.mu.Unlock()
	if !obeys {
		return nil
	}
	return r.server.Stop(how)
}

func (r *room) printedSince(from int64) ([]byte, int64) {
	all, _ := r.server.Printed(0)
	r.mu.Lock()
	defer r.mu.Unlock()
	all = r.printed(all)
	end := int64(len(all))
	return all[min(from, end):], end
}

// die has the program end as by a crash: all connections are reset. mu is held.
func (r *room) die(how string) {
	if r.died != "" {
		return
	}
	r.died = how
	for _, l := range r.links {
		l.cut(true)
	}
	if r.notify != nil && !r.isShadow {
		go r.notify()
	}
	r.changed.Broadcast()
}

// hang has nothing go on any more. mu is held.
func (r *room) hang() {
	r.hangs = true
	r.changed.Broadcast()
}

// isWaiting says that nothing of l goes on at the moment. mu is held.
func (r *room) isWaiting(l *link) bool {
	return r.hangs || r.waits != nil && r.waits(l)
}

// guest is the connection on which a user has logged in last, or nil. mu is held.
func (r *room) guest(user string) *link {
	for i := len(r.links) - 1; i >= 0; i-- {
		if l := r.links[i]; l.user == user && l.entered && !l.left {
			return l
		}
	}
	return nil
}

// others are all open connections but l. mu is held.
func (r *room) others(l *link) []*link {
	var list []*link
	for _, o := range r.links {
		if o != l && !o.left && o.end == nil {
			list = append(list, o)
		}
	}
	return list
}

// shows counts that the behaviour has made a difference.
func (r *room) shows() { r.occasions.Add(1) }
