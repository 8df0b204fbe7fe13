package target

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

// A Fleet starts instances of one program: as many at the same time as one likes where each can have a port of its
// own, and else one after the other. It is safe for concurrent use.
//
// A program that is told its port, by an argument or by PORT in its environment, can have any. Of one that listens
// elsewhere it is found out, while the first instance runs: a second one that listens on yet another port shows that
// the program picks a free one. A port that is always the same allows only one instance.
type Fleet struct {
	command Command

	mu    sync.Mutex // held while it is found out
	known bool       // what follows is true
	alone bool
	own   int // the port that an instance chose itself
	slot  chan struct{}
}

// NewFleet returns a fleet of the program that c starts.
func NewFleet(c Command) *Fleet {
	f := &Fleet{command: c.withDefaults(), slot: make(chan struct{}, 1)}
	switch {
	case c.Port != 0:
		f.known, f.alone = true, true
	case c.IsTold():
		f.known = true
	}
	return f
}

// Alone reports whether only one instance can run at a time, as far as is known.
func (f *Fleet) Alone() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known && f.alone
}

// Start starts an instance as [Start] does. Where only one can run, it waits until the one before has been stopped.
func (f *Fleet) Start(ctx context.Context) (*Process, error) {
	f.mu.Lock()
	if !f.known {
		defer f.mu.Unlock()
		return f.first(ctx)
	}
	c, alone := f.command, f.alone
	c.ownPort = f.own
	f.mu.Unlock()
	if !alone {
		return Start(ctx, c)
	}
	select {
	case f.slot <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	p, err := f.startAgain(ctx, c)
	if err != nil {
		<-f.slot
		return nil, err
	}
	p.afterStop(f.free)
	return p, nil
}

// free lets the next instance start.
func (f *Fleet) free() { <-f.slot }

// first starts the first instance, and finds out whether there can be others beside it. f.mu is held.
func (f *Fleet) first(ctx context.Context) (*Process, error) {
	began := time.Now()
	p, err := Start(ctx, f.command)
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	f.known = true
	if !p.Found {
		return p, nil
	}
	f.own = int(p.Addr().Port())
	second := f.command
	second.ownPort = f.own
	second.ReadyWithin = min(3*took+time.Second, f.command.ReadyWithin)
	other, err := Start(ctx, second)
	if err == nil {
		f.alone = other.Addr().Port() == p.Addr().Port()
		other.Stop()
	} else {
		f.alone = true
	}
	if f.alone {
		f.slot <- struct{}{}
		p.afterStop(f.free)
	}
	return p, nil
}

// lingerTime is how long the system keeps a port from programs that have not set SO_REUSEADDR, after a connection
// that the program itself closed.
const lingerTime = 65 * time.Second

// startAgain starts an instance on the port that an earlier one had. If it ends because the system still keeps that
// port, which is no fault of this instance, it is started once more when the port is free.
func (f *Fleet) startAgain(ctx context.Context, c Command) (*Process, error) {
	port := c.Port
	if port == 0 {
		port = c.ownPort
	}
	lingered := !isBindable(c.Network, port)
	p, err := Start(ctx, c)
	exit, ended := errors.AsType[*ExitError](err)
	if !ended || !lingered || !saysInUse(exit.Output) {
		return p, err
	}
	for give := time.Now().Add(lingerTime); !isBindable(c.Network, port) && time.Now().Before(give); {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return Start(ctx, c)
}

// saysInUse reports whether a program has printed that its address is in use, in the words of the usual languages.
func saysInUse(o Output) bool {
	text := strings.ToLower(o.Text())
	for _, words := range []string{"in use", "eaddrinuse", "errno 98", "bind"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return strings.TrimSpace(text) == ""
}
