package target

import (
	"context"
	"sync"
	"time"
)

// A Fleet starts instances of one program: as many at the same time as one likes where each can have a port of its
// own, and else one after the other. It is safe for concurrent use.
//
// A program that is told its port, by an argument, by what is typed, or by PORT in its environment, can have any. Of
// one that listens elsewhere it is found out, while the first instance runs and before anybody has it: a second one
// that listens on yet another port shows that the program picks a free one. Otherwise only one instance can run at a
// time, as always with [Command.Port].
//
// Two fleets of one program do not know of each other.
type Fleet struct {
	command Command
	finding chan struct{} // full while it is found out
	running chan struct{} // full while an instance runs of which there can be only one

	mu     sync.Mutex
	known  bool // what follows is true
	alone  bool
	own    int  // the port that an instance chose itself
	failed bool // a start, before that was known
}

// NewFleet returns a fleet of the program that c starts.
func NewFleet(c Command) *Fleet {
	f := &Fleet{command: c.withDefaults(), finding: make(chan struct{}, 1), running: make(chan struct{}, 1)}
	switch {
	case c.Port != 0:
		f.known, f.alone = true, true
	case c.IsTold():
		f.known = true
	}
	return f
}

// Alone reports whether it has been found that only one instance can run at a time. It does not wait.
func (f *Fleet) Alone() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.alone
}

// OwnPort returns the port that an instance chose itself, as far as is known; 0 where it listens on the one it is told.
// Where not all instances have the same, it is the first one's.
func (f *Fleet) OwnPort() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.own
}

// Start starts an instance as [Start] does. Where only one can run at a time, it waits until [Process.Stop] has ended
// the one before. The error is one of those of [Start], or ctx's.
func (f *Fleet) Start(ctx context.Context) (*Process, error) {
	known, alone, c := f.state()
	if !known {
		if err := enter(ctx, f.finding); err != nil {
			return nil, err
		}
		known, alone, c = f.state()
		if !known {
			defer leave(f.finding)
			return f.first(ctx)
		}
		leave(f.finding)
	}
	if !alone {
		return Start(ctx, c)
	}
	if err := enter(ctx, f.running); err != nil {
		return nil, err
	}
	p, err := Start(ctx, c)
	if err != nil {
		leave(f.running)
		return nil, err
	}
	p.afterStop(func() { leave(f.running) })
	return p, nil
}

// state returns what is known, and the command with it.
func (f *Fleet) state() (known, alone bool, c Command) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c = f.command
	c.ownPort, c.impatient = f.own, f.failed
	return f.known, f.alone, c
}

// enter waits for a place that is free.
func enter(ctx context.Context, place chan struct{}) error {
	if ctx.Err() == nil {
		select {
		case place <- struct{}{}:
			return nil
		case <-ctx.Done():
		}
	}
	return context.Cause(ctx)
}

func leave(place chan struct{}) { <-place }

// first starts the first instance, and finds out whether there can be others beside it. Where that does not come to an
// end, because nothing can be started or ctx ends, the next does it again.
func (f *Fleet) first(ctx context.Context) (*Process, error) {
	_, _, c := f.state()
	began := time.Now()
	p, err := Start(ctx, c)
	if err != nil {
		f.mu.Lock()
		f.failed = f.failed || ctx.Err() == nil
		f.mu.Unlock()
		return nil, err
	}
	if !p.Found {
		f.learn(false, 0)
		return p, nil
	}
	own := int(p.Addr().Port())
	many := f.try(ctx, own, time.Since(began)-p.Lingered)
	if err := ctx.Err(); err != nil {
		p.Stop()
		return nil, context.Cause(ctx)
	}
	f.learn(!many, own)
	if many {
		return p, nil
	}
	f.running <- struct{}{} // nobody has known of it until now, so it is free
	if _, ended := p.Exited(); ended {
		// It has given way to the second one, as programs do that end the one before.
		p.Stop()
		_, _, c := f.state()
		if p, err = Start(ctx, c); err != nil {
			leave(f.running)
			return nil, err
		}
	}
	p.afterStop(func() { leave(f.running) })
	return p, nil
}

// try starts a second instance beside the first, which has a port and took some time to listen there, and reports
// whether it listens on another. If not, that is not the program's fault, and its reasons are of no interest.
func (f *Fleet) try(ctx context.Context, port int, took time.Duration) (many bool) {
	second := f.command
	second.ownPort = port
	second.ReadyWithin = min(3*took+time.Second, second.ReadyWithin)
	other, err := second.startOnPort(ctx)
	if err != nil {
		return false
	}
	defer other.Stop()
	return int(other.Addr().Port()) != port
}

func (f *Fleet) learn(alone bool, own int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known, f.alone, f.own = true, alone, own
}
