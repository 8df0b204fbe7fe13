package engine

import (
	"fmt"
	"time"
)

// changed wakes the player.
func (p *play) changed() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// ending is how a wait ended.
type ending int

const (
	met ending = iota
	timedOut
	ended // the connection of the client waited for
	gone  // the program
	cancelled
)

// wait blocks until cond, which is called with mu held, is true. It ends early
// when c's connection has ended (c may be nil), when the program has, and when
// the play is cancelled.
func (p *play) wait(limit time.Duration, c *client, cond func() bool) ending {
	return p.await(limit, limit >= p.deadline, c, cond)
}

// await is wait with a limit that, if it is a deadline, can be put off.
func (p *play) await(limit time.Duration, deadline bool, c *client, cond func() bool) ending {
	began := time.Now()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var delays, late int
	var lastWords *time.Timer
	var lastWordsDone <-chan time.Time
	for {
		p.mu.Lock()
		ok := cond()
		over := c != nil && c.isOver()
		p.mu.Unlock()
		switch {
		case ok:
			return met
		case over:
			return ended
		}
		if _, exited := p.exited(); exited && lastWords == nil {
			// What the program sent before it ended may still be on its way.
			lastWords = time.NewTimer(min(limit, quietWindow))
			defer lastWords.Stop()
			lastWordsDone = lastWords.C
		}
		select {
		case <-p.wake:
		case <-timer.C:
			if !deadline || delays >= maxDelays || !p.putOff(c) {
				p.mu.Lock()
				ok := cond() // it may have come at the last moment
				p.mu.Unlock()
				if ok {
					return met
				}
				p.waited = time.Since(began)
				return timedOut
			}
			delays++
			timer.Reset(p.deadline)
		case <-lastWordsDone:
			p.mu.Lock()
			ok := cond() // it may have come at the last moment
			p.mu.Unlock()
			if ok {
				return met
			}
			// Over TCP the end of the connection follows what was sent before it.
			open := c != nil && !p.codec.IsDatagram(p.own)
			if late++; late >= maxLate || !open && !p.putOff(c) {
				return gone
			}
			lastWords.Reset(min(limit, quietWindow))
		case <-p.ctx.Done():
			return cancelled
		}
	}
}

// putOff says that a deadline has passed too early to mean anything: the
// machine is busy, or the message that c waits for is still coming in.
func (p *play) putOff(c *client) bool {
	if c != nil {
		p.mu.Lock()
		arriving := len(c.partial) > 0 && time.Since(c.lastBytes) < p.deadline/4
		p.mu.Unlock()
		if arriving {
			return true
		}
	}
	return p.session.Busy != nil && p.session.Busy()
}

// sleep waits unless the play is cancelled.
func (p *play) sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ctx.Done():
	}
}

func (p *play) exited() (string, bool) {
	if p.target.Exited == nil {
		return "", false
	}
	return p.target.Exited()
}

// why puts the end of a wait for something from the server to c into words.
func (p *play) why(e ending, c *client) string {
	if how, exited := p.exited(); exited && e != met {
		return "the program " + how
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e {
	case ended:
		return c.overReason()
	case cancelled:
		return "the run was interrupted"
	}
	if c == nil {
		return fmt.Sprintf("it did not happen within %s", round(p.waited))
	}
	forC := fmt.Sprintf("came for %s", c)
	if p.host != nil {
		forC = "came from the program"
	}
	switch n := c.fresh(); {
	case n == 0 && len(c.partial) > 0:
		return fmt.Sprintf("only the beginning of a message %s within %s: %d bytes", forC, round(p.waited), len(c.partial)+c.lost)
	case n == 0:
		return fmt.Sprintf("nothing %s within %s", forC, round(p.waited))
	case n == 1:
		return fmt.Sprintf("one other message %s, and not this one within %s", forC, round(p.waited))
	default:
		return fmt.Sprintf("%d other messages %s, and not this one within %s", n, forC, round(p.waited))
	}
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}
