package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// loginProcedure is the name of the procedure after which a client is in the
// room.
const loginProcedure = "login"

// login connects c where needed, runs the login procedure, and settles c with
// somebody who is in the room already, if there is anybody.
func (p *play) login(c *client, as *string) *failure {
	if f := p.enter(c, as); f != nil {
		return f
	}
	return p.settle(c, p.deadline)
}

// enter is login without settling.
func (p *play) enter(c *client, as *string) *failure {
	proc := p.session.Suite.Procedure(loginProcedure)
	if proc == nil {
		return harnessError(fmt.Errorf("the protocol has no procedure %q", loginProcedure))
	}
	if as != nil {
		c.name = *as
	}
	if f := p.runProcedure(c, proc); f != nil {
		return f
	}
	c.inRoom = true
	p.entered++
	return nil
}

// runProcedure has c do the steps of a procedure.
func (p *play) runProcedure(c *client, proc *scenario.Procedure) *failure {
	if !c.isOpen() {
		if f := p.connect(c); f != nil {
			return f
		}
	}
	defer func(before *client) { p.self = before }(p.self)
	p.self = c
	for _, step := range proc.Steps {
		if f := p.do(step); f != nil {
			return f
		}
	}
	return nil
}

// settle makes sure that what c says is heard by somebody, and that c hears
// what that one says. Without anybody else in the room there is nothing to do
// yet: the next one who comes settles with c.
func (p *play) settle(c *client, limit time.Duration) *failure {
	others := p.partners(c)
	if len(others) == 0 {
		if p.setUp && p.entered == 1 {
			return nil
		}
		return p.abandoned(c)
	}
	expected := fmt.Sprintf("%s logs in and can chat with %s", c, others[0])
	for _, o := range others {
		if !o.settled {
			// The first in the room had nobody to settle with: its login may
			// still lie unread.
			p.awaitRead(o)
		}
	}
	t := p.newToken(c)
	var partner *client
	e, f := p.say(t, limit, nil, func() bool {
		for _, o := range others {
			if o.seen[t] {
				partner = o
				return true
			}
		}
		return false
	})
	if f != nil {
		return f
	}
	if e != met {
		return p.unsettled(c, expected, e, fmt.Sprintf("what %s said after its login reached nobody", c))
	}
	back := p.newToken(partner)
	if e, f = p.say(back, limit, c, func() bool { return c.seen[back] }); f != nil {
		return f
	}
	if e != met {
		return p.unsettled(c, expected, e, fmt.Sprintf("%s was heard by %s, but did not receive what %s said then",
			c, partner, partner))
	}
	c.settled, partner.settled = true, true
	// The others hear both tokens too, and before them whatever the server
	// says about a newcomer. Whether they really do is for scenarios to ask.
	p.wait(settleGrace, nil, func() bool {
		for _, o := range others {
			if !o.isOver() && !o.stalled && !(o.seen[t] && (o == partner || o.seen[back])) {
				return false
			}
		}
		return true
	})
	return nil
}

// unsettled explains why a client could not join.
func (p *play) unsettled(c *client, expected string, e ending, sentence string) *failure {
	got := sentence
	switch how, exited := p.exited(); {
	case exited:
		got = "the program " + how
	case e == ended:
		p.mu.Lock()
		if c.isOver() {
			got = c.overReason()
		}
		p.mu.Unlock()
	}
	f := fail(c, expected, "%s", got)
	f.rushed = true
	return f
}

// abandoned explains that there is nobody whom c could chat with, although
// others logged in before it.
func (p *play) abandoned(c *client) *failure {
	expected := fmt.Sprintf("somebody is in the room when %s logs in", c)
	f := fail(c, expected, "nobody is left in the room with %s", c)
	f.rushed = true
	if how, exited := p.exited(); exited {
		f.got = "the program " + how
		return f
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.all() {
		if o != c && o.isOver() && o.over != weClosed {
			f.got = o.overReason()
			f.client = o
			break
		}
	}
	return f
}

// partners are the clients in the room other than c that can hear it and
// answer, settled ones first. The hidden client comes last: a play uses its own clients.
func (p *play) partners(c *client) []*client {
	var list []*client
	for _, o := range p.all() {
		if o != c && o.inRoom && o.isOpen() && !o.begun && !p.isStalled(o) {
			list = append(list, o)
		}
	}
	rank := func(o *client) int {
		switch {
		case o == p.hidden:
			return 2
		case !o.settled:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b *client) int { return rank(a) - rank(b) })
	return list
}

func (p *play) isStalled(c *client) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return c.stalled
}

// awaitFree waits a little until the server has noticed that c's last
// connection is over, if it was; before that its name cannot be free.
func (p *play) awaitFree(c *client) {
	if c.conn != nil || p.session.Sockets == nil || !c.remote.IsValid() || c.far {
		return
	}
	for until := time.Now().Add(20 * time.Millisecond); !p.endNoticed(c) && time.Now().Before(until); {
		p.sleep(100 * time.Microsecond)
	}
}

// loginUntilSettled logs in again and again, each time on a new connection:
// the server may need a moment until it knows that a name is free.
func (p *play) loginUntilSettled(c *client, as *string) *failure {
	p.awaitFree(c)
	until := time.Now().Add(p.deadline)
	for pause := 5 * time.Millisecond; ; pause *= 2 {
		f := p.enter(c, as)
		if f == nil {
			limit := min(time.Until(until), max(400*time.Millisecond, p.deadline/5))
			if f = p.settle(c, max(limit, 100*time.Millisecond)+p.pause); f == nil {
				return nil
			}
		}
		if _, exited := p.exited(); exited || p.ctx.Err() != nil || f.verdict == transcript.Error || !time.Now().Before(until) {
			return f
		}
		p.close(c, transcript.Close)
		p.sleep(pause)
	}
}
